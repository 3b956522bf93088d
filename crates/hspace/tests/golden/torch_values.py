"""Golden values from PyTorch, torchvision, timm and lightly: forward passes, losses with gradients, optimizers.

    pip install torch torchvision timm lightly scipy
    python crates/hspace/tests/golden/torch_values.py > crates/hspace/tests/golden/torch_values.json

Inputs and weights follow a formula (`fill`) that the Rust test repeats, so that only results are stored.
"""

import json
import math

import timm
import torch
import torch.nn.functional as F
import torchvision
from lightly.loss import BarlowTwinsLoss, DINOLoss, NegativeCosineSimilarity, NTXentLoss, SwaVLoss, VICRegLoss
from lightly.loss.swav_loss import sinkhorn
from scipy.optimize import minimize

torch.set_num_threads(1)


def fill(n, phase):
    """sin(0.7 i + phase), i = 0..n, in double precision, then rounded."""
    i = torch.arange(n, dtype=torch.float64)
    return torch.sin(0.7 * i + phase).float()


def scatter(n, phase):
    """In -1..1, without a pattern, computed in double precision, then rounded."""
    x = torch.sin(12.9898 * torch.arange(n, dtype=torch.float64) + phase) * 43758.5453
    return (2 * (x - x.floor()) - 1).float()


def weights(model, phase=len):
    """Each tensor by its shape and a number made of its name, by default its length."""
    state = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked") or name.startswith("fc."):
            state[name] = tensor
            continue
        values = scatter(tensor.numel(), phase(name))
        if name.endswith("running_var"):
            values = 1 + 0.5 * values * values
        elif tensor.dim() > 1:
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


def gradient(make, x):
    """Norm of the first layer's gradient, in double precision: in single, PyTorch's own is off by up to a thousandth."""
    model = make(weights=None)
    weights(model)
    model.double().train()
    features(model, x.double()).square().mean().backward()
    return model.conv1.weight.grad.norm().item()


def resnet(make, size):
    model = make(weights=None)
    weights(model)
    x = scatter(2 * 3 * size * size, 0.5).reshape(2, 3, size, size)
    model.eval()
    with torch.no_grad():
        evaluated = features(model, x)
    model.train()
    with torch.no_grad():
        trained = features(model, x)
    return {
        "eval_first": evaluated[:, :8].flatten().tolist(),
        "train_first": trained[:, :8].flatten().tolist(),
        "running_mean_first": model.bn1.running_mean[:4].tolist(),
        "running_var_first": model.bn1.running_var[:4].tolist(),
        "conv1_grad_norm": gradient(make, x),
    }


def vit(**pool):
    """Two narrow blocks. Images are so faint that the constant under the roots of normalisation counts."""
    model = timm.models.VisionTransformer(
        img_size=12, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=0, **pool
    )
    # Blocks differ from one another.
    weights(model, lambda name: sum(name.encode()))
    x = 0.02 * scatter(2 * 3 * 12 * 12, 0.5).reshape(2, 3, 12, 12)
    features = model.double()(x.double())
    (features * scatter(features.numel(), 0.9).reshape(features.shape)).sum().backward()
    return {
        "features": features.flatten().tolist(),
        "patch_grad_norm": model.patch_embed.proj.weight.grad.norm().item(),
    }


def matrix(rows, columns, phase):
    return fill(rows * columns, phase).reshape(rows, columns)


def of(rows, columns, loss):
    """A loss of a matrix filled from phase 0.3 on, and its gradient."""
    z = matrix(rows, columns, 0.3).requires_grad_()
    value = loss(z)
    value.backward()
    return {"loss": value.item(), "grad": z.grad.flatten().tolist()}


