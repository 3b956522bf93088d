//! Sixteen numbers at once, on whatever the processor has.
//!
//! Every kernel is written once, over [`Simd`], and compiled for each instruction set by
//! [`kernel!`]; which one runs is decided when the program runs. All sets pretend to have vectors
//! of sixteen (two registers each with AVX2, four with NEON or SSE), so that packed layouts are
//! the same everywhere.

use std::sync::OnceLock;

/// Numbers in a vector.
pub(crate) const LANES: usize = 16;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// What the compiler makes of plain loops for the target's baseline: NEON, SSE2.
    Portable,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512 F.
    Avx512,
}

impl Isa {
    /// The best this processor has.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| *Isa::available().last().unwrap_or(&Isa::Portable))
    }

    /// Vectors per row of a block of products ([`Simd::WIDTH`]).
    pub(crate) fn width(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::WIDTH,
            _ => Portable::WIDTH,
        }
    }

    /// Rows of a block of products ([`Simd::ROWS`]).
    pub(crate) fn rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::ROWS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::ROWS,
            Isa::Portable => Portable::ROWS,
        }
    }

    /// All this processor has, the best last.
    pub fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Isa::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(Isa::Avx512);
            }
        }
        all
    }
}

/// Vectors of [`LANES`] numbers.
///
/// # Safety
/// Every function may only run on a processor that has the instruction set, which [`kernel!`]
/// sees to; loads and stores need valid memory for [`LANES`] numbers, of any alignment.
pub(crate) trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// Rows of the blocks that products are computed in: what the registers hold.
    const ROWS: usize;
    /// Vectors per row of such a block.
    const WIDTH: usize;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, x: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the set can.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(x: Self::V) -> Self::V;
    /// `x · 2ⁿ` for whole `n` in ±126, given as numbers.
    unsafe fn scale_by_power(x: Self::V, n: Self::V) -> Self::V;
    /// `x` where `by > 0`, else 0.
    unsafe fn relu_mask(x: Self::V, by: Self::V) -> Self::V;
    /// A bit for each number, the first lowest: whether it is above 0.
    unsafe fn positive(x: Self::V) -> u16;
    /// The numbers whose bits are set, zeros elsewhere.
    unsafe fn keep(x: Self::V, bits: u16) -> Self::V;
    /// `1 / x` to about a unit in the last place, for normal x whose inverse is normal too.
    unsafe fn reciprocal(x: Self::V) -> Self::V;
    /// Rows to columns: number j of row i becomes number i of row j.
    unsafe fn transpose(rows: [Self::V; LANES]) -> [Self::V; LANES];

    /// The numbers, one by one.
    #[inline(always)]
    unsafe fn numbers(x: Self::V) -> [f32; LANES] {
        let mut numbers = [0.0; LANES];
        // SAFETY: room for a vector.
        unsafe { Self::store(numbers.as_mut_ptr(), x) };
        numbers
    }

    /// The sum of the numbers, halves first.
    #[inline(always)]
    unsafe fn sum(x: Self::V) -> f32 {
        // SAFETY: arithmetic alone.
        let mut lanes = unsafe { Self::numbers(x) };
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }

    /// The largest of the numbers.
    #[inline(always)]
    unsafe fn largest(x: Self::V) -> f32 {
        // SAFETY: arithmetic alone.
        let lanes = unsafe { Self::numbers(x) };
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The first `n` numbers, and `rest` in place of the others.
    #[inline(always)]
    unsafe fn replace_rest(x: Self::V, n: usize, rest: f32) -> Self::V {
        // SAFETY: arithmetic alone.
        unsafe {
            let mut lanes = Self::numbers(x);
            lanes.iter_mut().skip(n).for_each(|lane| *lane = rest);
            Self::load(lanes.as_ptr())
        }
    }

    /// The first `n` numbers (at most [`LANES`]), then zeros. Reads no others.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self::V {
        // SAFETY: the caller answers for the first `n` numbers; `whole` is big enough.
        unsafe {
            if n >= LANES {
                return Self::load(from);
            }
            let mut whole = [0.0f32; LANES];
            std::ptr::copy_nonoverlapping(from, whole.as_mut_ptr(), n);
            Self::load(whole.as_ptr())
        }
    }

    /// Writes the first `n` numbers (at most [`LANES`]) and no others.
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, x: Self::V, n: usize) {
        // SAFETY: the caller answers for the first `n` numbers; `whole` is big enough.
        unsafe {
            if n >= LANES {
                return Self::store(to, x);
            }
            let mut whole = [0.0f32; LANES];
            Self::store(whole.as_mut_ptr(), x);
            std::ptr::copy_nonoverlapping(whole.as_ptr(), to, n);
        }
    }
}

/// Plain loops.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Portable {
    #[inline(always)]
    fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
        let mut out = a;
        for (out, b) in out.iter_mut().zip(b) {
            *out = f(*out, b);
        }
        out
    }
}

// SAFETY of the blocks below: loads and stores are valid by the trait's contract, and plain
// arithmetic is always there.
impl Simd for Portable {
    type V = [f32; LANES];
    const ROWS: usize = 4;
    const WIDTH: usize = 1;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Self::V) {
        unsafe { to.cast::<Self::V>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Where the baseline has no fused instruction, `f32::mul_add` is a slow library call.
        let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        let mut out = c;
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = if fused {
                a.mul_add(b, *out)
            } else {
                a * b + *out
            };
        }
        out
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(x: Self::V) -> Self::V {
        Self::zip(x, x, |x, _| x.sqrt())
    }
    #[inline(always)]
    unsafe fn scale_by_power(x: Self::V, n: Self::V) -> Self::V {
        Self::zip(x, n, |x, n| {
            x * f32::from_bits(((n as i32 + 127) << 23) as u32)
        })
    }
    #[inline(always)]
    unsafe fn reciprocal(x: Self::V) -> Self::V {
        Self::zip(x, x, |x, _| 1.0 / x)
    }
    #[inline(always)]
    unsafe fn transpose(rows: [Self::V; LANES]) -> [Self::V; LANES] {
        std::array::from_fn(|j| std::array::from_fn(|i| rows[i][j]))
    }
    #[inline(always)]
    unsafe fn relu_mask(x: Self::V, by: Self::V) -> Self::V {
        Self::zip(x, by, |x, by| if by > 0.0 { x } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn positive(x: Self::V) -> u16 {
        let bit = |(i, &x): (usize, &f32)| u16::from(x > 0.0) << i;
        x.iter().enumerate().map(bit).sum()
    }
    #[inline(always)]
    unsafe fn keep(x: Self::V, bits: u16) -> Self::V {
        let mut out = x;
        for (i, out) in out.iter_mut().enumerate() {
            *out = if bits >> i & 1 == 1 { *out } else { 0.0 };
        }
        out
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86;

/// Compiles a function over [`Simd`] for each instruction set: `kernel!(fn name(a: A) = generic)`
/// makes `unsafe fn name(isa: Isa, a: A)`, which calls `generic::<S>(a)`. The generic function and
/// all it calls with vectors must be `#[inline(always)]`, so that they become part of the function
/// that has the instructions.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $generic:ident) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(isa: $crate::simd::Isa, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: the caller's promises are passed on; the feature is enabled here.
                unsafe { $generic::<$crate::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: as above.
                unsafe { $generic::<$crate::simd::Avx2>($($arg),*) }
            }
            // SAFETY: the caller's promises are passed on, and `isa` is one the processor has:
            // a `Machine` is made of no other.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Isa::Avx2 => avx2($($arg),*),
                    _ => $generic::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use kernel;
