//! Dynamic weight average (Liu, Johns & Davison 2019, arXiv:1803.10704): `w_t = T softmax(r_t / temperature)` with `r_t` the mean loss of the last
//! period over that of the period before it, equation 7. The paper's periods are epochs; here they are twentieths of the training.

use super::{State, Step};

const PERIODS: f64 = 20.0;

/// The weights of the tasks that are there.
pub(super) fn weights(step: &Step, state: &State, temperature: f64, progress: f64) -> Vec<f64> {
    let mut sums = state.get("sums", 0.0);
    let mut counts = state.get("counts", 0.0);
    let mut last = state.get("last", 0.0);
    let mut before = state.get("before", 0.0);
    let period = (progress * PERIODS).floor();
    if state.get("period", 0.0)[0] < period {
        for task in 0..state.tasks {
            if counts[task] > 0.0 {
                before[task] = last[task];
                last[task] = sums[task] / counts[task];
            }
        }
        sums.fill(0.0);
        counts.fill(0.0);
    }
    for (&task, loss) in step.present.iter().zip(&step.losses) {
        sums[task] += loss;
        counts[task] += 1.0;
    }
    state.set("sums", &sums);
    state.set("counts", &counts);
    state.set("last", &last);
    state.set("before", &before);
    state.set("period", &vec![period; state.tasks]);
    let ratio = |&task: &usize| match before[task] > 0.0 {
        true => last[task] / before[task],
        false => 1.0,
    };
    softmax(step.present.iter().map(ratio), temperature)
}

/// `T softmax(r / temperature)` of T numbers.
fn softmax(ratios: impl Iterator<Item = f64>, temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> = ratios.map(|r| (r / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let count = powers.len() as f64;
    powers.into_iter().map(|p| count * p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_does_not_fall_weighs_more() {
        // e^(1/2) and e^(1/4), scaled to a sum of 2.
        let [a, b] = softmax([1.0, 0.5].into_iter(), 2.0)[..] else {
            panic!("two tasks")
        };
        assert!((a + b - 2.0).abs() < 1e-12 && (a / b - 0.25f64.exp()).abs() < 1e-12);
    }
}
