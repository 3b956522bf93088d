//! Draws of a few labels.
//!
//! A draw is a function of the seed, its number and the class alone: every representation is given
//! the same labels, so differences are taken on pairs. A larger draw holds the smaller ones of the
//! same number, which smooths the few-label curve.

use std::collections::HashSet;

use super::TaskKind;
use crate::random::{mix, shuffled};

/// Rows of one draw of `per_class` labels a class, ascending; all of a class that has no more.
///
/// `rows` are the labelled training rows, `classes` their classes, and `groups` their groups where there are any.
pub fn draw(
    rows: &[usize],
    classes: &[u32],
    groups: Option<&[u32]>,
    per_class: usize,
    seed: u64,
    number: u64,
) -> Vec<usize> {
    let count = classes.iter().max().map_or(0, |&c| c as usize + 1);
    let mut members = vec![Vec::new(); count];
    for (place, &class) in classes.iter().enumerate() {
        members[class as usize].push(place);
    }
    of_members(members, rows, groups, per_class, seed, number)
}

/// As [`draw`], where each row has a set of `labels` labels, as indices: `per_label` rows of each label, and as many
/// without any.
pub fn draw_label_sets(
    rows: &[usize],
    sets: &[Vec<u32>],
    labels: usize,
    groups: Option<&[u32]>,
    per_label: usize,
    seed: u64,
    number: u64,
) -> Vec<usize> {
    let mut members = vec![Vec::new(); labels + 1];
    for (place, set) in sets.iter().enumerate() {
        for &label in set {
            members[label as usize].push(place);
        }
        if set.is_empty() {
            members[labels].push(place);
        }
    }
    of_members(members, rows, groups, per_label, seed, number)
}

/// At most `most` of each list of `members`, places in `rows` and `groups`.
fn of_members(
    members: Vec<Vec<usize>>,
    rows: &[usize],
    groups: Option<&[u32]>,
    most: usize,
    seed: u64,
    number: u64,
) -> Vec<usize> {
    let mut drawn = Vec::new();
    for (class, mut own) in members.into_iter().enumerate() {
        own = shuffled(own, mix(&[seed, number, class as u64]));
        if let Some(groups) = groups {
            let mut seen = HashSet::new();
            let (first, rest): (Vec<usize>, Vec<usize>) = own
                .into_iter()
                .partition(|&place| seen.insert(groups[place]));
            own = first.into_iter().chain(rest).collect();
        }
        drawn.extend(own.into_iter().take(most).map(|place| rows[place]));
    }
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}

/// How many draws of `count` labels a class (of `kind` numbers: in total) are worth when `asked` is the number for few labels: the spread
/// over draws falls as labels grow, and the cost rises. Numbers count as ten classes do.
pub fn draws(count: usize, kind: TaskKind, asked: usize) -> usize {
    let by_class = match kind {
        TaskKind::Numbers => count / 10,
        TaskKind::Classes | TaskKind::LabelSets => count,
    };
    match by_class {
        100.. => asked.min(3),
        50.. => asked.min(5),
        _ => asked,
    }
}

