//! The momentum teacher: a copy of parts of the network that follows them, and is never trained.
//!
//! `teacher ← m · teacher + (1 − m) · learner` after each step (Tarvainen & Valpola 2017,
//! arXiv:1703.01780), m rising from its start to 1 on a cosine (Grill et al. 2020).

use crate::network::Weights;

/// Where the teacher's copy of a part is.
fn place(part: &str) -> String {
    format!("teacher.{part}")
}

/// The teacher starts as the learner is.
pub(super) fn begin(weights: &mut Weights, parts: &[&str]) {
    for part in parts {
        weights.follow(part, &place(part), 0.0);
    }
}

/// The teacher follows, at `progress` in 0..=1 of a training that began with `momentum`.
pub(super) fn follow(weights: &mut Weights, parts: &[&str], momentum: f64, progress: f64) {
    let left = (1.0 - momentum) * ((std::f64::consts::PI * progress).cos() + 1.0) / 2.0;
    for part in parts {
        weights.follow(part, &place(part), 1.0 - left);
    }
}

/// A setting out of range.
pub(super) fn problem(momentum: f64) -> Option<String> {
    (!(0.0..=1.0).contains(&momentum)).then(|| format!("momentum={momentum} must be in 0..=1"))
}
