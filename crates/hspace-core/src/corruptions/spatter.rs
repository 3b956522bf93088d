//! Drops of water or mud on the lens.

use super::blur::gaussian_blur;
use super::draw::Normals;
use super::edges::{canny, distance};
use super::filter::{Border, Tap, convolve};
use super::picture::{Picture, fold, luma, most};
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

pub(super) const ENTRY: Entry = Entry {
    name: "spatter",
    summary: "drops on the lens: of water at severities 1 to 3, of mud at 4 and 5",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: CorruptionKind {
        family: "weather",
        is_random: true,
    },
};

/// Pale turquoise, of which red is the least.
const WATER: [f32; 3] = [175.0 / 255.0, 238.0 / 255.0, 238.0 / 255.0];
const MUD: [f32; 3] = [63.0 / 255.0, 42.0 / 255.0, 20.0 / 255.0];

#[derive(Debug)]
pub(super) struct Spatter {
    /// Mean of the noise whose peaks become drops.
    pub(super) mean: f32,
    /// Its standard deviation, before it is smoothed.
    pub(super) std: f32,
    /// Standard deviation of the Gaussian, in pixels, that smooths it.
    pub(super) sigma: f64,
    /// What is above it is a drop.
    pub(super) threshold: f32,
    /// Of what the drops are.
    pub(super) liquid: Liquid,
}

/// What drops are of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Liquid {
    /// Added to the image, brightest at this value.
    Water(f32),
    /// In place of the image, with edges smoothed by this standard deviation in pixels.
    Mud(f64),
}

impl Operation for Spatter {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let dims = picture.layer_dims();
        let [height, width] = dims;
        let mut field = vec![0.0; height * width];
        Normals::new().fill(draws, &mut field);
        field
            .iter_mut()
            .for_each(|v| *v = self.mean + self.std * *v);
        let room = &mut vec![];
        gaussian_blur(&mut field, [height, width, 1], self.sigma, 1.0, room);
        let (layer, color) = match self.liquid {
            Liquid::Water(brightest) => {
                let layer = water(&field, dims, self.threshold);
                let largest = fold(&layer, 0.0, most);
                let factor = if largest > 0.0 {
                    brightest / largest
                } else {
                    0.0
                };
                (layer.iter().map(|v| factor * v).collect(), WATER)
            }
            Liquid::Mud(sigma) => (mud(&field, dims, self.threshold, sigma), MUD),
        };
        let layer = picture.reduced(layer);
        let color = match picture.channels {
            3 => color.to_vec(),
            n => vec![luma(color); n],
        };
        let is_mud = matches!(self.liquid, Liquid::Mud(_));
        let pixels = picture.values.chunks_exact_mut(picture.channels);
        for (pixel, share) in pixels.zip(layer) {
            let keep = if is_mud { 1.0 - share } else { 1.0 };
            for (v, color) in pixel.iter_mut().zip(&color) {
                *v = keep * *v + share * color;
            }
        }
    }
}

/// Where mud covers the image, in 0..=1.
fn mud(field: &[f32], [height, width]: [usize; 2], threshold: f32, sigma: f64) -> Vec<f32> {
    let drops = field.iter().map(|&v| if v > threshold { 1.0 } else { 0.0 });
    let mut smooth: Vec<f32> = drops.collect();
    gaussian_blur(&mut smooth, [height, width, 1], sigma, 1.0, &mut vec![]);
    let smooth = smooth.into_iter();
    smooth.map(|v| if v < 0.8 { 0.0 } else { v }).collect()
}

/// Pixels from an edge that matter for the light in a drop.
const REACH: f32 = 20.0;

/// Light in drops of water: by the distance from their edges, equalised, in relief. In levels of 8 bits, as the published code.
fn water(field: &[f32], dims: [usize; 2], threshold: f32) -> Vec<f32> {
    let [height, width] = dims;
    let level = |&v: &f32| match v < threshold {
        true => 0.0,
        false => (v * 255.0) as i32 as f32,
    };
    let drops: Vec<f32> = field.iter().map(level).collect();
    let mut light = distance(&canny(&drops, dims, 50.0, 150.0), dims, REACH);
    let (dims, room) = ([height, width, 1], &mut vec![]);
    let nine = taps([[1.0 / 9.0; 3]; 3]);
    convolve(&mut light, dims, &nine, Border::Mirror, room);
    equalise(&mut light);
    let relief = taps([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]);
    convolve(&mut light, dims, &relief, Border::Mirror, room);
    light.iter_mut().for_each(|v| *v = v.clamp(0.0, 255.0));
    convolve(&mut light, dims, &nine, Border::Mirror, room);
    let lit = drops.iter().zip(light);
    lit.map(|(drop, light)| drop * (light + 0.5) as i32 as f32)
        .collect()
}

/// The taps of a kernel of 3 × 3.
fn taps(kernel: [[f64; 3]; 3]) -> Vec<Tap> {
    let taps = kernel.iter().zip(-1..).flat_map(|(row, dy)| {
        let row = row.iter().zip(-1..);
        row.map(move |(&weight, dx)| Tap { dy, dx, weight })
    });
    taps.filter(|tap| tap.weight != 0.0).collect()
}

/// Rounds values in 0..=255 down to whole levels, and replaces these so that they are spread as evenly as they can be.
fn equalise(values: &mut [f32]) {
    // A mean of nine equal levels may have been rounded down.
    let levels = values.iter().map(|v| (v + 1e-4) as i32 as u8);
    let levels: Vec<u8> = levels.collect();
    let mut counts = [0_usize; 256];
    levels
        .iter()
        .for_each(|&level| counts[usize::from(level)] += 1);
    let first = counts.iter().position(|&count| count > 0).unwrap_or(0);
    let rest = values.len() - counts[first];
    let mut table = [0.0; 256];
    if rest == 0 {
        table[first] = first as f32;
    }
    let mut below = 0;
    for level in first + 1..256 {
        below += counts[level];
        table[level] = (255.0 * below as f32 / rest.max(1) as f32).round();
    }
    let pixels = values.iter_mut().zip(levels);
    pixels.for_each(|(v, level)| *v = table[usize::from(level)]);
}
