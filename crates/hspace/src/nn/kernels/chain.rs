//! Residual blocks one after the other, in training: one operation in burn's graph.
//!
//! What lies between two of their convolutions is read once: a ReLU's output is computed as the next
//! convolution reads it, and on the backward pass the sums that a normalisation needs are taken while the
//! gradients that the next convolution left for it are in the cache.

mod convolution;
mod residual;

use burn_tensor::Tensor;
use hspace_kernels::{Buffer, Machine};

use self::convolution::{Input, Seen};
use self::residual::Block;
use super::super::blocks::Residual;
use super::{Backward, FlatTensor, Parents, attach, node, primitive};

/// Convolutions that one operation holds at most. Each has three parents in burn's graph, and
/// [`attach`] takes no more than 1 + 3 · 24.
const MOST: usize = 24;

/// The weights of a convolution and its normalisation: `weight [out, c, k, k]`, and by output channel
/// gain and bias.
pub(in crate::nn) struct BlockWeights {
    pub(in crate::nn) weight: Tensor<4>,
    pub(in crate::nn) gain: Tensor<1>,
    pub(in crate::nn) bias: Tensor<1>,
}

/// Mean and biased variance of a batch by channel, over `count` positions.
pub(in crate::nn) struct BatchStatistics {
    pub(in crate::nn) mean: Vec<f32>,
    pub(in crate::nn) variance: Vec<f32>,
    pub(in crate::nn) count: usize,
}

/// One of the convolutions of [`training_chain`], with its normalisation.
pub(in crate::nn) struct Unit {
    pub(in crate::nn) weights: BlockWeights,
    pub(in crate::nn) stride: usize,
    /// Whether a ReLU follows.
    pub(in crate::nn) relu: bool,
}

/// Residual blocks one after the other: of each, convolution, normalisation by the batch's statistics and
/// ReLU as often as it has units, the shortcut added before the last ReLU. As few operations as
/// [`MOST`] allows. The statistics are in the order of the units, in every block the shortcut's last.
///
/// # Panics
/// If a single block has more convolutions than an operation holds.
pub(in crate::nn) fn training_chain(
    on: Machine,
    x: Tensor<4>,
    chain: &[Residual<Unit>],
    epsilon: f64,
) -> (Tensor<4>, Vec<BatchStatistics>) {
    in_operations(on, x, chain, epsilon, MOST)
}

/// The same in operations of at most so many convolutions.
fn in_operations(
    on: Machine,
    mut x: Tensor<4>,
    chain: &[Residual<Unit>],
    epsilon: f64,
    most: usize,
) -> (Tensor<4>, Vec<BatchStatistics>) {
    let mut statistics = Vec::new();
    let mut left = chain;
    while !left.is_empty() {
        let mut convolutions = 0;
        let fits = left.iter().take_while(|residual| {
            convolutions += residual.units().count();
            convolutions <= most
        });
        let fits = fits.count();
        assert!(fits > 0, "a block of more than {most} convolutions");
        let (now, rest) = left.split_at(fits);
        x = operation(on, x, now, epsilon, &mut statistics);
        left = rest;
    }
    (x, statistics)
}

/// The same in one operation.
fn operation(
    on: Machine,
    x: Tensor<4>,
    chain: &[Residual<Unit>],
    epsilon: f64,
    statistics: &mut Vec<BatchStatistics>,
) -> Tensor<4> {
    let shape = x.dims();
    let given = FlatTensor::of(x.clone());
    let mut parents = vec![node(x)];
    for residual in chain {
        for unit in residual.units() {
            let BlockWeights { weight, gain, bias } = &unit.weights;
            parents.extend([node(weight.clone()), node(gain.clone()), node(bias.clone())]);
        }
    }
    // Where there is no backward pass (a teacher), nothing is kept for it.
    let tracked = parents.iter().any(|parent| parent.is_tracked());
    let mut blocks: Vec<Block> = Vec::new();
    for residual in chain {
        let (size, x) = match blocks.last_mut() {
            None => (shape, Input::Seen(Seen::Given(given.clone()))),
            Some(before) => (before.size(), Input::EndOf(before)),
        };
        let block = Block::forward(on, size, x, residual, epsilon, statistics);
        if !tracked {
            blocks.clear();
        }
        blocks.push(block);
    }
    let last = blocks.last_mut().expect("at least one block");
    let (out, ()) = last.end_with(|end| {
        end.apply(on);
    });
    if !tracked {
        blocks.clear();
    }
    attach(&parents, Chain { shape, blocks }, out.0)
}

/// What a chain leaves for the backward pass; the parents are the input, and for each unit in the order of
/// [`training_chain`]'s statistics weight, gain and bias.
#[derive(Clone, Debug)]
struct Chain {
    /// Of the input.
    shape: [usize; 4],
    blocks: Vec<Block>,
}

