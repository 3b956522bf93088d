use super::graph::Graph;
use super::label_propagation::Propagation;
use super::label_spreading::Spreading;
use super::propagate::Limit;
use super::self_training::self_train;
use super::*;
use crate::auto::Auto;
use crate::list::find;
use crate::probe::linear;

#[derive(serde::Deserialize)]
struct Case {
    method: String,
    kernel: Kernel,
    gamma: f64,
    k: usize,
    alpha: Option<f64>,
    max_iterations: usize,
    tolerance: f64,
    iterations: usize,
    probabilities: Vec<f64>,
    of_training: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct SelfTrained {
    threshold: f64,
    max_iterations: usize,
    rounds: Vec<i64>,
    probabilities: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Golden {
    rows: usize,
    cols: usize,
    classes: usize,
    train: Vec<f32>,
    test: Vec<f32>,
    labels: Vec<i64>,
    cases: Vec<Case>,
    bayes: Vec<SelfTrained>,
    linear: SelfTrained,
}

struct Data {
    train: Matrix,
    test: Matrix,
    labels: Vec<Option<u32>>,
    classes: usize,
}

impl Data {
    fn labels(&self) -> PartialLabels<'_> {
        PartialLabels {
            labels: &self.labels,
            classes: self.classes,
            groups: None,
            seed: 0,
        }
    }
}

fn golden() -> (Golden, Data) {
    let text = include_str!("../../tests/golden/semi_supervised_values.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    let (n, d) = (golden.rows, golden.cols);
    let data = Data {
        train: Matrix::new(n, d, golden.train.clone()),
        test: Matrix::new(golden.test.len() / d, d, golden.test.clone()),
        labels: golden
            .labels
            .iter()
            .map(|&l| u32::try_from(l).ok())
            .collect(),
        classes: golden.classes,
    };
    (golden, data)
}

fn assert_near(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

#[test]
fn graph_methods_agree_with_scikit_learn() {
    let (golden, data) = golden();
    for case in &golden.cases {
        let limit = Limit {
            iterations: case.max_iterations,
            tolerance: case.tolerance,
        };
        let graph = GraphOptions {
            kernel: case.kernel,
            gamma: Auto::Set(case.gamma),
            k: case.k,
        };
        let mut options = Options {
            graph,
            ..Options::default()
        };
        let graph = Graph::new(&data.train, &data.test, &graph).unwrap();
        let (f, steps) = match case.alpha {
            None => {
                options.label_propagation = PropagationOptions {
                    max_iterations: case.max_iterations,
                    tolerance: case.tolerance,
                };
                Propagation { graph, limit }.distributions(&data.labels())
            }
            Some(alpha) => {
                options.label_spreading = SpreadingOptions {
                    alpha,
                    max_iterations: case.max_iterations,
                    tolerance: case.tolerance,
                };
                Spreading {
                    graph,
                    alpha,
                    limit,
                }
                .distributions(&data.labels())
            }
        };
        assert_eq!(steps, case.iterations, "{}", case.method);
        assert_near(&f, &case.of_training, 1e-6);
        let method = find("method", METHODS, &case.method).unwrap();
        let p = method.learn(&data.train, &data.labels(), &data.test, &options);
        assert_near(&p.unwrap(), &case.probabilities, 1e-6);
    }
}

/// Gaussian naive Bayes, as scikit-learn's: mean, variance and share of each class.
struct Bayes {
    classes: Vec<(f64, Vec<f64>, Vec<f64>)>,
}

impl Bayes {
    fn fit(x: &Matrix, y: &[u32], classes: usize) -> Result<Bayes> {
        let variance = |rows: &[usize]| -> (Vec<f64>, Vec<f64>) {
            let part = x.select(rows);
            let mean = part.column_means();
            let n = rows.len() as f64;
            let square = |j: usize| -> f64 {
                let column = (0..part.rows).map(|i| f64::from(part.row(i)[j]) - mean[j]);
                column.map(|e| e * e).sum::<f64>() / n
            };
            let variance = (0..x.cols).map(square).collect();
            (mean, variance)
        };
        let (_, all) = variance(&(0..x.rows).collect::<Vec<_>>());
        let least = 1e-9 * all.iter().copied().fold(0.0, f64::max);
        let of = |class: u32| {
            let rows: Vec<usize> = (0..x.rows).filter(|&i| y[i] == class).collect();
            let (mean, variance) = variance(&rows);
            let share = rows.len() as f64 / x.rows as f64;
            (share, mean, variance.iter().map(|v| v + least).collect())
        };
        Ok(Bayes {
            classes: (0..classes as u32).map(of).collect(),
        })
    }

    fn probabilities(&self, x: &Matrix) -> Vec<f64> {
        let mut out = Vec::new();
        for i in 0..x.rows {
            let ln = |(share, mean, variance): &(f64, Vec<f64>, Vec<f64>)| -> f64 {
                let terms = x.row(i).iter().zip(mean).zip(variance).map(|((&x, m), v)| {
                    let e = f64::from(x) - m;
                    -0.5 * ((std::f64::consts::TAU * v).ln() + e * e / v)
                });
                share.ln() + terms.sum::<f64>()
            };
            let ln: Vec<f64> = self.classes.iter().map(ln).collect();
            let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = ln.iter().map(|l| (l - top).exp()).sum();
            out.extend(ln.iter().map(|l| (l - top).exp() / sum));
        }
        out
    }
}

fn rounds(case: &SelfTrained) -> Vec<Option<usize>> {
    let round = |&r: &i64| usize::try_from(r).ok();
    case.rounds.iter().map(round).collect()
}

fn settings(case: &SelfTrained, c: f64) -> SelfTrainingOptions {
    SelfTrainingOptions {
        threshold: case.threshold,
        max_iterations: case.max_iterations,
        c: Auto::Set(c),
    }
}

/// With a classifier in closed form the loop is compared to the last digits.
#[test]
fn self_training_around_naive_bayes_agrees_with_scikit_learn() {
    let (golden, data) = golden();
    for case in &golden.bayes {
        let fit = |x: &Matrix, y: &[u32]| Bayes::fit(x, y, data.classes);
        let options = settings(case, 1.0);
        let (model, own) = self_train(
            &data.train,
            &data.labels(),
            &options,
            fit,
            Bayes::probabilities,
        )
        .unwrap();
        assert_eq!(own, rounds(case));
        assert_near(&model.probabilities(&data.test), &case.probabilities, 1e-6);
    }
}

/// Rows are labelled in the same rounds; probabilities agree as those of the linear probe do.
#[test]
fn self_training_around_the_linear_probe_agrees_with_scikit_learn() {
    let (golden, data) = golden();
    let case = &golden.linear;
    let options = settings(case, 1.0);
    let fit = |x: &Matrix, y: &[u32]| linear::fit(x, y, data.classes, 1.0);
    let answer = linear::Softmax::probabilities;
    let (_, own) = self_train(&data.train, &data.labels(), &options, fit, answer).unwrap();
    assert_eq!(own, rounds(case));
    let options = Options {
        self_training: options,
        ..Options::default()
    };
    let method = find("method", METHODS, "self_training").unwrap();
    let p = method.learn(&data.train, &data.labels(), &data.test, &options);
    assert_near(&p.unwrap(), &case.probabilities, 1e-3);
}

/// Both kernels, every method: other test rows do not change an answer, and rows may come in any order.
#[test]
fn test_rows_do_not_influence_one_another() {
    let (_, data) = golden();
    for kernel in [Kernel::Knn, Kernel::Rbf] {
        let mut options = Options::default();
        options.graph.kernel = kernel;
        for method in METHODS {
            let learn = |test: &Matrix| {
                let p = method.learn(&data.train, &data.labels(), test, &options);
                p.unwrap()
            };
            let all = learn(&data.test);
            let some = [4, 29, 0];
            let mut alone = data.test.select(&some);
            // A test row far away.
            alone.data.extend([1e3, -1e3, 1e3]);
            alone.rows += 1;
            let alone = learn(&alone);
            for (place, &row) in some.iter().enumerate() {
                let (a, b) = (&all[row * 3..][..3], &alone[place * 3..][..3]);
                assert_near(a, b, 1e-9);
            }
        }
    }
}

/// Two clusters, one without a label: its rows get the shares of the labels, not NaN.
#[test]
fn rows_that_no_label_reaches_get_the_shares_of_the_labels() {
    let train = Matrix::new(
        12,
        1,
        (0..12)
            .map(|i| i as f32 * 0.1 + if i < 6 { 0.0 } else { 1e3 })
            .collect(),
    );
    let mut labels = vec![None; 12];
    (labels[0], labels[1], labels[5]) = (Some(0), Some(0), Some(2));
    let labels = PartialLabels {
        labels: &labels,
        classes: 3,
        groups: None,
        seed: 0,
    };
    let test = Matrix::new(2, 1, vec![0.05, 1000.95]);
    let mut options = Options::default();
    options.graph.k = 4;
    for name in ["label_propagation", "label_spreading"] {
        let method = find("method", METHODS, name).unwrap();
        let p = method.learn(&train, &labels, &test, &options).unwrap();
        assert!(p[0] > 0.8, "{p:?}");
        assert_near(&p[3..], &[2.0 / 3.0, 0.0, 1.0 / 3.0], 1e-12);
    }
}

#[test]
fn an_automatic_gamma_does_not_depend_on_the_unit_of_the_features() {
    let (_, data) = golden();
    let mut options = Options::default();
    options.graph.kernel = Kernel::Rbf;
    let scaled = |m: &Matrix| {
        let data = m.data.iter().map(|x| x * 1024.0).collect();
        Matrix::new(m.rows, m.cols, data)
    };
    let method = find("method", METHODS, "label_spreading").unwrap();
    let p = method.learn(&data.train, &data.labels(), &data.test, &options);
    let (train, test) = (scaled(&data.train), scaled(&data.test));
    let q = method.learn(&train, &data.labels(), &test, &options);
    assert_near(&p.unwrap(), &q.unwrap(), 1e-6);
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let method = find("method", METHODS, "label_propagation").unwrap();
    let error = |train: &Matrix, labels: &[Option<u32>], options: &Options| {
        let labels = PartialLabels {
            labels,
            classes: 2,
            groups: None,
            seed: 0,
        };
        let test = Matrix::zeros(1, 1);
        let p = method.learn(train, &labels, &test, options);
        p.unwrap_err().to_string()
    };
    let options = Options::default();
    let train = Matrix::zeros(3, 1);
    assert!(error(&train, &[None; 3], &options).contains("no training row is labelled"));
    assert!(error(&train, &[Some(2); 3], &options).contains("label 2 of 2 classes"));
    assert!(error(&train, &[Some(1); 2], &options).contains("do not fit"));
    let nan = Matrix::new(3, 1, vec![0.0, f32::NAN, 1.0]);
    assert!(error(&nan, &[Some(1); 3], &options).contains("NaN"));
    let mut wrong = options;
    (wrong.graph.k, wrong.label_spreading.alpha) = (1, 1.0);
    let text = error(&train, &[Some(1); 3], &wrong);
    assert!(text.contains("graph.k") && text.contains("alpha"), "{text}");
    let mut all_pairs = options;
    all_pairs.graph.kernel = Kernel::Rbf;
    let large = Matrix::zeros(RBF_ROWS + 1, 1);
    let text = error(&large, &vec![Some(0); RBF_ROWS + 1], &all_pairs);
    assert!(
        text.contains("5001") && text.contains("graph.kernel = knn"),
        "{text}"
    );
}

/// Through the protocol of `probe`: few labels and many unlabelled rows on two arcs.
#[test]
fn a_method_is_measured_as_a_source_that_learns_from_each_draw() {
    use crate::dataset::{Column, Role, Split};
    use crate::probe::{HEAD, Labels, ProbeOptions, Scaling, measure};
    use crate::representation::Representation;
    let n = 400;
    let class = |i: usize| (i % 2) as u32;
    let point = |i: usize| {
        let turn = (i / 2) as f32 / 200.0 * std::f32::consts::PI;
        match class(i) {
            0 => [turn.cos(), turn.sin()],
            _ => [1.0 - turn.cos(), 0.3 - turn.sin()],
        }
    };
    let r = Representation {
        name: "points".into(),
        features: Matrix::new(n, 2, (0..n).flat_map(point).collect()),
        ids: (0..n).map(|i| i.to_string()).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values: crate::dataset::Values::Classes {
                names: vec!["a".into(), "b".into()],
                index: (0..n).map(|i| Some(class(i))).collect(),
            },
        }],
        split: (0..n)
            .map(|i| match i % 10 < 8 {
                true => Split::Train,
                false => Split::Test,
            })
            .collect(),
        origin: String::new(),
        shift: Vec::new(),
    };
    let mut contenders: Vec<_> = METHODS
        .iter()
        .map(|method| {
            let options = Options::default();
            contender(
                method.name,
                r.clone(),
                "auto",
                method,
                options,
                Scaling::Overall,
            )
            .unwrap()
        })
        .collect();
    contenders.push(crate::probe::Contender::Fixed(r));
    let options = ProbeOptions {
        probes: vec!["linear".into()],
        labels: vec![Labels::PerClass(3)],
        draws: Auto::Set(5),
        ..ProbeOptions::default()
    };
    let measured = measure(contenders, &options, "arcs", &mut |_| ()).unwrap();
    let accuracy = |name: &str| {
        let row = measured.rows.iter().find(|r| r.representation == name);
        let row = row.unwrap();
        assert!(name == "points" || row.probe == HEAD);
        row.main_score().unwrap().1.mean
    };
    assert!(accuracy("label_propagation") > 0.97);
    assert!(accuracy("label_propagation") > accuracy("points") + 0.05);
    assert!(accuracy("self_training") > 0.6);
}

/// The source `knn` and the probe `knn` give the same answers, whatever is left to choose, with groups and without.
#[test]
fn nearest_neighbours_answer_as_the_probe_does() {
    use crate::dataset::{Column, Role, Split, Values};
    use crate::probe::{Contender, KnnOptions, Labels, ProbeOptions, Scaling, measure};
    use crate::random::mix;
    use crate::representation::Representation;
    let n = 360;
    // Rows of a group lie near each other and share their class, so that a choice by rows of the same group is another one.
    let group = |i: usize| (i / 4) as u64;
    let unit = |of: &[u64]| (mix(of) % 1000) as f32 / 1000.0;
    let point = |i: usize| -> [f32; 2] {
        std::array::from_fn(|j| unit(&[group(i), j as u64]) + 0.02 * unit(&[i as u64, j as u64, 7]))
    };
    let class = |i: usize| u32::from(point(i)[0] + unit(&[group(i), 5]) > 1.0);
    let column = |name: &str, role, of: &dyn Fn(usize) -> u32, count: usize| Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: (0..count).map(|c| c.to_string()).collect(),
            index: (0..n).map(|i| Some(of(i))).collect(),
        },
    };
    let label = column("label", Role::Label, &class, 2);
    let patient = column("patient", Role::Group, &|i| group(i) as u32, n / 4);
    let mut chosen_differently = false;
    for columns in [vec![label.clone()], vec![label, patient]] {
        let r = Representation {
            name: "points".into(),
            features: Matrix::new(n, 2, (0..n).flat_map(point).collect()),
            ids: (0..n).map(|i| i.to_string()).collect(),
            split: (0..n)
                .map(|i| match group(i) % 3 {
                    0 => Split::Test,
                    _ => Split::Train,
                })
                .collect(),
            columns,
            origin: String::new(),
            shift: Vec::new(),
        };
        for knn in [
            KnnOptions::default(),
            KnnOptions {
                k: Auto::Set(5),
                ..KnnOptions::default()
            },
        ] {
            let own = Options {
                knn,
                ..Options::default()
            };
            let method = find("method", METHODS, "knn").unwrap();
            let source = contender(
                "knn:points",
                r.clone(),
                "auto",
                method,
                own,
                Scaling::Columns,
            );
            let contenders = vec![source.unwrap(), Contender::Fixed(r.clone())];
            let options = ProbeOptions {
                probes: vec!["knn".into()],
                labels: vec![Labels::PerClass(20), Labels::All],
                draws: Auto::Set(3),
                scaling: Scaling::Columns,
                knn,
                ..ProbeOptions::default()
            };
            let found = measure(contenders, &options, "points", &mut |_| ()).unwrap();
            for labels in options.labels {
                let scores = |name: &str| {
                    let mut rows = found.rows.iter();
                    let row = rows.find(|r| r.representation == name && r.labels == labels);
                    row.unwrap().scores.clone()
                };
                assert_eq!(scores("knn:points"), scores("points"), "{knn:?} {labels:?}");
            }
            // Without the groups the choice is another.
            let labels: Vec<Option<u32>> = (0..n).map(|i| Some(class(i))).collect();
            let groups: Vec<u32> = (0..n).map(|i| group(i) as u32).collect();
            let p = |groups| {
                let labels = PartialLabels {
                    labels: &labels,
                    classes: 2,
                    groups,
                    seed: 0,
                };
                method.learn(&r.features, &labels, &r.features, &own)
            };
            chosen_differently |= p(None).unwrap() != p(Some(&groups)).unwrap();
        }
    }
    assert!(chosen_differently);
}
