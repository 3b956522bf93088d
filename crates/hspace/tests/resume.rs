//! A training that was stopped and resumed is the one that was not, for every objective: what it keeps besides
//! weights (queues, centres, teachers, prototypes, codebooks, second optimizers) is kept too.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hspace::config::Config;
use hspace::dataset::{Dataset, OpenOptions, Role, Shape, Split, Values};
use hspace::embed::to_matrix;
use hspace::encoder::ENCODERS;
use hspace::error::Error;
use hspace::job::{Job, about};
use hspace::nn::Weight;
use hspace::nn::weights::Weights;
use hspace::objective::OBJECTIVES;
use hspace::optim::ema::Export;
use hspace::run::RunFolder;
use hspace::training::{Start, Trained};

const STEPS: usize = 5;

/// Vectors of two classes, and images of two, in files.
fn sources(folder: &Path) -> [String; 2] {
    let number = |i: usize, j: usize| ((1 + i) as f64 * 0.37 * (1 + j) as f64 + i as f64).sin();
    let header: String = (0..6).map(|j| format!("x{j},")).collect();
    let row = |i: usize| {
        let numbers: String = (0..6).map(|j| format!("{:.4},", number(i, j))).collect();
        // Some have no label: samples of a target, for domain adaptation.
        let label = ["even", "odd", "", "odd", "even", ""][i % 6];
        format!("{numbers}{label},{}\n", ["a", "b"][i / 2 % 2])
    };
    let rows: String = (0..120).map(row).collect();
    let path = folder.join("vectors.csv");
    std::fs::write(&path, format!("{header}label,domain:site\n{rows}")).unwrap();
    [path.display().to_string(), "builtin:mnist-mini".to_owned()]
}

/// With labels of some samples alone: those of a target, to domain adaptation, have none.
fn opened(source: &str) -> Dataset {
    let options = OpenOptions {
        few_labels: if source.starts_with("builtin:") {
            40
        } else {
            0
        },
        ..OpenOptions::default()
    };
    Dataset::open(source, &options).unwrap()
}

/// Of an objective with settings in TOML in addition to its defaults.
fn config(objective: (&str, &str), encoder: &str, dataset: &Dataset) -> Config {
    config_with(objective, encoder, dataset, "")
}

/// With settings of the training in TOML too.
fn config_with(
    (objective, more): (&str, &str),
    encoder: &str,
    dataset: &Dataset,
    train: &str,
) -> Config {
    let text = format!(
        "[encoder]\nname = \"{encoder}\"\n[objective]\nname = \"{objective}\"\n{more}\n[train]\nsteps = {STEPS}\nbatch_size = 16\nlog_every = 1\n{train}\n"
    );
    let mut table = text.parse().unwrap();
    let entry = ENCODERS.iter().find(|entry| entry.name == encoder).unwrap();
    let defaults = (entry.defaults)();
    for (key, small) in [("width", 8), ("depth", 2), ("heads", 2)] {
        if defaults.contains_key(key) {
            hspace::config::set(&mut table, &format!("encoder.{key}={small}")).unwrap();
        }
    }
    let ratio = OBJECTIVES.iter().find(|entry| entry.name == objective);
    if ratio.is_some_and(|entry| (entry.defaults)().contains_key("ratio")) {
        // There are few samples.
        hspace::config::set(&mut table, "objective.ratio=2").unwrap();
    }
    if LAYERWISE.contains(&objective) {
        hspace::config::set(&mut table, "encoder.norm=false").unwrap();
    }
    Config::resolve(table, about(dataset)).unwrap()
}

/// Runs until step `until`, where it is asked to stop; the first step, and what came of it.
fn run(
    job: &Job,
    folder: &RunFolder,
    start: Start,
    until: usize,
) -> (Option<usize>, Result<Trained, Error>) {
    let stop = AtomicBool::new(false);
    let mut first = None;
    let mut watch = |progress: &hspace::training::Progress| {
        first.get_or_insert(progress.step);
        stop.store(progress.step >= until, Ordering::Relaxed);
    };
    let result = job.run(Some(folder), start, &mut watch, &stop);
    (first, result)
}

/// Weights by name, each number as its bits.
type Bits = Vec<(String, Vec<u32>)>;

fn bits(weights: &Weights) -> Bits {
    let bits = |(name, weight): (&str, &Weight)| {
        let row = to_matrix(weight.value.clone().inner().unsqueeze());
        (
            name.to_owned(),
            row.data.iter().map(|x| x.to_bits()).collect(),
        )
    };
    weights.iter().map(bits).collect()
}

/// Objectives that teach perceptrons without normalisation.
const LAYERWISE: [&str; 2] = ["stacked_autoencoder", "dbn"];

