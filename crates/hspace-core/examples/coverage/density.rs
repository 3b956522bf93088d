//! Coverage of the intervals of `hspace density`: answers to questions, comparisons of families, densities of
//! features, detection of outliers.

use hspace_core::dataset::Split;
use hspace_core::density::column::Column;
use hspace_core::density::detection::{DETECTION_SCORES, detection};
use hspace_core::density::fit::fit;
use hspace_core::density::questions::{Question, ask, observed};
use hspace_core::density::space::{QUICK, SpaceFit, SpaceFits};
use hspace_core::density::{DENSITIES, DensityOptions, OutlierOptions, Random};
use hspace_core::matrix::Matrix;
use hspace_core::representation::Representation;
use hspace_core::stats::Estimate;
use hspace_core::stats::mean_gap::MeanGap;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use statrs::distribution as exact;
use statrs::distribution::{ContinuousCDF, DiscreteCDF};

use crate::cell::Cell;

/// Bootstrap resamples of each interval, as by default.
const RESAMPLES: usize = 200;

/// A distribution that values are drawn from, and the family of it.
struct Truth {
    name: &'static str,
    family: &'static str,
    counts: bool,
    draw: fn(&mut Random) -> f64,
    cdf: fn(f64) -> f64,
}

/// Draws from a distribution of `rand_distr`.
macro_rules! draw {
    ($distribution:expr) => {
        |random| $distribution.expect("valid parameters").sample(random)
    };
}

/// Its probability of at most `x`.
macro_rules! cdf {
    ($distribution:expr) => {
        |x| $distribution.expect("valid parameters").cdf(x)
    };
}

const TRUTHS: [Truth; 8] = [
    Truth {
        name: "normal",
        family: "normal",
        counts: false,
        draw: |random| StandardNormal.sample(random),
        cdf: cdf!(exact::Normal::new(0.0, 1.0)),
    },
    Truth {
        name: "log-normal",
        family: "log_normal",
        counts: false,
        draw: draw!(rand_distr::LogNormal::new(0.0, 0.8)),
        cdf: cdf!(exact::LogNormal::new(0.0, 0.8)),
    },
    Truth {
        name: "exponential",
        family: "exponential",
        counts: false,
        draw: draw!(rand_distr::Exp::new(1.0)),
        cdf: cdf!(exact::Exp::new(1.0)),
    },
    Truth {
        name: "gamma",
        family: "gamma",
        counts: false,
        draw: draw!(rand_distr::Gamma::new(2.5, 3.0)),
        cdf: cdf!(exact::Gamma::new(2.5, 1.0 / 3.0)),
    },
    Truth {
        name: "Weibull",
        family: "weibull",
        counts: false,
        draw: draw!(rand_distr::Weibull::new(30.0, 2.0)),
        cdf: cdf!(exact::Weibull::new(2.0, 30.0)),
    },
    Truth {
        name: "Poisson",
        family: "poisson",
        counts: true,
        draw: draw!(rand_distr::Poisson::new(4.0)),
        cdf: |x| {
            exact::Poisson::new(4.0)
                .expect("valid parameters")
                .cdf(x as u64)
        },
    },
    Truth {
        name: "negative binomial",
        family: "negative_binomial",
        counts: true,
        draw: |random| {
            let rate: f64 = rand_distr::Gamma::new(2.0, 3.0)
                .expect("valid parameters")
                .sample(random);
            rand_distr::Poisson::new(rate).map_or(0.0, |p| p.sample(random))
        },
        cdf: |x| {
            exact::NegativeBinomial::new(2.0, 0.25)
                .expect("valid parameters")
                .cdf(x as u64)
        },
    },
    Truth {
        name: "two normals",
        family: "mixture",
        counts: false,
        draw: |random| {
            let z: f64 = StandardNormal.sample(random);
            if random.random::<f64>() < 0.6 {
                z
            } else {
                5.0 + 0.7 * z
            }
        },
        cdf: |x| {
            let normal = exact::Normal::standard();
            0.6 * normal.cdf(x) + 0.4 * normal.cdf((x - 5.0) / 0.7)
        },
    },
];

impl Truth {
    fn sample(&self, n: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::seed_from_u64(seed);
        (0..n).map(|_| (self.draw)(&mut random)).collect()
    }

