//! A contact sheet: samples and their views side by side, to see what the encoder will see.

use image::{Rgb, RgbImage};

use super::{Key, Views, sample_key};
use crate::dataset::{Dataset, Shape};
use crate::error::{Error, Result};

/// Smallest side of a tile, in pixels.
const TILE: usize = 64;
/// White between two tiles.
const GUTTER: usize = 4;
/// White between a sample and its views.
const GAP: usize = 12;

/// One row for each of `samples` samples: first as it is evaluated, then `per_sample` random views.
///
/// Samples are chosen by `seed`, which seeds the views too; those that cannot be read are passed
/// over. Small pictures are enlarged without smoothing. A vector is drawn as stripes, one a
/// feature: white at the mean, red above and blue below, darkest at three standard deviations.
///
/// # Errors
/// If the dataset or the sheet has no tile, the samples do not fit the views, or none can be read.
pub fn contact_sheet(
    dataset: &Dataset,
    views: &Views,
    samples: usize,
    per_sample: usize,
    seed: u64,
) -> Result<RgbImage> {
    if dataset.is_empty() || samples == 0 {
        return Err(Error::data(format!(
            "{}: nothing to draw: {} of {} samples asked for",
            dataset.name,
            samples,
            dataset.len()
        )));
    }
    let mut rows = Vec::new();
    let mut unreadable = None;
    for index in shuffled(dataset.len(), seed) {
        match row(dataset, views, index, per_sample, seed) {
            Ok(tiles) => rows.push(tiles),
            Err(error @ Error::File { .. }) => unreadable = Some(error),
            Err(error) => return Err(error),
        }
        if rows.len() == samples {
            break;
        }
    }
    match (rows.is_empty(), unreadable) {
        (true, Some(error)) => Err(error),
        _ => Ok(assemble(&rows)),
    }
}

/// The indices below `n` in random order.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut draws = Key {
        seed,
        ..Key::default()
    }
    .draws("sheet");
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, draws.below(i + 1));
    }
    order
}

/// A sample and its views as tiles.
fn row(
    dataset: &Dataset,
    views: &Views,
    index: usize,
    per_sample: usize,
    seed: u64,
) -> Result<Vec<RgbImage>> {
    let sample = dataset.samples.get(index)?;
    let mut values = vec![0.0; views.input().len()];
    views.plain(&sample, &mut values)?;
    let mut tiles = vec![tile(views, &values)];
    for view in 0..per_sample as u64 {
        let key = Key {
            seed,
            epoch: 0,
            sample: sample_key(&dataset.ids[index]),
            view,
        };
        views.random(&sample, key, &mut values)?;
        tiles.push(tile(views, &values));
    }
    Ok(tiles)
}

fn tile(views: &Views, values: &[f32]) -> RgbImage {
    let input = views.input();
    match input.shape {
        Shape::Image {
            channels,
            height,
            width,
        } => {
            let times = TILE.div_ceil(height.min(width));
            let byte = |channel: usize, pixel: usize| {
                let v = values[channel * height * width + pixel];
                ((v * input.std[channel] + input.mean[channel]) * 255.0).round() as u8
            };
            blank(width * times, height * times, |x, y| {
                let pixel = y / times * width + x / times;
                Rgb([0, 1, 2].map(|c: usize| byte(c.min(channels - 1), pixel)))
            })
        }
        Shape::Vector { dim } => {
            let stripe = (2 * TILE).div_ceil(dim);
            blank(dim * stripe, TILE, |x, _| stripe_color(values[x / stripe]))
        }
    }
}

/// White at 0, red at 3, blue at -3.
fn stripe_color(value: f32) -> Rgb<u8> {
    let strength = (value / 3.0).clamp(-1.0, 1.0);
    let fade = ((1.0 - strength.abs()) * 255.0).round() as u8;
    if strength >= 0.0 {
        Rgb([255, fade, fade])
    } else {
        Rgb([fade, fade, 255])
    }
}

fn blank(width: usize, height: usize, pixel: impl Fn(usize, usize) -> Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        pixel(x as usize, y as usize)
    })
}

/// All tiles are of one size.
fn assemble(rows: &[Vec<RgbImage>]) -> RgbImage {
    let (width, height) = (rows[0][0].width() as usize, rows[0][0].height() as usize);
    let left = |column: usize| {
        GUTTER + column * (width + GUTTER) + if column > 0 { GAP - GUTTER } else { 0 }
    };
    let top = |row: usize| GUTTER + row * (height + GUTTER);
    let mut sheet = blank(left(rows[0].len()), top(rows.len()), |_, _| Rgb([255; 3]));
    for (y, row) in rows.iter().enumerate() {
        for (x, tile) in row.iter().enumerate() {
            image::imageops::replace(&mut sheet, tile, left(x) as i64, top(y) as i64);
        }
    }
    sheet
}
