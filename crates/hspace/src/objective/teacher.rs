//! The momentum teacher: a copy of parts of the network that follows them, and is never trained.
//!
//! `teacher ← m · teacher + (1 − m) · learner` after each step (Tarvainen & Valpola 2017,
//! arXiv:1703.01780), m rising from its start to 1 on a cosine (Grill et al. 2020).

use crate::nn::Weights;
use crate::objective::heads::must;
use crate::optim::ema::Export;
use crate::optim::schedule::cosine;

/// What a run with a teacher can keep as its encoder.
pub(super) const EXPORTS: &[Export] = &[Export::Model, Export::Ema, Export::Teacher];

/// Where the teacher's copy of a part is.
fn place(part: &str) -> String {
    format!("teacher.{part}")
}

/// The teacher starts as the learner is.
pub(super) fn init_ema(weights: &mut Weights, parts: &[&str]) {
    for part in parts {
        weights.follow(part, &place(part), 0.0);
    }
}

/// The teacher follows, at `progress` in 0..=1 of a training that began with `momentum`.
pub(super) fn update_ema(weights: &mut Weights, parts: &[&str], momentum: f64, progress: f64) {
    follow(weights, parts, cosine(momentum, 1.0, progress));
}

/// The teacher follows with this momentum.
pub(super) fn follow(weights: &mut Weights, parts: &[&str], momentum: f64) {
    for part in parts {
        weights.follow(part, &place(part), momentum);
    }
}

/// A setting out of range.
pub(super) fn validate(momentum: f64) -> Vec<String> {
    must((0.0..1.0).contains(&momentum), || {
        format!(
            "momentum={momentum} must be at least 0 and below 1, at which a teacher never moves"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::nn::Weight;
    use crate::nn::weights::{values, vector};

    /// By `1 − (1 − m) (cos πk + 1) / 2` at share k of the training (Grill et al. 2020, section 3.2).
    #[test]
    fn it_slows_down_until_it_stands() {
        let device = Device::cpu();
        for (progress, momentum) in [
            (0.0, 0.98),
            (1.0 / 3.0, 0.985),
            (0.5, 0.99),
            (2.0 / 3.0, 0.995),
            (1.0, 1.0),
        ] {
            let mut weights = Weights::default();
            for (name, value) in [("encoder.w", 1.0), ("teacher.encoder.w", 0.0)] {
                let weight = Weight {
                    value: vector(vec![value], &device),
                    shape: vec![1],
                    trained: true,
                };
                weights.insert(name.into(), weight);
            }
            update_ema(&mut weights, &["encoder"], 0.98, progress);
            let moved = values(weights.get("teacher.encoder.w").unwrap().value.clone());
            let off = (f64::from(moved[0]) - (1.0 - momentum)).abs();
            assert!(off < 1e-8, "at {progress}: moved by {}", moved[0]);
        }
    }

    #[test]
    fn one_that_never_moves_is_refused() {
        for wrong in [1.0, 1.5, -0.1, f64::NAN] {
            let problems = validate(wrong);
            assert!(problems[0].starts_with("momentum="), "{problems:?}");
        }
        assert!(validate(0.0).is_empty() && validate(0.999).is_empty());
    }
}
