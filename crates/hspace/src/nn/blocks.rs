//! Convolution (or a linear layer), batch normalisation, activation and residual addition. They meet here
//! and nowhere else: on the CPU in our kernels, a chain of blocks being one operation in training, elsewhere
//! as a composition of burn's.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use burn_tensor::module::conv2d;
use burn_tensor::ops::ConvOptions;
use hspace_kernels::Machine;

use super::batch_norm::{Affine, EPSILON, batch_norm};
use super::kernels::{self, BlockWeights};
use super::layers;
use super::maps::Maps;
use super::weights::{values, vector};
use super::{Init, Scope};

/// Linear layer without bias, batch normalisation, ReLU: `[n, in]` to `[n, out]`. `linear` and
/// `norm` are where the two layers keep their weights.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::embed::to_matrix;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::blocks::dense_block;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let x = Tensor::ones([4, 8], &device);
/// let y = to_matrix(dense_block(&pass.at("fc1"), &pass.at("bn1"), x, 16));
/// assert!((y.rows, y.cols) == (4, 16) && y.data.iter().all(|&y| y >= 0.0));
/// ```
pub fn dense_block(linear: &Scope, norm: &Scope, x: Tensor<2>, out: usize) -> Tensor<2> {
    let Some(on) = linear.device().kernels() else {
        return relu(batch_norm(norm, layers::linear(linear, x, out, false)));
    };
    // One position of a convolution.
    let [n, dim] = x.dims();
    linear.count(n * dim * out);
    let weight = linear.weight("weight", [out, dim], Init::UniformFanIn(dim));
    let weight = weight.reshape([out, dim, 1, 1]);
    let block = Conv {
        out,
        kernel: 1,
        stride: 1,
        groups: 1,
        relu: true,
    };
    let x = Maps::last(on, x.reshape([n, 1, 1, dim]));
    let y = if norm.training() {
        let unit = Unit {
            conv: linear.clone(),
            norm: norm.clone(),
            block,
        };
        trained(on, vec![Residual::plain((unit, weight))], x)
    } else {
        evaluated(on, norm, x, weight, block, None)
    };
    y.into_numbers().reshape([n, out])
}

/// What a [`conv_block`] does.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Kernel size; the padding keeps the size at stride 1.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Groups of channels, each output of which sees the inputs of the same group alone; 1 for one.
    /// Computed as one convolution of all channels whose other weights are 0. They must divide both
    /// numbers of channels.
    pub groups: usize,
    /// Whether a ReLU ends the block.
    pub relu: bool,
}

/// Convolution without bias, batch normalisation, optional ReLU: `[n, c, h, w]` to
/// `[n, out, ⌈h/stride⌉, ⌈w/stride⌉]`. `conv` and `norm` are where the two layers keep their weights.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::{blocks::{Conv, conv_block}, maps::Maps};
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let scope = pass.at("");
/// let maps = Maps::from_images(&scope, Tensor::ones([2, 3, 9, 9], &device));
/// let block = Conv { out: 8, kernel: 3, stride: 2, groups: 1, relu: true };
/// assert_eq!(conv_block(&pass.at("conv1"), &pass.at("bn1"), maps, block).dims(), [2, 8, 5, 5]);
/// ```
pub fn conv_block(conv: &Scope, norm: &Scope, x: Maps, block: Conv) -> Maps {
    let unit = Unit {
        conv: conv.clone(),
        norm: norm.clone(),
        block,
    };
    residual_blocks(vec![Residual::plain(unit)], x)
}

/// One convolution of [`residual_blocks`] and its normalisation: where they keep their weights, and
/// what they do.
pub struct Unit<'a> {
    /// The convolution's place.
    pub conv: Scope<'a>,
    /// The normalisation's place.
    pub norm: Scope<'a>,
    /// What they do.
    pub block: Conv,
}

/// One or more [`conv_block`]s, each the next one's input, with a shortcut around them: a residual
/// block (He et al. 2016).
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::blocks::{Conv, Residual, Shortcut, Unit, residual_blocks};
/// use hspace::nn::maps::Maps;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// // The basic block of ResNet-18.
/// let unit = |conv: &str, norm: &str| Unit {
///     conv: pass.at(conv),
///     norm: pass.at(norm),
///     block: Conv { out: 8, kernel: 3, stride: 1, groups: 1, relu: true },
/// };
/// let branch = vec![unit("conv1", "bn1"), unit("conv2", "bn2")];
/// let block = Residual { branch, shortcut: Shortcut::Input };
/// let maps = Maps::from_images(&pass.at(""), Tensor::ones([2, 8, 6, 6], &device));
/// assert_eq!(residual_blocks(vec![block], maps).dims(), [2, 8, 6, 6]);
/// ```
pub struct Residual<U> {
    /// The convolutions: at least one, and on the CPU at most 24 with the shortcut's.
    pub branch: Vec<U>,
    /// What goes around them.
    pub shortcut: Shortcut<U>,
}

