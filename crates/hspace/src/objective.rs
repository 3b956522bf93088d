//! What an encoder learns from: loss, heads, teachers, decoders.
//!
//! An objective is one file and one line in [`OBJECTIVES`]. It is a plain configuration; the
//! trainer asks it four things and knows nothing else about it:
//!
//! - [`Objective::streams`]: which samples and views a step needs (FixMatch asks for a labelled
//!   and an unlabelled stream, domain adaptation for one a domain);
//! - [`Objective::update_groups`]: which weights are trained one after the other within a step (a GAN
//!   has two update groups, each with its own optimizer state) and which are not yet or no longer trained
//!   (greedy layer-wise pretraining changes its one update group with progress);
//! - [`Objective::loss`]: the number to lower, from the streams' batches;
//! - [`Objective::after_step`]: what follows without gradients (momentum teachers, queues).
//!
//! The head of an objective's file says where its loss, heads and defaults are not the paper's. What all share is
//! said here: papers train with LARS (SimCLR, BYOL, SwAV, Barlow Twins, VICReg) or SGD (SimSiam, MoCo v2) at rates for
//! batches of thousands, MAE with a second moment that keeps .95, DINO with gradients cut at 3; here all begin with
//! AdamW and one rate ([`crate::config::TrainSettings`]), so that objectives differ in nothing else; whether the
//! papers' do better in short runs with small batches was not studied. All views are one preset for the data's kind and size: without
//! solarisation, and with the same blur for both views (BYOL, Barlow Twins, VICReg and DINO solarise one view, and blur it with
//! probability .1, the other always); multi-crop takes the large views from .2 and the small ones from .05 to .4 of the image, where SwAV
//! takes .14 and .05 to .14, DINO .4 and .05 to .4. `view_set=byol` (`dino`, `swav`, …), `train.optimizer`, `train.clip` and `views.*` set
//! what a paper had; Adam's moments cannot be set.

mod classes;
mod data_spec;
mod decoder;
mod fresh;
mod heads;
mod jacobian;
mod likelihood;
#[cfg(test)]
mod loss_reference_tests;
mod mixup;
mod net;
mod similarity;
mod stream;
mod suits;
mod task_head;
mod teacher;
mod update_group;

/// Views of one sample are near, those of others are far.
mod contrastive {
    pub(super) mod moco;
    pub(super) mod scarf;
    pub(super) mod simclr;
}
/// One network learns what another, mostly its own average, predicts.
mod distillation {
    pub(super) mod byol;
    pub(super) mod dino;
    pub(super) mod simsiam;
}
/// Views agree, and no two features say the same.
mod redundancy_reduction {
    pub(super) mod barlow_twins;
    pub(super) mod vicreg;
}
/// Views agree on a cluster.
mod clustering {
    pub(super) mod swav;
}
/// What is hidden is predicted from the rest.
mod masked {
    pub(super) mod mae;
}
/// A code from which the sample is reconstructed.
mod reconstruction {
    pub(super) mod autoencoder;
}
/// Codes with a prior.
mod variational {
    pub(super) mod beta_tcvae;
    pub(super) mod beta_vae;
    pub(super) mod dip_vae;
    pub(super) mod factor_vae;
    pub(super) mod iwae;
    pub(super) mod latent;
    pub(super) mod vae;
    pub(super) mod vq_vae;
    pub(super) mod wae_mmd;
}
/// Two networks against each other.
mod adversarial {
    pub(super) mod gan;
}
/// One layer after the other, each on the one below.
mod layerwise {
    pub(super) mod dbn;
    pub(super) mod layers;
    pub(super) mod stacked_autoencoder;
}
/// All samples have labels.
mod labelled {
    pub(super) mod finetune;
    pub(super) mod supcon;
    pub(super) mod supervised;
}
/// Labels of one domain are to serve another, whose samples have none.
mod adaptation {
    pub(super) mod adabn;
    mod adversary;
    mod alignment;
    pub(super) mod cdan;
    pub(super) mod coral;
    pub(super) mod dan;
    pub(super) mod dann;
    pub(super) mod group_dro;
    pub(super) mod irm;
    pub(super) mod jan;
    mod labelled_domains;
    pub(super) mod mcc;
    mod mmd;
    mod part;
    mod risk;
    pub(super) mod rotation;
    mod source_and_target;
    pub(super) mod tent;
    pub(super) mod vrex;
}
/// Several columns of labels at once.
mod many_tasks {
    pub(super) mod multi_task;
    mod task;
    mod weighting;
}
/// Few samples have labels, and many have none.
mod semi_supervised {
    pub(super) mod fixmatch;
    pub(super) mod joint;
    pub(super) mod ladder;
    pub(super) mod m2;
    pub(super) mod mean_teacher;
    pub(super) mod mixmatch;
    pub(super) mod pi_model;
    pub(super) mod pseudo_label;
    pub(super) mod thresholds;
    pub(super) mod vat;
}

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use toml::Table;

