"""SimCLR from start to end with lightly: ResNet-18 with a small-image stem, Fashion-MNIST as RGB at 32 px, batch 128,
SimCLR's views without blur, a worker for each core. Prints images/s; hspace's side is started from here as well, on the
same images. Both sides take turns, and medians are compared: a machine that is shared changes its speed by a tenth from
minute to minute.

    pip install torch torchvision lightly
    python bench/simclr.py FASHION_IDX_FOLDER HSPACE_BINARY
"""

import gzip
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch import nn

from steps import residual

BATCH, SECONDS, IMAGES = 128, 12, 12800
ROUNDS = int(os.environ.get("ROUNDS", 5))


def images(folder):
    path = next(p for p in Path(folder).iterdir() if p.name.startswith("train-images"))
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    grey = np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)[:IMAGES]
    return np.repeat(grey[..., None], 3, axis=3)


class Data(torch.utils.data.Dataset):
    def __init__(self, rgb):
        self.rgb = rgb
        self.views = SimCLRTransform(input_size=32, gaussian_blur=0.0)

    def __len__(self):
        return len(self.rgb)

    def __getitem__(self, i):
        return self.views(Image.fromarray(self.rgb[i]))


def lightly(rgb, width):
    loader = torch.utils.data.DataLoader(Data(rgb), BATCH, shuffle=True, drop_last=True, num_workers=os.cpu_count())
    backbone = residual(width, stages=4)[:-1].to(memory_format=torch.channels_last)
    head = SimCLRProjectionHead(8 * width, 512, 128)
    model = nn.Sequential(backbone, head).train()
    loss = NTXentLoss(temperature=0.5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    done, begun = 0, None
    for _ in range(100):
        for a, b in loader:
            optimizer.zero_grad()
            a, b = (x.to(memory_format=torch.channels_last) for x in (a, b))
            loss(model(a), model(b)).backward()
            optimizer.step()
            if begun is None:
                begun = time.perf_counter()
                continue
            done += BATCH
            if time.perf_counter() - begun > SECONDS:
                return done / (time.perf_counter() - begun)


def hspace(rgb, width, binary):
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/rgb.npz", train_images=rgb, test_images=rgb[:10])
        command = [binary, "train", "--data", f"{folder}/rgb.npz", "--encoder", "resnet18", "--objective", "simclr"]
        command += ["--batch-size", str(BATCH), "--epochs", "100", "--out", f"{folder}/run", "--no-check"]
        for setting in ["train.image_size=32", f"encoder.width={width}", "encoder.stem=small", "views.blur.p=0",
                        "train.online_probe=false", "train.log_every=4"]:
            command += ["--set", setting]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(SECONDS)
        process.send_signal(signal.SIGINT)
        process.wait()
        lines = [json.loads(line) for line in Path(f"{folder}/run/metrics.jsonl").read_text().splitlines()]
        first, last = lines[0], lines[-1]
        return BATCH * (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


if __name__ == "__main__":
    rgb = images(sys.argv[1])
    for width in [16, 64]:
        turns = [(hspace(rgb, width, sys.argv[2]), lightly(rgb, width)) for _ in range(ROUNDS)]
        ours, theirs = (statistics.median(side) for side in zip(*turns))
        print(f"width {width}: hspace {ours:.1f} images/s, lightly {theirs:.1f}, ratio {ours / theirs:.2f}; turns:", end=" ")
        print(", ".join(f"{a:.1f}/{b:.1f}" for a, b in turns), flush=True)
