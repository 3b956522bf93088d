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
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// # mod masks { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/masks.rs")); }
/// # use masks::{Classes, mask};
/// use hspace_core::Result;
/// use hspace_core::dataset::{Column, Role, Values};
/// use hspace_core::probe::mask::{FeatureMaps, MaskDraw, MaskLearner, UseMaps};
/// use hspace_core::probe::{Contender, HEAD, Labels, Limits, MaskTask, ProbeOptions, measure_masks};
///
/// /// One that knows the answer, whatever the masks of the draw: the maps of `Classes` hold the class of each pixel.
/// struct Knowing;
/// struct Logits;
///
/// impl MaskLearner for Knowing {
///     fn learn(&self, _: &MaskDraw<'_>) -> Result<Box<dyn FeatureMaps + '_>> {
///         Ok(Box::new(Logits))
///     }
/// }
///
/// impl FeatureMaps for Logits {
///     fn dims(&self) -> [usize; 3] {
///         [4, 4, 2]
///     }
///
///     fn input(&self) -> [usize; 2] {
///         [4, 4]
///     }
///
///     fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
///         Classes.each(rows, &mut |rows, classes| {
///             let logits: Vec<f32> = classes.iter().flat_map(|class| [1.0 - class, *class]).collect();
///             use_them(rows, &logits)
///         })
///     }
/// }
///
/// let mut samples = blobs("knowing", 0.2);
/// let (names, index) = (samples.ids.clone(), (0..160).map(Some).collect());
/// samples.columns.push(Column { name: "left".into(), role: Role::Mask, values: Values::Classes { names, index } });
/// let contender = Contender::MasksPerDraw {
///     name: "knowing".into(),
///     samples: Box::new(samples),
///     origin: "knowing".into(),
///     draws: 3,
///     learner: Box::new(Knowing),
/// };
/// let masks = MaskTask { read: &|row| Ok(mask(row)), examples: 0, keep: None };
/// let options = ProbeOptions { task: "left".into(), labels: vec![Labels::PerClass(2)], ..ProbeOptions::default() };
/// let (found, _) = measure_masks(vec![contender], masks, &options, "boxes", &mut Limits::default(), &mut |_| ())?;
/// assert!(found.rows[0].probe == HEAD && found.rows[0].draws == [1.0; 3]);
/// # Ok::<(), hspace_core::Error>(())
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
