//! `hspace probe`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hspace::columns::TableOptions;
use hspace::config::{merge, options, set};
use hspace::data_record::DataRecord;
use hspace::dataset::{Dataset, OpenOptions, Split};
use hspace::device::device;
use hspace::evaluate::{
    contenders, group_name, leak_warnings, same_but_for_seed, saw_labels, scaling,
};
use hspace::file::quoted;
use hspace::head::{Head, Map};
use hspace::probe::{
    Estimate, Limits, Measurements, ProbeOptions, Row, Scaling, fit_head, measure_within,
};
use hspace::report::{HeadResult, Page};
use hspace::representation::{self, Representation};
use hspace::run::RunFolder;
use hspace::source::{Source, Sources, baseline_components};
use hspace::toml::{Table, Value};
use hspace::warning::Warning;
use hspace::{Error, Result};

use crate::commands::{apart, open, write_json};
use crate::progress::Spinner;
use crate::say;
use crate::settings::{DataFlags, seed};

mod answers;
mod learners;

use answers::{Answers, deadline, minutes};
use learners::{learner, run_settings};

/// Measure how easy representations make a task, compared with chance, pixels, PCA and an untrained encoder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace probe runs/a --data photos/ --labels 1,10,100,all
  hspace probe runs/a pixels pca:50 random:cnn emb.npz --data photos/ --json probe.json
  hspace probe latents.npz pixels --data photos/ --common    # latents of some samples alone
  hspace probe hf:timm/resnet18.a1_in1k runs/a --data photos/
  hspace probe emb.npy --data photos/ --by-position           # a file without ids
  hspace probe runs/a --layers all --data photos/ --html layers.html  # accuracy layer by layer
  hspace probe runs/a@layer2 runs/a@layer3 --data photos/     # up to a stage; `--layers all` names them
  hspace probe runs/seed0 runs/seed1 runs/seed2 --data photos/  # one row, whose intervals hold the training
  hspace probe runs/a supervised:cnn --data photos/ --labels 10,100,all  # against the labels alone
  hspace probe runs/a supervised:cnn --data photos/ --json p.json --minutes 30  # the same command goes on later
  hspace probe pixels pca:20 --data few.csv --folds 5         # every labelled sample tested once
  hspace probe runs/a --data photos/ --save-head head.safetensors  # then hspace predict, or export
  hspace probe pixels --data fashion/ --probe knn --set knn.k=5 --set knn.metric=euclidean
  hspace probe pixels --data fashion/ --probe linear --set linear.c=0.01")]
pub struct Args {
    /// Runs, feature files (.npz, .npy, .csv), models of timm on the Hugging Face Hub (hf:OWNER/NAME,
    /// downloaded once), `pixels`, `pca:D`, `ica:D`, `kmeans:K`, `random:ENCODER`; a network up to one of its stages: runs/a@layer2;
    /// `supervised:ENCODER`, which is trained on each draw of labels and answers with its own head
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Fit the probe to all training labels of the one source, calibrate it, and write it to this file, for `hspace predict`; of
    /// `--probe knn` all labelled features, 4 bytes a number. The page of --html shows how right it is
    #[arg(long, value_name = "FILE.safetensors")]
    save_head: Option<PathBuf>,
    #[command(flatten)]
    pub flags: ProbeFlags,
}

