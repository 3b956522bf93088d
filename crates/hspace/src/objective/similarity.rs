//! What joint-embedding objectives compare projections with, and how they notice that there is nothing to compare.

use std::collections::BTreeMap;

use burn_tensor::activation::log_softmax;
use burn_tensor::{Tensor, TensorData};

use crate::device::Device;
use crate::nn::layers::l2_normalise;
use crate::objective::heads::projector;
use crate::objective::{Batch, Loss, Net};
use crate::warning::WarningKind;

/// Mean cosine of the rows of `a` and `b`, `[n, d]` each, to `[1]`.
pub(super) fn mean_cosine(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let [n, _] = a.dims();
    (l2_normalise(a) * l2_normalise(b)).sum() / n as f64
}

/// What two views make of each other: the sum of `compare` of the first view's prediction with the second view's
/// target, and the other way round. Each view comes as its prediction and its target.
pub(super) fn symmetric(
    [first, second]: [(Tensor<2>, Tensor<2>); 2],
    compare: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>,
) -> Tensor<1> {
    compare(first.0, second.1) + compare(second.0, first.1)
}

/// The spread of projections `[n, d]`, `[1]`: of rows scaled to length 1, the mean over dimensions of the standard
/// deviation over the batch, times √d. About 1 if rows point everywhere, 0 if all point the same way (Chen & He 2021,
/// arXiv:2011.10566, section 4.1).
pub(super) fn projection_spread(z: Tensor<2>) -> Tensor<1> {
    let [_, d] = z.dims();
    let z = l2_normalise(z);
    let off = z.clone() - z.mean_dim(0);
    off.powi_scalar(2).mean_dim(0).sqrt().mean() * (d as f64).sqrt()
}

/// [`projection_spread`] below which projections count as constant.
pub(super) const LEAST_SPREAD: f64 = 0.1;
/// The same where they are centred over the batch, and cannot all point the same way: if a share f must point the other
/// way, lying so much farther out, the spread is still 2 √(f (1 − f)).
pub(super) const LEAST_CENTRED_SPREAD: f64 = 0.5;

/// What to tell the user if the logged `projection_spread` is below `least` after the first tenth of the training;
/// `remedies` are settings that may help.
pub(super) fn constant_projections(
    values: &BTreeMap<String, f64>,
    progress: f64,
    least: f64,
    remedies: &str,
) -> Option<(WarningKind, String)> {
    let spread = *values.get("projection_spread")?;
    (progress > 0.1 && spread < least).then(|| {
        let text = format!(
            "the projections are constant: those of nearly all samples point the same way (spread {spread:.2}), so \
             there is nothing to learn from them; {remedies}"
        );
        (WarningKind::ConstantProjections, text)
    })
}

/// Rows of the same group attract, all others repel: with z the rows of `[m, d]` scaled to length
/// 1 and P(i) the other rows of the group of i,
/// `−mean_i 1/|P(i)| Σ_{p∈P(i)} log( exp(z_i·z_p/τ) / Σ_{k≠i} exp(z_i·z_k/τ) )`, `[1]`.
///
/// Two views of a sample as groups make NT-Xent (Chen et al. 2020, equation 1), all views of a
/// class the supervised contrastive loss (Khosla et al. 2020, equation 2). A row that is alone in
/// its group only repels.
fn contrast(z: Tensor<2>, groups: &[u32], temperature: f64, device: &Device) -> Tensor<1> {
    let m = groups.len();
    let z = l2_normalise(z);
    let similarity = z.clone().matmul(z.transpose()) / temperature;
    // Far below any similarity, so that its exponential is zero.
    let not_itself = similarity - Tensor::<2>::eye(m, device) * 1e9;
    let mut share = vec![0.0f32; m * m];
    for (i, (own, share)) in groups.iter().zip(share.chunks_exact_mut(m)).enumerate() {
        let partners = |&j: &usize| j != i && groups[j] == *own;
        let count = (0..m).filter(partners).count() as f32;
        for j in (0..m).filter(partners) {
            share[j] = 1.0 / (count * m as f32);
        }
    }
    let share = Tensor::<2>::from_data(TensorData::new(share, [m, m]), device);
    -(log_softmax(not_itself, 1) * share).sum()
}

