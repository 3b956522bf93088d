//! Our kernels inside burn's automatic differentiation, on the CPU.
//!
//! Feature maps are channels last here, `[n, h, w, c]`, as ordinary contiguous tensors. An
//! operation computes forward on slices and, where a gradient is asked for, leaves what the way
//! back needs in its own state in burn's graph: layers hold nothing, and several graphs (two
//! views, two networks, a teacher) live side by side.

mod bytes;

use std::sync::Arc;

use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};
use burn_backend::{DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_tensor::Tensor;
use hspace_kernels::conv::{self, Finish};
use hspace_kernels::norm::{self, Back, Gate, Normalised};
use hspace_kernels::{Buffer, Conv, Machine, pool};

type Node = <Autodiff<Flex> as burn_backend::BackendTypes>::FloatTensorPrimitive;

/// A tensor's numbers in burn's memory, contiguous.
#[derive(Clone, Debug)]
struct Numbers(FlexTensor);

impl Numbers {
    /// Of a tensor, without its graph.
    fn of<const D: usize>(tensor: Tensor<D>) -> Numbers {
        let inner = tensor.inner().try_into_primitive::<Flex>();
        Numbers(
            inner
                .expect("our kernels see tensors on the CPU")
                .to_contiguous(),
        )
    }

    fn get(&self) -> &[f32] {
        let numbers = self.0.as_slice::<f32>();
        numbers.expect("contiguous numbers of single precision")
    }
}

/// Numbers in our memory as a tensor of burn's.
fn primitive(numbers: Buffer, shape: &[usize]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(shape.to_vec()));
    FlexTensor::new(bytes::bytes(numbers), layout, DType::F32)
}

/// A tensor's node in the graph.
fn node<const D: usize>(tensor: Tensor<D>) -> Node {
    let tracked = tensor.autodiff().try_into_primitive::<Autodiff<Flex>>();
    tracked.expect("our kernels see tensors on the CPU")
}

