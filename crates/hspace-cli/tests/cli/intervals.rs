//! Intervals, pairs and savings through the binary.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::{fails, ok};

/// Three classes of vectors in four columns, some for testing; `noise` is that of the columns.
fn table(noise: f64) -> String {
    let mut text = String::from("a,b,c,d,label,split\n");
    for i in 0..480u64 {
        let mut state = i;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        random();
        let class = i % 3;
        for column in 0..4 {
            let centre = f64::from(u8::from(column == class));
            let _ = write!(text, "{:.4},", centre + noise * random() + random());
        }
        let split = if i % 4 == 0 { "test" } else { "train" };
        let _ = writeln!(text, "{},{split}", ["x", "y", "z"][class as usize]);
    }
    text
}

fn json(at: &Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(at.join(file)).unwrap()).unwrap()
}

/// The same vectors as data and as a file of features: equal rows, and no difference.
#[test]
fn one_array_given_twice_is_no_saving() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("data.csv"), table(0.5)).unwrap();
    let text = ok(
        at,
        "probe data.csv pixels --data data.csv --by-position --labels 1,10,all --no-baselines --json p.json",
    );
    assert!(
        text.contains("features of every source scaled by one number"),
        "{text}"
    );
    assert!(text.contains("no difference seen (at most ."), "{text}");
    assert!(!text.contains("labels on data.csv do what"), "{text}");
    let found = json(at, "p.json");
    let rows = found["rows"].as_array().unwrap();
    let of = |name: &str| -> Vec<&Value> {
        let own = rows.iter().filter(|row| row["representation"] == name);
        own.map(|row| &row["scores"]).collect()
    };
    assert_eq!(of("pixels"), of("data.csv"));
    assert!(
        found["savings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|s| s["seen"] == false)
    );
}

#[test]
fn measurements_are_compared_by_their_stored_answers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("data.csv"), table(0.5)).unwrap();
    std::fs::write(at.join("noisy.csv"), table(4.0)).unwrap();
    let measure = |source: &str, more: &str, out: &str| {
        let options = "--data data.csv --by-position --labels 5,all --no-baselines";
        ok(at, &format!("probe {source} {options} {more} --json {out}"))
    };
    measure("pixels", "", "a.json");
    measure("noisy.csv", "", "b.json");
    let both = measure("pixels noisy.csv", "", "both.json");
    let text = ok(at, "compare a.json b.json --json joined.json");
    assert!(
        text.contains("pixels  against noisy.csv  better by ."),
        "{text}"
    );
    assert!(
        both.contains("pixels  against noisy.csv  better by ."),
        "{both}"
    );
    assert_eq!(
        json(at, "joined.json")["comparisons"],
        json(at, "both.json")["comparisons"]
    );
    // What cannot be paired is refused, with the file and the reason.
    measure("noisy.csv", "--seed 3", "c.json");
    let error = fails(at, "compare a.json c.json");
    assert!(
        error.contains("c.json") && error.contains("another seed of the draws"),
        "{error}"
    );
    std::fs::write(at.join("d.json"), "{}").unwrap();
    assert!(fails(at, "compare a.json d.json").contains("holds no measurements"));
    assert!(fails(at, "compare a.json pixels").contains("not both at once"));
    assert!(fails(at, "compare pixels").contains("--data is missing"));
}

#[test]
fn folds_test_every_labelled_sample_and_few_test_samples_have_no_interval() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let few = table(0.5);
    let lines: Vec<&str> = few.lines().take(81).collect();
    std::fs::write(at.join("few.csv"), lines.join("\n")).unwrap();
    let options = "--data few.csv --labels 1,5,all --probe linear --no-baselines";
    let text = ok(at, &format!("probe pixels {options}"));
    assert!(
        text.contains("20 test samples: an interval needs at least 30 test samples; --folds 5"),
        "{text}"
    );
    let text = ok(
        at,
        &format!("probe pixels {options} --folds 5 --json p.json"),
    );
    assert!(
        text.contains("5 folds, in which every labelled sample is tested once"),
        "{text}"
    );
    let found = json(at, "p.json");
    assert_eq!(
        (&found["test"], &found["folds"]),
        (&Value::from(80), &Value::from(5))
    );
    let one = ok(at, &format!("probe pixels {options} --folds 5 --draws 1"));
    assert!(
        one.contains("no interval at 1, 5: draws of labels: 1"),
        "{one}"
    );
    assert!(
        fails(at, &format!("probe pixels {options} --folds 60"))
            .contains("60 folds need at least 120")
    );
}

#[test]
fn runs_that_differ_in_their_seed_alone_are_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("data.csv"), table(0.5)).unwrap();
    for seed in 0..3 {
        let options = "--encoder mlp --objective autoencoder --epochs 1 --batch-size 32";
        ok(
            at,
            &format!("train --data data.csv {options} --seed {seed} --out runs/{seed}"),
        );
    }
    let options = "--data data.csv --labels 5,all --probe linear";
    let text = ok(
        at,
        &format!("probe runs/0 runs/1 runs/2 {options} --html page.html"),
    );
    assert!(
        text.contains("runs/0 (3 seeds)") && !text.contains("not the training"),
        "{text}"
    );
    let two = ok(at, &format!("probe runs/0 runs/1 {options}"));
    assert!(
        two.contains("no interval at 5, all: training seeds: 2; an interval needs at least 3"),
        "{two}"
    );
    let apart = ok(at, &format!("probe runs/0 runs/1 {options} --seeds-apart"));
    assert!(
        apart.contains("  runs/1 ") && apart.contains("not the training"),
        "{apart}"
    );
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    for part in [
        "runs/0 (3 seeds)",
        "Which is better",
        "Calibration",
        "they hold the training, too",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
