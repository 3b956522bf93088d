//! Random resized crop: a random part of the image, resized to the input's size.
//!
//! The share of the area is uniform in `scale`, the aspect log-uniform in `ratio`; a box that does
//! not fit is drawn again up to ten times, then the largest centred box within `ratio` is taken
//! (Szegedy et al. 2015; the procedure of torchvision). Two deviations: the box is not rounded to
//! whole pixels, which matters on small images, and `ratio` is relative to the input's own aspect,
//! which is the same for square inputs.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Draws, Frame, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "crop",
    summary: "a random part of the image, resized",
    source: "Szegedy et al. 2015, arXiv:1409.4842",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.crop,
        show: |config| config.crop.p = 1.0,
    },
};

/// Settings of the random resized crop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crop {
    /// Probability; otherwise the centred part.
    pub p: f64,
    /// Share of the image's area, least and most.
    pub scale: [f64; 2],
    /// Width ÷ height of the box, least and most.
    pub ratio: [f64; 2],
    /// Share of the image's area of local crops (multi-crop), least and most.
    pub local_scale: [f64; 2],
    /// Height and width of local crops in pixels; 0 for three sevenths of the input's,
    /// in whole patches.
    pub local_size: usize,
}

impl Default for Crop {
    fn default() -> Self {
        Crop {
            p: 0.0,
            scale: [0.2, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
            local_scale: [0.05, 0.4],
            local_size: 0,
        }
    }
}

impl View for Crop {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .range("scale", self.scale, [1e-4, 1.0])
            .range("ratio", self.ratio, [1e-2, 1e2])
            .range("local_scale", self.local_scale, [1e-4, 1.0])
            .list()
    }

    fn frame(&self, frame: &mut Frame, draws: &mut Draws) {
        if !draws.chance(self.p) {
            return;
        }
        let [full_height, full_width] = frame.source.map(|side| side as f64);
        for _ in 0..10 {
            let area = full_height * full_width * draws.between(self.scale);
            let ratio = frame.aspect * draws.between(self.ratio.map(f64::ln)).exp();
            let (width, height) = ((area * ratio).sqrt(), (area / ratio).sqrt());
            if width <= full_width && height <= full_height {
                let left = draws.between([0.0, full_width - width]);
                let top = draws.between([0.0, full_height - height]);
                frame.look_at(left, top, width, height);
                return;
            }
        }
        let [low, high] = self.ratio.map(|r| r * frame.aspect);
        let ratio = (full_width / full_height).clamp(low, high);
        let width = full_width.min(full_height * ratio);
        let height = full_height.min(full_width / ratio);
        frame.look_at(
            (full_width - width) / 2.0,
            (full_height - height) / 2.0,
            width,
            height,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Key;

    fn frames(crop: &Crop, source: [usize; 2], n: u64) -> Vec<Frame> {
        let draw = |view| {
            let mut frame = Frame::centred(source, [32, 32]);
            crop.frame(
                &mut frame,
                &mut Key {
                    view,
                    ..Key::default()
                }
                .draws("crop"),
            );
            frame
        };
        (0..n).map(draw).collect()
    }

    #[test]
    fn boxes_fit_and_have_the_asked_area_and_aspect() {
        let crop = Crop {
            p: 1.0,
            ..Crop::default()
        };
        let mut areas = 0.0;
        for frame in frames(&crop, [28, 28], 2000) {
            assert!(frame.left >= 0.0 && frame.left + frame.width <= 28.0);
            assert!(frame.top >= 0.0 && frame.top + frame.height <= 28.0);
            let area = frame.width * frame.height / 784.0;
            assert!((0.19..=1.0).contains(&area), "{area}");
            assert!((0.74..=1.35).contains(&(frame.width / frame.height)));
            areas += area / 2000.0;
        }
        // Uniform in 0.2..1 would give 0.6; boxes near the full area often do not fit.
        assert!((0.52..0.6).contains(&areas), "{areas}");
    }

    #[test]
    fn an_impossible_box_becomes_the_centred_one() {
        let crop = Crop {
            p: 1.0,
            scale: [1.0, 1.0],
            ratio: [1.0, 1.0],
            ..Crop::default()
        };
        for frame in frames(&crop, [10, 40], 3) {
            assert_eq!(
                [frame.left, frame.top, frame.width, frame.height],
                [15.0, 0.0, 10.0, 10.0]
            );
        }
    }
}
