//! Conflict-averse gradient descent (Liu et al. 2021, arXiv:2110.14048): within `c ‖g₀‖` of the mean gradient g₀ the direction by which the worst task improves
//! most. It is `g₀ + c ‖g₀‖ g_w / ‖g_w‖` with `g_w = Σ w_t g_t` and the `w` of the simplex that minimises `g_w·g₀ + c ‖g₀‖ ‖g_w‖` (equation 4).

use super::Products;

const STEPS: usize = 500;

/// The weight of each gradient in that direction, times the number of tasks, so that they are 1 for `c` = 0.
pub(super) fn weights(products: &Products, c: f64) -> Vec<f64> {
    let n = products.n;
    let mean = vec![1.0 / n.max(1) as f64; n];
    let radius = c * products.squared(&mean).sqrt();
    let along_mean: Vec<f64> = (0..n).map(|task| products.with(task, &mean)).collect();
    let scale = (0..n).map(|t| products.norm(t)).fold(0.0, f64::max).powi(2);
    let mut worst = mean.clone();
    let mut best = (f64::INFINITY, mean.clone());
    // Exponentiated gradients with falling steps, the best of all kept: the problem is convex and as small as the number of tasks.
    for step in 0..STEPS {
        let length = products.squared(&worst).sqrt();
        let value = dot(&worst, &along_mean) + radius * length;
        if value < best.0 {
            best = (value, worst.clone());
        }
        if scale <= 0.0 || length <= 0.0 {
            break;
        }
        let rate = 10.0 / (scale * (1.0 + step as f64 / 20.0));
        let slope = |task| along_mean[task] + radius * products.with(task, &worst) / length;
        let slopes: Vec<f64> = (0..n).map(slope).collect();
        let least = slopes.iter().copied().fold(f64::INFINITY, f64::min);
        let factors = slopes.iter().map(|slope| (-rate * (slope - least)).exp());
        worst.iter_mut().zip(factors).for_each(|(w, f)| *w *= f);
        let sum: f64 = worst.iter().sum();
        worst.iter_mut().for_each(|w| *w /= sum);
    }
    let length = products.squared(&best.1).sqrt();
    let share = if length > 0.0 { radius / length } else { 0.0 };
    let weight = |(mean, worst): (f64, &f64)| n as f64 * (mean + share * worst);
    mean.into_iter().zip(&best.1).map(weight).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
