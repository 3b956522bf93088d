//! One convolution of a chain and the normalisation after it: forward, and the gradients on the backward pass.

use std::sync::Arc;

use hspace_kernels::conv::{self, Wanted};
use hspace_kernels::norm::{
    Added, Back, BlockEpilogue, Normalised, PartialSums, Relu, ReluMask, marks_of,
};
use hspace_kernels::{Accumulate, Buffer, Conv, Machine, Source};

use super::super::conv::{output_shape, shapes, weight_shape};
use super::super::{FlatTensor, Parents, primitive, vector};
use super::residual::Block;
use super::{BatchStatistics, BlockWeights, Unit};

/// What a convolution sees.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Given(FlatTensor),
    /// The convolution before, normalised and cut by its ReLU as it is read.
    Line {
        y: Arc<Buffer>,
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
}

impl Seen {
    /// The numbers themselves, where they are given.
    pub(super) fn given(&self) -> Option<&FlatTensor> {
        match self {
            Seen::Given(numbers) => Some(numbers),
            Seen::Line { .. } => None,
        }
    }

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

/// Where the input of a convolution comes from.
pub(super) enum Input<'a> {
    Seen(Seen),
    /// The output of a block, which is computed as the convolution reads it.
    EndOf(&'a mut Block),
}

/// A convolution, and what it leaves for the backward pass.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) on: Machine,
    conv: Conv,
    x: Seen,
    weight: FlatTensor,
    y: Arc<Buffer>,
    mean: Vec<f32>,
    inverse: Vec<f32>,
    gain: Vec<f32>,
    /// The normalisation as a line, by channel.
    scale: Vec<f32>,
    shift: Vec<f32>,
    passed: Passed,
}

/// What else the input of a convolution gets gradients from.
pub(super) enum Shared<'a> {
    Nothing,
    /// What it was added to as it is: these are theirs.
    Passed(&'a [f32]),
    /// Another convolution: these are its.
    SoFar(Buffer),
}

/// [`ReluMask`], with what it looks at.
#[derive(Clone, Debug)]
enum Passed {
    Open,
    Marks(Vec<u16>),
    Line,
}

impl Convolution {
    /// Of maps of that `size`, with the batch's statistics.
    pub(super) fn forward(
        on: Machine,
        size: [usize; 4],
        x: Input,
        unit: &Unit,
        epsilon: f64,
    ) -> (Convolution, BatchStatistics) {
        let BlockWeights { weight, gain, bias } = &unit.weights;
        let conv = shapes(size, weight.dims(), unit.stride);
        let weight = FlatTensor::of(weight.clone());
        let mut y = Buffer::any(conv.output_len());
        let (x, moments) = match x {
            Input::Seen(x) => {
                let moments =
                    conv::forward_with_moments(on, &conv, x.source(), weight.get(), &mut y);
                (x, moments)
            }
            Input::EndOf(block) => {
                let (out, moments) = block.end_with(|end| {
                    conv::forward_fused_prologue(on, &conv, end, weight.get(), &mut y)
                });
                (Seen::Given(out), moments)
            }
        };
        let variance = moments.variance();
        let inverse = |v: &f32| (1.0 / (f64::from(*v) + epsilon).sqrt()) as f32;
        let inverse: Vec<f32> = variance.iter().map(inverse).collect();
        let gain = FlatTensor::of(gain.clone()).get().to_vec();
        let scale: Vec<f32> = gain.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let biases = FlatTensor::of(bias.clone());
        let centered = moments.mean().iter().zip(&scale).zip(biases.get());
        let shift: Vec<f32> = centered.map(|((m, s), b)| b - m * s).collect();
        let statistics = BatchStatistics {
            mean: moments.mean().to_vec(),
            variance,
            count: moments.count(),
        };
        let convolution = Convolution {
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
        (convolution, statistics)
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.x
    }

    /// Shape of the output.
    pub(super) fn size(&self) -> [usize; 4] {
        output_shape(&self.conv)
    }

    /// The output as the convolution of `next` sees it: computed as it is read, where that can be.
    pub(super) fn seen_by(&self, next: &Unit) -> Seen {
        let reader = shapes(self.size(), next.weights.weight.dims(), next.stride);
        match self.relu() && reader.takes_lines() {
            true => Seen::Line {
                y: self.y.clone(),
                scale: self.scale.clone(),
                shift: self.shift.clone(),
            },
            false => Seen::Given(self.apply()),
        }
    }

    /// The output as it is added to another's.
    pub(super) fn added(&self) -> Added<'_> {
        Added {
            numbers: &self.y,
            line: Some((&self.scale, &self.shift)),
        }
    }

