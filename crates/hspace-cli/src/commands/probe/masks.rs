//! `hspace probe` on a column of masks.

use hspace::dataset::{Dataset, Image, Sample};
use hspace::device::device;
use hspace::evaluate::{group_name, leak_warnings, map_contenders, scaling};
use hspace::probe::{
    Limits, MapSource, MaskExample, MaskTask, Measurements, ProbeOptions, Scaling, measure_masks,
};
use hspace::report::{Drawing, Page, mask_examples};
use hspace::source::{MapSources, Source};
use hspace::warning::Warning;
use hspace::{Error, Result};

use super::ProbeFlags;
use super::answers::{Answers, deadline};
use super::measuring::{one_seed, print_measurements};
use super::represented::{data_warnings, with_stages};
use super::set_up::{fold_warnings, seed_groups};
use crate::commands::write_json;
use crate::progress::Spinner;
use crate::say;

/// Test images whose masks are shown on a page.
const EXAMPLES: usize = 8;

/// Measures `sources` on the masks of the column `name` of `dataset`, and writes what the flags ask for.
pub(super) fn measure(
    sources: Vec<(String, Source)>,
    dataset: &Dataset,
    name: &str,
    flags: &ProbeFlags,
    options: &ProbeOptions,
    mut answers: Answers,
    spinner: Spinner,
) -> Result<Measurements> {
    if flags.train_only {
        return Err(Error::config(
            "--train-only: masks are measured on the data's own test samples; leave it out",
        ));
    }
    let deadline = flags.minutes.map(deadline);
    let given: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let mut warnings = data_warnings(&given, dataset)?;
    warnings.iter().for_each(say::warning);
    if options.folds > 1 {
        warnings.extend(fold_warnings(&given, options.folds, dataset)?);
    }
    let mut options = ProbeOptions {
        task: name.to_owned(),
        ..options.clone()
    };
    if options.scaling == Scaling::Auto {
        options.scaling = scaling(dataset)?;
    }
    let device = device(&flags.device)?;
    let mut makers = MapSources::new(flags.reading.sources(dataset, device, flags.seed))?;
    let sources = match &flags.layers {
        Some(layers) => with_stages(sources, layers, &mut |of| makers.stages(of))?,
        None => sources,
    };
    let names: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let (made, learned) = made(&sources, &mut makers, flags)?;
    let groups = seed_groups(&names, flags)?;
    let seeds = groups.iter().map(|group| group_name(group));
    let learned: Vec<String> = learned.into_iter().chain(seeds).collect();
    let rows = makers.rows().to_vec();
    let task = MaskTask {
        read: &|row| dataset.samples.mask(rows[row], name),
        examples: if flags.html.is_some() { EXAMPLES } else { 0 },
        keep: None,
    };
    let mut limits = Limits::new(answers.journal(), deadline);
    let measured = measure_masks(
        map_contenders(made, &groups),
        task,
        &options,
        flags.data()?,
        &mut limits,
        &mut |text| spinner.say(text),
    );
    spinner.done();
    let (measurements, examples) = measured?;
    answers.done(measurements.without(), flags)?;
    let leaks = leak_warnings(dataset, &[]);
    leaks.iter().for_each(say::warning);
    warnings.extend(leaks);
    if let Some(path) = &flags.json {
        write_json(path, &measurements)?;
    }
    let quiet = flags.json.as_deref() == Some("-".as_ref());
    if !quiet {
        print_measurements(&measurements);
        if let Some(note) = one_seed(&measurements, &learned) {
            println!("{note}");
        }
    }
    if let Some(path) = &flags.html {
        let page = Page {
            title: names.join(", "),
            headline: measurements.headline(),
            learned,
            measurements: Some(measurements.clone()),
            masks: shown(dataset, &rows, &examples)?,
            warnings: warnings.into_iter().map(Warning::of_data).collect(),
            bad_files: dataset.bad.clone(),
            ..Page::default()
        };
        hspace::file::write_whole(path, hspace::report::html(&page)?.as_bytes())?;
        if !quiet {
            println!("\npage: {}", path.display());
        }
    }
    Ok(measurements)
}

/// The maps of the sources and, unless the flags say otherwise, of the baselines of learned ones: pixels and the untrained encoders. The names
/// of the learned sources.
fn made<'a>(
    sources: &[(String, Source)],
    makers: &mut MapSources<'a>,
    flags: &ProbeFlags,
) -> Result<(Vec<MapSource<'a>>, Vec<String>)> {
    let mut made = Vec::new();
    let mut learned = Vec::new();
    for (name, source) in sources {
        made.push(makers.maps(name, source)?);
        if matches!(source, Source::Run(_) | Source::Hub(_) | Source::At(..)) {
            learned.push(name.clone());
        }
    }
    if !flags.no_baselines && !learned.is_empty() {
        let untrained = makers.architectures().map(|name| format!("random:{name}"));
        let names: Vec<String> = ["pixels".to_owned()].into_iter().chain(untrained).collect();
        for name in names {
            if made.iter().any(|known| known.samples.name == name) {
                continue;
            }
            match makers.maps(&name, &Source::parse(&name)?) {
                Ok(baseline) => made.push(baseline),
                Err(error) => say::note(format_args!("without the baseline {name}: {error}")),
            }
        }
    }
    Ok((made, learned))
}

/// The examples as a picture; `None` where there are none.
fn shown(dataset: &Dataset, rows: &[usize], examples: &[MaskExample]) -> Result<Option<Drawing>> {
    let image = |example: &MaskExample| -> Result<Image<'_>> {
        match dataset.samples.get(rows[example.row])? {
            Sample::Image(image) => Ok(image),
            Sample::Vector(_) => Err(Error::data("a vector has no pixels")),
        }
    };
    if examples.is_empty() {
        return Ok(None);
    }
    let images: Vec<Image<'_>> = examples.iter().map(image).collect::<Result<_>>()?;
    mask_examples(examples, &images).map(Some)
}