use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::Weights;
use crate::optim::ema::Export;
use crate::warning::WarningKind;

pub use data_spec::DataSpec;
pub use fresh::{cost, init};
pub use net::Net;
pub use stream::{Batch, Stream, Subset, ViewKind};
pub use suits::validate;
pub use task_head::TaskHead;
pub use update_group::UpdateGroup;

/// The result of [`Objective::loss`].
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::objective::Loss;
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// let loss = Loss {
///     metrics: vec![("reconstruction", number(2.0)), ("divergence", number(1.0))],
///     ..Loss::of(number(3.0), vec![])
/// };
/// assert_eq!(loss.total.into_scalar::<f32>(), 3.0);
/// ```
pub struct Loss {
    /// What the optimizer lowers, `[1]`, a mean over samples.
    pub total: Tensor<1>,
    /// Named numbers worth a curve (parts of the loss, training accuracy), each `[1]`.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
    /// The same of the tasks of an objective that learns several, named after them.
    pub task_metrics: Vec<(String, Tensor<1>)>,
    /// Features `[n, d]` of this step's samples, of one view or of several, watched for collapse;
    /// none in an update group that trains something else.
    pub features: Vec<Tensor<2>>,
}

impl Loss {
    /// A loss without parts worth a curve.
    pub fn of(total: Tensor<1>, features: Vec<Tensor<2>>) -> Loss {
        Loss {
            total,
            metrics: vec![],
            task_metrics: vec![],
            features,
        }
    }
}

/// What an objective that learns to draw samples can do besides.
///
/// ```
/// use hspace::objective;
///
/// // A GAN draws from latents that its encoder does not give; those of a VAE are its representation.
/// let latents = |name: &str| -> Result<Option<usize>, String> {
///     let objective = objective::make(name, Default::default())?;
///     Ok(objective.generator().expect("it draws").latents())
/// };
/// assert!(latents("gan")?.is_some() && latents("vae")?.is_none());
/// # Ok::<(), String>(())
/// ```
pub trait Generator {
    /// Dimensions of the latents that it draws from, where they are not the representation: then there
    /// is no way from a sample to its latents but inversion.
    fn latents(&self) -> Option<usize> {
        None
    }

    /// Whether latents drawn from the standard normal distribution are as those of samples should be.
    fn has_prior(&self) -> bool {
        true
    }

    /// Samples `[n, channels, height, width]` from latents `[n, d]`: images in 0..1, vectors in their
    /// own units.
    fn draw(&self, net: &Net, z: Tensor<2>) -> Tensor<4>;

    /// How well samples' own latents explain them, if there is a likelihood; `x` is the encoder's input,
    /// `draws` how many latents each sample's posterior gives.
    fn importance_terms(
        &self,
        _net: &Net,
        _x: Tensor<4>,
        _draws: usize,
    ) -> Option<ImportanceTerms> {
        None
    }
}

/// Of draws from the posterior of each sample, in nats.
pub struct ImportanceTerms {
    /// `log p(x | z)`, `[draws · n]`, the first draw of all samples first.
    pub log_likelihood: Tensor<1>,
    /// `log p(z) − log q(z | x)`, the same.
    pub log_ratio: Tensor<1>,
    /// The divergence of the posterior from the prior, `[n]`.
    pub divergence: Tensor<1>,
    /// What the likelihood is of.
    pub unit: &'static str,
}

/// What an encoder learns from.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder;
/// use hspace::nn::{Mode, Pass};
/// use hspace::objective::{self, Batch, DataSpec, Net};
///
/// // The loss of SimCLR on two views of eight vectors.
/// let (device, shape) = (Device::cpu(), Shape::Vector { dim: 4 });
/// let spec = DataSpec {
///     shape,
///     local: shape,
///     mean: vec![0.0; 4],
///     std: vec![1.0; 4],
///     samples: 8,
///     columns: vec![],
///     task: None,
/// };
/// let mut simclr = objective::make("simclr", Default::default())?;
/// assert!(simclr.prepare(&spec).is_empty());
/// let mlp = encoder::make("mlp", Default::default())?;
/// let weights = objective::init(&*simclr, &*mlp, &spec, 0, &device);
///
/// let pass = Pass::new(&weights, Mode::Train, &device);
/// let x: Vec<f32> = (0..32).map(|i| (i as f32).sin()).collect();
/// let view = Tensor::<1>::from_floats(&x[..], &device).reshape([8, 4, 1, 1]);
/// let batch = Batch { views: vec![view.clone(), view], rows: (0..8).collect() };
/// let loss = simclr.loss(&Net::new(&*mlp, &pass), &[batch], 0).total.into_scalar::<f32>();
/// // Each of 16 views has one of 15 others as its positive: ln 15 by guessing.
/// assert!(loss > 0.0 && loss < 15f32.ln());
/// # Ok::<(), String>(())
/// ```
pub trait Objective: Send + Sync {
    /// Takes what it needs to know of the data; answers with the problems, such as missing
    /// labels.
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String>;

