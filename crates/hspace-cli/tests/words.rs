//! The field's own words: no name and no text uses a private one.

use std::fs;
use std::path::{Path, PathBuf};

/// Names of types and functions that were replaced by the field's own.
const NAMES: &[(&str, &str)] = &[
    ("Facts", "DataSpec"),
    ("Which", "Subset"),
    ("Turn", "UpdateGroup"),
    ("Weighed", "ImportanceTerms"),
    ("remedy", "advice"),
    ("fooled", "generator_loss"),
    ("encode_silently", "encode_without_bn_update"),
    ("each_other", "symmetric"),
    ("Drawer", "GenerativeModel"),
    ("Story", "ReportInput"),
    ("Student", "InverseEncoder"),
    ("Still", "ConstantFeatures"),
    ("WayBack", "Backward"),
    ("awake", "keep_workers_spinning"),
    ("Onto", "Accumulate"),
    ("Ending", "BlockEpilogue"),
    ("forward_behind", "forward_fused_prologue"),
    ("Gate", "ReluMask"),
];

/// Words of comments, help, messages and documents.
const WORDS: &[(&str, &str)] = &[
    ("beside", "compared with, next to, in addition to"),
    ("told", "reported, distinguished"),
    ("way back", "backward pass"),
    ("anew", "again"),
    ("twin", "naive implementation"),
    ("stands for", "represents"),
    ("goes along", "is computed with"),
    ("not to be had", "does not exist"),
    ("Those of", "the noun itself"),
    ("hears", "is called with"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files with one of these endings under `folder`, without build outputs and data.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let skipped = ["target", "data", "golden", ".git", "runs"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !skipped.contains(&&*name) {
            found.extend(files(&path, endings));
        } else if path
            .extension()
            .is_some_and(|e| endings.contains(&&*e.to_string_lossy()))
        {
            found.push(path);
        }
    }
    found
}

/// Whether `text` has `word` with no letter, digit or underscore before or after it.
fn has(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Comments and string literals of a line of Rust.
fn prose(line: &str) -> String {
    match line.find("//") {
        Some(at) if !line[..at].contains('"') => line[at..].to_owned(),
        _ => line
            .split('"')
            .skip(1)
            .step_by(2)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A line of Rust without comments and string literals.
fn code(line: &str) -> String {
    let outside = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let end = outside.find("//").unwrap_or(outside.len());
    outside[..end].to_owned()
}

/// Lines with a word of the list: file, line, word, and what to write instead.
fn found(paths: &[PathBuf], list: &[(&str, &str)], part: impl Fn(&str) -> String) -> Vec<String> {
    let mut all = Vec::new();
    for path in paths {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (word, better) in list.iter().filter(|(word, _)| has(&part(line), word)) {
                let path = path.display();
                all.push(format!("{path}:{}: `{word}`: write {better}", number + 1));
            }
        }
    }
    all
}

#[test]
fn names_and_texts_use_the_field_s_words() {
    let mut sources = files(&root().join("crates"), &["rs"]);
    sources.retain(|path| !path.ends_with("tests/words.rs"));
    assert!(sources.len() > 300, "{} files", sources.len());
    let mut documents = files(&root(), &["md"]);
    // Made by older versions, as their heads say.
    documents.retain(|path| {
        !path.ends_with("docs/objectives.md") && !path.ends_with("docs/explicit.md")
    });
    assert!(documents.len() > 50, "{} documents", documents.len());
    let mut problems = found(&sources, NAMES, code);
    problems.extend(found(&sources, WORDS, prose));
    problems.extend(found(&documents, WORDS, str::to_owned));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn words_are_found_in_comments_and_texts_alone() {
    assert!(has("beside it", "beside") && !has("besides", "beside") && !has("a_told", "told"));
    assert_eq!(prose("let x = told; // a twin"), "// a twin");
    assert_eq!(prose("say(\"told\", x)"), "told");
    assert_eq!(prose("let told = 1;"), "");
    assert_eq!(code("let x = f(\"Turn\"); // Turn"), "let x = f( ); ");
}
