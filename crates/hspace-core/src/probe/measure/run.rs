//! One contender after the other, draw by draw: what is known is not measured again.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Instant;

use super::pace::{Kind, Pace, Schedule, ends_before};
use super::{Limits, Part, Study, rows};
use crate::error::Result;
use crate::probe::answer::{self, ProbeAnswer};
use crate::probe::entry::Entry;
use crate::probe::learner;
use crate::probe::member::Member;
use crate::probe::{Answered, Contender, HEAD, MaskExample, Measurements};

/// A run of a contender, a plan, and the number of a draw.
pub(super) type Cell = [usize; 3];

/// What is being done, and what it is bounded by.
pub(super) struct Work<'w, 'j> {
    pub(super) pace: Pace,
    pub(super) limits: &'w mut Limits<'j>,
    pub(super) progress: &'w mut dyn FnMut(&str),
    /// Answers that are returned whole.
    pub(super) examples: Vec<MaskExample>,
}

impl Work<'_, '_> {
    /// Adds what is to be measured of a contender to what the time that is left is of.
    pub(super) fn expect(&mut self, study: &Study<'_>, contender: &Contender<'_>) {
        let probes = study.answered_by(contender);
        for cell in study.cells(contender) {
            let missing = self.missing(study, contender, &probes, cell);
            let weight = study.weight(contender, cell) * missing.len() as f64;
            self.pace.expect(Kind::of(contender), weight);
        }
    }

    pub(super) fn known(
        &self,
        study: &Study<'_>,
        contender: &Contender<'_>,
        cell: Cell,
    ) -> &[ProbeAnswer] {
        let [member, plan, number] = cell;
        let labels = study.parts[0].plans[plan].labels;
        let journal = self.limits.journal.as_deref();
        journal.map_or(&[], |j| j.get(contender.members()[member], labels, number))
    }

    /// The ones of `probes` whose answers are not known yet.
    pub(super) fn missing(
        &self,
        study: &Study<'_>,
        contender: &Contender<'_>,
        probes: &[&'static str],
        cell: Cell,
    ) -> Vec<&'static str> {
        let known = self.known(study, contender, cell);
        let is_missing = |probe: &&&str| known.iter().all(|answer| answer.probe != **probe);
        probes.iter().filter(is_missing).copied().collect()
    }

    pub(super) fn keep(
        &mut self,
        study: &Study<'_>,
        contender: &Contender<'_>,
        [member, plan, number]: Cell,
        answers: &[ProbeAnswer],
    ) -> Result<()> {
        let labels = study.parts[0].plans[plan].labels;
        match &mut self.limits.journal {
            Some(journal) => journal.add(
                contender.members()[member],
                labels,
                number,
                answers.to_vec(),
            ),
            None => Ok(()),
        }
    }

    /// Keeps answers whole, where that is wanted.
    fn answered(
        &mut self,
        study: &Study<'_>,
        contender: &Contender<'_>,
        [member, plan, draw]: Cell,
        probe: &str,
        values: &[f64],
    ) {
        let Some(answers) = &mut self.limits.answers else {
            return;
        };
        let rows = match answers.first() {
            Some(first) => first.rows.clone(),
            None => {
                let tested = study.parts.iter().flat_map(|part| &part.task.test);
                tested.copied().collect()
            }
        };
        answers.push(Answered {
            source: contender.name().to_owned(),
            probe: probe.to_owned(),
            labels: study.parts[0].plans[plan].labels,
            member,
            draw,
            rows,
            values: values.to_vec(),
        });
    }

    pub(super) fn say(&mut self, text: &str) {
        let left = self.pace.left();
        (self.progress)(&format!("{text}{left}"));
    }
}

