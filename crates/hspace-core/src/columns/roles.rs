//! What each column of a table is for: the flags, then prefixes, then usual names, then its cells.
//!
//! 1. What `--role`, `--id`, `--split-column` and `--label` say.
//! 2. A prefix of the title, see [`header`](super::header).
//! 3. A usual name, in any case:
//!    - id: [`NAMES`](super::names::NAMES), by preference. Two of one preference are an error. An untitled column, or one that counts the
//!      rows, is the id where nothing better is, and else ignored. It is no feature, unless there is no other.
//!    - split: `split`; `subset`, `partition`, `set` or `fold` where all cells are names of splits.
//!    - tasks: `label`, `class`, `category`; `target` and `y`. One-hot columns `NAME=VALUE`.
//!    - groups: `patient`, `subject`, `participant`, with or without `_id`, where they repeat. `domain`; `mask` where it holds
//!      paths of pictures.
//! 4. Its cells. In a table of vectors numbers are features and text that repeats is a label; in a table of labels both are
//!    labels. Text that differs in every row, and a column without a value, are ignored.

use super::header::{Header, PREFIXES, Reading, Use};
use super::names::{GROUPS, MASKS, SPLITS, plain, rank, task_reading};
use super::profile::Profile;
use super::{Role, Values};
use crate::error::unknown;

/// Rows from which a column of text that differs in each is no class.
const MANY: usize = 10;
/// Rows from which whole numbers in order count the rows.
const COUNTED: usize = 8;

/// What the user says about columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Title of the column of ids.
    pub id: Option<String>,
    /// Title of the column of splits.
    pub split: Option<String>,
    /// Title of the column that is the task.
    pub label: Option<String>,
    /// Title and role, any of [`PREFIXES`], one after the other where a type follows (`nuisance:target`).
    pub roles: Vec<(String, String)>,
    /// Whether columns that the table does not have are passed over: it may be that the rules are for another table too.
    pub optional: bool,
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Vectors: numbers without a name that says otherwise are features.
    Vectors,
    /// What is known about samples that are elsewhere.
    Labels,
}

/// The kinds of rules, by falling authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// `--label`
    Task,
    /// Another flag.
    Flag,
    /// The prefix of its title.
    Prefix,
    /// A usual name.
    Name,
    /// Its cells.
    Cells,
}

/// A column with its use.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// Its title, taken apart.
    pub header: Header,
    /// What it is used for.
    pub usage: Use,
    /// The rule that says so.
    pub why: String,
    /// What kind of rule that is.
    pub by: By,
    /// Name and value of a one-hot column.
    pub one_hot: Option<(String, String)>,
}

/// The columns of a table with their uses, and what was guessed or ignored.
pub struct Assignment {
    /// In the order of the table.
    pub columns: Vec<Assigned>,
    /// In words.
    pub notes: Vec<String>,
}

/// The name in text: an untitled column has none.
fn named(title: &str) -> String {
    match title.trim() {
        "" => "the untitled column".to_owned(),
        title => format!("`{title}`"),
    }
}

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

struct Assigning<'a> {
    titles: &'a [String],
    profiles: &'a [Profile],
    holds: Holds,
    done: Vec<Option<Assigned>>,
    notes: Vec<String>,
}

/// Says what each column is for.
///
/// # Errors
/// A flag that names no column or no role; two columns that claim to be the id or the split; a column of numbers
/// that holds text too.
pub fn assign(
    titles: &[String],
    profiles: &[Profile],
    rules: &Rules,
    holds: Holds,
) -> Result<Assignment, Problem> {
    let embeddings = titles.iter().any(|title| is_embedding(title));
    let mut all = Assigning {
        titles,
        profiles,
        // Where features are named as embeddings, other numbers are none.
        holds: if embeddings { Holds::Labels } else { holds },
        done: vec![None; titles.len()],
        notes: Vec::new(),
    };
    all.flags(rules)?;
    all.prefixes();
    let why = "title `embedding_…`";
    all.each(is_embedding, Use::Feature, Reading::Numbers, why);
    all.one_hot();
    if let Some(label) = &rules.label {
        let columns = all.done.iter_mut().flatten();
        let of_task = columns.filter(|a| a.one_hot.as_ref().is_some_and(|(name, _)| name == label));
        of_task.for_each(|assigned| assigned.by = By::Task);
    }
    all.split()?;
    all.id()?;
    all.usual_names();
    for i in 0..titles.len() {
        if all.done[i].is_none() {
            all.by_cells(i)?;
        }
    }
    let mut columns: Vec<Assigned> = all.done.into_iter().flatten().collect();
    let features = columns.iter_mut().filter(|a| a.usage == Use::Feature);
    for assigned in features.filter(|_| holds == Holds::Labels) {
        assigned.usage = Use::Ignored;
        assigned.why = format!("{}; but the samples are elsewhere", assigned.why);
    }
    Ok(Assignment {
        columns,
        notes: all.notes,
    })
}

/// Why it cannot be said what columns are for.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// In words.
    Table(String),
    /// Of one row: its number, the column's title, and what is wrong.
    Row(usize, String, String),
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem::Table(text)
    }
}

