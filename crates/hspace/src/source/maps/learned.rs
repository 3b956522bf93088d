//! A U-Net as a source that learns from each draw of masks.

use burn_tensor::{Tensor, TensorData};

use super::images::Images;
use crate::dataset::Kind;
use crate::device::Device;
use crate::embed::inputs;
use crate::encoder::{self, axes};
use crate::error::{Error, Result};
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Weights};
use crate::probe::FeatureMaps;
use crate::probe::mask::{MaskDraw, MaskLearner, UseMaps, place_classes};
use crate::run::TrainedEncoder;
use crate::unet::{Examples, Settings, UNet, train};

/// What a U-Net learns with.
pub(super) struct UnetLearner<'a> {
    images: Images<'a>,
    network: TrainedEncoder,
    /// Stages of it that are used.
    depth: usize,
    is_untrained: bool,
    settings: Settings,
    device: Device,
    /// The column of masks.
    column: String,
}

impl<'a> UnetLearner<'a> {
    /// On the first `depth` stages of `network`, whose weights each draw begins with unless it `is_untrained`.
    pub fn new(
        images: Images<'a>,
        (network, depth, is_untrained): (TrainedEncoder, usize, bool),
        mut settings: Settings,
        device: Device,
        column: &str,
    ) -> UnetLearner<'a> {
        let is_glyphs = images.dataset.kind == Kind::Digits;
        settings.flip.or(if is_glyphs { 0.0 } else { 0.5 });
        settings
            .decoder_share
            .or(if is_untrained { 0.0 } else { 0.3 });
        UnetLearner {
            images,
            network,
            depth,
            is_untrained,
            settings,
            device,
            column: column.to_owned(),
        }
    }

    /// All settings, as text.
    pub fn settings(&self) -> String {
        format!("{:?} {}", self.settings, self.network.about.hash)
    }

    fn function(&self, classes: usize) -> UNet<'_> {
        UNet {
            encoder: &*self.network.encoder,
            shape: self.network.about.input.shape,
            depth: self.depth,
            width: self.settings.decoder_width,
            classes,
        }
    }

    /// The weights that a draw begins with, under `encoder`.
    fn start(&self, seed: u64) -> Weights {
        let weights = match self.is_untrained {
            true => {
                let shape = self.network.about.input.shape;
                encoder::init(&*self.network.encoder, shape, seed, &self.device).0
            }
            false => self.network.weights.clone(),
        };
        weights.prefixed("encoder")
    }
}

impl MaskLearner for UnetLearner<'_> {
    fn learn(&self, draw: &MaskDraw<'_>) -> Result<Box<dyn FeatureMaps + '_>> {
        let Images {
            dataset,
            rows,
            views,
        } = &self.images;
        let network = self.function(draw.classes.len());
        let size = network.size();
        let labelled: Vec<usize> = draw.rows.labelled.iter().map(|&row| rows[row]).collect();
        let read = |places: &[usize]| -> Result<(Vec<f32>, Vec<u8>)> {
            let own: Vec<usize> = places.iter().map(|&place| labelled[place]).collect();
            let read = inputs(views, dataset, &own)?;
            if let Some(bad) = read.bad.first() {
                return Err(Error::file(&bad.path, &bad.reason));
            }
            let mut classes = Vec::with_capacity(own.len() * size[0] * size[1]);
            for &row in &own {
                let mask = dataset.samples.mask(row, &self.column)?;
                classes.extend(place_classes(&mask, size, size, draw.classes));
            }
            Ok((read.features.data, classes))
        };
        let examples = Examples {
            count: labelled.len(),
            read: &read,
        };
        let seed = draw.rows.seed;
        let (start, device) = (self.start(seed), &self.device);
        let weights = train(network, start, &self.settings, &examples, seed, device)?;
        Ok(Box::new(Logits {
            of: self,
            network,
            weights,
        }))
    }
}

/// What a U-Net answers.
struct Logits<'a> {
    of: &'a UnetLearner<'a>,
    network: UNet<'a>,
    weights: Weights,
}

impl FeatureMaps for Logits<'_> {
    fn dims(&self) -> [usize; 3] {
        let [height, width] = self.network.size();
        [height, width, self.network.classes]
    }

    fn input(&self) -> [usize; 2] {
        self.network.size()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let (shape, device) = (self.network.shape, &self.of.device);
        let [height, width] = self.network.size();
        // The widest maps of the decoder, and its input with those of the encoder.
        let numbers = height * width * 4 * self.network.width.max(self.network.classes);
        self.of.images.each(rows, numbers, &mut |batch, pixels| {
            let data = TensorData::new(pixels.to_vec(), axes(batch.len(), shape));
            let logits = device.run(|| {
                let pass = Pass::new(&self.weights, Mode::Eval, device);
                let logits = self.network.logits(&pass, Tensor::from_data(data, device));
                values(logits.permute([0, 2, 3, 1]))
            });
            match logits.iter().all(|logit| logit.is_finite()) {
                true => use_them(batch, &logits),
                false => Err(Error::data(format!(
                    "a U-Net answered with numbers that are not finite; lower learning_rate={}",
                    self.of.settings.learning_rate
                ))),
            }
        })
    }
}
