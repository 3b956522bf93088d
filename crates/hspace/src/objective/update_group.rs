//! Groups of weights that are trained together.

use crate::encoder::stage::begins;

/// Weights trained together, with one optimizer state.
///
/// ```
/// use hspace::objective::UpdateGroup;
///
/// // Fine-tuning: the stem stays as it is, the first stage learns at a tenth of the head's rate.
/// let group = UpdateGroup {
///     rates: vec![("encoder.conv1".into(), 0.0), ("encoder.layer1".into(), 0.1)],
///     ..UpdateGroup::all()
/// };
/// assert!(!group.covers("encoder.conv1.weight"));
/// assert_eq!(group.rate_of("encoder.layer1.0.conv1.weight"), 0.1);
/// assert_eq!(group.rate_of("head.weight"), 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateGroup {
    /// Names the group in logs and checkpoints; groups of one name share their optimizer state.
    pub name: String,
    /// Prefixes of the weights it trains; empty means all of them.
    pub trains: Vec<String>,
    /// Its learning rate, of the training's.
    pub rate: f64,
    /// Rates of parts of it, of `rate`, by the prefix of their weights; of several that fit the longest counts. At 0 a part stays as it
    /// is, and no gradient of it is computed.
    pub rates: Vec<(String, f64)>,
    /// Its phase, from and to in 0..=1 of the training: warm-up and decay of rate and weight decay are those of this part.
    pub phase: [f64; 2],
}

impl UpdateGroup {
    /// The one group that trains everything.
    pub fn all() -> UpdateGroup {
        UpdateGroup::of("all", &[])
    }

    /// A group that trains the weights with these prefixes, all of them without any, all along.
    pub fn of(name: &str, trains: &[&str]) -> UpdateGroup {
        UpdateGroup {
            name: name.to_owned(),
            trains: trains.iter().map(|prefix| prefix.to_string()).collect(),
            rate: 1.0,
            rates: vec![],
            phase: [0.0, 1.0],
        }
    }

    /// Whether it trains the weight of that name.
    pub fn covers(&self, weight: &str) -> bool {
        let fits = |prefix: &String| begins(weight, prefix);
        (self.trains.is_empty() || self.trains.iter().any(fits)) && self.rate_of(weight) > 0.0
    }

    /// The learning rate of the weight of that name, of the training's.
    pub fn rate_of(&self, weight: &str) -> f64 {
        let fit = self
            .rates
            .iter()
            .filter(|(prefix, _)| begins(weight, prefix));
        let longest = fit.max_by_key(|(prefix, _)| prefix.len());
        self.rate * longest.map_or(1.0, |(_, rate)| *rate)
    }

    /// Steps from the first of its phase to `step`, and in the whole phase, of a training of `steps`.
    pub(crate) fn within(&self, step: usize, steps: usize) -> (usize, usize) {
        let [from, to] = self
            .phase
            .map(|share| (share * steps as f64).round() as usize);
        (step.saturating_sub(from), to.saturating_sub(from).max(1))
    }
}
