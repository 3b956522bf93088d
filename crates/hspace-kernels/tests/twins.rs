//! Every kernel against the obvious loop in double precision, over random shapes.

use hspace_kernels::conv::{self, Finish};
use hspace_kernels::moments::moments;
use hspace_kernels::norm::{self, Back, Gate, Normalised};
use hspace_kernels::{Conv, Isa, Machine, pool};
use rand::{RngExt, SeedableRng};
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

/// `(y, dx, dw)` by seven loops.
fn twin(conv: &Conv, x: &[f32], w: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    let (out_h, out_w, k) = (conv.out_h(), conv.out_w(), conv.kernel);
    for image in 0..conv.n {
        for oy in 0..out_h {
            for ox in 0..out_w {
                for ky in 0..k {
                    for kx in 0..k {
                        let iy = (oy * conv.stride + ky).wrapping_sub(conv.pad);
                        let ix = (ox * conv.stride + kx).wrapping_sub(conv.pad);
                        if iy >= conv.h || ix >= conv.w {
                            continue;
                        }
                        for o in 0..conv.outputs {
                            let to = ((image * out_h + oy) * out_w + ox) * conv.outputs + o;
                            for i in 0..conv.inputs {
                                let from = ((image * conv.h + iy) * conv.w + ix) * conv.inputs + i;
                                let tap = ((o * conv.inputs + i) * k + ky) * k + kx;
                                y[to] += f64::from(x[from]) * f64::from(w[tap]);
                                dx[from] += f64::from(dy[to]) * f64::from(w[tap]);
                                dw[tap] += f64::from(dy[to]) * f64::from(x[from]);
                            }
                        }
                    }
                }
            }
        }
    }
    (y, dx, dw)
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

const GUARD: usize = 64;

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

fn check(rng: &mut Rng, conv: Conv) {
    let x = Guarded::new(&numbers(rng, conv.input_len()));
    let w = Guarded::new(&numbers(rng, conv.weight_len()));
    let dy = Guarded::new(&numbers(rng, conv.output_len()));
    let expected = twin(&conv, x.get(), w.get(), dy.get());
    for on in machines() {
        let mut y = Guarded::new(&vec![f32::NAN; conv.output_len()]);
        let mut dx = Guarded::new(&vec![f32::NAN; conv.input_len()]);
        let mut dw = Guarded::new(&vec![f32::NAN; conv.weight_len()]);
        let moments = conv::forward_with_moments(on, &conv, x.get(), w.get(), y.get_mut());
        conv::data_gradient(on, &conv, dy.get(), w.get(), dx.get_mut());
        conv::weight_gradient(on, &conv, x.get(), dy.get(), dw.get_mut());
        for (what, got, expected) in [
            ("outputs", &y, &expected.0),
            ("data gradient", &dx, &expected.1),
            ("weight gradient", &dw, &expected.2),
        ] {
            let off = distance(got.get(), expected);
            assert!(off < 3e-6, "{what} of {conv:?} on {on:?}: off by {off}");
            assert!(got.intact(), "{what} of {conv:?} on {on:?}: wrote beside");
        }

        let rows = conv.output_len() / conv.outputs;
        assert_eq!(moments.count(), rows);
        for c in 0..conv.outputs {
            let of = |i: usize| f64::from(y.get()[i * conv.outputs + c]);
            let mean = (0..rows).map(of).sum::<f64>() / rows as f64;
            let square = |i: usize| (of(i) - mean).powi(2);
            let variance = (0..rows).map(square).sum::<f64>() / rows as f64;
            assert!((f64::from(moments.mean()[c]) - mean).abs() < 1e-5 * (1.0 + mean.abs()));
            assert!((f64::from(moments.variance()[c]) - variance).abs() < 1e-5 * (1.0 + variance));
        }

        let (scale, bias) = (numbers(rng, conv.outputs), numbers(rng, conv.outputs));
        let residual = Guarded::new(&numbers(rng, conv.output_len()));
        let finish = Finish {
            scale: Some(&scale),
            bias: Some(&bias),
            residual: Some(residual.get()),
            relu: true,
        };
        let mut finished = Guarded::new(&vec![f32::NAN; conv.output_len()]);
        conv::forward(on, &conv, x.get(), w.get(), finished.get_mut(), finish);
        let expected: Vec<f64> = y
            .get()
            .iter()
            .zip(residual.get())
            .enumerate()
            .map(|(i, (y, r))| {
                f64::from(y * scale[i % conv.outputs] + bias[i % conv.outputs] + r).max(0.0)
            })
            .collect();
        let off = distance(finished.get(), &expected);
        assert!(
            off < 1e-6 && finished.intact(),
            "finish of {conv:?} on {on:?}: {off}"
        );
    }
}

/// Both gradients at once, few images at a time, are those computed one after the other.
fn check_both(rng: &mut Rng, conv: Conv) {
    let x = numbers(rng, conv.input_len());
    let w = numbers(rng, conv.weight_len());
    let (y, dout) = (
        numbers(rng, conv.output_len()),
        numbers(rng, conv.output_len()),
    );
    let ones = vec![1.0; conv.outputs];
    let done = Normalised {
        y: &y,
        mean: &vec![0.1; conv.outputs],
        inverse: &ones,
        gain: &numbers(rng, conv.outputs),
        gate: Gate::Line {
            scale: &ones,
            shift: &vec![0.2; conv.outputs],
        },
    };
    for on in machines() {
        let (back, _) = Back::new(on, done, &dout);
        let (mut dy, mut residual) = (vec![0.0; y.len()], vec![0.0; y.len()]);
        back.all(&mut dy, Some(&mut residual));
        let expected = twin(&conv, &x, &w, &dy);
        for asks in [true, false] {
            let mut dw = Guarded::new(&vec![f32::NAN; w.len()]);
            let mut dx = Guarded::new(&vec![f32::NAN; x.len()]);
            let mut added = Guarded::new(&vec![f32::NAN; y.len()]);
            let (to_x, to_added) = (dx.get_mut(), added.get_mut());
            let (to_x, to_added) = if asks {
                (Some(to_x), Some(to_added))
            } else {
                (None, None)
            };
            conv::gradients(on, &conv, &back, &x, &w, dw.get_mut(), to_x, to_added);
            assert!(distance(dw.get(), &expected.2) < 3e-6, "{conv:?} on {on:?}");
            assert!(dw.intact() && dx.intact() && added.intact());
            if asks {
                assert!(distance(dx.get(), &expected.1) < 3e-6, "{conv:?} on {on:?}");
                assert_eq!(added.get(), residual);
            }
        }
    }
}

#[test]
fn convolutions_agree_with_seven_loops() {
    let mut rng = Rng::seed_from_u64(1);
    let mut tried = 0;
    while tried < 120 {
        let kernel = [1, 3, 3, 3, 5, 7][rng.random_range(0..6)];
        let conv = Conv {
            n: rng.random_range(1..6),
            h: rng.random_range(1..20),
            w: rng.random_range(1..20),
            inputs: [1, 2, 3, 8, 15, 16, 17, 24, 32, 40][rng.random_range(0..10)],
            outputs: [1, 3, 10, 16, 20, 32, 33, 48, 64][rng.random_range(0..9)],
            kernel,
            stride: rng.random_range(1..4),
            pad: rng.random_range(0..kernel),
        };
        if conv.h.min(conv.w) + 2 * conv.pad < kernel {
            continue;
        }
        tried += 1;
        check(&mut rng, conv);
        check_both(&mut rng, conv);
    }
}

#[test]
fn tiles_of_every_remainder() {
    let mut rng = Rng::seed_from_u64(2);
    for (h, w) in [
        (1, 1),
        (2, 5),
        (3, 4),
        (4, 3),
        (5, 9),
        (8, 8),
        (33, 6),
        (6, 34),
        (70, 31),
    ] {
        for pad in 0..3 {
            if h.min(w) + 2 * pad >= 3 {
                let conv = Conv {
                    n: 3,
                    h,
                    w,
                    inputs: 18,
                    outputs: 35,
                    kernel: 3,
                    stride: 1,
                    pad,
                };
                check(&mut rng, conv);
            }
        }
    }
}

#[test]
fn matrix_products_of_every_shape() {
    let mut rng = Rng::seed_from_u64(7);
    for (n, inputs, outputs) in [
        (7, 30, 45),
        (64, 100, 33),
        (33, 300, 290),
        (1, 5, 1),
        (600, 20, 50),
    ] {
        let conv = Conv {
            n,
            h: 1,
            w: 1,
            inputs,
            outputs,
            kernel: 1,
            stride: 1,
            pad: 0,
        };
        check(&mut rng, conv);
        check_both(&mut rng, conv);
    }
}

#[test]
fn sums_too_many_for_the_cache() {
    let mut rng = Rng::seed_from_u64(5);
    for (stride, inputs, outputs) in [(1, 144, 208), (2, 144, 208), (1, 96, 90)] {
        let conv = Conv {
            n: 3,
            h: 9,
            w: 6,
            inputs,
            outputs,
            kernel: 3,
            stride,
            pad: 1,
        };
        check(&mut rng, conv);
        check_both(&mut rng, conv);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut rng = Rng::seed_from_u64(3);
    let conv = Conv {
        n: 9,
        h: 13,
        w: 13,
        inputs: 16,
        outputs: 24,
        kernel: 3,
        stride: 1,
        pad: 1,
    };
    let (x, w, dy) = (
        numbers(&mut rng, conv.input_len()),
        numbers(&mut rng, conv.weight_len()),
        numbers(&mut rng, conv.output_len()),
    );
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let on = Machine::best();
            let (mut y, mut dw) = (vec![0.0; dy.len()], vec![0.0; w.len()]);
            let moments = conv::forward_with_moments(on, &conv, &x, &w, &mut y);
            conv::weight_gradient(on, &conv, &x, &dy, &mut dw);
            (y, dw, moments.mean().to_vec(), moments.variance())
        })
    };
    assert_eq!(run(1), run(5));
}

