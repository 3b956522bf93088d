//! A U-Net trained on images and their masks.

use std::ops::ControlFlow;

use burn_tensor::{Tensor, TensorData};

use super::batches::{View, places};
use super::loss::{loss, one_hot};
use super::{Settings, UNet};
use crate::device::Device;
use crate::encoder::axes;
use crate::error::{Error, Result};
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Weights};
use crate::objective::{Net, UpdateGroup};
use crate::optim::schedule::cosine;
use crate::optim::{Optimizer, Rule};
use crate::training::minimise::{Evaluated, Parameters, Place, Problem, Update, minimise};

/// Inputs, and the place of each pixel's class.
type Read = (Vec<f32>, Vec<u8>);

/// Images with masks.
pub(crate) struct Examples<'a> {
    /// How many there are: at least one.
    pub count: usize,
    /// Reads some, by their places in 0..`count`: inputs `[n, c, h, w]`, and the place of each pixel's class `[n, h, w]`.
    pub read: &'a dyn Fn(&[usize]) -> Result<Read>,
}

/// A U-Net in training.
struct Learning<'a> {
    network: UNet<'a>,
    settings: &'a Settings,
    device: &'a Device,
}

impl Learning<'_> {
    /// Share of the steps in which the decoder alone learns.
    fn decoder_share(&self) -> f64 {
        *self.settings.decoder_share.get()
    }
}

impl Problem for Learning<'_> {
    /// Images `[n, c, h, w]`, and the classes of their pixels as zeros and ones `[n, classes, h, w]`.
    type Batch = (Tensor<4>, Tensor<4>);

    fn updates(&mut self, step: usize) -> Vec<Update> {
        let settings = self.settings;
        let share = self.decoder_share();
        let progress = step as f64 / settings.steps as f64;
        let alone = progress < share || settings.encoder_rate == 0.0;
        let group = match alone {
            true => UpdateGroup::of("decoder", &["decoder"]),
            false => UpdateGroup {
                rates: vec![("encoder".to_owned(), settings.encoder_rate)],
                ..UpdateGroup::all()
            },
        };
        let [from, to] = match (alone, settings.encoder_rate == 0.0) {
            (_, true) => [0.0, 1.0],
            (true, _) => [0.0, share],
            (false, _) => [share, 1.0],
        };
        let within = (progress - from) / (to - from).max(f64::EPSILON);
        vec![Update {
            group,
            optimizer: Optimizer {
                rule: Rule::AdamW,
                weight_decay: settings.weight_decay,
                momentum: 0.9,
            },
            learning_rate: cosine(settings.learning_rate, 0.0, within),
            clip: 0.0,
        }]
    }

    fn gradients(
        &mut self,
        place: Place,
        (images, targets): &Self::Batch,
        weights: &Weights,
    ) -> Result<Evaluated> {
        let pass = Pass::new(weights, Mode::Train, self.device);
        let logits = self.network.logits(&pass, images.clone());
        let loss = loss(logits, targets.clone(), self.settings.dice);
        if !values(loss.clone().inner())[0].is_finite() {
            return Err(Error::data(format!(
                "the loss of the U-Net is no longer finite at step {}; lower learning_rate={}",
                place.step + 1,
                self.settings.learning_rate
            )));
        }
        let gradients = Net::new(self.network.encoder, &pass).gradients(&loss);
        Ok(Evaluated {
            gradients,
            statistics: pass.into_statistics(),
        })
    }
}

