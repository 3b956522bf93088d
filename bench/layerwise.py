"""Greedy layer-wise pretraining compared with its peers, on MNIST, a layer 784 to 1,000, batches of 100: a restricted Boltzmann machine with
scikit-learn's BernoulliRBM (persistent chains on both sides, no pseudo-likelihood), a denoising autoencoder with tied weights with the same
steps in plain PyTorch (images in one tensor, no loader). Both sides in one run, turn by turn.

    pip install torch scikit-learn
    python bench/layerwise.py MNIST_IDX_FOLDER HSPACE [ROUNDS [STEPS [THREADS]]]

Milliseconds a step, medians: of the clock, and of processor time, which other programs on the machine disturb less. hspace's are those of a
training of that many steps less those of a training of one step.
"""

import os
import sys

THREADS = sys.argv[5] if len(sys.argv) > 5 else "2"
for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = THREADS

import gzip
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.neural_network import BernoulliRBM

BATCH, UNITS, CORRUPTION, RATE = 100, 1000, 0.1, 0.001


def images(folder):
    for name in ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"]:
        if (Path(folder) / name).exists():
            data = (Path(folder) / name).read_bytes()
            data = gzip.decompress(data) if name.endswith("gz") else data
            return np.frombuffer(data[16:], np.uint8).reshape(-1, 784).astype(np.float32) / 255
    sys.exit(f"{folder} has no train-images-idx3-ubyte")


def timed(work, who=resource.RUSAGE_SELF):
    """Seconds of the clock and of the processor."""
    usage = lambda: sum(resource.getrusage(who)[:2])
    begun, used = time.perf_counter(), usage()
    work()
    return np.array([time.perf_counter() - begun, usage() - used])


def hspace(folder, binary, objective, settings, steps):
    def run(steps):
        with tempfile.TemporaryDirectory() as out:
            command = [binary, "train", "--quiet", "--no-check", "--data", folder, "--objective", objective, "--encoder", "mlp"]
            command += ["--out", f"{out}/run", "--batch-size", str(BATCH), "--steps", str(steps), "--threads", THREADS]
            shared = ["encoder.norm=false", "encoder.activation=sigmoid", f"encoder.units=[{UNITS}]", "objective.held_out=0.0",
                      "train.optimizer=sgd", "train.momentum=0.0", "train.weight_decay=0.0", "train.schedule=constant", "train.warmup=0.0",
                      f"train.learning_rate={RATE}", "train.online_probe=false", "train.log_every=1000000"]
            for setting in shared + settings:
                command += ["--set", setting]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    whole = timed(lambda: run(steps + 1), resource.RUSAGE_CHILDREN)
    return (whole - timed(lambda: run(1), resource.RUSAGE_CHILDREN)) / steps


def scikit_learn(x, steps):
    """One pass over as many samples as steps take."""
    machine = BernoulliRBM(UNITS, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0)
    rows = np.random.default_rng(0).integers(len(x), size=steps * BATCH)
    x = x[rows]
    return timed(lambda: machine.fit(x)) / steps


def pytorch(x, steps):
    torch.set_num_threads(int(THREADS))
    layer = torch.nn.Linear(784, UNITS)
    shift = torch.zeros(784, requires_grad=True)
    parameters = [layer.weight, layer.bias, shift]
    optimizer = torch.optim.SGD(parameters, lr=RATE)
    rows = torch.randint(len(x), (steps, BATCH))

    def train():
        for batch in rows:
            v = x[batch]
            corrupted = v * (torch.rand_like(v) >= CORRUPTION)
            outputs = F.linear(torch.sigmoid(layer(corrupted)), layer.weight.T, shift)
            loss = F.binary_cross_entropy_with_logits(outputs, v, reduction="sum") / BATCH
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return timed(train) / steps


if __name__ == "__main__":
    folder, binary = sys.argv[1:3]
    rounds, steps = [int(x) for x in (sys.argv[3:5] + ["5", "600"][len(sys.argv[3:5]):])]
    single = images(folder)
    double, tensor = single.astype(np.float64), torch.from_numpy(single)
    sides = {
        "RBM hspace": lambda: hspace(folder, binary, "dbn", ["objective.persistent=true"], steps),
        "RBM hspace CD-1": lambda: hspace(folder, binary, "dbn", [], steps),
        "RBM scikit-learn, float32": lambda: scikit_learn(single, steps),
        "RBM scikit-learn, float64": lambda: scikit_learn(double, steps),
        "SdA hspace": lambda: hspace(folder, binary, "stacked_autoencoder", ["objective.corruption=[0.1]"], steps),
        "SdA PyTorch": lambda: pytorch(tensor, steps),
    }
    found = {name: [] for name in sides}
    for turn in range(rounds):
        for name, side in sides.items():
            found[name].append(1000 * side())
            wall, used = found[name][-1]
            print(f"round {turn + 1}: {name}: {wall:.2f} ms a step, {used:.2f} ms of processor time", flush=True)
    middle = {name: [statistics.median(one[i] for one in all) for i in range(2)] for name, all in found.items()}
    for ours, theirs in [("RBM hspace", "RBM scikit-learn, float32"), ("RBM hspace", "RBM scikit-learn, float64"),
                         ("RBM hspace CD-1", "RBM scikit-learn, float32"), ("SdA hspace", "SdA PyTorch")]:
        (wall, used), (their_wall, their_used) = middle[ours], middle[theirs]
        print(f"{ours} {wall:.2f} ({used:.2f} of processor time), {theirs} {their_wall:.2f} ({their_used:.2f}): "
              f"ratio {their_wall / wall:.2f} ({their_used / used:.2f})")
