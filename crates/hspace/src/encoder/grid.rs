//! What stages pass on, as maps in the plane of the image.

use burn_tensor::Tensor;

use super::{Features, Stage, axes};
use crate::dataset::Shape;

/// Height and width of the maps or the grid of tokens after some stages.
pub(crate) fn size_after(shape: Shape, stages: &[Stage]) -> [usize; 2] {
    let [_, _, height, width] = axes(1, shape);
    let smaller = |side: usize| {
        let strides = stages.iter().map(|stage| stage.stride);
        strides.fold(side, |side, stride| side.div_ceil(stride))
    };
    [smaller(height), smaller(width)]
}

/// Maps or tokens on a grid of `size` as `[n, h, w, d]`; `None` of vectors.
pub(crate) fn places(of: Features, [height, width]: [usize; 2]) -> Option<Tensor<4>> {
    match of {
        Features::Maps(maps) => Some(maps.into_images().permute([0, 2, 3, 1])),
        Features::Tokens(tokens) => {
            let (prefix, count) = (tokens.prefix, tokens.count - tokens.prefix);
            let patches = tokens.by_sample().narrow(1, prefix, count);
            let [n, _, d] = patches.dims();
            (count == height * width).then(|| patches.reshape([n, height, width, d]))
        }
        Features::Samples(_) | Features::Vector(_) => None,
    }
}
