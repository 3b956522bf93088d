//! Residual networks (He et al. 2016, arXiv:1512.03385), with torchvision's parameter names.
//!
//! Stride 2 of a bottleneck is in its 3×3 convolution, as in torchvision ("v1.5"). We leave out
//! the classification layer: heads belong to objectives.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Encoder, Features, Stage, image_problems};
use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::nn::Scope;
use crate::nn::blocks::{Conv, Residual, Shortcut, Unit, residual_blocks};

const SOURCE: &str = "He et al. 2016, Deep residual learning, arXiv:1512.03385";

/// What a user may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Channels of the first stage; the others have 2, 4 and 8 times as many. Groups of channels, where the
    /// architecture has them, shrink and grow with it.
    width: usize,
    /// Blocks of each stage, four numbers; empty for those of the architecture.
    blocks: Vec<usize>,
    /// First layer.
    stem: Stem,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            width: 64,
            blocks: vec![],
            stem: Stem::Auto,
        }
    }
}

/// The first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stem {
    /// `small` below 96 pixels, `imagenet` from there.
    Auto,
    /// One 3×3 convolution at full resolution.
    Small,
    /// 7×7 convolution of stride 2 and max pooling of stride 2.
    Imagenet,
}

struct ResNet {
    name: &'static str,
    blocks: [usize; 4],
    form: Form,
    settings: Settings,
}

/// What the blocks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Two convolutions of 3 × 3.
    Basic,
    /// 1 × 1, 3 × 3 with `wide` times the stage's channels, 1 × 1 to four times as many.
    Bottleneck {
        wide: usize,
        /// Groups of channels of the 3 × 3 at `width` 64, in proportion at others; 0 for one at any.
        groups: usize,
    },
}

const PLAIN: Form = Form::Bottleneck { wide: 1, groups: 0 };
const WIDE: Form = Form::Bottleneck { wide: 2, groups: 0 };

pub(super) const RESNET18: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnet18",
    summary: "residual network, 18 layers of 3x3 convolutions",
    source: SOURCE,
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| make("resnet18", [2, 2, 2, 2], Form::Basic, table),
    },
};

pub(super) const RESNET34: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnet34",
    summary: "residual network, 34 layers of 3x3 convolutions",
    source: RESNET18.source,
    item: Configured {
        make: |table| make("resnet34", [3, 4, 6, 3], Form::Basic, table),
        ..RESNET18.item
    },
};

pub(super) const RESNET50: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnet50",
    summary: "residual network, 50 layers in bottleneck blocks",
    source: RESNET18.source,
    item: Configured {
        make: |table| make("resnet50", [3, 4, 6, 3], PLAIN, table),
        ..RESNET18.item
    },
};

pub(super) const RESNET101: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnet101",
    summary: "residual network, 101 layers in bottleneck blocks",
    source: RESNET18.source,
    item: Configured {
        make: |table| make("resnet101", [3, 4, 23, 3], PLAIN, table),
        ..RESNET18.item
    },
};

pub(super) const RESNET152: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnet152",
    summary: "residual network, 152 layers in bottleneck blocks",
    source: RESNET18.source,
    item: Configured {
        make: |table| make("resnet152", [3, 8, 36, 3], PLAIN, table),
        ..RESNET18.item
    },
};

/// Zagoruyko & Komodakis 2016, arXiv:1605.07146, in torchvision's form.
pub(super) const WIDE_RESNET50_2: Entry<Configured<dyn Encoder>> = Entry {
    name: "wide_resnet50_2",
    summary: "resnet50 with twice the channels inside the blocks",
    source: "Zagoruyko & Komodakis 2016, Wide residual networks, arXiv:1605.07146",
    item: Configured {
        make: |table| make("wide_resnet50_2", [3, 4, 6, 3], WIDE, table),
        ..RESNET18.item
    },
};

