//! Largest number of each window, channels last.

use rayon::prelude::*;

use crate::shape::Conv;

/// Shapes of a pooling: a [`Conv`] whose outputs are its inputs' channels, each seen alone.
///
/// # Panics
/// If the channels differ.
fn check(pool: &Conv, x: usize, y: usize, places: usize) {
    assert_eq!(pool.inputs, pool.outputs, "channels of a pooling");
    let lens = (pool.input_len(), pool.output_len(), pool.output_len());
    assert_eq!((x, y, places), lens, "lengths for {pool:?}");
    assert!(
        pool.pad < pool.kernel && pool.kernel < 16,
        "window of {pool:?}"
    );
}

/// The largest number of each window, and where in the window it is. Places beyond the image do
/// not count; of equal numbers the first counts; a NaN wins.
///
/// # Panics
/// If a slice is not as long as `pool` says.
pub fn forward(pool: &Conv, x: &[f32], y: &mut [f32], places: &mut [u8]) {
    check(pool, x.len(), y.len(), places.len());
    let (out_w, c) = (pool.out_w(), pool.inputs);
    let row = out_w * c;
    let rows = y.par_chunks_mut(row).zip(places.par_chunks_mut(row));
    rows.enumerate().for_each(|(i, (y, places))| {
        let (image, oy) = (i / pool.out_h(), i % pool.out_h());
        let image = &x[image * pool.h * pool.w * c..][..pool.h * pool.w * c];
        let columns = y.chunks_exact_mut(c).zip(places.chunks_exact_mut(c));
        for (ox, (y, places)) in columns.enumerate() {
            let skipped = |o: usize| pool.pad.saturating_sub(o * pool.stride);
            y.fill(f32::NEG_INFINITY);
            places.fill((skipped(oy) * pool.kernel + skipped(ox)) as u8);
            for ky in 0..pool.kernel {
                let iy = (oy * pool.stride + ky).wrapping_sub(pool.pad);
                for kx in 0..pool.kernel {
                    let ix = (ox * pool.stride + kx).wrapping_sub(pool.pad);
                    if iy >= pool.h || ix >= pool.w {
                        continue;
                    }
                    let place = (ky * pool.kernel + kx) as u8;
                    let x = &image[(iy * pool.w + ix) * c..][..c];
                    for ((y, at), &x) in y.iter_mut().zip(places.iter_mut()).zip(x) {
                        let larger = x > *y || x.is_nan();
                        *y = if larger { x } else { *y };
                        *at = if larger { place } else { *at };
                    }
                }
            }
        }
    });
}

/// Gradient for the input: each output's goes to where its number came from.
///
/// # Panics
/// If a slice is not as long as `pool` says, or a place is not one of the window's.
pub fn backward(pool: &Conv, dy: &[f32], places: &[u8], dx: &mut [f32]) {
    check(pool, dx.len(), dy.len(), places.len());
    let (out_w, c) = (pool.out_w(), pool.inputs);
    let (row, len) = (out_w * c, pool.out_h() * out_w * c);
    // Numbers from a window's first place, or where it would be, to each of its places.
    let steps = (0..pool.kernel * pool.kernel)
        .map(|place| (place / pool.kernel * pool.w + place % pool.kernel) * c);
    let steps: Vec<usize> = steps.collect();
    let before = (pool.pad * pool.w + pool.pad) * c;
    let images = dx.par_chunks_mut(pool.h * pool.w * c).enumerate();
    images.for_each(|(image, dx)| {
        dx.fill(0.0);
        let within = image * len..(image + 1) * len;
        let (dy, places) = (&dy[within.clone()], &places[within]);
        let rows = dy.chunks_exact(row).zip(places.chunks_exact(row));
        for (oy, (dy, places)) in rows.enumerate() {
            let columns = dy.chunks_exact(c).zip(places.chunks_exact(c));
            for (ox, (dy, places)) in columns.enumerate() {
                let first = (oy * pool.w + ox) * pool.stride * c;
                for (channel, (dy, &place)) in dy.iter().zip(places).enumerate() {
                    dx[first + steps[usize::from(place)] + channel - before] += dy;
                }
            }
        }
    });
}
