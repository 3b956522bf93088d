"""Golden values of densities from scipy.stats, numpy and scikit-learn: scipy_values.json, next to itself.

    pip install numpy scipy scikit-learn mpmath
    python crates/hspace-core/tests/golden/scipy_values.py

Made with numpy 2.4, scipy 1.17 and scikit-learn 1.9.
"""

import json
from pathlib import Path

import mpmath
import numpy as np
from scipy import optimize, special, stats
from sklearn.covariance import LedoitWolf
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, NearestNeighbors

random = np.random.default_rng(7)


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.tolist() if hasattr(value, "tolist") else value


def family(name, data, frozen, parameters, points, mass=False):
    """A fitted density at points; sf separately, since far out 1 - cdf has no digits left. All parameters were fitted."""
    log = frozen.logpmf if mass else frozen.logpdf
    ks = None if mass else stats.kstest(data, frozen.cdf).statistic
    p, likelihood = len(parameters), log(data).sum()
    return {
        "name": name, "data": data, "parameters": parameters, "points": points, "ln_density": log(points),
        "cdf": frozen.cdf(points), "above": frozen.sf(points), "log_likelihood": likelihood, "ks": ks,
        "aic": 2 * p - 2 * likelihood, "bic": p * np.log(len(data)) - 2 * likelihood,
    }


def negative_binomial(data):
    """Maximum likelihood in (ln r, mean): the mean is the sample's, r by a scalar search."""
    mean = data.mean()
    loss = lambda t: -stats.nbinom.logpmf(data, np.exp(t), np.exp(t) / (np.exp(t) + mean)).sum()
    slope = lambda r: (special.digamma(data + r) - special.digamma(r)).sum() - len(data) * np.log1p(mean / r)
    near = np.exp(optimize.minimize_scalar(loss, bounds=(-5, 10), method="bounded").x)
    size = optimize.brentq(slope, near / 2, near * 2, xtol=1e-14, rtol=1e-14)
    return size, size / (size + mean)


families = []
x = np.round(random.normal(12, 3.5, 200), 3)
loc, scale = stats.norm.fit(x)
families.append(family("normal", x, stats.norm(loc, scale), [loc, scale], np.array([-30.0, 0, 8, 12, 20, 45])))
x = np.round(random.lognormal(1.2, 0.8, 150), 4)
s, _, scale = stats.lognorm.fit(x, floc=0)
ln = np.log(x)
assert np.isclose(s, ln.std(), rtol=1e-3) and np.isclose(scale, np.exp(ln.mean()), rtol=1e-3)
s, scale = ln.std(), np.exp(ln.mean())
families.append(family("log_normal", x, stats.lognorm(s, scale=scale), [np.log(scale), s], np.array([1e-3, 0.5, 3, 10, 400])))
x = np.round(random.exponential(40, 120), 3)
_, scale = stats.expon.fit(x, floc=0)
families.append(family("exponential", x, stats.expon(scale=scale), [1 / scale], np.array([0.0, 1, 40, 300, 3000])))
for shape, n in [(0.4, 130), (2.7, 150), (300.0, 80)]:
    x = np.round(random.gamma(shape, 2.5, n), 6) + 1e-6
    a, _, scale = stats.gamma.fit(x, floc=0)
    # scipy's own search stops early; the likelihood equation has the exact zero.
    gap = np.log(x.mean()) - np.log(x).mean()
    exact = optimize.brentq(lambda a: np.log(a) - special.digamma(a) - gap, a / 2, a * 2, xtol=1e-14, rtol=1e-14)
    assert np.isclose(a, exact, rtol=1e-3)
    a, scale = exact, x.mean() / exact
    points = np.array([0.01, 0.5, 1, 4]) * shape * 2.5
    families.append(family("gamma", x, stats.gamma(a, scale=scale), [a, scale], points))
