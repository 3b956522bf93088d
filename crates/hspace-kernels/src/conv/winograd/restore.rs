//! Products of tiles to outputs.

use std::hint::black_box;

use super::products::Planes;
use super::scheme::Scheme;
use super::transform::{Places, Transform, first_half};
use super::{Size, WinogradPlan, dense, strided};
use crate::epilogue::{Epilogue, RawEpilogue};
use crate::machine::Machine;
use crate::partition::Rows;
use crate::simd::{LANES, Simd, kernel};

/// Turns the products of the tiles of `unit`, the first of them tile `tile`, into its rows of `y`.
#[allow(clippy::too_many_arguments)]
pub(super) fn restore_rows(
    on: Machine,
    plan: &WinogradPlan,
    products: &[f32],
    planes: Planes,
    mut tile: usize,
    unit: Rows,
    y: &mut [f32],
    epilogue: &Epilogue,
) {
    let (size, per_row) = (plan.scheme.tile(), plan.tiles_per_row());
    let Size { h, w, c } = plan.to;
    let row = w * c;
    assert!(y.len() == unit.count * row, "room for the outputs");
    epilogue.check(y.len(), c);
    for (image, first, rows) in unit.per_image(h) {
        let start = (image * h + first - unit.first) * row;
        for tile_row in 0..rows.div_ceil(size) {
            let lines = (rows - size * tile_row).min(size);
            let at = start + size * tile_row * row;
            assert!(tile + per_row <= planes.tiles, "a row of tiles");
            // SAFETY: the tiles are among the planes', and `y` (and what is added) hold `lines`
            // rows of `w × c` numbers from `at` on.
            unsafe {
                restore(
                    on.isa,
                    plan.scheme,
                    products,
                    planes,
                    tile,
                    y,
                    at,
                    lines,
                    w,
                    c,
                    epilogue.raw(),
                );
            }
            tile += per_row;
        }
    }
}

kernel! {
    /// Turns the products of one row of tiles, from tile `tile` on, into `lines` rows of
    /// `[out_w, outputs]` at `y[at..]`, finished.
    ///
    /// # Safety
    /// The planes must have those tiles; `y` and what the epilogue adds those rows.
    fn restore(
        scheme: Scheme,
        products: &[f32],
        planes: Planes,
        tile: usize,
        y: &mut [f32],
        at: usize,
        lines: usize,
        out_w: usize,
        outputs: usize,
        epilogue: RawEpilogue,
    ) = restore_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn restore_with<S: Simd>(
    scheme: Scheme,
    products: &[f32],
    planes: Planes,
    tile: usize,
    y: &mut [f32],
    at: usize,
    lines: usize,
    out_w: usize,
    outputs: usize,
    epilogue: RawEpilogue,
) {
    macro_rules! by {
        ($transform:ty, $places:literal, $tile:literal) => {
            restore_by::<S, $transform, $places, $tile>(
                products, planes, tile, y, at, lines, out_w, outputs, epilogue,
            )
        };
    }
    // SAFETY: the caller's promises.
    unsafe {
        match scheme {
            Scheme::Dense => by!(dense::Outputs, 6, 4),
            Scheme::Strided => by!(strided::Outputs, 5, 4),
            Scheme::Spread { mirrored: false } => by!(strided::Spread<false>, 9, 8),
            Scheme::Spread { mirrored: true } => by!(strided::Spread<true>, 9, 8),
        }
    }
}

/// The same by a transform of `M` places to a tile of `TILE`, each way.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn restore_by<S: Simd, T: Transform<M, TILE>, const M: usize, const TILE: usize>(
    products: &[f32],
    planes: Planes,
    tile: usize,
    y: &mut [f32],
    at: usize,
    lines: usize,
    out_w: usize,
    outputs: usize,
    epilogue: RawEpilogue,
) {
    let (wide, stride) = (planes.channels, planes.stride());
    let (plain, added) = (epilogue.nothing(), epilogue.only_added());
    // SAFETY: every address is that of a vector of channels of a tile's place, or of the first
    // lanes of an output.
    unsafe {
        let mut half = [[S::splat(0.0); M]; TILE];
        for (i, x0) in (0..out_w).step_by(TILE).enumerate() {
            let columns = (out_w - x0).min(TILE);
            for c in (0..outputs).step_by(LANES) {
                let lanes = (outputs - c).min(LANES);
                let from = black_box(products.as_ptr().add((tile + i) * wide + c));
                let tile = Places::<M> {
                    first: from,
                    stride,
                };
                first_half::<S, T, M, TILE>(&tile, &mut half);
                let whole = lanes == LANES && columns == TILE;
                if whole && (plain || added.is_some()) {
                    for (line, half) in half.iter().enumerate().take(lines) {
                        let place = at + (line * out_w + x0) * outputs + c;
                        let (to, row) = (y.as_mut_ptr().add(place), T::apply::<S>(*half));
                        let row = match added {
                            None => row,
                            Some(added) => {
                                let mut next = added.add(place).wrapping_sub(outputs);
                                row.map(|value| {
                                    next = next.wrapping_add(outputs);
                                    S::add(value, S::load(next))
                                })
                            }
                        };
                        for (x, value) in row.into_iter().enumerate() {
                            S::store(to.add(x * outputs), value);
                        }
                    }
                    continue;
                }
                for (line, half) in half.iter().enumerate().take(lines) {
                    let row = T::apply::<S>(*half).into_iter().enumerate();
                    for (x, value) in row.take(columns) {
                        let place = at + (line * out_w + x0 + x) * outputs + c;
                        epilogue.write::<S>(value, y.as_mut_ptr(), place, c, lanes);
                    }
                }
            }
        }
    }
}
