//! Label savings: how many labels a baseline needs for what a representation does with fewer.
//!
//! The baseline's few-label curve is its mean accuracy over draws at each number of labels, made
//! monotone by a running maximum (more labels do no harm; what looks otherwise is noise), and
//! interpolated linearly in the log of the number of labels. The interval comes from 2,000 bootstrap
//! resamples of the draws, the same draws for both curves, which are paired; it holds the spread over
//! draws, not that over test sets.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Estimate, Row, Savings};

const RESAMPLES: usize = 2000;

/// Savings of every row of `of` over the curve of `baseline`, both of one probe.
pub fn savings(of: &[&Row], baseline: &[&Row], seed: u64) -> Vec<Savings> {
    of.iter()
        .filter_map(|row| one(row, baseline, seed))
        .collect()
}

fn one(row: &Row, baseline: &[&Row], seed: u64) -> Option<Savings> {
    let first = baseline.first()?;
    if row.draws.is_empty() {
        return None;
    }
    let measured = baseline.iter().filter(|point| !point.draws.is_empty());
    let mut points: Vec<&Row> = measured.copied().collect();
    points.sort_by_key(|point| point.labelled);
    let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len().max(1) as f64;
    let curve: Vec<(f64, f64)> = points
        .iter()
        .map(|p| (p.labelled as f64, mean(&p.draws)))
        .collect();
    let (labels, place) = crossing(&curve, mean(&row.draws))?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut sampled: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let longest = points
                .iter()
                .map(|p| p.draws.len())
                .chain([row.draws.len()])
                .max()?;
            // One list of draw numbers serves every curve with as many draws, so pairs stay pairs.
            let uniform: Vec<f64> = (0..longest).map(|_| random.random::<f64>()).collect();
            let again = |draws: &[f64]| {
                let pick =
                    |u: &f64| draws[((u * draws.len() as f64) as usize).min(draws.len() - 1)];
                uniform[..draws.len()].iter().map(pick).sum::<f64>() / draws.len() as f64
            };
            let curve: Vec<(f64, f64)> = points
                .iter()
                .map(|p| (p.labelled as f64, again(&p.draws)))
                .collect();
            crossing(&curve, again(&row.draws)).map(|c| c.0)
        })
        .collect();
    sampled.sort_by(f64::total_cmp);
    let at = |share: f64| sampled[((sampled.len() - 1) as f64 * share).round() as usize];
    Some(Savings {
        representation: row.representation.clone(),
        baseline: first.representation.clone(),
        probe: row.probe.clone(),
        labels: row.labelled,
        equals: Estimate {
            mean: labels,
            low: at(0.025).min(labels),
            high: at(0.975).max(labels),
        },
        at_least: place == Place::Above,
        at_most: place == Place::Below,
    })
}

/// Where an accuracy lies against a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Below,
    Inside,
    Above,
}

/// The number of labels at which the monotone `curve` of (labels, accuracy) reaches `accuracy`, held
/// within its ends.
fn crossing(curve: &[(f64, f64)], accuracy: f64) -> Option<(f64, Place)> {
    let &(fewest, lowest) = curve.first()?;
    if accuracy < lowest {
        return Some((fewest, Place::Below));
    }
    let (mut labels, mut reached) = (fewest, lowest);
    for &(next, height) in &curve[1..] {
        let height = height.max(reached);
        if accuracy <= height && height > reached {
            let share = (accuracy - reached) / (height - reached);
            return Some((
                (labels.ln() + share * (next.ln() - labels.ln())).exp(),
                Place::Inside,
            ));
        }
        (labels, reached) = (next, height);
    }
    let place = if accuracy > reached {
        Place::Above
    } else {
        Place::Inside
    };
    Some((labels, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Labels;

    fn row(name: &str, labelled: usize, draws: Vec<f64>) -> Row {
        Row {
            representation: name.into(),
            probe: "linear".into(),
            labels: Labels::PerClass(labelled),
            labelled,
            val_labels: 0,
            scores: Vec::new(),
            label_scores: Vec::new(),
            draws,
            chosen: Vec::new(),
        }
    }

    #[test]
    fn interpolates_in_log_labels_and_marks_the_ends() {
        let curve = [(10.0, 0.5), (100.0, 0.7), (1000.0, 0.8)];
        let middle = crossing(&curve, 0.6).map(|c| c.0.round());
        assert_eq!(middle, Some(32.0));
        assert_eq!(crossing(&curve, 0.9), Some((1000.0, Place::Above)));
        assert_eq!(crossing(&curve, 0.4), Some((10.0, Place::Below)));
        assert_eq!(crossing(&curve, 0.7).map(|c| c.0.round()), Some(100.0));
        // A dip is bridged.
        let dip = [(10.0, 0.5), (100.0, 0.4), (1000.0, 0.8)];
        assert!(crossing(&dip, 0.65).is_some_and(|c| c.0 > 100.0));
    }

    #[test]
    fn the_interval_holds_the_estimate_and_narrows_without_spread() {
        let base = [
            row("pixels", 10, vec![0.5, 0.52, 0.48]),
            row("pixels", 1000, vec![0.9]),
        ];
        let base: Vec<&Row> = base.iter().collect();
        let noisy = row("a", 10, vec![0.6, 0.7, 0.8]);
        let saved = &savings(&[&noisy], &base, 0)[0];
        assert!(saved.equals.low < saved.equals.mean && saved.equals.mean < saved.equals.high);
        assert!(!saved.at_least && !saved.at_most);
        let top = row("a", 10, vec![0.95]);
        assert!(savings(&[&top], &base, 0)[0].at_least);
        let itself = &savings(&[base[0]], &base, 0)[0];
        assert!((itself.equals.high - 10.0).abs() < 1e-9, "{itself:?}");
    }
}
