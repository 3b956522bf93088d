//! Vision Transformers (Dosovitskiy et al. 2021, arXiv:2010.11929), with timm's parameter names.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Encoder, image_problems};
use crate::dataset::Shape;
use crate::list::{self, Entry};
use crate::network::layers::affine;
use crate::network::tokens::{layer_norm, transformer_block};
use crate::network::{Init, Scope};

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

pub(super) const VIT_TINY: Entry<dyn Encoder> = Entry {
    name: "vit_tiny",
    summary: "Vision Transformer, 12 blocks of width 192",
    source: "Dosovitskiy et al. 2021, An image is worth 16x16 words, arXiv:2010.11929",
    defaults: || defaults(TINY),
    make: |table| make(TINY, table),
};

pub(super) const VIT_SMALL: Entry<dyn Encoder> = Entry {
    name: "vit_small",
    summary: "Vision Transformer, 12 blocks of width 384",
    defaults: || defaults(SMALL),
    make: |table| make(SMALL, table),
    ..VIT_TINY
};

pub(super) const VIT_BASE: Entry<dyn Encoder> = Entry {
    name: "vit_base",
    summary: "Vision Transformer, 12 blocks of width 768",
    defaults: || defaults(BASE),
    make: |table| make(BASE, table),
    ..VIT_TINY
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

    /// The patches of images as tokens, `[n · t, d]`, and t. The weights are those of a
    /// convolution of kernel and stride `patch`.
    fn embed(&self, scope: &Scope, x: Tensor<4>) -> (Tensor<2>, usize) {
        let [n, channels, height, width] = x.dims();
        let p = self.patch(height, width);
        let (rows, columns) = (height / p, width / p);
        let x = x.reshape([n, channels, rows, p, columns, p]);
        let dim = channels * p * p;
        let x = x.permute([0, 2, 4, 1, 3, 5]);
        let x = x.reshape([n * rows * columns, dim]);
        let init = Init::UniformFanIn(dim);
        let weight = scope.weight("weight", [self.width, channels, p, p], init);
        let bias = scope.weight("bias", [self.width], init);
        let weight = weight.reshape([self.width, dim]);
        (affine(scope, x, weight, Some(bias), None), rows * columns)
    }
}

impl Encoder for Vit {
    fn features(&self, scope: &Scope, x: Tensor<4>) -> Tensor<2> {
        let (n, dim) = (x.dims()[0], self.width);
        let (x, patches) = self.embed(&scope.at("patch_embed.proj"), x);
        let mut x = x.reshape([n, patches, dim]);
        if self.pool == Pool::Class {
            let class = scope.weight("cls_token", [1, 1, dim], Init::Normal(1e-6));
            x = Tensor::cat(vec![class.repeat_dim(0, n), x], 1);
        }
        let tokens = x.dims()[1];
        let x = x + scope.weight("pos_embed", [1, tokens, dim], Init::Normal(0.02));
        let mut x = x.reshape([n * tokens, dim]);
        for i in 0..self.depth {
            x = transformer_block(&scope.at(format!("blocks.{i}")), x, tokens, self.heads());
        }
        let x = x.reshape([n, tokens, dim]);
        match self.pool {
            Pool::Class => {
                let class = x.narrow(1, 0, 1).reshape([n, dim]);
                layer_norm(&scope.at("norm"), class)
            }
            Pool::Mean => {
                let mean = x.mean_dim(1).reshape([n, dim]);
                layer_norm(&scope.at("fc_norm"), mean)
            }
        }
    }

    fn problems(&self, shape: Shape) -> Vec<String> {
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
