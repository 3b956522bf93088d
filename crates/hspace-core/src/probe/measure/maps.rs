//! Sources with feature maps, measured on masks: places of training images in one pass, heads fitted to each draw of masks, and test images
//! in another pass through all heads.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::pace::Kind;
use super::run::{Cell, Work};
use super::{Part, Study};
use crate::dataset::{Mask, Split};
use crate::error::{Error, Result};
use crate::matrix::{Matrix, spaced};
use crate::probe::Contender;
use crate::probe::answer::ProbeAnswer;
use crate::probe::entry::{Entry, Labelled};
use crate::probe::mask::{
    ClassNumbers, MapSource, MaskExample, MaskHead, MaskTask, Places, Predicting, Shown,
};
use crate::probe::scaling::Transform;
use crate::probe::task::Truth;

/// One run of a contender, and what its heads are fitted to.
struct Fitting<'a> {
    study: &'a Study<'a>,
    probe: &'static Entry,
    places: &'a Places,
    /// Of each part.
    transforms: Vec<Transform>,
}

/// Places, ready for a fit.
struct Rows {
    features: Matrix,
    classes: Vec<u32>,
    groups: Vec<u32>,
}

/// The heads of one draw, one a part.
struct Fitted {
    cell: Cell,
    heads: Vec<MaskHead>,
    chosen: String,
    val_labels: usize,
}

