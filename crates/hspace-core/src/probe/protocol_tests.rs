//! What is read when: validation labels, test labels, groups, sets of labels, domains.

use std::sync::Mutex;

use super::*;
use crate::auto::Auto;
use crate::dataset::{Column, Split, Values};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::representation::Representation;

const N: usize = 360;

/// In −0.5..0.5.
fn noise(i: usize, salt: usize) -> f32 {
    let bits = crate::random::mix(&[i as u64, salt as u64]);
    (bits >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

fn classes(name: &str, role: Role, k: usize, of: &dyn Fn(usize) -> usize) -> Column {
    Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: (0..k).map(|c| c.to_string()).collect(),
            index: (0..N).map(|i| Some(of(i) as u32)).collect(),
        },
    }
}

/// Three overlapping classes, a number and three labels; half of the rows train, a quarter val, a quarter test.
fn data(name: &str) -> Representation {
    let value = |i: usize, j: usize| (i % 3 == j) as u8 as f32 + 1.5 * noise(i, j + 1);
    let number = |i: usize| Some(f64::from(value(i, 0) + noise(i, 50)));
    // Two labels that the features show, one of each second row that they do not.
    let labels = |i: usize| -> Vec<u32> {
        let blurred = |j: usize| value(i, j) + 0.5 * noise(i, 70 + j);
        let shown = [blurred(0) > 0.6, blurred(1) > 0.9, noise(i, 80) > 0.0];
        (0..3).filter(|&label| shown[label as usize]).collect()
    };
    Representation {
        shift: Vec::new(),
        name: name.into(),
        features: Matrix::new(N, 6, (0..6 * N).map(|e| value(e / 6, e % 6)).collect()),
        ids: (0..N).map(|i| format!("{i}")).collect(),
        columns: vec![
            classes("label", Role::Label, 3, &|i| i % 3),
            Column {
                name: "height".into(),
                role: Role::Label,
                values: Values::Numbers((0..N).map(number).collect()),
            },
            Column {
                name: "findings".into(),
                role: Role::Label,
                values: Values::MultiLabel {
                    names: ["edge", "mass", "noise"].map(String::from).to_vec(),
                    sets: (0..N).map(|i| Some(labels(i))).collect(),
                },
            },
        ],
        split: (0..N)
            .map(|i| match i / 3 % 4 {
                0 => Split::Test,
                1 => Split::Val,
                _ => Split::Train,
            })
            .collect(),
        origin: "test".into(),
    }
}

fn options(task: &str) -> ProbeOptions {
    ProbeOptions {
        probes: ["linear", "knn"].map(String::from).to_vec(),
        labels: vec![Labels::PerClass(4), Labels::PerClass(20), Labels::All],
        draws: Auto::Set(3),
        task: task.into(),
        ..ProbeOptions::default()
    }
}

fn measured(data: Representation, options: &ProbeOptions) -> Result<Measurements> {
    measure(vec![Contender::Fixed(data)], options, "test", &mut |_| ())
}

/// Gives each row of `split` the values of another row of it.
fn permute(mut data: Representation, split: Split) -> Representation {
    let rows: Vec<usize> = (0..N).filter(|&i| data.split[i] == split).collect();
    let mut source: Vec<usize> = (0..N).collect();
    for (&row, other) in rows.iter().zip(crate::random::shuffled(rows.clone(), 5)) {
        source[row] = other;
    }
    for column in &mut data.columns {
        column.values = column.values.select(&source);
    }
    data
}

const TASKS: [&str; 3] = ["label", "height", "findings"];

#[test]
fn val_labels_are_read_with_all_labels_alone() -> Result<()> {
    for task in TASKS {
        let plain = measured(data("a"), &options(task))?;
        let permuted = measured(permute(data("a"), Split::Val), &options(task))?;
        let train_and_test: Vec<usize> = (0..N).filter(|i| i / 3 % 4 != 1).collect();
        let without = measured(data("a").select(&train_and_test), &options(task))?;
        let few = |m: &Measurements| -> Vec<Row> {
            let rows = m.rows.iter().filter(|row| row.labels != Labels::All);
            rows.cloned().collect()
        };
        assert_eq!(few(&plain), few(&permuted), "{task}");
        assert_eq!(few(&plain), few(&without), "{task}");
        assert!(few(&plain).iter().all(|row| row.val_labels == 0));
        let all = |m: &Measurements| -> Vec<Row> {
            let rows = m.rows.iter().filter(|row| row.labels == Labels::All);
            rows.cloned().collect()
        };
        assert!(
            all(&plain).iter().all(|row| row.val_labels == N / 4),
            "{task}"
        );
        assert!(all(&without).iter().all(|row| row.val_labels == 0));
        assert_ne!(all(&plain)[0].chosen, all(&permuted)[0].chosen, "{task}");
        assert_eq!((plain.val, without.val), (N / 4, 0));
    }
    Ok(())
}

