//! Sums of neighbouring pixels under a kernel, on values `[height, width, channels]`.

use std::collections::BTreeMap;

/// What lies beyond the border.
#[derive(Clone, Copy, Debug)]
pub(super) enum Border {
    /// The pixel at the border.
    Clamp,
    /// A mirror image that has the pixel at the border once: `c b | a b c`.
    Mirror,
    /// A mirror image that has the pixel at the border twice: `b a | a b c`.
    Symmetric,
}

impl Border {
    /// The pixel in `0..n` that is seen at `i`.
    pub(super) fn index(self, i: isize, n: usize) -> usize {
        let n = n as isize;
        if (0..n).contains(&i) {
            return i as usize;
        }
        let seen = match self {
            Border::Clamp => i.clamp(0, n - 1),
            Border::Mirror if n == 1 => 0,
            Border::Mirror => {
                let i = i.rem_euclid(2 * n - 2);
                i.min(2 * n - 2 - i)
            }
            Border::Symmetric => {
                let i = i.rem_euclid(2 * n);
                i.min(2 * n - 1 - i)
            }
        };
        seen as usize
    }
}

/// A weight of a kernel, at an offset from the pixel in question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub(super) dy: isize,
    pub(super) dx: isize,
    pub(super) weight: f64,
}

/// Values with a border around them, and room for a chunk behind them.
pub(super) struct Padded<'a> {
    pub(super) values: &'a mut Vec<f32>,
    /// Values in a row.
    pub(super) stride: usize,
    /// Rows above and columns to the left of the image.
    origin: [isize; 2],
    channels: usize,
}

/// Values that are summed at once, in registers.
const CHUNK: usize = 16;

impl<'a> Padded<'a> {
    /// Adds `[above, below, left, right]` pixels, in memory of `room`, whatever it holds.
    pub(super) fn new(
        values: &[f32],
        dims: [usize; 3],
        by: [usize; 4],
        border: Border,
        room: &'a mut Vec<f32>,
    ) -> Self {
        let [height, width, channels] = dims;
        let [above, below, left, right] = by.map(|n| n as isize);
        let stride = (by[2] + width + by[3]) * channels;
        room.clear();
        room.reserve((by[0] + height + by[1]) * stride + CHUNK);
        let column = |x: isize| border.index(x, width) * channels;
        let before: Vec<usize> = (-left..0).map(column).collect();
        let after: Vec<usize> = (width as isize..width as isize + right)
            .map(column)
            .collect();
        for y in -above..height as isize + below {
            let row = &values[border.index(y, height) * width * channels..][..width * channels];
            for &x in &before {
                room.extend_from_slice(&row[x..x + channels]);
            }
            room.extend_from_slice(row);
            for &x in &after {
                room.extend_from_slice(&row[x..x + channels]);
            }
        }
        room.resize(room.len() + CHUNK, 0.0);
        Padded {
            values: room,
            stride,
            origin: [above, left],
            channels,
        }
    }

    /// Writes the sum under `taps` at each pixel, in `width` values a row. All taps must lie within the border.
    pub(super) fn sums(&self, taps: &[Tap], out: &mut [f32], width: usize) {
        let place = |tap: &Tap| {
            let row = (self.origin[0] + tap.dy) as usize * self.stride;
            let place = row + (self.origin[1] + tap.dx) as usize * self.channels;
            (place, tap.weight as f32)
        };
        let taps: Vec<(usize, f32)> = taps.iter().map(place).collect();
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            for (i, part) in row.chunks_mut(CHUNK).enumerate() {
                let from = &self.values[y * self.stride + i * CHUNK..];
                let mut sums = [0.0; CHUNK];
                for &(place, weight) in &taps {
                    let values = from[place..].first_chunk::<CHUNK>();
                    let values = values.expect("there is room for a chunk behind the last row");
                    for (sum, v) in sums.iter_mut().zip(values) {
                        *sum += weight * v;
                    }
                }
                part.copy_from_slice(&sums[..part.len()]);
            }
        }
    }
}

/// Replaces each pixel by the sum under `taps`, with `room` to work in.
pub(super) fn convolve(
    values: &mut [f32],
    dims: [usize; 3],
    taps: &[Tap],
    border: Border,
    room: &mut Vec<f32>,
) {
    let reach = |of: fn(&Tap) -> isize| taps.iter().map(of).max().unwrap_or(0).max(0) as usize;
    let by = [
        reach(|tap| -tap.dy),
        reach(|tap| tap.dy),
        reach(|tap| -tap.dx),
        reach(|tap| tap.dx),
    ];
    let padded = Padded::new(values, dims, by, border, room);
    padded.sums(taps, values, dims[1] * dims[2]);
}

/// Moves taps closer by `scale`; a tap between pixels is split linearly.
pub(super) fn scaled(taps: Vec<Tap>, scale: f64) -> Vec<Tap> {
    if scale == 1.0 {
        return taps;
    }
    let mut weights = BTreeMap::new();
    let split = |offset: isize| {
        let place = offset as f64 * scale;
        let fraction = place - place.floor();
        let first = place.floor() as isize;
        [(first, 1.0 - fraction), (first + 1, fraction)]
    };
    for tap in taps {
        for (dy, share_y) in split(tap.dy) {
            for (dx, share_x) in split(tap.dx) {
                let share = share_y * share_x;
                if share > 0.0 {
                    *weights.entry((dy, dx)).or_insert(0.0) += tap.weight * share;
                }
            }
        }
    }
    let tap = |((dy, dx), weight)| Tap { dy, dx, weight };
    weights.into_iter().map(tap).collect()
}

/// Samples of a normal density at -radius..=radius, of sum 1.
pub(super) fn gaussian(sigma: f64, radius: usize) -> Vec<f64> {
    let at = |i: usize| (-0.5 * ((i as f64 - radius as f64) / sigma).powi(2)).exp();
    let weights: Vec<f64> = (0..=2 * radius).map(at).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Blurs along columns, then along rows, with weights `[down, across]` at -radius..=radius, moved closer by `scale`.
pub(super) fn separable(
    values: &mut [f32],
    dims: [usize; 3],
    weights: [&[f64]; 2],
    border: Border,
    scale: f64,
    room: &mut Vec<f32>,
) {
    let taps = |weights: &[f64], place: fn(isize, f64) -> Tap| -> Vec<Tap> {
        let radius = (weights.len() / 2) as isize;
        let offsets = -radius..=radius;
        let taps = offsets.zip(weights).map(|(i, &weight)| place(i, weight));
        scaled(taps.collect(), scale)
    };
    let down = taps(weights[0], |dy, weight| Tap { dy, dx: 0, weight });
    let across = taps(weights[1], |dx, weight| Tap { dy: 0, dx, weight });
    convolve(values, dims, &down, border, room);
    convolve(values, dims, &across, border, room);
}
