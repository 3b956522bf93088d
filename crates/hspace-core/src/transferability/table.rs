//! A ranking as text.

use super::{Ranking, SCORES};
use crate::text::{aligned, cell, short};

/// Sources up to which τ is explained: all orders can be counted.
const FEW: usize = 6;

impl Ranking {
    /// A line a source, and below it how far each score orders the sources as the linear probe does.
    pub fn table(&self) -> String {
        let has = |s: usize| {
            self.sources
                .iter()
                .any(|source| source.scores[s].1.is_some())
        };
        let shown: Vec<usize> = (0..SCORES.len()).filter(|&s| has(s)).collect();
        let mut header = vec!["source".to_owned(), "features".to_owned()];
        header.extend(shown.iter().map(|&s| SCORES[s].name.to_owned()));
        header.push("linear probe".into());
        let mut lines = vec![header];
        for source in &self.sources {
            let mut line = vec![source.source.clone(), source.dim.to_string()];
            let value = |s: &usize| source.scores[*s].1.map_or("-".to_owned(), short);
            line.extend(shown.iter().map(value));
            let accuracy = &source.accuracy;
            line.push(cell(accuracy.mean, accuracy.low, accuracy.high));
            lines.push(line);
        }
        let mut line = vec!["Kendall's tau".to_owned(), String::new()];
        let tau = |s: &usize| self.agreement[*s].tau.map_or("-".to_owned(), short);
        line.extend(shown.iter().map(tau));
        line.push(String::new());
        lines.push(line);
        let mut text = format!(
            "{}: `{}`, {} classes; scores see the labels of {} training samples, accuracy is on {} test samples\n{}",
            self.data,
            self.task,
            self.classes,
            self.train,
            self.test,
            aligned(&lines)
        );
        text.push_str("larger scores are better, within a column; tau: 1 where a score orders the sources as the linear probe does, -1 where it reverses them\n");
        let n = self.sources.len();
        if (2..=FEW).contains(&n) {
            let orders: usize = (1..=n).product();
            text.push_str(&format!(
                "note: {n} sources have {orders} orders, so a tau of 1 comes by chance in 1 of {orders}\n"
            ));
        }
        text
    }
}
