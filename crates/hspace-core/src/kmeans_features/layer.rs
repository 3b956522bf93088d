//! Images → activations of centroids, summed over regions.
//!
//! A block of patches is whitened and multiplied with all centroids while it fits into a core's own cache.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::clusters::{lloyd, spherical, squares};
use super::patches::Window;
use super::whitening::Whitening;
use super::{Activation, Settings};
use crate::error::Result;
use crate::matrix::{Matrix, product};
use crate::random::mix;

/// Patches of one block.
const BLOCK: usize = 64;
/// Partial sums of a mean of distances, so that they can be added in parallel.
const LANES: usize = 16;

/// A window, whitening and centroids.
pub(super) struct Layer {
    pub(super) window: Window,
    pub(super) whitening: Whitening,
    /// `[k, d]`
    pub(super) centroids: Matrix,
    /// `|c|²` of each centroid `[k]`.
    squares: Vec<f32>,
    activation: Activation,
    alpha: f32,
}

/// Memory that one thread uses again for each image.
#[derive(Default)]
struct Scratch {
    /// Centred patches, with their regions and how often they count.
    patches: Vec<f32>,
    regions: Vec<(usize, f32)>,
    white: Vec<f32>,
    products: Vec<f32>,
    /// Constant patches of each region.
    constant: Vec<f32>,
}

impl Layer {
    /// # Errors
    /// When pixels are not finite.
    pub(super) fn fit(
        window: Window,
        images: &Matrix,
        train: &[usize],
        settings: &Settings,
        seed: u64,
    ) -> Result<Layer> {
        let Settings {
            k,
            patches,
            steps,
            epsilon,
            activation,
            alpha,
            ..
        } = *settings;
        let drawn = window.random(images, train, patches, mix(&[seed, 1]));
        let whitening = Whitening::fit(&drawn, epsilon)?;
        let white = whitening.apply(drawn);
        let clusters = match activation {
            Activation::Threshold => spherical,
            Activation::Triangle => lloyd,
        };
        let centroids = clusters(&white, k, steps, mix(&[seed, 2]));
        Ok(Layer {
            window,
            whitening,
            squares: squares(&centroids).collect(),
            centroids,
            activation,
            alpha: alpha as f32,
        })
    }

    /// Activations summed over `pool × pool` regions, `[n, pool², k]`, of `images` `[n, channels · height · width]`.
    pub(super) fn pooled(&self, images: &Matrix, pool: usize) -> Matrix {
        let width = pool * pool * self.centroids.rows;
        let mut out = Matrix::zeros(images.rows, width);
        out.data
            .par_chunks_mut(width)
            .zip(images.data.par_chunks(images.cols))
            .for_each_init(Scratch::default, |scratch, (out, image)| {
                self.pool_image(image, pool, scratch, out);
            });
        out
    }

    /// Adds the activations of one image to `out` `[pool², k]`.
    fn pool_image(&self, image: &[f32], pool: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let d = self.window.len();
        let (height, width) = self.window.places();
        scratch.patches.clear();
        scratch.regions.clear();
        scratch.constant.clear();
        scratch.constant.resize(pool * pool, 0.0);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let region = (y * pool / height) * pool + x * pool / width;
            let start = scratch.patches.len();
            scratch.patches.resize(start + d, 0.0);
            if self
                .window
                .read(image, (y, x), &mut scratch.patches[start..])
            {
                scratch.regions.push((region, 1.0));
            } else {
                scratch.patches.truncate(start);
                scratch.constant[region] += 1.0;
            }
        }
        for (region, &count) in scratch.constant.iter().enumerate() {
            if count > 0.0 {
                scratch.patches.resize(scratch.patches.len() + d, 0.0);
                scratch.regions.push((region, count));
            }
        }
        scratch
            .patches
            .chunks_exact_mut(d)
            .for_each(|patch| self.whitening.centre(patch));
        let blocks = scratch.patches.chunks(BLOCK * d);
        for (patches, regions) in blocks.zip(scratch.regions.chunks(BLOCK)) {
            let white = &mut scratch.white;
            self.add_block(patches, regions, white, &mut scratch.products, out);
        }
    }

    /// Adds the activations of a few centred patches `[n, d]`.
    fn add_block(
        &self,
        patches: &[f32],
        regions: &[(usize, f32)],
        white: &mut Vec<f32>,
        products: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (n, d, k) = (regions.len(), self.window.len(), self.centroids.rows);
        white.resize(n * d, 0.0);
        products.resize(n * k, 0.0);
        product(
            MatMut::from_row_major_slice_mut(white, n, d),
            MatRef::from_row_major_slice(patches, n, d),
            self.whitening.matrix.view(),
        );
        product(
            MatMut::from_row_major_slice_mut(products, n, k),
            MatRef::from_row_major_slice(white, n, d),
            self.centroids.view().transpose(),
        );
        let rows = products.chunks_exact_mut(k).zip(white.chunks_exact(d));
        for ((products, white), &(region, count)) in rows.zip(regions) {
            let out = &mut out[region * k..(region + 1) * k];
            match self.activation {
                Activation::Threshold => add_threshold(products, self.alpha, count, out),
                Activation::Triangle => {
                    let square = white.iter().map(|x| x * x).sum();
                    add_triangle(products, square, &self.squares, count, out);
                }
            }
        }
    }
}

/// Adds `count · max(0, |p| − alpha)` of each product p.
fn add_threshold(products: &[f32], alpha: f32, count: f32, out: &mut [f32]) {
    for (out, p) in out.iter_mut().zip(products) {
        *out += count * positive(p.abs() - alpha);
    }
}

/// Adds `count · max(0, mean(z) − z_k)`, with the distances `z_k² = |x|² + |c_k|² − 2 cᵀx` of a patch with `square = |x|²`.
fn add_triangle(products: &mut [f32], square: f32, squares: &[f32], count: f32, out: &mut [f32]) {
    let mut lanes = [0.0f32; LANES];
    let blocks = products.chunks_mut(LANES).zip(squares.chunks(LANES));
    for (products, squares) in blocks {
        for ((p, c), lane) in products.iter_mut().zip(squares).zip(&mut lanes) {
            *p = positive(square + c - 2.0 * *p).sqrt();
            *lane += *p;
        }
    }
    let mean = lanes.iter().sum::<f32>() / products.len() as f32;
    for (out, z) in out.iter_mut().zip(products) {
        *out += count * positive(mean - *z);
    }
}

/// `max(0, x)` in one instruction.
fn positive(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}
