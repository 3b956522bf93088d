//! Tiles of inputs and of gradients, transformed.

use std::hint::black_box;

use super::products::Planes;
use super::scheme::Scheme;
use super::transform::{Tile, Transform, first_half, first_half_of};
use super::{Size, WinogradPlan, dense, strided};
use crate::fetch::needed_soon;
use crate::machine::Machine;
use crate::partition::Rows;
use crate::scratch::Scratch;
use crate::shape::Source;
use crate::simd::{LANES, Simd, kernel};

/// Tiles from one whose transform begins to one whose numbers are asked for.
const AHEAD: usize = 2;

/// The images `[n, h, w, c]` that tiles are cut from, with zeros around them.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    source: Source<'a>,
    size: Size,
    pad: usize,
    kind: TileKind,
}

/// What is cut.
#[derive(Clone, Copy)]
enum TileKind {
    /// Inputs: overlapping tiles.
    Inputs(Scheme),
    /// Gradients of the output, for the weights' at stride 2: a tile for each of the inputs.
    Gradients(Scheme),
    /// Inputs of the convolution, for the weights' gradients at stride 1: a tile for each of the gradients.
    Filters,
}

impl TileKind {
    /// Places of a tile.
    fn places(self) -> usize {
        match self {
            TileKind::Inputs(scheme) => scheme.inputs().pow(2),
            TileKind::Gradients(scheme) => scheme.products().pow(2),
            TileKind::Filters => Scheme::Dense.products().pow(2),
        }
    }
}

