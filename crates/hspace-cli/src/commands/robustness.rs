//! `hspace robustness`

use std::path::PathBuf;

use hspace::corruptions::{Corruption, SUITES};
use hspace::dataset::{Dataset, Sample, Split};
use hspace::list;
use hspace::probe::Limits;
use hspace::report::{Page, RobustnessResult, corruption_samples, corruption_sheet};
use hspace::robustness::{Condition, corrupted, measure};
use hspace::{Error, Result};

use crate::commands::probe::{ProbeFlags, SetUp, deadline, parsed};
use crate::commands::{apart, ending, open};
use crate::progress::Spinner;
use crate::say;
use crate::settings::count;

/// How accuracy falls as test images are corrupted: noise, blur, weather, other contrast, compression, at five severities.
///
/// Each source learns from the clean training samples and answers for test images as they are and with every corruption of a suite: ImageNet-C's, or
/// MedMNIST-C's for chest X-rays and blood cells, with lengths scaled to small images. The table has the clean accuracy, the mean over corruptions and severities, what is kept of the
/// clean accuracy, the error compared with that of raw pixels, and how wrong the surer half of the answers is. `hspace list corruptions` has all.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace robustness runs/a supervised:cnn --data photos/ --html robust.html
  hspace robustness head:runs/a --data chests.npz --suite xray
  hspace robustness runs/a pixels --data photos/ --corruption gaussian_noise,fog --severity 1,3,5
  hspace robustness runs/a --data photos/ --samples 200 --pictures corruptions.png   # what they look like")]
pub struct Args {
    /// As of `hspace probe`
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// imagenet-c, imagenet-c-extra, xray, xray-strong or microscopy
    #[arg(long, default_value = "imagenet-c")]
    suite: String,
    /// Corruptions of the suite, such as fog,contrast [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    corruption: Vec<String>,
    /// Severities, 1 to 5
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,2,3,4,5", value_parser = count(1..=5))]
    severity: Vec<usize>,
    /// Test images that are corrupted, at most; evenly spaced
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = count(1..=1_000_000))]
    samples: usize,
    /// Draw an image in every corruption at every severity
    #[arg(long, value_name = "FILE.png")]
    pictures: Option<PathBuf>,
    #[command(flatten)]
    flags: ProbeFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let flags = &args.flags;
    flags.check_outputs(&args.sources)?;
    if flags.answers.is_some() {
        return Err(Error::config(
            "--answers: nothing that robustness measures is kept for another time; leave it out",
        ));
    }
    if let Some(path) = &args.pictures {
        ending(path, "png")?;
        let data = flags.data()?;
        apart(&[("--pictures", Some(path.as_path()))], &[("data", data)])?;
    }
    let options = flags.linear_options()?;
    if options.folds > 1 {
        return Err(Error::config(
            "--folds: corrupted samples are test samples of the data's own split; leave it out",
        ));
    }
    let suite = list::find("suite", SUITES, &args.suite).map_err(Error::config)?;
    let corruptions: Vec<&'static Corruption> = match args.corruption.is_empty() {
        true => suite.corruptions.iter().collect(),
        false => {
            let named = args.corruption.iter();
            named
                .map(|name| suite.corruption(name))
                .collect::<Result<_>>()?
        }
    };
    let mut severities = args.severity.clone();
    severities.sort_unstable();
    severities.dedup();
    let conditions: Vec<(&'static Corruption, usize)> = corruptions
        .iter()
        .flat_map(|&corruption| severities.iter().map(move |&s| (corruption, s)))
        .collect();
    let sources = parsed(&args.sources)?;
    let spinner = Spinner::new("reading");
    let dataset = open(flags.data()?, &flags.open_options())?;
    let rows = tested(&dataset, args.samples)?;
    let seed = options.seed;
    if let Some(path) = &args.pictures {
        let sheet = corruption_sheet(&dataset, &rows, &corruptions, &severities, seed)?;
        hspace::file::write_whole(path, &sheet)?;
    }
    let shown = match flags.html {
        Some(_) => corruption_samples(&dataset, &rows, &corruptions, &severities, seed)?,
        None => Vec::new(),
    };
    let name = dataset.name.clone();
    let dataset = corrupted(dataset, &rows, &conditions, options.seed)?;
    let until = flags.minutes.map(deadline);
    let set_up = SetUp::new(sources, dataset, flags, &options, &spinner)?;
    let contenders = set_up.contenders(flags, &spinner)?;
    let conditions: Vec<Condition> = conditions
        .iter()
        .map(|(corruption, severity)| Condition {
            corruption: corruption.name.to_owned(),
            severity: *severity,
        })
        .collect();
    let found = measure(
        &contenders,
        &conditions,
        &args.suite,
        &set_up.options,
        &name,
        &mut Limits::new(None, until),
        &mut |text| spinner.say(text),
    );
    spinner.done();
    let found = found?;
    let mut text = format!("{}\n{}", found.table(), found.headline());
    if let Some(path) = &args.pictures {
        text += &format!("\n\npicture: {}", path.display());
    }
    set_up.show(flags, &found, &text, || {
        Ok(Page {
            title: format!("robustness: {}", args.sources.join(", ")),
            headline: found.headline(),
            robustness: Some(RobustnessResult {
                found: found.clone(),
                samples: shown,
            }),
            ..Page::default()
        })
    })
}

/// The test samples that are corrupted.
fn tested(dataset: &Dataset, most: usize) -> Result<Vec<usize>> {
    let is_image = |&row: &usize| matches!(dataset.samples.get(row), Ok(Sample::Image(_)));
    let labelled = |&row: &usize| dataset.task().is_none_or(|task| task.values.is_known(row));
    let test = dataset.indices(Split::Test);
    let all: Vec<usize> = test.into_iter().filter(labelled).collect();
    let rows: Vec<usize> = hspace::matrix::spaced(all.len(), most)
        .into_iter()
        .map(|i| all[i])
        .filter(is_image)
        .collect();
    if rows.len() < all.len() {
        say::note(format_args!(
            "{} of {} test samples are corrupted, evenly spaced (--samples)",
            rows.len(),
            all.len()
        ));
    }
    Ok(rows)
}
