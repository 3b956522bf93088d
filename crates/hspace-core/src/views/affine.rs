//! Rotation, shift, scaling and shear about the centre, with bilinear interpolation.
//!
//! With `R` the rotation by θ (clockwise, since y points down), `S = [1, -tan φ; 0, 1]` the shear and
//! s the scale, the picture's point `p` goes to `s R S (p - centre) + centre + shift`. Each pixel of the result is looked up at the
//! place it came from; what lies outside has the value `fill`.

use serde::{Deserialize, Serialize};

use super::config::Problems;
use super::{Canvas, Draws, Takes, View, ViewEntry, ViewOperation};

pub(super) const ENTRY: ViewEntry = ViewEntry {
    name: "affine",
    summary: "rotation, shift, scaling, shear",
    source: "Simard et al. 2003",
    item: ViewOperation {
        takes: Takes::Images,
        of: |config| &config.affine,
        show: |config| config.affine.p = 1.0,
    },
};

/// Settings of the affine map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// Probability.
    pub p: f64,
    /// Largest rotation to either side, in degrees.
    pub degrees: f64,
    /// Largest shift to each side, as a share of width and height.
    pub translate: f64,
    /// Scale, least and most.
    pub scale: [f64; 2],
    /// Largest shear along x to either side, in degrees.
    pub shear: f64,
    /// Value of what comes in from outside, 0 (black) to 1.
    pub fill: f64,
}

impl Default for Affine {
    fn default() -> Self {
        Affine {
            p: 0.0,
            degrees: 15.0,
            translate: 0.1,
            scale: [0.9, 1.1],
            shear: 10.0,
            fill: 0.0,
        }
    }
}

impl View for Affine {
    fn on(&self) -> bool {
        self.p > 0.0
    }

    fn validate(&self) -> Vec<String> {
        Problems::default()
            .probability("p", self.p)
            .within("degrees", self.degrees, [0.0, 180.0])
            .within("translate", self.translate, [0.0, 1.0])
            .range("scale", self.scale, [0.01, 100.0])
            .within("shear", self.shear, [0.0, 80.0])
            .within("fill", self.fill, [0.0, 1.0])
            .list()
    }

    fn image(&self, canvas: &mut Canvas, draws: &mut Draws) {
        if !draws.chance(self.p) {
            return;
        }
        let mut around = |most: f64| draws.between([-most, most]);
        let map = Map {
            degrees: around(self.degrees),
            shear: around(self.shear),
            shear_y: 0.0,
            shift: [around(self.translate), around(self.translate)],
            scale: draws.between(self.scale),
        };
        map.apply(canvas, self.fill as f32);
    }
}

/// One affine map.
pub(super) struct Map {
    pub(super) degrees: f64,
    /// Along x, in degrees.
    pub(super) shear: f64,
    /// Along y, in degrees, after that along x.
    pub(super) shear_y: f64,
    /// Shares of width and height.
    pub(super) shift: [f64; 2],
    pub(super) scale: f64,
}

impl Map {
    /// Leaves a picture as it is.
    pub(super) const STILL: Map = Map {
        degrees: 0.0,
        shear: 0.0,
        shear_y: 0.0,
        shift: [0.0, 0.0],
        scale: 1.0,
    };

    pub(super) fn apply(&self, canvas: &mut Canvas, fill: f32) {
        let (height, width) = (canvas.height, canvas.width);
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let tan = self.shear.to_radians().tan();
        let tan_y = self.shear_y.to_radians().tan();
        // S⁻¹ R⁻¹ / s, S⁻¹ being [1 tan; 0 1] [1 0; tan_y 1].
        let along_x = [cos / self.scale, sin / self.scale];
        let along_y = [
            tan_y * along_x[0] - sin / self.scale,
            tan_y * along_x[1] + cos / self.scale,
        ];
        let inverse = [
            [along_x[0] + tan * along_y[0], along_x[1] + tan * along_y[1]],
            along_y,
        ];
        let centre = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
        let landed = [
            centre[0] + self.shift[0] * width as f64,
            centre[1] + self.shift[1] * height as f64,
        ];
        // Where the first pixel of row y comes from.
        let start = |y: usize| {
            let (dx, dy) = (-landed[0], y as f64 - landed[1]);
            inverse.map(|[a, b]| a * dx + b * dy)
        };
        let [step_x, step_y] = inverse.map(|row| row[0] as f32);
        let sheet = Sheet::new(canvas, fill);
        for y in 0..height {
            let [x0, y0] = start(y);
            let (x0, y0) = ((x0 + centre[0]) as f32, (y0 + centre[1]) as f32);
            for x in 0..width {
                let spot = sheet.spot(x0 + step_x * x as f32, y0 + step_y * x as f32);
                for channel in 0..canvas.channels {
                    let value = sheet.look_up(canvas.spare, channel, &spot);
                    canvas.pixels[(channel * height + y) * width + x] = value;
                }
            }
        }
    }
}