impl<'a> Images<'a> {
    pub(super) fn inputs(plan: &WinogradPlan, x: Source<'a>) -> Images<'a> {
        Images {
            source: x,
            size: plan.from,
            pad: plan.pad,
            kind: TileKind::Inputs(plan.scheme),
        }
    }

    pub(super) fn gradients(plan: &WinogradPlan, dy: &'a [f32]) -> Images<'a> {
        Images {
            source: Source::plain(dy),
            size: plan.to,
            pad: 0,
            kind: TileKind::Gradients(plan.scheme),
        }
    }

    /// What the convolution saw, tile for tile of what `plan`, its backward pass, computes.
    pub(super) fn filters(plan: &WinogradPlan, x: Source<'a>) -> Images<'a> {
        Images {
            source: x,
            size: plan.to,
            pad: 0,
            kind: TileKind::Filters,
        }
    }

    /// The transformed tiles for a unit of output rows.
    pub(super) fn tiles(self, on: Machine, plan: &WinogradPlan, unit: Rows) -> (Scratch, Planes) {
        let (size, per_row) = (plan.scheme.tile(), plan.tiles_per_row());
        let parts = || unit.per_image(plan.to.h);
        let tile_rows: usize = parts().map(|(_, _, rows)| rows.div_ceil(size)).sum();
        let planes = Planes {
            places: self.kind.places(),
            tiles: tile_rows * per_row,
            channels: self.size.c.next_multiple_of(LANES),
        };
        let mut transformed = Scratch::any(planes.len());
        let mut row = Row {
            number: 0,
            count: per_row,
            planes,
            tile: 0,
        };
        for (image, first, rows) in parts() {
            let len = self.size.len();
            let one = Images {
                source: self.source.within(image * len..(image + 1) * len),
                ..self
            };
            for number in first / size..first / size + rows.div_ceil(size) {
                row.number = number;
                // SAFETY: `one` is an image of its size, the planes have `tile + count` tiles or
                // more.
                unsafe { transform(on, one, row, &mut transformed) };
                row.tile += per_row;
            }
        }
        (transformed, planes)
    }
}

/// A row of tiles of an image, and where its transformed tiles go.
#[derive(Clone, Copy)]
struct Row {
    /// Which of the image's rows of tiles.
    number: usize,
    /// Tiles.
    count: usize,
    planes: Planes,
    /// The first of them among the planes'.
    tile: usize,
}

/// Transforms a row of tiles of one image into the planes.
///
/// # Safety
/// The image's numbers must be `[h, w, c]`, the planes as long as said and have those tiles.
unsafe fn transform(on: Machine, image: Images, row: Row, to: &mut [f32]) {
    let kernel = match image.kind {
        TileKind::Inputs(Scheme::Dense) => dense_inputs,
        TileKind::Inputs(Scheme::Strided) => strided_inputs,
        TileKind::Inputs(Scheme::Spread { mirrored: false }) => spread_inputs,
        TileKind::Inputs(Scheme::Spread { mirrored: true }) => mirrored_inputs,
        TileKind::Gradients(_) => strided_gradients,
        TileKind::Filters => dense_filters,
    };
    // SAFETY: the caller's promises.
    unsafe { kernel(on.isa, image, row, to) };
}

/// [`transform`] of one kind, by a transform of `$n` numbers to `$m` places each way, `$step` numbers
/// from one tile to the next. Kernels of their own: all in one are slower by 3 %.
macro_rules! kind {
    ($name:ident, $with:ident: $transform:ty, $n:literal to $m:literal, $step:literal) => {
        kernel! {
            /// # Safety
            /// As [`transform`].
            fn $name(image: Images, row: Row, to: &mut [f32]) = $with
        }

        #[inline(always)]
        unsafe fn $with<S: Simd>(image: Images, row: Row, to: &mut [f32]) {
            // SAFETY: the caller's promises.
            unsafe { transform_with::<S, $transform, $n, $m, $step>(image, row, to) };
        }
    };
}

kind!(dense_inputs, dense_inputs_with: dense::Input, 6 to 6, 4);
kind!(strided_inputs, strided_inputs_with: strided::Input, 9 to 9, 8);
kind!(spread_inputs, spread_inputs_with: strided::Spread<false>, 5 to 5, 4);
kind!(mirrored_inputs, mirrored_inputs_with: strided::Spread<true>, 5 to 5, 4);
kind!(dense_filters, dense_filters_with: dense::Filter, 4 to 6, 4);
kind!(strided_gradients, strided_gradients_with: strided::Gradients, 4 to 5, 4);

/// What the compiler knows is part of addresses, and not asked for every tile: the smallest number
/// of channels, whether there is a line.
#[inline(always)]
unsafe fn transform_with<
    S: Simd,
    T: Transform<N, M>,
    const N: usize,
    const M: usize,
    const STEP: usize,
>(
    image: Images,
    row: Row,
    to: &mut [f32],
) {
    // SAFETY: the caller's promises.
    unsafe {
        match (image.size.c == LANES, image.source.line.is_some()) {
            (true, true) => transform_by::<S, T, N, M, STEP, LANES, true>(image, row, to),
            (true, false) => transform_by::<S, T, N, M, STEP, LANES, false>(image, row, to),
            (false, true) => transform_by::<S, T, N, M, STEP, 0, true>(image, row, to),
            (false, false) => transform_by::<S, T, N, M, STEP, 0, false>(image, row, to),
        }
    }
}

/// A vector of channels of each place of a tile, through the line if there is one.
struct Part<const LINE: bool> {
    corner: *const f32,
    row: usize,
    column: usize,
    line: (*const f32, *const f32),
}

impl<const LINE: bool> Part<LINE> {
    /// The first `lanes` numbers of the vector in row `y` and column `x`, then zeros: of the line
    /// too, which so makes zero of zero.
    ///
    /// # Safety
    /// There must be so many, and as many of the line.
    #[inline(always)]
    unsafe fn first<S: Simd>(&self, y: usize, x: usize, lanes: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe {
            let place = self.corner.wrapping_add(y * self.row + x * self.column);
            let value = S::load_first(place, lanes);
            if !LINE {
                return value;
            }
            let scale = S::load_first(self.line.0, lanes);
            let shift = S::load_first(self.line.1, lanes);
            S::max(S::splat(0.0), S::mul_add(value, scale, shift))
        }
    }
}

impl<S: Simd, const LINE: bool> Tile<S> for Part<LINE> {
    /// # Safety
    /// The tile must be the image's, all of it, with whole vectors.
    #[inline(always)]
    unsafe fn at(&self, y: usize, x: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe { self.first::<S>(y, x, LANES) }
    }
}

/// The same of a tile at the border: of each row so many lanes, zeros elsewhere.
struct Bordered<'a, const LINE: bool, const N: usize> {
    part: Part<LINE>,
    lanes: &'a [usize; N],
}

impl<S: Simd, const LINE: bool, const N: usize> Tile<S> for Bordered<'_, LINE, N> {
    /// # Safety
    /// What the lanes say must be there.
    #[inline(always)]
    unsafe fn at(&self, y: usize, x: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe { self.part.first::<S>(y, x, self.lanes[y]) }
    }
}

/// `C` channels of the image, or 0 for any number; `LINE` if its source has a line.
#[inline(always)]
unsafe fn transform_by<
    S: Simd,
    T: Transform<N, M>,
    const N: usize,
    const M: usize,
    const STEP: usize,
    const C: usize,
    const LINE: bool,
>(
    image: Images,
    row: Row,
    to: &mut [f32],
) {
    let Images { size, pad, .. } = image;
    let Size { h, w, .. } = size;
    let Row {
        number: tile_row,
        count,
        planes,
        tile,
    } = row;
    let c = if C == 0 { size.c } else { C };
    let channels = if C == 0 { planes.channels } else { C };
    let stride = planes.stride();
    // Which of a tile's rows (or columns) are the image's.
    let inside = |start: usize, size: usize| {
        pad.saturating_sub(start).min(N)..(pad + size).saturating_sub(start).min(N)
    };
    let rows = inside(STEP * tile_row, h);
    // SAFETY: every address read is that of the lanes of a place of the image;
    // every address written that of a vector of channels of a tile's place.
    unsafe {
        let mut half = [[S::splat(0.0); N]; M];
        for i in 0..count {
            let columns = inside(STEP * i, w);
            let whole = rows == (0..N) && columns == (0..N);
            let corner_of = |row: usize, i: usize| {
                let corner = STEP * (row * w + i) * c;
                let corner = image.source.numbers.as_ptr().wrapping_add(corner);
                corner.wrapping_sub((pad * w + pad) * c)
            };
            let corner = corner_of(tile_row, i);
            let ahead = match i + AHEAD < count {
                true => corner_of(tile_row, i + AHEAD),
                false => corner_of(tile_row + 1, i + AHEAD - count),
            };
            for first in (0..channels).step_by(LANES) {
                let lanes = (c - first).min(LANES);
                let there: [usize; N] = std::array::from_fn(|y| match rows.contains(&y) {
                    true => lanes,
                    false => 0,
                });
                let corner = black_box(corner.wrapping_add(first));
                for y in 0..N {
                    for x in N - STEP..N {
                        needed_soon(ahead.wrapping_add((y * w + x) * c + first));
                    }
                }
                let line = match image.source.line {
                    Some((scale, shift)) if LINE => {
                        (scale.as_ptr().add(first), shift.as_ptr().add(first))
                    }
                    _ => (std::ptr::null(), std::ptr::null()),
                };
                let part = Part::<LINE> {
                    corner,
                    row: w * c,
                    column: c,
                    line,
                };
                if whole && lanes == LANES {
                    first_half::<S, T, N, M>(&part, &mut half);
                } else {
                    let bordered = Bordered {
                        part,
                        lanes: &there,
                    };
                    first_half_of::<S, T, N, M>(&columns, &bordered, &mut half);
                }
                let to = black_box(to.as_mut_ptr().add((tile + i) * channels + first));
                for (y, half) in half.iter().enumerate() {
                    for (x, point) in T::apply::<S>(*half).into_iter().enumerate() {
                        S::store(to.add((y * M + x) * stride), point);
                    }
                }
            }
        }
    }
}
