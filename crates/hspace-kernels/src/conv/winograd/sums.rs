//! The gradient for the weights: inputs and gradients of the output are transformed, multiplied
//! and added up over all tiles before anything is transformed back.
//!
//! At stride 1 four numbers of the input meet six gradients, and not, as the outputs would suggest, six numbers four
//! gradients: so the gradients are transformed as those for the input need them, and whoever asks for both
//! gets them from the same tiles ([`FusedWeightGrad`]).

use rayon::prelude::*;

use super::products::Planes;
use super::scheme::{POINTS, Scheme, Term};
use super::tiles::Images;
use super::transform::{Places, Transform, first_half};
use super::weights::{self, PLANES};
use super::{WinogradPlan, dense, strided};
use crate::buffer::Buffer;
use crate::machine::Machine;
use crate::partition::{self, Rows};
use crate::product::microkernel::{Strides, add_outer};
use crate::scratch::Scratch;
use crate::shape::{Conv, Source};
use crate::simd::{LANES, Simd, kernel};

/// Tiles that make a pass over the sums worth while.
const TILES: usize = 64;
/// Sums that a unit's tiles are added to at once, for each product that is added to one.
const CACHED_SUMS_PER_PRODUCT: usize = 512 << 10;

/// The sums that make up the gradient for the weights: a plane `[input, output]` for each pair of
/// points, both padded to whole vectors.
pub(crate) struct WinogradWeightGrad {
    plan: WinogradPlan,
    /// What is added up in each plane.
    terms: Vec<Vec<Term>>,
    inputs: usize,
    deep: usize,
    wide: usize,
}

/// The sums that a gradient for the input computes from its own tiles.
pub(crate) struct FusedWeightGrad<'a> {
    sums: &'a WinogradWeightGrad,
    x: Source<'a>,
    to: &'a mut [f32],
    fresh: bool,
}

impl WinogradWeightGrad {
    pub(crate) fn new(conv: &Conv) -> WinogradWeightGrad {
        let plan = match conv.stride {
            1 => WinogradPlan::back(conv),
            _ => WinogradPlan::forward(conv),
        };
        WinogradWeightGrad {
            terms: plan.scheme.by_weight(),
            plan,
            inputs: conv.inputs,
            deep: conv.inputs.next_multiple_of(LANES),
            wide: conv.outputs.next_multiple_of(LANES),
        }
    }

    /// Numbers of one plane.
    fn plane(&self) -> usize {
        self.deep * self.wide
    }

    /// Numbers from one plane to the next.
    fn stride(&self) -> usize {
        weights::stride(self.deep, self.wide)
    }

    /// Numbers of all sums.
    pub(crate) fn len(&self) -> usize {
        PLANES * self.stride()
    }

