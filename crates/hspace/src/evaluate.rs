//! A comparison, put together: the contenders with their baselines, and the page that shows them.

use std::collections::BTreeSet;

use toml::Table;

use crate::config::Config;
use crate::dataset::check::{Leaks, channel_statistics, feature_names};
use crate::dataset::{BadFile, Dataset, Shape, Split, Values};
use crate::density::OutlierOptions;
use crate::density::space::{QUICK, SpaceFits};
use crate::disentangle::{self, Disentanglement, Options, SHOWN};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, spaced};
use crate::objective::{self, learns_from_labels};
use crate::probe::{Contender, MapSource, Measurements, Scaling};
use crate::report::{
    Curve, Drawing, FeatureMaps, Latents, Neighbours, Page, Plane, Projection, RunFacts,
    neighbours, project,
};
use crate::representation::Representation;
use crate::run::{Line, RunFolder};
use crate::source::Source;
use crate::warning::Warning;

/// Samples on each projection.
const PROJECTED: usize = 1000;
/// Test images whose neighbours are shown, and how many neighbours of each.
const QUERIES: usize = 8;
const NEAREST: usize = 6;
/// Samples among which neighbours are looked for, and whose latents' dependence is taken.
const CANDIDATES: usize = 10_000;

/// Ratio of standard deviations from which the columns of vectors are taken to have different units.
const UNITS: f32 = 30.0;

/// How probes scale features on these data: by column where the largest standard deviation of a feature of the vectors is 30
/// times the median one, so that they have different units; else all by one number.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("data.csv");
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::evaluate::scaling;
/// use hspace::probe::Scaling;
///
/// // Metres and grams.
/// std::fs::write(&path, "length,depth,mass\n1,2,5000\n2,1,80000\n1,3,200\n2,2,90\n3,1,7000\n")?;
/// let mixed = Dataset::open(&path.display().to_string(), &OpenOptions::default())?;
/// assert_eq!(scaling(&mixed)?, Scaling::Columns);
/// let images = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// assert_eq!(scaling(&images)?, Scaling::Overall);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If training samples cannot be read.
pub fn scaling(dataset: &Dataset) -> Result<Scaling> {
    if !matches!(dataset.shape, Shape::Vector { .. }) {
        return Ok(Scaling::Overall);
    }
    let (_, mut std) = channel_statistics(dataset, usize::MAX)?;
    std.sort_by(f32::total_cmp);
    let median = std[(std.len() - 1) / 2];
    Ok(match std.last() {
        Some(largest) if *largest >= UNITS * median => Scaling::Columns,
        _ => Scaling::Overall,
    })
}

/// The runs among the sources `names` that have the same settings but for the seed: places in `names`, of two or more.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::evaluate::same_but_for_seed;
/// use hspace::run::RunFolder;
///
/// // The same settings with another seed.
/// let again = RunFolder::create(&folder.path().join("b"), false)?;
/// again.write("config.toml", &run.read("config.toml")?.replace("seed = 0", "seed = 1"))?;
/// again.write("encoder.toml", &run.read("encoder.toml")?)?;
/// let names = [run.path().display().to_string(), "pixels".into(), again.path().display().to_string()];
/// assert_eq!(same_but_for_seed(&names)?, [[0, 2]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Runs that cannot be read.
pub fn same_but_for_seed(names: &[String]) -> Result<Vec<Vec<usize>>> {
    let mut groups: Vec<(Table, Vec<(usize, String)>)> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let Ok(source) = Source::parse(name) else {
            continue;
        };
        let (Source::Run(_) | Source::At(..)) = source else {
            continue;
        };
        let Some(path) = source.run() else {
            continue;
        };
        let folder = RunFolder::open(path)?;
        if !folder.has_config() {
            continue;
        }
        let mut settings = folder.read_config()?;
        let seed = settings
            .remove("seed")
            .map_or(String::new(), |seed| seed.to_string());
        if let Source::At(_, stage) = &source {
            settings.insert("stage".into(), stage.as_str().into());
        }
        match groups.iter_mut().find(|(known, _)| *known == settings) {
            // The same training twice is no sample of trainings.
            Some((_, runs)) if runs.iter().any(|(_, known)| *known == seed) => {}
            Some((_, runs)) => runs.push((place, seed)),
            None => groups.push((settings, vec![(place, seed)])),
        }
    }
    let places = |(_, runs): (Table, Vec<(usize, String)>)| runs.into_iter().map(|r| r.0).collect();
    let several = |group: &Vec<usize>| group.len() > 1;
    Ok(groups.into_iter().map(places).filter(several).collect())
}

