//! Fresh weights, and what a step costs: the loss on blank samples.

use super::{Batch, DataSpec, Net, Objective, Stream, ViewKind};
use crate::dataset::Column;
use crate::device::Device;
use crate::encoder::{self, Encoder};
use crate::nn::{Mode, Pass, Weights};

/// Fresh weights of everything that objective and encoder need: the loss is evaluated once on
/// blank samples, which makes each weight where it is first used.
///
/// ```
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder;
/// use hspace::objective;
///
/// let shape = Shape::Vector { dim: 4 };
/// # use hspace::objective::DataSpec;
/// # let spec = DataSpec { shape, local: shape, mean: vec![0.0; 4], std: vec![1.0; 4], samples: 8, columns: vec![], task: None };
/// let byol = objective::make("byol", Default::default())?;
/// let mlp = encoder::make("mlp", Default::default())?;
/// let weights = objective::init(&*byol, &*mlp, &spec, 0, &Device::cpu());
/// // The encoder, heads, and a teacher's copy.
/// for part in ["encoder", "projector", "predictor", "teacher.encoder"] {
///     assert!(weights.under(part).iter().count() > 0, "{part}");
/// }
/// # Ok::<(), String>(())
/// ```
pub fn init(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    seed: u64,
    device: &Device,
) -> Weights {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(seed), device);
    try_once(objective, encoder, spec, 2, &pass);
    let mut weights = pass.into_fresh();
    objective.after_init(&mut weights);
    weights
}

/// Multiply-adds of one step's loss on `samples` samples, forward.
///
/// ```
/// use hspace::dataset::Shape;
/// use hspace::device::Device;
/// use hspace::encoder;
/// use hspace::objective;
///
/// let shape = Shape::Vector { dim: 4 };
/// # use hspace::objective::DataSpec;
/// # let spec = DataSpec { shape, local: shape, mean: vec![0.0; 4], std: vec![1.0; 4], samples: 8, columns: vec![], task: None };
/// let simclr = objective::make("simclr", Default::default())?;
/// let mlp = encoder::make("mlp", Default::default())?;
/// let [one, two] = [1, 2].map(|n| objective::cost(&*simclr, &*mlp, &spec, 8 * n, &Device::cpu()));
/// assert!(one > 0 && two >= 2 * one);
/// # Ok::<(), String>(())
/// ```
pub fn cost(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    samples: usize,
    device: &Device,
) -> usize {
    let none = Weights::default();
    let pass = Pass::new(&none, Mode::Init(0), device);
    try_once(objective, encoder, spec, samples, &pass);
    pass.multiply_adds()
}

/// Every update group's loss on `n` blank samples.
fn try_once(
    objective: &dyn Objective,
    encoder: &dyn Encoder,
    spec: &DataSpec,
    n: usize,
    pass: &Pass,
) {
    let rows = spec.columns.first().map_or(1, rows);
    let view = |&kind: &ViewKind| encoder::blank(n, spec.shape_of(kind), pass.device());
    let blank = |stream: &Stream| Batch {
        views: stream.view_kinds.iter().map(view).collect(),
        rows: vec![
            (0..rows)
                .find(|&row| stream.subset.has(spec, row))
                .unwrap_or(0);
            n
        ],
    };
    let batches: Vec<Batch> = objective.streams().iter().map(blank).collect();
    let net = Net::new(encoder, pass);
    for group in 0..objective.update_groups(0.0, encoder).len() {
        objective.loss(&net, &batches, group);
    }
}

fn rows(column: &Column) -> usize {
    column.values.len()
}
