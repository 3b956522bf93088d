//! What an encoder learns from: loss, heads, teachers, decoders.
//!
//! An objective is one file and one line in [`OBJECTIVES`]. It is a plain configuration; the
//! trainer asks it four things and knows nothing else about it:
//!
//! - [`Objective::streams`]: which samples and views a step needs (FixMatch asks for a labelled
//!   and an unlabelled stream, domain adaptation for one a domain);
//! - [`Objective::update_groups`]: which weights are trained one after the other within a step (a GAN
//!   has two update groups, each with its own optimizer state) and which are not yet or no longer trained
//!   (greedy layer-wise pretraining changes its one turn with progress);
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

mod autoencoder;
mod barlow_twins;
mod beta_tcvae;
mod beta_vae;
mod byol;
mod decoder;
mod dino;
mod dip_vae;
mod factor_vae;
mod gan;
mod heads;
mod iwae;
mod jacobian;
mod latent;
mod likelihood;
#[cfg(test)]
mod loss_reference_tests;
mod mae;
mod moco;
mod net;
mod scarf;
mod simclr;
mod similarity;
mod simsiam;
mod supcon;
mod supervised;
mod swav;
mod teacher;
mod vae;
mod vicreg;
mod vq_vae;
mod wae_mmd;

use std::collections::BTreeMap;

use burn_tensor::Tensor;

use crate::dataset::{Column, Shape, Values};
use crate::device::Device;
use crate::encoder::stage::begins;
use crate::encoder::{self, Encoder};
use crate::list::{self, Configured, Entry};
use crate::network::{Mode, Pass, Weights};
use crate::optim::ema::Export;
use crate::optim::{self, Gradients};
use crate::views::Recipe;
use crate::warning::WarningKind;

pub use net::Net;

/// Subset samples a stream draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// All training samples.
    All,
    /// Those whose label for the task is known and may be used.
    Labelled,
    /// Those whose label for the task is not known, or may not be used.
    Unlabelled,
    /// Those that have a value in this one of [`DataSpec::columns`].
    Known(usize),
    /// Samples of this class (a domain, a hospital) in this one of [`DataSpec::columns`].
    Class(usize, u32),
}

impl Subset {
    /// Whether `row` is one of them.
    pub fn has(self, spec: &DataSpec, row: usize) -> bool {
        match self {
            Subset::All => true,
            Subset::Labelled => spec.labelled(row),
            Subset::Unlabelled => !spec.labelled(row),
            Subset::Known(column) => spec.columns[column].values.is_known(row),
            Subset::Class(column, class) => match &spec.columns[column].values {
                Values::Classes { index, .. } => index[row] == Some(class),
                Values::Numbers(_) | Values::MultiLabel { .. } => false,
            },
        }
    }
}

/// How a stream shows a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// A random view of the run's `[views]`; the second of a sample by `[views.second]`, if there is one.
    Random,
    /// A small random view of a small part (multi-crop; `[views.crop]` says how small), by `[views.local]`, if there is one.
    Local,
    /// A random view that changes little, by `[views.weak]`.
    Weak,
    /// A random view that changes much, by `[views.strong]`.
    Strong,
    /// As it is, resized to the input.
    Plain,
}

/// Samples and views that each step needs.
///
/// A stream of fewer samples than it gives a step starts over within the step: 40 labelled samples fill batches of 64.
///
/// ```
/// use hspace::objective::{ViewKind, Stream, Subset};
///
/// // FixMatch: 64 labelled samples a step, and 448 of all, whose passes are the epochs.
/// let labelled = Stream::new(Subset::Labelled, vec![ViewKind::Weak]).cycles();
/// let all = Stream::new(Subset::All, vec![ViewKind::Weak, ViewKind::Strong]).ratio(7);
/// assert!(all.counts_epochs && !labelled.counts_epochs);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Subset samples.
    pub subset: Subset,
    /// The views of each sample, in the order of [`Batch::views`].
    pub view_kinds: Vec<ViewKind>,
    /// Samples of this stream per sample of `train.batch_size`.
    pub ratio: usize,
    /// Whether a pass over it is an epoch; the first such stream counts.
    pub counts_epochs: bool,
}

impl Stream {
    /// One sample per sample of `train.batch_size`; its passes are the epochs.
    pub fn new(subset: Subset, view_kinds: Vec<ViewKind>) -> Stream {
        Stream {
            subset,
            view_kinds,
            ratio: 1,
            counts_epochs: true,
        }
    }

    /// With so many samples per sample of `train.batch_size`.
    pub fn ratio(self, ratio: usize) -> Stream {
        Stream { ratio, ..self }
    }

    /// Its passes are no epochs: it starts over as often as the others need.
    pub fn cycles(self) -> Stream {
        Stream {
            counts_epochs: false,
            ..self
        }
    }

