//! `hspace disentangle` and `builtin:dsprites` through the binary.

use std::path::Path;

use crate::{fails, ok};
use serde_json::Value;

fn score(json: &Value, representation: &str, name: &str) -> Option<f64> {
    let rows = json["rows"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|r| r["representation"] == representation)?;
    let scores = row["scores"].as_array().unwrap();
    let found = scores.iter().find(|s| s[0] == name)?;
    found[1]["mean"].as_f64()
}

/// The factors of builtin:shapes as features, read from its ids: blue-circle-x07-y07-r3.
fn truth(folder: &Path) {
    ok(
        folder,
        "embed pixels --data builtin:shapes --out pixels.csv",
    );
    let pixels = std::fs::read_to_string(folder.join("pixels.csv")).unwrap();
    let mut text = String::from("id,embedding_0,embedding_1,embedding_2,embedding_3,embedding_4\n");
    for line in pixels.lines().skip(1) {
        let id = line.split(',').next().unwrap();
        let parts: Vec<&str> = id.split('-').collect();
        let number = |part: &str| part[1..].parse::<u32>().unwrap();
        text.push_str(&format!(
            "{id},{},{},{},{},{}\n",
            u8::from(parts[0] == "red"),
            u8::from(parts[1] == "square"),
            number(parts[2]),
            number(parts[3]),
            number(parts[4])
        ));
    }
    std::fs::write(folder.join("truth.csv"), text).unwrap();
}

#[test]
fn the_factors_themselves_are_disentangled_and_noise_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    truth(at);
    let args = "disentangle truth.csv --data builtin:shapes";
    let twice = fails(at, &format!("{args} --factors x,y,x"));
    assert!(twice.contains("`x` is named twice"), "{twice}");
    let text = ok(
        at,
        &format!("{args} --matrix --html page.html --json scores.json"),
    );
    for part in [
        "mig",
        "ica:5",
        "noise",
        "colour (2)",
        "normalised mutual information",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let json = std::fs::read_to_string(at.join("scores.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    for name in [
        "mig",
        "dci_disentanglement",
        "dci_completeness",
        "dci_informativeness",
        "beta_vae",
        "factor_vae",
        "modularity",
        "explicitness",
    ] {
        let clear = score(&json, "truth.csv", name).unwrap();
        assert!(clear > 0.98, "{name}: {clear}");
    }
    for name in [
        "mig",
        "dci_disentanglement",
        "dci_completeness",
        "sap",
        "factor_vae",
    ] {
        let [clear, mixed, none] =
            ["truth.csv", "pca:5", "noise"].map(|row| score(&json, row, name).unwrap());
        assert!(
            clear > mixed + 0.1 && mixed > none,
            "{name}: {clear} {mixed} {none}"
        );
    }
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("What latents have in common") && page.contains("FactorVAE score"));
    assert!(!page.contains("NaN") && !page.contains("<script"));
    // The same again: the same numbers.
    ok(at, &format!("{args} --json again.json"));
    let again = std::fs::read_to_string(at.join("again.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), json);
}

#[test]
fn data_without_factors_say_what_can_be_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let args = "disentangle pca:4 --data builtin:mnist-mini --samples 1000";
    let error = fails(at, args);
    for part in [
        "builtin:mnist-mini has no known factors",
        "--metric total_correlation,dependence",
        "udr",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let text = ok(at, &format!("{args} --metric total_correlation,dependence"));
    assert!(
        text.contains("dependence") && !text.contains("mig"),
        "{text}"
    );
    let error = fails(at, &format!("{args} --metric factorvae"));
    assert!(error.contains("did you mean `factor_vae`"), "{error}");
    let error = fails(at, &format!("{args} --metric udr"));
    assert!(error.contains("at least two"), "{error}");
    assert!(fails(at, "disentangle ica:0 --data builtin:shapes").contains("such as ica:50"));
}

#[test]
fn runs_that_differ_in_their_seed_alone_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (out, seed, rate) in [
        ("a", "1", "0.001"),
        ("b", "2", "0.001"),
        ("c", "3", "0.002"),
    ] {
        let what = "train --data builtin:shapes --encoder cnn --objective autoencoder --set encoder.width=4";
        let how = format!("--seed {seed} --learning-rate {rate} --steps 2 --batch-size 16");
        ok(at, &format!("{what} {how} --out {out}"));
    }
    let sources = "disentangle a b c --data builtin:shapes --samples 600";
    let flags = "--metric dependence,udr --no-baselines --json -";
    let json: Value = serde_json::from_str(&ok(at, &format!("{sources} {flags}"))).unwrap();
    let udr = ["a", "b", "c"].map(|run| score(&json, run, "udr"));
    assert!(
        udr[0].is_some() && udr[0] == udr[1] && udr[2].is_none(),
        "{udr:?}"
    );
}

#[test]
fn dsprites_are_drawn_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let args = "disentangle pca:3 --data builtin:dsprites --samples 300";
    let text = ok(at, &format!("{args} --metric mig --factors scale,x,y"));
    assert!(
        text.contains("300 samples") && text.contains("scale (6), x ("),
        "{text}"
    );
    assert!(ok(at, "list metrics").contains("arXiv:1802.04942"));
    assert!(ok(at, "list encoders").contains("ica:D"));
    assert!(ok(at, "list datasets").contains("builtin:dsprites"));
}
