//! A whole measurement, and what it says in words.

use super::*;
use crate::auto::Auto;
use crate::dataset::{Column, Role, Split, Values};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::representation::Representation;

const N: usize = 240;

/// Three classes on the first axis, a number on the second, a scanner on the third.
pub(super) fn data(name: &str) -> Representation {
    let noise = |i: usize, salt: usize| ((i * 7919 + salt * 104_729) % 1009) as f32 / 1009.0 - 0.5;
    let row = |i: usize| {
        [
            (i % 3) as f32 + noise(i, 1),
            noise(i, 2),
            (i / 3 % 2) as f32 + noise(i, 3),
        ]
    };
    let classes = |name: &str, role, k: usize, of: &dyn Fn(usize) -> usize| Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: (0..k).map(|c| c.to_string()).collect(),
            index: (0..N).map(|i| Some(of(i) as u32)).collect(),
        },
    };
    Representation {
        shift: Vec::new(),
        name: name.into(),
        features: Matrix::new(N, 3, (0..N).flat_map(row).collect()),
        ids: (0..N).map(|i| format!("{i}")).collect(),
        columns: vec![
            classes("label", Role::Label, 3, &|i| i % 3),
            Column {
                name: "height".into(),
                role: Role::Label,
                values: Values::Numbers(
                    (0..N)
                        .map(|i| Some(f64::from(noise(i, 2)) * 10.0))
                        .collect(),
                ),
            },
            classes("scanner", Role::Nuisance, 2, &|i| i / 3 % 2),
        ],
        split: (0..N)
            .map(|i| {
                if i % 4 == 0 {
                    Split::Test
                } else {
                    Split::Train
                }
            })
            .collect(),
        origin: "test".into(),
    }
}

pub(super) fn short() -> ProbeOptions {
    ProbeOptions {
        labels: vec![Labels::PerClass(2), Labels::PerClass(10), Labels::All],
        draws: Auto::Set(3),
        ..ProbeOptions::default()
    }
}

fn complaint(contenders: Vec<Contender<'_>>, options: &ProbeOptions) -> String {
    measure(contenders, options, "test", &mut |_| ())
        .map_or_else(|e| e.to_string(), |_| String::new())
}

#[test]
fn every_probe_measures_repeatably_and_above_chance() -> Result<()> {
    for Entry {
        name,
        summary,
        item,
        ..
    } in PROBES
    {
        assert!(!summary.is_empty());
        // Of feature maps, which are measured in `mask/tests.rs`.
        if item.tasks == [TaskKind::Masks] {
            continue;
        }
        let task = match item.tasks {
            [TaskKind::Numbers] => "height",
            _ => "label",
        };
        let options = ProbeOptions {
            probes: vec![name.to_string()],
            task: task.into(),
            ..short()
        };
        let run = || {
            measure(
                vec![Contender::Fixed(data("a"))],
                &options,
                "test",
                &mut |_| (),
            )
        };
        let measured = run()?;
        assert_eq!(measured, run()?, "{name}");
        for row in &measured.rows {
            assert_eq!(row.probe, *name);
            assert!(
                row.scores
                    .iter()
                    .all(|s| s.1.low <= s.1.mean && s.1.mean <= s.1.high)
            );
        }
        match measured.rows.last() {
            Some(row) => assert!(row.scores[0].1.low > measured.chance, "{name}: {row:?}"),
            None => assert!(measured.geometry[0].nmi.is_some(), "{name}"),
        }
    }
    Ok(())
}

/// Answers with the class of the nearest labelled row of [`data`], after asking `may`.
pub(super) fn nearest<'a>(
    name: &str,
    draws: usize,
    may: &'a (dyn Fn() -> Result<()> + Sync),
) -> Contender<'a> {
    let samples = data(name);
    let Values::Classes { names, index } = samples.columns[0].values.clone() else {
        panic!("classes");
    };
    let features = samples.features.clone();
    let distance = move |a: usize, b: usize| -> f32 {
        let pairs = features.row(a).iter().zip(features.row(b));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let answer = move |draw: &Draw<'_>| -> Result<Vec<f64>> {
        may()?;
        let of = |&row: &usize| -> Vec<f64> {
            let near = |a: &&usize, b: &&usize| distance(row, **a).total_cmp(&distance(row, **b));
            let nearest = draw.labelled.iter().min_by(near).expect("labelled rows");
            let class = index[*nearest].expect("a label");
            let p = |c: usize| {
                if c == class as usize {
                    0.9
                } else {
                    0.1 / (names.len() - 1) as f64
                }
            };
            (0..names.len()).map(p).collect()
        };
        Ok(draw.test.iter().flat_map(of).collect())
    };
    Contender::PerDraw {
        name: name.into(),
        samples: Box::new(samples),
        origin: "nearest".into(),
        draws,
        labels_alone: None,
        answer: Box::new(answer),
    }
}

