"""Training steps and inference compared with PyTorch at its best: both in one run, turn by turn, medians.

    pip install torch timm
    cargo build --release --examples
    MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=4294967296 python bench/steps.py [network ...]

PyTorch's best: channels_last, freed memory kept (the two variables), and for inference the batch normalisations folded
into the convolutions. Both train with SGD and momentum on ten classes.
"""

import copy
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

OURS = Path(__file__).parent.parent / "target/release/examples/steps"
ROUNDS = int(os.environ.get("ROUNDS", 7))
SECONDS = float(os.environ.get("SECONDS_A_TURN", 0.7))


class Unit(nn.Module):
    """Convolution and batch normalisation; folded, the convolution alone."""

    def __init__(self, inputs, out, kernel, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x):
        return self.bn(self.conv(x))

    def fold(self):
        self.conv, self.bn = fuse_conv_bn_eval(self.conv, self.bn), nn.Identity()


class Block(nn.Module):
    def __init__(self, inputs, out, stride):
        super().__init__()
        self.a, self.b = Unit(inputs, out, 3, stride), Unit(out, out, 3, 1)
        self.down = Unit(inputs, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu_(self.b(F.relu_(self.a(x))) + self.down(x))


def residual(width, stages=3):
    blocks, channels = [], width
    for stage in range(stages):
        for block in range(2):
            out = width << stage
            blocks.append(Block(channels, out, 2 if stage > 0 and block == 0 else 1))
            channels = out
    return nn.Sequential(
        Unit(3, width, 3, 1), nn.ReLU(inplace=True), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)
    )


def cnn(width):
    layers, channels = [], 3
    for i in range(4):
        layers += [Unit(channels, width << i, 3, 2), nn.ReLU(inplace=True)]
        channels = width << i
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def mlp(width, inputs):
    layers = [nn.Flatten()]
    for _ in range(3):
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def vit(width, size):
    """timm's, 12 blocks and patches of 4 pixels."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=size, patch_size=4, embed_dim=width, depth=12, num_heads=width // 64, num_classes=10)


class Torch:
    def __init__(self, network, width, size, batch):
        channels = 1 if network == "mlp" else 3
        self.model = {
            "residual": lambda: residual(width),
            "resnet18": lambda: residual(width, stages=4),
            "cnn": lambda: cnn(width),
            "mlp": lambda: mlp(width, size * size),
            "vit_tiny": lambda: vit(width, size),
        }[network]()
        self.model = self.model.to(memory_format=torch.channels_last)
        self.x = torch.randn(batch, channels, size, size).to(memory_format=torch.channels_last)
        self.y = torch.arange(batch) % 10
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.folded = copy.deepcopy(self.model).eval()
        for unit in self.folded.modules():
            if isinstance(unit, Unit):
                unit.fold()
        self.folded = self.folded.to(memory_format=torch.channels_last)

    def run(self, what):
        if what == "train":
            self.optimizer.zero_grad()
            F.cross_entropy(self.model(self.x), self.y).backward()
            self.optimizer.step()
        else:
            with torch.inference_mode():
                self.folded(self.x)

    def times(self, what, count):
        out = []
        for _ in range(count):
            begun = time.perf_counter()
            self.run(what)
            out.append((time.perf_counter() - begun) * 1e3)
        return out


class Side:
    """A process that answers `train N` and `infer N` by the milliseconds of N runs."""

    def __init__(self, command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.start = self.memory("VmRSS") if self.process.stdout.readline() else 0

    def times(self, what, count):
        print(what, count, file=self.process.stdin, flush=True)
        return [float(ms) for ms in self.process.stdout.readline().split()]

    def memory(self, which="VmHWM"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(which)).split()[1]) / 1024


def serve(case):
    print("ready", flush=True)
    side = Torch(case[0], *map(int, case[1:]))
    for line in sys.stdin:
        what, count = line.split()
        print(*side.times(what, int(count)), flush=True)


CASES = {
    "residual": [("residual", 16, 32, 64), ("residual", 64, 32, 64)],
    "sizes": [("residual", 16, 28, 64), ("residual", 16, 56, 32), ("residual", 16, 224, 4)],
    "resnet18": [("resnet18", 16, 32, 128), ("resnet18", 64, 32, 64)],
    "cnn": [("cnn", 16, 28, 256), ("cnn", 32, 28, 256)],
    "mlp": [("mlp", 1000, 28, 128)],
    "vit": [("vit_tiny", 192, 32, 64)],
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.exit(serve(sys.argv[2:]))
    device = os.environ.get("DEVICE", "cpu")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; milliseconds, medians, turn by turn;")
    print("MB at most, less what the process had before the network was made")
    print(f"{'network, width, pixels, batch':32} {'work':6} {'hspace':>8} {'torch':>8} {'ratio':>6} {'MB':>7} {'MB':>7}")
    for case in [case for name in sys.argv[1:] or CASES for case in CASES[name]]:
        words = [str(word) for word in case]
        sides = {
            "hspace": Side([str(OURS), *words, device]),
            "torch": Side([sys.executable, __file__, "--serve", *words]),
        }
        for what in ["infer", "train"]:
            counts, found = {}, {"hspace": [], "torch": []}
            for name, side in sides.items():
                side.times(what, 1)
                counts[name] = max(2, int(SECONDS * 1e3 / min(side.times(what, 2))))
            for _ in range(ROUNDS):
                for name, side in sides.items():
                    found[name] += side.times(what, counts[name])[1:]
            a, b = (statistics.median(found[name]) for name in sides)
            used = " ".join(f"{side.memory() - side.start:7.0f}" for side in sides.values())
            print(f"{' '.join(words):32} {what:6} {a:8.2f} {b:8.2f} {b / a:6.2f} {used}", flush=True)
        for side in sides.values():
            side.process.stdin.close()
