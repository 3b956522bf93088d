//! From samples back to latents: which latents does a generator draw this sample from?
//!
//! By optimisation: the latents move down the gradient of `mean (G(z) − x)² + λ mean z²`, means over the values
//! of a sample and over its latents (Lipton & Tripathi 2017, arXiv:1702.04782; Creswell & Bharath 2018,
//! arXiv:1611.05644), vectors in standard deviations of their columns, from several starts; of all starts and
//! steps those with the smallest error are kept. By a learned encoder: a network is trained to tell z from
//! G(z), and then sees real samples. By both: the optimisation starts from what the encoder says (Zhu et al.
//! 2016, arXiv:1609.03552).

mod inverse_encoder;
mod latents;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::generate::GenerativeModel;
use crate::matrix::Matrix;
use crate::objective::UpdateGroup;
use crate::optim::{Optimizer, Rule};
use crate::training::minimise::Update;
use inverse_encoder::InverseEncoder;
use latents::Latents;

/// How latents are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By optimisation, from draws of the prior.
    Optimise,
    /// By an encoder that was taught on drawn samples.
    Encoder,
    /// By optimisation, from what the encoder says.
    Both,
}

/// How long, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Inversion {
    /// How latents are found.
    pub method: Method,
    /// Steps of the optimisation.
    pub steps: usize,
    /// Starts of it, for [`Method::Optimise`]; the best is kept, sample by sample.
    pub starts: usize,
    /// Steps in which the encoder is taught.
    pub encoder_steps: usize,
    /// λ ≥ 0: how much latents far from the prior's middle cost.
    pub prior: f64,
    /// Seed of everything random.
    pub seed: u64,
}

/// Latents of samples, and how well they were found.
pub struct Inverted {
    /// `[n, d]`
    pub latents: Matrix,
    /// Rows of the dataset that they are of.
    pub rows: Vec<usize>,
    /// Mean squared error a value of the best latents found in so many steps from any start; of vectors in standard
    /// deviations of their columns. The last one is that of the latents here.
    pub errors: Vec<(usize, f64)>,
}

/// Samples inverted at once.
const BATCH: usize = 128;

/// Finds the latents of some rows of a dataset. `progress` is called with what is done, and how far it is in
/// 0..=1.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "gan")?;
/// use hspace::device::Device;
/// use hspace::generate::GenerativeModel;
/// use hspace::invert::{Inversion, Method, invert};
/// use std::sync::atomic::AtomicBool;
///
/// let model = GenerativeModel::open(&run, &Device::cpu())?;
/// let how = Inversion { method: Method::Optimise, steps: 3, starts: 2, encoder_steps: 0, prior: 0.01, seed: 0 };
/// let found = invert(&model, &shapes, &[0, 1], &how, &mut |_, _| (), &AtomicBool::new(false))?;
/// assert_eq!((found.latents.rows, found.latents.cols), (2, model.dims()));
/// let [first, last] = [found.errors.first(), found.errors.last()].map(|error| error.unwrap().1);
/// assert!(last <= first);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Data of another kind than the run's; an interruption.
pub fn invert(
    drawer: &GenerativeModel,
    dataset: &Dataset,
    rows: &[usize],
    how: &Inversion,
    progress: &mut dyn FnMut(&str, f64),
    stop: &AtomicBool,
) -> Result<Inverted> {
    let found = drawer.samples(dataset, rows)?;
    let samples = found.features;
    let student = match how.method {
        Method::Optimise => None,
        Method::Encoder | Method::Both => {
            Some(InverseEncoder::taught(drawer, how, progress, stop)?)
        }
    };
    let mut latents = Matrix::zeros(0, drawer.dims());
    let mut errors: BTreeMap<usize, f64> = BTreeMap::new();
    let all: Vec<usize> = (0..samples.rows).collect();
    for (at, chunk) in all.chunks(BATCH).enumerate() {
        let part = samples.select(chunk);
        let starts: Vec<Matrix> = match &student {
            Some(student) => vec![student.latents(drawer, &part)],
            None => (at * how.starts..(at + 1) * how.starts)
                .map(|start| drawer.prior(part.rows, how.seed ^ (start as u64) << 8))
                .collect::<Result<_>>()?,
        };
        let mut best = Best::new(part.rows, drawer.dims());
        let steps = if how.method == Method::Encoder {
            0
        } else {
            how.steps
        };
        let count = starts.len();
        let mut curves: Vec<BTreeMap<usize, Vec<f64>>> = Vec::new();
        for (nth, start) in starts.into_iter().enumerate() {
            let done = (at * BATCH) as f64 / all.len() as f64;
            let share = part.rows as f64 / all.len() as f64 / count as f64;
            let mut tell = |part: f64| {
                progress("optimising", done + share * (nth as f64 + part));
            };
            let latents = Latents::new(drawer, &part, how.prior, steps);
            curves.push(latents.optimised(start, &mut best, &mut tell, stop)?);
        }
        for step in curves[0].keys() {
            let least = |i: usize| {
                curves
                    .iter()
                    .map(|c| c[step][i])
                    .fold(f64::INFINITY, f64::min)
            };
            *errors.entry(*step).or_default() += (0..part.rows).map(least).sum::<f64>();
        }
        latents.rows += part.rows;
        latents.data.extend(best.latents.data);
    }
    let n = all.len().max(1) as f64;
    Ok(Inverted {
        latents,
        rows: found.rows,
        errors: errors
            .into_iter()
            .map(|(step, sum)| (step, sum / n))
            .collect(),
    })
}

/// The best latents so far, sample by sample.
struct Best {
    errors: Vec<f64>,
    latents: Matrix,
}

impl Best {
    fn new(n: usize, dims: usize) -> Best {
        Best {
            errors: vec![f64::INFINITY; n],
            latents: Matrix::zeros(n, dims),
        }
    }

    fn record_epoch(&mut self, errors: &[f64], latents: &[f32]) {
        let dims = self.latents.cols;
        for (i, &error) in errors.iter().enumerate() {
            if error < self.errors[i] {
                self.errors[i] = error;
                let own = &mut self.latents.data[i * dims..][..dims];
                own.copy_from_slice(&latents[i * dims..][..dims]);
            }
        }
    }
}

/// AdamW without decay.
fn update(learning_rate: f64) -> Update {
    Update {
        group: UpdateGroup::all(),
        optimizer: Optimizer {
            rule: Rule::AdamW,
            weight_decay: 0.0,
            momentum: 0.9,
        },
        learning_rate,
        clip: 0.0,
    }
}

fn unless_stopped(stop: &AtomicBool) -> Result<ControlFlow<()>> {
    match stop.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted("stopped; nothing was written".into())),
        false => Ok(ControlFlow::Continue(())),
    }
}
