//! Modularity and explicitness: does a latent know one factor alone, and can factors be read off?
//!
//! - Modularity: with `m[i][k]` the mutual information of latent i and factor k, of K, and θ its largest
//!   in row i, `1/d Σᵢ (1 − Σ_{k ≠ argmax} m[i][k]² / (θᵢ² (K − 1)))`; a latent without information counts 0.
//! - Explicitness: the area under the ROC curve with which a logistic regression on all latents tells
//!   each value of a factor from the others, on rows held out; the mean over values, then over factors;
//!   not stretched to 0..=1.
//!
//! Ridgeway & Mozer 2018, arXiv:1802.05312, section 3. Information by counting (`mutual_information`).
//! Deviations: one softmax regression tells all values of a factor apart (as in Locatello et al. 2019 with today's
//! scikit-learn), where the paper has one regression for each value, which cannot tell a middle value of a factor
//! that one latent spells out in order from those on both its sides. It gives 1 instead of .78 for the factors
//! themselves, and .98 instead of .82 for the latents of the golden values
//! (`tests/golden/disentangle_values.py`). Its penalty is scikit-learn's; the authors' code has none, and asks on the
//! rows that it learned from. A factor with a single value among either rows is left out.
//!
//! Deviation of modularity: entropies are jackknifed and negative information is 0; with plug-in entropies the information that
//! chance shows would count as knowledge of all factors. A latent has information if that with some factor exceeds what
//! [`PERMUTATIONS`] permutations of the rows show by [`CLEAR`] standard deviations. (Without this rule modularity of noise is about .7,
//! as it looks at the proportions of what information there is.)
//!
//! For the factors themselves both are about 1. For noise explicitness is ½, and modularity near 0.

use rayon::prelude::*;

use super::mutual_information::{Coded, binned, jackknife, table};
use super::{Factor, split_rows, standardised};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::probe::linear;
use crate::probe::scores::{Answers, CLASS_SCORES, ClassAnswers};
use crate::random::{mix, shuffled};

/// scikit-learn's default.
const C: f64 = 1.0;

/// Permutations that show what information chance brings.
const PERMUTATIONS: u64 = 20;
/// Standard deviations by which information exceeds that.
const CLEAR: f64 = 4.0;

/// Modularity, in 0..=1.
pub fn modularity(latents: &Matrix, factors: &[Factor], seed: u64) -> Result<Vec<f64>> {
    let latents = binned(latents);
    let factors: Vec<Coded> = factors.iter().map(Coded::from).collect();
    let limits = limits_of_chance(&latents, &factors, seed);
    let mut known = table(&latents, &factors, jackknife);
    for (row, limits) in known.iter_mut().zip(&limits) {
        let clear = row.iter().zip(limits).any(|(m, limit)| m > limit);
        row.iter_mut()
            .for_each(|m| *m = if clear { m.max(0.0) } else { 0.0 });
    }
    Ok(vec![of_information(&known)])
}

/// The information `[latents][factors]` that chance does not show.
fn limits_of_chance(latents: &[Coded], factors: &[Coded], seed: u64) -> Vec<Vec<f64>> {
    let (d, k) = (latents.len(), factors.len());
    let (mut sums, mut squares) = (vec![vec![0.0; k]; d], vec![vec![0.0; k]; d]);
    let rows = factors.first().map_or(0, |f| f.index.len());
    for permutation in 0..PERMUTATIONS {
        let order = shuffled((0..rows).collect(), mix(&[seed, 5, permutation]));
        let permuted = factors.iter().map(|f| Coded {
            count: f.count,
            index: order.iter().map(|&row| f.index[row]).collect(),
        });
        let chance = table(latents, &permuted.collect::<Vec<_>>(), jackknife);
        for i in 0..d {
            for j in 0..k {
                sums[i][j] += chance[i][j];
                squares[i][j] += chance[i][j] * chance[i][j];
            }
        }
    }
    let n = PERMUTATIONS as f64;
    let limit = |(sum, squares): (&f64, &f64)| {
        let variance = (squares - sum * sum / n) / (n - 1.0);
        sum / n + CLEAR * variance.max(0.0).sqrt()
    };
    let row = |(sums, squares): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
        sums.iter().zip(squares).map(limit).collect()
    };
    sums.iter().zip(&squares).map(row).collect()
}

/// Modularity of `known` `[latents][factors]`.
fn of_information(known: &[Vec<f64>]) -> f64 {
    let one = |row: &Vec<f64>| {
        let squares: f64 = row.iter().map(|m| m * m).sum();
        let largest = row.iter().fold(0.0f64, |a, &m| a.max(m * m));
        match largest > 0.0 && row.len() > 1 {
            true => 1.0 - (squares - largest) / (largest * (row.len() - 1) as f64),
            false => 0.0,
        }
    };
    known.iter().map(one).sum::<f64>() / known.len().max(1) as f64
}

/// Explicitness, ½ (guessing) to 1.
pub fn explicitness(latents: &Matrix, factors: &[Factor], seed: u64) -> Result<Vec<f64>> {
    let (train, test) = split_rows(latents.rows, seed);
    Ok(vec![of_rows(latents, factors, &train, &test)?])
}

