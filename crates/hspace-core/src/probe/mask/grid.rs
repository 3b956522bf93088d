//! Places of a feature map and pixels of a mask.

use std::ops::Range;

use super::ClassNumbers;
use crate::dataset::{Mask, mask::IGNORED};
use crate::views::Frame;

/// The cells of a map's places in an image.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Height and width of the map.
    places: [usize; 2],
    /// Height and width of the image, in pixels.
    image: [usize; 2],
    /// First row and first column of the part that the map covers.
    start: [f64; 2],
    /// Height and width of that part.
    length: [f64; 2],
}

/// The two places that a pixel lies between along one side, and the weight of the second.
type Tap = (usize, usize, f32);

impl Grid {
    /// Of a map of `places`, `[h, w]`, of an input of size `input`, `[height, width]`: the largest centred part of the `image` with its aspect.
    pub fn new(places: [usize; 2], input: [usize; 2], image: [usize; 2]) -> Grid {
        let frame = Frame::centred(image, input);
        Grid {
            places,
            image,
            start: [frame.top, frame.left],
            length: [frame.height, frame.width],
        }
    }

    /// The pixels of place `i` along `axis`: at least one.
    fn span(&self, axis: usize, i: usize) -> Range<usize> {
        let step = self.length[axis] / self.places[axis] as f64;
        let edge = |i: usize| (self.start[axis] + i as f64 * step).round() as usize;
        let full = self.image[axis];
        let (first, last) = (edge(i), edge(i + 1).min(full));
        if first < last {
            return first..last;
        }
        // Smaller than a pixel: the one that its centre lies in.
        let centre = self.start[axis] + (i as f64 + 0.5) * step;
        let pixel = (centre as usize).min(full - 1);
        pixel..pixel + 1
    }

    /// The class of most pixels of a place, the lowest of equals; `None` where all are ignored.
    pub fn majority(&self, mask: &Mask, place: usize, classes: &ClassNumbers) -> Option<u32> {
        let [_, columns] = self.places;
        let mut counts = [0u32; 256];
        for y in self.span(0, place / columns) {
            for x in self.span(1, place % columns) {
                counts[usize::from(classes.place(mask.classes[y * mask.width + x]))] += 1;
            }
        }
        let classes = (0..usize::from(IGNORED)).rev().filter(|&c| counts[c] > 0);
        classes.max_by_key(|&c| counts[c]).map(|c| c as u32)
    }

    /// For each pixel along `axis` the places it lies between; beyond the outer places' centres the outer place alone.
    fn taps(&self, axis: usize) -> Vec<Tap> {
        let last = self.places[axis] - 1;
        let step = self.length[axis] / self.places[axis] as f64;
        let tap = |pixel: usize| {
            let at = (pixel as f64 + 0.5 - self.start[axis]) / step - 0.5;
            let at = at.clamp(0.0, last as f64);
            let first = at.floor() as usize;
            (first, (first + 1).min(last), (at - at.floor()) as f32)
        };
        (0..self.image[axis]).map(tap).collect()
    }

    /// The class of the largest of the `logits` `[h, w, classes]`, interpolated bilinearly, at each pixel `[height, width]`; the first of
    /// equals.
    pub fn answer(&self, logits: &[f32], classes: usize) -> Vec<u8> {
        let [_, columns] = self.places;
        let (rows, across) = (self.taps(0), self.taps(1));
        let mut line = vec![0.0f32; columns * classes];
        let mut out = Vec::with_capacity(rows.len() * across.len());
        for (first, second, weight) in rows {
            let [a, b] =
                [first, second].map(|row| &logits[row * columns * classes..][..line.len()]);
            for ((x, a), b) in line.iter_mut().zip(a).zip(b) {
                *x = a + weight * (b - a);
            }
            for &(first, second, weight) in &across {
                let [a, b] = [first, second].map(|place| &line[place * classes..][..classes]);
                let (mut best, mut top) = (0, f32::NEG_INFINITY);
                for (class, (a, b)) in a.iter().zip(b).enumerate() {
                    let logit = a + weight * (b - a);
                    if logit > top {
                        (best, top) = (class, logit);
                    }
                }
                out.push(best as u8);
            }
        }
        out
    }
}

