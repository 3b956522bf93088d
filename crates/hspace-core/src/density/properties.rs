//! What every density of a column must be: whole, the slope of its probabilities, what its draws follow.

use rand::SeedableRng;
use rand_distr::Distribution;

use super::goodness::{Cell, distance, goodness};
use super::kernel::Kernel;
use super::*;

/// Values that any density can be fitted to: gamma-like, above 0.
fn positive(n: usize, seed: u64) -> Vec<f64> {
    let gamma = rand_distr::Gamma::new(2.5, 3.0).unwrap();
    let mut random = Random::seed_from_u64(seed);
    (0..n).map(|_| gamma.sample(&mut random)).collect()
}

fn counts(n: usize, seed: u64) -> Vec<f64> {
    positive(n, seed).into_iter().map(f64::floor).collect()
}

/// Every density fitted, each kernel and bandwidth of the kernel density once.
fn fitted() -> Vec<(String, Support, Box<dyn Density>)> {
    let mut all = Vec::new();
    let mut add = |entry: &Entry, options: &DensityOptions, what: String| {
        let mass = entry.support == Support::Counts;
        let values = if mass {
            counts(300, 1)
        } else {
            positive(300, 1)
        };
        let density = (entry.fit)(&values, options).unwrap_or_else(|e| panic!("{what}: {e}"));
        all.push((what, entry.support, density));
    };
    for entry in DENSITIES {
        add(entry, &DensityOptions::default(), entry.name.into());
    }
    for kernel in Kernel::ALL {
        for bandwidth in [
            Bandwidth::CrossValidated,
            Bandwidth::Scott,
            Bandwidth::Silverman,
        ] {
            let mut options = DensityOptions::default();
            options.kde.kernel = kernel;
            options.kde.bandwidth = bandwidth;
            add(
                &kde::ENTRY,
                &options,
                format!("kde {kernel:?} {bandwidth:?}"),
            );
        }
    }
    all
}

#[test]
fn densities_integrate_to_their_probabilities() {
    for (what, support, density) in fitted() {
        if support == Support::Counts {
            let mut sum = 0.0;
            for k in 0..400 {
                let x = f64::from(k);
                sum += density.ln_density(x).exp();
                assert!((sum - density.cdf(x)).abs() < 1e-9, "{what} at {k}");
                assert!(
                    (1.0 - sum - density.above(x)).abs() < 1e-9,
                    "{what} above {k}"
                );
            }
            assert!((sum - 1.0).abs() < 1e-9, "{what}: {sum}");
            assert_eq!(density.ln_density(1.5), f64::NEG_INFINITY, "{what}");
            continue;
        }
        // Midpoints: exact up to corners, of which the histogram and the neighbours have many.
        let (low, high, steps) = (-200.0, 400.0, 600_000);
        let width = (high - low) / f64::from(steps);
        let mut sum = 0.0;
        for i in 0..steps {
            let x = low + (f64::from(i) + 0.5) * width;
            sum += density.ln_density(x).exp() * width;
            if i % 10_000 == 0 {
                let cdf = density.cdf(x + width / 2.0);
                assert!((sum - cdf).abs() < 2e-4, "{what} at {x}: {sum} {cdf}");
                let above = density.above(x + width / 2.0);
                assert!((1.0 - cdf - above).abs() < 1e-9, "{what} above {x}");
            }
        }
        assert!((sum - 1.0).abs() < 2e-4, "{what}: {sum}");
    }
}

/// Kolmogorov's distance by its definition, at every value.
fn distance_twin(sorted: &[f64], density: &dyn Density, cell: Cell) -> f64 {
    let share = |count: usize| count as f64 / sorted.len() as f64;
    let mut most = 0.0f64;
    for &x in sorted {
        let before = sorted.iter().filter(|v| **v < x).count();
        let after = sorted.iter().filter(|v| **v <= x).count();
        most = most.max((density.cdf(x - cell.below) - share(before)).abs());
        most = most.max((share(after) - density.cdf(x + cell.above)).abs());
    }
    most
}

