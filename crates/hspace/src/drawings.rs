//! What a run that learned to draw shows of itself: reconstructions, samples from the prior,
//! traversals of its latents, interpolations.

use hspace_core::image::RgbImage;

use crate::dataset::{Dataset, Shape, Split};
use crate::error::Result;
use crate::fidelity::Fidelity;
use crate::generate::{GenerativeModel, deviations};
use crate::matrix::{Matrix, spaced};
use crate::picture::{animation, png, sheet, tile};
use crate::report::Drawing;

/// Samples from which the latents' spread is taken.
pub const SPREAD: usize = 2000;
/// Test samples in a report, drawn again.
const SHOWN: usize = 24;
/// Samples of the prior in a report.
const SAMPLES: usize = 36;
/// Interpolations in a report.
const PAIRS: usize = 6;
/// Rows, columns and reach of a report's traversals, in standard deviations.
const LATENTS: usize = 10;
const STEPS: usize = 9;
const SPAN: f32 = 2.5;

/// Samples in a row of a sheet.
const COLUMNS: usize = 12;

/// How latents lie: what a traversal goes through.
///
/// ```
/// use hspace::drawings::{Spread, axes};
/// use hspace::matrix::Matrix;
///
/// let latents = Matrix::new(2, 3, vec![0.0, -5.0, 1.0, 0.0, 5.0, 3.0]);
/// let spread = Spread::of(&latents);
/// assert_eq!(spread.mean, [0.0, 0.0, 2.0]);
/// assert_eq!(spread.order, [1, 2, 0]);
/// assert_eq!(axes(&spread), [1, 2]);
/// ```
pub struct Spread {
    /// Their mean, by latent.
    pub mean: Vec<f32>,
    /// Their standard deviation, by latent.
    pub deviation: Vec<f32>,
    /// Latents in order, those to be moved first.
    pub order: Vec<usize>,
}

impl Spread {
    /// Of latents `[n, d]`, the one that varies most first.
    pub fn of(latents: &Matrix) -> Spread {
        let deviation = deviations(latents);
        Spread {
            order: largest_first(&deviation),
            mean: latents
                .column_means()
                .into_iter()
                .map(|x| x as f32)
                .collect(),
            deviation: deviation.into_iter().map(|x| x as f32).collect(),
        }
    }

    /// Of the standard normal distribution, in which all vary alike: the latent first whose step from one
    /// deviation below 0 to one above changes what `base` looks like most.
    pub fn of_prior(drawer: &GenerativeModel, base: &[f32]) -> Spread {
        let d = base.len();
        let mut moved = Matrix::zeros(2 * d, d);
        for (i, row) in moved.data.chunks_exact_mut(d).enumerate() {
            row.copy_from_slice(base);
            row[i / 2] = [-1.0, 1.0][i % 2];
        }
        let (drawn, scale) = (drawer.draw(&moved), drawer.scale());
        let change = |latent: usize| -> f64 {
            let [low, high] = [2 * latent, 2 * latent + 1].map(|row| drawn.row(row));
            let pairs = low.iter().zip(high).zip(&scale);
            pairs
                .map(|((a, b), s)| f64::from((a - b) / s).powi(2))
                .sum()
        };
        let changes: Vec<f64> = (0..d).map(change).collect();
        Spread {
            mean: vec![0.0; d],
            deviation: vec![1.0; d],
            order: largest_first(&changes),
        }
    }
}

fn largest_first(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

/// A way from one sample's latents to another's: the weights of both, 0 to 1 of the way along.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::{Interpolation, interpolations};
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let ends = model.prior(2, 0)?;
/// let tiles = interpolations(&model, &ends.select(&[0]), &ends.select(&[1]), (5, Interpolation::Arc));
/// assert_eq!((tiles.len(), tiles[0].len()), (1, 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Straight.
    Line,
    /// In an arc: between two independent draws of the standard normal distribution every place on it has that
    /// distribution too, while the middle of a line is too near to 0 (White 2016, arXiv:1609.04468, whose arc has the
    /// angle between the two, here it is a right one).
    Arc,
}

impl Interpolation {
    fn weights(self, along: f32) -> (f32, f32) {
        match self {
            Interpolation::Line => (1.0 - along, along),
            Interpolation::Arc => {
                let sine = |share: f32| (share * std::f32::consts::FRAC_PI_2).sin();
                (sine(1.0 - along), sine(along))
            }
        }
    }
}

