//! Edges of drops, and the distance from them, on planes `[height, width]`.

use super::picture::least;

/// Directions closer to an axis than this are compared along it: tan 22.5°.
const TAN_22: f32 = 0.414_213_57;

/// Gradients by Sobel's filter along x and y, `[height, width]`. Beyond the border its pixels are repeated.
fn slopes(values: &[f32], [height, width]: [usize; 2]) -> [Vec<f32>; 2] {
    let [mut along_x, mut along_y] = [(); 2].map(|()| Vec::with_capacity(height * width));
    // Of each column: the weighted sum and the difference of three rows, with one more to each side.
    let [mut sum, mut difference] = [(); 2].map(|()| vec![0.0; width + 2]);
    for y in 0..height {
        let row = |y: usize| &values[y * width..][..width];
        let rows = [
            row(y.saturating_sub(1)),
            row(y),
            row((y + 1).min(height - 1)),
        ];
        for x in 0..width {
            let [above, here, below] = rows.map(|row| row[x]);
            sum[x + 1] = above + 2.0 * here + below;
            difference[x + 1] = below - above;
        }
        for columns in [&mut sum, &mut difference] {
            (columns[0], columns[width + 1]) = (columns[1], columns[width]);
        }
        along_x.extend(sum.iter().zip(&sum[2..]).map(|(left, right)| right - left));
        let triples = difference
            .iter()
            .zip(&difference[1..])
            .zip(&difference[2..]);
        along_y.extend(triples.map(|((left, here), right)| left + 2.0 * here + right));
    }
    [along_x, along_y]
}

/// Edges by Canny's detector (Canny 1986): gradients of Sobel's filter, thinned; of those above `low`, what is connected to one above `high`.
pub(super) fn canny(values: &[f32], [height, width]: [usize; 2], low: f32, high: f32) -> Vec<bool> {
    let [along_x, along_y] = slopes(values, [height, width]);
    // One pixel wider to each side, where there is no gradient.
    let stride = width + 2;
    let mut strength = vec![0.0_f32; (height + 2) * stride];
    for (y, row) in strength
        .chunks_exact_mut(stride)
        .skip(1)
        .take(height)
        .enumerate()
    {
        let slopes = along_x[y * width..].iter().zip(&along_y[y * width..]);
        let inside = row[1..=width].iter_mut().zip(slopes);
        inside.for_each(|(to, (dx, dy))| *to = dx.abs() + dy.abs());
    }
    let mut is_edge = vec![false; height * width];
    let mut is_weak = vec![false; height * width];
    let mut open = vec![];
    for y in 0..height {
        for x in 0..width {
            let place = (y + 1) * stride + x + 1;
            let here = strength[place];
            if here <= low {
                continue;
            }
            let (dx, dy) = (along_x[y * width + x], along_y[y * width + x]);
            let is_peak = if dy.abs() < TAN_22 * dx.abs() {
                here > strength[place - 1] && here >= strength[place + 1]
            } else if dx.abs() < TAN_22 * dy.abs() {
                here > strength[place - stride] && here >= strength[place + stride]
            } else {
                let lean = if dx * dy < 0.0 {
                    stride - 1
                } else {
                    stride + 1
                };
                here > strength[place - lean] && here > strength[place + lean]
            };
            if is_peak && here > high {
                is_edge[y * width + x] = true;
                open.push([y, x]);
            }
            is_weak[y * width + x] = is_peak;
        }
    }
    while let Some([y, x]) = open.pop() {
        for y in y.saturating_sub(1)..(y + 2).min(height) {
            for x in x.saturating_sub(1)..(x + 2).min(width) {
                let place = y * width + x;
                if is_weak[place] && !is_edge[place] {
                    is_edge[place] = true;
                    open.push([y, x]);
                }
            }
        }
    }
    is_edge
}

/// Lengths of steps to a side, to a corner, and of a knight's move (Borgefors 1986, 5 × 5).
const STEPS: [f32; 3] = [1.0, 1.4, 2.1969];

/// The length of the shortest path to an edge, not above `most`.
pub(super) fn distance(is_edge: &[bool], [height, width]: [usize; 2], most: f32) -> Vec<f32> {
    // Two more pixels to each side.
    let stride = width + 4;
    let mut far = vec![most; (height + 4) * stride];
    for (row, is_edge) in far
        .chunks_exact_mut(stride)
        .skip(2)
        .zip(is_edge.chunks_exact(width))
    {
        let pixels = row[2..].iter_mut().zip(is_edge);
        pixels
            .filter(|(_, is_edge)| **is_edge)
            .for_each(|(far, _)| *far = 0.0);
    }
    for y in 2..height + 2 {
        let (before, row) = far.split_at_mut(y * stride);
        let (second, first) = before[(y - 2) * stride..].split_at(stride);
        approach(&mut row[..stride], [first, second]);
        let row = &mut row[2..width + 2];
        row.iter_mut().fold(most, |left, far| {
            *far = least(*far, left + STEPS[0]);
            *far
        });
    }
    for y in (2..height + 2).rev() {
        let (row, after) = far.split_at_mut((y + 1) * stride);
        let (first, second) = after.split_at(stride);
        approach(&mut row[y * stride..], [first, &second[..stride]]);
        let row = &mut row[y * stride + 2..][..width];
        row.iter_mut().rfold(most, |right, far| {
            *far = least(*far, right + STEPS[0]);
            *far
        });
    }
    let rows = far.chunks_exact(stride).skip(2).take(height);
    rows.flat_map(|row| &row[2..width + 2]).copied().collect()
}

/// Shortens the distances of a row by paths from the first and second row next to it.
fn approach(row: &mut [f32], [first, second]: [&[f32]; 2]) {
    let [side, corner, knight] = STEPS;
    let around = first.windows(5).zip(second.windows(5));
    for (far, (first, second)) in row[2..].iter_mut().zip(around) {
        let nearest = [
            first[2] + side,
            least(first[1], first[3]) + corner,
            least(least(first[0], first[4]), least(second[1], second[3])) + knight,
        ];
        *far = nearest.into_iter().fold(*far, least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_a_thin_closed_outline_and_distances_grow_from_it() {
        let n = 41;
        let from_centre = |i: usize| ((i / n) as f32 - 20.0).hypot((i % n) as f32 - 20.0);
        let disk = |i| if from_centre(i) < 12.0 { 200.0 } else { 0.0 };
        let disk: Vec<f32> = (0..n * n).map(disk).collect();
        let is_edge = canny(&disk, [n, n], 50.0, 150.0);
        let edges = (0..n * n).filter(|&i| is_edge[i]);
        let radii: Vec<f32> = edges.map(from_centre).collect();
        assert!((60..110).contains(&radii.len()), "{}", radii.len());
        assert!(radii.iter().all(|r| (r - 12.0).abs() < 1.5), "{radii:?}");
        let far = distance(&is_edge, [n, n], 10.0);
        assert!((far[20 * n + 15] - 6.5).abs() < 1.2, "{}", far[20 * n + 15]);
        assert_eq!(far[20 * n + 20], 10.0);
    }
}
