//! The stages of an encoder, and what one passes to the next.
//!
//! Whatever looks inside a network asks for a range of its stages: a probe of a middle layer, feature maps, rates that differ
//! by depth.

use burn_tensor::Tensor;

use super::Encoder;
use crate::dataset::Shape;
use crate::error::unknown;
use crate::nn::Scope;
use crate::nn::layers::flatten;
use crate::nn::maps::Maps;

/// One of the stages that an encoder is a sequence of. Its place in the sequence is its depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The first of its prefixes, as in `runs/a@layer2`.
    pub name: String,
    /// What the names of its weights begin with, up to a dot or the end.
    pub prefixes: Vec<String>,
    /// How many times smaller its maps or grid of tokens are than what it is given.
    pub stride: usize,
}

impl Stage {
    /// A stage with these prefixes, the first of which is its name.
    pub(super) fn new(prefixes: &[&str], stride: usize) -> Stage {
        Stage {
            name: prefixes[0].to_owned(),
            prefixes: prefixes.iter().map(|prefix| prefix.to_string()).collect(),
            stride,
        }
    }

    /// Whether the weight `name`, without the encoder's own prefix, is of this stage.
    ///
    /// ```
    /// # use hspace::encoder::Stage;
    /// let stage = Stage { name: "layer1".into(), prefixes: vec!["layer1".into()], stride: 1 };
    /// assert!(stage.has("layer1.0.conv1.weight") && !stage.has("layer10.0.conv1.weight"));
    /// ```
    pub fn has(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| begins(name, prefix))
    }
}

/// Whether the dotted `name` of a weight begins with the whole parts of `prefix`.
pub(crate) fn begins(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What the first stage is given, and every stage passes on.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::encoder::Features;
///
/// let vectors = Features::Samples(Tensor::ones([2, 7, 1, 1], &Device::cpu()));
/// assert_eq!(vectors.pooled().dims(), [2, 7]);
/// ```
#[derive(Clone, Debug)]
pub enum Features {
    /// Samples `[n, channels, height, width]`; vectors are `[n, dim, 1, 1]`.
    Samples(Tensor<4>),
    /// Feature maps.
    Maps(Maps),
    /// Tokens of patches.
    Tokens(Tokens),
    /// One vector a sample, `[n, d]`.
    Vector(Tensor<2>),
}

/// Tokens of a grid of patches, row by row, and before them those that belong to no patch.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::encoder::{Features, Tokens};
///
/// // Two samples, each of a class token and four patches.
/// let tokens = || Tokens { rows: Tensor::ones([10, 8], &Device::cpu()), count: 5, prefix: 1 };
/// assert_eq!(tokens().by_sample().dims(), [2, 5, 8]);
/// assert_eq!(Features::Tokens(tokens()).pooled().dims(), [2, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct Tokens {
    /// `[n · count, d]`, those of a sample one after the other.
    pub rows: Tensor<2>,
    /// Tokens of a sample.
    pub count: usize,
    /// How many of them belong to no patch.
    pub prefix: usize,
}

impl Tokens {
    /// `[n, count, d]`
    pub fn by_sample(self) -> Tensor<3> {
        let [rows, d] = self.rows.dims();
        self.rows.reshape([rows / self.count, self.count, d])
    }
}

impl Features {
    /// One vector a sample, `[n, d]`: the mean of each map, the first token where one belongs to no patch and else their mean, samples
    /// as they are.
    pub fn pooled(self) -> Tensor<2> {
        match self {
            Features::Samples(x) => flatten(x),
            Features::Maps(maps) => maps.mean(),
            Features::Vector(x) => x,
            Features::Tokens(tokens) => {
                let prefix = tokens.prefix;
                let x = tokens.by_sample();
                let [n, _, d] = x.dims();
                let one = match prefix {
                    0 => x.mean_dim(1),
                    _ => x.narrow(1, 0, 1),
                };
                one.reshape([n, d])
            }
        }
    }

    /// The maps of samples or of an earlier stage.
    ///
    /// # Panics
    /// Of anything else: stages were put together wrongly.
    pub fn into_maps(self, scope: &Scope) -> Maps {
        match self {
            Features::Samples(x) => Maps::from_images(scope, x),
            Features::Maps(maps) => maps,
            Features::Tokens(_) | Features::Vector(_) => panic!("a convolution takes maps"),
        }
    }
}

