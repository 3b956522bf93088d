"""Whether hspace's semi-supervised methods learn what plain PyTorch learns in the same steps, and how fast: the same labels, network, views.

    pip install torch torchvision
    python bench/semi_supervised.py FASHION_IDX_FOLDER HSPACE_BINARY RESULTS [STEPS [DRAWS [METHOD ...]]]
    python bench/semi_supervised.py FASHION_IDX_FOLDER HSPACE_BINARY speed [ROUNDS]

Fashion-MNIST, 10 labels a class, drawn anew for each draw; the other 59,900 training images have none. A cnn of width 16 (`speed`: and a
ResNet-18 of width 16), 64 labelled samples a step and 64 times `ratio` others, AdamW with a peak of 0.001, a tenth of the steps to rise and half a
cosine down. Both sides take the last weights (FixMatch: their average; mean teacher: the teacher) and answer all test images once.

The peer is written as USB (github.com/microsoft/Semi-supervised-learning) does it, without its bookkeeping: a DataLoader with Pillow views, labelled and
unlabelled samples in one batch, Pillow's RandAugment and a grey square for strong views. What is done is kept in RESULTS, a file for each draw and
side, and is not done again.
"""

import copy
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageOps
from torch import nn
from torchvision import transforms

from learning import idx
from steps import Unit, residual

BATCH, RATE, DECAY, CLASSES = 64, 1e-3, 0.01, 10
FIRST = 3
# Views of each unlabelled sample, and unlabelled samples per labelled one.
METHODS = {
    "supervised": ([], 0),
    "pseudo_label": (["weak"], 1),
    "pi_model": (["weak", "weak"], 1),
    "mean_teacher": (["weak", "weak"], 1),
    "vat": (["weak"], 2),
    "mixmatch": (["weak", "weak"], 1),
    "fixmatch": (["weak", "strong"], 7),
}


def fashion(folder):
    parts = [idx(folder, f"{part}-{kind}") for part in ("train", "t10k") for kind in ("images", "labels")]
    return [x.reshape(-1, 28, 28) if len(x) > 60_000 else x for x in parts]


def cnn(width=16):
    layers, channels = [], 1
    for i in range(4):
        layers += [nn.Conv2d(channels, width << i, 3, 2, 1, bias=False), nn.BatchNorm2d(width << i), nn.ReLU(inplace=True)]
        channels = width << i
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def resnet():
    layers = residual(16, stages=4)[:-1]
    layers[0] = Unit(1, 16, 3, 1)
    return layers


def blend(change):
    return lambda image, strength, sign: change(image).enhance(1 - 0.95 * strength)


def affine(matrix):
    def apply(image, strength, sign):
        return image.transform(image.size, Image.Transform.AFFINE, matrix(strength * sign), Image.Resampling.BILINEAR, fillcolor=128)

    return apply


OPERATIONS = [
    lambda image, *_: ImageOps.autocontrast(image),
    lambda image, *_: ImageOps.equalize(image),
    lambda image, strength, sign: image.rotate(30 * strength * sign, Image.Resampling.BILINEAR, fillcolor=128),
    affine(lambda s: (1, 0.3 * s, -0.3 * s * 13.5, 0, 1, 0)),
    affine(lambda s: (1, 0, 0, 0.3 * s, 1, -0.3 * s * 13.5)),
    affine(lambda s: (1, 0, 0.3 * s * 28, 0, 1, 0)),
    affine(lambda s: (1, 0, 0, 0, 1, 0.3 * s * 28)),
    lambda image, strength, sign: ImageOps.solarize(image, round(256 * (1 - strength))),
    lambda image, strength, sign: ImageOps.posterize(image, 8 - round(4 * strength)),
    blend(ImageEnhance.Brightness),
    blend(ImageEnhance.Contrast),
    blend(ImageEnhance.Color),
    blend(ImageEnhance.Sharpness),
]


