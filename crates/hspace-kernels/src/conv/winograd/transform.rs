//! Linear transforms of tiles, a vector of channels at a time: along one axis, then along the other.

use std::ops::Range;

use crate::simd::Simd;

/// A transform of `N` numbers to `M`, a vector of channels at a time.
pub(super) trait Transform<const N: usize, const M: usize> {
    /// # Safety
    /// As [`Simd`]: arithmetic alone.
    unsafe fn apply<S: Simd>(numbers: [S::V; N]) -> [S::V; M];
}

/// Where the vectors of a tile are.
pub(super) trait Tile<S: Simd> {
    /// The one in row `y` and column `x`.
    ///
    /// # Safety
    /// As the implementation says.
    unsafe fn at(&self, y: usize, x: usize) -> S::V;
}

/// Vectors a fixed distance apart, `M` in a row: the places of a tile.
pub(super) struct Places<const M: usize> {
    pub(super) first: *const f32,
    pub(super) stride: usize,
}

impl<S: Simd, const M: usize> Tile<S> for Places<M> {
    /// # Safety
    /// There must be one.
    #[inline(always)]
    unsafe fn at(&self, y: usize, x: usize) -> S::V {
        // SAFETY: by the contract.
        unsafe { S::load(self.first.add((y * M + x) * self.stride)) }
    }
}

/// The first half of a transform both ways, to `half`: of the columns of a tile of `N` × `N` vectors.
///
/// # Safety
/// As [`Tile::at`].
#[inline(always)]
pub(super) unsafe fn first_half<S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
    tile: &impl Tile<S>,
    half: &mut [[S::V; N]; M],
) {
    for x in 0..N {
        // SAFETY: the caller's promises.
        unsafe { column::<S, T, N, M>(tile, x, half) };
    }
}

/// [`first_half`] where only some columns are there, and zeros elsewhere.
///
/// # Safety
/// As [`Tile::at`], for those columns.
#[inline(always)]
pub(super) unsafe fn first_half_of<S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
    columns: &Range<usize>,
    tile: &impl Tile<S>,
    half: &mut [[S::V; N]; M],
) {
    for x in 0..N {
        // SAFETY: the caller's promises.
        unsafe {
            if columns.contains(&x) {
                column::<S, T, N, M>(tile, x, half);
            } else {
                // A transform of zeros is zeros.
                for half in half.iter_mut() {
                    half[x] = S::splat(0.0);
                }
            }
        }
    }
}

/// Column `x` of [`first_half`].
#[inline(always)]
unsafe fn column<S: Simd, T: Transform<N, M>, const N: usize, const M: usize>(
    tile: &impl Tile<S>,
    x: usize,
    half: &mut [[S::V; N]; M],
) {
    // SAFETY: the caller's promises.
    unsafe {
        let mut numbers = [S::splat(0.0); N];
        for (y, number) in numbers.iter_mut().enumerate() {
            *number = tile.at(y, x);
        }
        for (half, value) in half.iter_mut().zip(T::apply::<S>(numbers)) {
            half[x] = value;
        }
    }
}

// Functions, not closures: those need not become part of the function that has the instructions.

/// `by · x + plus`.
#[inline(always)]
pub(super) unsafe fn times<S: Simd>(by: f32, x: S::V, plus: S::V) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe { S::mul_add(S::splat(by), x, plus) }
}

/// `by · x`.
#[inline(always)]
pub(super) unsafe fn scale<S: Simd>(by: f32, x: S::V) -> S::V {
    // SAFETY: arithmetic alone.
    unsafe { S::mul(S::splat(by), x) }
}
