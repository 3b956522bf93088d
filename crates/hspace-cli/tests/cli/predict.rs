//! Heads kept, and their answers for new samples.

use std::fmt::Write as _;
use std::path::Path;

use crate::{fails, ok};

/// Vectors around the corner of their class; with the `value` of each class, and a split.
pub fn table(rows: usize, from: usize, classes: usize, value: Option<&[&str]>) -> String {
    let mut text = String::from("id,a,b,c");
    text += if value.is_some() {
        ",label,split\n"
    } else {
        "\n"
    };
    for i in from..from + rows {
        let class = i % classes;
        let _ = write!(text, "s{i}");
        let mut state = i as u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        random();
        for column in 0..3 {
            let centre = f64::from(u8::from(column == class));
            let _ = write!(text, ",{:.4}", centre + random() + random());
        }
        if let Some(value) = value {
            let split = if (i / classes).is_multiple_of(4) {
                "test"
            } else {
                "train"
            };
            let _ = write!(text, ",{},{split}", value[class]);
        }
        text.push('\n');
    }
    text
}

pub fn write(at: &Path, name: &str, text: &str) {
    std::fs::write(at.join(name), text).unwrap();
}

/// The rows of predictions, cell by cell.
pub fn rows(at: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(at.join(name)).unwrap();
    let cells = |line: &str| line.split(',').map(String::from).collect();
    text.lines().map(cells).collect()
}

#[test]
fn a_head_that_a_probe_fitted_answers_for_new_samples() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "old.csv", &table(400, 0, 3, Some(&["x", "y", "z"])));
    write(at, "new.csv", &table(90, 1000, 3, None));
    let probe = "probe pixels --data old.csv --probe linear";
    let said = ok(at, &format!("{probe} --save-head head.safetensors"));
    assert!(
        said.contains("head.safetensors: linear c=") && said.contains("accuracy"),
        "{said}"
    );
    let predict = "predict pixels --head head.safetensors --data new.csv";
    let said = ok(at, &format!("{predict} --out all.csv --json all.json"));
    assert!(said.contains("90 samples: label"), "{said}");
    let found = rows(at, "all.csv");
    assert_eq!(found[0].join(","), "id,predicted,confidence,p:x,p:y,p:z");
    assert_eq!(found.len(), 91);
    let right = |row: &&Vec<String>| {
        let i: usize = row[0][1..].parse().unwrap();
        row[1] == ["x", "y", "z"][i % 3]
    };
    let count = found[1..].iter().filter(right).count();
    assert!(count > 50, "{count} of 90");
    for row in &found[1..] {
        let sum: f64 = row[3..].iter().map(|p| p.parse::<f64>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{row:?}");
    }
    let said = ok(
        at,
        &format!("{predict} --out sure.csv --min-confidence 0.7"),
    );
    assert!(said.contains("left open"), "{said}");
    let sure = rows(at, "sure.csv");
    let (open, given): (Vec<_>, Vec<_>) = sure[1..].iter().partition(|row| row[1].is_empty());
    assert!(!open.is_empty() && !given.is_empty());
    assert!(
        given
            .iter()
            .all(|row| row[2].parse::<f64>().unwrap() >= 0.7)
    );
    // What does not fit is refused, and nothing is written.
    for (args, wanted) in [
        (format!("{predict} --out new.csv"), "is the data"),
        (format!("{predict} --out out.txt"), "ends in .csv"),
        (
            format!("{predict} --out no.csv --threshold 0.2"),
            "for two classes",
        ),
        (
            format!("{probe} --save-head other.txt"),
            "ends in .safetensors",
        ),
        (
            format!("{predict} --out no.csv --html no.html"),
            "takes labels",
        ),
        (
            "predict pixels --head head.safetensors --data old.csv --out no.csv --roc no.png"
                .into(),
            "`label` has 3 classes",
        ),
        (
            format!("{predict} --out no.csv --roc no.svg"),
            "ends in .png",
        ),
        (
            "predict pixels --data new.csv --out no.csv".into(),
            "--head is missing",
        ),
        (
            "predict pca:2 --head head.safetensors --data new.csv --out no.csv".into(),
            "depends on the samples at hand",
        ),
        (
            "predict random:mlp@0 --head head.safetensors --data new.csv --out no.csv".into(),
            "depends on the samples at hand",
        ),
        (
            "predict pixels --head old.csv --data new.csv --out no.csv".into(),
            "is no head of hspace",
        ),
    ] {
        let error = fails(at, &args);
        assert!(error.contains(wanted), "{args}: {error}");
    }
    assert!(!at.join("no.csv").exists() && !at.join("no.html").exists());
}