/// Whether a run learned from labels, by its settings; not where it has none, as weights from elsewhere.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::evaluate::saw_labels;
///
/// assert!(!saw_labels(&run)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A run that cannot be read.
pub fn saw_labels(folder: &RunFolder) -> Result<bool> {
    let mut settings = match folder.has_config() {
        true => folder.read_config()?,
        false => return Ok(false),
    };
    let Some(toml::Value::Table(mut objective)) = settings.remove("objective") else {
        return Ok(false);
    };
    let name = objective.remove("name");
    let name = name
        .as_ref()
        .and_then(toml::Value::as_str)
        .unwrap_or_default();
    let made = objective::make(name, objective).map_err(Error::config)?;
    Ok(learns_from_labels(&*made))
}

/// Contenders of the representations `made`, those of each of `groups` (names) being runs of one; named after the first with
/// the number of seeds.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::evaluate::contenders;
/// use hspace::source::{Source, Sources};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let mut sources = Sources::new(&shapes, Device::cpu(), 0).only(vec![0, 1, 2]);
/// let made = ["pixels", "runs/a", "runs/b"].map(|name| sources.represent(name, &Source::Pixels, &mut |_| ()));
/// let made = made.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let groups = [vec!["runs/a".into(), "runs/b".into()]];
/// let names: Vec<String> = contenders(&made, &groups).iter().map(|c| c.name().into()).collect();
/// assert_eq!(names, ["pixels", "runs/a (2 seeds)"]);
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn contenders<'a>(made: &[Representation], groups: &[Vec<String>]) -> Vec<Contender<'a>> {
    let mut out = Vec::new();
    for r in made {
        match groups.iter().find(|group| group.contains(&r.name)) {
            None => out.push(Contender::Fixed(r.clone())),
            Some(group) if group[0] == r.name => out.push(Contender::Seeds {
                name: group_name(group),
                runs: made
                    .iter()
                    .filter(|r| group.contains(&r.name))
                    .cloned()
                    .collect(),
            }),
            Some(_) => {}
        }
    }
    out
}

/// Contenders of feature maps, those of each of `groups` (names) being runs of one, as [`contenders`].
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::evaluate::map_contenders;
/// use hspace::source::{MapSources, Source, Sources};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let mut makers = MapSources::new(Sources::new(&shapes, Device::cpu(), 0).only(vec![0, 1]))?;
/// let pixels = makers.maps("pixels", &Source::Pixels)?;
/// assert_eq!(map_contenders(vec![pixels], &[])[0].name(), "pixels");
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn map_contenders<'a>(made: Vec<MapSource<'a>>, groups: &[Vec<String>]) -> Vec<Contender<'a>> {
    let mut out: Vec<(String, Vec<MapSource<'a>>)> = Vec::new();
    for source in made {
        let own = &source.samples.name;
        let name = match groups.iter().find(|group| group.contains(own)) {
            None => own.clone(),
            Some(group) => group_name(group),
        };
        match out.iter_mut().find(|(known, _)| *known == name) {
            Some((_, runs)) => runs.push(source),
            None => out.push((name, vec![source])),
        }
    }
    let contender = |(name, runs)| Contender::Maps { name, runs };
    out.into_iter().map(contender).collect()
}

/// How tables call runs that differ in their seeds.
///
/// ```
/// use hspace::evaluate::group_name;
///
/// assert_eq!(group_name(&["runs/a".into(), "runs/b".into()]), "runs/a (2 seeds)");
/// ```
pub fn group_name(group: &[String]) -> String {
    format!("{} ({} seeds)", group[0], group.len())
}

