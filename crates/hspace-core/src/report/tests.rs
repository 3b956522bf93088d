//! Whole pages: what they show, escaped, with parts that are absent, and after JSON.

use super::*;
use crate::probe::evaluation::{Operation, Roc};
use crate::probe::{
    Comparison, Confusion, Estimate, Geometry, LabelScore, Labels, LabelsAlone, Nuisance,
    Reliability, ReliabilityBin, Row, Savings, Scaling,
};

fn estimate(mean: f64) -> Estimate {
    Estimate {
        mean,
        low: mean - 0.02,
        high: mean + 0.02,
    }
}

/// Two representations, two probes, three numbers of labels; one value is NaN, names are odd.
fn page() -> Page {
    let names = ["pixels", "a<b>&\"c\""];
    let mut rows = Vec::new();
    for (r, name) in names.iter().enumerate() {
        for probe in ["linear", "knn"] {
            let columns = [
                (Labels::PerClass(1), 2),
                (Labels::PerClass(10), 20),
                (Labels::All, 400),
            ];
            for (i, (labels, labelled)) in columns.into_iter().enumerate() {
                let mean = 0.5 + 0.1 * i as f64 + 0.05 * r as f64;
                let mean = if (r, i, probe) == (0, 0, "knn") {
                    f64::NAN
                } else {
                    mean
                };
                let scores = vec![
                    ("accuracy".into(), estimate(mean)),
                    ("log_loss".into(), estimate(0.7)),
                ];
                let (representation, probe) = (name.to_string(), probe.to_string());
                let draws = vec![mean; if labels == Labels::All { 1 } else { 5 }];
                rows.push(Row {
                    representation,
                    probe,
                    labels,
                    labelled,
                    val_labels: 0,
                    scores,
                    label_scores: Vec::new(),
                    draws,
                    chosen: Vec::new(),
                    confidence: None,
                    needs: None,
                    answers: None,
                });
            }
        }
    }
    let learned = names[1].to_string();
    let classes = vec!["cat".to_string(), "<script>alert(1)</script>".into()];
    let measurements = Measurements {
        protocol: 1,
        code_version: "0.1.0".into(),
        data: "folder".into(),
        task: "animal".into(),
        split_hash: "5eed".into(),
        seed: 3,
        train: 400,
        val: 0,
        test: 100,
        classes: classes.clone(),
        labels: Vec::new(),
        mask_classes: Vec::new(),
        chance: 0.5,
        origins: names.map(|n| (n.to_string(), "hash".to_string())).to_vec(),
        rows,
        savings: vec![Savings {
            representation: learned.clone(),
            baseline: "pixels".into(),
            probe: "linear".into(),
            labels: 20,
            seen: true,
            equals: Some((55.4, 55.4)),
            at_least: Some(40.0),
            at_most: Some(70.0),
        }],
        scaling: Scaling::Overall,
        folds: 1,
        labels_hash: "1abe1".into(),
        comparisons: vec![Comparison {
            a: learned.clone(),
            b: "pixels".into(),
            probe: "linear".into(),
            labels: Labels::PerClass(10),
            difference: estimate(0.05),
            by_itself: None,
            p: 0.01,
            seen: true,
        }],
        labels_alone: vec![],
        left_out: vec![],
        reliability: vec![Reliability {
            representation: learned.clone(),
            probe: "linear".into(),
            bins: vec![ReliabilityBin {
                confidence: 0.7,
                accuracy: estimate(0.65),
                count: 100,
            }],
        }],
        geometry: vec![Geometry {
            representation: learned.clone(),
            dim: 8,
            effective_rank: None,
            alignment: None,
            uniformity: Some(-2.0),
            nmi: Some(0.5),
            ari: None,
        }],
        nuisances: vec![Nuisance {
            representation: learned.clone(),
            column: "hospital".into(),
            role: crate::dataset::Role::Nuisance,
            decodability: estimate(0.8),
            chance: 0.5,
            readable: true,
            warning: true,
        }],
        confusions: vec![Confusion {
            representation: learned.clone(),
            classes: classes.clone(),
            counts: vec![vec![40, 10], vec![5, 45]],
        }],
    };
    let curve = |name: &str, y: Vec<f64>| Curve {
        name: name.into(),
        x: vec![0.0, 1.0, 2.0],
        y,
    };
    Page {
        title: "run <1>".into(),
        headline: "It works.".into(),
        learned: vec![learned.clone()],
        run: Some(RunFacts {
            seconds: f64::INFINITY,
            config: "seed = 3".into(),
            ..RunFacts::default()
        }),
        measurements: Some(measurements),
        head: Some(head()),
        masks: None,
        many_tasks: None,
        training: vec![
            curve("loss", vec![2.0, f64::NAN, 1.0]),
            curve("lr", vec![f64::NAN; 3]),
        ],
        projections: vec![Projection {
            name: learned,
            points: vec![[0.0, 1.0], [f32::NAN, 0.0], [2.0, 2.0]],
            class: vec![Some(0), Some(1), None],
            classes,
            plane: Plane::Tsne,
        }],
        neighbours: None,
        feature_maps: vec![],
        latents: Some(Latents::of(&crate::matrix::Matrix::new(
            2,
            1,
            vec![0.5, -0.5],
        ))),
        space: Some(SpaceFits {
            representation: "runs/a".into(),
            fits: vec![crate::density::space::SpaceFit {
                name: "mixture".into(),
                chosen: "3 components".into(),
                held_out: -1.5,
                behind: None,
                no_difference: false,
            }],
            ..SpaceFits::default()
        }),
        drawings: vec![Drawing {
            title: "Samples".into(),
            caption: "drawn <here>".into(),
            picture: vec![1, 2, 3],
        }],
        disentanglement: Some(disentanglement(&names)),
        column: None,
        outliers: None,
        shift: Some(shifted()),
        robustness: Some(robust()),
        warnings: vec![Warning::of_data("mind <this>".into())],
        bad_files: vec![BadFile {
            path: "x&y.png".into(),
            reason: "empty".into(),
        }],
    }
}

