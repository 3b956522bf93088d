//! Measurements as text.

use super::{
    Comparison, Estimate, HEAD, Labels, Measurements, Nuisance, Row, Savings, TaskKind, probes_of,
};
use crate::dataset::Role;
use crate::text::{aligned, aligned_left, cell, short};

/// Labels that the table of labels lists; the rest are in the JSON.
const LISTED: usize = 40;
/// Pairs that are listed; the rest are in the JSON.
const PAIRS: usize = 20;

impl Measurements {
    /// The task; one table a probe: representations by numbers of labels, means ± half of the 95 % interval,
    /// chance in the last line; then which representation is better, each label where a sample has several, shapes,
    /// domains and warnings.
    pub fn table(&self) -> String {
        let mut text = format!("task: `{}`\n", self.task);
        if !self.rows.is_empty() {
            text.push_str(&format!("{}\n", self.conditions()));
        }
        let per = self.per();
        let measure = self.kind().scores()[0];
        for probe in probes_of(&self.rows) {
            let rows: Vec<&Row> = self.rows.iter().filter(|r| r.is_under(probe)).collect();
            text.push_str(&format!(
                "{measure} of the {}, by {per} (± half of the 95 % interval)\n",
                match probe {
                    HEAD => "own heads".to_owned(),
                    probe => format!("{probe} probe"),
                }
            ));
            text.push_str(&self.block(&rows));
            if let Some(note) = self.val_note(probe) {
                text.push_str(&format!("  {note}\n"));
            }
            for note in self.missing_intervals(probe) {
                text.push_str(&format!("  {note}\n"));
            }
            if let Some(note) = self.own_heads() {
                text.push_str(&format!("  {note}\n"));
            }
            text.push('\n');
        }
        for line in self.labels_alone_lines() {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&self.pairs());
        text.push_str(&self.labels_table());
        text.push_str(&self.shapes());
        self.nuisances.iter().for_each(|n| text.push_str(&n.line()));
        if let Some(note) = self.without() {
            text.push_str(&format!("{note}\n"));
        }
        text
    }