/// How to probe.
#[derive(clap::Args)]
pub struct ProbeFlags {
    /// The labelled samples
    #[arg(long)]
    pub data: Option<String>,
    #[arg(
        long,
        value_name = "COUNTS",
        help = "Labels a class, such as 1,10,100,all; for numbers and several labels a sample: labelled samples in total [default: all]"
    )]
    pub labels: Option<String>,
    /// Probes, such as linear,knn: see `hspace list probes`
    #[arg(long, value_name = "PROBES")]
    pub probe: Option<String>,
    /// Column that is the task
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Random draws of few labels [default: 10; 5 from 50 labels a class (500 in total) on, 3 from 100 (1000) on]
    #[arg(long)]
    pub draws: Option<usize>,
    /// Test every labelled sample once, in so many folds, instead of the data's own test samples: for data with few of them
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// Measure each run on its own: otherwise runs that differ in their seed alone are one, whose intervals hold the training too
    #[arg(long)]
    pub seeds_apart: bool,
    /// Measure each network up to its stages too, layer by layer: `all`, or some, such as layer1,layer2
    #[arg(long, value_name = "STAGES")]
    pub layers: Option<String>,
    /// Seed of the draws and of untrained encoders
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
    /// Change any setting of the probes, such as knn.k=5; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Measure the sources alone, without pixels, PCA and the untrained encoder
    #[arg(long)]
    pub no_baselines: bool,
    /// Measure on the samples that all feature files hold, where they do not hold all
    #[arg(long)]
    pub common: bool,
    #[command(flatten)]
    pub reading: DataFlags,
    /// Write the measurements as JSON to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a page with curves, projections and neighbours to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Keep the answers to each draw of labels in this file as they come, from which the same command goes on after a stop [default: next to
    /// --json or --html, as NAME.answers.jsonl; else in ~/.cache/hspace, until all is measured]
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: Option<PathBuf>,
    /// Stop measuring after so many minutes: what is done is shown, and the same command goes on with the rest
    #[arg(long, value_name = "M", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// cpu (cpu:direct: no Winograd; cpu:avx2, cpu:portable: no better instructions; cpu:burn: without
    /// our kernels), or a GPU this hspace was built for
    #[arg(long, env = "HSPACE_DEVICE", default_value = "cpu")]
    pub device: String,
}

pub fn run(args: &Args) -> Result<()> {
    args.flags.check_outputs(&args.sources)?;
    let options = args.flags.options()?;
    let Some(path) = &args.save_head else {
        return measure_sources(&args.sources, &args.flags, &options).map(|_| ());
    };
    let [source] = &args.sources[..] else {
        return Err(Error::config(
            "--save-head: name one source, whose head is to be kept",
        ));
    };
    Source::parse(source)?.check_has_features()?;
    super::ending(path, "safetensors")?;
    apart(&[("--save-head", Some(path))], &[("source", source)])?;
    let mut kept = None;
    let mut keep = |measured: &Measurements, made: &[Representation]| {
        let options = ProbeOptions {
            scaling: measured.scaling,
            task: measured.task.clone(),
            ..options.clone()
        };
        let spinner = Spinner::new("fitting the head");
        let own = made.iter().find(|r| r.name == *source);
        let fitted = own.map(|r| fit_head(r, &options)).transpose();
        spinner.done();
        let Some((head, evaluation)) = fitted? else {
            return Ok(None);
        };
        hspace::head::write(path, &head)?;
        let about = head.about.clone();
        kept = Some(head);
        Ok(Some(HeadResult { about, evaluation }))
    };
    measure_and_keep(&args.sources, &args.flags, &options, &mut keep)?;
    if let Some(head) = kept.filter(|_| args.flags.json.as_deref() != Some("-".as_ref())) {
        print_head(&head, path, source);
    }
    Ok(())
}

/// What was kept, and what it scored.
fn print_head(head: &Head, path: &Path, source: &str) {
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
    if about.temperature != 1.0 {
        println!("  temperature {:.3}", about.temperature);
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

impl ProbeFlags {
    /// Where the data are.
    pub fn data(&self) -> Result<&str> {
        self.data.as_deref().ok_or_else(|| {
            Error::config("--data is missing: name the labelled samples, such as --data photos/")
        })
    }

    /// How the data are read.
    fn open_options(&self) -> OpenOptions {
        self.reading.options(self.label.as_deref())
    }

    /// Refuses to write over the data or a source.
    pub fn check_outputs(&self, sources: &[String]) -> Result<()> {
        let mut inputs: Vec<(&str, &str)> =
            self.data.iter().map(|d| ("data", d.as_str())).collect();
        inputs.extend(sources.iter().map(|name| ("source", name.as_str())));
        let outputs = [
            ("--json", self.json.as_deref()),
            ("--html", self.html.as_deref()),
            ("--answers", self.answers.as_deref()),
        ];
        apart(&outputs, &inputs)
    }

    /// The options: defaults, --set, flags.
    pub fn options(&self) -> Result<ProbeOptions> {
        let mut problems = Vec::new();
        let mut user = Table::new();
        for assignment in &self.set {
            if let Err(problem) = set(&mut user, assignment) {
                problems.push(problem);
            }
        }
        let mut flags = Table::new();
        let list = |text: &str| -> Value {
            let item = |item: &str| match item.trim().parse::<i64>() {
                Ok(count) => Value::Integer(count),
                Err(_) => Value::String(item.trim().to_owned()),
            };
            text.split(',').map(item).collect::<Vec<_>>().into()
        };
        flags.insert(
            "labels".into(),
            list(self.labels.as_deref().unwrap_or("all")),
        );
        if let Some(probes) = &self.probe {
            flags.insert("probes".into(), list(probes));
        }
        if let Some(label) = &self.label {
            flags.insert("task".into(), Value::String(label.clone()));
        }
        if let Some(draws) = self.draws {
            flags.insert("draws".into(), Value::Integer(draws as i64));
        }
        if let Some(folds) = self.folds {
            flags.insert("folds".into(), Value::Integer(folds as i64));
        }
        flags.insert("seed".into(), Value::Integer(self.seed as i64));
        merge(&mut user, flags);
        options(user, problems)
    }
}

/// The representations that `names` say, with their baselines unless the flags say otherwise, of the
/// data that the flags say.
pub struct Represented {
    pub dataset: Dataset,
    /// The names, those of stages among them.
    pub names: Vec<String>,
    pub made: Vec<Representation>,
    /// The sources that learn from each draw: name, and encoder.
    pub learners: Vec<(String, String)>,
    /// Names of the learned ones.
    pub learned: Vec<String>,
    /// Why measurements of them may mislead.
    pub warnings: Vec<String>,
}

/// Why measurements of the runs among `names` on `dataset` may mislead: test samples that they learned from, data that
/// have changed since.
pub fn data_warnings(names: &[String], dataset: &Dataset) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        if let Some(path) = source.run()
            && let Some(record) = DataRecord::read(&RunFolder::open(path)?)?
        {
            warnings.extend(record.warnings(name, dataset));
        }
    }
    Ok(warnings)
}

