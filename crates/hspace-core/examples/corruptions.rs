//! Images a second of each corruption of ImageNet-C at severity 3, for bench/corruptions.py: 224 × 224 in colour, one thread, and on all threads together.
//!
//!     cargo run --release -p hspace-core --example corruptions

use std::time::{Duration, Instant};

use hspace_core::corruptions::{SUITES, corrupt};
use hspace_core::dataset::{Image, Pixels};
use rayon::prelude::*;

const SIDE: usize = 224;

fn main() -> hspace_core::Result<()> {
    let value = |i: usize| ((i * 37 + i / 97 * 11) % 256) as u8;
    let image = Image {
        width: SIDE,
        height: SIDE,
        channels: 3,
        pixels: Pixels::U8((0..SIDE * SIDE * 3).map(value).collect()),
    };
    for suite in &SUITES[..2] {
        for corruption in suite.corruptions {
            let begun = Instant::now();
            let mut count = 0;
            while begun.elapsed() < Duration::from_millis(300) {
                corrupt(&image, corruption, 3, count)?;
                count += 1;
            }
            println!(
                "{} {:.1}",
                corruption.name,
                count as f64 / begun.elapsed().as_secs_f64()
            );
        }
    }
    let standard = SUITES[0].corruptions;
    let begun = Instant::now();
    let rounds = 64u64;
    let all = (0..rounds).into_par_iter().try_for_each(|seed| {
        let mut each = standard.iter();
        each.try_for_each(|corruption| corrupt(&image, corruption, 3, seed).map(|_| ()))
    });
    all?;
    let images = rounds as f64 * standard.len() as f64;
    println!("all_threads {:.1}", images / begun.elapsed().as_secs_f64());
    Ok(())
}
