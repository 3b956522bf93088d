use std::sync::atomic::AtomicBool;

use super::*;
use crate::dataset::{Column, Kind, Reading, Role, Sample, Samples, Values};
use crate::embed::embed;
use crate::run::{Line, RunFolder, TrainedEncoder};
use crate::training::Start;

const ROWS: usize = 96;

/// Vectors of four numbers less a shift.
struct Table {
    rows: Vec<[f32; 4]>,
    shift: Option<[f64; 4]>,
}

impl Samples for Table {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        Ok(Sample::Vector(self.rows[index][..].into()))
    }

    fn shift(&self) -> Option<&[f64]> {
        self.shift.as_ref().map(|shift| &shift[..])
    }
}

/// Two thirds train, a sixth each val and test, two classes. The classes of one split may be swapped, and the same
/// values be less another shift.
fn dataset(swapped: Option<Split>, shift: Option<[f64; 4]>) -> Dataset {
    let split = |i: usize| match i % 6 {
        4 => Split::Val,
        5 => Split::Test,
        _ => Split::Train,
    };
    let class = |i: usize| (i / 6 % 2) as u32 ^ u32::from(swapped == Some(split(i)));
    // Eighths, which single precision holds exactly.
    let value = |i: usize, j: usize| {
        let noise = (i * (j * 2 + 3) + i * i * (j + 1)) % 16;
        noise as f64 / 8.0 + f64::from(i as u32 / 6 % 2) * 0.5
    };
    let row = |i: usize| {
        let less = shift.unwrap_or_default();
        [0, 1, 2, 3].map(|j| (value(i, j) + [1.7e9, 0.0, 0.0, -3.0][j] - less[j]) as f32)
    };
    Dataset {
        name: "table".into(),
        kind: Kind::Vectors,
        shape: Shape::Vector { dim: 4 },
        ids: (0..ROWS).map(|i| format!("row/{i}")).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values: Values::Classes {
                names: vec!["even".into(), "odd".into()],
                index: (0..ROWS).map(|i| Some(class(i))).collect(),
            },
        }],
        split: (0..ROWS).map(split).collect(),
        bad: vec![],
        reading: Reading::default(),
        samples: Box::new(Table {
            rows: (0..ROWS).map(row).collect(),
            shift,
        }),
    }
}

const SHIFT: Option<[f64; 4]> = Some([1.7e9, 0.0, 0.0, 0.0]);

fn job<'a>(dataset: &'a Dataset, sets: &[&str], labelled: Option<&[usize]>) -> Job<'a> {
    let mut table = toml::Table::new();
    let common = ["encoder.width=8", "train.epochs=6", "train.batch_size=16"];
    for set in common.iter().chain(sets) {
        crate::config::set(&mut table, set).unwrap();
    }
    Job::new(
        Config::resolve(table, about(dataset)).unwrap(),
        dataset,
        labelled,
    )
    .unwrap()
}

/// The encoder's weights and the values of the online probe.
fn outcome(job: &Job) -> (Vec<(String, Vec<f32>)>, Vec<f64>) {
    let stop = AtomicBool::new(false);
    let trained = job.run(None, Start::Fresh, &mut |_| (), &stop).unwrap();
    let weights = trained.encoder.iter().map(|(name, weight)| {
        let values = crate::nn::weights::values(weight.value.clone());
        (name.to_owned(), values)
    });
    let probe = |line: &Line| line.values.get("online_probe").copied();
    (
        weights.collect(),
        trained.lines.iter().filter_map(probe).collect(),
    )
}

#[test]
fn val_labels_choose_and_nothing_else() {
    let data = dataset(None, SHIFT);
    let swapped = dataset(Some(Split::Val), SHIFT);
    for objective in ["objective=simclr", "objective=supervised"] {
        let of = |data, more: &str| outcome(&job(data, &[objective, more], None));
        let plain = of(&data, "seed=0");
        let other = of(&swapped, "seed=0");
        assert_eq!(plain.0, other.0, "{objective}");
        assert_ne!(plain.1, other.1, "{objective}: val samples are answered");
        let learned = [&data, &swapped].map(|data| of(data, "train.learn_from=train,val").0);
        assert_eq!(learned[0], learned[1], "{objective}");
        // An objective that learns from labels has none of val samples to learn from.
        assert_eq!(learned[0] == plain.0, objective == "objective=supervised");
    }
    let sets = [
        "objective=supervised",
        "train.learning_rate=0.01",
        "train.keep_best=online_probe",
    ];
    let best = |data| outcome(&job(data, &sets, None)).0;
    assert!(
        best(&data) != best(&swapped),
        "the best epoch for one is the worst for the other"
    );
}

#[test]
fn test_labels_never_matter() {
    let sets = ["train.keep_best=online_probe", "train.learn_from=train,val"];
    let swapped = dataset(Some(Split::Test), SHIFT);
    let of = |data| outcome(&job(data, &sets, None));
    assert_eq!(of(&dataset(None, SHIFT)), of(&swapped));
}

