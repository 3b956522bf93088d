"""MNIST with every pixel drawn once, white with its grey value's probability (Salakhutdinov & Murray 2008; fixed once, as
Larochelle & Murray 2011 do): likelihoods of other works are of such images. Written as an .npz that hspace reads.

    python bench/binarise.py MNIST_IDX_FOLDER OUT.npz
"""

import gzip
import sys
from pathlib import Path

import numpy as np


def read(folder, part, what):
    path = next(p for p in Path(folder).iterdir() if p.name.startswith(f"{part}-{what}"))
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    if what == "labels":
        return np.frombuffer(data, np.uint8, offset=8)
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)


if __name__ == "__main__":
    folder, out = sys.argv[1:]
    random = np.random.default_rng(0)
    arrays = {}
    for part, split in [("train", "train"), ("t10k", "test")]:
        grey = read(folder, part, "images")
        arrays[f"{split}_images"] = np.where(random.random(grey.shape) * 255 < grey, 255, 0).astype(np.uint8)
        arrays[f"{split}_labels"] = read(folder, part, "labels")
    np.savez_compressed(out, **arrays)
