//! Random views of a sample: what the encoder sees while it learns.
//!
//! A view is a pure function of (seed, epoch, stream, sample id, view index), so results depend neither on
//! the number of threads nor on the order in which samples are read. Every kind of view draws its
//! random numbers from a stream of its own: switching one off leaves the choices of the others as
//! they were, and its effect can be seen alone.
//!
//! Each kind of view is one file with one struct, which is its settings and its code at once, and
//! one line in [`VIEWS`]. The list is in order of application and feeds `hspace list views`, the
//! docs and the conformance tests. A picture is made in three steps:
//!
//! 1. views that choose *where to look* ([`crop`], [`flip`]) change the [`Frame`];
//! 2. that frame is resized to the input's size, antialiased, as a planar [`Canvas`] in 0..1;
//! 3. the other views repaint the canvas, and at last it is normalised.
//!
//! Images may have any number of channels. A grey sample for an encoder of RGB stays a single channel up to the last step,
//! so views cost a third for it; those that only change colours cost nothing for all but RGB. Vectors are normalised first; their views work on
//! normalised values.

pub mod affine;
pub mod blur;
pub(crate) mod canvas;
pub mod color;
pub mod config;
pub mod corrupt;
pub mod crop;
pub mod cutout;
pub mod flip;
pub mod input;
pub mod key;
pub mod measure;
pub mod noise;
pub mod rand_augment;
pub mod recipes;
pub(crate) mod resize;
pub mod sheet;
pub mod solarize;

use std::cell::RefCell;

pub use canvas::{Canvas, Frame};
pub use config::ViewsConfig;
pub use corrupt::Marginals;
pub use input::InputSpec;
pub use key::{Draws, Key, sample_key};
pub use recipes::{PRESETS, Recipe, Recipes};

use crate::dataset::{Image, Sample, Shape};
use crate::error::{Error, Result};
use crate::list;
use canvas::Scratch;

/// One kind of view: its settings, and what it does with them.
///
/// A kind implements one of `frame` and `image`, or `vector`, or both of the latter; what it does
/// not implement changes nothing.
///
/// ```
/// use hspace_core::views::{VIEWS, ViewsConfig};
///
/// let flip = VIEWS.iter().find(|entry| entry.name == "flip").expect("mirroring");
/// let mut config = ViewsConfig::none();
/// assert!(!(flip.of)(&config).on());
/// config.flip.horizontal = 0.5;
/// assert!((flip.of)(&config).on());
/// config.flip.horizontal = 2.0;
/// assert_eq!((flip.of)(&config).validate().len(), 1);
/// ```
pub trait View {
    /// Whether it does anything at all.
    fn on(&self) -> bool;

    /// Every setting that makes no sense, as `key: problem`, such as `p: must be in 0..=1, not 2`.
    fn validate(&self) -> Vec<String>;

    /// Changes where in the source image to look.
    fn frame(&self, _frame: &mut Frame, _draws: &mut Draws) {}

    /// Repaints the picture. Values are in 0..1 before and after.
    fn image(&self, _canvas: &mut Canvas, _draws: &mut Draws) {}

    /// Changes a normalised vector. `marginals` is what the features' values usually are.
    fn vector(&self, _vector: &mut [f32], _marginals: Option<&Marginals>, _draws: &mut Draws) {}
}

/// What a view can be taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Images only.
    Images,
    /// Vectors only.
    Vectors,
    /// Both.
    Both,
}

/// A kind of view.
pub struct ViewOperation {
    /// What it can be taken of.
    pub takes: Takes,
    /// Its settings within a configuration.
    pub of: fn(&ViewsConfig) -> &dyn View,
    /// Switches it on at a strength that shows, for tests and for looking at.
    pub show: fn(&mut ViewsConfig),
}

/// A line of [`VIEWS`], named as its table in [`ViewsConfig`].
pub type ViewEntry = list::Entry<ViewOperation>;

/// Every kind of view, in order of application.
pub static VIEWS: &[ViewEntry] = &[
    crop::ENTRY,
    flip::ENTRY,
    affine::ENTRY,
    color::ENTRY,
    color::GREY,
    blur::ENTRY,
    solarize::ENTRY,
    rand_augment::ENTRY,
    corrupt::ENTRY,
    noise::ENTRY,
    cutout::ENTRY,
];

