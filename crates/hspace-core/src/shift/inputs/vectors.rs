//! What differs between the vectors of two domains: features with another mean or another scale.

use crate::dataset::{Dataset, Sample};

/// Distance of the means of a feature, in standard deviations, from which on it is reported.
const MEAN: f64 = 3.0;
/// Ratio of the standard deviations of a feature from which on it is reported.
const SCALE: f64 = 10.0;

/// Mean and standard deviation of each feature of a domain.
#[derive(Debug)]
pub(super) struct Vectors {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Vectors {
    pub(super) fn of(dataset: &Dataset, rows: &[usize], dim: usize) -> Vectors {
        let shift = dataset.samples.shift().map(<[f64]>::to_vec);
        let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
        for &row in rows {
            let Ok(Sample::Vector(values)) = dataset.samples.get(row) else {
                continue;
            };
            for (i, &value) in values.iter().enumerate() {
                sum[i] += f64::from(value);
                squares[i] += f64::from(value).powi(2);
            }
        }
        let n = rows.len().max(1) as f64;
        let std = sum.iter().zip(&squares);
        let std = std.map(|(s, q)| (q / n - (s / n).powi(2)).max(0.0).sqrt());
        let std = std.collect();
        let mean = sum.iter().enumerate();
        let mean = mean.map(|(i, s)| s / n + shift.as_ref().map_or(0.0, |shift| shift[i]));
        Vectors {
            mean: mean.collect(),
            std,
        }
    }
}

/// What differs between the vectors of two domains: the features that differ most.
pub(super) fn differences(
    names: [&str; 2],
    x: &Vectors,
    y: &Vectors,
    features: &[String],
) -> Vec<String> {
    let [a, b] = names;
    let mut apart: Vec<(f64, usize)> = Vec::new();
    for i in 0..x.mean.len() {
        let (narrow, wide) = (x.std[i].min(y.std[i]), x.std[i].max(y.std[i]));
        let means = (x.mean[i] - y.mean[i]).abs() / wide;
        let scales = wide / narrow;
        // Of a feature that is constant in both nothing is known but its mean.
        let by = (means / MEAN).max(scales / SCALE);
        if by >= 1.0 || (wide == 0.0 && x.mean[i] != y.mean[i]) {
            apart.push((if by.is_finite() { by } else { f64::MAX }, i));
        }
    }
    apart.sort_by(|p, q| q.0.total_cmp(&p.0));
    let one = |&(_, i): &(f64, usize)| {
        let name = features.get(i).cloned();
        let name = name.unwrap_or_else(|| format!("feature {i}"));
        format!(
            "{name}: {a} {:.4} ± {:.4}, {b} {:.4} ± {:.4} (mean ± standard deviation)",
            x.mean[i], x.std[i], y.mean[i], y.std[i]
        )
    };
    let mut found: Vec<String> = apart.iter().take(3).map(one).collect();
    if let more @ 1.. = apart.len().saturating_sub(3) {
        found.push(format!(
            "{more} more features differ as much; is one of them scaled otherwise?"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_of_another_scale_is_named() {
        let of = |scale: f64| Vectors {
            mean: vec![1.0, 5.0 * scale],
            std: vec![1.0, scale],
        };
        let features = ["age", "mass"].map(String::from);
        assert!(differences(["a", "b"], &of(1.0), &of(1.2), &features).is_empty());
        let found = differences(["a", "b"], &of(1.0), &of(1000.0), &features);
        assert!(
            found.len() == 1 && found[0].starts_with("mass"),
            "{found:?}"
        );
    }
}