    /// Each plane of `sums`, with the terms that it is the sum of.
    fn planes<'a>(
        &'a self,
        sums: &'a mut [f32],
    ) -> impl Iterator<Item = (&'a [Term], &'a mut [f32])> {
        let planes = sums.chunks_exact_mut(self.stride());
        let planes = planes.map(|plane| &mut plane[..self.plane()]);
        self.terms.iter().map(Vec::as_slice).zip(planes)
    }

    /// Whether the sums are too many for every unit to pass over them.
    pub(crate) fn is_large(&self) -> bool {
        let products: usize = self.terms.iter().map(Vec::len).sum();
        self.len() * PLANES > products * CACHED_SUMS_PER_PRODUCT
    }

    /// Images that make a chunk worth the pass over its sums.
    pub(crate) fn work(&self) -> usize {
        TILES.div_ceil(self.plan.tiles())
    }

    /// Adds `n` images to `sums`, or writes there where they are `fresh`.
    pub(crate) fn add(
        &self,
        on: Machine,
        n: usize,
        x: Source,
        dy: &[f32],
        sums: &mut [f32],
        fresh: bool,
    ) {
        for unit in self.plan.cut_by(n, TILES) {
            let tiles = Tiles::of(on, &self.plan, x, dy, unit);
            for (terms, sums) in self.planes(sums) {
                tiles.add(on, terms, 0, sums, fresh && unit.first == 0);
            }
        }
    }

    /// Whether the gradient for the input can compute them from its own tiles.
    pub(crate) fn can_fuse(&self) -> bool {
        self.plan.scheme == Scheme::Dense
    }

    /// The sums that it computes as well.
    pub(crate) fn weight_grad<'a>(
        &'a self,
        x: Source<'a>,
        to: &'a mut [f32],
        fresh: bool,
    ) -> FusedWeightGrad<'a> {
        FusedWeightGrad {
            sums: self,
            x,
            to,
            fresh,
        }
    }

    /// All `n` images, where the sums are too many for the cache: all tiles are transformed first, and
    /// then each plane is summed by itself, in as many parts as it has products.
    pub(crate) fn by_block(&self, on: Machine, n: usize, x: Source, dy: &[f32]) -> Buffer {
        let plan = &self.plan;
        let cuts = plan.cut_by(n, 128);
        let tiles: Vec<Tiles> = cuts
            .into_par_iter()
            .with_max_len(1)
            .map(|unit| Tiles::of(on, plan, x, dy, unit))
            .collect();
        let mut sums = Buffer::any(self.len());
        let mut parts: Vec<(&[Term], usize, &mut [f32])> = Vec::new();
        for (terms, sums) in self.planes(&mut sums) {
            let rows = self.deep.div_ceil(terms.len()).next_multiple_of(LANES);
            let blocks = sums.chunks_mut(rows * self.wide).enumerate();
            parts.extend(blocks.map(|(i, sums)| (terms, i * rows, sums)));
        }
        let parts = parts.into_par_iter().with_max_len(1);
        parts.for_each(|(terms, first, sums)| {
            for (i, tiles) in tiles.iter().enumerate() {
                tiles.add(on, terms, first, sums, i == 0);
            }
        });
        sums
    }

    /// The sums to `[output, input, 3, 3]`.
    pub(crate) fn restore(&self, on: Machine, sums: &[f32], dw: &mut [f32]) {
        assert_eq!(sums.len(), self.len(), "a plane for each pair of points");
        let (scheme, inputs) = (self.plan.scheme, self.inputs);
        let rows = dw.par_chunks_mut(LANES * inputs * 9).enumerate();
        let rows = rows.with_min_len(partition::least(LANES * inputs * PLANES));
        rows.for_each(|(i, dw)| {
            let (stride, wide, first) = (self.stride(), self.wide, i * LANES);
            // SAFETY: `sums` are 36 planes `[deep, wide]` and gaps, `dw` the taps of at most 16 outputs.
            unsafe { restore_weights(on.isa, scheme, sums, stride, wide, first, inputs, dw) };
        });
    }
}

impl FusedWeightGrad<'_> {
    /// The inputs that go with the gradients of `unit`.
    pub(super) fn inputs(&self, on: Machine, unit: Rows) -> (Scratch, Planes) {
        let plan = &self.sums.plan;
        Images::filters(plan, self.x).tiles(on, plan, unit)
    }

    /// Adds the products of one place of the inputs and the gradients.
    pub(super) fn add(
        &mut self,
        on: Machine,
        place: usize,
        inputs: (&[f32], Planes),
        gradients: (&[f32], Planes),
    ) {
        let sums = &mut self.to[place * self.sums.stride()..][..self.sums.plane()];
        add_terms(
            on,
            &self.sums.terms[place],
            inputs,
            gradients,
            0,
            sums,
            self.fresh,
        );
    }
}

/// Transformed tiles of inputs and of gradients.
struct Tiles {
    inputs: (Scratch, Planes),
    gradients: (Scratch, Planes),
}

impl Tiles {
    fn of(on: Machine, plan: &WinogradPlan, x: Source, dy: &[f32], unit: Rows) -> Tiles {
        let (inputs, gradients) = match plan.scheme {
            Scheme::Strided => (Images::inputs(plan, x), Images::gradients(plan, dy)),
            _ => (
                Images::filters(plan, x),
                Images::inputs(plan, Source::plain(dy)),
            ),
        };
        Tiles {
            inputs: inputs.tiles(on, plan, unit),
            gradients: gradients.tiles(on, plan, unit),
        }
    }

