//! What a run generates compared with real samples, in a feature space: [`Fidelity`].

use std::collections::BTreeSet;

use crate::dataset::{Dataset, Split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::fidelity::{Fidelity, scores};
use crate::generate::GenerativeModel;
use crate::matrix::{Matrix, spaced};
use crate::source::{Source, Sources};

/// How a run's samples are judged.
///
/// ```
/// use hspace::evaluate_fidelity::FidelityOptions;
///
/// let options = FidelityOptions { space: Some("pca:10".into()), ..FidelityOptions::default() };
/// assert_eq!((options.samples, options.k), (2000, 3));
/// ```
#[derive(Clone, Debug)]
pub struct FidelityOptions {
    /// The space, as `hspace probe` takes it; `None`: `pca:50`, of small data `pixels`.
    pub space: Option<String>,
    /// Samples on each side at most; as many test samples as there are, if those are fewer.
    pub samples: usize,
    /// Which neighbour's distance counts, ≥ 1.
    pub k: usize,
    /// Seed of the draws, and of spaces that need one.
    pub seed: u64,
}

/// Principal components of the space if none is asked for.
const COMPONENTS: usize = 50;

/// Training samples that a closed form learns its space from, at most.
const LEARNED: usize = 10_000;

impl Default for FidelityOptions {
    fn default() -> Self {
        FidelityOptions {
            space: None,
            samples: 2000,
            k: 3,
            seed: 0,
        }
    }
}

/// Compares what `drawer` draws with the test samples of `dataset`, and as many training samples
/// with them too.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "vae")?;
/// use hspace::device::Device;
/// use hspace::evaluate_fidelity::{FidelityOptions, evaluate_fidelity};
/// use hspace::generate::GenerativeModel;
///
/// let device = Device::cpu();
/// let model = GenerativeModel::open(&run, &device)?;
/// let space = Some("random:cnn:width=4".into());
/// let options = FidelityOptions { space, samples: 50, ..FidelityOptions::default() };
/// let found = evaluate_fidelity(&model, shapes, &options, &device, &mut |_| ())?;
/// // After two steps it draws nothing that looks like a sample.
/// assert!(found.samples == 50 && found.drawn.frechet > found.real.frechet);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A run without a prior, a space that does not fit the data, too few samples.
pub fn evaluate_fidelity(
    drawer: &GenerativeModel,
    dataset: Dataset,
    how: &FidelityOptions,
    device: &Device,
    progress: &mut dyn FnMut(usize),
) -> Result<Fidelity> {
    let about = &drawer.trained().about;
    let (train, test) = (dataset.indices(Split::Train), dataset.indices(Split::Test));
    let count = how.samples.min(test.len()).min(train.len());
    if count <= how.k {
        return Err(Error::data(format!(
            "{count} samples a side (samples {}, {} has {} for training and {} to test) have no {}-th neighbour: \
             give more, or a smaller k",
            how.samples,
            dataset.name,
            train.len(),
            test.len(),
            how.k
        )));
    }
    let large = about.input.len().min(train.len()) >= 4 * COMPONENTS;
    let space = match &how.space {
        Some(space) => space.clone(),
        None if large => format!("pca:{COMPONENTS}"),
        None => "pixels".to_owned(),
    };
    let source = Source::parse(&space)?;
    if matches!(source, Source::File(_)) {
        return Err(Error::config(format!(
            "{space}: a file has no features of samples that are drawn only now; give a run, `pca:D` or `pixels`"
        )));
    }
    let picked = |of: &[usize], count: usize| -> Vec<usize> {
        let all = spaced(of.len(), count).into_iter();
        all.map(|i| of[i]).collect()
    };
    let (judged, test) = (picked(&train, count), picked(&test, count));
    // What a closed form learns from are not the judged samples alone: those would lie in its space as
    // no others do.
    let learned = match source {
        Source::Pixels | Source::Pca(_) | Source::Ica(_) | Source::Kmeans(_) => {
            picked(&train, LEARNED.max(count))
        }
        _ => vec![],
    };
    let values = drawer.draw(&drawer.prior(count, how.seed)?);
    let drawn = Dataset::of_values(
        "drawn",
        dataset.kind,
        about.input.shape,
        values,
        about.input.shift.clone(),
    );
    let (data, begin) = (dataset.name.clone(), dataset.len());
    let both = dataset.joined_with(drawn)?;
    let rows = [&learned[..], &judged, &test].concat();
    let rows: BTreeSet<usize> = rows.into_iter().chain(begin..both.len()).collect();
    let rows = rows.into_iter().collect();
    let mut sources = Sources::new(&both, device.clone(), how.seed).only(rows);
    let all = sources.represent(&space, &source, progress)?;
    // What cannot be read is left out of either side.
    let part = |rows: &mut dyn Iterator<Item = usize>| -> Matrix {
        let wanted: BTreeSet<&str> = rows.map(|row| both.ids[row].as_str()).collect();
        let found: Vec<usize> = (0..all.ids.len())
            .filter(|&i| wanted.contains(all.ids[i].as_str()))
            .collect();
        all.features.select(&found)
    };
    let real = part(&mut test.into_iter());
    Ok(Fidelity {
        code_version: env!("CARGO_PKG_VERSION").into(),
        model: about.hash.clone(),
        data,
        space,
        dim: all.features.cols,
        samples: real.rows,
        k: how.k,
        drawn: scores(&real, &part(&mut (begin..both.len())), how.k)?,
        real: scores(&real, &part(&mut judged.into_iter()), how.k)?,
    })
}
