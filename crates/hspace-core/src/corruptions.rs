//! Common corruptions of images, each at five severities, to test how robust an encoder is.
//!
//! [`SUITES`] has the 15 corruptions of ImageNet-C and its 4 extra ones (Hendrycks & Dietterich 2019, arXiv:1903.12261), and those of
//! MedMNIST-C for chest X-rays and for blood microscopy (Di Salvo et al. 2024, arXiv:2406.17536), with their published parameters.
//! [`corrupt`] applies one. Its result is a pure function of (image, corruption, severity, seed). One seed draws the same random numbers at
//! every severity, and for every image of a size: give each image a seed of its own.
//!
//! **Images.** 8 or 16 bits per value, any size, any number of channels; values that are not whole levels are rounded down, as in the
//! published code. In MedMNIST-C a grey image is corrupted as RGB and becomes grey again by its luma, so that its noise is weaker by
//! one third; we do the same. `saturate` treats grey images so in every suite, since the colour that it adds at severities 4 and 5 changes
//! the luma; at severities 1 to 3 a grey image of ImageNet-C's `saturate` stays as it is. Operations on colour take the largest and
//! smallest channel for HSV and, where there are not 3 channels, the mean of all for the luma. JPEG has 8 bits: 16-bit images lose the
//! rest; channels of an image that is not RGB are compressed one by one.
//!
//! **Lengths.** Published lengths in pixels (radii, displacements, sizes of flakes and bubbles) are for images of 224 pixels. With
//! [`Lengths::Scaled`], the default, an image whose shorter side is smaller has them multiplied by s = max(side / 224, 1/8):
//!
//! - The taps of a blur's kernel move closer by s. Between pixels a tap is split linearly, so a radius below one pixel still blurs, and
//!   more at each severity.
//! - Displacements of `glass_blur` are multiplied by s and read between pixels. `zoom_blur` crops as at 224 pixels.
//! - Layers that are drawn over the image (snow, frost, spatter, stains, bubbles) and the displacements of `elastic_transform` are made
//!   for 224 pixels and averaged down to the image.
//!
//! Noise, fog, brightness, contrast, saturation, gamma, pixelate and JPEG have no lengths. [`Lengths::Published`] uses the published
//! lengths for all images. Both agree from 224 pixels on: corrupt images at the size that the encoder reads.
//!
//! **Severities.** The published parameters do not change every image more at each severity. `fog` becomes rougher, not denser, at
//! severity 4; `snow` has larger and fewer flakes at 3; `glass_blur` displaces pixels less often at 2 and 4; `spatter` is of water up to 3
//! and of mud from 4 on; `stain_deposit` has the same parameters at 3 and 4; `frost` and `saturate` depend on the image.
//!
//! **Differences from the published code.** `frost` draws ice crystals, where ImageNet-C blends photographs. `stain_deposit` draws the
//! outline of a stain, where MedMNIST-C has 20 masks; the mean area is the same. `glass_blur` copies pixels, as the published code does,
//! although the paper speaks of swapping.

mod blur;
mod digital;
mod draw;
mod edges;
mod filter;
mod frost;
mod glass;
mod intensity;
mod jpeg;
mod jpeg_block;
mod microscopy;
mod noise;
mod picture;
mod poisson;
mod resize;
mod spatter;
mod suites;
mod weather;
mod zoom;

use std::fmt::Debug;

pub use suites::SUITES;

use crate::dataset::Image;
use crate::error::{Error, Result, unknown};
use crate::list;
use crate::views::{Draws, Key};
use picture::Picture;

/// A line of [`CORRUPTIONS`].
pub type Entry = list::Entry<CorruptionKind>;

/// What reports say of a corruption, whatever its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptionKind {
    /// `noise`, `blur`, `weather`, `digital`, `intensity` or `microscopy`.
    pub family: &'static str,
    /// Whether the seed matters.
    pub is_random: bool,
}

/// Every corruption: ImageNet-C's in its order, its extra ones, then those that MedMNIST-C adds.
pub static CORRUPTIONS: &[Entry] = &[
    noise::GAUSSIAN,
    noise::SHOT,
    noise::IMPULSE,
    blur::DEFOCUS,
    glass::ENTRY,
    blur::MOTION,
    zoom::ENTRY,
    weather::SNOW,
    frost::ENTRY,
    weather::FOG,
    intensity::BRIGHTNESS,
    intensity::CONTRAST,
    digital::ELASTIC,
    digital::PIXELATE,
    jpeg::ENTRY,
    noise::SPECKLE,
    blur::GAUSSIAN,
    spatter::ENTRY,
    intensity::SATURATE,
    intensity::BRIGHTNESS_UP,
    intensity::BRIGHTNESS_DOWN,
    intensity::CONTRAST_UP,
    intensity::CONTRAST_DOWN,
    intensity::GAMMA_UP,
    intensity::GAMMA_DOWN,
    microscopy::STAIN,
    microscopy::BUBBLE,
];

/// A corruption at fixed parameters: settings and code at once.
trait Operation: Debug + Sync {
    /// Changes the picture; values below 0 or above 1 are clipped afterwards.
    fn apply(&self, picture: &mut Picture, draws: &mut Draws);
}