#[test]
fn normalisation_agrees_with_its_formula() {
    let mut rng = Rng::seed_from_u64(4);
    for (rows, c) in [(5, 3), (64, 16), (300, 17), (1, 33), (9000, 20)] {
        let (y, dout, r) = (
            numbers(&mut rng, rows * c),
            numbers(&mut rng, rows * c),
            numbers(&mut rng, rows * c),
        );
        let (gain, bias) = (numbers(&mut rng, c), numbers(&mut rng, c));
        for on in machines() {
            let moments = moments(on, &y, c);
            let epsilon = 1e-2;
            let inverse: Vec<f32> = moments
                .variance()
                .iter()
                .map(|v| 1.0 / (v + epsilon).sqrt())
                .collect();
            let scale: Vec<f32> = gain.iter().zip(&inverse).map(|(g, i)| g * i).collect();
            let shift: Vec<f32> = (0..c)
                .map(|i| bias[i] - moments.mean()[i] * scale[i])
                .collect();
            let mut out = vec![0.0; rows * c];
            norm::apply(on, &y, &scale, &shift, Some(&r), true, &mut out);
            let done = Normalised {
                y: &y,
                mean: moments.mean(),
                inverse: &inverse,
                gain: &gain,
                gate: Gate::Output(&out),
            };
            let (mut dy, mut dr) = (vec![0.0; rows * c], vec![0.0; rows * c]);
            let (back, grads) = Back::new(on, done, &dout);
            back.all(&mut dy, Some(&mut dr));

            // A gate computed anew is the gate of the output.
            let mut plain = vec![0.0; rows * c];
            norm::apply(on, &y, &scale, &shift, None, true, &mut plain);
            let gated = |gate| {
                let mut dy = vec![0.0; rows * c];
                let (back, grads) = Back::new(on, Normalised { gate, ..done }, &dout);
                back.all(&mut dy, None);
                (dy, grads.gain, grads.bias)
            };
            let line = Gate::Line {
                scale: &scale,
                shift: &shift,
            };
            assert_eq!(gated(line), gated(Gate::Output(&plain)));
            let ones = vec![1.0; rows * c];
            assert_eq!(gated(Gate::Open), gated(Gate::Output(&ones)));

            // The same in double precision, by the definition.
            let (mut expected, mut expected_dy, mut expected_dr) = (
                vec![0.0; rows * c],
                vec![0.0; rows * c],
                vec![0.0; rows * c],
            );
            for k in 0..c {
                let at = |i: usize| i * c + k;
                let n = rows as f64;
                let value = |i: usize| f64::from(y[at(i)]);
                let mean = (0..rows).map(value).sum::<f64>() / n;
                let variance = (0..rows).map(|i| (value(i) - mean).powi(2)).sum::<f64>() / n;
                let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
                let (g, b) = (f64::from(gain[k]), f64::from(bias[k]));
                let hat = |i: usize| (value(i) - mean) * inverse;
                let mut dz = vec![0.0; rows];
                for i in 0..rows {
                    let z = g * hat(i) + b + f64::from(r[at(i)]);
                    expected[at(i)] = z.max(0.0);
                    dz[i] = if out[at(i)] > 0.0 {
                        f64::from(dout[at(i)])
                    } else {
                        0.0
                    };
                    expected_dr[at(i)] = dz[i];
                }
                let sum: f64 = dz.iter().sum();
                let moment: f64 = (0..rows).map(|i| dz[i] * hat(i)).sum();
                for i in 0..rows {
                    expected_dy[at(i)] = g * inverse * (dz[i] - sum / n - hat(i) * moment / n);
                }
                let close = |got: f32, expected: f64| {
                    let off = (f64::from(got) - expected).abs();
                    assert!(off < 1e-5 * (1.0 + n.sqrt()), "{got} is not {expected}");
                };
                close(grads.gain[k], moment);
                close(grads.bias[k], sum);
            }
            assert!(distance(&out, &expected) < 2e-6);
            assert!(distance(&dr, &expected_dr) < 1e-7);
            let size: f64 = expected_dy.iter().map(|d: &f64| d.abs()).sum();
            assert!(
                size < 1e-6 || distance(&dy, &expected_dy) < 1e-5,
                "{rows} × {c}"
            );
        }
    }
}