/// A row of values, as [`GenerativeModel::draw`] gives it, as a tile.
fn picture(drawer: &GenerativeModel, values: &[f32]) -> RgbImage {
    let input = &drawer.trained().about.input;
    match input.shape {
        Shape::Image { .. } => tile(input.shape, values),
        Shape::Vector { .. } => {
            let scales = input.mean.iter().zip(&input.std);
            let standard = values
                .iter()
                .zip(scales)
                .map(|(x, (mean, std))| (x - mean) / std);
            tile(input.shape, &standard.collect::<Vec<f32>>())
        }
    }
}

fn pictures(drawer: &GenerativeModel, values: &Matrix) -> Vec<RgbImage> {
    (0..values.rows)
        .map(|i| picture(drawer, values.row(i)))
        .collect()
}

/// Rows of samples, each above what its latents look like.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::reconstructions;
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let picture = reconstructions(&model, &shapes, &[0, 1, 2])?;
/// picture.save(folder.path().join("reconstructions.png"))?;
/// assert!(picture.width() > picture.height());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`GenerativeModel::latents`].
pub fn reconstructions(
    drawer: &GenerativeModel,
    dataset: &Dataset,
    rows: &[usize],
) -> Result<RgbImage> {
    side_by_side(
        drawer,
        dataset,
        rows,
        &drawer.latents(dataset, rows)?.features,
    )
}

/// The same for latents `[n, d]` of the rows that were found elsewhere.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "gan")?;
/// use hspace::device::Device;
/// use hspace::drawings::side_by_side;
/// use hspace::generate::GenerativeModel;
///
/// // Latents found by inversion, here those of the prior.
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let picture = side_by_side(&model, &shapes, &[0, 1, 2], &model.prior(3, 0)?)?;
/// assert!(picture.width() > picture.height());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the samples cannot be read.
pub fn side_by_side(
    drawer: &GenerativeModel,
    dataset: &Dataset,
    rows: &[usize],
    latents: &Matrix,
) -> Result<RgbImage> {
    let samples = pictures(drawer, &drawer.samples(dataset, rows)?.features);
    let drawn = pictures(drawer, &drawer.draw(latents));
    let pairs = samples.chunks(COLUMNS).zip(drawn.chunks(COLUMNS));
    let all: Vec<Vec<RgbImage>> = pairs.flat_map(|(a, b)| [a.to_vec(), b.to_vec()]).collect();
    sheet(&all, false)
}

/// What latents `[n, d]` look like, in a square as far as they go.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::gallery;
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let picture = gallery(&model, &model.prior(16, 0)?)?;
/// assert_eq!(picture.width(), picture.height());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If there are none.
pub fn gallery(drawer: &GenerativeModel, latents: &Matrix) -> Result<RgbImage> {
    let tiles = pictures(drawer, &drawer.draw(latents));
    let columns = (tiles.len() as f64).sqrt().ceil().max(1.0) as usize;
    let rows: Vec<Vec<RgbImage>> = tiles.chunks(columns).map(<[_]>::to_vec).collect();
    sheet(&rows, false)
}

/// For each of the `most` latents that are to be moved first: the sample of latents `base` with that latent moved in
/// `steps` steps from `span` standard deviations below its mean to as many above. Rows are latents.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::{Spread, traversal};
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let latents = model.latents(&shapes, &[0, 1, 2, 3])?.features;
/// // Three latents, each in 7 steps over ± 2 standard deviations.
/// let tiles = traversal(&model, latents.row(0), &Spread::of(&latents), (7, 2.0, 3));
/// assert_eq!((tiles.len(), tiles[0].len()), (3, 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn traversal(
    drawer: &GenerativeModel,
    base: &[f32],
    spread: &Spread,
    (steps, span, most): (usize, f32, usize),
) -> Vec<Vec<RgbImage>> {
    let row = |&latent: &usize| {
        let mut moved = Matrix::zeros(steps, base.len());
        for (step, row) in moved.data.chunks_exact_mut(base.len()).enumerate() {
            row.copy_from_slice(base);
            let share = 2.0 * step as f32 / (steps - 1).max(1) as f32 - 1.0;
            row[latent] = spread.mean[latent] + share * span * spread.deviation[latent];
        }
        pictures(drawer, &drawer.draw(&moved))
    };
    spread.order.iter().take(most).map(row).collect()
}

