//! Features of images by k-means on their patches: no network, no labels.
//!
//! Coates, Lee & Ng 2011, "An analysis of single-layer networks in unsupervised feature learning"; Coates & Ng 2012,
//! "Learning feature representations with k-means". From training images alone:
//!
//! 1. Patches are drawn at random. With pixels in 0..=255, each becomes `(x − mean) / √(var + contrast)`.
//! 2. ZCA whitening, `z = V (D + ε)^−½ Vᵀ (x − m)` with the eigenvalues D and eigenvectors V of the patches' covariance.
//! 3. k-means: [`Activation::Threshold`] has the spherical k-means of 2012, [`Activation::Triangle`] Lloyd's algorithm as in 2011.
//!
//! An image is read at every place a patch fits (stride 1). Each place gives k activations, which are summed over the
//! `pool × pool` regions of the image: `pool² · k` features.
//!
//! With `layers = 2` features of a second layer stand next to them (`second.rs`).
//!
//! Deviations: the papers' features are the sums themselves, ours the sums to the `power`, by default ½ (a square root, which keeps one
//! frequent stroke from outweighing all others); they standardise each feature, here that is the probe's task. Constant patches differ in
//! nothing, so their activations are computed once.

mod clusters;
mod layer;
mod patches;
mod second;
#[cfg(test)]
mod tests;
mod whitening;

use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::error::{Error, Result, valid};
use crate::matrix::Matrix;
use layer::Layer;
use patches::Window;
use second::Second;

/// Bytes of images and features together above which [`Settings::memory_warning`] warns.
const MEMORY: f64 = 4e9;

/// The activation of a centroid `c` by a whitened patch `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, |cᵀz| − alpha)`, c of length 1 (Coates & Ng 2012).
    Threshold,
    /// `max(0, mean over all centroids of their distances to z − |z − c|)` (Coates, Lee & Ng 2011).
    Triangle,
}

/// Settings of [`KmeansFeatures`].
///
/// ```
/// use hspace_core::kmeans_features::Settings;
///
/// let settings = Settings { k: 100, pool: 2, ..Settings::default() };
/// assert!(settings.validate().is_empty());
/// assert_eq!(settings.features(), 400);
/// // Two million images of 28 x 28 pixels take more than 4 GB with their features.
/// assert!(settings.memory_warning(2_000_000, 784).is_some());
/// assert_eq!(settings.memory_warning(1000, 784), None);
/// assert!(Settings { power: 0.0, ..settings }.validate()[0].starts_with("kmeans.power"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Number of centroids, K.
    pub k: usize,
    /// What a centroid answers to a patch, and with it the kind of k-means.
    pub activation: Activation,
    /// Subtracted from the size of a product, for `threshold`.
    pub alpha: f64,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Number of patches that whitening and centroids are fitted to.
    pub patches: usize,
    /// Activations are summed over `pool × pool` regions.
    pub pool: usize,
    /// Exponent of the sums.
    pub power: f64,
    /// Added to the variance of a patch whose pixels are in 0..=255.
    pub contrast: f64,
    /// Added to the eigenvalues of the patches' covariance.
    pub epsilon: f64,
    /// Steps of k-means.
    pub steps: usize,
    /// 1, or 2: features of k-means on the first layer's maps stand next to its own.
    pub layers: usize,
    /// Side of the maps that the second layer reads.
    pub grid: usize,
    /// Groups of channels, each with centroids of its own.
    pub groups: usize,
    /// Channels of a group.
    pub group_size: usize,
    /// Centroids of a group.
    pub k2: usize,
    /// Side of the second layer's patches, in places of the grid.
    pub patch2: usize,
    /// The second layer's activations are summed over `pool2 × pool2` regions.
    pub pool2: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            k: 1600,
            activation: Activation::Threshold,
            alpha: 0.5,
            patch: 6,
            patches: 100_000,
            pool: 2,
            power: 0.5,
            contrast: 10.0,
            epsilon: 0.1,
            steps: 10,
            layers: 1,
            grid: 10,
            groups: 16,
            group_size: 8,
            k2: 100,
            patch2: 5,
            pool2: 2,
        }
    }
}

