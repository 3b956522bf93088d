//! Convolutions with normalisation, residual blocks and chains of them, in training: one operation in
//! burn's graph.
//!
//! What lies between two of them is read once: a ReLU's output is computed as the next convolution
//! reads it, and on the way back the sums that a normalisation needs are taken while the gradients
//! that the next convolution left for it are in the cache.

use std::sync::Arc;

use burn_flex::Flex;
use burn_tensor::Tensor;
use hspace_kernels::conv::{self, Source, Wanted};
use hspace_kernels::norm::{
    self, Added, AllSums, Back, GainBias, Gate, Normalised, Relu, marks_of,
};
use hspace_kernels::{Buffer, Conv, Machine};

use super::super::blocks::{Residual, Shortcut};
use super::conv::{input_shape, output_shape, weight_shape};
use super::{Numbers, Parents, WayBack, attach, node, primitive};

/// Convolutions that one operation holds at most. Each has three parents in burn's graph, and
/// [`attach`] takes no more than 1 + 3 · 24.
const MOST: usize = 24;

/// The weights of a block: `weight [out, c, k, k]`, and by output channel the normalisation's
/// gain and bias.
pub(in crate::network) struct BlockWeights {
    pub(in crate::network) weight: Tensor<4>,
    pub(in crate::network) gain: Tensor<1>,
    pub(in crate::network) bias: Tensor<1>,
}

/// Mean and biased variance of a batch by channel, over `count` positions.
pub(in crate::network) struct BatchStatistics {
    pub(in crate::network) mean: Vec<f32>,
    pub(in crate::network) variance: Vec<f32>,
    pub(in crate::network) count: usize,
}

/// One of the convolutions of [`training_chain`], with its normalisation.
pub(in crate::network) struct Unit {
    pub(in crate::network) weights: BlockWeights,
    pub(in crate::network) stride: usize,
    /// Whether a ReLU follows.
    pub(in crate::network) relu: bool,
}

