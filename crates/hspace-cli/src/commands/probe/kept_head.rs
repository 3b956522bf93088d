//! What is printed and drawn of a head.

use std::path::Path;

use hspace::file::quoted;
use hspace::head::{About, Head, Map};
use hspace::probe::Estimate;
use hspace::probe::evaluation::Evaluation;
use hspace::{Error, Result, picture, report};

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
