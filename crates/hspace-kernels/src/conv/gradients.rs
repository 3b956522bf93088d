//! All gradients of a convolution at once, few images at a time.

use rayon::prelude::*;

use super::algorithm::{Algorithm, WeightGrad};
use super::{data_gradient, weight_gradient};
use crate::buffer::Buffer;
use crate::epilogue::{Accumulate, Epilogue};
use crate::fetch::Area;
use crate::machine::Machine;
use crate::norm::{Back, Normalised, PartialSums};
use crate::partition;
use crate::scratch::Scratch;
use crate::shape::{Conv, Source};

/// Numbers of sums that stay in the second-level cache together with few images.
const CACHED_SUMS_BESIDE_IMAGES: usize = 256 << 10;
/// Numbers of gradients that do.
const CACHED_GRADIENTS: usize = 128 << 10;

/// Where [`gradients`] writes, and what it adds to.
pub struct Wanted<'a> {
    /// The gradient for the weights, if it is asked for.
    pub weight: Option<&'a mut [f32]>,
    /// That for the input, if it is asked for.
    pub input: Option<&'a mut [f32]>,
    /// What that for the input is added to.
    pub accumulate: Accumulate<'a>,
    /// The normalisations whose outputs were added up to the input, where the gradient for the input is
    /// to go through their ReLU masks, one after the other, and their sums are asked for.
    pub before: &'a [Normalised<'a>],
}

/// All gradients of a convolution whose output was normalised.
///
/// Those for the convolution's output are never written to memory as a whole, where they need not
/// be: a few images' are computed, used for weights and input, and forgotten. The backward pass through the
/// normalisations before begins while their gradients are in the cache ([`Normalised::relu_backward_sums`]): there are
/// sums for each, or none, and nothing has passed a ReLU mask, where gradients are not computed a few images
/// at a time.
///
/// # Panics
/// As [`super::forward`], and if `back` is of other numbers or channels than the output, or the gradient for
/// the input, what it is added to or the normalisations before are of other lengths than the input.
pub fn gradients(
    on: Machine,
    conv: &Conv,
    back: &Back,
    x: Source,
    weight: &[f32],
    wanted: Wanted,
) -> Vec<PartialSums> {
    let Wanted {
        weight: dw,
        input: mut dx,
        accumulate,
        before,
    } = wanted;
    conv.check(x.numbers.len(), weight.len(), conv.output_len());
    x.check(conv);
    back.check(conv.output_len(), conv.outputs);
    assert!(
        dw.as_ref().is_none_or(|dw| dw.len() == conv.weight_len()),
        "the gradient for the weights"
    );
    assert!(
        dx.as_ref().is_none_or(|dx| dx.len() == conv.input_len())
            && accumulate.holds(conv.input_len()),
        "the gradient for the input, and what it is added to"
    );
    before
        .iter()
        .for_each(|before| before.check(conv.input_len()));
    let image = conv.output_len() / conv.n;
    let sums = WeightGrad::new(on, conv);
    if sums.len() > CACHED_SUMS_BESIDE_IMAGES || image > CACHED_GRADIENTS || conv.is_product() {
        let mut dy = Buffer::any(conv.output_len());
        back.all(&mut dy);
        if let Some(dw) = dw {
            weight_gradient(on, conv, x, &dy, dw);
        }
        if let Some(dx) = dx {
            data_gradient(on, conv, &dy, weight, dx, accumulate);
        }
        return vec![];
    }
    let x_image = conv.input_len() / conv.n;
    let summed = dw.is_some();
    let algorithm = dx.is_some().then(|| Algorithm::back(on, conv, weight));
    let chunks = partition::chunks(conv.n, sums.len(), sums.work(conv));
    let mut parts = Vec::with_capacity(chunks.len());
    for images in chunks {
        let dx = split(&mut dx, images.len() * x_image);
        parts.push((images, dx));
    }
    let together = (CACHED_GRADIENTS / 4 / image).max(1);
    let parts = parts.into_par_iter().with_max_len(1);
    let parts = parts.map(|(images, mut dx)| {
        let mut part = summed.then(|| Buffer::any(sums.len()));
        let mut found: Vec<Vec<_>> = before.iter().map(|_| Vec::new()).collect();
        for first in images.clone().step_by(together) {
            let few = first..(first + together).min(images.end);
            let mut dy = Scratch::any(few.len() * image);
            let within = few.start * image..few.end * image;
            back.rows(within, &mut dy);
            let n = few.len();
            let few_conv = Conv { n, ..*conv };
            let inputs = few.start * x_image..few.end * x_image;
            let fresh = few.start == images.start;
            let few_x = x.within(inputs.clone());
            let shared = algorithm
                .as_ref()
                .and_then(|algorithm| sums.shared_with(algorithm));
            if let (None, Some(part)) = (shared, &mut part) {
                sums.add(on, &few_conv, few_x, &dy, part, fresh);
            }
            if let (Some(algorithm), Some(dx)) = (&algorithm, split(&mut dx, n * x_image)) {
                let epilogue = Epilogue {
                    accumulate: accumulate.within(inputs.clone()),
                    ..Epilogue::default()
                };
                let row = algorithm.row();
                // What the next few images are computed from, of the next chunk too: mostly this thread's.
                let next = few.end..(few.end + together).min(conv.n);
                let [dz, y] = back.reads(next.start * image..next.end * image);
                let x = x.within(next.start * x_image..next.end * x_image).numbers;
                let next = [dz, y, Area::read_later(x)];
                let cuts = algorithm.cut(n);
                let all = cuts.len();
                for (i, unit) in cuts.into_iter().enumerate() {
                    let later = next.map(|area| area.part(i, all));
                    let start = unit.first * row;
                    let within = start..start + unit.count * row;
                    let now = &mut dx[within.clone()];
                    let epilogue = epilogue.within(within);
                    let weight_grad = shared.zip(part.as_deref_mut());
                    let weight_grad = weight_grad
                        .map(|(sums, part)| sums.weight_grad(few_x, part, fresh && i == 0));
                    let dy = Source::plain(&dy);
                    algorithm.outputs(on, n, dy, unit, now, &epilogue, &later, weight_grad);
                }
                for (found, before) in found.iter_mut().zip(before) {
                    found.push(before.relu_backward_sums_of_rows(on, dx, inputs.clone()));
                }
            }
        }
        (part, found)
    });
    let (parts, found): (Vec<_>, Vec<_>) = parts.unzip();
    if let Some(dw) = dw {
        let total = partition::add_up(parts.into_iter().flatten().collect());
        sums.restore(on, conv, &total, dw);
    }
    let asked = before.iter().filter(|_| algorithm.is_some());
    let mut all: Vec<PartialSums> = asked.map(|_| PartialSums(vec![])).collect();
    for part in found {
        let pairs = all.iter_mut().zip(part);
        pairs.for_each(|(all, part)| all.0.extend(part));
    }
    all
}

/// Takes the first `len` numbers off, where there are any.
fn split<'a>(numbers: &mut Option<&'a mut [f32]>, len: usize) -> Option<&'a mut [f32]> {
    let (first, rest) = numbers.take()?.split_at_mut(len);
    *numbers = Some(rest);
    Some(first)
}
