//! What lies on or under a cover slip: deposits of stain, bubbles.

use std::f32::consts::{PI, TAU};

use super::picture::Picture;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

const KIND: CorruptionKind = CorruptionKind {
    family: "microscopy",
    is_random: true,
};

pub(super) const STAIN: Entry = Entry {
    name: "stain_deposit",
    summary: "black deposits of stain, with outlines drawn by us where MedMNIST-C has masks",
    source: "Di Salvo et al. 2024 (MedMNIST-C), arXiv:2406.17536",
    item: KIND,
};

pub(super) const BUBBLE: Entry = Entry {
    name: "bubble",
    summary: "pale bubbles with a paler rim",
    source: "Di Salvo et al. 2024 (MedMNIST-C), arXiv:2406.17536",
    item: KIND,
};

/// Uniform in `from..=to`; a larger `to` never makes it smaller.
fn whole(draws: &mut Draws, [from, to]: [usize; 2]) -> usize {
    let choices = (to.max(from) - from + 1) as f64;
    from + (draws.uniform() * choices) as usize
}

/// Pixels between a deposit's square and the border.
const MARGIN: usize = 10;

#[derive(Debug)]
pub(super) struct StainDeposit {
    /// At least one deposit, at most these.
    pub(super) most: usize,
    /// Side of the square around a deposit in pixels.
    pub(super) side: usize,
    /// Mean area in pixels: of MedMNIST-C's masks.
    pub(super) area: f32,
}

impl Operation for StainDeposit {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let [height, width] = picture.layer_dims();
        let mut light = vec![1.0; height * width];
        for _ in 0..whole(draws, [1, self.most]) {
            let mut corner = |n: usize| {
                let last = n.saturating_sub(self.side + MARGIN);
                whole(draws, [MARGIN.min(last), last]) as f32
            };
            let (left, top) = (corner(width), corner(height));
            let outline = Outline::new(self.area, draws);
            let middle = 0.5 * self.side as f32;
            cover(
                &mut light,
                [height, width],
                [top + middle, left + middle],
                outline,
            );
        }
        let light = picture.reduced(light);
        let pixels = picture.values.chunks_exact_mut(picture.channels);
        for (pixel, light) in pixels.zip(light) {
            pixel.iter_mut().for_each(|v| *v *= light);
        }
    }
}

/// Heights of waves around an outline, as a part of the radius: of 2, 3, … waves.
const WAVES: [f32; 4] = [0.12, 0.1, 0.07, 0.05];

/// A circle with waves.
struct Outline {
    radius: f32,
    /// Where each wave starts, in radians.
    phases: [f32; WAVES.len()],
}

impl Outline {
    fn new(area: f32, draws: &mut Draws) -> Self {
        let squares = WAVES.iter().map(|wave| wave * wave).sum::<f32>();
        Outline {
            radius: (area / (PI * (1.0 + 0.5 * squares))).sqrt(),
            phases: WAVES.map(|_| TAU * draws.uniform() as f32),
        }
    }

    /// The radius towards an angle in radians.
    fn towards(&self, angle: f32) -> f32 {
        let waves = WAVES.iter().zip(self.phases).zip(2..);
        let wave =
            |((height, phase), n): ((&f32, f32), i32)| height * (n as f32 * angle + phase).cos();
        self.radius * (1.0 + waves.map(wave).sum::<f32>())
    }
}

/// Sets what is inside an outline around `middle` to 0.
fn cover(light: &mut [f32], [height, width]: [usize; 2], middle: [f32; 2], outline: Outline) {
    let most = outline.radius * (1.0 + WAVES.iter().sum::<f32>());
    let range = |middle: f32, n: usize| {
        (middle - most).max(0.0) as usize..((middle + most).ceil().max(0.0) as usize).min(n)
    };
    for y in range(middle[0], height) {
        for x in range(middle[1], width) {
            let [dy, dx] = [y as f32 + 0.5 - middle[0], x as f32 + 0.5 - middle[1]];
            let far = dy.hypot(dx);
            if far <= most && far <= outline.towards(dy.atan2(dx)) {
                light[y * width + x] = 0.0;
            }
        }
    }
}

/// Smallest number and radius of bubbles; width of their rim in pixels.
const LEAST_BUBBLES: usize = 7;
const LEAST_RADIUS: usize = 3;
const RIM: usize = 2;

/// Opacity of a bubble's rim and of its inside.
const OPACITY: [f32; 2] = [130.0 / 255.0, 100.0 / 255.0];

#[derive(Debug)]
pub(super) struct Bubble {
    /// Largest radius in pixels.
    pub(super) radius: usize,
    /// Largest number of bubbles.
    pub(super) most: usize,
}

impl Operation for Bubble {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let [height, width] = picture.layer_dims();
        let mut opacity = vec![0.0; height * width];
        for _ in 0..whole(draws, [LEAST_BUBBLES, self.most]) {
            let radius = whole(draws, [LEAST_RADIUS, self.radius]);
            let mut middle = |n: usize| {
                let last = n.saturating_sub(radius);
                whole(draws, [radius.min(last), last])
            };
            let (x, y) = (middle(width), middle(height));
            fill(
                &mut opacity,
                [height, width],
                [y, x],
                radius + RIM,
                OPACITY[0],
            );
            fill(&mut opacity, [height, width], [y, x], radius, OPACITY[1]);
        }
        let opacity = picture.reduced(opacity);
        let pixels = picture.values.chunks_exact_mut(picture.channels);
        for (pixel, opacity) in pixels.zip(opacity) {
            pixel.iter_mut().for_each(|v| *v += opacity * (1.0 - *v));
        }
    }
}

/// Sets a disk around the pixel `[y, x]` to a value.
fn fill(
    plane: &mut [f32],
    [height, width]: [usize; 2],
    middle: [usize; 2],
    radius: usize,
    to: f32,
) {
    let range =
        |middle: usize, n: usize| middle.saturating_sub(radius)..(middle + radius + 1).min(n);
    // The disk is 2 · radius + 1 pixels wide.
    let square = radius * radius + radius;
    for y in range(middle[0], height) {
        for x in range(middle[1], width) {
            if y.abs_diff(middle[0]).pow(2) + x.abs_diff(middle[1]).pow(2) <= square {
                plane[y * width + x] = to;
            }
        }
    }
}
