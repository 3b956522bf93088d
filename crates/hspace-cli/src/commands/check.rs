//! `hspace check`

use std::path::PathBuf;

use hspace::Result;
use hspace::dataset::check::{Findings, check};
use hspace::dataset::{Dataset, Missing};

use crate::commands::{apart, write_json};
use crate::progress::Spinner;
use crate::settings::DataFlags;

/// Say what a dataset holds: counts, sizes, classes, duplicates, files that cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace check photos/
  hspace check visits.csv --role age=target --id visit          # what a table is taken for
  hspace check builtin:mnist-mini --json -")]
pub struct Args {
    /// builtin:NAME, a folder, .npz, .npy or .csv
    data: String,
    /// Write the findings as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Column that is the task
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    #[command(flatten)]
    reading: DataFlags,
}

pub fn run(args: &Args) -> Result<()> {
    apart(&[("--json", args.json.as_deref())], &[("data", &args.data)])?;
    // What had to be left out is among the findings.
    let mut options = args.reading.options(args.label.as_deref());
    let opened = Dataset::open(&args.data, &options);
    // Gaps among features stop other commands. Here the rest is shown nevertheless, and then why they do.
    let (dataset, stops) = match (opened, options.missing) {
        (Err(stops), Missing::Refuse) => {
            options.missing = Missing::Drop;
            match Dataset::open(&args.data, &options) {
                Ok(dataset) => (dataset, Some(stops)),
                Err(_) => return Err(stops),
            }
        }
        (opened, _) => (opened?, None),
    };
    let findings = findings(&dataset)?;
    if let Some(path) = &args.json {
        write_json(path, &findings)?;
    }
    if args.json.as_deref() != Some("-".as_ref()) {
        println!("{findings}");
    }
    stops.map_or(Ok(()), Err)
}

/// Reads every sample once, behind a progress line.
pub fn findings(dataset: &Dataset) -> Result<Findings> {
    let spinner = Spinner::new("reading");
    let findings = check(dataset, &|done, total| {
        spinner.say(&format!("reading {done}/{total}"));
    });
    spinner.done();
    findings
}
