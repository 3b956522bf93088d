"""Second domains made from data at hand, as .npz archives for `hspace shift --data … --target …`.

    pip install numpy pillow
    python bench/domains.py mnist_m MNIST_IDX_FOLDER PHOTOGRAPHS OUT.npz
    python bench/domains.py hospital PNEUMONIAMNIST_NPZ OUT.npz

mnist_m: the recipe of MNIST-M (Ganin et al. 2016): the absolute difference of a digit and a random patch of a photograph, by channel. Photographs are all
image files below a folder; with others than BSDS500's the result is an analogue of MNIST-M.

hospital: another device for chest X-rays: less contrast (.6), another gamma (1.4), a wider field of view (the image at 24 of 28 pixels on black), and
noise (standard deviation .04 of the range). Labels and splits are kept.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from learning import idx

PATCH = 28


def mnist_m(mnist, photographs, out):
    random = np.random.default_rng(0)
    files = sorted(p for p in Path(photographs).rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in files]
    photos = [photo for photo in photos if min(photo.shape[:2]) > PATCH]
    if not photos:
        sys.exit(f"{photographs}: no image of more than {PATCH} pixels")
    arrays = {}
    for part, name in (("train", "train"), ("t10k", "test")):
        digits = idx(mnist, f"{part}-images").reshape(-1, PATCH, PATCH)
        made = np.empty((len(digits), PATCH, PATCH, 3), np.uint8)
        for i, digit in enumerate(digits):
            photo = photos[random.integers(len(photos))]
            top, left = (random.integers(side - PATCH + 1) for side in photo.shape[:2])
            patch = photo[top : top + PATCH, left : left + PATCH].astype(int)
            made[i] = np.abs(patch - digit[:, :, None].astype(int))
        arrays[f"{name}_images"] = made
        arrays[f"{name}_labels"] = idx(mnist, f"{part}-labels")
    np.savez_compressed(out, **arrays)


def hospital(path, out):
    random = np.random.default_rng(0)
    arrays = dict(np.load(path))
    for name in [name for name in arrays if name.endswith("_images")]:
        made = np.zeros_like(arrays[name])
        for i, image in enumerate(arrays[name]):
            small = np.asarray(Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR)) / 255
            seen = 0.5 + 0.6 * (small**1.4 - 0.5)
            whole = np.full((PATCH, PATCH), 0.5 - 0.6 * 0.5)
            whole[2:26, 2:26] = seen
            noisy = whole + random.normal(0, 0.04, whole.shape)
            made[i] = np.clip(255 * noisy, 0, 255).round()
        arrays[name] = made
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    {"mnist_m": mnist_m, "hospital": hospital}[what](*rest)