    /// Why it cannot teach this encoder; empty if it can.
    fn validate(&self, _encoder: &dyn Encoder, _facts: &DataSpec) -> Vec<String> {
        vec![]
    }

    /// Latent coordinates of the representation, computed from the encoder's features; 0 if those are
    /// the representation.
    fn latents(&self) -> usize {
        0
    }

    /// What can be drawn from latents, if it learns to.
    fn generator(&self) -> Option<&dyn Generator> {
        None
    }

    /// Whether it trains a head for the classes of the task, `head`: then `NAME:ENCODER` is a source that answers by itself.
    fn answers(&self) -> bool {
        false
    }

    /// The heads of an objective that learns several columns.
    fn task_heads(&self) -> Vec<TaskHead> {
        vec![]
    }

    /// The probability from which it takes an unlabelled sample for a class, where it leaves out samples below one.
    fn confidence_threshold(&self) -> Option<f64> {
        None
    }

    /// Steps that it is trained for on each draw of labels, where nothing else is said.
    fn steps_per_draw(&self) -> usize {
        1000
    }

    /// Where, of a run in `NAME:RUN`, it takes the features in place of the samples, instead of going on from the run's weights: the settings it is
    /// trained with there, unless others are given.
    fn on_features(&self) -> Option<Table> {
        None
    }

    /// The decay of the average of weights that is evaluated ([`crate::optim::ema`]), where `train.ema` is `auto`; 0 for none.
    fn ema(&self) -> f64 {
        0.0
    }

    /// The weights that a run can keep as its encoder: a momentum teacher's, where there is one.
    fn exports(&self) -> &'static [Export] {
        &[Export::Model, Export::Ema]
    }

    /// Which of them is kept where `train.export` is `auto` and no average is taken.
    fn preferred_export(&self) -> Export {
        Export::Model
    }

    /// The samples and views of a step.
    fn streams(&self) -> Vec<Stream>;

    /// The update groups of a step at `progress` in 0..=1 of the training of `encoder`, whose stages may learn at rates of their own or in
    /// phases.
    fn update_groups(&self, _progress: f64, _encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        vec![UpdateGroup::all()]
    }

    /// The loss of update group `group` on one batch per stream.
    fn loss(&self, net: &Net, batches: &[Batch], group: usize) -> Loss;

    /// Called once on fresh weights (a teacher starts as a copy).
    fn after_init(&self, _weights: &mut Weights) {}

    /// Called after each step with the progress in 0..=1.
    fn after_step(&self, _weights: &mut Weights, _progress: f64) {}

    /// Share of the training samples, 0..1, that is held out of this training to measure overfitting on where the data have no val split; 0: nothing
    /// is measured.
    fn held_out(&self) -> f64 {
        0.0
    }

    /// Means over samples `x [n, channels, height, width]` by name, without gradients: measured at the end of each epoch on training samples and
    /// on held-out ones, which shows overfitting.
    fn measure_held_out(&self, _net: &Net, _x: &Tensor<4>) -> Vec<(String, f64)> {
        vec![]
    }

    /// What to tell the user if the numbers of a logged step (its parts, by name), at `progress` in 0..=1, show this objective's
    /// own way of failing. Features that collapse are found for all objectives.
    fn diagnose(
        &self,
        _values: &BTreeMap<String, f64>,
        _progress: f64,
    ) -> Option<(WarningKind, String)> {
        None
    }
}

/// Whether an objective sees labelled samples alone.
///
/// ```
/// use hspace::objective::{learns_from_labels, make};
///
/// assert!(learns_from_labels(&*make("supervised", Default::default())?));
/// assert!(!learns_from_labels(&*make("byol", Default::default())?));
/// # Ok::<(), String>(())
/// ```
pub fn learns_from_labels(objective: &dyn Objective) -> bool {
    let streams = objective.streams();
    streams
        .iter()
        .all(|stream| matches!(stream.subset, Subset::Labelled | Subset::Any(_)))
}

