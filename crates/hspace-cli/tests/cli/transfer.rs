//! `hspace transfer` through the binary.

use std::path::Path;

use crate::rank::{json, table};
use crate::{fails, ok};

/// A run on three classes, and a table where two of them have one name.
fn prepared(at: &Path) {
    table(at, "all.csv", 180);
    let train = "train --objective supervised --encoder mlp --set encoder.width=8 --batch-size 16 --quiet --data all.csv";
    ok(at, &format!("{train} --epochs 8 --out run"));
    ok(
        at,
        &format!("{train} --epochs 1 --seed 1 --set encoder.layers=1 --out other"),
    );
    let text = std::fs::read_to_string(at.join("all.csv")).unwrap();
    let few = text.replace("green", "warm").replace("red", "warm");
    std::fs::write(at.join("new.csv"), few).unwrap();
}

#[test]
fn a_run_is_compared_with_the_labels_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    prepared(at);
    let transfer = "transfer run --data new.csv --labels 4,10 --draws 3";
    let text = ok(at, &format!("{transfer} --json t.json --html t.html"));
    for part in [
        "supervised:mlp",
        "finetune:run",
        "random:mlp",
        "pixels",
        "\nOn new.csv, finetune:run ",
        "; the linear probe on run ",
        "run against supervised:mlp, by labels a class",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(at, "t.json");
    let all = found["transfer"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    for one in all {
        assert_eq!(one["baseline"], "supervised:mlp");
        let d = &one["difference"];
        let [low, high] = ["low", "high"].map(|end| d[end].as_f64().unwrap());
        let effect = match (low > 0.0, high < 0.0) {
            (true, _) => "helps",
            (_, true) => "hurts",
            _ => "no_difference",
        };
        assert_eq!(one["effect"], effect, "{one}");
    }
    // Nothing is ranked, and what was measured can be compared with other measurements.
    assert!(found["ranking"].is_null() && !text.contains("logme"));
    assert!(ok(at, "compare t.json").contains("finetune:run"));
    let page = std::fs::read_to_string(at.join("t.html")).unwrap();
    assert!(page.contains("On new.csv, finetune:run "));
    // The features of a file have no weights.
    ok(at, "embed run --data new.csv --out emb.npz");
    let text = ok(
        at,
        "transfer emb.npz --data new.csv --labels 4,10 --draws 3",
    );
    assert!(
        text.contains("\nOn new.csv, the linear probe on emb.npz "),
        "{text}"
    );
    assert!(!text.contains("finetune"), "{text}");
}

#[test]
fn several_sources_are_ranked_too() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    prepared(at);
    let text = ok(
        at,
        "transfer run other --data new.csv --labels 4 --draws 3 --json t.json",
    );
    for part in [
        "finetune:other",
        "other against supervised:mlp:",
        "logme",
        "fine-tuned, 4 labels a class",
        "Kendall's tau",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let ranking = &json(at, "t.json")["ranking"];
    assert_eq!(ranking["sources"].as_array().unwrap().len(), 2);
    // Both have heads over other classes.
    assert!(text.contains("leep"), "{text}");
    // In folds of samples that no run learned from.
    let text = std::fs::read_to_string(at.join("new.csv")).unwrap();
    let moved = text.replace("\ns", "\nt");
    std::fs::write(at.join("moved.csv"), moved).unwrap();
    let text = ok(
        at,
        "transfer run --data moved.csv --labels 4 --draws 2 --folds 3",
    );
    assert!(text.contains("3 folds"), "{text}");
    let error = fails(at, "transfer run --data new.csv --labels 4 --folds 3");
    assert!(error.contains("run learned from the labels"), "{error}");
}

#[test]
fn what_cannot_be_transferred_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 180);
    let error = fails(at, "transfer supervised:mlp --data all.csv");
    assert!(error.contains("no features of its own"), "{error}");
    let error = fails(at, "transfer pixels --data all.csv --no-baselines");
    assert!(error.contains("--no-baselines"), "{error}");
    let error = fails(
        at,
        "transfer pixels --data all.csv --role label=ignore --role first=target",
    );
    assert!(error.contains("`first` is no column of classes"), "{error}");
    let error = fails(at, "transfer gone --data all.csv");
    assert!(error.contains("gone"), "{error}");
}
