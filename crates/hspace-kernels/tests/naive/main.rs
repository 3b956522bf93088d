//! Every kernel against the obvious loop in double precision, over random shapes.

mod convolution;
mod elements;
mod normalisation;
mod product;
mod tokens;
mod update;

use hspace_kernels::{Isa, Machine};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus as Rng;

/// Every way to run on this processor.
fn machines() -> Vec<Machine> {
    let all = Isa::available().into_iter();
    let both = all.map(|isa| Machine::best().with_isa(isa));
    both.flat_map(|on| [on, on.direct()]).collect()
}

fn numbers(rng: &mut Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Whether that panics.
fn refused(run: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()
}

/// Root-mean-square distance as a share of the root mean square of what is expected.
fn distance(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let square = |pairs: &mut dyn Iterator<Item = f64>| pairs.map(|d| d * d).sum::<f64>();
    let off = square(&mut got.iter().zip(expected).map(|(&g, e)| f64::from(g) - e));
    let size = square(&mut expected.iter().copied());
    (off / size.max(1e-30)).sqrt()
}

/// Numbers between two stretches that must stay as they are, and that make any sum they get into
/// visible.
struct Guarded(Vec<f32>);

/// AddressSanitizer guards by itself.
const GUARD: usize = if cfg!(feature = "exact-memory") {
    0
} else {
    64
};

impl Guarded {
    fn new(values: &[f32]) -> Self {
        let guard = [f32::NAN; GUARD];
        Guarded([&guard, values, &guard[..]].concat())
    }

    fn get(&self) -> &[f32] {
        &self.0[GUARD..self.0.len() - GUARD]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        let end = self.0.len() - GUARD;
        &mut self.0[GUARD..end]
    }

    fn intact(&self) -> bool {
        let guards = self.0[..GUARD]
            .iter()
            .chain(&self.0[self.0.len() - GUARD..]);
        guards.into_iter().all(|x| x.is_nan())
    }
}
