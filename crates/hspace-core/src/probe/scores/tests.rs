use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::stats::{deviation, variance};

#[derive(serde::Deserialize)]
struct Golden {
    classes: usize,
    probabilities: Vec<f64>,
    truth: Vec<u32>,
    scores: Vec<f64>,
    confusion: Vec<Vec<usize>>,
    predicted: Vec<f64>,
    target: Vec<f64>,
    number_scores: Vec<f64>,
}

fn values(answers: &dyn Answers) -> Vec<Option<f64>> {
    answers
        .scores()
        .into_iter()
        .map(|s| s.map(|s| s.value))
        .collect()
}

#[test]
fn measures_agree_with_scikit_learn() -> serde_json::Result<()> {
    let golden: Golden =
        serde_json::from_str(include_str!("../../../tests/golden/probe_scores.json"))?;
    let answers = ClassAnswers::new(&golden.probabilities, &golden.truth, golden.classes);
    let ours = values(&answers);
    // All but the calibration error, which scikit-learn has not.
    let named = CLASS_SCORES[..5].iter().zip(&golden.scores);
    for ((name, theirs), ours) in named.zip(&ours) {
        assert!(
            ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10),
            "{name}: {ours:?} {theirs}"
        );
    }
    assert_eq!(answers.confusion(), golden.confusion);
    let numbers = NumberAnswers {
        predicted: &golden.predicted,
        truth: &golden.target,
    };
    for (ours, theirs) in values(&numbers).iter().zip(&golden.number_scores) {
        assert!(
            ours.is_some_and(|ours| (ours - theirs).abs() < 1e-10),
            "{ours:?} {theirs}"
        );
    }
    Ok(())
}

/// Probabilities `[n, classes]`, and truths that follow them with a lower confidence.
fn drawn(n: usize, classes: usize, seed: u64) -> (Vec<f64>, Vec<u32>) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut p, mut truth) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let row: Vec<f64> = (0..classes)
            .map(|_| random.random::<f64>().powi(4))
            .collect();
        let total: f64 = row.iter().sum();
        p.extend(row.iter().map(|x| x / total));
        let mut left = random.random::<f64>() * (total + 0.5 * classes as f64);
        let place = row.iter().position(|x| {
            left -= x + 0.5;
            left < 0.0
        });
        truth.push(place.unwrap_or(classes - 1) as u32);
    }
    (p, truth)
}

/// The mean square of the influences is the variance that resampling the test samples finds.
#[test]
fn influences_agree_with_the_bootstrap() {
    let (n, k) = (400, 3);
    let (p, truth) = drawn(n, k, 1);
    let numbers: Vec<f64> = truth
        .iter()
        .zip(&p)
        .map(|(t, p)| f64::from(*t) + p)
        .collect();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
    let of = |rows: &[usize]| -> Vec<Option<Score>> {
        let probabilities: Vec<f64> = rows
            .iter()
            .flat_map(|&i| p[i * k..(i + 1) * k].to_vec())
            .collect();
        let classes: Vec<u32> = rows.iter().map(|&i| truth[i]).collect();
        let predicted: Vec<f64> = rows.iter().map(|&i| 3.0 * p[i * k + 2]).collect();
        let target: Vec<f64> = rows.iter().map(|&i| numbers[i]).collect();
        let mut scores = ClassAnswers::new(&probabilities, &classes, k).scores();
        let answers = NumberAnswers {
            predicted: &predicted,
            truth: &target,
        };
        scores.extend(answers.scores());
        scores
    };
    let whole = of(&(0..n).collect::<Vec<usize>>());
    let resampled: Vec<Vec<Option<Score>>> = (0..1000)
        .map(|_| {
            of(&(0..n)
                .map(|_| random.random_range(0..n))
                .collect::<Vec<usize>>())
        })
        .collect();
    for (m, score) in whole.iter().enumerate() {
        let score = score.as_ref().unwrap();
        assert!(
            score.influence.iter().sum::<f64>().abs() < 1e-9,
            "measure {m}"
        );
        let error = (variance(&score.influence) / n as f64).sqrt();
        let drawn: Vec<f64> = resampled
            .iter()
            .filter_map(|s| Some(s[m].as_ref()?.value))
            .collect();
        let ratio = error / deviation(&drawn);
        // Copies in a resample are pairs of one bin: the bootstrap of the calibration error is wide.
        let least = if m == 5 { 0.8 } else { 0.92 };
        assert!((least..1.08).contains(&ratio), "measure {m}: {ratio}");
    }
}

