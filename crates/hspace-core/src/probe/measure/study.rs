//! What is the same for all contenders: rows to learn from and to test, draws of labels, probes.

use super::Scope;
use crate::error::{Error, Result};
use crate::probe::Labels;
use crate::probe::domains::DomainRows;
use crate::probe::entry::Entry;
use crate::probe::estimates::Sampling;
use crate::probe::folds::learnable;
use crate::probe::mask::MaskTask;
use crate::probe::options::ProbeOptions;
use crate::probe::task::{DrawPlan, FEWEST, Task, Truth, test_units};

/// Everything that is the same for all contenders.
pub(in crate::probe) struct Study<'a> {
    /// One, or one a fold.
    pub(in crate::probe) parts: Vec<Part>,
    pub(super) probes: Vec<&'static Entry>,
    pub(in crate::probe) options: &'a ProbeOptions,
    /// True values of the test rows of all parts, one after the other.
    pub(super) truth: Truth,
    /// Whether test samples belong together.
    pub(super) grouped: bool,
    /// How the scores are sampled, but for the draws.
    pub(super) sampling: Sampling,
    /// The masks of a task of masks.
    pub(super) masks: Option<MaskTask<'a>>,
}

/// Rows to learn from and rows to test on.
pub(in crate::probe) struct Part {
    pub(in crate::probe) task: Task,
    /// Rows that may be learned from without their labels: those of the task, and others.
    pub(in crate::probe) train: Vec<usize>,
    pub(in crate::probe) plans: Vec<DrawPlan>,
}

impl Part {
    /// The validation rows that decide between the settings of a plan: none but for all labels.
    pub(in crate::probe) fn val_of(&self, plan: usize) -> &[usize] {
        match self.plans[plan].by_val {
            true => &self.task.val,
            false => &[],
        }
    }
}

impl<'a> Study<'a> {
    pub(super) fn new(
        task: Task,
        options: &'a ProbeOptions,
        scope: &Scope<'a>,
        domains: Option<&DomainRows>,
    ) -> Result<Study<'a>> {
        let probes = task.probes(options)?;
        let mut tasks = match options.folds {
            1 => vec![task],
            folds => task.folds(folds, options.seed)?,
        };
        let mut train = learnable(&tasks, &scope.known.split);
        if let Some(domains) = domains {
            let own = tasks.into_iter().map(|task| domains.of(task, &scope.name));
            tasks = own.collect::<Result<_>>()?;
            for rows in &mut train {
                rows.retain(|&row| domains.is_seen(row));
            }
        }
        let truth = tasks[0].truth.select(
            &tasks
                .iter()
                .flat_map(|t| t.test.clone())
                .collect::<Vec<_>>(),
        );
        let units = test_units(&tasks);
        let part = |(train, task): (Vec<usize>, Task)| Part {
            plans: task.plans(options),
            task,
            train,
        };
        let mut parts: Vec<Part> = train.into_iter().zip(tasks).map(part).collect();
        // What one fold has too few labels for, or draws less often, all leave out.
        let shared: Vec<(Labels, usize)> = parts[0]
            .plans
            .iter()
            .filter_map(|plan| {
                let same = parts
                    .iter()
                    .map(|p| p.plans.iter().find(|q| q.labels == plan.labels));
                let draws: Option<Vec<usize>> = same.map(|q| Some(q?.draws.len())).collect();
                Some((plan.labels, draws?.into_iter().min()?))
            })
            .collect();
        for part in &mut parts {
            part.plans
                .retain(|p| shared.iter().any(|s| s.0 == p.labels));
            let pairs = part.plans.iter_mut().zip(&shared);
            pairs.for_each(|(plan, (_, draws))| plan.draws.truncate(*draws));
        }
        if parts[0].plans.is_empty() {
            return Err(Error::config(format!(
                "labels: with {} at least {FEWEST} labelled samples in total are measured; raise them, or use `all`",
                parts[0].task.kind().text()
            )));
        }
        Ok(Study {
            probes,
            options,
            grouped: units.is_some(),
            sampling: Sampling::new(&truth, parts[0].task.names.len(), units),
            truth,
            parts,
            masks: scope.masks,
        })
    }

    /// Whether a probe wants features as they are (`true`), or scaled.
    pub(in crate::probe) fn asks_for(&self, by_hand: bool) -> bool {
        let mut probes = self.probes.iter();
        probes.any(|probe| (probe.is_fixed)(self.options) == by_hand)
    }
}