    /// The recipes of its views that are not `[views]`.
    pub fn recipes(&self) -> Vec<Recipe> {
        let all = (0..self.view_kinds.len()).filter_map(|nth| self.recipe(nth));
        all.collect()
    }

    /// The recipe of view number `nth`; `None` where that is `[views]`, or the sample as it is.
    pub fn recipe(&self, nth: usize) -> Option<Recipe> {
        let random = |kind: &&ViewKind| **kind == ViewKind::Random;
        match self.view_kinds[nth] {
            ViewKind::Random if self.view_kinds[..nth].iter().filter(random).count() == 1 => {
                Some(Recipe::Second)
            }
            ViewKind::Random | ViewKind::Plain => None,
            ViewKind::Local => Some(Recipe::Local),
            ViewKind::Weak => Some(Recipe::Weak),
            ViewKind::Strong => Some(Recipe::Strong),
        }
    }
}

/// One stream's samples of one step.
#[derive(Clone)]
pub struct Batch {
    /// One tensor `[n, channels, height, width]` for each look; local views are smaller.
    pub views: Vec<Tensor<4>>,
    /// The samples' rows in the dataset, n of them: the key into [`DataSpec::columns`].
    pub rows: Vec<usize>,
}

/// What an objective may know of the data.
#[derive(Clone, Debug)]
pub struct DataSpec {
    /// Shape of the encoder's input.
    pub shape: Shape,
    /// Shape of local views.
    pub local: Shape,
    /// What was taken off each channel (of vectors: each number) of the encoder's input.
    pub mean: Vec<f32>,
    /// What it was then divided by.
    pub std: Vec<f32>,
    /// Training samples.
    pub samples: usize,
    /// Columns of the dataset by row. What must not be used is `None`.
    pub columns: Vec<Column>,
    /// Index into `columns` of the task, if there is one.
    pub task: Option<usize>,
}

impl DataSpec {
    /// Shape of a view.
    pub fn shape_of(&self, kind: ViewKind) -> Shape {
        match kind {
            ViewKind::Random | ViewKind::Plain | ViewKind::Weak | ViewKind::Strong => self.shape,
            ViewKind::Local => self.local,
        }
    }

    /// Class names and each row's class, for the task.
    pub fn classes(&self) -> Option<(&[String], &[Option<u32>])> {
        match &self.columns[self.task?].values {
            Values::Classes { names, index } => Some((names, index)),
            Values::Numbers(_) | Values::MultiLabel { .. } => None,
        }
    }

    /// [`DataSpec::classes`], or what to tell the user of `objective`, which needs labels of at least two
    /// classes.
    pub fn known_classes(&self, objective: &str) -> Result<(&[String], &[Option<u32>]), String> {
        let Some((names, labels)) = self.classes() else {
            return Err(format!(
                "objective `{objective}` needs classes, but the data have no label column of \
                 classes; label by sub-folder or labels.csv, or use `simclr`"
            ));
        };
        let mut present = vec![false; names.len()];
        labels
            .iter()
            .flatten()
            .for_each(|&c| present[c as usize] = true);
        match present.iter().filter(|&&present| present).count() {
            0 | 1 => Err(format!(
                "objective `{objective}` needs labels of at least two classes, but the training \
                 samples show {}",
                present.iter().filter(|&&present| present).count()
            )),
            _ => Ok((names, labels)),
        }
    }

    /// Rows whose value for the task is known.
    pub fn labelled(&self, row: usize) -> bool {
        self.task
            .is_some_and(|task| self.columns[task].values.is_known(row))
    }
}

/// Weights trained together, with one optimizer state.
///
/// ```
/// use hspace::objective::UpdateGroup;
///
/// // Fine-tuning: the stem stays as it is, the first stage learns at a tenth of the head's rate.
/// let turn = UpdateGroup {
///     rates: vec![("encoder.conv1".into(), 0.0), ("encoder.layer1".into(), 0.1)],
///     ..UpdateGroup::all()
/// };
/// assert!(!turn.covers("encoder.conv1.weight"));
/// assert_eq!(turn.rate_of("encoder.layer1.0.conv1.weight"), 0.1);
/// assert_eq!(turn.rate_of("head.weight"), 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateGroup {
    /// Names the turn in logs and checkpoints; turns of one name share their optimizer state.
    pub name: String,
    /// Prefixes of the weights it trains; empty means all of them.
    pub trains: Vec<String>,
    /// Its learning rate, of the training's.
    pub rate: f64,
    /// Rates of parts of it, of `rate`, by the prefix of their weights; of several that fit the longest counts. At 0 a part stays as it
    /// is, and no gradient of it is computed.
    pub rates: Vec<(String, f64)>,
    /// Its phase, from and to in 0..=1 of the training: warm-up and decay of rate and weight decay are those of this part.
    pub phase: [f64; 2],
}

