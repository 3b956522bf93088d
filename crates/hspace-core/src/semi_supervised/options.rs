//! Settings of semi-supervised methods: plain structs with scikit-learn's defaults, but for the graph's.

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::probe::KnnOptions;

/// Settings of all methods.
///
/// ```
/// use hspace_core::semi_supervised::Options;
///
/// let mut options = Options::default();
/// assert!(options.validate().is_empty());
/// options.label_spreading.alpha = 1.0;
/// options.graph.k = 1;
/// let problems = options.validate();
/// assert_eq!(problems.len(), 2);
/// assert!(problems[0].starts_with("graph.k") && problems[1].starts_with("label_spreading.alpha"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The graph that labels spread over.
    pub graph: GraphOptions,
    /// Of `label_propagation`.
    pub label_propagation: PropagationOptions,
    /// Of `label_spreading`.
    pub label_spreading: SpreadingOptions,
    /// Of `self_training`.
    pub self_training: SelfTrainingOptions,
    /// Of `knn`.
    pub knn: KnnOptions,
    /// Of `align_coral`.
    pub align_coral: CoralOptions,
    /// Of `align_subspace`.
    pub align_subspace: SubspaceOptions,
    /// Of `align_transport`.
    pub align_transport: TransportOptions,
}

/// Which rows labels spread between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphOptions {
    /// Weights of pairs.
    pub kernel: Kernel,
    /// Of `rbf`: weights are exp(−gamma · squared distance). `auto`: 2 over the median squared distance to the seventh nearest row.
    pub gamma: Auto<f64>,
    /// Of `knn`: rows that a row takes labels from, itself among them. ≥ 2
    pub k: usize,
}

impl Default for GraphOptions {
    fn default() -> Self {
        GraphOptions {
            kernel: Kernel::Knn,
            gamma: Auto::Auto,
            k: 7,
        }
    }
}

/// `graph.kernel`
///
/// ```
/// use hspace_core::list::find;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::semi_supervised::{Kernel, METHODS, Options, PartialLabels};
///
/// let train = Matrix::new(4, 1, vec![0.0, 0.2, 1.0, 1.2]);
/// let labels = [Some(0), None, None, Some(1)];
/// let labels = PartialLabels { labels: &labels, classes: 2, groups: None, seed: 0 };
/// let method = find("method", METHODS, "label_propagation").unwrap();
/// let mut options = Options::default();
/// // Of seven nearest rows, four rows are all neighbours of each other: nothing is known.
/// let middle = Matrix::new(1, 1, vec![0.3]);
/// assert!((method.learn(&train, &labels, &middle, &options)?[0] - 0.5).abs() < 0.01);
/// // The Gaussian says which of them are near.
/// options.graph.kernel = Kernel::Rbf;
/// options.graph.gamma = hspace_core::auto::Auto::Set(20.0);
/// assert!(method.learn(&train, &labels, &middle, &options)?[0] > 0.9);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// 1 to each of the k nearest rows, else 0: memory grows with the number of rows.
    #[default]
    Knn,
    /// Gaussian of the distance, all pairs: memory grows with its square.
    Rbf,
}

/// When label propagation ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PropagationOptions {
    /// Steps at most, ≥ 1.
    pub max_iterations: usize,
    /// It ends when the absolute changes of a step, summed over rows and classes, are below this. ≥ 0
    pub tolerance: f64,
}

impl Default for PropagationOptions {
    fn default() -> Self {
        PropagationOptions {
            max_iterations: 1000,
            tolerance: 1e-3,
        }
    }
}

/// How label spreading weighs neighbours, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpreadingOptions {
    /// Share of a row's answer that its neighbours give; the rest is its own label. In 0..1
    pub alpha: f64,
    /// Steps at most, ≥ 1.
    pub max_iterations: usize,
    /// It ends when the absolute changes of a step, summed over rows and classes, are below this. ≥ 0
    pub tolerance: f64,
}

impl Default for SpreadingOptions {
    fn default() -> Self {
        SpreadingOptions {
            alpha: 0.2,
            max_iterations: 30,
            tolerance: 1e-3,
        }
    }
}

