//! The encoder and the weights of one pass, as an objective sees them.

use burn_tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::device::Device;
use crate::encoder::latent::coordinates;
use crate::encoder::{Encoder, Features, Patches, Perceptron};
use crate::nn::{Pass, Scope, Weight};
use crate::optim::Gradients;

/// The encoder and the weights of one pass.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder;
/// use hspace::nn::{Mode, Pass};
/// use hspace::objective::Net;
///
/// let device = Device::cpu();
/// let mlp = encoder::make("mlp", Default::default())?;
/// let (weights, d) = encoder::init(&*mlp, Shape::Vector { dim: 4 }, 0, &device);
/// let weights = weights.prefixed("encoder").tracked(|_| true);
/// let pass = Pass::new(&weights, Mode::Train, &device);
/// let net = Net::new(&*mlp, &pass);
/// let features = net.encode(Tensor::ones([8, 4, 1, 1], &device));
/// assert_eq!(features.dims(), [8, d]);
/// // Gradients of any number that was computed from them.
/// let gradients = net.gradients(&features.powi_scalar(2).mean());
/// assert!(gradients.keys().all(|name| name.starts_with("encoder.")));
/// # Ok::<(), String>(())
/// ```
pub struct Net<'a> {
    encoder: &'a dyn Encoder,
    pass: &'a Pass<'a>,
}

impl<'a> Net<'a> {
    /// The encoder, with the weights of `pass`.
    pub fn new(encoder: &'a dyn Encoder, pass: &'a Pass<'a>) -> Self {
        Net { encoder, pass }
    }

