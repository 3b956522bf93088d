//! 3 × 3 convolutions of stride 1 by minimal filtering (Winograd 1980; Lavin & Gray 2016,
//! arXiv:1509.09308): F(4×4, 3×3) for the outputs and the input's gradient, F(3×3, 4×4) for the
//! weights' gradient. Both see tiles of 6 × 6 inputs, and transform them alike.
//!
//! We interpolate at 0, ±2/3, ±3/2 and ∞ instead of the usual 0, ±1, ±2: the same number of
//! operations, and half the rounding error.
//!
//! A unit of work is a few rows of tiles. Its transformed inputs, their products with the
//! transformed weights (one matrix product for each of the 36 places in a tile) and the results
//! stay in the second-level cache.

mod points;
mod sums;
mod tiles;

use std::hint::black_box;

use rayon::prelude::*;

use self::points::{Outputs, Places, Transform, filter_point, first_half};
pub(crate) use self::sums::Sums;
use self::tiles::Images;
use crate::buffer::Buffer;
use crate::conv::{Conv, Machine, Source};
use crate::fetch::{Area, Fetch};
use crate::finish::RawFinish;
use crate::micro::{Block, Walk, column_block, over_rows, product};
use crate::scratch::Scratch;
use crate::simd::{LANES, Simd, kernel};
use crate::transpose::transpose;
use crate::units::{self, Rows};

/// Outputs of a tile, each way.
const TILE: usize = 4;
/// Inputs of a tile, each way.
const SPAN: usize = 6;
/// Places of a tile.
const PLACES: usize = SPAN * SPAN;
/// Numbers between the end of one place's plane and the next, so that the planes do not compete
/// for the same cache lines.
const GAP: usize = 16;
// In the loops over tiles one address is a `black_box`: the compiler would otherwise carry each of
// the 36 addresses of a tile from one tile to the next, in memory since registers run out.

/// Transformed weights that stay in the second-level cache beside a unit, or not far from it.
const CACHED_WEIGHTS: usize = 1 << 20;
/// Numbers that the planes of a unit may take together.
const UNIT: usize = 128 << 10;

/// The weights of a convolution, ready for use: transformed and packed, for each place, for each
/// block of columns, every input channel, and for those the block's columns side by side.
pub(crate) struct Packed(Buffer);

fn transform_weights(on: Machine, conv: &Conv, weight: &[f32], turned: bool) -> Buffer {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let (deep, wide) = (
        inputs.next_multiple_of(LANES),
        outputs.next_multiple_of(LANES),
    );
    // [input, tap, output], so that a vector holds one tap of several outputs.
    let mut taps = Buffer::any(inputs * 9 * wide);
    let row = 9 * wide;
    let few = taps.par_chunks_mut(LANES * row).enumerate();
    let few = few.with_min_len(units::least(LANES * row));
    few.for_each(|(i, taps)| {
        let (first, count) = (i * LANES, taps.len() / row);
        if outputs < wide {
            taps.fill(0.0);
        }
        if !turned {
            let (from, size) = (&weight[first * 9..], (outputs, count * 9));
            return transpose(on.isa, from, inputs * 9, taps, wide, size);
        }
        for (input, taps) in (first..).zip(taps.chunks_exact_mut(row)) {
            let from = &weight[input * outputs * 9..];
            transpose(on.isa, from, 9, taps, wide, (outputs, 9));
            let mut taps: Vec<&mut [f32]> = taps.chunks_exact_mut(wide).collect();
            let (before, after) = taps.split_at_mut(4);
            for (a, b) in before.iter_mut().zip(after.iter_mut().rev()) {
                a.swap_with_slice(b);
            }
        }
    });
    let plane = deep * wide;
    let mut packed = if deep == inputs {
        Buffer::any(PLACES * plane)
    } else {
        Buffer::zeros(PLACES * plane)
    };
    packed
        .par_chunks_mut(SPAN * plane)
        .enumerate()
        .with_min_len(units::least(SPAN * plane))
        .for_each(|(row, packed)| {
            // SAFETY: `taps` is `[inputs, 9, wide]`, `packed` six planes of `deep × wide`.
            unsafe { filter_row(on.isa, &taps, inputs, wide, row, packed, deep) };
        });
    packed
}