/// What is added after the last normalisation of a [`Residual`].
pub enum Shortcut<U> {
    /// Nothing.
    Nothing,
    /// What the first convolution sees, which must not be the last one too.
    Input,
    /// That, through a convolution and normalisation of its own (without ReLU).
    Project(U),
}

impl<U> Residual<U> {
    /// One convolution and nothing around it.
    pub fn plain(unit: U) -> Residual<U> {
        Residual {
            branch: vec![unit],
            shortcut: Shortcut::Nothing,
        }
    }

    /// The convolutions, the shortcut's last.
    pub(super) fn units(&self) -> impl Iterator<Item = &U> {
        let shortcut = match &self.shortcut {
            Shortcut::Project(unit) => Some(unit),
            Shortcut::Nothing | Shortcut::Input => None,
        };
        self.branch.iter().chain(shortcut)
    }

    /// Another of each, in the order of [`Self::units`].
    fn map<V>(self, mut f: impl FnMut(U) -> V) -> Residual<V> {
        Residual {
            branch: self.branch.into_iter().map(&mut f).collect(),
            shortcut: match self.shortcut {
                Shortcut::Nothing => Shortcut::Nothing,
                Shortcut::Input => Shortcut::Input,
                Shortcut::Project(unit) => Shortcut::Project(f(unit)),
            },
        }
    }
}

/// [`Residual`] blocks, each the next one's input.
///
/// ```
/// # use burn_tensor::Tensor;
/// # use hspace::device::Device;
/// # use hspace::nn::{Mode, Pass, Weights};
/// use hspace::nn::blocks::{Conv, Residual, Unit, residual_blocks};
/// use hspace::nn::maps::Maps;
///
/// # let (device, none) = (Device::cpu(), Weights::default());
/// # let pass = Pass::new(&none, Mode::Init(0), &device);
/// let unit = |out: usize| Unit {
///     conv: pass.at(&format!("conv{out}")),
///     norm: pass.at(&format!("bn{out}")),
///     block: Conv { out, kernel: 3, stride: 2, groups: 1, relu: true },
/// };
/// // Two convolutions without shortcuts, one operation on the CPU.
/// let chain = [8, 16].map(|out| Residual::plain(unit(out)));
/// let maps = Maps::from_images(&pass.at(""), Tensor::ones([2, 3, 8, 8], &device));
/// assert_eq!(residual_blocks(chain.into(), maps).dims(), [2, 16, 2, 2]);
/// ```
pub fn residual_blocks(chain: Vec<Residual<Unit>>, x: Maps) -> Maps {
    let first = chain.first().and_then(|residual| residual.branch.first());
    let first = first.expect("at least one convolution");
    let (training, kernels) = (first.norm.training(), first.conv.device().kernels());
    if let Some(on) = kernels.filter(|_| training) {
        let chain = weighed(chain, x.dims());
        return trained(on, chain, x);
    }
    let one = |unit: Unit, x: Maps, residual| {
        let weight = unit.weight(&mut x.dims());
        match kernels {
            Some(on) => evaluated(on, &unit.norm, x, weight, unit.block, residual),
            None => composed(&unit.norm, x, weight, unit.block, residual),
        }
    };
    chain
        .into_iter()
        .fold(x, |x, Residual { branch, shortcut }| {
            let mut around = match shortcut {
                Shortcut::Nothing => None,
                Shortcut::Input => Some(x.clone()),
                Shortcut::Project(unit) => Some(one(unit, x.clone(), None)),
            };
            let last = branch.len() - 1;
            branch.into_iter().enumerate().fold(x, |y, (i, unit)| {
                let residual = if i == last { around.take() } else { None };
                one(unit, y, residual)
            })
        })
}

/// The blocks with their convolutions' weights, for maps of `size`.
fn weighed<'a>(
    chain: Vec<Residual<Unit<'a>>>,
    mut size: [usize; 4],
) -> Vec<Residual<(Unit<'a>, Tensor<4>)>> {
    fn with<'a>(unit: Unit<'a>, dims: &mut [usize; 4]) -> (Unit<'a>, Tensor<4>) {
        let weight = unit.weight(dims);
        (unit, weight)
    }
    let one = |Residual { branch, shortcut }: Residual<Unit<'a>>| {
        let mut around = size;
        Residual {
            branch: branch
                .into_iter()
                .map(|unit| with(unit, &mut size))
                .collect(),
            shortcut: match shortcut {
                Shortcut::Nothing => Shortcut::Nothing,
                Shortcut::Input => Shortcut::Input,
                Shortcut::Project(unit) => Shortcut::Project(with(unit, &mut around)),
            },
        }
    };
    chain.into_iter().map(one).collect()
}

