//! A contact sheet: samples and their views side by side, to see what the encoder will see.

use image::RgbImage;
use image::imageops::{FilterType, resize};

use super::{Key, Views, sample_key};
use crate::dataset::{Dataset, Shape};
use crate::error::{Error, Result};
use crate::picture;

/// One row for each of `samples` samples: first as it is evaluated, then `per_sample` random views, by the recipes of `views` in turn.
/// Views of another size than the first's are drawn as large as it.
///
/// Samples are chosen by `seed`, which seeds the views too; those that cannot be read are passed
/// over. Small pictures are enlarged without smoothing. A vector is drawn as stripes, one a
/// feature: white at the mean, red above and blue below, darkest at three standard deviations. Next to the sheet: its
/// rows, fewer than asked for where there are no more samples that can be read.
///
/// ```
/// use hspace_core::dataset::{Dataset, Kind, OpenOptions};
/// use hspace_core::views::sheet::contact_sheet;
/// use hspace_core::views::{InputSpec, Views, ViewsConfig};
///
/// let digits = Dataset::open("builtin:mnist-mini", &OpenOptions::default())?;
/// let input = InputSpec { shape: digits.shape, mean: vec![0.13], std: vec![0.31], shift: vec![] };
/// let views = Views::new(ViewsConfig::preset(Kind::Digits, 28), input, None)?;
/// let (picture, rows) = contact_sheet(&digits, &[&views], 3, 4, 0)?;
/// assert!(rows == 3 && picture.width() > picture.height());
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If the dataset or the sheet has no tile, the samples do not fit the views, or none can be read.
pub fn contact_sheet(
    dataset: &Dataset,
    views: &[&Views],
    samples: usize,
    per_sample: usize,
    seed: u64,
) -> Result<(RgbImage, usize)> {
    if dataset.is_empty() || samples == 0 || views.is_empty() {
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
        _ => Ok((picture::sheet(&rows, true)?, rows.len())),
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
    views: &[&Views],
    index: usize,
    per_sample: usize,
    seed: u64,
) -> Result<Vec<RgbImage>> {
    let sample = dataset.samples.get(index)?;
    let mut values = vec![0.0; views[0].input().len()];
    views[0].plain(&sample, &mut values)?;
    let mut tiles = vec![tile(views[0], &values)];
    let (width, height) = tiles[0].dimensions();
    for view in 0..per_sample {
        let recipe = views[view % views.len()];
        let key = Key {
            seed,
            sample: sample_key(&dataset.ids[index]),
            view: view as u64,
            ..Key::default()
        };
        values.resize(recipe.input().len(), 0.0);
        recipe.random(&sample, key, &mut values)?;
        let drawn = tile(recipe, &values);
        tiles.push(match drawn.dimensions() == (width, height) {
            true => drawn,
            false => resize(&drawn, width, height, FilterType::Nearest),
        });
    }
    Ok(tiles)
}

/// What the encoder sees, as it looks: images in 0..1.
fn tile(views: &Views, values: &[f32]) -> RgbImage {
    let input = views.input();
    match input.shape {
        Shape::Image { height, width, .. } => {
            let pixels = height * width;
            let plain = |(i, v): (usize, &f32)| v * input.std[i / pixels] + input.mean[i / pixels];
            let plain: Vec<f32> = values.iter().enumerate().map(plain).collect();
            picture::tile(input.shape, &plain)
        }
        Shape::Vector { .. } => picture::tile(input.shape, values),
    }
}
