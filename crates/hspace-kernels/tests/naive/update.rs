//! Updates of weights.

use hspace_kernels::update::{Adam, Momentum, follow};
use rand::SeedableRng;

use crate::{Rng, distance, machines, numbers};

fn doubles(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn updates_agree_with_their_formulas() {
    let mut rng = Rng::seed_from_u64(10);
    for n in [1, 15, 16, 100, 70_001] {
        let [w, g, m, v] = [0; 4].map(|_| numbers(&mut rng, n));
        let v: Vec<f32> = v.iter().map(|x| x.abs()).collect();
        for on in machines() {
            let by = Momentum {
                momentum: 0.9,
                scale: 0.7,
                decay: 0.01,
                rate: 0.3,
            };
            let (mut weight, mut velocity) = (w.clone(), m.clone());
            by.step(on, &mut weight, &g, &mut velocity);
            let (mut ws, mut ms) = (doubles(&w), doubles(&m));
            for i in 0..n {
                ms[i] = 0.9 * ms[i] + 0.7 * (f64::from(g[i]) + 0.01 * ws[i]);
                ws[i] -= 0.3 * ms[i];
            }
            assert!(distance(&velocity, &ms) < 2e-7 && distance(&weight, &ws) < 2e-7);

            let by = Adam {
                keep: [0.9, 0.999],
                shrink: 0.999,
                rate: 0.01,
                correction: 1.0 / (1.0 - 0.999f64.powi(3)),
                epsilon: 1e-8,
            };
            let (mut weight, mut mean, mut square) = (w.clone(), m.clone(), v.clone());
            by.step(on, &mut weight, &g, &mut mean, &mut square);
            let (mut ws, mut ms, mut vs) = (doubles(&w), doubles(&m), doubles(&v));
            for i in 0..n {
                let g = f64::from(g[i]);
                ms[i] = 0.9 * ms[i] + 0.1 * g;
                vs[i] = 0.999 * vs[i] + 0.001 * g * g;
                let step = ms[i] / ((vs[i] * by.correction).sqrt() + 1e-8);
                ws[i] = 0.999 * ws[i] - 0.01 * step;
            }
            assert!(distance(&mean, &ms) < 2e-7 && distance(&square, &vs) < 2e-7);
            assert!(distance(&weight, &ws) < 2e-7);

            let mut to = w.clone();
            follow(on, &mut to, &g, 0.99);
            let mixed = w.iter().zip(&g);
            let mixed = mixed.map(|(w, g)| 0.99 * f64::from(*w) + 0.01 * f64::from(*g));
            assert!(distance(&to, &mixed.collect::<Vec<_>>()) < 2e-7);
        }
    }
}
