//! Gaussian noise on every pixel or feature.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Canvas, Draws, Marginals, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "noise",
    summary: "Gaussian noise",
    source: "Vincent et al. 2008",
    item: ViewOperation {
        takes: Takes::Both,
        of: |config| &config.noise,
        show: |config| config.noise.p = 1.0,
    },
};

/// Settings of the noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Probability.
    pub p: f64,
    /// Standard deviation: of pixels in 0..1, and of vectors in units of each feature's own.
    pub std: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Noise { p: 0.0, std: 0.05 }
    }
}

impl View for Noise {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .within("std", self.std, [0.0, 10.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if draws.chance(self.p) {
            for v in canvas.pixels.iter_mut() {
                *v = (*v + self.std as f32 * draws.normal()).clamp(0.0, 1.0);
            }
        }
    }

    fn vector(&self, vector: &mut [f32], _: Option<&Marginals>, draws: &mut Draws) {
        if draws.chance(self.p) {
            for v in vector {
                *v += self.std as f32 * draws.normal();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Key;

    #[test]
    fn has_the_asked_mean_and_spread() {
        let mut vector = vec![1.0; 20_000];
        let noise = Noise { p: 1.0, std: 0.5 };
        noise.vector(&mut vector, None, &mut Key::default().draws("noise"));
        let mean = vector.iter().sum::<f32>() / 20_000.0;
        let variance = vector.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 20_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() - 0.5).abs() < 0.02, "{variance}");
    }
}
