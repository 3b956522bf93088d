//! Every device of this build computes what the processor's fastest kernels do.

use std::collections::BTreeMap;

use burn_tensor::Tensor;
use hspace::device::{DEVICES, Device, device};

use crate::case::{Case, Evaluated};

/// How far loss, gradient and running statistics may be apart, as a share of their length: all devices sum in single
/// precision, each in its own order.
const APART: [f64; 3] = [5e-5, 1e-4, 1e-5];

/// Tensors by name, as numbers in memory.
fn numbers(tensors: &BTreeMap<String, Tensor<1>>) -> Vec<(&String, Vec<f32>)> {
    let read = |x: &Tensor<1>| x.clone().inner().into_data().convert::<f32>();
    let each = tensors.iter();
    each.map(|(name, x)| (name, read(x).try_into_vec::<f32>().unwrap()))
        .collect()
}

/// The length of the difference of all these tensors together, as a share of their length.
fn apart(found: &BTreeMap<String, Tensor<1>>, expected: &BTreeMap<String, Tensor<1>>) -> f64 {
    let (found, expected) = (numbers(found), numbers(expected));
    let names =
        |of: &[(&String, Vec<f32>)]| Vec::from_iter(of.iter().map(|(name, _)| (*name).clone()));
    assert_eq!(names(&found), names(&expected));
    let pairs = found.iter().zip(&expected);
    let pairs = pairs.flat_map(|((_, a), (_, b))| a.iter().zip(b));
    let (mut difference, mut length) = (0.0, 0.0);
    for (&a, &b) in pairs {
        difference += f64::from(a - b).powi(2);
        length += f64::from(b).powi(2);
    }
    if length == 0.0 {
        difference.sqrt()
    } else {
        (difference / length).sqrt()
    }
}

/// Loss, gradients and statistics.
fn differences(found: &Evaluated, expected: &Evaluated) -> [f64; 3] {
    [
        (found.loss - expected.loss).abs() / expected.loss.abs().max(1.0),
        apart(&found.gradients, &expected.gradients),
        apart(&found.statistics, &expected.statistics),
    ]
}

/// Where a number is next to a kink of ReLU, one device may see it on the one side and another on the other. That is so
/// with some weights, but not with all: of these draws one must agree.
const DRAWS: usize = 6;

#[test]
fn devices_agree() {
    let mut off = Vec::new();
    let mut worst: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    let other = |&name: &&'static str| match device(name) {
        Ok(other) => Some((name, other)),
        // Instructions that this processor does not have; a GPU that this build is for must be there.
        Err(_) if name.starts_with("cpu:") => None,
        Err(e) => panic!("{e}"),
    };
    let others: Vec<(&str, Device)> = DEVICES.iter().skip(1).filter_map(other).collect();
    for mut case in Case::all() {
        let tested = case.name.clone();
        let mut turn_on = |device: Device, draw| {
            case.device = device;
            case.evaluate(&case.weights(40 + draw as u64))
        };
        // On the first device, by draw.
        let mut expected: Vec<Evaluated> = Vec::new();
        for (name, other) in &others {
            // Written so that what is no number is off, too.
            let close =
                |found: &[f64; 3]| found.iter().zip(APART).all(|(apart, most)| *apart < most);
            let mut apart = Vec::new();
            let agree = (0..DRAWS).find_map(|draw| {
                if expected.len() == draw {
                    expected.push(turn_on(Device::cpu(), draw));
                }
                let found = differences(&turn_on(other.clone(), draw), &expected[draw]);
                apart.push(found);
                close(&found).then_some(found)
            });
            match agree {
                Some(found) => {
                    let most = worst.entry(name).or_default();
                    for (most, found) in most.iter_mut().zip(found) {
                        *most = most.max(found);
                    }
                }
                None => off.push(format!("{name}: {tested}: {apart:?}")),
            }
        }
    }
    for (name, [loss, gradients, statistics]) in worst {
        println!(
            "{name}: loss {loss:.1e}, gradients {gradients:.1e}, statistics {statistics:.1e} apart at most"
        );
    }
    assert!(off.is_empty(), "apart:\n{}", off.join("\n"));
}