/// Makes them. `spinner` says what is being done.
pub fn represent_sources(
    names: &[String],
    flags: &ProbeFlags,
    spinner: &Spinner,
) -> Result<Represented> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match Source::parse(name) {
            Ok(source) => sources.push((name.clone(), source)),
            Err(Error::Config(found)) => problems.extend(found),
            Err(other) => return Err(other),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    let device = device(&flags.device)?;
    let dataset = open(flags.data()?, &flags.open_options())?;
    for (name, source) in &sources {
        if let Source::Run(path) = source {
            let folder = RunFolder::open(path)?;
            if folder.has_config() && DataRecord::read(&folder)?.is_none() {
                say::note(format_args!(
                    "{name} has no data.toml, so whether it learned from test samples of {} is not known",
                    dataset.name
                ));
            }
        }
    }
    let warnings = data_warnings(names, &dataset)?;
    warnings.iter().for_each(say::warning);
    let makers = flags.reading.sources(&dataset, device, flags.seed);
    let mut makers = makers.raw_vectors();
    if let Some(layers) = &flags.layers {
        sources = with_stages(sources, layers, &mut makers)?;
    }
    let names: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let learned: Vec<String> = sources
        .iter()
        .filter(|(_, source)| {
            matches!(
                source,
                Source::Run(_) | Source::Hub(_) | Source::File(_) | Source::At(..)
            )
        })
        .map(|(name, _)| name.clone())
        .collect();
    let learners: Vec<(String, String)> = sources
        .iter()
        .filter_map(|(name, source)| match source {
            Source::Supervised(encoder) => Some((name.clone(), encoder.clone())),
            _ => None,
        })
        .collect();
    sources.retain(|(_, source)| !matches!(source, Source::Supervised(_)));
    let files = sources.iter().filter_map(|(_, source)| match source {
        Source::File(path) => Some(path.as_path()),
        _ => None,
    });
    let rows = match flags.common {
        true => common(&dataset, files, &flags.reading.options(None).table())?,
        false => (0..dataset.len()).collect(),
    };
    let (total, train) = (rows.len(), training(&dataset, &rows));
    let mut makers = makers.only(rows);
    let mut show = |name: &str, done: usize| spinner.say(&format!("{name}: {done}/{total}"));
    // Files of features come last: by then it is known which samples can be read.
    let is_file = |(_, source): &(String, Source)| matches!(source, Source::File(_));
    let (files, others): (Vec<_>, Vec<_>) = sources.into_iter().partition(is_file);
    let mut made = makers.represent_all(&others, &mut show)?;
    let has_learned = !learned.is_empty() || !learners.is_empty();
    if !flags.no_baselines && has_learned {
        for name in baselines(&dataset, train, &makers, &learners) {
            if made.iter().all(|r| r.name != name) {
                let source = Source::parse(&name)?;
                match makers.represent(&name, &source, &mut |done| show(&name, done)) {
                    Ok(baseline) => made.push(baseline),
                    Err(error) => say::note(format_args!("without the baseline {name}: {error}")),
                }
            }
        }
    }
    made.extend(makers.represent_all(&files, &mut show)?);
    let place = |r: &Representation| names.iter().position(|name| *name == r.name);
    made.sort_by_key(|r| place(r).unwrap_or(names.len()));
    makers.notes.iter().for_each(say::note);
    drop(makers);
    Ok(Represented {
        dataset,
        names,
        made,
        learned,
        learners,
        warnings,
    })
}

