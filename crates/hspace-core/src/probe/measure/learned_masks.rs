//! Networks that learn from each draw of masks: asked draw by draw, and scored as feature maps are.

use std::collections::HashMap;
use std::time::Instant;

use super::Study;
use super::maps::example_rows;
use super::pace::{Kind, ends_before};
use super::run::{Cell, Work};
use crate::error::{Error, Result};
use crate::probe::answer::ProbeAnswer;
use crate::probe::mask::{
    ClassNumbers, MaskDraw, MaskHead, MaskLearner, MaskTask, Predicting, Shown, numbers_of,
};
use crate::probe::{Contender, Draw, HEAD};
use crate::random::mix;

impl Study<'_> {
    /// Lets a contender learn from each draw of masks, and scores what it answers for test images.
    pub(super) fn ask_masks(
        &self,
        contender: &Contender<'_>,
        (name, learner): (&str, &dyn MaskLearner),
        cells: &[Cell],
        work: &mut Work<'_, '_>,
    ) -> Result<HashMap<Cell, Vec<ProbeAnswer>>> {
        let Some(task) = self.masks else {
            return Ok(HashMap::new());
        };
        let probes = self.answered_by(contender);
        let mut found = HashMap::new();
        for &cell in cells {
            let is_known = work.missing(self, contender, &probes, cell).is_empty();
            if is_known {
                found.insert(cell, work.known(self, contender, cell).to_vec());
                // What is shown is not kept with the answers.
                if !task.wants_masks() || cell != self.shown_cell() {
                    continue;
                }
            }
            let weight = self.weight(contender, cell);
            let expected = work.pace.expected(Kind::Learned, weight);
            if !ends_before(work.limits.deadline, expected) {
                continue;
            }
            let [_, plan, number] = cell;
            let masks = self.parts[0].plans[plan].draws[number].len();
            work.say(&format!(
                "{name}: learning from {masks} masks, draw {}",
                number + 1
            ));
            let begun = Instant::now();
            let values = self.learned(name, learner, cell, task, work)?;
            work.pace.did(Kind::Learned, weight, begun.elapsed());
            let fresh = vec![self.scored(HEAD, &values, String::new(), 0)];
            if !is_known {
                work.keep(self, contender, cell, &fresh)?;
            }
            found.insert(cell, fresh);
        }
        Ok(found)
    }

    /// The counts of one draw `[test images of all parts, classes, 2]`.
    fn learned(
        &self,
        name: &str,
        learner: &dyn MaskLearner,
        cell: Cell,
        task: MaskTask<'_>,
        work: &mut Work<'_, '_>,
    ) -> Result<Vec<f64>> {
        let [_, plan, number] = cell;
        let names = &self.parts[0].task.names;
        let (numbers, classes) = (numbers_of(names), ClassNumbers::of(names));
        let head = MaskHead::of_logits(names.len());
        let mut values = Vec::new();
        for (fold, part) in self.parts.iter().enumerate() {
            let seed = match self.parts.len() {
                1 => mix(&[self.options.seed, number as u64]),
                _ => mix(&[self.options.seed, number as u64, fold as u64]),
            };
            let test = &part.task.test;
            let maps = learner.learn(&MaskDraw {
                rows: Draw {
                    labelled: &part.plans[plan].draws[number],
                    train: &part.train,
                    test,
                    seed,
                },
                classes: &numbers,
            })?;
            let [.., d] = maps.dims();
            if d != names.len() {
                return Err(Error::data(format!(
                    "{name} answered with {d} numbers a place, not one for each of {} classes",
                    names.len()
                )));
            }
            let predicting = Predicting {
                maps: &*maps,
                task,
                classes: &classes,
                names,
                transform: None,
            };
            let rows = example_rows(test, fold, task);
            let shown = (cell == self.shown_cell()).then_some(Shown {
                source: name,
                head: 0,
                rows: &rows,
            });
            let found = predicting.answers(&[&head], test, shown)?;
            values.extend(found.counts.into_iter().flatten());
            for (i, truth, answer) in found.shown {
                work.show(name, test[i], truth, answer);
            }
        }
        Ok(values)
    }
}
