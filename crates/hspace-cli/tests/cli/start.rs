//! `hspace start`, and what it is made of: `train --source`, `--objective auto`, `--minutes`, `probe --train-only`, `head:RUN`, `--few-labels`.

use std::path::Path;

use crate::rank::{json, table};
use crate::{fails, ok};

fn read(at: &Path, name: &str) -> String {
    std::fs::read_to_string(at.join(name)).unwrap()
}

#[test]
fn from_data_to_a_model_that_is_kept_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let start = "start builtin:shapes --encoder cnn:width=4 --few-labels 12 --minutes 0.3 --out s";
    let text = ok(at, start);
    for part in [
        "1282 training samples, images; 24 of them labelled, 12 or more of each of 2 classes; 318 labelled test samples",
        "$ hspace train --data builtin:shapes --few-labels 12 --encoder cnn --set encoder.width=4 --objective simclr",
        "$ hspace probe pixels s/simclr supervised:cnn:width=4 finetune:s/simclr",
        "--folds 5 --train-only",
        " in 5 folds of the training samples, ",
        " is the best of the others, with ",
        "answers for new samples: hspace predict ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // It is kept and measured on the test samples once.
    let choice = json(at, "s/choice.json");
    assert_eq!(
        (choice["train"].as_u64(), choice["folds"].as_u64()),
        (Some(24), Some(5))
    );
    let rows = choice["rows"].as_array().unwrap();
    let state: hspace::toml::Table = read(at, "s/start.toml").parse().unwrap();
    let chosen = state["chosen"]["source"].as_str().unwrap();
    assert!(rows.iter().any(|row| row["representation"] == chosen));
    // What was learned without labels, fine-tuned, unless another is ahead of it by more than a standard error.
    let default = "finetune:s/simclr";
    let pairs = choice["comparisons"].as_array().unwrap();
    let ahead = pairs
        .iter()
        .filter(|pair| pair["b"] == default)
        .filter(|pair| {
            let [mean, low, high] =
                ["mean", "low", "high"].map(|end| pair["by_itself"][end].as_f64().unwrap());
            mean > (high - low) / 3.92
        });
    let ahead: Vec<&str> = ahead.filter_map(|pair| pair["a"].as_str()).collect();
    match ahead.is_empty() {
        true => assert_eq!(chosen, default),
        false => assert!(ahead.contains(&chosen), "{chosen}: {ahead:?}"),
    }
    assert_eq!(json(at, "s/table.json")["test"].as_u64(), Some(318));
    assert!(read(at, "s/report.html").contains("</html>"));
    // The command that is shown at the end answers.
    let predict = text.split("hspace predict ").last().unwrap();
    let predict = predict.split(" --data").next().unwrap();
    ok(
        at,
        &format!("predict {predict} --data builtin:shapes --out answers.csv"),
    );
    assert_eq!(read(at, "answers.csv").lines().count(), 1601);
    // The same again trains nothing; something else is refused.
    let again = ok(at, start);
    assert!(again.contains("s/simclr is trained"), "{again}");
    assert!(!again.contains("--train-only"), "{again}");
    let error = fails(at, &format!("{start} --seed 1"));
    assert!(error.contains("begun with other data or flags"), "{error}");
}

#[test]
fn below_ten_labels_a_class_a_rule_says_what_to_take() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = ok(
        at,
        "start builtin:shapes --encoder cnn:width=4 --few-labels 3 --minutes 0.2 --out s",
    );
    assert!(!text.contains("--train-only"), "{text}");
    assert!(
        text.contains("3 a class labels are too few to choose by"),
        "{text}"
    );
}

#[test]
fn numbers_and_tables_are_started_with_too() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 300);
    let text = ok(at, "start all.csv --minutes 0.3 --out s");
    assert!(
        text.contains("$ hspace probe pixels supervised:mlp"),
        "{text}"
    );
    assert!(!text.contains("simclr"), "{text}");
    std::fs::write(at.join("none.csv"), "a,b\n1,2\n2,3\n3,5\n4,1\n5,2\n").unwrap();
    let error = fails(at, "start none.csv --out n");
    assert!(error.contains("no training sample has a label"), "{error}");
    std::fs::create_dir(at.join("mine")).unwrap();
    std::fs::write(at.join("mine/notes.txt"), "of mine").unwrap();
    for flag in ["", " --overwrite"] {
        let error = fails(at, &format!("start all.csv --out mine{flag}"));
        assert!(
            error.contains("nothing that `hspace start` began"),
            "{error}"
        );
    }
    assert_eq!(read(at, "mine/notes.txt"), "of mine");
}

#[test]
fn a_source_is_trained_as_it_is_measured_and_its_head_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let few = "--data builtin:shapes --few-labels 10";
    ok(
        at,
        &format!("train --source supervised:cnn:width=4 {few} --out a --no-check"),
    );
    let config: hspace::toml::Table = read(at, "a/config.toml").parse().unwrap();
    assert_eq!(config["objective"]["name"].as_str(), Some("supervised"));
    assert_eq!(config["reading"]["few_labels"].as_integer(), Some(10));
    let text = ok(
        at,
        &format!("probe head:a {few} --json h.json --no-baselines"),
    );
    assert!(text.contains("head:a"), "{text}");
    let rows = json(at, "h.json")["rows"].clone();
    assert_eq!(
        (rows[0]["probe"].as_str(), rows[0]["labelled"].as_u64()),
        (Some("head"), Some(20))
    );
    // A draw of 20 labels takes few steps, however much time there is.
    ok(
        at,
        &format!("train --source supervised:cnn:width=4 {few} --minutes 5 --out m --no-check"),
    );
    let config: hspace::toml::Table = read(at, "m/config.toml").parse().unwrap();
    assert_eq!(config["train"]["steps"].as_integer(), Some(0));
    // It begins from a run, whose weights are noted.
    ok(
        at,
        &format!("train --source finetune:a {few} --minutes 0.02 --out b --no-check"),
    );
    let config: hspace::toml::Table = read(at, "b/config.toml").parse().unwrap();
    assert_eq!(config["init"]["from"].as_str(), Some("a"));
    for (command, part) in [
        (format!("probe head:a {few} --labels 2"), "`--labels all`"),
        (format!("probe head:a {few} --folds 5"), "leave --folds out"),
        (format!("probe head:b/none {few}"), "there is no run b/none"),
        (format!("embed head:a {few} --out e.npz"), "here name a"),
        (
            format!("train --source pixels {few} --out c"),
            "--save-head",
        ),
        (
            format!("train --source simclr:cnn {few} --out c"),
            "trains no head",
        ),
        (
            "probe pixels --data builtin:shapes --train-only".to_owned(),
            "--folds",
        ),
    ] {
        let error = fails(at, &command);
        assert!(error.contains(part), "{command}: {error}");
    }
}

#[test]
fn auto_is_by_the_labels_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 180);
    let train = |data: &str, out: &str| {
        let small = "--objective auto --encoder mlp --set encoder.units=[8] --steps 2 --no-check";
        ok(at, &format!("train {small} --data {data} --out {out}"));
        let config: hspace::toml::Table = read(at, &format!("{out}/config.toml")).parse().unwrap();
        config["objective"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(train("all.csv", "a"), "supervised");
    assert_eq!(train("all.csv --few-labels 3", "b"), "pseudo_label");
    std::fs::write(
        at.join("none.csv"),
        "a,b\n1,2\n2,3\n3,5\n4,1\n5,2\n6,2\n7,1\n8,0\n9,4\n2,2\n",
    )
    .unwrap();
    assert_eq!(train("none.csv", "c"), "simclr");
}