impl Unit<'_> {
    /// The convolution's weights for maps of `dims`, which become those of its output.
    fn weight(&self, dims: &mut [usize; 4]) -> Tensor<4> {
        let [n, channels, h, w] = *dims;
        let Conv {
            out,
            kernel,
            stride,
            groups,
            ..
        } = self.block;
        *dims = [n, out, h.div_ceil(stride), w.div_ceil(stride)];
        assert!(
            channels.is_multiple_of(groups) && out.is_multiple_of(groups),
            "{channels} and {out} channels in {groups} groups"
        );
        let dense = [out, channels, kernel, kernel];
        let seen = channels / groups;
        self.conv
            .count(n * dims[2] * dims[3] * dense.iter().product::<usize>());
        let shape = [out, seen, kernel, kernel];
        let weight = self.conv.weight("weight", shape, Init::KaimingFanOut);
        if groups == 1 {
            return weight;
        }
        let same = |i: usize| i / channels * groups / out == i % channels / seen;
        let same = (0..out * channels).map(|i| f32::from(same(i))).collect();
        let same = vector(same, self.conv.device()).reshape([out, channels, 1, 1]);
        weight.repeat_dim(1, groups) * same
    }
}

/// The blocks as operations of our kernels, with the batch's statistics.
fn trained<'a>(on: Machine, chain: Vec<Residual<(Unit<'a>, Tensor<4>)>>, x: Maps) -> Maps {
    let mut norms = Vec::new();
    let mut part = |(unit, weight): (Unit<'a>, Tensor<4>)| {
        let affine = Affine::new(&unit.norm, unit.block.out);
        let part = kernels::Unit {
            weights: BlockWeights {
                weight,
                gain: affine.gain.clone(),
                bias: affine.bias.clone(),
            },
            stride: unit.block.stride,
            relu: unit.block.relu,
        };
        norms.push((unit.norm, affine));
        part
    };
    let chain = chain.into_iter().map(|residual| residual.map(&mut part));
    let chain: Vec<_> = chain.collect();
    let (out, statistics) = kernels::training_chain(on, x.into_numbers(), &chain, EPSILON);
    for ((norm, affine), batch) in norms.into_iter().zip(statistics) {
        let unbiased = batch.count as f64 / (batch.count as f64 - 1.0).max(1.0);
        let device = norm.device();
        let mean = vector(batch.mean, device);
        let variance = vector(batch.variance, device) * unbiased;
        affine.follow(&norm, mean, variance);
    }
    Maps::last(on, out)
}

/// A block as one operation of our kernels, with running statistics.
fn evaluated(
    on: Machine,
    norm: &Scope,
    x: Maps,
    weight: Tensor<4>,
    block: Conv,
    residual: Option<Maps>,
) -> Maps {
    let affine = Affine::new(norm, block.out);
    let (x, residual) = (x.into_numbers(), residual.map(Maps::into_numbers));
    let (scale, shift) = affine.line();
    // The shift is made of the scale too.
    let tracked = x.is_autodiff()
        || weight.is_autodiff()
        || residual.as_ref().is_some_and(Tensor::is_autodiff)
        || shift.is_autodiff();
    if !tracked {
        let line = (&values(scale)[..], &values(shift)[..]);
        let out = kernels::inference_block(on, x, weight, line, block.stride, residual, block.relu);
        return Maps::last(on, out);
    }
    let channels = [1, 1, 1, block.out];
    let y = kernels::convolve(on, x, weight, block.stride);
    let y = y * scale.reshape(channels) + shift.reshape(channels);
    Maps::last(on, ended(y, residual, block.relu))
}

/// A block as a composition of burn's operations.
fn composed(norm: &Scope, x: Maps, weight: Tensor<4>, block: Conv, residual: Option<Maps>) -> Maps {
    let options = ConvOptions::new([block.stride; 2], [block.kernel / 2; 2], [1, 1], 1);
    let y = conv2d(x.into_images(), weight, None, options);
    let y = batch_norm(norm, y);
    Maps::first(ended(y, residual.map(Maps::into_images), block.relu))
}