/// A corruption of a suite, with the parameters of its five severities.
///
/// ```
/// use hspace_core::corruptions::SUITES;
///
/// let noise = &SUITES[0].corruptions[0];
/// assert_eq!(noise.name, "gaussian_noise");
/// assert_eq!(noise.parameters(1)?, "GaussianNoise { std: 0.08 }");
/// assert_eq!(noise.kind().family, "noise");
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Corruption {
    /// As in [`CORRUPTIONS`].
    pub name: &'static str,
    /// A grey image is corrupted as RGB and becomes grey again by its luma.
    through_rgb: bool,
    severities: [&'static dyn Operation; 5],
}

impl Corruption {
    /// Its line in [`CORRUPTIONS`].
    pub fn kind(&self) -> &'static Entry {
        let found = CORRUPTIONS.iter().find(|entry| entry.name == self.name);
        found.expect("suites name corruptions of the list, which a test ensures")
    }

    /// The parameters at a severity in 1..=5, as text.
    ///
    /// # Errors
    /// A severity that does not exist.
    pub fn parameters(&self, severity: usize) -> Result<String> {
        Ok(format!("{:?}", self.at(severity)?))
    }

    fn at(&self, severity: usize) -> Result<&'static dyn Operation> {
        let index = severity.checked_sub(1);
        let found = index.and_then(|index| self.severities.get(index));
        found.copied().ok_or_else(|| {
            Error::config(format!(
                "severity: must be in 1..=5, not {severity}; 1 is the mildest"
            ))
        })
    }
}

/// Corruptions that are reported together.
///
/// ```
/// use hspace_core::corruptions::SUITES;
/// use hspace_core::list::find;
///
/// let suite = find("suite", SUITES, "imagenet-c").unwrap();
/// assert_eq!(suite.corruptions.len(), 15);
/// assert_eq!(suite.corruption("fog")?.name, "fog");
/// assert!(suite.corruption("fgo").unwrap_err().to_string().contains("did you mean `fog`?"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Suite {
    /// In the order of the publication.
    pub corruptions: &'static [Corruption],
}

impl Suite {
    /// The corruption of this name.
    ///
    /// # Errors
    /// The nearest name and all names of the suite.
    pub fn corruption(&self, name: &str) -> Result<&'static Corruption> {
        let mut all = self.corruptions.iter();
        let found = all.find(|corruption| corruption.name == name);
        found.ok_or_else(|| {
            let names = self.corruptions.iter().map(|corruption| corruption.name);
            Error::config(unknown("corruption", name, names))
        })
    }
}

/// What the published lengths in pixels mean for images smaller than 224 pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lengths {
    /// Multiplied by max(shorter side / 224, 1/8).
    #[default]
    Scaled,
    /// As published.
    Published,
}

/// `image`, corrupted at a severity in 1..=5, with lengths [`Lengths::Scaled`]. Nothing else decides the result.
///
/// ```
/// use hspace_core::corruptions::{SUITES, corrupt};
/// use hspace_core::dataset::{Dataset, OpenOptions, Sample};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let Sample::Image(image) = digits.samples.get(0)? else { panic!("an image") };
/// for suite in SUITES {
///     for corruption in suite.corruptions {
///         let corrupted = corrupt(&image, corruption, 3, 0)?;
///         assert_eq!((corrupted.height, corrupted.width, corrupted.channels), (28, 28, 1));
///         assert_eq!(corrupted, corrupt(&image, corruption, 3, 0)?);
///     }
/// }
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// A severity that does not exist; an image without pixels, or whose number of values is not that of its shape.
pub fn corrupt(
    image: &Image<'_>,
    corruption: &Corruption,
    severity: usize,
    seed: u64,
) -> Result<Image<'static>> {
    corrupt_with(image, corruption, severity, seed, Lengths::Scaled)
}

/// As [`corrupt`], with a choice of the lengths.
///
/// ```
/// use hspace_core::corruptions::{Lengths, SUITES, corrupt, corrupt_with};
/// use hspace_core::dataset::{Image, Pixels};
///
/// let pixels = Pixels::U8((0..32 * 32).map(|i| (i * 7 % 256) as u8).collect());
/// let image = Image { width: 32, height: 32, channels: 1, pixels };
/// let blur = SUITES[0].corruption("defocus_blur")?;
/// let published = corrupt_with(&image, blur, 5, 0, Lengths::Published)?;
/// assert_ne!(published, corrupt(&image, blur, 5, 0)?);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`corrupt`].
pub fn corrupt_with(
    image: &Image<'_>,
    corruption: &Corruption,
    severity: usize,
    seed: u64,
    lengths: Lengths,
) -> Result<Image<'static>> {
    let operation = corruption.at(severity)?;
    let mut picture = Picture::read(image, lengths)?;
    let key = Key {
        seed,
        ..Key::default()
    };
    let through_rgb = corruption.through_rgb && picture.channels == 1;
    if through_rgb {
        picture.grey_to_rgb();
    }
    operation.apply(&mut picture, &mut key.draws(corruption.name));
    if through_rgb {
        picture.rgb_to_grey();
    }
    Ok(picture.write())
}

#[cfg(test)]
mod tests;