/// For each place of a map of `places`, `[h, w]`, of an input of size `input`, `[height, width]`, the class of most pixels of its cell in the mask:
/// its place among the class `numbers`, [`IGNORED`] where no pixel has one of them.
///
/// ```
/// use hspace_core::dataset::Mask;
/// use hspace_core::probe::mask::place_classes;
///
/// let mask = Mask { width: 4, height: 2, classes: vec![7, 7, 255, 255, 7, 0, 255, 255] };
/// assert_eq!(place_classes(&mask, [1, 2], [2, 4], &[0, 7]), [1, 255]);
/// assert_eq!(place_classes(&mask, [2, 4], [2, 4], &[0, 7]), [1, 1, 255, 255, 1, 0, 255, 255]);
/// ```
pub fn place_classes(
    mask: &Mask,
    places: [usize; 2],
    input: [usize; 2],
    numbers: &[u8],
) -> Vec<u8> {
    let grid = Grid::new(places, input, [mask.height, mask.width]);
    let classes = ClassNumbers::of_numbers(numbers);
    let class = |place| grid.majority(mask, place, &classes);
    let all = (0..places[0] * places[1]).map(class);
    all.map(|class| class.map_or(IGNORED, |class| class as u8))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(names: &[&str]) -> ClassNumbers {
        ClassNumbers::of(&names.iter().map(|n| n.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_place_has_the_class_of_most_pixels_that_are_not_ignored() {
        let mask = Mask {
            width: 4,
            height: 2,
            classes: vec![7, 7, 255, 255, 0, 7, 255, 255],
        };
        let classes = numbers(&["0", "7"]);
        let grid = Grid::new([1, 2], [2, 4], [2, 4]);
        assert_eq!(grid.majority(&mask, 0, &classes), Some(1));
        assert_eq!(grid.majority(&mask, 1, &classes), None);
        // Of equals the lowest; a map finer than the mask takes pixels more than once.
        let even = Mask {
            width: 2,
            height: 1,
            classes: vec![7, 0],
        };
        let whole = Grid::new([1, 1], [1, 2], [1, 2]);
        assert_eq!(whole.majority(&even, 0, &classes), Some(0));
        let fine = Grid::new([2, 4], [1, 2], [1, 2]);
        let found = (0..8).map(|place| fine.majority(&even, place, &classes));
        let wanted = [1, 1, 0, 0, 1, 1, 0, 0].map(Some);
        assert_eq!(found.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn cells_cover_the_part_that_the_network_takes() {
        // Square input of an image of 2 x 6: its columns 2 and 3.
        let mask = Mask {
            width: 6,
            height: 2,
            classes: vec![9, 9, 1, 2, 9, 9, 9, 9, 3, 4, 9, 9],
        };
        let classes = numbers(&["1", "2", "3", "4", "9"]);
        let grid = Grid::new([2, 2], [10, 10], [2, 6]);
        let found = (0..4).map(|place| grid.majority(&mask, place, &classes));
        assert_eq!(found.collect::<Vec<_>>(), [0, 1, 2, 3].map(Some));
        // Pixels outside have the answer of the nearest place.
        let logits: Vec<f32> = (0..16).map(|i| f32::from(i / 4 == i % 4)).collect();
        let answer = grid.answer(&logits, 4);
        assert_eq!(answer, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }

    #[test]
    fn logits_are_interpolated_as_pytorch_does_without_aligned_corners() {
        // torch.nn.functional.interpolate([0, 1, 4], size=6, mode="linear"): 0, .25, .75, 1.75, 3.25, 4.
        let grid = Grid::new([1, 3], [1, 6], [1, 6]);
        let values = [0.0, 1.0, 4.0];
        let wanted = [0.0, 0.25, 0.75, 1.75, 3.25, 4.0];
        for threshold in [0.1, 0.3, 0.8, 1.8, 3.3] {
            let logits: Vec<f32> = values.iter().flat_map(|&v| [threshold, v]).collect();
            let answer = grid.answer(&logits, 2);
            let above = wanted.map(|v| u8::from(v > threshold));
            assert_eq!(answer, above, "{threshold}");
        }
    }
}
