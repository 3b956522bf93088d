//! Times the kernels on the shapes of a small residual network: milliseconds (median) and
//! billions of floating-point operations of the plain sum per second.
//!
//!     cargo run --release -p hspace-kernels --example rates [avx512|avx2|portable] [shape]

use std::time::Instant;

use hspace_kernels::conv::{self, Wanted};
use hspace_kernels::{Accumulate, Buffer, Conv, Epilogue, Isa, Machine, Source, norm};

const TIMES: usize = 15;

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let time = |_| {
        let begun = Instant::now();
        run();
        begun.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..TIMES).map(time).collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

fn filled(len: usize) -> Buffer {
    let mut buffer = Buffer::any(len);
    for (i, x) in buffer.iter_mut().enumerate() {
        *x = ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5;
    }
    buffer
}

fn main() {
    let isa = match std::env::args().nth(1).as_deref() {
        Some("avx2") => Isa::Avx2,
        Some("portable") => Isa::Portable,
        _ => Isa::best(),
    };
    let best = Machine::best().with_isa(isa);
    let only = std::env::args().nth(2);
    println!("{isa:?}");
    println!(
        "{:<34} {:>8} {:>15} {:>15} {:>15} {:>8} {:>8}",
        "images, size, channels, kernel/stride",
        "way",
        "forward",
        "data grad.",
        "weight grad.",
        "norm",
        "back"
    );
    for (n, size, inputs, outputs, kernel, stride) in [
        (64, 32, 3, 16, 3, 1),
        (64, 32, 16, 16, 3, 1),
        (64, 16, 32, 32, 3, 1),
        (64, 8, 64, 64, 3, 1),
        (64, 32, 16, 32, 3, 2),
        (64, 32, 16, 32, 1, 2),
        (64, 16, 32, 64, 3, 2),
        (64, 32, 64, 64, 3, 1),
        (64, 16, 128, 128, 3, 1),
        (64, 8, 256, 256, 3, 1),
        (64, 4, 512, 512, 3, 1),
        (64, 32, 64, 128, 3, 2),
        (128, 32, 64, 128, 3, 2),
        (128, 16, 128, 256, 3, 2),
        (128, 8, 256, 512, 3, 2),
        (128, 4, 512, 512, 3, 2),
        (64, 32, 64, 128, 1, 2),
        (64, 8, 256, 256, 1, 1),
    ] {
        let shape = format!("{n} {size}x{size} {inputs}->{outputs} {kernel}/{stride}");
        if only.as_ref().is_some_and(|only| !shape.contains(only)) {
            continue;
        }
        let conv = Conv {
            n,
            h: size,
            w: size,
            inputs,
            outputs,
            kernel,
            stride,
            pad: kernel / 2,
        };
        let (x, w, dy) = (
            filled(conv.input_len()),
            filled(conv.weight_len()),
            filled(conv.output_len()),
        );
        let mut y = Buffer::any(conv.output_len());
        let mut dx = Buffer::any(conv.input_len());
        let mut dw = Buffer::any(conv.weight_len());
        for (way, on) in [("auto", best), ("direct", best.direct())] {
            let rate =
                |ms: f64| format!("{ms:7.2} {:7.0}", conv.multiply_adds() as f64 * 2e-6 / ms);
            let f = median(|| {
                conv::forward_with_moments(on, &conv, Source::plain(&x), &w, &mut y);
            });
            let d =
                median(|| conv::data_gradient(on, &conv, &dy, &w, &mut dx, Accumulate::Nothing));
            let g = median(|| conv::weight_gradient(on, &conv, Source::plain(&x), &dy, &mut dw));
            let plain = median(|| conv::forward(on, &conv, &x, &w, &mut y, Epilogue::default()));
            let ones = vec![1.0; outputs];
            let mut out = Buffer::any(conv.output_len());
            let a = median(|| {
                let ending = norm::BlockEpilogue {
                    y: &y,
                    scale: &ones,
                    shift: &ones,
                    added: None,
                    relu: norm::Relu::On,
                    out: &mut out,
                };
                ending.apply(on);
            });
            let mut dz = Buffer::any(conv.output_len());
            let done = norm::Normalised {
                y: &y,
                mean: &ones,
                inverse: &ones,
                gain: &ones,
                relu_mask: norm::ReluMask::Line {
                    scale: &ones,
                    shift: &ones,
                },
            };
            let mut gradients = dy.clone();
            let b = median(|| {
                let sums = done.relu_backward_sums(on, &mut gradients);
                norm::Back::new(on, done, &gradients, &sums).0.all(&mut dz);
            });
            let both = median(|| {
                let sums = done.relu_backward_sums(on, &mut gradients);
                let (back, _) = norm::Back::new(on, done, &gradients, &sums);
                let wanted = Wanted {
                    weight: Some(&mut dw),
                    input: Some(&mut dx),
                    accumulate: Accumulate::Nothing,
                    before: &[],
                };
                conv::gradients(on, &conv, &back, Source::plain(&x), &w, wanted);
            });
            println!(
                "{shape:<34} {way:>8} {} {} {} {a:8.2} {b:8.2}  (no moments {plain:.2}, whole backward pass {both:.2})",
                rate(f),
                rate(d),
                rate(g)
            );
        }
    }
}
