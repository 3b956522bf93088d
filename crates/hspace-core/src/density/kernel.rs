//! Kernels: symmetric densities K(u) of which a kernel density is a sum, scikit-learn's six.
//!
//! | name | K(u) |
//! | --- | --- |
//! | gaussian | exp(−u²/2)/√(2π) |
//! | tophat | 1/2 for ∣u∣ < 1 |
//! | epanechnikov | ¾(1 − u²) for ∣u∣ < 1 |
//! | exponential | ½ exp(−∣u∣) |
//! | linear | 1 − ∣u∣ for ∣u∣ < 1 |
//! | cosine | (π/4) cos(πu/2) for ∣u∣ < 1 |

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_10, PI};

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::Random;
use super::special::{HALF_LN_2PI, normal_cdf};

/// A kernel by name.
///
/// ```
/// use hspace_core::density::Kernel;
///
/// assert_eq!(Kernel::Tophat.cdf(0.0), 0.5);
/// assert_eq!(Kernel::Linear.ln(0.0), 0.0);
/// assert!(Kernel::Epanechnikov.width() > Kernel::Gaussian.width());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// The normal density.
    #[default]
    Gaussian,
    /// The same over an interval.
    Tophat,
    /// A parabola.
    Epanechnikov,
    /// Falls exponentially on both sides.
    Exponential,
    /// A triangle.
    Linear,
    /// Half a period of a cosine.
    Cosine,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Kernel; 6] = [
        Kernel::Gaussian,
        Kernel::Tophat,
        Kernel::Epanechnikov,
        Kernel::Exponential,
        Kernel::Linear,
        Kernel::Cosine,
    ];

    /// ln K(u); −∞ where the kernel has ended.
    pub fn ln(self, u: f64) -> f64 {
        let u = u.abs();
        if u >= self.reach() {
            return f64::NEG_INFINITY;
        }
        match self {
            Kernel::Gaussian => -0.5 * u * u - HALF_LN_2PI,
            Kernel::Tophat => 0.5f64.ln(),
            Kernel::Epanechnikov => (0.75 * (1.0 - u * u)).ln(),
            Kernel::Exponential => 0.5f64.ln() - u,
            Kernel::Linear => (1.0 - u).ln(),
            Kernel::Cosine => (FRAC_PI_4 * (FRAC_PI_2 * u).cos()).ln(),
        }
    }

    /// The integral of K up to `u`.
    pub fn cdf(self, u: f64) -> f64 {
        let v = u.clamp(-1.0, 1.0);
        match self {
            Kernel::Gaussian => normal_cdf(u),
            Kernel::Tophat => 0.5 * (v + 1.0),
            Kernel::Epanechnikov => 0.25 * (2.0 + 3.0 * v - v * v * v),
            Kernel::Exponential if u < 0.0 => 0.5 * u.exp(),
            Kernel::Exponential => 1.0 - 0.5 * (-u).exp(),
            Kernel::Linear if v < 0.0 => 0.5 * (1.0 + v) * (1.0 + v),
            Kernel::Linear => 1.0 - 0.5 * (1.0 - v) * (1.0 - v),
            Kernel::Cosine => 0.5 * (1.0 + (FRAC_PI_2 * v).sin()),
        }
    }

    /// ∣u∣ from which on K is 0.
    pub fn reach(self) -> f64 {
        match self {
            Kernel::Gaussian | Kernel::Exponential => f64::INFINITY,
            _ => 1.0,
        }
    }

    /// ∣u∣ beyond which so many `terms` together are less than a 10⁻¹⁷th of one at `nearest`.
    pub fn negligible(self, nearest: f64, terms: usize) -> f64 {
        let least = (terms as f64).ln() + 17.0 * LN_10;
        match self {
            Kernel::Gaussian => (nearest * nearest + 2.0 * least).sqrt(),
            Kernel::Exponential => nearest + least,
            _ => 1.0,
        }
    }

    /// How much wider this kernel must be than the Gaussian to smooth as much: the ratio of canonical
    /// bandwidths (∫K² / (∫u²K)²)^(1/5) of Marron & Nolan (1988).
    pub fn width(self) -> f64 {
        let (roughness, variance) = match self {
            Kernel::Gaussian => (0.5 / PI.sqrt(), 1.0),
            Kernel::Tophat => (0.5, 1.0 / 3.0),
            Kernel::Epanechnikov => (0.6, 0.2),
            Kernel::Exponential => (0.25, 2.0),
            Kernel::Linear => (2.0 / 3.0, 1.0 / 6.0),
            Kernel::Cosine => (PI * PI / 16.0, 1.0 - 8.0 / (PI * PI)),
        };
        let canonical = |r: f64, v: f64| (r / (v * v)).powf(0.2);
        canonical(roughness, variance) / canonical(0.5 / PI.sqrt(), 1.0)
    }

    /// A value drawn from K.
    pub fn draw(self, random: &mut Random) -> f64 {
        let mut even = || 2.0 * random.random::<f64>() - 1.0;
        match self {
            Kernel::Gaussian => StandardNormal.sample(random),
            Kernel::Tophat => even(),
            Kernel::Epanechnikov => {
                // Devroye & Györfi (1985): of three even draws the last, unless it is the farthest.
                let [a, b, c] = [even(), even(), even()];
                if c.abs() >= a.abs() && c.abs() >= b.abs() {
                    b
                } else {
                    c
                }
            }
            Kernel::Exponential => {
                let u = even();
                -u.signum() * (1.0 - u.abs()).ln()
            }
            Kernel::Linear => 0.5 * (even() + even()),
            Kernel::Cosine => even().asin() / FRAC_PI_2,
        }
    }
}
