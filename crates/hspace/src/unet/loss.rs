//! Cross-entropy and Dice loss of pixels.

use burn_tensor::activation::log_softmax;
use burn_tensor::{Tensor, TensorData};

use crate::dataset::mask::IGNORED;
use crate::device::Device;

/// Classes of pixels as zeros and ones `[n, classes, h, w]`; all 0 where a pixel is ignored.
pub(super) fn one_hot(
    targets: &[u8],
    classes: usize,
    [height, width]: [usize; 2],
    device: &Device,
) -> Tensor<4> {
    let places = height * width;
    let n = targets.len() / places;
    let mut hot = vec![0.0f32; n * classes * places];
    for (i, &class) in targets
        .iter()
        .enumerate()
        .filter(|(_, class)| **class != IGNORED)
    {
        let (image, place) = (i / places, i % places);
        hot[(image * classes + usize::from(class)) * places + place] = 1.0;
    }
    let data = TensorData::new(hot, [n, classes, height, width]);
    Tensor::from_data(data, device)
}

/// The loss of `logits` `[n, classes, h, w]`, `[1]`; `dice` is the weight of the Dice loss. Where all pixels are ignored it is 0.
pub(super) fn loss(logits: Tensor<4>, targets: Tensor<4>, dice: f64) -> Tensor<1> {
    let [n, classes, height, width] = logits.dims();
    let known = targets.clone().sum_dim(1);
    let log = log_softmax(logits, 1);
    let count = known.clone().sum().clamp_min(1.0);
    let cross_entropy = -(log.clone() * targets.clone()).sum() / count;
    if dice == 0.0 {
        return cross_entropy;
    }
    let by_class = |x: Tensor<4>| -> Tensor<1> {
        let rows = x
            .permute([1, 0, 2, 3])
            .reshape([classes, n * height * width]);
        rows.sum_dim(1).reshape([classes])
    };
    let p = log.exp() * known;
    let both = by_class(p.clone() * targets.clone());
    let ratio = (both * 2.0 + 1.0) / (by_class(p) + by_class(targets) + 1.0);
    cross_entropy + (-ratio.mean() + 1.0) * dice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::weights::values;

    #[test]
    fn the_loss_is_that_of_the_formula_and_ignored_pixels_count_nowhere() {
        let device = Device::cpu();
        // Two classes at three pixels, the last of which is ignored.
        let logits = [[1.0f32, -0.5, 9.0], [0.0, 0.5, -3.0]];
        let targets = one_hot(&[0, 1, IGNORED], 2, [1, 3], &device);
        let data = TensorData::new(logits.concat(), [1, 2, 1, 3]);
        let found = |dice| {
            let logits = Tensor::from_data(data.clone(), &device);
            values(loss(logits, targets.clone(), dice))[0]
        };
        let p = |i: usize| 1.0 / (1.0 + (logits[1][i] - logits[0][i]).exp());
        let [a, b] = [p(0), p(1)];
        let cross_entropy = -(a.ln() + (1.0 - b).ln()) / 2.0;
        assert!((found(0.0) - cross_entropy).abs() < 1e-6);
        let first = (2.0 * a + 1.0) / (a + b + 1.0 + 1.0);
        let second = (2.0 * (1.0 - b) + 1.0) / (2.0 - a - b + 1.0 + 1.0);
        let dice = 1.0 - f32::midpoint(first, second);
        assert!((found(2.0) - cross_entropy - 2.0 * dice).abs() < 1e-6);
        let none = one_hot(&[IGNORED; 3], 2, [1, 3], &device);
        let logits = Tensor::from_data(data, &device);
        assert_eq!(values(loss(logits, none, 0.0)), [0.0]);
    }
}
