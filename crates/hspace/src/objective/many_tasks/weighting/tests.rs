use super::*;
use crate::golden::{assert_close, numbers, scatter};
use crate::nn::weights::rng_for;

/// Gradients of three tasks in conflict.
fn products() -> Products {
    Products::new(&[18.0, 19.0, 20.0].map(|phase| scatter(4, phase)))
}

fn narrow(weights: Vec<f64>) -> Vec<f32> {
    weights.into_iter().map(|w| w as f32).collect()
}

#[test]
fn weights_agree_with_the_papers_definitions() {
    let products = products();
    assert!(products.mean_cosine() < 0.0, "the tasks are in conflict");
    let expected = |name: &str| numbers(&["weighting", name]);
    let mgda = narrow(mgda::shortest(&products));
    assert_close("mgda", &mgda, &expected("mgda"), 1e-5);
    let cagrad = narrow(cagrad::weights(&products, 0.4));
    assert_close("cagrad", &cagrad, &expected("cagrad"), 1e-3);
    // Two tasks have one order.
    let two = Products::new(&[scatter(4, 18.0), scatter(4, 19.0)]);
    let pcgrad = narrow(pcgrad::weights(&two, &mut rng_for("order", 0)));
    assert_close("pcgrad", &pcgrad, &expected("pcgrad"), 1e-5);
}

#[test]
fn gradients_that_agree_are_added() {
    let gradient = scatter(4, 0.0);
    let same = Products::new(&[gradient.clone(), gradient]);
    assert_eq!(pcgrad::weights(&same, &mut rng_for("order", 0)), [1.0, 1.0]);
    let cagrad = cagrad::weights(&same, 0.0);
    assert!(cagrad.iter().all(|w| (w - 1.0).abs() < 1e-12), "{cagrad:?}");
}

#[test]
fn a_surgically_changed_sum_is_in_conflict_with_neither_of_two() {
    let two = Products::new(&[scatter(4, 18.0), scatter(4, 19.0)]);
    let weights = pcgrad::weights(&two, &mut rng_for("order", 0));
    for task in 0..2 {
        assert!(two.with(task, &weights) > -1e-9);
    }
}
