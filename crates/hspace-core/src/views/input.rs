//! What an encoder takes.

use serde::{Deserialize, Serialize};

use crate::dataset::Shape;

/// What an encoder takes: the shape and the normalisation, `x → (x - mean) / std`, where pixels
/// have first been scaled to 0..1. Kept in `encoder.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The shape of one input.
    pub shape: Shape,
    /// One per channel (image) or feature (vector).
    pub mean: Vec<f32>,
    /// One per channel (image) or feature (vector), positive; 1 for a feature that never varies.
    pub std: Vec<f32>,
}

impl InputSpec {
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

    /// Whether an input holds no number at all, which [`InputSpec::problems`] reports.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that is wrong with it, as `key: problem`.
    pub fn problems(&self) -> Vec<String> {
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
        };
        assert_eq!(spec.problems().len(), 3, "{:?}", spec.problems());
    }

    #[test]
    fn survives_toml() {
        let spec = InputSpec {
            shape: Shape::Vector { dim: 2 },
            mean: vec![0.5, 0.1],
            std: vec![1.0, 0.2],
        };
        let text = toml::to_string(&spec).expect("serialises");
        assert_eq!(toml::from_str::<InputSpec>(&text).expect("parses"), spec);
    }
}
