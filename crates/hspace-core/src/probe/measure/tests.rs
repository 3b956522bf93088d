//! Measures that the test samples leave undefined.

use super::*;
use crate::auto::Auto;
use crate::dataset::Split;
use crate::dataset::{Column, Values};
use crate::matrix::Matrix;
use crate::probe::Labels;
use crate::probe::scores::CLASS_SCORES;

const N: usize = 48;

/// Features near the class; a column of classes and one of numbers as given.
fn data(name: &str, class: impl Fn(usize) -> u32, number: impl Fn(usize) -> f64) -> Representation {
    let noise = |i: usize, salt: usize| ((i * 7919 + salt * 104_729) % 1009) as f32 / 1009.0;
    let row = |i: usize| {
        [
            class(i) as f32 + noise(i, 1),
            number(i) as f32 + noise(i, 2),
        ]
    };
    Representation {
        shift: Vec::new(),
        name: name.into(),
        features: Matrix::new(N, 2, (0..N).flat_map(row).collect()),
        ids: (0..N).map(|i| i.to_string()).collect(),
        columns: vec![
            Column {
                name: "class".into(),
                role: Role::Label,
                values: Values::Classes {
                    names: vec!["a".into(), "b".into()],
                    index: (0..N).map(|i| Some(class(i))).collect(),
                },
            },
            Column {
                name: "number".into(),
                role: Role::Nuisance,
                values: Values::Numbers((0..N).map(|i| Some(number(i))).collect()),
            },
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

fn measured(r: [Representation; 2], task: &str) -> Result<Measurements> {
    let options = ProbeOptions {
        labels: vec![Labels::PerClass(5), Labels::All],
        draws: Auto::Set(3),
        task: task.into(),
        ..ProbeOptions::default()
    };
    let contenders = r.map(Contender::Fixed).into();
    measure(contenders, &options, "test", &mut |_| ())
}

/// Every fourth row is a test row.
fn varies_in_training(i: usize) -> u32 {
    (i % 4 / 2) as u32
}

#[test]
fn one_class_among_the_test_samples_leaves_the_area_undefined() -> Result<()> {
    let one = |name: &str| data(name, varies_in_training, |i| i as f64);
    let m = measured([one("pixels"), one("a")], "class")?;
    let names: Vec<&str> = m.rows[0].scores.iter().map(|s| s.0.as_str()).collect();
    let defined = CLASS_SCORES.iter().filter(|name| **name != "macro_auroc");
    assert_eq!(names, defined.copied().collect::<Vec<_>>());
    assert_eq!(m.rows[0].draws.len(), 3);
    for g in &m.geometry {
        assert_eq!((g.nmi, g.ari), (None, None));
        assert!(g.alignment.is_some() && g.uniformity.is_some());
    }
    let text = m.table();
    let is_undefined = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        cells.first() == Some(&"a") && cells.ends_with(&["-", "-"])
    };
    assert!(text.lines().any(is_undefined), "{text}");
    let text = serde_json::to_string(&m).unwrap();
    let again: Measurements = serde_json::from_str(&text).unwrap();
    assert_eq!(again, m);
    Ok(())
}

#[test]
fn a_constant_target_has_no_r2() -> Result<()> {
    let one = |name: &str| {
        let number = |i: usize| if i.is_multiple_of(4) { 0.1 } else { i as f64 };
        data(name, |i| (i / 4 % 2) as u32, number)
    };
    let m = measured([one("pixels"), one("a")], "number")?;
    for row in &m.rows {
        assert_eq!(row.scores.len(), 1);
        assert_eq!(row.scores[0].0, "mean_absolute_error");
        assert!(row.draws.is_empty() && row.main_score().is_none());
    }
    assert_eq!(m.savings, []);
    assert_eq!(m.headline(), "");
    let text = m.table();
    assert!(text.contains("r2 of the ridge probe"), "{text}");
    assert!(
        text.lines()
            .any(|line| line.split_whitespace().eq(["a", "-", "-"])),
        "{text}"
    );
    // Nor can it be read off as a nuisance.
    assert_eq!(measured([one("pixels"), one("a")], "class")?.nuisances, []);
    Ok(())
}

#[test]
fn one_test_row_has_no_uniformity() -> Result<()> {
    let one = |name: &str| {
        let mut r = data(name, |i| (i % 2) as u32, |i| i as f64);
        r.split.fill(Split::Train);
        r.split[7] = Split::Test;
        r
    };
    let m = measured([one("pixels"), one("a")], "class")?;
    let g = &m.geometry[0];
    assert_eq!((g.alignment, g.uniformity, g.nmi), (None, None, None));
    assert_eq!(g.effective_rank.map(f64::round), Some(1.0));
    Ok(())
}