/// The two latents that are to be moved first, in the order of their numbers: one from left to right, the other upwards.
///
/// ```
/// use hspace::drawings::{Spread, axes};
///
/// let spread = Spread { mean: vec![0.0; 3], deviation: vec![1.0, 3.0, 2.0], order: vec![1, 2, 0] };
/// assert_eq!(axes(&spread), [1, 2]);
/// ```
///
/// # Panics
/// If there is but one latent.
pub fn axes(spread: &Spread) -> [usize; 2] {
    let [a, b] = [spread.order[0], spread.order[1]];
    [a.min(b), a.max(b)]
}

/// The sample of latents `base` with the two latents of [`axes`] moved, each in `steps` steps from `span`
/// standard deviations below its mean to as many above. The first row is the highest.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::{Spread, plane};
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let base = vec![0.0; model.dims()];
/// let tiles = plane(&model, &base, &Spread::of_prior(&model, &base), (5, 2.0));
/// assert_eq!((tiles.len(), tiles[0].len()), (5, 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plane(
    drawer: &GenerativeModel,
    base: &[f32],
    spread: &Spread,
    (steps, span): (usize, f32),
) -> Vec<Vec<RgbImage>> {
    let axes = axes(spread);
    let place = |axis: usize, step: usize| {
        let share = 2.0 * step as f32 / (steps - 1).max(1) as f32 - 1.0;
        spread.mean[axis] + share * span * spread.deviation[axis]
    };
    let row = |up: usize| {
        let mut moved = Matrix::zeros(steps, base.len());
        for (across, row) in moved.data.chunks_exact_mut(base.len()).enumerate() {
            row.copy_from_slice(base);
            row[axes[0]] = place(axes[0], across);
            row[axes[1]] = place(axes[1], up);
        }
        pictures(drawer, &drawer.draw(&moved))
    };
    (0..steps).rev().map(row).collect()
}

/// Each row from one sample's latents to another's, in `steps` steps.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::{Interpolation, interpolations};
/// use hspace::generate::GenerativeModel;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let [from, to] = [[0, 1], [2, 3]].map(|rows| model.latents(&shapes, &rows));
/// let tiles = interpolations(&model, &from?.features, &to?.features, (4, Interpolation::Line));
/// assert_eq!((tiles.len(), tiles[0].len()), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn interpolations(
    drawer: &GenerativeModel,
    from: &Matrix,
    to: &Matrix,
    (steps, way): (usize, Interpolation),
) -> Vec<Vec<RgbImage>> {
    let row = |i: usize| {
        let (a, b) = (from.row(i), to.row(i));
        let mut between = Matrix::zeros(steps, a.len());
        for (step, row) in between.data.chunks_exact_mut(a.len()).enumerate() {
            let (left, right) = way.weights(step as f32 / (steps - 1).max(1) as f32);
            let mixed = a.iter().zip(b).map(|(a, b)| left * a + right * b);
            row.iter_mut().zip(mixed).for_each(|(row, x)| *row = x);
        }
        pictures(drawer, &drawer.draw(&between))
    };
    (0..from.rows.min(to.rows)).map(row).collect()
}

/// The frames of an animation of [`traversal`]: in each, all latents are at the same step.
///
/// ```
/// use hspace::dataset::Shape;
/// use hspace::drawings::frames;
/// use hspace::picture::{animation, tile};
///
/// let dot = |value| tile(Shape::Image { channels: 1, height: 1, width: 1 }, &[value]);
/// // Two latents, three steps each.
/// let row = || vec![dot(0.0), dot(0.5), dot(1.0)];
/// let frames = frames(&[row(), row()])?;
/// assert_eq!(frames.len(), 3);
/// assert!(animation(&frames)?.starts_with(b"GIF89a"));
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// If there is nothing to draw.
pub fn frames(rows: &[Vec<RgbImage>]) -> Result<Vec<RgbImage>> {
    let steps = rows.first().map_or(0, Vec::len);
    let columns = (rows.len() as f64).sqrt().ceil().max(1.0) as usize;
    let frame = |step: usize| {
        let tiles: Vec<RgbImage> = rows.iter().map(|row| row[step].clone()).collect();
        let rows: Vec<Vec<RgbImage>> = tiles.chunks(columns).map(<[_]>::to_vec).collect();
        sheet(&rows, false)
    };
    (0..steps).map(frame).collect()
}

