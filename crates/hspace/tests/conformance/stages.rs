//! Every encoder is the sequence of stages that it says.

use std::ops::Range;

use hspace::device::Device;
use hspace::encoder::{self, Exit, Features, Stage, features_at};
use hspace::nn::{Mode, Pass};

use crate::case::{IMAGE, VECTOR, encoders_for, samples};

/// Weights that are of no stage: those of the pooling.
const POOLING: [&str; 3] = ["norm", "fc_norm", "latent"];

#[test]
fn stages_one_after_the_other_give_the_features() {
    let device = Device::cpu();
    for shape in [IMAGE, VECTOR] {
        for (name, encoder) in encoders_for(shape) {
            let (weights, _) = encoder::init(&*encoder, shape, 7, &device);
            let weights = weights.prefixed("encoder");
            let pass = Pass::new(&weights, Mode::Eval, &device);
            let scope = pass.at("encoder");
            let whole = encoder.features(&scope, samples(shape, 0.0, &device));
            let count = encoder.stages(shape).len();
            let forward = |x: Features, stages: Range<usize>| encoder.forward(&scope, x, stages);
            for cut in 0..=count {
                let x = Features::Samples(samples(shape, 0.0, &device));
                let x = forward(forward(x, 0..cut), cut..count);
                let pooled = encoder.pool(&scope, x);
                let difference = (whole.clone() - pooled).abs().max().into_scalar::<f32>();
                assert!(difference <= 1e-6, "{name}, cut at {cut}: {difference}");
            }
        }
    }
}

#[test]
fn every_weight_is_of_one_stage() {
    let device = Device::cpu();
    for shape in [IMAGE, VECTOR] {
        for (name, encoder) in encoders_for(shape) {
            let (weights, _) = encoder::init(&*encoder, shape, 7, &device);
            let stages = encoder.stages(shape);
            for (weight, _) in weights.iter() {
                let first = weight.split('.').next().unwrap_or_default();
                let of: Vec<&str> = stages
                    .iter()
                    .filter(|stage| stage.has(weight))
                    .map(|stage| stage.name.as_str())
                    .collect();
                let wanted = usize::from(!POOLING.contains(&first));
                assert_eq!(of.len(), wanted, "{name}: {weight} is of {of:?}");
            }
            let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
            for stage in &names {
                let same = names.iter().filter(|other| other == &stage);
                assert_eq!(same.count(), 1, "{name}: {names:?}");
            }
        }
    }
}

#[test]
fn a_stage_has_maps_as_much_smaller_as_it_says() {
    let device = Device::cpu();
    for (name, encoder) in encoders_for(IMAGE) {
        let (weights, _) = encoder::init(&*encoder, IMAGE, 7, &device);
        let weights = weights.prefixed("encoder");
        let pass = Pass::new(&weights, Mode::Eval, &device);
        let input = samples(IMAGE, 0.0, &device);
        let [_, _, mut height, mut width] = input.dims();
        let mut x = Features::Samples(input);
        for (
            place,
            Stage {
                name: stage,
                stride,
                ..
            },
        ) in encoder.stages(IMAGE).iter().enumerate()
        {
            x = encoder.forward(&pass.at("encoder"), x, place..place + 1);
            (height, width) = (height.div_ceil(*stride), width.div_ceil(*stride));
            match &x {
                Features::Maps(maps) => {
                    assert_eq!(maps.dims()[2..], [height, width], "{name} {stage}")
                }
                Features::Tokens(tokens) => {
                    assert_eq!(
                        tokens.count - tokens.prefix,
                        height * width,
                        "{name} {stage}"
                    );
                }
                Features::Vector(_) => {}
                Features::Samples(_) => panic!("{name} {stage} gives samples"),
            }
        }
    }
}

#[test]
fn features_leave_an_encoder_at_its_end_and_after_a_stage() {
    let device = Device::cpu();
    for shape in [IMAGE, VECTOR] {
        for (name, encoder) in encoders_for(shape) {
            let (weights, _) = encoder::init(&*encoder, shape, 7, &device);
            let weights = weights.prefixed("encoder");
            let pass = Pass::new(&weights, Mode::Eval, &device);
            let stages = encoder.stages(shape);
            let x = Features::Samples(samples(shape, 0.0, &device));
            let wanted = encoder.forward(&pass.at("encoder"), x, 0..1).pooled();
            let error = Exit::after("nowhere", &stages).unwrap_err();
            assert!(error.contains(&stages[0].name), "{name}: {error}");
            let exits = [Exit::End, Exit::after(&stages[0].name, &stages).unwrap()];
            let x = samples(shape, 0.0, &device);
            let found = features_at(&*encoder, &pass.at("encoder"), x, shape, &exits);
            let x = samples(shape, 0.0, &device);
            let whole = encoder.features(&pass.at("encoder"), x);
            for (wanted, found) in [whole, wanted].into_iter().zip(found) {
                let difference = (wanted - found).abs().max().into_scalar::<f32>();
                assert_eq!(difference, 0.0, "{name}");
            }
        }
    }
}
