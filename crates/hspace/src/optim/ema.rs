//! An average of the weights of a training (exponential moving average, EMA), and what a run keeps as its encoder.
//!
//! After step t each copy moves towards its weight, `ema ← d_t · ema + (1 − d_t) · weight`, with `d_t = min(train.ema, (1 + t) / (10 + t))`: the
//! weights of the first steps, which know nothing, are soon forgotten, so that short runs can be averaged too (as TensorFlow's
//! `ExponentialMovingAverage` with `num_updates`; Tarvainen & Valpola 2017, arXiv:1703.01780, average the weights of a training in this way).
//! Running statistics of batch normalisation are averaged alike (timm's `ModelEmaV3`); queues, centres and teachers are not. The copies are in the
//! map of weights, under `ema`, so checkpoints have them.

use serde::{Deserialize, Serialize};

use crate::nn::{Weight, Weights};

/// Where the copies are.
const PLACE: &str = "ema";

/// Which weights a run keeps as its encoder, with the heads that belong to it.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (_, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::optim::ema::Export;
///
/// let all = run.read_model(&Device::cpu())?;
/// let encoder = Export::Model.encoder(&all);
/// assert_eq!(encoder.trained_values(), run.read_encoder(&Device::cpu())?.weights.trained_values());
/// assert_eq!(Export::Model.model(&all).trained_values(), all.trained_values());
/// assert_eq!(Export::Ema.name(), "ema");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Export {
    /// The average where there is one (`train.ema`), else the model.
    #[default]
    Auto,
    /// Those that gradients change.
    Model,
    /// Their average.
    Ema,
    /// The momentum teacher's.
    Teacher,
}

impl Export {
    /// As settings name it.
    pub fn name(self) -> &'static str {
        match self {
            Export::Auto => "auto",
            Export::Model => "model",
            Export::Ema => PLACE,
            Export::Teacher => "teacher",
        }
    }

    /// Where its copies of the weights are; `None` of the model, which is no copy.
    fn place(self) -> Option<&'static str> {
        match self {
            Export::Auto | Export::Model => None,
            Export::Ema | Export::Teacher => Some(self.name()),
        }
    }

    /// The encoder's weights, names without prefix.
    pub fn encoder(self, weights: &Weights) -> Weights {
        match self.place() {
            None => weights.under("encoder"),
            Some(place) => weights.under(&format!("{place}.encoder")),
        }
    }

    /// All weights that are kept: with its copies in the place of what they are copies of, and without the average.
    pub fn model(self, weights: &Weights) -> Weights {
        let copies = self.place().map(|place| weights.under(place));
        let mut kept = Weights::default();
        for (name, weight) in weights.iter().filter(|(name, _)| !is_copy(name)) {
            let copy = copies.as_ref().and_then(|copies| copies.get(name));
            let value = copy.unwrap_or(weight).value.clone();
            let weight = Weight {
                value,
                ..weight.clone()
            };
            kept.insert(name.to_owned(), weight);
        }
        kept
    }
}

fn is_copy(name: &str) -> bool {
    name.split('.').next() == Some(PLACE)
}

/// Begins the average of fresh weights, if `decay` is above 0: copies of what is trained and of running statistics.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::nn::{Weight, Weights};
/// use hspace::optim::ema;
///
/// let value = Tensor::from_floats([1.0], &Device::cpu());
/// let mut weights = Weights::default();
/// weights.insert("encoder.bias".into(), Weight { value, shape: vec![1], trained: true });
/// ema::init(&mut weights, 0.999);
/// assert!(weights.get("ema.encoder.bias").is_some_and(|copy| !copy.trained));
/// ```
pub fn init(weights: &mut Weights, decay: f64) {
    if decay == 0.0 {
        return;
    }
    let is_averaged = |(name, weight): &(&str, &Weight)| {
        let part = name.split('.').next().unwrap_or_default();
        let statistics = name.contains("running_");
        !["teacher", "memory", PLACE].contains(&part) && (weight.trained || statistics)
    };
    let mut copies = Weights::default();
    for (name, weight) in weights.iter().filter(is_averaged) {
        let copy = Weight {
            trained: false,
            ..weight.clone()
        };
        copies.insert(name.to_owned(), copy);
    }
    weights.extend(copies.prefixed(PLACE));
}