def supcon(z):
    """Khosla et al. 2020, equation 2."""
    classes = torch.tensor([0, 1, 1, 2, 0, 3, 0, 1, 1, 2, 0, 3])
    z = F.normalize(z, dim=1)
    logits = (z @ z.T / 0.1).masked_fill(torch.eye(12, dtype=bool), -torch.inf)
    log = logits.log_softmax(1)
    terms = []
    for i in range(12):
        others = [p for p in range(12) if p != i and classes[p] == classes[i]]
        terms.append(-log[i, others].mean())
    return torch.stack(terms).mean()


def moco(z):
    """lightly's loss with a memory bank, which holds these keys."""
    loss = NTXentLoss(temperature=0.2, memory_bank_size=(9, 5))
    loss.memory_bank.bank = F.normalize(matrix(9, 5, 2.3), dim=1)
    loss.memory_bank.bank_ptr = torch.zeros(1, dtype=torch.long)
    return loss(z, matrix(6, 5, 1.1))


def info_nce(z):
    """The keys of the batch as negatives, without the factor 2τ of MoCo v3."""
    logits = F.normalize(z, dim=1) @ F.normalize(matrix(6, 5, 1.1), dim=1).T / 0.2
    return F.cross_entropy(logits, torch.arange(6))


def moco_v3(z):
    """Chen, Xie & He 2021, algorithm 1: both views are queries, of the other view's keys, with the factor 2τ."""
    tell = lambda q, k: 2 * 0.2 * F.cross_entropy(F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / 0.2, torch.arange(6))
    return tell(z[:6], matrix(6, 5, 2.3)) + tell(z[6:], matrix(6, 5, 1.1))


def byol(q):
    """Grill et al. 2020, equation 2, of both views: each prediction with the teacher's projection of the other view."""
    distance = lambda q, z: (2 - 2 * F.cosine_similarity(q, z)).mean()
    return distance(q[:6], matrix(6, 5, 2.3)) + distance(q[6:], matrix(6, 5, 1.1))


def simsiam(q):
    """lightly's loss of both views, whose projections are from phases 1.1 and 0.5 on."""
    loss = NegativeCosineSimilarity()
    return 0.5 * (loss(q[:6], matrix(6, 5, 0.5)) + loss(q[6:], matrix(6, 5, 1.1)))


def projection_spread():
    """Chen & He 2021, section 4.1: the standard deviation of each dimension of rows of length 1, here times √d."""
    return (F.normalize(matrix(6, 5, 0.3), dim=1).std(0, correction=0).mean() * 5**0.5).item()


def supervised(logits):
    labels = torch.tensor([0, 1, 2, 3, 1, 1])
    weight = torch.tensor([1.0, 0.5, 2.0, 1.5])
    return F.cross_entropy(logits, labels, weight=weight, label_smoothing=0.1)


def consistency(logits):
    """Tarvainen & Valpola 2017 and Laine & Aila 2017: the mean square of differences of probabilities."""
    return F.mse_loss(logits.softmax(1), matrix(6, 4, 1.1).softmax(1))


def vat(logits):
    """Miyato et al. 2018, equation 5."""
    return F.kl_div(logits.log_softmax(1), matrix(6, 4, 1.1).softmax(1), reduction="batchmean")


def fixmatch(strong):
    """Sohn et al. 2020, equation 4, with a threshold of .6."""
    confidence, label = (2 * matrix(6, 4, 1.1)).softmax(1).max(1)
    return (F.cross_entropy(strong, label, reduction="none") * (confidence >= 0.6)).mean()


def fairness(strong):
    """Wang et al. 2023, equations 11 and 12, of given averages and frequencies."""
    answers, often = torch.tensor([0.4, 0.3, 0.2, 0.1]), torch.tensor([0.5, 0.2, 0.2, 0.1])
    target = F.normalize(answers / often, p=1, dim=0)
    shares = F.normalize(strong.softmax(1).mean(0) / torch.tensor([0.25, 0.5, 0.125, 0.125]), p=1, dim=0)
    return (target * shares.log()).sum()


