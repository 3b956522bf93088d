//! Masks as PNG files, and the colours of classes.

use png::{BitDepth, ColorType, Encoder};

use super::{IGNORED, Mask};
use crate::error::{Error, Result};

/// Colours of the first classes, which can be distinguished without seeing red or green (Okabe & Ito 2008).
const FIRST: [[u8; 3]; 8] = [
    [40, 40, 48],
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
];
/// Turn of the hue from one class to the next: the golden angle, of which no two multiples are near each other soon.
const TURN: f64 = 0.381_966_011_250_105;

/// The colour of a class, `[red, green, blue]`: of each of 0 to 254 another, white of pixels of no known class.
///
/// ```
/// use hspace_core::dataset::mask::colour;
///
/// assert_ne!(colour(0), colour(1));
/// assert_eq!(colour(255), [255; 3]);
/// ```
pub fn colour(class: u8) -> [u8; 3] {
    let place = usize::from(class);
    match class {
        IGNORED => [255; 3],
        _ if place < FIRST.len() => FIRST[place],
        _ => {
            let hue = (place as f64 * TURN).fract();
            let lightness = [0.45, 0.6, 0.75][place % 3];
            of_hue(hue, lightness)
        }
    }
}

/// A colour of that hue, in 0..1, with a saturation of 0.65 in the model of hue, saturation and lightness.
fn of_hue(hue: f64, lightness: f64) -> [u8; 3] {
    let reach = 0.65 * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|n| {
        let k = (n + hue * 12.0) % 12.0;
        let value = lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (255.0 * value).round() as u8
    })
}

impl Mask {
    /// The bytes of a PNG with 8 bits a pixel, whose values are the class numbers, and whose palette is of [`colour`]s. Read as a mask, it is the
    /// same.
    ///
    /// ```
    /// use hspace_core::dataset::Mask;
    /// use hspace_core::dataset::mask::colour;
    /// use hspace_core::image::load_from_memory;
    ///
    /// let mask = Mask { width: 2, height: 1, classes: vec![3, 255] };
    /// let picture = load_from_memory(&mask.png()?).expect("a PNG").to_rgb8();
    /// assert_eq!(picture.get_pixel(0, 0).0, colour(3));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Without a pixel.
    pub fn png(&self) -> Result<Vec<u8>> {
        let failed = |e: png::EncodingError| Error::data(format!("a mask as PNG: {e}"));
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette((0..=IGNORED).flat_map(colour).collect::<Vec<u8>>());
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.classes).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_class_has_a_colour_of_its_own() {
        let all: BTreeSet<[u8; 3]> = (0..=IGNORED).map(colour).collect();
        assert_eq!(all.len(), 256);
        // Neighbours differ clearly.
        for class in 0..IGNORED - 1 {
            let pair = [class, class + 1].map(colour);
            let distance: i32 = (0..3)
                .map(|c| (i32::from(pair[0][c]) - i32::from(pair[1][c])).abs())
                .sum();
            assert!(distance > 60, "{class}: {pair:?}");
        }
    }

    #[test]
    fn a_mask_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let mask = Mask {
            width: 16,
            height: 16,
            classes: (0..=255).collect(),
        };
        std::fs::write(&path, mask.png().unwrap()).unwrap();
        assert_eq!(
            super::super::read(&path, [16, 16], "a.png", 1000).unwrap(),
            mask
        );
        let none = Mask {
            width: 0,
            height: 0,
            classes: vec![],
        };
        assert!(none.png().is_err());
    }
}
