//! What changes over a run: the learning rate, weight decay, temperatures.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate after warm-up.
///
/// ```
/// use hspace::optim::schedule::Schedule;
///
/// let factor = |step| Schedule::Cosine.factor(step, 100, 10);
/// assert!(factor(0) < factor(5) && factor(5) < factor(10) && factor(99) < 0.01);
/// assert_eq!(Schedule::Constant.factor(99, 100, 10), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine down to 0 (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts).
    Cosine,
    /// The same all along.
    Constant,
}

impl Schedule {
    /// Factor in 0..=1 at update `step` of `total`, the first `warmup` of which rise linearly.
    pub fn factor(self, step: usize, total: usize, warmup: usize) -> f64 {
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => {
                let done = (step - warmup) as f64 / (total - warmup).max(1) as f64;
                cosine(1.0, 0.0, done)
            }
        }
    }
}

/// A number on its way from `from` to `to` on half a cosine, at `share` in 0..=1 of it; after that it
/// stays.
///
/// ```
/// use hspace::optim::schedule::cosine;
///
/// assert_eq!(cosine(1.0, 3.0, 0.0), 1.0);
/// assert!((cosine(1.0, 3.0, 0.5) - 2.0).abs() < 1e-12);
/// assert_eq!(cosine(1.0, 3.0, 2.0), 3.0);
/// ```
pub fn cosine(from: f64, to: f64, share: f64) -> f64 {
    let left = 0.5 * (1.0 + (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos());
    to + (from - to) * left
}

/// The same on a straight line, over the first `over` (0..=1) of a training at `progress`.
///
/// ```
/// use hspace::optim::schedule::ramp;
///
/// assert_eq!(ramp(0.0, 4.0, 0.5, 0.25), 2.0);
/// assert_eq!(ramp(0.0, 4.0, 0.5, 0.9), 4.0);
/// ```
pub fn ramp(from: f64, to: f64, over: f64, progress: f64) -> f64 {
    match progress < over {
        true => from + (to - from) * progress / over,
        false => to,
    }
}

/// `exp(−5 (1 − t)²)`, t the share of the first `over` (0..=1) of a training at `progress`; 1 after it (Laine & Aila 2017).
///
/// ```
/// use hspace::optim::schedule::sigmoid_ramp;
///
/// assert!(sigmoid_ramp(0.4, 0.0) < 0.01);
/// assert_eq!(sigmoid_ramp(0.4, 0.4), 1.0);
/// ```
pub fn sigmoid_ramp(over: f64, progress: f64) -> f64 {
    let left = 1.0 - ramp(0.0, 1.0, over, progress);
    (-5.0 * left * left).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sigmoid_ramp_rises_to_1() {
        let at = |progress| sigmoid_ramp(0.4, progress);
        assert!((at(0.0) - (-5.0f64).exp()).abs() < 1e-12);
        assert!((at(0.2) - (-1.25f64).exp()).abs() < 1e-12);
        assert_eq!([at(0.4), at(1.0), sigmoid_ramp(0.0, 0.0)], [1.0; 3]);
    }

    #[test]
    fn rises_then_falls() {
        let at = |step| Schedule::Cosine.factor(step, 110, 10);
        assert_eq!(at(0), 0.1);
        assert_eq!(at(9), 1.0);
        assert_eq!(at(10), 1.0);
        assert!((at(60) - 0.5).abs() < 1e-12);
        assert!(at(109) < 0.001);
        assert_eq!(Schedule::Constant.factor(109, 110, 10), 1.0);
    }

    #[test]
    fn numbers_go_from_one_to_another() {
        assert!((cosine(0.04, 0.4, 0.0) - 0.04).abs() < 1e-12);
        assert_eq!(cosine(0.04, 0.04, 0.3), 0.04, "nothing changes");
        assert!((cosine(0.04, 0.4, 0.5) - 0.22).abs() < 1e-12);
        assert_eq!(cosine(0.04, 0.4, 1.0), 0.4);
        assert!((ramp(0.04, 0.08, 0.5, 0.25) - 0.06).abs() < 1e-12);
        assert_eq!(ramp(0.04, 0.08, 0.5, 0.7), 0.08);
        assert_eq!(ramp(0.04, 0.08, 0.0, 0.0), 0.08);
    }
}