def m2(logits):
    """Kingma et al. 2014, equation 7, of given bounds."""
    log_q = logits.log_softmax(1)
    return (log_q.exp() * (3 * matrix(6, 4, 1.1) + log_q)).sum(1).mean()


def ladder(z):
    """The combinator of Rasmus et al. 2015, equation 2, with weights .1 to 1."""
    u = matrix(6, 4, 1.1)
    part = lambda a: a[0] * torch.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    mean, share = part([0.1, 0.2, 0.3, 0.4, 0.5]), part([0.6, 0.7, 0.8, 0.9, 1.0])
    return ((z - mean) * share + mean).square().mean()


def free_energy(gaussian, relu):
    """Of a restricted Boltzmann machine: Hinton 2010, "A practical guide", equation 25; Gaussian units, section 13.2; rectified ones by the
    gradient of Nair & Hinton 2010."""
    weights, hidden, visible = matrix(3, 4, 0.9), matrix(1, 3, 0.2), matrix(1, 4, 1.7)

    def energy(v):
        x = v @ weights.T + hidden
        of_hidden = x.relu().square() / 2 if relu else F.softplus(x)
        of_visible = (v - visible).square() / 2 if gaussian else -v * visible
        return (of_visible.sum(1) - of_hidden.sum(1)).mean()

    return energy


def restored(outputs):
    """Vincent et al. 2010, equation 5."""
    return F.binary_cross_entropy_with_logits(outputs, (matrix(6, 4, 1.1) + 1) / 2, reduction="sum") / 6


def binary(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label), reduction="none")


def domain(logits):
    """A discriminator's loss on three samples of a source and four of a target (TLLib: the mean of both domains)."""
    return (binary(logits[:3], 1.0).mean() + binary(logits[3:], 0.0).mean()) / 2


def certainty(p):
    """CDAN+E's weights, as TLLib: entropies with 1e-5 in the logarithm, scaled to a mean of 1."""
    weights = 1 + torch.exp((p * (p + 1e-5).log()).sum(1, keepdim=True))
    return weights / weights.mean()


def cdan(f):
    """TLLib's multilinear map of features and constant probabilities, before a linear discriminator."""
    p = matrix(6, 3, 1.1).softmax(1)
    x = torch.bmm(p.unsqueeze(2), f.unsqueeze(1)).reshape(6, 12)
    logits = (x * matrix(1, 12, 2.3)).sum(1, keepdim=True)
    source = binary(logits[:3], 1.0) * certainty(p[:3])
    target = binary(logits[3:], 0.0) * certainty(p[3:])
    return (source.mean() + target.mean()) / 2


def known(x, places):
    """The rows whose label is known."""
    return x[torch.tensor(places)]


def task_of_classes(logits):
    return F.cross_entropy(known(logits, [0, 2, 3, 5]), torch.tensor([0, 2, 1, 1]))


def task_of_numbers(x):
    """30, 50 and 70, standardised."""
    values = torch.tensor([30.0, 50.0, 70.0])
    values = (values - values.mean()) / values.std(correction=0)
    return F.mse_loss(known(x, [0, 1, 3]).flatten(), values)


def task_of_labels(logits):
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])
    return F.binary_cross_entropy_with_logits(known(logits, [0, 1, 3, 5]), labels)


