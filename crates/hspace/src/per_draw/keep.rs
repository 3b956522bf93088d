//! A method trained once on all labels, to be kept.

use toml::{Table, Value};

use super::{Budget, Plan};
use crate::config::Config;
use crate::dataset::{Dataset, Split, Values};
use crate::error::{Error, Result};
use crate::job::about;
use crate::learner::{Learner, Subject};

/// The settings by which `learner` learns from all labels of training samples of `dataset` as it does from a draw of them in a comparison. `base` are those
/// that its own are laid over ([`Learner::base`]), with the data and how they are read. A run it begins from is `[init]`.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::job::Job;
/// use hspace::learner::Learner;
/// use hspace::per_draw::config_of_all_labels;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions { few_labels: 8, ..OpenOptions::default() })?;
/// let learner = Learner::parse("fixmatch:cnn:width=4:ratio=2").expect("a method")?;
/// let config = config_of_all_labels(&learner, learner.base(&[], "cpu")?, &shapes, 0)?;
/// assert_eq!((config.objective.name.as_str(), config.train.steps), ("fixmatch", 1000));
/// assert!(Job::new(config, &shapes, None).is_ok());
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// When there is no task of classes, settings do not fit, or the method takes the features of a run in place of samples: of that nothing is kept that could
/// answer for new samples.
pub fn config_of_all_labels(
    learner: &Learner,
    mut base: Table,
    dataset: &Dataset,
    seed: u64,
) -> Result<Config> {
    let method = &learner.method;
    match &learner.on {
        Subject::Features(run, _) => {
            return Err(Error::config(format!(
                "{method}:{} answers on the features of a run and cannot be kept; name an encoder, such as {method}:mlp, or a run to begin from",
                run.display()
            )));
        }
        Subject::Run(run) => {
            let from = Value::String(run.display().to_string());
            base.insert(
                "init".into(),
                Table::from_iter([("from".to_owned(), from)]).into(),
            );
        }
        Subject::Encoder(_) => {}
    }
    let Some(task) = dataset.task() else {
        return Err(Error::data(format!(
            "{method} learns from labels, and {} has none; name their column by --label",
            dataset.name
        )));
    };
    if !matches!(task.values, Values::Classes { .. }) {
        return Err(Error::config(format!(
            "{method} learns classes, and `{}` has none",
            task.name
        )));
    }
    base.insert("label".into(), task.name.clone().into());
    let train = dataset.indices(Split::Train);
    let labelled = train
        .iter()
        .filter(|&&row| task.values.is_known(row))
        .count();
    let objective = learner.objective()?;
    let plan = Plan {
        budget: Budget::of(&*objective),
        objective,
        learner: learner.clone(),
        base,
    };
    // A plan halves the seeds of draws.
    plan.config(about(dataset), labelled, train.len(), seed << 1)
}
