//! LogME: the log of the maximum evidence of a Bayesian linear model of the labels, given the features.
//!
//! ```text
//! y = F w + ε,  w ~ N(0, 1/α),  ε ~ N(0, 1/β)
//! LogME = mean over classes of max_{α, β} ln p(y | F, α, β) / n,   y is 1 for rows of the class, else 0
//! ln p = n/2 ln β − n/2 ln 2π − ½ Σ_k ln(1 + σ_k/λ) − β/2 (‖y‖² − Σ_k (u_k·y)² σ_k/(σ_k + λ)),   λ = α/β
//! ```
//!
//! with σ_k and u_k the squared singular values and left singular vectors of F. You, Liu, Wang & Long 2021, "LogME: practical assessment of
//! pre-trained models for transfer learning", ICML, arXiv:2102.11005. As there, features are not centred.
//!
//! Deviation: the paper iterates to a fixed point of α and β. For a given λ the best β is known, so here λ alone is searched, from 10⁻¹⁰ to
//! 10¹⁰ mean σ: the same maximum, also where the iteration does not end (no feature helps: α → ∞) or has two fixed points.

use super::Score;
use super::spectrum::{Class, Spectrum};
use crate::density::root::largest;
use crate::error::{Error, Result};
use crate::list::Entry;
use crate::matrix::Matrix;

/// The line in the list.
pub(super) const ENTRY: Entry<Score> = Entry {
    name: "logme",
    summary: "log of the maximum evidence of a Bayesian linear model of the labels, a sample",
    source: "You et al. 2021, arXiv:2102.11005",
    item: Score::Features(log_me),
};

/// Values of λ tried, evenly spaced in the logarithm, before the best is refined.
const TRIED: usize = 120;
/// λ is searched within this factor of the mean squared singular value, either way.
const FACTOR: f64 = 1e10;

fn log_me(features: &Matrix, labels: &[u32], classes: usize) -> Result<f64> {
    let spectrum = Spectrum::of(features, labels, classes, false)?;
    if spectrum.squares.is_empty() {
        return Err(Error::data("all features are 0"));
    }
    let of = spectrum
        .classes
        .iter()
        .map(|class| evidence(&spectrum, class));
    let all = of.collect::<Option<Vec<f64>>>();
    let all = all.ok_or_else(|| Error::data("the evidence has no maximum"))?;
    Ok(all.iter().sum::<f64>() / all.len() as f64)
}

/// Maximum log evidence of one class, a row.
fn evidence(spectrum: &Spectrum, class: &Class) -> Option<f64> {
    let n = spectrum.rows as f64;
    let mean = spectrum.squares.iter().sum::<f64>() / spectrum.squares.len() as f64;
    // What no weights explain.
    let outside = (class.count - class.shares.iter().sum::<f64>()).max(0.0);
    let at = |lambda: f64| {
        let pairs = || spectrum.squares.iter().zip(&class.shares);
        let inside: f64 = pairs()
            .map(|(s, share)| share * lambda / (s + lambda))
            .sum();
        let volume: f64 = pairs().map(|(s, _)| (s / lambda).ln_1p()).sum();
        let beta = n / (outside + inside);
        0.5 * (beta.ln() - std::f64::consts::TAU.ln() - 1.0 - volume / n)
    };
    let best = largest(at, mean / FACTOR, mean * FACTOR, TRIED)?;
    Some(at(best))
}
