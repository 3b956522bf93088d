//! Times matrix products: milliseconds (minimum) and billions of operations a second.
//!
//!     cargo run --release -p hspace-kernels --example products [avx512|avx2|portable]

use std::time::Instant;

use hspace_kernels::product::{Matrix, Sizes, product};
use hspace_kernels::{Buffer, Finish, Isa, Machine};

fn main() {
    let isa = match std::env::args().nth(1).as_deref() {
        Some("avx2") => Isa::Avx2,
        Some("portable") => Isa::Portable,
        _ => Isa::best(),
    };
    let on = Machine::best().with_isa(isa);
    println!("{isa:?}; rows, depth, columns: x W', dy W, dy' x");
    for (n, inputs, outputs) in [
        (128, 784, 1000),
        (128, 1000, 1000),
        (128, 1024, 1024),
        (128, 1000, 10),
        (8320, 192, 576),
        (8320, 192, 192),
        (8320, 192, 768),
        (8320, 768, 192),
        (1000, 1000, 1000),
    ] {
        let filled = |len: usize| Buffer::copy_of(&vec![0.5; len]);
        let (x, w, mut y) = (
            filled(n * inputs),
            filled(inputs * outputs),
            filled(n * outputs),
        );
        let (mut dx, mut dw) = (filled(n * inputs), filled(inputs * outputs));
        let flops = 2e-9 * (n * inputs * outputs) as f64;
        let rate = |run: &mut dyn FnMut()| {
            let time = |_| {
                let begun = Instant::now();
                run();
                begun.elapsed().as_secs_f64()
            };
            let best = (0..30).map(time).fold(f64::MAX, f64::min);
            format!("{:7.2} {:5.0}", best * 1e3, flops / best)
        };
        let sizes = |rows, depth, columns| Sizes {
            rows,
            depth,
            columns,
        };
        let (xm, wm) = (Matrix::rows(&x, inputs), Matrix::rows(&w, inputs));
        let none = Finish::default();
        let f = rate(&mut || {
            product(
                on,
                sizes(n, inputs, outputs),
                xm,
                wm.transposed(),
                &mut y,
                &none,
            )
        });
        let dy = Matrix::rows(&y, outputs);
        let d = rate(&mut || product(on, sizes(n, outputs, inputs), dy, wm, &mut dx, &none));
        let g = rate(&mut || {
            product(
                on,
                sizes(outputs, n, inputs),
                dy.transposed(),
                xm,
                &mut dw,
                &none,
            )
        });
        println!("{n:>6} {inputs:>5} {outputs:>5}   {f}   {d}   {g}");
    }
}
