//! Batch normalisation, pooling and upsampling.

use hspace_kernels::conv;
use hspace_kernels::moments::moments;
use hspace_kernels::norm::{Added, Back, BlockEpilogue, Normalised, Relu, ReluMask, marks_of};
use hspace_kernels::upsample::{self, Upsample};
use hspace_kernels::{Conv, Machine, Source, pool};
use rand::SeedableRng;

use crate::{Guarded, Rng, distance, machines, numbers, refused};

fn ending<'a>(
    y: &'a [f32],
    (scale, shift): (&'a [f32], &'a [f32]),
    added: Option<Added<'a>>,
    relu: Relu<'a>,
    out: &'a mut [f32],
) -> BlockEpilogue<'a> {
    BlockEpilogue {
        y,
        scale,
        shift,
        added,
        relu,
        out,
    }
}

/// An ending computed as a convolution reads it is the ending computed before.
#[test]
fn a_convolution_behind_an_ending_sees_it_whole() {
    let mut rng = Rng::seed_from_u64(9);
    let shape = |n, side, inputs, outputs, kernel, stride| Conv {
        n,
        h: side,
        w: side + 1,
        inputs,
        outputs,
        kernel,
        stride,
        pad: kernel / 2,
    };
    for conv in [
        shape(7, 8, 16, 32, 3, 1),
        shape(9, 5, 20, 17, 3, 1),
        // Strided, direct, and a matrix product, wide or not.
        shape(5, 16, 16, 48, 3, 2),
        shape(6, 7, 3, 5, 3, 1),
        shape(5, 6, 24, 16, 1, 1),
        shape(1, 2, 24, 40, 1, 1),
        // Units of parts of an image; weights that are read once.
        shape(2, 64, 16, 16, 3, 1),
        shape(2, 6, 240, 250, 3, 1),
    ] {
        let len = conv.input_len();
        let (y, r, w) = (
            numbers(&mut rng, len),
            numbers(&mut rng, len),
            numbers(&mut rng, conv.weight_len()),
        );
        let (scale, shift) = (
            numbers(&mut rng, conv.inputs),
            numbers(&mut rng, conv.inputs),
        );
        let line = (&scale[..], &shift[..]);
        let plain = Added {
            numbers: &r,
            line: None,
        };
        let lined = Added {
            numbers: &r,
            line: Some(line),
        };
        for on in machines() {
            for added in [None, Some(plain), Some(lined)] {
                for marked in [true, false] {
                    let run = |behind: bool| {
                        let mut marks = vec![0; marks_of(len, conv.inputs)];
                        let mut x = Guarded::new(&vec![f32::NAN; len]);
                        let mut out = Guarded::new(&vec![f32::NAN; conv.output_len()]);
                        let relu = match marked {
                            true => Relu::Marked(&mut marks),
                            false => Relu::Off,
                        };
                        let end = ending(&y, line, added, relu, x.get_mut());
                        let out_numbers = out.get_mut();
                        let moments = match behind {
                            true => conv::forward_fused_prologue(on, &conv, end, &w, out_numbers),
                            false => {
                                let x = Source::plain(end.apply(on));
                                conv::forward_with_moments(on, &conv, x, &w, out_numbers)
                            }
                        };
                        assert!(x.intact() && out.intact(), "{conv:?} on {on:?}");
                        let (mean, variance) = (moments.mean().to_vec(), moments.variance());
                        let found = [x.get(), out.get(), &mean, &variance];
                        (found.map(<[f32]>::to_vec), moments.count(), marks)
                    };
                    // Not `assert_eq`, which would print them.
                    assert!(run(true) == run(false), "{conv:?} on {on:?}");
                }
            }
        }
    }
}

