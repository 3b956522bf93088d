//! Generative adversarial network: a generator draws samples that a discriminator cannot tell from real
//! ones; the encoder is the discriminator without its last layer.
//!
//! `non_saturating`: the discriminator lowers `softplus(−D(x)) + softplus(D(G(z)))`, the generator
//! `softplus(−D(G(z)))` (Goodfellow et al. 2014, arXiv:1406.2661). `hinge`: `max(0, 1 − D(x)) + max(0, 1 +
//! D(G(z)))` and `−D(G(z))` (Lim & Ye 2017, arXiv:1705.02894). R1 adds `γ/2 E ‖∇_x D(x)‖²` on real samples
//! (Mescheder et al. 2018, arXiv:1801.04406), estimated along random directions ([`crate::objective::jacobian`]).
//! Samples come from an average of the generator's weights over steps. The discriminator is whatever encoder
//! the run has, the generator its decoder: with `cnn` for both they are convolutional as DCGAN's (Radford et
//! al. 2016, arXiv:1511.06434), but with upsampling instead of transposed convolutions, as many doublings from at most
//! 8 pixels a side as the image takes, two at least, ReLU instead of leaky ReLU in the discriminator, and normalisation
//! in its first layer too.
//!
//! Deviations: the average keeps .995 of the old, where others keep .999, for runs of a few thousand steps; Adam's
//! first moment keeps .9 (DCGAN: .5), as for all objectives. γ is 0.1 where Mescheder et al. use 10;
//! here D's input is normalised by channel. No study of either was made.
//!
//! Real and drawn samples are normalised each over their own batch; only real ones move the running
//! statistics that the representation is computed with.
//!
//! Mode collapse shows in the recall of drawn samples, of which a running mean and the highest that it was are
//! kept: it falls, or never rises. It is that of small copies of the images, since fine grain, which generators
//! smooth, keeps real images away from all drawn ones, and the discriminator's features are what tells both apart.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use burn_tensor::activation::{relu, sigmoid, softplus};
use burn_tensor::module::adaptive_avg_pool2d;
use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::{flatten, linear};
use crate::nn::{Init, Scope, Weights};
use crate::objective::decoder::Decoder;
use crate::objective::heads::{must, not_negative, positive};
use crate::objective::jacobian;
use crate::objective::likelihood::{normalised, plain};
use crate::objective::{
    Batch, DataSpec, Generator, Loss, Net, Objective, Stream, Subset, UpdateGroup, ViewKind,
};
use crate::warning::WarningKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Game {
    NonSaturating,
    Hinge,
}

impl Game {
    /// What the discriminator lowers, of how real it finds real samples and drawn ones, `[n, 1]` each.
    fn discriminator_loss(self, real: Tensor<2>, drawn: Tensor<2>) -> Tensor<1> {
        match self {
            Game::NonSaturating => softplus(-real, 1.0).mean() + softplus(drawn, 1.0).mean(),
            Game::Hinge => relu(-real + 1.0).mean() + relu(drawn + 1.0).mean(),
        }
    }

    /// What the generator lowers.
    fn generator_loss(self, drawn: Tensor<2>) -> Tensor<1> {
        match self {
            Game::NonSaturating => softplus(-drawn, 1.0).mean(),
            Game::Hinge => -drawn.mean(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    /// Dimensions of what samples are drawn from.
    latents: usize,
    /// `non_saturating` or `hinge`.
    game: Game,
    /// γ ≥ 0 of R1; 0 for none.
    r1: f64,
    /// Share of the old in the generator's average, 0 to 1.
    average: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            latents: 64,
            game: Game::NonSaturating,
            r1: 0.1,
            average: 0.995,
        }
    }
}

struct Gan {
    settings: Settings,
    decoder: Decoder,
    images: bool,
    mean: Vec<f32>,
    std: Vec<f32>,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "gan",
    summary: "a generator against a discriminator, whose features are the representation",
    source: "Goodfellow et al. 2014, arXiv:1406.2661; Radford et al. 2016, arXiv:1511.06434",
    item: Configured {
        defaults: || {
            let mut all = list::defaults::<Settings>();
            all.extend(list::defaults::<Decoder>());
            all
        },
        make: |mut table| {
            let decoder: Decoder = list::take(&mut table)?;
            let settings: Settings = list::take(&mut table)?;
            list::nothing_left(&table)?;
            let Settings { r1, average, .. } = settings;
            let problems = [
                positive(&[("latents", settings.latents)]),
                not_negative(&[("r1", r1)]),
                must((0.0..1.0).contains(&average), || {
                    format!("average={average} must be at least 0 and below 1")
                }),
                decoder.validate(),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(Gan {
                settings,
                decoder,
                images: true,
                mean: vec![],
                std: vec![],
            }))
        },
    },
};

/// Share of the training after which samples should be near real ones.
const SETTLED: f64 = 0.3;
/// Pixels a side of the images whose recall is watched.
const SMALL: usize = 8;
/// Share of the old in the running mean of recalls.
const RECENT: f64 = 0.95;
/// Which neighbour's distance says how far a drawn sample reaches.
const NEAR: usize = 3;
/// Where the average of the generator's weights is.
const AVERAGE: &str = "average.generator";

impl Objective for Gan {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.images = matches!(spec.shape, Shape::Image { .. });
        (self.mean, self.std) = (spec.mean.clone(), spec.std.clone());
        self.decoder.prepare(spec).into_iter().collect()
    }

