//! The pass over samples: decoding in parallel, sums and hashes in a fixed order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::thumbnail::{Maker, Thumbnail};
use crate::dataset::{Dataset, Image, Pixels, Sample, Shape, Split};
use crate::error::Error;

/// Samples handled as one piece of work.
const PIECE: usize = 64;

/// What a pass keeps of each sample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: sums are enough.
    Sums,
    /// A hash, and a thumbnail of images.
    Contents,
}

/// What a pass over samples adds up.
pub struct Seen {
    /// Images by width and height.
    pub sizes: BTreeMap<(usize, usize), usize>,
    /// Images by number of channels.
    pub channels: BTreeMap<usize, usize>,
    /// Images by bits per value.
    pub bits: BTreeMap<usize, usize>,
    /// Sums of the values.
    pub moments: Moments,
    /// Hash and index of each readable sample, if asked for.
    pub hashes: Vec<([u8; 16], usize)>,
    /// Of each readable image that has one, if asked for.
    pub thumbnails: Vec<Thumbnail>,
    /// Index of each unreadable sample, and why.
    pub bad: Vec<(usize, String)>,
}

/// Sums per channel of values in `0..1`.
pub struct Moments {
    /// Pixels, or numbers in vectors.
    pub count: u64,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(channels: usize) -> Self {
        Moments {
            count: 0,
            sum: vec![0.0; channels],
            squares: vec![0.0; channels],
        }
    }

    /// Adds an image `[pixels, channels]` of values up to `top`; grey counts for every channel.
    fn add<T: Copy + Into<u64>>(&mut self, values: &[T], channels: usize, top: f64) {
        let mut sums = vec![[0u64; 2]; channels];
        for pixel in values.chunks_exact(channels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                let value: u64 = value.into();
                sum[0] += value;
                sum[1] += value * value;
            }
        }
        self.count += (values.len() / channels) as u64;
        for c in 0..self.sum.len() {
            let [sum, squares] = sums[c.min(channels - 1)];
            self.sum[c] += sum as f64 / top;
            self.squares[c] += squares as f64 / (top * top);
        }
    }

    fn add_vector(&mut self, values: &[f32]) {
        self.count += values.len() as u64;
        self.sum[0] += values.iter().map(|&v| f64::from(v)).sum::<f64>();
        self.squares[0] += values
            .iter()
            .map(|&v| f64::from(v) * f64::from(v))
            .sum::<f64>();
    }

    fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        for c in 0..self.sum.len() {
            self.sum[c] += other.sum[c];
            self.squares[c] += other.squares[c];
        }
    }

    /// Means and standard deviations.
    pub fn finish(&self) -> (Vec<f32>, Vec<f32>) {
        let n = self.count.max(1) as f64;
        let mean = self.sum.iter().map(|s| (s / n) as f32).collect();
        let std = self
            .sum
            .iter()
            .zip(&self.squares)
            .map(|(s, q)| (q / n - (s / n).powi(2)).max(0.0).sqrt() as f32);
        (mean, std.collect())
    }
}

/// Decodes the samples `indices` in parallel and adds up what they show, in a fixed order.
pub fn scan(
    dataset: &Dataset,
    indices: &[usize],
    keep: Keep,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Seen {
    let channels = match dataset.shape {
        Shape::Image { channels, .. } => channels,
        Shape::Vector { .. } => 1,
    };
    let empty = || Seen {
        sizes: BTreeMap::new(),
        channels: BTreeMap::new(),
        bits: BTreeMap::new(),
        moments: Moments::new(channels),
        hashes: Vec::new(),
        thumbnails: Vec::new(),
        bad: Vec::new(),
    };
    let done = AtomicUsize::new(0);
    let piece = |piece: &[usize]| {
        let mut seen = empty();
        let mut maker = Maker::default();
        for &index in piece {
            match dataset.samples.get(index) {
                Ok(sample) => {
                    seen.add(&sample);
                    if keep == Keep::Contents {
                        seen.hashes.push((content_hash(&sample), index));
                        if let Sample::Image(image) = &sample {
                            let held_out = dataset.split[index] != Split::Train;
                            seen.thumbnails.extend(maker.make(index, image, held_out));
                        }
                    }
                }
                Err(Error::File { problem, .. }) => seen.bad.push((index, problem)),
                Err(error) => seen.bad.push((index, error.to_string())),
            }
        }
        let so_far = done.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
        progress(so_far, indices.len());
        seen
    };
    let pieces: Vec<Seen> = indices.par_chunks(PIECE).map(piece).collect();
    let mut all = empty();
    for mut seen in pieces {
        seen.sizes
            .iter()
            .for_each(|(k, n)| *all.sizes.entry(*k).or_default() += n);
        seen.channels
            .iter()
            .for_each(|(k, n)| *all.channels.entry(*k).or_default() += n);
        seen.bits
            .iter()
            .for_each(|(k, n)| *all.bits.entry(*k).or_default() += n);
        all.moments.merge(&seen.moments);
        all.hashes.append(&mut seen.hashes);
        all.thumbnails.append(&mut seen.thumbnails);
        all.bad.append(&mut seen.bad);
    }
    all
}

impl Seen {
    fn add(&mut self, sample: &Sample) {
        match sample {
            Sample::Vector(values) => self.moments.add_vector(values),
            Sample::Image(Image {
                width,
                height,
                channels,
                pixels,
            }) => {
                *self.sizes.entry((*width, *height)).or_default() += 1;
                *self.channels.entry(*channels).or_default() += 1;
                let bits = match pixels {
                    Pixels::U8(values) => {
                        self.moments.add(values, *channels, 255.0);
                        8
                    }
                    Pixels::U16(values) => {
                        self.moments.add(values, *channels, 65_535.0);
                        16
                    }
                };
                *self.bits.entry(bits).or_default() += 1;
            }
        }
    }
}

/// 128 bits of the BLAKE3 hash of a sample's shape and values.
fn content_hash(sample: &Sample) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    match sample {
        Sample::Vector(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        Sample::Image(image) => {
            for n in [image.width, image.height, image.channels] {
                hasher.update(&(n as u64).to_le_bytes());
            }
            match &image.pixels {
                Pixels::U8(values) => hasher.update(values),
                Pixels::U16(values) => {
                    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    hasher.update(&bytes)
                }
            };
        }
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}
