//! A shift as text.

use super::{Reliability, Shift, ShiftRow};
use crate::dataset::Role;
use crate::probe::{Estimate, HEAD, Labels};
use crate::text::{aligned, cell, short};

/// Difference of accuracy and balanced accuracy from which on both are shown.
const APART: f64 = 0.05;

fn interval(e: &Estimate) -> String {
    cell(e.mean, e.low, e.high)
}

fn optional(e: Option<&Estimate>) -> String {
    e.map_or("–".to_owned(), interval)
}

/// `62 % (48 to 75)`
fn share(e: &Estimate) -> String {
    let percent = |x: f64| format!("{:.0}", 100.0 * x);
    format!(
        "{} % ({} to {})",
        percent(e.mean),
        percent(e.low),
        percent(e.high)
    )
}

/// The source's name, with the probe where that is not the usual one.
fn source(row: &ShiftRow) -> String {
    match row.probe.as_str() {
        HEAD | "linear" => row.source.clone(),
        other => format!("{} ({other})", row.source),
    }
}

fn labels(row: &ShiftRow) -> String {
    match row.labels {
        Labels::All => "all".to_owned(),
        Labels::PerClass(k) => k.to_string(),
    }
}

fn has_several_labels(rows: &[&ShiftRow]) -> bool {
    rows.iter().any(|row| row.labels != rows[0].labels)
}

