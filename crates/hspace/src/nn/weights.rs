//! Named weights: what a trained network *is*.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};
use rand_distr::{Distribution, Normal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::{Init, update};
use crate::device::Device;
use crate::error::{Error, Result};

/// One weight. Its values are kept flat: optimizers, teachers and files need no axes.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::Weight;
///
/// let weight = |shape: &[usize]| Weight {
///     value: Tensor::zeros([shape.iter().product::<usize>()], &Device::cpu()),
///     shape: shape.to_vec(),
///     trained: true,
/// };
/// assert!(weight(&[3, 8]).decays() && !weight(&[3]).decays());
/// ```
#[derive(Clone, Debug)]
pub struct Weight {
    /// `[product of shape]`, row-major.
    pub value: Tensor<1>,
    /// The axes, in PyTorch's order.
    pub shape: Vec<usize>,
    /// Whether gradients change it; running statistics and teachers are not trained.
    pub trained: bool,
}

impl Weight {
    /// A new weight whose values depend on `seed` and `name` alone.
    pub(super) fn init(
        name: &str,
        shape: &[usize],
        init: Init,
        trained: bool,
        seed: u64,
        device: &Device,
    ) -> Weight {
        let n: usize = shape.iter().product();
        let mut rng = rng_for(name, seed);
        let values: Vec<f32> = match init {
            Init::Constant(value) => vec![value; n],
            Init::KaimingFanOut => {
                let fan_out = shape[0] * shape[2..].iter().product::<usize>();
                normal(&mut rng, n, (2.0 / fan_out as f32).sqrt())
            }
            Init::Normal(spread) => normal(&mut rng, n, spread),
            Init::UniformFanIn(fan_in) => uniform(&mut rng, n, 1.0 / (fan_in as f32).sqrt()),
            Init::XavierUniform => {
                let both = shape[0] + shape[1..].iter().product::<usize>();
                uniform(&mut rng, n, (6.0 / both as f32).sqrt())
            }
        };
        Weight {
            value: vector(values, device),
            shape: shape.to_vec(),
            trained,
        }
    }

    /// `momentum · own + (1 − momentum) · source`; momentum 0 copies.
    fn follow(&mut self, source: Tensor<1>, momentum: f64) {
        self.value = if momentum == 0.0 {
            source
        } else {
            // The old values are nobody else's, so that they are changed in place.
            let before = std::mem::replace(&mut self.value, source.clone());
            update::follow(before, &source, momentum)
        };
    }

    /// Weight decay is for matrices and kernels, not for biases and normalisation
    /// (Goyal et al. 2017).
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// `n` numbers between `−bound` and `bound`.
fn uniform(rng: &mut Xoshiro256PlusPlus, n: usize, bound: f32) -> Vec<f32> {
    let uniform = Uniform::new_inclusive(-bound, bound).expect("an ordered range");
    (0..n).map(|_| uniform.sample(rng)).collect()
}

/// `n` numbers from a normal distribution.
fn normal(rng: &mut Xoshiro256PlusPlus, n: usize, spread: f32) -> Vec<f32> {
    let normal = Normal::new(0.0, spread).expect("a positive standard deviation");
    (0..n).map(|_| normal.sample(rng)).collect()
}

/// A generator that depends on a seed and a name.
pub(crate) fn rng_for(name: &str, seed: u64) -> Xoshiro256PlusPlus {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    Xoshiro256PlusPlus::from_seed(*hasher.finalize().as_bytes())
}

/// Host values as a tensor `[n]`.
pub(crate) fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// A tensor's values on the host.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data_as::<f32>()
        .as_slice::<f32>()
        .expect("converted to f32")
        .to_vec()
}

/// Weights by full name (`encoder.conv1.weight`), in alphabetical order. Cloning shares the
/// values.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Weight, Weights};
///
/// let device = Device::cpu();
/// let mut weights = Weights::default();
/// let value = Tensor::from_floats([1.0, 2.0], &device);
/// weights.insert("encoder.bias".into(), Weight { value, shape: vec![2], trained: true });
/// assert!(weights.under("encoder").get("bias").is_some());
///
/// // A momentum teacher: a copy that follows.
/// weights.extend(weights.clone().prefixed("teacher"));
/// weights.set("encoder.bias", Tensor::from_floats([3.0, 4.0], &device));
/// weights.follow("encoder", "teacher.encoder", 0.5);
/// let teacher = weights.get("teacher.encoder.bias").expect("a copy").value.clone();
/// assert_eq!(teacher.into_data().to_vec::<f32>().unwrap(), [2.0, 3.0]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Weights(BTreeMap<String, Weight>);

impl Weights {
    /// The weight of that name.
    pub fn get(&self, name: &str) -> Option<&Weight> {
        self.0.get(name)
    }

    /// Adds or replaces a weight.
    pub fn insert(&mut self, name: String, weight: Weight) {
        self.0.insert(name, weight);
    }

    /// Takes a weight out.
    pub fn remove(&mut self, name: &str) -> Option<Weight> {
        self.0.remove(name)
    }

    /// Replaces the values of a weight.
    ///
    /// # Panics
    /// If there is none of that name: that is a bug of the caller.
    pub fn set(&mut self, name: &str, value: Tensor<1>) {
        let weight = self.0.get_mut(name);
        weight.unwrap_or_else(|| panic!("no weight `{name}`")).value = value;
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Weights) {
        self.0.extend(other.0);
    }

    /// Names and weights, alphabetically.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Weight)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), weight))
    }

    /// Number of values that training changes.
    pub fn trained_values(&self) -> usize {
        let trained = self.0.values().filter(|w| w.trained);
        trained.map(|w| w.shape.iter().product::<usize>()).sum()
    }

    /// The weights under `prefix.`, with the prefix taken off.
    pub fn under(&self, prefix: &str) -> Weights {
        let dotted = format!("{prefix}.");
        let within = self.0.iter().filter_map(|(name, weight)| {
            let rest = name.strip_prefix(&dotted)?;
            Some((rest.to_owned(), weight.clone()))
        });
        Weights(within.collect())
    }

    /// The same weights under `prefix.`.
    pub fn prefixed(self, prefix: &str) -> Weights {
        let renamed = self.0.into_iter();
        Weights(renamed.map(|(n, w)| (format!("{prefix}.{n}"), w)).collect())
    }

    /// Lets the weights under `to` follow those under `from`:
    /// `to ← momentum · to + (1 − momentum) · from`. Momentum 0 copies. Running statistics are
    /// copied by momentum 0 alone: a teacher gathers its own.
    pub fn follow(&mut self, from: &str, to: &str, momentum: f64) {
        for (name, source) in self.under(from).0 {
            let target = format!("{to}.{name}");
            let Some(weight) = self.0.get_mut(&target) else {
                continue;
            };
            if !source.trained && momentum > 0.0 {
                continue;
            }
            weight.follow(source.value, momentum);
        }
    }

    /// Lets each weight under `place` follow the one of the same name without it, running statistics too:
    /// `place.name ← decay · place.name + (1 − decay) · name`.
    pub fn average(&mut self, place: &str, decay: f64) {
        let prefix = format!("{place}.");
        let copies = self.0.keys().filter(|name| name.starts_with(&prefix));
        let copies: Vec<String> = copies.cloned().collect();
        for copy in copies {
            let source = self.0.get(&copy[prefix.len()..]).map(|w| w.value.clone());
            if let (Some(source), Some(weight)) = (source, self.0.get_mut(&copy)) {
                weight.follow(source, decay);
            }
        }
    }

    /// A copy in which the trained weights that `select` names ask for gradients.
    pub fn tracked(&self, select: impl Fn(&str) -> bool) -> Weights {
        let copy = self.0.iter().map(|(name, weight)| {
            let mut weight = weight.clone();
            if weight.trained && select(name) {
                weight.value = weight.value.autodiff().require_grad();
            }
            (name.clone(), weight)
        });
        Weights(copy.collect())
    }

    /// Names and shapes.
    pub(crate) fn shapes(&self) -> Shapes<'_> {
        self.iter()
            .map(|(name, weight)| (name, &weight.shape[..]))
            .collect()
    }

    /// Checks that `self` has exactly the names and shapes of `expected`; `path` is where it came
    /// from.
    ///
    /// # Errors
    /// Counts the missing, extra and wrongly shaped tensors and names up to ten of each.
    pub fn check_like(&self, expected: &Weights, path: &std::path::Path) -> Result<()> {
        match mismatch(&self.shapes(), &expected.shapes()) {
            None => Ok(()),
            Some(problem) => Err(Error::file(
                path,
                format!("the weights do not fit the network:{problem}"),
            )),
        }
    }
}

