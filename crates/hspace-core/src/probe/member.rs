//! The features of a representation, ready for probes: scaled, for each part and draw.

use super::answer::Features;
use super::measure::Study;
use super::scaling::Transform;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::representation::Representation;

/// One representation, and for each part what is the same for all draws.
pub(super) struct Member<'a> {
    of: &'a Representation,
    parts: Vec<Prepared>,
}

/// Test and validation features of a part, scaled, and as they are where a probe asks for that.
struct Prepared {
    scaled: Option<Ready>,
    as_they_are: Option<Ready>,
}

struct Ready {
    transform: Transform,
    test: Matrix,
    val: Matrix,
}

impl<'a> Member<'a> {
    /// Prepares the features of `of`.
    pub(super) fn new(of: &'a Representation, study: &Study<'_>) -> Member<'a> {
        let parts = (0..study.parts.len()).map(|part| prepared(of, study, part));
        Member {
            of,
            parts: parts.collect(),
        }
    }

    /// What `use_them` makes of the features for one part, plan and draw; `by_hand` leaves them as they are.
    pub(super) fn with_features<T>(
        &self,
        study: &Study<'_>,
        [part, plan, number]: [usize; 3],
        by_hand: bool,
        use_them: impl FnOnce(&Features<'_>) -> Result<T>,
    ) -> Result<T> {
        let place = &study.parts[part];
        let ready = match by_hand {
            true => &self.parts[part].as_they_are,
            false => &self.parts[part].scaled,
        };
        let Some(ready) = ready else {
            return Err(Error::data("features were not prepared for a probe"));
        };
        let mut train = self.of.features.select(&place.plans[plan].draws[number]);
        ready.transform.apply(&mut train);
        use_them(&Features {
            train: &train,
            test: &ready.test,
            val: (!place.val_of(plan).is_empty()).then_some(&ready.val),
            unit: ready.transform.unit(),
        })
    }
}

/// Of all training rows of a part, labelled or not, the statistics; its test and validation features by them.
fn prepared(of: &Representation, study: &Study<'_>, part: usize) -> Prepared {
    let task = &study.parts[part].task;
    let ready = |by_hand: bool| {
        let scaling = study.options.scaling;
        let transform = match study.parts.len() {
            1 => {
                let train = study.parts[part].train.iter().copied();
                Transform::fit(&of.features, train, scaling, by_hand)
            }
            _ => Transform::fit(&of.features, task.train.iter().copied(), scaling, by_hand),
        };
        let [test, val] = [&task.test, &task.val].map(|rows| {
            let mut features = of.features.select(rows);
            transform.apply(&mut features);
            features
        });
        Ready {
            transform,
            test,
            val,
        }
    };
    let wanted = |by_hand: bool| study.asks_for(by_hand).then(|| ready(by_hand));
    Prepared {
        scaled: wanted(false),
        as_they_are: wanted(true),
    }
}
