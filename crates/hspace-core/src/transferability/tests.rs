use super::*;
use crate::list::find;

#[derive(serde::Deserialize)]
struct OfFeaturesCase {
    rows: usize,
    cols: usize,
    classes: usize,
    features: Vec<f32>,
    labels: Vec<u32>,
    logme: f64,
    h_score: f64,
    h_score_shrinkage: f64,
}

#[derive(serde::Deserialize)]
struct OfProbabilitiesCase {
    classes: usize,
    sources: usize,
    probabilities: Vec<f64>,
    labels: Vec<u32>,
    leep: f64,
    nce: f64,
}

#[derive(serde::Deserialize)]
struct Golden {
    features: Vec<OfFeaturesCase>,
    probabilities: Vec<OfProbabilitiesCase>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!(
        "../../tests/golden/transferability_values.json"
    ))
    .unwrap()
}

fn of_features(name: &str, x: &Matrix, y: &[u32], classes: usize) -> Result<f64> {
    match find("score", SCORES, name).unwrap().item {
        Score::Features(of) => of(x, y, classes),
        Score::Probabilities(_) => panic!("{name} takes probabilities"),
    }
}

fn of_probabilities(name: &str, p: &[f64], z: usize, y: &[u32], classes: usize) -> Result<f64> {
    let probabilities = SourceProbabilities {
        values: p,
        classes: z,
    };
    match find("score", SCORES, name).unwrap().item {
        Score::Probabilities(of) => of(&probabilities, y, classes),
        Score::Features(_) => panic!("{name} takes features"),
    }
}

/// Many rows and few, dependent columns, a class without rows.
#[test]
fn scores_of_features_agree_with_the_papers_equations() {
    for case in golden().features {
        let x = Matrix::new(case.rows, case.cols, case.features);
        let wanted = [
            ("logme", case.logme),
            ("h_score", case.h_score),
            ("h_score_shrinkage", case.h_score_shrinkage),
        ];
        for (name, theirs) in wanted {
            let ours = of_features(name, &x, &case.labels, case.classes).unwrap();
            assert!(
                (ours - theirs).abs() < 1e-6 * (1.0 + theirs.abs()),
                "{name} {}x{}: {ours} {theirs}",
                case.rows,
                case.cols
            );
        }
    }
}

#[test]
fn scores_of_probabilities_agree_with_the_papers_equations() {
    for case in golden().probabilities {
        for (name, theirs) in [("leep", case.leep), ("nce", case.nce)] {
            let p = &case.probabilities;
            let ours = of_probabilities(name, p, case.sources, &case.labels, case.classes).unwrap();
            assert!((ours - theirs).abs() < 1e-10, "{name}: {ours} {theirs}");
        }
    }
}

/// A source whose answers are the labels under other names leaves nothing open; one that always says the same leaves the entropy of
/// the labels.
#[test]
fn perfect_and_constant_sources_have_known_scores() {
    let y: Vec<u32> = (0..60).map(|i| i % 3).collect();
    let sure: Vec<f64> = y
        .iter()
        .flat_map(|&y| (0..3).map(move |z| f64::from(u8::from(z == (y + 1) % 3))))
        .collect();
    let same = [0.5, 0.3, 0.2].repeat(60);
    for name in ["leep", "nce"] {
        let score = |p: &[f64]| of_probabilities(name, p, 3, &y, 3).unwrap();
        assert!(score(&sure).abs() < 1e-12);
        assert!((score(&same) + 3f64.ln()).abs() < 1e-12);
    }
}

/// Features that are the classes, noise, and both: the order of every score is known.
#[test]
fn features_that_tell_classes_apart_score_higher_than_noise() {
    let n = 300;
    let y: Vec<u32> = (0..n).map(|i| (i * 7919 % 1009 % 3) as u32).collect();
    let noise = |i: usize| ((i * 104_729 % 1009) as f32 / 504.5 - 1.0) * 0.5;
    let column = |scale: f32| -> Matrix {
        let of = |i: usize| {
            let at = y[i] as f32 * scale;
            [
                at + noise(2 * i),
                scale * f32::from(u8::from(y[i] == 1)) + noise(2 * i + 1),
            ]
        };
        Matrix::new(n, 2, (0..n).flat_map(of).collect())
    };
    for name in ["logme", "h_score", "h_score_shrinkage"] {
        let score = |scale| of_features(name, &column(scale), &y, 3).unwrap();
        let [none, some, much] = [0.0, 0.5, 2.0].map(score);
        assert!(
            none < some - 0.05 && some < much - 0.05,
            "{name}: {none} {some} {much}"
        );
    }
}

