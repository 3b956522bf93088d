//! Every device of this build computes what the processor's fastest kernels do, with every draw of weights.

use std::collections::BTreeMap;

use burn_tensor::{Tensor, TensorData};
use hspace::device::{DEVICES, Device, device};
use hspace::nn::weights::Weights;
use hspace::objective::OBJECTIVES;
use rand::SeedableRng;
use rand_distr::{Distribution, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::case::{Case, Choice, Evaluated, KINDS};

/// How far loss, gradient, the gradient of each weight, and running statistics may be apart, as a share of their
/// length: all devices sum in single precision, each in its own order.
const APART: [f64; 4] = [5e-5, 1e-4, 1e-3, 1e-5];
/// A weight's gradient that is shorter than this share of the middle one of all weights' counts as so long: some are
/// 0, but for rounding.
const SHORT: f64 = 0.1;

/// Tensors by name, as numbers in memory.
fn numbers(tensors: &BTreeMap<String, Tensor<1>>) -> Vec<(&String, Vec<f32>)> {
    let read = |x: &Tensor<1>| x.clone().inner().into_data().convert::<f32>();
    let each = tensors.iter();
    each.map(|(name, x)| (name, read(x).try_into_vec::<f32>().unwrap()))
        .collect()
}

type Numbers<'a> = Vec<(&'a String, Vec<f32>)>;

/// The lengths of the differences of these tensors, and of the tensors.
fn lengths(found: &Numbers, expected: &Numbers) -> Vec<[f64; 2]> {
    let names = |of: &Numbers| Vec::from_iter(of.iter().map(|(name, _)| (*name).clone()));
    assert_eq!(names(found), names(expected));
    let pairs = found.iter().zip(expected);
    let square = |x: f32| f64::from(x).powi(2);
    let length = |((_, a), (_, b)): (&(_, Vec<f32>), &(_, Vec<f32>))| {
        let difference: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
        [difference, b.iter().copied().map(square).sum()].map(f64::sqrt)
    };
    pairs.map(length).collect()
}

/// The length of the difference of all these tensors together, as a share of their length.
fn together(lengths: &[[f64; 2]]) -> f64 {
    let all = |i: usize| lengths.iter().map(|l| l[i].powi(2)).sum::<f64>().sqrt();
    all(0) / if all(1) == 0.0 { 1.0 } else { all(1) }
}

/// The largest of their differences, as a share of its tensor's length ([`SHORT`]).
fn one_by_one(lengths: &[[f64; 2]]) -> f64 {
    let mut sorted: Vec<f64> = lengths.iter().map(|l| l[1]).collect();
    sorted.sort_by(f64::total_cmp);
    let short = SHORT * sorted[sorted.len() / 2];
    let share = |&[difference, length]: &[f64; 2]| difference / length.max(short);
    lengths.iter().map(share).fold(0.0, f64::max)
}

/// Loss, gradients, each gradient, and statistics.
fn differences(found: &Evaluated, expected: &Evaluated) -> [f64; 4] {
    let of = |a, b| lengths(&numbers(a), &numbers(b));
    let gradients = of(&found.gradients, &expected.gradients);
    [
        (found.loss - expected.loss).abs() / expected.loss.abs().max(1.0),
        together(&gradients),
        one_by_one(&gradients),
        together(&of(&found.statistics, &expected.statistics)),
    ]
}

/// Written so that what is no number is off, too.
fn close(found: &[f64; 4]) -> bool {
    found.iter().zip(APART).all(|(apart, most)| *apart < most)
}

/// Where a number is so near to a kink of ReLU that rounding decides its side, one device sees it on the one side and
/// another on the other. Then the gradient of the one is that of the other at weights that differ by as little: by these
/// shares of themselves at most, of which the first is their last bit.
const NUDGES: [f64; 3] = [1e-7, 3e-7, 1e-6];
/// How many such weights are tried for each, of either device.
const TRIES: u64 = 8;
/// The share of evaluations that may be at a kink. Measured: 0.03 at most.
const KINKS: f64 = 0.05;

/// Whether the loss has the difference of two nearly equal outputs in it (the squared Jacobian): of that, rounding is
/// such a share that no step to the other side of a kink explains it. Its gradient is as uncertain as it changes where
/// weights move by the first two of [`NUDGES`].
fn is_of_differences(case: &Case) -> bool {
    case.choice.form.starts_with("contraction")
}

/// The weights, each number moved by at most `by` of itself.
fn nudged(weights: &Weights, by: f64, seed: u64, device: &Device) -> Weights {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let share = Uniform::new_inclusive(1.0 - by, 1.0 + by).expect("in order");
    let mut moved = weights.clone();
    for (name, weight) in weights.iter() {
        let count = weight.shape.iter().product();
        let shares: Vec<f32> = (0..count).map(|_| share.sample(&mut rng) as f32).collect();
        let shares = Tensor::<1>::from_data(TensorData::new(shares, [count]), device);
        moved.set(name, weight.value.clone() * shares);
    }
    moved
}

/// Evaluations of a device, and how many of them agree at a kink alone.
#[derive(Default)]
struct Seen {
    evaluations: usize,
    kinks: usize,
    worst: [f64; 4],
}

impl Case {
    fn on(&mut self, device: &Device, seed: u64) -> (Weights, Evaluated) {
        self.device = device.clone();
        let weights = self.weights(seed);
        let evaluated = self.evaluate(&weights);
        (weights, evaluated)
    }

