//! Vision Transformers (Dosovitskiy et al. 2021, arXiv:2010.11929), with timm's parameter names.

use std::ops::Range;

use burn_tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{Encoder, Features, Patches, Stage, Tokens, image_problems};
use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::nn::layers::affine;
use crate::nn::tokens::{layer_norm, transformer_block};
use crate::nn::{Init, Scope, Weight};

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Vit {
    /// Numbers of a token, a multiple of `heads`.
    width: usize,
    /// Blocks.
    depth: usize,
    /// Heads of each attention; 0 for one in 64 numbers.
    heads: usize,
    /// Side of a patch in pixels; 0 for 4 below 96 pixels and 16 from there.
    patch: usize,
    /// What the features are.
    pool: Pool,
}

/// What becomes of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pool {
    /// The class token is the features.
    Class,
    /// The mean of the patches' tokens is; there is no class token.
    Mean,
}

impl Default for Vit {
    fn default() -> Self {
        Vit {
            width: TINY,
            depth: 12,
            heads: 0,
            patch: 0,
            pool: Pool::Class,
        }
    }
}

const TINY: usize = 192;
const SMALL: usize = 384;
const BASE: usize = 768;

pub(super) const VIT_TINY: Entry<Configured<dyn Encoder>> = Entry {
    name: "vit_tiny",
    summary: "Vision Transformer, 12 blocks of width 192",
    source: "Dosovitskiy et al. 2021, An image is worth 16x16 words, arXiv:2010.11929",
    item: Configured {
        defaults: || defaults(TINY),
        make: |table| make(TINY, table),
    },
};

pub(super) const VIT_SMALL: Entry<Configured<dyn Encoder>> = Entry {
    name: "vit_small",
    summary: "Vision Transformer, 12 blocks of width 384",
    source: VIT_TINY.source,
    item: Configured {
        defaults: || defaults(SMALL),
        make: |table| make(SMALL, table),
    },
};

pub(super) const VIT_BASE: Entry<Configured<dyn Encoder>> = Entry {
    name: "vit_base",
    summary: "Vision Transformer, 12 blocks of width 768",
    source: VIT_TINY.source,
    item: Configured {
        defaults: || defaults(BASE),
        make: |table| make(BASE, table),
    },
};

fn defaults(width: usize) -> toml::Table {
    let mut table = list::defaults::<Vit>();
    table.insert("width".into(), toml::Value::Integer(width as i64));
    table
}

fn make(width: usize, table: toml::Table) -> Result<Box<dyn Encoder>, String> {
    let mut all = defaults(width);
    all.extend(table);
    Ok(Box::new(list::parse::<Vit>(all)?))
}

impl Vit {
    fn heads(&self) -> usize {
        match self.heads {
            0 => (self.width / 64).max(1),
            heads => heads,
        }
    }

    fn patch(&self, height: usize, width: usize) -> usize {
        match self.patch {
            0 if height.min(width) < 96 => 4,
            0 => 16,
            patch => patch,
        }
    }
}