    /// The value that a share `q` lies below; of counts the least that they reach.
    fn quantile(&self, q: f64) -> f64 {
        let (mut low, mut high) = (if self.counts { 0.0 } else { -100.0 }, 1000.0);
        for _ in 0..200 {
            let middle: f64 = 0.5 * (low + high);
            let at = if self.counts { middle.floor() } else { middle };
            *(if (self.cdf)(at) < q {
                &mut low
            } else {
                &mut high
            }) = middle;
        }
        if self.counts { high.floor() } else { high }
    }

    /// The middle, the tail and what is far out, with their probabilities.
    fn questions(&self) -> [(&'static str, Question, f64); 3] {
        let [a, b, tail, far] = [0.3, 0.6, 0.95, 0.99].map(|q| self.quantile(q));
        let below = |x: f64| match self.counts {
            true if x < 1.0 => 0.0,
            true => (self.cdf)(x - 1.0),
            false => (self.cdf)(x),
        };
        [
            ("middle", Question::Between(a, b), (self.cdf)(b) - below(a)),
            ("tail", Question::Above(tail), 1.0 - (self.cdf)(tail)),
            ("far tail", Question::Above(far), 1.0 - (self.cdf)(far)),
        ]
    }
}

/// Counts intervals that hold the truth.
fn cell(what: String, intervals: impl Iterator<Item = Option<([f64; 2], f64)>>) -> Cell {
    let (mut held, mut of, mut width) = (0, 0, 0.0);
    for ([low, high], truth) in intervals.flatten() {
        held += usize::from(low <= truth && truth <= high);
        of += 1;
        width += high - low;
    }
    Cell {
        what,
        nominal: 0.95,
        held,
        of,
        width: (of > 0).then(|| width / of as f64),
    }
}

fn ends(estimate: &Estimate) -> Option<[f64; 2]> {
    estimate
        .has_interval()
        .then_some([estimate.low, estimate.high])
}

/// A seed of its own for each repetition of each cell.
fn seeds(seed: u64, cell: &str, repetitions: usize) -> Vec<u64> {
    let name = cell.bytes().fold(seed, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u64::from(b))
    });
    (0..repetitions as u64)
        .map(|r| name.wrapping_mul(1_000_003).wrapping_add(r))
        .collect()
}

/// Every cell.
pub fn cells(repetitions: usize, seed: u64) -> Vec<Cell> {
    let mut all = Vec::new();
    for n in [50, 500] {
        for truth in &TRUTHS {
            all.extend(answers(truth, n, repetitions, seed));
        }
    }
    for n in [50, 500] {
        all.extend(
            TRUTHS
                .iter()
                .map(|truth| named(truth, n, repetitions, seed)),
        );
    }
    all.extend(gaps(repetitions, seed));
    all.extend(spaces(repetitions, seed));
    all.extend(detections(repetitions, seed));
    // Where there are never intervals, nothing is held.
    all.retain(|cell| cell.of > 0);
    all
}

/// Answers of the right family, and the share in the data.
fn answers(truth: &Truth, n: usize, repetitions: usize, seed: u64) -> Vec<Cell> {
    let questions = truth.questions();
    let asked: Vec<Question> = questions.iter().map(|q| q.1).collect();
    let entry = DENSITIES
        .iter()
        .find(|e| e.name == truth.family)
        .expect("a density");
    let what = format!("{} by {} n={n}", truth.name, truth.family);
    let found: Vec<_> = seeds(seed, &what, repetitions)
        .into_par_iter()
        .map(|seed| {
            let values = truth.sample(n, seed);
            let shares: Vec<_> = asked.iter().map(|q| observed(*q, &values).1).collect();
            let density = (entry.fit)(&values, &DensityOptions::default()).ok();
            let answers = density.map(|density| {
                ask(
                    &asked,
                    entry.name,
                    &*density,
                    &values,
                    truth.counts,
                    (RESAMPLES, seed),
                )
            });
            (shares, answers.unwrap_or_default())
        })
        .collect();
    let mut all = Vec::new();
    for (q, (part, _, p)) in questions.iter().enumerate() {
        let answer = found.iter().map(|(_, a)| Some((a.get(q)?.interval?, *p)));
        all.push(cell(format!("{what}, {part}"), answer));
        let share = found.iter().map(|(s, _)| Some((s[q].interval?, *p)));
        all.push(cell(format!("{} share n={n}, {part}", truth.name), share));
    }
    all
}