impl Shift {
    /// A table for each pair of domains, and how far apart the domains are.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (home, away) in self.directions() {
            text += &self.pair(&home, &away);
        }
        for choice in &self.choices {
            text += &choice.text();
            text.push('\n');
        }
        text += &self.domains_text();
        if !self.left_out.is_empty() {
            text += &format!("left out, for lack of time: {}\n", self.left_out.join("; "));
        }
        text
    }

    /// Each pair of domains, once.
    pub(crate) fn directions(&self) -> Vec<(Vec<String>, String)> {
        let mut all: Vec<(Vec<String>, String)> = Vec::new();
        for row in &self.rows {
            let own = (row.home.clone(), row.away.clone());
            if !all.contains(&own) {
                all.push(own);
            }
        }
        all
    }

    /// The rows of one pair of domains by labels, the best first.
    pub(crate) fn sorted(&self, home: &[String], away: &str) -> Vec<&ShiftRow> {
        let is_own = |row: &&ShiftRow| row.home == home && row.away == away;
        let mut own: Vec<&ShiftRow> = self.rows.iter().filter(is_own).collect();
        own.sort_by(|a, b| {
            let labels = a.labels.cmp(&b.labels);
            labels.then(b.score.mean.total_cmp(&a.score.mean))
        });
        own
    }

    /// Whether accuracy alone misleads between two domains: classes are mixed otherwise, or the mean of the recalls is another than the accuracy.
    pub(crate) fn needs_balanced(&self, home: &[String], away: &str) -> bool {
        let is = |name: &String| name == away || home.contains(name);
        let own = self.inputs.iter().filter(|d| is(&d.a) && is(&d.b));
        let mut mixes = own.filter_map(|d| d.class_mix);
        let apart = |row: &&ShiftRow| {
            let balanced = row.balanced.as_ref();
            balanced.is_some_and(|b| (b.mean - row.score.mean).abs() >= APART)
        };
        mixes.any(|mix| mix >= super::inputs::CLASS_MIX)
            || self.sorted(home, away).iter().any(apart)
    }

    /// The table of one pair.
    fn pair(&self, home: &[String], away: &str) -> String {
        let own = self.sorted(home, away);
        let mut text = format!(
            "{}: learned in {}, tested in {away} ({} test samples)\n",
            self.measure,
            home.join(" + "),
            own.first().map_or(0, |row| row.tested)
        );
        let differs = self.needs_balanced(home, away);
        let several = has_several_labels(&own);
        let compared = own.iter().any(|row| row.gain.is_some());
        let mut head = vec!["source"];
        if several {
            head.push("labels");
        }
        head.extend(["at home", "away"]);
        if differs {
            head.push("balanced");
        }
        head.extend(["drop", "ceiling"]);
        if compared {
            head.extend(["gain", "gap closed"]);
        }
        let mut lines = vec![head.into_iter().map(String::from).collect::<Vec<_>>()];
        for row in &own {
            let mut line = vec![source(row)];
            line.extend(several.then(|| labels(row)));
            line.extend([optional(row.at_home.as_ref()), interval(&row.score)]);
            if differs {
                line.push(optional(row.balanced.as_ref()));
            }
            line.extend([optional(row.drop.as_ref()), optional(row.ceiling.as_ref())]);
            if compared {
                line.push(optional(row.gain.as_ref()));
                line.push(row.closed.as_ref().map_or("–".to_owned(), share));
            }
            lines.push(line);
        }
        text += &aligned(&lines);
        text += &self.calibration_text(&own);
        text.push('\n');
        text
    }

    /// Whether the probabilities of the sources can be relied on away, next to at home; empty where that is not known.
    fn calibration_text(&self, own: &[&ShiftRow]) -> String {
        if own.iter().all(|row| row.calibration.is_none()) {
            return String::new();
        }
        let several = has_several_labels(own);
        let title = |column: &str| format!("{column}: at home");
        let mut head = vec!["source".to_owned()];
        head.extend(several.then(|| "labels".to_owned()));
        for column in ["calibration error", "too sure by", "confident half wrong"] {
            head.extend([title(column), "away".to_owned()]);
        }
        let mut lines = vec![head];
        for row in own {
            let mut line = vec![source(row)];
            line.extend(several.then(|| labels(row)));
            let both = [&row.calibration_at_home, &row.calibration];
            let number = |of: fn(&Reliability) -> String| {
                both.map(|c| c.as_ref().map_or("–".to_owned(), of))
            };
            line.extend(number(|c| interval(&c.error)));
            line.extend(number(|c| short(c.confidence.overconfidence)));
            line.extend(number(|c| short(c.confidence.confident_error)));
            lines.push(line);
        }
        format!("\n{}", aligned(&lines))
    }

    fn domains_text(&self) -> String {
        let mut text = String::new();
        for found in self.decodability.iter().filter(|n| n.role == Role::Domain) {
            text += &format!(
                "{} is decoded from {} with a balanced accuracy of {} (chance {})\n",
                found.column,
                found.representation,
                interval(&found.decodability),
                short(found.chance)
            );
        }
        if self.distances.is_empty() {
            return text;
        }
        let titles = ["representation", "domains", "MMD²", "CORAL", "A-distance"];
        let mut lines = vec![titles.map(String::from).to_vec()];
        for d in &self.distances {
            lines.push(vec![
                d.representation.clone(),
                format!("{}, {}", d.a, d.b),
                short(d.mmd),
                format!("{:.2e}", d.coral),
                optional(d.a_distance.as_ref()),
            ]);
        }
        text + "\n" + &aligned(&lines)
    }

    /// For each pair of domains what the best source that does not adapt loses, and whether those that adapt help, in sentences.
    pub fn headline(&self) -> String {
        let mut said = Vec::new();
        for (home, away) in self.directions() {
            let place = format!("from {} to {away}", home.join(" + "));
            let own = self.sorted(&home, &away);
            let most = own.iter().map(|row| row.labels).max();
            let own = own.into_iter().filter(|row| Some(row.labels) == most);
            let (adapted, plain): (Vec<&ShiftRow>, Vec<_>) = own.partition(|row| row.adapts);
            said.extend(
                plain
                    .first()
                    .and_then(|best| self.loss(best, plain.len(), &place)),
            );
            // The best of those that adapt, and all that do harm.
            let count = adapted.len();
            let worth = adapted.into_iter().enumerate();
            let worth = worth.filter(|(i, row)| *i == 0 || hurts(row));
            said.extend(worth.filter_map(|(i, row)| help(row, &place, (i == 0).then_some(count))));
        }
        let sentence = |text: String| text[..1].to_uppercase() + &text[1..];
        let said: Vec<String> = said.into_iter().map(sentence).collect();
        said.join(". ")
    }

    /// `from a to b pixels, the best of 4 sources there, loses .120 of accuracy`
    fn loss(&self, best: &ShiftRow, sources: usize, place: &str) -> Option<String> {
        let drop = best.drop.as_ref()?;
        let among = match sources {
            1 => String::new(),
            _ => format!(", the best of {sources} sources there,"),
        };
        if drop.has_interval() && drop.low <= 0.0 {
            let source = &best.source;
            return Some(format!(
                "{place} {source}{among} loses nothing that is seen"
            ));
        }
        Some(format!(
            "{place} {}{among} loses {} of {}",
            best.source,
            short(drop.mean),
            self.measure.replace('_', " ")
        ))
    }
}

/// Whether a source that adapts is seen to be worse than its reference.
fn hurts(row: &ShiftRow) -> bool {
    row.gain
        .is_some_and(|gain| gain.has_interval() && gain.high < 0.0)
}

/// Whether a source that adapts is better than its reference; `None` where it has none. It may be the best of so many.
fn help(row: &ShiftRow, place: &str, best_of: Option<usize>) -> Option<String> {
    let gain = row.gain.as_ref()?;
    let source = match best_of {
        Some(count) if count > 1 => format!("{}, the best of {count} that adapt,", row.source),
        _ => row.source.clone(),
    };
    let (low, high) = match gain.mean < 0.0 {
        true => (-gain.high, -gain.low),
        false => (gain.low, gain.high),
    };
    let by = format!(
        "{} ({} to {})",
        short(gain.mean.abs()),
        short(low),
        short(high)
    );
    Some(match () {
        () if gain.has_interval() && gain.low > 0.0 => {
            format!("{place} {source} helps: better by {by} than what learns at home alone")
        }
        () if gain.has_interval() && gain.high < 0.0 => {
            format!("{place} {source} hurts: worse by {by} than what learns at home alone")
        }
        () => format!("{place} {source} makes no difference that is seen"),
    })
}
