//! The ways to compute a convolution and its gradients: by minimal filtering or directly.

use crate::buffer::Buffer;
use crate::fetch::Area;
use crate::finish::Finish;
use crate::machine::Machine;
use crate::norm::Ending;
use crate::shape::{Conv, Source};
use crate::units::{self, Rows};
use crate::{direct, winograd};

/// A forward convolution, or the gradient for the input, with its weights ready.
pub(super) struct Way {
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

impl Way {
    pub(super) fn forward(on: Machine, conv: &Conv, weight: &[f32]) -> Way {
        let weights = if fits_winograd(conv, on) {
            Weights::Winograd(winograd::Packed::forward(on, conv, weight))
        } else {
            Weights::Direct(direct::Packed::new(on, conv, weight, false))
        };
        let conv = *conv;
        Way { conv, weights }
    }

    /// The gradient for the input of `conv`.
    pub(super) fn back(on: Machine, conv: &Conv, weight: &[f32]) -> Way {
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
        Way { conv, weights }
    }

    /// Units of work for `n` images.
    pub(super) fn cut(&self, n: usize) -> Vec<Rows> {
        let conv = &self.conv;
        match &self.weights {
            Weights::Winograd(packed) => packed.cut(n),
            Weights::Direct(_) => units::cut(n, conv.out_h(), direct::Packed::target(conv), 1),
            Weights::Phases(_) => units::cut(n, conv.h, direct::Phases::target(conv), conv.stride),
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
        finish: &Finish,
        then: impl Fn(&[f32]) -> T + Sync,
    ) -> Vec<T> {
        let (cuts, row) = (self.cut(n), self.row());
        let large = match &self.weights {
            Weights::Winograd(packed) if packed.is_large() => Some(packed.by_place(on, x, &cuts)),
            _ => None,
        };
        units::over(&cuts, vec![(); cuts.len()], y, row, |unit, (), y| {
            let first = unit.first * row;
            let finish = finish.within(first..first + y.len());
            match &large {
                Some(products) => products.outputs(on, unit, y, &finish),
                None => self.outputs(on, n, x, unit, y, &finish, &[], None),
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
        before: Ending,
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
        let next = parts.iter().skip(1).map(Ending::touches);
        let later: Vec<_> = next.map(Some).chain([None]).collect();
        let given = parts.into_iter().zip(later).collect();
        units::over(&cuts, given, y, row, |unit, (before, later), y| {
            let x = Source::plain(before.rows(on));
            let (n, unit) = (unit.count / height, Rows { first: 0, ..unit });
            let later = later.as_slice().as_flattened();
            self.outputs(on, n, x, unit, y, &Finish::default(), later, None);
            then(y)
        })
    }

    /// The outputs of a unit of `n` images, to `y`; `finish` is the unit's. What is needed `later` is asked for
    /// meanwhile; sums go `along` ([`Sums::shared_with`]).
    #[allow(clippy::too_many_arguments)]
    pub(super) fn outputs(
        &self,
        on: Machine,
        n: usize,
        x: Source,
        unit: Rows,
        y: &mut [f32],
        finish: &Finish,
        later: &[Area],
        along: Option<winograd::Along>,
    ) {
        let conv = Conv { n, ..self.conv };
        match &self.weights {
            Weights::Winograd(packed) => packed.outputs(on, x, unit, y, finish, later, along),
            Weights::Direct(packed) => packed.outputs(on, &conv, x, unit, y, finish),
            Weights::Phases(phases) => phases.outputs(on, &conv, x.numbers, unit, y, finish),
        }
    }
}

/// The sums that make up the gradient for the weights.
pub(super) enum Sums {
    Winograd(winograd::Sums),
    Direct(direct::Sums),
}

impl Sums {
    pub(super) fn new(on: Machine, conv: &Conv) -> Sums {
        if fits_winograd(conv, on) {
            Sums::Winograd(winograd::Sums::new(conv))
        } else {
            Sums::Direct(direct::Sums::new(conv))
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Sums::Winograd(sums) => sums.len(),
            Sums::Direct(sums) => sums.len(),
        }
    }

    pub(super) fn is_large(&self) -> bool {
        match self {
            Sums::Winograd(sums) => sums.is_large(),
            Sums::Direct(sums) => sums.is_large(),
        }
    }

    pub(super) fn work(&self, conv: &Conv) -> usize {
        match self {
            Sums::Winograd(sums) => sums.work(),
            Sums::Direct(sums) => sums.work(conv),
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
            Sums::Winograd(sums) => sums.add(on, conv.n, x, dy, part, fresh),
            Sums::Direct(sums) => sums.add(on, conv, x, dy, part, fresh),
        }
    }

    /// The same as what `way`, the gradient for the input, takes along, if it computes that from the same tiles.
    pub(super) fn shared_with(&self, way: &Way) -> Option<&winograd::Sums> {
        match (self, &way.weights) {
            (Sums::Winograd(sums), Weights::Winograd(_)) if sums.go_along() => Some(sums),
            _ => None,
        }
    }

    pub(super) fn by_block(&self, on: Machine, conv: &Conv, x: Source, dy: &[f32]) -> Buffer {
        match self {
            Sums::Winograd(sums) => sums.by_block(on, conv.n, x, dy),
            Sums::Direct(sums) => sums.by_block(on, conv, x, dy),
        }
    }

    pub(super) fn restore(&self, on: Machine, conv: &Conv, total: &[f32], dw: &mut [f32]) {
        match self {
            Sums::Winograd(sums) => sums.restore(on, total, dw),
            Sums::Direct(sums) => sums.restore(conv, total, dw),
        }
    }
}
