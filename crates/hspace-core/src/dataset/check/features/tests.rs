use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::columns::cells;

const N: usize = 300;

/// Eight features of noise, `planted` at place 3, and the task; every third row is a test row.
fn inspected(planted: impl Fn(usize) -> f32, values: Values) -> FeatureFindings {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let value = |i: usize| match i % 9 {
        3 => planted(i / 9),
        _ => rng.random_range(-1.0..1.0),
    };
    let features = Matrix::new(N, 9, (0..N * 9).map(value).collect());
    let task = Column {
        name: "kind".into(),
        role: Role::Label,
        values,
    };
    let split: Vec<Split> = (0..N)
        .map(|i| {
            if i % 3 == 0 {
                Split::Test
            } else {
                Split::Train
            }
        })
        .collect();
    inspect(&features, &[task], &split, &|j| format!("`f{j}`"))
}

fn mixed(i: usize) -> usize {
    i * 7919 % 101 % 3
}

fn classes(of: impl Fn(usize) -> usize) -> Values {
    cells::classes(&(0..N).map(|i| of(i).to_string()).collect::<Vec<_>>())
}

#[test]
fn a_feature_that_says_the_class_is_named() {
    // A code of its own for each class, in another order.
    let found = inspected(|i| [5.0, -1.0, 2.0][mixed(i)], classes(mixed));
    let [telling] = &found.telling[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (telling.feature.as_str(), telling.task.as_str()),
        ("`f3`", "kind")
    );
    assert!(telling.one_to_one && telling.score == 1.0);
    let text = found.warnings().join("\n");
    assert!(
        text.starts_with(
            "feature `f3` alone says the task kind (each class has a value of its own)"
        ),
        "{text}"
    );
    // Intervals, in no order of the classes.
    let interval = |i: usize| [4.0, 0.0, 8.0][mixed(i)] + (i % 17) as f32 / 20.0;
    let found = inspected(interval, classes(mixed));
    assert_eq!(found.telling.len(), 1);
    assert!(!found.telling[0].one_to_one);
}

#[test]
fn a_feature_that_helps_is_not_named() {
    // A tenth of the values are those of another class.
    let helps = |i: usize| if i.is_multiple_of(10) { mixed(i + 1) } else { mixed(i) } as f32;
    assert_eq!(inspected(helps, classes(mixed)).telling, []);
    let none = inspected(|i| (i * 31 % 97) as f32, classes(mixed));
    assert_eq!(none.warnings(), Vec::<String>::new());
}

#[test]
fn easy_tasks_are_no_leak() {
    let far = |i: usize| mixed(i) as f32 * 10.0 + (i * 31 % 97) as f32 / 97.0;
    let features = Matrix::new(
        N,
        4,
        (0..N * 4).map(|i| far(i / 4) + (i % 4) as f32).collect(),
    );
    let task = Column {
        name: "kind".into(),
        role: Role::Label,
        values: classes(mixed),
    };
    let split: Vec<Split> = (0..N)
        .map(|i| {
            if i % 3 == 0 {
                Split::Test
            } else {
                Split::Train
            }
        })
        .collect();
    assert_eq!(
        inspect(&features, &[task], &split, &|j| j.to_string()).telling,
        []
    );
}

#[test]
fn a_feature_that_follows_a_number_is_named() {
    let number = |i: usize| (i * 7919 % 307) as f64;
    let numbers = || Values::Numbers((0..N).map(|i| (i != 5).then(|| number(i))).collect());
    let found = inspected(|i| -(number(i) as f32).powi(3), numbers());
    assert_eq!(found.telling.len(), 1);
    assert!(found.telling[0].feature == "`f3`" && found.telling[0].score > 0.9999);
    let noisy = |i: usize| number(i) as f32 + (i * 37 % 101) as f32;
    assert_eq!(inspected(noisy, numbers()).telling, []);
}

#[test]
fn one_of_several_labels_can_be_said() {
    let sets = (0..N).map(|i| Some(if mixed(i) == 0 { vec![0, 1] } else { vec![1] }));
    let values = Values::MultiLabel {
        names: vec!["cat".into(), "dog".into()],
        sets: sets.collect(),
    };
    let found = inspected(|i| f32::from(mixed(i) == 0), values);
    let tasks: Vec<&str> = found.telling.iter().map(|t| t.task.as_str()).collect();
    assert_eq!(tasks, ["kind=cat"]);
}

#[test]
fn a_feature_that_counts_the_rows_is_named_with_what_it_says() {
    let found = inspected(|i| i as f32 * 0.5, classes(mixed));
    assert_eq!(
        (found.row_numbers.clone(), found.sorted_tasks.len()),
        (vec!["`f3`".to_owned()], 0)
    );
    let text = found.warnings().join("\n");
    assert!(
        text.starts_with("feature `f3` follows the row number;"),
        "{text}"
    );
    let found = inspected(|i| (i as f32).sqrt(), classes(|i| i / 100));
    assert_eq!(found.sorted_tasks, ["kind"]);
    let text = found.warnings().join("\n");
    assert!(
        text.contains("and rows are sorted by kind: together they say the task"),
        "{text}"
    );
    // Sorted data alone are fine, and so is a sawtooth.
    let found = inspected(|i| (i % 50) as f32, classes(|i| i / 100));
    assert_eq!(found.warnings(), Vec::<String>::new());
}

#[test]
fn constant_features_are_counted() {
    let found = inspected(|_| 2.5, classes(mixed));
    assert_eq!(
        (found.constant, found.constant_names.clone()),
        (1, vec!["`f3`".to_owned()])
    );
    assert_eq!(found.warnings(), ["1 of 9 features are constant: `f3`"]);
}

#[test]
fn spearman_agrees_with_the_formula_without_ties() {
    let pairs: Vec<[f64; 2]> = (0..23)
        .map(|i| [f64::from(i * 7 % 23), f64::from(i * 5 % 29)])
        .collect();
    let ranks = |side: usize| {
        let rank = |p: &[f64; 2]| pairs.iter().filter(|q| q[side] < p[side]).count() as f64;
        pairs.iter().map(rank).collect::<Vec<_>>()
    };
    let squares: f64 = ranks(0)
        .iter()
        .zip(ranks(1))
        .map(|(a, b)| (a - b).powi(2))
        .sum();
    // Without ties: 1 − 6 Σd² / (n (n² − 1)).
    let expected = 1.0 - 6.0 * squares / (23.0 * (23.0 * 23.0 - 1.0));
    assert!((spearman(&pairs) - expected).abs() < 1e-12);
    assert_eq!(spearman(&pairs[..10]), 0.0);
}

#[test]
fn millions_of_values_stay_bounded() {
    assert_eq!(chosen(1_000_000, 10).len(), 20_000);
    assert_eq!(chosen(1_000_000, 4_000).len(), 10_000);
    assert_eq!(chosen(1_000_000, 1_000_000).len(), 1_000);
    assert_eq!(chosen(50, 3).len(), 50);
}