/// The encoder that an objective teaches here from vectors, or from images; `None` where it is not for these data.
fn encoder_for(objective: &str, vectors: bool) -> Option<&'static str> {
    match (objective, vectors) {
        ("mae" | "rotation", true) | ("scarf" | "group_dro" | "irm" | "vrex", false) => None,
        ("mae", false) => Some("vit_tiny"),
        ("ladder" | "stacked_autoencoder" | "dbn", _) | (_, true) => Some("mlp"),
        (_, false) => Some("cnn"),
    }
}

/// The bits of all weights after a training, and of the loss of each step.
fn trained(objective: &str, encoder: &str, dataset: &Dataset) -> (Bits, Vec<Option<u64>>) {
    let config = config((objective, ""), encoder, dataset);
    let job = Job::new(config, dataset, None).unwrap();
    let stop = AtomicBool::new(false);
    let trained = job.run(None, Start::Fresh, &mut |_| (), &stop).unwrap();
    let lines = trained.lines.iter();
    let losses = lines.map(|line| line.values.get("loss").map(|loss| loss.to_bits()));
    (bits(&trained.model), losses.collect())
}

/// Every training is the same on one, two and seven threads, to the bit.
#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [vectors, images] = sources(folder.path());
    for entry in OBJECTIVES {
        let (source, encoder) = match encoder_for(entry.name, false) {
            Some(encoder) => (&images, encoder),
            None => (&vectors, encoder_for(entry.name, true).unwrap()),
        };
        let dataset = opened(source);
        let [one, two, seven] = [1, 2, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                assert_eq!(hspace::device::threads(), threads);
                trained(entry.name, encoder, &dataset)
            })
        });
        assert!(one.1.iter().flatten().count() > 0, "{}", entry.name);
        assert_eq!(one, two, "{}", entry.name);
        assert_eq!(one, seven, "{}", entry.name);
    }
}

/// Whatever the labels of the test samples are, every training ends with the same weights, to the bit.
#[test]
fn labels_of_test_samples_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = BTreeSet::new();
    for source in sources(folder.path()) {
        let dataset = opened(&source);
        let vectors = matches!(dataset.shape, Shape::Vector { .. });
        let mut other = opened(&source);
        let test = other.indices(Split::Test);
        let task = other.columns.iter_mut().find(|c| c.role == Role::Label);
        let Some(Values::Classes { index, names }) = task.map(|c| &mut c.values) else {
            panic!("{source} has classes");
        };
        for &row in &test {
            index[row] = index[row].map(|class| (class + 1) % names.len() as u32);
        }
        assert!(!test.is_empty());
        for entry in OBJECTIVES {
            if let Some(encoder) = encoder_for(entry.name, vectors) {
                let [own, changed] =
                    [&dataset, &other].map(|data| trained(entry.name, encoder, data));
                assert_eq!(own, changed, "{} on {source}", entry.name);
                tried.insert(entry.name);
            }
        }
    }
    assert_eq!(tried.len(), OBJECTIVES.len(), "{tried:?}");
}

#[test]
fn stopped_and_resumed_is_the_same_as_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for source in sources(folder.path()) {
        let dataset = opened(&source);
        let vectors = matches!(dataset.shape, Shape::Vector { .. });
        let all = OBJECTIVES.iter().map(|entry| (entry.name, ""));
        // What the default form does not keep.
        let others = [
            ("swav", "queue = 32\nqueue_start = 0.0"),
            ("moco", "queue = 0"),
        ];
        let plain = all.chain(others).map(|objective| (objective, "cnn"));
        let transformers = [("dino", ""), ("moco", "queue = 0"), ("mae", "")];
        let transformers = transformers.map(|objective| (objective, "vit_tiny"));
        for (objective, of_images) in plain.chain(transformers) {
            let encoder = match (objective.0, vectors, of_images) {
                ("mae", false, "cnn")
                | ("scarf" | "group_dro" | "irm" | "vrex", false, _)
                | (_, true, "vit_tiny") => continue,
                ("mae" | "rotation", true, _) => continue,
                ("ladder" | "stacked_autoencoder" | "dbn", ..) | (_, true, _) => "mlp",
                (_, false, encoder) => encoder,
            };
            let config = config(objective, encoder, &dataset);
            let job = match Job::new(config, &dataset, None) {
                Ok(job) => job,
                Err(error) => panic!("{objective:?}: {error}"),
            };
            let path = |name: &str| folder.path().join(format!("{name}-{tried}"));
            let make = |name: &str| RunFolder::create(&path(name), false).unwrap();
            let whole = run(&job, &make("whole"), Start::Fresh, STEPS).1.unwrap();
            let stopped = make("stopped");
            let error = run(&job, &stopped, Start::Fresh, 2).1.err();
            assert!(
                matches!(error, Some(Error::Interrupted(_))),
                "{objective:?}: {error:?}"
            );
            let (first, resumed) = run(&job, &stopped, Start::Resume, STEPS);
            let resumed = resumed.unwrap();
            let name = format!("{objective:?} on {source}");
            assert_eq!(first, Some(3), "{name}");
            assert_eq!(bits(&whole.model), bits(&resumed.model), "{name}");
            assert_eq!(
                [whole.lines.len(), resumed.lines.len()],
                [STEPS; 2],
                "{name}"
            );
            for (a, b) in whole.lines.iter().zip(&resumed.lines) {
                let timeless = |line: &hspace::run::Line| {
                    let mut values = line.values.clone();
                    values.remove("images_per_s");
                    (line.step, values)
                };
                assert_eq!(timeless(a), timeless(b), "{name}");
            }
            tried += 1;
        }
    }
    assert!(tried > OBJECTIVES.len(), "{tried} trainings");
}