def weighting():
    """Weights of three conflicting gradients, or two, by the papers' definitions: minima found by SciPy."""
    g = torch.stack([scatter(4, 18.0 + task) for task in range(3)]).double().numpy()
    simplex = dict(
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    start = [1 / 3] * 3
    mgda = minimize(lambda w: ((w @ g) ** 2).sum(), start, **simplex).x
    g0, c = g.mean(0), 0.4
    length = lambda v: math.sqrt((v**2).sum())
    worst = minimize(lambda w: (w @ g) @ g0 + c * length(g0) * length(w @ g), start, **simplex).x
    cagrad = 3 * (1 / 3 + c * length(g0) / length(worst @ g) * worst)
    surgery = torch.zeros(2)
    for own, other in [(0, 1), (1, 0)]:
        conflict = min(g[own] @ g[other], 0) / (g[other] @ g[other])
        surgery[own] += 1
        surgery[other] -= conflict
    return {"mgda": mgda.tolist(), "cagrad": cagrad.tolist(), "pcgrad": surgery.tolist()}


def coral(x):
    """TLLib's CorrelationAlignmentLoss."""
    source, target = x[:4], x[4:]
    means = (source.mean(0) - target.mean(0)).pow(2).mean()
    return means + (torch.cov(source.T) - torch.cov(target.T)).pow(2).mean()


def squared_distances(x):
    return (x.unsqueeze(0) - x.unsqueeze(1)).pow(2).sum(2)


def kernels(x):
    """TLLib's five Gaussian kernels."""
    distances = squared_distances(x)
    scale = distances.mean().detach()
    return sum(torch.exp(-distances / (2 * 2.0**k * scale)) for k in range(-3, 2))


def unbiased(k):
    """Squared maximum mean discrepancy of the first four rows and the last four."""
    apart = ~torch.eye(4, dtype=bool)
    return k[:4, :4][apart].mean() + k[4:, 4:][apart].mean() - 2 * k[:4, 4:].mean()


def jan(x):
    """The product of TLLib's kernels of features and of probabilities."""
    p = matrix(8, 3, 1.1).softmax(1)
    return unbiased(kernels(x) * torch.exp(-squared_distances(p) / (2 * 0.92**2)))


def mcc(logits):
    """TLLib's MinimumClassConfusionLoss."""
    p = (logits / 2.5).softmax(1)
    confusion = (p * certainty(p).detach()).T @ p
    confusion = confusion / confusion.sum(1, keepdim=True)
    return (confusion.sum() - confusion.trace()) / 4


def swav(scores):
    """One code, predicted from two other views: lightly's SwaVLoss has a code for each of two views, so its parts are used."""
    codes = sinkhorn(matrix(6, 5, 1.1), iterations=3, epsilon=0.05)
    loss = SwaVLoss(temperature=0.1)
    return (loss.subloss(scores, codes) + loss.subloss(matrix(6, 5, 2.3), codes)) / 2


def dino(own):
    """Two views of the teacher, three of the learner, the first and the third alike."""
    loss = DINOLoss(output_dim=5, warmup_teacher_temp=0.04, teacher_temp=0.04, warmup_teacher_temp_epochs=1)
    loss.center = torch.tensor([0.3, -0.2, 0.1, 0.0, -0.4]).reshape(loss.center.shape)
    taught = [matrix(6, 5, phase) for phase in (1.1, 2.3)]
    return loss(taught, [own, matrix(6, 5, 0.9), own], epoch=5)


def dino_center():
    """The centre after a step of lightly's loss, from one that is not 0."""
    loss = DINOLoss(output_dim=5, center_momentum=0.9)
    loss.center = torch.tensor([0.3, -0.2, 0.1, 0.0, -0.4]).reshape(loss.center.shape)
    taught = [matrix(6, 5, phase) for phase in (1.1, 2.3)]
    loss(taught, taught, epoch=5)
    return loss.center.flatten().tolist()


def mae(drawn):
    """The authors' loss on hidden patches: each brought to mean 0 and variance 1 (forward_loss with norm_pix_loss)."""
    patches = matrix(6, 5, 1.1)
    target = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6) ** 0.5
    return ((drawn - target) ** 2).mean(-1).mean()


def posteriors():
    """Means and log variances of six samples in five dimensions, and draws."""
    return matrix(6, 5, 1.1), matrix(6, 5, 2.3), matrix(6, 5, 0.9)


def divergence(mean):
    """torch.distributions' divergence from the standard normal, summed over dimensions."""
    _, log_variance, _ = posteriors()
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()


