use super::*;
use crate::dataset::{Column, Role, Split, Values};
use crate::matrix::Matrix;
use crate::probe::{Draw, Labels};
use crate::representation::Representation;

const N: usize = 240;

/// Samples of two classes, half of them test samples, without features.
fn samples(features: Matrix) -> Representation {
    Representation {
        name: "samples".into(),
        ids: (0..N).map(|row| row.to_string()).collect(),
        columns: vec![Column {
            name: "ill".into(),
            role: Role::Label,
            values: Values::Classes {
                names: ["no", "yes"].map(String::from).to_vec(),
                index: (0..N).map(|row| Some(row as u32 % 2)).collect(),
            },
        }],
        split: (0..N)
            .map(|row| {
                if row / 2 % 2 == 0 {
                    Split::Train
                } else {
                    Split::Test
                }
            })
            .collect(),
        features,
        origin: String::new(),
        shift: Vec::new(),
    }
}

/// A source that is wrong on every `period`-th test sample.
fn wrong_on(name: &str, period: usize) -> Contender<'static> {
    Contender::PerDraw {
        name: name.into(),
        samples: Box::new(samples(Matrix::new(N, 0, vec![]))),
        origin: name.into(),
        draws: 1,
        labels_alone: None,
        answer: Box::new(move |draw: &Draw<'_>| {
            let places = draw.test.iter().enumerate();
            let answers = places.flat_map(|(place, &row)| {
                let class = (row + usize::from(place % period == 0)) % 2;
                [1.0 - class as f64, class as f64]
            });
            Ok(answers.collect())
        }),
    }
}

fn source<'a>(learned: Learned, seeds: Vec<Contender<'a>>) -> TaskSource<'a> {
    TaskSource { learned, seeds }
}

fn options() -> ProbeOptions {
    ProbeOptions {
        labels: vec![Labels::All],
        probes: vec!["linear".into()],
        ..ProbeOptions::default()
    }
}

/// Trainings that are wrong on every so many-th test sample.
fn trainings(name: &str, periods: [usize; 4]) -> Vec<Contender<'static>> {
    let seeds = periods.iter().enumerate();
    seeds
        .map(|(seed, &period)| wrong_on(&format!("{name} {seed}"), period))
        .collect()
}

fn measured() -> ManyTasks {
    let all = Learned::Together("fixed".into());
    let own = vec![
        source(Learned::Alone, trainings("alone", [4, 4, 3, 4])),
        source(all, trainings("all", [40, 30, 40, 40])),
        source(Learned::With("age".into()), trainings("pair", [2, 2, 2, 2])),
    ];
    let task = measure_task(own, vec![], &options(), "test", &mut |_| ());
    ManyTasks {
        data: "test".into(),
        seeds: 4,
        tasks: vec![task.expect("it is measured")],
    }
}

#[test]
fn gains_are_differences_on_the_same_samples() {
    let found = measured();
    let task = &found.tasks[0];
    assert_eq!((task.labelled, task.tested), (120, 120));
    // Wrong are 30 of 120, in one training 40; of the others 3, in one training 4, and half.
    assert!((task.alone.mean - (1.0 - 32.5 / 120.0)).abs() < 1e-9);
    let gain = |learned: Learned| task.of(&learned).expect("it was compared").gain;
    let all = gain(Learned::Together("fixed".into()));
    assert!((all.mean - (32.5 - 3.25) / 120.0).abs() < 1e-9);
    assert!(all.low > 0.0 && all.has_interval());
    assert!(gain(Learned::With("age".into())).high < 0.0);
}

#[test]
fn tables_and_sentences_say_who_helps_whom() {
    let found = measured();
    let text = found.table();
    assert!(
        text.contains("with all, fixed") && text.contains("4 trainings each"),
        "{text}"
    );
    let said = found.headline();
    assert!(
        said.contains("ill is better learned with all others (fixed +.244)")
            && said.contains("age hurts ill"),
        "{said}"
    );
}

#[test]
fn a_task_held_out_is_compared_with_an_untrained_network() {
    let value = |row: usize| if row.is_multiple_of(2) { -1.0 } else { 1.0 };
    let noise = |row: usize| ((row * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
    let features = |scale: f32| {
        let data = (0..N).map(|row| scale * value(row) + noise(row));
        Contender::Fixed(Representation {
            name: format!("times {scale}"),
            ..samples(Matrix::new(N, 1, data.collect()))
        })
    };
    let own = vec![source(Learned::Alone, vec![wrong_on("alone", 4)])];
    let probed = vec![
        source(Learned::Others, vec![features(1.0)]),
        source(Learned::Nothing, vec![features(0.0)]),
    ];
    let task = measure_task(own, probed, &options(), "test", &mut |_| ()).expect("measured");
    let held_out = task.held_out.expect("both are there");
    assert!(held_out.score.mean == 1.0 && held_out.gain.low > 0.2);
}

#[test]
fn without_the_task_alone_nothing_is_compared() {
    let own = vec![source(
        Learned::With("age".into()),
        vec![wrong_on("pair", 4)],
    )];
    let error = measure_task(own, vec![], &options(), "test", &mut |_| ());
    assert!(error.expect_err("an error").to_string().contains("alone"));
}
