//! Trainings that are repeated, killed, asked to stop, or diverge.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::pictures::{SMALL, pictures, train};
use crate::{command, fails, ok};

fn bytes(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    train(at, "a", "--epochs 2");
    train(at, "b", "--epochs 2");
    train(at, "c", "--epochs 2 --set objective.temperature=0.3");
    ok(at, "train --config a/config.toml --out d");
    let weights = |run: &str| bytes(at.join(run).join("encoder.safetensors"));
    assert_eq!(weights("a"), weights("b"));
    assert_eq!(weights("a"), weights("d"), "config.toml repeats the run");
    assert_ne!(weights("a"), weights("c"));
}

#[test]
fn killed_and_resumed_is_the_same_as_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    for objective in ["byol", "supervised"] {
        let (whole, killed) = (format!("whole-{objective}"), format!("killed-{objective}"));
        let length =
            format!("--epochs 40 --objective {objective} --set train.keep_best=epoch_loss");
        train(at, &whole, &length);
        let mut command = command(at, &format!("{SMALL} --out {killed} {length}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let log = at.join(&killed).join("metrics.jsonl");
        let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        let begun = Instant::now();
        while lines() < 9 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nobody else may train there meanwhile.
        let pause = Command::new("kill")
            .args(["-STOP", &child.id().to_string()])
            .status();
        assert!(pause.unwrap().success());
        for more in [
            format!("{SMALL} --out {killed} --overwrite"),
            format!("train --resume {killed}"),
        ] {
            let refused = fails(at, &more);
            assert!(refused.contains("another hspace is at work"), "{refused}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !at.join(&killed).join("encoder.toml").exists(),
            "it was to be killed in the middle"
        );
        let refused = fails(at, &format!("embed {killed} --data data --out x.npz"));
        assert!(refused.contains("--resume"), "{refused}");
        ok(at, &format!("train --resume {killed}"));
        let file = |run: &str, name: &str| bytes(at.join(run).join(name));
        let name = "encoder.safetensors";
        assert_eq!(file(&whole, name), file(&killed, name), "{objective}");
        let steps = |run: &str| {
            let text = String::from_utf8(file(run, "metrics.jsonl")).unwrap();
            let line = |l: &str| {
                let line: serde_json::Value = serde_json::from_str(l).unwrap();
                (line["step"].as_u64(), line["loss"].as_f64())
            };
            text.lines().map(line).collect::<Vec<_>>()
        };
        assert_eq!(steps(&whole), steps(&killed), "{objective}: metrics.jsonl");
    }
}

#[test]
fn a_metric_that_no_longer_improves_stops_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let patience = "--stop-on spread --set train.patience=1 --epochs 40";
    train(at, "y", patience);
    let lines = std::fs::read_to_string(at.join("y/metrics.jsonl")).unwrap();
    let last = lines.lines().last().unwrap();
    assert!(last.contains("\"uniformity\""), "{last}");
    assert!(!last.contains("\"epoch\":40"), "{last}");
}

#[test]
#[cfg(unix)]
fn sigterm_saves_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let mut command = command(at, &format!("{SMALL} --out r --epochs 5000"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let log = at.join("r/metrics.jsonl");
    let begun = Instant::now();
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    while lines() < 2 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{error}");
    assert!(error.contains("hspace train --resume r"), "{error}");
    assert!(at.join("r/checkpoints/last.safetensors").is_file());
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let mad = "--objective autoencoder --learning-rate 1e30 --set train.optimizer=sgd --set train.warmup=0";
    let error = fails(at, &format!("{SMALL} --out r --epochs 50 {mad}"));
    assert!(
        error.contains("step") && error.contains("learning_rate"),
        "{error}"
    );
    assert!(at.join("r/checkpoints/last.safetensors").is_file());
}