def free_bits(mean):
    """Kingma et al. 2016, equation 15: 0.4 nats of each dimension, on average over the batch, are free."""
    _, log_variance, _ = posteriors()
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    each = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0)
    return torch.maximum(each, torch.tensor(0.4)).sum()


def capacity(nats):
    """Burgess et al. 2018, equation 8, with γ 4: the divergence is held at so many nats."""
    return lambda mean: 4 * (divergence(mean) - nats).abs()


def along(weights):
    """(v · ∇D(x))² for D(x) = Σ tanh(x w), by automatic differentiation, a mean over samples x; v as the Rust test draws it."""
    x, v = matrix(6, 5, 1.1).requires_grad_(), matrix(6, 5, 2.3)
    (slopes,) = torch.autograd.grad((x @ weights).tanh().sum(), x, create_graph=True)
    return (slopes * v).sum(1).square().mean()


def contraction(weights):
    """‖J v‖² for h(x) = tanh(x w), a mean over samples."""
    x, v = matrix(6, 5, 1.1), matrix(6, 5, 2.3)
    _, moved = torch.func.jvp(lambda x: (x @ weights).tanh(), (x,), (v,))
    return moved.square().sum(1).mean()


def commitment(latents):
    """van den Oord et al. 2017, equation 3, without the codebook's own term: gradients pass from the words to the latents."""
    words, wanted = matrix(6, 5, 1.1), matrix(6, 5, 2.3)
    code = latents + (words - latents).detach()
    return (code - wanted).square().sum(1).mean() + 0.25 * (latents - words.detach()).square().sum(1).mean()


def bernoulli(logits):
    x = matrix(6, 5, 1.1).abs()
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()


def gaussian(mean):
    return torch.distributions.Normal(mean, 0.7).log_prob(matrix(6, 5, 1.1)).sum(1).mean()


def decomposed(z):
    """Chen et al. 2018 by minibatch-weighted sampling, each term times a weight of its own."""
    mean, log_variance, _ = posteriors()
    q = torch.distributions.Normal(mean[None], (log_variance / 2).exp()[None])
    pairs = q.log_prob(z[:, None])
    log_count = math.log(6 * 1000)
    joint = pairs.sum(2).logsumexp(1) - log_count
    product = (pairs.logsumexp(1) - log_count).sum(1)
    own = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z).sum(1)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    return 2 * (own - joint).mean() + 3 * (joint - product).mean() + 5 * (product - prior).mean()


def dip(form):
    def penalty(mean):
        _, log_variance, _ = posteriors()
        covariance = torch.cov(mean.T, correction=0)
        if form == "II":
            covariance = covariance + torch.diag(log_variance.exp().mean(0))
        diagonal = torch.diagonal(covariance)
        off = covariance - torch.diag(diagonal)
        return 3 * off.square().sum() + 2 * (diagonal - 1).square().sum()

    return penalty


def discrepancy(codes):
    """The unbiased estimate with the sum of inverse multiquadratic kernels, from distances."""
    prior = matrix(6, 5, 1.1)
    total = 0
    for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        c = 2 * 5 * scale
        kernel = lambda a, b: c / (c + (a[:, None] - b[None]).square().sum(2))
        others = 1 - torch.eye(6)
        within = (kernel(codes, codes) * others).sum() + (kernel(prior, prior) * others).sum()
        total = total + within / 30 - 2 * kernel(codes, prior).sum() / 36
    return total


def believed(game):
    """A discriminator of real samples (the leaf) and drawn ones: as a classifier, or with margins."""

    def loss(real):
        drawn = matrix(6, 5, 1.1)
        if game == "hinge":
            return (1 - real).clamp(min=0).mean() + (1 + drawn).clamp(min=0).mean()
        told = F.binary_cross_entropy_with_logits
        return told(real, torch.ones(6, 5)) + told(drawn, torch.zeros(6, 5))

    return loss


