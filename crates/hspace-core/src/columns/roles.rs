//! What each column of a table is for: the flags, then prefixes, then usual names, then its cells.
//!
//! 1. What `--role`, `--id`, `--split-column` and `--label` say.
//! 2. A prefix of the title, see [`header`](super::header).
//! 3. A usual name, in any case:
//!    - id: see `columns/names.rs`, by preference. Two of one preference are an error. An untitled column, or one that counts the
//!      rows, is the id where nothing better is, and else ignored. It is no feature, unless there is no other.
//!    - split: `split`; `subset`, `partition`, `set` or `fold` where all cells are names of splits.
//!    - tasks: `label`, `class`, `category`; `target` and `y`. One-hot columns `NAME=VALUE`.
//!    - groups: `patient`, `subject`, `participant`, with or without `_id`, where they repeat. `domain`; `mask` where it holds
//!      paths of pictures.
//! 4. Its cells. In a table of vectors numbers are features and text that repeats is a label; in a table of labels both are
//!    labels. Text that differs in every row, and a column without a value, are ignored.

mod flags;
mod ids;
mod usual_names;

use super::header::{Header, Reading, Use};
use super::profile::Profile;
use super::{Role, Values};

/// Rows from which a column of text that differs in each is no class.
const MANY: usize = 10;

/// What the user says about columns.
///
/// ```
/// use hspace_core::columns::Rules;
/// use hspace_core::dataset::OpenOptions;
///
/// // The same as `--role site=domain --label age`.
/// let options = OpenOptions {
///     roles: vec!["site=domain".into()],
///     label: "age".into(),
///     ..OpenOptions::default()
/// };
/// let rules: Rules = options.table().rules;
/// assert_eq!(rules.roles, [("site".to_owned(), "domain".to_owned())]);
/// assert_eq!(rules.label.as_deref(), Some("age"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Title of the column of ids.
    pub id: Option<String>,
    /// Title of the column of splits.
    pub split: Option<String>,
    /// Title of the column that is the task.
    pub label: Option<String>,
    /// Title and role, any of [`PREFIXES`](crate::columns::header::PREFIXES), one after the other where a type follows (`nuisance:target`).
    pub roles: Vec<(String, String)>,
    /// Whether columns that the table does not have are passed over: it may be that the rules are for another table too.
    pub optional: bool,
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Vectors: numbers without a name that says otherwise are features.
    Vectors,
    /// What is known about samples that are elsewhere.
    Labels,
}

/// The kinds of rules, by falling authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
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
pub(crate) struct Assigned {
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
pub(crate) struct Assignment {
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
pub(crate) fn assign(
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
pub(crate) enum Problem {
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

    /// Refuses two columns of one use.
    fn only_one(&self, usage: Use, what: &str, flag: &str) -> Result<(), String> {
        let is = |i: &usize| self.done[*i].as_ref().is_some_and(|a| a.usage == usage);
        let places: Vec<usize> = (0..self.titles.len()).filter(is).collect();
        match &places[..] {
            [first, second, ..] => Err(self.both(*first, *second, what, flag)),
            _ => Ok(()),
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

/// Columns in the order in which tasks are chosen: the first label is the default task; so where that would be one only
/// by its cells, the first that is named as a task goes before it. A table may have many `target:`; they do not.
/// `--label` goes before all.
pub(crate) fn task_first(columns: &mut [(Assigned, Values)]) {
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
