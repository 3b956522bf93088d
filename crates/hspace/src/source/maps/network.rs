//! Maps of one stage of a network, or of several, interpolated to the size of the finest one.

use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::images::Images;
use crate::device::Device;
use crate::encoder::grid::{places, size_after};
use crate::encoder::{Features, axes, blank};
use crate::error::{Error, Result};
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Scope, Weights};
use crate::probe::FeatureMaps;
use crate::probe::mask::UseMaps;
use crate::run::TrainedEncoder;

/// So many stages that the last of them has maps; 0 where none has.
pub(super) fn last(dims: &[Option<[usize; 3]>]) -> usize {
    dims.iter()
        .rposition(Option::is_some)
        .map_or(0, |place| place + 1)
}

/// Height, width and features of the maps after each stage; `None` of vectors.
pub(super) fn dims_by_stage(network: &TrainedEncoder, device: &Device) -> Vec<Option<[usize; 3]>> {
    let shape = network.about.input.shape;
    let stages = network.encoder.stages(shape);
    let weights = network.weights.clone().prefixed("encoder");
    device.run(|| {
        let pass = Pass::new(&weights, Mode::Eval, device);
        let scope = pass.at("encoder");
        let mut x = Features::Samples(blank(1, shape, device));
        let mut dims = Vec::with_capacity(stages.len());
        for place in 0..stages.len() {
            x = network.encoder.forward(&scope, x, place..place + 1);
            let size = size_after(shape, &stages[..=place]);
            dims.push(places(x.clone(), size).map(|maps| {
                let [_, height, width, d] = maps.dims();
                [height, width, d]
            }));
        }
        dims
    })
}

/// The maps of some stages of a network, `[h, w, d]`: h and w of the finest, d of all together, by depth.
pub(super) struct NetworkMaps<'a> {
    images: Images<'a>,
    network: TrainedEncoder,
    weights: Weights,
    device: Device,
    /// Number of stages up to each, ascending, and the maps after them.
    stages: Vec<(usize, [usize; 3])>,
}

impl<'a> NetworkMaps<'a> {
    /// `stages` are numbers of stages, ascending, with the height, width and features of their maps: at least one.
    pub fn new(
        images: Images<'a>,
        network: TrainedEncoder,
        device: Device,
        stages: Vec<(usize, [usize; 3])>,
    ) -> NetworkMaps<'a> {
        NetworkMaps {
            images,
            weights: network.weights.clone().prefixed("encoder"),
            network,
            device,
            stages,
        }
    }

    /// The maps `[n, h, w, d]` of each stage, one after the other, of images `[n, c, h, w]`.
    fn of_stages(&self, scope: &Scope, images: Tensor<4>) -> Option<Vec<Vec<f32>>> {
        let (mut x, mut done) = (Features::Samples(images), 0);
        let mut found = Vec::with_capacity(self.stages.len());
        for &(depth, [height, width, _]) in &self.stages {
            x = self.network.encoder.forward(scope, x, done..depth);
            done = depth;
            found.push(places(x.clone(), [height, width]).map(values)?);
        }
        Some(found)
    }

    /// Those maps of `n` images as one, `[n, h, w, d]`.
    fn joined(&self, n: usize, parts: &[Vec<f32>]) -> Vec<f32> {
        let [height, width, d] = self.dims();
        let each = height * width * d;
        let mut out = vec![0.0; n * each];
        let images = out.par_chunks_exact_mut(each).enumerate();
        images.for_each(|(i, image)| {
            let mut first = 0;
            for (part, (_, from)) in parts.iter().zip(&self.stages) {
                let own = from.iter().product::<usize>();
                let map = &part[i * own..][..own];
                interpolate(map, *from, &mut image[first..], [height, width, d]);
                first += from[2];
            }
        });
        out
    }
}

impl FeatureMaps for NetworkMaps<'_> {
    fn dims(&self) -> [usize; 3] {
        let largest = |axis: usize| self.stages.iter().map(|(_, dims)| dims[axis]).max();
        let d = self.stages.iter().map(|(_, [.., d])| d).sum();
        [largest(0).unwrap_or(0), largest(1).unwrap_or(0), d]
    }

    fn input(&self) -> [usize; 2] {
        self.images.size()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let shape = self.network.about.input.shape;
        let [height, width, d] = self.dims();
        let numbers = (height * width * d).max(axes(1, shape).iter().product());
        self.images.each(rows, numbers, &mut |batch, pixels| {
            let n = batch.len();
            let data = TensorData::new(pixels.to_vec(), axes(n, shape));
            let found = self.device.run(|| {
                let pass = Pass::new(&self.weights, Mode::Eval, &self.device);
                self.of_stages(&pass.at("encoder"), Tensor::from_data(data, &self.device))
            });
            let mut found = found.ok_or_else(|| Error::data("a stage without maps"))?;
            match &mut found[..] {
                [one] => use_them(batch, one),
                parts => use_them(batch, &self.joined(n, parts)),
            }
        })
    }
}

/// The two places that a place of the larger map lies between along one side, and the weight of the second, as PyTorch's without aligned corners.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let last = from - 1;
    let tap = |place: usize| {
        let at = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, last as f64);
        let first = at.floor() as usize;
        (first, (first + 1).min(last), (at - at.floor()) as f32)
    };
    (0..to).map(tap).collect()
}

/// A map `[h, w, d]` of the size `from`, interpolated bilinearly to the first of the features of each place of `out`, a map of the size `to`.
fn interpolate(map: &[f32], from: [usize; 3], out: &mut [f32], to: [usize; 3]) {
    let [rows, columns] = [0, 1].map(|axis| taps(from[axis], to[axis]));
    let at = |y: usize, x: usize| &map[(y * from[1] + x) * from[2]..][..from[2]];
    for (y, &(top, bottom, down)) in rows.iter().enumerate() {
        for (x, &(left, right, across)) in columns.iter().enumerate() {
            let place = &mut out[(y * to[1] + x) * to[2]..][..from[2]];
            let corners = [
                at(top, left),
                at(top, right),
                at(bottom, left),
                at(bottom, right),
            ];
            for (c, value) in place.iter_mut().enumerate() {
                let [a, b, d, e] = corners.map(|corner| corner[c]);
                let (upper, lower) = (a + across * (b - a), d + across * (e - d));
                *value = upper + down * (lower - upper);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_interpolated_as_pytorch_does_without_aligned_corners() {
        // torch.nn.functional.interpolate([[0, 1, 4]], size=(1, 6), mode="bilinear").
        let mut out = [9.0; 12];
        interpolate(&[0.0, 1.0, 4.0], [1, 3, 1], &mut out[1..], [1, 6, 2]);
        let found: Vec<f32> = out.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(found, [0.0, 0.25, 0.75, 1.75, 3.25, 4.0]);
        // The other feature is another stage's.
        assert!(out.iter().step_by(2).all(|&x| x == 9.0));
        // The same size: the same map.
        let map: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut out = vec![0.0; 12];
        interpolate(&map, [2, 3, 2], &mut out, [2, 3, 2]);
        assert_eq!(out, map);
        // Rows as columns: weights 1/4 and 3/4.
        let mut out = vec![0.0; 4];
        interpolate(&[0.0, 8.0], [2, 1, 1], &mut out, [4, 1, 1]);
        assert_eq!(out, [0.0, 2.0, 6.0, 8.0]);
    }
}
