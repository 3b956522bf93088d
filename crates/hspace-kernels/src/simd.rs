//! Sixteen numbers at once, on whatever the processor has.
//!
//! Every kernel is written once, over [`Simd`], and compiled for each instruction set by
//! [`kernel!`]; which one runs is decided when the program runs. All sets pretend to have vectors
//! of sixteen (two registers each with AVX2, four with NEON or SSE), so that packed layouts are
//! the same everywhere.

use std::sync::OnceLock;

/// Numbers in a vector.
pub(crate) const LANES: usize = 16;

/// Asks for the cache line of a place that is needed soon. Any address will do.
#[inline(always)]
pub(crate) fn needed_soon(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which every processor of this kind has, and which never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The same for a place that will be written.
#[inline(always)]
pub(crate) fn written_soon(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which never faults; processors without it take it for nothing.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Memory that will be needed.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    start: *const f32,
    len: usize,
    written: bool,
}

impl Default for Area {
    fn default() -> Area {
        Area::read(std::ptr::null(), 0)
    }
}

impl Area {
    /// Numbers that will be read.
    pub(crate) fn read(start: *const f32, len: usize) -> Area {
        let written = false;
        Area {
            start,
            len,
            written,
        }
    }

    /// Numbers that will be written.
    pub(crate) fn written(numbers: &[f32]) -> Area {
        let area = Area::read(numbers.as_ptr(), numbers.len());
        Area {
            written: true,
            ..area
        }
    }

    /// Part `i` of `parts` about equal ones.
    pub(crate) fn part(self, i: usize, parts: usize) -> Area {
        let [from, to] = [i, i + 1].map(|i| i * self.len / parts);
        Area {
            start: self.start.wrapping_add(from),
            len: to - from,
            ..self
        }
    }
}

/// An [`Area`] asked for bit by bit, beside work that needs no memory but the cache.
pub(crate) struct Fetch {
    next: *const f32,
    lines: usize,
    at_once: usize,
    written: bool,
}

impl Fetch {
    /// In `times` times.
    pub(crate) fn new(area: Area, times: usize) -> Fetch {
        let lines = area.len.div_ceil(LANES);
        Fetch {
            next: area.start,
            lines,
            at_once: lines.div_ceil(times.max(1)),
            written: area.written,
        }
    }

    /// Asks for some.
    #[inline(always)]
    pub(crate) fn some(&mut self) {
        let count = self.at_once.min(self.lines);
        self.lines -= count;
        for _ in 0..count {
            match self.written {
                true => written_soon(self.next),
                false => needed_soon(self.next),
            }
            self.next = self.next.wrapping_add(LANES);
        }
    }
}

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
    unsafe fn gate(x: Self::V, by: Self::V) -> Self::V;
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
    unsafe fn gate(x: Self::V, by: Self::V) -> Self::V {
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
mod x86 {
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
        unsafe fn gate(x: Self::V, by: Self::V) -> Self::V {
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
        unsafe fn gate(x: Self::V, by: Self::V) -> Self::V {
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
}

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
