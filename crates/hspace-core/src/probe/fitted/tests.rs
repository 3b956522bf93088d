//! Heads that were kept against the probes that they are of.

use super::*;
use crate::auto::Auto;
use crate::dataset::{Column, Role, Values};
use crate::probe::answer::{Features, predict};
use crate::probe::evaluation::evaluate;
use crate::probe::{
    Contender, KnnMetric, KnnOptions, KnnWeights, Labels, Scaling, TaskKind, measure,
};

/// Features around a corner for each class, one column far from 0 and one with a large unit; some rows twice.
fn data(classes: usize, kind: TaskKind, has_val: bool, seed: u64) -> Representation {
    let n = 120;
    let mut state = seed;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u64 << 31) as f32 - 0.5
    };
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for i in 0..n {
        let of = |column: usize| f32::from(u8::from(column == i % classes));
        let row = [
            of(0) + random(),
            of(1) + random(),
            300.0 * (of(2) + random()),
            4e5 + random(),
        ];
        rows.push(match i % 10 {
            9 => rows[i - 9].clone(),
            _ => row.to_vec(),
        });
    }
    let names = (0..classes).map(|c| c.to_string()).collect();
    let values = match kind {
        TaskKind::LabelSets => {
            let set = |i: usize| match i % 7 {
                0 => vec![],
                1 | 2 => vec![0, (i % classes) as u32],
                _ => vec![(i % classes) as u32],
            };
            let unique = |mut set: Vec<u32>| {
                set.dedup();
                Some(set)
            };
            let sets = (0..n).map(|i| unique(set(i))).collect();
            Values::MultiLabel { names, sets }
        }
        _ => Values::Classes {
            names,
            index: (0..n).map(|i| Some((i % classes) as u32)).collect(),
        },
    };
    let split = |i: usize| match i % 5 {
        0 => Split::Test,
        1 if has_val => Split::Val,
        _ => Split::Train,
    };
    Representation {
        shift: Vec::new(),
        name: "a".into(),
        features: Matrix::new(n, 4, rows.concat()),
        ids: (0..n).map(|i| i.to_string()).collect(),
        columns: vec![Column {
            name: "task".into(),
            role: Role::Label,
            values,
        }],
        split: (0..n).map(split).collect(),
        origin: "test".into(),
    }
}

/// What the probe answers for the test rows when it has learned from all labels.
fn of_probe(r: &Representation, options: &ProbeOptions) -> Result<Vec<f64>> {
    let column = task_column(r, &options.task)?;
    let task = Task::new(column, &r.columns, &r.split)?;
    let entry = task.probes(options)?[0];
    let all = (0..r.split.len()).filter(|&i| r.split[i] == Split::Train);
    let transform = Transform::fit(&r.features, all, options.scaling, (entry.is_fixed)(options));
    let scaled = |rows: &[usize]| {
        let mut features = r.features.select(rows);
        transform.apply(&mut features);
        features
    };
    let (train, test, val) = (scaled(&task.train), scaled(&task.test), scaled(&task.val));
    let features = Features {
        train: &train,
        test: &test,
        val: (!task.val.is_empty()).then_some(&val),
        unit: transform.unit(),
    };
    Ok(predict(entry, &task, &features, &task.train, options)?.values)
}

#[test]
fn neighbours_answer_as_the_probe_to_the_bit() -> Result<()> {
    let by_hand = |k: usize, metric, weights| KnnOptions {
        k: Auto::Set(k),
        metric,
        weights,
    };
    let settings = [
        KnnOptions::default(),
        by_hand(1, KnnMetric::Cosine, KnnWeights::Uniform),
        by_hand(5, KnnMetric::Euclidean, KnnWeights::Distance),
        // More than there are rows.
        by_hand(500, KnnMetric::Cosine, KnnWeights::Distance),
    ];
    for (case, knn) in settings.into_iter().enumerate() {
        for (classes, kind) in [
            (2, TaskKind::Classes),
            (3, TaskKind::Classes),
            (3, TaskKind::LabelSets),
        ] {
            for has_val in [false, true] {
                for scaling in [Scaling::Overall, Scaling::Columns] {
                    let r = data(classes, kind, has_val, 7 * case as u64 + 1);
                    let options = ProbeOptions {
                        probes: vec!["knn".into()],
                        labels: vec![Labels::All],
                        scaling,
                        knn,
                        ..ProbeOptions::default()
                    };
                    let what = format!("{knn:?} {classes} {kind:?} {has_val} {scaling:?}");
                    let (head, evaluation) = fit_head(&r, &options)?;
                    let test: Vec<usize> = (0..r.ids.len())
                        .filter(|&i| r.split[i] == Split::Test)
                        .collect();
                    let own = head.answer(&r.features.select(&test))?;
                    assert_eq!(own, of_probe(&r, &options)?, "{what}");
                    assert_eq!(head.about.temperature, 1.0);
                    assert_eq!(head.about.threshold.is_some(), classes == 2);
                    // And is scored as in a table.
                    let contender = vec![Contender::Fixed(r)];
                    let measured = measure(contender, &options, "test", &mut |_| ())?;
                    let row = &measured.rows[0];
                    for (name, score) in &row.scores {
                        let found = evaluation.scores.iter().find(|(own, _)| own == name);
                        assert_eq!(found.map(|f| f.1.mean), Some(score.mean), "{what} {name}");
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn evaluation_takes_the_names_of_the_head() -> Result<()> {
    let r = data(3, TaskKind::Classes, false, 5);
    let options = ProbeOptions {
        probes: vec!["linear".into()],
        ..ProbeOptions::default()
    };
    let (head, evaluation) = fit_head(&r, &options)?;
    let test: Vec<usize> = (0..r.ids.len())
        .filter(|&i| r.split[i] == Split::Test)
        .collect();
    // The same samples, whose classes are numbered otherwise, one with a name that the head does not know.
    let Values::Classes { index, .. } = &r.columns[0].values else {
        return Err(Error::data("the task is of classes"));
    };
    let turned = |&row: &usize| index[row].map(|class| (class + 1) % 3);
    let mut other = Representation {
        features: r.features.select(&test),
        ids: test.iter().map(|row| r.ids[*row].clone()).collect(),
        split: vec![Split::Train; test.len()],
        columns: vec![Column {
            values: Values::Classes {
                names: ["2", "0", "1", "new"].map(String::from).to_vec(),
                index: test.iter().map(turned).collect(),
            },
            ..r.columns[0].clone()
        }],
        ..r.clone()
    };
    let found = evaluate(&head, &other)?;
    assert_eq!(found, evaluation);
    let Values::Classes { index, .. } = &mut other.columns[0].values else {
        return Err(Error::data("the task is of classes"));
    };
    (index[0], index[1]) = (Some(3), None);
    let found = evaluate(&head, &other)?;
    assert_eq!((found.samples, found.unknown), (test.len() - 2, 1));
    other.columns[0].name = "else".into();
    let error = evaluate(&head, &other).unwrap_err().to_string();
    assert!(error.contains("task"), "{error}");
    Ok(())
}
