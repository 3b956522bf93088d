//! Which view of which sample: the seed of all that is random about it.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Names one view of one sample in one epoch of one stream.
///
/// ```
/// use hspace_core::views::{Key, sample_key};
///
/// let key = Key { seed: 0, epoch: 3, stream: 0, sample: sample_key("a.png"), view: 1 };
/// assert_eq!(key.draws("crop").uniform(), key.draws("crop").uniform());
/// assert_ne!(key.draws("crop").uniform(), key.draws("flip").uniform());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Which of a step's streams of samples the view is for, from 0.
    pub stream: u64,
    /// [`sample_key`] of the sample's id.
    pub sample: u64,
    /// Which of the sample's views, from 0.
    pub view: u64,
}

/// A number for a sample's id, the same on every machine: the first 8 bytes of its BLAKE3 hash.
///
/// ```
/// use hspace_core::views::sample_key;
///
/// assert_eq!(sample_key("a.png"), sample_key("a.png"));
/// assert_ne!(sample_key("a.png"), sample_key("b.png"));
/// ```
pub fn sample_key(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    hash.as_bytes()[..8]
        .iter()
        .fold(0, |n, &byte| n << 8 | u64::from(byte))
}

impl Key {
    /// The random numbers of one kind of view, independent of those of the others.
    pub fn draws(&self, kind: &str) -> Draws {
        let fields = [self.seed, self.epoch, self.stream, self.sample, self.view];
        let state = fields.into_iter().fold(0, |h, field| mix(h ^ field));
        let state = kind.bytes().fold(state, |h, byte| mix(h ^ u64::from(byte)));
        Draws {
            rng: Xoshiro256PlusPlus::seed_from_u64(state),
            view: self.view,
        }
    }
}

/// One step of SplitMix64 (Steele, Lea & Flood 2014): a bijection in which each bit of the input
/// changes each bit of the output with probability one half.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Random numbers, one after the other.
///
/// ```
/// use hspace_core::views::Key;
///
/// let mut draws = Key { seed: 1, epoch: 0, stream: 0, sample: 2, view: 0 }.draws("noise");
/// assert!((3.0..5.0).contains(&draws.between([3.0, 5.0])));
/// assert!(draws.below(6) < 6);
/// assert!(draws.chance(1.0) && !draws.chance(0.0));
/// ```
pub struct Draws {
    rng: Xoshiro256PlusPlus,
    view: u64,
}

impl Draws {
    /// Which of the sample's views this is for, from 0.
    pub fn view(&self) -> u64 {
        self.view
    }

    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        self.rng.random()
    }

    /// Uniform between two numbers.
    pub fn between(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform in `0..n`; `n` must be positive.
    pub fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    /// From the standard normal distribution.
    pub fn normal(&mut self) -> f32 {
        self.rng.sample(StandardNormal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_the_kind_change_the_draws() {
        let base = Key::default();
        let keys = [
            base,
            Key { seed: 1, ..base },
            Key { epoch: 1, ..base },
            Key { stream: 1, ..base },
            Key { sample: 1, ..base },
            Key { view: 1, ..base },
        ];
        let mut seen: Vec<f64> = keys.iter().map(|k| k.draws("crop").uniform()).collect();
        seen.push(base.draws("flip").uniform());
        for (i, a) in seen.iter().enumerate() {
            assert!(seen[..i].iter().all(|b| a != b), "{seen:?}");
        }
        assert_eq!(base.draws("crop").uniform(), seen[0]);
    }

    #[test]
    fn neighbouring_keys_are_uncorrelated() {
        let first = |view, sample| {
            Key {
                view,
                sample,
                ..Key::default()
            }
            .draws("x")
            .uniform()
                - 0.5
        };
        let n = 20_000;
        let correlation: f64 =
            (0..n).map(|s| first(0, s) * first(1, s)).sum::<f64>() / n as f64 * 12.0;
        assert!(correlation.abs() < 0.03, "{correlation}");
    }

    #[test]
    fn ids_hash_the_same_everywhere() {
        assert_eq!(sample_key(""), 0xaf13_49b9_f5f9_a1a6);
        assert_ne!(sample_key("a.png"), sample_key("b.png"));
    }
}