/// Residual blocks one after the other: of each, convolution, normalisation by the batch's statistics and
/// ReLU as often as it has units, the shortcut added before the last ReLU. As few operations as
/// [`MOST`] allows. The statistics are in the order of the units, in every block the shortcut's last.
///
/// # Panics
/// If a single block has more convolutions than an operation holds.
pub(in crate::network) fn training_chain(
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

fn operation(
    on: Machine,
    x: Tensor<4>,
    chain: &[Residual<Unit>],
    epsilon: f64,
    statistics: &mut Vec<BatchStatistics>,
) -> Tensor<4> {
    let (mut tracked, mut dims) = (x.is_autodiff(), x.dims());
    let mut given = Numbers::of(x.clone());
    let mut parents = vec![node(x)];
    let mut state = Vec::new();
    for residual in chain {
        for unit in residual.units() {
            let BlockWeights { weight, gain, bias } = &unit.weights;
            tracked |= weight.is_autodiff() || gain.is_autodiff();
            parents.extend([node(weight.clone()), node(gain.clone()), node(bias.clone())]);
        }
        let (blocks, out) = Blocks::forward(on, dims, &given, residual, epsilon, statistics);
        dims = output_shape(&blocks.end().conv);
        given = out;
        state.push(blocks);
    }
    match tracked {
        true => attach(&parents, Chain(state), given.0),
        false => Tensor::from_primitive::<Flex>(given.0),
    }
}

/// What a convolution sees.
#[derive(Clone, Debug)]
enum Seen {
    Given(Numbers),
    /// The convolution before, normalised and gated as it is read.
    Line {
        y: Arc<Buffer>,
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
}

impl Seen {
    fn source(&self) -> Source<'_> {
        match self {
            Seen::Given(numbers) => Source::plain(numbers.get()),
            Seen::Line { y, scale, shift } => Source {
                numbers: y,
                line: Some((scale, shift)),
            },
        }
    }
}

/// Shapes of a unit's convolution of `[n, h, w, c]`.
fn shapes_of([n, h, w, inputs]: [usize; 4], unit: &Unit) -> Conv {
    let [outputs, _, kernel, _] = unit.weights.weight.dims();
    Conv {
        n,
        h,
        w,
        inputs,
        outputs,
        kernel,
        stride: unit.stride,
        pad: kernel / 2,
    }
}

/// One convolution, and what it leaves for the way back.
#[derive(Clone, Debug)]
struct Block {
    on: Machine,
    conv: Conv,
    x: Seen,
    weight: Numbers,
    y: Arc<Buffer>,
    mean: Vec<f32>,
    inverse: Vec<f32>,
    gain: Vec<f32>,
    /// The normalisation as a line, by channel.
    scale: Vec<f32>,
    shift: Vec<f32>,
    passed: Passed,
}

/// [`Gate`], with what it looks at.
#[derive(Clone, Debug)]
enum Passed {
    Open,
    Marks(Vec<u16>),
    Line,
}

impl Block {
    /// The convolution, what its way back needs, and the batch's statistics.
    fn convolve(
        on: Machine,
        dims: [usize; 4],
        x: Seen,
        unit: &Unit,
        epsilon: f64,
    ) -> (Block, BatchStatistics) {
        let BlockWeights { weight, gain, bias } = &unit.weights;
        let conv = shapes_of(dims, unit);
        let weight = Numbers::of(weight.clone());
        let mut y = Buffer::any(conv.output_len());
        let moments = conv::forward_with_moments(on, &conv, x.source(), weight.get(), &mut y);
        let variance = moments.variance();
        let inverse = |v: &f32| (1.0 / (f64::from(*v) + epsilon).sqrt()) as f32;
        let inverse: Vec<f32> = variance.iter().map(inverse).collect();
        let gain = Numbers::of(gain.clone()).get().to_vec();
        let scale: Vec<f32> = gain.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let biases = Numbers::of(bias.clone());
        let centered = moments.mean().iter().zip(&scale).zip(biases.get());
        let shift: Vec<f32> = centered.map(|((m, s), b)| b - m * s).collect();
        let statistics = BatchStatistics {
            mean: moments.mean().to_vec(),
            variance,
            count: moments.count(),
        };
        let block = Block {
            on,
            conv,
            x,
            weight,
            y: Arc::new(y),
            mean: statistics.mean.clone(),
            inverse,
            gain,
            scale,
            shift,
            passed: if unit.relu {
                Passed::Line
            } else {
                Passed::Open
            },
        };
        (block, statistics)
    }

    /// The output as the next convolution may read it.
    fn seen(&self) -> Seen {
        Seen::Line {
            y: self.y.clone(),
            scale: self.scale.clone(),
            shift: self.shift.clone(),
        }
    }

    /// Whether a ReLU follows.
    fn relu(&self) -> bool {
        !matches!(self.passed, Passed::Open)
    }

    /// The output as it is added to another's.
    fn added(&self) -> Added<'_> {
        Added {
            numbers: &self.y,
            line: Some((&self.scale, &self.shift)),
        }
    }

    /// The output, and marks of where it is above 0.
    fn apply(&self, added: Option<Added>, marks: Option<&mut [u16]>) -> Numbers {
        let mut out = Buffer::any(self.y.len());
        let relu = match (self.relu(), marks) {
            (false, _) => Relu::Off,
            (true, None) => Relu::On,
            (true, Some(marks)) => Relu::Marked(marks),
        };
        let (scale, shift) = (&self.scale, &self.shift);
        norm::apply(self.on, &self.y, scale, shift, added, relu, &mut out);
        Numbers(primitive(out, &output_shape(&self.conv)))
    }

    fn normalised(&self) -> Normalised<'_> {
        Normalised {
            y: &self.y,
            mean: &self.mean,
            inverse: &self.inverse,
            gain: &self.gain,
            gate: match &self.passed {
                Passed::Open => Gate::Open,
                Passed::Marks(marks) => Gate::Marks(marks),
                Passed::Line => Gate::Line {
                    scale: &self.scale,
                    shift: &self.shift,
                },
            },
        }
    }

    /// Gradients for weight, gain and bias, and where they are asked for those for the input, plus
    /// `added`: from the gradients `dz` behind the gate and their `sums`. `before` are the normalisations
    /// that the input came from.
    fn gradients(
        &self,
        dz: &[f32],
        sums: &AllSums,
        before: &[Normalised],
        input: bool,
        added: Option<&[f32]>,
    ) -> BlockGradients {
        let conv = &self.conv;
        let (back, found) = Back::new(self.on, self.normalised(), dz, sums);
        let mut weight = Buffer::any(conv.weight_len());
        let mut input = input.then(|| Buffer::any(conv.input_len()));
        let wanted = Wanted {
            weight: &mut weight,
            input: input.as_deref_mut(),
            added,
            before,
        };
        let sums = conv::gradients(
            self.on,
            conv,
            &back,
            self.x.source(),
            self.weight.get(),
            wanted,
        );
        BlockGradients {
            weight,
            affine: found,
            input,
            sums,
        }
    }

    /// Gives weight, gain and bias their gradients, as the parents from the `first` on; those for the
    /// input and the sums of the normalisations before are left.
    fn give(
        &self,
        first: usize,
        found: BlockGradients,
        parents: &mut Parents,
    ) -> (Option<Buffer>, Vec<AllSums>) {
        let vector = |values: Vec<f32>| primitive(Buffer::copy_of(&values), &[values.len()]);
        parents.give(first, || primitive(found.weight, &weight_shape(&self.conv)));
        parents.give(first + 1, || vector(found.affine.gain));
        parents.give(first + 2, || vector(found.affine.bias));
        (found.input, found.sums)
    }
}

