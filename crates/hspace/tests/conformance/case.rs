//! Small networks, a handful of samples, and every combination that is tested.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use burn_tensor::{Tensor, TensorData};
use hspace::dataset::{Column, Role, Shape, Values};
use hspace::device::Device;
use hspace::encoder::{self, ENCODERS, Encoder, axes};
use hspace::nn::weights::Weights;
use hspace::nn::{Mode, Pass};
use hspace::objective::{self, Batch, DataSpec, Net, OBJECTIVES, Objective, ViewKind};
use hspace::optim::Gradients;
use toml::Table;

pub const IMAGE: Shape = Shape::Image {
    channels: 1,
    height: 12,
    width: 12,
};
pub const VECTOR: Shape = Shape::Vector { dim: 20 };
pub const SAMPLES: usize = 8;

/// An encoder of each kind, and data that it takes.
pub const KINDS: [(Shape, &str); 3] = [(IMAGE, "cnn"), (IMAGE, "vit_tiny"), (VECTOR, "mlp")];

/// An encoder small enough for tests.
pub fn small(name: &str) -> Box<dyn Encoder> {
    let entry = ENCODERS.iter().find(|entry| entry.name == name).unwrap();
    let mut settings = (entry.defaults)();
    for (size, small) in [("width", 4), ("depth", 2)] {
        if let Some(value) = settings.get_mut(size) {
            *value = toml::Value::Integer(small);
        }
    }
    if let Some(blocks) = settings.get_mut("blocks") {
        // One stage has a block whose shortcut is its input.
        *blocks = vec![1, 2, 1, 1].into();
    }
    encoder::make(name, settings).unwrap()
}

/// A perceptron without normalisation.
fn perceptron(more: &str) -> Box<dyn Encoder> {
    let settings = format!("width = 6\nnorm = false\n{more}");
    encoder::make("mlp", settings.parse().unwrap()).unwrap()
}

pub fn encoders_for(shape: Shape) -> impl Iterator<Item = (&'static str, Box<dyn Encoder>)> {
    let made = ENCODERS.iter().map(|entry| (entry.name, small(entry.name)));
    made.filter(move |(_, encoder)| encoder.validate(shape).is_empty())
}

/// Encoders that differ, by name: of those that are the same network once they are small (ResNet-18 and ResNet-34, which
/// have one or two blocks a stage here, all ViTs) the first.
fn distinct() -> &'static [&'static str] {
    static DISTINCT: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let mut seen = BTreeSet::new();
        let names = ENCODERS.iter().map(|entry| entry.name);
        names.filter(|name| seen.insert(network(name))).collect()
    });
    &DISTINCT
}

/// What a small encoder is: the names and shapes of its weights, and the bits of what it makes of images.
fn network(name: &str) -> (Vec<(String, Vec<usize>)>, Vec<u64>) {
    // burn's own operations compute in whatever precision the process has.
    let (encoder, device) = (small(name), Device::cpu_with(None));
    let (weights, _) = encoder::init(&*encoder, IMAGE, 7, &device);
    let shapes = weights
        .iter()
        .map(|(name, w)| (name.into(), w.shape.clone()));
    let shapes = shapes.collect();
    let weights = weights.prefixed("encoder");
    let pass = Pass::new(&weights, Mode::Eval, &device);
    let features = encoder.features(&pass.at("encoder"), samples(IMAGE, 0.0, &device));
    let features: Vec<f64> = features.into_data_as::<f64>().try_into_vec().unwrap();
    (shapes, features.into_iter().map(f64::to_bits).collect())
}

/// Local views of images are smaller.
pub fn local(shape: Shape) -> Shape {
    match shape {
        Shape::Image { channels, .. } => Shape::Image {
            channels,
            height: 8,
            width: 8,
        },
        vector => vector,
    }
}

/// Channels of images, numbers of vectors.
pub fn channels(shape: Shape) -> usize {
    match shape {
        Shape::Image { channels, .. } => channels,
        Shape::Vector { dim } => dim,
    }
}

pub fn spec(shape: Shape) -> DataSpec {
    let label = Column {
        name: "label".into(),
        role: Role::Label,
        values: Values::Classes {
            names: vec!["even".into(), "odd".into()],
            index: (0..SAMPLES as u32).map(|i| Some(i % 2)).collect(),
        },
    };
    let site = Column {
        name: "site".into(),
        role: Role::Domain,
        values: Values::Classes {
            names: vec!["a".into(), "b".into()],
            index: (0..SAMPLES as u32).map(|i| Some(i / 2 % 2)).collect(),
        },
    };
    DataSpec {
        shape,
        local: local(shape),
        mean: vec![0.0; channels(shape)],
        std: vec![1.0; channels(shape)],
        samples: SAMPLES,
        columns: vec![label, site],
        task: Some(0),
    }
}

