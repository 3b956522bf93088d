//! Which of a file's tensors are the network's.
//!
//! Training code keeps a network in dictionaries (`state_dict`, `teacher`) and modules (`module.encoder_q.`). A
//! tensor's full name has them all before the network's own name. The prefix with which all names of the network
//! are found is the one to take; nothing depends on what it is called.

use std::collections::BTreeMap;

use super::contents::{Contents, Entry};
use crate::nn::weights::{Shapes, listed, mismatch};

/// Tensors whose names are a prefix and a name of the network.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    /// What comes before the network's names, with the last dot.
    pub(super) prefix: &'a str,
    /// Bytes of `prefix` that are keys of dictionaries.
    keys: usize,
    /// Places in the file's entries, by the network's names.
    pub(super) taken: BTreeMap<&'a str, usize>,
}

impl Candidate<'_> {
    /// Its prefix without the last dot, as `--weights-key` takes it.
    fn key(&self) -> &str {
        self.prefix.trim_end_matches('.')
    }

    /// Whether `key` is the prefix or some whole components of it.
    fn is_under(&self, key: &str) -> bool {
        let dotted = format!(".{}", self.prefix);
        match key.is_empty() {
            true => self.prefix.is_empty(),
            false => dotted.contains(&format!(".{key}.")),
        }
    }

    /// Number of tensors that have the network's shapes.
    fn shapes(&self, entries: &[Entry], needed: &Shapes) -> usize {
        let same = |(name, index): &(&&str, &usize)| entries[**index].shape == needed[**name];
        self.taken.iter().filter(same).count()
    }

    /// Where its tensors are, in words; `None` if names have no prefix.
    pub(super) fn place(&self) -> Option<String> {
        let (keys, names) = self.prefix.split_at(self.keys);
        let keys = keys.trim_end_matches('.');
        match (keys, names) {
            ("", "") => None,
            (keys, "") => Some(format!("under `{keys}`")),
            ("", names) => Some(format!("with names after `{names}`")),
            (keys, names) => Some(format!("under `{keys}`, names after `{names}`")),
        }
    }
}

/// The tensors that are all of the network's. `key` says which, where several are; tensors that several prefixes
/// share are no choice.
///
/// # Errors
/// None or several are: what there is, and what to do.
pub(super) fn choose<'a>(
    contents: &mut dyn Contents,
    entries: &'a [Entry],
    needed: &Shapes,
    key: Option<&str>,
) -> Result<Candidate<'a>, String> {
    if entries.is_empty() {
        return Err("there are no named tensors in it".into());
    }
    let all = candidates(entries, needed);
    let key = key.map(|key| key.trim_end_matches('.'));
    let asked = |candidate: &&Candidate| key.is_none_or(|key| candidate.is_under(key));
    let among: Vec<&Candidate> = all.iter().filter(asked).collect();
    let whole = |candidate: &&&Candidate| candidate.taken.len() == needed.len();
    let fits: Vec<&Candidate> = among.iter().filter(whole).copied().collect();
    let score = |candidate: &&Candidate| {
        let shorter = std::cmp::Reverse(candidate.prefix.len());
        let shapes = candidate.shapes(entries, needed);
        (candidate.taken.len(), shapes, shorter)
    };
    let Some(best) = fits.iter().copied().max_by_key(score) else {
        if let (Some(key), []) = (key, &among[..]) {
            return Err(no_such_key(key, &all, entries, needed));
        }
        let nearest = among.iter().copied().max_by_key(score);
        return Err(misfit(nearest, entries, needed));
    };
    if let Some(exact) = fits.iter().find(|fit| key == Some(fit.key())) {
        return Ok((*exact).clone());
    }
    let shapes = best.shapes(entries, needed);
    let mut rivals: Vec<&Candidate> = Vec::new();
    for fit in &fits {
        let equal = fit.shapes(entries, needed) == shapes && fit.prefix != best.prefix;
        if equal && !same_values(contents, best, fit) {
            rivals.push(fit);
        }
    }
    match rivals.is_empty() {
        true => Ok(best.clone()),
        false => Err(ambiguous(best, &rivals)),
    }
}

/// All prefixes with which a name of the network is found.
fn candidates<'a>(entries: &'a [Entry], needed: &Shapes) -> Vec<Candidate<'a>> {
    let mut found: BTreeMap<&str, Candidate> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let dots = entry.name.match_indices('.').map(|(dot, _)| dot + 1);
        for start in std::iter::once(0).chain(dots) {
            let (prefix, name) = entry.name.split_at(start);
            if needed.contains_key(name) {
                let candidate = found.entry(prefix).or_insert_with(|| Candidate {
                    prefix,
                    keys: entry.keys.min(start),
                    taken: BTreeMap::new(),
                });
                candidate.taken.insert(name, index);
            }
        }
    }
    found.into_values().collect()
}