impl Study<'_> {
    /// Names of what answers for a contender: the probes, or its own head, which is not measured where no probe is.
    pub(super) fn answered_by(&self, contender: &Contender<'_>) -> Vec<&'static str> {
        match (contender.learns(), self.probes.is_empty()) {
            (true, false) => vec![HEAD],
            _ => self.probes.iter().map(|probe| probe.name).collect(),
        }
    }

    /// All draws of a contender, in the order in which they are measured.
    fn cells(&self, contender: &Contender<'_>) -> Vec<Cell> {
        let most = match contender {
            Contender::PerDraw { draws, .. } | Contender::MasksPerDraw { draws, .. } => {
                (*draws).max(1)
            }
            _ => usize::MAX,
        };
        let mut cells = Vec::new();
        for (plan, drawn) in self.parts[0].plans.iter().enumerate() {
            for member in 0..contender.members().len() {
                let numbers = 0..drawn.draws.len().min(most);
                cells.extend(numbers.map(|number| [member, plan, number]));
            }
        }
        cells
    }

    /// About how long a cell takes, compared with others of the same kind.
    pub(super) fn weight(&self, contender: &Contender<'_>, [member, plan, number]: Cell) -> f64 {
        let draws = self.parts.iter().map(|p| p.plans[plan].draws[number].len());
        match contender.fixed().get(member) {
            Some(r) => (draws.sum::<usize>() + 50) as f64 * r.features.cols as f64,
            None => draws.map(|labelled| labelled + 500).sum::<usize>() as f64,
        }
    }

    /// Measures one contender by all plans and probes.
    pub(super) fn run(
        &self,
        contender: &Contender<'_>,
        out: &mut Measurements,
        work: &mut Work<'_, '_>,
    ) -> Result<()> {
        let probes = self.answered_by(contender);
        let cells = self.cells(contender);
        let found = match contender {
            Contender::PerDraw { .. } => self.ask(contender, &cells, work)?,
            Contender::Maps { name, runs } => {
                self.probe_maps(contender, (name, runs), &cells, work)?
            }
            Contender::MasksPerDraw { name, learner, .. } => {
                self.ask_masks(contender, (name, &**learner), &cells, work)?
            }
            _ => self.probe(contender, &cells, work)?,
        };
        if !probes.is_empty() && found.len() < cells.len() {
            let (name, done, all) = (contender.name(), found.len(), cells.len());
            out.left_out.push(match done {
                0 => name.to_owned(),
                _ => format!("{name} ({} of {all} draws of labels)", all - done),
            });
        }
        for probe in probes {
            let plans = 0..self.parts[0].plans.len();
            let by_plan: Vec<Vec<Vec<&ProbeAnswer>>> = plans
                .map(|plan| grid(&found, probe, plan, contender.members().len()))
                .collect();
            rows::of_probe(self, contender.name(), probe, &by_plan, out);
        }
        Ok(())
    }

    /// Fits probes to the features of a contender, draw by draw.
    fn probe(
        &self,
        contender: &Contender<'_>,
        cells: &[Cell],
        work: &mut Work<'_, '_>,
    ) -> Result<HashMap<Cell, Vec<ProbeAnswer>>> {
        let probes = self.answered_by(contender);
        let members: Vec<OnceCell<Member<'_>>> =
            contender.fixed().iter().map(|_| OnceCell::new()).collect();
        let mut found = HashMap::new();
        for &cell in cells {
            let missing = work.missing(self, contender, &probes, cell);
            let mut answers = work.known(self, contender, cell).to_vec();
            if !missing.is_empty() {
                let weight = self.weight(contender, cell) * missing.len() as f64;
                let expected = work.pace.expected(Kind::Probed, weight);
                if !ends_before(work.limits.deadline, expected) {
                    continue;
                }
                let [member, plan, number] = cell;
                let labelled = self.parts[0].plans[plan].draws[number].len();
                work.say(&format!(
                    "{}: {labelled} labels, draw {}",
                    contender.name(),
                    number + 1
                ));
                let begun = Instant::now();
                let features =
                    members[member].get_or_init(|| Member::new(&contender.fixed()[member], self));
                let fresh: Result<Vec<ProbeAnswer>> = self
                    .probes
                    .iter()
                    .filter(|probe| missing.contains(&probe.name))
                    .map(|probe| {
                        let (values, chosen, val_labels) =
                            self.fit(probe, features, [plan, number])?;
                        work.answered(self, contender, cell, probe.name, &values);
                        Ok(self.scored(probe.name, &values, chosen, val_labels))
                    })
                    .collect();
                let fresh = fresh?;
                work.keep(self, contender, cell, &fresh)?;
                work.pace.did(Kind::Probed, weight, begun.elapsed());
                answers.extend(fresh);
            }
            found.insert(cell, answers);
        }
        Ok(found)
    }

    /// Fits a probe on one draw, in every part: its answers, the settings that were chosen, and by how many val labels.
    fn fit(
        &self,
        probe: &'static Entry,
        member: &Member<'_>,
        [plan, number]: [usize; 2],
    ) -> Result<(Vec<f64>, String, usize)> {
        let (mut values, mut chosen) = (Vec::new(), Vec::<String>::new());
        let mut val_labels = 0;
        for (part, Part { task, plans, .. }) in self.parts.iter().enumerate() {
            let rows = &plans[plan].draws[number];
            let by_hand = (probe.is_fixed)(self.options);
            let predicted =
                member.with_features(self, [part, plan, number], by_hand, |features| {
                    answer::predict(probe, task, features, rows, self.options)
                })?;
            values.extend(predicted.values);
            if !chosen.contains(&predicted.chosen) {
                chosen.push(predicted.chosen);
            }
            val_labels = predicted.val_labels;
        }
        Ok((values, chosen.join(" | "), val_labels))
    }

    pub(super) fn scored(
        &self,
        probe: &str,
        values: &[f64],
        chosen: String,
        val_labels: usize,
    ) -> ProbeAnswer {
        let scored = answer::score(&self.truth, values, self.parts[0].task.names.len());
        ProbeAnswer {
            probe: probe.to_owned(),
            scores: self.sampling.by_unit(&scored),
            confusion: scored.confusion,
            reliability: scored.reliability,
            confidence: scored.confidence,
            chosen,
            val_labels,
        }
    }

    /// Lets a contender learn from each draw and answer by its own head.
    fn ask(
        &self,
        contender: &Contender<'_>,
        cells: &[Cell],
        work: &mut Work<'_, '_>,
    ) -> Result<HashMap<Cell, Vec<ProbeAnswer>>> {
        let Contender::PerDraw { name, answer, .. } = contender else {
            return Ok(HashMap::new());
        };
        let probes = self.answered_by(contender);
        let mut found = HashMap::new();
        let mut jobs = Vec::new();
        for &cell in cells {
            match work.missing(self, contender, &probes, cell).is_empty() {
                true => {
                    found.insert(cell, work.known(self, contender, cell).to_vec());
                }
                false => jobs.push(cell),
            }
        }
        // The largest first, so that no thread waits long at the end; of one size in the order of the draws.
        jobs.sort_by_key(|&[_, plan, number]| (std::cmp::Reverse(plan), number));
        let draw = |&cell: &Cell| learner::DrawToLearn {
            plan: cell[1],
            number: cell[2],
            weight: self.weight(contender, cell),
        };
        let draws: Vec<learner::DrawToLearn> = jobs.iter().map(draw).collect();
        let schedule = Schedule::new(work.limits.deadline);
        let learning = learner::Learning {
            name,
            answer: &**answer,
            parts: &self.parts,
            seed: self.options.seed,
        };
        let folds = self.parts.len();
        work.say(&format!("{name}: learning from {} draws", draws.len()));
        let mut last = Instant::now();
        let (mut done, all) = (0, draws.len() * folds);
        let mut by_fold: HashMap<Cell, Vec<Option<Vec<f64>>>> = HashMap::new();
        learning.answers(&draws, &schedule, &mut |draw, answer| {
            let cell = [0, draw.plan, draw.number];
            let own = by_fold.entry(cell).or_insert(vec![None; folds]);
            own[answer.fold] = Some(answer.values);
            work.pace
                .did(Kind::Learned, draw.weight / folds as f64, last.elapsed());
            if own.iter().all(Option::is_some) {
                let own = by_fold.remove(&cell).into_iter().flatten().flatten();
                let values: Vec<f64> = own.flatten().collect();
                work.answered(self, contender, cell, HEAD, &values);
                let fresh = vec![self.scored(HEAD, &values, String::new(), 0)];
                work.keep(self, contender, cell, &fresh)?;
                found.insert(cell, fresh);
            }
            last = Instant::now();
            done += 1;
            let what = if folds > 1 { "folds of draws" } else { "draws" };
            work.say(&format!("{name}: learned from {done} of {all} {what}"));
            Ok(())
        })?;
        Ok(found)
    }
}

/// The answers of one probe to one plan by seed and draw: those first draws that all seeds have.
fn grid<'a>(
    found: &'a HashMap<Cell, Vec<ProbeAnswer>>,
    probe: &str,
    plan: usize,
    members: usize,
) -> Vec<Vec<&'a ProbeAnswer>> {
    let of_member = |member: usize| -> Vec<&ProbeAnswer> {
        (0..)
            .map_while(|number| found.get(&[member, plan, number]))
            .filter_map(|answers| answers.iter().find(|answer| answer.probe == probe))
            .collect()
    };
    let mut grid: Vec<Vec<&ProbeAnswer>> = (0..members).map(of_member).collect();
    let shared = grid.iter().map(Vec::len).min().unwrap_or(0);
    grid.iter_mut().for_each(|draws| draws.truncate(shared));
    grid
}
