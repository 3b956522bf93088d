//! What is known of each mask before anything is fitted: its pixels by class.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::MaskTask;
use crate::dataset::mask::IGNORED;
use crate::error::{Error, Result};

/// The pixels of a mask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskSummary {
    /// Number of pixels of each class `[classes]`; all 0 where the mask is not known.
    pub pixels: Vec<u32>,
    /// Hash of the class numbers.
    pub hash: String,
}

impl MaskSummary {
    /// The classes that it has pixels of, ascending.
    pub fn classes(&self) -> Vec<u32> {
        let all = 0..self.pixels.len() as u32;
        all.filter(|&class| self.pixels[class as usize] > 0)
            .collect()
    }
}

/// The class numbers that `names` are.
pub fn numbers_of(names: &[String]) -> Vec<u8> {
    let number = |name: &String| name.parse().unwrap_or(IGNORED);
    names.iter().map(number).collect()
}

/// The place of each class number among the names of a task.
#[derive(Clone, Debug)]
pub struct ClassNumbers([u8; 256]);

impl ClassNumbers {
    /// Of class `numbers`, in the order of their places.
    pub fn of_numbers(numbers: &[u8]) -> ClassNumbers {
        let mut places = [IGNORED; 256];
        for (place, &number) in numbers.iter().enumerate() {
            places[usize::from(number)] = place as u8;
        }
        ClassNumbers(places)
    }

    /// Of `names`, which are class numbers.
    pub fn of(names: &[String]) -> ClassNumbers {
        ClassNumbers::of_numbers(&numbers_of(names))
    }

    /// The place of the class `number`; [`IGNORED`] where it has none.
    pub fn place(&self, number: u8) -> u8 {
        self.0[usize::from(number)]
    }
}

/// Names of the classes of the masks of some `rows`, which are their numbers ascending, and a summary for each of `0..count`.
///
/// # Errors
/// When a mask cannot be read, or no pixel has a class.
pub fn summarised(
    rows: &[usize],
    count: usize,
    name: &str,
    task: MaskTask<'_>,
) -> Result<(Vec<String>, Vec<MaskSummary>)> {
    let read = |&row: &usize| -> Result<(Vec<u32>, String)> {
        let mask = (task.read)(row)?;
        let mut counts = vec![0; 256];
        for &class in &mask.classes {
            counts[usize::from(class)] += 1;
        }
        let mut hash = blake3::Hasher::new();
        hash.update(&(mask.width as u64).to_le_bytes());
        hash.update(&mask.classes);
        Ok((counts, hash.finalize().to_hex()[..16].to_string()))
    };
    let read: Vec<(Vec<u32>, String)> = rows.par_iter().map(read).collect::<Result<_>>()?;
    let numbers: Vec<usize> = (0..usize::from(IGNORED))
        .filter(|&class| read.iter().any(|(counts, _)| counts[class] > 0))
        .collect();
    if numbers.is_empty() {
        return Err(Error::data(format!(
            "no mask of `{name}` has a pixel of a class: {IGNORED} is ignored; classes are the numbers 0 to 254"
        )));
    }
    let mut all = vec![MaskSummary::default(); count];
    for (&row, (counts, hash)) in rows.iter().zip(read) {
        all[row] = MaskSummary {
            pixels: numbers.iter().map(|&class| counts[class]).collect(),
            hash,
        };
    }
    Ok((numbers.iter().map(usize::to_string).collect(), all))
}

/// Refuses the masks of all training samples of the column `name` if they have one class of `names`.
pub fn check_two_classes(masks: &[MaskSummary], name: &str, names: &[String]) -> Result<()> {
    let classes: BTreeSet<u32> = masks.iter().flat_map(MaskSummary::classes).collect();
    match (classes.first(), classes.len()) {
        (Some(&one), 1) => Err(Error::data(format!(
            "all pixels of the {} training masks of `{name}` are of class {}; two classes are needed. The value {IGNORED} is no class, but \
             ignored: masks of 0 and {IGNORED} are to be saved as 0 and 1",
            masks.len(),
            names[one as usize]
        ))),
        _ => Ok(()),
    }
}
