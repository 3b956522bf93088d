"""Weights that travel: from torchvision and timm to hspace and back, features compared on the way.

    pip install torch torchvision timm safetensors
    cargo build --release
    python bench/travel.py target/release/hspace [CASE ...]     # such as 'small stem'; all without

Nothing is downloaded: the networks have random weights and running statistics, and see random images. On the backward pass it is
the lines that `hspace export` prints that make the network and load it. Prints the largest difference of features, relative
to the largest feature, each way; fails where it is 1e-4 or more.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

IMAGES = 6
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass
class Case:
    """A network made elsewhere, and how hspace is told of it."""

    make: Callable[[], torch.nn.Module]
    encoder: str
    settings: tuple = ()
    channels: int = 3
    # Pixels of the images that features are compared on.
    size: int = 224


def resnet(name, channels=3, small=False):
    model = getattr(torchvision.models, name)()
    model.fc = torch.nn.Identity()
    kernel, stride = (3, 1) if small else (7, 2)
    model.conv1 = torch.nn.Conv2d(channels, 64, kernel, stride, kernel // 2, bias=False)
    if small:
        model.maxpool = torch.nn.Identity()
    return model


def vit(size=224, **settings):
    settings = {"embed_dim": 384, "depth": 12, "num_heads": 6, **settings}
    return timm.models.VisionTransformer(img_size=size, patch_size=16, num_classes=0, **settings)


PATCH = "encoder.patch=16"
CASES = {
    "resnet18": Case(lambda: resnet("resnet18"), "resnet18"),
    "resnet50": Case(lambda: resnet("resnet50"), "resnet50"),
    "resnext50_32x4d": Case(lambda: resnet("resnext50_32x4d"), "resnext50_32x4d"),
    "small stem": Case(lambda: resnet("resnet18", small=True), "resnet18", size=64),
    "small stem, one channel": Case(lambda: resnet("resnet18", 1, small=True), "resnet18", ("encoder.stem=small",), 1, 96),
    "one channel": Case(lambda: resnet("resnet18", 1), "resnet18", channels=1),
    "vit_small": Case(vit, "vit_small", (PATCH,)),
    "vit, one channel": Case(lambda: vit(in_chans=1), "vit_small", (PATCH,), 1),
    "vit, mean pooling": Case(lambda: vit(global_pool="avg", class_token=False), "vit_small", (PATCH, "encoder.pool=mean")),
    # The weights are those of networks for 224 pixels.
    "vit, fewer positions": Case(vit, "vit_small", (PATCH,), size=160),
    "vit, more positions": Case(vit, "vit_small", (PATCH,), size=256),
}


def shaken(model):
    """Weights as of a trained network: nothing is 0 or 1, features keep their size."""
    torch.manual_seed(0)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif tensor.dtype == torch.float32 and tensor.ndim == 1:
            tensor.add_(0.1 * torch.randn_like(tensor))
    return model.eval()


def resized(model, size):
    """The same transformer for images of another size, its positions interpolated by timm."""
    weights = model.state_dict()
    weights["pos_embed"] = timm.layers.resample_abs_pos_embed(weights["pos_embed"], [size // 16, size // 16])
    other = vit(size)
    other.load_state_dict(weights, strict=True)
    return other.eval()


def features(model, images):
    channels = images.shape[-1]
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(MEAN[:channels]).view(-1, 1, 1)) / torch.tensor(STD[:channels]).view(-1, 1, 1)
    with torch.inference_mode():
        return model(x).numpy()


def made_as_printed(text):
    """The model that the Python lines of `hspace export`, all after the empty line, leave behind."""
    names = {}
    exec(text.split("\n\n", 1)[1], names)
    return names["model"]


def travel(case, binary, folder):
    """The ways that the weights go, and how far features are off after each."""

    def hspace(*words):
        return subprocess.run([binary, *map(str, words)], cwd=folder, check=True, capture_output=True, text=True).stdout

    images = np.random.default_rng(0).integers(0, 256, (IMAGES, case.size, case.size, case.channels), dtype=np.uint8)
    (folder / "images").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"images/{i}.png")
    model = shaken(case.make())
    moved = case.encoder.startswith("vit") and case.size != 224
    expected = features(resized(model, case.size) if moved else model, images)
    difference = lambda found: np.abs(found - expected).max() / np.abs(expected).max()
    torch.save(model.state_dict(), folder / "weights.pth")
    save_file(model.state_dict(), folder / "weights.safetensors")
    words = ["--encoder", case.encoder, "--image-size", case.size, *(word for one in case.settings for word in ("--set", one))]
    if case.channels == 1:
        words += ["--mean", MEAN[0], "--std", STD[0]]
    for file in ["weights.pth", "weights.safetensors"]:
        hspace("import", file, *words, "--out", "run", "--overwrite")
        hspace("embed", "run", "--data", "images", "--out", "features.npz")
        saved = np.load(folder / "features.npz")
        order = np.argsort([int(Path(str(i)).stem) for i in saved["ids"]])
        yield f"{file} into hspace", difference(saved["features"][order])
    printed = hspace("export", "run", "--out", folder / "back.safetensors")
    yield "exported into PyTorch", difference(features(made_as_printed(printed), images))


if __name__ == "__main__":
    binary = Path(sys.argv[1]).resolve()
    failed = False
    for name in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            for way, found in travel(CASES[name], binary, Path(folder)):
                failed |= not found < 1e-4
                print(f"{name:24} {way:31} features off by {found:.1e}", flush=True)
    sys.exit(failed)
