use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::dataset::Role;
use crate::matrix::Matrix;
use crate::probe::{Draw, HEAD};

/// 240 samples of two classes that feature 0 tells apart, in two domains; in domain `b` it is less by `shift`, which feature 2 is too.
fn samples(name: &str, shift: f32) -> Representation {
    let noise = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
    let mut data = Vec::new();
    let class = |row: usize| row % 2;
    let domain = |row: usize| row / 2 % 2;
    for row in 0..240 {
        let moved = shift * domain(row) as f32;
        data.push(2.0 * class(row) as f32 + 1.5 * noise(3 * row) - moved);
        data.push(noise(3 * row + 1));
        data.push(noise(3 * row + 2) - moved);
    }
    let classes = |names: [&str; 2], of: &dyn Fn(usize) -> usize| Values::Classes {
        names: names.map(String::from).to_vec(),
        index: (0..240).map(|row| Some(of(row) as u32)).collect(),
    };
    let column = |name: &str, role, values| Column {
        name: name.into(),
        role,
        values,
    };
    Representation {
        name: name.into(),
        features: Matrix::new(240, 3, data),
        ids: (0..240).map(|row| row.to_string()).collect(),
        columns: vec![
            column("ill", Role::Label, classes(["no", "yes"], &class)),
            column("lab", Role::Domain, classes(["a", "b"], &domain)),
        ],
        split: (0..240)
            .map(|row| match row / 4 % 2 {
                0 => Split::Train,
                _ => Split::Test,
            })
            .collect(),
        origin: name.into(),
        shift: Vec::new(),
    }
}

fn options() -> ProbeOptions {
    ProbeOptions {
        probes: vec!["linear".into()],
        labels: vec![Labels::All],
        ..ProbeOptions::default()
    }
}

fn plain(contender: Contender<'_>) -> ShiftSource<'_> {
    ShiftSource {
        contender,
        adapts: false,
        reference: None,
    }
}

fn measured(sources: Vec<ShiftSource<'_>>, directions: &Directions, folds: usize) -> Shift {
    let options = ProbeOptions { folds, ..options() };
    let (mut limits, say) = (Limits::default(), &mut |_: &str| ());
    measure(
        sources,
        "lab",
        directions,
        &options,
        "data",
        &mut limits,
        say,
    )
    .unwrap()
}

#[test]
fn a_shifted_feature_costs_accuracy_away_and_not_at_home_nor_of_the_ceiling() {
    let sources = vec![plain(Contender::Fixed(samples("pixels", 1.2)))];
    let found = measured(sources, &Directions::default(), 1);
    let ways: Vec<(&str, &str)> = found
        .rows
        .iter()
        .map(|row| (row.home[0].as_str(), row.away.as_str()))
        .collect();
    assert_eq!(ways, [("a", "b"), ("b", "a")]);
    let row = &found.rows[0];
    let (home, drop) = (row.at_home.unwrap(), row.drop.unwrap());
    assert!(home.mean > 0.9 && row.ceiling.unwrap().mean > 0.9);
    assert!(row.score.mean < 0.75 && drop.low > 0.1, "{row:?}");
    assert!((drop.mean - (home.mean - row.score.mean)).abs() < 1e-9);
    assert!(row.gain.is_none() && row.closed.is_none() && !row.adapts);
    // Probabilities that hold at home are too sure away.
    let [home, away] = [row.calibration_at_home, row.calibration].map(Option::unwrap);
    assert!(away.confidence.overconfidence > home.confidence.overconfidence + 0.1);
    // The moved samples of the class that is still recognised are the surest ones.
    assert!(away.confidence.confident_error < 1.0 - row.score.mean);
    assert!(away.error.has_interval() && away.error.mean > home.error.mean);
    assert!(found.decodability[0].decodability.low > 0.8);
    assert!(found.distances[0].a_distance.unwrap().mean > 1.5);
    let text = found.table();
    assert!(
        text.contains("learned in a, tested in b (60 test samples)"),
        "{text}"
    );
    assert!(text.contains("confident half wrong: at home"), "{text}");
    let headline = found.headline();
    assert!(
        headline.starts_with("From a to b pixels loses"),
        "{headline}"
    );
}

#[test]
fn equal_domains_show_no_drop() {
    let sources = vec![plain(Contender::Fixed(samples("pixels", 0.0)))];
    let found = measured(sources, &Directions::default(), 1);
    for row in &found.rows {
        let drop = row.drop.unwrap();
        assert!(drop.low < 0.0 && drop.high > 0.0, "{row:?}");
    }
    assert!(found.headline().contains("loses nothing that is seen"));
}

/// Learns a threshold of feature 0 from labels; if it adapts, of its difference from feature 2.
fn learner<'a>(
    name: &'a str,
    data: &'a Representation,
    adapts: bool,
    asked: &'a AtomicUsize,
) -> Contender<'a> {
    Contender::PerDraw {
        name: name.into(),
        samples: Box::new(data.clone()),
        origin: name.into(),
        draws: 3,
        labels_alone: None,
        answer: Box::new(move |draw: &Draw<'_>| {
            asked.fetch_add(1, Ordering::Relaxed);
            let others: Vec<usize> = draw
                .train
                .iter()
                .copied()
                .filter(|row| draw.labelled.binary_search(row).is_err())
                .collect();
            assert_eq!(others.is_empty(), !adapts, "{name}");
            // What moves away moves feature 2 as it moves feature 0.
            let value = |row: usize| {
                let own = data.features.row(row);
                if adapts { own[0] - own[2] } else { own[0] }
            };
            let sum: f32 = draw.labelled.iter().map(|&row| value(row)).sum();
            let threshold = sum / draw.labelled.len() as f32;
            let answer = |&row: &usize| {
                let is = f64::from(u8::from(value(row) > threshold));
                [1.0 - is, is]
            };
            Ok(draw.test.iter().flat_map(answer).collect())
        }),
    }
}