impl Study<'_> {
    /// Fits heads to the maps of a contender, draw by draw, and answers for its test images.
    pub(super) fn probe_maps(
        &self,
        contender: &Contender<'_>,
        (name, runs): (&str, &[MapSource<'_>]),
        cells: &[Cell],
        work: &mut Work<'_, '_>,
    ) -> Result<HashMap<Cell, Vec<ProbeAnswer>>> {
        let (Some(task), &[probe, ..]) = (self.masks, &self.probes[..]) else {
            return Ok(HashMap::new());
        };
        let probes = self.answered_by(contender);
        let mut found = HashMap::new();
        for (member, run) in runs.iter().enumerate() {
            let mut open = Vec::new();
            for &cell in cells.iter().filter(|cell| cell[0] == member) {
                let known = work.known(self, contender, cell).to_vec();
                if work.missing(self, contender, &probes, cell).is_empty() {
                    found.insert(cell, known);
                    // What is shown is not kept with the answers.
                    if !task.wants_masks() || cell != self.shown_cell() {
                        continue;
                    }
                }
                open.push(cell);
            }
            if open.is_empty() || work.limits.are_over() {
                continue;
            }
            work.say(&format!("{name}: places of training images"));
            let classes = ClassNumbers::of(&self.parts[0].task.names);
            let rows = self.fitted_rows();
            let places = Places::of(&*run.maps, &rows, task, &classes, self.options.seed)?;
            let fitting = Fitting::new(self, probe, &places, run);
            let mut fitted: Vec<Fitted> = Vec::new();
            for cell in open {
                if work.limits.are_over() {
                    break;
                }
                let labelled = self.parts[0].plans[cell[1]].draws[cell[2]].len();
                work.say(&format!("{name}: {labelled} masks, draw {}", cell[2] + 1));
                let begun = Instant::now();
                fitted.push(fitting.fit(cell)?);
                let weight = self.weight(contender, cell);
                work.pace.did(Kind::Probed, weight, begun.elapsed());
            }
            work.say(&format!("{name}: answering for test images"));
            let answers = fitting.answers(name, run, (task, &classes), &fitted)?;
            let examples = answers.1.into_iter();
            examples.for_each(|(row, truth, answer)| work.show(name, row, truth, answer));
            for (fitted, values) in fitted.into_iter().zip(answers.0) {
                let fresh =
                    vec![self.scored(probe.name, &values, fitted.chosen, fitted.val_labels)];
                if !found.contains_key(&fitted.cell) {
                    work.keep(self, contender, fitted.cell, &fresh)?;
                }
                found.insert(fitted.cell, fresh);
            }
        }
        Ok(found)
    }

    /// The draw whose answers are shown: the first with the most labels, of the first run.
    pub(super) fn shown_cell(&self) -> Cell {
        [0, self.parts[0].plans.len() - 1, 0]
    }

    /// Rows of which heads may be given places, ascending.
    fn fitted_rows(&self) -> Vec<usize> {
        let mut rows = BTreeSet::new();
        for part in &self.parts {
            rows.extend(&part.task.train);
            let by_val = (0..part.plans.len()).flat_map(|plan| part.val_of(plan));
            rows.extend(by_val);
        }
        rows.into_iter().collect()
    }
}

impl Work<'_, '_> {
    /// Adds a source's answer to the example of a row.
    pub(super) fn show(&mut self, name: &str, row: usize, truth: Mask, answer: Mask) {
        let answer = (name.to_owned(), answer);
        match self.examples.iter_mut().find(|example| example.row == row) {
            Some(example) => example.answers.push(answer),
            None => self.examples.push(MaskExample {
                row,
                truth,
                answers: vec![answer],
            }),
        }
    }
}

/// The test rows of part number `part` whose answers are returned: of the first part, spread over all of it.
pub(super) fn example_rows(test: &[usize], part: usize, task: MaskTask<'_>) -> Vec<usize> {
    let count = if part == 0 { task.examples } else { 0 };
    let places = spaced(test.len(), count);
    places.into_iter().map(|i| test[i]).collect()
}

/// A row, its mask, and the answer to it.
type Example = (usize, Mask, Mask);

impl<'a> Fitting<'a> {
    /// With the statistics of the places of each part's training images.
    fn new(
        study: &'a Study<'a>,
        probe: &'static Entry,
        places: &'a Places,
        run: &MapSource<'_>,
    ) -> Fitting<'a> {
        let by_hand = (probe.is_fixed)(study.options);
        let transform = |part: &Part| {
            let is_train = |row: usize| match study.parts.len() {
                1 => run.samples.split[row] == Split::Train,
                _ => part.task.train.binary_search(&row).is_ok(),
            };
            let all = 0..places.rows.len();
            let train = all.filter(|&i| is_train(places.rows[i] as usize));
            Transform::fit(&places.features, train, study.options.scaling, by_hand)
        };
        Fitting {
            study,
            probe,
            places,
            transforms: study.parts.iter().map(transform).collect(),
        }
    }

    /// Scaled places of some images of a part.
    fn rows(&self, part: usize, rows: &[usize]) -> Rows {
        let chosen = self.places.of_rows(rows);
        let mut features = self.places.features.select(&chosen);
        self.transforms[part].apply(&mut features);
        let own = |&i: &usize| self.places.rows[i] as usize;
        let images: Vec<usize> = chosen.iter().map(own).collect();
        let task = &self.study.parts[part].task;
        // Places of one image belong together, and so do those of a group of images.
        let alone = || images.iter().map(|&row| row as u32).collect();
        Rows {
            features,
            classes: chosen.iter().map(|&i| self.places.classes[i]).collect(),
            groups: task.groups_of(&images).unwrap_or_else(alone),
        }
    }

    /// The heads of one draw.
    fn fit(&self, cell: Cell) -> Result<Fitted> {
        let [_, plan, number] = cell;
        let mut fitted = Fitted {
            cell,
            heads: Vec::new(),
            chosen: String::new(),
            val_labels: 0,
        };
        for (place, part) in self.study.parts.iter().enumerate() {
            let Rows {
                features,
                classes,
                groups,
            } = self.rows(place, &part.plans[plan].draws[number]);
            let count = part.task.names.len();
            let Some(&first) = classes.first() else {
                return Err(Error::data(
                    "a draw of masks has no place with a class; raise the number of masks",
                ));
            };
            if classes.iter().all(|&class| class == first) {
                let head = MaskHead::constant(first, count, features.cols);
                fitted.heads.push(head);
                fitted.chosen = "one class".into();
                continue;
            }
            let val = part.val_of(plan);
            let val = (!val.is_empty() && !(self.probe.is_fixed)(self.study.options))
                .then(|| self.rows(place, val));
            fitted.val_labels = val.as_ref().map_or(0, |_| part.task.val.len());
            let labelled = Labelled {
                features: &features,
                truth: Truth::Classes(classes),
                groups: Some(groups),
                val: val
                    .as_ref()
                    .map(|val| (&val.features, Truth::Classes(val.classes.clone()))),
                classes: count,
                unit: self.transforms[place].unit(),
                options: self.study.options,
            };
            let head = (self.probe.fit)(&labelled)?;
            fitted.chosen = head.settings();
            fitted.heads.push(MaskHead::of(head.map())?);
        }
        Ok(fitted)
    }

    /// The counts of each draw `[draws][test images of all parts, classes, 2]`, and what is shown.
    fn answers(
        &self,
        name: &str,
        run: &MapSource<'_>,
        (task, classes): (MaskTask<'_>, &ClassNumbers),
        fitted: &[Fitted],
    ) -> Result<(Vec<Vec<f64>>, Vec<Example>)> {
        let mut counts = vec![Vec::new(); fitted.len()];
        let mut examples = Vec::new();
        let shown = self.study.shown_cell();
        let head = fitted.iter().position(|f| f.cell == shown);
        for (place, part) in self.study.parts.iter().enumerate() {
            let test = &part.task.test;
            let predicting = Predicting {
                maps: &*run.maps,
                task,
                classes,
                names: &part.task.names,
                transform: Some(&self.transforms[place]),
            };
            let rows = example_rows(test, place, task);
            let shown = head.map(|head| Shown {
                source: name,
                head,
                rows: &rows,
            });
            let heads: Vec<&MaskHead> = fitted.iter().map(|f| &f.heads[place]).collect();
            let found = predicting.answers(&heads, test, shown)?;
            for (all, own) in counts.iter_mut().zip(found.counts) {
                all.extend(own);
            }
            let own = found.shown.into_iter();
            examples.extend(own.map(|(i, truth, answer)| (test[i], truth, answer)));
        }
        Ok((counts, examples))
    }
}
