//! Watching features during training, without labels: do they still tell samples apart?

use crate::error::Result;
use crate::matrix::Matrix;
use crate::probe::geometry::{alignment_and_uniformity, effective_rank};

/// The health of a batch of features.
///
/// ```
/// use hspace::matrix::Matrix;
/// use hspace::training::watch::health;
///
/// // Four samples with the same features: collapse.
/// let same = Matrix::new(4, 3, [1.0, 2.0, 3.0].repeat(4));
/// let found = health(&[same])?;
/// assert!(found.spread < 1e-6 && found.collapse(3).is_some());
/// assert!(found.values().any(|(name, _)| name == "spread"));
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// Mean over dimensions of the standard deviation over samples, divided by the root mean
    /// square of all features: 0 when all samples have the same features.
    pub spread: f64,
    /// Effective rank of the centred features (see [`effective_rank`]), between 1 and d.
    pub effective_rank: f64,
    /// Mean squared distance of two views of a sample, features scaled to length 1 (Wang & Isola 2020):
    /// low when views agree. `None` of one view.
    pub alignment: Option<f64>,
    /// `ln mean exp(−2 ‖x − y‖²)` over pairs of samples, features scaled to length 1: low when samples
    /// are spread over the sphere. `None` of one sample.
    pub uniformity: Option<f64>,
}

/// Spread below which features count as collapsed.
const LEAST_SPREAD: f64 = 1e-2;
/// Effective rank below which features count as collapsed, if there are 8 dimensions or more.
const LEAST_RANK: f64 = 1.5;

/// Measures features `[n, d]` of one or several views of the same samples.
///
/// ```
/// use hspace::matrix::Matrix;
/// use hspace::training::watch::health;
///
/// let views = [[1.0, 0.0, 0.0, 1.0], [0.9, 0.1, 0.1, 0.9]].map(|x| Matrix::new(2, 2, x.to_vec()));
/// let found = health(&views)?;
/// assert!(found.spread > 0.5 && found.alignment.is_some_and(|a| a < 0.1));
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// Features that are not finite numbers.
pub fn health(views: &[Matrix]) -> Result<Health> {
    let d = views[0].cols;
    let data: Vec<f32> = views
        .iter()
        .flat_map(|view| view.data.iter().copied())
        .collect();
    let n = data.len() / d;
    let features = &Matrix::new(n, d, data);
    let samples: Vec<u32> = views.iter().flat_map(|view| 0..view.rows as u32).collect();
    let (alignment, _) = alignment_and_uniformity(features, Some(&samples));
    let (_, uniformity) = alignment_and_uniformity(&views[0], None);
    let mut mean = vec![0.0f64; d];
    for i in 0..n {
        for (m, &x) in mean.iter_mut().zip(features.row(i)) {
            *m += f64::from(x) / n as f64;
        }
    }
    let mut variance = vec![0.0f64; d];
    let mut square = 0.0f64;
    let mut centred = features.clone();
    for row in centred.data.chunks_exact_mut(d) {
        for ((x, m), v) in row.iter_mut().zip(&mean).zip(&mut variance) {
            let value = f64::from(*x);
            square += value * value;
            *v += (value - m).powi(2) / n as f64;
            *x = (value - m) as f32;
        }
    }
    let rms = (square / (n * d) as f64).sqrt();
    let std = variance.iter().map(|v| v.sqrt()).sum::<f64>() / d as f64;
    let spread = if rms > 0.0 { std / rms } else { 0.0 };
    let effective_rank = if spread > 1e-6 {
        effective_rank(&centred)?.unwrap_or(1.0)
    } else {
        1.0
    };
    Ok(Health {
        spread,
        effective_rank,
        alignment,
        uniformity,
    })
}

impl Health {
    /// Its numbers by the names they are logged under.
    pub fn values(&self) -> impl Iterator<Item = (String, f64)> {
        let all = [
            ("effective_rank", Some(self.effective_rank)),
            ("spread", Some(self.spread)),
            ("alignment", self.alignment),
            ("uniformity", self.uniformity),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }

    /// What to tell the user, if the features have collapsed.
    pub fn collapse(&self, dim: usize) -> Option<String> {
        let what = if self.spread < LEAST_SPREAD {
            format!(
                "all samples get nearly the same features (spread {:.1e})",
                self.spread
            )
        } else if dim >= 8 && self.effective_rank < LEAST_RANK {
            let rank = self.effective_rank;
            format!("the features vary in one direction only (effective rank {rank:.2})")
        } else {
            return None;
        };
        Some(format!(
            "collapse: {what}; the representation will be useless. \
             Lower train.learning_rate, raise train.batch_size, or try another objective"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapse_is_told_from_health() {
        let n = 64;
        let same = Matrix::new(n, 8, vec![0.7; n * 8]);
        assert!(
            health(&[same])
                .unwrap()
                .collapse(8)
                .unwrap()
                .contains("same features")
        );
        let line = (0..n * 8)
            .map(|i| (i / 8) as f32 * ((i % 8) as f32 + 1.0))
            .collect();
        let line = health(&[Matrix::new(n, 8, line)]).unwrap();
        assert!(
            line.collapse(8).unwrap().contains("one direction"),
            "{line:?}"
        );
        let spread = (0..n * 8)
            .map(|i| ((i * 7919) % 101) as f32 / 50.0)
            .collect();
        let good = Matrix::new(n, 8, spread);
        let again = health(&[good.clone(), good.clone()]).unwrap();
        assert!(again.alignment.unwrap() < 1e-6);
        let good = health(&[good]).unwrap();
        assert_eq!((good.alignment, good.uniformity), (None, again.uniformity));
        assert_eq!(good.collapse(8), None, "{good:?}");
        assert!(good.effective_rank > 5.0, "{good:?}");
    }
}