#[test]
fn a_square_of_the_calibration_error_is_a_mean_over_pairs() {
    let (n, k) = (60, 3);
    let (p, truth) = drawn(n, k, 3);
    let answers = ClassAnswers::new(&p, &truth, k);
    let mut wanted = 0.0;
    for bin in 0..BINS {
        let own: Vec<f64> = (0..n)
            .map(|i| answers.gap(i))
            .filter(|g| g.0 == bin)
            .map(|g| g.1)
            .collect();
        let mut pairs = Vec::new();
        for i in 0..own.len() {
            pairs.extend((0..own.len()).filter(|&j| j != i).map(|j| own[i] * own[j]));
        }
        if !pairs.is_empty() {
            wanted += own.len() as f64 / n as f64 * pairs.iter().sum::<f64>() / pairs.len() as f64;
        }
    }
    let found = answers.squared_calibration_error().unwrap().value;
    assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
}

/// Truths drawn from the probabilities themselves: the mean over many test sets is 0, where the plug-in has .05.
#[test]
fn calibrated_answers_have_no_calibration_error_on_average() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut found = Vec::new();
    for _ in 0..400 {
        let p: Vec<f64> = (0..300)
            .flat_map(|_| {
                let x = random.random::<f64>();
                [x, 1.0 - x]
            })
            .collect();
        let truth: Vec<u32> = (0..300)
            .map(|i| u32::from(random.random::<f64>() > p[2 * i]))
            .collect();
        found.push(values(&ClassAnswers::new(&p, &truth, 2))[5].unwrap());
    }
    let error = deviation(&found) / 20.0;
    let mean = found.iter().sum::<f64>() / 400.0;
    assert!(mean.abs() < 3.0 * error && error < 2e-4, "{mean} {error}");
}

#[test]
fn reliability_counts_every_answer_once() {
    let (p, truth) = drawn(200, 4, 5);
    let answers = ClassAnswers::new(&p, &truth, 4);
    let bins = answers.reliability();
    assert_eq!(bins.iter().map(|b| b.2).sum::<usize>(), 200);
    let right: usize = bins.iter().map(|b| b.1).sum();
    assert_eq!(Some(right as f64 / 200.0), values(&answers)[0]);
    for (place, (confidence, _, count)) in bins.iter().enumerate().filter(|b| b.1.2 > 0) {
        let mean = 15.0 * confidence / *count as f64;
        assert!(place as f64 <= mean && mean <= place as f64 + 1.0);
    }
}

#[test]
fn a_measure_without_a_definition_is_none() {
    // One class among the test samples: every measure but the area under the curve.
    let answers = ClassAnswers::new(&[0.9, 0.1, 0.2, 0.8], &[0, 0], 2);
    let defined: Vec<bool> = answers.scores().iter().map(Option::is_some).collect();
    assert_eq!(defined, [true, true, true, false, true, true]);
    // Certain of the wrong class: the loss is finite.
    let sure = ClassAnswers::new(&[0.0, 1.0], &[0], 2);
    assert_eq!(values(&sure)[4], Some(-f64::EPSILON.ln()));
    let constant = NumberAnswers {
        predicted: &[1.1, 0.1, 0.1, 0.6, 0.1, 0.1],
        truth: &[0.1; 6],
    };
    assert_eq!(values(&constant), [None, Some(1.5 / 6.0)]);
    let nothing = NumberAnswers {
        predicted: &[],
        truth: &[],
    };
    assert_eq!(values(&nothing), [None, None]);
}
