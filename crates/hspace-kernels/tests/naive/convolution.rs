//! Convolution and its gradients.

use hspace_kernels::conv::{self, Wanted};
use hspace_kernels::norm::{Back, Normalised, ReluMask, marks_of};
use hspace_kernels::{Accumulate, Conv, Epilogue, Machine, Source};
use rand::{RngExt, SeedableRng};

use crate::{Guarded, Rng, distance, machines, numbers, refused};

/// `(y, dx, dw)` by seven loops.
fn naive(conv: &Conv, x: &[f32], w: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
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

fn check(rng: &mut Rng, conv: Conv) {
    let x = Guarded::new(&numbers(rng, conv.input_len()));
    let w = Guarded::new(&numbers(rng, conv.weight_len()));
    let dy = Guarded::new(&numbers(rng, conv.output_len()));
    let expected = naive(&conv, x.get(), w.get(), dy.get());
    let plain = Source::plain(x.get());
    for on in machines() {
        let mut y = Guarded::new(&vec![f32::NAN; conv.output_len()]);
        let mut dx = Guarded::new(&vec![f32::NAN; conv.input_len()]);
        let mut dw = Guarded::new(&vec![f32::NAN; conv.weight_len()]);
        let moments = conv::forward_with_moments(on, &conv, plain, w.get(), y.get_mut());
        conv::data_gradient(
            on,
            &conv,
            dy.get(),
            w.get(),
            dx.get_mut(),
            Accumulate::Nothing,
        );
        conv::weight_gradient(on, &conv, plain, dy.get(), dw.get_mut());
        for (what, got, expected) in [
            ("outputs", &y, &expected.0),
            ("data gradient", &dx, &expected.1),
            ("weight gradient", &dw, &expected.2),
        ] {
            let off = distance(got.get(), expected);
            assert!(off < 3e-6, "{what} of {conv:?} on {on:?}: off by {off}");
            assert!(got.intact(), "{what} of {conv:?} on {on:?}: wrote outside");
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
        let both = y.get().iter().zip(residual.get()).enumerate();
        for (all, itself) in [(true, false), (true, true), (false, false), (false, true)] {
            let (accumulate, there) = match itself {
                false => (
                    Accumulate::Numbers(residual.get()),
                    vec![f32::NAN; conv.output_len()],
                ),
                true => (Accumulate::Itself, residual.get().to_vec()),
            };
            let epilogue = Epilogue {
                scale: all.then_some(&scale),
                bias: all.then_some(&bias),
                accumulate,
                slope: all.then_some(0.0),
            };
            let mut finished = Guarded::new(&there);
            conv::forward(on, &conv, x.get(), w.get(), finished.get_mut(), epilogue);
            let expected = both.clone().map(|(i, (y, r))| {
                let c = i % conv.outputs;
                match all {
                    true => f64::from(y * scale[c] + bias[c] + r).max(0.0),
                    false => f64::from(y + r),
                }
            });
            let off = distance(finished.get(), &expected.collect::<Vec<f64>>());
            assert!(
                off < 1e-6 && finished.intact(),
                "epilogue {all} accumulate itself {itself} of {conv:?} on {on:?}: {off}"
            );
        }
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
        relu_mask: ReluMask::Line {
            scale: &ones,
            shift: &vec![0.2; conv.outputs],
        },
    };
    let accumulate = numbers(rng, conv.input_len());
    let ones_before = vec![1.0; conv.inputs];
    let relu_mask: Vec<u16> = (0..marks_of(conv.input_len(), conv.inputs))
        .map(|_| rng.random_range(0..=u16::MAX))
        .collect();
    let before = Normalised {
        y: &x,
        mean: &vec![0.2; conv.inputs],
        inverse: &ones_before,
        gain: &ones_before,
        relu_mask: ReluMask::Marks(&relu_mask),
    };
    let other = Normalised {
        mean: &vec![-0.1; conv.inputs],
        relu_mask: ReluMask::Open,
        ..before
    };
    let before = [before, other];
    for on in machines() {
        let mut dz = dout.clone();
        let sums = done.relu_backward_sums(on, &mut dz);
        let (back, _) = Back::new(on, done, &dz, &sums);
        let mut dy = vec![0.0; y.len()];
        back.all(&mut dy);
        let expected = naive(&conv, &x, &w, &dy);
        for (asks, itself) in [(true, false), (true, true), (false, false)] {
            let nothing = vec![f32::NAN; x.len()];
            let mut dw = Guarded::new(&vec![f32::NAN; w.len()]);
            let mut dx = Guarded::new(if itself { &accumulate } else { &nothing });
            let wanted = Wanted {
                weight: Some(dw.get_mut()),
                input: asks.then(|| dx.get_mut()),
                accumulate: match itself {
                    true => Accumulate::Itself,
                    false => asks.then_some(&accumulate[..]).into(),
                },
                before: if asks { &before } else { &[] },
            };
            let sums = conv::gradients(on, &conv, &back, Source::plain(&x), &w, wanted);
            assert!(sums.is_empty() || asks && sums.len() == before.len());
            assert!(distance(dw.get(), &expected.2) < 3e-6, "{conv:?} on {on:?}");
            assert!(dw.intact() && dx.intact());
            if !asks {
                continue;
            }
            let open = |i: usize| {
                let (row, c) = (i / conv.inputs, i % conv.inputs);
                let mark = relu_mask[row * conv.inputs.div_ceil(16) + c / 16];
                sums.is_empty() || mark >> (c % 16) & 1 == 1
            };
            let sum = expected.1.iter().zip(&accumulate).enumerate();
            let sum = sum.map(|(i, (a, b))| if open(i) { a + f64::from(*b) } else { 0.0 });
            let off = distance(dx.get(), &sum.collect::<Vec<f64>>());
            assert!(off < 3e-6, "{conv:?} on {on:?}: {off}");
            for (sums, before) in sums.iter().zip(before) {
                // What passed on the way does not change any more, and its sums are those taken now.
                let mut dz = dx.get().to_vec();
                let again = before.relu_backward_sums(on, &mut dz);
                assert_eq!(dz, dx.get());
                let (_, expected) = Back::new(on, before, &dz, &again);
                let (_, found) = Back::new(on, before, &dz, sums);
                // They may cancel: rounding is in proportion to what was added up.
                for c in 0..conv.inputs {
                    let of_channel = dz.iter().zip(&x).skip(c).step_by(conv.inputs);
                    let (mut gradients, mut moments) = (0.0, 0.0);
                    for (d, x) in of_channel {
                        gradients += d.abs();
                        moments += (d * (x - before.mean[c])).abs();
                    }
                    let off = (found.gain[c] - expected.gain[c]).abs();
                    assert!(
                        off <= 1e-6 * moments,
                        "{conv:?} on {on:?}: gain off by {off}"
                    );
                    let off = (found.bias[c] - expected.bias[c]).abs();
                    assert!(
                        off <= 1e-6 * gradients,
                        "{conv:?} on {on:?}: bias off by {off}"
                    );
                }
            }
        }
    }
}

/// A line applied as the input is read is the line applied before.
fn check_line(rng: &mut Rng, conv: Conv) {
    if !conv.takes_lines() {
        return;
    }
    let x = Guarded::new(&numbers(rng, conv.input_len()));
    let w = numbers(rng, conv.weight_len());
    let dy = numbers(rng, conv.output_len());
    let (scale, shift) = (numbers(rng, conv.inputs), numbers(rng, conv.inputs));
    let of = |(i, x): (usize, &f32)| {
        let c = i % conv.inputs;
        (f64::from(*x) * f64::from(scale[c]) + f64::from(shift[c])).max(0.0) as f32
    };
    let seen: Vec<f32> = x.get().iter().enumerate().map(of).collect();
    let (expected, _, expected_dw) = naive(&conv, &seen, &w, &dy);
    let source = Source {
        numbers: x.get(),
        line: Some((&scale, &shift)),
    };
    for on in machines() {
        let mut y = Guarded::new(&vec![f32::NAN; conv.output_len()]);
        let mut dw = Guarded::new(&vec![f32::NAN; w.len()]);
        conv::forward_with_moments(on, &conv, source, &w, y.get_mut());
        conv::weight_gradient(on, &conv, source, &dy, dw.get_mut());
        assert!(distance(y.get(), &expected) < 3e-6, "{conv:?} on {on:?}");
        assert!(
            distance(dw.get(), &expected_dw) < 3e-6,
            "{conv:?} on {on:?}"
        );
        assert!(y.intact() && dw.intact(), "{conv:?} on {on:?}");
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
        check_line(&mut rng, conv);
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
                check_line(&mut rng, conv);
            }
        }
    }
}