#[test]
fn kolmogorov_s_distance_is_the_largest_gap_of_all_values() {
    let measured = [1, 2, 3, 90, 900].map(|n| positive(n, n as u64));
    let each = |f: fn(f64) -> f64| {
        let mut all = measured.clone();
        all.iter_mut().flatten().for_each(|v| *v = f(*v));
        all
    };
    let [rounded, counted] = [|v: f64| (4.0 * v).round() / 4.0, f64::floor].map(each);
    for (what, support, density) in fitted() {
        let counts = support == Support::Counts;
        let samples = match counts {
            true => counted.to_vec(),
            false => [&measured[..], &rounded, &counted].concat(),
        };
        for mut values in samples {
            values.sort_by(f64::total_cmp);
            let cell = match counts {
                true => Cell::COUNT,
                false => Cell::of_measurements(&values),
            };
            let (found, naive) = (
                distance(&values, &*density, cell),
                distance_twin(&values, &*density, cell),
            );
            assert!(
                (found - naive).abs() < 1e-12,
                "{what}, {} values: {found}, {naive}",
                values.len()
            );
        }
    }
}

#[test]
fn draws_follow_their_density() {
    for (what, support, density) in fitted() {
        let mut random = Random::seed_from_u64(5);
        let n = 4000;
        let mut drawn: Vec<f64> = (0..n).map(|_| density.draw(&mut random)).collect();
        drawn.sort_by(f64::total_cmp);
        let cell = match support {
            Support::Counts => Cell::COUNT,
            _ => Cell::POINT,
        };
        let d = distance(&drawn, &*density, cell);
        // Kolmogorov's value for 1 in 1,000, since the density was given beforehand.
        assert!(d < 1.95 / f64::from(n).sqrt(), "{what}: {d}");
    }
}

#[test]
fn p_values_are_even_where_the_fit_is_right_and_small_where_it_is_not() {
    let entry = |name: &str| DENSITIES.iter().find(|e| e.name == name).unwrap();
    let p = |name: &str, values: Vec<f64>, seed: u64| {
        let mut sorted = values;
        sorted.sort_by(f64::total_cmp);
        let density = (entry(name).fit)(&sorted, &DensityOptions::default()).unwrap();
        let support = entry(name).support;
        goodness(&sorted, &*density, support, 99, seed).p.unwrap()
    };
    // 200 samples that the density is right for: p below 0.1 in a tenth of them (± 3 binomial errors).
    let poisson = rand_distr::Poisson::new(4.0).unwrap();
    let trials = 200;
    let (mut gamma, mut mass, mut sum) = (0, 0, 0.0);
    for seed in 0..trials {
        let found = p("gamma", positive(60, 100 + seed), seed);
        gamma += usize::from(found <= 0.1);
        sum += found;
        let mut random = Random::seed_from_u64(900 + seed);
        let drawn = (0..60).map(|_| poisson.sample(&mut random)).collect();
        mass += usize::from(p("poisson", drawn, seed) <= 0.1);
    }
    assert!((7..=33).contains(&gamma), "{gamma} of {trials}");
    assert!((7..=33).contains(&mass), "{mass} of {trials}");
    let mean = sum / trials as f64;
    assert!((mean - 0.5).abs() < 0.07, "{mean}");
    assert!(p("normal", positive(400, 3), 0) < 0.05);
    assert!(p("poisson", counts(400, 3), 0) < 0.05);
}

