//! The binary, end to end, as a user runs it. One program for all, so that it is linked once.

mod calibration;
mod closed_form;
mod data_changes;
mod density;
mod disentangle;
mod draw;
mod few_labels;
mod goes_on;
mod habits;
mod hub;
mod intervals;
mod labels_alone;
mod leaks;
mod many_tasks;
mod masks;
mod pictures;
mod predict;
mod rank;
mod refusals;
mod robustness;
mod runs;
mod select;
mod shift;
mod stages;
mod start;
mod stops;
mod tables;
mod transfer;
mod weights;

use std::path::Path;
use std::process::{Command, Output};

/// The binary with these arguments, a blank between them, in a folder.
fn command(folder: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hspace"));
    command.current_dir(folder).args(args.split_whitespace());
    command
}

/// Standard output of what must have succeeded.
fn succeeded(output: Output, args: &str) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "hspace {args}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of what must have failed because of what was asked (2), of data (3) or of a training that diverged (4), with an error
/// in words, without a panic.
fn failed(output: Output, args: &str) -> String {
    let error = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    assert!(
        matches!(code, Some(2..=4)),
        "hspace {args}: {code:?} {error}"
    );
    assert!(
        error.lines().any(|line| line.starts_with("error: ")) && !error.contains("panicked"),
        "{error}"
    );
    error
}

fn ok(folder: &Path, args: &str) -> String {
    succeeded(command(folder, args).output().unwrap(), args)
}

fn fails(folder: &Path, args: &str) -> String {
    failed(command(folder, args).output().unwrap(), args)
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut list = command(Path::new("."), "list objectives");
    let output = list.stdout(writer).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.is_empty() && output.status.code().is_none(),
        "{error}"
    );
}