/// Explicitness on the rows `test` by regressions learned from the rows `train`, of the factors that vary
/// among both.
fn of_rows(latents: &Matrix, factors: &[Factor], train: &[usize], test: &[usize]) -> Result<f64> {
    let latents = standardised(latents);
    let (fitted, held_out) = (latents.select(train), latents.select(test));
    let place = CLASS_SCORES.iter().position(|name| *name == "macro_auroc");
    let varies = |factor: &Factor| factor.index.iter().any(|value| *value != factor.index[0]);
    let parts = factors.iter().map(|f| (f, f.select(train), f.select(test)));
    let parts: Vec<_> = parts.filter(|(_, a, b)| varies(a) && varies(b)).collect();
    if parts.is_empty() {
        return Err(Error::data(
            "explicitness: no factor has two values among both the rows learned from and those held out; give more samples, or leave this metric out",
        ));
    }
    let area = |(factor, known, asked): &(&Factor, Factor, Factor)| -> Result<f64> {
        let softmax = linear::fit(&fitted, &known.index, factor.count, C)?;
        let answers = softmax.probabilities(&held_out);
        let scores = ClassAnswers::new(&answers, &asked.index, factor.count).scores();
        let score = place.and_then(|at| scores[at].as_ref());
        Ok(score.map_or(f64::NAN, |score| score.value))
    };
    let areas: Vec<f64> = parts.par_iter().map(area).collect::<Result<_>>()?;
    Ok(areas.iter().sum::<f64>() / areas.len() as f64)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::disentangle::mutual_information::{plug_in, with_factors};
    use crate::disentangle::tests::{entangled, golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        assert!((modularity(&latents, &factors, 0)?[0] - 1.0).abs() < 1e-9);
        let (known, _) = with_factors(&entangled(), &factors, plug_in);
        let mixed = of_information(&known);
        assert!((0.3..0.95).contains(&mixed), "{mixed}");
        // One latent of noise in four passes for informative here; without the rule it is about .7.
        let chance = modularity(&noise(), &factors, 0)?[0];
        assert!(chance < 0.3, "{chance}");
        let clear = explicitness(&latents, &factors, 0)?[0];
        assert!(clear > 0.99, "{clear}");
        let guessed = explicitness(&noise(), &factors, 0)?[0];
        assert!((guessed - 0.5).abs() < 0.05, "{guessed}");
        // A rotation takes nothing away from what can be read off.
        let turned = explicitness(&entangled(), &factors, 0)?[0];
        assert!((turned - clear).abs() < 0.01, "{turned} {clear}");
        Ok(())
    }

    /// All combinations of values are the population, of which the plug-in value is exact; that of 1,000 draws is .05 too small.
    #[test]
    fn modularity_of_draws_is_that_of_the_population() -> Result<()> {
        let ((_, factors), latents) = (truth(), entangled());
        let expected = of_information(&with_factors(&latents, &factors, plug_in).0);
        let mut mean = 0.0;
        for seed in 0..8 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let draw = |_| random.random_range(0..latents.rows);
            let rows: Vec<usize> = (0..1000).map(draw).collect();
            let own: Vec<Factor> = factors.iter().map(|f| f.select(&rows)).collect();
            mean += modularity(&latents.select(&rows), &own, seed)?[0] / 8.0;
        }
        assert!((mean - expected).abs() < 0.012, "{mean} {expected}");
        Ok(())
    }

    /// One row in a hundred has the second value: the rows held out may have none.
    #[test]
    fn a_factor_that_hardly_varies_is_left_out() -> Result<()> {
        let (latents, factors) = truth();
        let clear = explicitness(&latents, &factors, 0)?[0];
        let mut rare = factors[0].clone();
        rare.name = "rare".into();
        (rare.count, rare.numbers) = (2, None);
        rare.index = (0..rare.index.len())
            .map(|row| u32::from(row == 0))
            .collect();
        let both: Vec<Factor> = factors.iter().cloned().chain([rare.clone()]).collect();
        assert_eq!(explicitness(&latents, &both, 0)?[0], clear);
        let problem = explicitness(&latents, &[rare], 0).map_err(|e| e.to_string());
        assert!(problem.unwrap_err().contains("no factor has two values"));
        Ok(())
    }

    #[test]
    fn values_of_the_published_formula() {
        let golden = golden();
        let (known, _) = with_factors(&golden.latents(), &golden.factors(), plug_in);
        let got = of_information(&known);
        assert!((got - golden.modularity).abs() < 1e-9, "{got}");
    }

    /// Areas depend on the order of probabilities alone, which the golden rows leave no doubt about.
    #[test]
    fn areas_are_scikit_learn_s() -> Result<()> {
        let golden = golden();
        let latents = golden.latents();
        let (test, train): (Vec<usize>, Vec<usize>) = (0..latents.rows).partition(|i| i % 4 == 1);
        let got = of_rows(&latents, &golden.factors(), &train, &test)?;
        assert!((got - golden.explicitness).abs() < 1e-9, "{got}");
        Ok(())
    }
}
