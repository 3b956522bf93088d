//! Mirror images, left to right or upside down.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Draws, Frame, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "flip",
    summary: "the mirror image",
    source: "Krizhevsky et al. 2012",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.flip,
        show: |config| {
            config.flip.horizontal = 0.5;
            config.flip.vertical = 0.5;
        },
    },
};

/// Settings of mirroring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flip {
    /// Probability of swapping left and right.
    pub horizontal: f64,
    /// Probability of swapping top and bottom.
    pub vertical: f64,
}

impl View for Flip {
    fn on(&self) -> bool {
        self.horizontal > 0.0 || self.vertical > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("horizontal", self.horizontal)
            .probability("vertical", self.vertical)
            .list()
    }

    fn frame(&self, frame: &mut Frame, draws: &mut Draws) {
        frame.mirror_x ^= draws.chance(self.horizontal);
        frame.mirror_y ^= draws.chance(self.vertical);
    }
}
