use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::{ALPHA, Range};
use super::*;

fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(random)
}

/// `[seeds][draws][units]` around 0: effects of seeds, draws and units, and noise.
fn scores(
    [seeds, draws, units]: [usize; 3],
    [by_seed, by_draw, by_unit, noise]: [f64; 4],
    random: &mut Xoshiro256PlusPlus,
) -> Vec<Vec<Vec<f64>>> {
    let mut effects =
        |n: usize, scale: f64| -> Vec<f64> { (0..n).map(|_| scale * normal(random)).collect() };
    let (a, b, c) = (
        effects(seeds, by_seed),
        effects(draws, by_draw),
        effects(units, by_unit),
    );
    let mut one = |s: usize, d: usize, u: usize| a[s] + b[d] + c[u] + noise * normal(random);
    (0..seeds)
        .map(|s| {
            (0..draws)
                .map(|d| (0..units).map(|u| one(s, d, u)).collect())
                .collect()
        })
        .collect()
}

/// How many of 2,000 intervals hold the truth, 0, and their mean width over the ideal one.
fn coverage(shape: [usize; 3], effects: [f64; 4]) -> (f64, f64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let (mut held, mut width) = (0, 0.0);
    let n = 2000;
    for _ in 0..n {
        let crossed = Crossed::new(&scores(shape, effects, &mut random), Some(0.0));
        let e = crossed
            .spread()
            .unwrap()
            .interval(crossed.mean(), Range::Any);
        held += usize::from(e.low <= 0.0 && 0.0 <= e.high);
        width += e.high - e.low;
    }
    let [s, d, u] = shape.map(|n| n as f64);
    let [by_seed, by_draw, by_unit, noise] = effects.map(|e| e * e);
    let variance = by_seed / s + by_draw / d + by_unit / u + noise / (s * d * u);
    (
        held as f64 / n as f64,
        width / n as f64 / (2.0 * 1.96 * variance.sqrt()),
    )
}

#[test]
fn intervals_of_crossed_samples_cover() {
    for (shape, effects, widest) in [
        // Draws alone, units alone, both, with noise.
        ([1, 10, 200], [0.0, 0.05, 0.0, 0.4], 1.15),
        ([1, 10, 200], [0.0, 0.0, 0.4, 0.3], 1.15),
        ([1, 10, 200], [0.0, 0.03, 0.3, 0.3], 1.15),
        ([1, 3, 500], [0.0, 0.01, 0.3, 0.3], 1.3),
        ([4, 10, 200], [0.05, 0.05, 0.3, 0.3], 1.5),
    ] {
        let (held, width) = coverage(shape, effects);
        assert!(
            (0.93..0.985).contains(&held) && width < widest,
            "{shape:?} {effects:?}: {held} {width}"
        );
    }
}

/// The same draws and units: their effects cancel.
#[test]
fn differences_are_paired() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
    let a = scores([1, 10, 300], [0.0, 0.5, 0.5, 0.0], &mut random);
    let b: Vec<Vec<Vec<f64>>> = vec![
        a[0].iter()
            .map(|row| {
                row.iter()
                    .map(|x| x - 0.02 + 0.1 * normal(&mut random))
                    .collect()
            })
            .collect(),
    ];
    let (a, b) = (Crossed::new(&a, Some(0.0)), Crossed::new(&b, Some(0.0)));
    let (difference, spread) = a.minus(&b);
    let spread = spread.unwrap().spread();
    assert!((difference - 0.02).abs() < 0.01);
    assert!(spread.variance.sqrt() < 0.005 && a.spread().unwrap().variance.sqrt() > 0.1);
    assert!(spread.p_value(difference) < ALPHA);
    let (none, spread) = a.minus(&a);
    assert_eq!((none, spread.unwrap().spread().p_value(none)), (0.0, 1.0));
}

/// Draws of three quarters of a pool: they say little about other pools.
#[test]
fn draws_that_overlap_count_less() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let y = scores([1, 10, 200], [0.0, 0.1, 0.1, 0.1], &mut random);
    let variance = |overlap| Crossed::new(&y, Some(overlap)).spread().unwrap().variance;
    let (apart, pooled) = (variance(0.0), variance(0.75));
    // A correlation of .656: (.344 / 10 + .656) / .344 is 20 times 1 / 10, less what the test units add to both.
    assert!((18.0..20.5).contains(&(pooled / apart)), "{apart} {pooled}");
}

#[test]
fn what_is_not_known_is_said() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut of = |draws, units| scores([1, draws, units], [0.0, 0.1, 0.1, 0.1], &mut random);
    let few = Crossed::new(&of(5, 12), Some(0.0));
    assert_eq!(few.spread(), Err(Unknown::FewUnits(12)));
    for draws in [1, 2] {
        let few = Crossed::new(&of(draws, 100), Some(0.1));
        assert_eq!(few.spread(), Err(Unknown::FewDraws(draws)));
    }
    let mut rare = |units| Crossed::new(&of(5, 100), Some(0.0)).over_classes(Some(units));
    assert_eq!(rare(9).spread(), Err(Unknown::FewOfClass(9)));
    assert_eq!(
        rare(20).minus(&rare(9)).1.unwrap_err(),
        Unknown::FewOfClass(9)
    );
    assert!(rare(10).spread().is_ok());
    let one = of(1, 100);
    assert!(Crossed::new(&one, None).spread().is_ok());
}

#[test]
fn stored_scores_are_read_back_to_the_bit() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let y = scores([2, 3, 40], [0.1; 4], &mut random);
    let crossed = Crossed::new(&y, Some(0.25));
    let text = serde_json::to_string(&crossed).unwrap();
    assert_eq!(serde_json::from_str::<Crossed>(&text).unwrap(), crossed);
    assert!(
        (crossed.mean() - mean(&y.iter().flatten().map(|r| mean(r)).collect::<Vec<_>>())).abs()
            < 1e-12
    );
    let cut = text.replacen("\"units\":40", "\"units\":41", 1);
    assert!(serde_json::from_str::<Crossed>(&cut).is_err());
    // Right and wrong take little room.
    let bits: Vec<f64> = (0..10_000)
        .map(|_| f64::from(u8::from(random.random_bool(0.8))))
        .collect();
    let text = serde_json::to_string(&Crossed::new(&[vec![bits]], None)).unwrap();
    assert!(text.len() < 4000, "{}", text.len());
}