/// The average after `step`, from 1, of a training with this `decay`; of 0 there is none.
///
/// ```
/// use burn_tensor::Tensor;
/// use hspace::device::Device;
/// use hspace::embed::to_matrix;
/// use hspace::nn::{Weight, Weights};
/// use hspace::optim::ema;
///
/// let number = |x: f32| Tensor::<1>::from_floats([x], &Device::cpu());
/// let mut weights = Weights::default();
/// weights.insert("encoder.bias".into(), Weight { value: number(0.0), shape: vec![1], trained: true });
/// ema::init(&mut weights, 0.999);
/// weights.set("encoder.bias", number(11.0));
/// ema::update(&mut weights, 0.999, 1);
/// // After step 1 the decay is 2 / 11.
/// let copy = weights.get("ema.encoder.bias").expect("a copy").value.clone();
/// assert!((to_matrix(copy.unsqueeze()).data[0] - 9.0).abs() < 1e-4);
/// ```
pub fn update(weights: &mut Weights, decay: f64, step: usize) {
    let t = step as f64;
    if decay > 0.0 {
        weights.average(PLACE, decay.min((1.0 + t) / (10.0 + t)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::nn::weights::{values, vector};

    fn weights(named: &[(&str, f32, bool)]) -> Weights {
        let mut weights = Weights::default();
        for &(name, value, trained) in named {
            let weight = Weight {
                value: vector(vec![value], &Device::cpu()),
                shape: vec![1],
                trained,
            };
            weights.insert(name.to_owned(), weight);
        }
        weights
    }

    fn value(weights: &Weights, name: &str) -> f32 {
        values(weights.get(name).unwrap().value.clone())[0]
    }

    #[test]
    fn the_average_is_that_of_the_formula() {
        let mut all = weights(&[
            ("encoder.w", 1.0, true),
            ("encoder.running_mean", 3.0, false),
            ("memory.queue", 5.0, false),
            ("teacher.encoder.w", 7.0, false),
            ("teacher.encoder.running_mean", 7.0, false),
        ]);
        init(&mut all, 0.5);
        init(&mut all, 0.5);
        let copies: Vec<&str> = all
            .iter()
            .map(|(name, _)| name)
            .filter(|n| is_copy(n))
            .collect();
        assert_eq!(copies, ["ema.encoder.running_mean", "ema.encoder.w"]);
        let mut wanted = 1.0f64;
        for step in 1..=30u16 {
            let own = f64::from(step * step);
            let new = vector(vec![own as f32], &Device::cpu());
            all.set("encoder.w", new);
            update(&mut all, 0.6, usize::from(step));
            let t = f64::from(step);
            // (1 + t) / (10 + t) reaches .6 at step 13.
            let decay = if step < 13 {
                (1.0 + t) / (10.0 + t)
            } else {
                0.6
            };
            wanted = decay * wanted + (1.0 - decay) * own;
            let found = f64::from(value(&all, "ema.encoder.w"));
            assert!(
                (found - wanted).abs() < 1e-6 * wanted,
                "{step}: {found}, not {wanted}"
            );
        }
        assert_eq!(value(&all, "ema.encoder.running_mean"), 3.0);
        let mut none = weights(&[("encoder.w", 1.0, true)]);
        init(&mut none, 0.0);
        assert_eq!(none.iter().count(), 1);
    }

    #[test]
    fn copies_take_the_place_of_what_they_are_copies_of() {
        let all = weights(&[
            ("encoder.w", 1.0, true),
            ("head.w", 2.0, true),
            ("predictor.w", 3.0, true),
            ("ema.encoder.w", 10.0, false),
            ("ema.head.w", 20.0, false),
            ("ema.predictor.w", 30.0, false),
            ("teacher.encoder.w", 100.0, false),
            ("teacher.head.w", 200.0, false),
        ]);
        for (export, wanted) in [
            (Export::Model, [1.0, 2.0, 3.0]),
            (Export::Ema, [10.0, 20.0, 30.0]),
            (Export::Teacher, [100.0, 200.0, 3.0]),
        ] {
            let kept = export.model(&all);
            let found = ["encoder.w", "head.w", "predictor.w"].map(|name| value(&kept, name));
            assert_eq!(found, wanted);
            assert_eq!(value(&export.encoder(&all), "w"), wanted[0]);
            assert!(kept.get("encoder.w").unwrap().trained);
            assert!(kept.iter().all(|(name, _)| !is_copy(name)));
            assert!(kept.get("teacher.encoder.w").is_some());
        }
    }
}
