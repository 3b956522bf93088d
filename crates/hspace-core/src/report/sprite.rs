//! Many small pictures in one PNG, of which a page shows each where it wants.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::codecs::png::{CompressionType, FilterType as LineFilter, PngEncoder};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, RgbImage};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use crate::dataset::{Image, Pixels};
use crate::error::{Error, Result};
use crate::picture;

/// Longer side of a thumbnail, pixels; smaller images keep their size.
const LONGEST: u32 = 64;
/// What lies next to an image that is no square.
const BESIDE: image::Rgb<u8> = image::Rgb([240; 3]);

/// Many small images of one size in one PNG, side by side in rows.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::picture::tile;
/// use hspace_core::report::Sprite;
///
/// let dot = |value| tile(Shape::Image { channels: 1, height: 1, width: 1 }, &[value]);
/// let sprite = Sprite::of_tiles(&[dot(0.0), dot(0.5), dot(1.0)])?;
/// assert_eq!(sprite.count, 3);
/// assert_eq!(sprite.tiles()?[2].get_pixel(0, 0).0, [255; 3]);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sprite {
    /// The PNG, base64.
    pub png: String,
    /// Width of one image, pixels.
    pub width: u32,
    /// Height of one image, pixels.
    pub height: u32,
    /// Images in a row.
    pub columns: u32,
    /// Number of images.
    pub count: u32,
}

impl Sprite {
    /// Puts `images` together, each as large as fits into a square, at most 64 pixels long.
    ///
    /// # Errors
    /// If an image is empty or the PNG cannot be written.
    pub fn new(images: &[Image]) -> Result<Sprite> {
        let longest = images
            .iter()
            .map(|image| image.width.max(image.height))
            .max();
        let side = (longest.unwrap_or(0).max(1) as u32).min(LONGEST);
        let tile = |image: &Image| -> Result<RgbImage> {
            let small = thumbnail(image)?.resize(side, side, FilterType::Triangle);
            let middle = |length: u32| i64::from((side - length) / 2);
            let mut tile = RgbImage::from_pixel(side, side, BESIDE);
            let (x, y) = (middle(small.width()), middle(small.height()));
            imageops::replace(&mut tile, &small.to_rgb8(), x, y);
            Ok(tile)
        };
        let tiles = images.iter().map(tile).collect::<Result<Vec<RgbImage>>>()?;
        Sprite::of_tiles(&tiles)
    }

    /// Puts pictures of one size together. They are stored in grey where all are.
    ///
    /// # Errors
    /// If the PNG cannot be written.
    pub fn of_tiles(tiles: &[RgbImage]) -> Result<Sprite> {
        let Some((width, height)) = tiles.first().map(RgbImage::dimensions) else {
            return Ok(Sprite::default());
        };
        let columns = (tiles.len() as f64).sqrt().ceil() as u32;
        let count = tiles.len() as u32;
        let rows = count.div_ceil(columns);
        let mut sheet = RgbImage::from_pixel(columns * width, rows * height, BESIDE);
        for (i, tile) in (0..count).zip(tiles) {
            let (x, y) = (i % columns * width, i / columns * height);
            imageops::replace(&mut sheet, tile, i64::from(x), i64::from(y));
        }
        let is_grey = sheet.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]);
        let sheet = DynamicImage::from(sheet);
        let sheet = match is_grey {
            true => sheet.to_luma8().into(),
            false => sheet,
        };
        let png = BASE64.encode(smallest_png(&sheet)?);
        Ok(Sprite {
            png,
            width,
            height,
            columns,
            count,
        })
    }

    /// The pictures again.
    ///
    /// # Errors
    /// If the PNG does not hold them.
    pub fn tiles(&self) -> Result<Vec<RgbImage>> {
        let broken = || Error::data("a sprite does not hold the pictures that it says");
        let png = BASE64.decode(&self.png).map_err(|_| broken())?;
        if self.count == 0 {
            return Ok(Vec::new());
        }
        let sheet = image::load_from_memory(&png)
            .map_err(|_| broken())?
            .to_rgb8();
        let columns = self.columns.max(1);
        let rows = self.count.div_ceil(columns);
        if sheet.dimensions() != (columns * self.width, rows * self.height) {
            return Err(broken());
        }
        let tile = |i: u32| {
            let (x, y) = (i % columns * self.width, i / columns * self.height);
            imageops::crop_imm(&sheet, x, y, self.width, self.height).to_image()
        };
        Ok((0..self.count).map(tile).collect())
    }

    /// The picture as an SVG element with that id, onto which [`Sprite::view_box`] is a window.
    pub(super) fn image(&self, id: &str) -> Markup {
        let rows = self.count.div_ceil(self.columns.max(1));
        html! {
            image id=(id) href=(format!("data:image/png;base64,{}", self.png))
                width=(self.columns * self.width) height=(rows * self.height) {}
        }
    }

    /// Where image `index` lies, as an SVG `viewBox`.
    pub(super) fn view_box(&self, index: u32) -> String {
        let columns = self.columns.max(1);
        let (x, y) = (index % columns * self.width, index / columns * self.height);
        format!("{x} {y} {} {}", self.width, self.height)
    }
}

