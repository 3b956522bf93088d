//! Whether an objective suits an encoder.

use super::{DataSpec, Objective, ViewKind};
use crate::dataset::Shape;
use crate::encoder::Encoder;

/// Why an objective, prepared, does not suit an encoder; empty if it does.
///
/// ```
/// use hspace::dataset::Shape;
/// use hspace::objective;
/// use hspace::encoder;
///
/// let shape = Shape::Image { channels: 3, height: 16, width: 16 };
/// # use hspace::objective::DataSpec;
/// # let spec = DataSpec { shape, local: shape, mean: vec![0.0; 3], std: vec![1.0; 3], samples: 8, columns: vec![], task: None };
/// // A masked autoencoder needs patches.
/// let mae = objective::make("mae", Default::default())?;
/// let [cnn, vit] = ["cnn", "vit_tiny"].map(|name| encoder::make(name, Default::default()));
/// assert!(!objective::validate(&*mae, &*cnn?, &spec).is_empty());
/// assert!(objective::validate(&*mae, &*vit?, &spec).is_empty());
/// # Ok::<(), String>(())
/// ```
pub fn validate(objective: &dyn Objective, encoder: &dyn Encoder, spec: &DataSpec) -> Vec<String> {
    let mut problems = objective.validate(encoder, spec);
    let streams = objective.streams();
    let mut view_kinds = streams.iter().flat_map(|stream| &stream.view_kinds);
    if spec.local == spec.shape || !view_kinds.any(|&kind| kind == ViewKind::Local) {
        return problems;
    }
    if !encoder.takes_any_size(spec.shape) {
        problems.push(
            "the objective learns from small local views, and this encoder takes such images at one \
             size only; set objective.local_views=0, or use another encoder"
                .to_owned(),
        );
        return problems;
    }
    if let (Shape::Image { height, width, .. }, Shape::Image { height: side, .. }) =
        (spec.shape, spec.local)
        && side > height.min(width)
    {
        problems.push(format!(
            "views.crop.local_size={side} is larger than the images, {height} x {width}; set a smaller one"
        ));
    }
    // What an encoder advises, after the semicolon, is for whole images.
    let of_local = |problem: String| {
        let reason = problem.split(';').next().unwrap_or_default();
        format!(
            "for local views (views.crop.local_size): {reason}; set another size, or objective.local_views=0"
        )
    };
    problems.extend(encoder.validate(spec.local).into_iter().map(of_local));
    if let (Some(patches), Shape::Image { height, width, .. }) = (encoder.patches(), spec.shape)
        && let Shape::Image { height: side, .. } = spec.local
    {
        // Weights for the whole images, whose weights serve local views too.
        let patch = patches.side(height, width);
        if !side.is_multiple_of(patch) && problems.is_empty() {
            problems.push(format!(
                "views.crop.local_size={side} is no multiple of the patches' {patch} pixels; set another, or \
                 encoder.patch"
            ));
        }
    }
    problems
}