    fn generator(&self) -> Option<&dyn Generator> {
        Some(self)
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Plain])]
    }

    fn update_groups(&self, _: f64, _: &dyn Encoder) -> Vec<UpdateGroup> {
        vec![
            UpdateGroup::of("discriminator", &["encoder", "discriminator"]),
            UpdateGroup::of("generator", &["generator"]),
        ]
    }

    fn loss(&self, net: &Net, batches: &[Batch], group: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let n = x.dims()[0];
        let z = net.normal(["drawn", "drawn again"][group], [n, self.settings.latents]);
        let drawn = self.outputs(&net.at("generator"), z);
        let drawn = normalised(drawn, &self.mean, &self.std);
        let features = net.encode_without_bn_update(drawn.clone());
        let logits = self.logits(net, features.clone());
        if group == 1 {
            let total = self.settings.game.generator_loss(logits);
            return Loss {
                metrics: vec![("generator_loss", total.clone())],
                ..Loss::of(total, vec![])
            };
        }
        // The average gathers running statistics of its own.
        let z = net.normal("average", [n, self.settings.latents]);
        self.outputs(&net.at(AVERAGE).frozen(), z);
        let real = net.encode(x.clone());
        let real_logits = self.logits(net, real.clone());
        let right = real_logits.clone().greater_elem(0.0).float().mean()
            + logits.clone().lower_elem(0.0).float().mean();
        let [recent, of_best] = followed(net, recall(small(x.clone()), small(drawn)));
        let mut total = self.settings.game.discriminator_loss(real_logits, logits);
        let mut metrics = vec![
            ("discriminator_accuracy", right.detach() * 0.5),
            ("diversity", diversity(features, real.clone())),
            ("recall", recent),
            ("recall_of_best", of_best),
        ];
        if self.settings.r1 > 0.0 {
            let judge = |x| self.logits(net, net.encode_without_bn_update(x));
            let penalty = jacobian::squared(net, "direction", x, judge);
            total = total + penalty.clone() * (0.5 * self.settings.r1);
            metrics.push(("r1", penalty));
        }
        metrics.push(("discriminator_loss", total.clone()));
        Loss {
            metrics,
            ..Loss::of(total, vec![real])
        }
    }

    fn after_init(&self, weights: &mut Weights) {
        weights.follow("generator", AVERAGE, 0.0);
    }

    fn after_step(&self, weights: &mut Weights, _: f64) {
        weights.follow("generator", AVERAGE, self.settings.average);
    }

    fn diagnose(
        &self,
        values: &BTreeMap<String, f64>,
        progress: f64,
    ) -> Option<(WarningKind, String)> {
        if progress < 0.1 {
            return None;
        }
        let alike = *values.get("diversity")? < 0.1;
        let never = *values.get("recall")? < 0.02;
        let fell = *values.get("recall_of_best")? < 0.25;
        if alike || progress > SETTLED && (never || fell) {
            return Some(
                (WarningKind::ModeCollapse, "mode collapse: hardly a real sample lies near a drawn one, or drawn ones hardly differ; raise \
                 objective.r1, lower train.learning_rate or raise train.batch_size"
                    .to_owned()),
            );
        }
        let won = *values.get("discriminator_accuracy")? > 0.995;
        (won && *values.get("generator_loss")? > 8.0).then(|| {
            let text = "the discriminator has won: it tells all samples, and the generator has nothing to learn \
                        from; raise objective.r1 or lower train.learning_rate";
            (WarningKind::DiscriminatorWon, text.to_owned())
        })
    }
}

impl Gan {
    /// Samples `[n, …]` from latents: images in 0..1, vectors in their own units.
    fn outputs(&self, place: &Scope, z: Tensor<2>) -> Tensor<4> {
        let outputs = self.decoder.outputs(place, z);
        match self.images {
            true => sigmoid(outputs),
            false => plain(outputs, &self.mean, &self.std, false),
        }
    }

    /// How real features `[n, d]` look, above 0 for real: `[n, 1]`.
    fn logits(&self, net: &Net, features: Tensor<2>) -> Tensor<2> {
        linear(&net.at("discriminator"), features, 1, true)
    }
}

/// How far drawn samples differ from one another in the discriminator's features, of how far real ones
/// do, `[1]`.
fn diversity(drawn: Tensor<2>, real: Tensor<2>) -> Tensor<1> {
    let spread = |x: Tensor<2>| {
        let x = x.detach();
        let off = x.clone() - x.mean_dim(0);
        off.powi_scalar(2).mean().sqrt()
    };
    spread(drawn) / (spread(real) + 1e-12)
}