impl Vit {
    /// Where the last normalisation keeps its weights (timm's names).
    fn norm(&self) -> &'static str {
        match self.pool {
            Pool::Class => "norm",
            Pool::Mean => "fc_norm",
        }
    }

    /// Tokens before the blocks; of the `visible` patches of each image, if only these are asked for.
    fn embed(&self, scope: &Scope, x: Tensor<4>, visible: Option<&[u32]>) -> Tokens {
        let ([n, channels, height, width], dim) = (x.dims(), self.width);
        // Weights that are there already have chosen: images of other sizes follow.
        let p = match scope.at("patch_embed").at("proj").shape("weight") {
            Some(shape) => shape[2],
            None => self.patch(height, width),
        };
        let mut x = cut(x, p);
        let [_, patches, numbers] = x.dims();
        let positions = self.positions(scope, [height / p, width / p]);
        let class = positions.dims()[1] - patches;
        let mut places = positions.clone().narrow(1, class, patches);
        if let Some(visible) = visible {
            let seen = visible.len() / n;
            let rows = |step: usize| {
                let of = |(i, &patch): (usize, &u32)| (i / seen * step) as i64 + i64::from(patch);
                let rows: Vec<i64> = visible.iter().enumerate().map(of).collect();
                Tensor::<1, Int>::from_data(TensorData::new(rows, [n * seen]), scope.device())
            };
            let picked = x.reshape([n * patches, numbers]).select(0, rows(patches));
            x = picked.reshape([n, seen, numbers]);
            let picked = places.reshape([patches, dim]).select(0, rows(0));
            places = picked.reshape([n, seen, dim]);
        }
        let seen = x.dims()[1];
        // A convolution of kernel and stride `patch`.
        let projection = scope.at("patch_embed.proj");
        let init = Init::UniformFanIn(numbers);
        let weight = projection.weight("weight", [dim, channels, p, p], init);
        let bias = projection.weight("bias", [dim], init);
        let rows = x.reshape([n * seen, numbers]);
        let x = affine(
            scope,
            rows,
            weight.reshape([dim, numbers]),
            Some(bias),
            None,
            None,
        );
        let mut x = x.reshape([n, seen, dim]) + places;
        if class > 0 {
            let token = scope.weight("cls_token", [1, 1, dim], Init::Normal(1e-6));
            let token = token + positions.narrow(1, 0, 1);
            x = Tensor::cat(vec![token.repeat_dim(0, n), x], 1);
        }
        let count = class + seen;
        Tokens {
            rows: x.reshape([n * count, dim]),
            count,
            prefix: class,
        }
    }

    /// Tokens after those `blocks`, before the last normalisation.
    fn mixed(&self, scope: &Scope, mut tokens: Tokens, blocks: Range<usize>) -> Tokens {
        for i in blocks {
            let block = scope.at(format!("blocks.{i}"));
            tokens.rows = transformer_block(&block, tokens.rows, tokens.count, self.heads());
        }
        tokens
    }

    /// What says where tokens are, `[1, t, d]`, for patches in `rows` and `columns`: learned for the
    /// size of the first images, and interpolated for others, which takes square images.
    fn positions(&self, scope: &Scope, [rows, columns]: [usize; 2]) -> Tensor<3> {
        let first = usize::from(self.pool == Pool::Class);
        let learned = match scope.shape("pos_embed") {
            Some(shape) => shape[1],
            None => first + rows * columns,
        };
        let shape = [1, learned, self.width];
        let positions = scope.weight("pos_embed", shape, Init::Normal(0.02));
        if learned == first + rows * columns {
            return positions;
        }
        resized(positions, first, [rows, columns]).expect("a square of positions")
    }
}

/// Positions `[1, first + side · side, d]` for patches in `rows` and `columns`, the `first` tokens as
/// they are; `None` if the given ones are no square.
fn resized(positions: Tensor<3>, first: usize, [rows, columns]: [usize; 2]) -> Option<Tensor<3>> {
    let [_, learned, width] = positions.dims();
    let count = learned.checked_sub(first)?;
    let side = count.isqrt();
    if side * side != count || count == 0 {
        return None;
    }
    let size = [rows * columns, count];
    let weights = TensorData::new(interpolation(side, [rows, columns]), size);
    let weights = Tensor::<2>::from_data(weights, &positions.device().inner());
    let patches = positions.clone().narrow(1, first, count);
    let patches = weights.matmul(patches.reshape([count, width]));
    let patches = patches.reshape([1, rows * columns, width]);
    Some(Tensor::cat(vec![positions.narrow(1, 0, first), patches], 1))
}

/// Bicubic interpolation of a square of `side` × `side` numbers to `rows` × `columns`, as a matrix
/// `[rows · columns, side · side]`; smoothed where it shrinks, as in timm (Keys 1981, a = −½).
fn interpolation(side: usize, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let (down, across) = (along(side, rows), along(side, columns));
    let mut matrix = Vec::with_capacity(rows * columns * side * side);
    for y in &down {
        for x in &across {
            matrix.extend(y.iter().flat_map(|y| x.iter().map(move |x| (y * x) as f32)));
        }
    }
    matrix
}

/// The same along one axis: for each of `to` places the weights of the `from` numbers.
fn along(from: usize, to: usize) -> Vec<Vec<f64>> {
    let cubic = |x: f64| match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    };
    let step = from as f64 / to as f64;
    let place = |i: usize| {
        let center = (i as f64 + 0.5) * step;
        let weight = |j: usize| cubic((j as f64 + 0.5 - center) / step.max(1.0));
        let weights: Vec<f64> = (0..from).map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|w| w / total).collect()
    };
    (0..to).map(place).collect()
}

/// Patches of `p` by `p` pixels, row by row: `[n, c, h, w]` to `[n, t, c · p · p]`.
fn cut(x: Tensor<4>, p: usize) -> Tensor<3> {
    let [n, channels, height, width] = x.dims();
    let (rows, columns) = (height / p, width / p);
    let x = x.reshape([n, channels, rows, p, columns, p]);
    let x = x.permute([0, 2, 4, 1, 3, 5]);
    x.reshape([n, rows * columns, channels * p * p])
}

