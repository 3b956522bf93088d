//! How far clusters are the classes.
//!
//! Normalised mutual information uses the arithmetic mean of the two entropies, as scikit-learn does; the adjusted Rand
//! index is Hubert & Arabie (1985).

/// Agreement of clusters `a` `[n]` with the classes `b` `[n]` of the same samples: (normalised mutual
/// information 0..=1, adjusted Rand index up to 1, 0 by chance); `None` where all samples are of one class.
pub fn agreement(a: &[u32], b: &[u32]) -> Option<(f64, f64)> {
    if b.iter().all(|class| Some(class) == b.first()) {
        return None;
    }
    let size = |labels: &[u32]| labels.iter().max().map_or(0, |&m| m as usize + 1);
    let (rows, cols) = (size(a), size(b));
    let mut table = vec![0.0; rows * cols];
    for (&i, &j) in a.iter().zip(b) {
        table[i as usize * cols + j as usize] += 1.0;
    }
    let n = a.len() as f64;
    let left: Vec<f64> = (0..rows)
        .map(|i| table[i * cols..(i + 1) * cols].iter().sum())
        .collect();
    let right: Vec<f64> = (0..cols)
        .map(|j| (0..rows).map(|i| table[i * cols + j]).sum())
        .collect();
    let entropy = |counts: &[f64]| -> f64 {
        counts
            .iter()
            .filter(|&&c| c > 0.0)
            .map(|c| -c / n * (c / n).ln())
            .sum()
    };
    let shared: f64 = entropy(&left) + entropy(&right) - entropy(&table);
    let mean = (entropy(&left) + entropy(&right)) / 2.0;
    let nmi = (shared / mean).clamp(0.0, 1.0);
    let pairs = |counts: &[f64]| -> f64 { counts.iter().map(|c| c * (c - 1.0) / 2.0).sum() };
    let (both, one, other) = (pairs(&table), pairs(&left), pairs(&right));
    let chance = one * other / (n * (n - 1.0) / 2.0).max(1.0);
    let most = (one + other) / 2.0;
    let ari = if most == chance {
        1.0
    } else {
        (both - chance) / (most - chance)
    };
    Some((nmi, ari))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmeans::kmeans;
    use crate::matrix::Matrix;

    #[derive(serde::Deserialize)]
    struct Golden {
        a: Vec<u32>,
        b: Vec<u32>,
        nmi: f64,
        ari: f64,
    }

    #[test]
    fn agreement_is_scikit_learn_s() -> serde_json::Result<()> {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/probe_clusters.json"))?;
        let found = agreement(&golden.a, &golden.b);
        assert!(
            found
                .is_some_and(|(nmi, ari)| (nmi - golden.nmi).abs() < 1e-10
                    && (ari - golden.ari).abs() < 1e-10),
            "{found:?}"
        );
        assert_eq!(agreement(&[0, 1, 1], &[1, 0, 0]), Some((1.0, 1.0)));
        // One cluster says nothing about two classes; of one class there is nothing to say.
        assert_eq!(agreement(&[0, 0, 0], &[1, 0, 0]), Some((0.0, 0.0)));
        assert_eq!(agreement(&[0, 1, 1], &[2, 2, 2]), None);
        assert_eq!(agreement(&[], &[]), None);
        Ok(())
    }

    #[test]
    fn clusters_far_apart_are_found() {
        let truth: Vec<u32> = (0..90).map(|i| i % 3).collect();
        let data = truth
            .iter()
            .enumerate()
            .flat_map(|(i, &c)| [c as f32 * 10.0, ((i * 31) % 7) as f32 / 7.0]);
        let clusters = kmeans(&Matrix::new(90, 2, data.collect()), 3, 0);
        assert_eq!(agreement(&clusters, &truth), Some((1.0, 1.0)));
    }
}
