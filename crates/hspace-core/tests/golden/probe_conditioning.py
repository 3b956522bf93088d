"""Writes probe_conditioning.json next to itself: probes of features with a large common part. Needs numpy and scikit-learn 1.9.

The features are single-precision numbers about 4,000,000 with a spread of a few units; scikit-learn sees them in double
precision, less the mean of the training rows.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score
from sklearn.neighbors import KNeighborsClassifier

random = np.random.default_rng(4)
n, d, classes, train = 150, 8, 3, 100
plain = random.normal(size=(n, d)) @ random.normal(size=(d, d)) * np.linspace(2, 20, d)
x = (plain + 4e6).astype(np.float32)
labels = (plain @ random.normal(size=(d, classes)) + 30 * random.normal(size=(n, classes))).argmax(1)
target = plain @ random.normal(size=d) + 10 * random.normal(size=n) + 5
assert len(set(labels[:train])) == classes

rows = x.astype(np.float64)
rows -= rows[:train].mean(0)
a, b = rows[:train], rows[train:]
out = dict(rows=n, cols=d, classes=classes, train=train, c=0.01, alpha=1000.0, k=5, components=3,
           features=x.ravel().tolist(), labels=labels.tolist(), target=target.tolist())


def classifier(name, model):
    p = model.fit(a, labels[:train]).predict_proba(b)
    out[name] = dict(probabilities=p.ravel().tolist(),
                     scores=[accuracy_score(labels[train:], p.argmax(1)), log_loss(labels[train:], p)])


classifier("linear", LogisticRegression(C=out["c"], tol=1e-10, max_iter=10000))
for metric in ["euclidean", "cosine"]:
    classifier(metric, KNeighborsClassifier(out["k"], metric=metric, algorithm="brute"))
predicted = Ridge(alpha=out["alpha"]).fit(a, target[:train]).predict(b)
out["ridge"] = dict(predicted=predicted.tolist(),
                    scores=[r2_score(target[train:], predicted), mean_absolute_error(target[train:], predicted)])
pca = PCA(out["components"], svd_solver="full").fit(a)
out["pca"] = dict(variances=pca.explained_variance_.tolist(), coordinates=pca.transform(b).ravel().tolist())

(Path(__file__).parent / "probe_conditioning.json").write_text(json.dumps(out) + "\n")