impl Patches for Vit {
    fn side(&self, height: usize, width: usize) -> usize {
        self.patch(height, width)
    }

    fn cut(&self, x: Tensor<4>) -> Tensor<3> {
        let [_, _, height, width] = x.dims();
        cut(x, self.patch(height, width))
    }

    fn tokens(&self, scope: &Scope, x: Tensor<4>, visible: Option<&[u32]>) -> Tensor<3> {
        let tokens = self.embed(scope, x, visible);
        let tokens = self.mixed(scope, tokens, 0..self.depth);
        let rows = layer_norm(&scope.at(self.norm()), tokens.rows);
        Tokens { rows, ..tokens }.by_sample()
    }
}

impl Encoder for Vit {
    fn stages(&self, shape: Shape) -> Vec<Stage> {
        let patch = match shape {
            Shape::Image { height, width, .. } => self.patch(height, width),
            Shape::Vector { .. } => 1,
        };
        let first = Stage::new(&["patch_embed", "cls_token", "pos_embed"], patch);
        let block = |i: usize| Stage::new(&[&format!("blocks.{i}")], 1);
        [first]
            .into_iter()
            .chain((0..self.depth).map(block))
            .collect()
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        if stages.is_empty() {
            return x;
        }
        let tokens = match x {
            Features::Samples(x) => self.embed(scope, x, None),
            Features::Tokens(tokens) => tokens,
            Features::Maps(_) | Features::Vector(_) => panic!("a transformer takes tokens"),
        };
        // Block i is stage i + 1.
        let blocks = stages.start.saturating_sub(1)..stages.end - 1;
        Features::Tokens(self.mixed(scope, tokens, blocks))
    }

    fn pool(&self, scope: &Scope, x: Features) -> Tensor<2> {
        let Features::Tokens(tokens) = x else {
            return x.pooled();
        };
        let x = tokens.by_sample();
        let [n, _, dim] = x.dims();
        let x = match self.pool {
            Pool::Class => x.narrow(1, 0, 1),
            Pool::Mean => x.mean_dim(1),
        };
        layer_norm(&scope.at(self.norm()), x.reshape([n, dim]))
    }

    fn patches(&self) -> Option<&dyn Patches> {
        Some(self)
    }

    fn adapt(&self, name: &str, found: &Weight, wanted: &[usize]) -> Option<Weight> {
        let ("pos_embed", &[1, learned, width], &[1, tokens, same]) =
            (name, &found.shape[..], wanted)
        else {
            return None;
        };
        let first = usize::from(self.pool == Pool::Class);
        let side = (tokens - first).isqrt();
        if width != same || learned == tokens || side * side != tokens - first {
            return None;
        }
        let positions = found.value.clone().reshape([1, learned, width]);
        Some(Weight {
            value: resized(positions, first, [side, side])?.reshape([tokens * width]),
            shape: wanted.to_vec(),
            trained: found.trained,
        })
    }

    fn python(&self, shape: Shape) -> Option<String> {
        let Shape::Image {
            channels,
            height,
            width,
        } = shape
        else {
            return None;
        };
        let pool = match self.pool {
            Pool::Class => "",
            Pool::Mean => ", global_pool='avg', class_token=False",
        };
        Some(format!(
            "import timm\n\
             model = timm.models.VisionTransformer(img_size=({height}, {width}), \
             patch_size={}, in_chans={channels}, embed_dim={}, depth={}, num_heads={}, \
             num_classes=0{pool})\n",
            self.patch(height, width),
            self.width,
            self.depth,
            self.heads(),
        ))
    }

    fn takes_any_size(&self, shape: Shape) -> bool {
        matches!(shape, Shape::Image { height, width, .. } if height == width)
    }

