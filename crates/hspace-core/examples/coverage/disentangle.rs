//! Disentanglement scores: how often their intervals hold the scores of [`MANY`] samples.

use hspace_core::dataset::{Column, Role, Split, Values};
use hspace_core::disentangle::{self, METRICS, Measure, Options};
use hspace_core::error::Result;
use hspace_core::matrix::Matrix;
use hspace_core::representation::Representation;
use hspace_core::stats::Estimate;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::cell::Cell;

/// Samples that stand for the population, and draws of them.
const MANY: usize = 30_000;
const DRAWS: u64 = 4;
/// Samples measured.
const SAMPLES: usize = 1000;
/// Values of the factors: classes, then numbers.
const VALUES: [u32; 4] = [3, 5, 8, 10];

/// What latents know of the factors.
#[derive(Clone, Copy)]
enum Situation {
    /// One factor each, and normal noise of .4 standard deviations.
    Noisy,
    /// All factors each, by rotations, and noise of .3.
    Mixed,
    /// Two latents as [`Situation::Noisy`], and three of noise.
    Partial,
    /// Noise.
    Independent,
}

use Situation::{Independent, Mixed, Noisy, Partial};

const SITUATIONS: [(Situation, &str); 4] = [
    (Noisy, "factors with noise"),
    (Mixed, "mixed factors"),
    (Partial, "two of four factors"),
    (Independent, "independent latents"),
];

/// One cell for each score, situation and number of samples.
pub fn cells(repetitions: usize, seed: u64) -> Vec<Cell> {
    measured(repetitions, seed).expect("simulated data can be measured")
}

fn measured(repetitions: usize, seed: u64) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (number, (situation, name)) in (0..).zip(SITUATIONS) {
        let seed = seed + 1_000_000 * number;
        let draws: Vec<Vec<(String, Estimate)>> = (0..DRAWS)
            .into_par_iter()
            .map(|draw| scores(situation, MANY, seed + draw))
            .collect::<Result<_>>()?;
        let repeated: Vec<Vec<(String, Estimate)>> = (0..repetitions as u64)
            .into_par_iter()
            .map(|r| scores(situation, SAMPLES, seed + 1000 + r))
            .collect::<Result<_>>()?;
        for (place, (score, _)) in draws[0].iter().enumerate() {
            let truth = draws.iter().map(|d| d[place].1.mean).sum::<f64>() / DRAWS as f64;
            let estimates: Vec<Estimate> = repeated.iter().map(|r| r[place].1).collect();
            let mean = estimates.iter().map(|e| e.mean).sum::<f64>() / estimates.len() as f64;
            let what = format!("{score}, {name} (true {truth:.3}, mean {mean:.3})");
            cells.push(cell(what, truth, &estimates));
        }
    }
    Ok(cells)
}

/// Counts the intervals that hold `truth`; an estimate without an interval holds what is written with the same three decimals.
fn cell(what: String, truth: f64, estimates: &[Estimate]) -> Cell {
    let holds = |e: &&Estimate| match e.has_interval() {
        true => e.low <= truth && truth <= e.high,
        false => (e.mean - truth).abs() < 5e-4,
    };
    let widths: f64 = estimates.iter().map(|e| e.high - e.low).sum();
    Cell {
        what,
        nominal: 0.95,
        held: estimates.iter().filter(holds).count(),
        of: estimates.len(),
        width: Some(widths / estimates.len().max(1) as f64),
    }
}

/// All scores of one draw of `n` samples.
fn scores(situation: Situation, n: usize, seed: u64) -> Result<Vec<(String, Estimate)>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let factors: Vec<u32> = (0..n)
        .flat_map(|_| VALUES.map(|count| random.random_range(0..count)))
        .collect();
    let runs = ["a", "b"].map(|name| {
        let features = latents(situation, &factors, name == "b", &mut random);
        representation(name, features, &factors)
    });
    let of_one = METRICS
        .iter()
        .filter(|m| !matches!(m.measure, Measure::Runs(_)));
    let options = Options {
        metrics: of_one.map(|m| m.name.to_owned()).collect(),
        seed,
        ..Options::default()
    };
    let first = disentangle::measure(&runs[..1], &options, "simulated", &mut |_| ())?;
    let options = Options {
        metrics: vec!["udr".into()],
        runs: vec![vec!["a".into(), "b".into()]],
        ..options
    };
    let both = disentangle::measure(&runs, &options, "simulated", &mut |_| ())?;
    let mut scores = first.rows[0].scores.clone();
    scores.extend(both.rows[0].scores.iter().cloned());
    Ok(scores)
}

/// Latents `[n, 4]` (five of [`Situation::Partial`]) of `factors` `[n, 4]`. Another run has them in another order, mixes them by
/// other angles, and has noise of its own.
fn latents(
    situation: Situation,
    factors: &[u32],
    other_run: bool,
    random: &mut Xoshiro256PlusPlus,
) -> Matrix {
    let mut normal = || random.sample::<f32, _>(StandardNormal);
    let mut data = Vec::new();
    for row in factors.chunks_exact(VALUES.len()) {
        let standard: Vec<f32> = row
            .iter()
            .zip(VALUES)
            .map(|(&value, count)| {
                let count = count as f32;
                (value as f32 - (count - 1.0) / 2.0) / ((count * count - 1.0) / 12.0).sqrt()
            })
            .collect();
        let mut z = match situation {
            Noisy => standard.iter().map(|x| x + 0.4 * normal()).collect(),
            Mixed => {
                let angle: f32 = if other_run {
                    0.3
                } else {
                    std::f32::consts::FRAC_PI_6
                };
                let (sin, cos) = angle.sin_cos();
                let mut z = standard;
                for (a, b) in [(0, 1), (2, 3), (0, 2), (1, 3)] {
                    (z[a], z[b]) = (cos * z[a] - sin * z[b], sin * z[a] + cos * z[b]);
                }
                z.iter().map(|x| x + 0.3 * normal()).collect()
            }
            Partial => {
                let known = [standard[0] + 0.4 * normal(), standard[1] + 0.4 * normal()];
                [&known[..], &[normal(), normal(), normal()]].concat()
            }
            Independent => (0..VALUES.len()).map(|_| normal()).collect::<Vec<f32>>(),
        };
        if other_run {
            z.reverse();
        }
        data.append(&mut z);
    }
    let rows = factors.len() / VALUES.len();
    Matrix::new(rows, data.len() / rows.max(1), data)
}

fn representation(name: &str, features: Matrix, factors: &[u32]) -> Representation {
    let column = |k: usize| {
        let values = factors.iter().skip(k).step_by(VALUES.len());
        let names = || (0..VALUES[k]).map(|v| v.to_string()).collect();
        Column {
            name: format!("factor {k}"),
            role: Role::Factor,
            values: match k {
                0 => Values::Classes {
                    names: names(),
                    index: values.map(|&v| Some(v)).collect(),
                },
                _ => Values::Numbers(values.map(|&v| Some(f64::from(v))).collect()),
            },
        }
    };
    Representation {
        shift: Vec::new(),
        name: name.into(),
        ids: (0..features.rows).map(|i| i.to_string()).collect(),
        split: vec![Split::Train; features.rows],
        columns: (0..VALUES.len()).map(column).collect(),
        features,
        origin: "simulated".into(),
    }
}
