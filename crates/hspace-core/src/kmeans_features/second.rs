//! A second layer: k-means on patches of the first one's maps.
//!
//! The activations of the first layer, summed over a grid of `grid × grid` regions and their square root taken, are an image with K channels. Patches of all of
//! them have too many dimensions for k-means, so each group of a few channels that respond together has a layer of its own: whitening, centroids, pooling as in
//! the first. Groups are those of Coates & Ng 2011, "Selecting receptive fields in deep networks": a channel drawn at random, and those whose squared responses
//! correlate most with its own. Features of both layers stand next to one another (Coates & Ng 2012, section 5).
//!
//! Deviations: responses are not whitened before their correlation is taken; the grid is read by patches that are centred and scaled as pixels are.

use rayon::prelude::*;

use super::Settings;
use super::layer::Layer;
use super::patches::Window;
use crate::dataset::Shape;
use crate::error::Result;
use crate::matrix::{Matrix, spaced};
use crate::random::{mix, shuffled};

/// Training images that groups, whitening and centroids are fitted to, at most.
const FITTED: usize = 4000;
/// Images that are in memory as maps at a time.
const BLOCK: usize = 500;
/// Standard deviation that maps are scaled to, about that of pixels in 0..=1.
const SPREAD: f64 = 0.3;

/// The channels of a group, and the layer on them.
struct Group {
    channels: Vec<usize>,
    layer: Layer,
}

/// The second layer.
pub(super) struct Second {
    grid: usize,
    pool: usize,
    /// What maps are multiplied by.
    scale: f32,
    groups: Vec<Group>,
}

impl Second {
    /// Fitted on `first` to the rows `train` of `images`.
    ///
    /// # Errors
    /// When the patches and regions do not fit into the grid.
    pub(super) fn fit(
        first: &Layer,
        images: &Matrix,
        train: &[usize],
        settings: &Settings,
        seed: u64,
    ) -> Result<Second> {
        let Settings {
            grid,
            groups,
            group_size,
            k2,
            patch2,
            pool2,
            ..
        } = *settings;
        let own = Settings {
            k: k2,
            patch: patch2,
            pool: pool2,
            ..settings.clone()
        };
        let shape = Shape::Image {
            channels: group_size,
            height: grid,
            width: grid,
        };
        let window = Window::new(shape, &own)?;
        let rows: Vec<usize> = spaced(train.len(), FITTED.min(train.len()))
            .into_iter()
            .map(|place| train[place])
            .collect();
        let maps = maps(first, &images.select(&rows), grid);
        let n = maps.data.len().max(1) as f64;
        let mean = maps.data.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let squares = maps.data.iter().map(|&x| (f64::from(x) - mean).powi(2));
        let spread = (squares.sum::<f64>() / n).sqrt();
        let mut second = Second {
            grid,
            pool: pool2,
            scale: (SPREAD / spread.max(1e-12)) as f32,
            groups: Vec::new(),
        };
        let k = settings.k;
        let centre = shuffled((0..k).collect(), mix(&[seed, 3]));
        let all: Vec<usize> = (0..rows.len()).collect();
        for (number, &channel) in centre.iter().cycle().take(groups).enumerate() {
            let channels = group(&maps, k, channel, group_size);
            let planes = second.planes(&maps, k, &channels);
            let seed = mix(&[seed, 4, number as u64]);
            let layer = Layer::fit(window, &planes, &all, &own, seed)?;
            second.groups.push(Group { channels, layer });
        }
        Ok(second)
    }

    /// Number of features of an image.
    pub(super) fn features(&self) -> usize {
        let of = |group: &Group| group.layer.centroids.rows * self.pool * self.pool;
        self.groups.iter().map(of).sum()
    }

    /// Sums of the second layer's activations, `[n, groups · pool² · k2]`, group by group.
    pub(super) fn pooled(&self, first: &Layer, images: &Matrix) -> Matrix {
        let (k, width) = (first.centroids.rows, self.features());
        let mut out = Matrix::zeros(images.rows, width);
        let blocks = out.data.chunks_mut(BLOCK * width);
        for (number, out) in blocks.enumerate() {
            let begin = number * BLOCK;
            let rows: Vec<usize> = (begin..images.rows.min(begin + BLOCK)).collect();
            let maps = maps(first, &images.select(&rows), self.grid);
            let mut start = 0;
            for group in &self.groups {
                let planes = self.planes(&maps, k, &group.channels);
                let sums = group.layer.pooled(&planes, self.pool);
                for (row, out) in out.chunks_mut(width).enumerate() {
                    out[start..start + sums.cols].copy_from_slice(sums.row(row));
                }
                start += sums.cols;
            }
        }
        out
    }

