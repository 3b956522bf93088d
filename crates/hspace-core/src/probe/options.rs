//! What a measurement can be asked for: plain structs that read from and write to TOML whole.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scaling::Scaling;
use super::{Labels, PROBES};
use crate::auto::Auto;
use crate::error::{Error, Result, unknown};

/// Options of [`measure`](super::measure).
///
/// ```
/// use hspace_core::auto::Auto;
/// use hspace_core::probe::{KnnMetric, Labels, ProbeOptions};
///
/// let mut options = ProbeOptions { draws: Auto::Set(20), ..ProbeOptions::default() };
/// options.labels = vec![Labels::PerClass(1), Labels::All];
/// options.knn.k = Auto::Set(5);
/// options.knn.metric = KnnMetric::Cosine;
/// assert!(options.validate().is_empty());
/// options.probes = vec!["liner".into()];
/// assert!(options.validate()[0].contains("did you mean `linear`?"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeOptions {
    /// Names from [`PROBES`].
    pub probes: Vec<String>,
    /// Labels a class, as numbers and `"all"`. For a numeric target and for several labels a sample: labelled samples in total, of which
    /// fewer than 3 are not measured. For masks: masks in total.
    #[serde(with = "label_list")]
    pub labels: Vec<Labels>,
    /// Random draws of few labels, ≥ 1; all labels are one draw. `auto`: 10; 5 from 50 labels a class (500 in total) on, 3 from 100 (1,000) on.
    pub draws: Auto<usize>,
    /// Seed of the draws, the folds and the clusters.
    pub seed: u64,
    /// Name of the column that is the task; `auto` is the first label column.
    pub task: String,
    /// Name of the representation that label savings are counted against.
    pub baseline: String,
    /// How the features of every source are scaled. Probes whose settings are given below see them as they are.
    pub scaling: Scaling,
    /// Folds over all labelled samples, each of which is tested once: for data with few test samples. 1: the data's own split.
    pub folds: usize,
    /// Of the linear probe.
    pub linear: LinearOptions,
    /// Of the kNN probe.
    pub knn: KnnOptions,
    /// Of the ridge probe.
    pub ridge: RidgeOptions,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        ProbeOptions {
            probes: ["linear", "knn", "geometry"].map(String::from).to_vec(),
            labels: vec![
                Labels::PerClass(1),
                Labels::PerClass(5),
                Labels::PerClass(10),
                Labels::PerClass(50),
                Labels::PerClass(100),
                Labels::All,
            ],
            draws: Auto::Auto,
            seed: 0,
            task: "auto".into(),
            baseline: "pixels".into(),
            scaling: Scaling::Auto,
            folds: 1,
            linear: LinearOptions::default(),
            knn: KnnOptions::default(),
            ridge: RidgeOptions::default(),
        }
    }
}

/// Softmax regression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearOptions {
    /// Inverse strength of the L2 penalty, on the features as they are, as in scikit-learn. > 0
    pub c: Auto<f64>,
}

/// Nearest neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnOptions {
    /// Number of neighbours, ≥ 1.
    pub k: Auto<usize>,
    /// How rows are compared.
    pub metric: KnnMetric,
    /// How neighbours vote; `auto` is uniform where `k` is given.
    pub weights: KnnWeights,
}

/// Ridge regression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RidgeOptions {
    /// Penalty on the squared weights, as in scikit-learn. ≥ 0
    pub alpha: Auto<f64>,
}

/// `knn.metric`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnnMetric {
    /// The better on held-out rows.
    #[default]
    Auto,
    /// 1 − cosine.
    Cosine,
    /// Straight distance.
    Euclidean,
}

/// `knn.weights`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnnWeights {
    /// The better on held-out rows.
    #[default]
    Auto,
    /// One vote each.
    Uniform,
    /// 1/distance.
    Distance,
}

impl ProbeOptions {
    /// Every value that cannot be; empty if all is well.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let names = || PROBES.iter().map(|entry| entry.name);
        for name in self
            .probes
            .iter()
            .filter(|name| !names().any(|n| n == *name))
        {
            problems.push(unknown("probe", name, names()));
        }
        if self.probes.is_empty() {
            problems.push(format!(
                "no probe is asked for; choose from {}",
                names().collect::<Vec<_>>().join(", ")
            ));
        }
        if self.labels.is_empty() || self.labels.contains(&Labels::PerClass(0)) {
            problems.push("labels: give numbers of at least 1, or `all`".into());
        }
        if self.folds == 0 {
            problems.push("folds: must be at least 2, or 1 for the data's own split".into());
        }
        if self.draws == Auto::Set(0) {
            problems.push("draws: must be at least 1".into());
        }
        let settings = PROBES.iter().flat_map(|entry| (entry.validate)(self));
        problems.extend(settings.map(String::from));
        problems
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Labels::PerClass(k) => write!(f, "{k}"),
            Labels::All => write!(f, "all"),
        }
    }
}

impl FromStr for Labels {
    type Err = Error;

    fn from_str(text: &str) -> Result<Labels> {
        match text.trim() {
            "all" => Ok(Labels::All),
            number => match number.parse() {
                Ok(k) if k > 0 => Ok(Labels::PerClass(k)),
                _ => Err(Error::config(format!(
                    "labels: `{text}` is neither a number of at least 1 nor `all`"
                ))),
            },
        }
    }
}

/// `[1, 10, "all"]`
mod label_list {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged, expecting = "expected a number of labels a class, or `all`")]
    enum Entry {
        Number(usize),
        Word(String),
    }

    pub fn serialize<S: Serializer>(
        labels: &[Labels],
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(labels.iter().map(|l| match l {
            Labels::PerClass(k) => Entry::Number(*k),
            Labels::All => Entry::Word("all".into()),
        }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Vec<Labels>, D::Error> {
        Vec::<Entry>::deserialize(deserializer)?
            .into_iter()
            .map(|entry| match entry {
                Entry::Number(k) => Ok(Labels::PerClass(k)),
                Entry::Word(word) => word.parse().map_err(serde::de::Error::custom),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_toml_and_are_complete()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let text = toml::to_string(&ProbeOptions::default())?;
        assert!(
            text.contains("c = \"auto\"") && text.contains("100, \"all\"]"),
            "{text}"
        );
        assert_eq!(
            toml::from_str::<ProbeOptions>(&text)?,
            ProbeOptions::default()
        );
        let set: ProbeOptions = toml::from_str(
            "labels = [\"all\"]\nlinear.c = 1\nknn.k = 5\nknn.metric = \"euclidean\"",
        )?;
        assert_eq!((set.linear.c, set.knn.k), (Auto::Set(1.0), Auto::Set(5)));
        assert!(toml::from_str::<ProbeOptions>("knn.neighbours = 5").is_err());
        assert!(toml::from_str::<ProbeOptions>("knn.k = \"five\"").is_err());
        Ok(())
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let options = ProbeOptions {
            probes: vec!["liner".into()],
            draws: Auto::Set(0),
            linear: LinearOptions { c: Auto::Set(-1.0) },
            ..ProbeOptions::default()
        };
        let problems = options.validate();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("`linear`?"), "{problems:?}");
    }
}