#[test]
fn rounded_values_do_not_speak_against_the_fit() {
    let rounded = |values: Vec<f64>| -> Vec<f64> {
        let mut all: Vec<f64> = values.iter().map(|x| (x * 10.0).round() / 10.0).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let p = |entry: &Entry, values: Vec<f64>, seed: u64| {
        let sorted = rounded(values);
        let density = (entry.fit)(&sorted, &DensityOptions::default()).unwrap();
        goodness(&sorted, &*density, entry.support, 39, seed)
            .p
            .unwrap()
    };
    let normal = rand_distr::Normal::new(36.8, 0.4).unwrap();
    let trials = 60;
    // Half a tenth and less would be 0, which has no logarithm: such are not among the data.
    let waiting = rand_distr::Exp::new(1.0).unwrap();
    let mut rejected = [0, 0, 0];
    for seed in 0..trials {
        let mut random = Random::seed_from_u64(7000 + seed);
        let values = (0..1000).map(|_| normal.sample(&mut random)).collect();
        rejected[0] += usize::from(p(&normal::ENTRY, values, seed) <= 0.05);
        rejected[1] += usize::from(p(&gamma::ENTRY, positive(1000, 8000 + seed), seed) <= 0.05);
        let drawn = std::iter::repeat_with(|| waiting.sample(&mut random));
        let values = drawn.filter(|x: &f64| *x >= 0.05).take(300).collect();
        rejected[2] += usize::from(p(&gamma::ENTRY, values, seed) <= 0.05);
    }
    // 5 % of 60 are 3; three binomial errors are 5.
    assert!(rejected.iter().all(|r| *r <= 8), "{rejected:?} of {trials}");
    // What is wrong is still found.
    assert!(p(&normal::ENTRY, positive(1000, 3), 0) < 0.05);
}

#[test]
fn a_mixture_refitted_does_not_depend_on_the_order_of_many_values() {
    // More than it is fitted to.
    let mut values = positive(45_000, 6);
    let mut options = DensityOptions::default();
    options.mixture.components = crate::auto::Auto::Set(1);
    let density = (mixture::ENTRY.fit)(&values, &options).unwrap();
    let parameters = |values: &[f64]| density.refit(values).unwrap().parameters();
    let drawn = parameters(&values);
    values.sort_by(f64::total_cmp);
    assert_eq!(drawn, parameters(&values));
    // The part that it is fitted to represents all values: what that costs is little compared with the mean's
    // standard error on all of them.
    let (mean, variance) = special::moments(&values);
    let error = (variance / values.len() as f64).sqrt();
    assert!((drawn[2].1 - mean).abs() < 0.1 * error, "{drawn:?} {mean}");
}

#[test]
fn the_interval_of_a_mixture_of_rounded_values_holds_its_estimate() {
    use super::questions::{Question, ask};
    let values: Vec<f64> = [2.5, 5.0, 10.0, 20.0].repeat(100);
    let density = (mixture::ENTRY.fit)(&values, &DensityOptions::default()).unwrap();
    for question in [Question::Between(2.2, 2.8), Question::Above(10.5)] {
        let answer = ask(&[question], "mixture", &*density, &values, false, (200, 0));
        let [low, high] = answer[0].interval.unwrap();
        let estimate = answer[0].probability;
        assert!(low < estimate && estimate < high, "{low} {estimate} {high}");
        assert!(high - low > 0.1 * estimate, "{low} {high}");
    }
}

#[test]
fn intervals_hold_the_true_probability_about_as_often_as_they_say() {
    use super::questions::{Question, ask};
    let question = [Question::Above(15.0)];
    // Of the gamma that `positive` draws from: shape 2.5, scale 3.
    let truth = special::gamma_upper(2.5, 5.0);
    let holds = |count: usize, seed: u64| {
        let values = positive(count, 4000 + seed);
        let density = (gamma::ENTRY.fit)(&values, &DensityOptions::default()).unwrap();
        let answer = ask(&question, "gamma", &*density, &values, false, (200, seed));
        let [low, high] = answer[0].interval.unwrap();
        (low..=high).contains(&truth)
    };
    for (count, least) in [(150, 179), (20, 173)] {
        let held = (0..200).filter(|seed| holds(count, *seed)).count();
        // 95 % of 200 is 190, three binomial errors are 9, and of few values the intervals run short.
        assert!(
            (least..=199).contains(&held),
            "{held} of 200, {count} values"
        );
    }
}

#[test]
fn intervals_hold_a_probability_that_is_largest_near_the_fit() {
    use super::questions::{Question, ask};
    // Of a Poisson's counts, 3 and 4 are most probable together where the mean is √12; it is 4.
    let question = [Question::Between(3.0, 4.0)];
    let poisson = rand_distr::Poisson::new(4.0).unwrap();
    let truth = (64.0 / 6.0 + 256.0 / 24.0) * (-4.0f64).exp();
    let holds = |seed: u64| {
        let mut random = Random::seed_from_u64(5000 + seed);
        let values: Vec<f64> = (0..50).map(|_| poisson.sample(&mut random)).collect();
        let density = (poisson::ENTRY.fit)(&values, &DensityOptions::default()).unwrap();
        let answer = ask(&question, "poisson", &*density, &values, true, (200, seed));
        let [low, high] = answer[0].interval.unwrap();
        (low..=high).contains(&truth)
    };
    let held = (0..400).filter(|seed| holds(*seed)).count();
    assert!(held >= 372, "{held} of 400");
}

#[test]
fn the_true_family_is_the_best_or_shows_no_difference_to_it() {
    use super::fit::fit;
    let trials = 120;
    let named = |values: fn(u64) -> Vec<f64>, family: &str, rivals: &[&str]| {
        let options = DensityOptions {
            candidates: rivals
                .iter()
                .chain([&family])
                .map(|c| c.to_string())
                .collect(),
            resamples: 0,
            ..DensityOptions::default()
        };
        let one = |seed: u64| {
            let column = column::Column {
                name: "x".into(),
                values: values(seed),
                missing: 0,
            };
            let fits = fit(&column, "", &[], &options, &mut |_| ()).unwrap().fits;
            let place = fits.iter().position(|f| f.name == family).unwrap();
            place == 0 || fits[place].no_difference
        };
        (0..trials).filter(|seed| one(*seed)).count()
    };
    let exponential = |seed: u64| -> Vec<f64> {
        let mut random = Random::seed_from_u64(6000 + seed);
        let waiting = rand_distr::Exp::new(1.0).unwrap();
        (0..300).map(|_| waiting.sample(&mut random)).collect()
    };
    // 95 % of 120 are 114. The sign test of the same gaps rejects the exponential in a fifth.
    let found = named(
        exponential,
        "exponential",
        &["gamma", "weibull", "log_normal"],
    );
    assert!(found >= 114, "{found} of {trials}");
    let gamma = |seed: u64| positive(100, 6000 + seed);
    let found = named(gamma, "gamma", &["weibull", "log_normal", "exponential"]);
    assert!(found >= 114, "{found} of {trials}");
    // What is far off is seen.
    let found = named(gamma, "normal", &["gamma"]);
    assert!(found <= 60, "{found} of {trials}");
}

#[test]
fn a_mixture_of_one_component_is_listed_as_normal() {
    use super::fit::fit;
    let mut random = Random::seed_from_u64(8);
    let normal = rand_distr::Normal::new(3.0, 2.0).unwrap();
    let column = column::Column {
        name: "x".into(),
        values: (0..200).map(|_| normal.sample(&mut random)).collect(),
        missing: 0,
    };
    for candidates in [vec!["mixture"], vec!["normal", "mixture"]] {
        let options = DensityOptions {
            candidates: candidates.iter().map(|c| c.to_string()).collect(),
            resamples: 0,
            ..DensityOptions::default()
        };
        let found = fit(&column, "", &[], &options, &mut |_| ()).unwrap();
        let names: Vec<&str> = found.fits.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["normal"]);
        assert_eq!(found.unfit.len(), candidates.len() - 1, "{:?}", found.unfit);
    }
}

