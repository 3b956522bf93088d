//! Solarisation: values from a threshold on are inverted, so that what was bright becomes dark.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "solarize",
    summary: "bright values are inverted",
    source: "Grill et al. 2020 (BYOL), arXiv:2006.07733",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.solarize,
        show: |config| config.solarize.p = 0.5,
    },
};

/// Settings of solarisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Solarize {
    /// Probability.
    pub p: f64,
    /// Values from here on are inverted, in 0..=1.
    pub threshold: f64,
}

impl Default for Solarize {
    fn default() -> Self {
        Solarize {
            p: 0.0,
            threshold: 0.5,
        }
    }
}

impl View for Solarize {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .within("threshold", self.threshold, [0.0, 1.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if draws.chance(self.p) {
            solarize(canvas.pixels, self.threshold as f32);
        }
    }
}

/// Inverts values of at least `threshold`.
pub(super) fn solarize(pixels: &mut [f32], threshold: f32) {
    for v in pixels {
        if *v >= threshold {
            *v = 1.0 - *v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_from_the_threshold_on_are_inverted() {
        let mut pixels = [0.0, 0.25, 0.5, 0.75, 1.0];
        solarize(&mut pixels, 0.5);
        assert_eq!(pixels, [0.0, 0.25, 0.5, 0.25, 0.0]);
    }
}
