//! Rows dealt out to folds, and what settings of a probe are chosen by.
//!
//! Folds of classes hold the same number of each class, as in scikit-learn's `StratifiedKFold`. Where rows belong to groups a
//! fold holds whole groups: the largest group first, each goes to the fold that keeps the classes' shares most even, as in
//! `StratifiedGroupKFold`. Rows with several labels are dealt out the same way, each being a group of its own.

use std::collections::{HashMap, HashSet};

use super::task::Task;
use crate::dataset::Split;
use crate::matrix::Matrix;
use crate::random::{mix, shuffled};

/// What the settings of a probe are chosen by: validation rows where there are any, else training rows that are held
/// out or left out.
///
/// ```
/// use hspace_core::auto::Auto;
/// use hspace_core::matrix::Matrix;
/// use hspace_core::probe::{Selection, ridge::Ridge};
///
/// let x = Matrix::new(4, 1, vec![0.0, 1.0, 2.0, 3.0]);
/// let (val, truth) = (Matrix::new(2, 1, vec![0.5, 2.5]), [1.0, 5.0]);
/// // The penalty is chosen by the validation rows.
/// let selection = Selection { groups: None, val: Some((&val, &truth[..])) };
/// let ridge = Ridge::fit(&x, &[0.0, 2.0, 4.0, 6.0], Auto::Auto, selection, 0)?;
/// assert!((ridge.predict(&val)[1] - 5.0).abs() < 0.1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a, T> {
    /// Group of each training row `[n]`, which is held out whole.
    pub groups: Option<&'a [u32]>,
    /// Features `[v, d]` of validation rows, and their true values `[v]`.
    pub val: Option<(&'a Matrix, &'a [T])>,
}

impl<T> Default for Selection<'_, T> {
    fn default() -> Self {
        Selection {
            groups: None,
            val: None,
        }
    }
}

