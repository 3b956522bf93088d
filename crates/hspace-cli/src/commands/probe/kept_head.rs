//! What is printed about a head that was kept.

use std::path::Path;

use hspace::file::quoted;
use hspace::head::{Head, Map};
use hspace::probe::Estimate;

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