    /// Which sources answer with their own head, and whether it was trained on each draw or, as that of `head:RUN`, before.
    pub(crate) fn own_heads(&self) -> Option<String> {
        let (mut per_draw, mut before): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for row in self.rows.iter().filter(|row| row.probe == HEAD) {
            let name = row.representation.as_str();
            let names = match name.starts_with("head:") {
                true => &mut before,
                false => &mut per_draw,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let line = |names: Vec<&str>, when: &str| {
            let does = match names.len() {
                0 => return None,
                1 => "answers with its own head",
                _ => "answer with their own heads",
            };
            Some(format!("{} {does}, {when}", names.join(", ")))
        };
        let lines = [
            line(per_draw, "trained on each draw of labels"),
            line(before, "trained before, with the labels of its run"),
        ];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// What there was no time for.
    pub fn without(&self) -> Option<String> {
        match self.left_out.is_empty() {
            true => None,
            false => Some(format!(
                "left out, for lack of time: {}",
                self.left_out.join("; ")
            )),
        }
    }

    /// How everything was measured, in a line.
    pub(crate) fn conditions(&self) -> String {
        let folds = match self.folds {
            1 => String::new(),
            folds => format!("; {folds} folds, in which every labelled sample is tested once"),
        };
        format!("{}{folds}", self.scaling.text())
    }

    /// Numbers of labels without intervals, and what they would need.
    pub(crate) fn missing_intervals(&self, probe: &str) -> Vec<String> {
        let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.is_under(probe)) {
            let Some(needs) = &row.needs else { continue };
            let labels = row.labels.to_string();
            match notes.iter_mut().find(|note| note.0 == needs) {
                Some((_, all)) if all.contains(&labels) => {}
                Some((_, all)) => all.push(labels),
                None => notes.push((needs, vec![labels])),
            }
        }
        let text = |(needs, labels): (&str, Vec<String>)| {
            format!("no interval at {}: {needs}", labels.join(", "))
        };
        notes.into_iter().map(text).collect()
    }

    /// The comparisons by probe and labels, in their order.
    pub(crate) fn families(&self) -> Vec<Vec<&Comparison>> {
        let key = |c: &Comparison| (c.probe.clone(), c.labels);
        self.comparisons
            .chunk_by(|a, b| key(a) == key(b))
            .map(|family| family.iter().collect())
            .collect()
    }

    /// Which of two representations is better, for as many pairs as can be read.
    fn pairs(&self) -> String {
        let (mut text, mut lines, mut left_out) = (String::new(), 0, 0);
        let mut families = self.families();
        // The headline's first.
        families.sort_by_key(|family| match family[0].labels {
            Labels::PerClass(10) => 0,
            Labels::All => 1,
            Labels::PerClass(_) => 2,
        });
        for family in families {
            if lines + family.len() > PAIRS && lines > 0 || family.len() > 2 * PAIRS {
                left_out += family.len();
                continue;
            }
            lines += family.len();
            let (probe, labels) = (&family[0].probe, family[0].labels);
            text.push_str(&format!(
                "pairs with {labels} {}, {probe} probe (95 % intervals{})\n",
                match labels {
                    Labels::All => format!("{}s", self.label_or_mask()),
                    Labels::PerClass(_) => self.per().to_owned(),
                },
                match family.len() {
                    1 => String::new(),
                    pairs => format!(", Holm's correction for {pairs} pairs"),
                }
            ));
            let line = |c: &&Comparison| {
                let verb = if c.seen { "against" } else { "and" };
                vec![c.a.clone(), format!("{verb} {}", c.b), c.verdict()]
            };
            text.push_str(&aligned_left(&family.iter().map(line).collect::<Vec<_>>()));
        }
        if left_out > 0 {
            text.push_str(&format!(
                "  and {left_out} more pairs, see --json or --html\n"
            ));
        }
        match text.is_empty() {
            true => text,
            false => text + "\n",
        }
    }

    /// What numbers of labels count.
    pub(crate) fn per(&self) -> &'static str {
        match self.kind() {
            TaskKind::Classes => "labels a class",
            TaskKind::Numbers => "labels",
            TaskKind::LabelSets => "labelled samples",
            TaskKind::Masks => "masks",
        }
    }

    /// What is counted, in the singular.
    pub(crate) fn label_or_mask(&self) -> &'static str {
        match self.kind() {
            TaskKind::Masks => "mask",
            _ => "label",
        }
    }

    /// What the settings of a probe with all labels were chosen by, where that is not the training labels.
    pub(crate) fn val_note(&self, probe: &str) -> Option<String> {
        let mut rows = self.rows.iter().filter(|r| r.probe == probe);
        let row = rows.find(|row| row.val_labels > 0)?;
        Some(format!(
            "{}: settings chosen on {} val labels",
            row.labels, row.val_labels
        ))
    }

    /// The row whose labels are shown one by one: the first probe's, of `representation`, with the most labels.
    pub(crate) fn label_row(&self, representation: &str) -> Option<&Row> {
        let first = *probes_of(&self.rows).first()?;
        let rows = self.rows.iter();
        rows.filter(|r| r.representation == representation && r.is_under(first))
            .filter(|r| !r.label_scores.is_empty())
            .max_by_key(|r| r.labels)
    }

    /// The labels one by one, of the first representation.
    fn labels_table(&self) -> String {
        let Some(row) = self
            .rows
            .first()
            .and_then(|first| self.label_row(&first.representation))
        else {
            return String::new();
        };
        let titles = ["", "positive in test", "AUROC", "average precision"];
        let mut lines = vec![titles.map(String::from).to_vec()];
        let shown = |e: &Option<Estimate>| e.map_or("-".into(), |e| cell(e.mean, e.low, e.high));
        for score in row.label_scores.iter().take(LISTED) {
            lines.push(vec![
                score.label.clone(),
                score.positives.to_string(),
                shown(&score.auroc),
                shown(&score.average_precision),
            ]);
        }
        let mut text = format!(
            "labels on {}, {}, {} {}\n{}",
            row.representation,
            match row.probe.as_str() {
                HEAD => "own head".to_owned(),
                probe => format!("{probe} probe"),
            },
            row.labels,
            self.per(),
            aligned(&lines)
        );
        if let Some(more @ 1..) = row.label_scores.len().checked_sub(LISTED) {
            text.push_str(&format!("  and {more} more, see --json\n"));
        }
        text + "\n"
    }