kernel! {
    /// Row `row` of the 6 × 6 transformed weights.
    ///
    /// # Safety
    /// `taps` must be `[inputs, 9, wide]` and `packed` six planes of `deep × wide`, `deep` at least
    /// `inputs`.
    fn filter_row(
        taps: &[f32],
        inputs: usize,
        wide: usize,
        row: usize,
        packed: &mut [f32],
        deep: usize,
    ) = filter_row_with
}

#[inline(always)]
unsafe fn filter_row_with<S: Simd>(
    taps: &[f32],
    inputs: usize,
    wide: usize,
    row: usize,
    packed: &mut [f32],
    deep: usize,
) {
    let mut first = 0;
    while first < wide {
        let block = column_block(S::WIDTH, wide, first);
        for input in 0..inputs {
            for column in (0..block).step_by(LANES) {
                // SAFETY: every address is that of a vector of outputs of one tap, or of one
                // place.
                unsafe {
                    let from = taps.as_ptr().add(input * 9 * wide + first + column);
                    let mut half = [S::splat(0.0); 3];
                    for (x, half) in half.iter_mut().enumerate() {
                        let tap = |y: usize| S::load(from.add((3 * y + x) * wide));
                        *half = filter_point::<S>(row, [tap(0), tap(1), tap(2)]);
                    }
                    for x in 0..SPAN {
                        let at = x * deep * wide + first * deep + input * block + column;
                        S::store(packed.as_mut_ptr().add(at), filter_point::<S>(x, half));
                    }
                }
            }
        }
        first += block;
    }
}

/// How a unit's tiles lie in memory.
#[derive(Clone, Copy)]
struct Planes {
    /// Tiles.
    tiles: usize,
    /// Channels, a multiple of [`LANES`].
    channels: usize,
}

impl Planes {
    /// Numbers from one place's plane to the next.
    fn stride(self) -> usize {
        self.tiles * self.channels + GAP
    }

    fn len(self) -> usize {
        PLACES * self.stride()
    }
}

/// Rows of tiles so that the planes of a unit of both channel counts fit.
fn rows_of_tiles(per_row: usize, inputs: usize, outputs: usize) -> usize {
    let channels = inputs.next_multiple_of(LANES) + outputs.next_multiple_of(LANES);
    let tiles = (UNIT / (PLACES * channels)).max(16);
    (tiles / per_row).max(1)
}

impl Packed {
    /// `turned` takes the weights of the convolution that this one is the gradient of.
    pub(crate) fn new(on: Machine, conv: &Conv, weight: &[f32], turned: bool) -> Packed {
        Packed(transform_weights(on, conv, weight, turned))
    }

    /// Rows of output of a good unit of work.
    pub(crate) fn target(conv: &Conv) -> usize {
        TILE * rows_of_tiles(conv.out_w().div_ceil(TILE), conv.inputs, conv.outputs)
    }

    /// Whether the weights are too many for the cache, so that they had better be read once.
    pub(crate) fn is_large(&self) -> bool {
        self.0.len() > CACHED_WEIGHTS
    }

    /// The outputs of the rows of `unit`, to `y`.
    pub(crate) fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        x: Source,
        unit: Rows,
        y: &mut [f32],
        finish: RawFinish,
    ) {
        let (inputs, from) = Images::inputs(conv, x).tiles(on, conv, unit);
        let to = Planes {
            tiles: from.tiles,
            channels: conv.outputs.next_multiple_of(LANES),
        };
        let mut products = Scratch::any(to.len());
        let soon = finish.touches(y);
        for (place, products) in products.chunks_exact_mut(to.stride()).enumerate() {
            let soon = soon.map(|area| area.part(place, PLACES));
            self.multiply(on, place, &inputs, from, products, to, soon);
        }
        restore_rows(on, conv, &products, to, 0, unit, y, finish);
    }

    /// The products of all tiles of `conv`'s images. A thread takes a place, and all tiles' products
    /// with its weights; in the order of units each unit would read all weights.
    pub(crate) fn by_place(&self, on: Machine, conv: &Conv, x: Source, units: &[Rows]) -> ByPlace {
        let units = units.into_par_iter().with_max_len(1);
        let units = units.map(|&unit| Images::inputs(conv, x).tiles(on, conv, unit));
        let inputs: Vec<(Scratch, Planes)> = units.collect();
        let planes = Planes {
            tiles: inputs.iter().map(|(_, planes)| planes.tiles).sum(),
            channels: conv.outputs.next_multiple_of(LANES),
        };
        let mut products = Buffer::any(planes.len());
        let places = products.par_chunks_exact_mut(planes.stride());
        places
            .with_max_len(1)
            .enumerate()
            .for_each(|(place, mut products)| {
                for (inputs, from) in &inputs {
                    let to = Planes {
                        tiles: from.tiles,
                        ..planes
                    };
                    self.multiply(on, place, inputs, *from, products, to, Default::default());
                    products = &mut products[from.tiles * planes.channels..];
                }
            });
        ByPlace { products, planes }
    }

    /// The products at one place. Products need no memory but the cache, so `soon` can be fetched
    /// meanwhile.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        on: Machine,
        place: usize,
        inputs: &[f32],
        from: Planes,
        products: &mut [f32],
        to: Planes,
        soon: [Area; 2],
    ) {
        let plane = from.channels * to.channels;
        let weights = &self.0[place * plane..][..plane];
        let inputs = &inputs[place * from.stride()..][..from.tiles * from.channels];
        assert!(
            products.len() >= to.tiles * to.channels,
            "room for the products"
        );
        // SAFETY: the parts are as long as the kernel asks.
        unsafe { multiply(on.isa, inputs, from, weights, products, to, soon) };
    }
}

