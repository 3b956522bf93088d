//! Masked autoencoder: draw the hidden patches of an image from the visible ones.
//!
//! `loss = mean over hidden patches of the mean squared difference between what the decoder draws and
//! the patch`, each patch brought to mean 0 and variance 1 if `normalise` (He et al. 2022,
//! arXiv:2111.06377). The encoder sees the visible patches alone; a small transformer gets its tokens,
//! a learned mask token in place of each hidden patch, and positions.
//!
//! Deviations: the decoder has 2 blocks of width 128 rather than 8 of 512, for encoders of width 192;
//! its positions are learned, and so are the encoder's (the paper's are sines). Views are the weak ones of
//! `hspace views`, crops of six tenths of an image or more, of digits of eight tenths (the paper: two tenths). The
//! variance of a patch is unbiased, as in the authors' code. Each
//! sample's hidden patches are drawn from the run's seed and the step.

use burn_tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::encoder::{self, Encoder};
use crate::list::{self, Configured, Entry};
use crate::nn::tokens::{dense, layer_norm, transformer_block};
use crate::nn::{Init, Scope};
use crate::objective::heads::{must, positive};
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mae {
    /// Share of the patches that is hidden, between 0 and 1.
    hidden: f64,
    /// Whether each patch's own mean and deviation are taken out of what is to be drawn.
    normalise: bool,
    /// Numbers of a token of the decoder, a multiple of its heads.
    width: usize,
    /// Blocks of the decoder.
    depth: usize,
    /// Heads of its attention.
    heads: usize,
}