/// The sources, each network before its stages: all of them, or those named in `layers`.
fn with_stages(
    sources: Vec<(String, Source)>,
    layers: &str,
    makers: &mut Sources,
) -> Result<Vec<(String, Source)>> {
    let mut all = Vec::new();
    for (name, source) in sources {
        let stages = makers.stages(&source)?;
        let wanted: Vec<&str> = match layers {
            "all" => stages.iter().map(|stage| stage.name.as_str()).collect(),
            _ if stages.is_empty() => vec![],
            some => some.split(',').map(str::trim).collect(),
        };
        all.push((name.clone(), source.clone()));
        for stage in wanted {
            all.push((format!("{name}@{stage}"), source.clone().at(stage)?));
        }
    }
    Ok(all)
}

/// Everything `probe`, `compare` and `report` do alike: sources, baselines, measurement, outputs.
pub fn measure_sources(
    names: &[String],
    flags: &ProbeFlags,
    options: &ProbeOptions,
) -> Result<(Measurements, Vec<Representation>)> {
    measure_and_keep(names, flags, options, &mut |_, _| Ok(None))
}

/// Fits a head once all is measured, for the page.
type KeepHead<'a> =
    &'a mut dyn FnMut(&Measurements, &[Representation]) -> Result<Option<HeadResult>>;

fn measure_and_keep(
    names: &[String],
    flags: &ProbeFlags,
    options: &ProbeOptions,
    keep_head: KeepHead,
) -> Result<(Measurements, Vec<Representation>)> {
    let deadline = flags.minutes.map(deadline);
    let mut answers = Answers::open(names, flags)?;
    let spinner = Spinner::new("reading");
    let represented = represent_sources(names, flags, &spinner)?;
    let Represented {
        dataset,
        names,
        made,
        learned,
        learners,
        warnings,
    } = represented;
    let names = &names[..];
    let mut options = options.clone();
    if options.scaling == Scaling::Auto {
        options.scaling = scaling(&dataset)?;
    }
    let groups = seed_groups(names, flags)?;
    let warnings = match options.folds {
        1 => warnings,
        folds => [warnings, fold_warnings(names, folds)?].concat(),
    };
    let mut contenders = contenders(&made, &groups);
    let learned: Vec<String> = learned
        .into_iter()
        .chain(groups.iter().map(|g| group_name(g)))
        .collect();
    if options.task != "auto"
        && let Some(task) = dataset.task()
    {
        // It may have been named by its title.
        options.task.clone_from(&task.name);
    }
    let runs = run_settings(names)?;
    for (name, encoder) in &learners {
        spinner.say(&format!("reading for {name}"));
        contenders.push(learner(
            name, encoder, &runs, &dataset, &made, &options, flags,
        )?);
    }
    let mut limits = Limits {
        journal: answers.journal(),
        deadline,
    };
    let measurements = measure_within(
        contenders,
        &options,
        flags.data()?,
        &mut limits,
        &mut |text| spinner.say(text),
    );
    spinner.done();
    let measurements = measurements?;
    answers.done(&measurements, flags)?;
    let leaks = leak_warnings(&dataset, &made);
    leaks.iter().for_each(say::warning);
    let warnings = [warnings, leaks].concat();
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
    let head = keep_head(&measurements, &made)?;
    if let Some(path) = &flags.html {
        let spaces: Vec<Representation> = made
            .iter()
            .filter(|r| r.name == "pixels" || learned.contains(&r.name))
            .cloned()
            .collect();
        let story = hspace::evaluate::ReportInput {
            title: names.join(", "),
            dataset: &dataset,
            run: None,
            lines: &[],
            measurements: Some(measurements.clone()),
            seed: measurements.seed,
            learned,
            spaces: &spaces,
            has_prior: false,
            feature_maps: None,
            drawings: vec![],
            warnings: warnings.into_iter().map(Warning::of_data).collect(),
            bad: dataset.bad.clone(),
        };
        let page = Page {
            head,
            ..story.page()?
        };
        let page = hspace::report::html(&page)?;
        hspace::file::write_whole(path, page.as_bytes())?;
        if !quiet {
            println!("\npage: {}", path.display());
        }
    }
    Ok((measurements, made))
}