/// The products of all tiles with the weights.
pub(crate) struct ByPlace {
    products: Buffer,
    planes: Planes,
}

impl ByPlace {
    /// The outputs of the rows of `unit`, to `y`.
    pub(crate) fn outputs(
        &self,
        on: Machine,
        conv: &Conv,
        unit: Rows,
        y: &mut [f32],
        finish: RawFinish,
    ) {
        let (image, row) = (unit.first / conv.out_h(), unit.first % conv.out_h());
        let tile_row = image * conv.out_h().div_ceil(TILE) + row / TILE;
        let tile = tile_row * conv.out_w().div_ceil(TILE);
        restore_rows(on, conv, &self.products, self.planes, tile, unit, y, finish);
    }
}

/// Turns the products of the tiles of `unit`, the first of them tile `tile`, into its rows of `y`.
#[allow(clippy::too_many_arguments)]
fn restore_rows(
    on: Machine,
    conv: &Conv,
    products: &[f32],
    planes: Planes,
    mut tile: usize,
    unit: Rows,
    y: &mut [f32],
    finish: RawFinish,
) {
    let (out_h, out_w) = (conv.out_h(), conv.out_w());
    let row = out_w * conv.outputs;
    assert!(y.len() == unit.count * row, "room for the outputs");
    for (image, first, rows) in unit.per_image(out_h) {
        let start = (image * out_h + first - unit.first) * row;
        for tile_row in 0..rows.div_ceil(TILE) {
            let lines = (rows - TILE * tile_row).min(TILE);
            let at = start + TILE * tile_row * row;
            let outputs = conv.outputs;
            assert!(
                tile + out_w.div_ceil(TILE) <= planes.tiles,
                "a row of tiles"
            );
            // SAFETY: the tiles are among the planes', and `y` (and the residual) hold `lines`
            // rows of `out_w × outputs` numbers from `at` on.
            unsafe {
                restore(
                    on.isa, products, planes, tile, y, at, lines, out_w, outputs, finish,
                );
            }
            tile += out_w.div_ceil(TILE);
        }
    }
}

kernel! {
    /// The product of one place's inputs `[tiles, deep]` and its weights.
    ///
    /// # Safety
    /// The inputs must have the tiles of `from`, the products room for those of `to`, as many;
    /// `packed` must be `from.channels × to.channels` numbers.
    fn multiply(
        inputs: &[f32],
        from: Planes,
        packed: &[f32],
        products: &mut [f32],
        to: Planes,
        soon: [Area; 2],
    ) = multiply_with
}

#[inline(always)]
unsafe fn multiply_with<S: Simd>(
    inputs: &[f32],
    from: Planes,
    packed: &[f32],
    products: &mut [f32],
    to: Planes,
    soon: [Area; 2],
) {
    let (deep, wide) = (from.channels, to.channels);
    let blocks = to.tiles.div_ceil(S::ROWS) * wide.div_ceil(S::WIDTH * LANES);
    let mut soon = soon.map(|area| Fetch::new(area, blocks));
    let mut first = 0;
    while first < wide {
        let block = column_block(S::WIDTH, wide, first);
        // SAFETY: the starts of the block's parts.
        unsafe {
            let mut rows = Products {
                walk: Walk {
                    k: deep,
                    a_step: 1,
                    b_step: block,
                    segments: 1,
                    a_segment: 0,
                    b_segment: 0,
                },
                inputs: inputs.as_ptr(),
                packed: packed.as_ptr().add(first * deep),
                products: products.as_mut_ptr().add(first),
                wide,
                soon: &mut soon,
            };
            rows.run::<S>(to.tiles, block);
        }
        first += block;
    }
}