def fooled(drawn):
    return F.binary_cross_entropy_with_logits(drawn, torch.ones(6, 5))


def factor(logits):
    """The discriminator of FactorVAE: draws are class 0, shuffled ones class 1."""
    shuffled = matrix(6, 2, 1.1)
    first, second = torch.zeros(6, dtype=torch.long), torch.ones(6, dtype=torch.long)
    return (F.cross_entropy(logits, first) + F.cross_entropy(shuffled, second)) / 2


def words():
    """One step of running means (van den Oord et al. 2017, equations 6 to 8) of three words of two dimensions, which twelve
    groups are nearest to."""
    book, groups = matrix(3, 2, 1.1), matrix(12, 2, 0.3)
    chosen = F.one_hot(torch.cdist(groups, book).argmin(1), 3).float()
    counts = torch.tensor([2.0, 3.0, 1.0])
    sums = book * counts[:, None]
    counts = 0.9 * counts + 0.1 * chosen.sum(0)
    sums = 0.9 * sums + 0.1 * chosen.T @ groups
    return {"words": (sums / counts[:, None]).flatten().tolist(), "counts": counts.tolist()}


def positions():
    """timm's interpolation of 4 x 4 position embeddings of 3 dimensions, with a class token, to 3 x 3 and to 6 x 6."""
    given = fill(17 * 3, 0.2).reshape(1, 17, 3)
    return {f"to{side}": timm.layers.resample_abs_pos_embed(given, [side, side]).flatten().tolist() for side in (3, 6)}


def losses():
    other = matrix(6, 5, 1.1)
    twelve = matrix(12, 5, 1.1)
    return {
        "simclr": of(12, 5, lambda z: NTXentLoss(temperature=0.2)(z[:6], z[6:])),
        "supcon": of(12, 5, supcon),
        "moco": of(6, 5, moco),
        "info_nce": of(6, 5, info_nce),
        "moco_v3": of(12, 5, moco_v3),
        "byol": of(6, 5, lambda q: (2 - 2 * F.cosine_similarity(q, other)).mean()),
        "byol_views": of(12, 5, byol),
        "simsiam": of(12, 5, simsiam),
        "projection_spread": projection_spread(),
        "barlow_twins": of(12, 5, lambda z: BarlowTwinsLoss(lambda_param=5e-3)(z, twelve)),
        "barlow_twins_weighed": of(12, 5, lambda z: BarlowTwinsLoss(lambda_param=0.3)(z, twelve)),
        "vicreg": of(12, 5, lambda z: VICRegLoss()(z, twelve)),
        "vicreg_weighed": of(12, 5, lambda z: VICRegLoss(lambda_param=3, mu_param=5, nu_param=7)(z, twelve)),
        "swav": of(6, 5, swav),
        "swav_codes": sinkhorn(matrix(6, 5, 1.1), iterations=3, epsilon=0.05).flatten().tolist(),
        "dino": of(6, 5, dino),
        "dino_center": dino_center(),
        "mae": of(6, 5, mae),
        "divergence": of(6, 5, divergence),
        "free_bits": of(6, 5, free_bits),
        "capacity_below": of(6, 5, capacity(0.5)),
        "capacity_above": of(6, 5, capacity(25.0)),
        "slope": of(5, 3, along),
        "contraction": of(5, 3, contraction),
        "commitment": of(6, 5, commitment),
        "bernoulli": of(6, 5, bernoulli),
        "gaussian": of(6, 5, gaussian),
        "decomposed": of(6, 5, decomposed),
        "dip_I": of(6, 5, dip("I")),
        "dip_II": of(6, 5, dip("II")),
        "discrepancy": of(6, 5, discrepancy),
        "iwae": of(6, 5, lambda w: (w.logsumexp(0) - math.log(6)).mean()),
        "non_saturating": of(6, 5, believed("non_saturating")),
        "hinge": of(6, 5, believed("hinge")),
        "fooled": of(6, 5, fooled),
        "fooled_hinge": of(6, 5, lambda drawn: -drawn.mean()),
        "factor": of(6, 2, factor),
        "factor_correlation": of(6, 2, lambda logits: (logits[:, 0] - logits[:, 1]).mean()),
        "words": words(),
        "positions": positions(),
        "supervised": of(6, 4, supervised),
        "consistency": of(6, 4, consistency),
        "vat": of(6, 4, vat),
        "fixmatch": of(6, 4, fixmatch),
        "fairness": of(6, 4, fairness),
        "m2": of(6, 4, m2),
        "free_energy": of(6, 4, free_energy(False, False)),
        "free_energy_gaussian": of(6, 4, free_energy(True, False)),
        "free_energy_relu": of(6, 4, free_energy(True, True)),
        "restored": of(6, 4, restored),
        "restored_numbers": of(6, 4, lambda y: F.mse_loss(y, (matrix(6, 4, 1.1) + 1) / 2, reduction="sum") / 12),
        "ladder": of(6, 4, ladder),
        "domain": of(7, 1, domain),
        "cdan": of(6, 4, cdan),
        "entropy": of(6, 4, lambda x: torch.distributions.Categorical(logits=x).entropy().mean()),
        "coral": of(9, 4, coral),
        "dan": of(8, 4, lambda x: unbiased(kernels(x))),
        "jan": of(8, 4, jan),
        "mcc": of(6, 4, mcc),
        "task_of_classes": of(6, 3, task_of_classes),
        "task_of_numbers": of(6, 1, task_of_numbers),
        "task_of_labels": of(6, 3, task_of_labels),
        "weighting": weighting(),
    }


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
    return {**results, "adamw_late": late(), "lars": lars()}


