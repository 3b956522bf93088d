"""Weights that travel: from torchvision and timm to hspace and back, features compared on the way.

    pip install torch torchvision timm safetensors
    cargo build --release
    python bench/travel.py target/release/hspace

Nothing is downloaded: the networks have random weights and running statistics, and see random images. Prints the largest
difference of features, relative to the largest feature, each way.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file

IMAGES = 6
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def resnet(name):
    model = getattr(torchvision.models, name)()
    model.fc = torch.nn.Identity()
    return model


def vit(size=224):
    return timm.models.VisionTransformer(img_size=size, patch_size=16, embed_dim=384, depth=12, num_heads=6, num_classes=0)


CASES = {
    "resnet18": (lambda: resnet("resnet18"), []),
    "resnet50": (lambda: resnet("resnet50"), []),
    "resnext50_32x4d": (lambda: resnet("resnext50_32x4d"), []),
    "vit_small": (vit, ["--set", "encoder.patch=16"]),
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


def features(model, images):
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        return model(x).numpy()


def difference(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


if __name__ == "__main__":
    binary = Path(sys.argv[1]).resolve()
    failed = False
    for name, (make, settings) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:

            def hspace(*words):
                return subprocess.run([binary, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

            images = np.random.default_rng(0).integers(0, 256, (IMAGES, 224, 224, 3), dtype=np.uint8)
            Path(folder, "images").mkdir()
            for i, image in enumerate(images):
                Image.fromarray(image).save(f"{folder}/images/{i}.png")
            model = shaken(make())
            expected = features(model, images)
            torch.save(model.state_dict(), f"{folder}/weights.pth")
            save_file(model.state_dict(), f"{folder}/weights.safetensors")
            for file in ["weights.pth", "weights.safetensors"]:
                hspace("import", file, "--encoder", name, *settings, "--out", "run", "--overwrite")
                hspace("embed", "run", "--data", "images", "--out", "features.npz")
                saved = np.load(f"{folder}/features.npz")
                order = np.argsort([int(Path(str(i)).stem) for i in saved["ids"]])
                found = difference(saved["features"][order], expected)
                failed |= not found < 1e-4
                print(f"{name:10} {file:20} into hspace, features off by {found:.1e}", flush=True)
            hspace("export", "run", "--out", "back.safetensors")
            again = make()
            again.load_state_dict(load_file(f"{folder}/back.safetensors"), strict=True)
            found = difference(features(again.eval(), images), expected)
            failed |= not found < 1e-4
            print(f"{name:10} {'exported':20} into PyTorch, features off by {found:.1e}", flush=True)
    sys.exit(failed)
