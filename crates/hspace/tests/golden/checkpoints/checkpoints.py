"""Checkpoints in the layout of common training code: moco, simsiam, DINO, SwAV, BYOL, solo-learn, lightly, timm,
torchvision, mmpretrain, and a whole module. Written into this file's folder.

    pip install torch numpy
    python crates/hspace/tests/golden/checkpoints/checkpoints.py

Made with PyTorch 2.15 and numpy 2.4. The network is `cnn` of hspace with width 1 for images of 3 channels. Value i of
a tensor is ROLE + (length of its name) / 64 + i / 1024, where ROLE is 0 for the network itself and 8 for its momentum
copy. All tensors of a network are views of one storage, which keeps the files small.
"""

import argparse
import collections
import datetime
import enum
import pathlib
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent


def shapes():
    channels = 3
    for i in range(4):
        out = 1 << i
        yield f"conv{i}.weight", (out, channels, 3, 3)
        for name in ["weight", "bias", "running_mean", "running_var"]:
            yield f"bn{i}.{name}", (out,)
        channels = out


def network(role=0):
    flat = torch.zeros(sum(np.prod(shape) for _, shape in shapes()).item())
    weights, start, batches = OrderedDict(), 0, torch.tensor(7)
    for name, shape in shapes():
        n = int(np.prod(shape))
        view = flat[start : start + n]
        view.copy_(role + len(name) / 64 + torch.arange(n) / 1024)
        weights[name] = view.view(shape)
        start += n
        if name.endswith("running_var"):
            weights[name.replace("running_var", "num_batches_tracked")] = batches
    return weights


def head(*names):
    return {f"{name}.{part}": torch.ones(2) for name in names for part in ["weight", "bias"]}


def under(prefix, *weights):
    named = OrderedDict((prefix + name, value) for each in weights for name, value in each.items())
    named._metadata = OrderedDict([("", {"version": 1})])
    return named


def optimizer(kind=torch.optim.AdamW, **settings):
    parameter = nn.Parameter(torch.ones(3))
    made = kind([parameter], lr=0.1, **settings)
    parameter.sum().backward()
    made.step()
    return made.state_dict()


class Mode(enum.Enum):
    TRAIN = "train"


class History:
    """Something with a state that only its own code understands."""

    def __init__(self):
        self.values = np.arange(3.0)
        self.when = datetime.datetime(2024, 1, 2)

    def __reduce__(self):
        return (History, (), {"values": self.values, "when": self.when})


ARGUMENTS = {
    "arch": "cnn",
    "path": pathlib.PurePosixPath("/data/train"),
    "device": torch.device("cuda", 0),
    "dtype": torch.float32,
    "size": torch.Size([3, 32, 32]),
    "layout": torch.strided,
    "scalar": np.float64(0.5),
    "numpy_dtype": np.dtype("float32"),
    "array": np.arange(4, dtype=np.float32),
    "set": {1, 2},
    "frozen": frozenset(["a"]),
    "lr": 0.03,
    "seed": 2**100,
    "negative": -(2**40),
    "counts": collections.defaultdict(list, {"a": [1]}),
    "counter": collections.Counter("aab"),
    "mode": Mode.TRAIN,
    "slice": slice(1, 2),
    "complex": 1 + 2j,
    "range": range(3),
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "none": None,
    "function": torch.nn.functional.relu,
    "random": torch.get_rng_state()[:8],
}


def save(name, content, **how):
    torch.save(content, FOLDER / name, **how)


arguments = argparse.Namespace(**ARGUMENTS)
save("moco.pth.tar", {
    "epoch": 200,
    "arch": "cnn",
    "state_dict": {
        **under("module.encoder_q.", network(), head("fc.0", "fc.2")),
        **under("module.encoder_k.", network(8), head("fc.0", "fc.2")),
        "module.queue": torch.ones(2, 4),
        "module.queue_ptr": torch.zeros(1, dtype=torch.long),
    },
    "optimizer": optimizer(torch.optim.SGD, momentum=0.9),
})
save("simsiam.pth.tar", {
    "epoch": 100,
    "arch": "cnn",
    "state_dict": under("module.", under("encoder.", network(), head("fc.0", "fc.3")), head("predictor.0")),
    "optimizer": optimizer(torch.optim.SGD, momentum=0.9),
})
save("dino.pth", {
    "student": under("module.", under("backbone.", network()), head("head.mlp.0", "head.last_layer")),
    "teacher": under("", under("backbone.", network(8)), head("head.mlp.0", "head.last_layer")),
    "optimizer": optimizer(),
    "epoch": 100,
    "args": arguments,
    "dino_loss": {"center": torch.zeros(1, 4)},
    "fp16_scaler": {"scale": 65536.0, "_growth_tracker": 0},
})
save("swav.pth", under("module.", network(), head("projection_head.0", "projection_head.3"), {"prototypes.weight": torch.ones(2, 2)}))
save("byol.pt", {
    "online_network_state_dict": under("encoder.", network(), head("projection.net.0")),
    "target_network_state_dict": under("encoder.", network(8), head("projection.net.0")),
    "optimizer_state_dict": optimizer(),
})
lightning = {
    "epoch": 9,
    "global_step": 1000,
    "pytorch-lightning_version": "2.2.0",
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 9}}}},
    "callbacks": {History: {"best": torch.tensor(0.5)}, "ModelCheckpoint{'monitor': None}": {"path": pathlib.PurePosixPath("a")}},
    "optimizer_states": [optimizer()],
    "lr_schedulers": [{"base_lrs": [0.1], "_step_count": 3}],
    "hparams_name": "kwargs",
    "hyper_parameters": ARGUMENTS,
}
save("solo_learn.ckpt", {
    **lightning,
    "state_dict": {
        **under("backbone.", network()),
        **head("classifier", "projector.0", "projector.3", "predictor.0"),
    },
})
shared = network()
save("lightly.ckpt", {
    **lightning,
    "state_dict": {**under("backbone.", shared), **under("model.backbone.", shared), **head("model.projection_head.layers.0")},
})
save("timm.pth.tar", {
    "epoch": 3,
    "arch": "cnn",
    "state_dict": {**network(), **head("fc")},
    "optimizer": optimizer(),
    "version": 2,
    "args": arguments,
    "amp_scaler": {},
    "state_dict_ema": {**network(8), **head("fc")},
    "metric": np.float64(71.5),
})
save("torchvision.pth", OrderedDict({**network(), **head("fc")}))
save("mmpretrain.pth", {
    "meta": {"env_info": "sys.platform: linux", "seed": 3, "time": datetime.datetime(2024, 1, 2), "CLASSES": ("a", "b")},
    "state_dict": {**under("backbone.", network()), **head("head.fc"), "data_preprocessor.mean": torch.ones(3, 1, 1)},
    "message_hub": {"log_scalars": OrderedDict(loss=History()), "runtime_info": OrderedDict(), "resumed_keys": {}},
    "optimizer": optimizer(torch.optim.SGD, momentum=0.9),
})


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        for name, value in network().items():
            layer, part = name.split(".")
            if not hasattr(self, layer):
                self.add_module(layer, nn.Module())
            layer = getattr(self, layer)
            if part in ("weight", "bias"):
                layer.register_parameter(part, nn.Parameter(value))
            else:
                layer.register_buffer(part, value)
        self.fc = nn.Linear(8, 2)


save("module.pt", {"epoch": 1, "model": Tiny()})
save("protocol_5.pt", {"net": network(), "args": arguments}, pickle_protocol=5)
