//! What the user is warned of: a kind, the step at which it was noticed, and a sentence or two.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong.
///
/// ```
/// use hspace_core::warning::{Warning, WarningKind};
///
/// let warning = Warning::of_data("3 test images are in the training set".into());
/// assert_eq!(warning.kind, WarningKind::Data);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Samples get nearly the same features, or features that vary in one direction only.
    FeatureCollapse,
    /// The projections of nearly all samples point the same way.
    ConstantProjections,
    /// The teacher gives nearly the same distribution to every sample.
    ConstantTeacher,
    /// One prototype is nearest to nearly every sample.
    PrototypeCollapse,
    /// One code vector represents nearly everything.
    CodebookCollapse,
    /// No latent tells one sample from another.
    PosteriorCollapse,
    /// Drawn samples hardly differ, or lie near few real ones.
    ModeCollapse,
    /// The keys in the queue are nearly all alike.
    SaturatedQueue,
    /// The discriminator tells all samples, and the generator has nothing to learn from.
    DiscriminatorWon,
    /// Nearly all unlabelled samples are taken for one class.
    OneClass,
    /// Unlabelled samples are answered with other shares of the classes than the labels have, or labels are unbalanced.
    ClassShares,
    /// Many unlabelled samples are taken for no class with confidence.
    UnsureAnswers,
    /// The data may spoil what is measured on them.
    Data,
    /// The samples that a run draws could not be measured.
    Unmeasured,
    /// A warning of version 0.1.0, which kept the text alone.
    Unnamed,
}

/// What the user is warned of.
///
/// ```
/// use hspace_core::warning::{Warning, WarningKind};
///
/// let warning = Warning {
///     kind: WarningKind::PosteriorCollapse,
///     step: Some(30),
///     text: "no latent is active".into(),
/// };
/// assert_eq!(warning.to_string(), "at step 30: no latent is active");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Warning {
    /// What went wrong.
    pub kind: WarningKind,
    /// Step of the training at which it was noticed, if in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// What it means and what to do.
    pub text: String,
}

impl Warning {
    /// A warning that is not of a training.
    pub fn new(kind: WarningKind, text: impl Into<String>) -> Warning {
        Warning {
            kind,
            step: None,
            text: text.into(),
        }
    }

    /// That the data may spoil what is measured on them.
    pub fn of_data(text: String) -> Warning {
        Warning::new(WarningKind::Data, text)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "at step {step}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A warning as it is read: version 0.1.0 wrote `"at step 30: …"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Now {
        kind: WarningKind,
        step: Option<usize>,
        text: String,
    },
    Before(String),
}

impl From<Stored> for Warning {
    fn from(stored: Stored) -> Warning {
        let before = match stored {
            Stored::Now { kind, step, text } => return Warning { kind, step, text },
            Stored::Before(text) => text,
        };
        let parts = before.strip_prefix("at step ");
        let parts = parts.and_then(|rest| rest.split_once(": "));
        let parts = parts.and_then(|(step, text)| Some((step.parse().ok()?, text.to_owned())));
        let (step, text) = parts.map_or((None, before), |(step, text)| (Some(step), text));
        Warning {
            kind: WarningKind::Unnamed,
            step,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_what_version_0_1_0_wrote() {
        let text = r#"[{"kind":"mode_collapse","step":7,"text":"raise it"},{"kind":"data","text":"leaks"}]"#;
        let read: Vec<Warning> = serde_json::from_str(text).unwrap();
        assert_eq!(
            (read[0].kind, read[0].step),
            (WarningKind::ModeCollapse, Some(7))
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for said in [
            "at step 30: collapse: all alike",
            "no step: here",
            "at step x: y",
        ] {
            let text = serde_json::to_string(said).unwrap();
            let read: Warning = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (read.kind, read.to_string().as_str()),
                (WarningKind::Unnamed, said)
            );
            assert_eq!(read.step, said.contains("30").then_some(30));
        }
    }
}
