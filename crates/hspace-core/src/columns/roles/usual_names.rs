//! Usual names of columns: `NAME=VALUE` of a one-hot encoding, splits, tasks, groups, domains, masks.

use super::{Assigning, By, named};
use crate::columns::Role;
use crate::columns::header::{Header, Reading, Use};
use crate::columns::names::{GROUPS, MASKS, SPLITS, plain, task_reading};
use crate::columns::profile::Profile;

impl Assigning<'_> {
    /// Columns `NAME=VALUE` of 0 and 1, at least two of a name.
    pub(super) fn one_hot(&mut self) {
        let parts = |title: &str| {
            let header = Header::parse(title);
            let (name, value) = header.name.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let whole = !name.is_empty() && !value.is_empty() && !value.contains('|');
            whole.then(|| (name.to_owned(), value.to_owned()))
        };
        let split: Vec<Option<(String, String)>> = (0..self.titles.len())
            .map(|i| {
                let open = self.done[i]
                    .as_ref()
                    .is_none_or(|a| matches!(a.usage, Use::Known(_)) && !a.why.starts_with("--"));
                parts(&self.titles[i]).filter(|_| open && self.profiles[i].is_binary())
            })
            .collect();
        for i in 0..split.len() {
            let Some((name, value)) = &split[i] else {
                continue;
            };
            let same = split
                .iter()
                .flatten()
                .filter(|(other, _)| other == name)
                .count();
            if same < 2 {
                continue;
            }
            if self.done[i].is_none() {
                let why = format!("one of {same} columns `{name}=…`");
                let usage = Use::Known(Role::Label);
                self.set(i, By::Name, usage, Reading::MultiLabel, why);
            }
            if let Some(assigned) = &mut self.done[i] {
                assigned.one_hot = Some((name.clone(), value.clone()));
            }
        }
    }

    pub(super) fn split(&mut self) -> Result<(), String> {
        let has = |all: &Assigning, usage: Use| all.done.iter().flatten().any(|a| a.usage == usage);
        if has(self, Use::Split) {
            self.only_one(Use::Split, "split", "--split-column")?;
            let why = "another column is the split";
            let is_split = |title: &str| plain(title) == "split";
            self.each(is_split, Use::Ignored, Reading::Text, why);
            return Ok(());
        }
        let all_splits = |p: &Profile| p.known() > 0 && p.splits == p.known();
        let named: Vec<usize> = (0..self.titles.len())
            .filter(|&i| self.done[i].is_none() && plain(&self.titles[i]) == "split")
            .collect();
        let guessed = (0..self.titles.len()).filter(|&i| {
            let usual = SPLITS.contains(&plain(&self.titles[i]).as_str());
            self.done[i].is_none() && usual && all_splits(&self.profiles[i])
        });
        let found = match named.is_empty() {
            true => guessed.collect(),
            false => named,
        };
        for i in found {
            let why = format!("title {}", named_title(&self.titles[i]));
            self.set(i, By::Name, Use::Split, Reading::Text, why);
        }
        self.only_one(Use::Split, "split", "--split-column")
    }

    pub(super) fn usual_names(&mut self) {
        for i in 0..self.titles.len() {
            if self.done[i].is_some() || self.profiles[i].known() == 0 {
                continue;
            }
            let (title, profile) = (plain(&self.titles[i]), &self.profiles[i]);
            let why = format!("title {}", named(&self.titles[i]));
            let known = |role| (Use::Known(role), Reading::Classes);
            let (usage, reading) = match title.as_str() {
                "labels" | "tags" if profile.bars > 0 => {
                    (Use::Known(Role::Label), Reading::MultiLabel)
                }
                title if task_reading(title).is_some() => (
                    Use::Known(Role::Label),
                    task_reading(title).unwrap_or(Reading::Guess),
                ),
                title if GROUPS.contains(&title) => known(Role::Group),
                "domain" => known(Role::Domain),
                title if MASKS.contains(&title) && profile.numbers == 0 => known(Role::Mask),
                _ => continue,
            };
            self.set(i, By::Name, usage, reading, why);
            if let Some(assigned) = &mut self.done[i] {
                // Plurals are what arrays are called.
                let name = assigned.header.name.to_lowercase();
                if let "labels" | "targets" = name.as_str() {
                    assigned.header.name = name.trim_end_matches('s').to_owned();
                }
            }
        }
    }
}

fn named_title(title: &str) -> String {
    format!("`{}`", title.trim())
}
