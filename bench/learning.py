"""Whether hspace learns what lightly learns: the same encoder, data, views, optimizer and schedule, probed alike.

    pip install torch torchvision lightly
    python bench/learning.py FASHION_IDX_FOLDER HSPACE_BINARY RESULTS [EPOCHS [SEEDS [METHOD ...]]]

ResNet-18 with a small-image stem, width 16; Fashion-MNIST as RGB at 32 px, all 60,000 training images; batches of 128, AdamW
with a peak of 0.001, a tenth of the steps to rise and half a cosine down. Projectors have hidden layers of 512, one and 128
outputs for SimCLR and BYOL (and so BYOL's predictor), two and 512 outputs for Barlow Twins and VICReg. EPOCHS of 468 steps
(4: 1,872). Both sides' features are measured by hspace's probes. What is done is kept in the folder RESULTS, files
for each method, seed and side, and is not done again.
"""

import copy
import gzip
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightly.loss import BarlowTwinsLoss, NTXentLoss, VICRegLoss
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch import nn

from steps import residual

BATCH, RATE, DECAY = 128, 1e-3, 0.01
VIEWS = ["views.crop.p=1", "views.crop.scale=[0.08,1]", "views.flip.horizontal=0.5", "views.grey.p=0.2", "views.blur.p=0"]
VIEWS += ["views.color.p=0.8", "views.color.brightness=0.8", "views.color.contrast=0.8", "views.color.saturation=0.8", "views.color.hue=0.2"]


def idx(folder, part):
    path = next(p for p in Path(folder).iterdir() if p.name.startswith(part))
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(data, np.uint8, offset=16 if "images" in part else 8)


def fashion(folder):
    arrays = {}
    for name, part in [("train", "train"), ("test", "t10k")]:
        grey = idx(folder, f"{part}-images").reshape(-1, 28, 28)
        arrays[f"{name}_images"] = np.repeat(grey[..., None], 3, axis=3)
        arrays[f"{name}_labels"] = idx(folder, f"{part}-labels")
    return arrays


def perceptron(*dims):
    layers = []
    for inputs, out in zip(dims[:-2], dims[1:-1]):
        layers += [nn.Linear(inputs, out, bias=False), nn.BatchNorm1d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(dims[-2], dims[-1]))


class Byol(nn.Module):
    """Learner, predictor and momentum teacher."""

    def __init__(self, model):
        super().__init__()
        self.model, self.teacher, self.predictor = model, copy.deepcopy(model), perceptron(128, 512, 128)

    def loss(self, a, b):
        distance = lambda q, z: (2 - 2 * F.cosine_similarity(q, z)).mean()
        qa, qb = (self.predictor(self.model(x)) for x in (a, b))
        with torch.no_grad():
            ta, tb = self.teacher(a), self.teacher(b)
        return distance(qa, tb) + distance(qb, ta)

    def follow(self, progress):
        left = (1 - 0.98) * (math.cos(math.pi * progress) + 1) / 2
        with torch.no_grad():
            for teacher, own in zip(self.teacher.parameters(), self.model.parameters()):
                teacher.lerp_(own, left)


PROJECTIONS = {"simclr": (512, 128), "byol": (512, 128), "barlow_twins": (512, 512, 512), "vicreg": (512, 512, 512)}
LOSSES = {
    "simclr": lambda: NTXentLoss(temperature=0.2),
    "barlow_twins": lambda: BarlowTwinsLoss(lambda_param=5e-3),
    "vicreg": lambda: VICRegLoss(),
}


class Data(torch.utils.data.Dataset):
    def __init__(self, images, mean, std):
        self.images = images
        self.views = SimCLRTransform(input_size=32, gaussian_blur=0.0, normalize={"mean": mean, "std": std})

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.views(Image.fromarray(self.images[i]))


