//! Antialiased resizing of a part of an image, straight into planes of floating point.
//!
//! The filter is a triangle: output pixel i, whose centre lies at `c = start + (i + ½) s` in the
//! source for a step of `s` source pixels, is the mean of the source pixels x weighted by
//! `max(0, 1 - |x + ½ - c| / r)` with `r = max(s, 1)`: bilinear interpolation when enlarging, and
//! an average over what an output pixel covers when reducing, as in Pillow and torchvision with
//! antialiasing. The box may begin and end inside a pixel. Rows are combined first, which runs on
//! vectors; the values are never rounded to 8 bits in between.

/// Which source pixels make each output pixel along one side, and with what weights.
#[derive(Default)]
pub struct Taps {
    /// The first source pixel, for each output pixel; ascending.
    first: Vec<usize>,
    /// `each` weights for each output pixel.
    weights: Vec<f32>,
    each: usize,
}

impl Taps {
    /// For `count` output pixels that cover `start..start + length` of `full` source pixels. The
    /// weights of each sum to `total`.
    pub fn set(&mut self, full: usize, [start, length]: [f64; 2], count: usize, total: f64) {
        let step = length / count as f64;
        let radius = step.max(1.0);
        self.each = full.min((2.0 * radius).ceil() as usize + 1);
        self.first.clear();
        self.weights.clear();
        if step == 1.0 && start.fract() == 0.0 {
            // Each output pixel is one of the source.
            self.each = 1;
            self.first.extend((0..count).map(|i| start as usize + i));
            self.weights.resize(count, total as f32);
            return;
        }
        for i in 0..count {
            let centre = start + (i as f64 + 0.5) * step;
            let first = ((centre - radius).floor().max(0.0) as usize).min(full - self.each);
            let weight = |x: usize| {
                let distance = (x as f64 + 0.5 - centre).abs();
                (1.0 - distance / radius).max(0.0)
            };
            let sum: f64 = (first..first + self.each).map(weight).sum();
            let scale = total / sum;
            let weights = (first..first + self.each).map(|x| (weight(x) * scale) as f32);
            self.first.push(first);
            self.weights.extend(weights);
        }
    }

    /// The first source pixel and the weights of each output pixel.
    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.first
            .iter()
            .copied()
            .zip(self.weights.chunks_exact(self.each))
    }

    /// The source pixels any output pixel needs.
    fn span(&self) -> std::ops::Range<usize> {
        let last = self.first.last().map_or(0, |first| first + self.each);
        self.first.first().copied().unwrap_or(0)..last
    }
}