/// All, but for many values those without a family, whose bandwidth takes long to search.
fn candidates(n: usize) -> Vec<String> {
    let of = DENSITIES.iter().map(|entry| entry.name);
    of.filter(|name| n <= 50 || !FREE.contains(name))
        .map(String::from)
        .collect()
}

/// Densities of no family.
const FREE: [&str; 3] = ["kde", "histogram", "neighbours"];

/// Whether the family of the truth is the best or named as not different from it.
fn named(truth: &Truth, n: usize, repetitions: usize, seed: u64) -> Cell {
    let what = format!("{} n={n}: family named", truth.name);
    let found: Vec<bool> = seeds(seed, &what, repetitions)
        .into_par_iter()
        .map(|seed| {
            let column = Column {
                name: "x".into(),
                values: truth.sample(n, seed),
                missing: 0,
            };
            let options = DensityOptions {
                resamples: 0,
                seed,
                candidates: candidates(n),
                ..DensityOptions::default()
            };
            let Ok(found) = fit(&column, "", &[], &options, &mut |_| ()) else {
                return false;
            };
            let own = found.fits.iter().enumerate();
            own.filter(|(_, f)| f.name == truth.family)
                .any(|(place, f)| place == 0 || f.no_difference)
        })
        .collect();
    Cell {
        what,
        nominal: 0.95,
        held: found.iter().filter(|named| **named).count(),
        of: found.len(),
        width: None,
    }
}

/// Pairs of families: the interval of their gap holds the mean gap over all repetitions.
fn gaps(repetitions: usize, seed: u64) -> Vec<Cell> {
    let mut all = Vec::new();
    for n in [50, 500] {
        for (t, pair) in [
            (2, ["exponential", "gamma"]),
            (2, ["exponential", "weibull"]),
            (2, ["exponential", "kde"]),
            (3, ["gamma", "weibull"]),
            (3, ["gamma", "log_normal"]),
            (3, ["gamma", "kde"]),
            (3, ["gamma", "histogram"]),
            (1, ["normal", "log_normal"]),
            (1, ["gamma", "log_normal"]),
            (0, ["normal", "kde"]),
            (0, ["normal", "mixture"]),
            (5, ["poisson", "negative_binomial"]),
            (6, ["poisson", "negative_binomial"]),
            (7, ["mixture", "kde"]),
        ] {
            if n > 50 && pair.iter().any(|name| FREE.contains(name)) {
                continue;
            }
            let truth = &TRUTHS[t];
            let what = format!("{} n={n}: gap of {} and {}", truth.name, pair[0], pair[1]);
            let found: Vec<Option<(f64, MeanGap)>> = seeds(seed, &what, repetitions)
                .into_par_iter()
                .map(|seed| {
                    let column = Column {
                        name: "x".into(),
                        values: truth.sample(n, seed),
                        missing: 0,
                    };
                    let options = DensityOptions {
                        resamples: 0,
                        seed,
                        candidates: pair.map(String::from).to_vec(),
                        ..DensityOptions::default()
                    };
                    let fits = fit(&column, "", &[], &options, &mut |_| ()).ok()?;
                    let gap = fits.fits.get(1)?.behind?;
                    // Of the second behind the first.
                    let sign = if fits.fits[0].name == pair[0] {
                        1.0
                    } else {
                        -1.0
                    };
                    Some((sign, gap))
                })
                .collect();
            let means: Vec<f64> = found
                .iter()
                .flatten()
                .map(|(sign, gap)| sign * gap.mean)
                .collect();
            let truth = means.iter().sum::<f64>() / means.len() as f64;
            all.push(Cell {
                what,
                nominal: 0.975,
                held: found
                    .iter()
                    .flatten()
                    .filter(|(sign, gap)| gap.at_least <= sign * truth)
                    .count(),
                of: means.len(),
                width: None,
            });
        }
    }
    all
}

