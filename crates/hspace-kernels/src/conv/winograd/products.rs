//! Transformed inputs times transformed weights: a matrix product for each pair of them.

use crate::fetch::Fetch;
use crate::product::microkernel::{Block, Strides, column_block, over_rows, product};
use crate::simd::{Isa, LANES, Simd, kernel};

/// Numbers between the end of one place's plane and the next, so that the planes do not compete
/// for the same cache lines.
pub(super) const GAP: usize = 16;

/// How tiles lie in memory: for each place a plane `[tiles, channels]`.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    /// Places of a tile.
    pub(super) places: usize,
    /// Tiles.
    pub(super) tiles: usize,
    /// Channels, a multiple of [`LANES`].
    pub(super) channels: usize,
}

impl Planes {
    /// Numbers from one place's plane to the next.
    pub(super) fn stride(self) -> usize {
        self.tiles * self.channels + GAP
    }

    pub(super) fn len(self) -> usize {
        self.places * self.stride()
    }
}

/// Blocks that [`multiply`] computes, about.
pub(super) fn blocks(isa: Isa, to: Planes) -> usize {
    to.tiles.div_ceil(isa.rows()) * to.channels.div_ceil(isa.width() * LANES)
}

kernel! {
    /// Writes the product of a plane of inputs `[tiles, deep]` and one of weights to a plane of
    /// products, or adds it to that unless it is `fresh`; asks for some of what is needed `soon` with each of its [`blocks`].
    ///
    /// # Safety
    /// The inputs must have the tiles of `from`, the products room for those of `to`, as many;
    /// `packed` must be `from.channels × to.channels` numbers.
    pub(super) fn multiply(
        inputs: &[f32],
        from: Planes,
        packed: &[f32],
        products: &mut [f32],
        to: Planes,
        fresh: bool,
        soon: &mut [Fetch],
    ) = multiply_with
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn multiply_with<S: Simd>(
    inputs: &[f32],
    from: Planes,
    packed: &[f32],
    products: &mut [f32],
    to: Planes,
    fresh: bool,
    soon: &mut [Fetch],
) {
    let (deep, wide) = (from.channels, to.channels);
    let mut first = 0;
    while first < wide {
        let block = column_block(S::WIDTH, wide, first);
        // SAFETY: the starts of the block's parts.
        unsafe {
            let mut rows = Products {
                strides: Strides {
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
                fresh,
                soon,
            };
            rows.run::<S>(to.tiles, block);
        }
        first += block;
    }
}

struct Products<'a> {
    strides: Strides,
    inputs: *const f32,
    packed: *const f32,
    products: *mut f32,
    wide: usize,
    fresh: bool,
    soon: &'a mut [Fetch],
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
            match self.strides.k {
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
        let deep = if K == 0 { own.strides.k } else { K };
        // SAFETY: the promises of `multiply`.
        unsafe {
            let mut a = [own.inputs.add(first * deep); P];
            for (p, a) in a.iter_mut().enumerate() {
                *a = a.add(p * deep);
            }
            let strides = Strides {
                k: deep,
                ..own.strides
            };
            let sums = product::<S, P, V>(&strides, a, own.packed);
            let to = own.products.add(first * own.wide);
            for (p, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let to = to.add(p * own.wide + v * LANES);
                    let sum = if own.fresh {
                        sum
                    } else {
                        S::add(S::load(to), sum)
                    };
                    S::store(to, sum);
                }
            }
        }
    }
}