/// Images `[n, c, h, w]` as thumbnails of at most [`SMALL`] pixels a side, vectors as they are: `[n, d]`.
fn small(x: Tensor<4>) -> Tensor<2> {
    let [_, _, h, w] = x.dims();
    flatten(adaptive_avg_pool2d(
        x.detach(),
        [h.min(SMALL), w.min(SMALL)],
    ))
}

/// The running mean of recalls, and its share of the highest that it was, `[1]` each.
fn followed(net: &Net, recall: Tensor<1>) -> [Tensor<1>; 2] {
    let memory = net.at("memory");
    let past = |name| memory.buffer(name, 1, Init::Constant(0.0));
    let recent = past("recall") * RECENT + recall.inner() * (1.0 - RECENT);
    let best = past("best_recall").max_pair(recent.clone());
    memory.update("recall", recent.clone());
    memory.update("best_recall", best.clone());
    [recent.clone(), recent / (best + 1e-12)]
}

/// The share of real samples `[n, d]` that are no farther from a drawn one than that one is from its
/// [`NEAR`]-th nearest drawn neighbour (Kynkäänniemi et al. 2019, arXiv:1904.06991), `[1]`.
fn recall(real: Tensor<2>, drawn: Tensor<2>) -> Tensor<1> {
    let squares = |x: &Tensor<2>| x.clone().powi_scalar(2).sum_dim(1);
    let sizes = squares(&drawn).transpose();
    let apart =
        |x: Tensor<2>| squares(&x) + sizes.clone() - x.matmul(drawn.clone().transpose()) * 2.0;
    let n = drawn.dims()[0];
    // The nearest of all is the sample itself.
    let reach = apart(drawn.clone()).sort(1).narrow(1, NEAR.min(n - 1), 1);
    let near = apart(real).lower_equal(reach.transpose());
    near.float().max_dim(1).mean()
}

impl Generator for Gan {
    fn latents(&self) -> Option<usize> {
        Some(self.settings.latents)
    }

    fn draw(&self, net: &Net, z: Tensor<2>) -> Tensor<4> {
        self.outputs(&net.at(AVERAGE).frozen(), z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::weights::{values, vector};
    use crate::nn::{Mode, Pass};

    #[test]
    fn both_games_agree_with_torch() {
        for (name, game) in [
            ("non_saturating", Game::NonSaturating),
            ("hinge", Game::Hinge),
        ] {
            check_loss(name, [6, 5], |real| {
                game.discriminator_loss(real, matrix([6, 5], 1.1))
            });
        }
        for (name, game) in [
            ("fooled", Game::NonSaturating),
            ("fooled_hinge", Game::Hinge),
        ] {
            check_loss(name, [6, 5], |drawn| game.generator_loss(drawn));
        }
    }

    #[test]
    fn a_recall_that_falls_is_told_from_one_that_stays() {
        let device = Device::cpu();
        let encoder = crate::encoder::make("mlp", toml::Table::new()).unwrap();
        let recall = |share: f32| vector(vec![share], &device);
        let none = Weights::default();
        let begin = Pass::new(&none, Mode::Init(0), &device);
        followed(&Net::new(&*encoder, &begin), recall(0.0));
        let mut weights = begin.into_fresh();
        let mut hear = |share: f32| {
            let pass = Pass::new(&weights, Mode::Train, &device);
            let [recent, of_best] = followed(&Net::new(&*encoder, &pass), recall(share));
            let found = [recent, of_best].map(|x| values(x)[0]);
            for (name, value) in pass.into_statistics() {
                weights.set(&name, value);
            }
            found
        };
        // A mean from 0 on, of a level that changes little, is its own highest.
        let rising: Vec<[f32; 2]> = (0..100).map(|_| hear(0.6)).collect();
        assert!(rising.iter().all(|[_, share]| *share > 0.99), "{rising:?}");
        assert!(rising[0][0] < 0.05 && (rising[99][0] - 0.6).abs() < 0.01);
        let wavering: Vec<[f32; 2]> = (0..100).map(|i| hear([0.5, 0.7][i % 2])).collect();
        assert!(
            wavering.iter().all(|[_, share]| *share > 0.9),
            "{wavering:?}"
        );
        let falling: Vec<[f32; 2]> = (0..60).map(|_| hear(0.03)).collect();
        assert!(falling[5][1] > 0.5 && falling[59][1] < 0.15, "{falling:?}");
    }

    #[test]
    fn recall_is_the_share_of_real_samples_near_drawn_ones() {
        // On a line: drawn ones reach their third neighbour; two of four real samples are within.
        let column = |values: Vec<f32>| {
            let n = values.len();
            vector(values, &Device::cpu()).reshape([n, 1])
        };
        let drawn = column(vec![0.0, 0.1, 0.2, 0.3, 0.4]);
        let real = column(vec![0.15, 0.65, 0.8, -5.0]);
        assert_eq!(values(recall(real, drawn)), [0.5]);
    }
}
