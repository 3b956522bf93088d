//! What transformers are made of: layer normalisation, GELU, attention.

use hspace_kernels::attention::{self, Attention};
use hspace_kernels::{Machine, gelu, layer_norm};
use rand::SeedableRng;

use crate::{Guarded, Rng, distance, machines, numbers};

#[test]
fn layer_normalisation_agrees_with_its_formula() {
    let mut rng = Rng::seed_from_u64(11);
    for (n, c) in [(1, 1), (3, 16), (70, 5), (9, 33), (1000, 192)] {
        let (x, dy) = (numbers(&mut rng, n * c), numbers(&mut rng, n * c));
        let (gain, bias) = (numbers(&mut rng, c), numbers(&mut rng, c));
        let epsilon = 1e-3;
        let [mut y, mut dx] = [vec![0.0f64; n * c], vec![0.0; n * c]];
        let [mut to_gain, mut to_bias] = [vec![0.0; c], vec![0.0; c]];
        for i in 0..n {
            let at = |k: usize| i * c + k;
            let value = |k: usize| f64::from(x[at(k)]);
            let mean = (0..c).map(value).sum::<f64>() / c as f64;
            let variance = (0..c).map(|k| (value(k) - mean).powi(2)).sum::<f64>() / c as f64;
            let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
            let hat = |k: usize| (value(k) - mean) * inverse;
            let scaled = |k: usize| f64::from(gain[k]) * f64::from(dy[at(k)]);
            let sum = (0..c).map(scaled).sum::<f64>() / c as f64;
            let moment = (0..c).map(|k| scaled(k) * hat(k)).sum::<f64>() / c as f64;
            for k in 0..c {
                y[at(k)] = f64::from(gain[k]) * hat(k) + f64::from(bias[k]);
                dx[at(k)] = inverse * (scaled(k) - sum - hat(k) * moment);
                to_gain[k] += f64::from(dy[at(k)]) * hat(k);
                to_bias[k] += f64::from(dy[at(k)]);
            }
        }
        for on in machines() {
            let x = Guarded::new(&x);
            let mut out = Guarded::new(&vec![f32::NAN; n * c]);
            let rows = layer_norm::forward(on, x.get(), &gain, &bias, epsilon, out.get_mut());
            let mut back = Guarded::new(&vec![f32::NAN; n * c]);
            let found = layer_norm::backward(on, x.get(), &gain, &rows, &dy, back.get_mut());
            assert!(distance(out.get(), &y) < 1e-6 && out.intact(), "{n} × {c}");
            let close = c == 1 || distance(back.get(), &dx) < 1e-5;
            assert!(close && back.intact(), "{n} × {c}");
            let close = c == 1 || distance(&found.gain, &to_gain) < 1e-5;
            assert!(close && distance(&found.bias, &to_bias) < 1e-5, "{n} × {c}");
        }
    }
}

