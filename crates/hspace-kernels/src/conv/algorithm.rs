//! The ways to compute a convolution and its gradients: by minimal filtering or directly.

use super::{direct, winograd};
use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::fetch::Area;
use crate::machine::Machine;
use crate::norm::BlockEpilogue;
use crate::partition::{self, Rows};
use crate::shape::{Conv, Source};

/// A forward convolution, or the gradient for the input, with its weights ready.
pub(super) struct Algorithm {
    /// The convolution; for [`Weights::Direct`] the one that this is as if forward.
    conv: Conv,
    weights: Weights,
}

enum Weights {
    Winograd(winograd::Packed),
    Direct(direct::Packed),
    Phases(direct::Phases),
}

/// Whether Winograd is allowed and pays.
fn fits_winograd(conv: &Conv, on: Machine) -> bool {
    on.winograd && winograd::pays(conv)
}

impl Algorithm {
    pub(super) fn forward(on: Machine, conv: &Conv, weight: &[f32]) -> Algorithm {
        let weights = if fits_winograd(conv, on) {
            Weights::Winograd(winograd::Packed::forward(on, conv, weight))
        } else {
            Weights::Direct(direct::Packed::new(on, conv, weight, false))
        };
        let conv = *conv;
        Algorithm { conv, weights }
    }

    /// The gradient for the input of `conv`.
    pub(super) fn back(on: Machine, conv: &Conv, weight: &[f32]) -> Algorithm {
        let (conv, weights) = if fits_winograd(conv, on) {
            let packed = winograd::Packed::back(on, conv, weight);
            (*conv, Weights::Winograd(packed))
        } else if conv.stride == 1 {
            let back = conv.transposed();
            let packed = direct::Packed::new(on, &back, weight, true);
            (back, Weights::Direct(packed))
        } else {
            let phases = direct::Phases::new(on, conv, weight);
            (*conv, Weights::Phases(phases))
        };
        Algorithm { conv, weights }
    }

    /// Units of work for `n` images.
    pub(super) fn cut(&self, n: usize) -> Vec<Rows> {
        let conv = &self.conv;
        match &self.weights {
            Weights::Winograd(packed) => packed.cut(n),
            Weights::Direct(_) => partition::cut(n, conv.out_h(), direct::Packed::target(conv), 1),
            Weights::Phases(_) => {
                partition::cut(n, conv.h, direct::Phases::target(conv), conv.stride)
            }
        }
    }

    /// Numbers in a row of what it writes.
    pub(super) fn row(&self) -> usize {
        match &self.weights {
            Weights::Winograd(packed) => packed.row(),
            Weights::Phases(_) => self.conv.w * self.conv.inputs,
            Weights::Direct(_) => self.conv.out_w() * self.conv.outputs,
        }
    }

    /// The outputs of `n` images, to `y`, and what `then` makes of each unit's.
    pub(super) fn all<T: Send>(
        &self,
        on: Machine,
        n: usize,
        x: Source,
        y: &mut [f32],
        epilogue: &Epilogue,
        then: impl Fn(&[f32]) -> T + Sync,
    ) -> Vec<T> {
        let (cuts, row) = (self.cut(n), self.row());
        let large = match &self.weights {
            Weights::Winograd(packed) if packed.is_large() => Some(packed.by_place(on, x, &cuts)),
            _ => None,
        };
        partition::over(&cuts, vec![(); cuts.len()], y, row, |unit, (), y| {
            let first = unit.first * row;
            let epilogue = epilogue.within(first..first + y.len());
            match &large {
                Some(products) => products.outputs(on, unit, y, &epilogue),
                None => self.outputs(on, n, x, unit, y, &epilogue, &[], None),
            }
            then(y)
        })
    }

    /// Whether units are whole images, each computed by itself.
    pub(super) fn is_by_image(&self, n: usize) -> bool {
        let large = matches!(&self.weights, Weights::Winograd(packed) if packed.is_large());
        let height = self.conv.out_h();
        let whole = |unit: &Rows| (unit.first % height, unit.count % height) == (0, 0);
        !large && self.cut(n).iter().all(whole)
    }

