//! Sources ranked on two tasks: is the one that is best for the first also best for the second?
//!
//! On each task sources are ranked by the main measure of its first probe with the most labels. A rank's range follows from the pairs that were
//! compared: `1 +` the number of sources that are seen to be better, to the number of sources less those that are seen to be worse. A pair
//! **changes places** where one is seen to be better on the first task and the other on the second, each at 2.5 % for all pairs of its task (Holm), so that
//! the probability of any wrong claim of either is at most 5 %. Kendall's τ_b compares the ranks.

use serde::{Deserialize, Serialize};

use super::{Comparison, Estimate, Labels, Measurements, Row, probes_of};
use crate::error::{Error, Result};
use crate::stats::{ALPHA, kendall};
use crate::text::{aligned_left, short};

/// One task, and by what sources were ranked on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedTask {
    /// The column.
    pub task: String,
    /// The main measure.
    pub measure: String,
    /// The probe.
    pub probe: String,
    /// Labels that sources were given.
    pub labels: Labels,
}

/// A source on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The main measure.
    pub score: Estimate,
    /// Its rank, 1 for the best.
    pub rank: usize,
    /// The best and the worst rank that the compared pairs leave.
    pub range: [usize; 2],
}

/// Two sources whose order depends on the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reversal {
    /// Better on the first task.
    pub first: String,
    /// Better on the second task.
    pub second: String,
    /// By how much `first` is better on the first task, and `second` on the second.
    pub differences: [Estimate; 2],
}

/// Sources ranked on two tasks.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, ProbeOptions, TaskRanks, measure};
///
/// let measured = |noise: [f32; 2]| {
///     let contenders = vec![Contender::Fixed(blobs("a", noise[0])), Contender::Fixed(blobs("b", noise[1]))];
///     measure(contenders, &ProbeOptions::default(), "animals", &mut |_| ())
/// };
/// // The same task twice, on which the sources change places.
/// let ranks = TaskRanks::of(&measured([0.2, 2.0])?, &measured([2.0, 0.2])?)?;
/// assert_eq!((ranks.tau, ranks.reversals.len()), (Some(-1.0), 1));
/// assert!(ranks.text().contains("The order depends on the task"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRanks {
    /// The tasks.
    pub tasks: [RankedTask; 2],
    /// The sources that both have, with their places on each task: best on the first task first.
    pub sources: Vec<(String, [Place; 2])>,
    /// Kendall's τ_b of the scores, in −1..=1; `None` where one task's scores are all equal.
    pub tau: Option<f64>,
    /// Pairs that change places beyond the intervals.
    pub reversals: Vec<Reversal>,
}

/// The rows of one task by which sources are ranked, and the pairs among them.
struct Ranking<'a> {
    task: RankedTask,
    rows: Vec<&'a Row>,
    pairs: Vec<&'a Comparison>,
}

