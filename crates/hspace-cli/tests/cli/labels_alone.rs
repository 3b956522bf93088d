//! Methods that learn from more than labels, compared with the labels alone; methods in folds.

use crate::rank::{json, table};
use crate::{command, ok, succeeded};

/// One step of training is worse than the labels alone, which is said; the baseline is measured without being named.
#[test]
fn a_method_worse_than_the_labels_alone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 180);
    let probe =
        "probe mean_teacher:mlp:width=32:train.steps=1 --data all.csv --labels 10 --draws 5";
    let text = ok(at, &format!("{probe} --html page.html --json m.json"));
    let said = "mean_teacher:mlp:width=32:train.steps=1 is worse than supervised:mlp:width=32 at 10 labels a class: −.";
    assert!(text.contains(&format!("warning: {said}")), "{text}");
    assert!(
        text.contains("here the unlabelled samples do harm"),
        "{text}"
    );
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("Worse than the labels alone") && page.contains(said));
    // Stored measurements say it again.
    assert!(ok(at, "compare m.json").contains(said));
    let text = ok(at, &format!("{probe} --no-baselines"));
    let missing = "is not compared with the labels alone: supervised:mlp:width=32 is not measured";
    assert!(
        text.contains(missing) && !text.contains("do harm"),
        "{text}"
    );
    // What learns from labels alone needs no baseline.
    let text = ok(
        at,
        "probe supervised:mlp:width=8 --data all.csv --labels 10 --draws 3",
    );
    assert!(!text.contains("labels alone"), "{text}");
}

/// Each labelled row is tested once, and answers go on from where they were kept.
#[test]
fn methods_are_measured_in_folds() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "some.csv", 120);
    let probe = "probe supervised:mlp:width=8 mean_teacher:mlp:width=8:train.steps=20 label_spreading:pixels --data some.csv --labels 5 --draws 3 --folds 3 --no-baselines";
    let whole = ok(at, &format!("{probe} --json m.json"));
    assert!(
        whole.contains("3 folds, in which every labelled sample is tested once"),
        "{whole}"
    );
    let found = json(at, "m.json");
    assert_eq!((&found["test"], &found["folds"]), (&180.into(), &3.into()));
    let rows = found["rows"].as_array().unwrap();
    let heads: Vec<_> = rows.iter().filter(|row| row["probe"] == "head").collect();
    assert_eq!(heads.len(), 3);
    for row in heads {
        assert_eq!(row["draws"].as_array().unwrap().len(), 3, "{row}");
        // Three classes, five labels of each.
        assert_eq!(row["labelled"], 15);
        assert!(row["needs"].is_null(), "{row}");
    }
    let kept = at.join("m.answers.jsonl");
    let lines = std::fs::read_to_string(&kept).unwrap();
    let some: String = lines.split_inclusive('\n').take(7).collect();
    std::fs::write(&kept, some).unwrap();
    let again = format!("{probe} --json m.json");
    let output = command(at, &again).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(succeeded(output, &again), whole);
    assert!(said.contains("7 draws of labels were known"), "{said}");
    assert_eq!(json(at, "m.json"), found);
}
