//! What a user calls has an example that runs: every public function, trait and type with public functions of its own.
//!
//! Types whose fields say all need none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Public for those who write views, and shown by none of their own.
const WITHOUT: &[&str] = &["Canvas"];

/// The public items of a crate: where each is, and whether an example is part of its documentation.
#[derive(Default)]
struct Items {
    functions: BTreeMap<String, bool>,
    traits: BTreeMap<String, bool>,
    types: BTreeMap<String, bool>,
    /// Public functions of types, by type.
    methods: BTreeMap<String, Vec<(String, bool)>>,
}

/// The first word of `text` after `prefix`.
fn name<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// What a module re-exports of `child`.
fn exported(text: &str, child: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in text.split("\npub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        if let Some(rest) = statement.strip_prefix(&format!("{child}::")) {
            let parts = rest.trim_matches(['{', '}']).split(',');
            names.extend(parts.map(|part| part.trim().to_owned()));
        }
    }
    names
}

impl Items {
    /// Adds the items of the module in `file`, those of `only` where it is private, and its children's in the folder `home`.
    fn add(&mut self, file: &Path, home: &Path, only: Option<&BTreeSet<String>>) {
        let text = std::fs::read_to_string(file).expect("a source");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
        let is_public = |name: &str| only.is_none_or(|names| names.contains(name));
        let (mut has_example, mut in_block, mut of) = (false, false, None);
        for line in text.lines() {
            let bare = line.trim_start();
            let inner = line.len() - bare.len() == 4;
            if bare.starts_with("///") {
                if bare.starts_with("/// ```") {
                    has_example |= !in_block && bare == "/// ```";
                    in_block = !in_block;
                }
                continue;
            }
            if bare.starts_with("#[") {
                continue;
            }
            if line.starts_with("impl") && !line.contains(" for ") {
                let generics = line.find("> ").filter(|_| line.starts_with("impl<"));
                let rest = generics.map_or(&line[4..], |at| &line[at + 1..]).trim();
                of = name(rest, "").map(str::to_owned);
            } else if line.starts_with('}') {
                of = None;
            } else if let (true, Some(of), Some(method)) = (inner, &of, name(bare, "pub fn ")) {
                let methods = self.methods.entry(of.clone()).or_default();
                methods.push((method.to_owned(), has_example));
            }
            let found = |prefix: &str| name(line, prefix).filter(|name| is_public(name));
            let kinds = [
                (found("pub fn "), &mut self.functions),
                (found("pub trait "), &mut self.traits),
                (found("pub struct ").or(found("pub enum ")), &mut self.types),
            ];
            for (found, kind) in kinds {
                if let Some(name) = found {
                    kind.insert(format!("{}: {name}", file.display()), has_example);
                }
            }
            let modules = [
                ("pub mod ", true),
                ("mod ", false),
                ("pub(crate) mod ", false),
            ];
            for (prefix, public) in modules {
                let Some(child) = name(line, prefix).filter(|_| line.ends_with(';')) else {
                    continue;
                };
                let path = home.join(format!("{child}.rs"));
                let names = exported(text, child);
                if only.is_none() && (public || !names.is_empty()) {
                    self.add(&path, &home.join(child), (!public).then_some(&names));
                } else if path.exists() {
                    // Its methods may be those of public types.
                    self.add(&path, &home.join(child), Some(&BTreeSet::new()));
                }
            }
            has_example = false;
        }
    }

    /// The public items without an example.
    fn bare(&self) -> Vec<String> {
        let without = |(item, has): (&String, &bool)| (!has).then(|| item.clone());
        let mut bare: Vec<String> = self.functions.iter().filter_map(without).collect();
        bare.extend(self.traits.iter().filter_map(without));
        for (item, has) in &self.types {
            let name = item.rsplit(' ').next().unwrap_or_default();
            let methods = self.methods.get(name).map_or(&[][..], Vec::as_slice);
            let shown = *has || WITHOUT.contains(&name) || methods.iter().all(|method| method.1);
            bare.extend((!shown).then(|| item.clone()));
        }
        bare
    }
}

fn items(folder: &str) -> Items {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut items = Items::default();
    items.add(&source.join("lib.rs"), &source, None);
    items
}

#[test]
fn what_a_user_calls_has_an_example() {
    for (folder, functions, types) in [("src", 80, 40), ("../hspace-core/src", 60, 100)] {
        let items = items(folder);
        let found = (items.functions.len(), items.types.len());
        assert!(
            found.0 > functions && found.1 > types,
            "{folder}: {found:?}"
        );
        let bare = items.bare();
        assert!(
            bare.is_empty(),
            "add an example to the documentation, or make it pub(crate):\n{}",
            bare.join("\n")
        );
    }
}

#[test]
fn examples_and_exports_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "lib.rs",
        "pub mod open;\nmod hidden;\n\npub use hidden::{Shown, act};\n",
    );
    let shown = "/// Text.\n///\n/// ```\n/// act();\n/// ```\n#[derive(Debug)]\n";
    write(
        "hidden.rs",
        &format!(
            "{shown}pub fn act() {{}}\npub struct Shown;\npub struct Inner;\nimpl Inner {{\n    pub fn a() {{}}\n}}\nimpl<T> Shown {{\n    pub fn b() {{}}\n}}\n"
        ),
    );
    write(
        "open.rs",
        "/// Fields say all.\npub struct Plain;\n/// ```text\n/// x\n/// ```\npub fn bare() {}\n#[cfg(test)]\nmod tests {\n    pub fn c() {}\n}\n",
    );
    let mut items = Items::default();
    items.add(&folder.path().join("lib.rs"), folder.path(), None);
    let names = items.bare().into_iter();
    let names = names.map(|item| item.rsplit(' ').next().unwrap_or_default().to_owned());
    assert_eq!(names.collect::<Vec<_>>(), ["bare", "Shown"]);
}