#[test]
fn an_ending_of_other_lengths_is_refused() {
    let on = Machine::best();
    let (y, line) = ([1.0; 8], [1.0; 4]);
    let try_with = |scale: usize, out: usize, added: usize, marks: usize| {
        let (mut out, mut marks) = (vec![0.0; out], vec![0; marks]);
        let added = Added {
            numbers: &y[..added],
            line: None,
        };
        let relu = Relu::Marked(&mut marks);
        let line = (&line[..scale], &line[..4]);
        refused(|| {
            ending(&y, line, Some(added), relu, &mut out).apply(on);
        })
    };
    assert!(!try_with(4, 8, 8, 2));
    assert!(try_with(3, 8, 8, 2));
    assert!(try_with(4, 7, 8, 2));
    assert!(try_with(4, 8, 4, 2));
    assert!(try_with(4, 8, 8, 1));
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
            let mut marks = vec![0; marks_of(rows * c, c)];
            let line = (&scale[..], &shift[..]);
            let added = |line| Some(Added { numbers: &r, line });
            let relu = Relu::Marked(&mut marks);
            ending(&y, line, added(None), relu, &mut out).apply(on);
            for (i, &value) in out.iter().enumerate() {
                let mark = marks[i / c * c.div_ceil(16) + i % c / 16];
                assert_eq!(mark >> (i % c % 16) & 1 == 1, value > 0.0);
            }
            // What is added may have a line of its own.
            let lined: Vec<f32> = (0..rows * c)
                .map(|i| r[i] * gain[i % c] + bias[i % c])
                .collect();
            let [mut by_line, mut as_it_is] = [(); 2].map(|()| vec![0.0; rows * c]);
            let own = added(Some((&gain[..], &bias[..])));
            ending(&y, line, own, Relu::Off, &mut by_line).apply(on);
            let numbers = &lined;
            let plain = Some(Added {
                numbers,
                line: None,
            });
            ending(&y, line, plain, Relu::Off, &mut as_it_is).apply(on);
            let expected: Vec<f64> = as_it_is.iter().map(|&x| f64::from(x)).collect();
            assert!(distance(&by_line, &expected) < 1e-6);
            let done = Normalised {
                y: &y,
                mean: moments.mean(),
                inverse: &inverse,
                gain: &gain,
                relu_mask: ReluMask::Marks(&marks),
            };
            let mut dy = vec![0.0; rows * c];
            let mut dz = dout.clone();
            let sums = done.relu_backward_sums(on, &mut dz);
            let (back, grads) = Back::new(on, done, &dz, &sums);
            back.all(&mut dy);

            // A recomputed ReLU mask is that of the output.
            let mut plain = vec![0.0; rows * c];
            let mut plain_marks = marks.clone();
            let relu = Relu::Marked(&mut plain_marks);
            ending(&y, line, None, relu, &mut plain).apply(on);
            let mut again = vec![0.0; rows * c];
            ending(&y, line, None, Relu::On, &mut again).apply(on);
            assert_eq!(plain, again);
            let masked = |relu_mask| {
                let done = Normalised { relu_mask, ..done };
                let (mut dz, mut dy) = (dout.clone(), vec![0.0; rows * c]);
                let sums = done.relu_backward_sums(on, &mut dz);
                let (back, grads) = Back::new(on, done, &dz, &sums);
                back.all(&mut dy);
                (dz, dy, grads.gain, grads.bias)
            };
            let line = ReluMask::Line {
                scale: &scale,
                shift: &shift,
            };
            assert_eq!(masked(line), masked(ReluMask::Marks(&plain_marks)));
            let all = vec![!0; marks.len()];
            assert_eq!(masked(ReluMask::Open), masked(ReluMask::Marks(&all)));

            // The same in double precision, by the definition.
            let (mut expected, mut expected_dy) = (vec![0.0; rows * c], vec![0.0; rows * c]);
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

#[test]
fn larger_maps_have_the_nearest_numbers_and_their_gradients_come_back() {
    let mut rng = Rng::seed_from_u64(31);
    for (channels, from, to) in [
        (1, [1, 1], [1, 1]),
        (3, [2, 3], [4, 6]),
        (16, [7, 7], [14, 14]),
        (5, [3, 2], [5, 7]),
        (33, [4, 6], [4, 11]),
    ] {
        let maps = Upsample {
            n: 2,
            channels,
            from,
            to,
        };
        let x = numbers(&mut rng, maps.input_len());
        let dy = numbers(&mut rng, maps.output_len());
        let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
        upsample::forward(&maps, &x, &mut y);
        upsample::backward(&maps, &dy, &mut dx);
        let mut expected = vec![0.0f64; x.len()];
        for (i, (y, dy)) in y.iter().zip(&dy).enumerate() {
            let (channel, column) = (i % channels, i / channels % to[1]);
            let (row, image) = (i / channels / to[1] % to[0], i / channels / to[1] / to[0]);
            let (row, column) = (row * from[0] / to[0], column * from[1] / to[1]);
            let place = ((image * from[0] + row) * from[1] + column) * channels + channel;
            assert_eq!(*y, x[place], "{maps:?} at {i}");
            expected[place] += f64::from(*dy);
        }
        let off = distance(&dx, &expected);
        assert!(off < 1e-6, "{maps:?}: {off}");
    }
}
