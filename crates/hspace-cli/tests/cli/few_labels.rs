//! Few labels, unlike the unlabelled samples: what a training says of them.

use std::path::Path;

use crate::{fails, ok};

/// Corners of a square: the centres of four groups of points.
const CORNERS: [(f64, f64); 4] = [(-1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0)];

/// 300 training points, of as many groups as there are `labels`, and 60 to test on; of each group so many training points have their label.
fn points(at: &Path, labels: &[usize]) {
    let noise = |i: usize| (i * 104_729 % 1013) as f64 / 506.5 - 1.0;
    let mut text = String::from("id,across,up,split,label\n");
    let mut left = labels.to_vec();
    for i in 0..360 {
        let group = i % labels.len();
        let (x, y) = CORNERS[group];
        let (x, y) = (x + 0.2 * noise(i), y + 0.2 * noise(i + 55));
        let split = if i < 300 { "train" } else { "test" };
        let is_known = left[group] > 0 || (i >= 300 && labels[group] > 0);
        left[group] = left[group].saturating_sub(1);
        let label = if is_known {
            ["left", "right", "top", "bottom"][group]
        } else {
            ""
        };
        text.push_str(&format!("p{i},{x:.4},{y:.4},{split},{label}\n"));
    }
    std::fs::write(at.join("points.csv"), text).unwrap();
}

/// The warnings of a training with these settings, as the run keeps them.
fn said(at: &Path, settings: &str) -> String {
    let args = format!(
        "train --data points.csv --objective pseudo_label --encoder mlp --set train.batch_size=16 --set train.steps=80 --overwrite --out run {settings}"
    );
    ok(at, &args);
    let about = std::fs::read_to_string(at.join("run/encoder.toml")).unwrap();
    let lines = about.lines().filter(|line| line.starts_with("text = "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn unbalanced_labels_are_said_and_balanced_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    points(at, &[16, 16, 16]);
    assert_eq!(said(at, ""), "");
    points(at, &[40, 4, 4]);
    let text = said(at, "");
    assert!(text.contains("shares of the classes"), "{text}");
    assert!(
        text.contains("and 83 %") && text.contains("48 labels"),
        "{text}"
    );
    assert!(text.contains("train.balance_classes=true"), "{text}");
    // The advice is not repeated where it was followed; that the answers have other shares than the labels is still said.
    let text = said(at, "--set train.balance_classes=true");
    assert!(text.contains("`left` 24 % and 83 %"), "{text}");
    assert!(!text.contains("balance_classes"), "{text}");
    let args = "train --data points.csv --objective autoencoder --encoder mlp --set train.balance_classes=true --out other";
    let error = fails(at, args);
    assert!(
        error.contains("learns from no labels of classes"),
        "{error}"
    );
}

/// Most of the unlabelled points are between the classes, and of none.
#[test]
fn unlabelled_samples_of_no_class_are_said_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let confident = "--set objective.threshold=0.95 --set objective.weight=0.3";
    points(at, &[10, 10]);
    assert_eq!(said(at, confident), "");
    points(at, &[30, 30, 0, 0]);
    let text = said(at, confident);
    assert!(
        text.contains("unlabelled samples are of no class"),
        "{text}"
    );
    // A method that takes every sample for a class has no such number.
    assert!(
        !said(at, "--set objective.weight=0.3").contains("of no class"),
        "{text}"
    );
}