/// The brightness the eye sees in a colour (ITU-R BT.601).
pub fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Resizes `from` `[source height, source width, channels]` into planes
/// `[planes, rows, columns]` of `to`, where `planes` is `channels`, or 1 to turn three channels, RGB, into their luma.
/// `line` is room to work in.
pub fn resize<T: Copy + Into<f32>>(
    from: &[T],
    [source_width, channels]: [usize; 2],
    [rows, columns]: [&Taps; 2],
    planes: usize,
    line: &mut Vec<f32>,
    to: &mut [f32],
) {
    let span = columns.span();
    let width = columns.first.len();
    let plane = rows.first.len() * width;
    line.clear();
    // One more value, since pixels of three channels are read four at a time.
    line.resize(span.len() * channels + 1, 0.0);
    for (y, (first, weights)) in rows.iter().enumerate() {
        line.fill(0.0);
        for (i, &weight) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            let start = (first + i) * source_width;
            let row = &from[(start + span.start) * channels..(start + span.end) * channels];
            for (sum, &value) in line.iter_mut().zip(row) {
                *sum += weight * value.into();
            }
        }
        if planes < channels {
            for x in 0..span.len() {
                line[x] = luma([line[3 * x], line[3 * x + 1], line[3 * x + 2]]);
            }
        }
        if planes == 1 {
            let to = &mut to[y * width..(y + 1) * width];
            for (to, (first, weights)) in to.iter_mut().zip(columns.iter()) {
                let values = &line[first - span.start..];
                *to = weights.iter().zip(values).map(|(w, v)| w * v).sum();
            }
        } else if planes == 3 {
            for (x, (first, weights)) in columns.iter().enumerate() {
                let values = &line[(first - span.start) * 3..];
                let mut sum = [0.0; 4];
                for (weight, pixel) in weights.iter().zip(values.windows(4).step_by(3)) {
                    for (sum, value) in sum.iter_mut().zip(pixel) {
                        *sum += weight * value;
                    }
                }
                for channel in 0..3 {
                    to[channel * plane + y * width + x] = sum[channel];
                }
            }
        } else {
            for (x, (first, weights)) in columns.iter().enumerate() {
                let values = &line[(first - span.start) * planes..];
                for channel in 0..planes {
                    let values = values[channel..].iter().step_by(planes);
                    let sum = weights.iter().zip(values).map(|(w, v)| w * v).sum();
                    to[channel * plane + y * width + x] = sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * 37 % 256) as u8).collect()
    }

    fn resized(
        from: &[u8],
        source: [usize; 2],
        box_: [[f64; 2]; 2],
        target: [usize; 2],
    ) -> Vec<f32> {
        let channels = from.len() / (source[0] * source[1]);
        let (mut rows, mut columns) = (Taps::default(), Taps::default());
        rows.set(source[0], box_[0], target[0], 1.0);
        columns.set(source[1], box_[1], target[1], 1.0);
        let mut to = vec![0.0; channels * target[0] * target[1]];
        resize(
            from,
            [source[1], channels],
            [&rows, &columns],
            channels,
            &mut Vec::new(),
            &mut to,
        );
        to
    }

    /// The sum over the whole image, written down plainly.
    fn naive(from: &[u8], source: [usize; 2], box_: [[f64; 2]; 2], target: [usize; 2]) -> Vec<f64> {
        let channels = from.len() / (source[0] * source[1]);
        let weight = |axis: usize, i: usize, x: usize| {
            let step = box_[axis][1] / target[axis] as f64;
            let centre = box_[axis][0] + (i as f64 + 0.5) * step;
            (1.0 - (x as f64 + 0.5 - centre).abs() / step.max(1.0)).max(0.0)
        };
        let mut out = Vec::new();
        for i in 0..channels * target[0] * target[1] {
            let (channel, y, x) = (
                i / (target[0] * target[1]),
                i / target[1] % target[0],
                i % target[1],
            );
            let (mut sum, mut mass) = (0.0, 0.0);
            for pixel in 0..source[0] * source[1] {
                let w = weight(0, y, pixel / source[1]) * weight(1, x, pixel % source[1]);
                sum += w * f64::from(from[pixel * channels + channel]);
                mass += w;
            }
            out.push(sum / mass);
        }
        out
    }

    #[test]
    fn agrees_with_its_obvious_twin() {
        for (source, box_, target) in [
            ([14, 14], [[0.0, 14.0], [0.0, 14.0]], [16, 16]),
            ([20, 15], [[0.0, 20.0], [0.0, 15.0]], [8, 6]),
            ([20, 15], [[3.3, 9.1], [7.9, 7.1]], [8, 11]),
            ([1, 3], [[0.0, 1.0], [0.0, 3.0]], [4, 2]),
            ([9, 7], [[2.0, 5.0], [0.0, 7.0]], [5, 7]),
        ] {
            for channels in [1, 2, 3, 5] {
                let from = ramp(source[0] * source[1] * channels);
                let pairs = resized(&from, source, box_, target);
                for (a, b) in pairs.iter().zip(naive(&from, source, box_, target)) {
                    assert!((f64::from(*a) - b).abs() < 1e-3, "{a} {b}");
                }
            }
        }
    }

    /// `Image.fromarray(x).resize((4, 3), Image.BILINEAR)` in Pillow for
    /// `x = (arange(40) * 37 % 256).astype(uint8).reshape(5, 8)`.
    #[test]
    fn agrees_with_pillow() {
        let out = resized(&ramp(40), [5, 8], [[0.0, 5.0], [0.0, 8.0]], [3, 4]);
        for (a, b) in out.iter().zip(PILLOW) {
            // Pillow rounds after each direction.
            assert!((a - b).abs() <= 1.0, "{a} {b}");
        }
    }

    const PILLOW: [f32; 12] = [
        43.0, 110.0, 170.0, 93.0, 106.0, 166.0, 119.0, 65.0, 169.0, 149.0, 68.0, 120.0,
    ];
}