pub(super) const WIDE_RESNET101_2: Entry<Configured<dyn Encoder>> = Entry {
    name: "wide_resnet101_2",
    summary: "resnet101 with twice the channels inside the blocks",
    source: WIDE_RESNET50_2.source,
    item: Configured {
        make: |table| make("wide_resnet101_2", [3, 4, 23, 3], WIDE, table),
        ..WIDE_RESNET50_2.item
    },
};

/// Xie et al. 2017, arXiv:1611.05431, in torchvision's form.
pub(super) const RESNEXT50_32X4D: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnext50_32x4d",
    summary: "resnet50 whose 3x3 convolutions are in 32 groups, of 4 channels in the first stage",
    source: "Xie et al. 2017, Aggregated residual transformations, arXiv:1611.05431",
    item: Configured {
        make: |table| {
            let form = Form::Bottleneck {
                wide: 2,
                groups: 32,
            };
            make("resnext50_32x4d", [3, 4, 6, 3], form, table)
        },
        ..RESNET18.item
    },
};

pub(super) const RESNEXT101_32X8D: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnext101_32x8d",
    summary: "resnet101 whose 3x3 convolutions are in 32 groups, of 8 channels in the first stage",
    source: RESNEXT50_32X4D.source,
    item: Configured {
        make: |table| {
            let form = Form::Bottleneck {
                wide: 4,
                groups: 32,
            };
            make("resnext101_32x8d", [3, 4, 23, 3], form, table)
        },
        ..RESNEXT50_32X4D.item
    },
};

pub(super) const RESNEXT101_64X4D: Entry<Configured<dyn Encoder>> = Entry {
    name: "resnext101_64x4d",
    summary: "resnet101 whose 3x3 convolutions are in 64 groups, of 4 channels in the first stage",
    source: RESNEXT50_32X4D.source,
    item: Configured {
        make: |table| {
            let form = Form::Bottleneck {
                wide: 4,
                groups: 64,
            };
            make("resnext101_64x4d", [3, 4, 23, 3], form, table)
        },
        ..RESNEXT50_32X4D.item
    },
};

fn make(
    name: &'static str,
    blocks: [usize; 4],
    form: Form,
    table: toml::Table,
) -> Result<Box<dyn Encoder>, String> {
    let settings: Settings = list::parse(table)?;
    let blocks = match settings.blocks[..] {
        [] => blocks,
        [a, b, c, d] if settings.blocks.iter().all(|&n| n > 0) => [a, b, c, d],
        _ => {
            let given = &settings.blocks;
            return Err(format!(
                "blocks={given:?} must be four numbers of at least 1, such as {blocks:?}"
            ));
        }
    };
    Ok(Box::new(ResNet {
        name,
        blocks,
        form,
        settings,
    }))
}

/// Kernel of the small stem.
const SMALL: usize = 3;

impl ResNet {
    fn small(&self, height: usize, width: usize) -> bool {
        match self.settings.stem {
            Stem::Auto => height.min(width) < 96,
            Stem::Small => true,
            Stem::Imagenet => false,
        }
    }