#[test]
fn densities_that_smooth_answer_without_an_interval_and_say_why() {
    use super::questions::{Question, ask};
    let values = positive(80, 4);
    for entry in [&kde::ENTRY, &knn::ENTRY, &histogram::ENTRY] {
        let density = (entry.fit)(&values, &DensityOptions::default()).unwrap();
        let answers = ask(
            &[Question::Above(9.0)],
            entry.name,
            &*density,
            &values,
            false,
            (50, 0),
        );
        assert_eq!(answers[0].interval, None);
        let reason = answers[0].no_interval.as_deref().unwrap();
        assert!(reason.contains("bias"), "{reason}");
    }
}

#[test]
fn intervals_of_detection_hold_the_true_scores() {
    use super::detection::detection;
    // 80 ordinary scores of N(0, 1), 80 outliers of N(3, 1).
    let truths = [
        special::normal_cdf(3.0 / 2f64.sqrt()),
        special::normal_cdf(1.644_853_627 - 3.0),
    ];
    let mut held = [0, 0];
    for seed in 0..300 {
        let mut random = Random::seed_from_u64(7000 + seed);
        let mut draw = |mean: f64| -> Vec<f64> {
            let normal = rand_distr::Normal::new(mean, 1.0).unwrap();
            (0..80).map(|_| normal.sample(&mut random)).collect()
        };
        let found = detection(&draw(0.0), &draw(3.0));
        for ((held, truth), e) in held.iter_mut().zip(truths).zip([found[0], found[2]]) {
            assert!(e.has_interval(), "{e:?}");
            *held += usize::from(e.low <= truth && truth <= e.high);
        }
    }
    // 95 % of 300 are 285; percentiles of a bootstrap hold the AUROC in about 265.
    assert!(held.iter().all(|h| *h >= 276), "{held:?} of 300");
}

