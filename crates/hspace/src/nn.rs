//! Networks as plain functions of named weights.
//!
//! A network is one function of its input and a [`Scope`], the place in the tree of weights where
//! it looks up its own. [`Scope::weight`] says name, shape and initialisation together, so the
//! same function makes the weights (in [`Mode::Init`]), trains them and applies them, and a list
//! of parameters that disagrees with the forward pass cannot exist.
//!
//! Networks hold no state. What training changes besides the gradients' targets (running
//! statistics of batch normalisation) is gathered in the [`Pass`] and written back by the trainer
//! after the step; a momentum teacher is a copy of some weights under another name; to freeze a
//! network is to evaluate it in [`Mode::Eval`].

mod batch_norm;
pub mod blocks;
pub mod cross_entropy;
pub mod files;
mod kernels;
pub mod layers;
pub mod maps;
pub(crate) mod tied;
pub mod tokens;
pub mod update;
pub mod weights;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::device::Device;
use burn_tensor::Tensor;

use rand_xoshiro::Xoshiro256PlusPlus;
use weights::rng_for;
pub use weights::{Weight, Weights};

/// What a pass through a network is for.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Mode, Pass, Weights, layers::linear};
///
/// let device = Device::cpu();
/// let x = || Tensor::<2>::ones([4, 8], &device);
/// // The same function makes its weights, and applies them.
/// let none = Weights::default();
/// let making = Pass::new(&none, Mode::Init(0), &device);
/// linear(&making.at("head"), x(), 3, true);
/// let weights = making.into_fresh();
/// assert_eq!(weights.get("head.weight").map(|w| &w.shape[..]), Some(&[3, 8][..]));
/// let pass = Pass::new(&weights, Mode::Eval, &device);
/// assert_eq!(linear(&pass.at("head"), x(), 3, true).dims(), [4, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Make the weights that are missing, from this seed. Each weight's values depend on the seed
    /// and its own name alone, not on the order of creation.
    Init(u64),
    /// Batch statistics are used, and the running ones gathered.
    Train,
    /// Running statistics are used; nothing changes.
    Eval,
}

/// Starting values of a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal with standard deviation `sqrt(2 / fan_out)` (He et al. 2015), torchvision's choice
    /// for convolutions.
    KaimingFanOut,
    /// Uniform in `±1/sqrt(fan_in)`: PyTorch's default for linear layers, weight and bias.
    /// The number is the fan-in.
    UniformFanIn(usize),
    /// Uniform in `±sqrt(6 / (in + out))` (Glorot & Bengio 2010): the Vision Transformer's choice for
    /// linear layers.
    XavierUniform,
    /// Normal with this standard deviation.
    Normal(f32),
    /// The same number everywhere.
    Constant(f32),
}

/// One run of the networks over the same weights.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Mode, Pass, Weights, layers::linear};
///
/// let (device, none) = (Device::cpu(), Weights::default());
/// let pass = Pass::new(&none, Mode::Init(0), &device).with_seed(7).with_progress(0.5);
/// linear(&pass.at("head"), Tensor::ones([4, 8], &device), 3, false);
/// assert_eq!(pass.multiply_adds(), 4 * 8 * 3);
/// assert_eq!(pass.progress(), 0.5);
/// assert_eq!(pass.into_fresh().trained_values(), 8 * 3);
/// ```
pub struct Pass<'a> {
    weights: &'a Weights,
    mode: Mode,
    device: Device,
    fresh: RefCell<Weights>,
    statistics: RefCell<BTreeMap<String, Tensor<1>>>,
    seed: u64,
    progress: f64,
    constants: RefCell<Vec<Tensor<2>>>,
    /// What takes the place of the constants, the next one last.
    given: RefCell<Vec<Tensor<2>>>,
    multiply_adds: Cell<usize>,
}

impl<'a> Pass<'a> {
    /// A pass over `weights`.
    pub fn new(weights: &'a Weights, mode: Mode, device: &Device) -> Self {
        Pass {
            weights,
            mode,
            device: device.clone(),
            fresh: RefCell::default(),
            statistics: RefCell::default(),
            seed: 0,
            progress: 0.0,
            constants: RefCell::default(),
            given: RefCell::default(),
            multiply_adds: Cell::default(),
        }
    }

    /// The place `path` in the tree of weights.
    pub fn at(&self, path: &str) -> Scope<'_> {
        Scope {
            pass: self,
            path: path.to_owned(),
            frozen: false,
            freeze_running_stats: false,
        }
    }

    /// The device that inputs must be on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Multiply-adds of the products so far (convolutions, linear layers), for speed reports.
    pub fn multiply_adds(&self) -> usize {
        self.multiply_adds.get()
    }

    /// What the pass is for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The weights it is over.
    pub fn weights(&self) -> &Weights {
        self.weights
    }

    /// The same with another seed of what is random in it; without, it is 0.
    pub fn with_seed(self, seed: u64) -> Self {
        Pass { seed, ..self }
    }

    /// The same at `progress` in 0..=1 of a training; without, it is 0.
    pub fn with_progress(self, progress: f64) -> Self {
        Pass { progress, ..self }
    }

    /// How much of the training is done, 0..=1.
    pub fn progress(&self) -> f64 {
        self.progress
    }

    /// Random numbers for `what`.
    pub fn rng(&self, what: &str) -> Xoshiro256PlusPlus {
        rng_for(what, self.seed)
    }

    /// The same with these [`Pass::constant`]s instead of its own: so a loss can be compared with its
    /// gradient, through which constants do not move.
    pub fn with_constants(self, mut given: Vec<Tensor<2>>) -> Self {
        given.reverse();
        Pass {
            given: RefCell::new(given),
            ..self
        }
    }

    /// A target that was computed from what is trained, but that no gradient flows through.
    pub fn constant(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.given.borrow_mut().pop().unwrap_or_else(|| x.detach());
        self.constants.borrow_mut().push(x.clone());
        x
    }

    /// The [`Pass::constant`]s so far.
    pub fn constants(&self) -> Vec<Tensor<2>> {
        self.constants.borrow().clone()
    }

    /// Weights made in [`Mode::Init`].
    pub fn into_fresh(self) -> Weights {
        self.fresh.into_inner()
    }

    /// New values of running statistics gathered in [`Mode::Train`], by full name.
    pub fn into_statistics(self) -> BTreeMap<String, Tensor<1>> {
        self.statistics.into_inner()
    }
}

