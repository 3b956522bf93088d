//! Which explicit density a space has: each is fitted to features of training samples and judged by
//! its mean ln f at test samples'.
//!
//! A prior is not among them: a variational encoder's features are means, which lie closer together than
//! draws of its posteriors, and those are what a prior is of.

use serde::{Deserialize, Serialize};

use super::constant::ConstantFeatures;
use super::fit::Unfit;
use super::rows::{doubles, means};
use super::{FEATURE_DENSITIES, OutlierOptions};
use crate::dataset::Split;
use crate::error::{Error, Result, valid};
use crate::matrix::spaced;
use crate::representation::Representation;
use crate::stats::mean_gap::{MeanGap, mean_gap};

/// Densities that take a second or two at most.
pub const QUICK: [&str; 5] = [
    "normal",
    "normal_diagonal",
    "normal_shrunk",
    "mixture",
    "kde",
];
/// A distance to neighbours, which ranks rows but is no density.
const NO_DENSITY: &str = "knn";
/// Features up to which they are fitted.
const WIDEST: usize = 64;
/// Samples fitted to, and judged on, at most.
const SAMPLES: usize = 2000;

/// Densities of a space.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::density::OutlierOptions;
/// use hspace_core::density::space::SpaceFits;
///
/// let candidates = vec!["normal".into(), "mixture".into()];
/// let options = OutlierOptions { candidates, ..OutlierOptions::default() };
/// let fits = SpaceFits::of(&blobs("runs/a", 0.1), &options)?;
/// // Three clusters are no normal distribution.
/// assert_eq!(fits.fits[0].name, "mixture");
/// assert!(fits.headline().contains("mixture") && fits.table().contains("normal"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpaceFits {
    /// Name of the representation.
    pub representation: String,
    /// Number of features.
    pub dim: usize,
    /// Samples fitted to.
    pub train: usize,
    /// Samples judged on.
    pub test: usize,
    /// Best first.
    pub fits: Vec<SpaceFit>,
    /// What could not be fitted.
    pub unfit: Vec<Unfit>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpaceFit {
    /// Name from the list.
    pub name: String,
    /// What was chosen on the training samples.
    pub chosen: String,
    /// Mean ln f of a test sample, in nats: of densities in the features' units, so that differences count.
    pub held_out: f64,
    /// How much less that is than the best one's; `None` for the best one.
    pub behind: Option<MeanGap>,
    /// Whether the test samples show no difference between it and the best one; false for the best one.
    pub no_difference: bool,
}

