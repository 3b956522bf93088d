//! Convolutions and blocks of them in burn's graph.

use std::sync::Arc;

use burn_flex::Flex;
use burn_tensor::Tensor;
use hspace_kernels::conv;
use hspace_kernels::norm::{self, Back, Gate, Normalised};
use hspace_kernels::{Buffer, Conv, Finish, Machine, pool};

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
            conv::weight_gradient(on, &conv, self.x.get(), dy.get(), &mut dw);
            primitive(dw, &weight_shape(&conv))
        });
        parents.give(0, || {
            let mut dx = Buffer::any(conv.input_len());
            conv::data_gradient(on, &conv, dy.get(), self.weight.get(), &mut dx);
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

/// Convolution, normalisation by the batch's statistics, residual addition and ReLU in one.
pub(in crate::network) fn training_block(
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
    let mut parents = vec![node(x), node(weight), node(gain), node(bias)];
    parents.extend(residual.map(node));
    (attach(&parents, state, out), statistics)
}

/// What a [`training_block`] leaves for the way back; the parents are input, weight, gain, bias
/// and, with one, the residual.
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

impl WayBack for Block {
    fn back(self, dout: &Numbers, parents: &mut Parents) {
        let normalised = Normalised {
            y: &self.y,
            mean: &self.mean,
            inverse: &self.inverse,
            gain: &self.gain,
            gate: match &self.passed {
                Passed::Open => Gate::Open,
                Passed::Output(output) => Gate::Output(output.get()),
                Passed::Line { scale, shift } => Gate::Line { scale, shift },
            },
        };
        let conv = &self.conv;
        let (back, found) = Back::new(self.on, normalised, dout.get());
        let mut dw = Buffer::any(conv.weight_len());
        let mut dx = parents.ask(0).then(|| Buffer::any(conv.input_len()));
        let mut residual = parents.ask(4).then(|| Buffer::any(conv.output_len()));
        conv::gradients(
            self.on,
            conv,
            &back,
            self.x.get(),
            self.weight.get(),
            &mut dw,
            dx.as_deref_mut(),
            residual.as_deref_mut(),
        );
        let vector = |values: Vec<f32>| primitive(Buffer::copy_of(&values), &[values.len()]);
        parents.give(2, || vector(found.gain));
        parents.give(3, || vector(found.bias));
        parents.give(1, || primitive(dw, &weight_shape(conv)));
        if let Some(dx) = dx {
            parents.give(0, || primitive(dx, &input_shape(conv)));
        }
        if let Some(residual) = residual {
            parents.give(4, || primitive(residual, &output_shape(conv)));
        }
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