def lightly(arrays, method, seed, epochs):
    torch.manual_seed(seed)
    images = arrays["train_images"]
    mean, std = [[float(f(images / 255))] * 3 for f in (np.mean, np.std)]
    loader = torch.utils.data.DataLoader(Data(images, mean, std), BATCH, shuffle=True, drop_last=True, num_workers=2)
    backbone = residual(16, stages=4)[:-1].to(memory_format=torch.channels_last)
    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):
            # torchvision's start, and ours. PyTorch's own is 2.4 times smaller, which with normalisation is a higher learning rate.
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    model = nn.Sequential(backbone, perceptron(128, *PROJECTIONS[method]))
    byol = Byol(model) if method == "byol" else None
    trained = [p for name, p in (byol or model).named_parameters() if not name.startswith("teacher.")]
    groups = [{"params": [p for p in trained if p.ndim > 1], "weight_decay": DECAY}]
    groups += [{"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    steps = epochs * len(loader)
    warm = round(0.1 * steps)
    factor = lambda s: (s + 1) / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (steps - warm)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    loss = LOSSES[method]() if method in LOSSES else None
    done, begun = 0, time.perf_counter()
    for _ in range(epochs):
        for a, b in loader:
            a, b = (x.to(memory_format=torch.channels_last) for x in (a, b))
            optimizer.zero_grad()
            (byol.loss(a, b) if byol else loss(model(a), model(b))).backward()
            optimizer.step()
            schedule.step()
            done += 1
            if byol:
                byol.follow(done / steps)
    seconds = time.perf_counter() - begun
    backbone.eval()
    features = []
    with torch.inference_mode():
        for part in np.array_split(np.concatenate([images, arrays["test_images"]]), 200):
            x = torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255
            x = F.interpolate(x, size=32, mode="bilinear", antialias=True)
            x = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
            features.append(backbone(x.to(memory_format=torch.channels_last)).numpy())
    return np.concatenate(features), seconds


def hspace(binary, folder, *words):
    return subprocess.run([binary, *map(str, words)], cwd=folder, check=True, capture_output=True, text=True).stdout


def ours(binary, folder, method, seed, epochs):
    """Trains with hspace in the folder: the features as `hspace embed` writes them, and seconds of training."""
    sets = ["encoder.width=16", "encoder.stem=small", "train.image_size=32", "train.online_probe=false", f"train.learning_rate={RATE}"]
    sets += [f"train.weight_decay={DECAY}", *VIEWS]
    words = ["train", "--data", "data.npz", "--encoder", "resnet18", "--objective", method, "--batch-size", BATCH, "--epochs", epochs]
    words += ["--seed", seed, "--out", "run", "--overwrite", "--no-check"]
    hspace(binary, folder, *words, *(word for one in sets for word in ("--set", one)))
    hspace(binary, folder, "embed", "run", "--data", "data.npz", "--out", "ours.npz")
    return dict(np.load(f"{folder}/ours.npz")), json.loads(Path(folder, "run/metrics.jsonl").read_text().splitlines()[-1])["seconds"]


def theirs(like, arrays, method, seed, epochs):
    """The same with lightly, in the layout of `like`."""
    features, seconds = lightly(arrays, method, seed, epochs)
    return {**like, "features": features}, seconds


def once(path, make):
    """A file of features and seconds: made, or there."""
    if not path.exists():
        features, seconds = make()
        whole = path.with_suffix(".part.npz")
        np.savez(whole, **features, seconds=seconds)
        whole.rename(path)
    return dict(np.load(path))


def measure(arrays, results, method, seed, epochs, binary):
    name = f"{method}-{seed}-{epochs}"
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/data.npz", **arrays)
        left = once(results / f"{name}-ours.npz", lambda: ours(binary, folder, method, seed, epochs))
        like = {key: value for key, value in left.items() if key != "seconds"}
        right = once(results / f"{name}-theirs.npz", lambda: theirs(like, arrays, method, seed, epochs))
        for side, found in [("ours", left), ("theirs", right)]:
            np.savez(f"{folder}/{side}.npz", **{**like, "features": found["features"]})
        probe = ["--labels", "10,all", "--probe", "linear,knn", "--no-baselines"]
        table = hspace(binary, folder, "probe", "ours.npz", "theirs.npz", "--data", "data.npz", *probe)
    times = [float(found["seconds"]) for found in (left, right)]
    return f"{method}, seed {seed}: seconds of training: hspace {times[0]:.0f}, lightly {times[1]:.0f}\n{table}"


if __name__ == "__main__":
    arrays, binary, results = fashion(sys.argv[1]), Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    epochs, seeds = (int(word) for word in (sys.argv[4:6] + ["4", "2"][len(sys.argv[4:6]) :]))
    results.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for method in sys.argv[6:] or PROJECTIONS:
            result = results / f"{method}-{seed}-{epochs}.txt"
            if not result.exists():
                result.write_text(measure(arrays, results, method, seed, epochs, binary))
            print(result.read_text(), flush=True)