impl SpaceFits {
    /// Of a space.
    ///
    /// # Errors
    /// If it has more than 64 features or too few samples of a split, if none of them varies, or if
    /// no density could be fitted.
    pub fn of(space: &Representation, options: &OutlierOptions) -> Result<SpaceFits> {
        valid(options.validate())?;
        let wrong = |problem: String| Error::data(format!("{}: {problem}", space.name));
        let d = space.features.cols;
        let rows = |split: Split| -> Vec<f64> {
            let of: Vec<usize> = (0..space.ids.len())
                .filter(|&i| space.split[i] == split)
                .collect();
            let some: Vec<usize> = spaced(of.len(), SAMPLES).iter().map(|&i| of[i]).collect();
            doubles(&space.features.select(&some))
        };
        if !(1..=WIDEST).contains(&d) {
            return Err(wrong(format!(
                "{d} features; a density is fitted to {WIDEST} at most, such as those of `pca:{WIDEST}`"
            )));
        }
        let (train, test) = (rows(Split::Train), rows(Split::Test));
        if train.len() < 2 * d || test.len() < 2 * d {
            return Err(wrong(format!(
                "{} training and {} test samples; 2 of each are needed at least",
                train.len() / d,
                test.len() / d
            )));
        }
        let still = ConstantFeatures::of(&train, d)
            .ok_or_else(|| wrong("all training samples have the same features".into()))?;
        let (mut judged, mut unfit) = (Vec::<(&str, String, Vec<f64>)>::new(), Vec::new());
        let asked = |name: &str| options.candidates.iter().any(|c| c == name);
        for entry in FEATURE_DENSITIES {
            if !asked(entry.name) {
                continue;
            }
            if entry.name == NO_DENSITY {
                unfit.push(Unfit {
                    name: entry.name.into(),
                    reason: "ranks rows by a distance, which is no density; it is for --against"
                        .into(),
                });
                continue;
            }
            let listed: Vec<&str> = judged.iter().map(|j| j.0).collect();
            match still.fit(entry, &train, &listed, options) {
                Ok((name, density)) => {
                    judged.push((name, density.chosen(), still.ln_densities(&*density, &test)))
                }
                Err(reason) => unfit.push(Unfit {
                    name: entry.name.into(),
                    reason,
                }),
            }
        }
        let mean = |each: &[f64]| means(each, 1)[0];
        judged.retain(|(.., each)| mean(each).is_finite());
        judged.sort_by(|a, b| mean(&b.2).total_cmp(&mean(&a.2)));
        let Some((_, _, best)) = judged.first().cloned() else {
            return Err(Unfit::all(&space.name, &unfit));
        };
        let comparisons = judged.len() - 1;
        let fit = |(i, (name, chosen, each)): (usize, (&str, String, Vec<f64>))| {
            let gaps: Vec<f64> = best.iter().zip(&each).map(|(a, b)| a - b).collect();
            let behind = mean_gap(&gaps, comparisons).filter(|_| i > 0);
            SpaceFit {
                name: name.to_owned(),
                chosen,
                held_out: mean(&each),
                behind,
                no_difference: behind.is_some_and(|b| b.at_least <= 0.0),
            }
        };
        Ok(SpaceFits {
            representation: space.name.clone(),
            dim: d,
            train: train.len() / d,
            test: test.len() / d,
            fits: judged.into_iter().enumerate().map(fit).collect(),
            unfit,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::matrix::Matrix;

    /// 1200 normal rows of two features of that mean and deviation, half of each split.
    fn space(mean: f64, deviation: f64) -> Representation {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
        let n = 1200;
        let number = |_| {
            let x: f64 = StandardNormal.sample(&mut random);
            (mean + deviation * x) as f32
        };
        let split = |i: usize| [Split::Train, Split::Test][i % 2];
        Representation {
            shift: Vec::new(),
            name: "z".into(),
            features: Matrix::new(n, 2, (0..2 * n).map(number).collect()),
            ids: (0..n).map(|i| i.to_string()).collect(),
            columns: vec![],
            split: (0..n).map(split).collect(),
            origin: String::new(),
        }
    }

    fn all() -> OutlierOptions {
        OutlierOptions::default()
    }

    #[test]
    fn the_likelihood_is_that_of_the_distribution() {
        for (mean, deviation) in [(0.0, 1.0), (0.5, 0.6), (-1.0, 1.5)] {
            let found = SpaceFits::of(&space(mean, deviation), &all()).unwrap();
            // The flow too, but not a mixture of one component.
            let mut names: Vec<&str> = found.fits.iter().map(|f| f.name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(
                names,
                ["flow", "kde", "normal", "normal_diagonal", "normal_shrunk"]
            );
            let mixture = found.unfit.iter().find(|u| u.name == "mixture").unwrap();
            assert!(mixture.reason.contains("normal"), "{}", mixture.reason);
            assert_eq!(found.fits[0].behind, None);
            // Less the entropy of two normal features; any candidate can be a normal distribution.
            let entropy = 1.0 + (2.0 * std::f64::consts::PI).ln() + 2.0 * deviation.ln();
            for fit in &found.fits {
                assert!((fit.held_out + entropy).abs() < 0.15, "{fit:?}, {entropy}");
                assert!(fit.behind.is_none_or(|b| b.mean < 0.1), "{fit:?}");
            }
        }
    }

    #[test]
    fn two_heaps_are_no_normal_distribution() {
        let mut heaps = space(0.0, 1.0);
        for (i, row) in heaps.features.data.chunks_exact_mut(2).enumerate() {
            row[0] += if i / 2 % 2 == 0 { 8.0 } else { -8.0 };
        }
        let found = SpaceFits::of(&heaps, &all()).unwrap();
        let behind = |name: &str| {
            let fit = found.fits.iter().find(|fit| fit.name == name);
            fit.unwrap().behind
        };
        assert!(
            behind("normal").is_some_and(|b| b.at_least > 1.0),
            "{found:?}"
        );
        assert!(behind("mixture").is_none_or(|b| b.mean < 0.05), "{found:?}");
    }

    #[test]
    fn what_has_no_density_says_why() {
        let problem =
            |space: &Representation| SpaceFits::of(space, &all()).unwrap_err().to_string();
        assert!(problem(&space(0.0, 0.0)).contains("the same features"));
        let few = space(0.0, 1.0).select(&[0, 1, 2]);
        assert!(problem(&few).contains("2 training and 1 test samples"));
    }
}
