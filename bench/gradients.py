"""Gradients of a whole network in single precision, ours and PyTorch's, against PyTorch in double precision.

    cargo build --release --examples
    python bench/gradients.py

Weights and input are ours; the distance is ‖g − g64‖ / ‖g64‖ over all gradients together.
"""

import copy
import json
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from steps import OURS, residual


def read(path):
    """A safetensors file as a dictionary of tensors."""
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]

    def tensor(entry):
        start, end = entry["data_offsets"]
        return torch.from_numpy(np.frombuffer(body[start:end], np.float32).copy().reshape(entry["shape"]))

    return {name: tensor(entry) for name, entry in header.items()}


def theirs(name):
    """PyTorch's name of our weight."""
    name = name.replace("encoder.stem", "0").replace("head", "10")
    block = lambda m: f"{2 + 2 * int(m[1]) + int(m[2])}.{ {'0': 'a', '1': 'b', 'down': 'down'}[m[3]] }"
    return re.sub(r"encoder\.layer(\d)\.(\d)\.(\w+)", block, name)


def gradients(model, x):
    model.zero_grad()
    F.cross_entropy(model(x), torch.arange(len(x)) % 10).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def distance(found, exact):
    off = sum(((found[name].double() - exact[name]) ** 2).sum() for name in exact)
    return float((off / sum((g**2).sum() for g in exact.values())).sqrt())


for width in [16, 64]:
    for device in ["cpu", "cpu:direct", "cpu:burn"]:
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            command = [str(OURS), "residual", str(width), "32", "64", device]
            subprocess.run(command, input=f"dump {file.name}\n", text=True, check=True, capture_output=True)
            tensors = read(file.name)
        x = tensors.pop("x")
        ours = {theirs(n.removeprefix("gradient.")): t for n, t in tensors.items() if n.startswith("gradient.")}
        model = residual(width)
        named = dict(model.named_parameters())
        with torch.no_grad():
            for name, t in tensors.items():
                if theirs(name) in named:
                    named[theirs(name)].copy_(t)
        exact = gradients(copy.deepcopy(model).double(), x.double())
        single = gradients(model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last))
        print(f"width {width}, {device}: hspace {distance(ours, exact):.2e}, PyTorch {distance(single, exact):.2e}", flush=True)