/// Between two domains with odd names.
fn shifted() -> ShiftResult {
    let row = crate::shift::ShiftRow {
        source: "runs/<a>".into(),
        probe: "linear".into(),
        labels: Labels::All,
        adapts: false,
        home: vec!["lab <1>".into()],
        away: "lab <2>".into(),
        tested: 1200,
        at_home: Some(estimate(0.9)),
        score: estimate(0.7),
        balanced: Some(Estimate::without_interval(0.6)),
        drop: Some(estimate(0.2)),
        ceiling: None,
        gain: Some(estimate(0.1)),
        closed: None,
        calibration_at_home: None,
        calibration: Some(crate::shift::Reliability {
            error: estimate(0.2),
            confidence: crate::probe::Confidence {
                confident_error: 0.1,
                overconfidence: 0.15,
            },
        }),
    };
    let found = crate::shift::Shift {
        data: "labs".into(),
        task: "cell".into(),
        measure: "accuracy".into(),
        domain: "lab".into(),
        domains: vec![],
        rows: vec![row],
        decodability: vec![],
        distances: vec![],
        inputs: vec![],
        choices: vec![],
        left_out: vec![],
    };
    ShiftResult {
        found,
        samples: None,
    }
}

/// Of a corruption at two severities.
fn robust() -> RobustnessResult {
    use crate::robustness::{ConditionScore, Robustness, RobustnessRow};
    let score = |severity: usize| ConditionScore {
        corruption: "<fog>".into(),
        severity,
        accuracy: estimate(0.6),
        confident_error: 0.2,
        overconfidence: 0.1,
    };
    let row = RobustnessRow {
        source: "runs/<a>".into(),
        probe: "linear".into(),
        labels: Labels::All,
        clean: score(0),
        corrupted: estimate(0.6),
        kept: estimate(0.8),
        corruption_error: None,
        conditions: vec![score(1), score(5)],
    };
    let found = Robustness {
        data: "labs".into(),
        task: "cell".into(),
        suite: "imagenet-c".into(),
        samples: 1000,
        baseline: "pixels".into(),
        rows: vec![row],
        left_out: vec![],
    };
    RobustnessResult {
        found,
        samples: vec![],
    }
}

/// Of two classes with odd names.
fn head() -> HeadResult {
    HeadResult {
        about: About {
            task: "animal <1>".into(),
            kind: crate::probe::TaskKind::Classes,
            names: vec!["cat".into(), "<b>".into()],
            source: ("runs/a".into(), "hash".into()),
            made: "linear c=1".into(),
            samples: 400,
            temperature: 1.2,
            calibration: None,
            threshold: Some(0.4),
            scores: vec![],
        },
        evaluation: Evaluation {
            samples: 100,
            unknown: 3,
            scores: vec![("sensitivity".into(), estimate(0.8))],
            roc: Some(Roc {
                classes: ["cat".into(), "<b>".into()],
                counts: [40, 60],
                points: vec![[0.0, 0.0], [0.0, 0.7], [0.3, 1.0], [1.0, 1.0]],
                auroc: estimate(0.93),
                chosen: Some(Operation {
                    threshold: 0.4,
                    sensitivity: estimate(0.8),
                    specificity: estimate(0.9),
                }),
                sensitivity_at_95: Estimate::without_interval(0.7),
            }),
        },
    }
}