impl Default for Mae {
    fn default() -> Self {
        Mae {
            hidden: 0.75,
            normalise: true,
            width: 128,
            depth: 2,
            heads: 4,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "mae",
    summary: "draws the hidden patches of an image from the visible ones; for vit_*",
    source: "He et al. 2022, arXiv:2111.06377",
    item: Configured {
        defaults: list::defaults::<Mae>,
        make: |table| {
            let settings: Mae = list::parse(table)?;
            let Mae {
                width,
                heads,
                hidden,
                ..
            } = settings;
            let problems = [
                positive(&[
                    ("width", width),
                    ("depth", settings.depth),
                    ("heads", heads),
                ]),
                must(heads == 0 || width.is_multiple_of(heads), || {
                    format!("width={width} is not a multiple of heads={heads}")
                }),
                must(hidden > 0.0 && hidden < 1.0, || {
                    format!("hidden={hidden} must be between 0 and 1")
                }),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for Mae {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn validate(&self, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
        let Some(patches) = encoder.patches() else {
            return vec![
                "objective `mae` hides patches of images, and this encoder has none; use vit_tiny, \
                 vit_small or vit_base"
                    .to_owned(),
            ];
        };
        // What is wrong with the shape says the encoder itself.
        if !encoder.validate(spec.shape).is_empty() {
            return vec![];
        }
        let one = encoder::blank(1, spec.shape, &Device::cpu());
        match patches.cut(one).dims()[1] {
            0 | 1 => vec![
                "objective `mae` needs at least two patches, one to hide and one to see; lower \
                 encoder.patch, or raise train.image_size"
                    .to_owned(),
            ],
            _ => vec![],
        }
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::All, vec![ViewKind::Random])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let patches = net.patches(&x);
        let [n, t, size] = patches.dims();
        let hidden = ((t as f64 * self.hidden).round() as usize).clamp(1, t - 1);
        let split = Split::draw(net, n, t, hidden);
        let tokens = net.encode_patches(x, split.visible.clone());
        let features = pooled(tokens.clone(), t - hidden);
        let drawn = self.decode(&net.at("decoder"), tokens, &split, patches.dims());
        let patches = patches.reshape([n * t, size]);
        let target = patches.select(0, split.hidden_on(net.device()));
        let total = difference(drawn, target, self.normalise);
        Loss::of(total, vec![features])
    }
}

/// What is taken for the representation `[n, d]` of samples of which `seen` patches are visible, from their tokens
/// `[n, seen (+ 1), d]`: the class token where there is one, or else the mean (here of tokens that are each
/// normalised; in the representation, their mean is).
fn pooled(tokens: Tensor<3>, seen: usize) -> Tensor<2> {
    let [n, with_class, dim] = tokens.dims();
    let one = match with_class > seen {
        true => tokens.narrow(1, 0, 1),
        false => tokens.mean_dim(1),
    };
    one.reshape([n, dim])
}

/// Mean squared difference of what was `drawn` and the patches, `[n, numbers]` both, `[1]`.
fn difference(drawn: Tensor<2>, patches: Tensor<2>, normalise: bool) -> Tensor<1> {
    let target = match normalise {
        true => {
            let numbers = patches.dims()[1] as f64;
            let off = patches.clone() - patches.mean_dim(1);
            let squares = off.clone().powi_scalar(2).sum_dim(1);
            off / (squares / (numbers - 1.0).max(1.0) + 1e-6).sqrt()
        }
        false => patches,
    };
    (drawn - target).powi_scalar(2).mean()
}

impl Mae {
    /// The hidden patches `[n · hidden, numbers]`, drawn from `tokens [n, seen (+ 1), d]`.
    fn decode(
        &self,
        scope: &Scope,
        tokens: Tensor<3>,
        split: &Split,
        [n, t, numbers]: [usize; 3],
    ) -> Tensor<2> {
        let [_, with_class, dim] = tokens.dims();
        let seen = split.visible.len() / n;
        let class = with_class - seen;
        let tokens = tokens.reshape([n * with_class, dim]);
        let tokens = dense(&scope.at("embed"), tokens, self.width, None);
        let mask = scope.weight("mask_token", [1, self.width], Init::Normal(0.02));
        // Each sample's class token and patches in their places, from the rows of tokens, the last
        // of which is the mask token.
        let mut rows = vec![(n * with_class) as i64; n * (class + t)];
        for (sample, rows) in rows.chunks_exact_mut(class + t).enumerate() {
            let first = sample * with_class;
            (0..class).for_each(|i| rows[i] = (first + i) as i64);
            let visible = &split.visible[sample * seen..][..seen];
            for (i, &patch) in visible.iter().enumerate() {
                rows[class + patch as usize] = (first + class + i) as i64;
            }
        }
        let rows =
            Tensor::<1, Int>::from_data(TensorData::new(rows, [n * (class + t)]), scope.device());
        let x = Tensor::cat(vec![tokens, mask], 0).select(0, rows);
        let shape = [1, class + t, self.width];
        let positions = scope.weight("pos_embed", shape, Init::Normal(0.02));
        let x = x.reshape([n, class + t, self.width]) + positions;
        let mut x = x.reshape([n * (class + t), self.width]);
        for i in 0..self.depth {
            x = transformer_block(&scope.at(format!("blocks.{i}")), x, class + t, self.heads);
        }
        let x = x.reshape([n, class + t, self.width]).narrow(1, class, t);
        let hidden = split.hidden_on(scope.device());
        let x = x.reshape([n * t, self.width]).select(0, hidden);
        dense(
            &scope.at("draw"),
            layer_norm(&scope.at("norm"), x),
            numbers,
            None,
        )
    }
}

/// Which patches of each sample are visible.
struct Split {
    /// `[n, seen]`, places in the sample, ascending.
    visible: Vec<u32>,
    /// `[n, hidden]`, rows of `[n · t]`.
    hidden: Vec<i64>,
}

impl Split {
    fn draw(net: &Net, n: usize, t: usize, hidden: usize) -> Split {
        let mut rng = net.rng("hidden patches");
        let (mut visible, mut away) = (Vec::new(), Vec::new());
        let mut places: Vec<u32> = (0..t as u32).collect();
        for sample in 0..n {
            places.shuffle(&mut rng);
            let (gone, left) = places.split_at_mut(hidden);
            gone.sort_unstable();
            left.sort_unstable();
            away.extend(gone.iter().map(|&p| (sample * t) as i64 + i64::from(p)));
            visible.extend_from_slice(left);
        }
        Split {
            visible,
            hidden: away,
        }
    }

    fn hidden_on(&self, device: &Device) -> Tensor<1, Int> {
        let count = self.hidden.len();
        Tensor::from_data(TensorData::new(self.hidden.clone(), [count]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Shape;
    use crate::golden::{assert_close, check_loss, matrix, noise};
    use crate::nn::weights::values;
    use crate::nn::{Mode, Pass};

    #[test]
    fn agrees_with_the_authors_formula() {
        check_loss("mae", [6, 5], |drawn| {
            difference(drawn, matrix([6, 5], 1.1), true)
        });
    }

    /// With every patch visible.
    #[test]
    fn the_class_token_is_watched_where_it_is_the_representation() {
        let device = Device::cpu();
        let settings = "width = 8\ndepth = 1\nheads = 2".parse().unwrap();
        let vit = encoder::make("vit_tiny", settings).unwrap();
        let shape = Shape::Image {
            channels: 1,
            height: 8,
            width: 8,
        };
        let (weights, _) = encoder::init(&*vit, shape, 3, &device);
        let weights = weights.prefixed("encoder");
        let pass = Pass::new(&weights, Mode::Eval, &device);
        let net = Net::new(&*vit, &pass);
        let x = noise(encoder::axes(2, shape), 0.4);
        let tokens = net.encode_patches(x.clone(), [0, 1, 2, 3].repeat(2));
        let watched = values(pooled(tokens, 4));
        let features = values(net.encode(x)).into_iter().map(f64::from);
        assert_close("features", &watched, &features.collect::<Vec<_>>(), 1e-5);
    }

    #[test]
    fn without_a_class_token_the_mean_is_watched() {
        let tokens = matrix([4, 3], 0.2).reshape([2, 2, 3]);
        let all = values(tokens.clone());
        let watched = values(pooled(tokens, 2));
        let mean = |i: usize| f64::from(all[i / 3 * 6 + i % 3] + all[i / 3 * 6 + 3 + i % 3]) / 2.0;
        let expected: Vec<f64> = (0..6).map(mean).collect();
        assert_close("mean", &watched, &expected, 1e-6);
    }
}
