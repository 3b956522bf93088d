//! Self-supervision on both domains: a classifier of the labels, and one that says by how much a sample of either domain was turned.
//!
//! `loss = mean −log p(y | x) + w mean −log q(r | R_r(x))`, R_r the rotation by r quarter turns, r drawn for each sample of both domains (Sun et al. 2019,
//! arXiv:1909.11825, with the rotations of Gidaris et al. 2018, arXiv:1803.07728). Features that tell rotations apart in both domains align them.
//!
//! Deviations: one random turn of each sample a step, where Gidaris et al. show all four; the paper adds other tasks (location, flips).

use burn_tensor::Tensor;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::source_and_target::SourceAndTarget;
use crate::dataset::Shape;
use crate::encoder::Encoder;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::linear;
use crate::objective::classes::{accuracy, cross_entropy};
use crate::objective::heads::{must, not_negative, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// w, 0 or above.
    weight: f64,
    /// Samples of the target per labelled one.
    ratio: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            weight: 1.0,
            ratio: 1,
        }
    }
}

struct Rotation {
    settings: Settings,
    domains: SourceAndTarget,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "rotation",
    summary: "domain adaptation: samples of both domains are turned, and by how much is learned next to the labels",
    source: "Sun et al. 2019, arXiv:1909.11825",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                not_negative(&[("weight", settings.weight)]),
                positive(&[("ratio", settings.ratio)]),
            ];
            list::refuse(problems.concat())?;
            let domains = SourceAndTarget::new(settings.ratio);
            Ok(Box::new(Rotation { settings, domains }))
        },
    },
};

/// Images `[n, c, s, s]` turned counter-clockwise by so many quarters.
fn turned(x: Tensor<4>, quarters: u32) -> Tensor<4> {
    match quarters {
        0 => x,
        1 => x.swap_dims(2, 3).flip([2]),
        2 => x.flip([2, 3]),
        _ => x.flip([2]).swap_dims(2, 3),
    }
}

impl Objective for Rotation {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.domains.prepare(spec, "rotation")
    }

    fn validate(&self, _: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
        let is_square = matches!(spec.shape, Shape::Image { height, width, .. } if height == width);
        must(is_square, || {
            "objective `rotation` turns square images; set train.image_size, or use another objective for vectors".to_owned()
        })
    }

    fn answers(&self) -> bool {
        true
    }

    fn streams(&self) -> Vec<Stream> {
        self.domains.streams()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        // All turns of one kind are next to each other, so that four operations turn them all.
        let both = Tensor::cat(
            vec![batches[0].views[0].clone(), batches[1].views[0].clone()],
            0,
        );
        let [all, ..] = both.dims();
        let mut order: Vec<usize> = (0..all).collect();
        order.shuffle(&mut net.rng("rotation"));
        let (mut parts, mut turns) = (Vec::new(), Vec::new());
        for quarters in 0..4 {
            let own: Vec<i64> = order
                .iter()
                .skip(quarters as usize)
                .step_by(4)
                .map(|&i| i as i64)
                .collect();
            if own.is_empty() {
                continue;
            }
            turns.extend(std::iter::repeat_n(quarters, own.len()));
            let rows = Tensor::from_data(&own[..], net.device());
            parts.push(turned(both.clone().select(0, rows), quarters));
        }
        let labels = self.domains.classes.of(&batches[0]);
        let features = net.encode_together(&[batches[0].views[0].clone(), Tensor::cat(parts, 0)]);
        let logits = self.domains.classes.logits(net, features[0].clone());
        let supervised = cross_entropy(logits.clone(), &labels);
        let said = linear(&net.at("rotation_head"), features[1].clone(), 4, true);
        let rotation = cross_entropy(said.clone(), &turns);
        Loss {
            metrics: vec![
                ("accuracy", accuracy(logits, &labels, net)),
                ("supervised", supervised.clone()),
                ("rotation", rotation.clone()),
                ("rotation_accuracy", accuracy(said, &turns, net)),
            ],
            ..Loss::of(supervised + rotation * self.settings.weight, features)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::nn::weights::values;

    #[test]
    fn quarter_turns_are_those_of_numpy() {
        let x = Tensor::<4>::from_floats([[[[0.0, 1.0], [2.0, 3.0]]]], &Device::cpu());
        let at = |quarters| values(turned(x.clone(), quarters).reshape([4]));
        // numpy.rot90(x, k).
        assert_eq!(at(0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(at(1), [1.0, 3.0, 0.0, 2.0]);
        assert_eq!(at(2), [3.0, 2.0, 1.0, 0.0]);
        assert_eq!(at(3), [2.0, 0.0, 3.0, 1.0]);
    }
}
