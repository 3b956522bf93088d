"""Writes disentangle_values.json, ica.json and shared_factors.json next to itself. Needs numpy, scipy and scikit-learn 1.9.

Each metric is the published formula, written down here once more.
"""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import entropy, spearmanr
from sklearn.decomposition import FastICA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score, normalized_mutual_info_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.tolist() if hasattr(value, "tolist") else value


def write(name, **values):
    (HERE / name).write_text(json.dumps({k: plain(v) for k, v in values.items()}) + "\n")


def binned(z, bins=20):
    """Intervals of equal width, numbered from 1; the largest value falls into the last."""
    edges = np.linspace(z.min(), z.max(), bins + 1)
    return np.digitize(z, edges[:-1])


def mig(z, factors):
    """Chen et al. 2018, eq. 6."""
    gaps = []
    for v in factors:
        known = sorted(mutual_info_score(binned(column), v) for column in z.T)
        gaps.append((known[-1] - known[-2]) / entropy(np.unique(v, return_counts=True)[1]))
    return np.mean(gaps)


def thresholds(z, v):
    """The best balanced accuracy of thresholds on z, one interval a class, by trying all."""
    classes = sorted(np.unique(v), key=lambda c: z[v == c].mean())
    distinct = np.unique(z)
    cuts = np.concatenate([[-np.inf], (distinct[1:] + distinct[:-1]) / 2, [np.inf]])
    best = 0
    for chosen in combinations(range(len(cuts)), len(classes) - 1):
        answer = np.array(classes)[np.searchsorted(cuts[list(chosen)], z)]
        best = max(best, balanced_accuracy_score(v, answer))
    return best


def sap(z, shape, size):
    """Kumar et al. 2018, section 3: R² of a line for numbers, thresholds for classes."""
    lines = sorted(np.corrcoef(column, size)[0, 1] ** 2 for column in z.T)
    steps = sorted(thresholds(column, shape) for column in z.T)
    return np.mean([lines[-1] - lines[-2], steps[-1] - steps[-2]])


def modularity(z, factors):
    """Ridgeway & Mozer 2018, section 3."""
    scores = []
    for column in z.T:
        m = np.array([mutual_info_score(binned(column), v) for v in factors])
        template = np.where(np.arange(len(m)) == m.argmax(), m.max(), 0)
        scores.append(1 - ((m - template) ** 2).sum() / (m.max() ** 2 * (len(m) - 1)))
    return np.mean(scores)


REGRESSION = LogisticRegression(tol=1e-10, max_iter=10_000)


def softmax(known, v, asked):
    return REGRESSION.fit(known, v).predict_proba(asked)


def one_vs_rest(known, v, asked):
    return np.stack([REGRESSION.fit(known, v == c).predict_proba(asked)[:, 1] for c in np.unique(v)], 1)


def explicitness(z, factors, regression, apart=0.0):
    """Ridgeway & Mozer 2018, section 3, on every fourth row. Where areas must be exact, no two rows' answers may be
    within `apart` of each other that an area depends on the order of."""
    z = (z - z.mean(0)) / z.std(0)
    test = np.arange(len(z)) % 4 == 1
    scores = []
    for v in factors:
        answers = regression(z[~test], v[~test], z[test])
        for c, p in enumerate(answers.T):
            gaps = np.subtract.outer(p[v[test] == c], p[v[test] != c])
            assert np.abs(gaps).min() >= apart, "rounding could swap two rows; hold out others"
        scores.append(np.mean([roc_auc_score(v[test] == c, p) for c, p in enumerate(answers.T)]))
    return np.mean(scores)


def total_correlation(z):
    covariance = np.cov(z.T.astype(float))
    return 0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1])


def udr(runs):
    """Duan et al. 2020, eq. 3, with Spearman's correlation; every latent here is in use."""
    scores = []
    for i, one in enumerate(runs):
        pairs = []
        for j, other in enumerate(runs):
            if i != j:
                d = one.shape[1]
                r = abs(spearmanr(one, other).statistic[:d, d:])
                total = (r.max(0) ** 2 / r.sum(0)).sum() + (r.max(1) ** 2 / r.sum(1)).sum()
                pairs.append(total / sum(r.shape))
        scores.append(np.median(pairs))
    return scores


def dci(importance):
    """Eastwood & Williams 2018; rows are factors. Latents count by their share of all importance, factors alike; one that
    no latent is important for counts 0."""
    per_latent = importance.sum(0) / importance.sum()
    d = (per_latent * (1 - entropy(importance, base=len(importance), axis=0))).sum()
    c = np.mean([1 - entropy(row, base=len(row)) if row.sum() > 0 else 0.0 for row in importance])
    return d, c


random = np.random.default_rng(0)
n = 150
shape = random.integers(0, 3, n)
sizes = np.array([0.5, 0.6, 0.7, 0.85, 1.0])
size = random.integers(0, 5, n)
noise = lambda scale: scale * random.normal(size=n)
z = np.stack([shape + noise(0.4), sizes[size] + 0.05 * shape + noise(0.03), shape - size + noise(0.5), noise(1.0)], 1)
z = z.astype(np.float32)
coarse = np.stack([np.round(4 * z[:, 0]), np.round(10 * z[:, 1]), np.round(2 * z[:, 2])], 1).astype(np.float32)
third = (z @ random.normal(size=(4, 4))).astype(np.float32)
wide = z.astype(float)


