"""The corruptions of ImageNet-C at severity 3 on 224 x 224 images: hspace and the package imagecorruptions, turn by turn.

    pip install imagecorruptions==1.1.2 numpy==1.23.5 scipy==1.9.3 scikit-image==0.20.0 opencv-python-headless==4.7.0.72 Pillow==9.5.0
    cargo build --release -p hspace-core --example corruptions
    python bench/corruptions.py target/release/examples/corruptions [ROUNDS]
"""

import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
from imagecorruptions import corrupt

warnings.filterwarnings("ignore")


def ours(binary):
    lines = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.split("\n")
    return {name: float(rate) for name, rate in (line.split() for line in lines if line)}


def theirs(name, image):
    begun, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begun < 0.3:
        corrupt(image, corruption_name=name, severity=3)
        count += 1
    return count / (time.perf_counter() - begun)


if __name__ == "__main__":
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    i = np.arange(224 * 224 * 3)
    image = ((i * 37 + i // 97 * 11) % 256).astype(np.uint8).reshape(224, 224, 3)
    found = {}
    for _ in range(rounds):
        rates = ours(sys.argv[1])
        everything = rates.pop("all_threads")
        for name, rate in rates.items():
            found.setdefault(name, []).append((rate, theirs(name, image)))
        standard = list(rates)[:15]
        slow = 15 / sum(1 / found[name][-1][1] for name in standard)
        found.setdefault("suite on all threads", []).append((everything, slow))
    for name, pairs in found.items():
        left, right = (statistics.median(side) for side in zip(*pairs))
        print(f"{name:22} images/s hspace {left:9.1f} imagecorruptions {right:9.1f} ratio {left / right:6.1f}")
