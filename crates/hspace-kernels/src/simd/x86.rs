//! AVX2 and AVX-512.

use std::arch::x86_64::*;

use super::{LANES, Simd};

/// Two registers of eight.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

// SAFETY of the blocks below: the processor has the instructions and memory is valid, both by
// the trait's contract.
impl Simd for Avx2 {
    type V = [__m256; 2];
    const ROWS: usize = 6;
    const WIDTH: usize = 1;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Self::V) {
        unsafe {
            _mm256_storeu_ps(to, x[0]);
            _mm256_storeu_ps(to.add(8), x[1]);
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe {
            [
                _mm256_fmadd_ps(a[0], b[0], c[0]),
                _mm256_fmadd_ps(a[1], b[1], c[1]),
            ]
        }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sqrt(x: Self::V) -> Self::V {
        unsafe { [_mm256_sqrt_ps(x[0]), _mm256_sqrt_ps(x[1])] }
    }
    #[inline(always)]
    unsafe fn scale_by_power(x: Self::V, n: Self::V) -> Self::V {
        unsafe {
            let mut out = x;
            for (out, n) in out.iter_mut().zip(n) {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                let power = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
                *out = _mm256_mul_ps(*out, power);
            }
            out
        }
    }
    #[inline(always)]
    unsafe fn reciprocal(x: Self::V) -> Self::V {
        unsafe { Self::div(Self::splat(1.0), x) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [Self::V; LANES]) -> [Self::V; LANES] {
        unsafe {
            // Loops, not closures: those need not become part of the function that has the
            // instructions.
            let mut out = rows;
            for half in 0..2 {
                let mut quarters = [[_mm256_setzero_ps(); 8]; 2];
                for (q, quarter) in quarters.iter_mut().enumerate() {
                    for (i, row) in quarter.iter_mut().enumerate() {
                        *row = rows[8 * q + i][half];
                    }
                    *quarter = turn_eight(*quarter);
                }
                for j in 0..8 {
                    out[8 * half + j] = [quarters[0][j], quarters[1][j]];
                }
            }
            out
        }
    }
    #[inline(always)]
    unsafe fn relu_mask(x: Self::V, by: Self::V) -> Self::V {
        unsafe {
            let zero = _mm256_setzero_ps();
            [
                _mm256_and_ps(x[0], _mm256_cmp_ps::<_CMP_GT_OQ>(by[0], zero)),
                _mm256_and_ps(x[1], _mm256_cmp_ps::<_CMP_GT_OQ>(by[1], zero)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn positive(x: Self::V) -> u16 {
        unsafe {
            let zero = _mm256_setzero_ps();
            let bits = |x| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, zero)) as u16;
            bits(x[0]) | bits(x[1]) << 8
        }
    }
    #[inline(always)]
    unsafe fn keep(x: Self::V, bits: u16) -> Self::V {
        unsafe {
            let own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let kept = |x, bits: u16| {
                let set = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), own);
                let set = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, own));
                _mm256_and_ps(x, set)
            };
            [kept(x[0], bits), kept(x[1], bits >> 8)]
        }
    }
}

/// One register.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

// SAFETY of the blocks below: as above; masked loads and stores touch no number that the mask
// leaves out.
impl Simd for Avx512 {
    type V = __m512;
    const ROWS: usize = 8;
    const WIDTH: usize = 2;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Self::V) {
        unsafe { _mm512_storeu_ps(to, x) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(x: Self::V) -> Self::V {
        unsafe { _mm512_sqrt_ps(x) }
    }
    #[inline(always)]
    unsafe fn scale_by_power(x: Self::V, n: Self::V) -> Self::V {
        unsafe { _mm512_scalef_ps(x, n) }
    }
    #[inline(always)]
    unsafe fn reciprocal(x: Self::V) -> Self::V {
        unsafe {
            // Fourteen bits, and a step of Newton's for the others.
            let near = _mm512_rcp14_ps(x);
            let off = _mm512_fnmadd_ps(x, near, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(near, off, near)
        }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [Self::V; LANES]) -> [Self::V; LANES] {
        unsafe {
            // Within each quarter of a register first, pairs and then fours; quarters last.
            let mut pairs = rows;
            for i in (0..LANES).step_by(2) {
                pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in (0..LANES).step_by(4) {
                for half in 0..2 {
                    let a = _mm512_castps_pd(pairs[i + half]);
                    let b = _mm512_castps_pd(pairs[i + half + 2]);
                    fours[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    fours[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            let mut out = fours;
            for j in 0..4 {
                let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
                let low = _mm512_shuffle_f32x4::<0x88>(a, b);
                let high = _mm512_shuffle_f32x4::<0xdd>(a, b);
                let low2 = _mm512_shuffle_f32x4::<0x88>(c, d);
                let high2 = _mm512_shuffle_f32x4::<0xdd>(c, d);
                out[j] = _mm512_shuffle_f32x4::<0x88>(low, low2);
                out[4 + j] = _mm512_shuffle_f32x4::<0x88>(high, high2);
                out[8 + j] = _mm512_shuffle_f32x4::<0xdd>(low, low2);
                out[12 + j] = _mm512_shuffle_f32x4::<0xdd>(high, high2);
            }
            out
        }
    }
    #[inline(always)]
    unsafe fn sum(x: Self::V) -> f32 {
        unsafe { _mm512_reduce_add_ps(x) }
    }
    #[inline(always)]
    unsafe fn largest(x: Self::V) -> f32 {
        unsafe { _mm512_reduce_max_ps(x) }
    }
    #[inline(always)]
    unsafe fn replace_rest(x: Self::V, n: usize, rest: f32) -> Self::V {
        unsafe { _mm512_mask_blend_ps(first(n), _mm512_set1_ps(rest), x) }
    }
    #[inline(always)]
    unsafe fn relu_mask(x: Self::V, by: Self::V) -> Self::V {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(by, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, x)
        }
    }
    #[inline(always)]
    unsafe fn positive(x: Self::V) -> u16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn keep(x: Self::V, bits: u16) -> Self::V {
        unsafe { _mm512_maskz_mov_ps(bits, x) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self::V {
        unsafe { _mm512_maskz_loadu_ps(first(n), from) }
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, x: Self::V, n: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first(n), x) }
    }
}

/// Rows of eight to columns.
#[inline(always)]
unsafe fn turn_eight(rows: [__m256; 8]) -> [__m256; 8] {
    unsafe {
        let mut pairs = rows;
        for i in (0..8).step_by(2) {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        let mut fours = pairs;
        for i in (0..8).step_by(4) {
            for half in 0..2 {
                let (a, b) = (pairs[i + half], pairs[i + half + 2]);
                fours[i + 2 * half] = _mm256_shuffle_ps::<0x44>(a, b);
                fours[i + 2 * half + 1] = _mm256_shuffle_ps::<0xee>(a, b);
            }
        }
        let mut out = fours;
        for j in 0..4 {
            out[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[4 + j]);
            out[4 + j] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[4 + j]);
        }
        out
    }
}

/// A mask of the first `n` lanes.
#[inline(always)]
fn first(n: usize) -> u16 {
    if n >= LANES { !0 } else { (1 << n) - 1 }
}
