//! The mask probe on maps whose masks are known.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::auto::Auto;
use crate::dataset::{Column, Role, Split, Values};
use crate::matrix::Matrix;
use crate::probe::{
    Contender, HEAD, Labels, Limits, Measurements, ProbeOptions, measure, measure_masks,
};
use crate::random::mix;
use crate::representation::Representation;

const N: usize = 160;
/// Sides of a map and of a mask.
const MAP: usize = 6;
const SIDE: usize = 12;

/// In 0..1.
fn noise(row: usize, salt: usize) -> f64 {
    mix(&[row as u64, salt as u64]) as f64 / u64::MAX as f64
}

/// Class 3 in a box whose corner depends on the row, in places cut by the lattice of the map; 0 elsewhere; a corner is ignored.
fn mask(row: usize) -> Result<Mask> {
    let [top, left] = [1, 2].map(|salt| 2 * (noise(row, salt) * 4.0) as usize);
    let class = |i: usize| match (i / SIDE, i % SIDE) {
        (11, 11) => 255,
        (y, x) if (top..top + 4).contains(&y) && (left..left + 4).contains(&x) => 3,
        _ => 0,
    };
    Ok(Mask {
        width: SIDE,
        height: SIDE,
        classes: (0..SIDE * SIDE).map(class).collect(),
    })
}

/// Maps of the class and noise.
struct Noisy(f64);

impl FeatureMaps for Noisy {
    fn dims(&self) -> [usize; 3] {
        [MAP, MAP, 2]
    }

    fn input(&self) -> [usize; 2] {
        [SIDE, SIDE]
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        for batch in rows.chunks(7) {
            let mut maps = Vec::new();
            for &row in batch {
                let mask = mask(row)?;
                for place in 0..MAP * MAP {
                    let class = mask.classes[2 * (place / MAP) * SIDE + 2 * (place % MAP)];
                    let noise = |salt: usize| self.0 * (noise(row, 100 * salt + place) - 0.5);
                    maps.push((f64::from(class) + noise(1)) as f32);
                    maps.push(noise(2) as f32);
                }
            }
            use_them(batch, &maps)?;
        }
        Ok(())
    }
}

fn samples(name: &str) -> Representation {
    let ids: Vec<String> = (0..N).map(|i| format!("{i:03}")).collect();
    let all = |names: &[String]| Values::Classes {
        names: names.to_vec(),
        index: (0..N)
            .map(|i| Some(i as u32 % names.len() as u32))
            .collect(),
    };
    let column = |name: &str, role, values| Column {
        name: name.into(),
        role,
        values,
    };
    Representation {
        name: name.into(),
        features: Matrix::new(N, 0, Vec::new()),
        columns: vec![
            column("kind", Role::Label, all(&["a".into(), "b".into()])),
            column("box", Role::Mask, all(&ids)),
        ],
        split: (0..N)
            .map(|i| match i % 8 {
                0..4 => Split::Test,
                4 => Split::Val,
                _ => Split::Train,
            })
            .collect(),
        ids,
        origin: "known".into(),
        shift: Vec::new(),
    }
}

fn source<'a>(name: &str, noise: f64) -> Contender<'a> {
    let run = MapSource {
        samples: samples(name),
        maps: Box::new(Noisy(noise)),
        hash: format!("{noise}"),
    };
    Contender::Maps {
        name: name.into(),
        runs: vec![run],
    }
}

fn options() -> ProbeOptions {
    ProbeOptions {
        labels: vec![Labels::PerClass(1), Labels::PerClass(10), Labels::All],
        draws: Auto::Set(4),
        task: "box".into(),
        baseline: "noisy".into(),
        ..ProbeOptions::default()
    }
}

fn measured(
    contenders: Vec<Contender<'_>>,
    options: &ProbeOptions,
) -> Result<(Measurements, Vec<MaskExample>)> {
    let task = MaskTask {
        read: &mask,
        examples: 3,
        keep: None,
    };
    let limits = &mut Limits::default();
    measure_masks(contenders, task, options, "boxes", limits, &mut |_| ())
}

