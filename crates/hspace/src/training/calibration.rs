//! The head of a supervised training, calibrated by val labels.

use super::Trained;
use crate::dataset::Split;
use crate::embed::embed;
use crate::head::{self, Calibration, Head};
use crate::job::Job;
use crate::matrix::spaced;
use crate::nn::Weights;
use crate::run::{EncoderFile, OwnHead};

/// Val samples that a temperature is chosen by, at most, spread over all.
const MOST: usize = 10_000;

impl Job<'_> {
    /// The temperature of the head that was trained, whose encoder is `about`; `None` where there is no head. The network has learned from all
    /// training labels, so val labels alone can say how sure its answers should be: where they may not be read, or there are none, the head
    /// is not calibrated.
    pub(super) fn calibrated(&self, trained: &Trained, about: &EncoderFile) -> Option<OwnHead> {
        let nowhere = (String::new(), String::new());
        let task = self.config.label.clone();
        let mut head = head::of_weights(&trained.model, about, task, nowhere)?;
        let calibrated = self.calibrate(&mut head, &trained.encoder);
        let reason = calibrated.err().unwrap_or_default();
        let uncalibrated = Calibration::Uncalibrated { reason };
        Some(OwnHead {
            temperature: head.about.temperature,
            calibration: head.about.calibration.unwrap_or(uncalibrated),
        })
    }

    /// Calibrates `head`, whose encoder has the `weights`; or says why it cannot.
    fn calibrate(&self, head: &mut Head, weights: &Weights) -> std::result::Result<(), String> {
        if self.dataset.indices(Split::Val).is_empty() {
            return Err("no validation rows".to_owned());
        }
        if self.choosing.is_empty() {
            return Err("no validation labels that may be read".to_owned());
        }
        let (encoder, views, device) = self.encoder();
        let some = spaced(self.choosing.len(), MOST).into_iter();
        let (rows, classes): (Vec<usize>, Vec<u32>) = some.map(|i| self.choosing[i]).unzip();
        let found = embed(
            encoder,
            weights,
            views,
            self.dataset,
            &rows,
            device,
            &mut |_| (),
        );
        let found = found.map_err(|e| e.to_string())?;
        // Those that could be read are in the order asked for.
        let mut asked = rows.iter().zip(classes);
        let class = |row: &usize| asked.find(|(known, _)| *known == row).map(|pair| pair.1);
        let classes: Vec<u32> = found.rows.iter().filter_map(class).collect();
        let done = head.calibrate(&found.features, &classes);
        done.map_err(|e| e.to_string())
    }
}