    /// The place of a head, such as `projector`.
    pub fn at(&self, name: &str) -> Scope<'_> {
        self.pass.at(name)
    }

    /// The device that tensors must be on.
    pub fn device(&self) -> &Device {
        self.pass.device()
    }

    /// Features `[n, d]` of samples `[n, c, h, w]`.
    pub fn encode(&self, x: Tensor<4>) -> Tensor<2> {
        self.encoder.features(&self.pass.at("encoder"), x)
    }

    /// The same, without moving running statistics.
    pub fn encode_without_bn_update(&self, x: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("encoder").freeze_running_stats();
        self.encoder.features(&scope, x)
    }

    /// Lets samples move the running statistics, and nothing else.
    pub fn gather_statistics(&self, x: Tensor<4>) {
        let scope = self.pass.at("encoder").frozen();
        self.encoder.features(&scope, x);
    }

    /// Features of samples, with gradients of the samples alone, none of the weights.
    pub fn encode_frozen(&self, x: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("encoder").freeze_running_stats().frozen();
        self.encoder.features(&scope, x)
    }

    /// Features of the encoder before its latent coordinates, if it has those.
    pub fn trunk(&self, x: Tensor<4>) -> Tensor<2> {
        let trunk = self.encoder.trunk().unwrap_or(self.encoder);
        trunk.features(&self.pass.at("encoder"), x)
    }

    /// The same, without moving running statistics.
    pub fn trunk_without_bn_update(&self, x: Tensor<4>) -> Tensor<2> {
        let trunk = self.encoder.trunk().unwrap_or(self.encoder);
        trunk.features(&self.pass.at("encoder").freeze_running_stats(), x)
    }

    /// Coordinates `[n, dims]` of features that [`Net::trunk`] gave.
    pub fn coordinates(&self, features: Tensor<2>, dims: usize) -> Tensor<2> {
        coordinates(&self.pass.at("encoder"), features, dims)
    }

    /// Draws from the standard normal distribution for `what`, `[rows, columns]`: as [`Net::rng`].
    pub fn normal(&self, what: &str, [rows, columns]: [usize; 2]) -> Tensor<2> {
        let mut rng = self.rng(what);
        let draw = |_| StandardNormal.sample(&mut rng);
        let drawn: Vec<f32> = (0..rows * columns).map(draw).collect();
        Tensor::from_data(TensorData::new(drawn, [rows, columns]), self.device())
    }

    /// Ones and zeros for `what`, each a one with the probability `share`: `[rows, columns]`.
    pub fn kept(&self, what: &str, [rows, columns]: [usize; 2], share: f64) -> Tensor<2> {
        let mut rng = self.rng(what);
        let draw = |_| f32::from(u8::from(rng.random_bool(share)));
        let drawn: Vec<f32> = (0..rows * columns).map(draw).collect();
        Tensor::from_data(TensorData::new(drawn, [rows, columns]), self.device())
    }

    /// Ones and zeros for `what`, each a one with its own probability: of `[n, d]` the same.
    pub fn bernoulli(&self, what: &str, probabilities: &Tensor<2>) -> Tensor<2> {
        let mut rng = self.rng(what);
        let all = crate::nn::weights::values(probabilities.clone().inner());
        let draw = |p: f32| f32::from(u8::from(rng.random::<f32>() < p));
        let drawn: Vec<f32> = all.into_iter().map(draw).collect();
        Tensor::from_data(TensorData::new(drawn, probabilities.dims()), self.device())
    }

    /// Features of several views, each its own batch for batch normalisation.
    pub fn encode_views(&self, views: &[Tensor<4>]) -> Vec<Tensor<2>> {
        views.iter().map(|x| self.encode(x.clone())).collect()
    }

    /// Features of several views; neighbours of the same size go through the encoder as one batch
    /// (multi-crop).
    pub fn encode_by_size(&self, views: &[Tensor<4>]) -> Vec<Tensor<2>> {
        let mut features = Vec::with_capacity(views.len());
        for same in views.chunk_by(|a, b| a.dims() == b.dims()) {
            let n = same[0].dims()[0];
            let all = self.encode(Tensor::cat(same.to_vec(), 0));
            features.extend((0..same.len()).map(|view| all.clone().narrow(0, view * n, n)));
        }
        features
    }

    /// What the encoder's stages in `stages` make of vectors `[n, d]` that the stage before gave, or of samples where that is stage 0.
    pub fn encode_stages(&self, x: Tensor<2>, stages: std::ops::Range<usize>) -> Tensor<2> {
        let x = Features::Vector(x);
        let scope = self.pass.at("encoder");
        self.encoder.forward(&scope, x, stages).pooled()
    }

    /// Features of several batches, which go through the encoder as one.
    pub fn encode_together(&self, parts: &[Tensor<4>]) -> Vec<Tensor<2>> {
        let all = self.encode(Tensor::cat(parts.to_vec(), 0));
        let mut at = 0;
        let part = |x: &Tensor<4>| {
            let n = x.dims()[0];
            at += n;
            all.clone().narrow(0, at - n, n)
        };
        parts.iter().map(part).collect()
    }

    /// The encoder's layers.
    ///
    /// # Panics
    /// If it is no perceptron ([`Encoder::perceptron`]).
    pub fn perceptron(&self) -> Perceptron {
        let layers = self.encoder.perceptron();
        layers.expect("the objective asked for a perceptron")
    }

    /// The patches of images `[n, c, h, w]` as the encoder cuts them, `[n, t, c · p · p]`.
    ///
    /// # Panics
    /// If the encoder has none ([`Encoder::patches`]).
    pub fn patches(&self, x: &Tensor<4>) -> Tensor<3> {
        self.patched().cut(x.clone())
    }

    /// Tokens `[n, seen, d]` of the patches `visible [n, seen]` of each image, computed without the
    /// others, a class token, if there is one, before them.
    ///
    /// # Panics
    /// If the encoder has none ([`Encoder::patches`]).
    pub fn encode_patches(&self, x: Tensor<4>, visible: Vec<u32>) -> Tensor<3> {
        let scope = self.pass.at("encoder");
        self.patched().tokens(&scope, x, Some(&visible))
    }

    fn patched(&self) -> &dyn Patches {
        let patches = self.encoder.patches();
        patches.expect("the objective asked for an encoder of patches")
    }

    /// Random numbers for `what`, a function of the run's seed and the step.
    pub fn rng(&self, what: &str) -> Xoshiro256PlusPlus {
        self.pass.rng(what)
    }

    /// How much of the training is done, 0..=1.
    pub fn progress(&self) -> f64 {
        self.pass.progress()
    }

    /// A target that no gradient flows through ([`Pass::constant`]).
    pub fn constant(&self, x: Tensor<2>) -> Tensor<2> {
        self.pass.constant(x)
    }

    /// Features by the momentum teacher's copy of the encoder: no gradients, no cost of them.
    pub fn encode_by_teacher(&self, x: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("teacher.encoder").frozen();
        self.encoder.features(&scope, x)
    }

    /// Half the squared distance, `[1]`, of the weights under `part` from their copies under `copies`.
    pub fn distance_from(&self, part: &str, copies: &str) -> Tensor<1> {
        let weights = self.pass.weights();
        let mut sum = Tensor::zeros([1], self.device());
        for (name, weight) in weights.iter().filter(|(_, weight)| weight.trained) {
            let inner = name
                .strip_prefix(part)
                .and_then(|rest| rest.strip_prefix('.'));
            let copy = inner.and_then(|inner| weights.get(&format!("{copies}.{inner}")));
            if let Some(copy) = copy {
                let difference = weight.value.clone() - copy.value.clone();
                sum = sum + difference.powi_scalar(2).sum() * 0.5;
            }
        }
        sum
    }

    /// Gradients of `loss` by the names of the tracked weights.
    pub fn gradients(&self, loss: &Tensor<1>) -> Gradients {
        let mut found = loss.backward();
        let weights = self.pass.weights().iter();
        let gradient = |(name, weight): (&str, &Weight)| {
            Some((name.to_owned(), weight.value.grad_remove(&mut found)?))
        };
        weights.filter_map(gradient).collect()
    }
}
