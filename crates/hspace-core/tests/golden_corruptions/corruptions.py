"""Values of the published corruptions, for src/corruptions/tests.rs.

    python corruptions.py imagecorruptions   # writes imagecorruptions.json
    python corruptions.py medmnistc          # writes medmnistc.json

imagecorruptions 1.1.2 needs old libraries: numpy 1.23.5, scipy 1.9.3, scikit-image 0.20.0, opencv-python-headless 4.7.0.72,
Pillow 9.5.0. medmnistc 0.1.0 ran with numpy 2.4.6, Pillow 13.0.0, torchvision 0.29.2, opencv-python 5.0.0.93 and ImageMagick 6.9.11.

The image is made by a formula that the tests repeat. Of a corruption without random numbers, and of motion blur at a fixed angle, we keep
the values at a grid of rows, columns and channels. Of a random one we keep the mean and the variance of the change (corrupted - original, in
levels) over all values of several draws.
"""

import json
import random
import sys
import warnings

import numpy as np
from PIL import Image

warnings.filterwarnings("ignore")

SIDE = 224
GRID = [0, 1, 38, 75, 112, 149, 186, 223]
ANGLES = {1: 30.0, 2: -40.0, 3: 12.0, 4: -3.0, 5: 45.0}


def test_image(side=SIDE):
    """`[side, side, 3]`: waves, a fine texture, a dark disk, an inverted rectangle."""
    y, x, c = np.meshgrid(*map(np.arange, (side, side, 3)), indexing="ij")

    def wave(t, period):
        return abs(t % (2 * period) - period) * 255 // period

    v = (3 * wave(x * (2 + c) + 2 * y, 180) + 2 * wave(3 * y + 40 * c, 97)) // 5
    v = v + (x * 73 + y * 151 + c * 37 + x * y * 7) % 41 - 20
    v = np.where((8 * x - 3 * side) ** 2 + (8 * y - 4 * side) ** 2 < (2 * side) ** 2, v // 4, v)
    v = np.where((2 * x > side) & (4 * y > 3 * side), 255 - v, v)
    return np.clip(v, 0, 255).astype(np.uint8)


def moments(image, corrupt, draws):
    """Mean and variance of the change."""
    changes = []
    for seed in range(draws):
        np.random.seed(seed)
        random.seed(seed)
        changes.append(corrupt(image).astype(np.int16) - image)
    changes = np.stack(changes).astype(np.float64)
    return {"draws": draws, "mean": round(changes.mean(), 4), "variance": round(changes.var(), 4)}


def grid(values):
    return np.asarray(values)[np.ix_(GRID, GRID)].astype(int).ravel().tolist()


def imagecorruptions(image):
    import imagecorruptions as package
    import imagecorruptions.corruptions as module

    gaussian = module.gaussian

    def renamed(values, sigma, multichannel=False, **rest):
        """The argument `multichannel` has another name since scikit-image 0.19."""
        return gaussian(values, sigma=sigma, channel_axis=-1 if multichannel else None, **rest)

    module.gaussian = renamed
    draws = {"gaussian_noise": 4, "shot_noise": 4, "impulse_noise": 4, "speckle_noise": 4, "glass_blur": 3,
             "snow": 100, "fog": 800, "elastic_transform": 30, "spatter": 300}
    for name in package.get_corruption_names("all"):
        for severity in range(1, 6):
            def corrupt(image, name=name, severity=severity):
                return package.corrupt(image.copy(), severity, name)

            if name == "frost":
                continue  # Ours has no photographs.
            if name == "motion_blur":
                uniform = np.random.uniform
                np.random.uniform = lambda low, high: ANGLES[severity]
                yield name, severity, {"grid": grid(corrupt(image))}
                np.random.uniform = uniform
            elif name in draws:
                yield name, severity, moments(image, corrupt, draws[name])
            else:
                yield name, severity, {"grid": grid(corrupt(image))}


def medmnistc(image):
    from medmnistc.corruptions.registry import CORRUPTIONS_DS

    np.fromstring = np.frombuffer  # Its binary mode is gone since numpy 2.3.
    noise = ["gaussian_noise", "speckle_noise", "impulse_noise", "shot_noise"]
    draws = {name: 4 for name in noise} | {"stain_deposit": 1500, "bubble": 500}
    suites = {"xray": "pneumoniamnist", "xray-strong": "chestmnist", "microscopy": "bloodmnist"}
    for suite, data in suites.items():
        for name, corruption in CORRUPTIONS_DS[data].items():
            if suite == "xray-strong" and name not in noise + ["pixelate"]:
                continue  # The same as in `xray`.
            corruption.rng = np.random.default_rng(0)
            for severity in range(1, 6):
                def corrupt(image, corruption=corruption, severity=severity):
                    return np.array(corruption.apply(Image.fromarray(image), severity - 1))

                def grey(image, corruption=corruption, severity=severity):
                    rgb = Image.fromarray(image).convert("RGB")
                    return np.array(Image.fromarray(np.array(corruption.apply(rgb, severity - 1))).convert("L"))

                key = f"{suite}/{name}"
                if name == "motion_blur":
                    uniform = np.random.uniform
                    np.random.uniform = lambda low, high: ANGLES[severity]
                    yield key, severity, {"grid": grid(corrupt(image))}
                    np.random.uniform = uniform
                elif name in draws:
                    yield key, severity, moments(image, corrupt, draws[name])
                    if name in noise:
                        yield f"{key}/grey", severity, moments(image[..., 1].copy(), grey, draws[name])
                else:
                    yield key, severity, {"grid": grid(corrupt(image))}


if __name__ == "__main__":
    package = sys.argv[1]
    found = {}
    for name, severity, values in globals()[package](test_image()):
        found.setdefault(name, []).append(values)
        print(name, severity, {k: v for k, v in values.items() if k != "grid"}, flush=True)
    with open(f"{package}.json", "w") as file:
        lines = [f"{json.dumps(name)}: {json.dumps(values, separators=(',', ':'))}" for name, values in found.items()]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