/// Warnings about leaks in what is compared: groups in two splits; and what [`Leaks`] finds in features that were not learned here,
/// namely files of features and vectors as they are.
///
/// ```
/// use hspace::dataset::{Column, Dataset, OpenOptions, Role, Values};
/// use hspace::evaluate::leak_warnings;
///
/// let mut shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// assert!(leak_warnings(&shapes, &[]).is_empty());
/// // One patient in training and test samples alike.
/// let values = Values::Classes { names: vec!["ann".into()], index: vec![Some(0); shapes.len()] };
/// shapes.columns.push(Column { name: "patient".into(), role: Role::Group, values });
/// assert!(leak_warnings(&shapes, &[])[0].contains("patient"));
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn leak_warnings(dataset: &Dataset, spaces: &[Representation]) -> Vec<String> {
    let names = feature_names(dataset);
    let is_vectors = matches!(dataset.shape, Shape::Vector { .. });
    let mut warnings = Leaks::of_groups(&dataset.columns, &dataset.split).warnings();
    for space in spaces {
        let found = match Source::parse(&space.name) {
            Ok(Source::File(_)) => Leaks::of_features(space, &[]),
            Ok(Source::Pixels) if is_vectors => Leaks::of_features(space, &names),
            _ => continue,
        };
        let text = |warning| format!("{}: {warning}", space.name);
        warnings.extend(found.warnings().into_iter().map(text));
    }
    warnings
}

/// Rows of the dataset that bear `ids`.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::evaluate::rows_of;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let ids = [shapes.ids[5].clone(), "gone".into(), shapes.ids[2].clone()];
/// assert_eq!(rows_of(&shapes, &ids), [5, 2]);
/// # Ok::<(), hspace::Error>(())
/// ```
pub fn rows_of(dataset: &Dataset, ids: &[String]) -> Vec<usize> {
    let index: std::collections::HashMap<&str, usize> = (0..dataset.len())
        .map(|row| (dataset.ids[row].as_str(), row))
        .collect();
    ids.iter()
        .filter_map(|id| index.get(id.as_str()).copied())
        .collect()
}

/// How an encoder came about, from what its run left behind.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::config::Config;
/// use hspace::evaluate::run_facts;
/// use hspace::job::about;
///
/// let config = Config::resolve(run.read_config()?, about(&shapes))?;
/// let facts = run_facts(&config, &run.read_metrics(usize::MAX)?, 1000);
/// assert_eq!((facts.objective.as_str(), facts.steps), ("simclr", 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run_facts(config: &Config, lines: &[Line], parameters: usize) -> RunFacts {
    let (steps, seconds) = lines.last().map_or((0, 0.0), |l| (l.step, l.seconds));
    let samples = steps * config.train.batch_size.get();
    RunFacts {
        encoder: config.encoder.name.clone(),
        objective: config.objective.name.clone(),
        data: config.data.clone(),
        seed: config.seed,
        steps: steps as u64,
        seconds,
        images_per_s: samples as f64 / seconds.max(1e-9),
        parameters,
        config: config.to_toml(),
    }
}

/// Curves worth a picture, from the log of a training.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::evaluate::curves;
///
/// let curves = curves(&run.read_metrics(usize::MAX)?);
/// assert_eq!(curves[0].name, "loss");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn curves(lines: &[Line]) -> Vec<Curve> {
    let first = [
        "loss",
        "accuracy",
        "online_probe",
        "effective_rank",
        "spread",
        "alignment",
    ];
    let first = first.into_iter().chain(["uniformity", "lr"]);
    let mut names: Vec<&str> = first.collect();
    // What an objective reports of itself.
    let more = lines.iter().flat_map(|line| line.values.keys());
    let more: BTreeSet<&str> = more.map(String::as_str).collect();
    let without = ["images_per_s", "gradient_norm", "epoch_loss"];
    names.extend(more.iter().filter(|name| !without.contains(name)));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let curve = |name: &str| {
        let points = lines
            .iter()
            .filter_map(|line| Some((line.step as f64, *line.values.get(name)?)));
        let (x, y): (Vec<f64>, Vec<f64>) = points.unzip();
        (x.len() > 1).then(|| Curve {
            name: name.to_owned(),
            x,
            y,
        })
    };
    names.into_iter().filter_map(curve).collect()
}

