//! The part of hspace that needs no tensor engine: data in, measurements out, on plain arrays.
//!
//! Features of any origin, and how easy they make a task:
//!
//! ```
//! use hspace_core::dataset::{Dataset, OpenOptions, Pixels, Sample};
//! use hspace_core::matrix::Matrix;
//! use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
//! use hspace_core::report::{Page, html};
//! use hspace_core::representation::Representation;
//!
//! // Images, and features of them: the mean of the red and of the blue channel.
//! let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
//! let mut means = Vec::new();
//! for row in 0..shapes.len() {
//!     let Sample::Image(image) = shapes.samples.get(row)? else { continue };
//!     let Pixels::U8(bytes) = image.pixels else { continue };
//!     let mean = |channel: usize| {
//!         let values = bytes.iter().skip(channel).step_by(3);
//!         values.map(|&byte| f32::from(byte)).sum::<f32>() / 576.0
//!     };
//!     means.extend([mean(0), mean(2)]);
//! }
//! let features = Representation {
//!     name: "mean colour".into(),
//!     features: Matrix::new(shapes.len(), 2, means),
//!     ids: shapes.ids.clone(),
//!     columns: shapes.columns.clone(),
//!     split: shapes.split.clone(),
//!     origin: String::new(),
//!     shift: vec![],
//! };
//!
//! // They tell the colour, and say little about the shape: squares and circles have the same area.
//! let accuracy = |task: &str| -> hspace_core::Result<f64> {
//!     let (probes, labels) = (vec!["linear".into()], vec![Labels::PerClass(10)]);
//!     let options = ProbeOptions { task: task.into(), probes, labels, ..ProbeOptions::default() };
//!     let of = vec![Contender::Fixed(features.clone())];
//!     let found = measure(of, &options, "builtin:shapes", &mut |_| ())?;
//!     println!("{}", found.table());
//!     let accuracy = found.rows[0].scores[0].1.mean;
//!     let page = Page { title: task.into(), measurements: Some(found), ..Page::default() };
//!     assert!(html(&page)?.contains("mean colour"));
//!     Ok(accuracy)
//! };
//! assert!(accuracy("colour")? > 0.99 && accuracy("shape")? < 0.7);
//! # Ok::<(), hspace_core::Error>(())
//! ```
//!
//! | module | for |
//! | --- | --- |
//! | [`dataset`] | samples, ids, columns, splits, readers of every format, and a check for what spoils a measurement |
//! | [`columns`] | what the columns of a table are for, by their titles |
//! | [`views`] | random views (augmentations) of a sample, a pure function of (seed, epoch, sample id, view) |
//! | [`representation`] | features with ids and columns, also from a file of any other tool |
//! | [`probe`] | how easy a representation makes a task, with how few labels; pairs and label savings. Sees no encoder: there is none in this crate |
//! | [`head`] | from features to answers: classes, labels, numbers, with their confidence |
//! | [`semi_supervised`] | labels of a few rows and features of all give answers for others |
//! | [`transferability`] | sources ranked for a task without training on it |
//! | [`selection`] | which samples to label next |
//! | [`disentangle`] | whether latents keep known factors apart |
//! | [`density`] | densities of columns and of representations: ranked, tested, asked; outliers |
//! | [`fidelity`] | generated samples compared with real ones |
//! | [`stats`] | intervals and tests |
//! | [`report`], [`picture`] | measurements as one HTML page; samples as pictures |
//! | [`pca`], [`ica`], [`kmeans`], [`matrix`] | principal and independent components, clusters, plain matrices |
//! | [`list`] | the static lists from which parts are chosen by name |
//! | [`auto`], [`error`], [`warning`], [`file`](mod@file) | a value or `auto`; errors; warnings; files written whole |

pub mod auto;
pub mod columns;
pub mod corruptions;
pub mod dataset;
pub mod density;
pub mod disentangle;
pub mod error;
mod few_labels;
pub mod fidelity;
pub mod file;
pub mod head;
pub mod ica;
pub mod kmeans;
pub mod kmeans_features;
pub mod list;
pub mod many_tasks;
pub mod matrix;
mod npz;
pub mod pca;
pub mod picture;
pub mod probe;
mod random;
pub mod report;
pub mod representation;
pub mod robustness;
pub mod selection;
pub mod semi_supervised;
pub mod shift;
pub mod stats;
mod text;
pub mod transferability;
pub mod views;
pub mod warning;

pub use error::{Error, Result};
// Pictures appear in our own interfaces.
pub use image;
