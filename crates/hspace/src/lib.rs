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
//! An untrained network, two steps of training, and what they are worth compared with raw pixels (`hspace train` and `hspace probe` do
//! the same at full length):
//!
//! ```
//! use hspace::config::Config;
//! use hspace::dataset::{Dataset, OpenOptions};
//! use hspace::embed::embed;
//! use hspace::job::{Job, about};
//! use hspace::probe::{Contender, Labels, ProbeOptions, measure};
//! use hspace::source::{Source, Sources, represent_rows};
//! use hspace::training::Start;
//! use std::sync::atomic::AtomicBool;
//!
//! // Data, and a small CNN that learns from them by SimCLR.
//! let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
//! let settings = "objective = 'simclr'\n[encoder]\nname = 'cnn'\nwidth = 4\n[train]\nsteps = 2\nbatch_size = 16";
//! let config = Config::resolve(settings.parse()?, about(&shapes))?;
//! let job = Job::new(config, &shapes, None)?;
//! let trained = job.run(None, Start::Fresh, &mut |_| (), &AtomicBool::new(false))?;
//!
//! // Features of every eighth sample, and their raw pixels.
//! let rows: Vec<usize> = (0..shapes.len()).step_by(8).collect();
//! let (encoder, views, device) = job.encoder();
//! let features = embed(encoder, &trained.encoder, views, &shapes, &rows, device, &mut |_| ())?;
//! let learned = represent_rows(&shapes, "simclr", features, "two steps, seed 0".into());
//! let mut sources = Sources::new(&shapes, device.clone(), 0).only(rows);
//! let pixels = sources.represent("pixels", &Source::Pixels, &mut |_| ())?;
//!
//! // How easy each one makes the task: a linear probe with five labels a class.
//! let labels = vec![Labels::PerClass(5)];
//! let options = ProbeOptions { probes: vec!["linear".into()], labels, ..ProbeOptions::default() };
//! let contenders = vec![Contender::Fixed(pixels), Contender::Fixed(learned)];
//! let found = measure(contenders, &options, "builtin:shapes", &mut |_| ())?;
//! println!("{}{}", found.table(), found.headline());
//! # assert!(found.table().contains("simclr") && found.rows.len() == 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Data and measuring are in the crate `hspace-core`, re-exported here; learning is in this one.
//!
//! | data | |
//! | --- | --- |
//! | [`dataset`] | samples, ids, columns, splits, readers of every format, and a check for what spoils a measurement |
//! | [`columns`] | what the columns of a table are for, by their titles |
//! | [`views`] | random views (augmentations) of a sample, a pure function of (seed, epoch, sample id, view) |
//! | [`data_record`] | which data a run learned from, and what has changed since |
//!
//! | learning | |
//! | --- | --- |
//! | [`config`] | the settings of a run |
//! | [`job`] | a configuration and a dataset, ready to train |
//! | [`training`] | the training loop and its result |
//! | [`encoder`] | networks from samples to features, and their stages. They know no objective |
//! | [`objective`] | what an encoder learns from: streams, losses, heads, teachers. Knows no probe |
//! | [`nn`] | named weights, layers, blocks; weights as files |
//! | [`optim`] | optimizers, schedules, averages of weights |
//! | [`device`] | the devices to compute on |
//! | [`run`] | the folder of a run |
//! | [`pretrained`], [`hub`] | weights trained elsewhere, from files and from the Hugging Face Hub |
//!
//! | features | |
//! | --- | --- |
//! | [`embed`] | features of a dataset by an encoder |
//! | [`source`] | names of sources to representations: runs and their stages, files, `pixels`, `pca:D`, `ica:D`, `random:ENCODER` |
//! | [`representation`] | features with ids and columns, also from a file of any other tool |
//! | [`pca`], [`ica`], [`kmeans`], [`matrix`] | principal and independent components, clusters, plain matrices |
//!
//! | measuring | |
//! | --- | --- |
//! | [`probe`] | how easy a representation makes a task, with how few labels; pairs and label savings. Sees no encoder |
//! | [`per_draw`] | sources that learn from each draw of labels: the supervised baseline |
//! | [`evaluate`] | the contenders of a comparison, and the page about it |
//! | [`study`] | objectives side by side |
//! | [`advice`] | what to do with so many labels and samples |
//! | [`semi_supervised`] | labels of a few rows and features of all give answers for others |
//! | [`transferability`] | sources ranked for a task without training on it |
//! | [`selection`] | which samples to label next |
//! | [`disentangle`] | whether latents keep known factors apart |
//! | [`density`] | densities of columns and of representations: ranked, tested, asked; outliers |
//! | [`stats`] | intervals and tests |
//!
//! | showing and shipping | |
//! | --- | --- |
//! | [`report`], [`picture`] | measurements as one HTML page; samples as pictures |
//! | [`feature_maps`] | filters and feature maps of a network |
//! | [`generate`], [`drawings`] | samples, latents and likelihoods of a generative run, and their pictures |
//! | [`invert`] | the latents of samples, by inversion of a generator |
//! | [`fidelity`], [`evaluate_fidelity`] | how real generated samples are |
//! | [`head`] | from features to answers: classes, labels, numbers, with their confidence |
//! | [`export`] | encoder and head as one folder, for use elsewhere |
//!
//! Every part that can be chosen by name is an entry of a static list ([`list`]). Errors ([`error`]) name the file or the value and say
//! what to do; [`warning`]s say what a training or a measurement suffers from.

pub mod advice;
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
pub mod learner;
pub mod list;
pub mod many_tasks;
pub mod nn;
pub mod objective;
pub mod optim;
pub mod per_draw;
pub mod pretrained;
pub mod run;
pub mod source;
pub mod study;
pub mod training;
pub mod unet;

pub use hspace_core::{
    Error, Result, auto, columns, corruptions, dataset, density, disentangle, error, fidelity,
    file, ica, image, kmeans, kmeans_features, matrix, pca, picture, probe, report, representation,
    robustness, selection, semi_supervised, shift, stats, transferability, views, warning,
};
// Settings are TOML tables.
pub use toml;
