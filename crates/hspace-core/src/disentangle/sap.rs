//! Separated attribute predictability: does one latent predict a factor, and no other as well?
//!
//! `SAP = 1/K Σₖ (S(z₁, vₖ) − S(z₂, vₖ))` over the two latents that predict factor vₖ best. Kumar,
//! Sattigeri & Balakrishnan 2018, arXiv:1711.00848, section 3. S is, for a factor of numbers, the R² of
//! a straight line, `cov² / (var · var)`; for a factor of classes, the balanced accuracy of thresholds
//! on the latent, as the paper has it.
//!
//! Of all thresholds that give each class one interval, in the order of the classes' means, the best
//! are found exactly. (Later implementations put a linear SVM on one latent in their place, and treat
//! numbers as classes.)

use rayon::prelude::*;

use super::Factor;
use super::mig::two_largest;
use crate::error::Result;
use crate::matrix::Matrix;

/// The gap, in 0..=1.
pub fn sap(latents: &Matrix, factors: &[Factor], _seed: u64) -> Result<Vec<f64>> {
    let scores = scores(latents, factors);
    let gap = |k: usize| {
        let [first, second] = two_largest(scores.iter().map(|row| row[k]));
        first - second
    };
    let total: f64 = (0..factors.len()).map(gap).sum();
    Ok(vec![total / factors.len() as f64])
}

/// How well each latent alone predicts each factor, `[latents][factors]` in 0..=1.
fn scores(latents: &Matrix, factors: &[Factor]) -> Vec<Vec<f64>> {
    let row = |j: usize| {
        let z: Vec<f64> = (0..latents.rows)
            .map(|i| f64::from(latents.row(i)[j]))
            .collect();
        let mut order: Vec<u32> = (0..z.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| z[a as usize].total_cmp(&z[b as usize]));
        let score = |factor: &Factor| match &factor.numbers {
            Some(numbers) => {
                let v = factor.index.iter().map(|&i| numbers[i as usize]);
                squared_correlation(&z, &v.collect::<Vec<f64>>())
            }
            None => balanced_accuracy(&z, &order, factor),
        };
        factors.iter().map(score).collect()
    };
    (0..latents.cols).into_par_iter().map(row).collect()
}

fn squared_correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().max(1) as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    if aa > 0.0 && bb > 0.0 {
        ab * ab / (aa * bb)
    } else {
        0.0
    }
}

/// Balanced accuracy of the best thresholds; `order` are the rows by rising `z`.
fn balanced_accuracy(z: &[f64], order: &[u32], factor: &Factor) -> f64 {
    let (mut sizes, mut sums) = (vec![0.0; factor.count], vec![0.0; factor.count]);
    for (&value, &x) in factor.index.iter().zip(z) {
        sizes[value as usize] += 1.0;
        sums[value as usize] += x;
    }
    let mut classes: Vec<usize> = (0..factor.count).filter(|&c| sizes[c] > 0.0).collect();
    classes.sort_by(|&a, &b| (sums[a] / sizes[a]).total_cmp(&(sums[b] / sizes[b])));
    let mut rank = vec![0; factor.count];
    classes.iter().enumerate().for_each(|(r, &c)| rank[c] = r);
    // best[r]: the most that rows so far can earn if the interval of class r has begun and no later one.
    let mut best = vec![0.0f64; classes.len()];
    for tied in order.chunk_by(|&a, &b| z[a as usize] == z[b as usize]) {
        for r in 1..best.len() {
            best[r] = best[r].max(best[r - 1]);
        }
        for &row in tied {
            let class = factor.index[row as usize] as usize;
            best[rank[class]] += 1.0 / sizes[class];
        }
    }
    best.iter().fold(0.0, |most, &b| b.max(most)) / classes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disentangle::tests::{entangled, golden, noise, truth};

    #[test]
    fn known_answers() -> Result<()> {
        let (latents, factors) = truth();
        // The other latents predict a class by chance: S is 1 less 1/2 or 1/3 there, 1 less 0 for numbers.
        let classes = factors.iter().filter(|f| f.numbers.is_none());
        let guessed: f64 = classes.map(|f| 1.0 / f.count as f64).sum();
        let expected = 1.0 - guessed / factors.len() as f64;
        let got = sap(&latents, &factors, 0)?[0];
        assert!((got - expected).abs() < 0.02, "{got} {expected}");
        assert!(sap(&noise(), &factors, 0)?[0] < 0.01);
        let between = sap(&entangled(), &factors, 0)?[0];
        assert!((0.01..0.4).contains(&between), "{between}");
        Ok(())
    }

    #[test]
    fn thresholds_are_the_best_there_are() {
        let z = [0.0, 1.0, 1.0, 2.0, 3.0, 4.0];
        let factor = Factor {
            name: "shape".into(),
            count: 2,
            index: vec![0, 0, 1, 0, 1, 1],
            numbers: None,
        };
        let order = [0, 1, 2, 3, 4, 5];
        // Between 2 and 3: all three of class 0, two of three of class 1.
        assert!((balanced_accuracy(&z, &order, &factor) - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn values_of_the_published_formula() -> Result<()> {
        let golden = golden();
        let got = sap(&golden.latents(), &golden.factors(), 0)?[0];
        assert!((got - golden.sap).abs() < 1e-6, "{got} {}", golden.sap);
        Ok(())
    }
}