def late():
    """AdamW on two weights, one of which has gradients from the third of five steps on."""
    early, late = (torch.tensor([[1.0], [-2.0]], requires_grad=True) for _ in range(2))
    optimizer = torch.optim.AdamW([early, late], lr=0.1, weight_decay=0.01)
    for k in range(1, 6):
        for w in [early, late] if k > 2 else [early]:
            w.grad = torch.tensor([[0.5 * k], [0.25 * k]])
        optimizer.step()
    return {"early": early.flatten().tolist(), "late": late.flatten().tolist()}


def lars():
    """As SimCLR's code has it (lars_optimizer.py), four steps with a falling rate: the ratio of lengths counts the decay to
    the gradient and is 1 where a length is 0, the rate is in the velocity; biases are neither scaled nor decayed."""
    results = {}
    for name, start in {"matrix": [3.0, 4.0], "zero": [0.0, 0.0], "bias": [3.0, 4.0]}.items():
        w = torch.tensor(start, dtype=torch.float64)
        velocity = torch.zeros_like(w)
        for k in range(1, 5):
            step = torch.tensor([0.5 * k, 0.25 * k], dtype=torch.float64)
            ratio = 1
            if name != "bias":
                step = step + 0.1 * w
                if w.norm() > 0 and step.norm() > 0:
                    ratio = 0.001 * w.norm() / step.norm()
            velocity = 0.9 * velocity + 2 / k * ratio * step
            w = w - velocity
        results[name] = w.tolist()
    return results


print(
    json.dumps(
        {
            "versions": [torch.__version__, torchvision.__version__],
            "resnet18": resnet(torchvision.models.resnet18, 64),
            "resnet50": resnet(torchvision.models.resnet50, 64),
            "wide_resnet50_2": resnet(torchvision.models.wide_resnet50_2, 64),
            "resnext50_32x4d": resnet(torchvision.models.resnext50_32x4d, 64),
            "vit_class": vit(),
            "vit_mean": vit(class_token=False, global_pool="avg"),
            **losses(),
            "optimizers": optimizers(),
        },
        indent=1,
    )
)
