//! "I have N labels and M samples: what should I do?" The rules of `hspace start` and of `--objective auto`, from the tables of `bench/few_labels.md`.
//!
//! Below [`ENOUGH`] labels a class nothing can be chosen by them, and a rule says what to take; from there on candidates are compared by
//! cross-validation inside the training labels, the labels alone among them. Val and test labels choose nothing.

use crate::dataset::{Dataset, Shape, Split, Values};
use crate::probe::TaskKind;

/// Labels a class, on average, from which on settings may be chosen by them.
pub const ENOUGH: usize = 10;
/// Training samples from which on a network is worth training without labels.
const WORTH_PRETRAINING: usize = 200;
/// Labels that a choice is made with at most, so that it does not take longer than the training.
const CHOOSING: usize = 4000;

/// What is known of the data before anything is learned.
///
/// ```
/// use hspace::advice::DataSummary;
/// use hspace::dataset::{Dataset, OpenOptions};
///
/// let few = OpenOptions { few_labels: 4, ..OpenOptions::default() };
/// let summary = DataSummary::of(&Dataset::open("builtin:shapes", &few)?);
/// assert_eq!((summary.train, summary.labelled, summary.classes), (1282, 8, 2));
/// // Too few to choose by, and many images without a label.
/// assert!(!summary.can_choose());
/// println!("{}: {}", summary.objective().name, summary.objective().why);
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataSummary {
    /// Training samples.
    pub train: usize,
    /// Shape of a sample.
    pub shape: Shape,
    /// What the task is; `None` where no column is a label.
    pub task: Option<TaskKind>,
    /// Training samples with a label.
    pub labelled: usize,
    /// Classes or labels of a sample; 0 of numbers.
    pub classes: usize,
    /// Labelled training samples of the rarest class that has any; of other tasks those in all.
    pub fewest: usize,
    /// Test samples with a label.
    pub test: usize,
}

/// Something to do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Name of a source or an objective.
    pub name: String,
    /// The reason, in words.
    pub why: String,
}

fn advise(name: impl Into<String>, why: impl Into<String>) -> Advice {
    Advice {
        name: name.into(),
        why: why.into(),
    }
}

impl DataSummary {
    /// Of the task of `dataset`.
    pub fn of(dataset: &Dataset) -> DataSummary {
        let train = dataset.indices(Split::Train);
        let task = dataset.task();
        let values = task.map(|task| &task.values);
        let known = |split| -> Vec<usize> {
            let rows = dataset.indices(split).into_iter();
            rows.filter(|&row| values.is_some_and(|values| values.is_known(row)))
                .collect()
        };
        let labelled = known(Split::Train);
        let (kind, classes, fewest) = match values {
            None => (None, 0, 0),
            Some(Values::Numbers(_)) => (Some(TaskKind::Numbers), 0, labelled.len()),
            Some(Values::MultiLabel { names, .. }) => {
                (Some(TaskKind::LabelSets), names.len(), labelled.len())
            }
            Some(Values::Classes { names, index }) => {
                let mut counts = vec![0; names.len()];
                labelled
                    .iter()
                    .filter_map(|&row| index[row])
                    .for_each(|class| counts[class as usize] += 1);
                counts.retain(|&count| count > 0);
                let fewest = counts.iter().copied().min().unwrap_or(0);
                (Some(TaskKind::Classes), counts.len(), fewest)
            }
        };
        DataSummary {
            train: train.len(),
            shape: dataset.shape,
            task: kind.filter(|_| !labelled.is_empty()),
            labelled: labelled.len(),
            classes,
            fewest,
            test: known(Split::Test).len(),
        }
    }

    /// In a sentence.
    pub fn text(&self) -> String {
        let samples = format!("{} training samples, {}", self.train, self.shape.what());
        let labels = match self.task {
            None => "no labels".to_owned(),
            Some(TaskKind::Classes) => format!(
                "{} of them labelled, {} or more of each of {} classes",
                self.labelled, self.fewest, self.classes
            ),
            Some(_) => format!("{} of them labelled", self.labelled),
        };
        format!("{samples}; {labels}; {} labelled test samples", self.test)
    }

    fn is_images(&self) -> bool {
        matches!(self.shape, Shape::Image { .. })
    }

    fn has_classes(&self) -> bool {
        self.task == Some(TaskKind::Classes)
    }

    /// Labels a class, on average.
    fn per_class(&self) -> usize {
        self.labelled / self.classes.max(1)
    }

    /// Whether there are labels enough to choose by.
    pub fn can_choose(&self) -> bool {
        let enough = match self.has_classes() {
            true => ENOUGH,
            // In total, as ten classes.
            false => 10 * ENOUGH,
        };
        let own = if self.has_classes() {
            self.per_class()
        } else {
            self.labelled
        };
        own >= enough
    }

    /// Labels a class that a choice is made with, where there are more than are needed for it.
    pub fn labels_to_choose_by(&self) -> Option<usize> {
        let most = CHOOSING / self.classes.max(1);
        (self.labelled > CHOOSING).then_some(most)
    }

    /// Whether a network is to be trained without labels first.
    pub fn pretrains(&self) -> bool {
        self.is_images() && self.train >= WORTH_PRETRAINING
    }

    /// The objective of a single training.
    pub fn objective(&self) -> Advice {
        let without = self.train - self.labelled;
        match self.task {
            Some(TaskKind::Classes) if without <= self.labelled => advise(
                "supervised",
                format!(
                    "{} of {} training samples have a label",
                    self.labelled, self.train
                ),
            ),
            Some(TaskKind::Classes) if self.is_images() => advise(
                "fixmatch",
                format!("{} labels and {without} images without one", self.labelled),
            ),
            Some(TaskKind::Classes) => advise(
                "pseudo_label",
                format!("{} labels and {without} vectors without one", self.labelled),
            ),
            _ => advise("simclr", "no classes to learn from"),
        }
    }

    /// The sources that are worth comparing by cross-validation, the cheapest first: those that can be kept and answer for new samples. `run` is what was
    /// learned without labels, `encoder` what networks are trained from random weights.
    pub fn candidates(&self, encoder: &str, run: Option<&str>) -> Vec<String> {
        let mut names = vec!["pixels".to_owned()];
        names.extend(run.map(str::to_owned));
        if self.has_classes() {
            names.push(format!("supervised:{encoder}"));
            names.extend(run.map(|run| format!("finetune:{run}")));
            if self.labelled < self.train {
                names.push(format!("pseudo_label:{encoder}"));
                if self.is_images() {
                    names.push(format!("fixmatch:{encoder}"));
                }
            }
        }
        names
    }

    /// What to take where there are too few labels to choose by.
    pub fn without_choosing(&self, run: Option<&str>) -> Advice {
        let too_few = format!(
            "{} labels are too few to choose by",
            match self.has_classes() {
                true => format!("{} a class", self.per_class()),
                false => self.labelled.to_string(),
            }
        );
        match run {
            Some(run) if self.has_classes() => advise(
                format!("finetune:{run}"),
                format!(
                    "{too_few}; with so few no method was seen to be ahead of what was learned without labels, fine-tuned"
                ),
            ),
            Some(run) => advise(
                run,
                format!("{too_few}; a linear probe on what was learned without labels"),
            ),
            None => advise(
                "pixels",
                format!("{too_few}; a linear probe on the values as they are"),
            ),
        }
    }
}