#[test]
fn what_adapts_sees_samples_of_the_other_domain_and_closes_the_gap() {
    let data = samples("samples", 1.2);
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let sources = vec![
        plain(learner("alone", &data, false, &counts[0])),
        ShiftSource {
            contender: learner("adapted", &data, true, &counts[1]),
            adapts: true,
            reference: Some("alone".into()),
        },
    ];
    let directions = Directions {
        from: vec!["a".into()],
        ..Directions::default()
    };
    let found = measured(sources, &directions, 1);
    let row = |name: &str| found.rows.iter().find(|row| row.source == name).unwrap();
    let (alone, adapted) = (row("alone"), row("adapted"));
    assert!(alone.probe == HEAD && adapted.adapts);
    let gain = adapted.gain.unwrap();
    assert!(gain.low > 0.1, "{gain:?}");
    assert!((gain.mean - (adapted.score.mean - alone.score.mean)).abs() < 1e-6);
    let closed = adapted.closed.unwrap();
    assert!(closed.low > 0.5 && closed.high < 1.5, "{closed:?}");
    // Its ceiling is that of what does not adapt.
    assert_eq!(adapted.ceiling, alone.ceiling);
    assert!(found.headline().contains("From a to b adapted helps"));
    // Learned once for both tests; alone for the ceiling too.
    let asked = counts.map(|count| count.load(Ordering::Relaxed));
    assert_eq!(asked, [2, 1]);
}