    fn block(&self, rows: &[&Row]) -> String {
        let mut labels: Vec<Labels> = rows.iter().map(|r| r.labels).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut header = vec![String::new()];
        header.extend(labels.iter().map(Labels::to_string));
        let mut lines = vec![header];
        for (name, _) in &self.origins {
            let mut line = vec![name.clone()];
            line.extend(labels.iter().map(|l| {
                let row = rows
                    .iter()
                    .find(|r| r.labels == *l && r.representation == *name);
                let score = row.and_then(|row| row.main_score());
                score.map_or("-".into(), |s| cell(s.1.mean, s.1.low, s.1.high))
            }));
            lines.push(line);
        }
        let mut chance = vec!["chance".to_string()];
        chance.extend(labels.iter().map(|_| short(self.chance)));
        lines.push(chance);
        aligned(&lines)
    }

    fn shapes(&self) -> String {
        if self.geometry.is_empty() {
            return String::new();
        }
        let titles = [
            "",
            "dimensions",
            "effective rank",
            "alignment",
            "uniformity",
            "NMI",
            "ARI",
        ];
        let mut lines = vec![titles.map(String::from).to_vec()];
        let maybe = |value: Option<f64>| value.map_or("-".into(), short);
        for g in &self.geometry {
            lines.push(vec![
                g.representation.clone(),
                g.dim.to_string(),
                g.effective_rank
                    .map_or("-".into(), |rank| format!("{rank:.1}")),
                maybe(g.alignment),
                maybe(g.uniformity),
                maybe(g.nmi),
                maybe(g.ari),
            ]);
        }
        format!("shape of the test features\n{}\n", aligned(&lines))
    }

    /// The saving that the headline tells: of the first representation that has any, by its first
    /// probe, at ten labels a class, or else at the most labels whose worth is not just a bound. `None` where no
    /// difference is seen, or none to guessing.
    pub fn headline_saving(&self) -> Option<&Savings> {
        let is_known = |s: &&Savings| s.amount(&rounded).is_some() && self.doubt(s).is_none();
        self.chosen_saving().filter(is_known)
    }

    fn chosen_saving(&self) -> Option<&Savings> {
        let first = self.savings.first()?;
        let own = || {
            self.savings
                .iter()
                .filter(|s| s.representation == first.representation && s.probe == first.probe)
        };
        let ten = self
            .rows
            .iter()
            .find(|r| r.labels == Labels::PerClass(10))
            .map(|r| r.labelled);
        own()
            .find(|s| Some(s.labels) == ten)
            .or_else(|| {
                own()
                    .filter(|s| s.equals.is_some())
                    .max_by_key(|s| s.labels)
            })
            .or(Some(first))
    }

    /// What is said instead of a saving: that guessing lies within the interval of the score or above it, that no difference to
    /// the baseline with as many labels is seen, or that the curves leave it open.
    pub(crate) fn doubt(&self, saving: &Savings) -> Option<String> {
        let Savings {
            representation,
            labels,
            baseline,
            probe,
            ..
        } = saving;
        let mut rows = self.rows.iter();
        let own = rows.find(|r| {
            r.representation == *representation && r.is_under(probe) && r.labelled == *labels
        })?;
        let (_, score) = own.main_score()?;
        let what = self.label_or_mask();
        if score.low <= self.chance {
            return Some(format!(
                "{labels} {what}s on {representation} do no better than guessing, within the 95 % interval"
            ));
        }
        if !saving.seen {
            let mut pairs = self.comparisons.iter();
            let pair = pairs.find(|c| {
                let names = [&c.a, &c.b];
                c.probe == *probe
                    && c.labels == own.labels
                    && names.contains(&representation)
                    && names.contains(&baseline)
            })?;
            return Some(format!(
                "{labels} {what}s on {representation} and on {}: {}",
                plain(baseline),
                pair.verdict()
            ));
        }
        match saving.amount(&rounded) {
            Some(_) => None,
            None => Some(format!(
                "how many {what}s on {} do what {labels} {what}s on {representation} do is left open by the curves",
                plain(baseline)
            )),
        }
    }

