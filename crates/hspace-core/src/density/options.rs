//! What fits can be asked for: plain structs that read from and write to TOML whole.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::kernel::Kernel;
use super::{DENSITIES, FEATURE_DENSITIES};
use crate::auto::Auto;
use crate::error::unknown;

/// Options of [`fit`](super::fit::fit).
///
/// ```
/// use hspace_core::auto::Auto;
/// use hspace_core::density::{Bandwidth, DensityOptions, Kernel};
///
/// let mut options = DensityOptions::default();
/// options.kde.kernel = Kernel::Epanechnikov;
/// options.kde.bandwidth = Bandwidth::Scott;
/// options.mixture.components = Auto::Set(3);
/// assert!(options.validate().is_empty());
/// options.folds = 1;
/// assert_eq!(options.validate().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DensityOptions {
    /// Names from [`DENSITIES`]; empty: all that the values allow.
    pub candidates: Vec<String>,
    /// Whether whole numbers are counts.
    pub kind: Kind,
    /// Parts of which each is held out once, ≥ 2.
    pub folds: usize,
    /// Bootstrap resamples behind intervals and goodness of fit; 0: neither.
    pub resamples: usize,
    /// Seed of folds, resamples and starts.
    pub seed: u64,
    /// Of the histogram.
    pub histogram: HistogramOptions,
    /// Of the kernel density.
    pub kde: KdeOptions,
    /// Of the nearest neighbours.
    pub knn: KnnOptions,
    /// Of the Gaussian mixture.
    pub mixture: MixtureOptions,
}

impl Default for DensityOptions {
    fn default() -> Self {
        DensityOptions {
            candidates: Vec::new(),
            kind: Kind::Auto,
            folds: 5,
            resamples: 200,
            seed: 0,
            histogram: HistogramOptions::default(),
            kde: KdeOptions::default(),
            knn: KnnOptions::default(),
            mixture: MixtureOptions::default(),
        }
    }
}

/// Options of [`outliers`](super::outliers::outliers).
///
/// ```
/// use hspace_core::density::OutlierOptions;
///
/// let options = OutlierOptions { candidates: vec!["knn".into()], ..OutlierOptions::default() };
/// assert!(options.validate().is_empty());
/// let wrong = OutlierOptions { candidates: vec!["knm".into()], ..options };
/// assert!(wrong.validate()[0].contains("did you mean `knn`?"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierOptions {
    /// Names from [`FEATURE_DENSITIES`].
    pub candidates: Vec<String>,
    /// Seed of starts.
    pub seed: u64,
    /// Of the kernel density; its kernel is the Gaussian.
    pub kde: KdeOptions,
    /// Of the distance to the k-th neighbour.
    pub knn: KnnOptions,
    /// Of the Gaussian mixture.
    pub mixture: MixtureOptions,
    /// Of the normalizing flow.
    pub flow: FlowOptions,
}

impl Default for OutlierOptions {
    fn default() -> Self {
        OutlierOptions {
            candidates: FEATURE_DENSITIES.iter().map(|e| e.name.into()).collect(),
            seed: 0,
            kde: KdeOptions::default(),
            knn: KnnOptions::default(),
            mixture: MixtureOptions::default(),
            flow: FlowOptions::default(),
        }
    }
}

/// What whole numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Counts, where every value is a whole number from 0 on.
    #[default]
    Auto,
    /// Counts: a probability for each whole number.
    Counts,
    /// Measurements: a density, even if they are whole numbers.
    Continuous,
}

/// `histogram.…`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistogramOptions {
    /// Number of bins, ≥ 1.
    pub bins: Auto<usize>,
}

/// `kde.…`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KdeOptions {
    /// Shape of the kernel.
    pub kernel: Kernel,
    /// Its width.
    pub bandwidth: Bandwidth,
}

/// `kde.bandwidth`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Bandwidth {
    /// `auto`: the one of largest leave-one-out likelihood.
    #[default]
    CrossValidated,
    /// Scott (1992).
    Scott,
    /// Silverman (1986).
    Silverman,
    /// In units of the values. > 0
    Set(f64),
}

/// `knn.…`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnOptions {
    /// Which neighbour's distance counts.
    pub k: Auto<usize>,
}

/// `mixture.…`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixtureOptions {
    /// Number of components; `auto`: of smallest BIC.
    pub components: Auto<usize>,
    /// Shape of the components; of a column there is but one.
    pub covariance: Covariance,
}

/// `mixture.covariance`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// The one of smaller BIC.
    #[default]
    Auto,
    /// One variance per dimension.
    Diagonal,
    /// All covariances.
    Full,
}

/// `flow.…`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowOptions {
    /// Number of couplings, ≥ 2.
    pub couplings: usize,
    /// Units of each hidden layer, ≥ 1.
    pub units: usize,
    /// Passes over the training rows, at most; it ends earlier where held-out rows gain nothing.
    pub passes: usize,
}