    /// The first layer, and whether it is the small one.
    fn stem<'a>(&self, scope: &Scope<'a>, [_, _, height, width]: [usize; 4]) -> (Unit<'a>, bool) {
        // Weights that are there already have chosen: images of other sizes follow.
        let small = match scope.at("conv1").shape("weight") {
            Some(shape) => shape[2] == SMALL,
            None => self.small(height, width),
        };
        let unit = Unit {
            conv: scope.at("conv1"),
            norm: scope.at("bn1"),
            block: Conv {
                out: self.settings.width,
                kernel: if small { SMALL } else { 7 },
                stride: if small { 1 } else { 2 },
                groups: 1,
                relu: true,
            },
        };
        (unit, small)
    }

    /// Channels that leave a stage.
    fn outputs(&self, planes: usize) -> usize {
        match self.form {
            Form::Basic => planes,
            Form::Bottleneck { .. } => 4 * planes,
        }
    }

    /// One residual block of maps of so many `channels`.
    fn block<'a>(
        &self,
        scope: &Scope<'a>,
        channels: usize,
        planes: usize,
        stride: usize,
    ) -> Residual<Unit<'a>> {
        let out = self.outputs(planes);
        let conv = |out, kernel, stride, relu| Conv {
            out,
            kernel,
            stride,
            groups: 1,
            relu,
        };
        let shortcut = if stride == 1 && channels == out {
            Shortcut::Input
        } else {
            let down = scope.at("downsample");
            Shortcut::Project(Unit {
                conv: down.at(0),
                norm: down.at(1),
                block: conv(out, 1, stride, false),
            })
        };
        let layers = match self.form {
            Form::Basic => vec![conv(planes, 3, stride, true), conv(planes, 3, 1, true)],
            Form::Bottleneck { wide, groups } => vec![
                conv(wide * planes, 1, 1, true),
                Conv {
                    groups: (groups * self.settings.width / 64).max(1),
                    ..conv(wide * planes, 3, stride, true)
                },
                conv(out, 1, 1, true),
            ],
        };
        let units = (1..).zip(layers).map(|(i, block)| Unit {
            conv: scope.at(format!("conv{i}")),
            norm: scope.at(format!("bn{i}")),
            block,
        });
        Residual {
            branch: units.collect(),
            shortcut,
        }
    }
}

impl Encoder for ResNet {
    fn stages(&self, shape: Shape) -> Vec<Stage> {
        let small = match shape {
            Shape::Image { height, width, .. } => self.small(height, width),
            Shape::Vector { .. } => true,
        };
        let layer = |i: usize| Stage::new(&[&format!("layer{i}")], if i == 1 { 1 } else { 2 });
        let stem = Stage::new(&["conv1", "bn1"], if small { 1 } else { 4 });
        [stem]
            .into_iter()
            .chain((1..=self.blocks.len()).map(layer))
            .collect()
    }

