//! Closed-form sources that are fitted to the samples at hand.

use crate::{fails, ok};

/// Centroids of patches beat pixels with few labels, and the same command gives the same bits.
#[test]
fn kmeans_features_are_measured_and_reproducible() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(ok(at, "list encoders").contains("kmeans:K"));
    let source = "kmeans:40:patch=8:pool=3:patches=4000";
    let args = format!(
        "probe {source} pixels --data builtin:mnist-mini --labels 10 --draws 2 --no-baselines --json -"
    );
    let json: serde_json::Value = serde_json::from_str(&ok(at, &args)).unwrap();
    let accuracy = |name: &str| {
        let rows = json["rows"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["representation"] == name);
        rows.next().unwrap()["scores"][0][1]["mean"]
            .as_f64()
            .unwrap()
    };
    assert!(accuracy(source) > accuracy("pixels") + 0.05, "{json}");
    for out in ["a.npz", "b.npz"] {
        ok(
            at,
            &format!("embed {source} --data builtin:mnist-mini --out {out}"),
        );
    }
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    assert_eq!(read("a.npz"), read("b.npz"));
}

#[test]
fn kmeans_features_of_vectors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("in.csv"), "a,b,label\n1,2,x\n2,1,y\n1,3,x\n3,1,y\n").unwrap();
    let error = fails(at, "embed kmeans:2:patches=10 --data in.csv --out out.csv");
    assert!(error.contains("these samples are vectors"), "{error}");
    let error = fails(at, "probe kmeans:2:pol=3 --data in.csv");
    assert!(error.contains("did you mean `pool`?"), "{error}");
}

/// `knn:SOURCE` stands in one table with sources that learn from each draw, and answers as `--probe knn` does.
#[test]
fn nearest_neighbours_are_a_source_that_learns_from_each_draw() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(ok(at, "list encoders").contains("knn"));
    let probe = |sources: &str, more: &str| -> serde_json::Value {
        let args = format!(
            "probe {sources} --data builtin:mnist-mini --labels 4,10 --draws 3 --no-baselines --probe knn {more} --json -"
        );
        serde_json::from_str(&ok(at, &args)).unwrap()
    };
    let accuracies = |found: &serde_json::Value, name: &str, probe: &str| -> Vec<f64> {
        let rows = found["rows"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["representation"] == name && row["probe"] == probe);
        rows.map(|row| row["scores"][0][1]["mean"].as_f64().unwrap())
            .collect()
    };
    let found = probe("knn:pca:20 knn:pca:20:k=1 label_spreading:pca:20", "");
    let chosen = accuracies(&found, "knn:pca:20", "head");
    assert_eq!(chosen.len(), 2);
    assert_eq!(chosen, accuracies(&found, "pca:20", "knn"), "{found}");
    let spread = accuracies(&found, "label_spreading:pca:20", "head");
    assert_eq!(spread.len(), 2);
    let set = "--set knn.k=1 --set knn.metric=cosine";
    let same = probe("knn:pca:20:k=1:metric=cosine pca:20", set);
    let nearest = accuracies(&same, "knn:pca:20:k=1:metric=cosine", "head");
    assert_eq!(nearest, accuracies(&same, "pca:20", "knn"), "{same}");
    let error = fails(at, "probe knn:pca:20:k=0 --data builtin:mnist-mini");
    assert!(error.contains("knn.k"), "{error}");
}
