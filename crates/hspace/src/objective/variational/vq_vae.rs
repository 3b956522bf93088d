//! VQ-VAE: the code is made of words of a codebook.
//!
//! The latents, cut into groups, become each the nearest word: `loss = −log p(x | words) +
//! β ‖latents − words‖²`, gradients passing from the words to the latents as if they were the same (van
//! den Oord et al. 2017, arXiv:1711.00937, equation 3). Words are running means of the latents they
//! stand for (its appendix A.1). A word that hardly anything is near to becomes a latent of the batch
//! (as in Dhariwal et al. 2020, arXiv:2005.00341, section 3.1). There are 256 words where the paper has 512: a batch
//! here has some hundred samples. Deviation: encoders here end in a
//! vector, so its groups of dimensions take the place of the paper's map of positions. The
//! representation is the latents before they become words.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::list::{Configured, Entry};
use crate::nn::Init;
use crate::nn::weights::{values, vector};
use crate::objective::heads::{must, not_negative, positive};
use crate::objective::variational::latent::{self, Model, Variant};
use crate::objective::{Batch, Loss, Net, Objective};
use crate::warning::WarningKind;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct VqVae {
    /// Words of the codebook.
    words: usize,
    /// Dimensions of a word; `latents` is a multiple of it.
    word_size: usize,
    /// β ≥ 0, of what the latents are away from their words.
    commitment: f64,
    /// Share of the old in the running means, 0 to 1.
    decay: f64,
}