    /// "100 labels on A do what 520 (95 % interval 410 to 690) labels do on raw pixels"; empty where
    /// nothing was compared.
    pub fn headline(&self) -> String {
        let Some(chosen) = self.chosen_saving() else {
            return String::new();
        };
        if let Some(doubt) = self.doubt(chosen) {
            return doubt;
        }
        chosen
            .sentence(self.label_or_mask(), &rounded)
            .unwrap_or_default()
    }
}

impl Savings {
    /// `520 (95 % interval 410 to 690)`, `at least 410`, `at most 690`; `None` where nothing is known. Counts are written by `count`.
    pub fn amount(&self, count: &dyn Fn(f64) -> String) -> Option<String> {
        if !self.seen {
            return None;
        }
        let equals = self.equals.map(|(first, last)| match last > 1.005 * first {
            true => format!("{} to {}", count(first), count(last)),
            false => count(first),
        });
        match (self.at_least, self.at_most, equals) {
            (Some(low), Some(high), Some(equals)) => Some(format!(
                "{equals} (95 % interval {} to {})",
                count(low),
                count(high)
            )),
            (Some(low), ..) => Some(format!("at least {}", count(low))),
            (None, Some(high), _) => Some(format!("at most {}", count(high))),
            (None, None, _) => None,
        }
    }

    /// The saving in words; `None` where nothing is known.
    fn sentence(&self, what: &str, count: &dyn Fn(f64) -> String) -> Option<String> {
        Some(format!(
            "{} {what}s on {} do what {} {what}s do on {}",
            self.labels,
            self.representation,
            self.amount(count)?,
            plain(&self.baseline)
        ))
    }
}

fn rounded(count: f64) -> String {
    format!("{count:.0}")
}

impl Nuisance {
    /// A line on it: a warning, or how well a domain can be read off; empty for a nuisance that cannot.
    fn line(&self) -> String {
        let Estimate { mean, low, high } = self.decodability;
        let (column, of, chance) = (&self.column, &self.representation, short(self.chance));
        let found = cell(mean, low, high);
        match (self.role, self.readable) {
            _ if !self.decodability.has_interval() => format!(
                "`{column}` is read off {of} with {found} (chance {chance}); there are too few test samples to say whether that is more than chance\n"
            ),
            (Role::Domain, true) => {
                format!("domain `{column}` can be read off {of}: {found} (chance {chance})\n")
            }
            (Role::Domain, false) => {
                format!("domain `{column}` cannot be read off {of}: {found} (chance {chance})\n")
            }
            _ if self.warning => format!(
                "warning: `{column}` can be read off {of} ({found} where guessing gives {chance})\n"
            ),
            _ => String::new(),
        }
    }
}

/// A baseline in words.
fn plain(baseline: &str) -> &str {
    match baseline {
        "pixels" => "raw pixels",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_is_named_first() {
        let nothing = Measurements {
            protocol: crate::probe::PROTOCOL,
            code_version: String::new(),
            data: "flowers.csv".into(),
            task: "species".into(),
            split_hash: String::new(),
            seed: 0,
            train: 0,
            val: 0,
            test: 0,
            classes: vec![],
            labels: vec![],
            mask_classes: vec![],
            chance: 0.0,
            origins: vec![],
            rows: vec![],
            scaling: crate::probe::Scaling::Auto,
            folds: 1,
            labels_hash: String::new(),
            comparisons: vec![],
            reliability: vec![],
            labels_alone: vec![],
            left_out: vec![],
            savings: vec![],
            geometry: vec![],
            nuisances: vec![],
            confusions: vec![],
        };
        assert_eq!(nothing.table(), "task: `species`\n");
    }
}