#[test]
fn test_labels_choose_nothing() -> Result<()> {
    for task in TASKS {
        let plain = measured(data("a"), &options(task))?;
        let permuted = measured(permute(data("a"), Split::Test), &options(task))?;
        let chosen = |m: &Measurements| -> Vec<Vec<String>> {
            m.rows.iter().map(|row| row.chosen.clone()).collect()
        };
        assert_eq!(chosen(&plain), chosen(&permuted), "{task}");
        assert_ne!(plain.rows[0].scores, permuted.rows[0].scores, "{task}");
    }
    Ok(())
}

/// Settings that are given leave nothing to choose, so validation labels are not read.
#[test]
fn fixed_settings_read_no_val_labels() -> Result<()> {
    let mut options = options("label");
    options.linear.c = crate::auto::Auto::Set(1.0);
    let found = measured(data("a"), &options)?;
    let val = |probe: &str| {
        found
            .rows
            .iter()
            .filter(|r| r.probe == probe)
            .map(|r| r.val_labels)
            .max()
    };
    assert_eq!((val("linear"), val("knn")), (Some(0), Some(N / 4)));
    let table = found.table();
    assert_eq!(
        table
            .matches("all: settings chosen on 90 val labels")
            .count(),
        1,
        "{table}"
    );
    Ok(())
}

/// A source that learns from each draw is given training rows alone, whose labels it may read as far as they are drawn.
#[test]
fn a_learner_is_given_no_test_and_no_val_row() -> Result<()> {
    let split = data("a").split;
    let rows = |of: Split| -> Vec<usize> { (0..N).filter(|&i| split[i] == of).collect() };
    let seen = Mutex::new(Vec::new());
    let answer = |draw: &Draw<'_>| -> Result<Vec<f64>> {
        assert_eq!(draw.train, rows(Split::Train));
        assert_eq!(draw.test, rows(Split::Test));
        assert!(draw.labelled.iter().all(|row| draw.train.contains(row)));
        seen.lock().expect("lock").push(draw.labelled.len());
        Ok(vec![1.0 / 3.0; 3 * draw.test.len()])
    };
    let learner = Contender::PerDraw {
        name: "supervised".into(),
        samples: Box::new(data("supervised")),
        origin: String::new(),
        draws: 3,
        labels_alone: None,
        answer: Box::new(answer),
    };
    // Alone, too.
    let found = measure(vec![learner], &options("label"), "test", &mut |_| ())?;
    let probes: Vec<&str> = found.rows.iter().map(|row| row.probe.as_str()).collect();
    assert_eq!(probes, [HEAD; 3]);
    drop(found);
    let mut seen = seen.into_inner().expect("lock");
    seen.sort_unstable();
    assert_eq!(seen, [12, 12, 12, 60, 60, 60, N / 2]);
    Ok(())
}

/// In a fold a learner is given no row that the fold tests, and no row of a group of which some are tested; every labelled row is tested once.
/// Rows without a label are learned from where their group is not tested.
#[test]
fn a_learner_is_given_no_row_that_its_fold_tests() -> Result<()> {
    let group = |i: usize| i / 6;
    let unlabelled = |i: usize| i.is_multiple_of(7);
    let mut grouped = data("supervised");
    grouped
        .columns
        .push(classes("patient", Role::Group, N / 6, &group));
    let Values::Classes { index, .. } = &mut grouped.columns[0].values else {
        panic!("classes");
    };
    (0..N)
        .filter(|&i| unlabelled(i))
        .for_each(|i| index[i] = None);
    let split = grouped.split.clone();
    let seen = Mutex::new(Vec::new());
    let answer = |draw: &Draw<'_>| -> Result<Vec<f64>> {
        let tested: Vec<usize> = draw.test.iter().map(|&row| group(row)).collect();
        assert!(draw.train.iter().all(|&row| !tested.contains(&group(row))));
        assert!(draw.train.is_sorted());
        assert!(draw.labelled.iter().all(|row| draw.train.contains(row)));
        let has_label = |row: &&usize| !unlabelled(**row);
        assert!(
            draw.labelled
                .iter()
                .chain(draw.test)
                .all(|row| !unlabelled(*row))
        );
        // All labelled rows of the other groups, of whatever split, and training rows without a label.
        let free = |i: &usize| !tested.contains(&group(*i));
        let learned = |i: &usize| !unlabelled(*i) || split[*i] == Split::Train;
        let wanted: Vec<usize> = (0..N).filter(|i| free(i) && learned(i)).collect();
        assert_eq!(draw.train, wanted);
        let labels = draw.train.iter().filter(has_label).count();
        let mut seen = seen.lock().expect("lock");
        seen.push((draw.labelled.len() == labels, draw.seed, draw.test.to_vec()));
        Ok(vec![1.0 / 3.0; 3 * draw.test.len()])
    };
    let learner = Contender::PerDraw {
        name: "supervised".into(),
        samples: Box::new(grouped.clone()),
        origin: String::new(),
        draws: 2,
        labels_alone: None,
        answer: Box::new(answer),
    };
    let options = ProbeOptions {
        folds: 5,
        labels: vec![Labels::PerClass(4), Labels::All],
        ..options("label")
    };
    measure(vec![learner], &options, "test", &mut |_| ())?;
    let seen = seen.into_inner().expect("lock");
    assert_eq!(seen.len(), 5 * (2 + 1));
    let mut seeds: Vec<u64> = seen.iter().map(|s| s.1).collect();
    seeds.sort_unstable();
    seeds.dedup();
    // A seed for each draw and fold; those of all labels are a first draw, too.
    assert_eq!(seeds.len(), 5 * 2);
    let all_labels = seen.iter().filter(|s| s.0);
    let mut tested: Vec<usize> = all_labels.flat_map(|s| s.2.clone()).collect();
    tested.sort_unstable();
    let labelled: Vec<usize> = (0..N).filter(|&i| !unlabelled(i)).collect();
    assert_eq!(tested, labelled);
    Ok(())
}

