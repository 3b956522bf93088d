"""Four variational methods on data whose factors are known: MIG, DCI and the FactorVAE score, mean and spread over trainings.

    cargo build --release
    python bench/disentangle.py HSPACE shapes 5          # 4 methods, 5 seeds each: half an hour
    python bench/disentangle.py HSPACE dsprites 3        # an hour and more
    python bench/disentangle.py HSPACE shapes 5 vae      # one method of them
    python bench/disentangle.py HSPACE two 1             # two latents on colour and shape alone, and planes.png of them

Everything is in the folder `disentangle-DATA`; what is done is not done again. A training has one core, and as many run at once as
there are cores.
"""

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

METHODS = ["vae", "beta_vae", "beta_tcvae", "factor_vae"]
METRICS = ["mig", "dci", "factor_vae"]
# Units of both networks' two layers, latents, steps of 128.
BUDGET = {"shapes": (200, 6, 3000), "dsprites": (400, 10, 10000), "two": (200, 2, 3000)}


def still(binary, folder):
    """The four images of builtin:shapes that differ in colour and shape alone, each 64 times with a little noise."""
    at = Path(folder) / "still"
    if at.exists():
        return str(at)
    subprocess.run([binary, "embed", "pixels", "--data", "builtin:shapes", "--out", f"{folder}/all.npz"], check=True)
    arrays = np.load(f"{folder}/all.npz", allow_pickle=False)
    images = arrays["features"].reshape(-1, 3, 24, 24).transpose(0, 2, 3, 1)
    random = np.random.default_rng(0)
    at.mkdir()
    lines = ["path,factor:colour,factor:shape,split"]
    for name, image in zip(arrays["ids"], images):
        colour, shape, place = name.split("-", 2)
        if place != "x11-y11-r5":
            continue
        for copy in range(64):
            noisy = np.clip(image + random.normal(0, 0.05, image.shape), 0, 1)
            file = f"{colour}-{shape}-{copy}.png"
            Image.fromarray((255 * noisy).round().astype(np.uint8)).save(at / file)
            lines.append(f"{file},{colour},{shape},{'test' if copy % 4 == 0 else 'train'}")
    (at / "labels.csv").write_text("\n".join(lines) + "\n")
    return str(at)


def train(binary, data, method, seed, budget, out):
    units, latents, steps = budget
    if (Path(out) / "encoder.safetensors").exists():
        return
    command = [binary, "train", "--data", data, "--encoder", "mlp", "--objective", method, "--out", out, "--overwrite"]
    command += ["--no-check", "--batch-size", "128", "--steps", str(steps), "--learning-rate", "0.001", "--seed", str(seed)]
    for setting in [f"encoder.width={units}", "encoder.layers=2", "encoder.norm=false", f"objective.latents={latents}",
                    "objective.decoder=mlp", f"objective.decoder_units={units}", "train.online_probe=false",
                    "train.log_every=100"]:
        command += ["--set", setting]
    alone = {**os.environ, "RAYON_NUM_THREADS": "1"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alone)
    print("trained", method, seed, flush=True)


def measure(binary, data, source, folder):
    """Scores by name."""
    path = Path(folder) / f"{Path(source).name.replace(':', '-')}.json"
    if not path.exists():
        command = [binary, "disentangle", source, "--data", data, "--metric", ",".join(METRICS), "--no-baselines"]
        subprocess.run(command + ["--json", str(path)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    row = json.loads(path.read_text())["rows"][0]
    return {name: estimate["mean"] for name, estimate in row["scores"]}


def planes(binary, data, folder, methods):
    """What lies at each place of the two latents, method next to method, to planes.png."""
    pictures = []
    for method in methods:
        out = f"{folder}/{method}.png"
        command = [binary, "traverse", f"{folder}/{method}-0", "--data", data, "--plane", "--steps", "9", "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        pictures.append(Image.open(out))
    gap, top = 24, 32
    width, height = pictures[0].size
    sheet = Image.new("RGB", (len(pictures) * (width + gap) - gap, height + top), "white")
    for i, (method, picture) in enumerate(zip(methods, pictures)):
        sheet.paste(picture, (i * (width + gap), top))
        ImageDraw.Draw(sheet).text((i * (width + gap), 2), method, fill="black", font=ImageFont.load_default(24))
    half = (sheet.width // 2, sheet.height // 2)
    sheet.resize(half, Image.LANCZOS).quantize(256, Image.Quantize.FASTOCTREE).save(f"{folder}/planes.png", optimize=True)
    print(f"{folder}/planes.png")


if __name__ == "__main__":
    binary, what, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    folder = f"disentangle-{what}"
    Path(folder).mkdir(exist_ok=True)
    data = still(binary, folder) if what == "two" else f"builtin:{what}"
    latents = BUDGET[what][1]
    methods = sys.argv[4:] or METHODS
    trainings = [(method, seed, f"{folder}/{method}-{seed}") for method in methods for seed in range(seeds)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda one: train(binary, data, one[0], one[1], BUDGET[what], one[2]), trainings))
    found = {}
    for method, seed, run in trainings:
        found.setdefault(method, []).append(measure(binary, data, run, folder))
    for source in [f"pca:{latents}", f"ica:{latents}"]:
        found[source] = [measure(binary, data, source, folder)]
    if what == "two":
        planes(binary, data, folder, methods)
    names = list(next(iter(found.values()))[0])
    print("| | " + " | ".join(names) + " |")
    print("| --- |" + " --- |" * len(names))
    for method, scores in found.items():
        cells = []
        for name in names:
            values = [s[name] for s in scores]
            spread = f" ±{statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        print(f"| {method} | " + " | ".join(cells) + " |")