    /// The maps of some channels as images `[n, channels, grid, grid]`, scaled.
    fn planes(&self, maps: &Matrix, k: usize, channels: &[usize]) -> Matrix {
        let places = self.grid * self.grid;
        let width = channels.len() * places;
        let mut planes = Matrix::zeros(maps.rows, width);
        planes
            .data
            .par_chunks_mut(width)
            .zip(maps.data.par_chunks(maps.cols))
            .for_each(|(plane, map)| {
                for (plane, &channel) in plane.chunks_exact_mut(places).zip(channels) {
                    for (place, out) in plane.iter_mut().enumerate() {
                        *out = map[place * k + channel] * self.scale;
                    }
                }
            });
        planes
    }
}

/// Roots of the first layer's sums over the grid, `[n, grid², k]`.
fn maps(first: &Layer, images: &Matrix, grid: usize) -> Matrix {
    let mut maps = first.pooled(images, grid);
    maps.data.iter_mut().for_each(|x| *x = x.sqrt());
    maps
}

/// `channel` and the `size − 1` others whose squares correlate most with its own, over all images and places.
fn group(maps: &Matrix, k: usize, channel: usize, size: usize) -> Vec<usize> {
    let n = (maps.data.len() / k).max(1) as f64;
    // Sums of x, x² and x · own for each channel, x its square.
    let sums = maps
        .data
        .par_chunks(maps.cols)
        .map(|map| {
            let mut sums = vec![[0.0f64; 3]; k];
            for place in map.chunks_exact(k) {
                let own = f64::from(place[channel]).powi(2);
                for (sums, &x) in sums.iter_mut().zip(place) {
                    let x = f64::from(x).powi(2);
                    sums[0] += x;
                    sums[1] += x * x;
                    sums[2] += x * own;
                }
            }
            sums
        })
        .collect::<Vec<_>>();
    // In the order of the images, whatever the threads.
    let total = sums.into_iter().fold(vec![[0.0; 3]; k], |mut total, sums| {
        for (total, sums) in total.iter_mut().zip(sums) {
            total.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
        }
        total
    });
    let own = total[channel];
    let spread = |[x, xx, _]: [f64; 3]| (xx / n - (x / n).powi(2)).max(0.0).sqrt();
    let correlation = |c: usize| {
        let [x, _, with] = total[c];
        let both = spread(total[c]) * spread(own);
        match both > 0.0 {
            true => (with / n - x / n * own[0] / n) / both,
            false => 0.0,
        }
    };
    let mut order: Vec<(f64, usize)> = (0..k)
        .filter(|&c| c != channel)
        .map(|c| (correlation(c), c))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let others = order.into_iter().map(|(_, c)| c).take(size - 1);
    std::iter::once(channel).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channels 0 and 2 are large together, and so are 1 and 3.
    #[test]
    fn a_group_holds_channels_that_respond_together() {
        let value = |place: usize, channel: usize| {
            let on = (place * 7919 % 13 < 6) == channel.is_multiple_of(2);
            let noise = ((place * 31 + channel * 17) % 11) as f32 / 50.0;
            if on { 1.0 + noise } else { noise }
        };
        let data = (0..40 * 4).map(|i| value(i / 4, i % 4)).collect();
        let maps = Matrix::new(10, 16, data);
        assert_eq!(group(&maps, 4, 0, 2), [0, 2]);
        assert_eq!(group(&maps, 4, 3, 2), [3, 1]);
    }

    #[test]
    fn planes_are_the_maps_of_the_channels() {
        let second = Second {
            grid: 2,
            pool: 1,
            scale: 2.0,
            groups: vec![],
        };
        // One image, four places, three channels: place · 10 + channel.
        let data = (0..12).map(|i| (i / 3 * 10 + i % 3) as f32).collect();
        let planes = second.planes(&Matrix::new(1, 12, data), 3, &[2, 0]);
        let wanted = [2.0, 12.0, 22.0, 32.0, 0.0, 10.0, 20.0, 30.0];
        assert_eq!(planes.data, wanted.map(|x| 2.0 * x));
    }
}