impl Default for VqVae {
    fn default() -> Self {
        VqVae {
            words: 256,
            word_size: 4,
            commitment: 0.25,
            decay: 0.99,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "vq_vae",
    summary: "autoencoder whose code is made of words of a learned codebook",
    source: "van den Oord et al. 2017, arXiv:1711.00937",
    item: Configured {
        defaults: latent::defaults::<VqVae>,
        make: latent::make::<VqVae>,
    },
};

/// A code vector that represents less than this share of what an average one does is dead.
const DEAD: f32 = 0.01;

impl Variant for VqVae {
    fn validate(&self, latents: usize) -> Vec<String> {
        let (size, decay) = (self.word_size, self.decay);
        let problems = [
            positive(&[("words", self.words), ("word_size", size)]),
            not_negative(&[("commitment", self.commitment)]),
            must((0.0..1.0).contains(&decay), || {
                format!("decay={decay} must be at least 0 and below 1")
            }),
            must(size == 0 || latents.is_multiple_of(size), || {
                format!("latents={latents} is no multiple of word_size={size}")
            }),
        ];
        problems.concat()
    }

    fn loss(&self, model: &Model, net: &Net, batch: &Batch, _: usize) -> Loss {
        let x = batch.views[0].clone();
        let latents = net.coordinates(net.trunk(x.clone()), model.latents);
        let book = Book::of(self, net);
        let chosen = book.nearest(&latents.clone().inner());
        let words = net.constant(book.words(&chosen, latents.dims(), net.device()));
        let perplexity = book.learn(self, net, &latents.clone().inner(), &chosen);
        let code = through(&latents, &words, |off| net.constant(off));
        let likelihood = model.log_likelihood(net, x, code).mean();
        let away = distance(latents.clone(), words);
        Loss {
            metrics: vec![
                ("reconstruction", -likelihood.clone()),
                ("commitment", away.clone()),
                ("perplexity", vector(vec![perplexity], net.device())),
            ],
            ..Loss::of(away * self.commitment - likelihood, vec![latents])
        }
    }

    fn code(&self, _: &Model, net: &Net, latents: Tensor<2>) -> Tensor<2> {
        let book = Book::of(self, net);
        let chosen = book.nearest(&latents.clone().inner());
        let words = book.words(&chosen, latents.dims(), net.device());
        through(&latents, &words, Tensor::detach)
    }

    fn has_posterior(&self) -> bool {
        false
    }

    /// Which words follow one another is not learned.
    fn has_prior(&self) -> bool {
        false
    }

    fn diagnose(&self, values: &BTreeMap<String, f64>) -> Option<(WarningKind, String)> {
        (*values.get("perplexity")? < 1.5 && self.words > 1).then(|| {
            (
                WarningKind::CodebookCollapse,
                "the codebook has collapsed: one code vector represents nearly everything; lower \
             objective.commitment or train.learning_rate"
                    .to_owned(),
            )
        })
    }
}

/// The words forward, the latents' gradient on the backward pass: `hold` lets none through.
fn through(
    latents: &Tensor<2>,
    words: &Tensor<2>,
    hold: impl Fn(Tensor<2>) -> Tensor<2>,
) -> Tensor<2> {
    latents.clone() + hold(words.clone() - latents.clone())
}

/// Mean squared distance of the rows of `[n, d]`, `[1]`.
fn distance(latents: Tensor<2>, words: Tensor<2>) -> Tensor<1> {
    (latents - words).powi_scalar(2).sum_dim(1).mean()
}

/// The codebook: words `[words, size]`, how often each was chosen of late, and sums of what it stood for.
struct Book {
    size: usize,
    words: Vec<f32>,
    counts: Vec<f32>,
    sums: Vec<f32>,
}

impl Book {
    fn of(settings: &VqVae, net: &Net) -> Book {
        let memory = net.at("memory");
        let (count, size) = (settings.words, settings.word_size);
        let spread = Init::Normal(1.0);
        Book {
            size,
            words: values(memory.buffer("words", count * size, spread)),
            counts: values(memory.buffer("counts", count, Init::Constant(0.0))),
            sums: values(memory.buffer("sums", count * size, Init::Constant(0.0))),
        }
    }

    /// The nearest word of each group of the rows of `[n, d]`.
    fn nearest(&self, latents: &Tensor<2>) -> Vec<u32> {
        let rows = values(latents.clone());
        let distance =
            |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
        let nearest = |group: &[f32]| {
            let words = self.words.chunks_exact(self.size).enumerate();
            let best = words.map(|(i, word)| (distance(group, word), i as u32));
            best.min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(0, |best| best.1)
        };
        rows.chunks_exact(self.size).map(nearest).collect()
    }

    /// The words in the place of latents of these axes.
    fn words(&self, chosen: &[u32], axes: [usize; 2], device: &Device) -> Tensor<2> {
        let word = |&i: &u32| &self.words[i as usize * self.size..][..self.size];
        let all: Vec<f32> = chosen.iter().flat_map(word).copied().collect();
        Tensor::from_data(TensorData::new(all, axes), device)
    }

    /// Moves words towards what they stood for, and revives dead ones; answers with the number of words
    /// that would be in use if all were used evenly (the exponential of the entropy of the choice).
    fn learn(mut self, settings: &VqVae, net: &Net, latents: &Tensor<2>, chosen: &[u32]) -> f32 {
        let rows = values(latents.clone());
        let used = self.follow(settings.decay as f32, &rows, chosen);
        self.revive(&rows, &mut net.rng("revived words"));
        let device = net.device();
        let memory = net.at("memory");
        memory.update("words", vector(self.words, device));
        memory.update("counts", vector(self.counts, device));
        memory.update("sums", vector(self.sums, device));
        let shares = used.iter().filter(|&&n| n > 0.0);
        let shares = shares.map(|n| n / chosen.len() as f32);
        (-shares.map(|p| p * p.ln()).sum::<f32>()).exp()
    }

    /// Moves each word to the running mean of the groups that it was chosen for; how often each was.
    fn follow(&mut self, keep: f32, rows: &[f32], chosen: &[u32]) -> Vec<f32> {
        let mut used = vec![0.0f32; self.counts.len()];
        chosen.iter().for_each(|&i| used[i as usize] += 1.0);
        self.counts.iter_mut().zip(&used).for_each(|(count, used)| {
            *count = *count * keep + used * (1.0 - keep);
        });
        self.sums.iter_mut().for_each(|sum| *sum *= keep);
        for (group, &i) in rows.chunks_exact(self.size).zip(chosen) {
            let sum = &mut self.sums[i as usize * self.size..][..self.size];
            sum.iter_mut()
                .zip(group)
                .for_each(|(sum, x)| *sum += x * (1.0 - keep));
        }
        for (i, count) in self.counts.iter().enumerate().filter(|(_, c)| **c > 0.0) {
            for at in i * self.size..(i + 1) * self.size {
                self.words[at] = self.sums[at] / count;
            }
        }
        used
    }

    /// Puts a group of the batch in the place of each dead word.
    fn revive(&mut self, rows: &[f32], rng: &mut impl Rng) {
        let average = self.counts.iter().sum::<f32>() / self.counts.len() as f32;
        for i in 0..self.counts.len() {
            if self.counts[i] >= DEAD * average {
                continue;
            }
            let place = i * self.size..(i + 1) * self.size;
            let from = rng.random_range(0..rows.len() / self.size) * self.size;
            let new = &rows[from..from + self.size];
            self.words[place.clone()].copy_from_slice(new);
            self.counts[i] = average;
            let sums = self.sums[place].iter_mut();
            sums.zip(new).for_each(|(sum, x)| *sum = x * average);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, check_loss, fill, matrix, numbers};
    use crate::nn::weights::rng_for;

    #[test]
    fn gradients_pass_as_in_torch() {
        let (words, wanted) = (matrix([6, 5], 1.1), matrix([6, 5], 2.3));
        check_loss("commitment", [6, 5], |latents| {
            let code = through(&latents, &words, Tensor::detach);
            let error = distance(code, wanted.clone());
            error + distance(latents, words.clone()) * VqVae::default().commitment
        });
    }

    #[test]
    fn groups_become_their_nearest_word() {
        let book = Book {
            size: 2,
            words: vec![0.0, 0.0, 1.0, 1.0, -1.0, 2.0],
            counts: vec![1.0; 3],
            sums: vec![0.0; 6],
        };
        let rows = vec![0.9, 1.2, -0.1, 0.2, -0.8, 1.7, 0.4, 0.4];
        let latents = vector(rows, &Device::cpu()).reshape([2, 4]);
        let chosen = book.nearest(&latents);
        assert_eq!(chosen, [1, 0, 2, 0]);
        let words = values(book.words(&chosen, [2, 4], &Device::cpu()));
        assert_eq!(words, [1.0, 1.0, 0.0, 0.0, -1.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn words_follow_what_they_stand_for_and_dead_ones_live_again() {
        let words = fill(6, 1.1);
        let counts = vec![2.0, 3.0, 1.0];
        let sums = words.chunks(2).zip(&counts);
        let mut book = Book {
            size: 2,
            sums: sums
                .flat_map(|(word, n)| word.iter().map(move |x| x * n))
                .collect(),
            words,
            counts,
        };
        let rows = fill(24, 0.3);
        let latents = vector(rows.clone(), &Device::cpu()).reshape([6, 4]);
        let chosen = book.nearest(&latents);
        book.follow(0.9, &rows, &chosen);
        assert_close("words", &book.words, &numbers(&["words", "words"]), 1e-6);
        assert_close("counts", &book.counts, &numbers(&["words", "counts"]), 1e-6);
        book.counts[1] = 0.0;
        let before = book.words.clone();
        book.revive(&rows, &mut rng_for("words", 0));
        let revived = &book.words[2..4];
        assert!(rows.chunks(2).any(|group| group == revived), "{revived:?}");
        assert_eq!(
            (&book.words[..2], &book.words[4..]),
            (&before[..2], &before[4..])
        );
        assert!(book.counts[1] > 0.0);
    }
}
