//! Noise that is independent from value to value.

use super::draw::{Normals, uniforms};
use super::picture::Picture;
use super::poisson::Counts;
use super::{CorruptionKind, Entry, Operation};
use crate::views::Draws;

const KIND: CorruptionKind = CorruptionKind {
    family: "noise",
    is_random: true,
};

pub(super) const GAUSSIAN: Entry = Entry {
    name: "gaussian_noise",
    summary: "normal noise of one standard deviation",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

pub(super) const SHOT: Entry = Entry {
    name: "shot_noise",
    summary: "Poisson noise of few photons",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

pub(super) const IMPULSE: Entry = Entry {
    name: "impulse_noise",
    summary: "values set to the smallest or the largest (salt and pepper)",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

pub(super) const SPECKLE: Entry = Entry {
    name: "speckle_noise",
    summary: "normal noise in proportion to the value",
    source: "Hendrycks & Dietterich 2019 (ImageNet-C), arXiv:1903.12261",
    item: KIND,
};

#[derive(Debug)]
pub(super) struct GaussianNoise {
    /// Standard deviation, of values in 0..=1.
    pub(super) std: f64,
}

impl Operation for GaussianNoise {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let std = self.std as f32;
        let normals = Normals::new();
        picture.with_noise(|out| normals.fill(draws, out), |v, normal| v + std * normal);
    }
}

#[derive(Debug)]
pub(super) struct SpeckleNoise {
    /// Standard deviation, as a part of the value.
    pub(super) std: f64,
}

impl Operation for SpeckleNoise {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let std = self.std as f32;
        let normals = Normals::new();
        picture.with_noise(
            |out| normals.fill(draws, out),
            |v, normal| v + v * std * normal,
        );
    }
}

#[derive(Debug)]
pub(super) struct ImpulseNoise {
    /// Share of the values that are set.
    pub(super) ratio: f64,
}

impl Operation for ImpulseNoise {
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let ratio = self.ratio as f32;
        let change = |v, u| {
            let extreme = if u < 0.5 * ratio { 0.0 } else { 1.0 };
            if u < ratio { extreme } else { v }
        };
        picture.with_noise(|out| uniforms(draws, out), change);
    }
}

#[derive(Debug)]
pub(super) struct ShotNoise {
    /// Expected photons of a value of 1.
    pub(super) photons: f64,
}

impl Operation for ShotNoise {
    /// A value between two 8-bit levels has the counts of one of them, by chance in proportion to how near it is.
    fn apply(&self, picture: &mut Picture, draws: &mut Draws) {
        let per_photon = 1.0 / self.photons as f32;
        if picture.levels > 255.0 {
            picture.with_noise(
                |out| uniforms(draws, out),
                |v, u| (v * 255.0 + u).floor() / 255.0,
            );
        }
        let mut tables: Vec<Option<Counts>> = vec![None; 256];
        let change = |v, u| {
            let level = (v * 255.0 + 0.5) as usize;
            let new = || Counts::new(self.photons * level as f64 / 255.0);
            per_photon * tables[level].get_or_insert_with(new).at(u) as f32
        };
        picture.with_noise(|out| uniforms(draws, out), change);
    }
}