#[test]
fn answers_of_a_learner_are_checked() {
    let answers = |values: Vec<f64>| {
        let learner = Contender::PerDraw {
            name: "supervised".into(),
            samples: Box::new(data("supervised")),
            origin: String::new(),
            draws: 1,
            labels_alone: None,
            answer: Box::new(move |_| Ok(values.clone())),
        };
        let outcome = measure(vec![learner], &options("label"), "test", &mut |_| ());
        outcome.map_or_else(|e| e.to_string(), |_| String::new())
    };
    let tested = N / 4;
    assert!(answers(vec![0.5; tested]).contains("supervised answered with"));
    assert!(answers(vec![f64::NAN; 3 * tested]).contains("NaN"));
}

/// Each patient has one class and rows that lie close together: neighbours of the same patient say nothing of others.
#[test]
fn choices_and_draws_keep_groups_together() -> Result<()> {
    let patient = |i: usize| i / 6;
    let mut cohort = data("a");
    let value = |e: usize| noise(patient(e / 6), e % 6 + 1) + 0.01 * noise(e, 9);
    cohort.features = Matrix::new(N, 6, (0..6 * N).map(value).collect());
    cohort.split = (0..N)
        .map(|i| {
            if patient(i) % 3 == 0 {
                Split::Test
            } else {
                Split::Train
            }
        })
        .collect();
    let class = |i: usize| usize::from(noise(patient(i), 1) + noise(patient(i), 40) > 0.0);
    cohort.columns = vec![classes("label", Role::Label, 2, &class)];
    let mut grouped = cohort.clone();
    grouped
        .columns
        .push(classes("patient", Role::Group, N / 6, &patient));
    let options = options("label");
    let (plain, whole) = (measured(cohort, &options)?, measured(grouped, &options)?);
    let chosen = |m: &Measurements, probe: &str| -> String {
        let mut rows = m
            .rows
            .iter()
            .filter(|r| r.probe == probe && r.labels == Labels::All);
        rows.next()
            .map_or(String::new(), |row| row.chosen[0].clone())
    };
    assert!(
        chosen(&plain, "knn").starts_with("k=1 "),
        "{}",
        chosen(&plain, "knn")
    );
    assert!(
        !chosen(&whole, "knn").starts_with("k=1 "),
        "{}",
        chosen(&whole, "knn")
    );
    let c = |m: &Measurements| -> f64 {
        let text = chosen(m, "linear");
        text.trim_start_matches("c=").parse().expect("a number")
    };
    assert!(c(&whole) < c(&plain), "{} {}", c(&whole), c(&plain));
    // A group is not probed.
    assert!(whole.nuisances.is_empty());
    Ok(())
}

