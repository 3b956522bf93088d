//! Poisson counts by inversion of a tabulated distribution function.

/// Places in the table from which a search starts.
const STARTS: usize = 256;

/// The Poisson distribution of one mean.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// The count of the first entry.
    first: u32,
    /// Probability of a count up to this one.
    cumulative: Vec<f32>,
    /// For u in parts of 1 / STARTS: the first entry above its lower bound.
    starts: [u16; STARTS],
}

impl Counts {
    /// Up to 7 standard deviations from the mean, and a few counts more.
    pub(super) fn new(mean: f64) -> Self {
        let reach = 7.0 * mean.sqrt() + 8.0;
        let first = (mean - reach).max(0.0) as u32;
        let last = (mean + reach) as u32;
        let mode = mean as u32;
        // Relative to the probability of the mode, which never underflows.
        let mut weights = vec![0.0; (last - first + 1) as usize];
        let mut weight = 1.0;
        for k in mode..=last {
            weights[(k - first) as usize] = weight;
            weight *= mean / f64::from(k + 1);
        }
        weight = 1.0;
        for k in (first..mode).rev() {
            weight *= f64::from(k + 1) / mean;
            weights[(k - first) as usize] = weight;
        }
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let part = |weight: &f64| {
            sum += weight / total;
            sum as f32
        };
        let mut cumulative: Vec<f32> = weights.iter().map(part).collect();
        if let Some(last) = cumulative.last_mut() {
            *last = f32::INFINITY;
        }
        let mut starts = [0; STARTS];
        let mut entry = 0;
        for (i, start) in starts.iter_mut().enumerate() {
            while cumulative[entry] <= i as f32 / STARTS as f32 {
                entry += 1;
            }
            *start = entry as u16;
        }
        Counts {
            first,
            cumulative,
            starts,
        }
    }

    /// The count for a uniform number in 0..=1.
    pub(super) fn at(&self, u: f32) -> u32 {
        let start = (u * STARTS as f32) as usize;
        let mut entry = usize::from(self.starts[start.min(STARTS - 1)]);
        while self.cumulative[entry] <= u {
            entry += 1;
        }
        self.first + entry as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn counts_have_the_mean_and_variance_of_poisson() {
        for mean in [0.0, 0.02, 1.0, 4.7, 60.0, 300.0] {
            let counts = Counts::new(mean);
            let n = 100_000;
            let draws = (0..n).map(|i| f64::from(counts.at((i as f32 + 0.5) / n as f32)));
            let draws: Vec<f64> = draws.collect();
            let found = draws.iter().sum::<f64>() / f64::from(n);
            let squares = draws.iter().map(|k| (k - found).powi(2)).sum::<f64>();
            assert!((found - mean).abs() < 0.002 * (1.0 + mean), "{mean}");
            let variance = squares / f64::from(n);
            assert!((variance - mean).abs() < 0.005 * (1.0 + mean), "{mean}");
        }
    }
}