/// Samples that differ, by a formula.
pub fn samples(shape: Shape, phase: f32, device: &Device) -> Tensor<4> {
    let axes = axes(SAMPLES, shape);
    let n: usize = axes.iter().product();
    let each = n / SAMPLES;
    let value = |i: usize| ((1 + i / each) as f32 * 0.37 * (i % each) as f32 + phase).sin();
    Tensor::from_data(
        TensorData::new((0..n).map(value).collect::<Vec<_>>(), axes),
        device,
    )
}

/// Settings for a handful of samples.
pub fn few(objective: &str) -> Table {
    let one = |key: &str, value: i64| Table::from_iter([(key.to_owned(), value.into())]);
    let weight = |key: &str, value: f64| Table::from_iter([(key.to_owned(), value.into())]);
    match objective {
        // No more keys than samples can be distinguished from.
        "moco" => one("queue", 32),
        // More dimensions than samples are correlated, whatever is learned.
        "barlow_twins" | "vicreg" => one("projection", 6),
        // Codes use all prototypes, so that no sample has less than its share.
        "swav" => one("prototypes", 4),
        // Mixtures that are nearly one of the two, since of others the targets' own entropy remains; and little of what moves as the network does, the
        // guesses for unlabelled samples.
        "mixmatch" => Table::from_iter([
            ("alpha".to_owned(), 0.1.into()),
            ("weight".to_owned(), 1.0.into()),
        ]),
        // A teacher that follows within forty steps.
        "mean_teacher" => weight("momentum", 0.5),
        // A tenth of the rate is little for forty steps of six layers.
        "factor_vae" => Table::from_iter([
            ("discriminator_units".to_owned(), 64.into()),
            ("discriminator_rate".to_owned(), 1.0.into()),
        ]),
        // Two hidden layers of 1,024 units are slow in double precision.
        "dann" | "cdan" => one("units", 16),
        // The total correlation of eight samples is that of eight points, whatever is learned.
        "beta_tcvae" => weight("beta", 1.0),
        _ => Table::new(),
    }
}

/// Objectives in other forms than their defaults.
pub const FORMS: &[(&str, &str)] = &[
    ("autoencoder", "corruption = \"masking\""),
    ("autoencoder", "corruption = \"gaussian\""),
    ("autoencoder", "corruption = \"salt_and_pepper\""),
    ("autoencoder", "sparsity = 0.01"),
    ("autoencoder", "contraction = 0.1"),
    ("autoencoder", "decoder = \"resnet\""),
    ("vae", "free_bits = 0.1"),
    ("vae", "likelihood = \"gaussian\""),
    ("beta_vae", "capacity = 2.0"),
    // Means of eight samples vary in seven directions at most, so sixteen cannot be independent.
    ("dip_vae", "form = \"I\"\nlatents = 4"),
    ("gan", "game = \"hinge\""),
    ("moco", "queue = 0"),
    ("swav", "queue = 16"),
    ("finetune", "l2_sp = 0.01\nlayer_decay = 0.5"),
    ("finetune", "mixup = 0.4"),
    ("fixmatch", "threshold = 0.1\nthresholds = \"curriculum\""),
    (
        "fixmatch",
        "thresholds = \"self_adaptive\"\nalignment = true\nfairness = 0.05",
    ),
    ("vat", "entropy = 1.0\npower_steps = 2"),
    ("joint", "unsupervised = \"autoencoder\""),
    ("cdan", "entropy = true"),
    ("dbn", "persistent = true\nsteps = 2\nsparsity = 1.0"),
];

/// The ones of them that are for images alone.
pub const OF_IMAGES: &[&str] = &["corruption = \"salt_and_pepper\"", "decoder = \"resnet\""];

/// An objective in one of its forms, with an encoder and data.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub objective: &'static str,
    /// settings in addition to those of [`few`], as TOML.
    pub form: &'static str,
    pub encoder: &'static str,
    pub shape: Shape,
}

impl Choice {
    pub fn new(
        objective: &'static str,
        form: &'static str,
        encoder: &'static str,
        shape: Shape,
    ) -> Choice {
        Choice {
            objective,
            form,
            encoder,
            shape,
        }
    }