#[test]
fn with_few_labels_val_labels_are_not_read() {
    let data = dataset(None, SHIFT);
    let swapped = dataset(Some(Split::Val), SHIFT);
    let labelled: Vec<usize> = data.indices(Split::Train)[..24].to_vec();
    let sets = ["objective=supervised", "train.keep_best=online_probe"];
    let of = |data| outcome(&job(data, &sets, Some(&labelled)));
    assert_eq!(of(&data), of(&swapped));
}

/// The head is calibrated by val labels, and not where they may not be read.
#[test]
fn with_few_labels_the_head_is_not_calibrated() {
    let data = dataset(None, SHIFT);
    let labelled: Vec<usize> = data.indices(Split::Train)[..24].to_vec();
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, labelled: Option<&[usize]>| {
        let run = RunFolder::create(&folder.path().join(name), false).unwrap();
        let stop = AtomicBool::new(false);
        let job = job(&data, &["objective=supervised"], labelled);
        let trained = job.run(Some(&run), Start::Fresh, &mut |_| (), &stop);
        let head = trained.unwrap().head.unwrap();
        assert_eq!(head.temperature, 1.0);
        head.calibration.text(1.0)
    };
    let few = "not calibrated: 16 validation samples, and 20 are needed";
    assert_eq!(said("all", None), few);
    let unread = "not calibrated: no validation labels that may be read";
    assert_eq!(said("few", Some(&labelled)), unread);
}

#[test]
fn what_is_learned_from_is_said() {
    let data = dataset(None, SHIFT);
    let said = |sets: &[&str]| job(&data, sets, None).samples_used();
    let probe = "online_probe is the kNN accuracy on 16 val samples, answered by train samples";
    let kept = "16 val samples are kept for choosing epochs and settings, and not learned from";
    assert_eq!(said(&[]), ["learning from 64 train samples", kept, probe]);
    let both = "learning from 64 train samples and 16 val samples without their labels";
    assert_eq!(said(&["train.learn_from=train,val"]), [both, probe]);
    let lines = said(&["train.learn_from=train,val", "objective=supervised"]);
    assert_eq!(lines[0], "learning from 64 train samples with labels");
    assert!(
        lines[1].starts_with("16 val samples are not learned from: supervised"),
        "{lines:?}"
    );
}

/// Features of a run are the same whatever was subtracted from a table before it became single precision.
#[test]
fn features_do_not_depend_on_the_shift_of_a_table() {
    let data = dataset(None, SHIFT);
    let job = job(&data, &[], None);
    let stop = AtomicBool::new(false);
    let weights = job
        .run(None, Start::Fresh, &mut |_| (), &stop)
        .unwrap()
        .encoder;
    let about = job.describe();
    assert_eq!(about.input.shift, SHIFT.unwrap());
    let encoder = about.make().unwrap();
    let run = TrainedEncoder {
        about,
        encoder,
        weights,
    };
    let rows: Vec<usize> = (0..ROWS).collect();
    let features = |data: &Dataset| {
        let (weights, views) = (&run.weights, run.views(data).unwrap());
        let (_, _, device) = job.encoder();
        embed(
            &*run.encoder,
            weights,
            &views,
            data,
            &rows,
            device,
            &mut |_| (),
        )
        .unwrap()
        .features
    };
    let other = dataset(None, Some([1.7e9 + 12.5, 0.0, 0.25, -3.0]));
    assert_ne!(data.samples.get(0).unwrap(), other.samples.get(0).unwrap());
    assert_eq!(features(&data).data, features(&other).data);
}

/// Without batch normalisation the mean of micro-batches' gradients is the gradient of the whole batch.
#[test]
fn accumulated_gradients_are_those_of_the_whole_batch() {
    let data = dataset(None, SHIFT);
    let weights = |norm: bool, accumulate: usize| {
        let sets = [
            "objective.name=supervised".to_owned(),
            format!("encoder.norm={norm}"),
            format!("train.accumulate={accumulate}"),
        ];
        outcome(&job(&data, &sets.each_ref().map(String::as_str), None)).0
    };
    let apart = |norm: bool| {
        let (whole, parts) = (weights(norm, 1), weights(norm, 4));
        let pairs = whole.iter().zip(&parts);
        let pairs = pairs.flat_map(|((_, a), (_, b))| a.iter().zip(b));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let rounding = apart(false);
    assert!(rounding < 1e-4, "{rounding}");
    // With it, each micro-batch has statistics of its own.
    assert!(apart(true) > 10.0 * rounding);
}

#[test]
fn random_views_are_named_by_recipe_each_once() {
    let data = dataset(None, None);
    let names = |sets: &[&str]| -> Vec<&str> {
        let job = job(&data, sets, None);
        let views = job.random_views().into_iter();
        views.map(|(name, _)| name).collect()
    };
    // Two random views of a sample, both of `[views]`, until the second has settings of its own.
    assert_eq!(names(&["objective=simclr"]), ["random"]);
    let second = "views.second.noise.std=0.3";
    assert_eq!(names(&["objective=simclr", second]), ["random", "second"]);
    // Small views are always their own.
    let dino = names(&["objective=dino"]);
    assert_eq!(dino, ["random", "local"]);
    // An objective of plain views shows those of `[views]`.
    assert_eq!(names(&["objective=autoencoder"]), ["random"]);
}
