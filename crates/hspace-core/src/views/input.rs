//! What an encoder takes.

use serde::{Deserialize, Serialize};

use crate::dataset::Shape;

/// What an encoder takes: the shape and the normalisation, `x → (x - mean) / std`, where pixels
/// have first been scaled to 0..1. Kept in `encoder.toml`.
///
/// ```
/// use hspace_core::dataset::Shape;
/// use hspace_core::views::InputSpec;
///
/// let input = InputSpec {
///     shape: Shape::Image { channels: 3, height: 32, width: 32 },
///     mean: vec![0.5; 3],
///     std: vec![0.25; 3],
///     shift: vec![],
/// };
/// assert_eq!(input.len(), 3 * 32 * 32);
/// assert!(input.validate().is_empty());
/// let wrong = InputSpec { std: vec![0.0; 3], ..input };
/// assert!(!wrong.validate().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The shape of one input.
    pub shape: Shape,
    /// One per channel (image) or feature (vector).
    pub mean: Vec<f32>,
    /// One per channel (image) or feature (vector), positive; 1 for a feature that never varies.
    pub std: Vec<f32>,
    /// What was subtracted from each feature of the vectors that `mean` was measured on, in double precision
    /// ([`crate::dataset::Samples::shift`]); empty for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shift: Vec<f64>,
}

impl InputSpec {
    /// The same input for samples from which `shift` was subtracted: vectors less another shift than
    /// [`InputSpec::shift`] have another mean, computed in double precision.
    pub fn for_shift(&self, shift: Option<&[f64]>) -> InputSpec {
        let at = |shift: &[f64], i: usize| shift.get(i).copied().unwrap_or(0.0);
        let shift = shift.unwrap_or_default();
        let moved = |(i, &mean): (usize, &f32)| {
            let difference = at(shift, i) - at(&self.shift, i);
            (f64::from(mean) - difference) as f32
        };
        InputSpec {
            mean: self.mean.iter().enumerate().map(moved).collect(),
            shift: shift.to_vec(),
            ..self.clone()
        }
    }

    /// Numbers in one input.
    pub fn len(&self) -> usize {
        match self.shape {
            Shape::Image {
                channels,
                height,
                width,
            } => channels * height * width,
            Shape::Vector { dim } => dim,
        }
    }

    /// Whether an input holds no number at all, which [`InputSpec::validate`] reports.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that is wrong with it, as `key: problem`.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let entries = match self.shape {
            Shape::Image { channels, .. } => channels,
            Shape::Vector { dim } => dim,
        };
        if self.is_empty() {
            problems.push(format!("input.shape: {:?} is empty", self.shape));
        }
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != entries {
                problems.push(format!(
                    "input.{key}: {} values, where {entries} are needed",
                    values.len()
                ));
            }
            if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
                problems.push(format!("input.{key}: {bad} is not a finite number"));
            }
        }
        let shifts = match self.shape {
            Shape::Vector { dim } => [0, dim].contains(&self.shift.len()),
            Shape::Image { .. } => self.shift.is_empty(),
        };
        if !shifts || self.shift.iter().any(|s| !s.is_finite()) {
            problems.push(format!(
                "input.shift: {} values; vectors take none or one finite number a feature, images none",
                self.shift.len()
            ));
        }
        if let Some(bad) = self.std.iter().find(|v| **v <= 0.0) {
            problems.push(format!(
                "input.std: must be positive, not {bad}; use 1 for what never varies"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_found() {
        let shape = Shape::Image {
            channels: 2,
            height: 4,
            width: 4,
        };
        let spec = InputSpec {
            shape,
            mean: vec![0.5],
            std: vec![0.0, f32::NAN],
            shift: vec![1.0],
        };
        assert_eq!(spec.validate().len(), 4, "{:?}", spec.validate());
    }

    #[test]
    fn another_shift_moves_the_mean() {
        let spec = InputSpec {
            shape: Shape::Vector { dim: 2 },
            mean: vec![0.5, -3.0],
            std: vec![1.0, 2.0],
            shift: vec![1.7e9, 0.0],
        };
        assert_eq!(spec.for_shift(Some(&spec.shift)), spec);
        let moved = spec.for_shift(Some(&[1.7e9 - 0.25, 4.0]));
        assert_eq!(moved.mean, [0.75, -7.0]);
        assert_eq!(moved.shift, [1.7e9 - 0.25, 4.0]);
        assert_eq!(moved.for_shift(Some(&spec.shift)), spec);
        assert_eq!(spec.for_shift(None).mean, [1.7e9, -3.0]);
    }

    #[test]
    fn survives_toml() {
        let spec = InputSpec {
            shape: Shape::Vector { dim: 2 },
            mean: vec![0.5, 0.1],
            std: vec![1.0, 0.2],
            shift: vec![1.7e9, 0.1],
        };
        let text = toml::to_string(&spec).expect("serialises");
        assert_eq!(toml::from_str::<InputSpec>(&text).expect("parses"), spec);
        let none = InputSpec {
            shift: vec![],
            ..spec
        };
        let text = toml::to_string(&none).expect("serialises");
        assert!(!text.contains("shift"), "{text}");
        assert_eq!(toml::from_str::<InputSpec>(&text).expect("parses"), none);
    }
}