    /// Every objective with every encoder on images and on vectors, and its other forms with each kind.
    pub fn all() -> Vec<Choice> {
        let mut all = Vec::new();
        for objective in OBJECTIVES {
            for shape in [IMAGE, VECTOR] {
                let with = |encoder: &'static str| Choice::new(objective.name, "", encoder, shape);
                all.extend(ENCODERS.iter().map(|encoder| with(encoder.name)));
            }
        }
        for &(objective, form) in FORMS {
            all.extend(KINDS.map(|(shape, encoder)| Choice::new(objective, form, encoder, shape)));
        }
        all
    }

    /// Whether the objective is to teach this encoder from these data.
    pub fn suits(&self) -> bool {
        let perceptron = self.encoder == "mlp";
        match (self.objective, self.shape) {
            (_, Shape::Vector { .. }) if OF_IMAGES.contains(&self.form) => false,
            // Patches are of images.
            ("mae", Shape::Vector { .. }) => false,
            // Its weights are those of batch normalisation.
            ("tent", Shape::Image { .. }) => !self.encoder.starts_with("vit_"),
            // Vectors cannot be turned.
            ("rotation", Shape::Vector { .. }) => false,
            ("mae", Shape::Image { .. }) => self.encoder.starts_with("vit_"),
            (_, Shape::Vector { .. }) => perceptron,
            // Its layers are a perceptron's.
            ("ladder" | "stacked_autoencoder" | "dbn", Shape::Image { .. }) => perceptron,
            ("scarf", Shape::Image { .. }) => false,
            // Local views have fewer numbers.
            ("swav" | "dino", Shape::Image { .. }) => !perceptron,
            (_, Shape::Image { .. }) => true,
        }
    }

    /// Objective and encoder, and what is wrong with them, as a job finds it.
    pub fn made(&self, spec: &DataSpec) -> (Box<dyn Objective>, Box<dyn Encoder>, Vec<String>) {
        let mut settings = few(self.objective);
        settings.extend(self.form.parse::<Table>().unwrap());
        let mut objective = objective::make(self.objective, settings).unwrap();
        let encoder = match (self.objective, self.encoder) {
            ("stacked_autoencoder", "mlp") => perceptron("layers = 3"),
            // Above logistic units that were not trained, samples hardly differ.
            ("dbn", "mlp") => perceptron("layers = 1\nactivation = \"sigmoid\""),
            (_, encoder) => small(encoder),
        };
        let mut problems = encoder.validate(spec.shape);
        problems.extend(objective.prepare(spec));
        problems.extend(objective::validate(&*objective, &*encoder, spec));
        (objective, encoder, problems)
    }

    pub fn problems(&self, spec: &DataSpec) -> Vec<String> {
        let (_, _, problems) = self.made(spec);
        problems
    }
}

/// One turn of what was chosen.
pub struct Case {
    pub name: String,
    pub choice: Choice,
    pub encoder: Box<dyn Encoder>,
    pub objective: Box<dyn Objective>,
    /// Which of a step's turns.
    pub group: usize,
    pub trains: objective::UpdateGroup,
    pub device: Device,
}

impl Case {
    /// A case for each turn, if the objective can teach the encoder from these data.
    pub fn each(choice: Choice) -> Vec<Case> {
        (0..).map_while(|group| Case::new(choice, group)).collect()
    }

    pub fn new(choice: Choice, group: usize) -> Option<Case> {
        let (objective, encoder, problems) = choice.made(&spec(choice.shape));
        if !problems.is_empty() {
            return None;
        }
        // At the end of a training nothing waits any more.
        let trains = objective
            .update_groups(1.0, &*encoder)
            .into_iter()
            .nth(group)?;
        let Choice {
            objective: name,
            form,
            encoder: with,
            shape,
        } = choice;
        Some(Case {
            name: format!("{name} {form} ({group}) on {with} with {shape:?}"),
            choice,
            encoder,
            objective,
            group,
            trains,
            device: Device::cpu(),
        })
    }

    /// Every case that differs from the others.
    pub fn all() -> impl Iterator<Item = Case> {
        let choices = Choice::all().into_iter();
        choices
            .filter(|choice| distinct().contains(&choice.encoder))
            .flat_map(Case::each)
    }

    /// Leaves the weights under these prefixes as they are: no gradient of them is computed.
    pub fn freeze(&mut self, what: &str, prefixes: impl IntoIterator<Item = String>) {
        let still = prefixes.into_iter().map(|prefix| (prefix, 0.0));
        self.trains.rates.extend(still);
        self.name = format!("{} with {what} frozen", self.name);
    }

