//! Colour jitter and loss of colour, on values in 0..1.
//!
//! Brightness multiplies all values by a factor; contrast moves them away from the picture's mean
//! luma; saturation moves each pixel away from its own luma; hue turns the colour circle of HSV.
//! The four come in random order and each cuts its result to 0..1, as in torchvision (Chen et al.
//! 2020, appendix A). We keep floating point throughout, where Pillow rounds to 8 bits.
//!
//! A grey picture has no saturation or hue, so for it those two do nothing. Neither do pictures of other than 3 channels
//! (a microscope's, a satellite's): for them brightness multiplies all channels by one factor, and contrast moves each
//! channel away from its own mean.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::resize::luma;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "color",
    summary: "other brightness, contrast, saturation, hue",
    source: "Chen et al. 2020 (SimCLR), arXiv:2002.05709",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.color,
        show: |config| config.color.p = 1.0,
    },
};

pub(super) const GREY: ViewEntry = ViewEntry {
    name: "grey",
    summary: "the colours are lost",
    source: "Chen et al. 2020 (SimCLR), arXiv:2002.05709",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.grey,
        show: |config| config.grey.p = 0.5,
    },
};

/// Settings of the colour jitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Color {
    /// Probability.
    pub p: f64,
    /// The factor lies within 1 ± this, and is not negative.
    pub brightness: f64,
    /// The factor lies within 1 ± this, and is not negative.
    pub contrast: f64,
    /// The factor lies within 1 ± this, and is not negative.
    pub saturation: f64,
    /// Largest turn of the colour circle to either side; 0.5 is half a turn.
    pub hue: f64,
}

impl Default for Color {
    fn default() -> Self {
        Color {
            p: 0.0,
            brightness: 0.8,
            contrast: 0.8,
            saturation: 0.8,
            hue: 0.2,
        }
    }
}

impl View for Color {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .within("brightness", self.brightness, [0.0, 10.0])
            .within("contrast", self.contrast, [0.0, 10.0])
            .within("saturation", self.saturation, [0.0, 10.0])
            .within("hue", self.hue, [0.0, 0.5])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if !draws.chance(self.p) {
            return;
        }
        let mut factor = |by: f64| draws.between([(1.0 - by).max(0.0), 1.0 + by]) as f32;
        let brightness = factor(self.brightness);
        let contrast = factor(self.contrast);
        let saturation = factor(self.saturation);
        let turn = draws.between([-self.hue, self.hue]) as f32;
        let mut order = [0, 1, 2, 3];
        for i in (1..4).rev() {
            order.swap(i, draws.below(i + 1));
        }
        for step in order {
            match step {
                0 if self.brightness > 0.0 => adjust_brightness(canvas.pixels, brightness),
                1 if self.contrast > 0.0 => adjust_contrast(canvas, contrast),
                2 if self.saturation > 0.0 => adjust_saturation(canvas, saturation),
                3 if self.hue > 0.0 => adjust_hue(canvas, turn),
                _ => {}
            }
        }
    }
}

/// Settings of the loss of colour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grey {
    /// Probability.
    pub p: f64,
}

impl View for Grey {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default().probability("p", self.p).list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if draws.chance(self.p) {
            adjust_saturation(canvas, 0.0);
        }
    }
}

pub(super) fn adjust_brightness(pixels: &mut [f32], factor: f32) {
    for v in pixels {
        *v = (*v * factor).clamp(0.0, 1.0);
    }
}

pub(super) fn adjust_contrast(canvas: &mut Canvas, factor: f32) {
    let plane = canvas.plane();
    let mean = |pixels: &[f32]| sum(pixels) / plane as f32;
    let stretch = |pixels: &mut [f32], mean: f32| {
        let shift = (1.0 - factor) * mean;
        for v in pixels {
            *v = (*v * factor + shift).clamp(0.0, 1.0);
        }
    };
    match rgb(canvas) {
        // The luma of the planes' means is the mean luma.
        Some([red, green, blue]) => {
            let mean = luma([mean(red), mean(green), mean(blue)]);
            stretch(canvas.pixels, mean);
        }
        None => {
            for pixels in canvas.pixels.chunks_exact_mut(plane) {
                let mean = mean(pixels);
                stretch(pixels, mean);
            }
        }
    }
}

/// Sums in 16 lanes, which the compiler turns into vectors, always in the same order.
fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += v;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The planes of an RGB picture; `None` for any other number of channels.
fn rgb<'a>(canvas: &'a mut Canvas) -> Option<[&'a mut [f32]; 3]> {
    let plane = canvas.plane();
    if canvas.channels != 3 {
        return None;
    }
    let (red, rest) = canvas.pixels.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    Some([red, green, blue])
}

pub(super) fn adjust_saturation(canvas: &mut Canvas, factor: f32) {
    let Some([red, green, blue]) = rgb(canvas) else {
        return;
    };
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        let shift = (1.0 - factor) * luma([*r, *g, *b]);
        *r = (*r * factor + shift).clamp(0.0, 1.0);
        *g = (*g * factor + shift).clamp(0.0, 1.0);
        *b = (*b * factor + shift).clamp(0.0, 1.0);
    }
}

