//! One affine coupling and its backward pass.

use super::layer::Layer;

/// Largest |s|.
const REACH: f64 = 2.0;

/// One affine coupling.
pub(super) struct Coupling {
    /// Coordinates that stay and decide.
    fixed: Vec<usize>,
    /// Coordinates that change.
    pub(super) moved: Vec<usize>,
    /// `[|A|, units]`, `[units, units]`, `[units, 2 |B|]`.
    pub(super) layers: [Layer; 3],
}

/// What a coupling's backward pass needs, for `n` rows.
pub(super) struct Trace {
    /// The inputs of the three layers.
    seen: [Vec<f64>; 3],
    /// x_B before, `[n, |B|]`.
    before: Vec<f64>,
    /// s, `[n, |B|]`.
    pub(super) s: Vec<f64>,
}

impl Coupling {
    pub(super) fn new(fixed: &[usize], moved: &[usize], units: usize) -> Coupling {
        let layer = |inputs, outputs| Layer { inputs, outputs };
        Coupling {
            fixed: fixed.to_vec(),
            moved: moved.to_vec(),
            layers: [
                layer(fixed.len(), units),
                layer(units, units),
                layer(units, 2 * moved.len()),
            ],
        }
    }

    /// Number of weights.
    pub(super) fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.len()).sum()
    }

    /// The weights of each layer.
    fn split<'a>(&self, weights: &'a [f64]) -> [&'a [f64]; 3] {
        let (first, rest) = weights.split_at(self.layers[0].len());
        let (second, third) = rest.split_at(self.layers[1].len());
        [first, second, third]
    }

    /// Maps rows `x [n, d]` in place.
    pub(super) fn forward(&self, weights: &[f64], x: &mut [f64], d: usize) -> Trace {
        let [first, second, third] = self.split(weights);
        let given = columns(x, d, &self.fixed);
        let one = above_zero(self.layers[0].apply(first, &given));
        let two = above_zero(self.layers[1].apply(second, &one));
        let mut out = self.layers[2].apply(third, &two);
        let before = columns(x, d, &self.moved);
        let wide = self.moved.len();
        let mut s = Vec::with_capacity(before.len());
        for (row, out) in x.chunks_exact_mut(d).zip(out.chunks_exact_mut(2 * wide)) {
            let (raw, t) = out.split_at(wide);
            for ((&j, raw), t) in self.moved.iter().zip(raw).zip(t) {
                let by = REACH * (raw / REACH).tanh();
                row[j] = row[j] * by.exp() + t;
                s.push(by);
            }
        }
        Trace {
            seen: [given, one, two],
            before,
            s,
        }
    }

    /// From the gradient for the outputs `dx [n, d]` to that for the inputs, in place, and for the
    /// weights; each row's log-determinant counts `share`.
    pub(super) fn back(
        &self,
        weights: &[f64],
        trace: &Trace,
        share: f64,
        dx: &mut [f64],
        d: usize,
        gradient: &mut [f64],
    ) {
        let wide = self.moved.len();
        let mut dout = vec![0.0; 2 * trace.s.len()];
        let rows = dx.chunks_exact_mut(d).zip(dout.chunks_exact_mut(2 * wide));
        let seen = trace
            .s
            .chunks_exact(wide)
            .zip(trace.before.chunks_exact(wide));
        for ((row, dout), (s, before)) in rows.zip(seen) {
            let (draw, dt) = dout.split_at_mut(wide);
            for (i, &j) in self.moved.iter().enumerate() {
                let grown = s[i].exp();
                dt[i] = row[j];
                let ds = row[j] * before[i] * grown - share;
                draw[i] = ds * (1.0 - (s[i] / REACH).powi(2));
                row[j] *= grown;
            }
        }
        let [first, second, third] = self.split(weights);
        let (to_first, rest) = gradient.split_at_mut(first.len());
        let (to_second, to_third) = rest.split_at_mut(second.len());
        let [given, one, two] = &trace.seen;
        let mut dtwo = self.layers[2].back(third, two, &dout, to_third);
        gate(&mut dtwo, two);
        let mut done = self.layers[1].back(second, one, &dtwo, to_second);
        gate(&mut done, one);
        let dgiven = self.layers[0].back(first, given, &done, to_first);
        let narrow = self.fixed.len();
        for (row, dgiven) in dx.chunks_exact_mut(d).zip(dgiven.chunks_exact(narrow)) {
            for (&j, g) in self.fixed.iter().zip(dgiven) {
                row[j] += g;
            }
        }
    }
}

/// Some columns of `x [n, d]`.
fn columns(x: &[f64], d: usize, which: &[usize]) -> Vec<f64> {
    let rows = x.chunks_exact(d);
    rows.flat_map(|row| which.iter().map(|j| row[*j])).collect()
}

fn above_zero(mut x: Vec<f64>) -> Vec<f64> {
    x.iter_mut().for_each(|x| *x = x.max(0.0));
    x
}

/// The backward pass through [`above_zero`], whose output was `y`.
fn gate(dy: &mut [f64], y: &[f64]) {
    let pairs = dy.iter_mut().zip(y);
    pairs
        .filter(|(_, y)| **y <= 0.0)
        .for_each(|(d, _)| *d = 0.0);
}