#[test]
fn in_folds_every_sample_of_the_other_domain_is_tested_and_none_of_its_labels_is_read() {
    let data = samples("samples", 1.2);
    let asked = AtomicUsize::new(0);
    let sources = vec![plain(learner("alone", &data, false, &asked))];
    let directions = Directions {
        from: vec!["a".into()],
        ..Directions::default()
    };
    let found = measured(sources, &directions, 5);
    let row = &found.rows[0];
    assert!(row.drop.unwrap().low > 0.1 && row.tested == 120, "{row:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 2 * 5);
}

#[test]
fn each_is_left_out_in_turn() {
    let mut data = samples("pixels", 0.0);
    let third = (0..240).map(|row| Some(row as u32 / 8 % 3));
    data.columns[1].values = Values::Classes {
        names: ["a", "b", "c"].map(String::from).to_vec(),
        index: third.collect(),
    };
    let directions = Directions {
        leave_one_out: true,
        ..Directions::default()
    };
    let found = measured(vec![plain(Contender::Fixed(data))], &directions, 1);
    let ways: Vec<String> = found
        .rows
        .iter()
        .map(|row| format!("{} to {}", row.home.join("+"), row.away))
        .collect();
    assert_eq!(ways, ["a+b to c", "a+c to b", "b+c to a"]);
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_name() {
    let refused = |domain: &str, directions: &Directions| {
        let sources = vec![plain(Contender::Fixed(samples("pixels", 0.0)))];
        let (mut limits, say) = (Limits::default(), &mut |_: &str| ());
        let error = measure(
            sources,
            domain,
            directions,
            &options(),
            "data",
            &mut limits,
            say,
        );
        error.err().map_or(String::new(), |e| e.to_string())
    };
    let all = Directions::default();
    assert!(refused("labb", &all).contains("`lab`"));
    let from = |from: &str, to: &str| Directions {
        from: vec![from.into()],
        to: vec![to.into()],
        ..Directions::default()
    };
    assert!(refused("lab", &from("c", "a")).contains("--from"));
    assert!(refused("lab", &from("a", "a")).contains("no shift to itself"));
}

/// Of a source alone, one that adapts well and one that takes everything for one class the good one is chosen, without a label from away.
#[test]
fn what_adapts_well_is_chosen_and_what_collapses_is_dropped() {
    let data = samples("samples", 1.2);
    let counts = [0, 1, 2].map(|_| AtomicUsize::new(0));
    let adapting = |contender| ShiftSource {
        contender,
        adapts: true,
        reference: Some("alone".into()),
    };
    let collapsed = Contender::PerDraw {
        name: "collapsed".into(),
        samples: Box::new(data.clone()),
        origin: String::new(),
        draws: 3,
        labels_alone: None,
        // As right as can be at home, and one answer away.
        answer: Box::new(|draw: &Draw<'_>| {
            let answer = |&row: &usize| {
                let is = match row / 2 % 2 {
                    0 => (row % 2) as f64,
                    _ => 0.0,
                };
                [1.0 - is, is]
            };
            Ok(draw.test.iter().flat_map(answer).collect())
        }),
    };
    let sources = vec![
        plain(learner("alone", &data, false, &counts[0])),
        adapting(learner("adapted", &data, true, &counts[1])),
        adapting(collapsed),
    ];
    let directions = Directions {
        from: vec!["a".into()],
        select: true,
        ..Directions::default()
    };
    let found = measured(sources, &directions, 1);
    let choice = &found.choices[0];
    assert_eq!(
        (choice.chosen.as_str(), choice.oracle.as_str()),
        ("adapted", "adapted")
    );
    let dropped = choice
        .candidates
        .iter()
        .find(|c| c.source == "collapsed")
        .unwrap();
    assert!(
        dropped.dropped.as_ref().unwrap().contains("a few classes"),
        "{dropped:?}"
    );
    assert!(dropped.validation > 0.9 && !choice.is_home_alone());
    assert!(
        found
            .table()
            .contains("chosen from a to b without a label from b: adapted")
    );
    // Labels away change nothing that is known before the test.
    let mut other = data.clone();
    let Values::Classes { index, .. } = &mut other.columns[0].values else {
        panic!("classes");
    };
    for row in (0..240).filter(|row| row / 2 % 2 == 1) {
        index[row] = index[row].map(|class| 1 - class);
    }
    let sources = vec![
        plain(learner("alone", &other, false, &counts[0])),
        adapting(learner("adapted", &other, true, &counts[2])),
    ];
    let again = measured(sources, &directions, 1);
    assert_eq!(again.choices[0].candidates[..], choice.candidates[..2]);
}

/// A source whose answers away are sure, diverse and wrong is chosen without labels from there, and ten of them refuse it; what adapts well is not refused.
#[test]
fn ten_labels_from_away_refuse_what_does_harm() {
    let data = samples("samples", 1.2);
    let counts = [0, 1, 2].map(|_| AtomicUsize::new(0));
    let adapting = |contender| ShiftSource {
        contender,
        adapts: true,
        reference: Some("alone".into()),
    };
    let reversed = || Contender::PerDraw {
        name: "reversed".into(),
        samples: Box::new(data.clone()),
        origin: String::new(),
        draws: 3,
        labels_alone: None,
        answer: Box::new(|draw: &Draw<'_>| {
            let answer = |&row: &usize| {
                let is = ((row + row / 2) % 2) as f64;
                [1.0 - is, is]
            };
            Ok(draw.test.iter().flat_map(answer).collect())
        }),
    };
    let directions = |target_labels| Directions {
        from: vec!["a".into()],
        select: true,
        target_labels,
        ..Directions::default()
    };
    let of = |adapted, target_labels| {
        let sources = vec![
            plain(learner("alone", &data, false, &counts[0])),
            adapting(adapted),
        ];
        measured(sources, &directions(target_labels), 1)
    };
    let without = of(reversed(), 0);
    assert_eq!(without.choices[0].chosen, "reversed");
    assert_eq!(without.choices[0].veto, None);
    let found = of(reversed(), 10);
    let choice = &found.choices[0];
    let veto = choice.veto.as_ref().unwrap();
    assert!(veto.is_refused() && veto.labels == 10 && veto.source == "reversed");
    assert!(choice.is_home_alone(), "{choice:?}");
    assert_eq!(choice.candidates, without.choices[0].candidates);
    assert!(found.table().contains("is refused"), "{}", found.table());
    let found = of(learner("adapted", &data, true, &counts[1]), 10);
    assert_eq!(found.choices[0].chosen, "adapted");
    assert!(!found.choices[0].veto.as_ref().unwrap().is_refused());
    let sources = vec![
        plain(learner("alone", &data, false, &counts[0])),
        adapting(learner("adapted", &data, true, &counts[2])),
    ];
    let (mut limits, say) = (Limits::default(), &mut |_: &str| ());
    let many = directions(100);
    let error = measure(sources, "lab", &many, &options(), "data", &mut limits, say);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("--target-labels 100: b has 60"), "{error}");
}

/// Of a domain without labels to learn from there is no ceiling, and of one without test samples no score at home.
#[test]
fn what_is_not_known_of_a_domain_is_left_open() {
    let mut data = samples("pixels", 1.2);
    for row in 0..240 {
        let is_away = row / 2 % 2 == 1;
        match (is_away, data.split[row]) {
            (true, Split::Train) => {
                let Values::Classes { index, .. } = &mut data.columns[0].values else {
                    panic!("classes");
                };
                index[row] = None;
            }
            (false, Split::Test) => data.split[row] = Split::Train,
            _ => {}
        }
    }
    let directions = Directions {
        from: vec!["a".into()],
        ..Directions::default()
    };
    let found = measured(vec![plain(Contender::Fixed(data))], &directions, 1);
    let row = &found.rows[0];
    assert!(row.ceiling.is_none() && row.at_home.is_none() && row.drop.is_none());
    assert!(row.score.mean > 0.3 && found.table().contains('–'));
}