#[test]
fn masks_are_measured_repeatably_and_the_clearer_map_is_better() -> Result<()> {
    let sources = || vec![source("clear", 0.1), source("noisy", 9.0)];
    let (found, examples) = measured(sources(), &options())?;
    assert_eq!(
        (found.clone(), examples.clone()),
        measured(sources(), &options())?
    );
    assert_eq!(found.kind(), TaskKind::Masks);
    assert_eq!(found.mask_classes, ["0", "3"]);
    assert_eq!((found.train, found.val, found.test), (60, 20, 80));
    // The box has 16 of 143 known pixels, so all 0 has an IoU of 127/143 and one of 0.
    assert!((found.chance - 127.0 / 143.0 / 2.0).abs() < 1e-12);
    let row = |name: &str, labels| {
        let own = |row: &&crate::probe::Row| row.representation == name && row.labels == labels;
        found.rows.iter().find(own).expect("a row")
    };
    for labels in [Labels::PerClass(1), Labels::PerClass(10), Labels::All] {
        let [clear, noisy] = ["clear", "noisy"].map(|name| row(name, labels));
        let names: Vec<&str> = clear.scores.iter().map(|s| s.0.as_str()).collect();
        assert_eq!(names, scores::MASK_SCORES);
        assert_eq!(clear.probe, "mask");
        // Interpolation rounds the box's corners.
        assert!(clear.scores[0].1.mean > 0.8, "{:?}", clear.scores);
        assert!(noisy.scores[0].1.mean < clear.scores[0].1.mean - 0.1);
        // Images are what is sampled.
        assert_eq!(clear.answers.as_ref().map(|a| a.units()), Some(80));
    }
    let one = row("clear", Labels::PerClass(1));
    assert_eq!((one.labelled, one.draws.len()), (1, 4));
    // Both classes are in every mask, so that few masks are enough, and no class is rare.
    assert!(one.needs.is_none(), "{:?}", one.needs);
    assert_eq!(row("clear", Labels::All).val_labels, 20);
    assert!(found.comparisons.iter().all(|c| c.a == "clear" && c.seen));
    assert!(
        found
            .savings
            .iter()
            .any(|s| s.representation == "clear" && s.labels == 10)
    );
    assert_eq!(examples.len(), 3);
    for example in &examples {
        assert_eq!(example.truth, mask(example.row)?);
        let [(first, clear), (second, _)] = &example.answers[..] else {
            panic!("two answers")
        };
        assert_eq!((first.as_str(), second.as_str()), ("clear", "noisy"));
        let pairs = clear.classes.iter().zip(&example.truth.classes);
        let same = pairs.filter(|(a, b)| a == b).count();
        assert!(same > 130 && clear.classes.iter().all(|c| [0, 3].contains(c)));
    }
    let text = found.table();
    assert!(
        text.contains("mean_iou of the mask probe, by masks"),
        "{text}"
    );
    Ok(())
}

#[test]
fn folds_test_every_mask_once_and_groups_are_units() -> Result<()> {
    let options = ProbeOptions {
        folds: 4,
        labels: vec![Labels::All],
        ..options()
    };
    let (found, _) = measured(vec![source("clear", 0.1)], &options)?;
    assert_eq!((found.train, found.test), (160, 160));
    let row = &found.rows[0];
    assert_eq!(row.answers.as_ref().map(|a| a.units()), Some(160));
    assert!(row.scores[0].1.mean > 0.8 && row.scores[0].1.has_interval());
    let mut grouped = samples("clear");
    let pair = (0..N)
        .map(|i| Some(i as u32 / 8 * 4 + i as u32 % 4))
        .collect();
    grouped.columns.push(Column {
        name: "patient".into(),
        role: Role::Group,
        values: Values::Classes {
            names: (0..80).map(|i| i.to_string()).collect(),
            index: pair,
        },
    });
    let run = MapSource {
        samples: grouped,
        maps: Box::new(Noisy(0.1)),
        hash: String::new(),
    };
    let contender = Contender::Maps {
        name: "clear".into(),
        runs: vec![run],
    };
    let options = ProbeOptions {
        folds: 1,
        ..options
    };
    let (found, _) = measured(vec![contender], &options)?;
    assert_eq!(found.rows[0].answers.as_ref().map(|a| a.units()), Some(80));
    Ok(())
}

/// Learns nothing but how many masks it may read: the more, the less noise is in its logits.
struct Learner;

struct Logits(Noisy);

impl MaskLearner for Learner {
    fn learn(&self, draw: &MaskDraw<'_>) -> Result<Box<dyn FeatureMaps + '_>> {
        assert_eq!(draw.classes, [0, 3]);
        let rows = draw.rows;
        assert!(rows.labelled.iter().all(|row| rows.train.contains(row)));
        assert!(rows.test.iter().all(|row| !rows.train.contains(row)));
        Ok(Box::new(Logits(Noisy(20.0 / rows.labelled.len() as f64))))
    }
}

impl FeatureMaps for Logits {
    fn dims(&self) -> [usize; 3] {
        self.0.dims()
    }

