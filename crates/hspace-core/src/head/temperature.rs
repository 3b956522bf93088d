//! The temperature of the lowest log loss of held-out probabilities.

use argmin::core::{CostFunction, Executor, State};
use argmin::solver::brent::BrentOpt;

use crate::error::{Error, Result};
use crate::probe::TaskKind;

/// Temperatures are searched between this power of e and its inverse.
const WIDEST: f64 = 3.0;
/// The least probability in a logarithm.
const LEAST: f64 = 1e-12;

/// Mean log loss of held-out probabilities at a temperature.
struct LogLoss<'a> {
    probabilities: &'a [f64],
    /// For each probability of a label whether it has it; of classes one true place a row.
    truth: &'a [bool],
    kind: TaskKind,
    outputs: usize,
}

impl CostFunction for LogLoss<'_> {
    type Param = f64;
    type Output = f64;

    /// At the temperature e^`logarithm`. A probability to the power 1/T is that of logits over T, but for a factor.
    fn cost(&self, logarithm: &f64) -> std::result::Result<f64, argmin::core::Error> {
        let power = (-logarithm).exp();
        let rows = self.probabilities.chunks_exact(self.outputs);
        let truth = self.truth.chunks_exact(self.outputs);
        let sum: f64 = rows
            .zip(truth)
            .map(|(row, truth)| match self.kind {
                TaskKind::LabelSets => row
                    .iter()
                    .zip(truth)
                    .map(|(p, has)| {
                        let (yes, no) =
                            (p.max(LEAST).powf(power), (1.0 - p).max(LEAST).powf(power));
                        -(if *has { yes } else { no } / (yes + no)).max(LEAST).ln()
                    })
                    .sum(),
                _ => {
                    let powers = row.iter().map(|p| p.max(LEAST).powf(power));
                    let total: f64 = powers.clone().sum();
                    let own: f64 = powers
                        .zip(truth)
                        .map(|(p, t)| if *t { p } else { 0.0 })
                        .sum();
                    -(own / total).max(LEAST).ln()
                }
            })
            .sum();
        Ok(sum)
    }
}

/// The temperature of the lowest log loss of held-out `probabilities` `[m, outputs]`, which `truth` says are of what is there; 1 of numbers
/// and where nothing was held out.
///
/// # Errors
/// When probabilities are not finite.
pub(super) fn temperature(
    kind: TaskKind,
    probabilities: &[f64],
    truth: &[bool],
    outputs: usize,
) -> Result<f64> {
    if kind == TaskKind::Numbers || probabilities.is_empty() {
        return Ok(1.0);
    }
    let loss = LogLoss {
        probabilities,
        truth,
        kind,
        outputs,
    };
    let failed = |e: argmin::core::Error| Error::data(format!("no temperature was found: {e}"));
    let found = Executor::new(loss, BrentOpt::new(-WIDEST, WIDEST))
        .configure(|state| state.max_iters(60))
        .ctrlc(false)
        .run()
        .map_err(failed)?;
    Ok(found
        .state()
        .get_best_param()
        .map_or(1.0, |best| best.exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_undoes_what_sharpened_the_logits() -> Result<()> {
        // Three classes; a class is right as often as its probability says, and logits are three times too large.
        let (mut p, mut truth) = (Vec::new(), Vec::new());
        for i in 0..3000 {
            let fair = [0.6, 0.3, 0.1];
            let own = match i % 10 {
                0..6 => 0,
                6..9 => 1,
                _ => 2,
            };
            let sharp = fair.map(|p: f64| p.powi(3));
            let sum: f64 = sharp.iter().sum();
            p.extend(sharp.map(|p| p / sum));
            truth.extend((0..3).map(|class| class == own));
        }
        let found = temperature(TaskKind::Classes, &p, &truth, 3)?;
        assert!((found - 3.0).abs() < 1e-3, "{found}");
        let labels: Vec<f64> = p.iter().map(|p| p.clamp(0.2, 0.8)).collect();
        assert!(temperature(TaskKind::LabelSets, &labels, &truth, 3)?.is_finite());
        assert_eq!(temperature(TaskKind::Numbers, &p, &truth, 1)?, 1.0);
        assert_eq!(temperature(TaskKind::Classes, &[], &[], 2)?, 1.0);
        Ok(())
    }
}
