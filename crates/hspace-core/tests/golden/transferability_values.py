"""Writes transferability_values.json next to itself. Needs numpy, scipy and scikit-learn 1.9 (its LedoitWolf).

Each score is written down from the equations of its paper: LogME by the paper's iteration, carried on until it ends, and by the evidence
of a Gaussian written out; the others as they are printed.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf

HERE = Path(__file__).parent


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


def evidence(f, y):
    """You et al. 2021, section 4: maximum of ln p(y | F, alpha, beta), by iterating gamma, alpha and beta."""
    n, d = f.shape
    alpha, beta = 1.0, 1.0
    gram = f.T @ f
    sigma = np.linalg.eigvalsh(gram)
    for _ in range(100_000):
        a = alpha * np.eye(d) + beta * gram
        m = beta * np.linalg.solve(a, f.T @ y)
        gamma = np.sum(beta * sigma / (alpha + beta * sigma))
        new = gamma / (m @ m), (n - gamma) / np.sum((f @ m - y) ** 2)
        done = np.allclose(new, (alpha, beta), rtol=1e-12, atol=0)
        alpha, beta = new
        if done:
            break
    else:
        raise RuntimeError("the iteration did not end")
    a = alpha * np.eye(d) + beta * gram
    m = beta * np.linalg.solve(a, f.T @ y)
    value = n / 2 * np.log(beta) + d / 2 * np.log(alpha) - n / 2 * np.log(2 * np.pi)
    value -= beta / 2 * np.sum((f @ m - y) ** 2) + alpha / 2 * m @ m + np.linalg.slogdet(a)[1] / 2
    marginal = multivariate_normal(np.zeros(n), np.eye(n) / beta + f @ f.T / alpha).logpdf(y)
    assert abs(value - marginal) < 1e-6 * abs(marginal)
    return value


def logme(f, y):
    return np.mean([evidence(f, (y == c).astype(float)) / len(y) for c in np.unique(y)])


def between(f, y):
    means = np.stack([f[y == c].mean(0) for c in y])
    return np.cov(means.T, bias=True).reshape(f.shape[1], -1)


def h_score(f, y):
    """Bao et al. 2019, definition 2."""
    covariance = np.cov(f.T, bias=True).reshape(f.shape[1], -1)
    return np.trace(np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ between(f, y))


def h_score_shrinkage(f, y):
    """Ibrahim et al. 2021, section 4.1."""
    fitted = LedoitWolf().fit(f)
    return (1 - fitted.shrinkage_) * np.trace(np.linalg.inv(fitted.covariance_) @ between(f, y))


def leep(p, y, classes):
    """Nguyen et al. 2020, equations 1 and 2."""
    joint = np.stack([p[y == c].sum(0) for c in range(classes)]) / len(y)
    given = joint / joint.sum(0)
    return np.mean(np.log((given[y] * p).sum(1)))


def nce(p, y, classes):
    """Tran et al. 2019, equation 6, of the source's answers."""
    z = p.argmax(1)
    joint = np.array([[np.mean((y == c) & (z == k)) for k in range(p.shape[1])] for c in range(classes)])
    given = joint / np.maximum(joint.sum(0), 1e-300)
    return np.sum(joint[joint > 0] * np.log(given[joint > 0]))


random = np.random.default_rng(0)


def features(n, d, classes, present=None, dependent=False):
    y = random.integers(0, present or classes, n)
    f = random.normal(size=(n, d)) @ random.normal(size=(d, d)) * 0.7 + random.normal(size=(classes, d))[y] + 0.5
    if dependent:
        f[:, -1] = 2.0
    f = f.astype(np.float32)
    of = f.astype(float)
    return {
        "rows": n,
        "cols": d,
        "classes": classes,
        "features": plain(f.ravel()),
        "labels": plain(y),
        "logme": logme(of, y),
        "h_score": h_score(of, y),
        "h_score_shrinkage": h_score_shrinkage(of, y),
    }


def probabilities(n, z, classes):
    y = random.integers(0, classes, n)
    p = np.stack([random.dirichlet(np.ones(z) + 3 * (np.arange(z) % classes == c)) for c in y])
    return {
        "classes": classes,
        "sources": z,
        "probabilities": plain(p.ravel()),
        "labels": plain(y),
        "leep": leep(p, y, classes),
        "nce": nce(p, y, classes),
    }


values = {
    "features": [
        features(80, 5, 3),
        features(30, 8, 4, present=3),
        features(60, 4, 2, dependent=True),
        features(25, 40, 3),
    ],
    "probabilities": [probabilities(70, 5, 3), probabilities(40, 2, 4)],
}
(HERE / "transferability_values.json").write_text(json.dumps(values) + "\n")
