//! Fitted heads, applied to the maps of test images.

use rayon::prelude::*;

use super::{ClassNumbers, FeatureMaps, Grid, MaskTask};
use crate::dataset::Mask;
use crate::error::{Error, Result};
use crate::head::Map;
use crate::matrix::Matrix;
use crate::probe::scaling::Transform;

/// The logit of a class that is never answered. Finite, so that it can be interpolated.
const NEVER: f32 = -1e30;

/// A linear head for places.
pub struct MaskHead {
    /// `[d, classes]`, on scaled features.
    weights: Matrix,
    /// `[classes]`
    bias: Vec<f32>,
}

/// Answers to test images.
pub struct MaskPredictions {
    /// For each head and image the pixels of each class `[heads][images, classes, 2]`: those answered rightly, and all that are answered. Ignored
    /// pixels are not counted.
    pub counts: Vec<Vec<f64>>,
    /// Place among the images, true mask, and answer of the shown head.
    pub shown: Vec<(usize, Mask, Mask)>,
}

/// Counts of each head on one image `[heads][classes, 2]`; where it is shown, its mask and the answer.
type ImageAnswer = (Vec<Vec<f64>>, Option<(Mask, Mask)>);

/// Which answers are wanted whole.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// Place of the head.
    pub head: usize,
    /// Rows of images whose answers are returned, ascending.
    pub rows: &'a [usize],
}

impl MaskHead {
    /// Of a fitted linear probe.
    ///
    /// # Errors
    /// Of another kind of head.
    pub fn of(map: Map) -> Result<MaskHead> {
        match map {
            Map::Linear { weights, bias } => Ok(MaskHead {
                weights,
                bias: bias.iter().map(|&b| (b as f32).max(NEVER)).collect(),
            }),
            Map::Neighbours(_) => Err(Error::data("a mask probe is linear")),
        }
    }

    /// One that always answers `class` of `classes`, on `d` features.
    pub fn constant(class: u32, classes: usize, d: usize) -> MaskHead {
        let mut bias = vec![NEVER; classes];
        bias[class as usize] = 0.0;
        MaskHead {
            weights: Matrix::zeros(d, classes),
            bias,
        }
    }

    /// One for features that are the logits of `classes`.
    pub fn of_logits(classes: usize) -> MaskHead {
        let mut weights = Matrix::zeros(classes, classes);
        for class in 0..classes {
            weights.data[class * classes + class] = 1.0;
        }
        MaskHead {
            weights,
            bias: vec![0.0; classes],
        }
    }

    /// The class of each pixel `[height, width]` from scaled features of the places `[h · w, d]`.
    fn answer(&self, features: &Matrix, grid: &Grid) -> Vec<u8> {
        let mut logits = features.times(&self.weights);
        for row in logits.data.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(z, b)| *z += b);
        }
        grid.answer(&logits.data, self.bias.len())
    }
}

/// What all images have in common.
pub struct Predicting<'a> {
    pub maps: &'a dyn FeatureMaps,
    pub task: MaskTask<'a>,
    pub classes: &'a ClassNumbers,
    /// Names of the classes, which are their numbers.
    pub names: &'a [String],
    /// What heads were fitted to; `None`: features as they are.
    pub transform: Option<&'a Transform>,
}

impl Predicting<'_> {
    /// The answers of `heads` to the images `rows`, in one pass.
    ///
    /// # Errors
    /// When a map or a mask cannot be read.
    pub fn answers(
        &self,
        heads: &[&MaskHead],
        rows: &[usize],
        shown: Option<Shown<'_>>,
    ) -> Result<MaskPredictions> {
        let mut out = MaskPredictions {
            counts: vec![Vec::with_capacity(rows.len() * self.names.len() * 2); heads.len()],
            shown: Vec::new(),
        };
        let mut done = 0;
        self.maps.each(rows, &mut |batch, values| {
            let size = values.len() / batch.len().max(1);
            let images = batch.par_iter().zip(values.par_chunks_exact(size.max(1)));
            let answered: Vec<_> = images
                .map(|(&row, map)| self.image(heads, row, map, shown))
                .collect::<Result<_>>()?;
            for (place, (counts, example)) in answered.into_iter().enumerate() {
                for (all, own) in out.counts.iter_mut().zip(counts) {
                    all.extend(own);
                }
                let example = example.map(|(truth, answer)| (done + place, truth, answer));
                out.shown.extend(example);
            }
            done += batch.len();
            Ok(())
        })?;
        Ok(out)
    }

    /// The answers of each head to one image.
    fn image(
        &self,
        heads: &[&MaskHead],
        row: usize,
        map: &[f32],
        shown: Option<Shown<'_>>,
    ) -> Result<ImageAnswer> {
        let [height, width, d] = self.maps.dims();
        let truth = (self.task.read)(row)?;
        let size = [truth.height, truth.width];
        let grid = Grid::new([height, width], self.maps.input(), size);
        let mut features = Matrix::new(height * width, d, map.to_vec());
        if let Some(transform) = self.transform {
            transform.apply(&mut features);
        }
        let mut example = None;
        let mut counts = Vec::with_capacity(heads.len());
        for (place, head) in heads.iter().enumerate() {
            let answer = head.answer(&features, &grid);
            counts.push(self.counts(&truth, &answer));
            if let Some(shown) = shown.filter(|shown| shown.head == place) {
                let number = |&class: &u8| self.names[usize::from(class)].parse().unwrap_or(0);
                let answer = Mask {
                    classes: answer.iter().map(number).collect(),
                    ..truth
                };
                if let Some(keep) = self.task.keep {
                    keep(shown.source, row, &answer)?;
                }
                if shown.rows.binary_search(&row).is_ok() {
                    example = Some(answer);
                }
            }
        }
        Ok((counts, example.map(|answer| (truth, answer))))
    }

    fn counts(&self, truth: &Mask, answer: &[u8]) -> Vec<f64> {
        let mut counts = vec![0.0; self.names.len() * 2];
        for (&number, &answered) in truth.classes.iter().zip(answer) {
            let class = usize::from(self.classes.place(number));
            if class < self.names.len() {
                let answered = usize::from(answered);
                counts[2 * answered] += f64::from(u8::from(class == answered));
                counts[2 * answered + 1] += 1.0;
            }
        }
        counts
    }
}
