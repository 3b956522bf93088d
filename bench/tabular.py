"""SCARF on tables with their labels hidden, against the raw standardised features, at few labels.

The tables are those that scikit-learn ships: breast cancer (569 rows of 30 measurements, 2 classes), wine (178 of 13,
3 classes) and digits (1,797 of 64 counts, 10 classes). A third of each is the test split, stratified, the same for all.

    pip install scikit-learn
    python bench/tabular.py HSPACE_BINARY [SEEDS [TABLE ...]]
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

from sklearn import datasets
from sklearn.model_selection import train_test_split

LABELS = ["1", "2", "5", "10", "all"]
TABLES = {"breast cancer": datasets.load_breast_cancer, "wine": datasets.load_wine, "digits": datasets.load_digits}


def write(load, path):
    data = load()
    rows = range(len(data.target))
    _, test = train_test_split(rows, test_size=1 / 3, stratify=data.target, random_state=0)
    test = set(test)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([f"x{i}" for i in range(data.data.shape[1])] + ["label", "split"])
        for i in rows:
            out.writerow([*data.data[i], f"c{data.target[i]}", "test" if i in test else "train"])


def hspace(binary, folder, *args):
    return subprocess.run([binary, *args], cwd=folder, check=True, capture_output=True, text=True).stdout


def measure(binary, folder, seeds):
    """Accuracy by representation, number of labels, seed."""
    found = {}
    for seed in range(seeds):
        run = f"run{seed}"
        train = ["train", "--data", "table.csv", "--objective", "scarf", "--out", run, "--seed", str(seed), "--no-check"]
        hspace(binary, folder, *train)
        probe = ["probe", run, "--data", "table.csv", "--labels", ",".join(LABELS), "--probe", "linear", "--json", "-"]
        for row in json.loads(hspace(binary, folder, *probe))["rows"]:
            name = "scarf" if row["representation"] == run else row["representation"]
            labels = row["labels"] if isinstance(row["labels"], str) else str(row["labels"]["per_class"])
            found.setdefault(name, {}).setdefault(labels, []).append(row["scores"][0][1]["mean"])
    return found


def cell(values):
    spread = f" ±{stdev(values):.3f}" if len(set(values)) > 1 else ""
    return f"{mean(values):.3f}{spread}".replace("0.", ".")


def main():
    binary = str(Path(sys.argv[1]).resolve())
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print("| table | features | " + " | ".join(LABELS) + " |\n| --- | --- " + "| --- " * len(LABELS) + "|")
    for name in sys.argv[3:] or TABLES:
        with tempfile.TemporaryDirectory() as folder:
            write(TABLES[name], Path(folder) / "table.csv")
            for features, by_labels in measure(binary, folder, seeds).items():
                cells = " | ".join(cell(by_labels[labels]) for labels in LABELS)
                print(f"| {name} | {features} | {cells} |", flush=True)


main()
