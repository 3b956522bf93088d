"""Peers for `hspace bench` on augmentation: lightly and torchvision, with the same sets of views.

    python bench/augment.py [--fashion DIR] [--jpeg DIR] [--seconds 10]

1. Fashion-MNIST (28x28, grey) to two 32 px RGB views with SimCLR's set without blur, one thread:
   lightly's SimCLRTransform. `--fashion` is the folder with the IDX files.
2. A folder of JPEG files (500x375) to two 224 px views with the same set and blur, decoding
   included, two DataLoader workers: torchvision. Without `--jpeg`, such a folder is made of
   smooth random images; `--make-jpeg DIR` makes it in DIR and stops.

Prints images per second (an image is two views). Needs torch, torchvision, lightly, Pillow.
"""

import argparse
import gzip
import pathlib
import tempfile
import time

import numpy as np
import torch
from lightly.transforms import SimCLRTransform
from PIL import Image
from torchvision import transforms as T


def fashion(folder):
    """The test images as grey Pillow images."""
    with gzip.open(pathlib.Path(folder) / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    return [Image.fromarray(p) for p in pixels]


def make_jpegs(folder, count=200):
    """Smooth colours with fine texture, about as many bytes as a photograph."""
    rng = np.random.default_rng(0)
    for i in range(count):
        image = np.zeros((375, 500, 3))
        for cells in (4, 16, 64, 250):
            coarse = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
            image += np.asarray(Image.fromarray(coarse).resize((500, 375), Image.BICUBIC)) / cells**0.2
        image *= 255 / image.max()
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{i:04}.jpg", quality=90)


def rate(iterator, seconds):
    """Images per second over `seconds`, after the first item."""
    next(iterator)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        done += next(iterator)
    return done / (time.perf_counter() - start)


def lightly_fashion(folder, seconds):
    images = [image.convert("RGB") for image in fashion(folder)]
    views = SimCLRTransform(input_size=32, min_scale=0.2, cj_strength=1.0, gaussian_blur=0.0)

    def run():
        while True:
            for image in images:
                views(image)
                yield 1

    return rate(run(), seconds)


class Folder(torch.utils.data.Dataset):
    """Two views of each file, many times over."""

    def __init__(self, folder):
        self.files = sorted(pathlib.Path(folder).glob("*.jpg"))
        self.views = T.Compose([
            T.RandomResizedCrop(224, scale=(0.2, 1.0)),
            T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            T.RandomGrayscale(0.2),
            T.RandomApply([T.GaussianBlur(23, (0.1, 2.0))], p=0.5),
            T.ToTensor(),
            T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])

    def __len__(self):
        return 1_000_000

    def __getitem__(self, index):
        with Image.open(self.files[index % len(self.files)]) as file:
            image = file.convert("RGB")
        return self.views(image), self.views(image)


def torchvision_jpeg(folder, seconds):
    loader = torch.utils.data.DataLoader(Folder(folder), batch_size=16, num_workers=2)
    return rate((len(a) for a, _ in loader), seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fashion", help="folder with Fashion-MNIST's IDX files")
    parser.add_argument("--jpeg", help="folder of JPEG files")
    parser.add_argument("--make-jpeg", metavar="DIR", help="make a folder of JPEG files and stop")
    parser.add_argument("--seconds", type=float, default=10)
    args = parser.parse_args()
    if args.make_jpeg:
        folder = pathlib.Path(args.make_jpeg)
        folder.mkdir(parents=True, exist_ok=True)
        return make_jpegs(folder)
    torch.set_num_threads(1)
    if args.fashion:
        print(f"lightly, Fashion-MNIST to 2 x 32 px, 1 thread: {lightly_fashion(args.fashion, args.seconds):.0f} images/s")
    with tempfile.TemporaryDirectory() as made:
        folder = args.jpeg or made
        if not args.jpeg:
            make_jpegs(pathlib.Path(made))
        speed = torchvision_jpeg(folder, args.seconds)
        print(f"torchvision, JPEG 500x375 to 2 x 224 px, 2 workers: {speed:.0f} images/s")


if __name__ == "__main__":
    main()