/// The first of `names` has a score and a matrix, the second has none.
fn disentanglement(names: &[&str]) -> Disentanglement {
    use crate::disentangle::{Dependence, FactorFacts, Row};
    let row = |name: &str, scores| Row {
        representation: name.into(),
        origin: String::new(),
        dim: 2,
        scores,
    };
    Disentanglement {
        protocol: 1,
        code_version: "0.1.0".into(),
        data: "folder".into(),
        seed: 0,
        samples: 500,
        groups: 5,
        factors: vec![FactorFacts {
            name: "<1>".into(),
            values: 3,
        }],
        rows: vec![
            row(names[0], vec![("mig".into(), estimate(0.25))]),
            row(names[1], Vec::new()),
        ],
        dependence: vec![Dependence {
            representation: names[1].into(),
            latents: vec![vec![1.0, 0.5], vec![0.5, 1.0]],
            correlations: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
            factors: vec!["<1>".into()],
            known: vec![vec![1.0], vec![0.0]],
        }],
    }
}

#[test]
fn everything_is_shown_escaped_and_without_network_script_or_nan() {
    let text = html(&page()).expect("page");
    let sections = [
        "Results",
        "With few labels",
        "The head",
        "The space",
        "What it draws",
        "What is mistaken",
        "Shape of",
        "What should not",
        "Disentanglement",
        "What latents have in common",
        "Training",
        "How this was",
    ];
    for heading in sections {
        assert!(text.contains(&format!("<h2>{heading}")), "{heading}");
    }
    for part in [
        "20 labels",
        ">55 (95\u{a0}% interval 40 to 70)<",
        ">+5.0<",
        "Reliability of",
        "93.0 (91.0 to 95.0) %",
        "chosen threshold 0.400",
        "Sensitivity at the threshold",
        "3 more have a label",
        "mind &lt;this&gt;",
        "x&amp;y.png",
        "seed = 3",
    ] {
        assert!(text.contains(part), "{part}");
    }
    for part in ["<script", "http", "NaN", "inf<", "a<b>", "<1>"] {
        assert!(!text.contains(part), "{part}");
    }
}

#[test]
fn labels_domains_and_val_labels_are_shown() {
    let mut page = page();
    let plain = html(&page).expect("page");
    let absent = ["Label by label", "val labels", "(domain)", "label sets"];
    for part in absent {
        assert!(!plain.contains(part), "{part}");
    }
    let m = page.measurements.as_mut().expect("measurements");
    m.classes.clear();
    m.labels = vec!["mass".into(), "<b>".into()];
    m.val = 524;
    for row in m.rows.iter_mut().filter(|row| row.labels == Labels::All) {
        row.val_labels = 524;
        row.scores[0].0 = "macro_auroc".into();
        row.label_scores = vec![LabelScore {
            label: "<b>".into(),
            positives: 25,
            auroc: Some(estimate(0.7)),
            average_precision: None,
        }];
    }
    m.nuisances[0].role = crate::dataset::Role::Domain;
    m.nuisances[0].warning = false;
    let text = html(&page).expect("page");
    for part in absent.into_iter().chain([
        "all: settings chosen on 524 val labels",
        "524 to choose settings by",
        "2 labels, any number a sample",
        "&lt;b&gt;",
        "<td>25.0</td>",
        "<h2>Domains",
        "can be read off",
    ]) {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("⚠"));
}

#[test]
fn sections_without_data_are_left_out() {
    let text = html(&Page {
        title: "t".into(),
        ..Page::default()
    })
    .expect("page");
    assert!(!text.contains("<section"), "{text}");
    let mut bare = page();
    if let Some(m) = &mut bare.measurements {
        m.rows.clear();
        m.geometry.clear();
    }
    let text = html(&bare).expect("page");
    assert!(!text.contains("Results") && !text.contains("Shape of"));
}

#[test]
fn a_page_is_the_same_after_json() {
    let mut page = page();
    // NaN is read back in a page's own curves and points; measurements are always finite in JSON.
    if let Some(m) = &mut page.measurements {
        m.rows.retain(|r| r.draws.iter().all(|d| d.is_finite()));
        m.geometry.clear();
    }
    if let Some(run) = &mut page.run {
        run.seconds = 75.0;
    }
    let json = serde_json::to_string(&page).expect("JSON");
    let back: Page = serde_json::from_str(&json).expect("read back");
    assert_eq!(html(&back).expect("page"), html(&page).expect("page"));
}

#[test]
fn what_is_worse_than_the_labels_alone_is_on_the_page() -> Result<()> {
    let mut page = page();
    assert!(!html(&page)?.contains("Worse than the labels alone"));
    let m = page.measurements.as_mut().unwrap();
    let alone = |baseline: &str| LabelsAlone {
        baseline: baseline.into(),
        probe: Some("linear".into()),
        besides: "the <unlabelled> samples".into(),
    };
    m.labels_alone = vec![
        ("pixels".into(), alone("a<b>&\"c\"")),
        ("pixels".into(), alone("gone")),
    ];
    let text = html(&page)?;
    assert!(text.contains("Worse than the labels alone"));
    assert!(text.contains(
        "pixels is worse than the linear probe on a&lt;b&gt;&amp;&quot;c&quot; at 10 labels a class: −.050 (−.070 to −.030): here the \
         &lt;unlabelled&gt; samples do harm"
    ));
    assert!(text.contains("the linear probe on gone is not measured"));
    Ok(())
}
