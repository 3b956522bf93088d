"""Writes semi_supervised_values.json next to itself. Needs numpy and scikit-learn 1.9."""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier

HERE = Path(__file__).parent
CLASSES = 3
REGRESSION = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
THRESHOLD = 0.52
# Some cases stop at their last iteration on purpose.
warnings.simplefilter("ignore", ConvergenceWarning)


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


random = np.random.default_rng(0)
n, m = 90, 30
truth = random.integers(0, CLASSES, n + m)
turn = random.uniform(0, 1.5 * np.pi, n + m)
# Three arcs one within the other, and a column of noise.
radius = 1 + 0.8 * truth
points = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.zeros(n + m)], 1)
points = (points + 0.12 * random.normal(size=points.shape)).astype(np.float32)
train, test = points[:n], points[n:]
labels = np.full(n, -1)
for c in range(CLASSES):
    rows = np.flatnonzero(truth[:n] == c)
    labels[rows[:3]] = c

# No neighbour may depend on rounding in single precision.
for rows, k in [(train, 8), (test, 8)]:
    near = NearestNeighbors(n_neighbors=k).fit(train.astype(float)).kneighbors(rows.astype(float))[0]
    assert np.diff(near[:, 1:] ** 2, axis=1).min() > 2e-6


def case(kind, **settings):
    model = {"propagation": LabelPropagation, "spreading": LabelSpreading}[kind](**settings)
    model.fit(train.astype(float), labels)
    p = model.predict_proba(test.astype(float))
    assert np.isfinite(p).all()
    return {
        "method": f"label_{kind}",
        "kernel": model.kernel,
        "gamma": float(model.gamma),
        "k": model.n_neighbors,
        "alpha": model.alpha,
        "max_iterations": model.max_iter,
        "tolerance": model.tol,
        "iterations": model.n_iter_,
        "probabilities": plain(p.ravel()),
        "of_training": plain(model.label_distributions_.ravel()),
    }


cases = [
    case("propagation"),
    case("propagation", gamma=3),
    case("propagation", kernel="knn", n_neighbors=7),
    case("propagation", kernel="knn", n_neighbors=5, max_iter=12),
    case("spreading"),
    case("spreading", gamma=3, alpha=0.9),
    case("spreading", kernel="knn"),
    case("spreading", kernel="knn", n_neighbors=5, alpha=0.9, max_iter=200, tol=1e-9),
]


def self_training(base, **settings):
    model = SelfTrainingClassifier(base, **settings).fit(train.astype(float), labels)
    return {
        "threshold": model.threshold,
        "max_iterations": model.max_iter,
        "rounds": plain(model.labeled_iter_),
        "probabilities": plain(model.predict_proba(test.astype(float)).ravel()),
    }


bayes = [
    self_training(GaussianNB()),
    self_training(GaussianNB(), threshold=0.999, max_iter=2),
]
linear = self_training(REGRESSION, threshold=THRESHOLD)
# No row may be so near the threshold that another solver could decide otherwise.
for round in range(max(linear["rounds"]) + 1):
    known = np.array([0 <= r <= round for r in linear["rounds"]])
    model = SelfTrainingClassifier(REGRESSION, threshold=THRESHOLD, max_iter=round or 1).fit(train.astype(float), labels)
    own = model.transduction_ if round else labels
    p = LogisticRegression(**REGRESSION.get_params()).fit(train[known].astype(float), own[known]).predict_proba(train.astype(float))
    assert known.all() or np.abs(p[~known].max(1) - THRESHOLD).min() > 2e-3
assert max(bayes[0]["rounds"]) > 1 and max(linear["rounds"]) > 1
values = {
    "rows": n,
    "cols": 3,
    "classes": CLASSES,
    "train": train.ravel(),
    "test": test.ravel(),
    "labels": labels,
    "cases": cases,
    "bayes": bayes,
    "linear": linear,
}
text = json.dumps({k: plain(v) for k, v in values.items()}) + "\n"
(HERE / "semi_supervised_values.json").write_text(text)
