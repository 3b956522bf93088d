"""Checksums of Pillow's operations for views/rand_augment.rs: python rand_augment.py (Pillow 11)"""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

i = np.arange(576)
image = Image.fromarray(((7 * i * i + 3 * i) % 199 + 20).astype(np.uint8).reshape(24, 24))


def checksum(image):
    total = 0
    for value in np.asarray(image).ravel().tolist():
        total = (total * 31 + value) % 1_000_000_007
    return total


def weighted(image):
    return int((np.asarray(image).ravel().astype(int) * (i % 7 + 1)).sum())


exact = [image, ImageOps.equalize(image), ImageOps.posterize(image, 5), ImageOps.solarize(image, 128)]
rounded = [
    ImageOps.autocontrast(image),
    ImageEnhance.Sharpness(image).enhance(0.3),
    ImageEnhance.Sharpness(image).enhance(1.7),
]
print([checksum(x) for x in exact] + [weighted(x) for x in rounded])