/// Shapes of tensors by name.
pub(crate) type Shapes<'a> = BTreeMap<&'a str, &'a [usize]>;

/// Names that a message lists of each kind.
const LISTED: usize = 10;

/// The first ten, with commas, and how many more there are.
pub(crate) fn listed(mut items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(LISTED);
    let mut text: Vec<String> = items.by_ref().take(LISTED).collect();
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join(", ")
}

/// How tensors differ from those that a network needs, a line for each kind of difference; `None` if they do not.
pub(crate) fn mismatch(found: &Shapes, needed: &Shapes) -> Option<String> {
    let (mut missing, mut reshaped) = (Vec::new(), Vec::new());
    for (name, shape) in needed {
        match found.get(name) {
            None => missing.push(format!("{name} {shape:?}")),
            Some(own) if own != shape => {
                reshaped.push(format!("{name} is {own:?}, the network needs {shape:?}"));
            }
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|name| !needed.contains_key(*name));
    let extra: Vec<String> = extra.map(|name| (*name).to_owned()).collect();
    let kinds = [
        ("missing", missing),
        ("of another shape", reshaped),
        ("not part of the network", extra),
    ];
    let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    let lines: String = kinds
        .map(|(kind, names)| format!("\n  {} {kind}: {}", names.len(), listed(names.into_iter())))
        .collect();
    (!lines.is_empty()).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(values: &[f32], device: &Device) -> Weight {
        Weight {
            value: vector(values.to_vec(), device),
            shape: vec![values.len()],
            trained: true,
        }
    }

    #[test]
    fn a_follower_moves_towards_what_it_follows() {
        let device = Device::cpu();
        let mut weights = Weights::default();
        weights.insert("encoder.w".into(), weight(&[1.0, 2.0], &device));
        weights.insert("teacher.w".into(), weight(&[0.0, 0.0], &device));
        weights.follow("encoder", "teacher", 0.75);
        let moved = values(weights.get("teacher.w").unwrap().value.clone());
        assert_eq!(moved, [0.25, 0.5]);
        weights.follow("encoder", "teacher", 0.0);
        let copied = values(weights.get("teacher.w").unwrap().value.clone());
        assert_eq!(copied, [1.0, 2.0]);
    }

    #[test]
    fn misfits_are_listed_by_kind() {
        let device = Device::cpu();
        let (mut have, mut need) = (Weights::default(), Weights::default());
        have.insert("a".into(), weight(&[1.0], &device));
        have.insert("extra".into(), weight(&[1.0], &device));
        need.insert("a".into(), weight(&[1.0, 2.0], &device));
        need.insert("b".into(), weight(&[1.0], &device));
        let path = std::path::Path::new("w.safetensors");
        let text = have.check_like(&need, path).unwrap_err().to_string();
        let lines = "\n  1 missing: b [1]\n  1 of another shape: a is [1], the network needs [2]\n  1 not part of the \
                     network: extra";
        assert_eq!(
            text,
            format!("w.safetensors: the weights do not fit the network:{lines}")
        );
        assert!(need.check_like(&need, path).is_ok());
    }

    #[test]
    fn a_message_about_many_misfits_names_ten_and_counts_them_all() {
        let shape = &[2, 3][..];
        let names: Vec<String> = (0..25).map(|i| format!("w{i:02}")).collect();
        let needed: Shapes = names.iter().map(|name| (&name[..], shape)).collect();
        let text = mismatch(&Shapes::new(), &needed).unwrap();
        assert!(
            text.starts_with("\n  25 missing: w00 [2, 3], w01 [2, 3]"),
            "{text}"
        );
        assert!(text.ends_with("w09 [2, 3], and 15 more"), "{text}");
        let text = mismatch(&needed, &Shapes::new()).unwrap();
        assert!(text.ends_with("25 not part of the network: w00, w01, w02, w03, w04, w05, w06, w07, w08, w09, and 15 more"), "{text}");
    }
}
