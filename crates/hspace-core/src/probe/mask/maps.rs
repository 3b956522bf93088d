//! Feature maps, as a probe of masks is given them.

use crate::error::Result;
use crate::probe::Draw;
use crate::representation::Representation;

/// What is done with some rows and their maps `[rows, h, w, d]`.
pub type UseMaps<'u> = dyn FnMut(&[usize], &[f32]) -> Result<()> + 'u;

/// Feature maps of samples, computed when they are asked for: those of many images do not fit into memory.
///
/// ```
/// use hspace_core::Result;
/// use hspace_core::probe::mask::{FeatureMaps, UseMaps};
///
/// /// Maps of 2 x 2 places with one feature: the row's number.
/// struct Numbers;
///
/// impl FeatureMaps for Numbers {
///     fn dims(&self) -> [usize; 3] {
///         [2, 2, 1]
///     }
///
///     fn input(&self) -> [usize; 2] {
///         [8, 8]
///     }
///
///     fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
///         for row in rows {
///             use_them(&[*row], &[*row as f32; 4])?;
///         }
///         Ok(())
///     }
/// }
///
/// let mut seen = Vec::new();
/// Numbers.each(&[3, 1], &mut |rows, maps| {
///     seen.extend(rows.iter().copied().zip(maps.chunks(4).map(|map| map[0])));
///     Ok(())
/// })?;
/// assert_eq!(seen, [(3, 3.0), (1, 1.0)]);
/// # Ok::<(), hspace_core::Error>(())
/// ```
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

/// A draw of masks, of which those of [`Draw::labelled`] may be read.
#[derive(Clone, Copy, Debug)]
pub struct MaskDraw<'a> {
    /// The rows to learn from, the rows to answer for, and the seed.
    pub rows: Draw<'a>,
    /// Numbers of the classes in masks, ascending.
    pub classes: &'a [u8],
}

/// A network that learns from each draw of masks.
///
/// ```
/// # mod masks { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/masks.rs")); }
/// # use masks::Classes;
/// use hspace_core::Result;
/// use hspace_core::probe::mask::{FeatureMaps, MaskDraw, MaskLearner};
///
/// /// One that knows the answer, whatever the masks of the draw: `Classes` implements `FeatureMaps`.
/// struct Knowing;
///
/// impl MaskLearner for Knowing {
///     fn learn(&self, _: &MaskDraw<'_>) -> Result<Box<dyn FeatureMaps + '_>> {
///         Ok(Box::new(Classes))
///     }
/// }
/// ```
pub trait MaskLearner {
    /// Learns from the masks of a draw, and returns maps `[h, w, classes]` of finite logits. They are asked for the rows [`Draw::test`], and
    /// interpolated to the pixels of each mask.
    ///
    /// # Errors
    /// When a sample or a mask cannot be read, or the training fails.
    fn learn(&self, draw: &MaskDraw<'_>) -> Result<Box<dyn FeatureMaps + '_>>;
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
