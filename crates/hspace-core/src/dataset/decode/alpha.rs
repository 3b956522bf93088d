//! Alpha, blended onto white.

/// A pixel's value, 8 or 16 bits.
pub trait Value: Copy + Default + Into<u64> + TryFrom<u64> {
    /// The largest.
    const WHITE: u64;

    /// From a number of at most [`Value::WHITE`].
    fn of(number: u64) -> Self {
        Self::try_from(number).unwrap_or_default()
    }
}

impl Value for u8 {
    const WHITE: u64 = 0xff;
}

impl Value for u16 {
    const WHITE: u64 = 0xffff;
}

/// `value` on white, as much of it as `alpha` says, rounded.
pub fn blended<T: Value>(value: T, alpha: T) -> T {
    let (value, alpha, white): (u64, u64, u64) = (value.into(), alpha.into(), T::WHITE);
    T::of((value * alpha + white * (white - alpha) + white / 2) / white)
}

/// `value`, which has been multiplied by `alpha` already, on white.
pub fn blended_associated<T: Value>(value: T, alpha: T) -> T {
    T::of((value.into() + T::WHITE - alpha.into()).min(T::WHITE))
}

/// Blends interleaved pixels of `N` values, the last of them alpha, onto white.
pub fn on_white<const N: usize, T: Value>(pixels: &[T]) -> Vec<T> {
    let mut out = Vec::with_capacity(pixels.len() / N * (N - 1));
    for pixel in pixels.chunks_exact(N) {
        let alpha = pixel[N - 1];
        out.extend(pixel[..N - 1].iter().map(|&value| blended(value, alpha)));
    }
    out
}
