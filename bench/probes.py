"""Two probes on full Fashion-MNIST raw pixels (x/255) with scikit-learn: accuracy and seconds.

    python bench/probes.py FOLDER_WITH_IDX_FILES

The same with hspace:

    hspace probe pixels --data FOLDER --labels all --probe knn --set knn.k=5 --set knn.metric=euclidean --set knn.weights=uniform
    hspace probe pixels --data FOLDER --labels all --probe linear --set linear.c=0.01
"""

import gzip
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier


def idx(path, offset):
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)


def load(folder, part):
    x = idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / 255
    return x, idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)


if len(sys.argv) != 2:
    sys.exit(__doc__)
folder = Path(sys.argv[1])
x, y = load(folder, "train")
test_x, test_y = load(folder, "t10k")
print(f"scikit-learn {sklearn.__version__}, {len(x)} training and {len(test_x)} test images")
for name, model in [
    ("kNN, Euclidean, k=5", KNeighborsClassifier(5, algorithm="brute")),
    ("logistic regression, C=0.01", LogisticRegression(C=0.01)),
]:
    start = time.perf_counter()
    accuracy = model.fit(x, y).score(test_x, test_y)
    print(f"{name:30} accuracy {accuracy:.4f}  {time.perf_counter() - start:6.2f} s")
