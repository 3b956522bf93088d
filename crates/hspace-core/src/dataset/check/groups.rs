//! Groups (patients, videos) with samples in more than one split.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{EXAMPLES, PAIRS};
use crate::dataset::{Column, Role, Split, Values};

/// Groups that two splits share.
///
/// ```
/// use hspace_core::dataset::Split;
/// use hspace_core::dataset::check::SharedGroups;
///
/// let shared = SharedGroups {
///     column: "patient".into(),
///     splits: [Split::Train, Split::Test],
///     groups: 1,
///     samples: 3,
///     first: vec!["ann".into()],
/// };
/// assert!(shared.warning().contains("patient") && shared.warning().contains("ann"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedGroups {
    /// The column that says the groups.
    pub column: String,
    /// The two splits.
    pub splits: [Split; 2],
    /// Number of groups with samples in both.
    pub groups: usize,
    /// Samples of the second split that belong to them.
    pub samples: usize,
    /// The first of the groups, in natural order.
    pub first: Vec<String>,
}

/// What each pair of splits shares, for every column of groups; pairs without a common group are left out.
pub fn shared(columns: &[Column], split: &[Split]) -> Vec<SharedGroups> {
    let groups = columns.iter().filter(|c| c.role == Role::Group);
    groups
        .flat_map(|column| {
            PAIRS
                .iter()
                .filter_map(|pair| shared_by(column, split, *pair))
        })
        .collect()
}

fn shared_by(column: &Column, split: &[Split], splits: [Split; 2]) -> Option<SharedGroups> {
    let Values::Classes { names, index } = &column.values else {
        return None;
    };
    let of = |wanted: Split| {
        let rows = index.iter().zip(split).filter(move |(_, s)| **s == wanted);
        rows.filter_map(|(group, _)| *group)
    };
    let first: BTreeSet<u32> = of(splits[0]).collect();
    let common: BTreeSet<u32> = of(splits[1])
        .filter(|group| first.contains(group))
        .collect();
    (!common.is_empty()).then(|| SharedGroups {
        column: column.name.clone(),
        splits,
        groups: common.len(),
        samples: of(splits[1]).filter(|group| common.contains(group)).count(),
        first: common
            .iter()
            .take(EXAMPLES)
            .map(|&group| names[group as usize].clone())
            .collect(),
    })
}

impl SharedGroups {
    /// In words.
    pub fn warning(&self) -> String {
        let [a, b] = self.splits.map(Split::name);
        format!(
            "{} groups ({}) have samples in {a} and in {b}, {} {b} samples; first: {}. Split by group, or scores on {b} \
             come out too high",
            self.groups,
            self.column,
            self.samples,
            self.first.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::cells::classes;
    use crate::dataset::Split::{Test, Train, Val};

    #[test]
    fn groups_in_two_splits_are_counted_for_each_pair() {
        let column = |cells: &[&str]| Column {
            name: "patient".into(),
            role: Role::Group,
            values: classes(cells),
        };
        let split = [Train, Train, Train, Val, Test, Test, Test];
        let found = shared(&[column(&["p1", "p2", "", "p3", "p2", "p2", "p3"])], &split);
        let summary: Vec<_> = found
            .iter()
            .map(|s| (s.splits, s.groups, s.samples))
            .collect();
        assert_eq!(summary, [([Train, Test], 1, 2), ([Val, Test], 1, 1)]);
        assert_eq!(
            found[0].warning(),
            "1 groups (patient) have samples in train and in test, 2 test samples; first: p2. Split by group, or scores \
             on test come out too high"
        );
        // An unknown group is no common one.
        assert_eq!(
            shared(&[column(&["", "a", "b", "c", "", "", ""])], &split),
            []
        );
    }
}
