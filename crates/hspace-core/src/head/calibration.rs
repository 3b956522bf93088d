//! Calibration of a head: whether its temperature was chosen, by what, and what became of the calibration error.

use serde::{Deserialize, Serialize};

use super::temperature::temperature;
use super::{About, Head};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::probe::TaskKind;
use crate::probe::scores::{calibration_error, largest};

/// Samples by which a run's own head is calibrated, at least.
const FEWEST: usize = 20;

/// Whether the temperature of a head was chosen, and by what.
///
/// ```
/// use hspace_core::head::{Calibration, HeldOut};
///
/// let errors = Some([0.232, 0.004]);
/// let chosen = Calibration::Calibrated { samples: 400, held_out: HeldOut::Validation, errors };
/// assert!(chosen.text(3.64).starts_with("temperature 3.640, chosen on 400 validation samples"));
/// assert!(chosen.text(3.64).contains("0.4 %, uncalibrated 23.2 %"));
/// let not = Calibration::Uncalibrated { reason: "3 samples are too few".into() };
/// assert_eq!(not.text(1.0), "not calibrated: 3 samples are too few");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Calibration {
    /// It has the lowest log loss on answers for samples that the head was not fitted to.
    Calibrated {
        /// How many samples.
        samples: usize,
        /// Which samples.
        held_out: HeldOut,
        /// Of classes: their calibration error (root mean square, in 0..=1) at temperature 1 and at the chosen one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errors: Option<[f64; 2]>,
    },
    /// It is 1.
    Uncalibrated {
        /// Why.
        reason: String,
    },
}

/// Samples that a head was not fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// The val split.
    Validation,
    /// Each fold of the training samples, answered by a fit to the others.
    Folds,
}

impl About {
    /// Chooses the temperature by held-out `probabilities` `[m, outputs]` at temperature 1, which `truth` says are of what is there; says
    /// whether it did in [`About::calibration`]. Numbers have none.
    pub(crate) fn calibrate(
        &mut self,
        probabilities: &[f64],
        truth: &[bool],
        held_out: HeldOut,
    ) -> Result<()> {
        let outputs = self.names.len().max(1);
        self.temperature = temperature(self.kind, probabilities, truth, outputs)?;
        let uncalibrated = |reason: &str| Calibration::Uncalibrated {
            reason: reason.to_owned(),
        };
        self.calibration = match (self.kind, probabilities.len() / outputs) {
            (TaskKind::Numbers, _) => None,
            (_, 0) => Some(uncalibrated("too few samples to hold any out")),
            (kind, samples) => Some(Calibration::Calibrated {
                samples,
                held_out,
                errors: match kind {
                    TaskKind::Classes => errors(probabilities, truth, outputs, self.temperature),
                    _ => None,
                },
            }),
        };
        Ok(())
    }

    /// The temperature and where it comes from, in a few words; `None` of numbers.
    pub fn calibration_text(&self) -> Option<String> {
        match &self.calibration {
            _ if self.kind == TaskKind::Numbers => None,
            Some(calibration) => Some(calibration.text(self.temperature)),
            // Heads of earlier versions.
            None if self.temperature == 1.0 => Some("not calibrated".to_owned()),
            None => Some(format!("temperature {:.3}", self.temperature)),
        }
    }
}

impl Calibration {
    /// With the `temperature` that it is about, in a few words.
    pub fn text(&self, temperature: f64) -> String {
        let percent = |x: f64| format!("{:.1} %", 100.0 * x);
        match self {
            Calibration::Uncalibrated { reason } => format!("not calibrated: {reason}"),
            Calibration::Calibrated {
                samples,
                held_out,
                errors,
            } => {
                let of = match held_out {
                    HeldOut::Validation => "validation samples",
                    HeldOut::Folds => "samples in held-out folds",
                };
                let errors = errors.map_or(String::new(), |[before, after]| {
                    let (before, after) = (percent(before), percent(after));
                    format!("; calibration error on them {after}, uncalibrated {before}")
                });
                format!("temperature {temperature:.3}, chosen on {samples} {of}{errors}")
            }
        }
    }
}

