//! The head of a supervised run, calibrated by its val split.

use std::path::Path;

use crate::ok;
use crate::predict::{rows, table, write};

/// Every fourth block of three rows is of the val split, and every third of those blocks has wrong labels, so that a network which has learned
/// the right ones is too sure of its answers.
fn with_val(text: &str) -> String {
    let line = |(i, line): (usize, &str)| {
        let block = i.saturating_sub(1) / 3;
        let Some(known) = line.strip_suffix(",train").filter(|_| block % 4 == 1) else {
            return format!("{line}\n");
        };
        let (rest, label) = known.rsplit_once(',').unwrap();
        let label = match (block / 4 % 3, label) {
            (0, "x") => "y",
            (0, "y") => "z",
            (0, _) => "x",
            (_, right) => right,
        };
        format!("{rest},{label},val\n")
    };
    text.lines().enumerate().map(line).collect()
}

/// Probabilities of the classes, in the order of the samples.
fn probabilities(at: &Path, name: &str) -> Vec<Vec<f64>> {
    let of = |row: &Vec<String>| row[3..].iter().map(|p| p.parse().unwrap()).collect();
    rows(at, name)[1..].iter().map(of).collect()
}

fn json(at: &Path, name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(at.join(name)).unwrap()).unwrap()
}

#[test]
fn a_supervised_run_is_calibrated_by_its_val_split_and_by_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let plain = table(600, 0, 3, Some(&["x", "y", "z"]));
    write(at, "val.csv", &with_val(&plain));
    write(at, "no-val.csv", &plain);
    write(at, "new.csv", &table(90, 1000, 3, None));
    let train = "train --objective supervised --encoder mlp --set encoder.width=64 --batch-size 32 --epochs 20";
    let said = ok(at, &format!("{train} --data no-val.csv --out blind"));
    assert!(
        said.contains("not calibrated: no validation rows"),
        "{said}"
    );
    let said = ok(at, &format!("{train} --data val.csv --out own"));
    assert!(said.contains("chosen on 150 validation samples"), "{said}");

    let predict = "predict own --data new.csv";
    let said = ok(at, &format!("{predict} --out own.csv --json own.json"));
    assert!(said.contains("probabilities: temperature"), "{said}");
    let head = &json(at, "own.json")["head"];
    let temperature = head["temperature"].as_f64().unwrap();
    assert!(temperature > 1.2, "{head}");
    let calibration = &head["calibration"];
    assert_eq!(calibration["held_out"], "validation");
    let error = |i: usize| calibration["errors"][i].as_f64().unwrap();
    assert!(error(1) < error(0), "{calibration}");

    ok(at, "export own --out far");
    ok(
        at,
        "predict far --data new.csv --out far.csv --json far.json",
    );
    assert_eq!(probabilities(at, "far.csv"), probabilities(at, "own.csv"));
    assert_eq!(json(at, "far.json")["head"]["calibration"], *calibration);

    ok(at, "report own --labels all");
    let page = std::fs::read_to_string(at.join("own/report.html")).unwrap();
    let text = format!("temperature {temperature:.3}, chosen on 150 validation samples");
    assert!(page.contains("<h2>The head") && page.contains(&text));
    assert_eq!(
        json(at, "own/summary.json")["head"]["about"]["calibration"],
        *calibration
    );

    // A run of an earlier version says nothing of its head: its probabilities are those of the temperature 1.
    let path = at.join("own/encoder.toml");
    let mut about: hspace::toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    assert!(about.remove("head").is_some());
    std::fs::write(&path, about.to_string()).unwrap();
    let said = ok(at, &format!("{predict} --out old.csv"));
    assert!(said.contains("probabilities: not calibrated"), "{said}");
    for (old, new) in probabilities(at, "old.csv")
        .iter()
        .zip(probabilities(at, "own.csv"))
    {
        let powers: Vec<f64> = old.iter().map(|p| p.powf(1.0 / temperature)).collect();
        let sum: f64 = powers.iter().sum();
        for (power, p) in powers.iter().zip(new) {
            // Six digits are written, of which a small probability has few.
            assert!((power / sum - p).abs() < 2e-3, "{old:?}");
        }
    }
}