/// Φ by Simpson's rule.
fn below(x: f64) -> f64 {
    const STEPS: usize = 400;
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let h = x / STEPS as f64;
    let weight = |i: usize| match i {
        0 | STEPS => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    0.5 + h / 3.0
        * (0..=STEPS)
            .map(|i| weight(i) * density(i as f64 * h))
            .sum::<f64>()
}

#[test]
fn gelu_agrees_with_the_integral() {
    let x: Vec<f32> = (-1200..=1200)
        .map(|i| i as f32 / 150.0)
        .chain([-30.0, 40.0])
        .collect();
    let dy = vec![1.0; x.len()];
    for on in machines() {
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        gelu::forward(on, &x, &mut y);
        gelu::backward(on, &x, &dy, &mut dx);
        for ((&x, y), dx) in x.iter().zip(y).zip(dx) {
            let x = f64::from(x);
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let below = if x.abs() > 8.0 {
                f64::from(x > 0.0)
            } else {
                below(x)
            };
            let off = (f64::from(y) - x * below).abs();
            assert!(off < 2e-7 * (1.0 + x.abs()), "gelu({x}) is not {y}");
            let off = (f64::from(dx) - (below + x * density)).abs();
            assert!(off < 1e-6, "slope at {x} is not {dx}");
        }
        let mut y = [0.0];
        gelu::forward(on, &[f32::NAN], &mut y);
        assert!(y[0].is_nan());
    }
}

#[test]
#[should_panic(expected = "does not fit the address space")]
fn an_attention_whose_numbers_cannot_be_counted_is_refused() {
    // Its output has 2⁶⁴ + 2 numbers.
    let shape = Attention {
        n: 1,
        tokens: (1 << 63) + 1,
        heads: 2,
        size: 1,
    };
    attention::forward(Machine::best(), &shape, &[0.0; 6], &mut [0.0; 2]);
}

#[test]
fn attention_agrees_with_its_formula() {
    let mut rng = Rng::seed_from_u64(12);
    for (n, tokens, heads, size) in [(1, 1, 1, 1), (2, 5, 3, 4), (3, 17, 2, 16), (2, 65, 3, 64)] {
        let shape = Attention {
            n,
            tokens,
            heads,
            size,
        };
        let (dim, len) = (shape.dim(), shape.output_len());
        // Large scores too: a softmax must not overflow.
        let large: Vec<f32> = numbers(&mut rng, 3 * len).iter().map(|x| 6.0 * x).collect();
        let qkv = Guarded::new(&large);
        let dout = Guarded::new(&numbers(&mut rng, len));
        let [mut out, mut dqkv] = [vec![0.0f64; len], vec![0.0; 3 * len]];
        for image in 0..n {
            for head in 0..heads {
                let at = |token: usize, which: usize, i: usize| {
                    ((image * tokens + token) * 3 + which) * dim + head * size + i
                };
                let own = |token: usize, i: usize| (image * tokens + token) * dim + head * size + i;
                let part = |token: usize, which: usize, i: usize| {
                    f64::from(qkv.get()[at(token, which, i)])
                };
                let scale = 1.0 / (size as f64).sqrt();
                for a in 0..tokens {
                    let score = |b: usize| {
                        (0..size)
                            .map(|i| part(a, 0, i) * part(b, 1, i))
                            .sum::<f64>()
                            * scale
                    };
                    let scores: Vec<f64> = (0..tokens).map(score).collect();
                    let top = scores.iter().copied().fold(f64::MIN, f64::max);
                    let total: f64 = scores.iter().map(|s| (s - top).exp()).sum();
                    let weights: Vec<f64> =
                        scores.iter().map(|s| (s - top).exp() / total).collect();
                    let gradient = |i: usize| f64::from(dout.get()[own(a, i)]);
                    let pull =
                        |b: usize| (0..size).map(|i| gradient(i) * part(b, 2, i)).sum::<f64>();
                    let pulls: Vec<f64> = (0..tokens).map(pull).collect();
                    let common: f64 = weights.iter().zip(&pulls).map(|(w, p)| w * p).sum();
                    for b in 0..tokens {
                        let slope = weights[b] * (pulls[b] - common) * scale;
                        for i in 0..size {
                            out[own(a, i)] += weights[b] * part(b, 2, i);
                            dqkv[at(a, 0, i)] += slope * part(b, 1, i);
                            dqkv[at(b, 1, i)] += slope * part(a, 0, i);
                            dqkv[at(b, 2, i)] += weights[b] * gradient(i);
                        }
                    }
                }
            }
        }
        for on in machines() {
            let mut found = Guarded::new(&vec![f32::NAN; len]);
            attention::forward(on, &shape, qkv.get(), found.get_mut());
            assert!(
                distance(found.get(), &out) < 1e-5 && found.intact(),
                "{shape:?} on {on:?}"
            );
            let mut found = Guarded::new(&vec![f32::NAN; 3 * len]);
            attention::backward(on, &shape, qkv.get(), dout.get(), found.get_mut());
            let off = distance(found.get(), &dqkv);
            assert!(off < 1e-5 && found.intact(), "{shape:?} on {on:?}: {off}");
        }
    }
}