#[test]
fn several_labels_a_sample_are_measured_label_by_label() -> Result<()> {
    let mut worse = data("pixels");
    for (i, x) in worse.features.data.iter_mut().enumerate() {
        *x += 2.0 * noise(i, 5);
    }
    let contenders = [data("a"), worse].map(Contender::Fixed);
    let options = |task| ProbeOptions {
        labels: vec![Labels::PerClass(12), Labels::PerClass(60), Labels::All],
        ..options(task)
    };
    let found = measure(contenders.into(), &options("findings"), "test", &mut |_| ())?;
    let labelled: Vec<usize> = found.rows.iter().map(|row| row.labelled).collect();
    assert_eq!(labelled[..3], [12, 60, N / 2]);
    assert_eq!(found.kind(), TaskKind::LabelSets);
    assert_eq!(
        (found.chance, found.labels.len(), found.classes.len()),
        (0.5, 3, 0)
    );
    assert_eq!(found.rows.len(), 12);
    for row in &found.rows {
        let names: Vec<&str> = row.scores.iter().map(|s| s.0.as_str()).collect();
        assert_eq!(names, TaskKind::LabelSets.scores());
        assert_eq!(
            row.main_score().map(|s| s.1.mean),
            Some(row.scores[0].1.mean)
        );
        let areas = || row.label_scores.iter().filter_map(|s| s.auroc);
        let mean = areas().map(|e| e.mean).sum::<f64>() / 3.0;
        assert!((mean - row.scores[0].1.mean).abs() < 1e-12);
        assert!(areas().all(|e| e.low < e.mean && e.mean < e.high));
        let own = &row.label_scores;
        let expected = (0..N)
            .filter(|i| i / 3 % 4 == 0 && noise(*i, 80) > 0.0)
            .count();
        assert_eq!(own[2].positives, expected);
        if row.representation == "a" && row.labels == Labels::All {
            assert!(own[0].auroc.is_some_and(|e| e.low > 0.8), "{own:?}");
            let chance = expected as f64 / found.test as f64;
            assert!(
                own[2].auroc.is_some_and(|e| e.low < 0.5 && 0.5 < e.high),
                "{own:?}"
            );
            assert!(
                own[2]
                    .average_precision
                    .is_some_and(|e| (e.mean - chance).abs() < 0.15)
            );
        }
    }
    let table = found.table();
    for text in [
        "macro_auroc of the linear probe, by labelled samples",
        "labels on a, linear probe, all labelled samples",
        "positive in test",
        "mass",
        "settings chosen on 90 val labels",
    ] {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert!(
        found.headline().contains("labels on a do what"),
        "{}",
        found.headline()
    );
    let json = serde_json::to_string(&found).expect("JSON");
    assert!(json.contains("\"label_scores\"") && json.contains("\"val_labels\":90"));
    assert_eq!(
        serde_json::from_str::<Measurements>(&json).expect("read back"),
        found
    );
    let ridge = ProbeOptions {
        probes: vec!["ridge".into()],
        ..options("findings")
    };
    let refused = measured(data("a"), &ridge).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(refused.contains("several labels a sample"), "{refused}");
    let two = ProbeOptions {
        labels: vec![Labels::PerClass(2)],
        ..options("findings")
    };
    let refused = measured(data("a"), &two).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(
        refused.contains("at least 3 labelled samples in total"),
        "{refused}"
    );
    Ok(())
}

#[test]
fn a_domain_is_reported_and_no_warning() -> Result<()> {
    let mut several = data("a");
    let lab = |i: usize| i % 3;
    let coin = |i: usize| usize::from(noise(i, 60) > 0.0);
    several.columns.push(classes("lab", Role::Domain, 3, &lab));
    several
        .columns
        .push(classes("coin", Role::Domain, 2, &coin));
    several.columns.push(classes("mask", Role::Mask, 3, &lab));
    several
        .columns
        .push(classes("patient", Role::Group, N, &|i| i));
    several.columns[2].role = Role::Nuisance;
    let found = measured(several.clone(), &options("label"))?;
    let names: Vec<&str> = found.nuisances.iter().map(|n| n.column.as_str()).collect();
    assert_eq!(names, ["findings", "lab", "coin"]);
    let [findings, lab, coin] = &found.nuisances[..] else {
        unreachable!("three columns");
    };
    // Several labels: the mean area under their curves.
    assert!(findings.warning && findings.chance == 0.5);
    assert!(
        lab.readable && !lab.warning && lab.decodability.mean > 0.6,
        "{lab:?}"
    );
    assert!(!coin.readable && !coin.warning, "{coin:?}");
    let table = found.table();
    for text in [
        "domain `lab` can be read off a: .",
        "(chance .333)",
        "domain `coin` cannot be read off a: .",
        "warning: `findings` can be read off a",
    ] {
        assert!(table.contains(text), "{text}: {table}");
    }
    for (task, what) in [("patient", "belong together"), ("mask", "masks of pixels")] {
        let refused = measured(several.clone(), &options(task));
        let refused = refused.map_or_else(|e| e.to_string(), |_| String::new());
        assert!(refused.contains(what), "{refused}");
    }
    Ok(())
}
