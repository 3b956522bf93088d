//! Methods that are not built yet, each as a stub of its own file: the traits carry them as they are.

mod dann;
mod grad_cam;
mod pcgrad;

use std::sync::atomic::AtomicBool;

use burn_tensor::Tensor;
use burn_tensor::activation::log_softmax;
use hspace::config::Config;
use hspace::dataset::{Dataset, OpenOptions, Pixels, Sample};
use hspace::embed::to_matrix;
use hspace::job::{Job, about};
use hspace::nn::layers::pick;
use hspace::objective::Objective;
use hspace::training::{Start, Trained};
use hspace::views::{Recipe, Recipes};

/// Small handwritten digits.
fn digits() -> Dataset {
    Dataset::open("builtin:mnist-mini", &OpenOptions::default()).expect("it is embedded")
}

/// An image's pixels in 0..1, row by row.
fn pixels(dataset: &Dataset, row: usize) -> Vec<f32> {
    match dataset.samples.get(row).expect("it is embedded") {
        Sample::Image(image) => match image.pixels {
            Pixels::U8(bytes) => bytes.iter().map(|&x| f32::from(x) / 255.0).collect(),
            Pixels::U16(_) => panic!("digits have 8 bits"),
        },
        Sample::Vector(_) => panic!("digits are images"),
    }
}

/// The mean over the batch of −log p of the labels, from logits `[n, classes]`.
fn cross_entropy(logits: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    -pick(log_softmax(logits, 1), labels).mean()
}

/// The largest difference of a weight between two trainings.
fn distance(a: &Trained, b: &Trained, name: &str) -> f64 {
    let values = |trained: &Trained| {
        let weight = trained.model.get(name).expect("it is a weight");
        to_matrix(weight.value.clone().inner().unsqueeze()).data
    };
    let pairs = values(a).into_iter().zip(values(b));
    let apart = pairs.map(|(a, b)| f64::from((a - b).abs()));
    apart.fold(0.0, f64::max)
}

/// Two steps of `objective` and a small network, with the labels of `labelled` rows alone.
fn trained(dataset: &Dataset, labelled: &[usize], objective: Box<dyn Objective>) -> Trained {
    trained_for(dataset, labelled, objective, 2)
}

/// As many steps.
fn trained_for(
    dataset: &Dataset,
    labelled: &[usize],
    objective: Box<dyn Objective>,
    steps: usize,
) -> Trained {
    let cnn = "name = \"cnn\"\nwidth = 8";
    trained_with(cnn, dataset, labelled, objective, steps)
}

/// With these settings of the encoder.
fn trained_with(
    encoder: &str,
    dataset: &Dataset,
    labelled: &[usize],
    objective: Box<dyn Objective>,
    steps: usize,
) -> Trained {
    let settings = format!(
        "[encoder]\n{encoder}\n[train]\nsteps = {steps}\nbatch_size = 16\nlog_every = 1\nschedule = \"constant\"\nwarmup = 0\n"
    );
    let settings = settings.parse().expect("TOML");
    let mut config = Config::resolve(settings, about(dataset)).expect("they fit");
    let recipes = Recipes::of(config.views.random.clone());
    for recipe in [Recipe::Weak, Recipe::Strong] {
        let views = recipes.default_of(recipe, dataset.kind);
        config.views.named.insert(recipe, views);
    }
    let job = Job::with_objective(config, dataset, Some(labelled), Ok(objective)).expect("a job");
    let stop = AtomicBool::new(false);
    job.run(None, Start::Fresh, &mut |_| (), &stop)
        .expect("it trains")
}
