//! Runs know which data they learned from: what has changed is named, and test samples that were learned from.

use std::path::Path;

use crate::{command, fails, ok};

/// 72 vectors of two classes with their own split; `change` may change or leave out a row, given its number and its
/// cells: id, two features, split, class.
fn table(at: &Path, name: &str, change: impl Fn(usize, &mut [String; 5]) -> bool) {
    let mut text = String::from("id,a,b,split,label\n");
    for i in 0..72 {
        let split = ["train", "train", "train", "train", "val", "test"][i % 6];
        let class = ["cat", "dog"][i / 6 % 2];
        let feature = |k: usize| ((i * (7 + k) % 19 + 20 * (i / 6 % 2)) as f64 / 8.0).to_string();
        let id = format!("s{i:02}");
        let mut row = [
            id,
            feature(0),
            feature(1),
            split.to_owned(),
            class.to_owned(),
        ];
        if change(i, &mut row) {
            text += &(row.join(",") + "\n");
        }
    }
    std::fs::write(at.join(name), text).unwrap();
}

const SMALL: &str = "--epochs 1 --no-check --batch-size 8 --set encoder.width=8";

/// Standard output and standard error of what must have succeeded.
fn both(at: &Path, args: &str) -> [String; 2] {
    let output = command(at, args).output().unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "hspace {args}: {error}");
    [out, error]
}

#[test]
fn a_training_says_which_samples_it_learns_from() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "t.csv", |_, _| true);
    let train = format!("train --data t.csv {SMALL}");
    let [_, said] = both(at, &format!("{train} --out a"));
    for part in [
        "learning from 48 train samples\n",
        "12 val samples are kept for choosing",
        "online_probe is the kNN accuracy on 12 val samples",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let [_, said] = both(at, &format!("{train} --out b --learn-from train,val"));
    let part = "learning from 48 train samples and 12 val samples without their labels";
    assert!(said.contains(part) && !said.contains("kept"), "{said}");
    let config = std::fs::read_to_string(at.join("b/config.toml")).unwrap();
    assert!(config.contains("learn_from = \"train,val\""), "{config}");
    let about = std::fs::read_to_string(at.join("b/data.toml")).unwrap();
    assert!(
        about.contains("learned = 60") && about.contains("classes = [\"cat\", \"dog\"]"),
        "{about}"
    );
    let error = fails(at, &format!("{train} --out c --learn-from test"));
    assert!(
        error.contains("train.learn_from") && error.contains("`train,val`"),
        "{error}"
    );
}

#[test]
fn a_run_is_not_resumed_on_other_data_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "t.csv", |_, _| true);
    ok(at, &format!("train --data t.csv --out a {SMALL}"));
    ok(at, "train --resume a");
    table(at, "t.csv", |i, row| {
        match i {
            1 => row[3] = "test".into(),
            3 => row[1] = "99".into(),
            8 => row[0] = "new".into(),
            _ => {}
        }
        if row[4] == "cat" {
            row[4] = "kitten".into();
        }
        i != 2
    });
    let error = fails(at, "train --resume a");
    for part in [
        "t.csv",
        "class `cat` is now `kitten`",
        "the order of classes differs: was `kitten`, `dog`; is `dog`, `kitten`",
        "1 sample was added (first: new)",
        "2 samples are gone (first: s02)",
        "1 sample is in another split (first: s01, was train, is test)",
        "compared samples has other values (first: s03)",
        "hspace train --resume a --allow-changed-data",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let [_, said] = both(at, "train --resume a --allow-changed-data");
    assert!(
        said.contains("note: the data have changed: class `cat`"),
        "{said}"
    );
    // From then on these are the run's data, and what it learned from before is not forgotten.
    ok(at, "train --resume a");
    let [_, said] = both(at, "probe a --data t.csv --probe knn --no-baselines");
    let part = "warning: 1 of the test samples of t.csv was a training sample of a (first: s01)";
    assert!(said.contains(part), "{said}");
    table(at, "t.csv", |_, _| true);
    assert!(fails(at, "train --resume a").contains("class `kitten` is now `cat`"));
    let error = fails(at, "train --data t.csv --out b --allow-changed-data");
    assert!(error.contains("--resume"), "{error}");
}

#[test]
fn measurements_warn_of_test_samples_that_a_run_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "t.csv", |_, _| true);
    ok(at, &format!("train --data t.csv --out a {SMALL}"));
    ok(at, &format!("train --data t.csv --out b {SMALL} --seed 1"));
    let how = "--probe knn --no-baselines";
    let warned = |args: &str| both(at, args)[1].contains("warning:");
    assert!(!warned(&format!("probe a --data t.csv {how}")));
    table(at, "u.csv", |i, row| {
        if i % 18 == 0 {
            row[3] = "test".into();
        }
        true
    });
    let leak = |run: &str| {
        format!(
            "warning: 4 of the test samples of u.csv were training samples of {run} (first: s00)"
        )
    };
    for (args, runs) in [
        (format!("probe a --data u.csv {how}"), &["a"][..]),
        (
            format!("compare a b --data u.csv {how} --html page.html"),
            &["a", "b"],
        ),
        ("report a --data u.csv --labels all".to_owned(), &["a"]),
    ] {
        let [_, said] = both(at, &args);
        for run in runs {
            assert!(said.contains(&leak(run)), "{args}: {said}");
        }
    }
    for page in ["page.html", "a/report.html", "a/summary.json"] {
        let page = std::fs::read_to_string(at.join(page)).unwrap();
        assert!(page.contains("4 of the test samples of u.csv"));
    }
    // A run of a version that kept no record.
    std::fs::remove_file(at.join("a/data.toml")).unwrap();
    let [_, said] = both(at, &format!("probe a --data u.csv {how}"));
    assert!(
        said.contains("note: a has no data.toml") && !said.contains("warning:"),
        "{said}"
    );
    let [_, said] = both(at, "train --resume a");
    assert!(said.contains("note: a has no data.toml"), "{said}");
    // The test samples of its own data have changed.
    table(at, "t.csv", |i, _| i != 5);
    let [_, said] = both(at, &format!("compare b --data t.csv {how}"));
    let part = "warning: t.csv has changed since b learned from it: 1 sample is gone (first: s05)";
    assert!(said.contains(part), "{said}");
}
