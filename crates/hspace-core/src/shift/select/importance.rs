//! How much a labelled sample at home counts where it is to stand for samples away.
//!
//! `w(x) = n_home p(away | x) / (n_away p(home | x))`, p by a logistic regression that distinguishes training samples of the domains in fixed features
//! (You et al. 2019, "Towards accurate model selection in deep unsupervised domain adaptation", without their control variate). The weighted
//! accuracy `Σ wᵢ rᵢ / Σ wᵢ`, rᵢ 1 where sample i is answered right, estimates the accuracy away where the domains differ in how common samples are, not in
//! what they are labelled (Sugiyama et al. 2007, JMLR 8).

use crate::dataset::Split;
use crate::matrix::spaced;
use crate::probe::{ProbeOptions, Selection, Transform, linear};
use crate::representation::Representation;

/// Training samples of each side that the domains are distinguished by.
const ROWS: usize = 2000;
/// Effective number of samples, (Σ w)² / Σ w², below which weights say nothing: the domains hardly overlap in these features.
const FEWEST: f64 = 10.0;

/// The weights of the rows `asked`, of mean 1, in the features `r`; `is_home` and `is_away` are of all rows. `None` where too few samples carry the weight,
/// or a domain has no training samples.
pub(super) fn weights(
    r: &Representation,
    [is_home, is_away]: [&[bool]; 2],
    asked: &[usize],
    options: &ProbeOptions,
) -> Option<Vec<f64>> {
    let train = |is: &[bool]| -> Vec<usize> {
        let own = |row: &usize| is[*row] && r.split[*row] == Split::Train;
        let rows: Vec<usize> = (0..is.len()).filter(own).collect();
        let seen = spaced(rows.len(), ROWS).into_iter();
        seen.map(|i| rows[i]).collect()
    };
    let [home, away] = [train(is_home), train(is_away)];
    let both = [&home[..], &away].concat();
    let transform = Transform::fit(&r.features, both.iter().copied(), options.scaling, false);
    let [mut known, mut of_asked] = [&both[..], asked].map(|rows| r.features.select(rows));
    transform.apply(&mut known);
    transform.apply(&mut of_asked);
    let labels: Vec<u32> = (0..both.len())
        .map(|i| u32::from(i >= home.len()))
        .collect();
    let selection = Selection::default();
    let (classifier, _) = linear::fit_auto(&known, &labels, 2, selection, options.seed).ok()?;
    let p = classifier.probabilities(&of_asked);
    let prior = home.len() as f64 / away.len() as f64;
    let ratio = |p: &[f64]| prior * p[1] / p[0].max(f64::MIN_POSITIVE);
    scaled(p.chunks_exact(2).map(ratio).collect())
}

/// `weights` with a mean of 1; `None` where they stand for fewer than [`FEWEST`] samples.
fn scaled(mut weights: Vec<f64>) -> Option<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    let is_enough = sum.is_finite() && squares.is_finite() && sum * sum >= FEWEST * squares;
    let mean = sum / weights.len().max(1) as f64;
    weights.iter_mut().for_each(|w| *w /= mean);
    (is_enough && mean > 0.0).then_some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;

    /// A third of the samples at home has the value 1, and two thirds of those away.
    fn samples(scale: f32) -> (Representation, [Vec<bool>; 2]) {
        let n = 600;
        let is_home: Vec<bool> = (0..n).map(|row| row % 2 == 0).collect();
        let is_away = is_home.iter().map(|is| !is).collect();
        let value = |row: usize| {
            let third = row / 2 % 3;
            f32::from(u8::from(third == 0 || third == 1 && row % 2 == 1))
        };
        let one = |row: usize| match scale {
            0.0 => value(row),
            // The domains do not overlap.
            _ => value(row) + scale * (row % 2) as f32,
        };
        let r = Representation {
            name: "values".into(),
            features: Matrix::new(n, 1, (0..n).map(one).collect()),
            ids: (0..n).map(|row| row.to_string()).collect(),
            columns: vec![],
            split: (0..n)
                .map(|row| match row < 400 {
                    true => Split::Train,
                    false => Split::Val,
                })
                .collect(),
            origin: String::new(),
            shift: Vec::new(),
        };
        (r, [is_home, is_away])
    }

    #[test]
    fn samples_that_are_more_common_away_weigh_more() {
        let (r, [home, away]) = samples(0.0);
        let asked: Vec<usize> = (400..600).step_by(2).collect();
        let options = ProbeOptions::default();
        let found = weights(&r, [&home, &away], &asked, &options).unwrap();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!((mean - 1.0).abs() < 1e-9);
        // Twice as common away, and half as common.
        for (&row, w) in asked.iter().zip(&found) {
            let wanted = if r.features.row(row)[0] > 0.5 {
                2.0
            } else {
                0.5
            };
            assert!((w / wanted - 1.0).abs() < 0.15, "{w}, not {wanted}");
        }
    }

    #[test]
    fn domains_that_do_not_overlap_have_no_weights() {
        assert_eq!(scaled(vec![1e-9, 1e-9, 1e-9, 5.0]), None);
        assert_eq!(scaled(vec![]), None);
        assert_eq!(scaled(vec![0.0; 20]), None);
        let even = scaled(vec![3.0; 20]).unwrap();
        assert!(even.iter().all(|w| (w - 1.0).abs() < 1e-12));
    }
}