/// The weights of `network` after a training from those of its encoder, which are under `encoder`. Settings hold no `auto`. A function of
/// `seed`.
///
/// # Errors
/// When an example cannot be read, or the loss is no longer finite.
pub(crate) fn train(
    network: UNet<'_>,
    encoder: Weights,
    settings: &Settings,
    examples: &Examples<'_>,
    seed: u64,
    device: &Device,
) -> Result<Weights> {
    let mut parameters = Parameters {
        weights: network.with_decoder(encoder, seed, device),
        ..Parameters::default()
    };
    let mut learning = Learning {
        network,
        settings,
        device,
    };
    let (size, batch) = (network.size(), settings.batch.min(examples.count));
    let numbers: usize = axes(1, network.shape).iter().product();
    let views = |step: usize| -> Result<_> {
        let rows = places(examples.count, batch, step, seed);
        let (pixels, classes) = (examples.read)(&rows)?;
        let (mut images, mut targets) = (Vec::new(), Vec::new());
        let pairs = pixels
            .chunks_exact(numbers)
            .zip(classes.chunks_exact(size[0] * size[1]));
        for (i, (pixels, classes)) in pairs.enumerate() {
            let what = format!("view {i} of step {step}");
            let view = View::draw(seed, &what, size, settings.shift, *settings.flip.get());
            images.extend(view.of_image(pixels, size));
            targets.extend(view.of_mask(classes, size));
        }
        let data = TensorData::new(images, axes(rows.len(), network.shape));
        let targets = one_hot(&targets, network.classes, size, device);
        Ok(vec![(Tensor::from_data(data, device), targets)])
    };
    minimise(
        &mut learning,
        &mut parameters,
        0..settings.steps,
        device,
        views,
        |_, _, _| Ok(ControlFlow::Continue(())),
    )?;
    Ok(parameters.weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto::Auto;
    use crate::dataset::Shape;
    use crate::encoder;

    fn settings() -> Settings {
        Settings {
            steps: 200,
            batch: 4,
            decoder_width: 4,
            decoder_share: Auto::Set(0.0),
            flip: Auto::Set(0.5),
            ..Settings::default()
        }
    }

    /// Weights before and after training on images whose bright half is class 1.
    fn trained(settings: &Settings, seed: u64) -> (Weights, Weights, f32) {
        let device = Device::cpu();
        let shape = Shape::Image {
            channels: 1,
            height: 8,
            width: 8,
        };
        let encoder = encoder::make("cnn", "width = 4".parse().unwrap()).unwrap();
        let network = UNet {
            encoder: &*encoder,
            shape,
            depth: 4,
            width: 4,
            classes: 2,
        };
        let (fresh, _) = encoder::init(&*encoder, shape, 0, &device);
        let fresh = fresh.prefixed("encoder");
        let is_bright = |row: usize, place: usize| place % 8 >= 2 + row;
        let read = |rows: &[usize]| -> Result<(Vec<f32>, Vec<u8>)> {
            let all = rows
                .iter()
                .flat_map(|&row| (0..64).map(move |p| is_bright(row, p)));
            let classes: Vec<u8> = all.map(u8::from).collect();
            Ok((classes.iter().map(|&c| f32::from(c)).collect(), classes))
        };
        let examples = Examples {
            count: 4,
            read: &read,
        };
        let found = train(network, fresh.clone(), settings, &examples, seed, &device).unwrap();
        let (pixels, classes) = read(&[0, 1, 2, 3]).unwrap();
        let pass = Pass::new(&found, Mode::Eval, &device);
        let images = Tensor::from_data(TensorData::new(pixels, [4, 1, 8, 8]), &device);
        let targets = one_hot(&classes, 2, [8, 8], &device);
        let left = values(loss(network.logits(&pass, images), targets, 0.0))[0];
        (fresh, found, left)
    }

    fn bits(weights: &Weights, name: &str) -> Vec<u32> {
        let value = weights.get(name).unwrap().value.clone();
        values(value).iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn a_training_is_a_function_of_the_seed_and_learns() {
        let (_, first, left) = trained(&settings(), 1);
        assert!(left < 0.3, "{left}");
        let name = "decoder.level0.conv1.weight";
        assert_eq!(bits(&first, name), bits(&trained(&settings(), 1).1, name));
        assert_ne!(bits(&first, name), bits(&trained(&settings(), 2).1, name));
    }

    #[test]
    fn the_decoder_learns_before_the_encoder() {
        let name = "encoder.conv1.weight";
        for (share, rate, moves) in [(1.0, 1.0, false), (0.5, 1.0, true), (0.0, 0.0, false)] {
            let settings = Settings {
                decoder_share: Auto::Set(share),
                encoder_rate: rate,
                steps: 4,
                ..settings()
            };
            let (before, after, _) = trained(&settings, 1);
            assert_eq!(
                bits(&before, name) != bits(&after, name),
                moves,
                "{share} {rate}"
            );
        }
    }
}
