//! Products of matrices.

use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Accumulate, Epilogue, Machine};
use rand::{RngExt, SeedableRng};

use crate::{Guarded, Rng, distance, machines, numbers, refused};

/// `numbers [rows, columns]` as they are, or as the transpose of what lies in memory.
fn matrix(numbers: &[f32], rows: usize, columns: usize, turned: bool) -> Matrix<'_> {
    match turned {
        false => Matrix::rows(numbers, columns),
        true => Matrix::rows(numbers, rows).transposed(),
    }
}

fn at(rows: usize, columns: usize, turned: bool, i: usize, j: usize) -> usize {
    if turned {
        j * rows + i
    } else {
        i * columns + j
    }
}

/// Of what is below 0.
const SLOPE: f32 = 0.2;

/// What is done to a product.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Finished {
    Not,
    /// All that there is, added to numbers.
    All,
    /// The same, added to what is there.
    OntoItself,
}

fn check(rng: &mut Rng, sizes: Sizes, finished: Finished) {
    let Sizes {
        rows,
        depth,
        columns,
    } = sizes;
    let a = Guarded::new(&numbers(rng, rows * depth));
    let b = Guarded::new(&numbers(rng, depth * columns));
    let (scale, bias) = (numbers(rng, columns), numbers(rng, columns));
    let residual = Guarded::new(&numbers(rng, rows * columns));
    let all = Epilogue {
        scale: Some(&scale),
        bias: Some(&bias),
        accumulate: Accumulate::Numbers(residual.get()),
        slope: Some(SLOPE),
    };
    let epilogue = match finished {
        Finished::Not => Epilogue::default(),
        Finished::All => all,
        Finished::OntoItself => Epilogue {
            accumulate: Accumulate::Itself,
            ..all
        },
    };
    for turns in 0..4 {
        let (turn_a, turn_b) = (turns & 1 == 1, turns & 2 == 2);
        let mut expected = vec![0.0f64; rows * columns];
        for i in 0..rows {
            for k in 0..depth {
                let left = f64::from(a.get()[at(rows, depth, turn_a, i, k)]);
                for j in 0..columns {
                    let right = b.get()[at(depth, columns, turn_b, k, j)];
                    expected[i * columns + j] += left * f64::from(right);
                }
            }
            if finished != Finished::Not {
                for j in 0..columns {
                    let y = &mut expected[i * columns + j];
                    let added = f64::from(residual.get()[i * columns + j]);
                    *y = *y * f64::from(scale[j]) + f64::from(bias[j]) + added;
                    *y = y.max(f64::from(SLOPE) * *y);
                }
            }
        }
        for on in machines() {
            let mut c = match finished {
                Finished::OntoItself => Guarded::new(residual.get()),
                _ => Guarded::new(&vec![f32::NAN; rows * columns]),
            };
            let left = matrix(a.get(), rows, depth, turn_a);
            let right = matrix(b.get(), depth, columns, turn_b);
            product(on, sizes, left, right, c.get_mut(), &epilogue);
            let off = distance(c.get(), &expected);
            assert!(
                off < 2e-6,
                "{sizes:?} turned {turns} on {on:?}: off by {off}"
            );
            assert!(
                c.intact(),
                "{sizes:?} turned {turns} on {on:?}: wrote outside"
            );
        }
    }
}

#[test]
fn products_agree_with_three_loops() {
    let mut rng = Rng::seed_from_u64(8);
    for i in 0..25 {
        let sizes = Sizes {
            rows: rng.random_range(1..150),
            depth: rng.random_range(1..120),
            columns: rng.random_range(1..150),
        };
        let finished = [Finished::Not, Finished::All, Finished::OntoItself][i % 3];
        check(&mut rng, sizes, finished);
    }
    // Few rows and many columns, the reverse, and sums too long for one run.
    for (rows, depth, columns) in [(5, 300, 400), (400, 40, 7), (300, 20, 290), (9, 5000, 20)] {
        let sizes = Sizes {
            rows,
            depth,
            columns,
        };
        for finished in [Finished::Not, Finished::All, Finished::OntoItself] {
            check(&mut rng, sizes, finished);
        }
    }
}

#[test]
fn products_of_nothing() {
    let mut rng = Rng::seed_from_u64(10);
    for (rows, depth, columns) in [
        (0, 5, 3),
        (3, 5, 0),
        (0, 3000, 200),
        (0, 0, 0),
        (1, 0, 1),
        (5, 0, 300),
        (300, 0, 5),
        (140, 0, 150),
    ] {
        let sizes = Sizes {
            rows,
            depth,
            columns,
        };
        for finished in [Finished::Not, Finished::All, Finished::OntoItself] {
            check(&mut rng, sizes, finished);
        }
    }
}

#[test]
#[should_panic(expected = "factors and result")]
fn a_step_whose_multiples_cannot_be_counted_is_refused() {
    let sizes = Sizes {
        rows: 4,
        depth: 1,
        columns: 1,
    };
    // Three steps are 2⁶⁴ + 2 numbers.
    let a = Matrix::rows(&[0.0; 3], 6_148_914_691_236_517_206);
    let b = Matrix::rows(&[0.0], 1);
    let on = Machine::best();
    product(on, sizes, a, b, &mut [0.0; 4], &Epilogue::default());
}

#[test]
fn other_lengths_are_refused() {
    let sizes = Sizes {
        rows: 4,
        depth: 3,
        columns: 5,
    };
    let (a, b, ones) = ([0.5f32; 12], [0.5f32; 15], [1.0f32; 20]);
    let attempt = |a: &[f32], b: &[f32], c: usize, epilogue: Epilogue| {
        let (a, b) = (Matrix::rows(a, 3), Matrix::rows(b, 5));
        let mut c = vec![0.0; c];
        refused(|| product(Machine::best(), sizes, a, b, &mut c, &epilogue))
    };
    let with = |by_channel: usize, residual: usize| Epilogue {
        scale: Some(&ones[..by_channel]),
        bias: Some(&ones[..by_channel]),
        accumulate: Accumulate::Numbers(&ones[..residual]),
        slope: None,
    };
    assert!(!attempt(&a, &b, 20, with(5, 20)));
    assert!(attempt(&a[1..], &b, 20, with(5, 20)));
    assert!(attempt(&a, &b[1..], 20, with(5, 20)));
    assert!(attempt(&a, &b, 19, with(5, 19)));
    assert!(attempt(&a, &b, 20, with(4, 20)));
    assert!(attempt(&a, &b, 20, with(5, 19)));
}

#[test]
fn products_do_not_depend_on_the_number_of_threads() {
    let mut rng = Rng::seed_from_u64(9);
    let sizes = Sizes {
        rows: 40,
        depth: 3000,
        columns: 33,
    };
    let (a, b) = (numbers(&mut rng, 40 * 3000), numbers(&mut rng, 3000 * 33));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut c = vec![0.0; 40 * 33];
            let (a, b) = (Matrix::rows(&a, 3000), Matrix::rows(&b, 33));
            product(Machine::best(), sizes, a, b, &mut c, &Epilogue::default());
            c
        })
    };
    assert_eq!(run(1), run(5));
}
