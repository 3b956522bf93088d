//! `hspace tasks`, and runs that learned several columns.

use std::fmt::Write;
use std::path::Path;

use crate::rank::json;
use crate::{fails, ok};

/// 240 samples of two features: `ill` is the sign of u, `dose` is u, `tags` holds `high` and `wide` by u and v. Each value is missing somewhere.
fn table(at: &Path) {
    let mut text = String::from("id,split,u,v,ill,target:dose,labels:tags\n");
    for i in 0..240 {
        let noise = |salt: usize| ((i * 7919 + salt * 104_729) % 1009) as f64 / 1009.0 - 0.5;
        let (u, v) = (2.0 * noise(1), 2.0 * noise(2));
        let split = if i / 2 % 2 == 0 { "train" } else { "test" };
        let unless = |known: bool, value: String| if known { value } else { String::new() };
        let ill = unless(i % 5 > 0, (if u > 0.0 { "yes" } else { "no" }).into());
        let dose = unless(i % 7 > 0, format!("{:.3}", 10.0 * u + 3.0));
        let tags = match (u > 0.3, v > 0.0) {
            (true, true) => "high|wide",
            (true, false) => "high",
            (false, true) => "wide",
            (false, false) => "|",
        };
        let tags = unless(i % 3 > 0, tags.into());
        writeln!(text, "s{i},{split},{u:.3},{v:.3},{ill},{dose},{tags}").unwrap();
    }
    std::fs::write(at.join("t.csv"), text).unwrap();
}

const TASKS: &str = "tasks --data t.csv --encoder mlp --set encoder.width=16 --steps 200 --batch-size 32 --out tasks";

#[test]
fn classes_numbers_and_labels_with_missing_values() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at);
    let asked = format!("{TASKS} --seeds 2 --weighting fixed,pcgrad");
    let text = ok(at, &format!("{asked} --json t.json --html t.html"));
    for part in [
        "with all, fixed",
        "with all, pcgrad",
        "2 trainings each",
        "learning one other",
        "held out",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(at, "t.json");
    let tasks = found["tasks"].as_array().unwrap();
    let measures: Vec<&str> = tasks
        .iter()
        .map(|t| t["measure"].as_str().unwrap())
        .collect();
    assert_eq!(measures, ["macro_auroc", "accuracy", "r2"]);
    let known: Vec<u64> = tasks
        .iter()
        .map(|t| t["labelled"].as_u64().unwrap())
        .collect();
    assert!(known.iter().all(|&n| n < 120), "{known:?}");
    for task in tasks {
        // Two weightings of all, and a pair with each of two others.
        assert_eq!(task["together"].as_array().unwrap().len(), 4, "{task}");
        assert!(task["alone"]["mean"].as_f64().unwrap() > 0.7, "{task}");
        assert!(task["held_out"]["score"]["mean"].is_number(), "{task}");
    }
    let page = std::fs::read_to_string(at.join("t.html")).unwrap();
    assert!(page.contains("Which task helps which") && page.contains("A task held out"));

    // The same command trains nothing again; other settings are refused, and nothing is lost.
    let run = at.join("tasks/ill-0/encoder.safetensors");
    let before = std::fs::metadata(&run).unwrap().modified().unwrap();
    ok(at, &format!("{asked} --json again.json"));
    assert_eq!(json(at, "again.json"), found);
    assert_eq!(std::fs::metadata(&run).unwrap().modified().unwrap(), before);
    let error = fails(at, &asked.replace("--steps 200", "--steps 201"));
    assert!(error.contains("other settings") && run.exists(), "{error}");

    // Each network answers each of its columns.
    let both = "predict tasks/tags+ill+dose-fixed-0 --data t.csv";
    ok(at, &format!("{both} --label dose --out dose.csv"));
    let answers = std::fs::read_to_string(at.join("dose.csv")).unwrap();
    assert!(
        answers.lines().next().unwrap().starts_with("id,predicted"),
        "{answers}"
    );
    let error = fails(at, &format!("{both} --label age --out age.csv"));
    assert!(error.contains("tags, ill, dose"), "{error}");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at);
    for (more, part) in [
        (" --columns ill", "it takes two"),
        (" --columns ill,dosis", "did you mean `dose`?"),
        (" --weighting pcgrd", "pcgrd"),
        (" --weighting fixed:weights=[1.0]", "one for each"),
        (" --objective simclr", "--weighting"),
    ] {
        let error = fails(at, &format!("{TASKS}{more}"));
        assert!(error.contains(part), "{more}: {error}");
        assert!(!at.join("tasks").exists(), "{more}");
    }
}