impl Head {
    /// Chooses the temperature by samples that neither the head nor the encoder before it was fitted to: their `features` `[m, d]` and `classes`
    /// `[m]`. It stays 1 where they are fewer than 20 or none is answered wrong; [`About::calibration`] says so.
    ///
    /// # Errors
    /// As [`Head::answer`].
    pub fn calibrate(&mut self, features: &Matrix, classes: &[u32]) -> Result<()> {
        self.about.temperature = 1.0;
        let probabilities = self.answer(features)?;
        let (outputs, samples) = (self.outputs(), classes.len());
        let rows = probabilities.chunks_exact(outputs).zip(classes);
        let wrong = rows.filter(|(row, class)| largest(row) != **class).count();
        let reason = match samples {
            0..FEWEST => format!("{samples} validation samples, and {FEWEST} are needed"),
            // The log loss falls with the temperature without end.
            _ if wrong == 0 => format!("all answers for {samples} validation samples are right"),
            _ => {
                let is = |&class: &u32| (0..outputs as u32).map(move |c| c == class);
                let truth: Vec<bool> = classes.iter().flat_map(is).collect();
                return self
                    .about
                    .calibrate(&probabilities, &truth, HeldOut::Validation);
            }
        };
        self.about.calibration = Some(Calibration::Uncalibrated { reason });
        Ok(())
    }
}

/// Calibration errors of class probabilities at temperature 1 and at `temperature`.
fn errors(
    probabilities: &[f64],
    truth: &[bool],
    classes: usize,
    temperature: f64,
) -> Option<[f64; 2]> {
    let own = |row: &[bool]| row.iter().position(|is| *is).unwrap_or(0) as u32;
    let truth: Vec<u32> = truth.chunks_exact(classes).map(own).collect();
    let tempered = probabilities.chunks_exact(classes).flat_map(|row| {
        let powers: Vec<f64> = row.iter().map(|p| p.powf(1.0 / temperature)).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |p| p / sum)
    });
    Some([
        calibration_error(probabilities, &truth, classes)?,
        calibration_error(&tempered.collect::<Vec<_>>(), &truth, classes)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Map;

    /// Of two classes, whose logits are ± the one feature.
    fn head() -> Head {
        Head {
            map: Map::Linear {
                weights: Matrix::new(1, 2, vec![-0.5, 0.5]),
                bias: vec![0.0; 2],
            },
            offset: vec![],
            shift: vec![0.0],
            factor: vec![1.0],
            about: About {
                task: "side".into(),
                kind: TaskKind::Classes,
                names: vec!["left".into(), "right".into()],
                source: (String::new(), String::new()),
                made: "the run's own".into(),
                samples: 0,
                temperature: 1.0,
                calibration: None,
                threshold: None,
                scores: vec![],
            },
        }
    }

    /// The logit 4 claims 98.2 %; three of four are right, whose logit is ln 3.
    #[test]
    fn overconfident_answers_are_made_as_sure_as_they_are_right() -> Result<()> {
        let mut head = head();
        let features = Matrix::new(400, 1, vec![4.0; 400]);
        let classes: Vec<u32> = (0..400).map(|i| u32::from(i % 4 != 0)).collect();
        head.calibrate(&features, &classes)?;
        let wanted = 4.0 / 3f64.ln();
        let found = head.about.temperature;
        assert!((found - wanted).abs() < 1e-3, "{found}, not {wanted}");
        assert!((head.answer(&features)?[1] - 0.75).abs() < 1e-3);
        let Some(Calibration::Calibrated {
            samples,
            held_out,
            errors: Some([before, after]),
        }) = head.about.calibration
        else {
            panic!("{:?}", head.about.calibration);
        };
        assert_eq!((samples, held_out), (400, HeldOut::Validation));
        assert!(
            (before - 0.232).abs() < 2e-3 && after < 0.01,
            "{before} {after}"
        );
        let text = head.about.calibration_text().unwrap_or_default();
        assert!(
            text.contains("chosen on 400 validation samples") && text.contains("uncalibrated 23."),
            "{text}"
        );
        // Calibrated once more it is the same: the temperature of before does not count.
        head.calibrate(&features, &classes)?;
        assert_eq!(head.about.temperature, found);
        Ok(())
    }

    #[test]
    fn without_a_lowest_log_loss_the_temperature_stays_one() -> Result<()> {
        for (classes, why) in [
            (vec![1, 0, 1], "3 validation samples, and 20 are needed"),
            (
                vec![1; 30],
                "all answers for 30 validation samples are right",
            ),
        ] {
            let mut head = head();
            head.about.temperature = 2.0;
            head.calibrate(
                &Matrix::new(classes.len(), 1, vec![4.0; classes.len()]),
                &classes,
            )?;
            assert_eq!(head.about.temperature, 1.0);
            let text = head.about.calibration_text();
            assert_eq!(text, Some(format!("not calibrated: {why}")));
        }
        Ok(())
    }
}
