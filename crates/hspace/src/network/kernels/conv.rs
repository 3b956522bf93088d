//! Convolutions and blocks of them in burn's graph.

use std::sync::Arc;

use burn_flex::Flex;
use burn_tensor::Tensor;
use hspace_kernels::conv::{self, Source, Wanted};
use hspace_kernels::norm::{
    self, Added, AllSums, Back, GainBias, Gate, Gated, Normalised, Relu, marks_of,
};
use hspace_kernels::{Buffer, Conv, Finish, Machine, pool};

use super::super::layers::Shortcut;
use super::{Numbers, Parents, WayBack, attach, node, primitive};

/// Whether a convolution or its residual is part of a graph.
pub(in crate::network) fn any_tracked(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    residual: Option<&Tensor<4>>,
) -> bool {
    x.is_autodiff() || weight.is_autodiff() || residual.is_some_and(Tensor::is_autodiff)
}

/// Shapes of a convolution of `x [n, h, w, c]` with `weight [out, c, k, k]`.
fn shapes(x: &Tensor<4>, weight: &Tensor<4>, stride: usize) -> Conv {
    let ([n, h, w, inputs], [outputs, _, kernel, _]) = (x.dims(), weight.dims());
    Conv {
        n,
        h,
        w,
        inputs,
        outputs,
        kernel,
        stride,
        pad: kernel / 2,
    }
}

fn input_shape(conv: &Conv) -> [usize; 4] {
    [conv.n, conv.h, conv.w, conv.inputs]
}

fn weight_shape(conv: &Conv) -> [usize; 4] {
    [conv.outputs, conv.inputs, conv.kernel, conv.kernel]
}

fn output_shape(conv: &Conv) -> [usize; 4] {
    [conv.n, conv.out_h(), conv.out_w(), conv.outputs]
}

/// Convolution and nothing else: `x [n, h, w, c]` with `weight [out, c, k, k]`, padded by half the
/// kernel.
pub(in crate::network) fn convolve(
    on: Machine,
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
) -> Tensor<4> {
    let conv = shapes(&x, &weight, stride);
    let tracked = any_tracked(&x, &weight, None);
    let (left, right) = (Numbers::of(x.clone()), Numbers::of(weight.clone()));
    let mut y = Buffer::any(conv.output_len());
    conv::forward(
        on,
        &conv,
        left.get(),
        right.get(),
        &mut y,
        Finish::default(),
    );
    let y = primitive(y, &output_shape(&conv));
    if !tracked {
        return Tensor::from_primitive::<Flex>(y);
    }
    let state = Convolved {
        on,
        conv,
        x: left,
        weight: right,
    };
    attach(&[node(x), node(weight)], state, y)
}

/// What [`convolve`] leaves for the way back; the parents are input and weight.
#[derive(Clone, Debug)]
struct Convolved {
    on: Machine,
    conv: Conv,
    x: Numbers,
    weight: Numbers,
}

impl WayBack for Convolved {
    fn back(self, dy: &Numbers, parents: &mut Parents) {
        let Convolved { on, conv, .. } = self;
        parents.give(1, || {
            let mut dw = Buffer::any(conv.weight_len());
            let x = Source::plain(self.x.get());
            conv::weight_gradient(on, &conv, x, dy.get(), &mut dw);
            primitive(dw, &weight_shape(&conv))
        });
        parents.give(0, || {
            let mut dx = Buffer::any(conv.input_len());
            conv::data_gradient(on, &conv, dy.get(), self.weight.get(), &mut dx, None);
            primitive(dx, &input_shape(&conv))
        });
    }
}

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

/// One of the convolutions of [`training_blocks`], with its normalisation.
pub(in crate::network) struct Unit {
    pub(in crate::network) weights: BlockWeights,
    pub(in crate::network) stride: usize,
    /// Whether a ReLU follows.
    pub(in crate::network) relu: bool,
}

