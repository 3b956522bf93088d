//! Holm's correction (1979) for the tests of one family.

use super::ALPHA;

/// What becomes of one test of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The p-value, corrected: significant where it is at most [`ALPHA`].
    pub adjusted: f64,
    /// The level this test was held to. An interval of coverage 1 − level excludes 0 just where the test is significant.
    pub level: f64,
}

/// The steps for the p-values `p`, in their order: the i-th smallest of n (from 0) is held to α / (n − i), until one
/// is not significant, whose level serves for the rest.
pub fn holm(p: &[f64]) -> Vec<Step> {
    let n = p.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut steps = vec![
        Step {
            adjusted: 1.0,
            level: ALPHA,
        };
        n
    ];
    let (mut largest, mut stopped) = (0.0f64, None);
    for (i, &place) in order.iter().enumerate() {
        let tests = (n - i) as f64;
        largest = largest.max(p[place] * tests).min(1.0);
        let level = match largest > ALPHA {
            true => *stopped.get_or_insert(ALPHA / tests),
            false => ALPHA / tests,
        };
        steps[place] = Step {
            adjusted: largest,
            level,
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_values_are_those_of_statsmodels() {
        // multipletests([.01, .04, .03, .005, .5], method="holm")
        let steps = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        let adjusted: Vec<f64> = steps.iter().map(|s| s.adjusted).collect();
        for (ours, theirs) in adjusted.iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
            assert!((ours - theirs).abs() < 1e-12, "{adjusted:?}");
        }
        // The third is the first that is not significant.
        let levels: Vec<f64> = steps.iter().map(|s| s.level).collect();
        let third = ALPHA / 3.0;
        assert_eq!(levels, [ALPHA / 4.0, third, third, ALPHA / 5.0, third]);
        assert!(holm(&[]).is_empty());
    }
}