/// A place in the tree of weights, such as `encoder.layer1.0`.
///
/// ```
/// use hspace::device::Device;
/// use hspace::nn::{Init, Mode, Pass, Weights};
///
/// let none = Weights::default();
/// let pass = Pass::new(&none, Mode::Init(0), &Device::cpu());
/// let scope = pass.at("encoder").at("conv1");
/// let kernel = scope.weight("weight", [8, 3, 3, 3], Init::KaimingFanOut);
/// scope.buffer("steps", 1, Init::Constant(0.0));
/// assert_eq!(kernel.dims(), [8, 3, 3, 3]);
/// let made = pass.into_fresh();
/// let names: Vec<&str> = made.iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["encoder.conv1.steps", "encoder.conv1.weight"]);
/// // Gradients change the kernel alone.
/// assert_eq!(made.trained_values(), 8 * 3 * 3 * 3);
/// ```
#[derive(Clone)]
pub struct Scope<'a> {
    pass: &'a Pass<'a>,
    path: String,
    frozen: bool,
    freeze_running_stats: bool,
}

impl<'a> Scope<'a> {
    /// The place `name` under this one.
    pub fn at(&self, name: impl std::fmt::Display) -> Scope<'a> {
        Scope {
            pass: self.pass,
            path: format!("{}.{name}", self.path),
            frozen: self.frozen,
            freeze_running_stats: self.freeze_running_stats,
        }
    }

    /// The same place, whose weights get no gradients; those first asked for here are made as buffers.
    /// Evaluating through it costs no automatic differentiation of them (momentum teachers).
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// The same place, where batches leave running statistics as they are.
    pub fn freeze_running_stats(mut self) -> Self {
        self.freeze_running_stats = true;
        self
    }

    /// The device of the pass.
    pub fn device(&self) -> &'a Device {
        &self.pass.device
    }

    /// Whether batch statistics are to be used.
    pub fn training(&self) -> bool {
        self.pass.mode != Mode::Eval
    }

    /// A trained weight with `D` axes. Weight decay applies to those with two axes or more.
    ///
    /// # Panics
    /// If the weight is missing outside [`Mode::Init`] or has another shape. Weights that come
    /// from a file are checked by [`Weights::check_like`] before any pass.
    pub fn weight<const D: usize>(&self, name: &str, shape: [usize; D], init: Init) -> Tensor<D> {
        self.lookup(name, &shape, init, !self.frozen).reshape(shape)
    }

    /// The shape of the weight of that name, if there is one already.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let full = format!("{}.{name}", self.path);
        let fresh = self.pass.fresh.borrow();
        let weight = self.pass.weights.get(&full).or_else(|| fresh.get(&full));
        weight.map(|weight| weight.shape.clone())
    }

    /// A running statistic or a memory, `[dim]`: saved with the weights, changed only through
    /// [`Scope::update`]. A second batch in the same pass sees what the first one made of it.
    pub fn buffer(&self, name: &str, dim: usize, init: Init) -> Tensor<1> {
        let full = format!("{}.{name}", self.path);
        if let Some(newer) = self.pass.statistics.borrow().get(&full) {
            return newer.clone();
        }
        self.lookup(name, &[dim], init, false)
    }

    /// Counts the multiply-adds of a product.
    fn count(&self, multiply_adds: usize) {
        let counter = &self.pass.multiply_adds;
        counter.set(counter.get() + multiply_adds);
    }

    /// Notes the new value of a buffer for after the step.
    pub fn update(&self, name: &str, value: Tensor<1>) {
        if self.pass.mode == Mode::Train && !self.freeze_running_stats {
            let full = format!("{}.{name}", self.path);
            self.pass.statistics.borrow_mut().insert(full, value);
        }
    }

    fn lookup(&self, name: &str, shape: &[usize], init: Init, trained: bool) -> Tensor<1> {
        let full = format!("{}.{name}", self.path);
        if let Some(weight) = self.pass.weights.get(&full) {
            assert_eq!(weight.shape, shape, "shape of the weight `{full}`");
            let value = weight.value.clone();
            // Weights that nothing trains have none anyway.
            return match self.frozen && weight.trained {
                true => value.inner().autodiff(),
                false => value,
            };
        }
        let Mode::Init(seed) = self.pass.mode else {
            panic!("the weight `{full}` is missing");
        };
        let mut fresh = self.pass.fresh.borrow_mut();
        if let Some(weight) = fresh.get(&full) {
            return weight.value.clone();
        }
        let weight = Weight::init(&full, shape, init, trained, seed, &self.pass.device);
        let value = weight.value.clone();
        fresh.insert(full, weight);
        value
    }
}