    /// [`add_terms`] of these.
    fn add(&self, on: Machine, terms: &[Term], first: usize, sums: &mut [f32], fresh: bool) {
        let (inputs, from) = &self.inputs;
        let (gradients, to) = &self.gradients;
        add_terms(
            on,
            terms,
            (inputs, *from),
            (gradients, *to),
            first,
            sums,
            fresh,
        );
    }
}

/// Adds the products of `terms` to rows of their plane of sums, from row `first` on, or writes
/// them there.
fn add_terms(
    on: Machine,
    terms: &[Term],
    (inputs, from): (&[f32], Planes),
    (gradients, to): (&[f32], Planes),
    first: usize,
    sums: &mut [f32],
    fresh: bool,
) {
    let (deep, wide) = (from.channels, to.channels);
    let strides = Strides {
        k: from.tiles,
        a_step: deep,
        b_step: wide,
        segments: 1,
        a_segment: 0,
        b_segment: 0,
    };
    let rows = sums.len() / wide;
    assert!(
        first + rows <= deep && from.tiles == to.tiles,
        "rows of a plane, and as many tiles of both"
    );
    for (i, term) in terms.iter().enumerate() {
        let left = &inputs[term.input * from.stride() + first..];
        let right = &gradients[term.product * to.stride()..];
        let fresh = fresh && i == 0;
        // SAFETY: both planes have a row per tile, of `deep` and of `wide` numbers.
        unsafe { add_outer(on.isa, &strides, left, right, sums, rows, wide, fresh) };
    }
}

kernel! {
    /// The taps `[output, input, 9]` of outputs `first` and on, as many as `dw` has room for, at
    /// most [`LANES`], from `sums`, 36 planes `[deep, wide]`, `stride` numbers from one to the next.
    ///
    /// # Safety
    /// `sums` must be that long, and have all those inputs and outputs.
    fn restore_weights(
        scheme: Scheme,
        sums: &[f32],
        stride: usize,
        wide: usize,
        first: usize,
        inputs: usize,
        dw: &mut [f32],
    ) = restore_weights_with
}

#[inline(always)]
unsafe fn restore_weights_with<S: Simd>(
    scheme: Scheme,
    sums: &[f32],
    stride: usize,
    wide: usize,
    first: usize,
    inputs: usize,
    dw: &mut [f32],
) {
    // SAFETY: the caller's promises.
    unsafe {
        match scheme {
            Scheme::Dense => {
                restore_weights_by::<S, dense::Taps>(sums, stride, wide, first, inputs, dw);
            }
            _ => restore_weights_by::<S, strided::Taps>(sums, stride, wide, first, inputs, dw),
        }
    }
}

#[inline(always)]
unsafe fn restore_weights_by<S: Simd, T: Transform<POINTS, 3>>(
    sums: &[f32],
    stride: usize,
    wide: usize,
    first: usize,
    inputs: usize,
    dw: &mut [f32],
) {
    for input in 0..inputs {
        let mut taps = [[0.0f32; LANES]; 9];
        // SAFETY: every address is that of a vector of outputs in one of the planes.
        unsafe {
            let from = sums.as_ptr().add(input * wide + first);
            let tile = Places::<POINTS> {
                first: from,
                stride,
            };
            let mut half = [[S::splat(0.0); POINTS]; 3];
            first_half::<S, T, POINTS, 3>(&tile, &mut half);
            for (y, half) in half.iter().enumerate() {
                for (x, tap) in T::apply::<S>(*half).into_iter().enumerate() {
                    S::store(taps[3 * y + x].as_mut_ptr(), tap);
                }
            }
        }
        for (output, dw) in dw.chunks_exact_mut(9 * inputs).enumerate() {
            for (tap, dw) in dw[9 * input..][..9].iter_mut().enumerate() {
                *dw = taps[tap][output];
            }
        }
    }
}
