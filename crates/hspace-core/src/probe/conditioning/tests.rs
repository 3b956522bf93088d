use super::*;
use crate::auto::Auto;
use crate::dataset::{Column, Role, Split, Values};
use crate::error::Result;
use crate::pca::Pca;
use crate::probe::folds::Selection;
use crate::probe::options::{KnnMetric, KnnWeights};
use crate::probe::ridge::Ridge;
use crate::probe::{Contender, Labels, Measurements, ProbeOptions, knn, linear, measure};
use crate::representation::Representation;

#[derive(serde::Deserialize)]
struct Classifier {
    probabilities: Vec<f64>,
    scores: [f64; 2],
}

#[derive(serde::Deserialize)]
struct Regression {
    predicted: Vec<f64>,
    scores: [f64; 2],
}

#[derive(serde::Deserialize)]
struct Components {
    variances: Vec<f64>,
    coordinates: Vec<f64>,
}

/// Features about 4,000,000, and what scikit-learn answers in double precision.
#[derive(serde::Deserialize)]
struct Golden {
    rows: usize,
    cols: usize,
    classes: usize,
    train: usize,
    c: f64,
    alpha: f64,
    k: usize,
    components: usize,
    features: Vec<f32>,
    labels: Vec<u32>,
    target: Vec<f64>,
    linear: Classifier,
    euclidean: Classifier,
    cosine: Classifier,
    ridge: Regression,
    pca: Components,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!(
        "../../../tests/golden/probe_conditioning.json"
    ))
    .unwrap()
}

fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let pairs = ours.iter().zip(theirs);
    let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < tolerance, "{what}: {off}");
}

#[test]
fn probes_of_a_large_common_part_agree_with_scikit_learn() -> Result<()> {
    let g = golden();
    let mut x = Matrix::new(g.rows, g.cols, g.features);
    let pca = Pca::fit(&x.select(&(0..g.train).collect::<Vec<_>>()), g.components)?;
    let conditioning = Conditioning::fit(&x, 0..g.train);
    assert!(conditioning.shift.iter().all(|&mean| mean > 3e6));
    let raw = x.clone();
    conditioning.apply(&mut x);
    let split = |x: &Matrix| {
        let rows: Vec<usize> = (0..g.rows).collect();
        (x.select(&rows[..g.train]), x.select(&rows[g.train..]))
    };
    let (train, test) = split(&x);
    let labels = &g.labels[..g.train];
    let p = linear::fit(&train, labels, g.classes, g.c)?.probabilities(&test);
    // L-BFGS stops at a gradient of 5e-4; the rest is the same without a common part.
    assert_close(&p, &g.linear.probabilities, 5e-3, "linear");
    let small = split(&Matrix::new(
        g.rows,
        g.cols,
        raw.data.iter().map(|x| x - 4e6).collect(),
    ));
    let plain = linear::fit(&small.0, labels, g.classes, g.c)?.probabilities(&small.1);
    assert_close(&p, &plain, 1e-4, "linear without a common part");
    for (metric, theirs) in [
        (knn::Metric::Euclidean, &g.euclidean),
        (knn::Metric::Cosine, &g.cosine),
    ] {
        let found = knn::neighbours(&train, &test, metric, g.k, None);
        let p = knn::probabilities(&found, labels, g.classes, g.k, knn::Weights::Uniform);
        assert_close(&p, &theirs.probabilities, 1e-12, "kNN");
    }
    let ridge = Ridge::fit(
        &train,
        &g.target[..g.train],
        Auto::Set(g.alpha),
        Selection::default(),
        0,
    )?;
    assert_close(&ridge.predict(&test), &g.ridge.predicted, 1e-3, "ridge");
    // Components centre by themselves.
    for (ours, theirs) in pca.variances.iter().zip(&g.pca.variances) {
        assert!((ours / theirs - 1.0).abs() < 1e-5, "{ours} {theirs}");
    }
    let coordinates: Vec<f64> = pca
        .transform(&split(&raw).1)
        .data
        .iter()
        .map(|&x| x.into())
        .collect();
    assert_close(&coordinates, &g.pca.coordinates, 1e-3, "PCA");
    Ok(())
}

