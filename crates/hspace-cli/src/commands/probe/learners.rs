//! Sources of a comparison that learn from each draw of labels.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use hspace::dataset::{self, Dataset, Split, Values};
use hspace::device::device;
use hspace::evaluate::rows_of;
use hspace::head;
use hspace::learner::Learner;
use hspace::list;
use hspace::per_draw::{Budget, PerDraw, labels_alone};
use hspace::probe::{Contender, Labels, LabelsAlone, ProbeOptions};
use hspace::representation::Representation;
use hspace::run::RunFolder;
use hspace::semi_supervised::{self, METHODS};
use hspace::source::{OnFeatures, Source};
use hspace::toml::Table;
use hspace::{Error, Result};

use super::ProbeFlags;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The method of that name on features.
pub(super) fn on<'a>(
    name: &str,
    method: &OnFeatures,
    features: Representation,
    options: &ProbeOptions,
    flags: &ProbeFlags,
) -> Result<Contender<'a>> {
    let entry = list::find("method", METHODS, method.method).map_err(Error::config)?;
    let (task, settings) = (&options.task, method.options);
    let mut made =
        semi_supervised::contender(name, features, task, entry, settings, options.scaling)?;
    if let (Contender::PerDraw { draws, .. }, Some(asked)) = (&mut made, flags.draws) {
        *draws = asked;
    }
    Ok(made)
}

/// The run's own head, on the features of that run.
///
/// # Errors
/// When fewer labels than all are asked for, or folds: it has learned from those it was trained with, whatever is drawn. When it answers another task.
pub(super) fn own_head<'a>(
    name: &str,
    run: &Path,
    features: Representation,
    options: &ProbeOptions,
    flags: &ProbeFlags,
) -> Result<Contender<'a>> {
    if options.labels != [Labels::All] || options.folds > 1 {
        return Err(Error::config(format!(
            "{name} learned from the labels it was trained with, so it is measured by `--labels all` and without folds alone"
        )));
    }
    let head = head::of_run(run, &device(&flags.device)?)?;
    let place = match options.task.as_str() {
        "auto" => dataset::task(&features.columns),
        task => features.columns.iter().position(|c| c.name == task),
    };
    let names = place.map(|place| &features.columns[place].values);
    let (own, outputs) = (head.about.names.clone(), head.about.names.len());
    let known = match names {
        Some(Values::Classes { names, .. }) => names.clone(),
        _ => vec![],
    };
    let order: Option<Vec<Option<usize>>> =
        (!known.is_empty() && own.iter().all(|class| known.contains(class))).then(|| {
            let place = |class: &String| own.iter().position(|own| own == class);
            known.iter().map(place).collect()
        });
    let Some(order) = order else {
        return Err(Error::config(format!(
            "{name} answers {}, which are not the classes of the task; name its column by --label",
            own.join(", ")
        )));
    };
    let (values, samples) = (features.features.clone(), Box::new(features));
    Ok(Contender::PerDraw {
        name: name.to_owned(),
        origin: samples.origin.clone(),
        samples,
        draws: 1,
        labels_alone: None,
        answer: Box::new(move |draw| {
            let answers = head.answer(&values.select(draw.test))?;
            let row = |row: &[f64]| -> Vec<f64> {
                let of = |place: &Option<usize>| place.map_or(0.0, |place| row[place]);
                order.iter().map(of).collect()
            };
            Ok(answers.chunks_exact(outputs).flat_map(row).collect())
        }),
    })
}

/// The settings of the runs among the sources `names`.
pub fn run_settings(names: &[String]) -> Result<Vec<Table>> {
    let mut found = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        let Some(path) = source.run().map(Path::to_owned) else {
            continue;
        };
        let folder = RunFolder::open(&path)?;
        if folder.has_config() {
            found.push(folder.read_config()?);
        }
    }
    Ok(found)
}

/// A source that learns from each draw of labels.
pub struct MethodSource {
    pub name: String,
    pub learner: Learner,
    /// What learns from the labels alone, where this one learns from more.
    pub labels_alone: Option<LabelsAlone>,
}

/// The sources `given`, and unless the flags say otherwise those that learn from the labels alone where one of them learns from more. `names` are
/// those of all sources.
pub(super) fn with_labels_alone(
    given: Vec<(String, Learner)>,
    names: &[String],
    flags: &ProbeFlags,
) -> Result<Vec<MethodSource>> {
    let runs = run_settings(names)?;
    let mut sources = given;
    let mut found = Vec::new();
    // Those that are added learn from labels alone, so that nothing is added for them.
    for (_, learner) in sources.clone() {
        let alone = labels_alone(&learner, &sources, &runs)?;
        if let Some(alone) = alone.as_ref().filter(|alone| alone.probe.is_none())
            && !flags.no_baselines
            && sources.iter().all(|(known, _)| *known != alone.baseline)
            && let Some(baseline) = Learner::parse(&alone.baseline)
        {
            sources.push((alone.baseline.clone(), baseline?));
        }
        found.push(alone);
    }
    let alone = found.into_iter().chain(std::iter::repeat(None));
    let source = |((name, learner), labels_alone)| MethodSource {
        name,
        learner,
        labels_alone,
    };
    Ok(sources.into_iter().zip(alone).map(source).collect())
}

/// A source that learns from each draw, on the samples of `made`. It takes settings of the first of `runs` with its encoder, where there is one.
pub(super) fn learner<'a>(
    source: &MethodSource,
    runs: &[Table],
    data: &'a Dataset,
    made: &[Representation],
    options: &ProbeOptions,
    flags: &ProbeFlags,
) -> Result<Contender<'a>> {
    let MethodSource { name, learner, .. } = source;
    let rows = match made.first() {
        Some(first) => rows_of(data, &first.ids),
        None => (0..data.len())
            .filter(|&row| !flags.train_only || data.split[row] == Split::Train)
            .filter(|&row| data.samples.get(row).is_ok())
            .collect(),
    };
    let place = match options.task.as_str() {
        "auto" => dataset::task(&data.columns),
        task => data.columns.iter().position(|c| c.name == task),
    };
    let Some(task) = place.map(|place| &data.columns[place]) else {
        return Err(Error::data(format!(
            "{name} learns from labels, and there is no column of them; name it by --label"
        )));
    };
    let budget = Budget::of(&*learner.objective()?);
    let per_draw = PerDraw {
        name: name.clone(),
        learner: learner.clone(),
        base: learner.base(runs, &flags.device)?,
        dataset: data,
        rows,
        budget: Budget {
            draws: flags.draws.unwrap_or(budget.draws),
            ..budget
        },
        labels_alone: source.labels_alone.clone(),
    };
    per_draw.contender(task, &NEVER)
}
