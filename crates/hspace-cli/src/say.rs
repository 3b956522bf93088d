//! Messages on standard error: errors and warnings always, notes and progress unless `--quiet`.

use std::fmt::Display;
use std::sync::atomic::{AtomicU8, Ordering};

static LEVEL: AtomicU8 = AtomicU8::new(1);

/// Sets how much is said.
pub fn set(quiet: bool, verbose: bool) {
    let level = match (quiet, verbose) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    };
    LEVEL.store(level, Ordering::Relaxed);
}

/// Whether only errors and warnings are said.
pub fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) == 0
}

/// Whether everything is said.
pub fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) == 2
}

/// What is being done.
pub fn info(text: impl Display) {
    if !is_quiet() {
        eprintln!("{text}");
    }
}

/// What was guessed or left out.
pub fn note(text: impl Display) {
    info(format_args!("note: {text}"));
}

/// What a reader must know before believing the results.
pub fn warning(text: impl Display) {
    eprintln!("warning: {text}");
}
