//! What joint-embedding objectives compare projections with.

use burn_tensor::activation::log_softmax;
use burn_tensor::{Tensor, TensorData};

use super::heads::projector;
use super::{Batch, Loss, Net};
use crate::device::Device;
use crate::network::layers::l2_normalise;

/// Mean cosine of the rows of `a` and `b`, `[n, d]` each, to `[1]`.
pub(super) fn mean_cosine(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let [n, _] = a.dims();
    (l2_normalise(a) * l2_normalise(b)).sum() / n as f64
}

/// Rows of the same group attract, all others repel: with z the rows of `[m, d]` scaled to length
/// 1 and P(i) the other rows of the group of i,
/// `−mean_i 1/|P(i)| Σ_{p∈P(i)} log( exp(z_i·z_p/τ) / Σ_{k≠i} exp(z_i·z_k/τ) )`, `[1]`.
///
/// Two views of a sample as groups make NT-Xent (Chen et al. 2020, equation 1), all views of a
/// class the supervised contrastive loss (Khosla et al. 2020, equation 2). A row that is alone in
/// its group only repels.
pub(super) fn contrast(
    z: Tensor<2>,
    groups: &[u32],
    temperature: f64,
    device: &Device,
) -> Tensor<1> {
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

/// What SimCLR and its kin do: every view is encoded as its own batch, projected to `dims`, and those of
/// one sample attract ([`contrast`]).
pub(super) fn contrast_views(net: &Net, batch: &Batch, dims: &[usize], temperature: f64) -> Loss {
    let learned = net.encode_views(&batch.views);
    let features = Tensor::cat(learned.clone(), 0);
    let z = projector(&net.at("projector"), features, dims);
    let groups = by_sample(batch.rows.len(), batch.views.len());
    Loss::of(contrast(z, &groups, temperature, net.device()), learned)
}

/// Groups of `views` views of `n` samples each, the first views of all samples first.
pub(super) fn by_sample(n: usize, views: usize) -> Vec<u32> {
    (0..views).flat_map(|_| 0..n as u32).collect()
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
    use crate::golden::check_loss;

    #[test]
    fn two_views_agree_with_lightly() {
        check_loss("simclr", [12, 5], |z| {
            contrast(z, &by_sample(6, 2), 0.2, &Device::cpu())
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
        let keys = crate::golden::matrix([6, 5], 1.1);
        check_loss("info_nce", [6, 5], |q| {
            info_nce(q, keys.clone(), None, 0.2, &Device::cpu())
        });
    }

    #[test]
    fn a_queue_agrees_with_lightly() {
        let [keys, queue] =
            [([6, 5], 1.1), ([9, 5], 2.3)].map(|(size, phase)| crate::golden::matrix(size, phase));
        let queue = l2_normalise(queue);
        check_loss("moco", [6, 5], |q| {
            info_nce(q, keys.clone(), Some(queue.clone()), 0.2, &Device::cpu())
        });
    }
}