impl Default for FlowOptions {
    fn default() -> Self {
        FlowOptions {
            couplings: 8,
            units: 64,
            passes: 100,
        }
    }
}

/// Bins of a histogram, at most.
const MOST_BINS: usize = 1_000_000;

impl DensityOptions {
    /// Every value that cannot be; empty if all is well.
    pub fn validate(&self) -> Vec<String> {
        let names: Vec<&str> = DENSITIES.iter().map(|e| e.name).collect();
        let mut problems = unknowns(&self.candidates, &names);
        if self.folds < 2 {
            problems.push("folds: must be at least 2".into());
        }
        if matches!(self.histogram.bins, Auto::Set(bins) if !(1..=MOST_BINS).contains(&bins)) {
            problems.push(format!(
                "histogram.bins: must be `auto` or 1 to {MOST_BINS}"
            ));
        }
        problems.extend(shared(&self.kde, &self.knn, &self.mixture));
        problems
    }
}

impl OutlierOptions {
    /// Every value that cannot be; empty if all is well.
    pub fn validate(&self) -> Vec<String> {
        let names: Vec<&str> = FEATURE_DENSITIES.iter().map(|e| e.name).collect();
        let mut problems = unknowns(&self.candidates, &names);
        if self.candidates.is_empty() {
            problems.push(format!(
                "no density is asked for; choose from {}",
                names.join(", ")
            ));
        }
        problems.extend(shared(&self.kde, &self.knn, &self.mixture));
        for (name, value, least) in [
            ("couplings", self.flow.couplings, 2),
            ("units", self.flow.units, 1),
            ("passes", self.flow.passes, 1),
        ] {
            if value < least {
                problems.push(format!("flow.{name}: must be at least {least}"));
            }
        }
        if self.kde.kernel != Kernel::Gaussian {
            problems.push("kde.kernel: of features it is always gaussian; others end, and what lies beyond could not be ranked".into());
        }
        problems
    }
}

fn unknowns(given: &[String], names: &[&str]) -> Vec<String> {
    let wrong = given.iter().filter(|name| !names.contains(&name.as_str()));
    wrong
        .map(|name| unknown("density", name, names.iter().copied()))
        .collect()
}

fn shared(kde: &KdeOptions, knn: &KnnOptions, mixture: &MixtureOptions) -> Vec<String> {
    let mut problems = Vec::new();
    if matches!(kde.bandwidth, Bandwidth::Set(h) if !(h.is_finite() && h > 0.0)) {
        problems.push(
            "kde.bandwidth: must be a number above 0, or `auto`, `scott` or `silverman`".into(),
        );
    }
    if knn.k == Auto::Set(0) {
        problems.push("knn.k: must be `auto` or at least 1".into());
    }
    if mixture.components == Auto::Set(0) {
        problems.push("mixture.components: must be `auto` or at least 1".into());
    }
    problems
}

const WORDS: [(&str, Bandwidth); 3] = [
    ("auto", Bandwidth::CrossValidated),
    ("scott", Bandwidth::Scott),
    ("silverman", Bandwidth::Silverman),
];

impl Serialize for Bandwidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if let Bandwidth::Set(h) = self {
            return serializer.serialize_f64(*h);
        }
        let word = WORDS.iter().find(|(_, b)| b == self);
        serializer.serialize_str(word.map_or("", |(word, _)| word))
    }
}

impl<'de> Deserialize<'de> for Bandwidth {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a number, or `auto`, `scott` or `silverman`"
        )]
        enum Either {
            Number(f64),
            Word(String),
        }
        match Either::deserialize(from)? {
            Either::Number(h) => Ok(Bandwidth::Set(h)),
            Either::Word(text) => {
                let known = WORDS.iter().find(|(word, _)| *word == text);
                known.map(|(_, bandwidth)| *bandwidth).ok_or_else(|| {
                    let words = WORDS.iter().map(|(word, _)| *word);
                    serde::de::Error::custom(unknown("bandwidth", &text, words))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_toml_and_are_complete()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let text = toml::to_string(&DensityOptions::default())?;
        assert!(text.contains("bandwidth = \"auto\""), "{text}");
        assert_eq!(
            toml::from_str::<DensityOptions>(&text)?,
            DensityOptions::default()
        );
        let set: DensityOptions = toml::from_str("kde.bandwidth = 2\nkde.kernel = \"cosine\"")?;
        assert_eq!(set.kde.bandwidth, Bandwidth::Set(2.0));
        assert!(toml::from_str::<DensityOptions>("kde.bandwidth = \"scot\"").is_err());
        assert!(toml::from_str::<DensityOptions>("knn.neighbours = 5").is_err());
        Ok(())
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let options = DensityOptions {
            candidates: vec!["wiebull".into()],
            folds: 1,
            knn: KnnOptions { k: Auto::Set(0) },
            ..DensityOptions::default()
        };
        let problems = options.validate();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("`weibull`?"), "{problems:?}");
        assert!(OutlierOptions::default().validate().is_empty());
    }
}
