//! `hspace probe` on a column of masks.

use std::path::Path;

use hspace::dataset::{Dataset, Image, Mask, Sample};
use hspace::device::device;
use hspace::evaluate::{group_name, leak_warnings, map_contenders, scaling};
use hspace::file::write_folder;
use hspace::probe::{
    Contender, Limits, MapSource, MaskExample, MaskTask, Measurements, ProbeOptions, Scaling,
    measure_masks,
};
use hspace::report::{Drawing, Page, mask_examples};
use hspace::source::{MapSources, Source, Unet};
use hspace::warning::Warning;
use hspace::{Error, Result};

use super::ProbeFlags;
use super::answers::{Answers, deadline};
use super::measuring::{one_seed, print_measurements};
use super::represented::{data_warnings, with_stages};
use super::saved_masks::{MaskFiles, SaveMasks};
use super::set_up::{fold_warnings, seed_groups};
use crate::commands::write_json;
use crate::progress::Spinner;
use crate::say;

/// Test images whose masks are shown on a page.
const EXAMPLES: usize = 8;

/// Draws of each number of masks that a U-Net is trained on, unless --draws says otherwise.
const DRAWS: usize = 3;

/// What is measured, but for the sources.
pub(super) struct Measuring<'a> {
    pub dataset: &'a Dataset,
    /// The column of masks.
    pub column: &'a str,
    pub flags: &'a ProbeFlags,
    pub options: &'a ProbeOptions,
}

impl Measuring<'_> {
    /// Measures `sources`, writes what the flags ask for, and keeps the masks of one where `save` says so.
    pub fn measure(
        &self,
        sources: Vec<(String, Source)>,
        save: Option<SaveMasks<'_>>,
        answers: Answers,
        spinner: Spinner,
    ) -> Result<Measurements> {
        let Some(SaveMasks { source, folder }) = save else {
            return Ok(self.measured(sources, None, answers, spinner)?.0);
        };
        let mut found = None;
        write_folder(folder, |new| {
            let (measurements, written) =
                self.measured(sources, Some((source, new)), answers, spinner)?;
            found = Some(measurements);
            match written {
                0 => Err(Error::data(format!(
                    "--save-masks: {source} was not measured with the most masks, so {} was not made; give more --minutes",
                    folder.display()
                ))),
                _ => Ok(()),
            }
        })?;
        let Some(found) = found else {
            return Err(Error::data(format!("{source} was not measured")));
        };
        if !self.flags.is_quiet() {
            let most = found.rows.iter().map(|row| row.labelled).max();
            println!(
                "\nmasks of test images: {}, as {source} answers with {} masks",
                folder.display(),
                most.unwrap_or(0)
            );
        }
        Ok(found)
    }

    /// The measurements, and how many masks of the source in `save` were written into the folder there.
    fn measured(
        &self,
        sources: Vec<(String, Source)>,
        save: Option<(&str, &Path)>,
        mut answers: Answers,
        spinner: Spinner,
    ) -> Result<(Measurements, usize)> {
        let Measuring {
            dataset,
            column,
            flags,
            options,
        } = *self;
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
            task: column.to_owned(),
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
        let Made {
            maps,
            unets,
            learned,
        } = self.made(&sources, &mut makers)?;
        let groups = seed_groups(&names, flags)?;
        let seeds = groups.iter().map(|group| group_name(group));
        let learned: Vec<String> = learned.into_iter().chain(seeds).collect();
        let rows = makers.rows().to_vec();
        let files = save.map(|(source, folder)| {
            let ids: Vec<&str> = rows.iter().map(|&row| &*dataset.ids[row]).collect();
            MaskFiles::new(source, folder, &ids)
        });
        let keep = |source: &str, row: usize, mask: &Mask| match &files {
            Some(files) => files.keep(source, row, mask),
            None => Ok(()),
        };
        let task = MaskTask {
            read: &|row| dataset.samples.mask(rows[row], column),
            examples: if flags.html.is_some() { EXAMPLES } else { 0 },
            keep: files.is_some().then_some(&keep),
        };
        let mut contenders = map_contenders(maps, &groups);
        contenders.extend(unets);
        let mut limits = Limits::new(answers.journal(), deadline);
        let measured = measure_masks(
            contenders,
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
        if !self.flags.is_quiet() {
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
            if !self.flags.is_quiet() {
                println!("\npage: {}", path.display());
            }
        }
        Ok((measurements, files.as_ref().map_or(0, MaskFiles::written)))
    }

    /// The sources and, unless the flags say otherwise, the baselines of learned ones: pixels, the untrained encoders, and U-Nets on these.
    fn made<'a>(
        &self,
        sources: &[(String, Source)],
        makers: &mut MapSources<'a>,
    ) -> Result<Made<'a>> {
        let mut made = Made::default();
        for (name, source) in sources {
            match source {
                Source::Unet(unet) => made.unets.push(self.unet(name, unet, makers)?),
                _ => made.maps.push(makers.maps(name, source)?),
            }
            let is_learned = match source {
                Source::Run(_) | Source::Hub(_) | Source::At(..) => true,
                Source::Unet(unet) => !unet.is_untrained(),
                _ => false,
            };
            if is_learned {
                made.learned.push(name.clone());
            }
        }
        if self.flags.no_baselines || made.learned.is_empty() {
            return Ok(made);
        }
        let architectures: Vec<String> = makers.architectures().map(str::to_owned).collect();
        let is_fine_tuned = sources
            .iter()
            .any(|(name, source)| matches!(source, Source::Unet(_)) && made.learned.contains(name));
        let mut names = vec!["pixels".to_owned()];
        for encoder in architectures {
            names.push(format!("random:{encoder}"));
            if is_fine_tuned {
                names.push(format!("unet:{encoder}"));
            }
        }
        names.retain(|name| sources.iter().all(|(known, _)| known != name));
        for name in names {
            let added = match Source::parse(&name)? {
                Source::Unet(unet) => self
                    .unet(&name, &unet, makers)
                    .map(|one| made.unets.push(one)),
                source => makers.maps(&name, &source).map(|one| made.maps.push(one)),
            };
            if let Err(error) = added {
                say::note(format_args!("without the baseline {name}: {error}"));
            }
        }
        Ok(made)
    }

    fn unet<'a>(
        &self,
        name: &str,
        unet: &Unet,
        makers: &mut MapSources<'a>,
    ) -> Result<Contender<'a>> {
        let draws = self.flags.draws.unwrap_or(DRAWS);
        makers.unet(name, unet, self.column, draws)
    }
}

/// Sources, ready to be measured.
#[derive(Default)]
struct Made<'a> {
    maps: Vec<MapSource<'a>>,
    unets: Vec<Contender<'a>>,
    /// Names of the learned ones.
    learned: Vec<String>,
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