/// Convolution, normalisation by the batch's statistics and ReLU, as often as there are units, the
/// shortcut added before the last ReLU: one operation. The statistics are in the order of the units,
/// the shortcut's last.
pub(in crate::network) fn training_blocks(
    on: Machine,
    x: Tensor<4>,
    units: Vec<Unit>,
    shortcut: Shortcut<Unit>,
    epsilon: f64,
) -> (Tensor<4>, Vec<BatchStatistics>) {
    let last = units.len() - 1;
    let given = Numbers::of(x.clone());
    let (mut tracked, size) = (x.is_autodiff(), x.dims());
    let mut parents = vec![node(x)];
    let mut statistics = Vec::new();
    let mut convolve = |dims, input, unit: &Unit| {
        let BlockWeights { weight, gain, bias } = &unit.weights;
        tracked |= weight.is_autodiff() || gain.is_autodiff();
        parents.extend([node(weight.clone()), node(gain.clone()), node(bias.clone())]);
        let (block, found) = Block::convolve(on, dims, input, unit, epsilon);
        statistics.push(found);
        block
    };
    let mut blocks: Vec<Block> = Vec::new();
    for unit in &units {
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
    let (project, added) = match &shortcut {
        Shortcut::Nothing => (None, None),
        Shortcut::Input => {
            assert!(last > 0, "an identity around one convolution");
            let numbers = given.get();
            (
                None,
                Some(Added {
                    numbers,
                    line: None,
                }),
            )
        }
        Shortcut::Project(unit) => {
            let block = convolve(size, Seen::Given(given.clone()), unit);
            (Some(block), None)
        }
    };
    let added = project.as_ref().map(Block::added).or(added);
    let end = &blocks[last];
    // Without anything added the gate can be computed anew.
    let marked = end.relu() && added.is_some();
    let mut marks = match marked {
        true => vec![0; marks_of(end.y.len(), end.conv.outputs)],
        false => vec![],
    };
    let out = end.apply(added, marked.then_some(&mut marks[..])).0;
    let mut state = Blocks {
        blocks,
        identity: matches!(shortcut, Shortcut::Input),
        project,
    };
    if marked {
        let marks = Passed::Marks(Arc::new(marks));
        state.blocks[last].passed = marks.clone();
        // The same gate lets both through.
        state
            .project
            .iter_mut()
            .for_each(|block| block.passed = marks.clone());
    }
    let out = match tracked {
        true => attach(&parents, state, out),
        false => Tensor::from_primitive::<Flex>(out),
    };
    (out, statistics)
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

    /// Where its ReLU let through, if it left marks.
    fn marks(&self) -> Option<&[u16]> {
        match &self.passed {
            Passed::Marks(marks) => Some(marks),
            Passed::Open | Passed::Line => None,
        }
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
    /// `added`. `before` is the block that the input came from, `sums` what
    /// the block after found for this one.
    fn gradients(
        &self,
        dout: &[f32],
        sums: Option<AllSums>,
        before: Option<&Block>,
        input: bool,
        added: Option<Gated>,
    ) -> BlockGradients {
        let conv = &self.conv;
        let (back, found) = match sums {
            Some(sums) => Back::with_sums(self.on, self.normalised(), dout, &sums),
            None => Back::new(self.on, self.normalised(), dout),
        };
        let mut weight = Buffer::any(conv.weight_len());
        let mut input = input.then(|| Buffer::any(conv.input_len()));
        let wanted = Wanted {
            weight: &mut weight,
            input: input.as_deref_mut(),
            added,
            before: before.map(Block::normalised),
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
}

/// What [`Block::gradients`] finds.
struct BlockGradients {
    weight: Buffer,
    affine: GainBias,
    input: Option<Buffer>,
    /// Of the block before.
    sums: Option<AllSums>,
}

/// What [`training_blocks`] leaves for the way back; the parents are the input, and for each unit,
/// the shortcut's last, weight, gain and bias.
#[derive(Clone, Debug)]
struct Blocks {
    blocks: Vec<Block>,
    /// Whether the input was added.
    identity: bool,
    /// What was added.
    project: Option<Block>,
}

/// One convolution of them.
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
    Marks(Arc<Vec<u16>>),
    Line,
}

impl WayBack for Blocks {
    fn back(self, dout: &Numbers, parents: &mut Parents) {
        let last = self.blocks.len() - 1;
        let asked = parents.ask(0);
        let projected = self.project.as_ref().and_then(|project| {
            let found = project.gradients(dout.get(), None, None, asked, None);
            project.give(last + 1, found, parents).0
        });
        let added = match &projected {
            Some(projected) => Some(Gated {
                gradients: projected,
                marks: None,
            }),
            None if self.identity => Some(Gated {
                gradients: dout.get(),
                marks: self.blocks[last].marks(),
            }),
            None => None,
        };
        let (mut dx, mut sums) = (None::<Buffer>, None);
        for (i, block) in self.blocks.iter().enumerate().rev() {
            let dout = dx.as_deref().unwrap_or(dout.get());
            let onto = added.filter(|_| i == 0);
            let before = (i > 0).then(|| &self.blocks[i - 1]);
            let found = block.gradients(dout, sums.take(), before, i > 0 || asked, onto);
            (dx, sums) = block.give(i, found, parents);
        }
        if let Some(dx) = dx {
            parents.give(0, || primitive(dx, &input_shape(&self.blocks[0].conv)));
        }
    }
}

impl Block {
    /// Gives the weights of unit `i` their gradients; those for its input and the sums of the block
    /// before are left.
    fn give(
        &self,
        i: usize,
        found: BlockGradients,
        parents: &mut Parents,
    ) -> (Option<Buffer>, Option<AllSums>) {
        let vector = |values: Vec<f32>| primitive(Buffer::copy_of(&values), &[values.len()]);
        let first = 1 + 3 * i;
        parents.give(first, || primitive(found.weight, &weight_shape(&self.conv)));
        parents.give(first + 1, || vector(found.affine.gain));
        parents.give(first + 2, || vector(found.affine.bias));
        (found.input, found.sums)
    }
}

/// The block with running statistics: the convolution's outputs times `scale` plus `shift`, by
/// channel, in the same pass. No gradients.
pub(in crate::network) fn inference_block(
    on: Machine,
    x: Tensor<4>,
    weight: Tensor<4>,
    (scale, shift): (&[f32], &[f32]),
    stride: usize,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let conv = shapes(&x, &weight, stride);
    let residual = residual.map(Numbers::of);
    let finish = Finish {
        scale: Some(scale),
        bias: Some(shift),
        residual: residual.as_ref().map(Numbers::get),
        relu,
    };
    let mut y = Buffer::any(conv.output_len());
    let (x, weight) = (Numbers::of(x), Numbers::of(weight));
    conv::forward(on, &conv, x.get(), weight.get(), &mut y, finish);
    Tensor::from_primitive::<Flex>(primitive(y, &output_shape(&conv)))
}

/// Largest number of each window of 3 × 3 at every second place, padded by 1: `[n, h, w, c]`.
pub(in crate::network) fn max_pool(x: Tensor<4>) -> Tensor<4> {
    let [n, h, w, channels] = x.dims();
    let shape = Conv {
        n,
        h,
        w,
        inputs: channels,
        outputs: channels,
        kernel: 3,
        stride: 2,
        pad: 1,
    };
    let mut y = Buffer::any(shape.output_len());
    let mut places = vec![0; shape.output_len()];
    pool::forward(&shape, Numbers::of(x.clone()).get(), &mut y, &mut places);
    let y = primitive(y, &output_shape(&shape));
    if !x.is_autodiff() {
        return Tensor::from_primitive::<Flex>(y);
    }
    attach(&[node(x)], Pooled { shape, places }, y)
}

/// What [`max_pool`] leaves for the way back.
#[derive(Clone, Debug)]
struct Pooled {
    shape: Conv,
    places: Vec<u8>,
}

impl WayBack for Pooled {
    fn back(self, dy: &Numbers, parents: &mut Parents) {
        parents.give(0, || {
            let mut dx = Buffer::any(self.shape.input_len());
            pool::backward(&self.shape, dy.get(), &self.places, &mut dx);
            primitive(dx, &input_shape(&self.shape))
        });
    }
}
