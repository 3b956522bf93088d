"""Two probes on full Fashion-MNIST raw pixels (x/255), scikit-learn and hspace turn by turn: accuracy and seconds.

    pip install scikit-learn
    python bench/probes.py FOLDER_WITH_IDX_FILES HSPACE_BINARY

hspace's seconds are those of the whole command: start, reading, measuring. scikit-learn's are those of fit and score.
"""

import gzip
import json
import subprocess
import sys
import tempfile
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


def hspace(binary, folder, probe, settings):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [binary, "probe", "pixels", "--data", str(folder), "--labels", "all", "--no-baselines"]
        command += ["--probe", probe, "--json", file.name]
        for setting in settings:
            command += ["--set", setting]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        row = next(row for row in json.load(open(file.name))["rows"] if row["probe"] == probe)
        return row["draws"][0], seconds


def learn(model):
    start = time.perf_counter()
    accuracy = model.fit(x, y).score(test_x, test_y)
    return accuracy, time.perf_counter() - start


if len(sys.argv) != 3:
    sys.exit(__doc__)
folder, binary = Path(sys.argv[1]), sys.argv[2]
x, y = load(folder, "train")
test_x, test_y = load(folder, "t10k")
print(f"scikit-learn {sklearn.__version__}, {len(x)} training and {len(test_x)} test images")
for name, model, probe, settings in [
    ("kNN, Euclidean, k=5", KNeighborsClassifier(5, algorithm="brute"), "knn",
     ["knn.k=5", "knn.metric=euclidean", "knn.weights=uniform"]),
    ("logistic regression, C=0.01", LogisticRegression(C=0.01), "linear", ["linear.c=0.01"]),
]:
    for turn in range(3):
        ours, theirs = hspace(binary, folder, probe, settings), learn(model)
        text = "  ".join(f"{who} {a:.4f} {s:6.2f} s" for who, (a, s) in [("hspace", ours), ("scikit-learn", theirs)])
        print(f"{name:28} {text}", flush=True)