/// What [`Block::gradients`] finds.
struct BlockGradients {
    weight: Buffer,
    affine: GainBias,
    input: Option<Buffer>,
    /// Of the normalisations before.
    sums: Vec<AllSums>,
}

/// What a residual block leaves for the way back.
#[derive(Clone, Debug)]
struct Blocks {
    blocks: Vec<Block>,
    /// Whether the input was added.
    identity: bool,
    /// What was added.
    project: Option<Block>,
}

impl Blocks {
    /// With its output.
    fn forward(
        on: Machine,
        size: [usize; 4],
        given: &Numbers,
        residual: &Residual<Unit>,
        epsilon: f64,
        statistics: &mut Vec<BatchStatistics>,
    ) -> (Blocks, Numbers) {
        let mut convolve = |dims, input, unit: &Unit| {
            let (block, found) = Block::convolve(on, dims, input, unit, epsilon);
            statistics.push(found);
            block
        };
        let mut blocks: Vec<Block> = Vec::new();
        for unit in &residual.branch {
            let (dims, input) = match blocks.last() {
                None => (size, Seen::Given(given.clone())),
                Some(before) => {
                    let dims = output_shape(&before.conv);
                    // What follows is computed as the next convolution reads it.
                    let reads = before.relu() && shapes_of(dims, unit).takes_lines();
                    let input = match reads {
                        true => before.seen(),
                        false => Seen::Given(before.apply(None, None)),
                    };
                    (dims, input)
                }
            };
            blocks.push(convolve(dims, input, unit));
        }
        let (project, identity) = match &residual.shortcut {
            Shortcut::Nothing => (None, None),
            Shortcut::Input => {
                assert!(blocks.len() > 1, "an identity around one convolution");
                let numbers = given.get();
                let line = None;
                (None, Some(Added { numbers, line }))
            }
            Shortcut::Project(unit) => {
                let block = convolve(size, Seen::Given(given.clone()), unit);
                (Some(block), None)
            }
        };
        let mut state = Blocks {
            blocks,
            identity: identity.is_some(),
            project,
        };
        let added = state.project.as_ref().map(Block::added).or(identity);
        let end = state.end();
        // Without anything added the gate can be computed anew.
        if added.is_none() || !end.relu() {
            let out = end.apply(added, None);
            return (state, out);
        }
        let mut marks = vec![0; marks_of(end.y.len(), end.conv.outputs)];
        let out = end.apply(added, Some(&mut marks));
        if let Some(end) = state.blocks.last_mut() {
            end.passed = Passed::Marks(marks);
        }
        (state, out)
    }

