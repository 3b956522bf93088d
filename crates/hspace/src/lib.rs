//! hspace learns representations of data, measures how much easier each one makes a task, shows
//! why, and ships the winner.
//!
//! Data flow in one direction, through seven nouns:
//!
//! ```text
//! Dataset → Views → Encoder ⟵ Objective            learn     (train)
//!                   Encoder → Representation        embed     (embed, source)
//!                             Representation → Probe → Report  measure, show
//! ```
//!
//! Data and measuring are in the crate `hspace-core`, re-exported here; learning is in this one.
//!
//! - [`dataset`]: samples, ids, columns, splits. Knows nothing of training.
//! - [`views`]: random views of a sample, a pure function of (seed, epoch, sample id, view).
//! - [`encoder`]: samples to features. Knows no objective.
//! - [`objective`]: what an encoder learns from. Knows no probe.
//! - [`representation`]: features with ids and columns, also read from any other tool's file.
//! - [`probe`]: a representation's measurements. Sees no encoder.
//! - [`disentangle`]: whether latents keep known factors apart.
//! - [`density`]: densities of columns and of representations, ranked, tested, asked.
//! - [`report`]: measurements to HTML. Sees nothing else.
//!
//! Around them: [`network`] holds the named weights and layers, [`optim`] the rules that move them, [`mod@train`] the loop, [`config`]
//! the settings, [`run`] the folder on disk, [`data_record`] which data a run learned from, [`pretrained`] and [`hub`] weights made elsewhere,
//! [`job`] puts a configuration and a dataset together,
//! [`export`] writes encoder and head for use elsewhere, [`generate`] draws samples from a run that learned to, [`drawings`] shows them, [`invert`] finds the latents of samples, [`evaluate`] has the contenders of a comparison, and [`study`] compares objectives.

pub mod config;
pub mod data_record;
pub mod device;
pub mod drawings;
pub mod embed;
pub mod encoder;
pub mod evaluate;
pub mod evaluate_fidelity;
pub mod export;
pub mod feature_maps;
pub mod generate;
#[cfg(test)]
mod golden;
pub mod head;
pub mod hub;
pub mod invert;
pub mod job;
pub mod list;
pub mod network;
pub mod objective;
pub mod optim;
pub mod per_draw;
pub mod pretrained;
pub mod run;
pub mod source;
pub mod study;
pub mod train;

pub use hspace_core::{
    Error, Result, auto, columns, dataset, density, disentangle, error, fidelity, file, ica, image,
    kmeans, kmeans_features, matrix, pca, picture, probe, report, representation, stats, views,
    warning,
};
// Settings are TOML tables.
pub use toml;