    /// Whether a ReLU follows.
    fn relu(&self) -> bool {
        !matches!(self.passed, Passed::Open)
    }

    /// The output.
    fn apply(&self) -> FlatTensor {
        let mut out = Buffer::any(self.y.len());
        let relu = match self.relu() {
            true => Relu::On,
            false => Relu::Off,
        };
        self.ending(None, relu, &mut out).apply(self.on);
        FlatTensor(primitive(out, &self.size()))
    }

    fn ending<'a>(
        &'a self,
        added: Option<Added<'a>>,
        relu: Relu<'a>,
        out: &'a mut [f32],
    ) -> BlockEpilogue<'a> {
        BlockEpilogue {
            y: &self.y,
            scale: &self.scale,
            shift: &self.shift,
            added,
            relu,
            out,
        }
    }

    /// The output that ends a block, with what is `added` to it, as `compute` computes it, and what that gives; the
    /// backward pass will know what it passed.
    pub(super) fn end_with<T>(
        &mut self,
        added: Option<Added>,
        compute: impl FnOnce(BlockEpilogue) -> T,
    ) -> (FlatTensor, T) {
        let mut out = Buffer::any(self.y.len());
        // Without anything added the ReLU mask can be computed again.
        let marked = added.is_some() && self.relu();
        let mut marks = marked.then(|| vec![0; marks_of(self.y.len(), self.conv.outputs)]);
        let relu = match &mut marks {
            Some(marks) => Relu::Marked(marks),
            None if self.relu() => Relu::On,
            None => Relu::Off,
        };
        let found = compute(self.ending(added, relu, &mut out));
        if let Some(marks) = marks {
            self.passed = Passed::Marks(marks);
        }
        (FlatTensor(primitive(out, &self.size())), found)
    }

    pub(super) fn normalised(&self) -> Normalised<'_> {
        Normalised {
            y: &self.y,
            mean: &self.mean,
            inverse: &self.inverse,
            gain: &self.gain,
            relu_mask: match &self.passed {
                Passed::Open => ReluMask::Open,
                Passed::Marks(marks) => ReluMask::Marks(marks),
                Passed::Line => ReluMask::Line {
                    scale: &self.scale,
                    shift: &self.shift,
                },
            },
        }
    }

    /// Gives weight, gain and bias their gradients, as the parents from the `first` on: from the gradients
    /// `dz` behind the ReLU mask and their `sums`. Leaves those for the input, added to what is `shared`, if they are
    /// `asked` for, and the sums of `before`, the normalisations that the input came from, if they have passed
    /// their ReLU mask.
    pub(super) fn backward(
        &self,
        (dz, sums): (&[f32], &PartialSums),
        before: &[Normalised],
        asked: bool,
        shared: Shared,
        first: usize,
        parents: &mut Parents,
    ) -> (Option<Buffer>, Vec<PartialSums>) {
        let (on, conv, weight) = (self.on, &self.conv, self.weight.get());
        let (back, affine) = Back::new(on, self.normalised(), dz, sums);
        parents.accumulate(first + 1, || vector(&affine.gain));
        parents.accumulate(first + 2, || vector(&affine.bias));
        let (so_far, accumulate) = match shared {
            Shared::Nothing => (None, Accumulate::Nothing),
            Shared::Passed(dz) => (None, Accumulate::Numbers(dz)),
            Shared::SoFar(dx) => (Some(dx), Accumulate::Itself),
        };
        let mut dx = asked.then(|| so_far.unwrap_or_else(|| Buffer::any(conv.input_len())));
        let trained = parents.ask(first);
        if !asked && !trained {
            return (None, vec![]);
        }
        let mut dw = trained.then(|| Buffer::any(conv.weight_len()));
        let wanted = Wanted {
            weight: dw.as_deref_mut(),
            input: dx.as_deref_mut(),
            accumulate,
            before,
        };
        let sums = conv::gradients(on, conv, &back, self.x.source(), weight, wanted);
        if let Some(dw) = dw {
            parents.accumulate(first, || primitive(dw, &weight_shape(conv)));
        }
        (dx, sums)
    }
}
