//! The progress line, and the wish to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hspace::train::Progress;
use hspace::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

static STOP: AtomicBool = AtomicBool::new(false);

/// The flag that Ctrl-C and SIGTERM raise. A second Ctrl-C ends the program at once.
pub fn stop_flag() -> Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step (again: at once)");
    })
    .map_err(|e| Error::data(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(&STOP)
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
        let bar = ProgressBar::no_length();
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

    /// Shows a step, and on lines of their own what was noticed at it.
    pub fn show(&mut self, progress: &Progress) {
        for warning in &progress.noticed {
            self.bar.suspend(|| eprintln!("warning: {warning}"));
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
            eprintln!("{} {}/{} {text}", self.name, progress.step, progress.steps);
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
        let bar = ProgressBar::no_length();
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
            eprintln!("{done}/{total} {text}{left}");
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
        let bar = ProgressBar::new_spinner();
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