    /// Whether the evaluations of two devices are those of the two sides of a kink, or no farther apart than rounding
    /// moves each of them.
    fn rounding_explains(&mut self, [one, other]: [(&Device, &Weights, &Evaluated); 2]) -> bool {
        let apart = differences(other.2, one.2);
        let tries = NUDGES
            .iter()
            .flat_map(|by| (0..TRIES).map(|seed| (*by, seed)));
        for (by, seed) in tries {
            for [from, to] in [[one, other], [other, one]] {
                self.device = from.0.clone();
                let found = self.evaluate(&nudged(from.1, by, seed, from.0));
                if close(&differences(&found, to.2)) {
                    return true;
                }
                let own = differences(&found, from.2);
                let within = apart.iter().zip(own).all(|(apart, own)| *apart <= own);
                if is_of_differences(self) && by < NUDGES[2] && within {
                    return true;
                }
            }
        }
        false
    }
}

/// The devices of this build but for the first.
fn others() -> Vec<(&'static str, Device)> {
    let other = |&name: &&'static str| match device(name) {
        Ok(other) => Some((name, other)),
        // Instructions that this processor does not have; a GPU that this build is for must be there.
        Err(_) if name.starts_with("cpu:") => None,
        Err(e) => panic!("{e}"),
    };
    DEVICES.iter().skip(1).filter_map(other).collect()
}

/// All cases, with each draw of weights.
#[test]
fn devices_agree() {
    let draws = 40..42;
    let (others, cpu) = (others(), Device::cpu());
    let mut off = Vec::new();
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for mut case in Case::all() {
        for seed in draws.clone() {
            let (weights, expected) = case.on(&cpu, seed);
            for (name, other) in &others {
                let (same, found) = case.on(other, seed);
                let apart = differences(&found, &expected);
                let seen = seen.entry(name).or_default();
                seen.evaluations += 1;
                if close(&apart) {
                    for (most, apart) in seen.worst.iter_mut().zip(apart) {
                        *most = most.max(apart);
                    }
                } else if case
                    .rounding_explains([(&cpu, &weights, &expected), (other, &same, &found)])
                {
                    seen.kinks += 1;
                } else {
                    off.push(format!("{name}: {}, draw {seed}: {apart:?}", case.name));
                }
            }
        }
    }
    for (name, seen) in &seen {
        let [loss, gradients, each, statistics] = seen.worst;
        println!(
            "{name}: loss {loss:.1e}, gradients {gradients:.1e}, each {each:.1e}, statistics {statistics:.1e} apart at most; \
             {} of {} at a kink",
            seen.kinks, seen.evaluations
        );
    }
    assert!(off.is_empty(), "apart:\n{}", off.join("\n"));
    for (name, seen) in seen {
        let most = KINKS * seen.evaluations as f64;
        assert!(seen.kinks as f64 <= most, "{name}: {} kinks", seen.kinks);
    }
}

/// Cases in which a part of the weights stays as it is, of each objective with each kind of encoder: its first stage, and
/// every other weight.
fn frozen() -> impl Iterator<Item = Case> {
    let with = |(shape, encoder)| {
        let names = OBJECTIVES.iter().map(|entry| entry.name);
        names.map(move |name| Choice::new(name, "", encoder, shape))
    };
    let cases = KINDS.into_iter().flat_map(with).flat_map(Case::each);
    let trained = |case: &Case| -> Vec<String> {
        let weights = case.weights(0);
        let trained = weights
            .iter()
            .filter(|(name, weight)| weight.trained && case.trains.covers(name));
        trained.map(|(name, _)| name.to_owned()).collect()
    };
    cases.flat_map(move |mut case| {
        let all = trained(&case);
        let mut other = Case::new(case.choice, case.group).expect("it is one");
        other.freeze("every other weight", all.iter().step_by(2).cloned());
        let stages = case.encoder.stages(case.choice.shape);
        let first = stages[0].prefixes.iter();
        let first: Vec<String> = first.map(|prefix| format!("encoder.{prefix}")).collect();
        case.freeze("the first stage", first);
        // A group of heads alone trains no stage.
        let partly = trained(&case).len() < all.len();
        partly.then_some(case).into_iter().chain([other])
    })
}

/// With only a part of the weights asking for gradients, these are on each device what they are there where all do. No number is on another
/// side of a kink then, and [`devices_agree`] compares the latter with the CPU's.
#[test]
fn gradients_stay_where_weights_are_frozen() {
    let devices = [("cpu", Device::cpu())].into_iter().chain(others());
    let mut off = Vec::new();
    for (name, device) in devices {
        let (mut cases, mut worst) = (0, [0.0f64; 4]);
        for mut case in frozen() {
            let (_, found) = case.on(&device, 40);
            let mut unfrozen = Case::new(case.choice, case.group).expect("it is one");
            let (_, mut whole) = unfrozen.on(&device, 40);
            let (asked, all) = (&found.gradients, &mut whole.gradients);
            assert!(asked.len() < all.len(), "{}", case.name);
            all.retain(|weight, _| asked.contains_key(weight));
            let apart = differences(&found, &whole);
            if !close(&apart) {
                off.push(format!("{name}: {}: {apart:?}", case.name));
            }
            cases += 1;
            for (most, apart) in worst.iter_mut().zip(apart) {
                *most = most.max(apart);
            }
        }
        let [loss, gradients, each, statistics] = worst;
        println!(
            "{name}: loss {loss:.1e}, gradients {gradients:.1e}, each {each:.1e}, statistics {statistics:.1e} apart at most in {cases} cases"
        );
    }
    assert!(off.is_empty(), "apart:\n{}", off.join("\n"));
}