impl TaskRanks {
    /// Of the sources that `first` and `second` have in common.
    ///
    /// # Errors
    /// When they are fewer than two.
    pub fn of(first: &Measurements, second: &Measurements) -> Result<TaskRanks> {
        let mut rankings = [ranking(first), ranking(second)];
        let names = |of: &Ranking<'_>| -> Vec<String> {
            of.rows.iter().map(|r| r.representation.clone()).collect()
        };
        let [own, other] = [names(&rankings[0]), names(&rankings[1])];
        let is_common = |name: &String| own.contains(name) && other.contains(name);
        for of in &mut rankings {
            of.rows.retain(|row| is_common(&row.representation));
            of.pairs
                .retain(|pair| is_common(&pair.a) && is_common(&pair.b));
        }
        let [a, b] = &rankings;
        if a.rows.len() < 2 {
            return Err(Error::config(format!(
                "ranks on `{}` and `{}`: fewer than two sources were measured on both; name at least two networks or pixels",
                first.task, second.task
            )));
        }
        let mut sources: Vec<(String, [Place; 2])> = a
            .rows
            .iter()
            .map(|row| {
                let name = row.representation.clone();
                let places = [a.place(&name), b.place(&name)];
                (name, places)
            })
            .collect();
        sources.sort_by_key(|(_, [first, _])| first.rank);
        let scores = |task: usize| -> Vec<f64> {
            sources
                .iter()
                .map(|(_, places)| places[task].score.mean)
                .collect()
        };
        let reversal = |pair: &&Comparison| {
            let is_opposite = |other: &&&Comparison| other.a == pair.b && other.b == pair.a;
            let other = b.pairs.iter().find(is_opposite)?;
            let is_sure = [*pair, *other].iter().all(|p| p.p <= ALPHA / 2.0);
            is_sure.then(|| Reversal {
                first: pair.a.clone(),
                second: pair.b.clone(),
                differences: [pair.difference, other.difference],
            })
        };
        Ok(TaskRanks {
            tau: kendall(&scores(0), &scores(1)),
            reversals: a.pairs.iter().filter_map(reversal).collect(),
            tasks: [a.task.clone(), b.task.clone()],
            sources,
        })
    }

    /// The table, and what it says.
    pub fn text(&self) -> String {
        let mut lines = vec![vec![String::new()]];
        for RankedTask {
            task,
            measure,
            labels,
            ..
        } in &self.tasks
        {
            lines[0].push(format!("{task}: rank"));
            lines[0].push(format!("{measure}, {labels} labels"));
        }
        for (name, places) in &self.sources {
            let mut line = vec![name.clone()];
            for place in places {
                line.push(place.rank_text());
                line.push(place.score_text());
            }
            lines.push(line);
        }
        format!(
            "ranks on two tasks (in brackets the ranks, and the 95 % interval of the score, that the test samples and labels leave)\n{}\n{}\n",
            aligned_left(&lines),
            self.verdict()
        )
    }

    /// Whether the order of the sources depends on the task.
    pub fn verdict(&self) -> String {
        let tau = match self.tau {
            Some(tau) => format!("Kendall's tau of the two orders is {}. ", short(tau)),
            None => String::new(),
        };
        let [first, second] = &self.tasks;
        let count = self.sources.len() * (self.sources.len() - 1) / 2;
        let Some(example) = self
            .reversals
            .iter()
            .max_by(|a, b| a.least().total_cmp(&b.least()))
        else {
            return format!(
                "{tau}No pair of {count} changes places between `{}` and `{}` beyond the intervals.",
                first.task, second.task
            );
        };
        let [one, other] = &example.differences;
        format!(
            "{tau}The order depends on the task: {} of {count} pairs change places beyond the intervals. {} is better than {} for `{}`, by {} ({} to {}), and \
             worse for `{}`, by {} ({} to {}).",
            self.reversals.len(),
            example.first,
            example.second,
            first.task,
            short(one.mean),
            short(one.low),
            short(one.high),
            second.task,
            short(other.mean),
            short(other.low),
            short(other.high),
        )
    }
}

impl Reversal {
    /// The lower end of the smaller difference.
    fn least(&self) -> f64 {
        self.differences[0].low.min(self.differences[1].low)
    }
}

impl Place {
    /// `2 (1 to 3)`
    fn rank_text(&self) -> String {
        match self.range {
            [low, high] if low == high => self.rank.to_string(),
            [low, high] => format!("{} ({low} to {high})", self.rank),
        }
    }

    fn score_text(&self) -> String {
        let Estimate { mean, low, high } = self.score;
        match self.score.has_interval() {
            true => format!("{} ({} to {})", short(mean), short(low), short(high)),
            false => short(mean),
        }
    }
}

/// By the first probe with the most labels.
fn ranking(of: &Measurements) -> Ranking<'_> {
    let probe = probes_of(&of.rows).first().copied().unwrap_or_default();
    let own = of.rows.iter().filter(|row| row.is_under(probe));
    let own: Vec<&Row> = own.filter(|row| row.main_score().is_some()).collect();
    let labels = own
        .iter()
        .map(|row| row.labels)
        .max()
        .unwrap_or(Labels::All);
    let is_pair = |pair: &&Comparison| pair.probe == probe && pair.labels == labels;
    Ranking {
        task: RankedTask {
            task: of.task.clone(),
            measure: of.kind().scores()[0].to_owned(),
            probe: probe.to_owned(),
            labels,
        },
        rows: own.into_iter().filter(|row| row.labels == labels).collect(),
        pairs: of.comparisons.iter().filter(is_pair).collect(),
    }
}

