//! DINO: a network agrees with its momentum teacher on a distribution over K outputs, without labels.
//!
//! `loss = mean over global views t and over the other views v of
//! −Σ_k softmax((g̅(t) − c)/τ_t)_k log softmax(g(v)/τ_s)_k` with g the head's outputs, g̅ the teacher's,
//! and c the running mean of the teacher's (centring); τ_t is lower than τ_s (sharpening). Centring
//! alone would end in the same distribution for all, sharpening alone in one output for all
//! (Caron et al. 2021, arXiv:2104.14294, equations 1 to 4). The teacher sees global views alone.
//!
//! The head is the paper's: three layers with GELU, a bottleneck scaled to length 1, and outputs by
//! weights of length 1. Deviations: K is 1024 rather than 65536, the hidden layers 512 rather than
//! 2048, m begins at 0.98 rather than 0.996 and there are 4 local views rather than 8, all for runs of
//! a few thousand steps on small encoders. The teacher's temperature can rise over the first part of a
//! training, as in the paper; by default it stays where the paper's begins. The last layer learns from the first
//! step on (the authors hold it for an epoch), and weight decay stays as it is unless `train.weight_decay_end` is set.
//! Blocks are never left out (the authors' stochastic depth), the head begins as all linear layers of transformers
//! here. The encoder that is kept and measured is the learner, as of every objective here; the authors take the
//! teacher, which is ahead of it during training: `train.export=teacher`.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::nn::layers::l2_normalise;
use crate::nn::tokens::{dense, gelu};
use crate::nn::{Init, Scope, Weights};
use crate::objective::clustering::swav::swapped_prediction;
use crate::objective::heads::{must, positive, positive_number, share};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, multi_crop, teacher};
use crate::optim::ema::Export;
use crate::optim::schedule::ramp;
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dino {
    /// K, at least 2.
    outputs: usize,
    /// τ_s > 0.
    temperature: f64,
    /// τ_t > 0, below τ_s.
    teacher_temperature: f64,
    /// τ_t at the end of its rise. The paper's larger networks take 0.07.
    teacher_temperature_end: f64,
    /// Share of the training in which it rises, 0 to 1.
    temperature_warmup: f64,
    /// m of the teacher at the start, 0 ≤ m < 1.
    momentum: f64,
    /// Share of the old centre in the new one, 0 ≤ m < 1.
    center_momentum: f64,
    /// Local views of each sample, in addition to two global ones.
    local_views: usize,
    /// Hidden units of the head.
    hidden: usize,
    /// Dimensions of its bottleneck.
    bottleneck: usize,
}