/// What a page about data without labels begins with.
const UNMEASURED: &str = "These data have no label column, so no task was measured. What can be seen without one is \
     below; a few hundred labels (sub-folders, labels.csv or an array `labels`) are enough to measure.";

/// What a page is made from.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::evaluate::ReportInput;
/// use hspace::report::html;
///
/// let page = ReportInput {
///     title: "runs/a".into(),
///     dataset: &shapes,
///     run: None,
///     lines: &run.read_metrics(usize::MAX)?,
///     measurements: None,
///     seed: 0,
///     learned: vec![],
///     spaces: &[],
///     has_prior: false,
///     feature_maps: vec![],
///     drawings: vec![],
///     warnings: vec![],
///     bad: vec![],
/// };
/// assert!(html(&page.page()?)?.contains("loss"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReportInput<'a> {
    /// The page's title.
    pub title: String,
    /// The data.
    pub dataset: &'a Dataset,
    /// How the encoder came about, where there is one.
    pub run: Option<RunFacts>,
    /// The log of its training.
    pub lines: &'a [Line],
    /// The results; `None` where there are no labels to measure by.
    pub measurements: Option<Measurements>,
    /// Seed of projections.
    pub seed: u64,
    /// Names of the learned representations among them.
    pub learned: Vec<String>,
    /// Spaces to draw side by side, the first being the raw pixels.
    pub spaces: &'a [Representation],
    /// Whether what was learned has a standard normal prior.
    pub has_prior: bool,
    /// Filters and feature maps of networks.
    pub feature_maps: Vec<FeatureMaps>,
    /// Pictures that the run drew.
    pub drawings: Vec<Drawing>,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// What could not be read.
    pub bad: Vec<BadFile>,
}