/// The pictures of a report: traversals of latents, still and moving, the plane of two, interpolations; where the
/// encoder gives latents, reconstructions of test samples, which are then what is moved; where there is a
/// prior, samples of it, with how they were judged.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::drawings::for_report;
/// use hspace::generate::GenerativeModel;
/// use hspace::report::{Page, html};
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let drawings = for_report(&model, &shapes, None, 0)?;
/// let title = drawings[0].title.clone();
/// let page = Page { drawings, ..Page::default() };
/// assert!(html(&page)?.contains(&title));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Samples that cannot be read.
pub fn for_report(
    drawer: &GenerativeModel,
    dataset: &Dataset,
    fidelity: Option<&Fidelity>,
    seed: u64,
) -> Result<Vec<Drawing>> {
    let drawing = |title: &str, caption: String, picture: Vec<u8>| Drawing {
        title: title.to_owned(),
        caption,
        picture,
    };
    let mut all = Vec::new();
    let (latents, spread, sample, way) = if drawer.has_latents() {
        let test = dataset.indices(Split::Test);
        let rows: Vec<usize> = if test.is_empty() {
            (0..dataset.len()).collect()
        } else {
            test
        };
        let picked =
            |n: usize| -> Vec<usize> { spaced(rows.len(), n).iter().map(|&i| rows[i]).collect() };
        let picture = reconstructions(drawer, dataset, &picked(SHOWN))?;
        let caption = "test samples, each above what its latents look like";
        all.push(drawing("Reconstructions", caption.into(), png(&picture)?));
        let latents = drawer.latents(dataset, &picked(SPREAD))?.features;
        let spread = Spread::of(&latents);
        (latents, spread, "test sample", Interpolation::Line)
    } else {
        let latents = drawer.prior(2 * PAIRS, seed)?;
        let spread = Spread::of_prior(drawer, latents.row(0));
        (latents, spread, "drawn sample", Interpolation::Arc)
    };
    let rows = traversal(drawer, latents.row(0), &spread, (STEPS, SPAN, LATENTS));
    let caption = format!(
        "one latent of a {sample} a row, those that {} most first, from {SPAN} standard deviations below its mean to \
         as many above; the others stay",
        if drawer.has_latents() {
            "vary"
        } else {
            "change it"
        }
    );
    all.push(drawing("Traversals", caption, png(&sheet(&rows, false)?)?));
    if latents.cols == 2 {
        let rows = plane(drawer, latents.row(0), &spread, (STEPS, SPAN));
        let caption = format!(
            "what lies at each place of the two latents, up to {SPAN} standard deviations from their means: the \
             first from left to right, the second upwards"
        );
        all.push(drawing("The plane", caption, png(&sheet(&rows, false)?)?));
    }
    let caption = "traversals in motion, one latent a tile";
    all.push(drawing(
        "Traversals, moving",
        caption.into(),
        animation(&frames(&rows)?)?,
    ));
    // Spread over all, since samples often lie in the order of their classes.
    let ends = spaced(latents.rows, 2 * PAIRS);
    let n = ends.len() / 2;
    if n > 0 {
        let [from, to] = [&ends[..n], &ends[n..]].map(|rows| latents.select(rows));
        let rows = interpolations(drawer, &from, &to, (STEPS, way));
        let how = match way {
            Interpolation::Line => "on a straight line",
            Interpolation::Arc => "in an arc, every place of which is distributed as the prior",
        };
        let caption = format!("from the latents of one {sample} to those of another, {how}");
        all.push(drawing(
            "Interpolations",
            caption,
            png(&sheet(&rows, false)?)?,
        ));
    }
    if drawer.has_prior() {
        let picture = gallery(drawer, &drawer.prior(SAMPLES, seed)?)?;
        let mut caption = "drawn from the standard normal distribution, not chosen".to_owned();
        if let Some(found) = fidelity {
            let Fidelity {
                space,
                drawn,
                real,
                samples,
                ..
            } = found;
            caption += &format!(
                "; precision {:.2}, recall {:.2}, Fréchet distance {:.3} in {space} ({samples} samples; training \
                 samples in their place: {:.2}, {:.2}, {:.3})",
                drawn.precision,
                drawn.recall,
                drawn.frechet,
                real.precision,
                real.recall,
                real.frechet
            );
        }
        all.push(drawing("Samples from the prior", caption, png(&picture)?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_begin_and_end_at_the_samples() {
        for way in [Interpolation::Line, Interpolation::Arc] {
            assert_eq!(
                (way.weights(0.0), way.weights(1.0)),
                ((1.0, 0.0), (0.0, 1.0))
            );
        }
        assert_eq!(Interpolation::Line.weights(0.5), (0.5, 0.5));
        // The variance of a sum of two draws stays 1.
        let (a, b) = Interpolation::Arc.weights(0.3);
        assert!((a * a + b * b - 1.0).abs() < 1e-6 && a > b, "{a} {b}");
    }
}
