//! Each objective's own way of failing is named.

use burn_tensor::{Tensor, TensorData};
use hspace::nn::weights::Weights;
use hspace::objective::OBJECTIVES;

use crate::case::Case;

impl Case {
    /// Weights that fail in the objective's own way: layers that tell samples apart no longer do, a generator draws
    /// one sample only, a queue has one key only, and of all words only one is near anything.
    fn failed(&self) -> Weights {
        const BLIND: [&str; 5] = [
            "projector.",
            "teacher.projector.",
            "head.",
            "teacher.head.",
            "encoder.latent.",
        ];
        let fresh = self.weights(8);
        let mut weights = fresh.clone();
        for (name, weight) in fresh.iter() {
            let blind = BLIND.iter().any(|place| name.starts_with(*place));
            if blind && weight.shape.len() == 2 || name.starts_with("generator.") {
                weights.set(name, weight.value.zeros_like());
            }
        }
        if let Some(queue) = fresh.get("memory.queue") {
            weights.set("memory.queue", queue.value.ones_like());
        }
        if let Some(words) = fresh.get("memory.words") {
            let count = words.shape[0];
            let first = |i: usize| if i < 4 { 0.0f32 } else { 100.0 };
            let values: Vec<f32> = (0..count).map(first).collect();
            let values = Tensor::from_data(TensorData::new(values, [count]), &self.device);
            weights.set("memory.words", values);
        }
        weights
    }
}

/// Numbers of a step, by name.
type Numbers = &'static [(&'static str, f64)];

/// An objective's own way of failing.
struct Failing {
    objective: &'static str,
    form: &'static str,
    /// A part of what is said of it.
    text: &'static str,
    /// Numbers of a step that does not fail, and those of them that are others where it does.
    well: Numbers,
    failing: Numbers,
}

impl Failing {
    const fn new(
        (objective, form): (&'static str, &'static str),
        text: &'static str,
        well: Numbers,
        failing: Numbers,
    ) -> Failing {
        Failing {
            objective,
            form,
            text,
            well,
            failing,
        }
    }

    /// Of a posterior.
    const fn posterior(objective: &'static str) -> Failing {
        let (well, failing): (Numbers, Numbers) =
            (&[("active_units", 3.0)], &[("active_units", 0.0)]);
        Failing::new((objective, ""), "posterior has collapsed", well, failing)
    }

    /// Of projections.
    const fn projections(objective: &'static str, form: &'static str) -> Failing {
        let (well, failing): (Numbers, Numbers) = (
            &[("projection_spread", 0.9)],
            &[("projection_spread", 0.01)],
        );
        Failing::new((objective, form), "projections are constant", well, failing)
    }

    /// Of what a network teaches itself.
    const fn one_class(objective: &'static str) -> Failing {
        let (well, failing): (Numbers, Numbers) =
            (&[("largest_share", 0.6)], &[("largest_share", 0.99)]);
        Failing::new((objective, ""), "taken for one class", well, failing)
    }

    /// Of a game.
    const fn game(text: &'static str, failing: Numbers) -> Failing {
        const WELL: Numbers = &[
            ("diversity", 0.9),
            ("recall", 0.5),
            ("recall_of_best", 0.9),
            ("discriminator_accuracy", 0.7),
            ("generator_loss", 1.0),
        ];
        Failing::new(("gan", ""), text, WELL, failing)
    }
}

/// All of them; of an objective with several, the one that [`Case::failed`] leads to comes first.
const FAILING: &[Failing] = &[
    Failing::new(
        ("moco", ""),
        "queue is saturated",
        &[("queue_cosine", 0.3)],
        &[("queue_cosine", 0.99)],
    ),
    Failing::projections("moco", "queue = 0"),
    Failing::projections("byol", ""),
    Failing::projections("simsiam", ""),
    Failing::new(
        ("dino", ""),
        "teacher is constant",
        &[("teacher_tells_apart", 1.0)],
        &[("teacher_tells_apart", 0.001)],
    ),
    Failing::new(
        ("swav", ""),
        "prototypes have collapsed",
        &[("prototypes_used", 40.0)],
        &[("prototypes_used", 1.1)],
    ),
    Failing::new(
        ("vq_vae", ""),
        "codebook has collapsed",
        &[("perplexity", 9.0)],
        &[("perplexity", 1.1)],
    ),
    Failing::game("mode collapse", &[("diversity", 0.01)]),
    Failing::game("mode collapse", &[("recall", 0.01)]),
    Failing::game("mode collapse", &[("recall_of_best", 0.1)]),
    Failing::game(
        "discriminator has won",
        &[("discriminator_accuracy", 1.0), ("generator_loss", 9.0)],
    ),
    Failing::posterior("vae"),
    Failing::posterior("beta_vae"),
    Failing::posterior("beta_tcvae"),
    Failing::posterior("factor_vae"),
    Failing::posterior("dip_vae"),
    Failing::posterior("iwae"),
    Failing::one_class("pseudo_label"),
    Failing::one_class("fixmatch"),
];

#[test]
fn known_ways_of_failing_are_named() {
    for way in FAILING {
        let case = Case::of(way.objective, way.form);
        let mut values = case.metrics(&case.weights(8));
        let mut said = |numbers: Numbers| {
            for &(number, value) in numbers {
                let before = values.insert(number.to_owned(), value);
                assert!(before.is_some(), "{}: no part is `{number}`", case.name);
            }
            case.objective.diagnose(&values, 0.5)
        };
        assert_eq!(said(way.well), None, "{}", case.name);
        let (_, text) = said(way.failing).unwrap_or_else(|| panic!("{}", case.name));
        assert!(text.contains(way.text), "{}: {text:?}", case.name);
    }
}

#[test]
fn what_has_failed_is_named_and_nothing_else_is() {
    let all = OBJECTIVES.iter().map(|entry| (entry.name, ""));
    for (objective, form) in all.chain([("moco", "queue = 0")]) {
        let case = Case::of(objective, form);
        let said = case.objective.diagnose(&case.metrics(&case.failed()), 0.5);
        let way = FAILING
            .iter()
            .find(|way| (way.objective, way.form) == (objective, form));
        let named = match (&said, way) {
            (Some((_, said)), Some(way)) => said.contains(way.text),
            (None, None) => true,
            _ => false,
        };
        assert!(named, "{}: {said:?}", case.name);
    }
}