fn is_embedding(title: &str) -> bool {
    let number = title.trim().strip_prefix("embedding_");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

impl Assigning<'_> {
    fn set(&mut self, i: usize, by: By, usage: Use, reading: Reading, why: impl Into<String>) {
        let header = Header::parse(&self.titles[i]);
        self.done[i] = Some(Assigned {
            header: Header { reading, ..header },
            usage,
            why: why.into(),
            by,
            one_hot: None,
        });
    }

    /// Sets every open column whose title `fits`.
    fn each(&mut self, fits: impl Fn(&str) -> bool, usage: Use, reading: Reading, why: &str) {
        for i in 0..self.titles.len() {
            if self.done[i].is_none() && fits(&self.titles[i]) {
                self.set(i, By::Name, usage, reading, why);
            }
        }
    }

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

    fn flags(&mut self, rules: &Rules) -> Result<(), String> {
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

    fn prefixes(&mut self) {
        for i in 0..self.titles.len() {
            let header = Header::parse(&self.titles[i]);
            let (None, Some(usage)) = (&self.done[i], header.usage) else {
                continue;
            };
            let title = self.titles[i].trim();
            let prefix = title.strip_suffix(&header.name).unwrap_or(title);
            let why = format!("prefix `{}`", prefix.trim());
            self.set(i, By::Prefix, usage, header.reading, why);
        }
    }

    /// Columns `NAME=VALUE` of 0 and 1, at least two of a name.
    fn one_hot(&mut self) {
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

    fn split(&mut self) -> Result<(), String> {
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

    /// Refuses two columns of one use.
    fn only_one(&self, usage: Use, what: &str, flag: &str) -> Result<(), String> {
        let is = |i: &usize| self.done[*i].as_ref().is_some_and(|a| a.usage == usage);
        let places: Vec<usize> = (0..self.titles.len()).filter(is).collect();
        match &places[..] {
            [first, second, ..] => Err(self.both(*first, *second, what, flag)),
            _ => Ok(()),
        }
    }

    fn both(&self, first: usize, second: usize, what: &str, flag: &str) -> String {
        let [a, b] = [first, second].map(|i| self.titles[i].trim());
        format!(
            "two columns can be the {what}: {} and {}; say which is with {flag} {}",
            named(a),
            named(b),
            crate::file::quoted(a)
        )
    }

    fn id(&mut self) -> Result<(), String> {
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

    fn usual_names(&mut self) {
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

    fn by_cells(&mut self, i: usize) -> Result<(), Problem> {
        let (title, p) = (&self.titles[i], &self.profiles[i]);
        let label = Use::Known(Role::Label);
        let unique_text = p.known() >= MANY && p.numbers == 0 && p.distinct() == Some(p.known());
        let (usage, reading, why) = match self.holds {
            _ if p.known() == 0 => (Use::Ignored, Reading::Text, "no value in any row"),
            _ if unique_text || p.numbers == 0 && p.distinct().is_none() => (
                Use::Ignored,
                Reading::Text,
                "text that differs in (almost) every row",
            ),
            Holds::Vectors if p.is_numeric() || p.is_boolean() => {
                (Use::Feature, Reading::Numbers, p.kind())
            }
            // A column of numbers with some text among them is not to be taken for classes.
            Holds::Vectors if 2 * p.numbers >= p.known() => {
                let (row, text) = p.first_text.clone().unwrap_or_default();
                let problem = format!(
                    "`{text}` is no finite number, but {} of its {} values are; mend it, or say what the column is: \
                     --role {}=label, or ignore",
                    p.numbers,
                    p.known(),
                    crate::file::quoted(title.trim())
                );
                return Err(Problem::Row(row, title.clone(), problem));
            }
            _ => (label, Reading::Guess, p.kind()),
        };
        if usage == Use::Ignored {
            let name = named(title);
            self.notes.push(format!("{name} is ignored: {why}"));
        }
        self.set(i, By::Cells, usage, reading, why);
        Ok(())
    }
}

fn named_title(title: &str) -> String {
    format!("`{}`", title.trim())
}

/// Columns in the order in which tasks are chosen: the first label is the default task; so where that would be one only
/// by its cells, the first that is named as a task goes before it. A table may have many `target:`; they do not.
/// `--label` goes before all.
pub fn task_first(columns: &mut [(Assigned, Values)]) {
    let is_label = |(a, _): &(Assigned, Values)| a.usage == Use::Known(Role::Label);
    let is_named = |(a, _): &(Assigned, Values)| match a.by {
        By::Prefix => a.header.reading != Reading::Numbers,
        by => by < By::Cells,
    };
    if let Some(task) = columns.iter().position(|(a, _)| a.by == By::Task) {
        columns[..=task].rotate_right(1);
        return;
    }
    let first = columns.iter().position(is_label);
    let named = columns.iter().position(|c| is_label(c) && is_named(c));
    if let (Some(first), Some(task)) = (first, named)
        && columns[first].0.by == By::Cells
    {
        columns[first..=task].rotate_right(1);
    }
}
