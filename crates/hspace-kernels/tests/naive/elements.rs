//! What is computed number by number: the backward pass through a ReLU, Bernoulli likelihoods; transposes.

use hspace_kernels::{Machine, cross_entropy, logistic, relu, transpose};
use rand::{RngExt, SeedableRng};

use crate::{Guarded, Rng, distance, machines, numbers};

#[test]
fn likelihoods_agree_with_their_formula() {
    let mut rng = Rng::seed_from_u64(21);
    for (rows, columns) in [(1, 1), (3, 16), (7, 5), (40, 33), (5, 784)] {
        let n = rows * columns;
        let spread = |_| rng.random_range(-20.0..20.0f32) * rng.random_range(0.0..1.0f32);
        let logits: Vec<f32> = (0..n).map(spread).collect();
        let x: Vec<f32> = (0..n).map(|_| rng.random_range(0.0..=1.0)).collect();
        let dout = numbers(&mut rng, rows);
        let (mut out, mut dl) = (vec![0.0f64; rows], vec![0.0f64; n]);
        for i in 0..n {
            let (l, x) = (f64::from(logits[i]), f64::from(x[i]));
            out[i / columns] += x * l - (1.0 + l.exp()).ln();
            dl[i] = f64::from(dout[i / columns]) * (x - 1.0 / (1.0 + (-l).exp()));
        }
        for on in machines() {
            let (logits, x) = (Guarded::new(&logits), Guarded::new(&x));
            let mut found = Guarded::new(&vec![f32::NAN; rows]);
            cross_entropy::forward(on, logits.get(), x.get(), columns, found.get_mut());
            let off = distance(found.get(), &out);
            assert!(off < 5e-7 && found.intact(), "{rows} × {columns}: {off}");
            let mut back = Guarded::new(&vec![f32::NAN; n]);
            cross_entropy::backward(on, logits.get(), x.get(), columns, &dout, back.get_mut());
            let off = distance(back.get(), &dl);
            assert!(off < 5e-7 && back.intact(), "{rows} × {columns}: {off}");
        }
    }
}

#[test]
fn likelihoods_of_extreme_logits_are_finite_and_exact() {
    let logits = [100.0, 100.0, -100.0, -100.0, 0.0, 3e38, f32::NAN];
    let x = [1.0, 0.0, 1.0, 0.0, 0.5, 1.0, 0.5];
    let expected = [0.0, -100.0, -100.0, 0.0, -std::f32::consts::LN_2, 0.0];
    for on in machines() {
        let mut found = [0.0; 7];
        cross_entropy::forward(on, &logits, &x, 1, &mut found);
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() <= 1e-6,
                "{found} is not {expected}"
            );
        }
        assert!(found[6].is_nan());
        let mut slopes = [0.0; 7];
        cross_entropy::backward(on, &logits, &x, 1, &[1.0; 7], &mut slopes);
        for (slope, expected) in slopes.iter().zip([0.0, -1.0, 1.0, 0.0, 0.0, 0.0]) {
            assert!(
                (slope - expected).abs() < 1e-30,
                "{slope} is not {expected}"
            );
        }
    }
}

#[test]
fn the_logistic_function_and_its_slope_agree_with_their_formulas() {
    let mut rng = Rng::seed_from_u64(23);
    for n in [1, 16, 33, 40_000] {
        let x: Vec<f32> = (0..n).map(|_| rng.random_range(-90.0..90.0f32)).collect();
        let dy = numbers(&mut rng, n);
        let exact = |x: &f32| 1.0 / (1.0 + (-f64::from(*x)).exp());
        let y: Vec<f64> = x.iter().map(exact).collect();
        for on in machines() {
            let mut found = Guarded::new(&x);
            logistic::forward(on, found.get_mut());
            for (found, y) in found.get().iter().zip(&y) {
                let off = (f64::from(*found) - y).abs();
                assert!(off < 3e-7 * y + 1e-37, "{found} is not {y}");
            }
            assert!(found.intact());
            let mut dx = Guarded::new(&vec![f32::NAN; n]);
            logistic::backward(on, found.get(), &dy, dx.get_mut());
            let slope = |(y, dy): (&f32, &f32)| {
                let y = f64::from(*y);
                f64::from(*dy) * y * (1.0 - y)
            };
            let slopes: Vec<f64> = found.get().iter().zip(&dy).map(slope).collect();
            let off = distance(dx.get(), &slopes);
            assert!(off < 5e-7 && dx.intact(), "{n}: {off}");
        }
    }
    for on in machines() {
        let mut extreme = [f32::INFINITY, f32::NEG_INFINITY, 0.0, 3e38, f32::NAN];
        logistic::forward(on, &mut extreme);
        assert!(extreme[0] == 1.0 && extreme[1] < 1e-37 && extreme[2] == 0.5 && extreme[3] == 1.0);
        assert!(extreme[4].is_nan());
    }
}

#[test]
fn a_relu_lets_back_what_it_let_through() {
    let mut rng = Rng::seed_from_u64(22);
    for n in [1, 16, 33, 40_000] {
        let (y, mut dy) = (numbers(&mut rng, n), numbers(&mut rng, n));
        for on in machines() {
            for slope in [0.0, 0.2] {
                let mut dx = Guarded::new(&vec![f32::NAN; n]);
                relu::backward(on, slope, &y, &dy, dx.get_mut());
                for ((y, dy), dx) in y.iter().zip(&dy).zip(dx.get()) {
                    assert_eq!(*dx, if *y > 0.0 { *dy } else { slope * dy });
                }
                assert!(dx.intact());
            }
        }
        // A closed ReLU lets no gradient through.
        dy.fill(f32::INFINITY);
        for on in machines() {
            let mut dx = vec![f32::NAN; n];
            relu::backward(on, 0.0, &y, &dy, &mut dx);
            for (y, dx) in y.iter().zip(&dx) {
                assert_eq!(*dx, if *y > 0.0 { f32::INFINITY } else { 0.0 });
            }
        }
    }
}

#[test]
#[should_panic(expected = "does not fit the address space")]
fn a_matrix_whose_numbers_cannot_be_counted_is_refused() {
    transpose::each(Machine::best(), (1 << 32, 1 << 32), &[0.0], &mut [0.0]);
}

#[test]
fn every_matrix_is_transposed() {
    let mut rng = Rng::seed_from_u64(8);
    let sides = [1, 2, 3, 15, 16, 17, 40];
    for rows in sides {
        for columns in sides {
            for n in [1, 2, 50] {
                let len = rows * columns;
                let from = numbers(&mut rng, n * len);
                let place = |i: usize| {
                    let (matrix, c, r) = (i / len, i % len / rows, i % rows);
                    matrix * len + r * columns + c
                };
                let expected: Vec<f32> = (0..n * len).map(|i| from[place(i)]).collect();
                for on in machines() {
                    let mut to = Guarded::new(&vec![f32::NAN; n * len]);
                    transpose::each(on, (rows, columns), &from, to.get_mut());
                    assert!(
                        to.get() == expected && to.intact(),
                        "{n} {rows} × {columns}"
                    );
                }
            }
        }
    }
}