/// With so many outputs Winograd pays at stride 2 even where tiles are not whole.
#[test]
fn strided_tiles_of_every_remainder() {
    let mut rng = Rng::seed_from_u64(8);
    for (out_h, out_w) in [(4, 4), (7, 8), (8, 7), (17, 4), (4, 17), (10, 12), (11, 11)] {
        for pad in 0..3 {
            // The last row and column of the input are seen, or not.
            let (h, w) = (2 * out_h + 1 - 2 * pad, 2 * out_w + 1 - 2 * pad);
            let conv = Conv {
                n: 16usize.div_ceil(usize::div_ceil(out_h, 4) * usize::div_ceil(out_w, 4)),
                h: h + rng.random_range(0..2),
                w: w + rng.random_range(0..2),
                inputs: 18,
                outputs: 115,
                kernel: 3,
                stride: 2,
                pad,
            };
            assert_eq!((conv.out_h(), conv.out_w()), (out_h, out_w));
            assert!(goes_by_winograd(&mut rng, &conv), "{conv:?}");
            check(&mut rng, conv);
            check_both(&mut rng, conv);
            check_line(&mut rng, conv);
        }
    }
}

/// Whether all three of a convolution's results are rounded otherwise than direct ones.
fn goes_by_winograd(rng: &mut Rng, conv: &Conv) -> bool {
    let x = numbers(rng, conv.input_len());
    let w = numbers(rng, conv.weight_len());
    let dy = numbers(rng, conv.output_len());
    let results = |on: Machine| all(on, conv, &x, &w, &dy);
    let [ours, direct] = [Machine::best(), Machine::best().direct()].map(results);
    ours.0 != direct.0 && ours.1 != direct.1 && ours.2 != direct.2
}