/// Whether two prefixes lead to the same numbers.
fn same_values(contents: &mut dyn Contents, one: &Candidate, other: &Candidate) -> bool {
    let mut pairs = one.taken.values().zip(other.taken.values());
    pairs.all(|(&a, &b)| match (contents.values(a), contents.values(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    })
}

fn ambiguous(best: &Candidate, rivals: &[&Candidate]) -> String {
    let mut keys: Vec<&str> = rivals.iter().map(|rival| rival.key()).collect();
    keys.push(best.key());
    keys.sort_unstable();
    let flag = |key: &&str| match key.is_empty() {
        true => "--weights-key ''".to_owned(),
        false => format!("--weights-key {key}"),
    };
    format!(
        "has {} sets of weights that fit the network: {}; choose one with {}",
        keys.len(),
        listed(keys.iter().map(|key| format!("`{key}`"))),
        keys.iter()
            .take(3)
            .map(flag)
            .collect::<Vec<_>>()
            .join(" or ")
    )
}

fn no_such_key(key: &str, all: &[Candidate], entries: &[Entry], needed: &Shapes) -> String {
    let fits = all.iter().filter(|c| c.taken.len() == needed.len());
    let fits: Vec<String> = fits.map(|fit| format!("`{}`", fit.key())).collect();
    if !fits.is_empty() {
        let fits = listed(fits.into_iter());
        return format!("has no weights of the network under `{key}`; there are such under {fits}");
    }
    let mut first: Vec<&str> = entries.iter().map(|e| component(&e.name)).collect();
    first.sort_unstable();
    first.dedup();
    let first = listed(first.iter().map(|name| format!("`{name}`")));
    format!("has no weights of the network under `{key}`; what it has begins with {first}")
}

/// Why no prefix fits, by the names under the nearest one.
fn misfit(nearest: Option<&Candidate>, entries: &[Entry], needed: &Shapes) -> String {
    let prefix = nearest.map_or("", |candidate| candidate.prefix);
    let own = entries
        .iter()
        .filter_map(|entry| Some((entry.name.strip_prefix(prefix)?, entry)));
    let counted = own.filter(|(name, entry)| needed.contains_key(name) || !entry.is_counter());
    let found: Shapes = counted.map(|(name, e)| (name, &e.shape[..])).collect();
    let place = nearest.and_then(|candidate| {
        let (n, all) = (candidate.taken.len(), needed.len());
        let place = candidate.place()?;
        Some(format!(" (nearest are those {place}: {n} of {all} names)"))
    });
    let problem = mismatch(&found, needed).unwrap_or_default();
    misfit_text(&place.unwrap_or_default(), &problem)
}

/// That weights do not fit; `place` says which, after a blank, and `problem` how, in lines.
pub(super) fn misfit_text(place: &str, problem: &str) -> String {
    format!(
        "the weights do not fit the network{place}:{problem}\n  give the encoder and the settings with which they were \
         trained"
    )
}

/// All tensors of a file but those that are taken.
pub(super) struct Rest<'a> {
    /// Names after the prefix, with their places, of what seems to be part of another network.
    pub(super) extra: Vec<(&'a str, usize)>,
    /// Number of tensors that are left out, by the first component in which they differ from the prefix.
    left_out: BTreeMap<&'a str, usize>,
}

impl<'a> Rest<'a> {
    pub(super) fn of(candidate: &Candidate, entries: &'a [Entry], needed: &Shapes) -> Rest<'a> {
        let mut rest = Rest {
            extra: Vec::new(),
            left_out: BTreeMap::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            let own = entry.name.strip_prefix(candidate.prefix);
            if entry.is_counter() || own.is_some_and(|name| needed.contains_key(name)) {
                continue;
            }
            match own {
                Some(name) if !is_separate(name, needed) => rest.extra.push((name, index)),
                _ => {
                    let group = first_difference(&entry.name, candidate.prefix);
                    *rest.left_out.entry(group).or_default() += 1;
                }
            }
        }
        rest
    }

    /// What is left out, counted; `None` if nothing is.
    pub(super) fn note(&self) -> Option<String> {
        let count: usize = self.left_out.values().sum();
        let groups = self
            .left_out
            .iter()
            .map(|(name, n)| format!("`{name}` ({n})"));
        match count {
            0 => None,
            1 => Some(format!("left out 1 other tensor: {}", listed(groups))),
            _ => Some(format!(
                "left out {count} other tensors: {}",
                listed(groups)
            )),
        }
    }
}

/// Beginnings of names of parameters that only training needs.
const TRAINING: [&str; 6] = [
    "decoder",
    "mask_token",
    "queue",
    "center",
    "prototypes",
    "logit_scale",
];

/// Whether a tensor that the network lacks is of a part that does not change its features, such as a head: a module of
/// another kind than the network's own that does not normalise.
fn is_separate(name: &str, needed: &Shapes) -> bool {
    let part = component(name);
    if TRAINING.iter().any(|start| part.starts_with(start)) {
        return true;
    }
    // `layer5` is as much part of a network as its `layer4`.
    let kind = |part: &str| part.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let own = |needed: &&str| {
        let needed = component(needed);
        needed[..kind(needed)] == part[..kind(part)]
    };
    part.len() < name.len() && !part.contains("norm") && !needed.keys().any(own)
}

/// Up to the first dot.
fn component(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// The start of `name` up to the first component that `prefix` does not share.
fn first_difference<'a>(name: &'a str, prefix: &str) -> &'a str {
    let mut end = 0;
    for (own, shared) in name.split_inclusive('.').zip(prefix.split_inclusive('.')) {
        if own != shared {
            break;
        }
        end += own.len();
    }
    &name[..end + component(&name[end..]).len()]
}