/// The smaller of two encodings: filtered lines suit photographs, plain ones pictures of few colours.
fn smallest_png(picture: &DynamicImage) -> Result<Vec<u8>> {
    let encoded = |filter| -> Result<Vec<u8>> {
        let mut png = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Best, filter);
        picture
            .write_with_encoder(encoder)
            .map_err(|e| Error::data(format!("cannot write the thumbnails as PNG: {e}")))?;
        Ok(png)
    };
    let (filtered, plain) = (
        encoded(LineFilter::Adaptive)?,
        encoded(LineFilter::NoFilter)?,
    );
    Ok(match plain.len() < filtered.len() {
        true => plain,
        false => filtered,
    })
}

/// An image of 8 bits a channel, grey or RGB.
pub(super) fn thumbnail(image: &Image) -> Result<DynamicImage> {
    let bytes: Vec<u8> = match &image.pixels {
        Pixels::U8(values) => values.to_vec(),
        Pixels::U16(values) => values.iter().map(|v| (v >> 8) as u8).collect(),
    };
    let (width, height) = (image.width as u32, image.height as u32);
    let made = match image.channels {
        1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
        channels => {
            let shown = picture::shown(channels);
            let rgb = |pixel: &[u8]| shown.map(|channel| channel.map_or(0, |c| pixel[c]));
            let bytes = bytes.chunks_exact(channels.max(1)).flat_map(rgb).collect();
            RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
        }
    };
    made.filter(|_| width > 0 && height > 0).ok_or_else(|| {
        let (channels, n) = (image.channels, width as usize * height as usize);
        Error::data(format!(
            "an image of {width}x{height} pixels does not hold {n}x{channels} values"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn a_sprite_holds_every_image_where_its_view_box_says() {
        let flat = |value: u8, side: usize| Image {
            width: side,
            height: side,
            channels: 1,
            pixels: Pixels::U8(Cow::Owned(vec![value; side * side])),
        };
        let images: Vec<Image> = [10, 60, 110, 160, 210]
            .map(|v| flat(v, 4))
            .into_iter()
            .chain([flat(255, 9)])
            .collect();
        let sprite = Sprite::new(&images).expect("sprite");
        let png = BASE64.decode(&sprite.png).expect("base64");
        let sheet = image::load_from_memory(&png).expect("png").to_luma8();
        for (i, expected) in [10, 60, 110, 160, 210, 255].into_iter().enumerate() {
            let at: Vec<u32> = sprite
                .view_box(i as u32)
                .split(' ')
                .map(|v| v.parse().expect("number"))
                .collect();
            assert_eq!(
                sheet.get_pixel(at[0] + 3, at[1] + 3).0[0],
                expected,
                "image {i}"
            );
        }
        let tiles = sprite.tiles().expect("tiles");
        assert_eq!((tiles.len(), tiles[1].get_pixel(8, 8).0), (6, [60; 3]));
        assert_eq!(Sprite::of_tiles(&tiles).expect("sprite"), sprite);
        // One that is wide keeps its shape, with nothing of another's next to it.
        let wide = Image {
            width: 8,
            height: 4,
            channels: 1,
            pixels: Pixels::U8(Cow::Owned(vec![10; 32])),
        };
        let sprite = Sprite::new(&[wide, flat(20, 8)]).expect("sprite");
        assert_eq!((sprite.width, sprite.height), (8, 8));
        let png = BASE64.decode(&sprite.png).expect("base64");
        let sheet = image::load_from_memory(&png).expect("png").to_luma8();
        let rows = [0, 1, 2, 5, 6, 7].map(|y| sheet.get_pixel(7, y).0[0]);
        assert_eq!(rows, [240, 240, 10, 10, 240, 240]);
        let short = Image {
            width: 4,
            height: 4,
            channels: 3,
            pixels: Pixels::U8(Cow::Owned(vec![0; 3])),
        };
        assert!(Sprite::new(&[short]).is_err());
        assert_eq!(Sprite::new(&[]).expect("none").count, 0);
    }
}
