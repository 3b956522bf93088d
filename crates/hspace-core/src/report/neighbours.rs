//! Nearest training samples of some test samples, in one space and in another.
//!
//! What a representation takes to be alike is best seen by looking: the same test image, its
//! nearest training images by raw pixels, and those in the learned space.

use maud::{Markup, html};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sprite::Sprite;
use crate::dataset::{Dataset, Image, Sample, Values};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// For each row of `query [m, d]` the `k` most similar rows of `train [n, d]` by cosine, most
/// similar first, as indices into `train`. A row of zeros is similar to nothing (0); NaN comes last.
///
/// Brute force, m × n × d multiplications on all cores.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::report::neighbours;
///
/// let train = Matrix::new(3, 2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
/// let query = Matrix::new(1, 2, vec![2.0, 0.1]);
/// assert_eq!(neighbours(&train, &query, 2), [[0, 2]]);
/// ```
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
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::report::Neighbours;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// // Of image 0 the nearest two by pixels, as `neighbours` finds them.
/// let spaces = [("pixels".to_owned(), vec![vec![1, 2]])];
/// let strip = Neighbours::new(&shapes, "shape", &[0], &spaces)?;
/// assert_eq!(strip.sprite.count, 3);
/// assert_eq!(strip.agreement(0), Some(1.0)); // All three are circles.
/// # Ok::<(), hspace_core::Error>(())
/// ```
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
                    "{id} is a vector; only images can be shown next to their neighbours"
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
        svg.hidden aria-hidden="true" { (sprite.image("thumbnails")) }
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

    #[test]
    fn neighbours_are_the_most_similar_by_angle() {
        let train = Matrix::new(4, 2, vec![1.0, 0.0, 5.0, 5.0, f32::NAN, 1.0, 0.0, 0.1]);
        let query = Matrix::new(2, 2, vec![2.0, 1.9, 0.0, 0.0]);
        let found = neighbours(&train, &query, 3);
        assert_eq!(found[0], [1, 0, 3]);
        assert_eq!(found[1], [0, 1, 3], "zero query: row order, NaN last");
        assert_eq!(neighbours(&train, &query, 9)[0].len(), 4);
    }
}
