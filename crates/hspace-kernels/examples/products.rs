//! Times matrix products as layers make them, on memory that left the cache long ago: milliseconds
//! (median) and billions of operations a second.
//!
//!     cargo run --release -p hspace-kernels --example products [avx512|avx2|portable]

use std::time::Instant;

use hspace_kernels::attention::{self, Attention};
use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Buffer, Epilogue, Isa, Machine};

const SETS: usize = 12;

fn main() {
    let isa = match std::env::args().nth(1).as_deref() {
        Some("avx2") => Isa::Avx2,
        Some("portable") => Isa::Portable,
        _ => Isa::best(),
    };
    let on = Machine::best().with_isa(isa);
    println!("{isa:?}; samples, inputs, outputs: x W', dy W, dy' x");
    for (n, inputs, outputs) in [
        (128, 784, 1000),
        (128, 1000, 1000),
        (128, 1024, 1024),
        (4160, 192, 192),
        (4160, 192, 576),
        (4160, 192, 768),
        (4160, 768, 192),
    ] {
        let filled = |len: usize| Buffer::copy_of(&vec![0.5; len]);
        let mut sets: Vec<[Buffer; 3]> = (0..SETS)
            .map(|_| [n * inputs, inputs * outputs, n * outputs].map(filled))
            .collect();
        let mut rate = |run: &(dyn Fn(&mut [Buffer; 3]) + Sync)| {
            let mut times = Vec::new();
            for i in 0..3 * SETS {
                let begun = Instant::now();
                rayon::scope(|_| run(&mut sets[i % SETS]));
                times.push(begun.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            let rate = 2e-9 * (n * inputs * outputs) as f64 / median;
            format!("{:7.2} {rate:5.0}", median * 1e3)
        };
        let sizes = |rows, depth, columns| Sizes {
            rows,
            depth,
            columns,
        };
        let none = Epilogue::default();
        let forward = rate(&|[x, w, y]| {
            let (x, w) = (Matrix::rows(x, inputs), Matrix::rows(w, inputs));
            product(on, sizes(n, inputs, outputs), x, w.transposed(), y, &none);
        });
        let back = rate(&|[x, w, y]| {
            let (y, w) = (Matrix::rows(y, outputs), Matrix::rows(w, inputs));
            product(on, sizes(n, outputs, inputs), y, w, x, &none);
        });
        let weights = rate(&|[x, w, y]| {
            let (x, y) = (Matrix::rows(x, inputs), Matrix::rows(y, outputs));
            product(on, sizes(outputs, n, inputs), y.transposed(), x, w, &none);
        });
        println!("{n:>6} {inputs:>5} {outputs:>5}   {forward}   {back}   {weights}");
    }
    println!("attention, n, tokens, heads, size: forward, back");
    for (n, tokens, heads, size) in [(64, 65, 3, 64), (16, 197, 3, 64)] {
        let shape = Attention {
            n,
            tokens,
            heads,
            size,
        };
        let qkv = Buffer::copy_of(&vec![0.5; 3 * shape.output_len()]);
        let mut out = Buffer::copy_of(&vec![0.5; shape.output_len()]);
        let mut back = Buffer::copy_of(&qkv);
        let rate = |times: usize, run: &mut (dyn FnMut() + Send)| {
            let time = |_| {
                let begun = Instant::now();
                rayon::scope(|_| run());
                begun.elapsed().as_secs_f64()
            };
            let best = (0..30).map(time).fold(f64::MAX, f64::min);
            let product = 2e-9 * (n * heads * tokens * tokens * size) as f64;
            format!("{:7.2} {:5.0}", best * 1e3, times as f64 * product / best)
        };
        let forward = rate(2, &mut || attention::forward(on, &shape, &qkv, &mut out));
        let back = rate(5, &mut || {
            attention::backward(on, &shape, &qkv, &out, &mut back)
        });
        println!("{n:>6} {tokens:>5} {heads:>5} {size:>5}   {forward}   {back}");
    }
}
