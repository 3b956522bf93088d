//! Several labels a sample: a logistic regression for each label on the same features, all at one C, as scikit-learn's
//! `OneVsRestClassifier(LogisticRegression(C))`.

use std::borrow::Cow;

use rayon::prelude::*;

use super::problem::{Fitted, Problem};
use super::search::{Part, best_c};
use super::{Basis, CV_ROWS, FALLBACK, FIT_ROWS};
use crate::error::Result;
use crate::few_labels::draw_label_sets;
use crate::matrix::Matrix;
use crate::probe::folds::{Selection, balanced};
use crate::random::mix;

/// The fitted regressions.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::linear::label_sets::LabelClassifiers;
///
/// // Two labels of one feature, the second of which all training samples have.
/// let found = LabelClassifiers { weights: Matrix::new(1, 2, vec![1.0, 0.0]), bias: vec![0.0, f64::INFINITY] };
/// assert_eq!(found.probabilities(&Matrix::new(1, 1, vec![0.0])), [0.5, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct LabelClassifiers {
    /// `[d, labels]`, on the features as they are.
    pub weights: Matrix,
    /// `[labels]`, infinite for a label that all training rows have or none.
    pub bias: Vec<f64>,
}

impl LabelClassifiers {
    /// Probability `[n, labels]` of each label for `features` `[n, d]`.
    pub fn probabilities(&self, features: &Matrix) -> Vec<f64> {
        let logits = features.times(&self.weights);
        let logits = logits.data.chunks_exact(self.bias.len().max(1));
        let sigmoid = |(&z, b): (&f32, &f64)| 1.0 / (1.0 + (-(f64::from(z) + b)).exp());
        logits
            .flat_map(|row| row.iter().zip(&self.bias).map(sigmoid))
            .collect()
    }
}

/// Fits `features` `[n, d]` with each row's set of `labels` labels at scikit-learn's `c`.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::linear::label_sets::fit;
///
/// // Each sample has any of two labels: the first where the first feature is 1, the second likewise.
/// let x = Matrix::new(4, 2, vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
/// let sets = [vec![], vec![0], vec![1], vec![0, 1]];
/// let p = fit(&x, &sets, 2, 100.0)?.probabilities(&Matrix::new(1, 2, vec![1.0, 0.0]));
/// assert!(p[0] > 0.9 && p[1] < 0.1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When features are not finite.
pub fn fit(
    features: &Matrix,
    sets: &[Vec<u32>],
    labels: usize,
    c: f64,
) -> Result<LabelClassifiers> {
    let basis = Basis::new(features, 2)?;
    let c = c * basis.scale * basis.scale;
    fit_each(&basis, sets, labels, c, &[])
}

/// Fits with the C of the lowest mean log loss over labels, of the validation rows of `selection` or by cross-validation;
/// returns that C, in the units of [`fit`]. A label takes part where at least two rows have it and two have not.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{Selection, linear::label_sets::fit_auto};
///
/// let x = Matrix::new(40, 1, (0..40).map(|i| i as f32).collect());
/// let sets: Vec<Vec<u32>> = (0..40).map(|i| if i < 20 { vec![] } else { vec![0] }).collect();
/// // C by cross-validation.
/// let (found, c) = fit_auto(&x, &sets, 1, Selection::default(), 0)?;
/// assert!(c > 0.0 && found.probabilities(&Matrix::new(1, 1, vec![35.0]))[0] > 0.9);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`fit`].
pub fn fit_auto(
    features: &Matrix,
    sets: &[Vec<u32>],
    labels: usize,
    selection: Selection<'_, Vec<u32>>,
    seed: u64,
) -> Result<(LabelClassifiers, f64)> {
    let basis = Basis::new(features, 2)?;
    let (c, starts) = choose(&basis, sets, labels, selection, seed)?;
    let fitted = fit_each(&basis, sets, labels, c, &starts)?;
    Ok((fitted, c / (basis.scale * basis.scale)))
}

fn fit_each(
    basis: &Basis,
    sets: &[Vec<u32>],
    labels: usize,
    c: f64,
    starts: &[Option<Fitted>],
) -> Result<LabelClassifiers> {
    let one = |label: usize| -> Result<(Vec<f32>, f64)> {
        let y = of_label(sets, label);
        if let Some(only) = y.first().filter(|first| y.iter().all(|y| y == *first)) {
            let bias = if *only == 1 {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            };
            return Ok((vec![0.0; basis.mean.len()], bias));
        }
        let start = starts.get(label).cloned().flatten();
        let softmax = basis.finish(&basis.solve(&y, 2, c, start)?, &[0, 1], 2);
        let weights = softmax.weights.data.chunks_exact(2);
        Ok((
            weights.map(|w| w[1] - w[0]).collect(),
            softmax.bias[1] - softmax.bias[0],
        ))
    };
    let fitted: Result<Vec<(Vec<f32>, f64)>> = (0..labels).into_par_iter().map(one).collect();
    let fitted = fitted?;
    let d = basis.mean.len();
    let data = (0..d).flat_map(|i| fitted.iter().map(move |(w, _)| w[i]));
    Ok(LabelClassifiers {
        weights: Matrix::new(d, labels, data.collect()),
        bias: fitted.iter().map(|(_, bias)| *bias).collect(),
    })
}

/// 1 for each row that has `label`, else 0.
fn of_label(sets: &[Vec<u32>], label: usize) -> Vec<u32> {
    let has = |set: &Vec<u32>| u32::from(set.contains(&(label as u32)));
    sets.iter().map(has).collect()
}