/// Densities of features: the gaps on many more rows of the same distribution.
fn spaces(repetitions: usize, seed: u64) -> Vec<Cell> {
    let mut all = Vec::new();
    for (shape, test) in [
        ("normal", 100),
        ("normal", 1000),
        ("heaps", 100),
        ("heaps", 1000),
        ("heavy", 100),
        ("heavy", 1000),
    ] {
        let what = format!("{shape} features, {test} test rows: all gaps behind the best");
        let found: Vec<Option<bool>> = seeds(seed, &what, repetitions)
            .into_par_iter()
            .map(|seed| {
                let (d, train, rows) = (3, 200, 11_200);
                let mut random = Random::seed_from_u64(seed);
                let mut number = |i: usize| -> f32 {
                    let z: f64 = StandardNormal.sample(&mut random);
                    let x = match shape {
                        "normal" => z,
                        "heavy" => z * z * z,
                        _ => z + if (i / d).is_multiple_of(2) { 2.0 } else { -2.0 },
                    };
                    x as f32
                };
                let rows: Vec<f32> = (0..d * rows).map(&mut number).collect();
                // Training rows, and test rows from row `from` on.
                let space = |from: usize, test: usize| {
                    let row = |i: &usize| rows[d * i..d * (i + 1)].to_vec();
                    let of: Vec<usize> = (0..train).chain(from..from + test).collect();
                    let split = |i: usize| if i < train { Split::Train } else { Split::Test };
                    Representation {
                        shift: Vec::new(),
                        name: "z".into(),
                        features: Matrix::new(of.len(), d, of.iter().flat_map(row).collect()),
                        ids: of.iter().map(usize::to_string).collect(),
                        columns: vec![],
                        split: (0..of.len()).map(split).collect(),
                        origin: String::new(),
                    }
                };
                let options = OutlierOptions {
                    candidates: QUICK.map(String::from).to_vec(),
                    ..OutlierOptions::default()
                };
                let few = SpaceFits::of(&space(train, test), &options).ok()?;
                let many = SpaceFits::of(&space(train + test, 10_000), &options).ok()?;
                let mean = |name: &str| {
                    let own = many.fits.iter().find(|f| f.name == name);
                    own.map_or(f64::NAN, |f| f.held_out)
                };
                let best = mean(&few.fits[0].name);
                let mut behind = few.fits.iter().filter_map(|f| Some((f, f.behind?)));
                let holds = |(f, gap): (&SpaceFit, MeanGap)| gap.at_least <= best - mean(&f.name);
                Some(behind.all(holds))
            })
            .collect();
        all.push(Cell {
            what,
            nominal: 0.95,
            held: found.iter().flatten().filter(|held| **held).count(),
            of: found.iter().flatten().count(),
            width: None,
        });
    }
    all
}

/// Detection of outliers whose scores are normal.
fn detections(repetitions: usize, seed: u64) -> Vec<Cell> {
    let mut all = Vec::new();
    let normal = exact::Normal::standard();
    for (inside, outside) in [(20, 20), (50, 50), (500, 50), (50, 500), (500, 500)] {
        for (mean, std) in [(0.5, 1.0), (1.5, 1.0), (3.0, 1.0), (2.0, 2.0), (1.5, 0.4)] {
            let what = format!("{inside} ordinary rows, {outside} outliers from N({mean}, {std})");
            let auroc = normal.cdf(mean / f64::hypot(1.0, std));
            let upper = |x: f64| normal.cdf(-x);
            // Average precision over recall.
            let steps = 20_000;
            let aupr: f64 = (0..steps)
                .map(|i| {
                    let recall = (f64::from(i) + 0.5) / f64::from(steps);
                    let threshold = mean - std * normal.inverse_cdf(recall);
                    let (hits, alarms) =
                        (recall * outside as f64, upper(threshold) * inside as f64);
                    hits / (hits + alarms) / f64::from(steps)
                })
                .sum();
            let fpr95 = upper(mean - std * 1.644_853_627);
            let missed95 = normal.cdf((1.644_853_627 - mean) / std);
            let truths = [auroc, aupr, fpr95, missed95];
            let found: Vec<[Estimate; 4]> = seeds(seed, &what, repetitions)
                .into_par_iter()
                .map(|seed| {
                    let mut random = Random::seed_from_u64(seed);
                    let mut draw = |n: usize, mean: f64, std: f64| -> Vec<f64> {
                        (0..n)
                            .map(|_| {
                                let z: f64 = StandardNormal.sample(&mut random);
                                mean + std * z
                            })
                            .collect()
                    };
                    let (a, b) = (draw(inside, 0.0, 1.0), draw(outside, mean, std));
                    detection(&a, &b)
                })
                .collect();
            for (m, name) in DETECTION_SCORES.into_iter().enumerate() {
                all.push(cell(
                    format!("{what}: {name} of {:.3}", truths[m]),
                    found.iter().map(|f| Some((ends(&f[m])?, truths[m]))),
                ));
            }
        }
    }
    all
}
