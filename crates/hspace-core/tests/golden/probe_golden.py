"""Writes the golden files probe_*.{json,npz,npy,csv} next to itself. Needs numpy and scikit-learn 1.9."""

import json
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

HERE = Path(__file__).parent


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


def write(name, **values):
    (HERE / name).write_text(json.dumps({k: plain(v) for k, v in values.items()}) + "\n")


def rows(random, n, d):
    """Correlated columns of unequal spread, single precision."""
    return (random.normal(size=(n, d)) @ random.normal(size=(d, d)) * np.linspace(0.2, 2, d)).astype(np.float32)


def calibration_error(p, truth, bins=15):
    confidence, right = p.max(1), p.argmax(1) == truth
    bin = np.clip(np.ceil(confidence * bins).astype(int), 1, bins)
    return sum(abs((right - confidence)[bin == b].sum()) for b in range(1, bins + 1)) / len(truth)


random = np.random.default_rng(0)

truth = random.integers(0, 4, 60)
p = random.dirichlet(np.ones(4), 60).round(2) + 0.5 * np.eye(4)[truth]
p /= p.sum(1, keepdims=True)
answered = p.argmax(1)
target = random.normal(size=50)
predicted = target + 0.5 * random.normal(size=50)
write(
    "probe_scores.json",
    classes=4,
    probabilities=p.ravel(),
    truth=truth,
    scores=[
        metrics.accuracy_score(truth, answered),
        metrics.balanced_accuracy_score(truth, answered),
        metrics.f1_score(truth, answered, average="macro"),
        metrics.roc_auc_score(truth, p, multi_class="ovr"),
        metrics.log_loss(truth, p),
        calibration_error(p, truth),
    ],
    confusion=metrics.confusion_matrix(truth, answered),
    predicted=predicted,
    target=target,
    number_scores=[metrics.r2_score(target, predicted), metrics.mean_absolute_error(target, predicted)],
)

a, b = random.integers(0, 5, 200), random.integers(0, 7, 200)
b[:100] = a[:100]
write(
    "probe_clusters.json",
    a=a,
    b=b,
    nmi=metrics.normalized_mutual_info_score(a, b),
    ari=metrics.adjusted_rand_score(a, b),
)

x = rows(random, 40, 6)
y = x @ random.normal(size=6) + random.normal(size=40) + 3
write(
    "probe_ridge.json",
    rows=40, cols=6, features=x.ravel(), target=y, alpha=2.5, predicted=Ridge(alpha=2.5).fit(x, y).predict(x),
)

cases = []
for n, d in [(30, 5), (8, 20)]:
    x = rows(random, n, d)
    pca = PCA(3, svd_solver="full").fit(x.astype(np.float64))
    cases.append(dict(rows=n, cols=d, features=plain(x.ravel()), variances=plain(pca.explained_variance_),
                      coordinates=plain(pca.transform(x.astype(np.float64)).ravel())))
write("probe_pca.json", cases=cases)

cases = []
for n, d, classes, c in [(120, 6, 3, 0.5), (30, 40, 4, 0.05), (80, 5, 2, 2.0)]:
    x = rows(random, n, d) + np.float32(2)
    y = ((x - 2) @ random.normal(size=(d, classes)) + 3 * random.normal(size=(n, classes))).argmax(1)
    assert len(set(y)) == classes
    fitted = LogisticRegression(C=c, tol=1e-10, max_iter=10000).fit(x.astype(np.float64), y)
    cases.append(dict(rows=n, cols=d, classes=classes, c=c, features=plain(x.ravel()), labels=plain(y),
                      probabilities=plain(fitted.predict_proba(x.astype(np.float64)).ravel())))
write("probe_linear.json", cases=cases)

# Several labels a sample: scores with ties.
random = np.random.default_rng(1)
x = rows(random, 90, 7) + np.float32(2)
known = (x - 2) @ random.normal(size=(7, 4)) + 2 * random.normal(size=(90, 4)) > [0, 1, 2, 3]
fitted = OneVsRestClassifier(LogisticRegression(C=0.7, tol=1e-10, max_iter=10000)).fit(x.astype(np.float64), known)
scored = random.uniform(size=(90, 4)).round(1) * 0.6 + 0.4 * known
each = lambda measure, **more: [measure(known[:, i], scored[:, i], **more) for i in range(4)]
write(
    "probe_label_sets.json",
    rows=90, cols=7, labels=4, c=0.7, features=x.ravel(), sets=[plain(np.flatnonzero(row)) for row in known],
    probabilities=fitted.predict_proba(x.astype(np.float64)).ravel(),
    scored=scored.ravel(),
    scores=[
        metrics.roc_auc_score(known, scored, average="macro"),
        metrics.average_precision_score(known, scored, average="macro"),
        metrics.f1_score(known, scored > 0.5, average="macro"),
        metrics.accuracy_score(known, scored > 0.5),
    ],
    aurocs=each(metrics.roc_auc_score), average_precisions=each(metrics.average_precision_score),
)

# Files as other tools write them.
features = np.arange(12, dtype=np.float64).reshape(3, 4)
names = np.array(["a.png", "b.png", "c.png"])
np.savez_compressed(HERE / "probe_other.npz", embeddings=features, filenames=names, y=np.array([[0], [0], [7]], np.uint8))
np.save(HERE / "probe_other.npy", np.asfortranarray(features.astype(np.int32)))
lines = ["filenames," + ",".join(f"embedding_{i}" for i in range(4)) + ",labels"]
lines += [",".join([n, *map(str, row), str(label)]) for n, row, label in zip(names, features, [0, 0, 1])]
(HERE / "probe_other.csv").write_text("\n".join(lines) + "\n")
