//! Rows that share a factor's value, drawn from the rows at hand.
//!
//! The β-VAE and FactorVAE scores ask for samples with one factor held fixed and the others free. Here
//! rows are indexed by value, and what is drawn are rows that are there; so the other factors are as
//! free as they are in the data. Both learn from one half of the rows and are scored on the other: on the
//! same rows even noise would be recognised.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Factor;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::random::{mix, shuffled};

/// Rows by value, for every factor.
pub struct Shared<'a> {
    factors: &'a [Factor],
    members: Vec<Vec<Vec<u32>>>,
    /// Rows whose value another row has too.
    usable: Vec<Vec<u32>>,
}

/// One half of the rows: its latents and its factors.
pub struct Half {
    pub latents: Matrix,
    pub factors: Vec<Factor>,
}

/// The rows dealt in two at random: to learn from, and to be scored on.
pub fn halves(latents: &Matrix, factors: &[Factor], seed: u64) -> [Half; 2] {
    let order = shuffled((0..latents.rows).collect(), mix(&[seed, 4]));
    let (first, second) = order.split_at(latents.rows / 2);
    [second, first].map(|rows| Half {
        latents: latents.select(rows),
        factors: factors.iter().map(|f| f.select(rows)).collect(),
    })
}

impl<'a> Shared<'a> {
    /// Indexes the rows.
    ///
    /// # Errors
    /// If a factor has no value that two rows share.
    pub fn new(factors: &'a [Factor]) -> Result<Shared<'a>> {
        let members: Vec<Vec<Vec<u32>>> = factors.iter().map(Factor::members).collect();
        let mut usable = Vec::with_capacity(factors.len());
        for (factor, members) in factors.iter().zip(&members) {
            let several = members.iter().filter(|rows| rows.len() > 1);
            let rows: Vec<u32> = several.flatten().copied().collect();
            if rows.is_empty() {
                let text = format!(
                    "no two samples share a value of the factor `{}`",
                    factor.name
                );
                return Err(Error::data(format!(
                    "{text}; give more samples, or leave it out"
                )));
            }
            usable.push(rows);
        }
        Ok(Shared {
            factors,
            members,
            usable,
        })
    }

    /// The stream of draw number `number`, and the factor it holds fixed.
    pub fn begin(&self, seed: u64, number: u64) -> (Xoshiro256PlusPlus, usize) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(mix(&[seed, number]));
        let factor = random.random_range(0..self.factors.len());
        (random, factor)
    }

    /// All rows that share some value of `factor`, values as frequent as in the data.
    pub fn group(&self, factor: usize, random: &mut Xoshiro256PlusPlus) -> &[u32] {
        let rows = &self.usable[factor];
        let first = rows[random.random_range(0..rows.len())];
        &self.members[factor][self.factors[factor].index[first as usize] as usize]
    }

    /// Two different rows with the same value of `factor`.
    pub fn pair(&self, factor: usize, random: &mut Xoshiro256PlusPlus) -> [usize; 2] {
        let group = self.group(factor, random);
        let first = random.random_range(0..group.len());
        let second = (first + random.random_range(1..group.len())) % group.len();
        [group[first] as usize, group[second] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_share_the_value_and_are_not_one_row() -> Result<()> {
        let factor = |index: Vec<u32>| Factor {
            name: "x".into(),
            count: 3,
            index,
            numbers: None,
        };
        let factors = [
            factor(vec![0, 1, 1, 2, 2, 2]),
            factor(vec![0, 1, 2, 0, 1, 2]),
        ];
        let shared = Shared::new(&factors)?;
        for number in 0..200 {
            let (mut random, k) = shared.begin(3, number);
            let [a, b] = shared.pair(k, &mut random);
            assert!(a != b && factors[k].index[a] == factors[k].index[b]);
        }
        let lonely = [factor(vec![0, 1, 2])];
        assert!(Shared::new(&lonely).is_err_and(|e| e.to_string().contains("share a value")));
        Ok(())
    }
}
