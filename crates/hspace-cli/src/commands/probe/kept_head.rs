//! The head that `--save-head` keeps, and what is printed and drawn of one.

use std::path::Path;

use hspace::dataset::Dataset;
use hspace::file::quoted;
use hspace::head::{About, Head, Map};
use hspace::probe::evaluation::Evaluation;
use hspace::probe::{Estimate, Measurements, ProbeOptions, fit_head};
use hspace::report::HeadResult;
use hspace::representation::Representation;
use hspace::{Error, Result, picture, report};

use super::addition::{Added, Addition};
use crate::progress::Spinner;

/// `--save-head`: a head fitted to all training labels of one source.
pub(super) struct KeepHead<'a> {
    pub(super) source: &'a str,
    pub(super) path: &'a Path,
    pub(super) options: &'a ProbeOptions,
    /// The head, once it is kept, and how right it is.
    pub(super) kept: Option<(Head, Evaluation)>,
}

impl Addition for KeepHead<'_> {
    fn check(&self, dataset: &Dataset, label: Option<&str>) -> Result<()> {
        match label.and_then(|label| dataset.mask_column(label)) {
            None => Ok(()),
            Some(column) => Err(Error::config(format!(
                "--save-head: `{}` holds masks, whose heads are measured and not kept; leave it out",
                column.name
            ))),
        }
    }

    fn add(&mut self, found: &Measurements, made: &[Representation]) -> Result<Added> {
        let options = ProbeOptions {
            scaling: found.scaling,
            task: found.task.clone(),
            ..self.options.clone()
        };
        let spinner = Spinner::new("fitting the head");
        let own = made.iter().find(|r| r.name == self.source);
        let fitted = own.map(|r| fit_head(r, &options)).transpose();
        spinner.done();
        let Some((head, evaluation)) = fitted? else {
            return Ok(Added::default());
        };
        hspace::head::write(self.path, &head)?;
        let about = head.about.clone();
        self.kept = Some((head, evaluation.clone()));
        Ok(Added {
            head: Some(HeadResult { about, evaluation }),
            ..Added::default()
        })
    }
}

/// What was kept, and what it scored.
pub(super) fn print_head(head: &Head, path: &Path, source: &str) {
    let about = &head.about;
    println!(
        "\n{}: {}, {} labels",
        path.display(),
        about.made,
        about.samples
    );
    if let Map::Neighbours(rows) = &head.map {
        let (n, d) = (rows.features.rows, rows.features.cols);
        let megabytes = (4 * n * d) as f64 / 1e6;
        println!("  keeps the {n} x {d} labelled features, {megabytes:.1} MB");
    }
    if let Some(text) = about.calibration_text() {
        println!("  {text}");
    }
    if let (Some(threshold), [_, second]) = (about.threshold, &about.names[..]) {
        println!(
            "  {second} from a probability of {threshold:.3} on, chosen on labels that it was not fitted to"
        );
    }
    print_scores(&about.scores);
    println!(
        "hspace predict {} --head {} --data NEW --out predictions.csv",
        quoted(source),
        quoted(path.display())
    );
}

/// Measures with their intervals, a line each.
pub fn print_scores(scores: &[(String, Estimate)]) {
    for (name, e) in scores {
        let interval = match e.has_interval() {
            true => format!(" ({:.3} to {:.3})", e.low, e.high),
            false => String::new(),
        };
        println!("  {:<32}{:.3}{interval}", name.replace('_', " "), e.mean);
    }
}

/// The bytes of a PNG file of the receiver operating characteristic.
///
/// # Errors
/// Where there are no two classes that both occur.
pub fn roc_picture(about: &About, evaluation: &Evaluation) -> Result<Vec<u8>> {
    let Some(roc) = &evaluation.roc else {
        return Err(Error::config(format!(
            "--roc draws how one of two classes is found, which takes samples of both; `{}` has {} classes, and the samples no such curve",
            about.task,
            about.names.len()
        )));
    };
    picture::png(&report::roc_picture(roc))
}
