//! What is multiplied with what.
//!
//! All schemes are bilinear: transformed inputs times transformed weights, added up to products
//! that are transformed to outputs. Both axes of an image go the same way, so a scheme says it for
//! one; a place of a tile is a pair of places, a product of terms a pair of terms.

use super::{dense, strided};

/// Points of the weights: what three taps become along an axis.
pub(super) const POINTS: usize = 6;

/// How a convolution is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Stride 1: 4 outputs of 6 inputs, in 6 products.
    Dense,
    /// Stride 2: 4 outputs of 9 inputs, in 9 products, added up at 5 places.
    Strided,
    /// The gradient for the input at stride 2: 8 outputs of 5 inputs, in 9 products. Each tile's
    /// mirror image where the padding is even.
    Spread { mirrored: bool },
}

/// One product, along an axis or of both: of which place of the inputs and which point of the
/// weights, and to which place it is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) input: usize,
    pub(super) weight: usize,
    pub(super) product: usize,
}

impl Scheme {
    /// Outputs of a tile, along an axis.
    pub(super) fn tile(self) -> usize {
        match self {
            Scheme::Dense | Scheme::Strided => 4,
            Scheme::Spread { .. } => 8,
        }
    }

    /// Places of a tile's transformed inputs, along an axis.
    pub(super) fn inputs(self) -> usize {
        match self {
            Scheme::Dense => 6,
            Scheme::Strided => 9,
            Scheme::Spread { .. } => 5,
        }
    }

    /// Places of a tile's products, along an axis.
    pub(super) fn products(self) -> usize {
        match self {
            Scheme::Dense => 6,
            Scheme::Strided => 5,
            Scheme::Spread { .. } => 9,
        }
    }

    /// The factors of three taps at each point.
    pub(super) fn filter(self) -> &'static [[f32; 3]; POINTS] {
        match self {
            Scheme::Dense => &dense::FILTER,
            Scheme::Strided | Scheme::Spread { .. } => &strided::FILTER,
        }
    }

    /// The products along an axis. At stride 2 those from the sixth on have the middle tap, which
    /// is the same at every point.
    fn terms(self) -> impl Iterator<Item = Term> {
        (0..self.inputs().max(self.products())).map(move |i| Term {
            input: i % self.inputs(),
            weight: i.min(POINTS - 1),
            product: i % self.products(),
        })
    }

    /// The products of both axes.
    fn pairs(self) -> impl Iterator<Item = Term> {
        let pair = move |y: Term, x: Term| Term {
            input: y.input * self.inputs() + x.input,
            weight: y.weight * POINTS + x.weight,
            product: y.product * self.products() + x.product,
        };
        self.terms()
            .flat_map(move |y| self.terms().map(move |x| pair(y, x)))
    }

    /// Those that are added up at each place of the products.
    pub(super) fn by_product(self) -> Vec<Vec<Term>> {
        let mut all = vec![Vec::new(); self.products() * self.products()];
        self.pairs().for_each(|term| all[term.product].push(term));
        all
    }

    /// Those that have each pair of points of the weights.
    pub(super) fn by_weight(self) -> Vec<Vec<Term>> {
        let mut all = vec![Vec::new(); POINTS * POINTS];
        self.pairs().for_each(|term| all[term.weight].push(term));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_added_once() {
        for (scheme, count) in [
            (Scheme::Dense, 36),
            (Scheme::Strided, 81),
            (Scheme::Spread { mirrored: false }, 81),
        ] {
            for all in [scheme.by_product(), scheme.by_weight()] {
                let mut pairs: Vec<_> = all.iter().flatten().map(|t| (t.input, t.weight)).collect();
                pairs.sort_unstable();
                pairs.dedup();
                assert_eq!(pairs.len(), count);
            }
        }
    }
}
