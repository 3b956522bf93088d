//! Which unlabelled samples are taken for what the network thinks they are.
//!
//! A sample counts if its most probable class is at least as probable as a threshold:
//!
//! - `fixed`: τ for all (FixMatch: Sohn et al. 2020, arXiv:2001.07685);
//! - `curriculum`: of class c `τ β(c) / (2 − β(c))`, `β(c) = σ(c) / max(max σ, n₀)`, where σ(c) is how many training samples were last taken for
//!   c with at least τ, and n₀ how many were not yet taken for any (FlexMatch: Zhang et al. 2021, arXiv:2110.08263, equations 5, 7, 9, 11);
//! - `self_adaptive`: of class c `τ_t p̃(c) / max p̃`, where τ_t and p̃ are moving averages (.999) of the mean largest probability and of the mean
//!   probabilities (FreeMatch: Wang et al. 2023, arXiv:2205.07246, equations 5, 7, 8).

use std::collections::BTreeMap;

use burn_tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::nn::weights::values;
use crate::nn::{Init, Scope};
use crate::objective::classes::Classes;
use crate::warning::WarningKind;

/// Share of the samples in one class from which that is said.
const NEARLY_ALL: f64 = 0.95;

/// How thresholds are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::objective) enum Thresholds {
    /// One number.
    #[default]
    Fixed,
    /// Lower for classes that are seldom taken.
    Curriculum,
    /// As high as the network is sure.
    SelfAdaptive,
}

/// Moving averages keep so much.
const KEPT: f64 = 0.999;

impl Thresholds {
    /// Thresholds `[1, classes]` for a batch of probabilities `own [n, classes]`, of the rows `rows` of a dataset of `all` rows, of which `samples` are learned from; what they
    /// remember is under `memory`.
    pub fn of(
        self,
        memory: &Scope,
        own: &Tensor<2>,
        rows: &[usize],
        [all, samples]: [usize; 2],
        threshold: f64,
    ) -> Tensor<2> {
        let device = own.device();
        let [_, classes] = own.dims();
        match self {
            Thresholds::Fixed => Tensor::full([1, classes], threshold, &device),
            Thresholds::Curriculum => {
                // Of each row 1 + the class it was last taken for; 0: of none yet.
                let known = memory.buffer("taken", all, Init::Constant(0.0));
                let mut last = values(known.inner());
                let factors = curriculum(&last, classes, samples);
                let confident = values(taken(
                    own.clone(),
                    Tensor::full([1, classes], threshold, &device),
                ));
                for (row, flags) in rows.iter().zip(confident.chunks_exact(classes)) {
                    if let Some(class) = flags.iter().position(|&flag| flag > 0.0) {
                        last[*row] = (class + 1) as f32;
                    }
                }
                memory.update(
                    "taken",
                    Tensor::from_data(TensorData::new(last, [all]), &device),
                );
                let scaled: Vec<f32> = factors.iter().map(|f| (f * threshold) as f32).collect();
                Tensor::from_data(TensorData::new(scaled, [1, classes]), &device)
            }
            Thresholds::SelfAdaptive => {
                let even = Init::Constant(1.0 / classes as f32);
                let follow = |name: &str, size: usize, now: Tensor<1>| {
                    let before = memory.buffer(name, size, even);
                    let after = before * KEPT + now * (1.0 - KEPT);
                    memory.update(name, after.clone());
                    after
                };
                let global = follow("confidence", 1, own.clone().max_dim(1).mean());
                let of_class = follow(
                    "probabilities",
                    classes,
                    own.clone().mean_dim(0).reshape([classes]),
                );
                let largest = of_class.clone().max();
                (of_class / largest * global).reshape([1, classes])
            }
        }
    }
}

/// `β / (2 − β)` of each class, of what each row was last taken for; `samples` of the rows are learned from.
fn curriculum(taken: &[f32], classes: usize, samples: usize) -> Vec<f64> {
    let mut counts = vec![0usize; classes + 1];
    taken.iter().for_each(|&class| counts[class as usize] += 1);
    let counts = &counts[1..];
    // Rows of test samples are never taken for anything.
    let none = samples.saturating_sub(counts.iter().sum());
    let most = counts.iter().copied().max().unwrap_or(0).max(none).max(1);
    let factor = |&count: &usize| {
        let beta = count as f64 / most as f64;
        beta / (2.0 - beta)
    };
    counts.iter().map(factor).collect()
}

/// The most probable class of each row of `own [n, classes]` as a row of zeros and a one; of zeros alone where it is less probable than its
/// threshold, of `[1, classes]`.
pub(in crate::objective) fn taken(own: Tensor<2>, thresholds: Tensor<2>) -> Tensor<2> {
    let [_, classes] = own.dims();
    let device = own.device();
    let (confidence, index) = own.max_dim_with_indices(1);
    let all = Tensor::<1, Int>::arange(0..classes as i64, &device).reshape([1, classes]);
    let one = all.equal(index).float();
    let wanted = (one.clone() * thresholds).sum_dim(1);
    one * confidence.greater_equal(wanted).float()
}

/// The class that most rows of `own [n, classes]` are most probably of, and the share of these rows: numbers for [`diagnose`].
pub(in crate::objective) fn largest_class(own: &Tensor<2>) -> Vec<(&'static str, Tensor<1>)> {
    let [n, classes] = own.dims();
    let own = own.clone().inner();
    let anything = Tensor::zeros([1, classes], &own.device());
    let counts = taken(own, anything).sum_dim(0);
    let (most, class) = counts.max_dim_with_indices(1);
    vec![
        ("largest_share", most.reshape([1]) / n as f64),
        ("largest_class", class.float().reshape([1])),
    ]
}