impl Default for Dino {
    fn default() -> Self {
        Dino {
            outputs: 1024,
            temperature: 0.1,
            teacher_temperature: 0.04,
            teacher_temperature_end: 0.04,
            temperature_warmup: 0.3,
            momentum: 0.98,
            center_momentum: 0.9,
            local_views: 4,
            hidden: 512,
            bottleneck: 256,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "dino",
    summary: "agrees with a momentum teacher on a sharpened, centred distribution; multi-crop",
    source: "Caron et al. 2021, arXiv:2104.14294",
    item: Configured {
        defaults: list::defaults::<Dino>,
        make: |table| {
            let settings: Dino = list::parse(table)?;
            let keep = settings.center_momentum;
            let below = |(key, sharp): (&str, f64)| {
                let other = settings.temperature;
                must(other <= 0.0 || sharp < other, || {
                    format!(
                        "{key}={sharp} must be below temperature={other}: the teacher's distribution is the sharper one"
                    )
                })
            };
            let temperatures = [
                ("teacher_temperature", settings.teacher_temperature),
                ("teacher_temperature_end", settings.teacher_temperature_end),
            ];
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("bottleneck", settings.bottleneck),
                ]),
                must(settings.outputs > 1, || {
                    format!("outputs={} must be at least 2", settings.outputs)
                }),
                positive_number("temperature", settings.temperature),
                temperatures
                    .map(|(key, value)| positive_number(key, value))
                    .concat(),
                share("temperature_warmup", settings.temperature_warmup),
                must((0.0..1.0).contains(&keep), || {
                    format!(
                        "center_momentum={keep} must be at least 0 and below 1, at which the centre never moves"
                    )
                }),
                temperatures.map(below).concat(),
                teacher::validate(settings.momentum),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

const TAUGHT: [&str; 2] = ["encoder", "head"];

impl Objective for Dino {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        multi_crop(self.local_views)
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = &batches[0].views;
        let n = batches[0].rows.len();
        let learned = net.encode_by_size(views);
        let outputs = self.head(&net.at("head"), Tensor::cat(learned.clone(), 0));
        let global = Tensor::cat(views[..2].to_vec(), 0);
        let taught = net.encode_by_teacher(global);
        let taught = self.head(&net.at("teacher.head").frozen(), taught);
        let memory = net.at("memory");
        let center = memory.buffer("center", self.outputs, Init::Constant(0.0));
        let temperature = ramp(
            self.teacher_temperature,
            self.teacher_temperature_end,
            self.temperature_warmup,
            net.progress(),
        );
        let targets = sharpened(taught.clone(), center.clone(), temperature);
        let targets = [0, 1].map(|view| targets.clone().narrow(0, view * n, n));
        let total = swapped_prediction(&targets, learned.len(), |view| {
            outputs.clone().narrow(0, view * n, n) / self.temperature
        });
        memory.update("center", recentred(center, taught, self.center_momentum));
        Loss {
            metrics: vec![("teacher_tells_apart", told_apart(targets[0].clone()))],
            ..Loss::of(total, learned[..2].to_vec())
        }
    }

    fn exports(&self) -> &'static [Export] {
        teacher::EXPORTS
    }

    fn after_init(&self, weights: &mut Weights) {
        teacher::init_ema(weights, &TAUGHT);
    }

    fn after_step(&self, weights: &mut Weights, progress: f64) {
        teacher::update_ema(weights, &TAUGHT, self.momentum, progress);
    }

    fn diagnose(&self, values: &BTreeMap<String, f64>, _: f64) -> Option<(WarningKind, String)> {
        (*values.get("teacher_tells_apart")? < 0.01).then(|| {
            (WarningKind::ConstantTeacher, "the teacher is constant: it gives nearly the same distribution to every sample, so there \
             is nothing to learn from it; lower objective.teacher_temperature if that distribution is \
             flat, lower objective.center_momentum if it is one output, or lower train.learning_rate"
                .to_owned())
        })
    }
}

impl Dino {
    fn head(&self, scope: &Scope, x: Tensor<2>) -> Tensor<2> {
        let x = gelu(scope, dense(&scope.at("mlp.0"), x, self.hidden, None));
        let x = gelu(scope, dense(&scope.at("mlp.2"), x, self.hidden, None));
        let x = l2_normalise(dense(&scope.at("mlp.4"), x, self.bottleneck, None));
        let shape = [self.outputs, self.bottleneck];
        let init = Init::UniformFanIn(self.bottleneck);
        let weight = scope.at("last_layer").weight("weight", shape, init);
        x.matmul(l2_normalise(weight).transpose())
    }
}

/// The teacher's distributions `[n, K]` from its outputs `[n, K]` and the centre `[K]`.
fn sharpened(outputs: Tensor<2>, center: Tensor<1>, temperature: f64) -> Tensor<2> {
    softmax((outputs - center.unsqueeze()) / temperature, 1)
}

/// The centre `[K]` after a step with these outputs of the teacher, `[n, K]`.
fn recentred(center: Tensor<1>, outputs: Tensor<2>, keep: f64) -> Tensor<1> {
    let mean = outputs.mean_dim(0).reshape(center.dims());
    center * keep + mean * (1.0 - keep)
}

/// What a distribution of `[n, K]` says about which sample it is of, in nats: the entropy of their
/// mean less the mean of their entropies. 0 if all are the same.
fn told_apart(p: Tensor<2>) -> Tensor<1> {
    let [n, _] = p.dims();
    let mean = p.clone().mean_dim(0);
    let entropy = |p: Tensor<2>| -(p.clone() * (p + 1e-12).log()).sum();
    entropy(mean) - entropy(p) / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{assert_close, check_loss, matrix, numbers};
    use crate::nn::weights::{values, vector};

    #[test]
    fn agrees_with_lightly() {
        let center = vector(vec![0.3, -0.2, 0.1, 0.0, -0.4], &Device::cpu());
        let taught = [1.1, 2.3].map(|phase| sharpened(matrix([6, 5], phase), center.clone(), 0.04));
        check_loss("dino", [6, 5], |own| {
            let views = [own.clone(), matrix([6, 5], 0.9), own];
            swapped_prediction(&taught, 3, |view| views[view].clone() / 0.1)
        });
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for right in [
            "temperature_warmup = 0.0",
            "temperature_warmup = 1.0",
            "center_momentum = 0.0",
        ] {
            assert!((ENTRY.make)(right.parse().unwrap()).is_ok(), "{right}");
        }
        for wrong in [
            "temperature_warmup = -0.1",
            "temperature_warmup = 1.1",
            "temperature_warmup = nan",
            "center_momentum = -0.1",
            "center_momentum = 1.0",
            "center_momentum = nan",
            "teacher_temperature = 0.1",
            "teacher_temperature_end = 0.2",
        ] {
            let problem = (ENTRY.make)(wrong.parse().unwrap()).err().unwrap();
            let key = wrong.split(' ').next().unwrap();
            assert!(problem.starts_with(key), "{problem}");
        }
    }

    #[test]
    fn the_centre_moves_as_lightlys() {
        let center = vector(vec![0.3, -0.2, 0.1, 0.0, -0.4], &Device::cpu());
        let views = [1.1, 2.3].map(|phase| matrix([6, 5], phase));
        let moved = values(recentred(center, Tensor::cat(views.to_vec(), 0), 0.9));
        assert_close("centre", &moved, &numbers(&["dino_center"]), 1e-6);
    }

    #[test]
    fn equal_distributions_tell_nothing() {
        let same = softmax(matrix([1, 5], 0.4).repeat_dim(0, 7), 1);
        assert!(values(told_apart(same))[0].abs() < 1e-5);
        let each = Tensor::<2>::eye(8, &Device::cpu());
        assert!((values(told_apart(each))[0] - 8f32.ln()).abs() < 1e-4);
    }
}