    /// The outputs of `n` images that end `before`, as each unit needs them, where units are whole images; and what
    /// `then` makes of each unit's.
    pub(super) fn all_behind<T: Send>(
        &self,
        on: Machine,
        n: usize,
        before: BlockEpilogue,
        y: &mut [f32],
        then: impl Fn(&[f32]) -> T + Sync,
    ) -> Vec<T> {
        let (cuts, row, height) = (self.cut(n), self.row(), self.conv.out_h());
        let image = before.y.len() / n;
        let (mut parts, mut rest) = (Vec::with_capacity(cuts.len()), before);
        for unit in &cuts {
            let (part, after) = rest.split(unit.count / height * image);
            parts.push(part);
            rest = after;
        }
        let next = parts.iter().skip(1).map(BlockEpilogue::touches);
        let later: Vec<_> = next.map(Some).chain([None]).collect();
        let given = parts.into_iter().zip(later).collect();
        partition::over(&cuts, given, y, row, |unit, (before, later), y| {
            let x = Source::plain(before.rows(on));
            let (n, unit) = (unit.count / height, Rows { first: 0, ..unit });
            let later = later.as_slice().as_flattened();
            self.outputs(on, n, x, unit, y, &Epilogue::default(), later, None);
            then(y)
        })
    }

    /// The outputs of a unit of `n` images, to `y`; `epilogue` is the unit's. What is needed `later` is asked for
    /// meanwhile; sums of the weight gradient go to `weight_grad` ([`WeightGrad::shared_with`]).
    #[allow(clippy::too_many_arguments)]
    pub(super) fn outputs(
        &self,
        on: Machine,
        n: usize,
        x: Source,
        unit: Rows,
        y: &mut [f32],
        epilogue: &Epilogue,
        later: &[Area],
        weight_grad: Option<winograd::FusedWeightGrad>,
    ) {
        let conv = Conv { n, ..self.conv };
        match &self.weights {
            Weights::Winograd(packed) => {
                packed.outputs(on, x, unit, y, epilogue, later, weight_grad)
            }
            Weights::Direct(packed) => packed.outputs(on, &conv, x, unit, y, epilogue),
            Weights::Phases(phases) => phases.outputs(on, &conv, x.numbers, unit, y, epilogue),
        }
    }
}

/// The sums that make up the gradient for the weights.
pub(super) enum WeightGrad {
    Winograd(winograd::WinogradWeightGrad),
    Direct(direct::DirectWeightGrad),
}

impl WeightGrad {
    pub(super) fn new(on: Machine, conv: &Conv) -> WeightGrad {
        if fits_winograd(conv, on) {
            WeightGrad::Winograd(winograd::WinogradWeightGrad::new(conv))
        } else {
            WeightGrad::Direct(direct::DirectWeightGrad::new(conv))
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            WeightGrad::Winograd(sums) => sums.len(),
            WeightGrad::Direct(sums) => sums.len(),
        }
    }

    pub(super) fn is_large(&self) -> bool {
        match self {
            WeightGrad::Winograd(sums) => sums.is_large(),
            WeightGrad::Direct(sums) => sums.is_large(),
        }
    }

    pub(super) fn work(&self, conv: &Conv) -> usize {
        match self {
            WeightGrad::Winograd(sums) => sums.work(),
            WeightGrad::Direct(sums) => sums.work(conv),
        }
    }

    pub(super) fn add(
        &self,
        on: Machine,
        conv: &Conv,
        x: Source,
        dy: &[f32],
        part: &mut [f32],
        fresh: bool,
    ) {
        match self {
            WeightGrad::Winograd(sums) => sums.add(on, conv.n, x, dy, part, fresh),
            WeightGrad::Direct(sums) => sums.add(on, conv, x, dy, part, fresh),
        }
    }

    /// The sums that `algorithm`, the gradient for the input, can compute as well, since it uses the same tiles.
    pub(super) fn shared_with(
        &self,
        algorithm: &Algorithm,
    ) -> Option<&winograd::WinogradWeightGrad> {
        match (self, &algorithm.weights) {
            (WeightGrad::Winograd(sums), Weights::Winograd(_)) if sums.can_fuse() => Some(sums),
            _ => None,
        }
    }

    pub(super) fn by_block(&self, on: Machine, conv: &Conv, x: Source, dy: &[f32]) -> Buffer {
        match self {
            WeightGrad::Winograd(sums) => sums.by_block(on, conv.n, x, dy),
            WeightGrad::Direct(sums) => sums.by_block(on, conv, x, dy),
        }
    }

    pub(super) fn restore(&self, on: Machine, conv: &Conv, total: &[f32], dw: &mut [f32]) {
        match self {
            WeightGrad::Winograd(sums) => sums.restore(on, total, dw),
            WeightGrad::Direct(sums) => sums.restore(conv, total, dw),
        }
    }
}