/// Classes, a number and a nuisance, measured with the settings of the golden file.
fn measured(g: &Golden, features: Vec<f32>, task: &str, metric: KnnMetric) -> Result<Measurements> {
    let classes = |name: &str, role, names: usize, index: Vec<u32>| Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: (0..names).map(|c| c.to_string()).collect(),
            index: index.into_iter().map(Some).collect(),
        },
    };
    let side = g.target.iter().map(|&t| u32::from(t > 5.0)).collect();
    let r = Representation {
        shift: Vec::new(),
        name: "a".into(),
        features: Matrix::new(g.rows, g.cols, features),
        ids: (0..g.rows).map(|i| i.to_string()).collect(),
        columns: vec![
            classes("class", Role::Label, g.classes, g.labels.clone()),
            Column {
                name: "number".into(),
                role: Role::Label,
                values: Values::Numbers(g.target.iter().map(|&t| Some(t)).collect()),
            },
            classes("side", Role::Nuisance, 2, side),
        ],
        split: (0..g.rows)
            .map(|i| {
                if i < g.train {
                    Split::Train
                } else {
                    Split::Test
                }
            })
            .collect(),
        origin: "test".into(),
    };
    let mut options = ProbeOptions {
        labels: vec![Labels::PerClass(4), Labels::All],
        draws: Auto::Set(2),
        task: task.into(),
        ..ProbeOptions::default()
    };
    options.knn.metric = metric;
    options.knn.k = crate::auto::Auto::Set(g.k);
    options.knn.weights = KnnWeights::Uniform;
    options.linear.c = crate::auto::Auto::Set(g.c);
    options.ridge.alpha = crate::auto::Auto::Set(g.alpha);
    measure(vec![Contender::Fixed(r)], &options, "test", &mut |_| ())
}

fn score(m: &Measurements, probe: &str, name: &str) -> f64 {
    let row = m
        .rows
        .iter()
        .find(|r| r.probe == probe && r.labels == Labels::All);
    let scores = row.map_or(&[][..], |row| &row.scores);
    let found = scores.iter().find(|score| score.0 == name);
    found.map_or(f64::NAN, |score| score.1.mean)
}

#[test]
fn measurements_of_a_large_common_part_are_scikit_learn_s() -> Result<()> {
    let g = golden();
    let classes = measured(&g, g.features.clone(), "class", KnnMetric::Euclidean)?;
    let cosine = measured(&g, g.features.clone(), "class", KnnMetric::Cosine)?;
    let number = measured(&g, g.features.clone(), "number", KnnMetric::Auto)?;
    // Scikit-learn's shares with one more vote, shared by the classes, as ours are.
    let smoothed = |of: &Classifier| {
        let truth = &g.labels[g.train..];
        let (k, classes) = (g.k as f64, g.classes as f64);
        let rows = of.probabilities.chunks_exact(g.classes).zip(truth);
        let losses =
            rows.map(|(row, &t)| -((row[t as usize] * k + 1.0 / classes) / (k + 1.0)).ln());
        [of.scores[0], losses.sum::<f64>() / truth.len() as f64]
    };
    for (m, probe, names, theirs, tolerance) in [
        (
            &classes,
            "linear",
            ["accuracy", "log_loss"],
            g.linear.scores,
            1e-3,
        ),
        (
            &classes,
            "knn",
            ["accuracy", "log_loss"],
            smoothed(&g.euclidean),
            1e-9,
        ),
        (
            &cosine,
            "knn",
            ["accuracy", "log_loss"],
            smoothed(&g.cosine),
            1e-9,
        ),
        (
            &number,
            "ridge",
            ["r2", "mean_absolute_error"],
            g.ridge.scores,
            1e-4,
        ),
    ] {
        let ours = names.map(|name| score(m, probe, name));
        assert_close(&ours, &theirs, tolerance, probe);
    }
    Ok(())
}

/// Ordinary features of a few units, from those of the golden file.
fn ordinary(g: &Golden) -> Vec<f32> {
    g.features.iter().map(|x| (x - 4e6) / 8.0).collect()
}

fn times(values: &[f32], scale: f64) -> Vec<f32> {
    values
        .iter()
        .map(|&x| (f64::from(x) * scale) as f32)
        .collect()
}

#[test]
fn a_power_of_two_changes_no_bit_of_a_measurement() -> Result<()> {
    let mut g = golden();
    let plain = ordinary(&g);
    let (c, alpha) = (g.c, g.alpha);
    let mut at = |scale: f64, task: &str| {
        // The same penalty on the features as they are.
        (g.c, g.alpha) = (c / (scale * scale), alpha * scale * scale);
        let mut m = measured(&g, times(&plain, scale), task, KnnMetric::Auto)?;
        m.rows
            .iter_mut()
            .for_each(|row| row.chosen.retain(|text| text.starts_with("k=")));
        Ok::<_, crate::Error>(m)
    };
    for task in ["class", "number"] {
        let expected = at(1.0, task)?;
        let (probe, name) = if task == "class" {
            ("linear", "accuracy")
        } else {
            ("ridge", "r2")
        };
        assert!(score(&expected, probe, name) > 0.6);
        assert_eq!(expected.nuisances.len(), 1);
        for exponent in [-66, -90, -21, 21, 83, 110] {
            assert_eq!(at(2f64.powi(exponent), task)?, expected, "2^{exponent}");
        }
    }
    Ok(())
}

