//! Draws of a few labels.
//!
//! A draw is a function of the labels, the seed and its number alone: every representation is given
//! the same labels, so differences are taken on pairs. A larger draw holds the smaller ones of the
//! same number, which smooths the few-label curve.
//!
//! Of classes a draw has so many rows a class ([`draw`]). Of samples with several labels it has so many rows in total
//! ([`draw_label_sets`]), and so of masks, whose labels are the classes of their pixels: first one row of each label, the rarest label first, so that a draw of at least as many rows as there are labels
//! has all of them; then always a row of the label that is furthest below its share of the data, after the iterative
//! stratification of Sechidis, Tsoumakas & Vlahavas 2011, "On the stratification of multi-label data".

use std::collections::HashSet;

use crate::random::{mix, shuffled};

/// Rows of a label that one is chosen from.
const AHEAD: usize = 16;

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
    for own in in_random_order(members, groups, seed, number) {
        drawn.extend(own.into_iter().take(most).map(|place| rows[place]));
    }
    drawn.sort_unstable();
    drawn
}

/// Each list of `members` in an order that depends on the seed, the number and its place alone; where there are groups, one member of
/// each group comes first.
fn in_random_order(
    members: Vec<Vec<usize>>,
    groups: Option<&[u32]>,
    seed: u64,
    number: u64,
) -> Vec<Vec<usize>> {
    let order = |(class, own): (usize, Vec<usize>)| {
        let own = shuffled(own, mix(&[seed, number, class as u64]));
        let Some(groups) = groups else { return own };
        let mut seen = HashSet::new();
        let (mut first, rest): (Vec<usize>, Vec<usize>) = own
            .into_iter()
            .partition(|&place| seen.insert(groups[place]));
        first.extend(rest);
        first
    };
    members.into_iter().enumerate().map(order).collect()
}

