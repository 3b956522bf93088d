//! A label column as a task: its head, and its loss on the samples whose value is known.

use burn_tensor::activation::{log_sigmoid, log_softmax};
use burn_tensor::{Tensor, TensorData};

use crate::dataset::{Column, Values};
use crate::nn::layers::{linear, pick};
use crate::nn::{Init, Scope};
use crate::objective::{Net, TaskHead};
use crate::probe::TaskKind;

/// A column that a network learns together with others.
pub(super) struct Task {
    /// The column's name.
    pub name: String,
    /// Where its head is, `head` for the task of the run.
    at: String,
    /// Names of classes or labels.
    names: Vec<String>,
    target: Target,
}

/// The values of a column by row of the dataset, where they may be used.
enum Target {
    /// Cross-entropy.
    Classes {
        count: usize,
        labels: Vec<Option<u32>>,
    },
    /// Squared error of standardised values.
    Numbers {
        mean: f32,
        std: f32,
        standardised: Vec<Option<f32>>,
    },
    /// Mean binary cross-entropy over the labels.
    Labels {
        count: usize,
        sets: Vec<Option<Vec<u32>>>,
    },
}

impl Task {
    /// The task of `column`; `is_main` if it is the one that the run is measured by.
    ///
    /// # Errors
    /// When fewer than two different values are known.
    pub fn new(column: &Column, is_main: bool) -> Result<Task, String> {
        let target = match &column.values {
            Values::Classes { names, index } => {
                let first = index.iter().flatten().next();
                let differ = index.iter().flatten().any(|class| Some(class) != first);
                differ.then(|| Target::Classes {
                    count: names.len(),
                    labels: index.clone(),
                })
            }
            Values::Numbers(values) => numbers(values),
            Values::MultiLabel { names, sets } => {
                let mut known = sets.iter().flatten();
                let first = known.next();
                known.any(|set| Some(set) != first).then(|| Target::Labels {
                    count: names.len(),
                    sets: sets.clone(),
                })
            }
        };
        let Some(target) = target else {
            return Err(format!(
                "columns: `{}` has fewer than two different values on the training samples; leave it out",
                column.name
            ));
        };
        Ok(Task {
            names: match &column.values {
                Values::Classes { names, .. } | Values::MultiLabel { names, .. } => names.clone(),
                Values::Numbers(_) => vec![],
            },
            name: column.name.clone(),
            at: match is_main {
                true => "head".to_owned(),
                false => format!("heads.{}", column.name),
            },
            target,
        })
    }

    /// Whether uncertainty weighting takes its likelihood for a normal distribution.
    pub fn is_numeric(&self) -> bool {
        matches!(self.target, Target::Numbers { .. })
    }

    /// What answers for it.
    pub fn head(&self) -> TaskHead {
        TaskHead {
            column: self.name.clone(),
            at: self.at.clone(),
            kind: match self.target {
                Target::Classes { .. } => TaskKind::Classes,
                Target::Numbers { .. } => TaskKind::Numbers,
                Target::Labels { .. } => TaskKind::LabelSets,
            },
            names: self.names.clone(),
        }
    }

    /// The mean loss, `[1]`, over those of `rows` whose value is known, whose features are `features` `[n, d]`; `None` if there are none.
    pub fn loss(&self, net: &Net, features: Tensor<2>, rows: &[usize]) -> Option<Tensor<1>> {
        let scope = net.at(&self.at);
        let n = rows.len();
        let outputs = linear(&scope, features, self.outputs(), true);
        let (losses, known): (Tensor<1>, Vec<bool>) = match &self.target {
            Target::Classes { labels, .. } => {
                let own: Vec<u32> = rows.iter().map(|&row| labels[row].unwrap_or(0)).collect();
                let known = rows.iter().map(|&row| labels[row].is_some());
                (-pick(log_softmax(outputs, 1), &own), known.collect())
            }
            Target::Numbers {
                mean,
                std,
                standardised,
            } => {
                keep(&scope, *mean, *std);
                let own = rows.iter().map(|&row| standardised[row].unwrap_or(0.0));
                let own = Tensor::<1>::from_data(&own.collect::<Vec<f32>>()[..], net.device());
                let known = rows.iter().map(|&row| standardised[row].is_some());
                ((outputs.reshape([n]) - own).powi_scalar(2), known.collect())
            }
            Target::Labels { count, sets } => {
                let mut signs = vec![-1.0f32; n * count];
                for (place, &row) in rows.iter().enumerate() {
                    let own = sets[row].iter().flatten();
                    own.for_each(|&label| signs[place * count + label as usize] = 1.0);
                }
                let signs =
                    Tensor::<2>::from_data(TensorData::new(signs, [n, *count]), net.device());
                let losses = -log_sigmoid(outputs * signs).mean_dim(1);
                let known = rows.iter().map(|&row| sets[row].is_some());
                (losses.reshape([n]), known.collect())
            }
        };
        let count = known.iter().filter(|&&is| is).count();
        let share = |is: &bool| f32::from(u8::from(*is)) / count.max(1) as f32;
        let shares: Vec<f32> = known.iter().map(share).collect();
        let shares = Tensor::<1>::from_data(&shares[..], net.device());
        (count > 0).then(|| (losses * shares).sum())
    }

