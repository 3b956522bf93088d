//! A whole measurement, and what it says in words.

use super::*;
use crate::dataset::{Column, Role, Split, Values};
use crate::matrix::Matrix;
use crate::representation::Representation;

const N: usize = 240;

/// Three classes on the first axis, a number on the second, a scanner on the third.
fn data(name: &str) -> Representation {
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

fn short() -> ProbeOptions {
    ProbeOptions {
        labels: vec![Labels::PerClass(2), Labels::PerClass(10), Labels::All],
        draws: 3,
        ..ProbeOptions::default()
    }
}

fn complaint(contenders: Vec<Contender<'_>>, options: &ProbeOptions) -> String {
    measure(contenders, options, "test", &mut |_| ())
        .map_or_else(|e| e.to_string(), |_| String::new())
}

#[test]
fn every_probe_measures_repeatably_and_above_chance() -> Result<()> {
    for (name, summary) in PROBES {
        assert!(!summary.is_empty());
        let task = if *name == "ridge" { "height" } else { "label" };
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

#[test]
fn a_whole_comparison() -> Result<()> {
    let mut worse = data("pixels");
    for (i, x) in worse.features.data.iter_mut().enumerate() {
        *x += ((i * 31) % 17) as f32 / 5.0;
    }
    let good = data("a").features;
    let anew = Contender::PerDraw {
        name: "supervised".into(),
        draws: 2,
        fit: Box::new(move |_, needed, _| Ok(good.select(needed))),
    };
    let contenders = vec![Contender::Fixed(data("a")), Contender::Fixed(worse), anew];
    let measured = measure(contenders, &short(), "test", &mut |_| ())?;
    // 3 contenders, 2 probes, 3 numbers of labels.
    assert_eq!(measured.rows.len(), 18);
    let draws = |name: &str| -> Vec<&[f64]> {
        let rows = measured
            .rows
            .iter()
            .filter(|r| r.representation == name && r.probe == "linear");
        rows.map(|r| r.draws.as_slice()).collect()
    };
    // The same labels for every contender: equal features, equal numbers.
    assert_eq!(draws("a")[0][..2], draws("supervised")[0][..]);
    assert_eq!(measured.nuisances.len(), 2);
    assert!(measured.nuisances[0].warning, "{:?}", measured.nuisances[0]);
    assert_eq!(measured.confusions.len(), 3);
    assert_eq!(measured.geometry.len(), 2);
    let table = measured.table();
    for text in [
        "accuracy of the linear probe",
        "supervised",
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

#[test]
fn what_could_be_chance_is_no_saving() -> Result<()> {
    let contenders = ["a", "pixels"].map(|name| Contender::Fixed(data(name)));
    let mut measured = measure(contenders.into(), &short(), "test", &mut |_| ())?;
    let chance = measured.chance;
    // By what each has with few labels and with many; the saving is that of a's few.
    let mut told = |[low, mean, high]: [f64; 3], [few, many]: [f64; 2], place: &str| {
        let rows = measured.rows.iter_mut().filter(|r| r.probe == "linear");
        for row in rows {
            let score = &mut row.scores[0].1;
            *score = match (row.representation.as_str(), row.labelled) {
                ("a", _) => Estimate { mean, low, high },
                (_, 180) => Estimate {
                    mean: many,
                    low: many,
                    high: many,
                },
                (_, _) => Estimate {
                    mean: few,
                    low: few,
                    high: few,
                },
            };
        }
        measured.savings = vec![Savings {
            representation: "a".into(),
            baseline: "pixels".into(),
            probe: "linear".into(),
            labels: 30,
            equals: Estimate {
                mean: 60.0,
                low: 50.0,
                high: 70.0,
            },
            at_least: place == "above",
            at_most: place == "below",
        }];
        let saving = measured.headline_saving().is_some();
        assert_eq!(saving, measured.doubt(&measured.savings[0]).is_none());
        (measured.headline(), saving)
    };
    let (low, mean, high) = (0.7, 0.75, 0.8);
    let own = [low, mean, high];
    for (own, base, place, part, saving) in [
        (
            [chance - 0.1, chance, chance + 0.1],
            [0.1, 0.2],
            "above",
            "no better than guessing",
            false,
        ),
        (own, [0.3, 0.4], "above", "do what more than 60", true),
        // Its best is with few labels.
        (
            own,
            [0.74, 0.6],
            "above",
            "do what 30 labels do on raw pixels, within",
            false,
        ),
        (
            own,
            [0.6, 0.9],
            "inside",
            "do what 60 (95 % interval 50..70)",
            true,
        ),
        (
            own,
            [0.72, 0.9],
            "inside",
            "do what 30 labels do on raw pixels, within",
            false,
        ),
        (own, [0.9, 0.95], "below", "do what at most 60", true),
        (
            own,
            [0.78, 0.95],
            "below",
            "do what 6 labels do on raw pixels, within",
            false,
        ),
    ] {
        let (text, is_saving) = told(own, base, place);
        assert!(
            text.contains(part) && is_saving == saving,
            "{place} {base:?}: {text}"
        );
    }
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