/// All objectives.
pub static OBJECTIVES: &[Entry<Configured<dyn Objective>>] = &[
    labelled::supervised::ENTRY,
    contrastive::simclr::ENTRY,
    contrastive::moco::ENTRY,
    distillation::byol::ENTRY,
    distillation::simsiam::ENTRY,
    redundancy_reduction::barlow_twins::ENTRY,
    redundancy_reduction::vicreg::ENTRY,
    clustering::swav::ENTRY,
    distillation::dino::ENTRY,
    masked::mae::ENTRY,
    labelled::supcon::ENTRY,
    contrastive::scarf::ENTRY,
    reconstruction::autoencoder::ENTRY,
    variational::vae::ENTRY,
    variational::beta_vae::ENTRY,
    variational::beta_tcvae::ENTRY,
    variational::factor_vae::ENTRY,
    variational::dip_vae::ENTRY,
    variational::wae_mmd::ENTRY,
    variational::iwae::ENTRY,
    variational::vq_vae::ENTRY,
    adversarial::gan::ENTRY,
    layerwise::stacked_autoencoder::ENTRY,
    layerwise::dbn::ENTRY,
    labelled::finetune::ENTRY,
    many_tasks::multi_task::ENTRY,
    semi_supervised::pseudo_label::ENTRY,
    semi_supervised::pi_model::ENTRY,
    semi_supervised::mean_teacher::ENTRY,
    semi_supervised::vat::ENTRY,
    semi_supervised::mixmatch::ENTRY,
    semi_supervised::fixmatch::ENTRY,
    semi_supervised::ladder::ENTRY,
    semi_supervised::m2::ENTRY,
    semi_supervised::joint::ENTRY,
    adaptation::dann::ENTRY,
    adaptation::cdan::ENTRY,
    adaptation::coral::ENTRY,
    adaptation::dan::ENTRY,
    adaptation::jan::ENTRY,
    adaptation::mcc::ENTRY,
    adaptation::adabn::ENTRY,
    adaptation::tent::ENTRY,
    adaptation::rotation::ENTRY,
    adaptation::group_dro::ENTRY,
    adaptation::irm::ENTRY,
    adaptation::vrex::ENTRY,
];

/// The objective of that name with its settings (see the entry's defaults for the keys).
///
/// ```
/// use hspace::objective::make;
///
/// assert!(make("simclr", "temperature = 0.2".parse()?).is_ok());
/// let error = make("simclr", "temprature = 0.2".parse()?).err().unwrap();
/// assert!(error.contains("temprature"));
/// assert!(make("simlcr", Default::default()).err().unwrap().contains("did you mean `simclr`?"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unknown names and settings that do not fit.
pub fn make(name: &str, settings: toml::Table) -> Result<Box<dyn Objective>, String> {
    let entry = list::find("objective", OBJECTIVES, name)?;
    (entry.make)(settings).map_err(|problems| list::in_section("objective", &problems).join("\n"))
}

/// Two views and as many local ones as said, of unlabelled samples.
fn multi_crop(local: usize) -> Vec<Stream> {
    let mut view_kinds = vec![ViewKind::Random; 2];
    view_kinds.resize(2 + local, ViewKind::Local);
    vec![Stream::new(Subset::All, view_kinds)]
}

/// Both views of unlabelled samples: what joint-embedding objectives ask for.
fn two_views() -> Vec<Stream> {
    vec![Stream::new(Subset::All, vec![ViewKind::Random; 2])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_steps_of_its_own() {
        let phase = UpdateGroup {
            phase: [0.25, 0.75],
            ..UpdateGroup::all()
        };
        assert_eq!(phase.within(25, 100), (0, 50));
        assert_eq!(phase.within(74, 100), (49, 50));
        assert_eq!(UpdateGroup::all().within(74, 100), (74, 100));
    }

    #[test]
    fn every_setting_out_of_range_is_named() {
        for (name, settings, keys) in [
            ("swav", "prototypes = 1\nhidden = 0\nprojection = 0", 3),
            ("vq_vae", "latents = 7\ndecay = 1.0\ndecoder_units = 0", 3),
            ("simclr", "temperature = 0.0\nhidden = 0", 2),
        ] {
            let settings: toml::Table = settings.parse().unwrap();
            let names: Vec<String> = settings.keys().cloned().collect();
            assert_eq!(names.len(), keys);
            let mut all = (list::find("objective", OBJECTIVES, name).unwrap().defaults)();
            all.extend(settings);
            let text = make(name, all).err().unwrap();
            assert!(names.iter().all(|key| text.contains(key)), "{name}: {text}");
        }
    }

    #[test]
    fn the_longest_prefix_of_whole_names_counts() {
        let rates = [("encoder", 0.5), ("encoder.layer1", 0.1)];
        let group = UpdateGroup {
            rate: 2.0,
            rates: rates
                .map(|(prefix, rate)| (prefix.to_owned(), rate))
                .to_vec(),
            ..UpdateGroup::all()
        };
        assert_eq!(group.rate_of("encoder.layer1.weight"), 0.2);
        assert_eq!(group.rate_of("encoder.layer10.weight"), 1.0);
        assert_eq!(group.rate_of("head.weight"), 2.0);
    }
}