#[test]
fn pooling_agrees_with_its_definition() {
    let mut rng = Rng::seed_from_u64(6);
    for (h, w, kernel, stride, pad) in [
        (7, 9, 3, 2, 1),
        (8, 8, 2, 2, 0),
        (5, 6, 3, 1, 1),
        (1, 3, 3, 2, 1),
    ] {
        let shape = Conv {
            n: 3,
            h,
            w,
            inputs: 5,
            outputs: 5,
            kernel,
            stride,
            pad,
        };
        let mut x = numbers(&mut rng, shape.input_len());
        x[..10].fill(f32::NEG_INFINITY);
        let dy = numbers(&mut rng, shape.output_len());
        let mut y = vec![0.0; dy.len()];
        let mut places = vec![200; dy.len()];
        pool::forward(&shape, &x, &mut y, &mut places);
        let mut dx = vec![f32::NAN; x.len()];
        pool::backward(&shape, &dy, &places, &mut dx);
        let mut expected_dx = vec![0.0; x.len()];
        for (i, (&y, &dy)) in y.iter().zip(&dy).enumerate() {
            let (c, ox) = (i % 5, i / 5 % shape.out_w());
            let (oy, image) = (
                i / 5 / shape.out_w() % shape.out_h(),
                i / 5 / shape.out_w() / shape.out_h(),
            );
            let rows = (oy * stride).saturating_sub(pad)..(oy * stride + kernel - pad).min(h);
            let window = rows.flat_map(|iy| {
                let columns =
                    (ox * stride).saturating_sub(pad)..(ox * stride + kernel - pad).min(w);
                columns.map(move |ix| ((image * h + iy) * w + ix) * 5 + c)
            });
            let best = window
                .reduce(|a, b| if x[b] > x[a] { b } else { a })
                .unwrap();
            assert_eq!(y, x[best]);
            expected_dx[best] += dy;
        }
        assert_eq!(dx, expected_dx);
    }
}
