//! Nearest training samples of some test samples, in one space beside another.
//!
//! What a representation takes to be alike is best seen by looking: the same test image, its
//! nearest training images by raw pixels, and those in the learned space.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use maud::{Markup, html};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Image, Pixels, Sample, Values};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::picture;

/// Longer side of a thumbnail, pixels; smaller images keep their size.
const LONGEST: u32 = 64;
/// What lies beside an image that is no square.
const BESIDE: image::Rgb<u8> = image::Rgb([240; 3]);

/// For each row of `query [m, d]` the `k` most similar rows of `train [n, d]` by cosine, most
/// similar first, as indices into `train`. A row of zeros is similar to nothing (0); NaN comes last.
///
/// Brute force, m × n × d multiplications on all cores.
pub fn neighbours(train: &Matrix, query: &Matrix, k: usize) -> Vec<Vec<usize>> {
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let scale = |row: &[f32]| 1.0 / dot(row, row).sqrt().max(1e-12);
    let scales: Vec<f32> = (0..train.rows).map(|i| scale(train.row(i))).collect();
    (0..query.rows)
        .into_par_iter()
        .map(|q| {
            let similarity = |i: usize| {
                let cosine = dot(query.row(q), train.row(i)) * scales[i];
                if cosine.is_nan() {
                    f32::NEG_INFINITY
                } else {
                    cosine
                }
            };
            let mut all: Vec<(f32, usize)> = (0..train.rows).map(|i| (similarity(i), i)).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all.into_iter().take(k).map(|(_, i)| i).collect()
        })
        .collect()
}

/// Many small images of one size in one PNG, side by side in rows.
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
        let Some(longest) = longest else {
            return Ok(Sprite::default());
        };
        let side = (longest.max(1) as u32).min(LONGEST);
        let (width, height) = (side, side);
        let columns = (images.len() as f64).sqrt().ceil() as u32;
        let count = images.len() as u32;
        let rows = count.div_ceil(columns);
        let mut sheet = RgbImage::from_pixel(columns * side, rows * side, BESIDE);
        let mut coloured = false;
        for (i, image) in (0_i64..).zip(images) {
            let tile = thumbnail(image)?.resize(side, side, FilterType::Triangle);
            coloured |= image.channels > 1;
            let (column, row) = (i % i64::from(columns), i / i64::from(columns));
            let middle = |tile: u32| i64::from((side - tile) / 2);
            let x = column * i64::from(side) + middle(tile.width());
            let y = row * i64::from(side) + middle(tile.height());
            imageops::replace(&mut sheet, &tile.to_rgb8(), x, y);
        }
        let sheet = DynamicImage::from(sheet);
        let sheet = if coloured {
            sheet
        } else {
            sheet.to_luma8().into()
        };
        let mut png = std::io::Cursor::new(Vec::new());
        sheet
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|e| Error::data(format!("cannot write the thumbnails as PNG: {e}")))?;
        let png = BASE64.encode(png.into_inner());
        Ok(Sprite {
            png,
            width,
            height,
            columns,
            count,
        })
    }

    /// Where image `index` lies, as an SVG `viewBox`.
    fn view_box(&self, index: u32) -> String {
        let columns = self.columns.max(1);
        let (x, y) = (index % columns * self.width, index / columns * self.height);
        format!("{x} {y} {} {}", self.width, self.height)
    }
}

fn thumbnail(image: &Image) -> Result<DynamicImage> {
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

/// One image of a strip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thumb {
    /// Which image of the sprite.
    pub tile: u32,
    /// Its class, where known.
    pub class: Option<String>,
}

/// A test image and what lies nearest to it in each space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The test image.
    pub image: Thumb,
    /// `[space][rank]`, nearest first.
    pub nearest: Vec<Vec<Thumb>>,
}

/// Nearest training images of some test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    /// All images that are shown.
    pub sprite: Sprite,
    /// Names of the spaces that are compared.
    pub spaces: Vec<String>,
    /// The test images.
    pub queries: Vec<Query>,
}

