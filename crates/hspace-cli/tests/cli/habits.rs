//! What is expected of any command line: exit codes, `--quiet`, `--threads`, completions, manual pages.

use std::path::Path;

use crate::{command, ok};

fn code(folder: &Path, args: &str) -> Option<i32> {
    command(folder, args).output().unwrap().status.code()
}

#[test]
fn exit_codes_say_who_has_to_act() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("bad.csv"), "a,b\n1\n2,3,4\n").unwrap();
    assert_eq!(code(at, "list encoders"), Some(0));
    assert_eq!(code(at, "list --no-such-flag"), Some(2));
    assert_eq!(code(at, "probe nowhere --data builtin:mnist-mini"), Some(2));
    assert_eq!(code(at, "check bad.csv"), Some(3));
    assert_eq!(code(at, "check nowhere/"), Some(3));
}

#[test]
fn quiet_says_results_alone_and_verbose_how_long_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train = "train --data builtin:mnist-mini --encoder mlp --objective autoencoder --steps 1 --batch-size 8";
    let said = |args: &str| {
        let output = command(at, args).output().unwrap();
        assert!(output.status.success());
        let [out, error] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (out, error)
    };
    let (out, error) = said(&format!("{train} --out a --quiet"));
    assert!(out.contains('a') && error.is_empty(), "{error}");
    let (_, error) = said(&format!("{train} --out b"));
    assert!(error.contains("training mlp with autoencoder"), "{error}");
    let (_, error) = said(&format!("-v {train} --out c"));
    assert!(error.contains("took 0:"), "{error}");
}

/// A training and a probe are the same by one, two and seven threads, the default of which the environment sets.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train = "train --data builtin:mnist-mini --encoder cnn --objective simclr --set encoder.width=4 --steps 3 --batch-size 32";
    for threads in ["1", "2", "7"] {
        ok(at, &format!("{train} --out {threads} --threads {threads}"));
        let weights = |run: &str| std::fs::read(at.join(run).join("encoder.safetensors")).unwrap();
        assert!(weights("1") == weights(threads), "{threads} threads");
        let args = format!(
            "probe 1 --no-baselines --data builtin:mnist-mini --labels 2 --draws 3 --json {threads}.json"
        );
        let output = command(at, &args)
            .env("HSPACE_THREADS", threads)
            .output()
            .unwrap();
        assert!(output.status.success());
        let json = |name: &str| std::fs::read_to_string(at.join(format!("{name}.json"))).unwrap();
        assert_eq!(json("1"), json(threads), "{threads} threads");
    }
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            ok(at, &format!("completions {shell}")).contains("quickstart"),
            "{shell}"
        );
    }
    ok(at, "man --out pages");
    let page = std::fs::read_to_string(at.join("pages/hspace-probe.1")).unwrap();
    assert!(page.contains("layers") && at.join("pages/hspace.1").is_file());
}
