//! Usual names of columns, in any case.

use super::header::Reading;

/// Usual names of ids, in lower case, by falling preference.
pub const NAMES: [&[&str]; 3] = [
    &[
        "id",
        "ids",
        "filename",
        "filenames",
        "file_name",
        "file_names",
        "filepath",
        "file_path",
        "path",
        "paths",
        "image_path",
        "img_path",
        "image_id",
        "image_ids",
        "img_id",
        "sample_id",
        "sample_ids",
        "row_id",
        "uid",
        "uuid",
        "guid",
    ],
    &[
        "file",
        "files",
        "image",
        "images",
        "img",
        "sample",
        "samples",
        "key",
        "keys",
        "name",
        "names",
        "patient",
        "patient_id",
        "subject",
        "subject_id",
        "participant",
        "participant_id",
    ],
    &[
        "",
        "index",
        "idx",
        "no",
        "nr",
        "#",
        "row",
        "row_number",
        "rownames",
        "row_names",
        "level_0",
    ],
];
/// Names of splits.
pub const SPLITS: [&str; 5] = ["split", "subset", "partition", "set", "fold"];
/// Names of groups.
pub const GROUPS: [&str; 6] = [
    "patient",
    "patient_id",
    "subject",
    "subject_id",
    "participant",
    "participant_id",
];
/// Names of masks.
pub const MASKS: [&str; 3] = ["mask", "masks", "mask_path"];
/// A title in lower case, with `_` for blanks and hyphens; what pandas calls `Unnamed: 0` has none.
pub fn plain(title: &str) -> String {
    let title = title.trim().to_lowercase();
    match title.starts_with("unnamed:") {
        true => String::new(),
        false => title.replace([' ', '-'], "_"),
    }
}

/// How good a name of ids a title is, 0 the best.
pub fn rank(title: &str) -> Option<usize> {
    let title = plain(title);
    NAMES
        .iter()
        .position(|names| names.contains(&title.as_str()))
}

/// How a column is read whose title names a task.
pub fn task_reading(title: &str) -> Option<Reading> {
    match plain(title).as_str() {
        "label" | "labels" | "class" | "classes" | "category" => Some(Reading::MostlyClasses),
        "target" | "targets" | "y" => Some(Reading::Guess),
        _ => None,
    }
}