#[test]
fn values_without_a_fit_are_answered_in_words() {
    let options = DensityOptions::default();
    for (values, unfit, why) in [
        (vec![3.0; 20], "normal", "all 20 values are 3"),
        (vec![3.0; 20], "log_normal", "all 20 values are 3"),
        (vec![3.0; 20], "gamma", "all 20 values are 3"),
        (vec![0.1; 20], "weibull", "all 20 values are 0.1"),
        (vec![3.0; 20], "mixture", "all 20 values are 3"),
        (vec![3.0; 20], "histogram", "all 20 values are 3"),
        (vec![3.0; 20], "kde", "all 20 values are 3"),
        (vec![3.0; 20], "knn", "all 20 values are 3"),
        (vec![0.0; 20], "poisson", "all 20 counts are 0"),
        (vec![0.0; 20], "exponential", "no rate"),
        (
            vec![2.0, 3.0, 2.0, 3.0],
            "negative_binomial",
            "best fit is the poisson",
        ),
        (vec![3.0; 20], "negative_binomial", "not above the mean"),
    ] {
        let entry = DENSITIES.iter().find(|e| e.name == unfit).unwrap();
        let reason = (entry.fit)(&values, &options).err().unwrap_or_default();
        assert!(reason.contains(why), "{unfit}: {reason}");
    }
    // Two values, huge and tiny ones: a number or a reason, never NaN.
    for values in [
        [1.0, 2.0],
        [1e-300, 1e300],
        [5.0, 5.0 + 1e-9],
        [1e200, 3e200],
    ] {
        for entry in DENSITIES
            .iter()
            .filter(|e| e.support.problem(&values).is_none())
        {
            if let Ok(density) = (entry.fit)(&values, &options) {
                for (what, value) in density.parameters() {
                    assert!(
                        value.is_finite(),
                        "{} {what} of {values:?}: {value}",
                        entry.name
                    );
                }
            }
        }
    }
}

#[test]
fn large_values_are_like_normal_ones() {
    let options = DensityOptions::default();
    let mut random = Random::seed_from_u64(5);
    let (mean, spread) = (1e9, 1e9f64.sqrt());
    let normal = rand_distr::Normal::new(mean, spread).unwrap();
    let values: Vec<f64> = (0..400)
        .map(|_| normal.sample(&mut random).round())
        .collect();
    for entry in [&gamma::ENTRY, &normal::LOG_NORMAL, &poisson::ENTRY] {
        let density = (entry.fit)(&values, &options).unwrap();
        let (mean, mut variance) = special::moments(&values);
        if entry.name == "poisson" {
            variance = mean;
        }
        let spread = variance.sqrt();
        let skew = spread / mean;
        for z in [-2.0, -0.5, 0.0, 1.0, 3.0] {
            let x: f64 = (mean + z * spread).round();
            let z = (x - mean) / spread;
            let like = -0.5 * z * z - spread.ln() - special::HALF_LN_2PI;
            let near = density.ln_density(x);
            // What is left is the skewness of each, some multiple of spread over mean.
            assert!(
                (near - like).abs() < 20.0 * skew,
                "{}: {near} {like}",
                entry.name
            );
            let (below, like) = (density.cdf(x), special::normal_cdf(z));
            assert!(
                (below - like).abs() < 2.0 * skew,
                "{}: {below} {like}",
                entry.name
            );
        }
    }
    // Where rounding is all there is, it is said.
    let values: Vec<f64> = (0..50).map(|i| 1e15 + f64::from(i)).collect();
    for entry in [&gamma::ENTRY, &normal::LOG_NORMAL, &weibull::ENTRY] {
        let reason = (entry.fit)(&values, &options).err().unwrap();
        assert!(reason.contains("subtract a constant"), "{reason}");
    }
}
