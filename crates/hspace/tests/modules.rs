//! The modules of a crate use one another in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Of each top-level module the others that it uses, tests left out.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Files of Rust under `folder`, those of tests alone left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let (mut found, mut tests) = (Vec::new(), Vec::new());
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(sources(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        let home = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib") => folder.to_owned(),
            _ => path.with_extension(""),
        };
        let declared = text.split("#[cfg(test)]\nmod ").skip(1);
        let declared = declared.filter_map(|rest| rest.split_once(';'));
        tests.extend(declared.map(|(name, _)| home.join(name)));
        found.push(path);
    }
    found.retain(|path| {
        !tests
            .iter()
            .any(|test| path.with_extension("").starts_with(test))
    });
    found
}

/// The code of a source: no comments, no tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = text.unwrap_or_default().lines();
    let code = lines.filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// What follows `crate::`: a name, or several in braces.
fn first_names(rest: &str) -> Vec<String> {
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    let Some(inner) = rest.strip_prefix('{') else {
        return vec![rest.chars().take_while(is_name).collect()];
    };
    let (mut names, mut depth) = (vec![String::new()], 1);
    let mut in_first = true;
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                names.push(String::new());
                in_first = true;
            }
            ':' => in_first = false,
            c if depth == 1 && in_first && is_name(&c) => {
                names.last_mut().expect("a name").push(c);
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn uses(root: &Path) -> Uses {
    let mut uses = Uses::new();
    for path in sources(root) {
        let inner = path.strip_prefix(root).expect("under the root");
        let top = inner.with_extension("");
        let top = top
            .iter()
            .next()
            .and_then(|name| name.to_str())
            .expect("a name");
        let text = std::fs::read_to_string(&path).expect("a source");
        let own = uses.entry(top.to_owned()).or_default();
        for rest in code(&text).split("crate::").skip(1) {
            own.extend(first_names(rest));
        }
    }
    // What is left are modules of this crate: no items of its root, no module of hspace-core.
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for (module, used) in &mut uses {
        used.retain(|name| modules.contains(name) && name != module);
    }
    uses
}

/// A way from `at` back to the first of `path`, whose modules were gone through.
fn cycle(uses: &Uses, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<String> {
    let at = path.last().cloned().expect("a module");
    for next in &uses[&at] {
        if let Some(first) = path.iter().position(|module| module == next) {
            return Some(format!("{} → {next}", path[first..].join(" → ")));
        }
        if done.contains(next) {
            continue;
        }
        path.push(next.clone());
        if let Some(found) = cycle(uses, path, done) {
            return Some(found);
        }
        path.pop();
    }
    done.insert(at);
    None
}

fn cycle_of(uses: &Uses) -> Option<String> {
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|module| cycle(uses, &mut vec![module.clone()], &mut done))
}

#[test]
fn top_level_modules_form_no_cycle() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // With a use that must be there, or nothing was read.
    for (name, module, used) in [
        ("hspace", "training", "objective"),
        ("hspace", "objective", "encoder"),
        ("hspace-kernels", "conv", "product"),
    ] {
        let uses = uses(&crates.join(name).join("src"));
        assert!(uses[module].contains(used), "{name}: {uses:?}");
        assert_eq!(cycle_of(&uses), None, "{name}");
    }
}

#[test]
fn cycles_are_found() {
    let uses = |pairs: &[(&str, &[&str])]| -> Uses {
        let own = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let each = pairs
            .iter()
            .map(|(name, used)| (name.to_string(), own(used)));
        each.collect()
    };
    let tree = uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert_eq!(cycle_of(&tree), None);
    let round = uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
    assert_eq!(cycle_of(&round).as_deref(), Some("b → c → b"));
    let text = "use crate::b;\n// use crate::c;\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n";
    assert_eq!(code(text), "use crate::b;");
    assert_eq!(first_names("b::{c, d};"), ["b"]);
    assert_eq!(first_names("{b, c::{d, e}, f::g};"), ["b", "c", "f"]);
}