/// Makes views of samples for one encoder. Shared by all threads.
///
/// ```
/// use hspace_core::dataset::{Dataset, Kind, OpenOptions};
/// use hspace_core::views::{InputSpec, Key, Views, ViewsConfig, sample_key};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let input = InputSpec { shape: digits.shape, mean: vec![0.13], std: vec![0.31], shift: vec![] };
/// let views = Views::new(ViewsConfig::preset(Kind::Digits, 28), input, None)?;
///
/// let sample = digits.samples.get(0)?;
/// let mut key = Key { seed: 0, epoch: 0, stream: 0, sample: sample_key(&digits.ids[0]), view: 0 };
/// let [mut first, mut again, mut second] = [(); 3].map(|()| vec![0.0; views.input().len()]);
/// views.random(&sample, key, &mut first)?;
/// views.random(&sample, key, &mut again)?;
/// key.view = 1;
/// views.random(&sample, key, &mut second)?;
/// assert!(first == again && first != second);
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub struct Views {
    config: ViewsConfig,
    input: InputSpec,
    /// The views of `VIEWS` that are switched on.
    active: Vec<&'static ViewEntry>,
    /// 1 / std.
    scale: Vec<f32>,
    marginals: Option<Marginals>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

impl Views {
    /// Views of samples that become `input`.
    ///
    /// `reference` holds some raw training vectors; feature corruption draws from them.
    ///
    /// # Errors
    /// Every problem at once: settings out of range ([`ViewsConfig::validate`]), views of images
    /// switched on for vectors or the other way round, corruption without a reference,
    /// normalisation that does not fit the shape.
    pub fn new(
        config: ViewsConfig,
        input: InputSpec,
        reference: Option<Marginals>,
    ) -> Result<Self> {
        let mut problems = config.validate();
        problems.extend(input.validate());
        let vectors = matches!(input.shape, Shape::Vector { .. });
        let active: Vec<&ViewEntry> = VIEWS.iter().filter(|v| (v.of)(&config).on()).collect();
        for view in &active {
            match view.takes {
                Takes::Images if vectors => problems.push(format!(
                    "views.{}: only for images, and the data are vectors; switch it off",
                    view.name
                )),
                Takes::Vectors if !vectors => problems.push(format!(
                    "views.{}: only for vectors, and the data are images; switch it off",
                    view.name
                )),
                _ => {}
            }
        }
        let dim = input.len();
        match &reference {
            Some(r) if vectors && r.dim() != dim => problems.push(format!(
                "views.corrupt: the reference has {} features, the input {dim}",
                r.dim()
            )),
            None if vectors && config.corrupt.on() => problems.push(
                "views.corrupt: needs some training vectors to draw from; give a reference or switch it off"
                    .to_string(),
            ),
            _ => {}
        }
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        let scale: Vec<f32> = input.std.iter().map(|s| 1.0 / s).collect();
        let marginals = reference
            .filter(|_| vectors)
            .map(|r| r.normalised(&input.mean, &scale));
        Ok(Views {
            config,
            input,
            active,
            scale,
            marginals,
        })
    }

    /// Small views of small parts, which objectives with multi-crop learn from in addition to the whole
    /// (Caron et al. 2020, arXiv:2006.09882): crops of `crop.local_scale`, `crop.local_size` pixels
    /// large, all else as here. Where no size is set it is one that patches of `patch` pixels fill, if
    /// the encoder has them. Of vectors they are views like any other.
    pub fn local(&self, patch: Option<usize>) -> Views {
        let mut views = Views {
            config: self.config.clone(),
            input: self.input.clone(),
            active: vec![],
            scale: self.scale.clone(),
            marginals: self.marginals.clone(),
        };
        if let Shape::Image { height, width, .. } = &mut views.input.shape {
            let crop = &mut views.config.crop;
            (crop.p, crop.scale) = (1.0, crop.local_scale);
            let side = match crop.local_size {
                0 => local_size((*height).min(*width), patch),
                side => side,
            };
            (*height, *width) = (side, side);
        }
        let config = &views.config;
        views.active = VIEWS.iter().filter(|v| (v.of)(config).on()).collect();
        views
    }

    /// What the views are made for.
    pub fn input(&self) -> &InputSpec {
        &self.input
    }

    /// The settings.
    pub fn config(&self) -> &ViewsConfig {
        &self.config
    }

    /// The view of `sample` named by `key`, normalised: planar `[channels, height, width]` or
    /// `[dim]` into `out`, which must hold [`InputSpec::len`] values. Nothing else decides the
    /// result.
    ///
    /// # Errors
    /// If `out` or the sample has another shape than the input allows.
    pub fn random(&self, sample: &Sample, key: Key, out: &mut [f32]) -> Result<()> {
        self.make(sample, &self.active, key, out)
    }

    /// `sample` as it is evaluated, nothing random: the largest centred part of the image that has
    /// the input's aspect (all of it, if the aspects agree), resized and normalised.
    ///
    /// # Errors
    /// As [`Views::random`].
    pub fn plain(&self, sample: &Sample, out: &mut [f32]) -> Result<()> {
        self.make(sample, &[], Key::default(), out)
    }

    fn make(
        &self,
        sample: &Sample,
        active: &[&ViewEntry],
        key: Key,
        out: &mut [f32],
    ) -> Result<()> {
        if out.len() != self.input.len() {
            return Err(Error::data(format!(
                "a view has {} values, and there is room for {}",
                self.input.len(),
                out.len()
            )));
        }
        match (sample, self.input.shape) {
            (
                Sample::Image(image),
                Shape::Image {
                    channels,
                    height,
                    width,
                },
            ) => {
                let drawn = self.picture(image, [channels, height, width], active, key, out)?;
                self.normalise_image(drawn, height * width, out);
                Ok(())
            }
            (Sample::Vector(values), Shape::Vector { dim }) if values.len() == dim => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = (values[i] - self.input.mean[i]) * self.scale[i];
                }
                for view in active {
                    let mut draws = key.draws(view.name);
                    (view.of)(&self.config).vector(out, self.marginals.as_ref(), &mut draws);
                }
                Ok(())
            }
            (Sample::Vector(values), Shape::Vector { dim }) => Err(Error::data(format!(
                "a vector of {} numbers, where the encoder takes {dim}",
                values.len()
            ))),
            (Sample::Image(_), Shape::Vector { .. }) => {
                Err(Error::data("an image, where the encoder takes vectors"))
            }
            (Sample::Vector(_), Shape::Image { .. }) => {
                Err(Error::data("a vector, where the encoder takes images"))
            }
        }
    }

    /// Draws the picture into the first planes of `out`, in 0..1, and returns how many planes.
    fn picture(
        &self,
        image: &Image,
        [channels, height, width]: [usize; 3],
        active: &[&ViewEntry],
        key: Key,
        out: &mut [f32],
    ) -> Result<usize> {
        let mut frame = Frame::centred([image.height, image.width], [height, width]);
        for view in active {
            (view.of)(&self.config).frame(&mut frame, &mut key.draws(view.name));
        }
        let planes = match (image.channels, channels) {
            // Grey is drawn once and lifted to RGB at last; RGB becomes its luma.
            (1, 3) | (3, 1) => 1,
            (has, takes) if has == takes => takes,
            (has, takes) => {
                return Err(Error::data(format!(
                    "an image of {has} channels, where the encoder takes {takes}"
                )));
            }
        };
        SCRATCH.with_borrow_mut(|scratch| {
            let pixels = &mut out[..planes * height * width];
            let mut canvas = scratch.draw(image, &frame, [planes, height, width], pixels)?;
            for view in active {
                (view.of)(&self.config).image(&mut canvas, &mut key.draws(view.name));
            }
            Ok(planes)
        })
    }

    /// Copies a single drawn plane to all channels, then subtracts the mean and divides by std.
    fn normalise_image(&self, drawn: usize, plane: usize, out: &mut [f32]) {
        let (first, rest) = out.split_at_mut(plane);
        if drawn == 1 {
            for other in rest.chunks_exact_mut(plane) {
                other.copy_from_slice(first);
            }
        }
        for (channel, values) in out.chunks_exact_mut(plane).enumerate() {
            let (mean, scale) = (self.input.mean[channel], self.scale[channel]);
            for v in values {
                *v = (*v - mean) * scale;
            }
        }
    }
}

/// Three sevenths of the size (96 of 224 pixels, as in the paper), rounded to whole patches: of 4
/// pixels, from inputs of 96 pixels on of 16, where nothing else is said.
fn local_size(size: usize, patch: Option<usize>) -> usize {
    let patch = patch.unwrap_or(if size < 96 { 4 } else { 16 });
    let patches = (3.0 * size as f64 / (7 * patch) as f64).round() as usize;
    patch * patches.max(1)
}

#[cfg(test)]
mod tests;