def square(image):
    side = round(28 * math.sqrt(random.uniform(0, 0.25)))
    left, top = random.randint(0, 28 - side), random.randint(0, 28 - side)
    image = image.copy()
    image.paste(128, (left, top, left + side, top + side))
    return image


def rand_augment(image):
    for _ in range(2):
        operation, strength, sign = random.choice(OPERATIONS), random.random(), random.choice([1, -1])
        if random.random() < 0.5:
            image = operation(image, strength, sign)
    return square(image)


class Rows(torch.utils.data.Dataset):
    def __init__(self, images, labels, views, mean, std):
        self.images, self.labels = images, labels
        weak = [transforms.RandomResizedCrop(28, scale=(0.6, 1.0), ratio=(3 / 4, 4 / 3)), transforms.RandomHorizontalFlip()]
        after = [transforms.ToTensor(), transforms.Normalize([mean], [std])]
        made = {"weak": weak + after, "strong": weak + [transforms.Lambda(rand_augment)] + after}
        self.views = [transforms.Compose(made[view]) for view in views]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = Image.fromarray(self.images[i])
        return [view(image) for view in self.views], self.labels[i]


def seeded(worker):
    random.seed(torch.initial_seed() % 2**32)


def batches(rows, size, steps, workers):
    """Samples come again as often as need be, all before one does."""
    order = torch.cat([torch.randperm(len(rows)) for _ in range(math.ceil(steps * size / len(rows)))])[: steps * size]
    return torch.utils.data.DataLoader(rows, size, sampler=order.tolist(), num_workers=workers, worker_init_fn=seeded)


class Model(nn.Module):
    def __init__(self, backbone, features):
        super().__init__()
        for layer in backbone.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        self.backbone, self.head = backbone, nn.Linear(features, CLASSES)

    def forward(self, x):
        return self.head(self.backbone(x.contiguous(memory_format=torch.channels_last)))


