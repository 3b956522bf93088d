"""GANs on mnist-mini: how good their samples are, how well real digits are found again, and what the found latents know.

    cargo build --release
    python bench/gan.py HSPACE          # minutes

Everything is in the folder `gan`; what is done is not done again.
"""

import json
import subprocess
import sys
from pathlib import Path

DATA = "builtin:mnist-mini"
GAMES = ["non_saturating", "hinge"]
METHODS = ["optimise", "encoder", "both"]
STEPS = [0, 20, 200]


def hspace(binary, *words):
    return subprocess.run([binary, *words], cwd="gan", check=True, capture_output=True, text=True).stdout


def train(binary, game):
    if not Path("gan", game, "encoder.toml").exists():
        words = ["--data", DATA, "--encoder", "cnn", "--objective", "gan", "--epochs", "12", "--batch-size", "64"]
        words += ["--learning-rate", "0.0005", "--set", "train.schedule=constant", "--set", f"objective.game={game}"]
        hspace(binary, "train", *words, "--no-check", "--overwrite", "--out", game)


def cell(score):
    half = (score["high"] - score["low"]) / 2
    return f"{score['mean']:.3f} ±{half:.3f}"


if __name__ == "__main__":
    binary = str(Path(sys.argv[1]).resolve())
    Path("gan").mkdir(exist_ok=True)
    print("| 2,000 samples | precision | recall | Fréchet distance |\n| --- | --- | --- | --- |")
    for game in GAMES:
        train(binary, game)
        found = json.loads(hspace(binary, "fidelity", game, "--data", DATA, "--samples", "2000", "--space", "pca:50", "--json", "-"))
        for side, name in [("drawn", game), ("real", "training samples")]:
            one = found[side]
            print(f"| {name} | {one['precision']:.2f} | {one['recall']:.2f} | {one['frechet']:.2f} |", flush=True)
    print("\n| squared error a value after steps | " + " | ".join(map(str, STEPS)) + " |\n| --- |" + " --- |" * len(STEPS))
    for method in METHODS:
        words = ["--data", DATA, "--method", method, "--samples", "256", "--out", f"{method}.npz", "--json", "-"]
        errors = dict(json.loads(hspace(binary, "invert", GAMES[0], *words)))
        print(f"| {method} | " + " | ".join(f"{errors[s]:.4f}" if s in errors else "–" for s in STEPS) + " |", flush=True)
    words = ["--data", DATA, "--common", "--labels", "10,all", "--probe", "linear", "--no-baselines", "--json", "-"]
    rows = json.loads(hspace(binary, "probe", *[f"{m}.npz" for m in METHODS], GAMES[0], "pixels", *words))["rows"]
    print("\n| linear probe of | 10 labels a class | all |\n| --- | --- | --- |")
    for name in dict.fromkeys(row["representation"] for row in rows):
        scores = [cell(row["scores"][0][1]) for row in rows if row["representation"] == name]
        print(f"| {name} | " + " | ".join(scores) + " |")