#[test]
fn other_scales_change_no_answer() -> Result<()> {
    let g = golden();
    let plain = ordinary(&g);
    let answers = |scale: f64| -> Result<Vec<f64>> {
        let mut options = Vec::new();
        for metric in [KnnMetric::Euclidean, KnnMetric::Cosine] {
            let mut g = golden();
            (g.c, g.alpha) = (g.c / (scale * scale), g.alpha * scale * scale);
            let m = measured(&g, times(&plain, scale), "class", metric)?;
            options.extend(m.rows.iter().map(|row| row.scores[0].1.mean));
            options.extend(
                m.confusions
                    .iter()
                    .flat_map(|c| c.counts.iter().flatten().map(|&n| n as f64)),
            );
        }
        Ok(options)
    };
    let expected = answers(1.0)?;
    for scale in [1e25, 1e-20, 3e-38] {
        assert_eq!(answers(scale)?, expected, "{scale}");
    }
    Ok(())
}

#[test]
fn ordinary_features_stay_as_they_are() {
    let g = golden();
    let mut data = ordinary(&g);
    // A constant column of ordinary size, and a mean of a thousand deviations.
    data.chunks_exact_mut(g.cols)
        .enumerate()
        .for_each(|(i, row)| {
            row[0] = 1.0;
            row[1] = 1000.0 + (i % 2 * 2) as f32;
        });
    let x = Matrix::new(g.rows, g.cols, data);
    let conditioning = Conditioning::fit(&x, 0..g.train);
    assert_eq!(
        conditioning,
        Conditioning {
            shift: Vec::new(),
            scale: 1.0
        }
    );
    let mut same = x.clone();
    conditioning.apply(&mut same);
    assert_eq!(same, x);
}

#[test]
fn columns_are_centred_by_their_training_rows() {
    // A common part, a large constant, and an ordinary column.
    let row = |i: usize| [5e5 + (i % 3) as f32, 7e5, (i % 5) as f32];
    let mut x = Matrix::new(60, 3, (0..60).flat_map(row).collect());
    x.data[59 * 3] = -1e30;
    let conditioning = Conditioning::fit(&x, 0..30);
    assert_eq!(conditioning.shift, [500_001.0, 700_000.0, 0.0]);
    conditioning.apply(&mut x);
    for i in 0..59 {
        assert_eq!(x.row(i), [(i % 3) as f32 - 1.0, 0.0, (i % 5) as f32]);
    }
    assert_eq!(x.row(59)[0], -(CEILING as f32));
}

/// Statistics against two passes in double precision.
#[test]
fn statistics_are_those_of_two_passes() {
    let g = golden();
    let x = Matrix::new(g.rows, g.cols, g.features);
    let columns = Columns::of(&x, 0..g.train);
    for j in 0..g.cols {
        let column: Vec<f64> = (0..g.train).map(|i| x.row(i)[j].into()).collect();
        let n = g.train as f64;
        let mean = column.iter().sum::<f64>() / n;
        let variance = column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        assert!((columns.mean[j] - mean).abs() < 1e-6);
        assert!((columns.variance[j] / variance - 1.0).abs() < 1e-9);
    }
}

#[test]
fn degenerate_features_are_measured_without_nan() -> Result<()> {
    let g = golden();
    let noise = ordinary(&g);
    let all = |f: &dyn Fn(usize) -> f32| (0..g.rows * g.cols).map(f).collect::<Vec<f32>>();
    let cases = [
        ("zeros", all(&|_| 0.0)),
        ("all rows equal", all(&|i| (i % g.cols) as f32 * 4e6)),
        ("one value", all(&|_| f32::MAX)),
        ("subnormal", times(&noise, 1e-42)),
        ("the smallest", all(&|i| f32::from_bits((i % 3) as u32))),
        (
            "the largest",
            all(&|i| if i % 3 == 0 { f32::MAX } else { f32::MIN }),
        ),
        (
            "test rows elsewhere",
            all(&|i| {
                if i < g.train * g.cols {
                    noise[i] * 1e-30
                } else {
                    noise[i] * 1e30
                }
            }),
        ),
        (
            "constant columns",
            all(&|i| if i % 2 == 0 { noise[i] } else { -7e30 }),
        ),
    ];
    for (name, features) in cases {
        for task in ["class", "number"] {
            for metric in [KnnMetric::Euclidean, KnnMetric::Cosine] {
                let m = measured(&g, features.clone(), task, metric)?;
                for row in &m.rows {
                    for (measure, e) in &row.scores {
                        let finite = [e.mean, e.low, e.high].iter().all(|v| v.is_finite());
                        assert!(finite, "{name}: {} {measure} {e:?}", row.probe);
                    }
                }
                let shape = &m.geometry[0];
                let values = [
                    shape.effective_rank,
                    shape.alignment,
                    shape.uniformity,
                    shape.nmi,
                ];
                assert!(
                    values.iter().flatten().all(|v| v.is_finite()),
                    "{name}: {shape:?}"
                );
                assert_eq!(
                    shape.effective_rank.is_none(),
                    name == "zeros",
                    "{name}: {shape:?}"
                );
            }
        }
    }
    Ok(())
}
