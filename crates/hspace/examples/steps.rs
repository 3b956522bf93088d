//! Our side of `bench/steps.py`: training steps and inference of one network, on request.
//!
//! Arguments: network (`residual`, `cnn`, `mlp`, …), width, image size, batch, device. Each line of
//! standard input, `train N` or `infer N`, is answered, after a first `ready`, by the milliseconds of N runs. `dump FILE`
//! writes weights, input and gradients as safetensors, for `bench/gradients.py`.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::Range;
use std::time::Instant;

use burn_tensor::activation::log_softmax;
use burn_tensor::{Distribution, Tensor};
use hspace::dataset::Shape;
use hspace::device::{Device, device};
use hspace::encoder::{self, Encoder, Features, Stage};
use hspace::nn::blocks::{Conv, Residual as Block, Shortcut, Unit, residual_blocks};
use hspace::nn::files::write_weights;
use hspace::nn::layers::{linear, pick};
use hspace::nn::{Mode, Pass, Scope, Weight, Weights};
use hspace::optim::{Gradients, Optimizer, OptimizerState, Rule};

/// Three stages of two residual blocks, `width` to 4 `width` channels (He et al. 2016, 4.2).
struct Residual {
    width: usize,
}

impl Encoder for Residual {
    fn stages(&self, _: Shape) -> Vec<Stage> {
        let prefixes = ["stem", "layer0", "layer1", "layer2"].map(String::from);
        vec![Stage {
            name: prefixes[0].clone(),
            prefixes: prefixes.to_vec(),
            stride: 4,
        }]
    }

    fn forward(&self, scope: &Scope, x: Features, _: Range<usize>) -> Features {
        let conv = |out, kernel, stride, relu| Conv {
            out,
            kernel,
            stride,
            groups: 1,
            relu,
        };
        let unit = |name: String, block| Unit {
            conv: scope.at(format!("{name}.conv")),
            norm: scope.at(format!("{name}.bn")),
            block,
        };
        let x = x.into_maps(scope);
        let stem = unit("stem".into(), conv(self.width, 3, 1, true));
        let mut chain = vec![Block::plain(stem)];
        for stage in 0..3 {
            let out = self.width << stage;
            for block in 0..2 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{stage}.{block}");
                let shortcut = if stride == 1 {
                    Shortcut::Input
                } else {
                    let project = conv(out, 1, stride, false);
                    Shortcut::Project(unit(format!("{name}.down"), project))
                };
                let first = unit(format!("{name}.0"), conv(out, 3, stride, true));
                let second = unit(format!("{name}.1"), conv(out, 3, 1, true));
                chain.push(Block {
                    branch: vec![first, second],
                    shortcut,
                });
            }
        }
        Features::Maps(residual_blocks(chain, x))
    }

    fn validate(&self, _: Shape) -> Vec<String> {
        vec![]
    }
}

fn main() {
    println!("ready");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args[i].parse::<usize>().expect("a number");
    let (width, size, batch) = (number(1), number(2), number(3));
    let on = device(&args[4]).expect("a device");
    let shape = Shape::Image {
        channels: if args[0] == "mlp" { 1 } else { 3 },
        height: size,
        width: size,
    };
    let settings = |text: String| text.parse().expect("settings");
    let network: Box<dyn Encoder> = match args[0].as_str() {
        "residual" => Box::new(Residual { width }),
        "mlp" => encoder::make("mlp", settings(format!("width={width}\nlayers=3"))).expect("mlp"),
        name => encoder::make(name, settings(format!("width={width}"))).expect("an encoder"),
    };
    let mut bench = Bench::new(network, shape, batch, on);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (what, times) = line
            .split_once(' ')
            .expect("`train N`, `infer N` or `dump FILE`");
        if what == "dump" {
            bench.dump(times.as_ref());
            continue;
        }
        let times: usize = times.parse().expect("a number of runs");
        let ms = (0..times).map(|_| {
            let begun = Instant::now();
            // As in training and embedding.
            let on = bench.on.clone();
            on.run(|| match what {
                "train" => bench.train(),
                _ => bench.infer(),
            });
            format!("{:.3}", begun.elapsed().as_secs_f64() * 1e3)
        });
        println!("{}", ms.collect::<Vec<_>>().join(" "));
    }
}

struct Bench {
    network: Box<dyn Encoder>,
    weights: Weights,
    state: OptimizerState,
    x: Tensor<4>,
    on: Device,
}

impl Bench {
    fn new(network: Box<dyn Encoder>, shape: Shape, batch: usize, on: Device) -> Bench {
        let normal = Distribution::Normal(0.0, 1.0);
        let x = Tensor::random(encoder::axes(batch, shape), normal, &on);
        let none = Weights::default();
        let pass = Pass::new(&none, Mode::Init(0), &on);
        logits(&*network, &pass, x.clone());
        let weights = pass.into_fresh();
        Bench {
            network,
            weights,
            state: OptimizerState::default(),
            x,
            on,
        }
    }

    /// Gradients of the cross-entropy, and new running statistics.
    fn gradients(&self) -> (Gradients, BTreeMap<String, Tensor<1>>) {
        let tracked = self.weights.tracked(|_| true);
        let pass = Pass::new(&tracked, Mode::Train, &self.on);
        let logits = logits(&*self.network, &pass, self.x.clone());
        let classes: Vec<u32> = (0..logits.dims()[0] as u32).map(|i| i % 10).collect();
        let loss = -pick(log_softmax(logits, 1), &classes).mean();
        let mut found = loss.backward();
        let gradients = tracked
            .iter()
            .filter_map(|(name, w)| Some((name.to_owned(), w.value.grad_remove(&mut found)?)))
            .collect();
        (gradients, pass.into_statistics())
    }

    fn dump(&self, path: &std::path::Path) {
        let mut all = self.weights.clone();
        for (name, value) in self.gradients().0 {
            let shape = all.get(&name).expect("a weight").shape.clone();
            let gradient = Weight {
                value,
                shape,
                trained: false,
            };
            all.insert(format!("gradient.{name}"), gradient);
        }
        let x = Weight {
            value: self.x.clone().flatten(0, 3),
            shape: self.x.dims().to_vec(),
            trained: false,
        };
        all.insert("x".into(), x);
        write_weights(path, &all).expect("a writable file");
        println!("written");
    }

    fn train(&mut self) {
        let (gradients, statistics) = self.gradients();
        for (name, value) in statistics {
            self.weights.set(&name, value.inner());
        }
        let sgd = Optimizer {
            rule: Rule::Sgd,
            weight_decay: 0.0,
            momentum: 0.9,
        };
        sgd.step(&mut self.weights, gradients, &mut self.state, |_| 0.01);
    }

    fn infer(&self) {
        let pass = Pass::new(&self.weights, Mode::Eval, &self.on);
        logits(&*self.network, &pass, self.x.clone()).into_data();
    }
}

fn logits(network: &dyn Encoder, pass: &Pass, x: Tensor<4>) -> Tensor<2> {
    let features = network.features(&pass.at("encoder"), x);
    linear(&pass.at("head"), features, 10, true)
}