#[test]
fn scores_do_not_depend_on_the_unit_of_the_features() {
    let case = golden().features.remove(0);
    let x = Matrix::new(case.rows, case.cols, case.features);
    let y = Matrix::new(x.rows, x.cols, x.data.iter().map(|v| v * 1024.0).collect());
    for name in ["logme", "h_score", "h_score_shrinkage"] {
        let [a, b] = [&x, &y].map(|x| of_features(name, x, &case.labels, case.classes).unwrap());
        assert!((a - b).abs() < 1e-6, "{name}: {a} {b}");
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let x = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 5.0]);
    for name in ["logme", "h_score", "h_score_shrinkage"] {
        let error = |x: &Matrix, y: &[u32]| of_features(name, x, y, 2).unwrap_err().to_string();
        assert!(error(&x, &[0, 1]).contains("4 rows and 2 labels"));
        assert!(error(&x, &[0, 1, 2, 1]).contains("label 2 of 2 classes"));
        assert!(error(&x, &[1; 4]).contains("of one class"));
        let zeros = Matrix::zeros(4, 1);
        let text = error(&zeros, &[0, 1, 0, 1]);
        assert!(text.contains("features are 0") || text.contains("no feature varies"));
        let wide = Matrix::zeros(4100, 4100);
        let y: Vec<u32> = (0..4100).map(|i| i % 2).collect();
        assert!(error(&wide, &y).contains("pca:4096"));
    }
    for name in ["leep", "nce"] {
        let error = |p: &[f64]| {
            of_probabilities(name, p, 2, &[0, 1], 2)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&[0.5, 0.5, 1.0]).contains("3 probabilities"));
        assert!(error(&[0.5, 0.5, 0.2, 0.9]).contains("row 1"));
        assert!(error(&[0.5, 0.5]).contains("1 rows and 2 labels"));
    }
}

/// Three sources from none to much information: scores and accuracy order them alike, and test labels do not move the scores.
#[test]
fn a_ranking_compares_scores_with_the_linear_probe() {
    use crate::dataset::{Column, Role, Split, Values};
    use crate::probe::ProbeOptions;
    use crate::representation::Representation;
    let n = 400;
    let truth: Vec<u32> = (0..n).map(|i| (i * 7919 % 1009 % 2) as u32).collect();
    let noise = |i: usize| (i * 104_729 % 1009) as f32 / 504.5 - 1.0;
    let make = |name: &str, scale: f32, labels: &[u32]| Representation {
        name: name.into(),
        features: Matrix::new(
            n,
            2,
            (0..n)
                .flat_map(|i| [truth[i] as f32 * scale + noise(i), noise(i + 1000)])
                .collect(),
        ),
        ids: (0..n).map(|i| i.to_string()).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values: Values::Classes {
                names: vec!["a".into(), "b".into()],
                index: labels.iter().map(|&y| Some(y)).collect(),
            },
        }],
        split: (0..n)
            .map(|i| {
                if i % 4 == 3 {
                    Split::Test
                } else {
                    Split::Train
                }
            })
            .collect(),
        origin: String::new(),
        shift: Vec::new(),
    };
    let sources = |labels: &[u32]| {
        [("noise", 0.0), ("some", 0.7), ("much", 1.6)].map(|(name, s)| make(name, s, labels))
    };
    let head = |classes: [&str; 2]| SourceHead {
        classes: classes.map(String::from).to_vec(),
        probabilities: truth
            .iter()
            .flat_map(|&y| [0.9 - 0.8 * f64::from(y), 0.1 + 0.8 * f64::from(y)])
            .collect(),
    };
    // Of the same classes as the task: it learned the answer, and is not scored.
    let heads = [None, Some(head(["x", "y"])), Some(head(["a", "b"]))];
    let options = ProbeOptions::default();
    let ranking = rank(&sources(&truth), &heads, &options, "data", &mut |_| ()).unwrap();
    let names: Vec<&str> = ranking.sources.iter().map(|s| &*s.source).collect();
    assert_eq!(names, ["much", "some", "noise"]);
    assert_eq!(
        (ranking.train, ranking.test, ranking.classes),
        (300, 100, 2)
    );
    for s in &ranking.agreement[..3] {
        assert_eq!((s.tau, s.sources), (Some(1.0), 3), "{}", s.score);
    }
    let leep = ranking.sources.iter().map(|s| s.scores[4].1.is_some());
    assert_eq!(leep.collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(
        (ranking.agreement[4].tau, ranking.agreement[4].sources),
        (None, 1)
    );
    let short = [
        None,
        Some(SourceHead {
            classes: vec!["x".into()],
            probabilities: vec![1.0; 3],
        }),
    ];
    let error = rank(&sources(&truth), &short, &options, "data", &mut |_| ()).unwrap_err();
    assert!(
        error.to_string().starts_with("some: 3 probabilities"),
        "{error}"
    );
    let text = ranking.table();
    for part in ["logme", "leep", "Kendall's tau", "3 sources have 6 orders"] {
        assert!(text.contains(part), "{text}");
    }
    let mut moved = truth.clone();
    (0..n)
        .filter(|i| i % 4 == 3)
        .for_each(|i| moved[i] = 1 - moved[i]);
    let other = rank(&sources(&moved), &heads, &options, "data", &mut |_| ()).unwrap();
    for (a, b) in ranking.sources.iter().zip(&other.sources) {
        assert_eq!((&a.source, &a.scores), (&b.source, &b.scores));
        assert_ne!(a.accuracy, b.accuracy);
    }
}