/// Turns the colour circle by `turn` (in -0.5..0.5).
fn adjust_hue(canvas: &mut Canvas, turn: f32) {
    let Some([red, green, blue]) = rgb(canvas) else {
        return;
    };
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = turned([*r, *g, *b], 6.0 * turn);
    }
}

/// A colour with its hue turned by `sixths` of the circle (in -3..3): RGB → HSV → RGB.
///
/// Without branches, so that it runs on vectors. With V the largest value, C the spread and h the
/// hue in sixths, a channel is `V - C · max(0, min(k, 4 - k, 1))` at `k = (n + h) mod 6`, where n
/// is 5, 3, 1 for red, green, blue (Smith 1978, in the closed form).
fn turned([r, g, b]: [f32; 3], sixths: f32) -> [f32; 3] {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let smaller = |a: f32, b: f32| if a < b { a } else { b };
    let value = larger(larger(r, g), b);
    let spread = value - smaller(smaller(r, g), b);
    let per_spread = 1.0 / larger(spread, 1e-12);
    let from_red = (g - b) * per_spread;
    let from_green = (b - r) * per_spread + 2.0;
    let from_blue = (r - g) * per_spread + 4.0;
    let hue = if value == g { from_green } else { from_blue };
    let hue = if value == r { from_red } else { hue } + sixths; // -4..8
    let hue = if hue < 0.0 { hue + 6.0 } else { hue };
    let hue = if hue >= 6.0 { hue - 6.0 } else { hue };
    [5.0, 3.0, 1.0].map(|n| {
        let k = n + hue;
        let k = if k >= 6.0 { k - 6.0 } else { k };
        let ramp = smaller(smaller(k, 4.0 - k), 1.0);
        value - spread * larger(ramp, 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_canvas(pixels: &mut [f32], channels: usize, change: impl Fn(&mut Canvas)) {
        let mut canvas = Canvas {
            channels,
            height: 1,
            width: pixels.len() / channels,
            pixels,
            spare: &mut Vec::new(),
        };
        change(&mut canvas);
    }

    /// Each line: an operation on the pixels (0.9, 0.2, 0.4) and (0.1, 0.5, 0.3) and its planes
    /// after `torchvision.transforms.functional.adjust_…(torch.tensor(…), factor)`, or
    /// `rgb_to_grayscale` for the last.
    #[test]
    fn agrees_with_torchvision() {
        let before = [0.9, 0.1, 0.2, 0.5, 0.4, 0.3];
        let check = |change: fn(&mut Canvas), after: [f32; 6]| {
            let mut pixels = before;
            with_canvas(&mut pixels, 3, change);
            for (a, b) in pixels.iter().zip(after) {
                // Its weights for the luma sum to .9999.
                assert!((a - b).abs() < 2e-4, "{pixels:?} {after:?}");
            }
        };
        check(|c| adjust_brightness(c.pixels, 1.5), BRIGHTNESS);
        check(|c| adjust_contrast(c, 0.6), CONTRAST);
        check(|c| adjust_saturation(c, 1.4), SATURATION);
        check(|c| adjust_hue(c, 0.3), HUE);
        check(|c| adjust_hue(c, -0.2), HUE_BACK);
        check(|c| adjust_saturation(c, 0.0), GREYED);
    }

    const BRIGHTNESS: [f32; 6] = [1.0, 0.15, 0.3, 0.75, 0.6, 0.45];
    const CONTRAST: [f32; 6] = [0.69792, 0.21792, 0.27792, 0.45792, 0.39792, 0.33792];
    const SATURATION: [f32; 6] = [1.0, 0.0, 0.1072, 0.55696, 0.3872, 0.27696];
    const HUE: [f32; 6] = [0.54, 0.22, 0.9, 0.1, 0.2, 0.5];
    const HUE_BACK: [f32; 6] = [0.56, 0.38, 0.2, 0.5, 0.9, 0.1];
    const GREYED: [f32; 6] = [0.43201, 0.35759, 0.43201, 0.35759, 0.43201, 0.35759];

    #[test]
    fn turning_there_and_back_is_no_turn() {
        for i in 0..1000 {
            let color = [i % 10, i / 10 % 10, i / 100].map(|v| v as f32 / 9.0);
            for sixths in [-3.0, -1.3, 0.0, 0.7, 3.0] {
                let back = turned(turned(color, sixths), -sixths);
                for (a, b) in color.iter().zip(back) {
                    assert!((a - b).abs() < 1e-5, "{color:?} {back:?}");
                }
            }
        }
    }

    #[test]
    fn contrast_of_other_numbers_of_channels_is_about_each_mean() {
        let mut pixels = [0.2, 0.4, 0.5, 0.9];
        with_canvas(&mut pixels, 2, |canvas| adjust_contrast(canvas, 0.5));
        for (a, b) in pixels.iter().zip([0.25, 0.35, 0.6, 0.8]) {
            assert!((a - b).abs() < 1e-6, "{pixels:?}");
        }
    }

    #[test]
    fn grey_is_untouched_by_what_changes_colours() {
        for channels in [1, 2, 3, 6] {
            let mut pixels = [0.3; 6];
            with_canvas(&mut pixels, channels, |canvas| {
                adjust_hue(canvas, 0.4);
                adjust_saturation(canvas, 1.7);
            });
            assert!(pixels.iter().all(|v| (v - 0.3).abs() < 1e-6), "{pixels:?}");
        }
    }
}
