"""Whether hspace's methods of domain adaptation learn what plain PyTorch learns with TLLib's losses in the same steps.

    pip install torch torchvision
    python bench/adaptation.py MNIST_IDX_FOLDER USPS_NPZ HSPACE_BINARY RESULTS [STEPS [SEEDS [METHOD ...]]]

MNIST to USPS and back: labels of the source's training split, the target's training split without labels, the target's test split, all at 28
pixels. A cnn of width 16, no random views, 64 labelled samples and 64 of the target a step in one batch, AdamW with a peak of 0.001, a tenth of the steps to
rise and half a cosine down, the last weights: nothing is chosen. The losses are written as TLLib (github.com/thuml/Transfer-Learning-Library) has
them, with the gradient reversal's strength rising to 1 as in the paper of DANN. What is done is kept in RESULTS and not done again.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from learning import idx
from semi_supervised import Model, cnn

BATCH, RATE, DECAY, CLASSES, SIDE = 64, 1e-3, 0.01, 10, 28
METHODS = ["supervised", "dann", "cdan", "coral", "dan", "jan", "mcc", "adabn", "rotation"]


def domains(mnist, usps):
    """Images `[n, 28, 28]` of 0..255 and labels of both, train and test."""
    images = [idx(mnist, f"{part}-images") for part in ("train", "t10k")]
    labels = [idx(mnist, f"{part}-labels") for part in ("train", "t10k")]
    one = {part: (x.reshape(-1, SIDE, SIDE), y) for part, x, y in zip(("train", "test"), images, labels)}
    file = np.load(usps)
    grow = lambda x: np.asarray(Image.fromarray(x).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    two = {}
    for part in ("train", "test"):
        x = np.stack([grow(image.reshape(16, 16)) for image in file[f"{part}_images"]])
        two[part] = (x, file[f"{part}_labels"].ravel())
    return {"mnist": one, "usps": two}


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context, x, strength):
        context.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return -context.strength * gradient, None


def discriminator(inputs, units=1024):
    layers = []
    for size in (inputs, units):
        layers += [nn.Linear(size, units), nn.BatchNorm1d(units), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(units, 1))


def domain_loss(logits, n):
    source = F.binary_cross_entropy_with_logits(logits[:n], torch.ones_like(logits[:n]))
    target = F.binary_cross_entropy_with_logits(logits[n:], torch.zeros_like(logits[n:]))
    return (source + target) / 2


def certainty(p):
    weights = 1 + torch.exp((p * (p + 1e-5).log()).sum(1, keepdim=True))
    return weights / weights.mean()


def squared_distances(x):
    return (x.unsqueeze(0) - x.unsqueeze(1)).pow(2).sum(2)


def kernels(x):
    distances = squared_distances(x)
    scale = distances.mean().detach()
    return sum(torch.exp(-distances / (2 * 2.0**k * scale)) for k in range(-3, 2))


def discrepancy(k, n):
    m = len(k) - n
    within = lambda part: (part.sum() - part.diagonal().sum()) / (len(part) * (len(part) - 1))
    return within(k[:n, :n]) + within(k[n:, n:]) - 2 * k[:n, n:].sum() / (n * m)


def adaptation_loss(method, f, logits, n, heads, progress):
    strength = 2 / (1 + math.exp(-10 * progress)) - 1
    if method == "dann":
        return domain_loss(heads["domain"](Reversal.apply(f, strength)), n)
    if method == "cdan":
        p = logits.softmax(1).detach()
        x = torch.bmm(p.unsqueeze(2), f.unsqueeze(1)).flatten(1)
        return domain_loss(heads["domain"](Reversal.apply(x, strength)), n)
    if method == "coral":
        s, t = f[:n], f[n:]
        return (s.mean(0) - t.mean(0)).pow(2).mean() + (torch.cov(s.T) - torch.cov(t.T)).pow(2).mean()
    if method == "dan":
        return discrepancy(kernels(f), n)
    if method == "jan":
        p = logits.softmax(1)
        return discrepancy(kernels(f) * torch.exp(-squared_distances(p) / (2 * 0.92**2)), n)
    if method == "mcc":
        p = (logits[n:] / 2.5).softmax(1)
        confusion = (p * certainty(p).detach()).T @ p
        confusion = confusion / confusion.sum(1, keepdim=True)
        return (confusion.sum() - confusion.trace()) / CLASSES
    return 0.0


def rows(count, size, steps):
    order = torch.cat([torch.randperm(count) for _ in range(math.ceil(steps * size / count))])
    return order[: steps * size].reshape(steps, size)


def theirs(method, source, target, seed, steps):
    torch.manual_seed(seed)
    x, y = (torch.tensor(np.asarray(part)) for part in source["train"])
    u = torch.tensor(target["train"][0])
    both = np.concatenate([source["train"][0].ravel(), target["train"][0].ravel()]) / 255
    mean, std = float(both.mean()), float(both.std())
    shown = lambda images: (images[:, None].float() / 255 - mean) / std
    model = Model(cnn(), 128).to(memory_format=torch.channels_last)
    heads = nn.ModuleDict()
    if method in ("dann", "cdan"):
        heads["domain"] = discriminator(128 * (CLASSES if method == "cdan" else 1))
    if method == "rotation":
        heads["rotation"] = nn.Linear(128, 4)
    all_parameters = [*model.parameters(), *heads.parameters()]
    groups = [{"params": [p for p in all_parameters if p.ndim > 1], "weight_decay": DECAY}]
    groups += [{"params": [p for p in all_parameters if p.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    warm = round(0.1 * steps)
    factor = lambda s: (s + 1) / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (steps - warm)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for step, (known, others) in enumerate(zip(rows(len(x), BATCH, steps), rows(len(u), BATCH, steps))):
        a, b, labels = shown(x[known]), shown(u[others]), y[known].long()
        if method == "supervised":
            loss = F.cross_entropy(model(a), labels)
        elif method == "adabn":
            for layer in norms:
                layer.momentum = 0.0
            loss = F.cross_entropy(model(a), labels)
            for layer in norms:
                layer.momentum = 0.1
            with torch.no_grad():
                model(b)
        elif method == "rotation":
            images = torch.cat([a, b])[torch.randperm(2 * BATCH)]
            turns = torch.arange(2 * BATCH) % 4
            turned = torch.cat([images[turns == k].rot90(int(k), (2, 3)) for k in range(4)])
            f = model.backbone(torch.cat([a, turned]).contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(model.head(f[:BATCH]), labels)
            loss = loss + F.cross_entropy(heads["rotation"](f[BATCH:]), turns.sort().values)
        else:
            f = model.backbone(torch.cat([a, b]).contiguous(memory_format=torch.channels_last))
            logits = model.head(f)
            loss = F.cross_entropy(logits[:BATCH], labels)
            loss = loss + adaptation_loss(method, f, logits, BATCH, heads, step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    test, truth = target["test"]
    with torch.inference_mode():
        said = [model(shown(torch.tensor(part))).argmax(1) for part in np.array_split(test, 20)]
    return float((torch.cat(said).numpy() == truth).mean())


def ours(binary, folder, methods, seed, steps):
    """Scores of all methods from `a` to `b`, by one command."""
    names = {}
    for method in methods:
        views = "views" if method == "supervised" else "views.weak"
        settings = f"cnn:width=16:{views}.crop.p=0.0:{views}.flip.horizontal=0.0:train.learning_rate={RATE}:train.steps={steps}"
        names[f"{method}:{settings}"] = method
    words = [binary, "shift", *names, "--data", "a.npz", "--target", "b.npz", "--no-baselines", "--seed", seed, "--json", "found.json"]
    subprocess.run([str(word) for word in words], cwd=folder, check=True, capture_output=True)
    found = json.loads(Path(folder, "found.json").read_text())
    return {names[row["source"]]: row["score"]["mean"] for row in found["rows"]}


def archive(path, domain):
    arrays = {f"{part}_images": domain[part][0] for part in ("train", "test")}
    arrays |= {f"{part}_labels": domain[part][1] for part in ("train", "test")}
    np.savez(path, **arrays)


if __name__ == "__main__":
    mnist, usps, binary, results = sys.argv[1:5]
    steps, seeds = (int(word) for word in (sys.argv[5:7] + ["2000", "3"][len(sys.argv[5:7]) :]))
    methods = sys.argv[7:] or METHODS
    binary, results = Path(binary).resolve(), Path(results)
    results.mkdir(parents=True, exist_ok=True)
    found = domains(mnist, usps)

    def once(name, make):
        path = results / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(make()))
        return json.loads(path.read_text())

    for source, target in (("mnist", "usps"), ("usps", "mnist")):
        scores = {method: {"ours": [], "theirs": []} for method in methods}
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                archive(f"{folder}/a.npz", found[source])
                archive(f"{folder}/b.npz", found[target])
                for method in methods:
                    name = f"{source}-{method}-{steps}-{seed}"
                    own = once(f"{name}-ours", lambda: ours(binary, folder, [method], seed, steps)[method])
                    scores[method]["ours"].append(own)
                    other = once(f"{name}-theirs", lambda: theirs(method, found[source], found[target], seed, steps))
                    scores[method]["theirs"].append(other)
        print(f"{source} to {target}, {steps} steps, {seeds} seeds: % of the test samples of the target")
        for method, of in scores.items():
            each = lambda side: " ".join(f"{100 * x:.1f}" for x in of[side])
            means = {side: 100 * statistics.mean(all) for side, all in of.items()}
            print(f"  {method:10} ours {means['ours']:.1f} ({each('ours')}) theirs {means['theirs']:.1f} ({each('theirs')})", flush=True)