#[test]
fn a_whole_comparison() -> Result<()> {
    let mut worse = data("pixels");
    for (i, x) in worse.features.data.iter_mut().enumerate() {
        *x += ((i * 31) % 17) as f32 / 5.0;
    }
    let again = nearest("supervised", 2, &|| Ok(()));
    let contenders = vec![Contender::Fixed(data("a")), Contender::Fixed(worse), again];
    let measured = measure(contenders, &short(), "test", &mut |_| ())?;
    // 3 numbers of labels for 2 contenders by 2 probes, and for one by its own head.
    assert_eq!(measured.rows.len(), 15);
    let draws = |name: &str| -> Vec<&[f64]> {
        let rows = measured
            .rows
            .iter()
            .filter(|r| r.representation == name && r.probe == "linear");
        rows.map(|r| r.draws.as_slice()).collect()
    };
    assert_eq!(draws("a")[0].len(), 3);
    assert!(draws("supervised").is_empty());
    let own = measured
        .rows
        .iter()
        .filter(|r| r.representation == "supervised");
    for (row, draws) in own.zip([2, 2, 1]) {
        assert_eq!((row.probe.as_str(), row.draws.len()), (HEAD, draws));
    }
    // It is compared with each probe of the others.
    for probe in ["linear", "knn"] {
        let mut pairs = measured
            .comparisons
            .iter()
            .filter(|c| c.probe == probe && c.labels == Labels::All);
        assert!(
            pairs.any(|c| [&c.a, &c.b].contains(&&"supervised".to_owned())),
            "{probe}"
        );
    }
    assert_eq!(measured.nuisances.len(), 2);
    assert!(measured.nuisances[0].warning, "{:?}", measured.nuisances[0]);
    assert_eq!(measured.confusions.len(), 3);
    assert_eq!(measured.geometry.len(), 2);
    let table = measured.table();
    for text in [
        "accuracy of the linear probe",
        "supervised answers with its own head, trained on each draw of labels",
        "chance",
        "warning: `scanner`",
    ] {
        assert!(table.contains(text), "{table}");
    }
    assert!(
        measured.headline().starts_with("30 labels on a do what "),
        "{}",
        measured.headline()
    );
    Ok(())
}

/// Savings as they are put in words, by what is known of them.
#[test]
fn savings_are_reported_as_far_as_they_are_known() -> Result<()> {
    let contenders = ["a", "pixels"].map(|name| Contender::Fixed(data(name)));
    let mut measured = measure(contenders.into(), &short(), "test", &mut |_| ())?;
    let chance = measured.chance;
    let mut headline = |low: f64, saving: Savings| {
        for row in measured.rows.iter_mut().filter(|r| r.probe == "linear") {
            row.scores[0].1 = Estimate {
                mean: 0.75,
                low,
                high: 0.8,
            };
        }
        measured.savings = vec![saving];
        (measured.headline(), measured.headline_saving().is_some())
    };
    let saving = Savings {
        representation: "a".into(),
        baseline: "pixels".into(),
        probe: "linear".into(),
        labels: 30,
        seen: true,
        equals: Some((60.0, 60.0)),
        at_least: Some(50.0),
        at_most: Some(70.0),
    };
    let unseen = Savings {
        seen: false,
        ..saving.clone()
    };
    let flat = Savings {
        equals: Some((60.0, 65.0)),
        ..saving.clone()
    };
    let least = Savings {
        at_most: None,
        ..saving.clone()
    };
    let most = Savings {
        at_least: None,
        ..saving.clone()
    };
    let open = Savings {
        at_least: None,
        at_most: None,
        ..saving.clone()
    };
    for (low, saving, part, is_saving) in [
        (
            0.7,
            saving.clone(),
            "do what 60 (95 % interval 50 to 70) labels do on raw pixels",
            true,
        ),
        (0.7, flat, "do what 60 to 65 (95 % interval 50 to 70)", true),
        (0.7, least, "do what at least 50 labels", true),
        (0.7, most, "do what at most 70 labels", true),
        (0.7, open, "left open by the curves", false),
        (
            0.7,
            unseen,
            "30 labels on a and on raw pixels: no difference seen (at most .",
            false,
        ),
        (chance, saving, "no better than guessing", false),
    ] {
        let (text, found) = headline(low, saving);
        assert!(text.contains(part) && found == is_saving, "{text}");
    }
    Ok(())
}