#[test]
fn two_classes_have_a_threshold_and_numbers_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "two.csv", &table(400, 0, 2, Some(&["healthy", "ill"])));
    write(at, "new.csv", &table(60, 1000, 2, None));
    let said = ok(
        at,
        "probe pixels --data two.csv --probe linear --save-head two.safetensors",
    );
    for part in [
        "ill from a probability of",
        "sensitivity at 95 specificity",
        "specificity",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let predict = "predict pixels --head two.safetensors --data new.csv";
    let ill = |name: &str| {
        rows(at, name)[1..]
            .iter()
            .filter(|row| row[1] == "ill")
            .count()
    };
    ok(at, &format!("{predict} --out own.csv"));
    ok(at, &format!("{predict} --out low.csv --threshold 0.01"));
    ok(at, &format!("{predict} --out all.csv --threshold 0"));
    assert!(ill("own.csv") < ill("low.csv") && ill("all.csv") == 60);
    write(
        at,
        "number.csv",
        &table(400, 0, 3, Some(&["0.1", "0.7", "2.5"])).replace("label", "target:size"),
    );
    ok(
        at,
        "probe pixels --data number.csv --save-head number.safetensors",
    );
    ok(
        at,
        "predict pixels --head number.safetensors --data new.csv --out numbers.csv",
    );
    let numbers = rows(at, "numbers.csv");
    assert_eq!(numbers[0].join(","), "id,predicted");
    let mean = |class: usize| {
        let own = numbers[1..]
            .iter()
            .filter(|row| row[0][1..].parse::<usize>().unwrap() % 2 == class);
        let values: Vec<f64> = own.map(|row| row[1].parse().unwrap()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean(0) < mean(1), "{} {}", mean(0), mean(1));
}

#[test]
fn a_supervised_run_answers_by_its_own_head() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "old.csv", &table(400, 0, 3, Some(&["x", "y", "z"])));
    write(at, "new.csv", &table(90, 1000, 3, None));
    let train = "train --data old.csv --encoder mlp --set encoder.width=16 --batch-size 32";
    ok(
        at,
        &format!("{train} --objective supervised --epochs 20 --out own"),
    );
    ok(at, "predict own --data new.csv --out own.csv");
    let found = rows(at, "own.csv");
    let right = |row: &&Vec<String>| {
        let i: usize = row[0][1..].parse().unwrap();
        row[1] == ["x", "y", "z"][i % 3]
    };
    let count = found[1..].iter().filter(right).count();
    assert!(count > 50, "{count} of 90");
    ok(
        at,
        &format!("{train} --objective autoencoder --epochs 1 --out other"),
    );
    let error = fails(at, "predict other --data new.csv --out no.csv");
    assert!(
        error.contains("no head of its own") && error.contains("--save-head"),
        "{error}"
    );
    ok(
        at,
        "probe own --no-baselines --data old.csv --probe linear --save-head own.safetensors",
    );
    let error = fails(
        at,
        "predict other --head own.safetensors --data new.csv --out no.csv",
    );
    assert!(error.contains("the head was fitted on own"), "{error}");
    ok(
        at,
        "predict own --head own.safetensors --data new.csv --out fitted.csv",
    );
}