/// At most `most` folds of `rows` with the same share of each class; `None` where a class has not two rows (or groups) to
/// separate. `y` and `groups` are indexed by row.
pub(super) fn stratified(
    rows: &[usize],
    y: &[u32],
    classes: usize,
    groups: Option<&[u32]>,
    most: usize,
    seed: u64,
) -> Option<Vec<Vec<usize>>> {
    let mut members = vec![Vec::new(); classes];
    for &row in rows {
        members[y[row] as usize].push(row);
    }
    let separable = |own: &Vec<usize>| match groups {
        None => own.len(),
        Some(groups) => {
            let mut own: Vec<u32> = own.iter().map(|&row| groups[row]).collect();
            own.sort_unstable();
            own.dedup();
            own.len()
        }
    };
    let k = members.iter().map(separable).min().unwrap_or(0).min(most);
    if k < 2 {
        return None;
    }
    if groups.is_some() {
        return Some(balanced(
            rows,
            &|row| vec![y[row]],
            classes,
            groups,
            k,
            seed,
        ));
    }
    let mut folds = vec![Vec::new(); k];
    for (class, own) in members.into_iter().enumerate() {
        let own = shuffled(own, mix(&[seed, 2, class as u64]));
        for (place, row) in own.into_iter().enumerate() {
            folds[place % k].push(row);
        }
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    Some(folds)
}

/// The `rows` of each group, by which `groups` are indexed, in the order in which groups first appear; without groups each row
/// is its own.
pub(super) fn units(rows: &[usize], groups: Option<&[u32]>) -> Vec<Vec<usize>> {
    let Some(groups) = groups else {
        return rows.iter().map(|&row| vec![row]).collect();
    };
    let mut units: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for &row in rows {
        let place = *places.entry(groups[row]).or_insert(units.len());
        match units.get_mut(place) {
            Some(unit) => unit.push(row),
            None => units.push(vec![row]),
        }
    }
    units
}

/// `k` folds of `rows` that hold whole groups, and of each label (below `labels`) as even a share as a greedy choice finds.
/// `labels_of` and `groups` are asked by row; without groups each row is its own.
pub(super) fn balanced(
    rows: &[usize],
    labels_of: &dyn Fn(usize) -> Vec<u32>,
    labels: usize,
    groups: Option<&[u32]>,
    k: usize,
    seed: u64,
) -> Vec<Vec<usize>> {
    let mut units = shuffled(units(rows, groups), mix(&[seed, 2]));
    units.sort_by_key(|unit| std::cmp::Reverse(unit.len()));
    let mut totals = vec![0.0; labels];
    for label in rows.iter().flat_map(|&row| labels_of(row)) {
        totals[label as usize] += 1.0;
    }
    // Shares of each label's rows by fold, `[labels][k]`.
    let mut shares = vec![vec![0.0; k]; labels];
    let mut folds: Vec<Vec<usize>> = vec![Vec::new(); k];
    for unit in units {
        let mut own: HashMap<usize, f64> = HashMap::new();
        for label in unit.iter().flat_map(|&row| labels_of(row)) {
            let label = label as usize;
            *own.entry(label).or_default() += 1.0 / totals[label];
        }
        let mut own: Vec<(usize, f64)> = own.into_iter().collect();
        own.sort_unstable_by_key(|&(label, _)| label);
        // How uneven the shares are if the unit goes to `fold`: the sum of squares is least where all are equal.
        let unevenness = |fold: usize| -> f64 {
            own.iter()
                .map(|&(label, share)| 2.0 * share * shares[label][fold] + share * share)
                .sum()
        };
        let order = |a: &usize, b: &usize| {
            let by_shares = unevenness(*a).total_cmp(&unevenness(*b));
            by_shares.then(folds[*a].len().cmp(&folds[*b].len()))
        };
        let best = (0..k).min_by(order).unwrap_or(0);
        for (label, share) in own {
            shares[label][best] += share;
        }
        folds[best].extend(unit);
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    folds
}

/// For each of `tasks` the rows that may be learned from, ascending: of the data's own split all training rows; of several folds the labelled rows
/// that the fold does not test, and training rows without a label, unless one of their group is tested there.
pub(super) fn learnable(tasks: &[Task], split: &[Split]) -> Vec<Vec<usize>> {
    let train = || (0..split.len()).filter(|&row| split[row] == Split::Train);
    if tasks.len() == 1 {
        return vec![train().collect()];
    }
    let labelled: HashSet<usize> = tasks.iter().flat_map(|t| &t.test).copied().collect();
    let unlabelled: Vec<usize> = train().filter(|row| !labelled.contains(row)).collect();
    let of = |task: &Task| -> Vec<usize> {
        let mut rows = task.train.clone();
        match (task.groups_of(&task.test), task.groups_of(&unlabelled)) {
            (Some(tested), Some(own)) => {
                let tested: HashSet<u32> = tested.into_iter().collect();
                let pairs = unlabelled.iter().zip(own);
                rows.extend(pairs.filter(|p| !tested.contains(&p.1)).map(|p| p.0));
            }
            _ => rows.extend(&unlabelled),
        }
        rows.sort_unstable();
        rows
    };
    tasks.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_of_classes_differ_by_one_row_a_class() {
        let rows: Vec<usize> = (0..50).collect();
        let y: Vec<u32> = (0..50).map(|i| u32::from(i % 5 == 0)).collect();
        let folds = stratified(&rows, &y, 2, None, 3, 1).expect("folds");
        let mut all: Vec<usize> = folds.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, rows);
        for class in 0..2 {
            let counts = folds
                .iter()
                .map(|f| f.iter().filter(|&&i| y[i] == class).count());
            let counts: Vec<usize> = counts.collect();
            assert!(counts.iter().max() <= counts.iter().min().map(|n| n + 1).as_ref());
        }
        assert!(stratified(&rows[..6], &y, 2, None, 5, 1).is_some_and(|folds| folds.len() == 2));
        assert!(stratified(&rows[..5], &y, 2, None, 5, 1).is_none());
    }

    #[test]
    fn folds_hold_whole_groups_and_even_shares() {
        let rows: Vec<usize> = (0..200).collect();
        // Groups of 1 to 9 rows, each of one class.
        let mut groups = Vec::new();
        for group in 0.. {
            groups.extend(std::iter::repeat_n(group as u32, group * 7 % 9 + 1));
            if groups.len() >= 200 {
                break;
            }
        }
        let y: Vec<u32> = groups[..200]
            .iter()
            .map(|g| u32::from(g % 3 == 0))
            .collect();
        let folds = stratified(&rows, &y, 2, Some(&groups), 5, 4).expect("folds");
        assert_eq!(folds.iter().map(Vec::len).sum::<usize>(), 200);
        let mut home: HashMap<u32, usize> = HashMap::new();
        for (f, fold) in folds.iter().enumerate() {
            for &row in fold {
                assert_eq!(*home.entry(groups[row]).or_insert(f), f);
            }
            let ones = fold.iter().filter(|&&row| y[row] == 1).count();
            let all = y.iter().filter(|&&y| y == 1).count();
            assert!(ones.abs_diff(all / 5) <= 4, "{ones} of {all}");
            assert!(fold.len().abs_diff(40) <= 6, "{}", fold.len());
        }
        // A class in one group alone cannot be held out.
        let one: Vec<u32> = y.iter().map(|&y| if y == 1 { 0 } else { 1 }).collect();
        assert!(stratified(&rows, &y, 2, Some(&one), 5, 4).is_none());
    }

    #[test]
    fn rare_labels_go_to_different_folds() {
        let rows: Vec<usize> = (0..40).collect();
        // Label 0 is in most rows, labels 1..8 in two rows each.
        let labels_of = |row: usize| -> Vec<u32> {
            let rare = (row < 14).then_some(1 + row as u32 / 2);
            std::iter::once(0).chain(rare).collect()
        };
        let folds = balanced(&rows, &labels_of, 8, None, 4, 2);
        let fold_of = |row| folds.iter().position(|fold| fold.contains(&row));
        assert!((0..7).all(|rare| fold_of(2 * rare) != fold_of(2 * rare + 1)));
        assert!(folds.iter().all(|fold| fold.len() == 10));
    }
}