/// The same array, once stretched, and by column shifted too: equal answers, and no difference seen anywhere.
#[test]
fn one_array_given_twice_gives_equal_rows() -> Result<()> {
    for (scaling, constant) in [(Scaling::Overall, 0.0), (Scaling::Columns, 64.0)] {
        let mut other = data("other");
        let values = other.features.data.iter_mut();
        values.for_each(|x| *x = *x * 4.0 + constant);
        let options = ProbeOptions { scaling, ..short() };
        let contenders = vec![Contender::Fixed(data("pixels")), Contender::Fixed(other)];
        let found = measure(contenders, &options, "test", &mut |_| ())?;
        let of = |name: &str| -> Vec<(String, Option<Crossed>)> {
            let rows = found.rows.iter().filter(|r| r.representation == name);
            rows.map(|r| (r.probe.clone(), r.answers.clone())).collect()
        };
        assert_eq!(of("pixels"), of("other"));
        assert!(found.comparisons.len() == 6 && found.comparisons.iter().all(|c| !c.seen));
        assert!(found.savings.iter().all(|s| !s.seen && s.equals.is_none()));
        assert!(
            found.headline().contains("no difference seen"),
            "{}",
            found.headline()
        );
    }
    Ok(())
}

#[test]
fn a_penalty_given_by_hand_is_on_features_as_they_are() -> Result<()> {
    let options = ProbeOptions {
        probes: vec!["linear".into()],
        linear: LinearOptions {
            c: crate::auto::Auto::Set(0.01),
        },
        ..short()
    };
    let mut stretched = data("stretched");
    stretched.features.data.iter_mut().for_each(|x| *x *= 16.0);
    let contenders = vec![Contender::Fixed(data("a")), Contender::Fixed(stretched)];
    let found = measure(contenders, &options, "test", &mut |_| ())?;
    let loss = |row: &Row| {
        row.scores
            .iter()
            .find(|s| s.0 == "log_loss")
            .map(|s| s.1.mean)
    };
    let (few, many) = (&found.rows[2], &found.rows[5]);
    // Stretched features are penalised less.
    assert!(
        loss(few) > loss(many).map(|x| 2.0 * x),
        "{:?} {:?}",
        loss(few),
        loss(many)
    );
    Ok(())
}

#[test]
fn folds_test_every_labelled_sample_once() -> Result<()> {
    let options = ProbeOptions {
        folds: 4,
        ..short()
    };
    let contenders = vec![Contender::Fixed(data("a"))];
    let found = measure(contenders, &options, "test", &mut |_| ())?;
    assert_eq!((found.test, found.folds), (N, 4));
    for row in &found.rows {
        let answers = row.answers.as_ref().unwrap();
        assert_eq!(answers.units(), N);
        assert!(row.scores[0].1.has_interval(), "{row:?}");
    }
    // Of all labels, three quarters are learned from.
    assert_eq!(found.rows[2].labelled, N * 3 / 4);
    assert!(
        found
            .table()
            .contains("4 folds, in which every labelled sample is tested once")
    );
    let many = ProbeOptions {
        folds: 200,
        ..short()
    };
    assert!(
        complaint(vec![Contender::Fixed(data("a"))], &many).contains("200 folds need at least 400")
    );
    Ok(())
}

/// A source that learns from each draw is measured in folds as features are: its own head answers, and its rows are paired with theirs.
#[test]
fn learners_are_measured_in_folds() -> Result<()> {
    let options = ProbeOptions {
        folds: 4,
        ..short()
    };
    let learner = || nearest("supervised", 3, &|| Ok(()));
    let both = vec![Contender::Fixed(data("a")), learner()];
    let found = measure(both, &options, "test", &mut |_| ())?;
    let own = found.rows.iter().filter(|r| r.probe == HEAD);
    for (row, draws) in own.clone().zip([3, 3, 1]) {
        let answers = row.answers.as_ref().unwrap();
        assert_eq!((answers.units(), row.draws.len()), (N, draws));
    }
    let pairs = || found.comparisons.iter().filter(|c| c.probe == "linear");
    assert_eq!(pairs().count(), 3);
    // Chance is a third; the nearest of 180 labelled rows is right far more often.
    assert!(
        own.clone()
            .next_back()
            .unwrap()
            .main_score()
            .unwrap()
            .1
            .mean
            > 0.7
    );
    // Measured apart and joined, they are the same.
    let alone = |of| measure(vec![of], &options, "test", &mut |_| ());
    let files = vec![
        ("a.json".to_owned(), alone(Contender::Fixed(data("a")))?),
        ("b.json".to_owned(), alone(learner())?),
    ];
    let joined = join(files, &options.baseline)?;
    assert_eq!(
        (joined.rows, joined.comparisons),
        (found.rows, found.comparisons)
    );
    Ok(())
}

