//! Methods that are not built yet, each as a stub of its own file: the traits carry them as they are.

mod finetune;
mod fixmatch;

use std::sync::atomic::AtomicBool;

use hspace::config::Config;
use hspace::dataset::{Dataset, OpenOptions};
use hspace::job::{Job, about};
use hspace::objective::Objective;
use hspace::train::{Start, Trained};
use hspace::views::{Recipe, Recipes};

/// Small handwritten digits.
fn digits() -> Dataset {
    Dataset::open("builtin:mnist-mini", &OpenOptions::default()).expect("it is embedded")
}

/// Two steps of `objective` and a small network, with the labels of `labelled` rows alone.
fn trained(dataset: &Dataset, labelled: &[usize], objective: Box<dyn Objective>) -> Trained {
    trained_for(dataset, labelled, objective, 2)
}

fn trained_for(
    dataset: &Dataset,
    labelled: &[usize],
    objective: Box<dyn Objective>,
    steps: usize,
) -> Trained {
    let settings = format!(
        "[encoder]\nname = \"cnn\"\nwidth = 8\n[train]\nsteps = {steps}\nbatch_size = 16\nlog_every = 1\nschedule = \"constant\"\nwarmup = 0\n"
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
