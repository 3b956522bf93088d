//! Measurements that are killed, run out of time, and go on; sources that learn from each draw.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::pictures::pictures;
use crate::{command, fails, ok, succeeded};

const PROBE: &str =
    "probe pixels pca:20 --data builtin:mnist-mini --labels 1,2,5 --probe linear,knn";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[test]
fn a_probe_that_was_killed_goes_on_to_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let whole = ok(at, &format!("{PROBE} --json whole.json"));
    let all = read(&at.join("whole.answers.jsonl")).lines().count();
    // Two sources, three numbers of labels, ten draws.
    assert_eq!(all, 60);
    let again = format!("{PROBE} --json killed.json");
    let mut killed = command(at, &again);
    let mut child = killed
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let path = at.join("killed.answers.jsonl");
    let begun = Instant::now();
    while read(&path).lines().count() < 3 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = read(&path);
    let known = before.lines().count();
    assert!(
        (3..all).contains(&known),
        "it was to be killed in the middle"
    );
    assert!(!at.join("killed.json").exists());
    let output = command(at, &again).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(succeeded(output, &again), whole);
    assert_eq!(json(&at.join("killed.json")), json(&at.join("whole.json")));
    // What was known was not fitted again: there is a line for each fit.
    let after = read(&path);
    let whole_lines = before.rfind('\n').map_or(0, |end| end + 1);
    assert!(after.starts_with(&before[..whole_lines]));
    assert_eq!(after.lines().count(), all);
    let known = before[..whole_lines].lines().count();
    assert!(
        said.contains(&format!("{known} draws of labels were known")),
        "{said}"
    );
}

#[test]
fn minutes_bound_a_probe_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |args: &str| {
        let mut command = command(at, args);
        let output = command
            .env("XDG_CACHE_HOME", at.join("cache"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (succeeded(output, args), said)
    };
    let cached = || std::fs::read_dir(at.join("cache/hspace")).unwrap().count();
    let (whole, _) = run(PROBE);
    assert_eq!(cached(), 0, "all was measured");
    let (text, said) = run(&format!("{PROBE} --minutes 0.000001"));
    assert!(
        text.contains("left out, for lack of time: pixels; pca:20"),
        "{text}"
    );
    assert!(said.contains("the same command goes on"), "{said}");
    assert_eq!(cached(), 0, "there are no answers yet");
    assert_eq!(run(&format!("{PROBE} --minutes 60")).0, whole);
    assert_eq!(cached(), 0);
    // Of some answers what is known is shown.
    run(&format!("{PROBE} --answers m.jsonl"));
    let lines = read(&at.join("m.jsonl"));
    let some: String = lines.split_inclusive('\n').take(40).collect();
    std::fs::write(at.join("m.jsonl"), some).unwrap();
    let (text, said) = run(&format!(
        "{PROBE} --minutes 0.000001 --answers m.jsonl --json m.json"
    ));
    assert!(said.contains("the answers so far are in m.jsonl"), "{said}");
    assert!(
        text.contains("left out, for lack of time: pca:20 (20 of 30 draws"),
        "{text}"
    );
    let m = json(&at.join("m.json"));
    assert_eq!(
        m["left_out"],
        serde_json::json!(["pca:20 (20 of 30 draws of labels)"])
    );
    assert_eq!(run(&format!("{PROBE} --answers m.jsonl")).0, whole);
    assert_eq!(read(&at.join("m.jsonl")), lines);
    let refused = fails(at, &format!("{PROBE} --answers m.json"));
    assert!(refused.contains("no answers of hspace"), "{refused}");
    for bad in ["0", "-1", "soon"] {
        let error = command(at, &format!("{PROBE} --minutes={bad}"))
            .output()
            .unwrap();
        assert_eq!(error.status.code(), Some(2), "{bad}");
    }
}

#[test]
fn data_that_have_changed_are_measured_again_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let probe = "probe pixels --data data --labels 3 --draws 3 --probe knn --json m.json";
    let before = ok(at, probe);
    assert_eq!(ok(at, probe), before);
    image::GrayImage::from_pixel(16, 16, image::Luma([99]))
        .save(at.join("data/up/4.png"))
        .unwrap();
    let output = command(at, probe).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = succeeded(output, probe);
    assert!(
        said.contains("3 draws of pixels are of other weights or values"),
        "{said}"
    );
    std::fs::remove_file(at.join("m.answers.jsonl")).unwrap();
    assert_eq!(ok(at, probe), after);
}

#[test]
fn a_supervised_source_answers_with_its_own_head() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let source = "supervised:cnn:width=4";
    let probe = format!("probe {source} pixels --data data --labels 4,all --probe knn --draws 3");
    let text = ok(at, &format!("{probe} --json a.json"));
    for part in [
        "supervised:cnn:width=4 answers with its own head, trained on each draw of labels",
        "random:cnn:width=4",
        "pca:",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let m = json(&at.join("a.json"));
    let rows = m["rows"].as_array().unwrap();
    let own: Vec<_> = rows
        .iter()
        .filter(|row| row["representation"] == source)
        .collect();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|row| row["probe"] == "head"));
    assert_eq!(own[0]["draws"].as_array().unwrap().len(), 3);
    // A bar that is upright or lies is easy to learn.
    assert!(
        own[1]["scores"][0][1]["mean"].as_f64().unwrap() > 0.8,
        "{:?}",
        own[1]["scores"]
    );
    ok(at, &format!("{probe} --json a.json --html a.html"));
    assert!(read(&at.join("a.html")).contains("answers with its own head"));
    // To the bit, with the answers that were kept and without them.
    assert_eq!(ok(at, &format!("{probe} --json a.json")), text);
    assert_eq!(ok(at, &format!("{probe} --json b.json")), text);
    let compared = ok(at, "compare a.json b.json");
    assert!(compared.contains(source), "{compared}");

    for args in [
        format!("embed {source} --data data --out e.npz"),
        format!("predict {source} --data data --out p.csv"),
        format!("probe {source} --data data --save-head h.safetensors"),
    ] {
        let error = fails(at, &args);
        assert!(
            error.contains("learns from each draw of labels"),
            "{args}: {error}"
        );
        assert!(
            error.contains("--objective supervised --encoder cnn"),
            "{args}: {error}"
        );
    }
    let error = fails(at, "probe supervised:cn --data data");
    assert!(error.contains("did you mean `cnn`"), "{error}");
    let listed = ok(at, "list encoders");
    assert!(
        listed.contains("METHOD:ENCODER") && listed.contains("supervised, finetune"),
        "{listed}"
    );

    let study = "study --data data --encoder cnn:width=4 --objective simclr --seconds 0.1 --seeds 1 --out s \
                 --set train.batch_size=16 --sources supervised:cnn:width=4";
    let table = ok(at, study);
    assert!(table.contains("| supervised:cnn:width=4 † |"), "{table}");
    assert_eq!(ok(at, study), table);
}
