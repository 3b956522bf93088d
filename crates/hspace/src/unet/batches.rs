//! Which images a step learns from, and how they are shifted and mirrored.

use rand::RngExt;

use crate::dataset::mask::IGNORED;
use crate::nn::weights::rng_for;

/// Places, of `n` images, that step `step` learns from, `batch` of them: every image once before any is taken again, in an order of its own each
/// time.
pub(super) fn places(n: usize, batch: usize, step: usize, seed: u64) -> Vec<usize> {
    let all = step * batch..(step + 1) * batch;
    let order = |epoch: usize| {
        let mut rng = rng_for(&format!("order {epoch}"), seed);
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n {
            order.swap(i, rng.random_range(i..n));
        }
        order
    };
    let (mut epoch, mut current) = (all.start / n, order(all.start / n));
    let place = |i: usize| {
        if i / n != epoch {
            epoch = i / n;
            current = order(epoch);
        }
        current[i % n]
    };
    all.map(place).collect()
}

/// Where a view of an image looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// Pixels down and to the right.
    shift: [i64; 2],
    mirrored: bool,
}

impl View {
    /// A random one: shifted by up to `shift` of the sides `[height, width]`, mirrored with the probability `flip`.
    pub fn draw(seed: u64, what: &str, size: [usize; 2], shift: f64, flip: f64) -> View {
        let mut rng = rng_for(what, seed);
        let mut along = |side: usize| {
            let most = (shift * side as f64) as i64;
            rng.random_range(-most..=most)
        };
        let shift = size.map(&mut along);
        View {
            shift,
            mirrored: rng.random_bool(flip),
        }
    }

    /// For each place of the view, row by row, the place of the image of `size`, and whether it is within: beyond the border the nearest one.
    fn sources(self, [height, width]: [usize; 2]) -> impl Iterator<Item = (usize, bool)> {
        let [down, right] = self.shift;
        let near = |at: i64, side: usize| at.clamp(0, side as i64 - 1);
        (0..height * width).map(move |place| {
            let (y, x) = (place / width, place % width);
            let x = if self.mirrored { width - 1 - x } else { x };
            let (y, x) = (y as i64 + down, x as i64 + right);
            let (inner_y, inner_x) = (near(y, height), near(x, width));
            let inside = (y, x) == (inner_y, inner_x);
            (inner_y as usize * width + inner_x as usize, inside)
        })
    }

    /// The view of an image `[channels, height, width]`.
    pub fn of_image(self, pixels: &[f32], size: [usize; 2]) -> Vec<f32> {
        let channels = pixels.chunks_exact(size[0] * size[1]);
        channels
            .flat_map(|channel| self.sources(size).map(|(place, _)| channel[place]))
            .collect()
    }

    /// The view of a mask `[height, width]`; beyond the border it is ignored.
    pub fn of_mask(self, classes: &[u8], size: [usize; 2]) -> Vec<u8> {
        let class = |(place, inside): (usize, bool)| match inside {
            true => classes[place],
            false => IGNORED,
        };
        self.sources(size).map(class).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_taken_once_before_any_is_taken_again() {
        let all: Vec<usize> = (0..7).flat_map(|step| places(10, 4, step, 3)).collect();
        for epoch in all.chunks(10).take(2) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(all[..10], all[10..20]);
        assert_eq!(places(10, 4, 2, 3), all[8..12]);
        assert_ne!(places(10, 4, 2, 4), all[8..12]);
        assert_eq!(places(1, 2, 5, 0), [0, 0]);
    }

    #[test]
    fn image_and_mask_move_together() {
        let view = View {
            shift: [1, -1],
            mirrored: true,
        };
        // Two rows of three: from the row below, mirrored, from one to the left.
        let pixels = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(
            view.of_image(&pixels, [2, 3]),
            [4.0, 3.0, 3.0, 4.0, 3.0, 3.0]
        );
        let classes = [0, 1, 2, 3, 4, 5];
        let gone = IGNORED;
        assert_eq!(
            view.of_mask(&classes, [2, 3]),
            [4, 3, gone, gone, gone, gone]
        );
        let plain = View::draw(5, "x", [9, 9], 0.0, 0.0);
        assert_eq!(plain.of_mask(&classes, [2, 3]), classes);
        let drawn = |what: &str| View::draw(5, what, [40, 40], 0.2, 0.5);
        assert_eq!(drawn("a"), drawn("a"));
        let many: Vec<View> = (0..50).map(|i| drawn(&i.to_string())).collect();
        assert!(many.iter().any(|v| v.mirrored) && many.iter().any(|v| !v.mirrored));
        assert!(many.iter().all(|v| v.shift.iter().all(|s| s.abs() <= 8)));
    }
}