/// Whether a convolution or its residual is part of a graph.
pub(super) fn any_tracked(x: &Tensor<4>, weight: &Tensor<4>, residual: Option<&Tensor<4>>) -> bool {
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

/// Gives `gradient` to a parent that asks for it.
fn register(gradients: &mut Gradients, parent: Option<NodeId>, gradient: FlexTensor) {
    if let Some(id) = parent {
        gradients.register::<Flex>(id, gradient);
    }
}

/// Convolution and nothing else: `x [n, h, w, c]` with `weight [out, c, k, k]`, padded by half the
/// kernel.
pub(super) fn convolve(on: Machine, x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
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
    let nodes = [node(x).node(), node(weight).node()];
    let prepared = Convolved.prepare::<NoCheckpointing>(nodes).compute_bound();
    Tensor::from_primitive::<Autodiff<Flex>>(match prepared.stateful() {
        OpsKind::Tracked(prepared) => {
            let state = (on, conv, left, right);
            prepared.finish(state, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    })
}

/// The way back through [`convolve`].
#[derive(Debug)]
struct Convolved;

impl Backward<Flex, 2> for Convolved {
    type State = (Machine, Conv, Numbers, Numbers);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (on, conv, x, weight) = ops.state;
        let dy = Numbers(gradients.consume::<Flex>(&ops.node).to_contiguous());
        let [to_x, to_weight] = ops.parents.map(|parent| parent.map(|node| node.id));
        if to_weight.is_some() {
            let mut dw = Buffer::any(conv.weight_len());
            conv::weight_gradient(on, &conv, x.get(), dy.get(), &mut dw);
            register(gradients, to_weight, primitive(dw, &weight_shape(&conv)));
        }
        if to_x.is_some() {
            let mut dx = Buffer::any(conv.input_len());
            conv::data_gradient(on, &conv, dy.get(), weight.get(), &mut dx);
            register(gradients, to_x, primitive(dx, &input_shape(&conv)));
        }
    }
}

/// The weights of a block: `weight [out, c, k, k]`, and by output channel the normalisation's
/// gain and bias.
pub(super) struct BlockWeights {
    pub(super) weight: Tensor<4>,
    pub(super) gain: Tensor<1>,
    pub(super) bias: Tensor<1>,
}

/// Mean and biased variance of a batch by channel, over `count` positions.
pub(super) struct BatchStatistics {
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) count: usize,
}

/// Convolution, normalisation by the batch's statistics, residual addition and ReLU in one.
pub(super) fn training_block(
    on: Machine,
    x: Tensor<4>,
    weights: BlockWeights,
    stride: usize,
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f64,
) -> (Tensor<4>, BatchStatistics) {
    let BlockWeights { weight, gain, bias } = weights;
    let conv = shapes(&x, &weight, stride);
    let tracked = any_tracked(&x, &weight, residual.as_ref()) || gain.is_autodiff();
    let (left, right) = (Numbers::of(x.clone()), Numbers::of(weight.clone()));
    let mut y = Buffer::any(conv.output_len());
    let moments = conv::forward_with_moments(on, &conv, left.get(), right.get(), &mut y);
    let variance = moments.variance();
    let inverse = |v: &f32| (1.0 / (f64::from(*v) + epsilon).sqrt()) as f32;
    let inverse: Vec<f32> = variance.iter().map(inverse).collect();
    let gains = Numbers::of(gain.clone()).get().to_vec();
    let scale: Vec<f32> = gains.iter().zip(&inverse).map(|(g, i)| g * i).collect();
    let biases = Numbers::of(bias.clone());
    let centered = moments.mean().iter().zip(&scale).zip(biases.get());
    let shift: Vec<f32> = centered.map(|((m, s), b)| b - m * s).collect();
    let added = residual.clone().map(Numbers::of);
    let mut out = Buffer::any(y.len());
    let residual_numbers = added.as_ref().map(Numbers::get);
    norm::apply(on, &y, &scale, &shift, residual_numbers, relu, &mut out);
    let out = primitive(out, &output_shape(&conv));
    let statistics = BatchStatistics {
        mean: moments.mean().to_vec(),
        variance,
        count: moments.count(),
    };
    if !tracked {
        return (Tensor::from_primitive::<Flex>(out), statistics);
    }
    let passed = match (relu, &residual) {
        (false, _) => Passed::Open,
        (true, None) => Passed::Line { scale, shift },
        (true, Some(_)) => Passed::Output(Numbers(out.clone())),
    };
    let state = Block {
        on,
        conv,
        x: left,
        weight: right,
        y: Arc::new(y),
        mean: statistics.mean.clone(),
        inverse,
        gain: gains,
        passed,
    };
    let nodes = [
        node(x).node(),
        node(weight).node(),
        node(gain).node(),
        node(bias).node(),
    ];
    let out = match residual {
        None => attach(nodes, state, out),
        Some(residual) => {
            let [x, weight, gain, bias] = nodes;
            attach([x, weight, gain, bias, node(residual).node()], state, out)
        }
    };
    (Tensor::from_primitive::<Autodiff<Flex>>(out), statistics)
}

/// The block's output as a node of the graph, with what it leaves for the way back.
fn attach<const N: usize>(nodes: [NodeGuard; N], state: Block, out: FlexTensor) -> Node
where
    Trained: Backward<Flex, N, State = Block>,
{
    let prepared = Trained.prepare::<NoCheckpointing>(nodes).compute_bound();
    match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

/// What a [`training_block`] leaves for the way back.
#[derive(Clone, Debug)]
struct Block {
    on: Machine,
    conv: Conv,
    x: Numbers,
    weight: Numbers,
    y: Arc<Buffer>,
    mean: Vec<f32>,
    inverse: Vec<f32>,
    gain: Vec<f32>,
    passed: Passed,
}

/// [`Gate`], with what it looks at.
#[derive(Clone, Debug)]
enum Passed {
    Open,
    Output(Numbers),
    Line { scale: Vec<f32>, shift: Vec<f32> },
}

/// The way back through [`training_block`]; the parents are input, weight, gain, bias and, with
/// one, the residual.
#[derive(Debug)]
struct Trained;

impl Trained {
    fn back<const N: usize>(ops: Ops<Block, N>, gradients: &mut Gradients) {
        let done = ops.state;
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        let dout = Numbers(gradients.consume::<Flex>(&ops.node).to_contiguous());
        let to_residual = parents.get(4).copied().flatten();
        let normalised = Normalised {
            y: &done.y,
            mean: &done.mean,
            inverse: &done.inverse,
            gain: &done.gain,
            gate: match &done.passed {
                Passed::Open => Gate::Open,
                Passed::Output(output) => Gate::Output(output.get()),
                Passed::Line { scale, shift } => Gate::Line { scale, shift },
            },
        };
        let conv = &done.conv;
        let (back, found) = Back::new(done.on, normalised, dout.get());
        let mut dw = Buffer::any(conv.weight_len());
        let mut dx = parents[0].map(|_| Buffer::any(conv.input_len()));
        let mut residual = to_residual.map(|_| Buffer::any(conv.output_len()));
        conv::gradients(
            done.on,
            conv,
            &back,
            done.x.get(),
            done.weight.get(),
            &mut dw,
            dx.as_deref_mut(),
            residual.as_deref_mut(),
        );
        let vector = |values: Vec<f32>| primitive(Buffer::copy_of(&values), &[values.len()]);
        register(gradients, parents[2], vector(found.gain));
        register(gradients, parents[3], vector(found.bias));
        register(gradients, parents[1], primitive(dw, &weight_shape(conv)));
        if let Some(dx) = dx {
            register(gradients, parents[0], primitive(dx, &input_shape(conv)));
        }
        if let Some(residual) = residual {
            register(
                gradients,
                to_residual,
                primitive(residual, &output_shape(conv)),
            );
        }
    }
}

impl Backward<Flex, 4> for Trained {
    type State = Block;
    fn backward(self, ops: Ops<Block, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        Trained::back(ops, gradients);
    }
}

impl Backward<Flex, 5> for Trained {
    type State = Block;
    fn backward(self, ops: Ops<Block, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        Trained::back(ops, gradients);
    }
}

/// The block with running statistics: the convolution's outputs times `scale` plus `shift`, by
/// channel, in the same pass. No gradients.
pub(super) fn inference_block(
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
pub(super) fn max_pool(x: Tensor<4>) -> Tensor<4> {
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
    let prepared = Pooled
        .prepare::<NoCheckpointing>([node(x).node()])
        .compute_bound();
    Tensor::from_primitive::<Autodiff<Flex>>(match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((shape, places), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    })
}

/// The way back through [`max_pool`].
#[derive(Debug)]
struct Pooled;

impl Backward<Flex, 1> for Pooled {
    type State = (Conv, Vec<u8>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (shape, places) = ops.state;
        let dy = Numbers(gradients.consume::<Flex>(&ops.node).to_contiguous());
        let mut dx = Buffer::any(shape.input_len());
        pool::backward(&shape, dy.get(), &places, &mut dx);
        let [parent] = ops.parents.map(|parent| parent.map(|node| node.id));
        register(gradients, parent, primitive(dx, &input_shape(&shape)));
    }
}