impl Neighbours {
    /// Fetches the images. `queries` and the lists in `spaces` (`[query][rank]`, see
    /// [`neighbours`]) are indices into `dataset`; `task` is the column that says what is alike.
    ///
    /// # Errors
    /// If a sample cannot be read or is no image.
    pub fn new(
        dataset: &Dataset,
        task: &str,
        queries: &[usize],
        spaces: &[(String, Vec<Vec<usize>>)],
    ) -> Result<Neighbours> {
        let mut shown: Vec<usize> = queries.to_vec();
        shown.extend(
            spaces
                .iter()
                .flat_map(|(_, nearest)| nearest.iter().flatten()),
        );
        shown.sort_unstable();
        shown.dedup();
        let image = |&index: &usize| match dataset.samples.get(index)? {
            Sample::Image(image) => Ok(image),
            Sample::Vector(_) => {
                let id = &dataset.ids[index];
                Err(Error::data(format!(
                    "{id} is a vector; only images can be shown beside their neighbours"
                )))
            }
        };
        let images = shown.iter().map(image).collect::<Result<Vec<Image>>>()?;
        let values = dataset
            .columns
            .iter()
            .find(|c| c.name == task)
            .map(|c| &c.values);
        let thumb = |index: usize| {
            let class = match values {
                Some(Values::Classes {
                    names,
                    index: class,
                }) => class[index].map(|c| names[c as usize].clone()),
                _ => None,
            };
            Thumb {
                tile: shown.partition_point(|&s| s < index) as u32,
                class,
            }
        };
        let query = |(at, &index): (usize, &usize)| {
            let lists = spaces
                .iter()
                .map(|(_, nearest)| nearest.get(at).map_or(&[][..], Vec::as_slice));
            let nearest = lists
                .map(|list| list.iter().map(|&i| thumb(i)).collect())
                .collect();
            Query {
                image: thumb(index),
                nearest,
            }
        };
        Ok(Neighbours {
            sprite: Sprite::new(&images)?,
            spaces: spaces.iter().map(|(name, _)| name.clone()).collect(),
            queries: queries.iter().enumerate().map(query).collect(),
        })
    }

    /// Share of the shown neighbours in `space` that have their query's class; `None` without classes.
    pub fn agreement(&self, space: usize) -> Option<f64> {
        let pairs = self
            .queries
            .iter()
            .filter_map(|q| Some((q, q.nearest.get(space)?)));
        let same: Vec<bool> = pairs
            .flat_map(|(q, nearest)| nearest.iter().filter_map(|t| alike(&q.image, t)))
            .collect();
        let hits = same.iter().filter(|&&s| s).count();
        (!same.is_empty()).then(|| hits as f64 / same.len() as f64)
    }
}

/// Whether two images are of one class; `None` where a class is unknown.
fn alike(a: &Thumb, b: &Thumb) -> Option<bool> {
    Some(a.class.as_ref()? == b.class.as_ref()?)
}

/// Draws the strips.
pub(super) fn strips(of: &Neighbours) -> Markup {
    let sprite = &of.sprite;
    let rows = sprite.count.div_ceil(sprite.columns.max(1));
    let thumb = |t: &Thumb, same: Option<bool>| {
        let class = t.class.as_deref().unwrap_or("unlabelled");
        html! {
            svg.thumb.wrong[same == Some(false)] viewBox=(sprite.view_box(t.tile)) role="img" {
                title { (class) }
                use href="#thumbnails" {}
            }
        }
    };
    html! {
        // Drawn once, out of sight; each thumbnail is a window onto it.
        svg.hidden aria-hidden="true" {
            image #thumbnails href=(format!("data:image/png;base64,{}", sprite.png))
                width=(sprite.columns * sprite.width) height=(rows * sprite.height) {}
        }
        div.strips {
            @for query in &of.queries {
                figure.strip {
                    div.query {
                        (thumb(&query.image, None))
                        @if let Some(class) = &query.image.class { span { (class) } }
                    }
                    div.spaces {
                        @for (name, nearest) in of.spaces.iter().zip(&query.nearest) {
                            @let known: Vec<bool> = nearest.iter().filter_map(|t| alike(&query.image, t)).collect();
                            div.row {
                                span.name title=(name) { (name) }
                                div.thumbs { @for t in nearest { (thumb(t, alike(&query.image, t))) } }
                                @if !known.is_empty() {
                                    span.count { (known.iter().filter(|&&s| s).count()) "/" (known.len()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn neighbours_are_the_most_similar_by_angle() {
        let train = Matrix::new(4, 2, vec![1.0, 0.0, 5.0, 5.0, f32::NAN, 1.0, 0.0, 0.1]);
        let query = Matrix::new(2, 2, vec![2.0, 1.9, 0.0, 0.0]);
        let found = neighbours(&train, &query, 3);
        assert_eq!(found[0], [1, 0, 3]);
        assert_eq!(found[1], [0, 1, 3], "zero query: row order, NaN last");
        assert_eq!(neighbours(&train, &query, 9)[0].len(), 4);
    }

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
        // One that is wide keeps its shape, with nothing of another's beside it.
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
