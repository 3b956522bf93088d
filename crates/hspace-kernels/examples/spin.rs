use hspace_kernels::{Buffer, Conv, Machine, conv};
fn main() {
    let a: Vec<usize> = std::env::args()
        .skip(1)
        .map(|x| x.parse().unwrap())
        .collect();
    let conv = Conv {
        n: 64,
        h: a[0],
        w: a[0],
        inputs: a[1],
        outputs: a[2],
        kernel: a[3],
        stride: a[4],
        pad: a[3] / 2,
    };
    let x = Buffer::zeros(conv.input_len());
    let w = Buffer::zeros(conv.weight_len());
    let dy = Buffer::zeros(conv.output_len());
    let mut y = Buffer::any(conv.output_len());
    let mut dw = Buffer::any(conv.weight_len());
    let on = if a[6] == 1 {
        Machine::best().direct()
    } else {
        Machine::best()
    };
    let t = std::time::Instant::now();
    let mut best = f64::MAX;
    let inside = std::env::var("INSIDE").is_ok();
    let mut go = || {
        while t.elapsed().as_secs_f64() < 2.0 {
            let u = std::time::Instant::now();
            if a[5] == 0 {
                conv::forward(on, &conv, &x, &w, &mut y, Default::default());
            } else if a[5] == 1 {
                conv::forward_with_moments(on, &conv, &x, &w, &mut y);
            } else {
                conv::weight_gradient(on, &conv, &x, &dy, &mut dw);
            }
            best = best.min(u.elapsed().as_secs_f64());
        }
    };
    if inside {
        rayon::scope(|_| go())
    } else {
        go()
    }
    println!("{:.3} ms", best * 1e3);
}
