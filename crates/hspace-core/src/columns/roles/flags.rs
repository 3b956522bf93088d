//! What the user says columns are for: `--role`, `--id`, `--split-column`, `--label`.

use super::{Assigned, Assigning, By, Rules};
use crate::columns::Role;
use crate::columns::header::{Header, PREFIXES, Reading, Use};
use crate::columns::names::{MASKS, plain, task_reading};
use crate::error::unknown;

/// The place of a column by its title or, without prefixes, its name; in any case, where no other fits better.
fn find(titles: &[String], wanted: &str) -> Option<usize> {
    let name = |title: &String| Header::parse(title).name;
    let exact = titles.iter().position(|title| title == wanted);
    exact
        .or_else(|| titles.iter().position(|title| name(title) == wanted))
        .or_else(|| {
            let same = |title: &String| name(title).to_lowercase() == wanted.to_lowercase();
            titles.iter().position(same)
        })
}

impl Assigning<'_> {
    /// The column that a flag names; all columns of a one-hot encoding, if it names that.
    fn find(&self, what: &str, wanted: &str) -> Result<Vec<usize>, String> {
        if let Some(i) = find(self.titles, wanted) {
            return Ok(vec![i]);
        }
        let is_part = |i: &usize| {
            let name = Header::parse(&self.titles[*i]).name;
            name.split_once('=')
                .is_some_and(|(name, _)| name.trim() == wanted)
        };
        let parts: Vec<usize> = (0..self.titles.len()).filter(is_part).collect();
        let known = || self.titles.iter().map(String::as_str);
        match parts.is_empty() {
            true => Err(unknown(what, wanted, known())),
            false => Ok(parts),
        }
    }

    pub(super) fn flags(&mut self, rules: &Rules) -> Result<(), String> {
        let found =
            |assigning: &Self, what: &str, wanted: &String| match assigning.find(what, wanted) {
                Err(_) if rules.optional => Ok(Vec::new()),
                found => found,
            };
        for (wanted, role) in &rules.roles {
            for i in found(self, "column in --role", wanted)? {
                let name = Header::parse(&self.titles[i]).name;
                let header = Header::parse(&format!("{role}:{name}"));
                let Some(usage) = header.usage else {
                    return Err(unknown("role in --role", role, PREFIXES));
                };
                self.done[i] = Some(Assigned {
                    header: Header { name, ..header },
                    usage,
                    why: format!("--role {role}"),
                    by: By::Flag,
                    one_hot: None,
                });
            }
        }
        for (flag, wanted, usage) in [
            ("--id", &rules.id, Use::Id),
            ("--split-column", &rules.split, Use::Split),
        ] {
            if let Some(wanted) = wanted {
                for i in found(self, &format!("column in {flag}"), wanted)? {
                    self.set(i, By::Flag, usage, Reading::Text, flag);
                }
            }
        }
        // Of a one-hot encoding the columns are put together first.
        if let Some(wanted) = &rules.label
            && let [i] = found(self, "column", wanted)?[..]
        {
            let header = Header::parse(&self.titles[i]);
            let reading = match (&self.done[i], header.usage, task_reading(&self.titles[i])) {
                (Some(assigned), ..) => assigned.header.reading,
                (None, Some(Use::Known(_)), _) => header.reading,
                (None, _, usual) => usual.unwrap_or(Reading::Guess),
            };
            // A task of masks remains one.
            let is_mask = match &self.done[i] {
                Some(assigned) => assigned.usage == Use::Known(Role::Mask),
                None => self.is_mask(i),
            };
            let role = if is_mask { Role::Mask } else { Role::Label };
            self.set(i, By::Task, Use::Known(role), reading, "--label");
        }
        Ok(())
    }

    /// Whether a column holds masks, by its prefix, or by a usual name and its cells.
    fn is_mask(&self, i: usize) -> bool {
        let usage = Header::parse(&self.titles[i]).usage;
        let usual = MASKS.contains(&plain(&self.titles[i]).as_str());
        usage == Some(Use::Known(Role::Mask))
            || usage.is_none() && usual && self.profiles[i].numbers == 0
    }
}
