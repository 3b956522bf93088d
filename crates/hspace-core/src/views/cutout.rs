//! Random erasing: a random rectangle is painted over.
//!
//! Area and aspect are drawn as for the random crop, up to ten times; if none fits, nothing
//! happens (the procedure of torchvision).

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "cutout",
    summary: "a random rectangle is painted over",
    source: "Zhong et al. 2017, arXiv:1708.04896",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.cutout,
        show: |config| config.cutout.p = 1.0,
    },
};

/// Settings of random erasing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cutout {
    /// Probability.
    pub p: f64,
    /// Share of the picture's area, least and most.
    pub scale: [f64; 2],
    /// Height ÷ width of the rectangle, least and most.
    pub ratio: [f64; 2],
    /// What it is painted with, 0 (black) to 1.
    pub fill: f64,
}

impl Default for Cutout {
    fn default() -> Self {
        Cutout {
            p: 0.0,
            scale: [0.02, 0.33],
            ratio: [0.3, 3.3],
            fill: 0.0,
        }
    }
}

impl View for Cutout {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .range("scale", self.scale, [0.0, 1.0])
            .range("ratio", self.ratio, [1e-2, 1e2])
            .within("fill", self.fill, [0.0, 1.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if !draws.chance(self.p) {
            return;
        }
        for _ in 0..10 {
            let area = canvas.plane() as f64 * draws.between(self.scale);
            let ratio = draws.between(self.ratio.map(f64::ln)).exp();
            let height = (area * ratio).sqrt().round() as usize;
            let width = (area / ratio).sqrt().round() as usize;
            if height <= canvas.height && width <= canvas.width {
                let top = draws.below(canvas.height - height + 1);
                let left = draws.below(canvas.width - width + 1);
                let planes = canvas.pixels.chunks_exact_mut(canvas.height * canvas.width);
                for plane in planes {
                    for row in plane.chunks_exact_mut(canvas.width).skip(top).take(height) {
                        row[left..left + width].fill(self.fill as f32);
                    }
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Key;

    #[test]
    fn one_rectangle_of_the_asked_area_is_painted() {
        let cutout = Cutout {
            p: 1.0,
            fill: 1.0,
            ..Cutout::default()
        };
        for view in 0..200 {
            let mut pixels = vec![0.0; 2 * 20 * 30];
            let mut canvas = Canvas {
                channels: 2,
                height: 20,
                width: 30,
                pixels: &mut pixels,
                spare: &mut Vec::new(),
            };
            cutout.image(
                &mut canvas,
                &mut Key {
                    view,
                    ..Key::default()
                }
                .draws("cutout"),
            );
            let (first, second) = pixels.split_at(600);
            assert_eq!(first, second);
            let painted = first.iter().filter(|v| **v == 1.0).count();
            assert!((6..=220).contains(&painted), "{painted}");
            let rows = first.chunks(30).filter(|r| r.contains(&1.0)).count();
            assert_eq!(painted % rows, 0);
        }
    }
}