/// Every view is encoded as its own batch and projected to `dims`, and the views of all samples of a group attract
/// ([`contrast`]); `groups` has each sample's.
pub(super) fn contrast_groups(
    net: &Net,
    batch: &Batch,
    groups: &[u32],
    dims: &[usize],
    temperature: f64,
) -> Loss {
    let learned = net.encode_views(&batch.views);
    let features = Tensor::cat(learned.clone(), 0);
    let z = projector(&net.at("projector"), features, dims);
    let groups = groups.repeat(batch.views.len());
    Loss::of(contrast(z, &groups, temperature, net.device()), learned)
}

/// InfoNCE: row i of `queries` must tell row i of `keys` from the other rows of `keys` and from
/// `negatives` (van den Oord et al. 2018; He et al. 2020, equation 1). All are scaled to length 1.
/// With `negatives` the other keys do not count. `[1]`, a mean over queries.
pub(super) fn info_nce(
    queries: Tensor<2>,
    keys: Tensor<2>,
    negatives: Option<Tensor<2>>,
    temperature: f64,
    device: &Device,
) -> Tensor<1> {
    let [n, _] = queries.dims();
    let (queries, keys) = (l2_normalise(queries), l2_normalise(keys));
    let logits = match negatives {
        None => {
            let logits = queries.matmul(keys.transpose()) / temperature;
            let own = Tensor::<2>::eye(n, device);
            return -(log_softmax(logits, 1) * own).sum() / n as f64;
        }
        Some(negatives) => {
            let own = (queries.clone() * keys).sum_dim(1);
            Tensor::cat(vec![own, queries.matmul(negatives.transpose())], 1)
        }
    };
    -log_softmax(logits / temperature, 1).narrow(1, 0, 1).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, check_loss, matrix, number};
    use crate::nn::weights::values;

    #[test]
    fn two_views_agree_with_lightly() {
        check_loss("simclr", [12, 5], |z| {
            let samples = [0, 1, 2, 3, 4, 5].repeat(2);
            contrast(z, &samples, 0.2, &Device::cpu())
        });
    }

    #[test]
    fn classes_agree_with_the_formula() {
        check_loss("supcon", [12, 5], |z| {
            let classes = [0, 1, 1, 2, 0, 3, 0, 1, 1, 2, 0, 3];
            contrast(z, &classes, 0.1, &Device::cpu())
        });
    }

    #[test]
    fn keys_of_the_batch_agree_with_pytorch() {
        let keys = matrix([6, 5], 1.1);
        check_loss("info_nce", [6, 5], |q| {
            info_nce(q, keys.clone(), None, 0.2, &Device::cpu())
        });
    }

    #[test]
    fn a_queue_agrees_with_lightly() {
        let keys = matrix([6, 5], 1.1);
        let queue = l2_normalise(matrix([9, 5], 2.3));
        check_loss("moco", [6, 5], |q| {
            info_nce(q, keys.clone(), Some(queue.clone()), 0.2, &Device::cpu())
        });
    }

    #[test]
    fn spread_is_of_directions() {
        let spread = |z: Tensor<2>| values(projection_spread(z));
        let expected = number(&["projection_spread"]);
        assert_close("spread", &spread(matrix([6, 5], 0.3)), &[expected], 1e-6);
        let axes = Tensor::<2>::eye(5, &Device::cpu());
        let both_ways = Tensor::cat(vec![axes.clone(), axes * -3.0], 0);
        assert_close("everywhere", &spread(both_ways), &[1.0], 1e-6);
        let alike = matrix([1, 5], 0.4).repeat_dim(0, 7);
        assert!(spread(alike)[0] < 1e-5);
    }

    #[test]
    fn constant_projections_are_named_after_a_tenth_of_the_training() {
        let diagnosed = |spread: f64, progress| {
            let values = BTreeMap::from([("projection_spread".to_owned(), spread)]);
            constant_projections(&values, progress, LEAST_SPREAD, "raise objective.momentum")
        };
        let (_, text) = diagnosed(0.05, 0.5).unwrap();
        assert!(
            text.contains("0.05") && text.ends_with("raise objective.momentum"),
            "{text}"
        );
        assert_eq!(diagnosed(0.05, 0.1), None);
        assert_eq!(diagnosed(0.15, 0.5), None);
        assert_eq!(constant_projections(&BTreeMap::new(), 0.5, 1.0, ""), None);
    }
}