struct Products<'a> {
    walk: Walk,
    inputs: *const f32,
    packed: *const f32,
    products: *mut f32,
    wide: usize,
    soon: &'a mut [Fetch; 2],
}

impl Products<'_> {
    /// All tiles. The usual numbers of channels are known to the compiler, so that the addresses
    /// of eight tiles are one register with eight offsets.
    ///
    /// # Safety
    /// As [`multiply`].
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, tiles: usize, block: usize) {
        // SAFETY: the promises of `multiply`.
        unsafe {
            match self.walk.k {
                16 => over_rows::<S>(tiles, block, &mut Deep::<16>(self)),
                32 => over_rows::<S>(tiles, block, &mut Deep::<32>(self)),
                64 => over_rows::<S>(tiles, block, &mut Deep::<64>(self)),
                128 => over_rows::<S>(tiles, block, &mut Deep::<128>(self)),
                _ => over_rows::<S>(tiles, block, &mut Deep::<0>(self)),
            }
        }
    }
}

/// [`Products`] of `K` input channels; 0 for any number.
struct Deep<'a, 'b, const K: usize>(&'a mut Products<'b>);

impl<S: Simd, const K: usize> Block<S> for Deep<'_, '_, K> {
    #[inline(always)]
    unsafe fn block<const P: usize, const V: usize>(&mut self, first: usize) {
        let Deep(own) = self;
        own.soon.iter_mut().for_each(Fetch::some);
        let deep = if K == 0 { own.walk.k } else { K };
        // SAFETY: the promises of `multiply`.
        unsafe {
            let mut a = [own.inputs.add(first * deep); P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add(p * deep);
            }
            let walk = Walk {
                k: deep,
                ..own.walk
            };
            let sums = product::<S, P, V>(&walk, a, own.packed);
            for (p, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    S::store(own.products.add((first + p) * own.wide + v * LANES), sum);
                }
            }
        }
    }
}

kernel! {
    /// Turns the products of one row of tiles, from tile `tile` on, into `lines` rows of
    /// `[out_w, outputs]` at `y[at..]`, finished.
    ///
    /// # Safety
    /// The planes must have those tiles; `y` and the finish's residual those rows.
    fn restore(
        products: &[f32],
        planes: Planes,
        tile: usize,
        y: &mut [f32],
        at: usize,
        lines: usize,
        out_w: usize,
        outputs: usize,
        finish: RawFinish,
    ) = restore_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn restore_with<S: Simd>(
    products: &[f32],
    planes: Planes,
    tile: usize,
    y: &mut [f32],
    at: usize,
    lines: usize,
    out_w: usize,
    outputs: usize,
    finish: RawFinish,
) {
    let (wide, stride) = (planes.channels, planes.stride());
    // SAFETY: every address is that of a vector of channels of a tile's place, or of the first
    // lanes of an output.
    unsafe {
        for (i, x0) in (0..out_w).step_by(TILE).enumerate() {
            let columns = (out_w - x0).min(TILE);
            for c in (0..outputs).step_by(LANES) {
                let lanes = (outputs - c).min(LANES);
                let from = black_box(products.as_ptr().add((tile + i) * wide + c));
                let tile = Places {
                    first: from,
                    stride,
                };
                let half = first_half::<S, Outputs, SPAN, TILE>(&tile);
                if finish.nothing() && lanes == LANES && columns == TILE {
                    for (line, half) in half.into_iter().enumerate().take(lines) {
                        let to = y.as_mut_ptr().add(at + (line * out_w + x0) * outputs + c);
                        for (x, value) in Outputs::apply::<S>(half).into_iter().enumerate() {
                            S::store(to.add(x * outputs), value);
                        }
                    }
                    continue;
                }
                for (line, half) in half.into_iter().enumerate().take(lines) {
                    let row = Outputs::apply::<S>(half).into_iter().enumerate();
                    for (x, value) in row.take(columns) {
                        let place = at + (line * out_w + x0 + x) * outputs + c;
                        finish.write::<S>(value, y.as_mut_ptr(), place, c, lanes);
                    }
                }
            }
        }
    }
}
