//! Measurements of several files as one, compared by their stored answers.

use super::comparison::compare;
use super::savings::savings;
use super::{Measurements, PROTOCOL, Row, Savings, probes_of};
use crate::error::{Error, Result};

/// The measurements `of` (where from, what), which are about the same labelled samples, as one: pairs across files are compared, and label
/// savings counted against `baseline`. A name that has other results in another file is followed by where it is from.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, join, measure};
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let of = |name, noise| {
///     measure(vec![Contender::Fixed(blobs(name, noise))], &options, "animals", &mut |_| ())
/// };
/// let files = vec![
///     ("monday.json".to_owned(), of("pixels", 0.9)?),
///     ("today.json".to_owned(), of("runs/a", 0.2)?),
/// ];
/// let joined = join(files, "pixels")?;
/// assert!(joined.comparisons.iter().all(|pair| pair.a == "runs/a" && pair.b == "pixels"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When they are of another protocol, or of other samples, labels, folds or draws, so that nothing can be paired.
pub fn join(of: Vec<(String, Measurements)>, baseline: &str) -> Result<Measurements> {
    let mut files = of.into_iter();
    let Some((first_from, mut joined)) = files.next() else {
        return Err(Error::config("there are no measurements to compare"));
    };
    check_protocol(&first_from, &joined)?;
    for (from, mut other) in files {
        check_protocol(&from, &other)?;
        check_pairs((&first_from, &joined), (&from, &other))?;
        let names: Vec<String> = other
            .origins
            .iter()
            .map(|origin| origin.0.clone())
            .collect();
        for name in names {
            if joined.origins.iter().all(|origin| origin.0 != name) {
                continue;
            }
            let rows = |m: &Measurements| -> Vec<Row> {
                let own = m.rows.iter().filter(|row| row.representation == name);
                own.cloned().collect()
            };
            let (ours, theirs) = (rows(&joined), rows(&other));
            let is_known = |row: &Row| ours.iter().any(|own| own.answers == row.answers);
            if theirs.iter().all(is_known) {
                other.remove(&name);
            } else {
                other.rename(&name, &format!("{name} ({from})"));
            }
        }
        joined.origins.extend(other.origins);
        joined.rows.extend(other.rows);
        joined.geometry.extend(other.geometry);
        joined.nuisances.extend(other.nuisances);
        joined.confusions.extend(other.confusions);
        joined.reliability.extend(other.reliability);
        joined.labels_alone.extend(other.labels_alone);
        joined.left_out.extend(other.left_out);
    }
    joined.compare(baseline)?;
    Ok(joined)
}

fn check_protocol(from: &str, m: &Measurements) -> Result<()> {
    match m.protocol {
        PROTOCOL => Ok(()),
        other => Err(Error::file(
            from,
            format!(
                "was measured by protocol {other}, and this hspace has protocol {PROTOCOL}; measure again"
            ),
        )),
    }
}

fn check_pairs((first, a): (&str, &Measurements), (from, b): (&str, &Measurements)) -> Result<()> {
    let different = [
        ("task", a.task != b.task),
        ("split", a.split_hash != b.split_hash),
        ("samples or labels", a.labels_hash != b.labels_hash),
        ("number of folds", a.folds != b.folds),
        ("seed of the draws", a.seed != b.seed),
    ];
    match different.iter().find(|(_, is)| *is) {
        None => Ok(()),
        Some((what, _)) => Err(Error::file(
            from,
            format!(
                "has another {what} than {first}, so its answers cannot be paired with those; measure both alike"
            ),
        )),
    }
}

impl Measurements {
    /// Compares all pairs of rows, and counts label savings against `baseline`.
    pub(super) fn compare(&mut self, baseline: &str) -> Result<()> {
        self.comparisons = compare(&self.rows);
        self.savings.clear();
        let mut curves: Vec<(&str, &str)> = Vec::new();
        let probes = probes_of(&self.rows);
        for row in &self.rows {
            for probe in probes.iter().filter(|probe| row.is_under(probe)) {
                let curve = (row.representation.as_str(), *probe);
                if curve.0 != baseline && !curves.contains(&curve) {
                    curves.push(curve);
                }
            }
        }
        let mut found: Vec<Savings> = Vec::new();
        for (name, probe) in curves {
            let of = |name: &str| -> Vec<&Row> {
                let rows = self.rows.iter();
                rows.filter(|r| r.representation == name && r.is_under(probe))
                    .collect()
            };
            let own = savings(&of(name), &of(baseline), &self.comparisons, self.seed)?;
            // Two own heads have the same savings by every probe.
            let fresh: Vec<Savings> = own.into_iter().filter(|s| !found.contains(s)).collect();
            found.extend(fresh);
        }
        self.savings = found;
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        self.origins.retain(|origin| origin.0 != name);
        self.rows.retain(|row| row.representation != name);
        self.geometry.retain(|g| g.representation != name);
        self.nuisances.retain(|n| n.representation != name);
        self.confusions.retain(|c| c.representation != name);
        self.reliability.retain(|r| r.representation != name);
        self.labels_alone.retain(|pair| pair.0 != name);
    }

    fn rename(&mut self, name: &str, new: &str) {
        let origins = self.origins.iter_mut().map(|origin| &mut origin.0);
        let rows = self.rows.iter_mut().map(|row| &mut row.representation);
        let geometry = self.geometry.iter_mut().map(|g| &mut g.representation);
        let nuisances = self.nuisances.iter_mut().map(|n| &mut n.representation);
        let confusions = self.confusions.iter_mut().map(|c| &mut c.representation);
        let reliability = self.reliability.iter_mut().map(|r| &mut r.representation);
        let alone = self.labels_alone.iter_mut();
        let alone = alone.flat_map(|(source, alone)| [source, &mut alone.baseline]);
        origins
            .chain(rows)
            .chain(geometry)
            .chain(nuisances)
            .chain(confusions)
            .chain(reliability)
            .chain(alone)
            .filter(|own| *own == name)
            .for_each(|own| new.clone_into(own));
    }
}
