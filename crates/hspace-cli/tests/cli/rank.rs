//! `hspace rank` through the binary.

use std::path::Path;

use crate::{fails, ok};
use serde_json::Value;

pub fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// Two features of three classes; of rows below `labelled` the label is known, and the last 60 are for the test.
pub fn table(folder: &Path, name: &str, labelled: usize) {
    let noise = |i: usize| (i * 104_729 % 1013) as f64 / 506.5 - 1.0;
    let mut text = String::from("id,first,second,split,label\n");
    for i in 0..240 {
        let class = i * 7919 % 1009 % 3;
        let (sin, cos) = (class as f64 * 2.1).sin_cos();
        let split = if i < 180 { "train" } else { "test" };
        let label = match i < labelled || i >= 180 {
            true => ["red", "green", "blue"][class],
            false => "",
        };
        let (x, y) = (cos + 0.8 * noise(i), sin + 0.8 * noise(i + 55));
        text.push_str(&format!("s{i},{x:.4},{y:.4},{split},{label}\n"));
    }
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn sources_are_ranked_and_compared_with_the_linear_probe() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = "--data builtin:mnist-mini";
    let text = ok(
        at,
        &format!("rank pca:2 pca:30 pca:8 {data} --json ranking.json"),
    );
    for part in [
        "logme",
        "h_score_shrinkage",
        "linear probe",
        "Kendall's tau",
        "6 orders",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // No source has a head of its own.
    assert!(!text.contains("leep"), "{text}");
    let ranking = json(at, "ranking.json");
    let sources = ranking["sources"].as_array().unwrap();
    let names: Vec<&str> = sources
        .iter()
        .map(|s| s["source"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["pca:30", "pca:8", "pca:2"]);
    let accuracy = |i: usize| sources[i]["accuracy"]["mean"].as_f64().unwrap();
    assert!(accuracy(0) > accuracy(1) && accuracy(1) > accuracy(2));
    assert_eq!(ranking["agreement"][0]["tau"], 1.0);
    let error = fails(at, &format!("rank supervised:cnn pca:x {data}"));
    assert!(
        error.contains("no features of its own") && error.contains("pca:50"),
        "{error}"
    );
}

/// A run that learned three classes, asked about two: blue, or another colour.
#[test]
fn a_supervised_run_has_leep_and_nce_over_other_classes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 180);
    let train = "train --objective supervised --encoder mlp --set encoder.width=8 --epochs 3 --batch-size 16 --quiet";
    ok(at, &format!("{train} --data all.csv --out run"));
    // Two of its classes under one name.
    let text = std::fs::read_to_string(at.join("all.csv")).unwrap();
    let other = text.replace("green", "warm").replace("red", "warm");
    std::fs::write(at.join("other.csv"), other).unwrap();
    let text = ok(at, "rank run pixels --data other.csv --json ranking.json");
    assert!(text.contains("leep") && text.contains("nce"), "{text}");
    let ranking = json(at, "ranking.json");
    for source in ranking["sources"].as_array().unwrap() {
        let is_run = source["source"] == "run";
        for score in &source["scores"].as_array().unwrap()[3..] {
            assert_eq!(score[1].is_number(), is_run, "{source}");
            assert!(!is_run || score[1].as_f64().unwrap() <= 0.0);
        }
    }
    // Over its own classes it has none.
    let text = ok(at, "rank run pixels --data all.csv");
    assert!(!text.contains("leep"), "{text}");
}