impl Settings {
    /// Everything that is wrong with them, as `key: problem`.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let whole = [
            ("k", self.k),
            ("patch", self.patch),
            ("pool", self.pool),
            ("steps", self.steps),
            ("grid", self.grid),
            ("groups", self.groups),
            ("group_size", self.group_size),
            ("k2", self.k2),
            ("patch2", self.patch2),
            ("pool2", self.pool2),
        ];
        for (key, value) in whole {
            if value == 0 {
                problems.push(format!("kmeans.{key}: must be at least 1"));
            }
        }
        if !(1..=2).contains(&self.layers) {
            problems.push(format!("kmeans.layers: {} must be 1 or 2", self.layers));
        }
        if self.layers == 2 && self.group_size > self.k {
            problems.push(format!(
                "kmeans.group_size: {} channels of {} centroids; lower it, or raise k",
                self.group_size, self.k
            ));
        }
        if self.layers == 2 && self.patches < self.k2 {
            problems.push(format!(
                "kmeans.patches: {} patches have not k2={} clusters",
                self.patches, self.k2
            ));
        }
        if self.patches < self.k {
            problems.push(format!(
                "kmeans.patches: {} patches have not {} clusters; draw at least as many as k",
                self.patches, self.k
            ));
        }
        let positive = [("power", self.power), ("epsilon", self.epsilon)];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                problems.push(format!("kmeans.{key}: must be a number above 0"));
            }
        }
        let others = [("alpha", self.alpha), ("contrast", self.contrast)];
        for (key, value) in others {
            if !(value.is_finite() && value >= 0.0) {
                problems.push(format!("kmeans.{key}: must be a number of at least 0"));
            }
        }
        problems
    }

    /// Number of features of an image.
    pub fn features(&self) -> usize {
        let second = match self.layers {
            2 => self.groups * self.k2 * self.pool2 * self.pool2,
            _ => 0,
        };
        self.k * self.pool * self.pool + second
    }

    /// What to say where `samples` images of `pixels` numbers and their features take more than 4 GB of memory.
    pub fn memory_warning(&self, samples: usize, pixels: usize) -> Option<String> {
        let bytes = 4.0 * samples as f64 * (pixels + self.features()) as f64;
        (bytes > MEMORY).then(|| {
            format!(
                "{} features of each of {samples} samples and their pixels take {:.1} GB of memory; a smaller k or pool takes less",
                self.features(),
                bytes / 1e9
            )
        })
    }
}

/// Whitening and centroids fitted to training images.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::kmeans_features::{KmeansFeatures, Settings};
/// use hspace_core::matrix::Matrix;
///
/// let shape = Shape::Image { channels: 1, height: 8, width: 8 };
/// let pixels = (0..20 * 64).map(|i| ((i * 7919) % 101) as f32 / 100.0);
/// let images = Matrix::new(20, 64, pixels.collect());
/// let settings = Settings { k: 10, patch: 4, patches: 500, ..Settings::default() };
/// let train: Vec<usize> = (0..15).collect();
/// let fitted = KmeansFeatures::fit(&images, &train, shape, &settings, 0)?;
/// assert_eq!(fitted.transform(&images).cols, 40);
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub struct KmeansFeatures {
    layer: Layer,
    second: Option<Second>,
    pool: usize,
    power: f64,
}

impl KmeansFeatures {
    /// Fitted to the rows `train` of `images` `[n, channels · height · width]`, planes of pixels in 0..=1. A function of those rows, the settings and
    /// the seed: the number of threads changes nothing.
    ///
    /// # Errors
    /// When settings are out of range, samples are vectors, or images are smaller than a patch or than the regions.
    pub fn fit(
        images: &Matrix,
        train: &[usize],
        shape: Shape,
        settings: &Settings,
        seed: u64,
    ) -> Result<KmeansFeatures> {
        valid(settings.validate())?;
        let window = Window::new(shape, settings)?;
        if train.is_empty() {
            return Err(Error::data(
                "kmeans: there is no training image to fit centroids to; give one a train split",
            ));
        }
        let layer = Layer::fit(window, images, train, settings, seed)?;
        let second = match settings.layers {
            2 => Some(Second::fit(&layer, images, train, settings, seed)?),
            _ => None,
        };
        Ok(KmeansFeatures {
            layer,
            second,
            pool: settings.pool,
            power: settings.power,
        })
    }

    /// Features `[n, pool² · k]` of `images` of the same shape; region by region, row by row. Behind them those of the second layer,
    /// `groups · pool2² · k2`, group by group.
    ///
    /// # Panics
    /// If images have another number of values than those fitted on: a bug of the caller.
    pub fn transform(&self, images: &Matrix) -> Matrix {
        let mut features = self.layer.pooled(images, self.pool);
        if let Some(second) = &self.second {
            let first = features;
            let more = second.pooled(&self.layer, images);
            features = Matrix::zeros(first.rows, first.cols + more.cols);
            let rows = features.data.chunks_exact_mut(first.cols + more.cols);
            for (row, out) in rows.enumerate() {
                out[..first.cols].copy_from_slice(first.row(row));
                out[first.cols..].copy_from_slice(more.row(row));
            }
        }
        match self.power {
            1.0 => {}
            0.5 => features.data.iter_mut().for_each(|x| *x = x.sqrt()),
            power => {
                let power = power as f32;
                features.data.iter_mut().for_each(|x| *x = x.powf(power));
            }
        }
        features
    }
}