    fn end(&self) -> &Block {
        self.blocks.last().expect("at least one convolution")
    }

    /// The normalisations whose outputs add up to this block's, without the input. The gate after them
    /// is the first one's.
    fn ends(&self) -> Vec<Normalised<'_>> {
        let ends = self.blocks.last().into_iter().chain(&self.project);
        ends.map(Block::normalised).collect()
    }

    fn convolutions(&self) -> usize {
        self.blocks.len() + usize::from(self.project.is_some())
    }

    /// Gives the weights their gradients, as the parents from the `first` on. `sums` are those of
    /// [`Self::ends`], where `gradients` have passed their gate. Leaves the gradient for the input, if it is
    /// asked for, and the sums of `before`, the ends of the block before, if it has passed theirs.
    fn back(
        self,
        gradients: &mut [f32],
        sums: Vec<AllSums>,
        before: &[Normalised],
        asked: bool,
        first: usize,
        parents: &mut Parents,
    ) -> (Option<Buffer>, Vec<AllSums>) {
        let sums = passed(self.end().on, &self.ends(), gradients, sums);
        let dz = &*gradients;
        let projected = self.project.as_ref().and_then(|project| {
            let found = project.gradients(dz, &sums[1], &[], asked, None);
            let first = first + 3 * self.blocks.len();
            project.give(first, found, parents).0
        });
        let added = projected.as_deref().or(self.identity.then_some(dz));
        let (mut dx, mut sums) = (None::<Buffer>, sums);
        for (i, block) in self.blocks.iter().enumerate().rev() {
            let inner = i.checked_sub(1).map(|i| self.blocks[i].normalised());
            let before = inner.as_ref().map_or(before, std::slice::from_ref);
            if let Some(dx) = &mut dx {
                sums = passed(block.on, &[block.normalised()], dx, sums);
            }
            let dz = dx.as_deref().unwrap_or(dz);
            let (asked, added) = (i > 0 || asked, added.filter(|_| i == 0));
            let found = block.gradients(dz, &sums[0], before, asked, added);
            (dx, sums) = block.give(first + 3 * i, found, parents);
        }
        (dx, sums)
    }
}

/// The sums of normalisations whose outputs were added up, once the gradient for the whole has passed
/// their gate: as they were found, or found now.
fn passed(
    on: Machine,
    ends: &[Normalised],
    gradients: &mut [f32],
    found: Vec<AllSums>,
) -> Vec<AllSums> {
    match found.is_empty() {
        true => ends.iter().map(|end| end.pass(on, gradients)).collect(),
        false => found,
    }
}

/// What a chain leaves for the way back; the parents are the input, and for each unit in the order of
/// [`training_chain`]'s statistics weight, gain and bias.
#[derive(Clone, Debug)]
struct Chain(Vec<Blocks>);

impl WayBack for Chain {
    fn back(mut self, mut dout: Numbers, parents: &mut Parents) {
        let shape = input_shape(&self.0[0].blocks[0].conv);
        let convolutions = self.0.iter().map(Blocks::convolutions);
        let mut first = 1 + 3 * convolutions.sum::<usize>();
        let (mut dx, mut sums) = (None::<Buffer>, Vec::new());
        while let Some(blocks) = self.0.pop() {
            first -= 3 * blocks.convolutions();
            let before = self.0.last();
            // Those before may all be frozen.
            let asked = (0..first).any(|parent| parents.ask(parent));
            let before = before.map_or(vec![], Blocks::ends);
            let gradients = match &mut dx {
                Some(dx) => dx,
                None => dout.get_mut(),
            };
            (dx, sums) = blocks.back(gradients, sums, &before, asked, first, parents);
            if !asked {
                return;
            }
        }
        if let Some(dx) = dx {
            parents.give(0, || primitive(dx, &shape));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::noise;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        Numbers::of(tensor).get().to_vec()
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
}
