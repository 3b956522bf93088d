//! Several label columns at once: one encoder, a linear head for each (Caruana 1997, "Multitask learning").
//!
//! `loss = Σ_t w_t L_t`. L_t is the cross-entropy of classes, the squared error of standardised numbers, or the binary cross-entropy of several labels a
//! sample, its mean over the samples of the batch whose value is known: samples may lack any of the columns, and those that lack all are left out. The
//! weights w_t are 1, given, or found by one of the methods of `weighting`; papers of gradient methods (`gradnorm`, `pcgrad`, `cagrad`, `mgda`) take
//! the gradients of all shared weights (GradNorm: of the last shared layer), here they are those of the shared features.
//!
//! Views are weak (`[views.weak]`): what a strong view hides or moves may be what one of the columns is about.
//!
//! The column that the run is measured by has its head at `head`, the others at `heads.COLUMN`.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::task::Task;
use super::weighting::{Products, WeightingSettings};
use crate::dataset::Role;
use crate::error::unknown;
use crate::list::{self, Configured, Entry};
use crate::nn::weights::values;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, TaskHead, ViewKind};

/// What a user may set besides the weighting.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Names of the columns; none: all label columns.
    columns: Vec<String>,
}

#[derive(Default)]
struct MultiTask {
    settings: Settings,
    weighting: WeightingSettings,
    tasks: Vec<Task>,
    /// Their places in the columns of the data.
    places: Vec<usize>,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "multi_task",
    summary: "several label columns at once, of which samples may lack some",
    source: "Caruana 1997; weights: Kendall et al. 2018, Chen et al. 2018, Liu et al. 2019, Sener & Koltun 2018, Yu et al. 2020, Liu et al. 2021",
    item: Configured {
        defaults: || {
            let mut all = list::defaults::<Settings>();
            all.extend(list::defaults::<WeightingSettings>());
            all
        },
        make: |mut table| {
            let settings: Settings = list::take(&mut table)?;
            let weighting: WeightingSettings = list::take(&mut table)?;
            list::nothing_left(&table)?;
            list::refuse(weighting.validate_numbers())?;
            Ok(Box::new(MultiTask {
                settings,
                weighting,
                ..MultiTask::default()
            }))
        },
    },
};

impl MultiTask {
    /// Inner products of the gradients of the tasks' losses with respect to the features.
    fn products(&self, net: &Net, features: &Tensor<2>, rows: &[usize]) -> Products {
        let z = features.clone().inner().autodiff().require_grad();
        let losses = self.tasks.iter();
        let losses = losses.filter_map(|task| task.loss(net, z.clone(), rows));
        let gradient = |loss: Tensor<1>| {
            let gradient = z.grad(&loss.backward());
            values(gradient.expect("a task's loss depends on the features"))
        };
        Products::new(&losses.map(gradient).collect::<Vec<_>>())
    }
}

impl Objective for MultiTask {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        let mut problems = Vec::new();
        let mut places = Vec::new();
        for name in &self.settings.columns {
            match spec.columns.iter().position(|c| c.name == *name) {
                Some(place) if places.contains(&place) => {
                    problems.push(format!("columns: `{name}` is given twice"));
                }
                Some(place) => places.push(place),
                None => {
                    let names = spec.columns.iter().map(|c| c.name.as_str());
                    problems.push(format!("columns: {}", unknown("column", name, names)));
                }
            }
        }
        if self.settings.columns.is_empty() {
            let is_label = |&place: &usize| spec.columns[place].role == Role::Label;
            places = (0..spec.columns.len()).filter(is_label).collect();
        }
        if places.is_empty() && problems.is_empty() {
            problems.push(
                "objective `multi_task` needs label columns, and the data have none; name them by --role COLUMN=label, or use `simclr`"
                    .to_owned(),
            );
        }
        let mut tasks = Vec::new();
        for &place in &places {
            match Task::new(&spec.columns[place], spec.task == Some(place)) {
                Ok(task) => tasks.push(task),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(self.weighting.validate(places.len()));
        (self.tasks, self.places) = (tasks, places);
        problems
    }

    fn answers(&self) -> bool {
        true
    }

    fn task_heads(&self) -> Vec<TaskHead> {
        self.tasks.iter().map(Task::head).collect()
    }

    fn steps_per_draw(&self) -> usize {
        200
    }

    fn streams(&self) -> Vec<Stream> {
        let any = Subset::Any(self.places.clone());
        vec![Stream::new(any, vec![ViewKind::Weak])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let batch = &batches[0];
        let features = net.encode(batch.views[0].clone());
        let losses: Vec<Option<Tensor<1>>> = self
            .tasks
            .iter()
            .map(|task| task.loss(net, features.clone(), &batch.rows))
            .collect();
        let products = || self.products(net, &features, &batch.rows);
        let combined = self.weighting.combine(net, &self.tasks, &losses, products);
        let mut task_metrics = Vec::new();
        for (place, (task, loss)) in self.tasks.iter().zip(losses).enumerate() {
            let weight = combined.weights.clone().narrow(0, place, 1);
            task_metrics.extend(loss.map(|loss| (format!("loss_{}", task.name), loss)));
            task_metrics.push((format!("weight_{}", task.name), weight));
        }
        let cosine = combined.mean_cosine.map(|cosine| {
            let cosine = Tensor::<1>::from_floats([cosine as f32], net.device());
            ("gradient_cosine", cosine)
        });
        let none = || Tensor::zeros([1], net.device());
        Loss {
            metrics: cosine.into_iter().collect(),
            task_metrics,
            ..Loss::of(combined.total.unwrap_or_else(none), vec![features])
        }
    }
}