/// Which answers become labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfTrainingOptions {
    /// Answers more probable than this become labels. In 0..1
    pub threshold: f64,
    /// Rounds of labelling at most, ≥ 1.
    pub max_iterations: usize,
    /// Inverse strength of the linear probe's L2 penalty, as in scikit-learn; `auto`: chosen on the known labels. > 0
    pub c: Auto<f64>,
}

impl Default for SelfTrainingOptions {
    fn default() -> Self {
        SelfTrainingOptions {
            threshold: 0.75,
            max_iterations: 10,
            c: Auto::Auto,
        }
    }
}

/// How covariances are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoralOptions {
    /// What is added to each variance, as a share of their mean. > 0
    pub ridge: f64,
    /// Inverse strength of the linear probe's L2 penalty; `auto`: chosen on the labels. > 0
    pub c: Auto<f64>,
}

impl Default for CoralOptions {
    fn default() -> Self {
        CoralOptions {
            ridge: 0.1,
            c: Auto::Auto,
        }
    }
}

/// How subspaces are aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubspaceOptions {
    /// Principal components; `auto`: 50, or half of what there could be. ≥ 1
    pub dims: Auto<usize>,
    /// Inverse strength of the linear probe's L2 penalty; `auto`: chosen on the labels. > 0
    pub c: Auto<f64>,
}

/// How rows are transported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransportOptions {
    /// ε, as a share of the mean squared distance. > 0
    pub entropy: f64,
    /// Inverse strength of the linear probe's L2 penalty; `auto`: chosen on the labels. > 0
    pub c: Auto<f64>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        TransportOptions {
            entropy: 0.05,
            c: Auto::Auto,
        }
    }
}

impl Options {
    /// Every value that cannot be; empty if all is well.
    pub fn validate(&self) -> Vec<String> {
        let Options {
            graph,
            label_propagation,
            label_spreading,
            self_training,
            knn,
            align_coral,
            align_subspace,
            align_transport,
        } = self;
        let is_share = |x: f64| x > 0.0 && x < 1.0;
        let is_positive = |x: Auto<f64>| match x {
            Auto::Auto => true,
            Auto::Set(x) => x.is_finite() && x > 0.0,
        };
        let rules = [
            (graph.k >= 2, "graph.k: must be at least 2"),
            (
                is_positive(graph.gamma),
                "graph.gamma: must be `auto` or a number above 0",
            ),
            (
                label_propagation.max_iterations > 0,
                "label_propagation.max_iterations: must be at least 1",
            ),
            (
                label_propagation.tolerance >= 0.0,
                "label_propagation.tolerance: must be at least 0",
            ),
            (
                is_share(label_spreading.alpha),
                "label_spreading.alpha: must be above 0 and below 1",
            ),
            (
                label_spreading.max_iterations > 0,
                "label_spreading.max_iterations: must be at least 1",
            ),
            (
                label_spreading.tolerance >= 0.0,
                "label_spreading.tolerance: must be at least 0",
            ),
            (
                (0.0..1.0).contains(&self_training.threshold),
                "self_training.threshold: must be at least 0 and below 1",
            ),
            (
                self_training.max_iterations > 0,
                "self_training.max_iterations: must be at least 1",
            ),
            (
                is_positive(self_training.c),
                "self_training.c: must be `auto` or a number above 0",
            ),
            (knn.k != Auto::Set(0), "knn.k: must be `auto` or at least 1"),
            (
                align_coral.ridge.is_finite() && align_coral.ridge > 0.0,
                "align_coral.ridge: must be above 0",
            ),
            (
                is_positive(align_coral.c),
                "align_coral.c: must be `auto` or a number above 0",
            ),
            (
                align_subspace.dims != Auto::Set(0),
                "align_subspace.dims: must be `auto` or at least 1",
            ),
            (
                is_positive(align_subspace.c),
                "align_subspace.c: must be `auto` or a number above 0",
            ),
            (
                align_transport.entropy.is_finite() && align_transport.entropy > 0.0,
                "align_transport.entropy: must be above 0",
            ),
            (
                is_positive(align_transport.c),
                "align_transport.c: must be `auto` or a number above 0",
            ),
        ];
        let broken = rules.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, problem)| problem.to_owned()).collect()
    }
}
