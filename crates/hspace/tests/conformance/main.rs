//! What every objective and every encoder in the lists must do, whatever it is.

mod case;
mod devices;
mod failing;
mod fits;
mod gradients;
mod learning;
mod stages;

use burn_tensor::Tensor;
use hspace::device::Device;
use hspace::encoder::{self, ENCODERS};
use hspace::nn::{Mode, Pass};
use hspace::objective::OBJECTIVES;

use case::{Case, IMAGE, SAMPLES, VECTOR, encoders_for, samples};

#[test]
fn the_loss_is_finite_and_a_function_of_the_seed() {
    for case in Case::all() {
        let [once, again, other] = [1, 1, 2].map(|seed| case.loss(&case.weights(seed), &[]));
        assert!(once.is_finite(), "{}: loss {once}", case.name);
        assert_eq!(once, again, "{}: same seed", case.name);
        assert_ne!(once, other, "{}: another seed", case.name);
    }
}

#[test]
fn evaluation_changes_nothing_and_ignores_the_rest_of_the_batch() {
    for shape in [IMAGE, VECTOR] {
        for (name, encoder) in encoders_for(shape) {
            let device = Device::cpu();
            let (weights, dim) = encoder::init(&*encoder, shape, 7, &device);
            let weights = weights.prefixed("encoder");
            let features = |x: Tensor<4>| {
                let pass = Pass::new(&weights, Mode::Eval, &device);
                let y = encoder.features(&pass.at("encoder"), x);
                assert!(pass.into_statistics().is_empty(), "{name}");
                y
            };
            let x = samples(shape, 0.0, &device);
            let all = features(x.clone());
            assert_eq!(all.dims(), [SAMPLES, dim], "{name}");
            let one = features(x.narrow(0, 2, 1));
            let difference = (all.narrow(0, 2, 1) - one).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{name}: {difference}");
        }
    }
}

#[test]
fn settings_are_complete_and_bad_ones_are_refused() {
    for entry in ENCODERS {
        let table = (entry.defaults)();
        assert!((entry.make)(table.clone()).is_ok(), "{}", entry.name);
        let mut wrong = table;
        wrong.insert("no_such_key".into(), 1.into());
        assert!((entry.make)(wrong).is_err(), "{}", entry.name);
    }
    for entry in OBJECTIVES {
        let table = (entry.defaults)();
        assert!((entry.make)(table.clone()).is_ok(), "{}", entry.name);
        let mut wrong = table;
        wrong.insert("no_such_key".into(), 1.into());
        assert!((entry.make)(wrong).is_err(), "{}", entry.name);
    }
}