    fn validate(&self, shape: Shape) -> Vec<String> {
        let mut problems = image_problems("vit", shape, self.patch.max(4));
        if self.width == 0 || self.depth == 0 {
            problems.push("encoder.width and encoder.depth must be at least 1".to_owned());
        }
        if !self.width.is_multiple_of(self.heads()) {
            problems.push(format!(
                "encoder.width={} is not a multiple of encoder.heads={}",
                self.width,
                self.heads()
            ));
        }
        if let Shape::Image { height, width, .. } = shape {
            let p = self.patch(height, width);
            if !height.is_multiple_of(p) || !width.is_multiple_of(p) {
                problems.push(format!(
                    "patches of {p}x{p} pixels do not fill images of {width}x{height}; set \
                     encoder.patch, or train.image_size to a multiple of {p}"
                ));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::golden::{assert_close, fill, noise, number, numbers};
    use crate::nn::weights::{values, vector};
    use crate::nn::{Mode, Pass, Weights};

    #[test]
    fn positions_for_another_size_are_timms() {
        let device = Device::cpu();
        let vit = list::parse::<Vit>(toml::Table::from_iter([("width".into(), 3.into())])).unwrap();
        let mut weights = Weights::default();
        let learned = Weight {
            value: vector(fill(17 * 3, 0.2), &device),
            shape: vec![1, 17, 3],
            trained: true,
        };
        weights.insert("encoder.pos_embed".into(), learned);
        let pass = Pass::new(&weights, Mode::Eval, &device);
        for side in [3, 6] {
            let found = values(vit.positions(&pass.at("encoder"), [side, side]));
            let expected = numbers(&["positions", &format!("to{side}")]);
            assert_close("positions", &found, &expected, 1e-5);
        }
    }

    /// The golden script's weights: each by its shape and the sum of its name's bytes.
    fn by_formula(fresh: &Weights) -> Weights {
        let mut weights = fresh.clone();
        for (name, weight) in fresh.iter() {
            let phase: u32 = name.bytes().map(u32::from).sum();
            let fan_in: usize = weight.shape[1..].iter().product();
            let x = noise([weight.shape.iter().product()], f64::from(phase));
            let value = match weight.shape.len() {
                1 if name.ends_with(".weight") => x * 0.2 + 1.0,
                1 => x * 0.1,
                _ => x * (6.0 / fan_in as f64).sqrt(),
            };
            weights.set(name, value);
        }
        weights
    }

    fn agrees_with_timm(pool: &str) {
        let device = Device::cpu();
        let sizes = [("width", 24), ("depth", 2), ("heads", 3), ("patch", 4)];
        let sizes = sizes.map(|(key, value)| (key.to_owned(), value.into()));
        let mut table = toml::Table::from_iter(sizes);
        table.insert("pool".to_owned(), pool.into());
        let vit = make(24, table).unwrap();
        let shape = Shape::Image {
            channels: 3,
            height: 12,
            width: 12,
        };
        let (fresh, _) = crate::encoder::init(&*vit, shape, 0, &device);
        let weights = by_formula(&fresh).prefixed("encoder").tracked(|_| true);
        let pass = Pass::new(&weights, Mode::Train, &device);
        let x = noise(crate::encoder::axes(2, shape), 0.5) * 0.02;
        let features = vit.features(&pass.at("encoder"), x);
        let name: &str = &format!("vit_{pool}");
        let found = values(features.clone().inner());
        assert_close("features", &found, &numbers(&[name, "features"]), 1e-5);
        let mut gradients = (features * noise([2, 24], 0.9)).sum().backward();
        let first = weights.get("encoder.patch_embed.proj.weight").unwrap();
        let gradient = first.value.grad_remove(&mut gradients).unwrap();
        let norm = values((gradient.clone() * gradient).sum().sqrt());
        let expected = number(&[name, "patch_grad_norm"]);
        assert_close("gradient", &norm, &[expected], 1e-5);
    }

    #[test]
    fn with_a_class_token_it_agrees_with_timm() {
        agrees_with_timm("class");
    }

    #[test]
    fn with_the_mean_of_tokens_it_agrees_with_timm() {
        agrees_with_timm("mean");
    }

    #[test]
    fn images_of_other_sizes_are_cut_as_the_weights_are() {
        let device = Device::cpu();
        let small = [("width", 8), ("depth", 1)];
        let table = small.map(|(key, value)| (key.to_owned(), value.into()));
        let vit = make(8, toml::Table::from_iter(table)).unwrap();
        let shape = |side| Shape::Image {
            channels: 1,
            height: side,
            width: side,
        };
        // Patches of 16 at 96 pixels; of 4 they would be at 48.
        let (weights, _) = crate::encoder::init(&*vit, shape(96), 0, &device);
        let weights = weights.prefixed("encoder");
        let pass = Pass::new(&weights, Mode::Eval, &device);
        let x = vector(fill(48 * 48, 0.1), &device).reshape(crate::encoder::axes(1, shape(48)));
        assert_eq!(vit.features(&pass.at("encoder"), x).dims(), [1, 8]);
    }
}
