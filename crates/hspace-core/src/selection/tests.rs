use super::*;
use crate::dataset::{Column, Role, Split, Values};
use crate::list::find;
use crate::probe::Scaling;
use crate::representation::Representation;

/// Numbers without structure: no two distances are equal.
fn numbers(rows: usize, cols: usize) -> Matrix {
    let number = |i: usize| (crate::random::mix(&[i as u64]) >> 40) as f32 / (1 << 23) as f32;
    Matrix::new(rows, cols, (0..rows * cols).map(number).collect())
}

fn rule(name: &str) -> &'static Entry<Rule> {
    find("rule", RULES, name).unwrap()
}

fn rows(picks: &[Pick]) -> Vec<usize> {
    picks.iter().map(|pick| pick.row).collect()
}

/// Of every row all distances again, in double precision.
fn naive_k_centre(pool: &Pool<'_>, n: usize, weight: impl Fn(usize) -> f64) -> Vec<usize> {
    let distance = |a: usize, b: usize| -> f64 {
        let pairs = pool.features.row(a).iter().zip(pool.features.row(b));
        pairs
            .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let mut chosen = pool.labelled.to_vec();
    let mut picks = Vec::new();
    for _ in 0..n {
        let score = |place: usize| {
            let far = chosen.iter().map(|&j| distance(pool.open[place], j));
            weight(place) * far.fold(f64::INFINITY, f64::min)
        };
        let free = (0..pool.open.len()).filter(|&p| !chosen.contains(&pool.open[p]));
        let best = free.max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap();
        picks.push(pool.open[best]);
        chosen.push(pool.open[best]);
    }
    picks
}

#[test]
fn k_centre_agrees_with_the_obvious_loops_with_and_without_weights() {
    let features = numbers(1300, 4);
    let labelled = [3, 700, 1299];
    let open: Vec<usize> = (0..1300).filter(|i| !labelled.contains(i)).collect();
    let u: Vec<f64> = (0..open.len())
        .map(|i| 0.2 + (i * 31 % 97) as f64 / 121.0)
        .collect();
    let pool = Pool {
        features: &features,
        labelled: &labelled,
        open: &open,
        uncertainty: Some(&u),
        seed: 0,
    };
    let picks = rule("coreset").choose(&pool, 25).unwrap();
    assert_eq!(rows(&picks), naive_k_centre(&pool, 25, |_| 1.0));
    assert!(picks.windows(2).all(|pair| pair[0].score >= pair[1].score));
    let both = rule("both").choose(&pool, 25).unwrap();
    assert_eq!(rows(&both), naive_k_centre(&pool, 25, |place| u[place]));
    assert_ne!(rows(&both), rows(&picks));
}

#[test]
fn without_a_label_the_first_row_is_drawn_and_no_row_is_chosen_twice() {
    // Rows that are equal have distance 0, and are chosen still.
    let features = Matrix::new(6, 1, vec![1.0, 1.0, 1.0, 1.0, 4.0, 1.0]);
    let open = [0, 1, 2, 3, 4, 5];
    let pool = |seed| Pool {
        features: &features,
        labelled: &[],
        open: &open,
        uncertainty: None,
        seed,
    };
    let mut first = std::collections::HashSet::new();
    for seed in 0..20 {
        let picks = rule("coreset").choose(&pool(seed), 6).unwrap();
        let mut own = rows(&picks);
        first.insert(own[0]);
        assert!(own[..2].contains(&4));
        own.sort_unstable();
        assert_eq!(own, open);
    }
    assert!(first.len() > 2);
}

#[test]
fn uncertainty_is_1_where_nothing_is_known_and_0_where_all_is() {
    let p = [
        0.25, 0.25, 0.25, 0.25, 1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.6, 0.1, 0.2, 0.1,
    ];
    let near = |ours: Vec<f64>, wanted: [f64; 4]| {
        for (a, b) in ours.iter().zip(wanted) {
            assert!((a - b).abs() < 1e-12, "{ours:?}");
        }
    };
    near(Uncertainty::Margin.of(&p, 4), [1.0, 0.0, 1.0, 0.6]);
    let entropy: f64 = -[0.6f64, 0.1, 0.2, 0.1]
        .iter()
        .map(|p| p * p.ln())
        .sum::<f64>();
    near(
        Uncertainty::Entropy.of(&p, 4),
        [1.0, 0.0, 0.5, entropy / 4f64.ln()],
    );
    let features = Matrix::zeros(6, 1);
    let pool = Pool {
        features: &features,
        labelled: &[0, 2],
        open: &[1, 3, 4, 5],
        uncertainty: Some(&[0.2, 0.9, 0.1, 0.9]),
        seed: 0,
    };
    let picks = rule("uncertainty").choose(&pool, 3).unwrap();
    assert_eq!(rows(&picks), [3, 5, 1]);
    assert_eq!(picks[0].score, 0.9);
}

#[test]
fn a_rule_is_refused_what_it_cannot_do() {
    let features = Matrix::zeros(3, 1);
    let pool = Pool {
        features: &features,
        labelled: &[0],
        open: &[1, 2],
        uncertainty: None,
        seed: 0,
    };
    let error = |name: &str, n| rule(name).choose(&pool, n).unwrap_err().to_string();
    assert!(error("coreset", 3).contains("only 2 training samples have no label"));
    for name in ["uncertainty", "both"] {
        assert!(error(name, 1).contains("coreset"));
    }
}

/// Three classes in the plane; of training rows (four of five) those for which `is_known` have a label.
fn representation(n: usize, is_known: impl Fn(usize) -> bool) -> Representation {
    let class = |i: usize| (i * 7919 % 1009 % 3) as u32;
    let noise = |i: usize| (i * 104_729 % 1013) as f32 / 506.5 - 1.0;
    let point = |i: usize| {
        let turn = class(i) as f32 * 2.1;
        [
            turn.cos() + 0.9 * noise(i),
            turn.sin() + 0.9 * noise(i + 77),
        ]
    };
    let is_test = |i: usize| i % 5 == 4;
    Representation {
        name: "points".into(),
        features: Matrix::new(n, 2, (0..n).flat_map(point).collect()),
        ids: (0..n).map(|i| format!("p{i}")).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values: Values::Classes {
                names: ["a", "b", "c"].map(String::from).to_vec(),
                index: (0..n)
                    .map(|i| (is_test(i) || is_known(i)).then(|| class(i)))
                    .collect(),
            },
        }],
        split: (0..n)
            .map(|i| {
                if is_test(i) {
                    Split::Test
                } else {
                    Split::Train
                }
            })
            .collect(),
        origin: String::new(),
        shift: Vec::new(),
    }
}