/// Columns with a large common part are stored less their mean, which is another in other samples.
#[test]
fn a_head_of_raw_vectors_takes_columns_far_from_zero_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let row = |i: usize, ill: bool| {
        let noise = (i * 7919 % 1009) as f64 / 1009.0;
        let seconds = 1.7e9 + 4.0 * f64::from(u8::from(ill)) + 2.0 * noise;
        format!(
            "s{i},{seconds:.4},{:.4}",
            (i * 104_729 % 1009) as f64 / 1009.0
        )
    };
    let split = |i: usize| if i % 8 < 2 { "test" } else { "train" };
    let label = |i: usize| ["healthy", "ill"][i % 2];
    let old = (0..400).map(|i| format!("{},{},{}\n", row(i, i % 2 == 1), label(i), split(i)));
    let old: String = old.collect();
    write(at, "old.csv", &format!("id,seconds,b,label,split\n{old}"));
    // All of one class: their mean is not that of both.
    let new: String = (1000..1060).map(|i| row(i, true) + "\n").collect();
    write(at, "new.csv", &format!("id,seconds,b\n{new}"));
    for probe in ["linear", "knn"] {
        let save = format!("--probe {probe} --save-head {probe}.safetensors");
        ok(at, &format!("probe pixels --data old.csv {save}"));
        let head = format!("--head {probe}.safetensors");
        let found = String::from_utf8(answers(at, "pixels", &head)).unwrap();
        let ill = found.lines().filter(|line| line.contains(",ill,")).count();
        assert_eq!(ill, 60, "{probe}: {found}");
    }
}

/// The answers of `source` for new.csv, as bytes.
fn answers(at: &Path, source: &str, more: &str) -> Vec<u8> {
    ok(
        at,
        &format!("predict {source} {more} --data new.csv --out answers.csv"),
    );
    std::fs::read(at.join("answers.csv")).unwrap()
}

#[test]
fn what_is_exported_answers_the_same_without_the_run_and_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let (at, elsewhere) = (folder.path(), tempfile::tempdir().unwrap());
    write(at, "old.csv", &table(400, 0, 2, Some(&["healthy", "ill"])));
    write(at, "new.csv", &table(90, 1000, 2, None));
    write(elsewhere.path(), "new.csv", &table(90, 1000, 2, None));
    let train = "train --data old.csv --encoder mlp --set encoder.width=16 --batch-size 32";
    ok(
        at,
        &format!("{train} --objective supervised --epochs 5 --out own"),
    );
    let probe = |source: &str, probe: &str, head: &str| {
        let save = format!("--probe {probe} --save-head {head}.safetensors");
        ok(
            at,
            &format!("probe {source} --no-baselines --data old.csv {save}"),
        )
    };
    probe("own", "linear", "linear");
    let said = probe("own", "knn", "knn");
    assert!(
        said.contains("keeps the 300 x 16 labelled features"),
        "{said}"
    );
    probe("own@0", "linear", "stage");
    for (source, head, out) in [
        ("own", "", "a"),
        ("own", "--head linear.safetensors", "b"),
        ("own", "--head knn.safetensors", "c"),
        ("own@0", "--head stage.safetensors", "d"),
    ] {
        let before = answers(at, source, head);
        let said = ok(at, &format!("export {source} {head} --out far/{out}"));
        assert!(
            said.contains(&format!("hspace predict far/{out}")),
            "{said}"
        );
        let error = fails(at, &format!("export {source} {head} --out far/{out}"));
        assert!(error.contains("--overwrite"), "{error}");
        ok(
            at,
            &format!("export {source} {head} --out far/{out} --overwrite"),
        );
        let mut files: Vec<_> = std::fs::read_dir(at.join("far").join(out))
            .unwrap()
            .collect();
        files.sort_by_key(|f| f.as_ref().unwrap().file_name());
        let names: Vec<_> = files.into_iter().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(
            names,
            ["encoder.safetensors", "encoder.toml", "head.safetensors"]
        );
        let place = elsewhere.path().join(out);
        std::fs::rename(at.join("far").join(out), &place).unwrap();
        assert_eq!(
            answers(elsewhere.path(), out, ""),
            before,
            "{source} {head}"
        );
    }
    // It is a source like any other, and exported again it is the same.
    ok(elsewhere.path(), "export d --out e");
    let twice = answers(elsewhere.path(), "e", "");
    assert_eq!(twice, answers(elsewhere.path(), "d", ""));
    ok(
        at,
        &format!("{train} --objective autoencoder --epochs 1 --out other"),
    );
    for (args, wanted) in [
        (
            "export other --head linear.safetensors --out w",
            "the head was fitted on own",
        ),
        (
            "export own --head linear.safetensors --out w.safetensors",
            "name a folder",
        ),
        ("export pixels --out w", "no weights to export"),
        (
            "export own --out other --overwrite",
            "not exported by hspace",
        ),
        ("export own@9 --out w", "unknown stage"),
    ] {
        let error = fails(at, args);
        assert!(error.contains(wanted), "{args}: {error}");
    }
    assert!(at.join("other/config.toml").exists() && !at.join("w").exists());
    let said = ok(at, "export other --out w");
    assert!(said.contains("no head"), "{said}");
}

