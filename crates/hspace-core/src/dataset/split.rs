//! A test set for data that have none.
//!
//! A sample is held out when the BLAKE3 hash of its id, read as a number in `0..1`, is below the
//! share asked for. The choice looks at nothing but the id, so adding, removing or relabelling
//! other samples never moves one from test to train, and every class loses the same share up to
//! chance. The price of that stability: a very small class may end up on one side only, which
//! `check` warns about.

use crate::columns::{Column, Role, Values};
use crate::dataset::Split;

/// The split of samples: what the data give, and where they give no test samples, some of the training samples held out
/// by a hash of their ids, or of their groups where a column says groups. What was done is added to `notes`.
pub fn resolve(
    ids: &[String],
    given: Option<Vec<Split>>,
    columns: &[Column],
    holdout: f64,
    notes: &mut Vec<String>,
) -> Vec<Split> {
    if let Some(given) = given.as_ref().filter(|all| all.contains(&Split::Test)) {
        return given.clone();
    }
    let groups = columns.iter().find(|c| c.role == Role::Group);
    let hashed = match groups.map(|c| &c.values) {
        Some(Values::Classes { names, index }) => {
            let key = |(id, group): (&String, &Option<u32>)| match group {
                Some(group) => names[*group as usize].clone(),
                None => id.clone(),
            };
            let keys: Vec<String> = ids.iter().zip(index).map(key).collect();
            by_hash(&keys, holdout)
        }
        _ => by_hash(ids, holdout),
    };
    let what = match groups {
        Some(column) => format!("`{}`", column.name),
        None => "the id".to_owned(),
    };
    notes.push(format!(
        "no test split is given: {:.0} % of the training samples are held out by a hash of {what}",
        100.0 * holdout
    ));
    match given {
        None => hashed,
        // Validation samples stay what they are.
        Some(given) => {
            let both = given.into_iter().zip(hashed);
            both.map(|(given, hashed)| match given {
                Split::Val => Split::Val,
                _ => hashed,
            })
            .collect()
        }
    }
}

/// Splits by a hash of each id; `holdout` in `0..1` is the expected share of test samples.
pub fn by_hash(ids: &[String], holdout: f64) -> Vec<Split> {
    let place = |id: &String| {
        let hash = blake3::hash(id.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first) as f64 / 2f64.powi(64)
    };
    let choose = |id| {
        if place(id) < holdout {
            Split::Test
        } else {
            Split::Train
        }
    };
    ids.iter().map(choose).collect()
}

impl Split {
    /// Every split, in order.
    pub const ALL: [Split; 3] = [Split::Train, Split::Val, Split::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
        }
    }

    /// Reads a split's name in any of its usual spellings.
    pub fn parse(name: &str) -> Option<Split> {
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Split::Train),
            "val" | "valid" | "validation" | "dev" => Some(Split::Val),
            "test" | "testing" => Some(Split::Test),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_met_and_old_samples_stay() {
        let ids: Vec<String> = (0..10_000).map(|i| format!("photos/{i}.jpg")).collect();
        let all = by_hash(&ids, 0.2);
        let test = all.iter().filter(|&&s| s == Split::Test).count();
        assert!((1_850..2_150).contains(&test), "{test}");
        let some: Vec<String> = ids.iter().step_by(3).cloned().collect();
        let expected: Vec<Split> = all.iter().step_by(3).copied().collect();
        assert_eq!(by_hash(&some, 0.2), expected);
        // A larger share only ever adds test samples.
        let more = by_hash(&ids, 0.3);
        assert!(
            all.iter()
                .zip(&more)
                .all(|(a, b)| *a == Split::Train || *b == Split::Test)
        );
        assert!(by_hash(&ids, 0.0).iter().all(|&s| s == Split::Train));
    }
}
