//! Sums over images in a fixed order, whoever computes the parts.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::units;

/// The sum of `len` numbers over all images: `add` adds a chunk of images to zeros, chunks are
/// added up in order. `work` images are enough for a chunk.
pub(crate) fn chunked(
    images: usize,
    len: usize,
    work: usize,
    add: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> Buffer {
    let chunks = units::chunks(images, len, work);
    let parts: Vec<Buffer> = chunks
        .into_par_iter()
        .with_max_len(1)
        .map(|images| {
            let mut sums = Buffer::zeros(len);
            add(images, &mut sums);
            sums
        })
        .collect();
    add_up(parts)
}

/// The sum of all parts, in their order.
fn add_up(parts: Vec<Buffer>) -> Buffer {
    const PIECE: usize = 4096;
    let mut parts = parts.into_iter();
    let mut total = parts.next().expect("at least one chunk");
    let rest: Vec<Buffer> = parts.collect();
    total
        .par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(i, total)| {
            for part in &rest {
                let part = &part[i * PIECE..][..total.len()];
                total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
            }
        });
    total
}
