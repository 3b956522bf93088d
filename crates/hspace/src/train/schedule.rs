//! The learning rate over a run.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate after warm-up.
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
                0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
