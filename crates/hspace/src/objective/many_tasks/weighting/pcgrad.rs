//! Gradient surgery (Yu et al. 2020, arXiv:2001.06782, algorithm 1): each task's gradient is projected onto the normal plane of every other one that it is in
//! conflict with, in random order, and the results are added.

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Products;

/// The weight of each gradient in that sum.
pub(super) fn weights(products: &Products, rng: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let n = products.n;
    let mut sum = vec![0.0; n];
    for task in 0..n {
        let mut own = vec![0.0; n];
        own[task] = 1.0;
        let mut others: Vec<usize> = (0..n).filter(|&other| other != task).collect();
        others.shuffle(rng);
        for other in others {
            let conflict = products.with(other, &own);
            if conflict < 0.0 {
                own[other] -= conflict / products.get(other, other);
            }
        }
        sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
    }
    sum
}
