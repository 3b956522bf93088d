//! Confusion matrices as grids: rows the true class, columns the answer.

use maud::{Markup, html};

use super::look::clip;
use crate::probe::Confusion;

/// Up to so many classes, cells carry their counts and the edges the names.
const NAMED: usize = 20;

/// Draws one matrix. Shade is the share of the row: right answers in the accent, wrong ones in the
/// colour of errors. Beyond 20 classes the cells have no numbers.
pub(super) fn grid(confusion: &Confusion) -> Markup {
    let n = confusion.classes.len().min(confusion.counts.len());
    let named = n <= NAMED;
    let cell = if named { 34.0 } else { 440.0 / n.max(1) as f64 };
    let longest = confusion
        .classes
        .iter()
        .map(|c| c.chars().count())
        .max()
        .unwrap_or(0);
    let edge = if named {
        30.0 + 7.6 * longest.min(14) as f64
    } else {
        26.0
    };
    // Long names are written upwards, above their column.
    let upright = longest > 4;
    let top = if named && upright { edge } else { 44.0 };
    let side = n as f64 * cell;
    let at = |i: usize, j: usize| {
        confusion
            .counts
            .get(i)
            .and_then(|row| row.get(j))
            .copied()
            .unwrap_or(0)
    };
    let total = |i: usize| (0..n).map(|j| at(i, j)).sum::<usize>();
    let share = |i: usize, j: usize| at(i, j) as f64 / total(i).max(1) as f64;
    // A handful of errors in a hundred should still be seen: the shade grows with the square root.
    let shade = |i: usize, j: usize| {
        if i == j {
            share(i, j).powi(2) * 0.9
        } else {
            (share(i, j) * 1.8).sqrt().min(0.9)
        }
    };
    let recall = if named { 58.0 } else { 8.0 };
    html! {
        svg.chart.confusion viewBox=(format!("0 0 {:.0} {:.0}", edge + side + recall, top + side + 8.0))
            style=(format!("max-width:{:.0}px", edge + side + recall)) role="img" {
            title { "Confusion matrix of " (confusion.representation) }
            text.name.middle x=(edge + side / 2.0) y="13" { "answered" }
            text.name.middle transform=(format!("translate(11 {:.1}) rotate(-90)", top + side / 2.0)) { "true class" }
            @if named {
                text.name x=(edge + side + 10.0) y=(top - 8.0) { "right" }
                @for (i, class) in confusion.classes.iter().take(n).enumerate() {
                    @let middle = (i as f64 + 0.5) * cell;
                    text.tick.end x=(edge - 7.0) y=(top + middle) dy="0.34em" { (clip(class, 14)) }
                    @if upright {
                        text.tick transform=(format!("translate({:.1} {:.1}) rotate(-90)", edge + middle + 4.0, top - 7.0)) { (clip(class, 10)) }
                    } @else {
                        text.tick.middle x=(edge + middle) y=(top - 8.0) { (class) }
                    }
                    @if total(i) > 0 {
                        text.tick x=(edge + side + 10.0) y=(top + middle) dy="0.34em" { (format!("{:.1} %", 100.0 * share(i, i))) }
                    }
                }
            }
            rect.plate x=(edge) y=(top) width=(side) height=(side) {}
            @for i in 0..n {
                @for j in (0..n).filter(|&j| at(i, j) > 0 || named) {
                    @let (x, y) = (edge + j as f64 * cell, top + i as f64 * cell);
                    @let gap = if named { 1.5 } else { 0.0 };
                    rect.right[i == j].wrong[i != j] x=(format!("{x:.1}")) y=(format!("{y:.1}"))
                        width=(format!("{:.1}", cell - gap)) height=(format!("{:.1}", cell - gap)) rx=(2.0 * gap)
                        fill-opacity=(format!("{:.2}", shade(i, j))) {
                        title { (confusion.classes[i]) " answered as " (confusion.classes[j]) ": " (at(i, j)) }
                    }
                    @if named && at(i, j) > 0 {
                        text.count.on-dark[i == j && shade(i, j) > 0.5] x=(format!("{:.1}", x + cell / 2.0 - 0.7)) y=(format!("{:.1}", y + cell / 2.0))
                            dy="0.34em" { (at(i, j)) }
                    }
                }
            }
        }
    }
}

/// The commonest mistakes, most frequent first: (true class, answer, count).
pub(super) fn mistakes(confusion: &Confusion, most: usize) -> Vec<(&str, &str, usize)> {
    let mut all = Vec::new();
    for (i, (class, row)) in confusion.classes.iter().zip(&confusion.counts).enumerate() {
        for (j, (answer, &count)) in confusion.classes.iter().zip(row).enumerate() {
            if i != j && count > 0 {
                all.push((class.as_str(), answer.as_str(), count));
            }
        }
    }
    all.sort_by_key(|m| std::cmp::Reverse(m.2));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_come_by_frequency_and_odd_shapes_are_drawn() {
        let classes = vec!["a".to_string(), "b".into(), "<c>".into()];
        let counts = vec![vec![5, 2, 0], vec![0, 7, 4], vec![1]];
        let confusion = Confusion {
            representation: "x".into(),
            classes,
            counts,
        };
        assert_eq!(mistakes(&confusion, 2), [("b", "<c>", 4), ("a", "b", 2)]);
        let svg = grid(&confusion).into_string();
        assert!(svg.contains("&lt;c&gt;") && !svg.contains("NaN"));
    }
}