impl Backward for Chain {
    fn backward(mut self, mut dout: FlatTensor, parents: &mut Parents) {
        let convolutions = self.blocks.iter().map(Block::convolutions);
        let mut first = 1 + 3 * convolutions.sum::<usize>();
        let (mut dx, mut sums) = (None::<Buffer>, Vec::new());
        while let Some(block) = self.blocks.pop() {
            first -= 3 * block.convolutions();
            let before = self.blocks.last();
            // Those before may all be frozen.
            let asked = (0..first).any(|parent| parents.ask(parent));
            let before = before.map_or(vec![], Block::ends);
            let gradients = match &mut dx {
                Some(dx) => dx,
                None => dout.get_mut(),
            };
            (dx, sums) = block.backward(gradients, sums, &before, asked, first, parents);
            if !asked {
                return;
            }
        }
        if let Some(dx) = dx {
            parents.accumulate(0, || primitive(dx, &self.shape));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::noise;
    use crate::nn::blocks::Shortcut;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        FlatTensor::of(tensor).get().to_vec()
    }

    /// A residual network as one operation and as several has the same gradients; where its front is
    /// frozen, they end there.
    #[test]
    fn a_chain_is_the_same_in_any_number_of_operations() {
        let cpu = burn_tensor::Device::flex();
        let x = noise([6, 9, 8, 16], 0.1);
        let shapes = [
            (16, 16, 1, 1),
            (24, 16, 2, 3),
            (24, 24, 1, 3),
            (24, 16, 2, 1),
        ];
        let shapes = [&shapes[..], &[(24, 24, 1, 3); 4]].concat();
        let weights: Vec<Tensor<4>> = shapes
            .iter()
            .zip(1..)
            .map(|(&(out, inputs, _, k), i)| noise([out, inputs, k, k], f64::from(i)) * 0.3)
            .collect();
        let run = |most: usize, frozen: usize| {
            let tracked = |i: usize, w: &Tensor<4>| match i < frozen {
                true => w.clone(),
                false => w.clone().autodiff().require_grad(),
            };
            let weights: Vec<Tensor<4>> = weights
                .iter()
                .enumerate()
                .map(|(i, w)| tracked(i, w))
                .collect();
            let unit = |i: usize| {
                let (out, _, stride, k) = shapes[i];
                Unit {
                    weights: BlockWeights {
                        weight: weights[i].clone(),
                        gain: Tensor::ones([out], &cpu),
                        bias: Tensor::zeros([out], &cpu),
                    },
                    stride,
                    relu: k == 3,
                }
            };
            let block = |branch: [usize; 2], shortcut| Residual {
                branch: branch.map(unit).into(),
                shortcut,
            };
            let chain = [
                Residual::plain(unit(0)),
                block([1, 2], Shortcut::Project(unit(3))),
                block([4, 5], Shortcut::Input),
                block([6, 7], Shortcut::Input),
            ];
            let (y, statistics) = in_operations(Machine::best(), x.clone(), &chain, 1e-5, most);
            assert_eq!(statistics.len(), 8);
            let mut gradients = (y.clone() * y).sum().backward();
            let of = |w: &Tensor<4>| {
                w.is_autodiff()
                    .then(|| w.grad_remove(&mut gradients))
                    .flatten()
            };
            weights
                .iter()
                .map(of)
                .map(|g| g.map(values))
                .collect::<Vec<_>>()
        };
        let whole = run(MOST, 0);
        for (most, frozen) in [(3, 0), (5, 0), (MOST, 4), (4, 6)] {
            let found = run(most, frozen);
            for (i, (found, whole)) in found.iter().zip(&whole).enumerate() {
                assert_eq!(found.is_some(), i >= frozen);
                let (Some(found), Some(whole)) = (found, whole) else {
                    continue;
                };
                let size = whole.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                for (a, b) in found.iter().zip(whole) {
                    assert!((a - b).abs() <= 1e-4 * size, "{most} {i}: {a} is not {b}");
                }
            }
        }
    }

    /// Each weight alone has the gradient that it has when all others ask for one too.
    #[test]
    fn what_else_is_trained_changes_no_gradient() {
        fn tracked<const D: usize>(tensor: &Tensor<D>, yes: bool) -> Tensor<D> {
            match yes {
                true => tensor.clone().autodiff().require_grad(),
                false => tensor.clone(),
            }
        }
        let x: Tensor<4> = noise([3, 6, 5, 8], 0.1);
        let weights: [Tensor<4>; 2] = [noise([8, 8, 1, 1], 0.2), noise([8, 8, 3, 3], 0.3)];
        let lines: [Tensor<1>; 4] = [0.4, 0.5, 0.6, 0.7].map(|phase| noise([8], phase));
        let run = |alone: Option<usize>| {
            let trained = |i: usize| alone.is_none_or(|alone| alone == i);
            let x = tracked(&x, trained(0));
            let unit = |i: usize| Unit {
                weights: BlockWeights {
                    weight: tracked(&weights[i], trained(1 + 3 * i)),
                    gain: tracked(&lines[2 * i], trained(2 + 3 * i)),
                    bias: tracked(&lines[2 * i + 1], trained(3 + 3 * i)),
                },
                stride: 1,
                relu: true,
            };
            let chain = [Residual {
                branch: vec![unit(0), unit(1)],
                shortcut: Shortcut::Input,
            }];
            let (y, _) = training_chain(Machine::best(), x.clone(), &chain, 1e-5);
            let mut gradients = (y.clone() * y).sum().backward();
            let mut found = vec![x.grad_remove(&mut gradients).map(values)];
            for unit in chain[0].units() {
                let BlockWeights { weight, gain, bias } = &unit.weights;
                found.push(weight.grad_remove(&mut gradients).map(values));
                found.push(gain.grad_remove(&mut gradients).map(values));
                found.push(bias.grad_remove(&mut gradients).map(values));
            }
            found
        };
        for (i, whole) in run(None).iter().enumerate() {
            assert!(whole.is_some(), "{i}");
            for (j, found) in run(Some(i)).iter().enumerate() {
                match j == i {
                    true => assert_eq!(found, whole, "{i}"),
                    false => assert!(found.is_none(), "{j} with {i} alone"),
                }
            }
        }
    }
}