impl Ranking<'_> {
    /// The place of a source that has a row.
    fn place(&self, name: &str) -> Place {
        let score = |row: &&&Row| row.main_score().map(|(_, score)| *score);
        let own = self.rows.iter().find(|row| row.representation == name);
        let own = own
            .as_ref()
            .and_then(score)
            .unwrap_or_else(|| Estimate::without_interval(0.0));
        let above = self.rows.iter().filter_map(|row| score(&row));
        let seen = |is: &dyn Fn(&Comparison) -> bool| {
            self.pairs
                .iter()
                .filter(|pair| pair.seen && is(pair))
                .count()
        };
        let (better, worse) = (seen(&|pair| pair.b == name), seen(&|pair| pair.a == name));
        Place {
            score: own,
            rank: 1 + above.filter(|score| score.mean > own.mean).count(),
            range: [1 + better, self.rows.len() - worse],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::comparison::compare;
    use crate::random::mix;
    use crate::stats::Crossed;

    /// Measurements of sources whose answers to 400 samples are right with these probabilities.
    fn measured(task: &str, accuracies: &[(&str, f64)]) -> Measurements {
        let rows = accuracies.iter().map(|&(name, accuracy)| {
            let right = |d: usize, i: usize| {
                let hash = mix(&[i as u64, d as u64, name.len() as u64]) % 10_000;
                f64::from(u8::from((hash as f64) < 10_000.0 * accuracy))
            };
            let draw = |d: usize| (0..400).map(|i| right(d, i)).collect();
            let answers = Crossed::new(&[(0..6).map(draw).collect()], Some(0.01));
            let mean = answers.mean();
            Row {
                representation: name.into(),
                probe: "linear".into(),
                labels: Labels::PerClass(10),
                labelled: 20,
                val_labels: 0,
                scores: vec![("accuracy".into(), Estimate::without_interval(mean))],
                label_scores: vec![],
                draws: answers.draw_means(),
                chosen: vec![],
                confidence: None,
                needs: None,
                answers: Some(answers),
            }
        });
        let rows: Vec<Row> = rows.collect();
        let text = r#"{"protocol":4,"code_version":"","data":"d","task":"","split_hash":"","seed":0,"train":1,"test":400,
            "classes":["a","b"],"chance":0.5,"origins":[],"rows":[],"savings":[],"geometry":[],"nuisances":[],"confusions":[]}"#;
        let empty: Measurements = serde_json::from_str(text).expect("measurements");
        Measurements {
            task: task.into(),
            comparisons: compare(&rows),
            rows,
            ..empty
        }
    }

    #[test]
    fn places_change_where_both_tasks_say_so() {
        let classes = measured(
            "kind",
            &[("a", 0.9), ("bb", 0.7), ("ccc", 0.7), ("dddd", 0.2)],
        );
        let masks = measured(
            "mask",
            &[("a", 0.5), ("bb", 0.8), ("ccc", 0.3), ("eeeee", 0.99)],
        );
        let ranks = TaskRanks::of(&classes, &masks).unwrap();
        let names: Vec<&str> = ranks
            .sources
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!((names[0], names.len()), ("a", 3));
        let [first, second] = &ranks.sources[0].1;
        assert_eq!(
            ((first.rank, first.range), (second.rank, second.range)),
            ((1, [1, 1]), (2, [2, 2]))
        );
        // Level on the first task: both may be second or third.
        assert_eq!(ranks.sources[1].1[0].range, [2, 3]);
        let [
            Reversal {
                first,
                second,
                differences,
            },
        ] = &ranks.reversals[..]
        else {
            panic!("{:?}", ranks.reversals)
        };
        assert_eq!((first.as_str(), second.as_str()), ("a", "bb"));
        assert!(differences.iter().all(|d| d.low > 0.1));
        let text = ranks.text();
        for part in [
            "kind: rank",
            "2 (2 to 3)",
            "The order depends on the task: 1 of 3 pairs",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let same = TaskRanks::of(&classes, &classes).unwrap();
        assert!(same.reversals.is_empty());
        assert!(same.verdict().contains("No pair of 6 changes places"));
        let other = measured("mask", &[("eeeee", 0.5), ("a", 0.1)]);
        let error = TaskRanks::of(&classes, &other).unwrap_err().to_string();
        assert!(error.contains("fewer than two sources"), "{error}");
    }
}