/// The name for all stages of a network.
pub(crate) const ALL_STAGES: &str = "all";

/// Where features leave an encoder.
///
/// ```
/// use hspace::encoder::{self, Exit};
/// use hspace::dataset::Shape;
///
/// let shape = Shape::Image { channels: 3, height: 32, width: 32 };
/// let stages = encoder::make("resnet18", Default::default())?.stages(shape);
/// assert!(Exit::after("layer2", &stages).is_ok());
/// assert!(Exit::after("layer9", &stages).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// After so many of its stages, pooled by [`Features::pooled`].
    After(usize),
    /// At its end: its own features.
    End,
}

impl Exit {
    /// After the one of `stages` that has that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn after(name: &str, stages: &[Stage]) -> Result<Exit, String> {
        let names = || stages.iter().map(|stage| stage.name.as_str());
        match names().position(|own| own == name) {
            Some(place) => Ok(Exit::After(place + 1)),
            None => Err(unknown("stage", name, names())),
        }
    }

    /// After each of the stages that `names` lists, by depth: one name, several joined by `+` in any order, or `all` of the `stages`.
    ///
    /// ```
    /// use hspace::encoder::{self, Exit};
    /// use hspace::dataset::Shape;
    ///
    /// let shape = Shape::Image { channels: 3, height: 32, width: 32 };
    /// let stages = encoder::make("resnet18", Default::default())?.stages(shape);
    /// let exits = Exit::after_each("layer3+layer1", &stages)?;
    /// assert_eq!(exits, ["layer1", "layer3"].map(|name| Exit::after(name, &stages).unwrap()));
    /// assert_eq!(Exit::after_each("all", &stages)?.len(), stages.len());
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// When there is no stage of a name, or one is named twice.
    pub fn after_each(names: &str, stages: &[Stage]) -> Result<Vec<Exit>, String> {
        let named = names.split('+').map(|name| Exit::after(name, stages));
        let mut exits: Vec<Exit> = match names {
            ALL_STAGES => (1..=stages.len()).map(Exit::After).collect(),
            _ => named.collect::<Result<_, _>>()?,
        };
        let depth = |exit: &Exit| match exit {
            Exit::After(depth) => *depth,
            Exit::End => usize::MAX,
        };
        exits.sort_by_key(depth);
        match exits.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(format!("`{names}` names a stage twice; name it once")),
            false => Ok(exits),
        }
    }
}

/// Features `[n, d]` of samples `[n, channels, height, width]` of `shape` at each of `exits`. Each stage is computed once.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder::{self, Exit, features_at};
/// use hspace::nn::{Mode, Pass};
///
/// let device = Device::cpu();
/// let shape = Shape::Image { channels: 1, height: 16, width: 16 };
/// let cnn = encoder::make("cnn", "width = 4".parse()?)?;
/// let (weights, d) = encoder::init(&*cnn, shape, 0, &device);
/// let weights = weights.prefixed("encoder");
/// let pass = Pass::new(&weights, Mode::Eval, &device);
/// let images = Tensor::ones([2, 1, 16, 16], &device);
/// let made = features_at(&*cnn, &pass.at("encoder"), images, shape, &[Exit::After(1), Exit::End]);
/// assert_eq!((made[0].dims()[0], made[1].dims()), (2, [2, d]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn features_at(
    encoder: &dyn Encoder,
    scope: &Scope,
    x: Tensor<4>,
    shape: Shape,
    exits: &[Exit],
) -> Vec<Tensor<2>> {
    let all = encoder.stages(shape).len();
    let depth = |place: &usize| match exits[*place] {
        Exit::After(stages) => stages,
        Exit::End => all,
    };
    let mut places: Vec<usize> = (0..exits.len()).collect();
    places.sort_by_key(depth);
    let (mut x, mut done) = (Features::Samples(x), 0);
    let mut found = Vec::with_capacity(exits.len());
    for place in places {
        let wanted = depth(&place);
        if wanted > done {
            x = encoder.forward(scope, x, done..wanted);
            done = wanted;
        }
        let features = match exits[place] {
            Exit::After(_) => x.clone().pooled(),
            Exit::End => encoder.pool(scope, x.clone()),
        };
        found.push((place, features));
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, features)| features).collect()
}