/// `(y, dx, dw)`.
fn all(
    on: Machine,
    conv: &Conv,
    x: &[f32],
    w: &[f32],
    dy: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    conv::forward(on, conv, x, w, &mut y, Epilogue::default());
    conv::data_gradient(on, conv, dy, w, &mut dx, Accumulate::Nothing);
    conv::weight_gradient(on, conv, Source::plain(x), dy, &mut dw);
    (y, dx, dw)
}

#[test]
fn winograd_only_where_it_pays() {
    let mut rng = Rng::seed_from_u64(9);
    for (n, size, inputs, outputs, pays) in [
        (4, 16, 16, 32, true),
        (4, 16, 32, 16, false),
        (16, 8, 64, 128, true),
        (15, 8, 64, 128, false),
        (16, 4, 64, 128, false),
        (4, 10, 64, 128, false),
    ] {
        let conv = Conv {
            n,
            h: size,
            w: size,
            inputs,
            outputs,
            kernel: 3,
            stride: 2,
            pad: 1,
        };
        assert_eq!(goes_by_winograd(&mut rng, &conv), pays, "{conv:?}");
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
        check_line(&mut rng, conv);
    }
}

#[test]
fn sums_and_weights_too_many_for_the_cache() {
    let mut rng = Rng::seed_from_u64(5);
    for (n, stride, h, w, inputs, outputs) in [
        (3, 1, 9, 6, 144, 208),
        (3, 2, 9, 6, 144, 208),
        (3, 1, 9, 6, 96, 90),
        (3, 1, 5, 4, 240, 250),
        (8, 2, 15, 8, 240, 250),
    ] {
        let conv = Conv {
            n,
            h,
            w,
            inputs,
            outputs,
            kernel: 3,
            stride,
            pad: 1,
        };
        check(&mut rng, conv);
        check_both(&mut rng, conv);
        check_line(&mut rng, conv);
    }
}