#[test]
fn runs_of_several_seeds_are_one_row() -> Result<()> {
    let mut noisy = data("b");
    for (i, x) in noisy.features.data.iter_mut().enumerate() {
        *x += ((i * 31) % 17) as f32 / 40.0;
    }
    let seeds = Contender::Seeds {
        name: "a (2 seeds)".into(),
        runs: vec![data("a"), noisy],
    };
    let found = measure(vec![seeds], &short(), "test", &mut |_| ())?;
    let alone = measure(
        vec![Contender::Fixed(data("a"))],
        &short(),
        "test",
        &mut |_| (),
    )?;
    for (both, one) in found.rows.iter().zip(&alone.rows) {
        assert_eq!(both.representation, "a (2 seeds)");
        assert_eq!(both.answers.as_ref().map(Crossed::seeds), Some(2));
        assert_eq!(both.draws.len(), one.draws.len());
        assert_eq!(both.scores.len(), one.scores.len());
    }
    assert_eq!(found.geometry.len(), 2);
    Ok(())
}

#[test]
fn stored_answers_are_compared_as_measured_ones() -> Result<()> {
    let mut worse = data("pixels");
    for (i, x) in worse.features.data.iter_mut().enumerate() {
        *x += ((i * 31) % 17) as f32 / 5.0;
    }
    let alone = |r: &Representation| {
        let found = measure(
            vec![Contender::Fixed(r.clone())],
            &short(),
            "test",
            &mut |_| (),
        )?;
        let text = serde_json::to_string(&found).expect("JSON");
        Ok::<Measurements, crate::Error>(serde_json::from_str(&text).expect("measurements"))
    };
    let (a, pixels) = (alone(&data("a"))?, alone(&worse)?);
    let both = vec![Contender::Fixed(data("a")), Contender::Fixed(worse.clone())];
    let together = measure(both, &short(), "test", &mut |_| ())?;
    let joined = join(
        vec![
            ("a.json".into(), a.clone()),
            ("b.json".into(), pixels.clone()),
        ],
        "pixels",
    )?;
    let key = |c: &Comparison| {
        (
            c.a.clone(),
            c.probe.clone(),
            c.labels,
            c.difference.mean,
            c.p,
        )
    };
    let sorted = |of: &[Comparison]| {
        let mut keys: Vec<_> = of.iter().map(key).collect();
        keys.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        keys
    };
    assert_eq!(sorted(&joined.comparisons), sorted(&together.comparisons));
    assert_eq!(joined.savings.len(), together.savings.len());
    // The same results twice are one; other results of one name are kept apart.
    let twice = join(
        vec![("a.json".into(), a.clone()), ("c.json".into(), a.clone())],
        "pixels",
    )?;
    assert_eq!(twice.origins.len(), 1);
    let mut renamed = pixels.clone();
    renamed.origins[0].0 = "a".into();
    renamed
        .rows
        .iter_mut()
        .for_each(|row| row.representation = "a".into());
    let apart = join(
        vec![("a.json".into(), a.clone()), ("c.json".into(), renamed)],
        "pixels",
    )?;
    assert_eq!(apart.origins[1].0, "a (c.json)");
    // What cannot be paired is refused.
    let mut other = pixels;
    other.seed = 9;
    let refused = |m: Measurements| {
        let files = vec![("a.json".into(), a.clone()), ("b.json".into(), m)];
        join(files, "pixels").map_or_else(|e| e.to_string(), |_| String::new())
    };
    assert!(refused(other.clone()).contains("b.json: has another seed of the draws than a.json"));
    other.protocol = 2;
    assert!(refused(other).contains("protocol 2"));
    Ok(())
}

#[test]
fn what_cannot_be_measured_is_said() {
    let fixed = |r: Representation| vec![Contender::Fixed(r)];
    assert!(complaint(Vec::new(), &short()).contains("nothing to measure"));
    let mut other = data("b");
    other.ids[3] = "x".into();
    let two = vec![Contender::Fixed(data("a")), Contender::Fixed(other)];
    assert!(complaint(two, &short()).contains("same ids"));
    let twice = vec![Contender::Fixed(data("a")), Contender::Fixed(data("a"))];
    assert!(complaint(twice, &short()).contains("measured twice"));
    let mut broken = data("a");
    broken.features.data[7] = f32::INFINITY;
    assert!(complaint(fixed(broken), &short()).contains("row 2"));
    let mut single = data("a");
    if let Values::Classes { index, .. } = &mut single.columns[0].values {
        index.fill(Some(1));
    }
    assert!(complaint(fixed(single), &short()).contains("all 180 training labels"));
    let mut untested = data("a");
    untested.split.fill(Split::Train);
    assert!(complaint(fixed(untested), &short()).contains("no test sample"));
    let typo = ProbeOptions {
        task: "lable".into(),
        ..short()
    };
    assert!(complaint(fixed(data("a")), &typo).contains("did you mean `label`"));
}
