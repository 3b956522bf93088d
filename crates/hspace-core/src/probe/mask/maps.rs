//! Feature maps, as a probe of masks is given them.

use crate::error::Result;
use crate::representation::Representation;

/// What is done with some rows and their maps `[rows, h, w, d]`.
pub type UseMaps<'u> = dyn FnMut(&[usize], &[f32]) -> Result<()> + 'u;

/// Feature maps of samples, computed when they are asked for: those of many images do not fit into memory.
pub trait FeatureMaps: Sync {
    /// Height, width and features of a map.
    fn dims(&self) -> [usize; 3];

    /// Height and width of the input that maps are of, which is the largest centred part of an image with that aspect.
    fn input(&self) -> [usize; 2];

    /// Calls `use_them` with the maps of `rows`, some at a time, in their order.
    ///
    /// # Errors
    /// When a sample cannot be read, and what `use_them` returns.
    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()>;
}

/// A source of feature maps.
pub struct MapSource<'a> {
    /// Name, ids, columns, split and origin of the samples; their features are not looked at.
    pub samples: Representation,
    /// Their maps.
    pub maps: Box<dyn FeatureMaps + 'a>,
    /// Hash of all that the maps depend on.
    pub hash: String,
}
