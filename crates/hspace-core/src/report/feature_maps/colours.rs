//! Numbers as colours.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma, Rgb, RgbImage};

/// Longer side of a map in the page, pixels; larger ones are made smaller.
const LONGEST: usize = 48;

/// Colours of a heat map; few of them make the page small.
const LEVELS: f32 = 31.0;

/// The smallest and the largest finite number; a little apart where all are alike.
pub(super) fn range<'a>(numbers: impl IntoIterator<Item = &'a f32>) -> [f32; 2] {
    let finite = numbers.into_iter().filter(|x| x.is_finite());
    let [low, high] = finite.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], &x| {
        [low.min(x), high.max(x)]
    });
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low, low + 1.0],
        false => [0.0, 1.0],
    }
}

/// Numbers `[height, width]` in colours from `low` to `high`, at most 48 pixels long.
pub(super) fn heat_map(
    numbers: &[f32],
    [height, width]: [usize; 2],
    [low, high]: [f32; 2],
) -> RgbImage {
    let byte = |x: f32| (((x - low) / (high - low)).clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut grey = GrayImage::from_fn(width as u32, height as u32, |x, y| {
        Luma([byte(numbers[y as usize * width + x as usize])])
    });
    let longest = height.max(width);
    if longest > LONGEST {
        let side = |length: usize| (length * LONGEST / longest).max(1) as u32;
        grey = imageops::resize(&grey, side(width), side(height), FilterType::Triangle);
    }
    RgbImage::from_fn(grey.width(), grey.height(), |x, y| {
        let share = f32::from(grey.get_pixel(x, y).0[0]) / 255.0;
        viridis((share * LEVELS).round() / LEVELS)
    })
}

/// Matplotlib's viridis at nine places.
pub(super) const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The colour of a number in 0..=1.
pub(super) fn viridis(share: f32) -> Rgb<u8> {
    let place = share * (VIRIDIS.len() - 1) as f32;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let rest = place - below as f32;
    let mix = |i: usize| {
        let (a, b) = (VIRIDIS[below][i], VIRIDIS[below + 1][i]);
        (f32::from(a) + rest * (f32::from(b) - f32::from(a))).round() as u8
    };
    Rgb([mix(0), mix(1), mix(2)])
}
