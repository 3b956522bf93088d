//! The linear probe: softmax regression of classes, one regression for each of several labels.

use super::label_sets::{self, LabelClassifiers};
use super::{Softmax, fit, fit_auto};
use crate::auto::Auto;
use crate::error::Result;
use crate::head::Map;
use crate::matrix::Matrix;
use crate::probe::TaskKind;
use crate::probe::entry::{Entry, Fitted, Labelled, ProbeKind};
use crate::probe::task::Truth;

/// The line in the list.
pub const ENTRY: Entry = Entry {
    name: "linear",
    summary: "softmax regression by L-BFGS, its L2 chosen inside the training labels (numeric targets: ridge; several labels a sample: one regression each)",
    source: "",
    item: ProbeKind {
        title: "Linear probe",
        tasks: &[TaskKind::Classes, TaskKind::LabelSets],
        is_fixed: |options| options.linear.c != Auto::Auto,
        validate: |options| {
            let wrong = matches!(options.linear.c, Auto::Set(c) if !(c.is_finite() && c > 0.0));
            let problem = wrong.then_some("linear.c: must be `auto` or a number above 0");
            problem.into_iter().collect()
        },
        fit: |labelled| match &labelled.truth {
            Truth::LabelSets(sets) => of_label_sets(labelled, sets),
            truth => of_classes(labelled, truth.classes()),
        },
    },
};

struct Linear {
    model: Model,
    /// On the features that users know.
    c: f64,
}

enum Model {
    Classes(Softmax),
    LabelSets(LabelClassifiers),
}

/// Fitted to one class a row.
pub(in crate::probe) fn of_classes(
    labelled: &Labelled<'_>,
    labels: &[u32],
) -> Result<Box<dyn Fitted>> {
    let Labelled {
        features,
        classes,
        unit,
        options,
        ..
    } = *labelled;
    let (model, c) = match options.linear.c {
        Auto::Set(c) => (fit(features, labels, classes, c / unit)?, c),
        Auto::Auto => {
            let selection = labelled.selection(Truth::classes);
            let (model, c) = fit_auto(features, labels, classes, selection, options.seed)?;
            (model, c * unit)
        }
    };
    let model = Model::Classes(model);
    Ok(Box::new(Linear { model, c }))
}

fn of_label_sets(labelled: &Labelled<'_>, sets: &[Vec<u32>]) -> Result<Box<dyn Fitted>> {
    let Labelled {
        features,
        classes,
        unit,
        options,
        ..
    } = *labelled;
    let (model, c) = match options.linear.c {
        Auto::Set(c) => (label_sets::fit(features, sets, classes, c / unit)?, c),
        Auto::Auto => {
            let selection = labelled.selection(Truth::label_sets);
            let (model, c) =
                label_sets::fit_auto(features, sets, classes, selection, options.seed)?;
            (model, c * unit)
        }
    };
    let model = Model::LabelSets(model);
    Ok(Box::new(Linear { model, c }))
}

impl Fitted for Linear {
    fn answer(&self, features: &Matrix) -> Vec<f64> {
        match &self.model {
            Model::Classes(model) => model.probabilities(features),
            Model::LabelSets(model) => model.probabilities(features),
        }
    }

    fn settings(&self) -> String {
        format!("c={:.3e}", self.c)
    }

    fn map(&self) -> Map {
        let (weights, bias) = match &self.model {
            Model::Classes(model) => (&model.weights, &model.bias),
            Model::LabelSets(model) => (&model.weights, &model.bias),
        };
        Map::Linear {
            weights: weights.clone(),
            bias: bias.clone(),
        }
    }
}
