//! Most labels taken away, to see what few of them would give.

use super::{Dataset, Split, Values, groups, task};
use crate::error::{Error, Result};
use crate::few_labels::{draw, draw_label_sets};

impl Dataset {
    /// Keeps the task's labels of `count` training samples a class (of numbers and several labels a sample: `count` in total), those that probes
    /// draw as number `number` with seed 0, and takes those of all other training and val samples away. Test labels stay.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, OpenOptions, Split, Values};
    ///
    /// let mut shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// shapes.keep_few_labels(10, 0)?;
    /// let Values::Classes { index, .. } = &shapes.task().expect("shapes").values else { unreachable!() };
    /// let labelled = |split| shapes.indices(split).iter().filter(|&&row| index[row].is_some()).count();
    /// assert_eq!((labelled(Split::Train), labelled(Split::Val), labelled(Split::Test)), (20, 0, 318));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no task.
    pub fn keep_few_labels(&mut self, count: usize, number: u64) -> Result<()> {
        let Some(place) = task(&self.columns) else {
            return Err(Error::config(format!(
                "few_labels={count}: {} has no label column of which to keep few",
                self.name
            )));
        };
        let groups = groups(&self.columns);
        let values = &mut self.columns[place].values;
        let train: Vec<usize> = (0..self.split.len())
            .filter(|&row| self.split[row] == Split::Train && values.is_known(row))
            .collect();
        let groups: Option<Vec<u32>> =
            groups.map(|groups| train.iter().map(|&row| groups[row]).collect());
        let (groups, seed) = (groups.as_deref(), 0);
        let kept = match &*values {
            Values::Classes { index, .. } => {
                let classes: Vec<u32> = train.iter().filter_map(|&row| index[row]).collect();
                draw(&train, &classes, groups, count, seed, number)
            }
            Values::Numbers(_) => draw(&train, &vec![0; train.len()], groups, count, seed, number),
            Values::MultiLabel { names, sets } => {
                let sets: Vec<Vec<u32>> =
                    train.iter().filter_map(|&row| sets[row].clone()).collect();
                draw_label_sets(&train, &sets, names.len(), groups, count, seed, number)
            }
        };
        let keep = |row| self.split[row] == Split::Test || kept.binary_search(&row).is_ok();
        let keep: Vec<bool> = (0..self.split.len()).map(keep).collect();
        values.mask(&keep);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::OpenOptions;

    fn few(count: usize, number: u64) -> Vec<usize> {
        let mut shapes = Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap();
        shapes.keep_few_labels(count, number).unwrap();
        let values = &shapes.task().unwrap().values;
        let train = shapes.indices(Split::Train).into_iter();
        train.filter(|&row| values.is_known(row)).collect()
    }

    #[test]
    fn draws_hold_smaller_ones_and_differ() {
        let (five, ten) = (few(5, 1), few(10, 1));
        assert_eq!((five.len(), ten.len()), (10, 20));
        assert!(five.iter().all(|row| ten.contains(row)));
        assert_ne!(five, few(5, 2));
    }

    #[test]
    fn data_without_labels_are_refused() {
        let mut shapes = Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap();
        shapes.columns.clear();
        let error = shapes.keep_few_labels(5, 0).unwrap_err().to_string();
        assert!(
            error.contains("few_labels=5") && error.contains("no label"),
            "{error}"
        );
    }
}
