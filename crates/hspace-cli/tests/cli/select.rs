//! `hspace select` through the binary.

use crate::rank::{json, table};
use crate::{fails, ok};

#[test]
fn unlabelled_training_samples_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "few.csv", 30);
    for by in ["coreset", "uncertainty", "both", "random"] {
        let args = format!("select pixels --data few.csv --n 10 --by {by} --out {by}.csv");
        let text = ok(at, &args);
        assert!(
            text.contains("10 of 150 training samples without a label"),
            "{text}"
        );
        let table = std::fs::read_to_string(at.join(format!("{by}.csv"))).unwrap();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("id,rank,rule,score"));
        let ids: std::collections::HashSet<&str> =
            lines.map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(ids.len(), 10);
        for id in ids {
            let i: usize = id[1..].parse().unwrap();
            assert!((30..180).contains(&i), "{id}");
        }
    }
    ok(
        at,
        "probe pixels --data few.csv --save-head head.safetensors",
    );
    ok(
        at,
        "select pixels --data few.csv --n 10 --by uncertainty --head head.safetensors --out head.csv",
    );
    let error = fails(at, "select pixels --data few.csv --n 151 --out x.csv");
    assert!(error.contains("only 150"), "{error}");
    let error = fails(
        at,
        "select pixels --data few.csv --n 10 --by corset --out x.csv",
    );
    assert!(error.contains("did you mean `coreset`"), "{error}");
    table(at, "all.csv", 180);
    let error = fails(at, "select pixels --data all.csv --n 10 --out x.csv");
    assert!(
        error.contains("all 180 training samples have a label") && error.contains("--evaluate"),
        "{error}"
    );
    table(at, "none.csv", 0);
    let error = fails(
        at,
        "select pixels --data none.csv --n 10 --by both --out x.csv",
    );
    assert!(error.contains("--head"), "{error}");
    ok(at, "select pixels --data none.csv --n 10 --out x.csv");
}

#[test]
fn rules_are_evaluated_on_labelled_samples() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 180);
    let text = ok(
        at,
        "select pixels --data all.csv --n 24 --evaluate --json evaluation.json",
    );
    for part in [
        "24 of 180 training labels, 6 of them at random",
        "coreset",
        "random",
        "95 %",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let found = json(at, "evaluation.json");
    assert_eq!(found["rules"].as_array().unwrap().len(), 4);
    for rule in found["rules"].as_array().unwrap() {
        assert!(rule["accuracy"]["mean"].as_f64().unwrap() > 0.5, "{rule}");
    }
}
