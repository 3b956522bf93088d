//! Samples → features `[n, d]`.
//!
//! A learned encoder is a plain configuration, a sequence of [`Stage`]s and a pooling after them. It keeps
//! no weights and knows no objective. The closed-form ones (`pixels`, `pca:D`, `ica:D`, `kmeans:K`, `random:ENCODER`)
//! are in [`crate::source`], since they are features of a dataset more than networks.

mod cnn;
pub mod latent;
mod mlp;
mod resnet;
pub(crate) mod stage;
mod vit;

pub use stage::{Exit, Features, Stage, Tokens, features_at};

use std::ops::Range;

use burn_tensor::Tensor;

use crate::dataset::Shape;
use crate::device::Device;
use crate::list::{self, Configured, Entry};
use crate::network::{Mode, Pass, Scope, Weight, Weights};

/// A network from samples to features.
pub trait Encoder: Send + Sync {
    /// Its stages, in order, for samples of that shape. None: the samples themselves are pooled.
    fn stages(&self, shape: Shape) -> Vec<Stage>;

    /// What the last of `stages` makes of `x`, which is what the stage before the first one gave, or samples where that is stage 0.
    /// Weights are looked up under `scope`, with torchvision's names where the architecture exists there. A range is computed as
    /// one chain.
    ///
    /// # Panics
    /// When `x` is not what the stage before gives.
    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features;

    /// Features `[n, d]` of what the last stage gives.
    fn pool(&self, scope: &Scope, x: Features) -> Tensor<2> {
        let _ = scope;
        x.pooled()
    }

    /// Features `[n, d]` of samples `[n, channels, height, width]`; vectors come as
    /// `[n, dim, 1, 1]`.
    fn features(&self, scope: &Scope, x: Tensor<4>) -> Tensor<2> {
        let [_, channels, height, width] = x.dims();
        let shape = Shape::Image {
            channels,
            height,
            width,
        };
        let stages = 0..self.stages(shape).len();
        self.pool(scope, self.forward(scope, Features::Samples(x), stages))
    }

    /// The encoder before its latent coordinates, if it has those ([`latent`]).
    fn trunk(&self) -> Option<&dyn Encoder> {
        None
    }

    /// The encoder as one of patches, if it is.
    fn patches(&self) -> Option<&dyn Patches> {
        None
    }

    /// A weight from elsewhere whose shape is not `wanted`, made to fit where it is known how (position
    /// embeddings).
    fn adapt(&self, _name: &str, _found: &Weight, _wanted: &[usize]) -> Option<Weight> {
        None
    }

    /// Lines of Python that make the same network, `model`, in torchvision or timm, if it is there.
    fn python(&self, _: Shape) -> Option<String> {
        None
    }

    /// Whether weights for samples of this shape take images of other sizes too.
    fn takes_any_size(&self, _: Shape) -> bool {
        true
    }

    /// Problems with the settings, or with samples of this shape; empty if there are none.
    fn validate(&self, shape: Shape) -> Vec<String>;
}

/// What an encoder that cuts images into patches can do besides.
pub trait Patches {
    /// Height and width of a patch of images so high and wide.
    fn side(&self, height: usize, width: usize) -> usize;

    /// The patches of images `[n, c, h, w]` row by row, `[n, t, c · p · p]`.
    fn cut(&self, x: Tensor<4>) -> Tensor<3>;

    /// Tokens `[n, t, d]` of the patches, of all or only of `visible [n, t]`, which are then the only
    /// ones that are computed; a class token, if there is one, comes before them.
    fn tokens(&self, scope: &Scope, x: Tensor<4>, visible: Option<&[u32]>) -> Tensor<3>;
}

/// The learned encoders.
pub static ENCODERS: &[Entry<Configured<dyn Encoder>>] = &[
    mlp::ENTRY,
    cnn::ENTRY,
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    resnet::RESNET101,
    resnet::RESNET152,
    resnet::WIDE_RESNET50_2,
    resnet::WIDE_RESNET101_2,
    resnet::RESNEXT50_32X4D,
    resnet::RESNEXT101_32X8D,
    resnet::RESNEXT101_64X4D,
    vit::VIT_TINY,
    vit::VIT_SMALL,
    vit::VIT_BASE,
];

/// The encoder of that name with its settings (see the entry's defaults for the keys).
///
/// # Errors
/// Unknown names and settings that do not fit.
pub fn make(name: &str, settings: toml::Table) -> std::result::Result<Box<dyn Encoder>, String> {
    let entry = list::find("encoder", ENCODERS, name)?;
    (entry.make)(settings).map_err(|problem| format!("encoder.{problem}"))
}

/// Zeros in the shape of `n` samples, `[n, channels, height, width]`.
pub fn blank(n: usize, shape: Shape, device: &Device) -> Tensor<4> {
    Tensor::zeros(axes(n, shape), device)
}

/// The four axes of a batch of `n` samples.
pub fn axes(n: usize, shape: Shape) -> [usize; 4] {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => [n, channels, height, width],
        Shape::Vector { dim } => [n, dim, 1, 1],
    }
}

/// Fresh weights of an encoder, names without a prefix, and its number of features.
pub fn init(encoder: &dyn Encoder, shape: Shape, seed: u64, device: &Device) -> (Weights, usize) {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(seed), device);
    let [_, dim] = encoder
        .features(&pass.at("encoder"), blank(2, shape, device))
        .dims();
    (pass.into_fresh().under("encoder"), dim)
}

/// How many features an encoder gives at `exit` for samples of that shape.
pub fn features_after(encoder: &dyn Encoder, shape: Shape, exit: Exit, device: &Device) -> usize {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(0), device);
    let x = blank(2, shape, device);
    let found = features_at(encoder, &pass.at("encoder"), x, shape, &[exit]);
    found[0].dims()[1]
}

/// Shared by the convolutional encoders: only images of a size that survives the strides.
fn image_problems(name: &str, shape: Shape, least: usize) -> Vec<String> {
    match shape {
        Shape::Vector { dim } => vec![format!(
            "encoder `{name}` takes images, but the samples are vectors of {dim} numbers; \
             use `mlp`"
        )],
        Shape::Image { height, width, .. } if height.min(width) < least => vec![format!(
            "encoder `{name}` takes images of at least {least}x{least} pixels, but they are \
             {width}x{height}; set train.image_size={least} or more, or use `mlp`"
        )],
        Shape::Image { .. } => vec![],
    }
}
