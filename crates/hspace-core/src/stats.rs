//! Uncertainty: every estimate, interval and comparison of hspace is computed here.

use serde::{Deserialize, Serialize};

/// A value with its 95 % interval. Both ends equal the value where no honest interval is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value: of a measure, its mean over draws.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Estimate {
    /// A value of which no interval is known.
    pub fn without_interval(value: f64) -> Estimate {
        Estimate {
            mean: value,
            low: value,
            high: value,
        }
    }

    /// Whether an interval is known.
    pub fn has_interval(&self) -> bool {
        self.low < self.high
    }
}
