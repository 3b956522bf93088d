//! What a user may set of a U-Net.

use serde::{Deserialize, Serialize};

use crate::auto::Auto;

/// Settings of a U-Net and its training: `unet:runs/a:steps=800`.
///
/// ```
/// use hspace::unet::Settings;
///
/// let settings: Settings = hspace::list::parse("steps = 800".parse()?)?;
/// assert!(settings.validate().is_empty() && settings.batch == Settings::default().batch);
/// assert_eq!(Settings { dice: -1.0, ..settings }.validate(), ["dice=-1 must be 0 or above"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Steps on each draw of masks, at least 1.
    pub steps: usize,
    /// Images a step at most, at least 1.
    pub batch: usize,
    /// Learning rate of the decoder at the beginning, above 0.
    pub learning_rate: f64,
    /// Learning rate of the encoder, of the decoder's, 0 or above: at 0 it stays as it is.
    pub encoder_rate: f64,
    /// Share of the steps in which the decoder alone learns, in 0..=1; `auto`: 0.3 after an encoder that was trained before, else 0.
    pub decoder_share: Auto<f64>,
    /// Channels of the decoder at the image's size, at least 1; twice as many at each half of it, 256 at most.
    pub decoder_width: usize,
    /// Weight of the Dice loss, 0 or above.
    pub dice: f64,
    /// Largest shift of an image, of its sides, in 0..1.
    pub shift: f64,
    /// Probability of the mirror image, left to right, in 0..=1; `auto`: 0.5 where the data are no glyphs, else 0.
    pub flip: Auto<f64>,
    /// Weight decay of AdamW, 0 or above.
    pub weight_decay: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            steps: 400,
            batch: 16,
            learning_rate: 2e-3,
            encoder_rate: 1.0,
            decoder_share: Auto::Auto,
            decoder_width: 16,
            dice: 1.0,
            shift: 0.1,
            flip: Auto::Auto,
            weight_decay: 0.01,
        }
    }
}

impl Settings {
    /// What is out of range, one line each; empty if nothing is.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let sizes = [
            ("steps", self.steps),
            ("batch", self.batch),
            ("decoder_width", self.decoder_width),
        ];
        for (key, _) in sizes.iter().filter(|(_, size)| *size == 0) {
            problems.push(format!("{key}=0 must be at least 1"));
        }
        let mut ranged = |key: &str, value: f64, ok: bool, range: &str| {
            if !ok {
                problems.push(format!("{key}={value} must be {range}"));
            }
        };
        let rate = self.learning_rate;
        let is_positive = rate.is_finite() && rate > 0.0;
        ranged("learning_rate", rate, is_positive, "above 0");
        for (key, value) in [
            ("encoder_rate", self.encoder_rate),
            ("dice", self.dice),
            ("weight_decay", self.weight_decay),
        ] {
            let ok = value.is_finite() && value >= 0.0;
            ranged(key, value, ok, "0 or above");
        }
        for (key, value) in [("decoder_share", self.decoder_share), ("flip", self.flip)] {
            if let Auto::Set(value) = value {
                ranged(key, value, (0.0..=1.0).contains(&value), "in 0..=1");
            }
        }
        let shift = self.shift;
        ranged("shift", shift, (0.0..1.0).contains(&shift), "in 0..1");
        problems
    }
}