def still(model, on):
    """Whether batch normalisation leaves its running statistics as they are."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0 if on else 0.1


def consistency(logits, target):
    return ((logits.softmax(1) - target) ** 2).mean()


def divergence(p, logits):
    return (p * ((p + 1e-20).log() - logits.log_softmax(1))).sum(1).mean()


def unit(x):
    return x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def ramp(progress, over):
    return math.exp(-5 * (1 - min(progress / over, 1)) ** 2)


def loss_of(method, model, teacher, known, labels, others, progress, std):
    n = len(known)
    if method == "supervised":
        return F.cross_entropy(model(known), labels)
    m = len(others[0])
    if method == "mean_teacher":
        logits = model(torch.cat([known, others[0]]))
        with torch.no_grad():
            target = teacher(others[1]).softmax(1)
        return F.cross_entropy(logits[:n], labels) + 50 * ramp(progress, 0.4) * consistency(logits[n:], target)
    if method == "mixmatch":
        still(model, True)
        with torch.no_grad():
            mean = sum(model(torch.cat(others)).softmax(1).split(m)) / len(others)
        still(model, False)
        guess = mean**2 / (mean**2).sum(1, keepdim=True)
        x = torch.cat([known, *others])
        targets = torch.cat([F.one_hot(labels, CLASSES).float(), *[guess] * len(others)])
        share = torch.distributions.Beta(0.75, 0.75).sample().item()
        share, order = max(share, 1 - share), torch.randperm(len(x))
        x, targets = (share * t + (1 - share) * t[order] for t in (x, targets))
        logits = model(x)
        supervised = -(targets[:n] * logits[:n].log_softmax(1)).sum(1).mean()
        return supervised + 75 * progress * consistency(logits[n:], targets[n:])
    # VAT's labelled and unlabelled samples are batches of their own, as in its authors' code.
    logits = torch.cat([model(known), model(others[0])]) if method == "vat" else model(torch.cat([known, *others]))
    supervised = F.cross_entropy(logits[:n], labels)
    if method == "pi_model":
        return supervised + 10 * ramp(progress, 0.4) * consistency(logits[n : n + m], logits[n + m :].softmax(1))
    if method == "pseudo_label":
        weight = 3 * min(max((progress - 0.1) / 0.5, 0), 1)
        return supervised + weight * F.cross_entropy(logits[n:], logits[n:].detach().argmax(1))
    if method == "fixmatch":
        most, taken = logits[n : n + m].detach().softmax(1).max(1)
        each = F.cross_entropy(logits[n + m :], taken, reduction="none")
        return supervised + (each * (most >= 0.95)).mean()
    # VAT: lengths in pixels of 0..1.
    x, p = others[0], logits[n:].detach().softmax(1)
    still(model, True)
    r = unit(torch.randn_like(x)).requires_grad_()
    (gradient,) = torch.autograd.grad(divergence(p, model(x + r / std)), r)
    adversarial = divergence(p, model(x + 0.5 * unit(gradient) / std))
    still(model, False)
    return supervised + adversarial


def theirs(method, network, arrays, seed, steps, workers):
    """Share of the test images answered right (None with `arrays` of no test images), and seconds of training."""
    torch.manual_seed(seed)
    random.seed(seed)
    images, labels, known, test = arrays
    mean, std = float((images / 255).mean()), float((images / 255).std())
    views, ratio = METHODS[method]
    model = Model(cnn(), 128) if network == "cnn" else Model(resnet(), 128)
    model = model.to(memory_format=torch.channels_last)
    teacher = copy.deepcopy(model)
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY}]
    groups += [{"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    warm = round(0.1 * steps)
    factor = lambda s: (s + 1) / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (steps - warm)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    labelled = batches(Rows(images[known], labels[known], ["weak"], mean, std), BATCH, steps, workers if not ratio else 0)
    rows = Rows(images, np.zeros(len(images), int), views, mean, std)
    unlabelled = batches(rows, BATCH * ratio, steps, workers) if ratio else [([], None)] * steps
    begun = time.perf_counter()
    for step, (([x], y), (others, _)) in enumerate(zip(labelled, unlabelled)):
        if step == FIRST:
            begun = time.perf_counter()
        optimizer.zero_grad()
        loss_of(method, model, teacher, x, y.long(), others, step / steps, std).backward()
        optimizer.step()
        schedule.step()
        if method in ("fixmatch", "mean_teacher"):
            # An average that forgets its first steps, of which the random weights are no part.
            t = step if method == "fixmatch" else 1000 * (step + 1) / steps
            keep = min(0.999, (1 + t) / (10 + t))
            with torch.no_grad():
                for ours, own in zip(teacher.parameters(), model.parameters()):
                    ours.lerp_(own, 1 - keep)
                for ours, own in zip(teacher.buffers(), model.buffers()):
                    if method == "fixmatch":
                        ours.copy_(own)
    # As if all steps took as long as those after the first, in which the loader's processes begin.
    seconds = (time.perf_counter() - begun) * steps / (steps - FIRST)
    if test is None:
        return None, seconds
    model = teacher if method in ("fixmatch", "mean_teacher") else model
    model.eval()
    right = 0
    with torch.inference_mode():
        for x, y in zip(np.array_split(test[0], 100), np.array_split(test[1], 100)):
            x = (torch.tensor(x)[:, None].float() / 255 - mean) / std
            right += int((model(x).argmax(1).numpy() == y).sum())
    return right / len(test[0]), seconds


def hspace(binary, folder, *words):
    return subprocess.run([binary, *map(str, words)], cwd=folder, check=True, capture_output=True, text=True).stdout


def ours(binary, method, network, arrays, seed, steps):
    images, labels, known, test = arrays
    encoder = {"cnn": ["cnn", "encoder.width=16"], "resnet18": ["resnet18", "encoder.width=16", "encoder.stem=small"]}[network]
    with tempfile.TemporaryDirectory() as folder:
        some = np.full(len(images), "", "U2")
        some[known] = labels[known].astype("U2")
        data = {"x_train": images, "y_train": some}
        if test is not None:
            data |= {"x_test": test[0], "y_test": test[1].astype("U2")}
        np.savez(f"{folder}/data.npz", **data)
        sets = [*encoder[1:], f"train.learning_rate={RATE}", f"train.weight_decay={DECAY}", "train.online_probe=false"]
        words = ["train", "--data", "data.npz", "--encoder", encoder[0], "--objective", method, "--batch-size", BATCH, "--steps", steps]
        words += ["--seed", seed, "--out", "run", "--no-check"]
        hspace(binary, folder, *words, *(word for one in sets for word in ("--set", one)))
        seconds = json.loads(Path(folder, "run/metrics.jsonl").read_text().splitlines()[-1])["seconds"]
        if test is None:
            return None, seconds
        np.savez(f"{folder}/test.npz", x=test[0])
        hspace(binary, folder, "predict", "run", "--data", "test.npz", "--out", "answers.csv")
        answers = np.genfromtxt(f"{folder}/answers.csv", delimiter=",", names=True, dtype=None, encoding="utf8")
        answers = answers[np.argsort(answers[answers.dtype.names[0]])]
        right = (answers[answers.dtype.names[1]].astype(int) == test[1]).mean()
    return float(right), seconds


def once(path, make):
    if not path.exists():
        right, seconds = make()
        path.write_text(json.dumps({"accuracy": right, "seconds": seconds}))
    return json.loads(path.read_text())


def compare(images, labels, test, binary, results, steps, draws, methods):
    results.mkdir(parents=True, exist_ok=True)
    for method in methods:
        found = {"ours": [], "theirs": []}
        for draw in range(draws):
            random_rows = np.random.default_rng(draw)
            known = np.concatenate([random_rows.choice(np.flatnonzero(labels == c), 10, False) for c in range(CLASSES)])
            arrays = (images, labels, known, test)
            name = f"{method}-{steps}-{draw}"
            found["ours"].append(once(results / f"{name}-ours.json", lambda: ours(binary, method, "cnn", arrays, draw, steps)))
            found["theirs"].append(once(results / f"{name}-theirs.json", lambda: theirs(method, "cnn", arrays, draw, steps, 2)))
        rights = {side: [one["accuracy"] for one in all] for side, all in found.items()}
        apart = [a - b for a, b in zip(*rights.values())]
        each = {side: " ".join(f"{x:.3f}" for x in all) for side, all in rights.items()}
        means = " ".join(f"{side} {statistics.mean(all):.4f} ({each[side]})" for side, all in rights.items())
        spread = statistics.stdev(apart) / math.sqrt(draws) if draws > 1 else math.nan
        print(f"{method:13} {means} difference {statistics.mean(apart):+.4f}, standard error {spread:.4f}", flush=True)


def speed(images, labels, binary, rounds):
    known = np.concatenate([np.flatnonzero(labels == c)[:10] for c in range(CLASSES)])
    arrays = (images, labels, known, None)
    for network, steps in [("cnn", 40), ("resnet18", 15)]:
        for method in ("fixmatch", "mean_teacher"):
            samples = BATCH + BATCH * METHODS[method][1]
            ratios = []
            for _ in range(rounds):
                left = ours(binary, method, network, arrays, 0, steps)[1]
                right = min(theirs(method, network, arrays, 0, steps, workers)[1] for workers in (1, 2))
                ratios.append(right / left)
                rates = [samples * steps / seconds for seconds in (left, right)]
                print(f"{network} {method}: samples/s hspace {rates[0]:.0f}, PyTorch {rates[1]:.0f}, ratio {right / left:.2f}", flush=True)
            print(f"{network} {method}: median ratio {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    images, labels, *test = fashion(sys.argv[1])
    binary = Path(sys.argv[2]).resolve()
    if sys.argv[3] == "speed":
        speed(images, labels, binary, int(sys.argv[4]) if len(sys.argv) > 4 else 3)
    else:
        steps, draws = (int(word) for word in (sys.argv[4:6] + ["1000", "5"][len(sys.argv[4:6]) :]))
        compare(images, labels, test, binary, Path(sys.argv[3]), steps, draws, sys.argv[6:] or METHODS)
