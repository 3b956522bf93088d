//! Fits and outliers as text.

use super::Kind;
use super::fit::{ColumnFits, Fit, Unfit};
use super::outliers::{OutlierRow, Outliers};
use super::questions::{Answer, Probability};
use super::space::SpaceFits;
use crate::stats::Estimate;
use crate::text::{aligned, short};

impl ColumnFits {
    /// The values, the ranking, what could not be fitted, the answers.
    pub fn table(&self) -> String {
        let s = self.summary;
        let mut text = format!(
            "{} values of `{}`, {} missing: {} to {}, median {}, mean {}, standard deviation {}\n",
            self.count,
            self.column,
            self.missing,
            number(s.least),
            number(s.greatest),
            number(s.median),
            number(s.mean),
            number(s.std)
        );
        if self.kind == Kind::Counts {
            text.push_str("whole numbers: taken as counts (--kind continuous: as measurements)\n");
        }
        if self.is_constant() {
            text.push_str("all values are equal\n");
        }
        if let Some(diagnosis) = self.diagnose() {
            text.push_str(&format!("{diagnosis}\n"));
        }
        let held = match self.folds {
            0 => "not held out: there are too few values".to_owned(),
            folds => format!("mean held-out log-likelihood over {folds} folds, in nats a value"),
        };
        let what = match self.kind {
            Kind::Counts => "probabilities of counts",
            _ => "densities",
        };
        if !self.fits.is_empty() {
            text.push_str(&format!(
                "\n{what}, best first: {held}\n{}",
                ranking(&self.fits)
            ));
        }
        if !self.apart.is_empty() {
            text.push_str(&format!(
                "\ndensities of the same numbers, which are no probabilities: compare these lines with each other alone\n{}",
                ranking(&self.apart)
            ));
        }
        let every = || self.fits.iter().chain(&self.apart);
        if every().any(|f| f.behind.is_some()) {
            text.push_str(
                "behind the best: mean gap in held-out log-likelihood, and how large it is at least (all of them with 95 % confidence);\n\
                 at 0 or below these values show no difference. No upper end: a value far out that this sample lacks could make it any size\n",
            );
        }
        if every().any(|f| f.p.is_some()) {
            text.push_str(&format!(
                "KS p: Kolmogorov-Smirnov by parametric bootstrap ({} resamples), since the parameters were fitted to the same values; small means the density is wrong\n",
                self.resamples
            ));
        }
        if every().any(|f| f.impossible > 0) {
            text.push_str("impossible: so many held-out values had no density at all\n");
        }
        for (name, reason) in self.remarks() {
            text.push_str(&format!("{name}: {reason}\n"));
        }
        for answer in &self.answers {
            text.push_str(&format!("\nprobability of {}\n", answer.question));
            let mut lines = vec![
                ["", "probability", "95 % interval"]
                    .map(String::from)
                    .to_vec(),
                line(
                    &answer.share,
                    &format!("data ({} of {})", answer.observed, self.count),
                ),
            ];
            lines.extend(answer.fits.iter().map(|p| line(p, &p.name)));
            text.push_str(&aligned(&lines));
            for (names, reason) in answer.without_interval() {
                text.push_str(&format!("no interval of {names}: {reason}\n"));
            }
        }
        text
    }
}

impl ColumnFits {
    /// What has no fit, no place or no test, with the reason; not of too few values, nor of what follows any
    /// data, which is said once for all.
    pub(crate) fn remarks(&self) -> Vec<(&str, String)> {
        let mut remarks: Vec<(&str, String)> = Vec::new();
        for Unfit { name, reason } in &self.unfit {
            remarks.push((name, format!("not fitted: {reason}")));
        }
        for fit in self.fits.iter().chain(&self.apart) {
            if let Some(reason) = fit.not_held_out.as_ref().filter(|_| self.folds > 0) {
                remarks.push((&fit.name, format!("not held out: {reason}")));
            }
            let tested = fit.free.is_some() && self.resamples > 0;
            if let Some(reason) = fit.untested.as_ref().filter(|_| tested) {
                remarks.push((&fit.name, format!("not tested: {reason}")));
            }
        }
        remarks
    }
}