/// `total` of the labelled `rows`, ascending, where each row has a set of `labels` labels, as indices; all rows where there are no more.
/// Rows without any label are drawn as if that were a label of its own.
///
/// The first rows are of the labels that are not yet in the draw, the rarest first; the others of the label whose number of rows in the draw is
/// furthest below its share of `rows`, each the one of its next 16 rows with which the other labels are nearest to theirs. Among the rows of a label
/// one of each group comes first.
pub fn draw_label_sets(
    rows: &[usize],
    sets: &[Vec<u32>],
    labels: usize,
    groups: Option<&[u32]>,
    total: usize,
    seed: u64,
    number: u64,
) -> Vec<usize> {
    // The rows without a label are the last list.
    let labels_of = |place: usize| -> Vec<usize> {
        match sets[place].is_empty() {
            true => vec![labels],
            false => sets[place].iter().map(|&label| label as usize).collect(),
        }
    };
    let mut members = vec![Vec::new(); labels + 1];
    for place in 0..rows.len() {
        labels_of(place)
            .into_iter()
            .for_each(|label| members[label].push(place));
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let waiting = in_random_order(members, groups, seed, number);
    // Rows of each list before these are all drawn.
    let mut first = vec![0; labels + 1];
    let mut drawn_of = vec![0; labels + 1];
    let mut is_drawn = vec![false; rows.len()];
    let mut drawn = Vec::new();
    while drawn.len() < total.min(rows.len()) {
        let share = (drawn.len() + 1) as f64 / rows.len() as f64;
        let lack = |label: usize| share * counts[label] as f64 - drawn_of[label] as f64;
        // Of labels with rows left: one that is absent, the rarest, else the one furthest below its share of the draw.
        let open = (0..=labels).filter(|&label| drawn_of[label] < counts[label]);
        let next = open.min_by(|&a, &b| {
            let is_there = |label: usize| drawn_of[label] > 0;
            let by_presence = is_there(a).cmp(&is_there(b));
            by_presence.then_with(|| match is_there(a) {
                false => counts[a].cmp(&counts[b]),
                true => lack(b).total_cmp(&lack(a)),
            })
        });
        let Some(label) = next else { break };
        let own = &waiting[label];
        while own.get(first[label]).is_some_and(|&place| is_drawn[place]) {
            first[label] += 1;
        }
        // Of its next rows the one after which the squares of what all labels lack are least.
        let rise = |place: usize| -> f64 {
            let own = labels_of(place).into_iter();
            own.map(|label| 1.0 - 2.0 * lack(label)).sum()
        };
        let free = own[first[label]..]
            .iter()
            .copied()
            .filter(|&place| !is_drawn[place]);
        let best = free
            .take(AHEAD)
            .min_by(|&a, &b| rise(a).total_cmp(&rise(b)));
        let Some(place) = best else { break };
        is_drawn[place] = true;
        drawn.push(rows[place]);
        labels_of(place)
            .into_iter()
            .for_each(|label| drawn_of[label] += 1);
    }
    drawn.sort_unstable();
    drawn
}

/// Mean share of the rows of a draw that another one of `draws` also has, each in ascending order; 0 of a single draw.
pub fn overlap(draws: &[Vec<usize>]) -> f64 {
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

    /// Sixty rows: label 0 is on every second one, 1 on every third, 2 on every fourth, 3 on one.
    fn label_sets() -> Vec<Vec<u32>> {
        let has = |row: usize, label: u32| match label {
            3 => row == 17,
            _ => row.is_multiple_of(label as usize + 2),
        };
        let set = |row: usize| (0..4).filter(|&label| has(row, label)).collect();
        (0..60).map(set).collect()
    }

    #[test]
    fn a_draw_of_label_sets_has_so_many_rows_in_total_and_every_label() {
        let rows: Vec<usize> = (0..60).map(|i| 2 * i).collect();
        let sets = label_sets();
        for number in 0..20 {
            let drawn = |k| draw_label_sets(&rows, &sets, 4, None, k, 5, number);
            for k in [1, 2, 3, 5, 10, 30, 59, 60] {
                let own = drawn(k);
                assert_eq!(own.len(), k);
                assert!(own.is_sorted() && own.iter().all(|row| rows.contains(row)));
                assert!(own.iter().all(|row| drawn(60).contains(row)));
                assert_eq!(own, drawn(k));
            }
            let (five, ten) = (drawn(5), drawn(10));
            assert!(five.iter().all(|row| ten.contains(row)));
            for label in 0..4 {
                assert!(five.iter().any(|row| sets[row / 2].contains(&label)));
            }
            assert!(five.iter().any(|row| sets[row / 2].is_empty()));
        }
        assert_eq!(draw_label_sets(&rows, &sets, 4, None, 90, 5, 0), rows);
        let draws: HashSet<Vec<usize>> = (0..20)
            .map(|number| draw_label_sets(&rows, &sets, 4, None, 10, 5, number))
            .collect();
        assert!(draws.len() > 15);
    }

    /// Nearer than without stratification.
    #[test]
    fn labels_have_about_their_share_of_a_draw() {
        let rows: Vec<usize> = (0..600).collect();
        let sets: Vec<Vec<u32>> = label_sets().into_iter().cycle().take(600).collect();
        for k in [30, 60, 150] {
            let [mut ours, mut random] = [0.0; 2];
            for number in 0..20 {
                let away = |drawn: &[usize]| -> f64 {
                    let count = |rows: &[usize], label: u32| {
                        rows.iter().filter(|&&r| sets[r].contains(&label)).count() as f64
                    };
                    let wanted = |label| count(&rows, label) * k as f64 / 600.0;
                    (0..4)
                        .map(|label| (count(drawn, label) - wanted(label)).abs())
                        .sum()
                };
                ours += away(&draw_label_sets(&rows, &sets, 4, None, k, 5, number));
                random += away(&draw(&rows, &[0; 600], None, k, 5, number));
            }
            assert!(ours < 0.6 * random, "{k}: {ours} {random}");
        }
    }

    #[test]
    fn rows_of_a_label_come_from_different_groups() {
        let rows: Vec<usize> = (0..40).collect();
        let sets = vec![vec![0]; 40];
        let groups: Vec<u32> = (0..40).map(|i| i / 8).collect();
        let drawn = draw_label_sets(&rows, &sets, 1, Some(&groups), 5, 1, 0);
        let own: HashSet<u32> = drawn.iter().map(|&row| groups[row]).collect();
        assert_eq!(own.len(), 5);
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
