"""MultiMNIST, with labels missing where asked, as .npz archives for `hspace tasks`.

    pip install numpy pillow
    python bench/many_tasks.py MNIST_IDX_FOLDER OUT.npz [SHARE_MISSING]

Two digits in one image, after Sabour et al. 2017 as in the code of Sener & Koltun 2018: one at the top left, one 6 pixels to the right and below, on 36 x 36 pixels, added, cut off
at white and reduced to 28. Columns `left` and `right`; 60,000 training and 10,000 test images, each a pair of random digits of its own part. Of SHARE_MISSING of the
training images each label by itself is unknown. Train on them with

    hspace tasks --data OUT.npz --encoder cnn --set encoder.width=16 --epochs 10 --seeds 3 --weighting fixed,uncertainty,pcgrad,mgda --out FOLDER
"""

import sys

import numpy as np
from PIL import Image

from learning import idx


def multi_mnist(mnist, out, missing):
    random = np.random.default_rng(0)
    arrays = {}
    for part, name in (("train", "train"), ("t10k", "test")):
        digits, labels = idx(mnist, f"{part}-images").reshape(-1, 28, 28), idx(mnist, f"{part}-labels")
        pairs = np.stack([random.permutation(len(digits)), random.permutation(len(digits))])
        images = np.empty((len(digits), 28, 28), np.uint8)
        for i, (left, right) in enumerate(pairs.T):
            both = np.zeros((36, 36))
            both[:28, :28] += digits[left]
            both[6:34, 6:34] += digits[right]
            both = Image.fromarray(both.clip(0, 255).astype(np.uint8))
            images[i] = np.asarray(both.resize((28, 28), Image.Resampling.BILINEAR))
        arrays[f"{name}_images"] = images
        for column, rows in zip(("left", "right"), pairs):
            values = labels[rows].astype(str)
            if name == "train":
                values[random.random(len(values)) < missing] = ""
            arrays[f"{name}_label:{column}"] = values
    np.savez_compressed(out, **arrays)


if len(sys.argv) not in (3, 4):
    sys.exit(__doc__)
multi_mnist(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) == 4 else 0.0)