    fn input(&self) -> [usize; 2] {
        self.0.input()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        self.0.each(rows, &mut |rows, maps| {
            let logits = maps.chunks_exact(2).flat_map(|m| [1.5 - m[0], m[0] - 1.5]);
            use_them(rows, &logits.collect::<Vec<f32>>())
        })
    }
}

#[test]
fn learners_are_asked_draw_by_draw_and_their_masks_kept() -> Result<()> {
    let learner = || Contender::MasksPerDraw {
        name: "learner".into(),
        samples: Box::new(samples("learner")),
        origin: "learner".into(),
        draws: 3,
        learner: Box::new(Learner),
    };
    let kept = Mutex::new(BTreeMap::new());
    let keep = |source: &str, row: usize, mask: &Mask| -> Result<()> {
        let before = kept
            .lock()
            .unwrap()
            .insert((source.to_owned(), row), mask.clone());
        assert_eq!(before, None);
        Ok(())
    };
    let task = MaskTask {
        read: &mask,
        examples: 2,
        keep: Some(&keep),
    };
    let limits = &mut Limits::default();
    let contenders = vec![source("noisy", 9.0), learner()];
    let (found, examples) =
        measure_masks(contenders, task, &options(), "boxes", limits, &mut |_| ())?;
    let own = |labels| {
        let mut rows = found.rows.iter();
        let row = rows.find(|row| row.representation == "learner" && row.labels == labels);
        row.expect("a row")
    };
    let (one, all) = (own(Labels::PerClass(1)), own(Labels::All));
    assert_eq!(
        (one.probe.as_str(), one.draws.len(), all.draws.len()),
        (HEAD, 3, 1)
    );
    assert!(one.scores[0].1.mean + 0.2 < all.scores[0].1.mean, "{one:?}");
    assert!(
        found
            .comparisons
            .iter()
            .any(|pair| pair.a == "learner" && pair.seen)
    );
    // Of each source all test images, with the most masks.
    let kept = kept.into_inner().unwrap();
    assert_eq!(kept.len(), 2 * found.test);
    for example in &examples {
        let names: Vec<&str> = example
            .answers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["noisy", "learner"]);
        for (name, answer) in &example.answers {
            assert_eq!(kept[&(name.clone(), example.row)], *answer);
        }
    }
    // In folds every mask is tested, and kept, once.
    let folds = ProbeOptions {
        folds: 4,
        labels: vec![Labels::All],
        ..options()
    };
    let (found, _) = measured(vec![learner()], &folds)?;
    assert_eq!(found.rows[0].answers.as_ref().map(|a| a.units()), Some(160));
    Ok(())
}

#[test]
fn runs_that_differ_in_their_seed_are_one_row() -> Result<()> {
    let run = |name: &str, noise: f64| MapSource {
        samples: samples(name),
        maps: Box::new(Noisy(noise)),
        hash: name.into(),
    };
    let several = Contender::Maps {
        name: "a (3 seeds)".into(),
        runs: vec![run("a", 0.1), run("b", 0.2), run("c", 0.3)],
    };
    let (found, _) = measured(vec![several], &options())?;
    assert_eq!(found.rows.len(), 3);
    let answers = found.rows[2].answers.as_ref();
    assert_eq!(answers.map(|a| (a.seeds(), a.draws())), Some((3, 1)));
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused =
        |contenders, options: &ProbeOptions, read: &(dyn Fn(usize) -> Result<Mask> + Sync)| {
            let task = MaskTask {
                read,
                examples: 0,
                keep: None,
            };
            let limits = &mut Limits::default();
            let found = measure_masks(contenders, task, options, "boxes", limits, &mut |_| ());
            found.map_or_else(|e| e.to_string(), |_| String::new())
        };
    let of = |task: &str| ProbeOptions {
        task: task.into(),
        ..options()
    };
    let clear = || vec![source("clear", 0.1)];
    let text = refused(clear(), &of("bow"), &mask);
    assert!(
        text.contains("column of masks `bow`; did you mean `box`?"),
        "{text}"
    );
    let text = refused(vec![Contender::Fixed(samples("flat"))], &options(), &mask);
    assert!(text.contains("flat has no feature maps"), "{text}");
    let text = measure(clear(), &of("kind"), "boxes", &mut |_| ());
    let text = text.map_or_else(|e| e.to_string(), |_| String::new());
    assert!(text.contains("`kind` is no column of them"), "{text}");
    // Masks of 0 and 255 have one class; all of 255 none.
    let with = |class: u8| {
        move |row: usize| -> Result<Mask> {
            let mut mask = mask(row)?;
            let pixels = mask.classes.iter_mut();
            pixels.for_each(|c| *c = if *c == 3 { 255 } else { class });
            Ok(mask)
        }
    };
    let text = refused(clear(), &options(), &with(0));
    assert!(
        text.contains("of class 0") && text.contains("saved as 0 and 1"),
        "{text}"
    );
    let text = refused(clear(), &options(), &with(255));
    assert!(
        text.contains("no mask of `box` has a pixel of a class"),
        "{text}"
    );
}

#[test]
fn a_draw_of_one_class_answers_with_it() -> Result<()> {
    // Masks of one class each, of which a draw of one mask sees one.
    let plain = |row: usize| -> Result<Mask> {
        let class = if (row / 8).is_multiple_of(2) { 0 } else { 3 };
        Ok(Mask {
            classes: vec![class; SIDE * SIDE],
            ..mask(row)?
        })
    };
    let task = MaskTask {
        read: &plain,
        examples: 0,
        keep: None,
    };
    let options = ProbeOptions {
        labels: vec![Labels::PerClass(1)],
        ..options()
    };
    let limits = &mut Limits::default();
    let contenders = vec![source("clear", 0.1)];
    let (found, _) = measure_masks(contenders, task, &options, "plain", limits, &mut |_| ())?;
    // Half of the pixels are right, and the other class is never answered.
    assert_eq!(found.rows[0].draws, [0.25; 4]);
    assert_eq!(found.rows[0].chosen, ["one class"; 4]);
    assert_eq!(found.chance, 0.25);
    Ok(())
}
