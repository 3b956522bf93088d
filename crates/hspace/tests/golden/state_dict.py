"""A small state dict as torch.save writes it, in all the ways its tensors may lie: state_dict.pth.

    pip install torch
    python crates/hspace/tests/golden/state_dict.py crates/hspace/tests/golden/state_dict.pth
"""

import sys

import torch
from torch import nn

numbers = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
shared = torch.arange(6, dtype=torch.float32)
torch.save(
    {
        "epoch": 3,
        "best": torch.tensor(0.5),
        "arguments": {"names": ["a", "b"], "flag": True},
        "state_dict": {
            "module.plain": numbers,
            "module.turned": numbers.t(),
            "module.part": shared[2:5],
            "module.half": numbers.half(),
            "module.brain": numbers.bfloat16(),
            "module.double": numbers.double(),
            "module.parameter": nn.Parameter(shared),
            "module.bn.num_batches_tracked": torch.tensor(7),
            "module.fc.weight": numbers,
        },
    },
    sys.argv[1],
)