    /// The first turn of an objective, with the first kind of encoder that it can teach.
    pub fn of(objective: &'static str, form: &'static str) -> Case {
        let mut cases = KINDS
            .into_iter()
            .flat_map(|(shape, encoder)| Case::each(Choice::new(objective, form, encoder, shape)));
        cases.next().expect("an objective that suits something")
    }

    /// Fresh weights; but queues that begin empty, and serve only when they are full, are full, and the combinators of a ladder, which begin at 0 or
    /// 1, are not.
    pub fn weights(&self, seed: u64) -> Weights {
        let spec = spec(self.choice.shape);
        let mut weights =
            objective::init(&*self.objective, &*self.encoder, &spec, seed, &self.device);
        let combinators = weights.under("combinator");
        for (name, weight) in combinators.iter() {
            let number = |i: usize| 0.5 + 0.4 * (0.7 * (i + name.len()) as f32 + seed as f32).sin();
            let numbers: Vec<f32> = (0..weight.shape[0]).map(number).collect();
            let numbers = TensorData::new(numbers, [weight.shape[0]]);
            let numbers = Tensor::from_data(numbers, &self.device);
            weights.set(&format!("combinator.{name}"), numbers);
        }
        let queues = weights.under("memory");
        for (name, queue) in queues.iter().filter(|(name, _)| name.starts_with("queue.")) {
            let number = |i: usize| (0.7 * i as f32 + seed as f32).sin();
            let numbers: Vec<f32> = (0..queue.shape[0]).map(number).collect();
            let numbers = TensorData::new(numbers, [queue.shape[0]]);
            let numbers = Tensor::from_data(numbers, &self.device);
            weights.set(&format!("memory.{name}"), numbers);
        }
        weights
    }

    pub fn batches(&self) -> Vec<Batch> {
        let streams = self.objective.streams().into_iter();
        let spec = spec(self.choice.shape);
        let view = |(view, &kind): (usize, &ViewKind)| {
            samples(spec.shape_of(kind), 0.2 * view as f32, &self.device)
        };
        let batch = |stream: objective::Stream| Batch {
            views: stream.view_kinds.iter().enumerate().map(view).collect(),
            rows: (0..SAMPLES).collect(),
        };
        streams.map(batch).collect()
    }

    pub fn pass<'a>(&self, weights: &'a Weights) -> Pass<'a> {
        // At the end of a training all terms weigh what they are to weigh.
        Pass::new(weights, Mode::Train, &self.device).with_progress(1.0)
    }

    /// The turn on these weights.
    pub fn evaluate(&self, weights: &Weights) -> Evaluated {
        let tracked = weights.tracked(|name| self.trains.covers(name));
        let pass = self.pass(&tracked);
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), self.group);
        Evaluated {
            loss: number(loss.total.clone()),
            gradients: net.gradients(&loss.total),
            constants: pass.constants().into_iter().map(|x| x.inner()).collect(),
            statistics: pass.into_statistics(),
        }
    }

    /// Its loss alone, with these constants as far as there are any.
    pub fn loss(&self, weights: &Weights, constants: &[Tensor<2>]) -> f64 {
        let pass = self.pass(weights).with_constants(constants.to_vec());
        let net = Net::new(&*self.encoder, &pass);
        let loss = self.objective.loss(&net, &self.batches(), self.group);
        number(loss.total)
    }

    /// The numbers that a step with all its turns is logged with, by name.
    pub fn metrics(&self, weights: &Weights) -> BTreeMap<String, f64> {
        let pass = self.pass(weights);
        let net = Net::new(&*self.encoder, &pass);
        let batches = self.batches();
        let update_groups = 0..self.objective.update_groups(1.0, &*self.encoder).len();
        let metrics =
            update_groups.flat_map(|group| self.objective.loss(&net, &batches, group).metrics);
        metrics
            .map(|(name, part)| (name.to_owned(), number(part)))
            .collect()
    }
}

/// A turn of a step.
pub struct Evaluated {
    pub loss: f64,
    /// Of the trained weights.
    pub gradients: Gradients,
    /// Targets that no gradient flows through.
    pub constants: Vec<Tensor<2>>,
    /// New running statistics and memories.
    pub statistics: BTreeMap<String, Tensor<1>>,
}

pub fn number(x: Tensor<1>) -> f64 {
    x.inner().into_scalar::<f64>()
}