impl UpdateGroup {
    /// The one turn that trains everything.
    pub fn all() -> UpdateGroup {
        UpdateGroup::of("all", &[])
    }

    /// A turn that trains the weights with these prefixes, all of them without any, all along.
    pub fn of(name: &str, trains: &[&str]) -> UpdateGroup {
        UpdateGroup {
            name: name.to_owned(),
            trains: trains.iter().map(|prefix| prefix.to_string()).collect(),
            rate: 1.0,
            rates: vec![],
            phase: [0.0, 1.0],
        }
    }

    /// Whether it trains the weight of that name.
    pub fn covers(&self, weight: &str) -> bool {
        let fits = |prefix: &String| begins(weight, prefix);
        (self.trains.is_empty() || self.trains.iter().any(fits)) && self.rate_of(weight) > 0.0
    }

    /// The learning rate of the weight of that name, of the training's.
    pub fn rate_of(&self, weight: &str) -> f64 {
        let fit = self
            .rates
            .iter()
            .filter(|(prefix, _)| begins(weight, prefix));
        let longest = fit.max_by_key(|(prefix, _)| prefix.len());
        self.rate * longest.map_or(1.0, |(_, rate)| *rate)
    }

    /// Steps from the first of its phase to `step`, and in the whole phase, of a training of `steps`.
    pub(crate) fn within(&self, step: usize, steps: usize) -> (usize, usize) {
        let [from, to] = self
            .phase
            .map(|share| (share * steps as f64).round() as usize);
        (step.saturating_sub(from), to.saturating_sub(from).max(1))
    }
}

/// The result of [`Objective::loss`].
pub struct Loss {
    /// What the optimizer lowers, `[1]`, a mean over samples.
    pub total: Tensor<1>,
    /// Named numbers worth a curve (parts of the loss, training accuracy), each `[1]`.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
    /// Features `[n, d]` of this step's samples, of one view or of several, watched for collapse;
    /// none in a turn that trains something else.
    pub features: Vec<Tensor<2>>,
}

impl Loss {
    /// A loss without parts worth a curve.
    pub fn of(total: Tensor<1>, features: Vec<Tensor<2>>) -> Loss {
        Loss {
            total,
            metrics: vec![],
            features,
        }
    }

    /// The part of that name; of `None` the total.
    ///
    /// # Panics
    /// When there is no such part.
    pub fn metric(&self, name: Option<&&str>) -> &Tensor<1> {
        let Some(name) = name else {
            return &self.total;
        };
        let part = self.metrics.iter().find(|part| part.0 == *name);
        &part.expect("tasks are parts of the loss").1
    }
}

/// What an objective that learns to draw samples can do besides.
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

    /// The weights that a run can keep as its encoder: a momentum teacher's, where there is one.
    fn exports(&self) -> &'static [Export] {
        &[Export::Model, Export::Ema]
    }

    /// The samples and views of a step.
    fn streams(&self) -> Vec<Stream>;

    /// The turns of a step at `progress` in 0..=1 of the training of `encoder`, whose stages may learn at rates of their own or in
    /// phases.
    fn update_groups(&self, _progress: f64, _encoder: &dyn Encoder) -> Vec<UpdateGroup> {
        vec![UpdateGroup::all()]
    }

    /// The loss of turn `turn` on one batch per stream.
    fn loss(&self, net: &Net, batches: &[Batch], group: usize) -> Loss;

    /// The [`Loss::metrics`] whose gradients are wanted one by one, for [`Objective::combine`]: tasks that share an encoder. Each costs a
    /// forward pass of its own, since burn's backward pass uses up its graph. Without any there is one gradient, that of the total.
    fn tasks(&self) -> Vec<&'static str> {
        vec![]
    }

    /// One gradient from those of the tasks, in their order: their sum, unless they are in conflict and the method has an answer to that
    /// (PCGrad). A weight that a task does not depend on may be missing in its gradient.
    fn combine(&self, tasks: Vec<Gradients>) -> Gradients {
        optim::sum(tasks)
    }

    /// Called once on fresh weights (a teacher starts as a copy).
    fn after_init(&self, _weights: &mut Weights) {}

    /// Called after each step with the progress in 0..=1.
    fn after_step(&self, _weights: &mut Weights, _progress: f64) {}

    /// What to tell the user if the numbers of a logged step (its parts, by name), at `progress` in 0..=1, show this objective's
    /// own way of failing. Features that collapse are warnings for all objectives.
    fn diagnose(
        &self,
        _values: &BTreeMap<String, f64>,
        _progress: f64,
    ) -> Option<(WarningKind, String)> {
        None
    }
}

