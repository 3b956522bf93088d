//! Which column names the samples, and which only names or counts rows.

use super::{Assigned, Assigning, By, Holds, named};
use crate::columns::header::{Reading, Use};
use crate::columns::names::{MASKS, plain, rank, task_reading};

/// Rows from which whole numbers in order count the rows.
const COUNTED: usize = 8;

impl Assigning<'_> {
    pub(super) fn both(&self, first: usize, second: usize, what: &str, flag: &str) -> String {
        let [a, b] = [first, second].map(|i| self.titles[i].trim());
        format!(
            "two columns can be the {what}: {} and {}; say which is with {flag} {}",
            named(a),
            named(b),
            crate::file::quoted(a)
        )
    }

    pub(super) fn id(&mut self) -> Result<(), String> {
        self.only_one(Use::Id, "id", "--id")?;
        let given = self.done.iter().flatten().any(|a| a.usage == Use::Id);
        let chosen = match given {
            true => None,
            false => self.choose_id()?,
        };
        if let Some((i, why)) = chosen {
            if why.contains("counts") || self.titles[i].trim().is_empty() {
                let name = named(&self.titles[i]);
                self.notes.push(format!("{name} is taken as the id: {why}"));
            }
            self.set(i, By::Name, Use::Id, Reading::Text, why);
        }
        let has_id = given || self.done.iter().flatten().any(|a| a.usage == Use::Id);
        // What names samples or counts rows is no feature and no task, whether it is the id or not.
        for i in 0..self.titles.len() {
            if self.done[i].is_some() {
                continue;
            }
            let (title, profile) = (&self.titles[i], &self.profiles[i]);
            let why = match rank(title) {
                Some(0) if has_id => "names samples; another column is the id",
                Some(1) if has_id && profile.is_unique() => {
                    "names samples; another column is the id"
                }
                Some(2) => "numbers of rows",
                _ if self.counts(i) => "counts the rows",
                _ => continue,
            };
            let advice = match title.trim() {
                "" => String::new(),
                title => format!(" (--role {}=ROLE uses it)", crate::file::quoted(title)),
            };
            self.notes
                .push(format!("{} is ignored: {why}{advice}", named(title)));
            self.set(i, By::Name, Use::Ignored, Reading::Text, why);
        }
        Ok(())
    }

    /// Whether a column counts the rows, and is not the only one that could be a feature.
    fn counts(&self, i: usize) -> bool {
        let counts = |i: usize| {
            let p = &self.profiles[i];
            p.rows >= COUNTED && p.counts_rows()
        };
        let is_number = |i: usize| {
            let (p, title) = (&self.profiles[i], &self.titles[i]);
            let open = self.done[i].is_none() && rank(title).is_none();
            open && (p.is_numeric() || p.is_boolean()) && task_reading(title).is_none()
        };
        let is_feature = |a: &Assigned| a.usage == Use::Feature;
        let others = || {
            (0..self.titles.len()).any(|j| {
                self.done[j].as_ref().is_some_and(is_feature) || (is_number(j) && !counts(j))
            })
        };
        counts(i)
            && task_reading(&self.titles[i]).is_none()
            && (self.holds == Holds::Labels || others())
    }

    /// The column of ids and why it is.
    fn choose_id(&self) -> Result<Option<(usize, String)>, String> {
        let open = || (0..self.titles.len()).filter(|&i| self.done[i].is_none());
        // Where samples are files, the column that names them.
        let matches = |&i: &usize| {
            let usual = rank(&self.titles[i]).is_some_and(|rank| rank < 2);
            (self.profiles[i].matches, usual, std::cmp::Reverse(i))
        };
        let is_mask = |i: &usize| MASKS.contains(&plain(&self.titles[*i]).as_str());
        let most = open().filter(|i| !is_mask(i)).max_by_key(matches);
        if let Some(i) = most
            && self.profiles[i].matches > 0
        {
            let count = self.profiles[i].matches;
            return Ok(Some((i, format!("names {count} of the pictures"))));
        }
        let unique = |i: &usize| self.profiles[*i].is_unique();
        for (wanted, only_unique) in [(0, false), (1, true)] {
            let ranked: Vec<usize> = open()
                .filter(|&i| rank(&self.titles[i]) == Some(wanted))
                .collect();
            let best: Vec<usize> = ranked.iter().copied().filter(unique).collect();
            let best = match (best.is_empty(), only_unique) {
                (true, false) => ranked,
                _ => best,
            };
            match best[..] {
                [] => {}
                [i] => return Ok(Some((i, format!("title {}", named(&self.titles[i]))))),
                [first, second, ..] => return Err(self.both(first, second, "id", "--id")),
            }
        }
        let untitled = open().find(|i| rank(&self.titles[*i]) == Some(2) && unique(i));
        let counting = || open().find(|&i| self.counts(i));
        Ok(match (untitled, counting()) {
            (Some(i), _) if self.titles[i].trim().is_empty() => Some((
                i,
                "it has no title, and a value of its own in each row".into(),
            )),
            (Some(i), _) => Some((i, format!("title {}", named(&self.titles[i])))),
            (None, Some(i)) => Some((i, "it counts the rows".into())),
            (None, None) => None,
        })
    }
}
