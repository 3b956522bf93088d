//! The mask probe: softmax regression of the class of each place of a feature map.
//!
//! A map `[h, w, d]` of an image or of a stage of a network covers the centred part of the image that the network takes, in h × w equal
//! cells. To learn from, a place has the class of most pixels in its cell ([`IGNORED`](crate::dataset::mask::IGNORED) ones do not count); the
//! fit is that of the linear probe, with places as rows and images as groups, so that no choice separates the places of one image. To answer,
//! the logits of a map are interpolated bilinearly to the pixels of the mask, each of which gets the class of the largest: masks are **scored at
//! their full resolution**. Since the probe is linear, that is its answer to features that are interpolated.
//!
//! An image contributes the same places to every fit: up to 1,024 at random by the seed, fewer where those of all images would
//! be more than 2²⁶ numbers (256 MiB). Of these a fit takes at most 2¹⁶ in all, as many of each image. Test images are never held: they pass once
//! through the fitted heads of all draws.
//!
//! A network that learns from each draw ([`Contender::MasksPerDraw`](super::Contender::MasksPerDraw)) is asked for maps of logits, which are answered with and
//! scored in the same way.
//!
//! Without two classes among its places, a draw is answered by the one class that is there.

mod grid;
mod heads;
mod maps;
mod sample;
pub mod scores;
mod summary;

pub(super) use grid::Grid;
pub use grid::place_classes;
pub(super) use heads::{MaskHead, Predicting, Shown};
pub use maps::{FeatureMaps, MapSource, MaskDraw, MaskLearner, UseMaps};
pub(super) use sample::Places;
pub(super) use summary::{ClassNumbers, MaskSummary, check_two_classes, numbers_of, summarised};

use super::TaskKind;
use super::entry::{Entry, ProbeKind};
use super::linear;
use crate::dataset::Mask;
use crate::error::Result;

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "mask",
    summary: "softmax regression of each place of a feature map, interpolated to the mask's pixels; settings as of `linear`",
    source: "",
    item: ProbeKind {
        title: "Mask probe",
        tasks: &[TaskKind::Masks],
        // Both are those of the linear probe, of which it is one.
        is_fixed: linear::probe::ENTRY.item.is_fixed,
        validate: |_| Vec::new(),
        fit: |labelled| linear::probe::of_classes(labelled, labelled.truth.classes()),
    },
};

/// The masks of a task.
#[derive(Clone, Copy)]
pub struct MaskTask<'a> {
    /// Reads the mask of a sample, by its row. Called from several threads at once.
    pub read: &'a (dyn Fn(usize) -> Result<Mask> + Sync),
    /// Test images whose answers are returned with the measurements.
    pub examples: usize,
    /// Is given what each source answers for every test image with the most labels, of the first draw and seed.
    pub keep: Option<&'a KeepMask<'a>>,
}

/// Is called with the name of a source, a row, and the answer. Called from several threads at once.
pub type KeepMask<'a> = dyn Fn(&str, usize, &Mask) -> Result<()> + Sync + 'a;

impl MaskTask<'_> {
    /// Whether answers are wanted whole, which are not kept with the scores.
    pub(super) fn wants_masks(&self) -> bool {
        self.examples > 0 || self.keep.is_some()
    }
}

/// A test image, and what sources answer for it.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskExample {
    /// Its row.
    pub row: usize,
    /// Its mask.
    pub truth: Mask,
    /// Names of sources, and their answers with the most labels, of the first draw and seed.
    pub answers: Vec<(String, Mask)>,
}

#[cfg(test)]
mod tests;