    fn forward(&self, scope: &Scope, x: Features, stages: Range<usize>) -> Features {
        let mut x = x.into_maps(scope);
        let (mut chain, mut channels) = (Vec::new(), x.dims()[1]);
        if stages.start == 0 && stages.end > 0 {
            let (stem, small) = self.stem(scope, x.dims());
            chain.push(Residual::plain(stem));
            channels = self.settings.width;
            if !small {
                x = residual_blocks(std::mem::take(&mut chain), x).max_pool();
            }
        }
        for stage in stages.start.max(1)..stages.end {
            let layer = scope.at(format!("layer{stage}"));
            let planes = self.settings.width << (stage - 1);
            for block in 0..self.blocks[stage - 1] {
                let stride = if stage > 1 && block == 0 { 2 } else { 1 };
                chain.push(self.block(&layer.at(block), channels, planes, stride));
                channels = self.outputs(planes);
            }
        }
        Features::Maps(match chain.is_empty() {
            true => x,
            false => residual_blocks(chain, x),
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
        if self.settings.width != 64 || !self.settings.blocks.is_empty() {
            // torchvision's are made in one way.
            return None;
        }
        let name = self.name;
        let mut lines = format!(
            "import torch, torchvision\n\
             model = torchvision.models.{name}()\n\
             model.fc = torch.nn.Identity()\n"
        );
        match self.small(height, width) {
            true => lines.push_str(&format!(
                "model.conv1 = torch.nn.Conv2d({channels}, 64, 3, 1, 1, bias=False)\n\
                 model.maxpool = torch.nn.Identity()\n"
            )),
            false if channels != 3 => lines.push_str(&format!(
                "model.conv1 = torch.nn.Conv2d({channels}, 64, 7, 2, 3, bias=False)\n"
            )),
            false => {}
        }
        Some(lines)
    }

    fn validate(&self, shape: Shape) -> Vec<String> {
        let least = match self.settings.stem {
            Stem::Imagenet => 32,
            Stem::Auto | Stem::Small => 8,
        };
        let mut problems = image_problems(self.name, shape, least);
        if self.settings.width == 0 {
            problems.push("encoder.width must be at least 1".to_owned());
        }
        if let Form::Bottleneck { groups, .. } = self.form
            && !(groups * self.settings.width).is_multiple_of(64)
        {
            let (name, step) = (self.name, 64 / groups);
            problems.push(format!(
                "encoder.width of {name} must be a multiple of {step}: its {groups} groups of channels are for \
                 width 64 and shrink with it"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use burn_tensor::Tensor;

    use super::*;
    use crate::device::Device;
    use crate::encoder::{axes, init};
    use crate::golden::{assert_close, number, numbers, scatter};
    use crate::nn::weights::{values, vector};
    use crate::nn::{Mode, Pass, Weights};

    /// The golden script's weights: each tensor by its shape and the length of its name.
    fn by_formula(fresh: Weights, device: &Device) -> Weights {
        let mut weights = fresh.clone();
        for (name, weight) in fresh.iter() {
            let shape = &weight.shape;
            let n = shape.iter().product();
            let fan_in: usize = shape[1..].iter().product();
            let value = |x: f32| {
                if name.ends_with("running_var") {
                    1.0 + 0.5 * x * x
                } else if shape.len() == 4 {
                    x * (6.0 / fan_in as f32).sqrt()
                } else if name.ends_with(".weight") {
                    1.0 + 0.2 * x
                } else {
                    0.1 * x
                }
            };
            let values = scatter(n, name.len() as f64)
                .into_iter()
                .map(value)
                .collect();
            weights.set(name, vector(values, device));
        }
        weights
    }

    fn agrees_with_torchvision(name: &str) {
        let device = Device::cpu();
        let settings = toml::Table::from_iter([("stem".to_owned(), "imagenet".into())]);
        let encoder = crate::encoder::make(name, settings).unwrap();
        let shape = Shape::Image {
            channels: 3,
            height: 64,
            width: 64,
        };
        let (fresh, dim) = init(&*encoder, shape, 0, &device);
        assert_eq!(dim, if name == "resnet18" { 512 } else { 2048 });
        let weights = by_formula(fresh, &device).prefixed("encoder");
        let x = vector(scatter(2 * 3 * 64 * 64, 0.5), &device).reshape(axes(2, shape));
        let first = |features: Tensor<2>| values(features.slice([0..2, 0..8]));

        let pass = Pass::new(&weights, Mode::Eval, &device);
        let features = encoder.features(&pass.at("encoder"), x.clone());
        assert_close(
            "eval",
            &first(features),
            &numbers(&[name, "eval_first"]),
            1e-4,
        );

        let tracked = weights.tracked(|_| true);
        let pass = Pass::new(&tracked, Mode::Train, &device);
        let features = encoder.features(&pass.at("encoder"), x);
        let trained = first(features.clone().inner());
        assert_close("train", &trained, &numbers(&[name, "train_first"]), 1e-3);
        let mut gradients = features.powi_scalar(2).mean().backward();
        let conv1 = &tracked.get("encoder.conv1.weight").unwrap().value;
        let gradient = conv1.grad_remove(&mut gradients).unwrap();
        let norm = values((gradient.clone() * gradient).sum().sqrt());
        assert_close(
            "gradient",
            &norm,
            &[number(&[name, "conv1_grad_norm"])],
            1e-3,
        );
        for (full, value) in pass.into_statistics() {
            if let Some(name_in_bn1) = full.strip_prefix("encoder.bn1.") {
                let golden = numbers(&[name, &format!("{name_in_bn1}_first")]);
                assert_close(name_in_bn1, &values(value.narrow(0, 0, 4)), &golden, 1e-4);
            }
        }
    }

    #[test]
    fn resnet18_agrees_with_torchvision() {
        agrees_with_torchvision("resnet18");
    }

    #[test]
    fn wide_resnet50_agrees_with_torchvision() {
        agrees_with_torchvision("wide_resnet50_2");
    }

    #[test]
    fn resnext50_agrees_with_torchvision() {
        agrees_with_torchvision("resnext50_32x4d");
    }

    #[test]
    fn resnet50_agrees_with_torchvision() {
        agrees_with_torchvision("resnet50");
    }
}