#[test]
fn labelled_samples_have_a_page_of_how_right_the_answers_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "two.csv", &table(400, 0, 2, Some(&["healthy", "ill"])));
    write(
        at,
        "new.csv",
        &table(200, 1000, 2, Some(&["healthy", "ill"])),
    );
    let save = "--save-head two.safetensors --html probe.html --roc probe.png";
    ok(
        at,
        &format!("probe pixels --data two.csv --probe linear {save}"),
    );
    let predict = "predict pixels --head two.safetensors --data new.csv --out new-answers.csv";
    let said = ok(
        at,
        &format!("{predict} --html new.html --json new.json --roc new.png"),
    );
    assert!(said.contains("on 200 labelled samples:"), "{said}");
    for (page, samples) in [("probe.html", "100 labelled"), ("new.html", "200 labelled")] {
        let text = std::fs::read_to_string(at.join(page)).unwrap();
        for part in [
            "Receiver operating characteristic",
            "chosen threshold",
            samples,
        ] {
            assert!(text.contains(part), "{page}: {part}");
        }
    }
    // The curves are of other samples, and drawn alike.
    let pictures = ["probe.png", "new.png"].map(|name| image::open(at.join(name)).unwrap());
    let [probe, new] = pictures.each_ref().map(|picture| picture.as_bytes());
    assert!(probe.len() == new.len() && probe != new);
    let json = std::fs::read_to_string(at.join("new.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = rows(at, "new-answers.csv");
    let ill: Vec<(f64, bool)> = rows[1..]
        .iter()
        .map(|row| {
            (
                row[4].parse().unwrap(),
                row[0][1..].parse::<usize>().unwrap() % 2 == 1,
            )
        })
        .collect();
    // From the table: the area is the share of pairs in order, the sensitivity that above the threshold.
    let threshold = json["head"]["threshold"].as_f64().unwrap();
    let found = ill
        .iter()
        .filter(|(p, ill)| *ill && *p >= threshold)
        .count();
    let pairs = ill
        .iter()
        .filter(|a| a.1)
        .flat_map(|a| ill.iter().filter(|b| !b.1).map(move |b| (a.0, b.0)));
    let ordered: f64 = pairs
        .map(|(a, b)| if a > b { 1.0 } else { 0.5 * f64::from(a == b) })
        .sum();
    let roc = &json["evaluation"]["roc"];
    let near = |path: &serde_json::Value, wanted: f64| {
        assert!(
            (path["mean"].as_f64().unwrap() - wanted).abs() < 1e-3,
            "{path} {wanted}"
        );
    };
    near(&roc["auroc"], ordered / 1e4);
    near(&roc["chosen"]["sensitivity"], found as f64 / 100.0);
}
