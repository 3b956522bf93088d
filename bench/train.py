"""PyTorch's side of the training and embedding lines of `hspace bench`: the same networks, SimCLR's loss, no augmentation.

    pip install torch torchvision
    python bench/train.py
    hspace bench --encoder cnn --width 16 --batch-size 256     # likewise --width 32; resnet18 --batch-size 64
"""

import time

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18


def cnn(width):
    layers, channels = [], 1
    for i in range(4):
        out = width << i
        layers += [nn.Conv2d(channels, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels


def small_resnet18(width):
    """torchvision's ResNet-18 with a small-image stem at a quarter of the width."""
    assert width == 16
    from torchvision.models.resnet import BasicBlock

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
            stages, channels = [], 16
            for i in range(4):
                planes, stride = 16 << i, 1 if i == 0 else 2
                for block in range(2):
                    down = None
                    if block == 0 and (stride != 1 or channels != planes):
                        down = nn.Sequential(nn.Conv2d(channels, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
                    stages.append(BasicBlock(channels, planes, stride if block == 0 else 1, down))
                    channels = planes
            self.body = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())

        def forward(self, x):
            return self.body(self.stem(x))

    return Net(), 128


def nt_xent(z, temperature=0.2):
    z = F.normalize(z)
    n = len(z)
    similarity = z @ z.T / temperature - 1e9 * torch.eye(n)
    return F.cross_entropy(similarity, (torch.arange(n) + n // 2) % n)


def measure(name, make, batch, seconds=6.0):
    encoder, dim = make()
    head = nn.Sequential(nn.Linear(dim, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128))
    model = nn.Sequential(encoder, head).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x = torch.randn(2 * batch, 1, 28, 28).to(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad()
        nt_xent(model(x)).backward()
        optimizer.step()

    for what, work, images in [("training", step, batch), ("embedding", lambda: encoder(x), 2 * batch)]:
        if what == "embedding":
            model.eval()
        with torch.set_grad_enabled(what == "training"):
            for _ in range(2):
                work()
            begun, done = time.perf_counter(), 0
            while time.perf_counter() - begun < seconds:
                work()
                done += images
        print(f"{what} {name}, batch {batch}: {done / (time.perf_counter() - begun):.0f} images/s")


print("torch", torch.__version__, "threads", torch.get_num_threads())
for width in [16, 32]:
    measure(f"cnn width {width}", lambda: cnn(width), 256)
measure("resnet18 width 16", lambda: small_resnet18(16), 64)
