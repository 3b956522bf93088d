"""Golden values from PyTorch, torchvision and lightly: forward passes, losses with gradients, optimizers.

    pip install torch torchvision lightly
    python crates/hspace/tests/golden/torch_values.py > crates/hspace/tests/golden/torch_values.json

Inputs and weights follow a formula (`fill`) that the Rust test repeats, so that only results are stored.
"""

import json
import math

import torch
import torch.nn.functional as F
import torchvision
from lightly.loss import NTXentLoss

torch.set_num_threads(1)


def fill(n, phase):
    """sin(0.7 i + phase), i = 0..n, in double precision, then rounded."""
    i = torch.arange(n, dtype=torch.float64)
    return torch.sin(0.7 * i + phase).float()


def scatter(n, phase):
    """In -1..1, without a pattern, computed in double precision, then rounded."""
    x = torch.sin(12.9898 * torch.arange(n, dtype=torch.float64) + phase) * 43758.5453
    return (2 * (x - x.floor()) - 1).float()


def weights(model):
    """Each tensor by its shape and the length of its name."""
    state = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked") or name.startswith("fc."):
            state[name] = tensor
            continue
        values = scatter(tensor.numel(), len(name))
        if name.endswith("running_var"):
            values = 1 + 0.5 * values * values
        elif tensor.dim() == 4:
            values = values * math.sqrt(6 / tensor[0].numel())
        elif name.endswith(".weight"):
            values = 1 + 0.2 * values
        else:
            values = 0.1 * values
        state[name] = values.reshape(tensor.shape)
    model.load_state_dict(state)


def features(model, x):
    model.fc = torch.nn.Identity()
    return model(x)


def resnet(make, size):
    model = make(weights=None)
    weights(model)
    x = scatter(2 * 3 * size * size, 0.5).reshape(2, 3, size, size)
    model.eval()
    with torch.no_grad():
        evaluated = features(model, x)
    model.train()
    trained = features(model, x)
    trained.square().mean().backward()
    grad = model.conv1.weight.grad
    return {
        "eval_first": evaluated[:, :8].flatten().tolist(),
        "train_first": trained[:, :8].flatten().tolist(),
        "running_mean_first": model.bn1.running_mean[:4].tolist(),
        "running_var_first": model.bn1.running_var[:4].tolist(),
        "conv1_grad_norm": grad.norm().item(),
    }


def simclr():
    z = fill(12 * 5, 0.3).reshape(12, 5).requires_grad_()
    loss = NTXentLoss(temperature=0.2)(z[:6], z[6:])
    loss.backward()
    return {"loss": loss.item(), "grad": z.grad.flatten().tolist()}


def byol():
    q = fill(6 * 5, 0.3).reshape(6, 5).requires_grad_()
    target = fill(6 * 5, 1.1).reshape(6, 5)
    loss = (2 - 2 * F.cosine_similarity(q, target)).mean()
    loss.backward()
    return {"loss": loss.item(), "grad": q.grad.flatten().tolist()}


def supervised():
    logits = fill(6 * 4, 0.3).reshape(6, 4).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 1, 1])
    weight = torch.tensor([1.0, 0.5, 2.0, 1.5])
    loss = F.cross_entropy(logits, labels, weight=weight, label_smoothing=0.1)
    loss.backward()
    return {"loss": loss.item(), "grad": logits.grad.flatten().tolist()}


def optimizers():
    results = {}
    for name in ["adamw", "sgd"]:
        w = torch.tensor([[1.0], [-2.0]], requires_grad=True)
        if name == "adamw":
            optimizer = torch.optim.AdamW([w], lr=0.1, weight_decay=0.01)
        else:
            optimizer = torch.optim.SGD([w], lr=0.1, weight_decay=0.01, momentum=0.9)
        for k in range(1, 4):
            w.grad = torch.tensor([[0.5 * k], [0.25 * k]])
            optimizer.step()
        results[name] = w.flatten().tolist()
    return results


print(
    json.dumps(
        {
            "versions": [torch.__version__, torchvision.__version__],
            "resnet18": resnet(torchvision.models.resnet18, 64),
            "resnet50": resnet(torchvision.models.resnet50, 64),
            "simclr": simclr(),
            "byol": byol(),
            "supervised": supervised(),
            "optimizers": optimizers(),
        },
        indent=1,
    )
)
