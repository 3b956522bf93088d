//! Single convolutions, pooling and upsampling in burn's graph, and convolutions with what they need around them
//! where there is no graph.

use burn_flex::Flex;
use burn_tensor::Tensor;
use hspace_kernels::conv;
use hspace_kernels::upsample::{self, Upsample};
use hspace_kernels::{Accumulate, Buffer, Conv, Epilogue, Machine, Source, pool};

use super::{Backward, FlatTensor, Parents, attach, node, primitive};

/// Shapes of a convolution of `x [n, h, w, c]` with `weight [out, c, k, k]`, from theirs.
pub(super) fn shapes(x: [usize; 4], weight: [usize; 4], stride: usize) -> Conv {
    let ([n, h, w, inputs], [outputs, _, kernel, _]) = (x, weight);
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

pub(super) fn weight_shape(conv: &Conv) -> [usize; 4] {
    [conv.outputs, conv.inputs, conv.kernel, conv.kernel]
}

pub(super) fn output_shape(conv: &Conv) -> [usize; 4] {
    [conv.n, conv.out_h(), conv.out_w(), conv.outputs]
}

/// Convolution and nothing else: `x [n, h, w, c]` with `weight [out, c, k, k]`, padded by half the
/// kernel.
pub(in crate::nn) fn convolve(
    on: Machine,
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
) -> Tensor<4> {
    let conv = shapes(x.dims(), weight.dims(), stride);
    let (left, right) = (FlatTensor::of(x.clone()), FlatTensor::of(weight.clone()));
    let mut y = Buffer::any(conv.output_len());
    conv::forward(
        on,
        &conv,
        left.get(),
        right.get(),
        &mut y,
        Epilogue::default(),
    );
    let y = primitive(y, &output_shape(&conv));
    let state = Convolved {
        on,
        conv,
        x: left,
        weight: right,
    };
    attach(&[node(x), node(weight)], state, y)
}

/// What [`convolve`] leaves for the backward pass; the parents are input and weight.
#[derive(Clone, Debug)]
struct Convolved {
    on: Machine,
    conv: Conv,
    x: FlatTensor,
    weight: FlatTensor,
}

impl Backward for Convolved {
    fn backward(self, dy: FlatTensor, parents: &mut Parents) {
        let Convolved { on, conv, .. } = self;
        parents.accumulate(1, || {
            let mut dw = Buffer::any(conv.weight_len());
            let x = Source::plain(self.x.get());
            conv::weight_gradient(on, &conv, x, dy.get(), &mut dw);
            primitive(dw, &weight_shape(&conv))
        });
        parents.accumulate(0, || {
            let mut dx = Buffer::any(conv.input_len());
            conv::data_gradient(
                on,
                &conv,
                dy.get(),
                self.weight.get(),
                &mut dx,
                Accumulate::Nothing,
            );
            primitive(dx, &input_shape(&conv))
        });
    }
}

/// The block with running statistics: the convolution's outputs times `scale` plus `shift`, by
/// channel, in the same pass. No gradients.
pub(in crate::nn) fn inference_block(
    on: Machine,
    x: Tensor<4>,
    weight: Tensor<4>,
    (scale, shift): (&[f32], &[f32]),
    stride: usize,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let conv = shapes(x.dims(), weight.dims(), stride);
    let residual = residual.map(FlatTensor::of);
    let finish = Epilogue {
        scale: Some(scale),
        bias: Some(shift),
        accumulate: residual.as_ref().map(FlatTensor::get).into(),
        slope: relu.then_some(0.0),
    };
    let mut y = Buffer::any(conv.output_len());
    let (x, weight) = (FlatTensor::of(x), FlatTensor::of(weight));
    conv::forward(on, &conv, x.get(), weight.get(), &mut y, finish);
    Tensor::from_primitive::<Flex>(primitive(y, &output_shape(&conv)))
}

/// Largest number of each window of 3 × 3 at every second place, padded by 1: `[n, h, w, c]`.
pub(in crate::nn) fn max_pool(x: Tensor<4>) -> Tensor<4> {
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
    pool::forward(&shape, FlatTensor::of(x.clone()).get(), &mut y, &mut places);
    let y = primitive(y, &output_shape(&shape));
    attach(&[node(x)], Pooled { shape, places }, y)
}

/// What [`max_pool`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Pooled {
    shape: Conv,
    places: Vec<u8>,
}

impl Backward for Pooled {
    fn backward(self, dy: FlatTensor, parents: &mut Parents) {
        parents.accumulate(0, || {
            let mut dx = Buffer::any(self.shape.input_len());
            pool::backward(&self.shape, dy.get(), &self.places, &mut dx);
            primitive(dx, &input_shape(&self.shape))
        });
    }
}

/// Maps `[n, h, w, c]` made as large as `to`, each place the nearest one's numbers.
pub(in crate::nn) fn upsample(x: Tensor<4>, to: [usize; 2]) -> Tensor<4> {
    let [n, h, w, channels] = x.dims();
    let maps = Upsample {
        n,
        channels,
        from: [h, w],
        to,
    };
    let mut y = Buffer::any(maps.output_len());
    upsample::forward(&maps, FlatTensor::of(x.clone()).get(), &mut y);
    let y = primitive(y, &[n, to[0], to[1], channels]);
    attach(&[node(x)], Upsampled(maps), y)
}

/// What [`upsample`] leaves for the backward pass.
#[derive(Clone, Debug)]
struct Upsampled(Upsample);

impl Backward for Upsampled {
    fn backward(self, dy: FlatTensor, parents: &mut Parents) {
        let Upsampled(maps) = self;
        parents.accumulate(0, || {
            let mut dx = Buffer::any(maps.input_len());
            upsample::backward(&maps, dy.get(), &mut dx);
            primitive(dx, &[maps.n, maps.from[0], maps.from[1], maps.channels])
        });
    }
}
