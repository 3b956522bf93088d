//! Random numbers in single precision, two from one of double precision: images need many, of few bits.

use crate::views::Draws;

/// Two whole numbers of 24 bits.
fn bits(draws: &mut Draws) -> [u32; 2] {
    // In 1..2 the mantissa has the digits; the last ones are rounded, so they are left out.
    let both = (1.0 + draws.uniform()).to_bits();
    [both >> 28, both >> 4].map(|bits| bits as u32 & 0xff_ffff)
}

/// Fills `out` from pairs.
fn fill(out: &mut [f32], mut pair: impl FnMut() -> [f32; 2]) {
    let (pairs, rest) = out.as_chunks_mut::<2>();
    for to in pairs {
        *to = pair();
    }
    if let [last] = rest {
        [*last, _] = pair();
    }
}

/// Fills `out` with uniform numbers in 0..1, of 24 bits.
pub(super) fn uniforms(draws: &mut Draws, out: &mut [f32]) {
    let unit = 1.0 / (1 << 24) as f32;
    fill(out, || bits(draws).map(|bits| unit * bits as f32));
}

/// `n` uniform numbers between -`most` and `most`.
pub(super) fn centred(draws: &mut Draws, n: usize, most: f32) -> Vec<f32> {
    let mut numbers = vec![0.0; n];
    uniforms(draws, &mut numbers);
    numbers
        .iter_mut()
        .for_each(|v| *v = most * (2.0 * *v - 1.0));
    numbers
}

/// Layers of equal area under the density.
const LAYERS: usize = 128;

/// Where the tail begins, and the area of a layer.
const TAIL: f64 = 3.442_619_855_899;
const AREA: f64 = 9.912_563_035_262_17e-3;

/// Standard normal numbers by the ziggurat method (Marsaglia & Tsang 2000): layers of the density, from the lowest, which has the tail, to
/// the top.
pub(super) struct Normals {
    widths: [f32; LAYERS + 1],
    heights: [f64; LAYERS + 1],
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp()
}

impl Normals {
    pub(super) fn new() -> Self {
        let mut widths = [0.0; LAYERS + 1];
        (widths[0], widths[1]) = (AREA / density(TAIL), TAIL);
        for i in 2..LAYERS {
            let below: f64 = widths[i - 1];
            widths[i] = (-2.0 * (AREA / below + density(below)).ln()).sqrt();
        }
        Normals {
            widths: widths.map(|width| width as f32),
            heights: widths.map(density),
        }
    }

    /// Fills `out`.
    pub(super) fn fill(&self, draws: &mut Draws, out: &mut [f32]) {
        fill(out, || bits(draws).map(|bits| self.at(bits, draws)));
    }

    /// A normal number from 24 bits: 7 for a layer, 17 for the place in it. More are drawn where they do not suffice.
    fn at(&self, bits: u32, draws: &mut Draws) -> f32 {
        let layer = (bits & 127) as usize;
        // Odd multiples of 2^-17 in -1..1.
        let place = ((bits >> 7) as i32 as f32 + 0.5) * (1.0 / (1 << 16) as f32) - 1.0;
        let x = place * self.widths[layer];
        match x.abs() < self.widths[layer + 1] {
            true => x,
            false => self.outside(x, layer, draws),
        }
    }

    /// Between a layer and the one above: the number `x`, if it is under the density, or another.
    #[cold]
    fn outside(&self, x: f32, layer: usize, draws: &mut Draws) -> f32 {
        if layer > 0 {
            let (low, high) = (self.heights[layer], self.heights[layer + 1]);
            return match low + draws.uniform() * (high - low) < density(f64::from(x)) {
                true => x,
                false => self.at(bits(draws)[0], draws),
            };
        }
        loop {
            // Uniform numbers above 0.
            let [a, b] = [(); 2].map(|()| 1.0 - draws.uniform());
            let (beyond, bound) = (-a.ln() / TAIL, -b.ln());
            if 2.0 * bound > beyond * beyond {
                return ((TAIL + beyond) as f32).copysign(x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Key;

    #[test]
    fn normals_have_the_moments_and_tails_of_the_normal_distribution() {
        let mut draws = Key::default().draws("normals");
        let mut numbers = vec![0.0; 2_000_001];
        Normals::new().fill(&mut draws, &mut numbers);
        let n = numbers.len() as f64;
        let mut moments = [0.0; 4];
        let mut beyond = [0; 3];
        for x in numbers.into_iter().map(f64::from) {
            (1..=4).for_each(|k| moments[k as usize - 1] += x.powi(k) / n);
            for (count, bound) in beyond.iter_mut().zip([1.0, 2.0, 3.5]) {
                *count += u32::from(x.abs() > bound);
            }
        }
        for (found, expected) in moments.into_iter().zip([0.0, 1.0, 0.0, 3.0]) {
            assert!((found - expected).abs() < 0.015, "{moments:?}");
        }
        for (found, expected) in beyond.into_iter().zip([0.317_311, 0.045_500, 0.000_465_3]) {
            let expected = expected * n;
            assert!(
                (f64::from(found) - expected).abs() < 5.0 * expected.sqrt(),
                "{beyond:?}"
            );
        }
    }

    #[test]
    fn uniforms_are_even_and_below_one() {
        let mut draws = Key::default().draws("uniforms");
        let mut numbers = vec![0.0; 100_000];
        uniforms(&mut draws, &mut numbers);
        let mut counts = [0; 10];
        numbers
            .iter()
            .for_each(|u| counts[(10.0 * u) as usize] += 1);
        assert!(
            counts
                .iter()
                .all(|&count: &i32| (count - 10_000).abs() < 500),
            "{counts:?}"
        );
    }
}