fn options() -> Options {
    Options {
        scaling: Scaling::Overall,
        ..Options::default()
    }
}

#[test]
fn unlabelled_training_samples_are_chosen_and_no_others() {
    let r = representation(300, |i| i % 7 == 0);
    for rule in RULES {
        let chosen = select(&r, rule, 12, None, &options()).unwrap();
        assert_eq!(chosen.samples.len(), 12);
        for (id, _) in &chosen.samples {
            let i: usize = id[1..].parse().unwrap();
            assert!(i % 5 != 4 && !i.is_multiple_of(7), "{id}");
        }
        let csv = chosen.csv().unwrap();
        assert!(csv.starts_with("id,rank,rule,score\n"), "{csv}");
        let second = format!("{},2,{},", chosen.samples[1].0, rule.name);
        assert!(csv.contains(&second), "{csv}");
        // Test rows, their labels among them, play no part.
        let mut other = r.clone();
        for i in (4..300).step_by(5) {
            other.features.data[2 * i] += 3.0;
        }
        assert_eq!(select(&other, rule, 12, None, &options()).unwrap(), chosen);
    }
}

#[test]
fn a_head_is_taken_where_it_is_given() {
    use crate::probe::{ProbeOptions, fit_head};
    let all = representation(300, |_| true);
    let (head, _) = fit_head(&all, &ProbeOptions::default()).unwrap();
    let r = representation(300, |_| false);
    let chosen = select(&r, rule("uncertainty"), 10, Some(&head), &options()).unwrap();
    let train: Vec<usize> = (0..300).filter(|i| i % 5 != 4).collect();
    let p = head.answer(&r.features.select(&train)).unwrap();
    let u = Uncertainty::Margin.of(&p, 3);
    let largest = u.iter().copied().fold(0.0, f64::max);
    assert_eq!(chosen.samples[0].1, largest);
    assert_eq!((chosen.labelled, chosen.open), (0, 240));
    let error = |name| {
        let found = select(&r, rule(name), 10, None, &options());
        found.unwrap_err().to_string()
    };
    assert!(error("both").contains("give --head"));
    assert!(select(&r, rule("coreset"), 10, None, &options()).is_ok());
    let found = select(&all, rule("coreset"), 10, None, &options());
    let text = found.unwrap_err().to_string();
    assert!(text.contains("all 240 training samples have a label") && text.contains("--evaluate"));
}

