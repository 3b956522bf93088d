//! What differs between the classes of two domains: which there are, and their shares.

use crate::dataset::{Column, Values};
use crate::text::short;

/// Total variation of the shares of classes from which on it is reported.
pub(in crate::shift) const CLASS_MIX: f64 = 0.1;

/// Shares of the classes of a task among `rows`; `None` of another kind of task, or without labels.
pub(super) fn shares(task: &Column, rows: &[usize]) -> Option<Vec<f64>> {
    let Values::Classes { names, index } = &task.values else {
        return None;
    };
    let mut counts = vec![0.0; names.len()];
    for class in rows.iter().filter_map(|&row| index[row]) {
        counts[class as usize] += 1.0;
    }
    let all: f64 = counts.iter().sum();
    (all > 0.0).then(|| counts.iter().map(|count| count / all).collect())
}

/// What differs between the shares of the classes.
pub(super) fn differences(
    domains: [&str; 2],
    names: &[String],
    x: &[f64],
    y: &[f64],
) -> Vec<String> {
    let mut found = Vec::new();
    for (here, own, other) in [(0, x, y), (1, y, x)] {
        let only = (0..names.len()).filter(|&c| own[c] > 0.0 && other[c] == 0.0);
        let only: Vec<&str> = only.map(|c| names[c].as_str()).collect();
        if !only.is_empty() {
            found.push(format!(
                "classes in {} alone: {}",
                domains[here],
                only.join(", ")
            ));
        }
    }
    let apart: f64 = 0.5 * x.iter().zip(y).map(|(p, q)| (p - q).abs()).sum::<f64>();
    if apart >= CLASS_MIX {
        let most = (0..names.len()).max_by(|&c, &d| {
            let by = |c: usize| (x[c] - y[c]).abs();
            by(c).total_cmp(&by(d))
        });
        let most = most.map_or(String::new(), |c| {
            format!(
                ", most of all {}: {} in {}, {} in {}",
                names[c],
                short(x[c]),
                domains[0],
                short(y[c]),
                domains[1]
            )
        });
        found.push(format!(
            "class mix: {} of the samples would have to change class{most}; look at the balanced accuracy too",
            short(apart)
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_in_one_domain_alone_is_named() {
        let names = ["cat", "dog"].map(String::from);
        let found = differences(["a", "b"], &names, &[0.5, 0.5], &[1.0, 0.0]);
        assert!(found[0] == "classes in a alone: dog" && found[1].starts_with("class mix: .500"));
        assert!(differences(["a", "b"], &names, &[0.5, 0.5], &[0.45, 0.55]).is_empty());
    }
}
