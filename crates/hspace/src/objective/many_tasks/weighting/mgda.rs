//! The multiple-gradient descent algorithm (Désidéri 2012; Sener & Koltun 2018, arXiv:1810.04650): the convex combination of the gradients that is shortest,
//! algorithm 2. As in the authors' code for MultiMNIST each gradient is first divided by its length and its loss,
//! since the shortest combination else is that of the task whose gradient is small.

use super::{Products, Step};

/// Weights that sum to 1.
pub(super) fn weights(step: &Step) -> Vec<f64> {
    let products = &step.products;
    let n = products.n;
    let scale = |t: usize| 1.0 / (products.norm(t) * step.losses[t]).max(f64::MIN_POSITIVE);
    let scales: Vec<f64> = (0..n).map(scale).collect();
    let scaled = |i: usize| products.of[i] * scales[i / n] * scales[i % n];
    shortest(&Products {
        n,
        of: (0..n * n).map(scaled).collect(),
    })
}

/// The weights `w ≥ 0` with sum 1 for which `Σ w_t g_t` is shortest. A step moves weight from the gradient that points most along the combination to the one that
/// does least, as far as that shortens it (pairwise Frank–Wolfe: Lacoste-Julien & Jaggi 2015, arXiv:1511.05932).
pub(super) fn shortest(products: &Products) -> Vec<f64> {
    let n = products.n;
    let mut weights = vec![1.0 / n.max(1) as f64; n];
    for _ in 0..STEPS {
        let slopes: Vec<f64> = (0..n).map(|task| products.with(task, &weights)).collect();
        let by_slope = |&a: &usize, &b: &usize| slopes[a].total_cmp(&slopes[b]);
        let to = (0..n).min_by(by_slope);
        let from = (0..n).filter(|&task| weights[task] > 0.0).max_by(by_slope);
        let (Some(to), Some(from)) = (to, from) else {
            break;
        };
        let gain = slopes[from] - slopes[to];
        let apart = products.get(to, to) - 2.0 * products.get(to, from) + products.get(from, from);
        if gain <= TOLERANCE * products.squared(&weights) || apart <= 0.0 {
            break;
        }
        let moved = (gain / apart).min(weights[from]);
        weights[from] -= moved;
        weights[to] += moved;
    }
    weights
}

const STEPS: usize = 1000;
/// Of the squared length of the combination: weights that gain less by a step are the solution.
const TOLERANCE: f64 = 1e-9;