impl ReportInput<'_> {
    /// The page: projections are computed and neighbours looked up here.
    ///
    /// # Errors
    /// If samples cannot be read any more.
    pub fn page(self) -> Result<Page> {
        let task = match &self.measurements {
            Some(measurements) => measurements.task.clone(),
            None => self.colour(),
        };
        let seed = self.seed;
        let projections = self.spaces.iter().map(|space| {
            let has_prior = self.has_prior && self.learned.contains(&space.name);
            projection(space, &task, has_prior, seed)
        });
        Ok(Page {
            projections: projections.collect::<Result<_>>()?,
            neighbours: self.neighbours(&task)?,
            head: None,
            masks: None,
            many_tasks: None,
            disentanglement: self.dependence(seed),
            latents: self.latents(),
            space: self.density(seed),
            title: self.title,
            headline: match &self.measurements {
                Some(measurements) => measurements.headline(),
                None if task.is_empty() => UNMEASURED.to_owned(),
                None => format!("{UNMEASURED} Colours are those of {task}."),
            },
            learned: self.learned,
            run: self.run,
            training: curves(self.lines),
            measurements: self.measurements,
            feature_maps: self.feature_maps,
            drawings: self.drawings,
            shift: None,
            robustness: None,
            warnings: self.warnings,
            bad_files: self.bad,
            column: None,
            outliers: None,
        })
    }

    /// The column that colours samples without a task: the first one with classes.
    fn colour(&self) -> String {
        let mut columns = self.spaces.iter().flat_map(|space| &space.columns);
        let classes = columns.find(|c| matches!(c.values, Values::Classes { .. }));
        classes.map_or(String::new(), |c| c.name.clone())
    }

    /// How far latents of the learned spaces depend on one another, where they are few enough to be read.
    /// A page can do without: where it cannot be said (too few samples, a factor with one value) it is
    /// left out.
    fn dependence(&self, seed: u64) -> Option<Disentanglement> {
        let readable = |space: &&Representation| {
            self.learned.contains(&space.name) && (2..=SHOWN).contains(&space.features.cols)
        };
        let of: Vec<Representation> = self
            .spaces
            .iter()
            .filter(readable)
            .map(|space| space.select(&spaced(space.ids.len(), CANDIDATES)))
            .collect();
        let options = Options {
            metrics: ["total_correlation", "dependence"]
                .map(String::from)
                .to_vec(),
            seed,
            ..Options::default()
        };
        disentangle::measure(&of, &options, &self.dataset.name, &mut |_| ()).ok()
    }

    /// The latents of test samples, where they have a prior.
    fn latents(&self) -> Option<Latents> {
        let mut spaces = self.spaces.iter();
        let learned = spaces.find(|space| self.has_prior && self.learned.contains(&space.name))?;
        let test = (0..learned.ids.len()).filter(|&i| learned.split[i] == Split::Test);
        let test: Vec<usize> = test.collect();
        (!test.is_empty()).then(|| Latents::of(&learned.features.select(&test)))
    }

    /// Densities of the first learned space, if it has any.
    fn density(&self, seed: u64) -> Option<SpaceFits> {
        let mut spaces = self.spaces.iter();
        let learned = spaces.find(|space| self.learned.contains(&space.name))?;
        let options = OutlierOptions {
            candidates: QUICK.map(String::from).to_vec(),
            seed,
            ..OutlierOptions::default()
        };
        SpaceFits::of(learned, &options).ok()
    }

    fn neighbours(&self, task: &str) -> Result<Option<Neighbours>> {
        let Some(first) = self.spaces.first() else {
            return Ok(None);
        };
        let of = |split| (0..first.ids.len()).filter(move |&i| first.split[i] == split);
        let train: Vec<usize> = of(Split::Train).take(CANDIDATES).collect();
        let test: Vec<usize> = of(Split::Test).collect();
        if !matches!(self.dataset.shape, Shape::Image { .. }) || train.is_empty() || test.is_empty()
        {
            return Ok(None);
        }
        // Spread over the test samples, not chosen.
        let queries: Vec<usize> = test
            .iter()
            .step_by(test.len().div_ceil(QUERIES))
            .copied()
            .collect();
        let rows = rows_of(self.dataset, &first.ids);
        let in_dataset = |list: Vec<usize>| list.into_iter().map(|i| rows[train[i]]).collect();
        let spaces: Vec<(String, Vec<Vec<usize>>)> = self
            .spaces
            .iter()
            .map(|space| {
                let among = space.features.select(&train);
                let lists = neighbours(&among, &space.features.select(&queries), NEAREST);
                (
                    space.name.clone(),
                    lists.into_iter().map(in_dataset).collect(),
                )
            })
            .collect();
        let queries: Vec<usize> = queries.into_iter().map(|i| rows[i]).collect();
        Neighbours::new(self.dataset, task, &queries, &spaces).map(Some)
    }
}

/// Test samples on a plane (their own, if features are two), coloured by the task's classes.
fn projection(
    space: &Representation,
    task: &str,
    has_prior: bool,
    seed: u64,
) -> Result<Projection> {
    let test: Vec<usize> = (0..space.ids.len())
        .filter(|&i| space.split[i] == Split::Test)
        .take(PROJECTED)
        .collect();
    let features: Matrix = space.features.select(&test);
    let column = space.columns.iter().find(|c| c.name == task);
    let (classes, class) = match column.map(|c| &c.values) {
        Some(Values::Classes { names, index }) => {
            (names.clone(), test.iter().map(|&i| index[i]).collect())
        }
        _ => (vec![], vec![None; test.len()]),
    };
    let plane = match (features.cols, has_prior) {
        (2, true) => Plane::OwnWithPrior,
        (2, false) => Plane::Own,
        _ => Plane::Tsne,
    };
    let points = match plane {
        Plane::Tsne => project(&features, seed)?,
        Plane::Own | Plane::OwnWithPrior => features.data.as_chunks::<2>().0.to_vec(),
    };
    Ok(Projection {
        name: space.name.clone(),
        points,
        plane,
        class,
        classes,
    })
}
