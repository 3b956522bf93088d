//! The progress line, and the wish to stop.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

#[cfg(unix)]
use hspace::Error;
use hspace::Result;
use hspace::training::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::say;

static STOP: AtomicBool = AtomicBool::new(false);
/// Exit code of the signal that raised it: 128 and its number.
static CODE: AtomicU8 = AtomicU8::new(130);

/// The flag that Ctrl-C and SIGTERM raise. A second one ends the program at once.
#[cfg(unix)]
pub fn stop_flag() -> Result<&'static AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Error::data(format!("cannot listen for Ctrl-C: {e}")))?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            CODE.store((128 + signal) as u8, Ordering::Relaxed);
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(128 + signal);
            }
            eprintln!("\nstopping after this step (again: at once)");
        }
    });
    Ok(&STOP)
}

/// The flag that nothing raises: Ctrl-C ends the program, and a training goes on from its last checkpoint.
#[cfg(not(unix))]
pub fn stop_flag() -> Result<&'static AtomicBool> {
    Ok(&STOP)
}

/// The exit code of what was stopped.
pub fn stopped_by() -> u8 {
    CODE.load(Ordering::Relaxed)
}

/// Hidden with `--quiet`.
fn shown(bar: ProgressBar) -> ProgressBar {
    if say::is_quiet() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// A line that shows how far a training is; without a terminal, one line every ten seconds.
pub struct TrainingLine {
    bar: ProgressBar,
    name: String,
    started: Option<(Instant, usize)>,
    said: Instant,
}

impl TrainingLine {
    /// `name` begins the line.
    pub fn new(name: &str) -> Self {
        let bar = shown(ProgressBar::no_length());
        let template = "{prefix} {bar:24} {pos}/{len} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(name.to_owned());
        TrainingLine {
            bar,
            name: name.to_owned(),
            started: None,
            said: Instant::now(),
        }
    }

    /// Shows a step, and on lines of their own its warnings.
    pub fn show(&mut self, progress: &Progress) {
        for warning in &progress.warnings {
            self.bar.suspend(|| say::warning(warning));
        }
        let (begin, first) = *self.started.get_or_insert((Instant::now(), progress.step));
        let done = progress.step - first;
        let left = match done {
            0 => "…".to_owned(),
            _ => {
                let each = begin.elapsed().as_secs_f64() / done as f64;
                clock(each * (progress.steps - progress.step) as f64)
            }
        };
        let text = format!(
            "epoch {}  loss {:.3}  {:.0} images/s  {left} left",
            progress.epoch, progress.loss, progress.images_per_s
        );
        self.bar.set_length(progress.steps as u64);
        self.bar.set_position(progress.step as u64);
        if self.bar.is_hidden() && self.said.elapsed() > Duration::from_secs(10) {
            let (name, step, steps) = (&self.name, progress.step, progress.steps);
            say::info(format_args!("{name} {step}/{steps} {text}"));
            self.said = Instant::now();
        }
        self.bar.set_message(text);
    }

    /// Takes the line away.
    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}

/// A line for many things done one after the other, with the time that is left; without a terminal, a
/// line for each.
pub struct Counted {
    bar: ProgressBar,
    started: Option<(Instant, usize)>,
}

impl Counted {
    /// Nothing is shown yet.
    pub fn new() -> Self {
        let bar = shown(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Counted { bar, started: None }
    }

    /// Shows what is done now, after `done` of `total`.
    pub fn show(&mut self, text: &str, done: usize, total: usize) {
        let fresh = self.started.filter(|&(_, first)| done >= first);
        let (begin, first) = *self.started.insert(fresh.unwrap_or((Instant::now(), done)));
        let left = match done - first {
            0 => String::new(),
            n => {
                let each = begin.elapsed().as_secs_f64() / n as f64;
                format!("  {} left", clock(each * (total - done) as f64))
            }
        };
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() {
            say::info(format_args!("{done}/{total} {text}{left}"));
        }
        self.bar.set_message(format!("{text}{left}"));
    }

    /// Takes the line away.
    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}

/// A line for work of unknown or counted length.
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Starts.
    pub fn new(text: &str) -> Self {
        let bar = shown(ProgressBar::new_spinner());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar.set_message(text.to_owned());
        Spinner(bar)
    }

    /// Changes the text.
    pub fn say(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// Takes the line away.
    pub fn done(self) {
        self.0.finish_and_clear();
    }
}

/// Seconds as 1:05 or 2:03:10.
pub fn clock(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}