/// What follows the normalisation in a block.
fn ended(y: Tensor<4>, residual: Option<Tensor<4>>, with_relu: bool) -> Tensor<4> {
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    if with_relu { relu(y) } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::noise;
    use crate::nn::{Mode, Pass, Weights};

    /// Features, gradients by weight and input, and running statistics of a block.
    fn run(on: Option<Machine>, mode: Mode, block: Conv, x: &Tensor<4>) -> Vec<(String, Vec<f32>)> {
        let device = Device::cpu_with(on);
        let none = Weights::default();
        let features = |pass: &Pass, x: &Tensor<4>| {
            let scope = pass.at("encoder");
            let unit = |name: &str, norm: &str, block| Unit {
                conv: scope.at(name),
                norm: scope.at(norm),
                block,
            };
            let x = Maps::from_images(&scope, x.clone());
            let skip = Conv {
                kernel: 1,
                relu: false,
                ..block
            };
            let project = Residual {
                branch: vec![unit("conv", "bn", block)],
                shortcut: Shortcut::Project(unit("skip", "skip_bn", skip)),
            };
            let last = Conv { stride: 1, ..block };
            let two = ["2", "3"].map(|i| unit(&format!("conv{i}"), &format!("bn{i}"), last));
            let identity = Residual {
                branch: two.into(),
                shortcut: Shortcut::Input,
            };
            let plain = Residual::plain(unit("conv4", "bn4", last));
            let y = residual_blocks(vec![project, identity, plain], x);
            conv_block(&scope.at("conv5"), &scope.at("bn5"), y, last).into_images()
        };
        let init = Pass::new(&none, Mode::Init(7), &device);
        features(&init, x);
        let weights = init.into_fresh().tracked(|_| true);
        let pass = Pass::new(&weights, mode, &device);
        let x = x.clone().autodiff().require_grad();
        let y = features(&pass, &x);
        let mut found = vec![("output".to_owned(), values(y.clone().inner()))];
        // Some gradient that differs from place to place.
        let mut gradients = (y.clone() * y).sum().backward();
        found.push((
            "input".into(),
            values(x.grad_remove(&mut gradients).unwrap()),
        ));
        for (name, weight) in weights.iter() {
            if let Some(gradient) = weight.value.grad_remove(&mut gradients) {
                found.push((name.to_owned(), values(gradient)));
            }
        }
        let statistics = pass.into_statistics();
        found.extend(
            statistics
                .into_iter()
                .map(|(name, value)| (name, values(value))),
        );
        found
    }

    #[test]
    fn our_blocks_agree_with_burns() {
        for (inputs, out, kernel, stride) in
            [(3, 8, 3, 1), (16, 20, 3, 1), (16, 32, 3, 2), (5, 16, 5, 2)]
        {
            let x = noise([4, inputs, 9, 10], 0.1);
            let block = Conv {
                out,
                kernel,
                stride,
                groups: 1,
                relu: true,
            };
            for mode in [Mode::Train, Mode::Eval] {
                let expected = run(None, mode, block, &x);
                for on in [Machine::best(), Machine::best().direct()] {
                    let found = run(Some(on), mode, block, &x);
                    assert_eq!(found.len(), expected.len());
                    for ((name, found), (same, expected)) in found.iter().zip(&expected) {
                        assert_eq!(name, same);
                        let size = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                        for (a, b) in found.iter().zip(expected) {
                            let off = (a - b).abs();
                            assert!(
                                off <= 2e-4 * size.max(1e-3),
                                "{mode:?} {name}: {a} is not {b}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn inference_agrees_with_burns() {
        let x = noise([3, 16, 7, 7], 0.1);
        let evaluated = |on: Option<Machine>| {
            let device = Device::cpu_with(on);
            let block = Conv {
                out: 16,
                kernel: 3,
                stride: 1,
                groups: 1,
                relu: true,
            };
            let features = |pass: &Pass| {
                let scope = pass.at("encoder");
                let x = Maps::from_images(&scope, x.clone());
                let units = ["first", "second"].map(|name| Unit {
                    conv: scope.at(name).at("conv"),
                    norm: scope.at(name).at("bn"),
                    block,
                });
                let block = Residual {
                    branch: units.into(),
                    shortcut: Shortcut::Input,
                };
                residual_blocks(vec![block], x)
            };
            let none = Weights::default();
            let init = Pass::new(&none, Mode::Init(3), &device);
            features(&init);
            let mut weights = init.into_fresh();
            let statistics: Vec<f32> = (0..16).map(|i| 0.1 + i as f32 / 7.0).collect();
            for name in ["weight", "bias", "running_mean", "running_var"] {
                for unit in ["first", "second"] {
                    let full = format!("encoder.{unit}.bn.{name}");
                    weights.set(&full, vector(statistics.clone(), &device));
                }
            }
            let pass = Pass::new(&weights, Mode::Eval, &device);
            values(features(&pass).into_images())
        };
        let pairs = evaluated(Some(Machine::best()))
            .into_iter()
            .zip(evaluated(None));
        for (got, expected) in pairs {
            assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
        }
    }
}
