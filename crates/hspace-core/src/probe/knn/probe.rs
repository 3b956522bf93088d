//! The kNN probe: shares of the votes of the nearest labelled rows.

use super::{
    Settings, choose, choose_for_label_sets, label_probabilities, neighbours, probabilities,
};
use crate::auto::Auto;
use crate::matrix::Matrix;
use crate::probe::entry::{Entry, Fitted, ProbeKind};
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

struct Knn<'a> {
    train: &'a Matrix,
    truth: &'a Truth,
    classes: usize,
    settings: Settings,
}

impl Fitted for Knn<'_> {
    fn answer(&self, features: &Matrix) -> Vec<f64> {
        let Settings { k, metric, weights } = self.settings;
        let found = neighbours(self.train, features, metric, k, None);
        match self.truth {
            Truth::LabelSets(sets) => label_probabilities(&found, sets, self.classes, k, weights),
            truth => {
                let mut shares = probabilities(&found, truth.classes(), self.classes, k, weights);
                smooth(&mut shares, k, self.classes);
                shares
            }
        }
    }

    fn settings(&self) -> String {
        self.settings.to_string()
    }
}

/// Adds one vote to those of `neighbours`, shared evenly by the classes, so that no probability is 0 and the log loss is at most
/// ln((neighbours + 1) · classes). Answers and rankings stay as they are.
fn smooth(shares: &mut [f64], neighbours: usize, classes: usize) {
    let votes = neighbours as f64;
    for share in shares {
        *share = (*share * votes + 1.0 / classes as f64) / (votes + 1.0);
    }
}
