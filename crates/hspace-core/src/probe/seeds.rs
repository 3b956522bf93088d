//! Rows of runs that differ in their training seed alone, as one row.

use super::estimates::{estimates, needed};
use super::{Confidence, Row};
use crate::stats::Crossed;

/// The rows of `runs`, which were measured by one protocol on the same data, seed by seed; named `name`. Their intervals hold the
/// training too. Other measures than the main one are left out, and so are rows that a run lacks.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure, over_seeds};
///
/// let labels = vec![Labels::PerClass(5)];
/// let options = ProbeOptions { probes: vec!["knn".into()], labels, ..ProbeOptions::default() };
/// let contenders = [0.5, 0.6, 0.7].map(|noise| Contender::Fixed(blobs(&format!("runs/{noise}"), noise)));
/// let found = measure(contenders.into(), &options, "animals", &mut |_| ())?;
/// // Three trainings as one.
/// let runs: Vec<_> = found.rows.iter().map(std::slice::from_ref).collect();
/// let rows = over_seeds(&runs, "runs, 3 seeds");
/// assert_eq!((rows.len(), &*rows[0].representation), (1, "runs, 3 seeds"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
pub fn over_seeds(runs: &[&[Row]], name: &str) -> Vec<Row> {
    let Some((first, others)) = runs.split_first() else {
        return Vec::new();
    };
    let merged = |row: &Row| -> Option<Row> {
        let same = |rows: &&[Row]| {
            let mut rows = rows.iter();
            rows.find(|r| (&r.probe, r.labels) == (&row.probe, row.labels))
                .cloned()
        };
        let mut all = vec![row.clone()];
        all.extend(others.iter().map(same).collect::<Option<Vec<Row>>>()?);
        let answers: Option<Vec<&Crossed>> = all.iter().map(|r| r.answers.as_ref()).collect();
        let answers = Crossed::stack(&answers?)?;
        let unknown = answers.components().err();
        let confidences: Option<Vec<Confidence>> = all.iter().map(|r| r.confidence).collect();
        Some(Row {
            needs: row.needs.clone().or_else(|| Some(needed(unknown?, false))),
            representation: name.to_owned(),
            draws: answers.draw_means(),
            answers: Some(answers),
            confidence: confidences.and_then(|all| Confidence::mean(&all)),
            label_scores: Vec::new(),
            ..row.clone()
        })
    };
    let mut rows: Vec<Row> = first.iter().filter_map(merged).collect();
    let mut probes: Vec<String> = rows.iter().map(|r| r.probe.clone()).collect();
    probes.dedup();
    for probe in probes {
        let mut curve: Vec<&mut Row> = rows.iter_mut().filter(|r| r.probe == probe).collect();
        curve.sort_by_key(|row| row.labelled);
        let Some(main) = curve
            .first()
            .and_then(|row| Some(row.main_score()?.0.clone()))
        else {
            continue;
        };
        let answers: Vec<(usize, Option<Crossed>)> = curve
            .iter()
            .map(|row| (row.labelled, row.answers.clone()))
            .collect();
        for (row, estimate) in curve.iter_mut().zip(estimates(&answers, &main)) {
            row.scores = estimate.map(|e| (main.clone(), e)).into_iter().collect();
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Labels;
    use crate::stats::Estimate;

    fn run(shift: usize) -> Row {
        let right =
            |d: usize, i: usize| f64::from(u8::from((i * 7919 + d * 31) % 100 < 60 + shift));
        let scores = (0..4)
            .map(|d| (0..200).map(|i| right(d, i)).collect())
            .collect();
        let answers = Crossed::new(&[scores], Some(0.1));
        Row {
            representation: format!("run {shift}"),
            probe: "linear".into(),
            labels: Labels::PerClass(10),
            labelled: 20,
            val_labels: 0,
            scores: vec![(
                "accuracy".into(),
                Estimate::without_interval(answers.mean()),
            )],
            label_scores: vec![],
            draws: answers.draw_means(),
            chosen: vec![],
            confidence: None,
            needs: None,
            answers: Some(answers),
        }
    }

    #[test]
    fn intervals_of_several_seeds_hold_their_spread() {
        let [low, middle, high] = [0, 5, 10].map(|shift| [run(shift)]);
        let apart = over_seeds(&[&low, &middle, &high], "three").remove(0);
        let same = over_seeds(&[&low, &low, &low], "one").remove(0);
        let score = |row: &Row| row.main_score().map(|s| s.1).unwrap();
        assert_eq!(apart.needs, None);
        let (apart, same) = (score(&apart), score(&same));
        let mean = (low[0].draws[0] + middle[0].draws[0] + high[0].draws[0]) / 3.0;
        assert!((apart.mean - mean).abs() < 0.01);
        // .05/√3, times t with two degrees of freedom.
        assert!(
            apart.high - apart.low > 1.5 * (same.high - same.low),
            "{apart:?} {same:?}"
        );
        // Two say too little of others.
        let two = over_seeds(&[&low, &high], "two").remove(0);
        assert!(
            two.needs
                .as_ref()
                .is_some_and(|needs| needs.contains("seeds: 2"))
        );
        assert!(!score(&two).has_interval());
        let other = Row {
            labels: Labels::All,
            ..run(1)
        };
        assert!(over_seeds(&[&low, &[other]], "none").is_empty());
    }
}
