//! A ranking as text.

use super::{Ranking, SCORES};
use crate::probe::Estimate;
use crate::text::{aligned, cell, short};

/// Sources up to which τ is explained: all orders can be counted.
const FEW: usize = 6;

impl Ranking {
    /// A line a source, and below it how far each score orders the sources as the linear probe does.
    pub fn table(&self) -> String {
        self.table_with("", &|_| None)
    }

    /// The same with one more column: what `of` says of a source, by its name; without it where `title` is empty.
    ///
    /// ```
    /// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
    /// # use data::blobs;
    /// use hspace_core::probe::{Estimate, ProbeOptions};
    /// use hspace_core::transferability::rank;
    ///
    /// let found = rank(&[blobs("runs/a", 0.3)], &[None], &ProbeOptions::default(), "animals", &mut |_| ())?;
    /// let text = found.table_with("fine-tuned", &|_| Some(Estimate::without_interval(0.87)));
    /// assert!(text.contains("fine-tuned") && text.contains(".870"));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    pub fn table_with(&self, title: &str, of: &dyn Fn(&str) -> Option<Estimate>) -> String {
        let more = !title.is_empty();
        let has = |s: usize| {
            self.sources
                .iter()
                .any(|source| source.scores[s].1.is_some())
        };
        let shown: Vec<usize> = (0..SCORES.len()).filter(|&s| has(s)).collect();
        let mut header = vec!["source".to_owned(), "features".to_owned()];
        header.extend(shown.iter().map(|&s| SCORES[s].name.to_owned()));
        header.push("linear probe".into());
        header.extend(more.then(|| title.to_owned()));
        let mut lines = vec![header];
        for source in &self.sources {
            let mut line = vec![source.source.clone(), source.dim.to_string()];
            let value = |s: &usize| source.scores[*s].1.map_or("-".to_owned(), short);
            line.extend(shown.iter().map(value));
            let accuracy = &source.accuracy;
            line.push(cell(accuracy.mean, accuracy.low, accuracy.high));
            let known = of(&source.source);
            let value = known.map_or("-".to_owned(), |e| cell(e.mean, e.low, e.high));
            line.extend(more.then_some(value));
            lines.push(line);
        }
        let mut line = vec!["Kendall's tau".to_owned(), String::new()];
        let tau = |s: &usize| self.agreement[*s].tau.map_or("-".to_owned(), short);
        line.extend(shown.iter().map(tau));
        line.push(String::new());
        line.extend(more.then(String::new));
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