/// Whether an objective sees labelled samples alone.
pub fn learns_from_labels(objective: &dyn Objective) -> bool {
    let streams = objective.streams();
    streams
        .iter()
        .all(|stream| stream.subset == Subset::Labelled)
}

/// All objectives.
pub static OBJECTIVES: &[Entry<Configured<dyn Objective>>] = &[
    supervised::ENTRY,
    simclr::ENTRY,
    moco::ENTRY,
    byol::ENTRY,
    simsiam::ENTRY,
    barlow_twins::ENTRY,
    vicreg::ENTRY,
    swav::ENTRY,
    dino::ENTRY,
    mae::ENTRY,
    supcon::ENTRY,
    scarf::ENTRY,
    autoencoder::ENTRY,
    vae::ENTRY,
    beta_vae::ENTRY,
    beta_tcvae::ENTRY,
    factor_vae::ENTRY,
    dip_vae::ENTRY,
    wae_mmd::ENTRY,
    iwae::ENTRY,
    vq_vae::ENTRY,
    gan::ENTRY,
];

/// The objective of that name with its settings (see the entry's defaults for the keys).
///
/// # Errors
/// Unknown names and settings that do not fit.
pub fn make(name: &str, settings: toml::Table) -> Result<Box<dyn Objective>, String> {
    let entry = list::find("objective", OBJECTIVES, name)?;
    (entry.make)(settings).map_err(|problems| list::in_section("objective", &problems).join("\n"))
}

/// Why an objective, prepared, does not suit an encoder; empty if it does.
pub fn validate(objective: &dyn Objective, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
    let mut problems = objective.validate(encoder, spec);
    let streams = objective.streams();
    let mut view_kinds = streams.iter().flat_map(|stream| &stream.view_kinds);
    if spec.local == spec.shape || !view_kinds.any(|&kind| kind == ViewKind::Local) {
        return problems;
    }
    if !encoder.takes_any_size(spec.shape) {
        problems.push(
            "the objective learns from small local views, and this encoder takes such images at one \
             size only; set objective.local_views=0, or use another encoder"
                .to_owned(),
        );
        return problems;
    }
    if let (Shape::Image { height, width, .. }, Shape::Image { height: side, .. }) =
        (spec.shape, spec.local)
        && side > height.min(width)
    {
        problems.push(format!(
            "views.crop.local_size={side} is larger than the images, {height} x {width}; set a smaller one"
        ));
    }
    // What an encoder advises, after the semicolon, is for whole images.
    let of_local = |problem: String| {
        let reason = problem.split(';').next().unwrap_or_default();
        format!(
            "for local views (views.crop.local_size): {reason}; set another size, or objective.local_views=0"
        )
    };
    problems.extend(encoder.validate(spec.local).into_iter().map(of_local));
    if let (Some(patches), Shape::Image { height, width, .. }) = (encoder.patches(), spec.shape)
        && let Shape::Image { height: side, .. } = spec.local
    {
        // Weights for the whole images, whose weights serve local views too.
        let patch = patches.side(height, width);
        if !side.is_multiple_of(patch) && problems.is_empty() {
            problems.push(format!(
                "views.crop.local_size={side} is no multiple of the patches' {patch} pixels; set another, or \
                 encoder.patch"
            ));
        }
    }
    problems
}

/// Fresh weights of everything that objective and encoder need: the loss is evaluated once on
/// blank samples, which makes each weight where it is first used.
pub fn init(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    seed: u64,
    device: &Device,
) -> Weights {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(seed), device);
    try_once(objective, encoder, spec, 2, &pass);
    let mut weights = pass.into_fresh();
    objective.after_init(&mut weights);
    weights
}

/// Multiply-adds of one step's loss on `samples` samples, forward.
pub fn cost(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    samples: usize,
    device: &Device,
) -> usize {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(0), device);
    try_once(objective, encoder, spec, samples, &pass);
    pass.multiply_adds()
}

/// Every turn's loss on `n` blank samples.
fn try_once(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    n: usize,
    pass: &Pass,
) {
    let rows = spec.columns.first().map_or(1, rows);
    let view = |&kind: &ViewKind| encoder::blank(n, spec.shape_of(kind), pass.device());
    let blank = |stream: &Stream| Batch {
        views: stream.view_kinds.iter().map(view).collect(),
        rows: vec![
            (0..rows)
                .find(|&row| stream.subset.has(spec, row))
                .unwrap_or(0);
            n
        ],
    };
    let batches: Vec<Batch> = objective.streams().iter().map(blank).collect();
    let net = Net::new(encoder, pass);
    for group in 0..objective.update_groups(0.0, encoder).len() {
        objective.loss(&net, &batches, group);
    }
}

fn rows(column: &Column) -> usize {
    column.values.len()
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