/// A copy of the picture with a border of `fill`, one pixel wide to the left and above and two to
/// the right and below, so that four neighbours can be read anywhere without asking.
struct Sheet {
    height: usize,
    width: usize,
}

/// The first of four neighbouring pixels, and how far from it towards the others.
struct Spot {
    index: usize,
    right: f32,
    down: f32,
}

impl Sheet {
    /// Copies the picture into the canvas's spare room.
    fn new(canvas: &mut Canvas, fill: f32) -> Self {
        let sheet = Sheet {
            height: canvas.height + 3,
            width: canvas.width + 3,
        };
        canvas.spare.clear();
        canvas
            .spare
            .resize(canvas.channels * sheet.height * sheet.width, fill);
        for (i, row) in canvas.pixels.chunks_exact(canvas.width).enumerate() {
            let (channel, y) = (i / canvas.height, i % canvas.height);
            let start = (channel * sheet.height + y + 1) * sheet.width + 1;
            canvas.spare[start..start + canvas.width].copy_from_slice(row);
        }
        sheet
    }

    /// `x` and `y` are coordinates in the picture; far outside counts as the border.
    fn spot(&self, x: f32, y: f32) -> Spot {
        let x = (x + 1.0).clamp(0.0, (self.width - 2) as f32);
        let y = (y + 1.0).clamp(0.0, (self.height - 2) as f32);
        let (left, top) = (x as u32, y as u32);
        Spot {
            index: top as usize * self.width + left as usize,
            right: x - left as f32,
            down: y - top as f32,
        }
    }

    fn look_up(&self, values: &[f32], channel: usize, spot: &Spot) -> f32 {
        let first = channel * self.height * self.width + spot.index;
        let blend = |at: usize| {
            let pair = &values[at..at + 2];
            pair[0] + spot.right * (pair[1] - pair[0])
        };
        let (above, below) = (blend(first), blend(first + self.width));
        above + spot.down * (below - above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(map: &Map, side: usize, pixels: &[f32]) -> Vec<f32> {
        let mut out = pixels.to_vec();
        let mut spare = Vec::new();
        let mut canvas = Canvas {
            channels: pixels.len() / (side * side),
            height: side,
            width: side,
            pixels: &mut out,
            spare: &mut spare,
        };
        map.apply(&mut canvas, 0.0);
        out
    }

    fn close(a: &[f32], b: &[f32]) {
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() < 1e-4, "pixel {i}: {a} {b}");
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let pixels: Vec<f32> = (0..75).map(|i| i as f32 / 75.0).collect();
        assert_eq!(mapped(&Map::STILL, 5, &pixels), pixels);
    }

    #[test]
    fn whole_pixel_shifts_and_half_turns_are_exact() {
        let pixels: Vec<f32> = (1..=16).map(|i| i as f32 / 16.0).collect();
        let right = mapped(
            &Map {
                shift: [0.25, 0.0],
                ..Map::STILL
            },
            4,
            &pixels,
        );
        for y in 0..4 {
            assert_eq!(right[y * 4], 0.0);
            close(&right[y * 4 + 1..y * 4 + 4], &pixels[y * 4..y * 4 + 3]);
        }
        let mut turned = mapped(
            &Map {
                degrees: 180.0,
                ..Map::STILL
            },
            4,
            &pixels,
        );
        turned.reverse();
        close(&turned, &pixels);
    }

    /// `torchvision.transforms.functional.affine(x, 30, [1, -1], 1.2, [10, 0],
    /// InterpolationMode.BILINEAR)` for `x = (arange(25) * 7 % 25 / 25).view(1, 5, 5)`.
    #[test]
    fn agrees_with_torchvision() {
        let pixels: Vec<f32> = (0..25).map(|i| (i * 7 % 25) as f32 / 25.0).collect();
        let map = Map {
            degrees: 30.0,
            shear: 10.0,
            shift: [0.2, -0.2],
            scale: 1.2,
            ..Map::STILL
        };
        close(&mapped(&map, 5, &pixels), &TORCHVISION);
    }

    #[rustfmt::skip]
    const TORCHVISION: [f32; 25] = [
        0.24703, 0.63589, 0.34275, 0.64072, 0.84399,
        0.3155, 0.37974, 0.34517, 0.36, 0.52141,
        0.75647, 0.63395, 0.66221, 0.40843, 0.51079,
        0.23822, 0.22436, 0.30554, 0.24195, 0.25678,
        0.0, 0.00041, 0.18211, 0.51507, 0.44595,
    ];
}