#[test]
#[should_panic(expected = "does not fit the address space")]
fn an_image_whose_numbers_cannot_be_counted_is_refused() {
    // Its input has 2⁶⁴ + 16 numbers.
    let conv = Conv {
        n: 1,
        h: 1,
        w: (1 << 60) + 1,
        inputs: 16,
        outputs: 16,
        kernel: 3,
        stride: 1,
        pad: 1,
    };
    let (x, w, mut y) = ([0.0; 16], [0.0; 2304], [0.0; 16]);
    conv::forward(Machine::best(), &conv, &x, &w, &mut y, Epilogue::default());
}

#[test]
#[should_panic(expected = "does not fit the address space")]
fn a_frame_whose_numbers_cannot_be_counted_is_refused() {
    // Nothing but the frame: no input and two outputs, 2⁶² places apart.
    let conv = Conv {
        n: 1,
        h: 0,
        w: 1 << 62,
        inputs: 4,
        outputs: 1,
        kernel: 2,
        stride: 1 << 62,
        pad: 1,
    };
    let (dy, mut dw) = ([0.0; 2], [0.0; 16]);
    conv::weight_gradient(Machine::best(), &conv, Source::plain(&[]), &dy, &mut dw);
}

#[test]
fn other_lengths_are_refused() {
    let on = Machine::best();
    let conv = Conv {
        n: 2,
        h: 4,
        w: 4,
        inputs: 3,
        outputs: 5,
        kernel: 3,
        stride: 1,
        pad: 1,
    };
    let lens = [conv.input_len(), conv.weight_len(), conv.output_len()];
    let [x, w, y] = lens.map(|len| vec![0.5f32; len]);
    let attempt = |y: &[f32], channels: usize, w: &[f32], input: usize| {
        let ones = vec![1.0; channels];
        let done = Normalised {
            y,
            mean: &ones,
            inverse: &ones,
            gain: &ones,
            relu_mask: ReluMask::Open,
        };
        let mut dz = y.to_vec();
        let sums = done.relu_backward_sums(on, &mut dz);
        let (back, _) = Back::new(on, done, &dz, &sums);
        let (mut dw, mut dx) = (vec![0.0; conv.weight_len()], vec![0.0; input]);
        let wanted = Wanted {
            weight: Some(&mut dw),
            input: Some(&mut dx),
            accumulate: Accumulate::Nothing,
            before: &[],
        };
        refused(|| {
            conv::gradients(on, &conv, &back, Source::plain(&x), w, wanted);
        })
    };
    assert!(!attempt(&y, 5, &w, x.len()));
    assert!(attempt(&y[5..], 5, &w, x.len()));
    assert!(attempt(&y, 4, &w, x.len()));
    assert!(attempt(&y, 5, &w[1..], x.len()));
    assert!(attempt(&y, 5, &w, x.len() + 1));
    assert!(attempt(&y, 5, &w, x.len() - 1));

    let mut dx = vec![0.0; x.len()];
    let mut attempt = |added: &[f32]| {
        refused(|| conv::data_gradient(on, &conv, &y, &w, &mut dx, Accumulate::Numbers(added)))
    };
    assert!(!attempt(&x));
    assert!(attempt(&x[1..]));

    let mut out = vec![0.0; y.len()];
    let mut attempt =
        |epilogue: Epilogue| refused(|| conv::forward(on, &conv, &x, &w, &mut out, epilogue));
    let (whole, short) = (Accumulate::Numbers(&y[..]), Accumulate::Numbers(&y[1..]));
    let with = |accumulate| Epilogue {
        accumulate,
        ..Epilogue::default()
    };
    assert!(!attempt(with(whole)));
    assert!(attempt(with(short)));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut rng = Rng::seed_from_u64(3);
    for (stride, inputs, outputs) in [(1, 16, 24), (2, 16, 100), (2, 240, 250)] {
        let conv = Conv {
            n: 9,
            h: 14,
            w: 13,
            inputs,
            outputs,
            kernel: 3,
            stride,
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
                let (mut y, source) = (vec![0.0; dy.len()], Source::plain(&x));
                let moments = conv::forward_with_moments(on, &conv, source, &w, &mut y);
                let moments = (moments.mean().to_vec(), moments.variance());
                (all(on, &conv, &x, &w, &dy), y, moments)
            })
        };
        // Not `assert_eq`, which would print them.
        assert!(run(1) == run(5), "{conv:?}");
    }
}