    fn outputs(&self) -> usize {
        match &self.target {
            Target::Classes { count, .. } | Target::Labels { count, .. } => *count,
            Target::Numbers { .. } => 1,
        }
    }
}

/// Numbers, standardised by the known ones; `None` if those are all the same.
fn numbers(values: &[Option<f64>]) -> Option<Target> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let squares = known.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let std = (squares / known.len().max(1) as f64).sqrt();
    let standardised = |x: &Option<f64>| x.map(|x| ((x - mean) / std) as f32);
    (std > 0.0).then(|| Target::Numbers {
        mean: mean as f32,
        std: std as f32,
        standardised: values.iter().map(standardised).collect(),
    })
}

/// Keeps with a head what its answers are to be multiplied by and moved by.
fn keep(head: &Scope, mean: f32, std: f32) {
    head.buffer("mean", 1, Init::Constant(mean));
    head.buffer("std", 1, Init::Constant(std));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Role;
    use crate::device::Device;
    use crate::golden::{check_loss, matrix};
    use crate::nn::{Mode, Pass, Weights};

    fn column(values: Values) -> Column {
        Column {
            name: "age".into(),
            role: Role::Label,
            values,
        }
    }

    /// The loss of rows 0..6 by a head that is the identity: `x [6, outputs]`.
    fn loss(values: Values, x: Tensor<2>) -> Option<Tensor<1>> {
        let task = Task::new(&column(values), true).expect("values differ");
        let [_, outputs] = x.dims();
        let device = Device::cpu();
        let none = Weights::default();
        let begin = Pass::new(&none, Mode::Init(0), &device);
        let encoder = crate::encoder::make("mlp", toml::Table::default()).expect("it has defaults");
        task.loss(&Net::new(&*encoder, &begin), x.clone().inner(), &[0; 6]);
        let mut weights = begin.into_fresh();
        let eye = Tensor::<2>::eye(outputs, &device).reshape([outputs * outputs]);
        weights.set("head.weight", eye);
        weights.set("head.bias", Tensor::zeros([outputs], &device));
        let pass = Pass::new(&weights, Mode::Train, &device);
        task.loss(&Net::new(&*encoder, &pass), x, &[0, 1, 2, 3, 4, 5])
    }

    #[test]
    fn losses_with_missing_labels_agree_with_pytorch() {
        let classes = Values::Classes {
            names: ["a", "b", "c"].map(String::from).to_vec(),
            index: vec![Some(0), None, Some(2), Some(1), None, Some(1)],
        };
        check_loss("task_of_classes", [6, 3], |x| {
            loss(classes.clone(), x).expect("four are known")
        });
        let numbers = Values::Numbers(vec![Some(30.0), Some(50.0), None, Some(70.0), None, None]);
        check_loss("task_of_numbers", [6, 1], |x| {
            loss(numbers.clone(), x).expect("three are known")
        });
        let labels = Values::MultiLabel {
            names: ["a", "b", "c"].map(String::from).to_vec(),
            sets: vec![
                Some(vec![0, 2]),
                Some(vec![]),
                None,
                Some(vec![1]),
                None,
                Some(vec![0, 1, 2]),
            ],
        };
        check_loss("task_of_labels", [6, 3], |x| {
            loss(labels.clone(), x).expect("four are known")
        });
    }

    #[test]
    fn a_batch_without_a_known_value_has_no_loss() {
        let values = Values::Numbers([vec![None; 6], vec![Some(1.0), Some(2.0)]].concat());
        assert!(loss(values, matrix([6, 1], 0.3)).is_none());
    }

    #[test]
    fn a_column_of_one_value_is_no_task() {
        let problem = Task::new(&column(Values::Numbers(vec![Some(3.0); 4])), true);
        assert!(problem.err().expect("a problem").contains("`age`"));
    }
}
