//! Places of training images: what heads are fitted to.

use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;

use super::{ClassNumbers, FeatureMaps, Grid, MaskTask};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::random::{mix, shuffled};

/// Places of an image at most.
const PLACES: usize = 1024;
/// Numbers of all images' places at most.
const NUMBERS: usize = 1 << 26;
/// Places of a fit at most.
const FIT: usize = 1 << 16;

/// Places of some images.
pub struct Places {
    /// `[places, d]`, those of an image one after the other, in random order.
    pub features: Matrix,
    /// Their classes `[places]`.
    pub classes: Vec<u32>,
    /// The row that each is of `[places]`.
    pub rows: Vec<u32>,
    of_row: HashMap<usize, Range<usize>>,
}

impl Places {
    /// Of the images `rows`, each once.
    ///
    /// # Errors
    /// When a map or a mask cannot be read.
    pub fn of(
        maps: &dyn FeatureMaps,
        rows: &[usize],
        task: MaskTask<'_>,
        classes: &ClassNumbers,
        seed: u64,
    ) -> Result<Places> {
        let [height, width, d] = maps.dims();
        let most = PLACES.min(NUMBERS / (d * rows.len()).max(1)).max(1);
        let mut places = Places {
            features: Matrix::zeros(0, d),
            classes: Vec::new(),
            rows: Vec::new(),
            of_row: HashMap::new(),
        };
        maps.each(rows, &mut |batch, values| {
            let sampled = |(place, &row): (usize, &usize)| -> Result<Vec<(usize, u32)>> {
                let mask = (task.read)(row)?;
                let size = [mask.height, mask.width];
                let grid = Grid::new([height, width], maps.input(), size);
                let order = shuffled((0..height * width).collect(), mix(&[seed, 5, row as u64]));
                let first = place * height * width;
                let known = order.into_iter().filter_map(|own: usize| {
                    let class = grid.majority(&mask, own, classes)?;
                    Some((first + own, class))
                });
                Ok(known.take(most).collect())
            };
            let found: Vec<Vec<(usize, u32)>> = batch
                .par_iter()
                .enumerate()
                .map(sampled)
                .collect::<Result<_>>()?;
            for (&row, own) in batch.iter().zip(found) {
                let begin = places.classes.len();
                for (place, class) in own {
                    places.features.data.extend(&values[place * d..][..d]);
                    places.classes.push(class);
                    places.rows.push(row as u32);
                }
                places.of_row.insert(row, begin..places.classes.len());
            }
            Ok(())
        })?;
        places.features.rows = places.classes.len();
        Ok(places)
    }

    /// Indices of the places of some rows that a fit takes: as many of each row, 2¹⁶ at most.
    pub fn of_rows(&self, rows: &[usize]) -> Vec<usize> {
        let each = (FIT / rows.len().max(1)).max(1);
        let own = rows.iter().filter_map(|row| self.of_row.get(row));
        own.flat_map(|range| range.clone().take(each)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Mask;
    use crate::probe::mask::maps::UseMaps;

    /// Maps of 40 × 40 places, two features: the row, and the place.
    struct Numbered;

    impl FeatureMaps for Numbered {
        fn dims(&self) -> [usize; 3] {
            [40, 40, 2]
        }

        fn input(&self) -> [usize; 2] {
            [40, 40]
        }

        fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
            for &row in rows {
                let map: Vec<f32> = (0..1600).flat_map(|i| [row as f32, i as f32]).collect();
                use_them(&[row], &map)?;
            }
            Ok(())
        }
    }

    #[test]
    fn places_are_fixed_by_the_seed_and_have_their_own_class_and_features() {
        // The left half is class 3, the right one 5, but for a row of pixels that is ignored.
        let read = |_: usize| -> Result<Mask> {
            let class = |i: usize| match (i / 40, i % 40) {
                (7, _) => 255,
                (_, ..20) => 3,
                _ => 5,
            };
            Ok(Mask {
                width: 40,
                height: 40,
                classes: (0..1600).map(class).collect(),
            })
        };
        let task = MaskTask {
            read: &read,
            examples: 0,
            keep: None,
        };
        let classes = ClassNumbers::of(&["3".into(), "5".into()]);
        let of = |rows: &[usize], seed| Places::of(&Numbered, rows, task, &classes, seed).unwrap();
        let places = of(&[4, 9], 1);
        assert_eq!(places.classes.len(), 2 * PLACES);
        for i in 0..places.classes.len() {
            let [row, place] = [places.features.row(i)[0], places.features.row(i)[1]];
            assert_eq!(row as u32, places.rows[i]);
            let (y, x) = (place as usize / 40, place as usize % 40);
            assert_ne!(y, 7);
            assert_eq!(places.classes[i], u32::from(x >= 20));
        }
        let own = |places: &Places, row: usize| -> Vec<f32> {
            let chosen = places.of_rows(&[row]);
            chosen.iter().map(|&i| places.features.row(i)[1]).collect()
        };
        // The other images do not matter, the seed does.
        assert_eq!(own(&places, 9), own(&of(&[9], 1), 9));
        assert_ne!(own(&places, 9), own(&of(&[9], 2), 9));
        // More images take fewer places each.
        let many: Vec<usize> = (0..100).collect();
        let few = of(&many, 1);
        assert_eq!(few.of_rows(&many).len(), 100 * (FIT / 100));
    }
}
