//! Tiles of inputs and of gradients, transformed.

use std::hint::black_box;

use super::points::{Filter, Input, Tile, Transform, first_half, first_half_of};
use super::{Planes, SPAN, TILE};
use crate::conv::{Conv, Machine, Source};
use crate::fetch::needed_soon;
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};
use crate::units::Rows;

/// Tiles from one whose transform begins to one whose numbers are asked for.
const AHEAD: usize = 2;

/// The images `[n, h, w, c]` that tiles are cut from: inputs, `pad` of zeros around them and in
/// tiles of 6, or gradients, without and in tiles of 4.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    source: Source<'a>,
    h: usize,
    w: usize,
    c: usize,
    pad: usize,
    span: usize,
}

impl<'a> Images<'a> {
    pub(super) fn inputs(conv: &Conv, x: Source<'a>) -> Images<'a> {
        Images {
            source: x,
            h: conv.h,
            w: conv.w,
            c: conv.inputs,
            pad: conv.pad,
            span: SPAN,
        }
    }

    pub(super) fn gradients(conv: &Conv, dy: &'a [f32]) -> Images<'a> {
        Images {
            source: Source::plain(dy),
            h: conv.out_h(),
            w: conv.out_w(),
            c: conv.outputs,
            pad: 0,
            span: TILE,
        }
    }

    /// The transformed tiles for a unit of output rows.
    pub(super) fn tiles(self, on: Machine, conv: &Conv, unit: Rows) -> (Scratch, Planes) {
        let per_row = conv.out_w().div_ceil(TILE);
        let parts = || unit.per_image(conv.out_h());
        let tile_rows: usize = parts().map(|(_, _, rows)| rows.div_ceil(TILE)).sum();
        let planes = Planes {
            tiles: tile_rows * per_row,
            channels: self.c.next_multiple_of(LANES),
        };
        let mut transformed = Scratch::any(planes.len());
        let mut tile = 0;
        for (image, first, rows) in parts() {
            let len = self.h * self.w * self.c;
            let one = Images {
                source: self.source.within(image * len..(image + 1) * len),
                ..self
            };
            for tile_row in first / TILE..first / TILE + rows.div_ceil(TILE) {
                // SAFETY: `one` is an image of its size, the planes have `tile + per_row` tiles or
                // more.
                unsafe {
                    transform(
                        on.isa,
                        one,
                        tile_row,
                        per_row,
                        &mut transformed,
                        planes,
                        tile,
                    );
                }
                tile += per_row;
            }
        }
        (transformed, planes)
    }
}

kernel! {
    /// Transforms a row of tiles of one image into tiles `tile..tile + count` of the planes.
    ///
    /// # Safety
    /// The image's numbers must be `[h, w, c]`, the planes as long as said and have those tiles.
    fn transform(
        image: Images,
        tile_row: usize,
        count: usize,
        to: &mut [f32],
        planes: Planes,
        tile: usize,
    ) = transform_with
}

#[inline(always)]
unsafe fn transform_with<S: Simd>(
    image: Images,
    tile_row: usize,
    count: usize,
    to: &mut [f32],
    planes: Planes,
    tile: usize,
) {
    // SAFETY: the caller's promises.
    unsafe {
        // What the compiler knows is part of addresses, and not asked for every tile: the smallest
        // number of channels, whether there is a line.
        match (
            image.span == SPAN,
            image.c == LANES,
            image.source.line.is_some(),
        ) {
            (true, true, true) => {
                transform_by::<S, Input, SPAN, LANES, true>(
                    image, tile_row, count, to, planes, tile,
                );
            }
            (true, false, true) => {
                transform_by::<S, Input, SPAN, 0, true>(image, tile_row, count, to, planes, tile);
            }
            (true, true, false) => {
                transform_by::<S, Input, SPAN, LANES, false>(
                    image, tile_row, count, to, planes, tile,
                );
            }
            (true, false, false) => {
                transform_by::<S, Input, SPAN, 0, false>(image, tile_row, count, to, planes, tile);
            }
            (false, true, _) => {
                transform_by::<S, Filter, TILE, LANES, false>(
                    image, tile_row, count, to, planes, tile,
                );
            }
            (false, false, _) => {
                transform_by::<S, Filter, TILE, 0, false>(image, tile_row, count, to, planes, tile);
            }
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
    T: Transform<N, SPAN>,
    const N: usize,
    const C: usize,
    const LINE: bool,
>(
    image: Images,
    tile_row: usize,
    count: usize,
    to: &mut [f32],
    planes: Planes,
    tile: usize,
) {
    let Images { h, w, pad, .. } = image;
    let c = if C == 0 { image.c } else { C };
    let channels = if C == 0 { planes.channels } else { C };
    let stride = planes.stride();
    // Which of a tile's rows (or columns) are the image's.
    let inside = |start: usize, size: usize| {
        pad.saturating_sub(start).min(N)..(pad + size).saturating_sub(start).min(N)
    };
    let rows = inside(TILE * tile_row, h);
    // SAFETY: every address read is that of the lanes of a place of the image;
    // every address written that of a vector of channels of a tile's place.
    unsafe {
        for i in 0..count {
            let columns = inside(TILE * i, w);
            let whole = rows == (0..N) && columns == (0..N);
            let corner_of = |row: usize, i: usize| {
                let corner = TILE * (row * w + i) * c;
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
                    for x in N - TILE..N {
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
                let half = if whole && lanes == LANES {
                    first_half::<S, T, N, SPAN>(&part)
                } else {
                    let bordered = Bordered {
                        part,
                        lanes: &there,
                    };
                    first_half_of::<S, T, N, SPAN>(&columns, &bordered)
                };
                let to = black_box(to.as_mut_ptr().add((tile + i) * channels + first));
                for (y, half) in half.into_iter().enumerate() {
                    for (x, point) in T::apply::<S>(half).into_iter().enumerate() {
                        S::store(to.add((y * SPAN + x) * stride), point);
                    }
                }
            }
        }
    }
}