/// Mean share of the rows of a draw that another one of `draws` also has, each in ascending order; 0 of a single draw.
pub(super) fn overlap(draws: &[Vec<usize>]) -> f64 {
    let (mut shared, mut size) = (0, 0);
    for (i, a) in draws.iter().enumerate() {
        for b in &draws[i + 1..] {
            shared += a.iter().filter(|row| b.binary_search(row).is_ok()).count();
            size += a.len().min(b.len());
        }
    }
    shared as f64 / size.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_labels_are_drawn_less_often() {
        let classes = |k| draws(k, TaskKind::Classes, 10);
        assert_eq!([10, 50, 100].map(classes), [10, 5, 3]);
        let numbers = |k| draws(k, TaskKind::Numbers, 10);
        assert_eq!([10, 100, 500, 1000].map(numbers), [10, 10, 5, 3]);
        assert_eq!(draws(1000, TaskKind::Classes, 2), 2);
    }

    #[test]
    fn draws_are_stratified_nested_and_repeatable() {
        let rows: Vec<usize> = (0..100).map(|i| i * 3).collect();
        let classes: Vec<u32> = (0..100).map(|i| u32::from(i % 5 == 0)).collect();
        let five = draw(&rows, &classes, None, 5, 1, 0);
        assert_eq!(five, draw(&rows, &classes, None, 5, 1, 0));
        assert_ne!(five, draw(&rows, &classes, None, 5, 1, 1));
        assert_ne!(five, draw(&rows, &classes, None, 5, 2, 0));
        assert_eq!(five.iter().filter(|&&r| (r / 3) % 5 == 0).count(), 5);
        assert_eq!(five.len(), 10);
        let ten = draw(&rows, &classes, None, 10, 1, 0);
        assert!(five.iter().all(|r| ten.contains(r)));
        assert_eq!(draw(&rows, &classes, None, 50, 1, 0).len(), 20 + 50);
    }

    #[test]
    fn a_class_does_not_move_the_draws_of_another() {
        let rows: Vec<usize> = (0..60).collect();
        let two: Vec<u32> = (0..60).map(|i| i % 2).collect();
        let three: Vec<u32> = (0..60)
            .map(|i| if i % 2 == 0 { 0 } else { 1 + (i / 2) % 2 })
            .collect();
        let zeros = |classes: &[u32]| -> Vec<usize> {
            draw(&rows, classes, None, 4, 9, 3)
                .into_iter()
                .filter(|r| r % 2 == 0)
                .collect()
        };
        assert_eq!(zeros(&two), zeros(&three));
    }

    #[test]
    fn a_class_is_drawn_from_as_many_groups_as_there_are() {
        // Class 0: ten rows of group 7 and one each of four others. Class 1: two groups.
        let rows: Vec<usize> = (0..20).collect();
        let classes: Vec<u32> = (0..20).map(|i| u32::from(i >= 14)).collect();
        let groups: Vec<u32> = (0..20)
            .map(|i| match i {
                0..10 => 7,
                10..14 => i,
                _ => i % 2,
            })
            .collect();
        for number in 0..20 {
            let drawn = |k| draw(&rows, &classes, Some(&groups), k, 3, number);
            let five = drawn(5);
            let zeros = five.iter().filter(|&&row| classes[row] == 0);
            let own: HashSet<u32> = zeros.map(|&row| groups[row]).collect();
            assert_eq!(own.len(), 5, "{five:?}");
            let two: Vec<u32> = drawn(2)[2..].iter().map(|&row| groups[row]).collect();
            assert_ne!(two[0], two[1]);
            assert_eq!(five.len(), 10);
            let seven = drawn(7);
            assert!(five.iter().all(|row| seven.contains(row)));
        }
        // One group a row is none.
        let alone: Vec<u32> = (0..20).collect();
        let with = draw(&rows, &classes, Some(&alone), 3, 1, 0);
        assert_eq!(with, draw(&rows, &classes, None, 3, 1, 0));
    }

    #[test]
    fn a_draw_of_label_sets_has_rows_of_each_label_and_of_none() {
        let rows: Vec<usize> = (0..60).map(|i| 2 * i).collect();
        let sets: Vec<Vec<u32>> = (0..60)
            .map(|i| (0..3).filter(|label| i % (label + 2) == 0).collect())
            .collect();
        let drawn = |k| draw_label_sets(&rows, &sets, 3, None, k, 5, 1);
        let (two, four) = (drawn(2), drawn(4));
        assert_eq!(two, drawn(2));
        assert!(two.iter().all(|row| four.contains(row)));
        for (k, drawn) in [(2, &two), (4, &four)] {
            let count = |is: &dyn Fn(&[u32]) -> bool| {
                drawn.iter().filter(|&&row| is(&sets[row / 2])).count()
            };
            for label in 0..3 {
                assert!(count(&|set| set.contains(&label)) >= k);
            }
            assert_eq!(count(&|set| set.is_empty()), k);
            assert!(drawn.len() <= 4 * k && drawn.is_sorted());
        }
    }

    #[test]
    fn draws_of_a_pool_overlap_by_the_share_they_take() {
        let rows: Vec<usize> = (0..60).collect();
        let drawn: Vec<Vec<usize>> = (0..40)
            .map(|number| draw(&rows, &[0; 60], None, 15, 1, number))
            .collect();
        assert!((overlap(&drawn) - 0.25).abs() < 0.02, "{}", overlap(&drawn));
        assert_eq!(overlap(&drawn[..1]), 0.0);
        assert_eq!(overlap(&[vec![1, 2], vec![2, 3]]), 0.5);
    }
}
