//! The kNN probe: shares of the votes of the nearest labelled rows.

use super::{Settings, choose, choose_for_label_sets, neighbours, shares};
use crate::auto::Auto;
use crate::head::Map;
use crate::matrix::Matrix;
use crate::probe::entry::{Entry, Fitted, ProbeKind};
use crate::probe::folds::Selection;
use crate::probe::options::KnnOptions;
use crate::probe::task::Truth;
use crate::probe::{KnnMetric, TaskKind};

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "knn",
    summary: "k nearest neighbours; k, metric and weights chosen inside the training labels",
    source: "",
    item: ProbeKind {
        title: "k nearest neighbours",
        tasks: &[TaskKind::Classes, TaskKind::LabelSets],
        is_fixed: |options| options.knn.k != Auto::Auto && options.knn.metric != KnnMetric::Auto,
        validate: |options| {
            let wrong = options.knn.k == Auto::Set(0);
            let problem = wrong.then_some("knn.k: must be `auto` or at least 1");
            problem.into_iter().collect()
        },
        fit: |labelled| {
            let (train, classes, options) = (labelled.features, labelled.classes, labelled.options);
            let settings = match &labelled.truth {
                Truth::LabelSets(sets) => {
                    let selection = labelled.selection(Truth::label_sets);
                    choose_for_label_sets(train, sets, classes, &options.knn, selection)
                }
                truth => {
                    let selection = labelled.selection(Truth::classes);
                    choose(train, truth.classes(), classes, &options.knn, selection)
                }
            };
            Ok(Box::new(Knn {
                train,
                truth: &labelled.truth,
                classes,
                settings,
            }))
        },
    },
};

/// Class probabilities `[m, classes]` that the probe gives the rows of `test` `[m, d]`, fitted to `train` `[n, d]` of the classes `labels` `[n]`;
/// settings that are open are chosen by leaving out one row, or the rows of one of the `groups` `[n]`.
pub(crate) fn vote(
    train: &Matrix,
    labels: Vec<u32>,
    groups: Option<&[u32]>,
    classes: usize,
    options: &KnnOptions,
    test: &Matrix,
) -> Vec<f64> {
    let selection = Selection { groups, val: None };
    let settings = choose(train, &labels, classes, options, selection);
    let truth = Truth::Classes(labels);
    let knn = Knn {
        train,
        truth: &truth,
        classes,
        settings,
    };
    knn.answer(test)
}

struct Knn<'a> {
    train: &'a Matrix,
    truth: &'a Truth,
    classes: usize,
    settings: Settings,
}

impl Fitted for Knn<'_> {
    fn answer(&self, features: &Matrix) -> Vec<f64> {
        let Knn {
            train,
            truth,
            classes,
            settings,
        } = *self;
        match truth {
            Truth::LabelSets(sets) => votes(train, |row| &sets[row], classes, settings, features),
            truth => {
                let class = |row: usize| std::slice::from_ref(&truth.classes()[row]);
                let mut shares = votes(train, class, classes, settings, features);
                smooth(&mut shares, settings.k, classes);
                shares
            }
        }
    }

    fn settings(&self) -> String {
        self.settings.to_string()
    }

    fn map(&self) -> Map {
        let labels = match self.truth {
            Truth::LabelSets(sets) => sets.clone(),
            truth => truth.classes().iter().map(|&class| vec![class]).collect(),
        };
        Map::Neighbours(LabelledRows {
            features: self.train.clone(),
            labels,
            settings: self.settings,
        })
    }
}

/// Labelled rows, of which the nearest vote: what is kept of a kNN probe. Their features take 4 n · d bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledRows {
    /// Scaled features `[n, d]`.
    pub features: Matrix,
    /// The class of each row, or the labels that it has, `[n]`.
    pub labels: Vec<Vec<u32>>,
    /// How they vote.
    pub settings: Settings,
}

impl LabelledRows {
    /// Probabilities of classes or labels `[m, outputs]` for scaled `features` `[m, d]`: those of the probe.
    pub(crate) fn answer(&self, features: &Matrix, outputs: usize, kind: TaskKind) -> Vec<f64> {
        let labels = |row: usize| &self.labels[row][..];
        let mut shares = votes(&self.features, labels, outputs, self.settings, features);
        if kind == TaskKind::Classes {
            smooth(&mut shares, self.settings.k, outputs);
        }
        shares
    }
}

/// Each label's share `[m, labels]` of the votes of the rows of `train` `[n, d]` that are nearest to `features` `[m, d]`.
fn votes<'a>(
    train: &Matrix,
    labels_of: impl Fn(usize) -> &'a [u32],
    labels: usize,
    by: Settings,
    features: &Matrix,
) -> Vec<f64> {
    let found = neighbours(train, features, by.metric, by.k, None);
    shares(&found, labels, by.k, by.weights, labels_of)
}

/// Adds one vote to those of `neighbours`, shared evenly by the classes, so that no probability is 0 and the log loss is at most
/// ln((neighbours + 1) · classes). Answers and rankings stay as they are.
fn smooth(shares: &mut [f64], neighbours: usize, classes: usize) {
    let votes = neighbours as f64;
    for share in shares {
        *share = (*share * votes + 1.0 / classes as f64) / (votes + 1.0);
    }
}
