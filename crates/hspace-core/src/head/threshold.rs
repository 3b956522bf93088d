//! The threshold between two classes, from held-out probabilities.

/// The probability of the second of two classes from which on it is to be answered so that the balanced accuracy on held-out samples is
/// highest (Youden's index): the middle between the last probability left out and the first one taken. A half where one class is missing.
pub(crate) fn threshold(probabilities: &[f64], is_second: &[bool]) -> f64 {
    let mut pairs: Vec<(f64, bool)> = probabilities
        .iter()
        .copied()
        .zip(is_second.iter().copied())
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = pairs.iter().filter(|pair| pair.1).count() as f64;
    let negatives = pairs.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return 0.5;
    }
    // Youden's index of all probabilities: everything is taken for the second class.
    let (mut index, mut best, mut at) = (0.0, 0.0, vec![0.0]);
    for pair in pairs.windows(2) {
        index += match pair[0].1 {
            true => -1.0 / positives,
            false => 1.0 / negatives,
        };
        if pair[0].0 == pair[1].0 {
            continue;
        }
        let middle = 0.5 * (pair[0].0 + pair[1].0);
        if index > best + 1e-12 {
            (best, at) = (index, vec![middle]);
        } else if index > best - 1e-12 {
            at.push(middle);
        }
    }
    // Of equally good ones that nearest to a half.
    let off = |t: &f64| (t - 0.5).abs();
    at.into_iter()
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .unwrap_or(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_balances_both_classes() {
        // One in ten is of the second class, and has a probability above .3.
        let p: Vec<f64> = (0..100).map(|i| f64::from(i) / 300.0).collect();
        let second: Vec<bool> = (0..100).map(|i| i >= 90).collect();
        let found = threshold(&p, &second);
        assert!((found - 89.5 / 300.0).abs() < 1e-12, "{found}");
        assert_eq!(threshold(&p, &[false; 100]), 0.5);
        assert_eq!(threshold(&[0.2, 0.9], &[false, true]), 0.55);
    }
}
