//! Isotonic regression.

/// The rising sequence nearest to `values` in least squares with `weights` > 0, by pooling adjacent violators (Ayer et al. 1955).
pub fn isotonic(values: &[f64], weights: &[f64]) -> Vec<f64> {
    // Blocks of equal value: (mean, weight, length).
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (&value, &weight) in values.iter().zip(weights) {
        let mut block = (value, weight, 1);
        while let Some(&(mean, before, length)) = blocks.last()
            && mean > block.0
        {
            let weight = before + block.1;
            block = (
                (mean * before + block.0 * block.1) / weight,
                weight,
                length + block.2,
            );
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
        .into_iter()
        .flat_map(|(mean, _, length)| std::iter::repeat_n(mean, length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_as_in_scikit_learn() {
        // IsotonicRegression().fit_transform(range(6), [1, 3, 2, 4, 3.5, 5], sample_weight=[1, 1, 3, 1, 1, 1])
        let fitted = isotonic(
            &[1.0, 3.0, 2.0, 4.0, 3.5, 5.0],
            &[1.0, 1.0, 3.0, 1.0, 1.0, 1.0],
        );
        assert_eq!(fitted, [1.0, 2.25, 2.25, 3.75, 3.75, 5.0]);
        assert_eq!(isotonic(&[3.0, 2.0, 1.0], &[1.0; 3]), [2.0; 3]);
        assert!(isotonic(&[], &[]).is_empty());
    }
}
