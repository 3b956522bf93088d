//! Other numbers of pixels, by the mean of those under each.

/// Resizes `[height, width, channels]` by the mean of all pixels whose centres lie under the target pixel, as Pillow's box filter.
pub(super) fn resize_box(values: &[f32], dims: [usize; 3], to: [usize; 2]) -> Vec<f32> {
    let [height, width, channels] = dims;
    let (rows, columns) = (spans(height, to[0]), spans(width, to[1]));
    let mut out = Vec::with_capacity(to[0] * to[1] * channels);
    let mut sums = vec![0.0; width * channels];
    for &[top, bottom] in &rows {
        let mut rows = values.chunks_exact(width * channels).take(bottom).skip(top);
        sums.copy_from_slice(rows.next().unwrap_or_default());
        for row in rows {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        for &[left, right] in &columns {
            let weight = 1.0 / ((bottom - top) * (right - left)) as f32;
            let pixels = &sums[left * channels..right * channels];
            if let (3, (pixels, _)) = (channels, pixels.as_chunks::<3>()) {
                let mut sum = [0.0; 3];
                for pixel in pixels {
                    (0..3).for_each(|c| sum[c] += pixel[c]);
                }
                out.extend(sum.map(|sum| weight * sum));
            } else {
                let sum = |c: usize| pixels[c..].iter().step_by(channels).sum::<f32>();
                out.extend((0..channels).map(|c| weight * sum(c)));
            }
        }
    }
    out
}

/// For each of `to` pixels, the first and one past the last of the `from` pixels under it.
fn spans(from: usize, to: usize) -> Vec<[usize; 2]> {
    let scale = from as f64 / to as f64;
    let reach = 0.5 * scale.max(1.0);
    let span = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        // A pixel's centre may lie on the upper bound, not on the lower one.
        let first = (centre - reach + 0.5) as usize;
        let last = ((centre + reach + 0.5) as usize).min(from);
        let inside = |j: &usize| {
            // In Pillow's order, whose rounding decides about a pixel on the bound.
            let distance = (*j as f64 - centre + 0.5) * (1.0 / scale.max(1.0));
            distance > -0.5 && distance <= 0.5
        };
        let mut found = (first..last.max(first + 1)).filter(inside);
        let start = found.next().unwrap_or(first.min(from - 1));
        [start, found.next_back().unwrap_or(start) + 1]
    };
    (0..to).map(span).collect()
}