for shape, n in [(0.7, 130), (4.0, 150)]:
    x = np.round(17 * random.weibull(shape, n), 6) + 1e-6
    c, _, scale = stats.weibull_min.fit(x, floc=0)
    slope = lambda c: (x**c * np.log(x)).sum() / (x**c).sum() - 1 / c - np.log(x).mean()
    exact = optimize.brentq(slope, c / 2, c * 2, xtol=1e-14, rtol=1e-14)
    assert np.isclose(c, exact, rtol=1e-3)
    c, scale = exact, (x**exact).mean() ** (1 / exact)
    families.append(family("weibull", x, stats.weibull_min(c, scale=scale), [c, scale], np.array([0.1, 5, 17, 30, 60])))
for rate in [0.6, 9.0, 400.0]:
    x = random.poisson(rate, 140)
    rate = x.mean()
    points = np.unique(np.array([0, 1, 2, rate // 1, rate * 1.5 // 1, rate * 3 // 1]))
    families.append(family("poisson", x, stats.poisson(rate), [rate], points, mass=True))
for size, mean in [(0.5, 4.0), (8.0, 30.0), (60.0, 2000.0)]:
    x = random.negative_binomial(size, size / (size + mean), 160)
    size, p = negative_binomial(x)
    points = np.unique(np.array([0, 1, 2, mean // 1, mean * 1.5 // 1, mean * 3 // 1]))
    families.append(family("negative_binomial", x, stats.nbinom(size, p), [size, p], points, mass=True))

# A shape so small that some values are nothing compared with their mean.
x = np.random.default_rng(11).gamma(0.1, 2.5, 300)
gap = np.log(x.mean()) - np.log(x).mean()
shape = optimize.brentq(lambda a: np.log(a) - special.digamma(a) - gap, 0.05, 0.2, xtol=1e-14, rtol=1e-14)
scale = x.mean() / shape
families.append(family("gamma", x, stats.gamma(shape, scale=scale), [shape, scale], np.array([1e-30, 1e-6, 0.1, 4.0])))

# ln P of negative binomials at counts where scipy's differences of ln Γ have no digits left: size, mean, count.
mpmath.mp.dps = 60


def exact(size, mean, count):
    r, m, k = (mpmath.mpf(v) for v in (size, mean, count))
    ways = mpmath.loggamma(k + r) - mpmath.loggamma(r) - mpmath.loggamma(k + 1)
    return float(ways + r * mpmath.log(r / (r + m)) + k * mpmath.log(m / (r + m)))


large = [(2.5, 1e9, 7e8), (0.3, 1e12, 1.0), (40.0, 1e12, 1.1e12), (1e6, 1e12, 1e12 + 3e9), (3e11, 1e15, 1e15 - 5e9), (0.7, 4e15, 9e15)]
negative_binomials = [[*case, exact(*case)] for case in large]

# Incomplete functions where both arguments are large, or one side is tiny.
beta = [[a, b, x, special.betainc(a, b, x)] for a, b, x in
        [(0.3, 0.2, 0.5), (5.0, 1.0, 0.01), (2e5, 1e5, 0.6665), (1e6, 2.0, 0.999999), (3e3, 9e5, 0.0033), (40.0, 3e6, 1.2e-5),
         (1e9, 1e9, 0.50001), (1e10, 3e10, 0.250002), (0.5, 0.5, 1e-20), (0.3, 1e12, 1e-13)]]
gamma = [[a, x, special.gammainc(a, x), special.gammaincc(a, x)] for a, x in
         [(0.2, 1e-8), (0.2, 30.0), (1e4, 1.01e4), (1e5, 9.99e4), (1e5, 1.02e5), (2e5, 2.001e5), (3e6, 2.993e6),
          (1e9, 1e9 + 4e4), (1e12, 1e12 - 7e6), (1e15, 1e15 + 3e7), (2e5, 1.6e5)]]

x = np.round(np.concatenate([random.normal(-2, 1, 60), random.normal(3, 0.7, 40)]), 3)
points = np.array([-6.0, -2.2, 0.1, 2.9, 4.4])
kernels = {k: KernelDensity(kernel=k, bandwidth=0.8).fit(x[:, None]).score_samples(points[:, None])
           for k in ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"]}
kde = {
    "data": x, "points": points, "bandwidth": 0.8,
    "ln_density": {k: [v if np.isfinite(v) else None for v in values] for k, values in kernels.items()},
    "scott": stats.gaussian_kde(x, "scott").factor * x.std(ddof=1),
    "silverman": stats.gaussian_kde(x, "silverman").factor * x.std(ddof=1),
}
density, edges = np.histogram(x, bins="auto", density=True)
histogram = {"edges": edges, "density": density}

# Features: correlated, of unequal spread, in two groups.
rows = random.normal(size=(180, 4)) @ random.normal(size=(4, 4)) * np.array([0.3, 1, 2, 5])
rows[:70] += np.array([2.0, -1, 4, 0])
rows = np.round(rows, 4)
test = np.round(random.normal(size=(6, 4)) * 3, 4)


def mixture(data, points, kind, k, steps):
    d = data.shape[1]
    means = data[:: len(data) // k][:k]
    weights = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    variances = np.tile(data.var(0), (k, 1))
    precisions = 1 / variances if kind == "diag" else np.array([np.diag(1 / v) for v in variances])
    model = GaussianMixture(k, covariance_type=kind, weights_init=weights, means_init=means, precisions_init=precisions,
                            max_iter=steps, tol=0, reg_covar=1e-6).fit(data)
    return {
        "k": k, "steps": steps, "full": kind == "full", "d": d, "data": data.ravel(), "points": points.ravel(),
        "weights": weights, "means": means, "variances": variances, "fitted_weights": model.weights_,
        "ln_density": model.score_samples(points), "mean_likelihood": model.score(data), "bic": model.bic(data),
    }


import warnings

warnings.filterwarnings("ignore")
mixtures = [
    mixture(x[:, None], points[:, None], "diag", 2, 25),
    mixture(rows, test, "diag", 3, 15),
    mixture(rows, test, "full", 2, 15),
]
# To the end, where the start no longer matters.
ended = GaussianMixture(2, tol=1e-12, max_iter=10_000, reg_covar=1e-6, random_state=0).fit(x[:, None])
assert ended.converged_
column_mixture = {"components": 2, "aic": ended.aic(x[:, None]), "bic": ended.bic(x[:, None])}

shrunk = LedoitWolf().fit(rows)
wide = np.round(random.normal(size=(20, 12)) @ random.normal(size=(12, 12)), 4)
shrunk_wide = LedoitWolf().fit(wide)
gaussian = {
    "d": 4, "data": rows.ravel(), "points": test.ravel(),
    "full": stats.multivariate_normal(rows.mean(0), np.cov(rows.T, ddof=0)).logpdf(test),
    "diagonal": stats.multivariate_normal(rows.mean(0), np.diag(rows.var(0))).logpdf(test),
    "shrunk": stats.multivariate_normal(rows.mean(0), shrunk.covariance_).logpdf(test),
    "shrinkage": shrunk.shrinkage_,
    "wide_d": 12, "wide": wide.ravel(), "wide_shrinkage": shrunk_wide.shrinkage_,
    "wide_covariance": shrunk_wide.covariance_.ravel(),
    "kde": KernelDensity(bandwidth=1.3).fit(rows).score_samples(test),
    "bandwidth": 1.3,
    "scott": stats.gaussian_kde(rows.T, "scott").factor,
    "silverman": stats.gaussian_kde(rows.T, "silverman").factor,
    "k": 7,
    "knn": NearestNeighbors(n_neighbors=7).fit(rows).kneighbors(test)[0][:, -1],
}

ordinary = np.round(random.normal(0, 1, 120), 1)
outliers = np.round(random.normal(1.5, 1.2, 45), 1)
truth = np.r_[np.zeros(120), np.ones(45)]
scores = np.r_[ordinary, outliers]
fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
detection = {
    "ordinary": ordinary, "outliers": outliers,
    "scores": [roc_auc_score(truth, scores), average_precision_score(truth, scores),
               fpr[np.argmax(tpr >= 0.95)], 1 - tpr[fpr <= 0.05].max()],
}

values = dict(families=families, negative_binomials=negative_binomials, beta=beta, gamma=gamma, kde=kde, histogram=histogram, mixtures=mixtures,
              column_mixture=column_mixture, gaussian=gaussian, detection=detection)
Path(__file__).with_name("scipy_values.json").write_text(json.dumps(plain(values)) + "\n")
