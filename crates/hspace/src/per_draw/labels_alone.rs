//! What a source that learns from each draw would be with the labels alone: the baseline without which nobody sees that it does harm.

use toml::{Table, Value};

use crate::encoder::ENCODERS;
use crate::error::{Error, Result};
use crate::learner::{Learner, Subject};
use crate::list;
use crate::objective::learns_from_labels;
use crate::probe::LabelsAlone;

/// The method that learns from labels alone, with an encoder that begins from random weights.
const METHOD: &str = "supervised";

/// Which source learns from the labels alone where `of` learns from more: the same encoder and views, `supervised` from random weights; for a
/// method that takes features in place of samples the linear probe on those. It is one of `among` (name and source) where one of them has the
/// same encoder. `None` where `of` learns from labels alone itself. Encoders take the settings of `runs` as in [`Learner::base`].
///
/// ```
/// use hspace::learner::Learner;
/// use hspace::per_draw::labels_alone;
///
/// let of = |name: &str| Learner::parse(name).expect("a method");
/// let fixmatch = of("fixmatch:cnn:width=16:ratio=3:train.steps=2000")?;
/// let alone = labels_alone(&fixmatch, &[], &[])?.expect("it learns from more");
/// assert_eq!(alone.baseline, "supervised:cnn:width=16");
/// assert_eq!(alone.besides, "the unlabelled samples");
/// assert_eq!(labels_alone(&of("supervised:cnn")?, &[], &[])?, None);
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// A run that cannot be read.
pub fn labels_alone(
    of: &Learner,
    among: &[(String, Learner)],
    runs: &[Table],
) -> Result<Option<LabelsAlone>> {
    let from_labels = learns_from_labels(&*of.objective()?);
    let besides = match (&of.on, from_labels) {
        (Subject::Encoder(_), true) => return Ok(None),
        (Subject::Encoder(_), false) => "the unlabelled samples",
        (Subject::Run(_), true) => "the weights it begins with",
        (Subject::Run(_), false) => "the weights it begins with and the unlabelled samples",
        (Subject::Features(run, _), _) => {
            return Ok(Some(LabelsAlone::of_features(&run.display().to_string())));
        }
    };
    let encoder = encoder_of(of, runs)?;
    let wanted = format!("{METHOD}:{}", subject(of, &encoder, runs)?);
    let mut baseline = None;
    for (name, learner) in among {
        let is_supervised = learner.method == METHOD && matches!(learner.on, Subject::Encoder(_));
        if is_supervised && encoder_of(learner, runs)? == encoder {
            let is_better = baseline.is_none() || *name == wanted;
            baseline = if is_better { Some(name) } else { baseline };
        }
    }
    Ok(Some(LabelsAlone {
        baseline: baseline.cloned().unwrap_or(wanted),
        probe: None,
        besides: besides.to_owned(),
    }))
}

/// The section of a source's encoder, with all settings.
fn encoder_of(learner: &Learner, runs: &[Table]) -> Result<Table> {
    let base = learner.base(runs, "cpu")?;
    match base.get("encoder") {
        Some(Value::Table(given)) => with_defaults(given),
        _ => Err(Error::data("a run's settings name no encoder")),
    }
}

fn with_defaults(encoder: &Table) -> Result<Table> {
    let name = encoder.get("name").and_then(Value::as_str);
    let entry = list::find("encoder", ENCODERS, name.unwrap_or_default());
    let mut section = (entry.map_err(Error::config)?.defaults)();
    section.extend(encoder.clone());
    Ok(section)
}

/// The name of the source that trains an encoder on the labels of each draw alone, from random weights: `encoder` is its section, with `name`. A name
/// without settings takes those of the first of `runs` with that encoder.
///
/// ```
/// use hspace::config::section;
/// use hspace::per_draw::supervised_name;
///
/// let encoder = section("resnet18:width=16")?;
/// assert_eq!(supervised_name(&encoder, &[])?, "supervised:resnet18:width=16");
/// // What is the default need not be said.
/// assert_eq!(supervised_name(&section("resnet18:width=64")?, &[])?, "supervised:resnet18");
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// An encoder that does not exist.
pub fn supervised_name(encoder: &Table, runs: &[Table]) -> Result<String> {
    let subject = of_run(&with_defaults(encoder)?, runs)?;
    Ok(format!("{METHOD}:{subject}"))
}

