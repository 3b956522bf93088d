//! Several datasets as one, so that all go through the same encoder in the same way.

use std::borrow::Cow;

use crate::dataset::{Dataset, Image, Mask, Pixels, Sample, Samples, Shape, Split};
use crate::error::{Error, Result};

/// The samples of several datasets, one after the other.
pub(super) struct Parts {
    parts: Vec<Part>,
    /// Channels that grey images are repeated to; 1 leaves them as they are.
    channels: usize,
}

struct Part {
    samples: Box<dyn Samples>,
    /// Place of its first sample.
    begin: usize,
    /// What is added to each feature, so that all parts are less the shift of the first.
    rebase: Option<Vec<f64>>,
}

impl Parts {
    /// Of samples, each with their number.
    pub(super) fn new(all: Vec<(Box<dyn Samples>, usize)>, channels: usize) -> Parts {
        let first = all.first().and_then(|(first, _)| first.shift());
        let first = first.map(<[f64]>::to_vec);
        let (mut parts, mut begin) = (Vec::new(), 0);
        for (place, (samples, count)) in all.into_iter().enumerate() {
            parts.push(Part {
                rebase: match place {
                    0 => None,
                    _ => rebase(first.as_deref(), samples.shift()),
                },
                samples,
                begin,
            });
            begin += count;
        }
        Parts { parts, channels }
    }
}

/// The second's shift less the first's; `None` where neither has one.
fn rebase(first: Option<&[f64]>, second: Option<&[f64]>) -> Option<Vec<f64>> {
    match (first, second) {
        (None, None) => None,
        (None, Some(second)) => Some(second.to_vec()),
        (Some(first), None) => Some(first.iter().map(|s| -s).collect()),
        (Some(first), Some(second)) => Some(second.iter().zip(first).map(|(b, a)| b - a).collect()),
    }
}

impl Samples for Parts {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let place = self.parts.partition_point(|part| part.begin <= index) - 1;
        let Part {
            samples,
            begin,
            rebase,
        } = &self.parts[place];
        Ok(match (samples.get(index - begin)?, rebase) {
            (Sample::Vector(values), Some(rebase)) => {
                let moved = values.iter().zip(rebase);
                let moved = moved.map(|(&x, by)| (f64::from(x) + by) as f32);
                Sample::Vector(moved.collect::<Vec<_>>().into())
            }
            (Sample::Image(image), _) if image.channels == 1 && self.channels > 1 => {
                Sample::Image(repeated(&image, self.channels))
            }
            (sample, _) => sample,
        })
    }

    fn shift(&self) -> Option<&[f64]> {
        self.parts.first()?.samples.shift()
    }

    fn mask(&self, index: usize, column: &str) -> Result<Mask> {
        let place = self.parts.partition_point(|part| part.begin <= index) - 1;
        let part = &self.parts[place];
        part.samples.mask(index - part.begin, column)
    }
}

/// A grey image with `channels` equal channels.
fn repeated<'a>(image: &Image<'_>, channels: usize) -> Image<'a> {
    fn each<T: Copy>(values: &[T], channels: usize) -> Cow<'static, [T]> {
        let of = |&value: &T| std::iter::repeat_n(value, channels);
        values.iter().flat_map(of).collect::<Vec<T>>().into()
    }
    Image {
        channels,
        pixels: match &image.pixels {
            Pixels::U8(values) => Pixels::U8(each(values, channels)),
            Pixels::U16(values) => Pixels::U16(each(values, channels)),
        },
        ..*image
    }
}

impl Dataset {
    /// This dataset followed by `other`, whose samples are all test samples here: what is learned from
    /// the training split (means, principal components) is learned from this one alone. Kind and shape
    /// are this one's; columns are left out. Ids of `other` get a prefix.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, OpenOptions, Split};
    ///
    /// let shapes = || Dataset::open("builtin:shapes", &OpenOptions::default());
    /// let train = shapes()?.indices(Split::Train);
    /// let both = shapes()?.joined_with(shapes()?)?;
    /// assert_eq!(both.len(), 3200);
    /// // Nothing is learned from the second one.
    /// assert_eq!(both.indices(Split::Train), train);
    /// assert!(both.ids[1600].starts_with("other:"));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If one has images and the other vectors, or vectors of another length.
    pub fn joined_with(self, other: Dataset) -> Result<Dataset> {
        let alike = match (self.shape, other.shape) {
            (Shape::Image { .. }, Shape::Image { .. }) => true,
            (Shape::Vector { dim }, Shape::Vector { dim: others }) => dim == others,
            _ => false,
        };
        if !alike {
            return Err(Error::data(format!(
                "{} has {}, {} has {}: one encoder cannot take both",
                self.name,
                self.shape.what(),
                other.name,
                other.shape.what()
            )));
        }
        let mut prefix = "other:".to_owned();
        while self.ids.iter().any(|id| id.starts_with(&prefix)) {
            prefix.insert(0, '_');
        }
        let counts = [self.len(), other.len()];
        let (mut ids, mut split, mut bad) = (self.ids, self.split, self.bad);
        ids.extend(other.ids.iter().map(|id| format!("{prefix}{id}")));
        split.resize(ids.len(), Split::Test);
        bad.extend(other.bad);
        Ok(Dataset {
            name: self.name,
            kind: self.kind,
            shape: self.shape,
            ids,
            columns: Vec::new(),
            split,
            bad,
            reading: self.reading,
            samples: Box::new(Parts::new(
                vec![(self.samples, counts[0]), (other.samples, counts[1])],
                1,
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::OpenOptions;

    #[test]
    fn samples_of_both_in_order_and_nothing_to_learn_from_in_the_second() {
        let open = || Dataset::open("builtin:mnist-mini", &OpenOptions::default()).unwrap();
        let n = open().len();
        let both = open().joined_with(open()).unwrap();
        assert_eq!((both.len(), both.split.len()), (2 * n, 2 * n));
        assert_eq!(both.indices(Split::Train), open().indices(Split::Train));
        let again = open();
        assert_eq!(
            both.samples.get(n + 5).unwrap(),
            again.samples.get(5).unwrap()
        );
        assert_eq!(both.ids[n + 5], format!("other:{}", again.ids[5]));
        let twice = both.joined_with(open()).unwrap();
        assert!(
            twice.ids[2 * n].starts_with("_other:"),
            "{}",
            twice.ids[2 * n]
        );
    }

    #[test]
    fn images_and_vectors_cannot_be_joined() {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), "a,b\n1,2\n3,4\n").unwrap();
        let options = OpenOptions::default();
        let vectors = Dataset::open(file.path().to_str().unwrap(), &options).unwrap();
        let images = Dataset::open("builtin:mnist-mini", &options).unwrap();
        let text = images
            .joined_with(vectors)
            .err()
            .map_or(String::new(), |e| e.to_string());
        assert!(text.contains("vectors of 2 numbers"), "{text}");
    }
}