/// What a training leaves behind: its weights, and those of encoder.safetensors.
struct Left {
    trained: Trained,
    kept: Weights,
    exported: Export,
}

/// Trains without a stop, then with one after two steps; both leave the same, which is returned.
fn left(
    at: &Path,
    name: &str,
    objective: &str,
    encoder: &str,
    dataset: &Dataset,
    train: &str,
) -> Left {
    let unprobed = format!("online_probe = false\n{train}");
    let config = config_with((objective, ""), encoder, dataset, &unprobed);
    let job = Job::new(config, dataset, None).unwrap();
    let make = |way: &str| RunFolder::create(&at.join(format!("{name}-{way}")), false).unwrap();
    let whole = make("whole");
    let trained = run(&job, &whole, Start::Fresh, STEPS).1.unwrap();
    let stopped = make("stopped");
    assert!(run(&job, &stopped, Start::Fresh, 2).1.is_err());
    let resumed = run(&job, &stopped, Start::Resume, STEPS).1.unwrap();
    let name = format!("{objective} {train}");
    assert_eq!(bits(&trained.model), bits(&resumed.model), "{name}");
    assert_eq!(bits(&trained.encoder), bits(&resumed.encoder), "{name}");
    let kept = whole.read_encoder(&hspace::device::Device::cpu()).unwrap();
    Left {
        trained,
        kept: kept.weights,
        exported: kept.about.exported,
    }
}

/// The average of every objective's weights and the teachers are in checkpoints, and what is exported is theirs.
#[test]
fn averages_and_teachers_are_exported_and_resume_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let [vectors, pictures] = sources(folder.path());
    let (vectors, pictures) = (opened(&vectors), opened(&pictures));
    let teachers = ["byol", "moco", "dino", "mean_teacher"];
    for (i, entry) in OBJECTIVES.iter().enumerate() {
        let name = entry.name;
        let (dataset, encoder) = match name {
            "mae" => (&pictures, "vit_tiny"),
            // With running statistics.
            "supervised" | "byol" | "rotation" => (&pictures, "cnn"),
            _ => (&vectors, "mlp"),
        };
        let of = |way: usize, train: &str| {
            let run = format!("{i}-{way}");
            left(folder.path(), &run, name, encoder, dataset, train)
        };
        let plain = of(0, "ema = 0.0\nexport = \"model\"");
        let with_ema = of(1, "ema = 0.9\nexport = \"model\"");
        assert_eq!(plain.exported, Export::Model, "{name}");
        assert_eq!(
            bits(&plain.trained.model),
            bits(&with_ema.trained.model),
            "{name}"
        );
        // Of a teacher that is kept by default, too.
        let average = of(2, "ema = 0.9\nexport = \"ema\"");
        assert_eq!(average.exported, Export::Ema, "{name}");
        assert_eq!(
            bits(&average.kept),
            bits(&average.trained.encoder),
            "{name}"
        );
        let names = |weights: &Weights| -> Vec<String> {
            weights.iter().map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(
            names(&plain.trained.model),
            names(&average.trained.model),
            "{name}"
        );
        for ((of, own), (_, averaged)) in bits(&plain.kept).iter().zip(bits(&average.kept)) {
            let same = *own == averaged;
            // A bias that normalisation takes off again, or a number that no sample moves, stays 0.
            assert!(!same || own.iter().all(|bits| *bits == 0), "{name}: {of}");
        }
        let config = config_with((name, ""), encoder, dataset, "export = \"teacher\"");
        if !teachers.contains(&name) {
            let Err(error) = Job::new(config, dataset, None) else {
                panic!("{name} has no teacher");
            };
            assert!(error.to_string().contains("has model and ema"), "{error}");
            continue;
        }
        let teacher = of(3, "export = \"teacher\"");
        assert_eq!(teacher.exported, Export::Teacher);
        let own = plain.trained.model.under("teacher.encoder");
        assert_eq!(bits(&teacher.kept), bits(&own), "{name}");
        assert_ne!(bits(&teacher.kept), bits(&plain.kept), "{name}");
    }
    let config = config_with(("supervised", ""), "mlp", &vectors, "export = \"ema\"");
    let Err(error) = Job::new(config, &vectors, None) else {
        panic!("there is no average");
    };
    assert!(error.to_string().contains("train.ema=0.999"), "{error}");
}