/// Says so when nearly all samples are taken for one class.
pub(in crate::objective) fn diagnose(
    values: &BTreeMap<String, f64>,
    progress: f64,
    classes: &Classes,
) -> Option<(WarningKind, String)> {
    let (share, class) = (*values.get("largest_share")?, *values.get("largest_class")?);
    (progress > 0.1 && share > NEARLY_ALL).then(|| {
        let name = classes.name(class as usize);
        let text = format!(
            "{:.0} % of the unlabelled samples are taken for one class, `{name}`: what the network teaches itself is wrong for all others. If that \
             is not what the samples are, lower train.learning_rate or the weight of the unlabelled part, give more labels, or train without \
             unlabelled samples (objective supervised)",
            100.0 * share
        );
        (WarningKind::OneClass, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::nn::{Mode, Pass, Weights};

    fn rows<const N: usize>(of: [[f32; 3]; N]) -> Tensor<2> {
        Tensor::from_data(TensorData::from(of), &Device::cpu())
    }

    #[test]
    fn a_row_counts_from_its_classs_threshold_on() {
        let own = rows([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]);
        let found = values(taken(own, rows([[0.5, 0.7, 0.1]])));
        assert_eq!(found, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    /// Six samples: three taken for the first class, one for the second, two for none.
    #[test]
    fn classes_that_are_seldom_taken_have_lower_thresholds() {
        let factors = curriculum(&[1.0, 1.0, 1.0, 2.0, 0.0, 0.0], 3, 6);
        assert_eq!(factors, [1.0, (1.0 / 3.0) / (2.0 - 1.0 / 3.0), 0.0]);
        // Until samples are taken, those that are not count most.
        assert_eq!(
            curriculum(&[1.0, 0.0, 0.0, 0.0], 2, 4),
            [(1.0 / 3.0) / (2.0 - 1.0 / 3.0), 0.0]
        );
    }

    #[test]
    fn rows_that_are_not_learned_from_do_not_count() {
        let rows = [1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(curriculum(&rows, 2, 4), [1.0, 1.0]);
    }

    #[test]
    fn what_was_taken_is_remembered_by_row() {
        let (mut weights, device) = (Weights::default(), Device::cpu());
        let own = rows([[0.9, 0.1, 0.0], [0.3, 0.3, 0.4]]);
        let run = |weights: &Weights, mode| {
            let pass = Pass::new(weights, mode, &device);
            let memory = pass.at("memory");
            let found = Thresholds::Curriculum.of(&memory, &own, &[3, 1], [5, 4], 0.8);
            let found = values(found);
            let noted = pass.into_statistics().remove("memory.taken");
            (found, noted.map(values))
        };
        let pass = Pass::new(&weights, Mode::Init(0), &device);
        Thresholds::Curriculum.of(&pass.at("memory"), &own, &[3, 1], [5, 4], 0.8);
        let fresh = pass.into_fresh();
        weights.extend(fresh);
        let (first, noted) = run(&weights, Mode::Train);
        assert_eq!(first, [0.0; 3]);
        let noted = noted.unwrap();
        assert_eq!(noted, [0.0, 0.0, 0.0, 1.0, 0.0]);
        weights.set(
            "memory.taken",
            Tensor::from_data(TensorData::new(noted, [5]), &device),
        );
        // One of four samples; the fifth row is of the test split.
        let beta = 1.0 / 3.0;
        let (second, _) = run(&weights, Mode::Train);
        assert!((f64::from(second[0]) - 0.8 * beta / (2.0 - beta)).abs() < 1e-6);
    }

    /// After one batch: τ = .999/3 + .001 · mean of the largest, p̃ = .999/3 + .001 · mean.
    #[test]
    fn self_adaptive_thresholds_follow_the_batch() {
        let (weights, device) = (Weights::default(), Device::cpu());
        let pass = Pass::new(&weights, Mode::Init(0), &device);
        let own = rows([[0.9, 0.1, 0.0], [0.3, 0.3, 0.4]]);
        let found =
            values(Thresholds::SelfAdaptive.of(&pass.at("memory"), &own, &[0, 1], [2, 2], 0.95));
        let follow = |now: f64| 0.999 / 3.0 + 0.001 * now;
        let global = follow(0.65);
        let of_class = [0.6, 0.2, 0.2].map(follow);
        for (found, own) in found.iter().zip(of_class) {
            let wanted = global * own / of_class[0];
            assert!(
                (f64::from(*found) - wanted).abs() < 1e-6,
                "{found}, not {wanted}"
            );
        }
    }

    #[test]
    fn one_class_for_all_is_named() {
        let classes = Classes::named(&["cat", "dog", "owl"]);
        let own = rows([[0.1, 0.9, 0.0], [0.3, 0.4, 0.3]]);
        let numbers = |own: &Tensor<2>| -> BTreeMap<String, f64> {
            let all = largest_class(own).into_iter();
            all.map(|(name, x)| (name.to_owned(), f64::from(values(x)[0])))
                .collect()
        };
        let (kind, text) = diagnose(&numbers(&own), 0.5, &classes).expect("a warning");
        assert_eq!(kind, WarningKind::OneClass);
        assert!(
            text.starts_with("100 % of") && text.contains("`dog`"),
            "{text}"
        );
        let own = rows([[0.1, 0.9, 0.0], [0.6, 0.4, 0.0]]);
        assert_eq!(diagnose(&numbers(&own), 0.5, &classes), None);
    }
}
