//! The part of hspace that needs no tensor engine: data in, measurements out, on plain arrays.
//!
//! - [`dataset`]: samples, ids, columns, splits. Knows nothing of training.
//! - [`views`]: random views of a sample, a pure function of (seed, epoch, sample id, view).
//! - [`representation`]: features with ids and columns, also read from any other tool's file.
//! - [`probe`]: a representation's measurements. Sees no encoder: there is none in this crate.
//! - [`disentangle`]: whether latents keep known factors apart. Sees no encoder either.
//! - [`density`]: densities of columns and of representations, ranked, tested, asked.
//! - [`report`]: measurements to HTML. Sees nothing else.
//! - [`picture`]: samples as pictures.

pub mod auto;
pub mod columns;
pub mod dataset;
pub mod density;
pub mod disentangle;
pub mod error;
pub mod fidelity;
pub mod file;
pub mod head;
pub mod ica;
pub mod kmeans;
pub mod kmeans_features;
pub mod list;
pub mod matrix;
mod npz;
pub mod pca;
pub mod picture;
pub mod probe;
mod random;
pub mod report;
pub mod representation;
pub mod stats;
mod text;
pub mod views;
pub mod warning;

pub use error::{Error, Result};
// Pictures appear in our own interfaces.
pub use image;