/// Rows to fit on and to score by, in the coordinates of the basis, with their sets.
struct Fold<'a> {
    fit: Cow<'a, Matrix>,
    fit_sets: Vec<Vec<u32>>,
    held: Matrix,
    held_sets: Vec<Vec<u32>>,
}

/// The C, and each label's start for the last fit.
fn choose(
    basis: &Basis,
    sets: &[Vec<u32>],
    labels: usize,
    selection: Selection<'_, Vec<u32>>,
    seed: u64,
) -> Result<(f64, Vec<Option<Fitted>>)> {
    let pick = |rows: &[usize]| rows.iter().map(|&i| sets[i].clone()).collect::<Vec<_>>();
    let mut rows: Vec<usize> = (0..sets.len()).collect();
    let limit = match selection.val {
        Some(_) => FIT_ROWS,
        None => CV_ROWS,
    };
    if rows.len() > limit {
        let seed = mix(&[seed, 1]);
        rows = draw_label_sets(&rows, sets, labels, selection.groups, limit, seed, 0);
    }
    let mut folds: Vec<Fold<'_>> = Vec::new();
    if let Some((features, truth)) = selection.val {
        folds.push(Fold {
            fit: basis.select(&rows),
            fit_sets: pick(&rows),
            held: basis.transform(features),
            held_sets: truth.to_vec(),
        });
    } else {
        let k = rows.len().min(if rows.len() > 500 { 3 } else { 5 });
        let labels_of = |row: usize| sets[row].clone();
        let dealt = balanced(&rows, &labels_of, labels, selection.groups, k, seed);
        for (f, held) in dealt
            .iter()
            .enumerate()
            .filter(|(_, held)| !held.is_empty())
        {
            let rest = dealt.iter().enumerate().filter(|(g, _)| *g != f);
            let rest: Vec<usize> = rest.flat_map(|(_, fold)| fold.iter().copied()).collect();
            folds.push(Fold {
                fit: basis.select(&rest),
                fit_sets: pick(&rest),
                held: basis.rows.select(held),
                held_sets: pick(held),
            });
        }
    }
    let chosen_by = pick(&rows);
    let separable = |label: usize| {
        let with = of_label(&chosen_by, label)
            .iter()
            .filter(|&&y| y == 1)
            .count();
        with >= 2 && with + 2 <= chosen_by.len()
    };
    let mut parts = Vec::new();
    let mut of_part = Vec::new();
    for fold in &folds {
        for label in (0..labels).filter(|&label| separable(label)) {
            let y = of_label(&fold.fit_sets, label);
            if !(y.contains(&0) && y.contains(&1)) {
                continue;
            }
            of_part.push(label);
            parts.push(Part {
                problem: Problem {
                    rows: Cow::Borrowed(&*fold.fit),
                    y,
                    classes: 2,
                    moments: &basis.moments,
                },
                held: Cow::Borrowed(&fold.held),
                truth: of_label(&fold.held_sets, label),
            });
        }
    }
    let mut starts = vec![None; labels];
    if parts.is_empty() {
        return Ok((FALLBACK, starts));
    }
    let (c, fitted) = best_c(&parts)?;
    for (label, fitted) in of_part.into_iter().zip(fitted) {
        starts[label].get_or_insert(fitted);
    }
    Ok((c, starts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        rows: usize,
        cols: usize,
        labels: usize,
        c: f64,
        features: Vec<f32>,
        sets: Vec<Vec<u32>>,
        probabilities: Vec<f64>,
    }

    #[test]
    fn probabilities_are_those_of_scikit_learn_s_one_vs_rest()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../../tests/golden/probe_label_sets.json"))?;
        let x = Matrix::new(golden.rows, golden.cols, golden.features);
        let fitted = fit(&x, &golden.sets, golden.labels, golden.c)?;
        for (ours, theirs) in fitted.probabilities(&x).iter().zip(&golden.probabilities) {
            assert!((ours - theirs).abs() < 1e-3, "{ours} {theirs}");
        }
        Ok(())
    }

    /// Labels that say the same as two classes are fitted as those.
    #[test]
    fn a_label_alone_is_a_task_of_two_classes() -> Result<()> {
        let x = Matrix::new(
            60,
            4,
            (0..240).map(|i| ((i * 7919) % 97) as f32 / 9.0).collect(),
        );
        let y: Vec<u32> = (0..60)
            .map(|i| u32::from(x.row(i)[1] + x.row(i)[2] > 11.0))
            .collect();
        let sets: Vec<Vec<u32>> = y.iter().map(|&y| vec![0; y as usize]).collect();
        let ours = fit(&x, &sets, 1, 0.3)?.probabilities(&x);
        let theirs = super::super::fit(&x, &y, 2, 0.3)?.probabilities(&x);
        for (ours, theirs) in ours.iter().zip(theirs.chunks_exact(2)) {
            assert!((ours - theirs[1]).abs() < 1e-6, "{ours} {theirs:?}");
        }
        Ok(())
    }

    #[test]
    fn a_label_of_all_rows_or_none_is_certain() -> Result<()> {
        let x = Matrix::new(12, 2, (0..24).map(|i| ((i * 31) % 17) as f32).collect());
        let sets: Vec<Vec<u32>> = (0..12)
            .map(|i| if i % 3 == 0 { vec![0, 2] } else { vec![0] })
            .collect();
        let (fitted, c) = fit_auto(&x, &sets, 3, Selection::default(), 0)?;
        for row in fitted.probabilities(&x).chunks_exact(3) {
            assert_eq!((row[0], row[1]), (1.0, 0.0));
            assert!(row[2] > 0.0 && row[2] < 1.0);
        }
        assert!(c > 0.0 && c.is_finite());
        Ok(())
    }
}