def tree(v):
    """Importances, which must not depend on which latent is looked at first."""
    seeds = [DecisionTreeClassifier(random_state=s).fit(coarse, v).feature_importances_ for s in range(30)]
    assert np.ptp(seeds, axis=0).max() < 1e-9, "two splits are equally good; choose other classes"
    return seeds[0]


a, b, c = coarse.T
tree_classes = [(a > 3) + (b > 7).astype(int), np.where(c > -3, a > 5, b > 8).astype(int)]
importance = random.dirichlet(np.ones(5), 3)
uneven = importance * np.array([[1.0], [0.2], [0.0]])
# The lattice of the Rust tests.
counts = np.arange(3 * 6 * 8 * 10)
factors = np.stack([counts % 3, counts // 3 % 6, counts // 18 % 8, counts // 144 % 10], 1)
bins = [binned(column) for column in wide.T]
write(
    "disentangle_values.json",
    rows=n,
    latents=z.ravel(),
    coarse=coarse.ravel(),
    third=third.ravel(),
    shape=shape,
    size=size,
    sizes=sizes,
    mig=mig(wide, [shape, size]),
    sap=sap(wide, shape, sizes[size]),
    modularity=modularity(wide, [shape, size]),
    explicitness=explicitness(wide, [shape, size], softmax, apart=3e-3),
    # What the deviation that `modularity.rs` names makes of both.
    explicitness_one_vs_rest=explicitness(wide, [shape, size], one_vs_rest),
    explicitness_of_factors=[explicitness(factors, factors.T, by) for by in (softmax, one_vs_rest)],
    total_correlation=total_correlation(wide),
    dependence=[[normalized_mutual_info_score(a, b) for b in bins] for a in bins],
    correlations=np.corrcoef(wide.T),
    udr=udr([z, coarse, third]),
    tree_classes=tree_classes,
    tree_importances=[tree(v) for v in tree_classes],
    importance=importance,
    dci=dci(importance),
    uneven=uneven,
    uneven_dci=dci(uneven),
)

n = 600
t = np.linspace(0, 8, n)
sources = np.stack([np.sin(2 * t), np.sign(np.sin(3 * t)), random.laplace(size=n)], 1)
x = sources @ random.normal(size=(3, 5)) + 0.01 * random.normal(size=(n, 5)) + 3
x = x.astype(np.float32)
ica = FastICA(3, whiten="unit-variance", fun="logcosh", algorithm="parallel", tol=1e-6, max_iter=1000, random_state=0)
write("ica.json", rows=n, cols=5, features=x.ravel(), components=ica.fit_transform(x.astype(float)).ravel())


def sharing(k, shape):
    """Rows of the lattice with one value of factor k, which is drawn for each last axis; the other factors as they come."""
    rows = np.empty(shape, int)
    for at in np.ndindex(shape[:-1]):
        value = factors[random.integers(len(factors)), k]
        rows[at] = random.choice(np.flatnonzero(factors[:, k] == value), shape[-1])
    return rows


def beta_vae_score(encode, train=5000, test=2500, pairs=64):
    """Higgins et al. 2017, section 3: which factor do both of each pair share, told from mean differences."""
    kept = random.integers(factors.shape[1], size=train + test)
    points = []
    for k in kept:
        z = encode(sharing(k, (pairs, 2)))
        points.append(np.abs(z[:, 0] - z[:, 1]).mean(0))
    fitted = LogisticRegression(max_iter=1000).fit(points[:train], kept[:train])
    return fitted.score(points[train:], kept[train:])


def factor_vae_score(encode, train=5000, test=2500, samples=64):
    """Kim & Mnih 2018, section 4: the latent of least normalised variance votes for the factor that was kept."""
    kept = random.integers(factors.shape[1], size=train + test)
    least = np.array([encode(sharing(k, (samples,))).var(0).argmin() for k in kept])
    latents, kinds = range(factors.shape[1]), range(factors.shape[1])
    votes = np.array([[np.sum((least[:train] == j) & (kept[:train] == k)) for k in kinds] for j in latents])
    return np.mean(votes.argmax(1)[least[train:]] == kept[train:])


def encoder(degrees, planes, scale):
    """Rows of the lattice to latents of deviation 1: rotated as in the Rust tests, with noise that is new for every sample."""
    z = (factors - factors.mean(0)) / factors.std(0)
    sin, cos = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    for a, b in planes:
        z[:, [a, b]] = np.stack([cos * z[:, a] - sin * z[:, b], sin * z[:, a] + cos * z[:, b]], 1)
    return lambda rows: (z[rows] + scale * random.normal(size=(*rows.shape, 4))) / np.sqrt(1 + scale**2)


encoders = {
    # Without noise the two latents of a pair vary exactly alike, and rounding decides.
    "halves": encoder(45, [(0, 1), (2, 3)], 0.5),
    "entangled": encoder(30, [(0, 1), (2, 3), (0, 2), (1, 3)], 0),
    "noisy": encoder(0, [], 2),
}
scores = {name: [beta_vae_score(encode), factor_vae_score(encode)] for name, encode in encoders.items()}
write("shared_factors.json", **scores)
