//! Samples → features `[n, d]`.
//!
//! A learned encoder is a plain configuration, a sequence of [`Stage`]s and a pooling after them. It keeps
//! no weights and knows no objective. The closed-form ones (`pixels`, `pca:D`, `ica:D`, `kmeans:K`, `random:ENCODER`)
//! are in [`crate::source`], since they are features of a dataset more than networks.

mod cnn;
pub(crate) mod grid;
pub(crate) mod latent;
mod mlp;
mod resnet;
pub(crate) mod stage;
mod vit;

pub use mlp::Activation;
pub(crate) use stage::ALL_STAGES;
pub use stage::{Exit, Features, Stage, Tokens, features_at};

use std::ops::Range;

use burn_tensor::Tensor;

use crate::dataset::Shape;
use crate::device::Device;
use crate::list::{self, Configured, Entry};
use crate::nn::{Mode, Pass, Scope, Weight, Weights};

/// A network from samples to features.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::encoder;
/// use hspace::nn::{Mode, Pass};
///
/// let device = Device::cpu();
/// let shape = Shape::Image { channels: 3, height: 16, width: 16 };
/// let cnn = encoder::make("cnn", "width = 4".parse()?)?;
/// assert_eq!(cnn.stages(shape).len(), 4);
/// let (weights, d) = encoder::init(&*cnn, shape, 0, &device);
///
/// let weights = weights.prefixed("encoder");
/// let pass = Pass::new(&weights, Mode::Eval, &device);
/// let images = Tensor::ones([2, 3, 16, 16], &device);
/// let features = to_matrix(cnn.features(&pass.at("encoder"), images));
/// assert_eq!((features.rows, features.cols), (2, d));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// The encoder before its latent coordinates, if it has those.
    fn trunk(&self) -> Option<&dyn Encoder> {
        None
    }

    /// The encoder as one of patches, if it is.
    fn patches(&self) -> Option<&dyn Patches> {
        None
    }

    /// Its layers, if it is a perceptron.
    fn perceptron(&self) -> Option<Perceptron> {
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

/// Linear layers, one after the other.
///
/// ```
/// use hspace::encoder::make;
///
/// let mlp = make("mlp", "units = [100, 20]".parse()?)?;
/// let layers = mlp.perceptron().expect("layers");
/// assert_eq!(layers.units, [100, 20]);
/// // Linear at 0 and 3, normalised at 1 and 4.
/// assert_eq!(layers.place(1), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Perceptron {
    /// Units of each layer.
    pub units: Vec<usize>,
    /// Whether each is normalised over the batch.
    pub norm: bool,
    /// What follows.
    pub activation: Activation,
}

impl Perceptron {
    /// Where the weights of layer `i` are under the encoder's: `3 i`, those of its normalisation at `3 i + 1`; without normalisation `2 i`.
    pub fn place(&self, i: usize) -> usize {
        if self.norm { 3 * i } else { 2 * i }
    }
}

/// What an encoder that cuts images into patches can do besides.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::encoder;
///
/// let vit = encoder::make("vit_tiny", "patch = 4".parse()?)?;
/// let patches = vit.patches().expect("a transformer has patches");
/// assert_eq!(patches.side(16, 16), 4);
/// let images = Tensor::zeros([2, 3, 16, 16], &Device::cpu());
/// assert_eq!(patches.cut(images).dims(), [2, 16, 3 * 4 * 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// ```
/// use hspace::encoder;
///
/// assert!(encoder::make("resnet18", "width = 16".parse()?).is_ok());
/// let error = encoder::make("resnet81", Default::default()).err().unwrap();
/// assert!(error.contains("did you mean `resnet18`?"));
/// assert!(encoder::make("cnn", "widht = 16".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unknown names and settings that do not fit.
pub fn make(name: &str, settings: toml::Table) -> std::result::Result<Box<dyn Encoder>, String> {
    let entry = list::find("encoder", ENCODERS, name)?;
    (entry.make)(settings).map_err(|problem| format!("encoder.{problem}"))
}

/// Zeros in the shape of `n` samples, `[n, channels, height, width]`.
///
/// ```
/// use hspace::{dataset::Shape, device::Device, encoder::blank};
///
/// let vectors = blank(4, Shape::Vector { dim: 7 }, &Device::cpu());
/// assert_eq!(vectors.dims(), [4, 7, 1, 1]);
/// ```
pub fn blank(n: usize, shape: Shape, device: &Device) -> Tensor<4> {
    Tensor::zeros(axes(n, shape), device)
}

/// The four axes of a batch of `n` samples.
///
/// ```
/// use hspace::{dataset::Shape, encoder::axes};
///
/// assert_eq!(axes(8, Shape::Image { channels: 3, height: 32, width: 24 }), [8, 3, 32, 24]);
/// assert_eq!(axes(8, Shape::Vector { dim: 7 }), [8, 7, 1, 1]);
/// ```
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
///
/// ```
/// use hspace::{dataset::Shape, device::Device, encoder};
///
/// let mlp = encoder::make("mlp", Default::default())?;
/// let (weights, features) = encoder::init(&*mlp, Shape::Vector { dim: 7 }, 0, &Device::cpu());
/// assert!(features > 0 && weights.trained_values() > 7 * features);
/// # Ok::<(), String>(())
/// ```
pub fn init(encoder: &dyn Encoder, shape: Shape, seed: u64, device: &Device) -> (Weights, usize) {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(seed), device);
    let [_, dim] = encoder
        .features(&pass.at("encoder"), blank(2, shape, device))
        .dims();
    (pass.into_fresh().under("encoder"), dim)
}

/// Names of an encoder's layers of batch normalisation, for samples of that shape; their scale and shift are `NAME.weight` and `NAME.bias`.
///
/// ```
/// use hspace::{dataset::Shape, encoder};
///
/// let shape = Shape::Image { channels: 1, height: 16, width: 16 };
/// let names = |name: &str| -> Result<Vec<String>, String> {
///     Ok(encoder::batch_norms(&*encoder::make(name, Default::default())?, shape))
/// };
/// assert_eq!(names("cnn")?, ["bn0", "bn1", "bn2", "bn3"]);
/// assert!(names("vit_tiny")?.is_empty());
/// # Ok::<(), String>(())
/// ```
pub fn batch_norms(encoder: &dyn Encoder, shape: Shape) -> Vec<String> {
    // Layers with running statistics, among weights that are made for that.
    let (weights, _) = init(encoder, shape, 0, &Device::cpu_with(None));
    let names = weights.iter().map(|(name, _)| name);
    let layers = names.filter_map(|name| name.strip_suffix(".running_mean"));
    layers.map(str::to_owned).collect()
}

/// How many features an encoder gives at `exit` for samples of that shape.
///
/// ```
/// use hspace::encoder::{self, Exit, features_after};
/// use hspace::{dataset::Shape, device::Device};
///
/// let shape = Shape::Image { channels: 3, height: 32, width: 32 };
/// let resnet = encoder::make("resnet18", "width = 8".parse()?)?;
/// let exit = Exit::after("layer2", &resnet.stages(shape))?;
/// // Each of the four layers has twice as many channels as the one before.
/// let [second, last] = [exit, Exit::End].map(|at| features_after(&*resnet, shape, at, &Device::cpu()));
/// assert_eq!((second, last), (16, 64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