fn line(p: &Probability, name: &str) -> Vec<String> {
    let interval = p.interval.map_or("-".into(), |[low, high]| {
        format!("{} .. {}", number(low), number(high))
    });
    vec![name.to_owned(), number(p.probability), interval]
}

/// `.848 (.812 to .880)`; the value alone where no interval is known.
fn score(e: &Estimate) -> String {
    match e.has_interval() {
        true => format!("{} ({} to {})", short(e.mean), short(e.low), short(e.high)),
        false => short(e.mean),
    }
}

impl Answer {
    /// Fits without an interval, by the reason.
    pub(crate) fn without_interval(&self) -> Vec<(String, &str)> {
        let mut by_reason: Vec<(String, &str)> = Vec::new();
        for Probability {
            name, no_interval, ..
        } in &self.fits
        {
            let Some(reason) = no_interval.as_deref() else {
                continue;
            };
            match by_reason.iter_mut().find(|r| r.1 == reason) {
                Some((names, _)) => names.push_str(&format!(", {name}")),
                None => by_reason.push((name.clone(), reason)),
            }
        }
        by_reason
    }
}

fn p_value(p: Option<f64>) -> String {
    p.map_or("-".into(), |p| format!("{p:.3}"))
}

fn ranking(fits: &[Fit]) -> String {
    let titles = [
        "",
        "held out",
        "behind the best",
        "AIC",
        "BIC",
        "KS",
        "KS p",
        "fitted",
    ];
    let mut lines = vec![titles.map(String::from).to_vec()];
    for (i, fit) in fits.iter().enumerate() {
        let held_out = match fit.held_out {
            Some(value) => format!("{value:.4}"),
            None if fit.impossible > 0 => format!("{} impossible", fit.impossible),
            None => "-".into(),
        };
        let behind = match fit.behind {
            // One that ties with the best is ahead by less than is shown.
            Some(b) => {
                let seen = if fit.no_difference {
                    ", no difference seen"
                } else {
                    ""
                };
                format!("{:.4} (at least {:.4}{seen})", b.mean.max(0.0), b.at_least)
            }
            None if i == 0 && fit.held_out.is_some() => "best".into(),
            None => "-".into(),
        };
        let whole = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.1}"));
        let fitted: Vec<String> = fit
            .parameters
            .iter()
            .map(|(name, value)| format!("{name} {}", number(*value)))
            .collect();
        lines.push(vec![
            fit.name.clone(),
            held_out,
            behind,
            whole(fit.aic),
            whole(fit.bic),
            format!("{:.4}", fit.distance),
            p_value(fit.p),
            fitted.join(", "),
        ]);
    }
    // The last column is text: to the left, after the others.
    let fitted: Vec<String> = lines.iter_mut().filter_map(Vec::pop).collect();
    let table = aligned(&lines);
    let rows: Vec<&str> = table.lines().collect();
    let width = rows.iter().map(|r| r.chars().count()).max().unwrap_or(0);
    let both = rows.iter().zip(&fitted);
    let all = both.map(|(row, fitted)| format!("{row:width$}  {fitted}\n"));
    all.collect()
}