#[test]
fn rules_are_compared_on_the_same_seeds_and_test_samples() {
    let r = representation(600, |_| true);
    let options = EvaluationOptions {
        n: 24,
        scaling: Scaling::Overall,
        ..EvaluationOptions::default()
    };
    let found = evaluate(&r, &options, &mut |_| ()).unwrap();
    assert_eq!((found.start, found.train, found.test), (6, 480, 120));
    let names: Vec<&str> = found.rules.iter().map(|rule| &*rule.rule).collect();
    assert_eq!(names, ["coreset", "uncertainty", "both", "random"]);
    for rule in &found.rules {
        assert_eq!(rule.seeds.len(), 5);
        assert!(rule.accuracy.has_interval());
        assert!(rule.accuracy.mean > 0.6, "{rule:?}");
        let mean = rule.seeds.iter().sum::<f64>() / 5.0;
        assert!((mean - rule.accuracy.mean).abs() < 1e-9);
    }
    assert_eq!(found.comparisons.len(), 6);
    assert_eq!(evaluate(&r, &options, &mut |_| ()).unwrap(), found);
    let text = found.table();
    assert!(
        text.contains("24 of 480 training labels, 6 of them at random"),
        "{text}"
    );
    let refused = |n, start| {
        let options = EvaluationOptions {
            n,
            start: crate::auto::Auto::Set(start),
            ..options.clone()
        };
        evaluate(&r, &options, &mut |_| ()).unwrap_err().to_string()
    };
    for (n, start) in [(481, 20), (20, 20), (20, 1)] {
        assert!(refused(n, start).contains("480 labelled training samples"));
    }
}

/// Groups of test rows count as one unit each, and leave the accuracy as it is.
#[test]
fn grouped_test_samples_widen_the_interval() {
    let r = representation(600, |_| true);
    let mut grouped = r.clone();
    // Rows of a group have one class, so their answers are alike.
    grouped.columns.push(Column {
        name: "patient".into(),
        role: Role::Group,
        values: Values::Classes {
            names: (0..60).map(|g| g.to_string()).collect(),
            index: (0..600)
                .map(|i| Some(((i * 7919 % 1009 % 3) * 20 + i % 20) as u32))
                .collect(),
        },
    });
    let options = EvaluationOptions {
        n: 24,
        scaling: Scaling::Overall,
        ..EvaluationOptions::default()
    };
    let of = |r: &Representation| evaluate(r, &options, &mut |_| ());
    let (alone, together) = (of(&r).unwrap(), of(&grouped).unwrap());
    for (a, b) in alone.rules.iter().zip(&together.rules) {
        assert!((a.accuracy.mean - b.accuracy.mean).abs() < 1e-9);
        assert_ne!(a.accuracy.low, b.accuracy.low);
    }
}