/// The tables, and the headline.
pub fn print_measurements(measurements: &Measurements) {
    println!("{}", measurements.table());
    let headline = measurements.headline();
    if !headline.is_empty() {
        println!("\n{headline}");
    }
}

/// What the intervals of a single training do not hold.
fn one_seed(measurements: &Measurements, learned: &[String]) -> Option<String> {
    let is_single = |row: &&Row| {
        let trained =
            learned.contains(&row.representation) && Path::new(&row.representation).is_dir();
        trained
            && row
                .answers
                .as_ref()
                .is_some_and(|answers| answers.seeds() == 1)
    };
    let row = measurements.rows.iter().find(is_single)?;
    Some(format!(
        "note: the intervals of {} hold labels and test samples, not the training: train with other seeds, and name all runs",
        row.representation
    ))
}

/// Names of the runs that are one but for their seeds.
fn seed_groups(names: &[String], flags: &ProbeFlags) -> Result<Vec<Vec<String>>> {
    if flags.seeds_apart {
        return Ok(Vec::new());
    }
    let groups = same_but_for_seed(names)?;
    let named = |group: Vec<usize>| {
        group
            .into_iter()
            .map(|place| names[place].clone())
            .collect()
    };
    Ok(groups.into_iter().map(named).collect())
}

/// What folds do to runs: they are tested on samples that they learned from.
///
/// # Errors
/// Of runs that learned from labels: their scores would mean nothing.
fn fold_warnings(names: &[String], folds: usize) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for name in names {
        let source = Source::parse(name)?;
        let Some(path) = source.run() else {
            continue;
        };
        let folder = RunFolder::open(path)?;
        if !folder.has_config() {
            continue;
        }
        if saw_labels(&folder)? {
            return Err(Error::config(format!(
                "--folds {folds}: {name} learned from the labels of samples that folds test; leave --folds out"
            )));
        }
        let text = format!(
            "{name} learned, without labels, from samples that the {folds} folds test: its scores may be too high"
        );
        say::warning(&text);
        warnings.push(text);
    }
    Ok(warnings)
}

/// The rows of the samples that all files of features hold.
fn common<'a>(
    dataset: &Dataset,
    files: impl Iterator<Item = &'a Path>,
    options: &TableOptions,
) -> Result<Vec<usize>> {
    let mut rows: Vec<usize> = (0..dataset.len()).collect();
    for path in files {
        let Some(ids) = representation::read(path, options)?.table.ids else {
            return Err(Error::file(
                path,
                "has no ids, so --common cannot tell which samples it holds; add an array `ids`",
            ));
        };
        let held: HashSet<String> = ids.into_iter().collect();
        rows.retain(|&row| held.contains(&dataset.ids[row]));
        if rows.is_empty() {
            let text = format!(
                "holds no sample of {} that the files before it hold",
                dataset.name
            );
            return Err(Error::file(path, text));
        }
    }
    say::note(format_args!(
        "measured on {} of {} samples, those that all files hold",
        rows.len(),
        dataset.len()
    ));
    Ok(rows)
}

/// How many of the rows are training samples.
fn training(dataset: &Dataset, rows: &[usize]) -> usize {
    let train = |&&row: &&usize| dataset.split[row] == Split::Train;
    rows.iter().filter(train).count()
}

/// What every table has besides the learned representations, for so many training samples.
fn baselines(
    dataset: &Dataset,
    train: usize,
    makers: &Sources,
    learners: &[(String, String)],
) -> Vec<String> {
    let mut names = vec!["pixels".to_owned()];
    names.extend(baseline_components(dataset.shape, train).map(|dims| format!("pca:{dims}")));
    let encoders = makers.architectures();
    let encoders = encoders.chain(learners.iter().map(|(_, encoder)| encoder.as_str()));
    for name in encoders.map(|name| format!("random:{name}")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