/// The encoder of `of` as the name of a source has it, with what is said of views, reading and the size of images.
fn subject(of: &Learner, encoder: &Table, runs: &[Table]) -> Result<String> {
    let mut parts = vec![match of.untrained() {
        Some(name) => name,
        None => of_run(encoder, runs)?,
    }];
    for key in ["views", "reading"] {
        if let Some(value) = of.settings.get(key) {
            assignments(key, value, &mut parts);
        }
    }
    if let Some(size) = of.settings.get("train").and_then(|t| t.get("image_size")) {
        assignments("train.image_size", size, &mut parts);
    }
    Ok(parts.join(":"))
}

/// The encoder of a run: its name alone where that is enough to get its settings, else what differs from the defaults.
fn of_run(encoder: &Table, runs: &[Table]) -> Result<String> {
    let name = encoder.get("name").and_then(Value::as_str);
    let name = name.unwrap_or_default();
    if encoder_of(&Learner::supervised(name), runs)? == *encoder {
        return Ok(name.to_owned());
    }
    let defaults = (list::find("encoder", ENCODERS, name)
        .map_err(Error::config)?
        .defaults)();
    let own = encoder.iter().filter(|(key, value)| {
        key.as_str() != "name" && defaults.get(key.as_str()) != Some(*value)
    });
    Ok(own.fold(name.to_owned(), |text, (key, value)| {
        format!("{text}:{key}={value}")
    }))
}

/// `path.key=value` for every value of a section.
fn assignments(path: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Table(section) => {
            for (key, value) in section {
                assignments(&format!("{path}.{key}"), value, out);
            }
        }
        value => out.push(format!("{path}={value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (String, Learner) {
        (name.to_owned(), Learner::parse(name).unwrap().unwrap())
    }

    fn baseline(name: &str, among: &[&str], runs: &[Table]) -> Option<String> {
        let among: Vec<(String, Learner)> = among.iter().map(|name| of(name)).collect();
        let found = labels_alone(&of(name).1, &among, runs).unwrap();
        found.map(|alone| alone.baseline)
    }

    #[test]
    fn the_baseline_has_the_same_encoder_and_views() {
        let name = "fixmatch:cnn:width=8:views.scale=[0.5, 1.0]:train.image_size=16:train.ema=0.9";
        let wanted = "supervised:cnn:width=8:views.scale=[0.5, 1.0]:train.image_size=16";
        assert_eq!(baseline(name, &[], &[]).as_deref(), Some(wanted));
        assert!(Learner::parse(wanted).unwrap().is_ok());
        // Of those that are named one of the same encoder is taken, whatever else is set.
        let others = [
            "supervised:cnn",
            "supervised:mlp:width=8",
            "mean_teacher:cnn:width=8",
            "supervised:cnn:width=8:label_smoothing=0.1",
        ];
        assert_eq!(baseline(name, &others, &[]).as_deref(), Some(others[3]));
        let more = [&others[..], &[wanted]].concat();
        assert_eq!(baseline(name, &more, &[]).as_deref(), Some(wanted));
        assert_eq!(baseline("finetune:cnn", &[], &[]), None);
    }

    #[test]
    fn defaults_and_settings_of_a_run_are_the_same_encoder() {
        let defaults = (list::find("encoder", ENCODERS, "cnn").unwrap().defaults)();
        let width = &defaults["width"];
        let spelt_out = format!("supervised:cnn:width={width}");
        let found = baseline("fixmatch:cnn", &[&spelt_out], &[]);
        assert_eq!(found, Some(spelt_out.clone()));
        // `cnn` takes the settings of a run with a `cnn`.
        let run: Table = "[encoder]\nname = 'cnn'\nwidth = 4".parse().unwrap();
        let found = baseline("fixmatch:cnn", &[&spelt_out], &[run]);
        assert_eq!(found.as_deref(), Some("supervised:cnn"));
    }
}