impl Outliers {
    /// One line a density.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} features of {}: fitted to {} training rows of {}; {} test rows of it against {} rows of {}\n\
             positive class: the rows of {} (95 % intervals in brackets)\n",
            self.dim,
            self.representation,
            self.train,
            self.data,
            self.test,
            self.outliers,
            self.against,
            self.against
        );
        let titles = [
            "",
            "AUROC",
            "AUPR",
            "FPR at 95 % TPR",
            "missed at 95 % passed",
            "chosen",
        ];
        let mut lines = vec![titles.map(String::from).to_vec()];
        for row in &self.rows {
            let mut line = vec![row.name.clone()];
            line.extend(row.scores.iter().map(|(_, e)| score(e)));
            line.push(row.chosen.clone());
            lines.push(line);
        }
        let chance = self.outliers as f64 / (self.outliers + self.test) as f64;
        let mut last = vec!["chance".to_owned()];
        last.extend([0.5, chance, 0.95, 0.95].map(short));
        last.push(String::new());
        lines.push(last);
        text.push_str(&aligned(&lines));
        text.push_str(
            "FPR at 95 % TPR: share of ordinary rows flagged where 95 % of the outliers are\n\
             missed at 95 % passed: share of outliers that pass where 95 % of ordinary rows pass\n\
             no intervals: of AUPR, whose bias in small samples is not known, and where there are fewer than 10 rows, or 72 rows for a threshold\n",
        );
        if self.inverted() {
            text.push_str(
                "AUROC below .5: the other data are more ordinary to that density than the test rows, as simpler data often are\n",
            );
        }
        for unfit in &self.unfit {
            text.push_str(&format!("not fitted: {}: {}\n", unfit.name, unfit.reason));
        }
        text
    }

    /// Whether some density takes the other data for the more ordinary.
    pub(crate) fn inverted(&self) -> bool {
        self.rows.iter().any(|row| {
            row.scores
                .first()
                .is_some_and(|(_, auroc)| auroc.has_interval() && auroc.high < 0.5)
        })
    }

    /// What was found, in a sentence.
    pub fn headline(&self) -> String {
        let by =
            |a: &&OutlierRow, b: &&OutlierRow| a.scores[0].1.mean.total_cmp(&b.scores[0].1.mean);
        let (Some(least), Some(most)) = (self.rows.iter().min_by(by), self.rows.iter().max_by(by))
        else {
            return String::new();
        };
        let auroc =
            |row: &OutlierRow| format!("{:.1} % ({})", 100.0 * row.scores[0].1.mean, row.name);
        let much = match self.rows.len() {
            1 => auroc(most),
            _ => format!("{} to {}", auroc(least), auroc(most)),
        };
        format!(
            "A row of {} lies farther out than a test row of {} {much} of the time.",
            self.against, self.data
        )
    }
}

impl SpaceFits {
    /// One line a density, best first.
    pub fn table(&self) -> String {
        let titles = ["", "held out", "behind the best", "chosen"];
        let mut lines = vec![titles.map(String::from).to_vec()];
        for (i, fit) in self.fits.iter().enumerate() {
            let behind = match fit.behind {
                Some(b) => {
                    let seen = if fit.no_difference {
                        ", no difference seen"
                    } else {
                        ""
                    };
                    format!("{:.2} (at least {:.2}{seen})", b.mean, b.at_least)
                }
                None if i == 0 => "best".into(),
                None => "-".into(),
            };
            let held_out = format!("{:.2}", fit.held_out);
            lines.push(vec![fit.name.clone(), held_out, behind, fit.chosen.clone()]);
        }
        let mut text = format!(
            "{} features of {}: densities fitted to {} training samples, mean log-likelihood of {} test samples in nats a sample\n\
             (behind the best: mean gap, and how large it is at least, all with 95 % confidence)\n{}",
            self.dim,
            self.representation,
            self.train,
            self.test,
            aligned(&lines)
        );
        for unfit in &self.unfit {
            text.push_str(&format!("not fitted: {}: {}\n", unfit.name, unfit.reason));
        }
        text
    }

    /// What was found, in a sentence.
    pub fn headline(&self) -> String {
        let (Some(best), close) = (self.fits.first(), self.fits.iter().skip(1)) else {
            return String::new();
        };
        let close: Vec<&str> = close
            .filter(|f| f.no_difference)
            .map(|f| f.name.as_str())
            .collect();
        let also = match close.as_slice() {
            [] => String::new(),
            names => format!("; these samples show no difference to {}", names.join(", ")),
        };
        format!(
            "The best density of {} is {}{also}.",
            self.representation, best.name
        )
    }
}

/// Four digits; small and large ones with a power of ten.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
