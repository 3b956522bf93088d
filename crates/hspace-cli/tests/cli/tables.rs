//! Inputs that other people's tools wrote, and what must be understood of them: one test a kind.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::{command, fails, ok};

/// A folder with one file.
fn with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

/// Lines of a table: a header, and what `row` gives for each number.
fn table(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    let mut text = format!("{header}\n");
    (0..rows).for_each(|i| writeln!(text, "{}", row(i)).unwrap());
    text
}

/// The accuracy (or R²) of the linear probe on a source, with all labels.
fn score(at: &Path, source: &str, data: &str, more: &str) -> f64 {
    let args =
        format!("probe {source} --data {data} --no-baselines --probe linear --json - {more}");
    let found: Value = serde_json::from_str(&ok(at, &args)).unwrap();
    found["rows"][0]["scores"][0][1]["mean"].as_f64().unwrap()
}

/// What `check` says, as JSON.
fn checked(at: &Path, args: &str) -> Value {
    serde_json::from_str(&ok(at, &format!("check {args} --json -"))).unwrap()
}

/// The role of each column in the order of the table.
fn roles(found: &Value) -> Vec<String> {
    let columns = found["reading"]["columns"].as_array().unwrap().iter();
    columns
        .map(|c| c["role"].as_str().unwrap().to_owned())
        .collect()
}

/// Standard error of a command that succeeds.
fn notes(at: &Path, args: &str) -> String {
    let output = command(at, args).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "hspace {args}: {text}");
    text
}

fn scrambled(i: usize) -> usize {
    i * 7919 % 13
}

#[test]
fn two_columns_that_claim_one_role_are_named_with_the_flag_that_decides() {
    let split = |i: usize| if i < 9 { "test" } else { "train" };
    let text = table("id,filename,f0,label,split", 40, |i| {
        format!("{i},f{i}.png,{},{},{}", scrambled(i), i % 2, split(i))
    });
    let folder = with("two.csv", &text);
    let at = folder.path();
    for args in [
        "probe pixels --data two.csv",
        "check two.csv",
        "embed pixels --data two.csv --out e.csv",
        "train --data two.csv --out r",
    ] {
        let error = fails(at, args);
        assert!(
            error.contains("`id` and `filename`") && error.contains("--id id"),
            "{args}: {error}"
        );
    }
    assert!(score(at, "pixels", "two.csv", "--id filename") >= 0.0);
    let text = table("a,Split,split", 40, |i| {
        format!("{},train,{}", scrambled(i), split(i))
    });
    let folder = with("s.csv", &text);
    let error = fails(folder.path(), "check s.csv");
    assert!(error.contains("--split-column Split"), "{error}");
    let found = checked(folder.path(), "s.csv --split-column split");
    assert_eq!(
        (found["train"].as_u64(), found["test"].as_u64()),
        (Some(31), Some(9))
    );
}

#[test]
fn numbers_of_rows_are_neither_features_nor_tasks() {
    let label = |i: usize| if i < 50 { "a" } else { "b" };
    for title in ["", "Unnamed: 0", "sample_id", "t"] {
        let text = table(&format!("{title},f0,label"), 100, |i| {
            format!("{i},{},{}", scrambled(i), label(i))
        });
        let folder = with("i.csv", &text);
        let found = checked(folder.path(), "i.csv");
        assert_eq!(roles(&found), ["id", "feature", "label"], "{title}");
        assert!(score(folder.path(), "pixels", "i.csv", "") < 0.8, "{title}");
        // A file of features alike.
        assert!(score(folder.path(), "i.csv", "i.csv", "") < 0.8, "{title}");
    }
}

#[test]
fn features_are_paired_by_ids_of_any_usual_name_and_by_position_only_when_asked() {
    let data = table("id,f0,label", 100, |i| {
        format!("{},{},{}", 3 * i, scrambled(i), i % 2)
    });
    let folder = with("data.csv", &data);
    let at = folder.path();
    let place = |i: usize| i * 37 % 100;
    for title in [
        "id",
        "ID",
        "Filename",
        "image",
        "file",
        "sample",
        "image_id",
        "file_name",
        "key",
    ] {
        let text = table(&format!("{title},e"), 100, |i| {
            format!("{},{}", 3 * place(i), place(i) % 2)
        });
        std::fs::write(at.join("f.csv"), text).unwrap();
        assert_eq!(score(at, "f.csv", "data.csv", ""), 1.0, "{title}");
    }
    let text = table("e,g", 100, |i| format!("{},{}", i % 2, scrambled(i)));
    std::fs::write(at.join("f.csv"), text).unwrap();
    let error = fails(at, "probe f.csv --data data.csv");
    assert!(
        error.contains("has no ids") && error.contains("--by-position"),
        "{error}"
    );
    assert_eq!(score(at, "f.csv", "data.csv", "--by-position"), 1.0);
}

#[test]
fn labels_do_not_leak_into_features() {
    for title in ["class", "Label", "Y", "label:kind"] {
        let text = table(&format!("id,f0,{title}"), 100, |i| {
            format!("s{i},{},{}", scrambled(i), i * 31 % 7 % 2)
        });
        let folder = with("leak.csv", &text);
        let [of_file, of_data] =
            ["leak.csv", "pixels"].map(|s| score(folder.path(), s, "leak.csv", ""));
        assert!(
            of_file < 0.8 && of_file == of_data,
            "{title}: {of_file} {of_data}"
        );
    }
    // One that is among the features under another name is warned of.
    let text = table("id,f0,copy,class", 100, |i| {
        let class = i * 31 % 7 % 2;
        format!("s{i},{},{class}.5,{class}", scrambled(i))
    });
    let folder = with("leak.csv", &text);
    let args = "probe pixels --data leak.csv --no-baselines --probe linear";
    let warned = notes(folder.path(), args);
    assert!(
        warned.contains("warning") && warned.contains("`copy`"),
        "{warned}"
    );
}

#[test]
fn what_embed_writes_is_read_back() {
    let text = table(
        "id,f0,f1,label,target:age,nuisance:site,domain:lab,group:patient,labels:tags,split",
        100,
        |i| {
            let split = ["train", "train", "val", "train", "test"][i % 5];
            let tags = ["a|b", "|", "", "c"][i % 4];
            let age = if i == 7 {
                String::new()
            } else {
                format!("{}.5", i)
            };
            format!(
                "9952793945419160{i:02},{},{},{},{age},{},{},p{},{tags},{split}",
                scrambled(i),
                i * 31 % 17,
                i % 3,
                i % 4,
                i % 2,
                i / 2
            )
        },
    );
    let folder = with("rt.csv", &text);
    let at = folder.path();
    for name in ["emb.csv", "emb.npz"] {
        ok(at, &format!("embed pixels --data rt.csv --out {name}"));
        let again = format!("again-{name}");
        ok(at, &format!("embed {name} --data {name} --out {again}"));
        let [first, second] = [name, &again].map(|name| std::fs::read(at.join(name)).unwrap());
        assert!(first == second, "{name} is not what it was");
        for label in ["label", "age"] {
            let more = format!("--label {label}");
            let [of_data, of_file] = ["rt.csv", name].map(|data| score(at, "emb.csv", data, &more));
            assert_eq!(of_data, of_file, "{name} {label}");
        }
        let found = checked(at, name);
        let splits = ["train", "val", "test"].map(|split| found[split].as_u64().unwrap());
        assert_eq!(splits, [60, 20, 20]);
        let names: Vec<&str> = found["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["role"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["label", "label", "nuisance", "domain", "group", "label"]
        );
    }
}

#[test]
fn marks_for_missing_values_are_no_classes() {
    let na = |i: usize| {
        if i == 7 {
            "NA".to_owned()
        } else {
            format!("{i}.5")
        }
    };
    let folder = with(
        "na.csv",
        &table("f0,target:age", 100, |i| format!("{i},{}", na(i))),
    );
    let at = folder.path();
    let found = checked(at, "na.csv");
    assert_eq!(found["columns"][0]["unknown"], 1);
    assert!(
        found["columns"][0]["values"]["numbers"].is_object(),
        "{found}"
    );
    assert!(score(at, "pixels", "na.csv", "") > 0.9);
    let text = table("f0,target:age", 100, |i| {
        format!("{},{}", scrambled(i), if i == 7 { ">89" } else { "12" })
    });
    std::fs::write(at.join("old.csv"), text).unwrap();
    let error = fails(at, "check old.csv");
    assert!(
        error.contains("line 9") && error.contains("`>89`"),
        "{error}"
    );
    let text = table("f0,label", 100, |i| {
        format!("{},{}", scrambled(i), ["NA", "DE", "nan", ">89", ""][i % 5])
    });
    std::fs::write(at.join("c.csv"), text).unwrap();
    let classes = |more: &str| {
        let found = checked(at, &format!("c.csv {more}"));
        found["columns"][0]["values"]["classes"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((classes(""), classes("--keep-na")), (2, 4));
    // Features without a value are refused with column and count, or filled or dropped.
    let text = table("f0,f1,label", 100, |i| {
        let gap = if i % 10 == 3 { "" } else { "2" };
        format!("{},{gap},{}", scrambled(i), i % 2)
    });
    std::fs::write(at.join("g.csv"), text).unwrap();
    let error = fails(at, "probe pixels --data g.csv");
    assert!(
        error.contains("`f1` 10 of 100") && error.contains("line 5"),
        "{error}"
    );
    let rows = |how: &str| {
        checked(at, &format!("g.csv --missing {how}"))["train"]
            .as_u64()
            .unwrap()
            + checked(at, &format!("g.csv --missing {how}"))["test"]
                .as_u64()
                .unwrap()
    };
    assert_eq!((rows("mean"), rows("drop")), (100, 90));
}

#[test]
fn large_common_parts_and_constant_columns_cost_no_digits() {
    let text = table("id,f,same,label", 50, |i| {
        format!("s{i},{},3,{}", 1_700_000_000 + i / 25 * 30 + i % 25, i / 25)
    });
    let folder = with("big.csv", &text);
    let at = folder.path();
    assert!(score(at, "pixels", "big.csv", "") > 0.95);
    assert!(score(at, "big.csv", "big.csv", "") > 0.95);
    let found = ok(at, "check big.csv");
    assert!(found.contains("subtracted in double precision"), "{found}");
    assert!(!found.contains("std         0.0000"), "{found}");
    assert!(
        found.contains("constant") && found.contains("same"),
        "{found}"
    );
}

#[test]
fn a_training_on_a_table_repeats_how_it_was_read() {
    let text = table("key;size;age;kind", 60, |i| {
        format!("k{i};{},5;{};{}", scrambled(i), i % 7, ["x", "NA"][i % 2])
    });
    let folder = with("t.csv", &text);
    let at = folder.path();
    let how = "--keep-na --role age=target --label kind --holdout 0.3";
    ok(
        at,
        &format!("train --data t.csv --out r --steps 3 --objective supervised --no-check {how}"),
    );
    let config = std::fs::read_to_string(at.join("r/config.toml")).unwrap();
    for part in ["[reading]", "keep_na = true", "age=target", "holdout = 0.3"] {
        assert!(config.contains(part), "{part}: {config}");
    }
    ok(at, "train --config r/config.toml --out again --no-check");
    let weights = |run: &str| std::fs::read(at.join(run).join("encoder.safetensors")).unwrap();
    assert_eq!(weights("r"), weights("again"));
    ok(at, "report r --labels all");
}

#[test]
fn an_interval_of_a_density_holds_its_estimate() {
    let folder = with(
        "dose.csv",
        &table("x", 400, |i| ["2.5", "5", "10", "20"][i % 4].to_owned()),
    );
    let args = "density dose.csv --candidates mixture --kind continuous --between 2.2,2.8 --json -";
    let found: Value = serde_json::from_str(&ok(folder.path(), args)).unwrap();
    let answer = &found["answers"][0]["fits"][0];
    let [low, high] = [0, 1].map(|end| answer["interval"][end].as_f64().unwrap());
    let estimate = answer["probability"].as_f64().unwrap();
    assert!(low < estimate && estimate < high, "{low} {estimate} {high}");
}

#[test]
fn pages_of_a_tiff_are_samples_channels_or_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::create_dir(at.join("d")).unwrap();
    // Three grey pages of 6 by 6 pixels, of noise, by Pillow: images[0].save(…, save_all=True, append_images=images[1:]).
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../hspace-core/tests/golden/pages.tif");
    for name in ["a.tif", "b.tif"] {
        std::fs::copy(&golden, at.join("d").join(name)).unwrap();
    }
    let first = checked(at, "d");
    assert_eq!(
        first["train"].as_u64().unwrap() + first["test"].as_u64().unwrap(),
        2
    );
    assert!(
        first["reading"]["notes"]
            .to_string()
            .contains("--pages samples")
    );
    let samples = checked(at, "d --pages samples");
    assert_eq!(
        samples["train"].as_u64().unwrap() + samples["test"].as_u64().unwrap(),
        6
    );
    // The pages of a file are one group, on one side of the split.
    assert_eq!(samples["columns"][0]["role"], "group");
    assert_eq!(samples["train"].as_u64().unwrap() % 3, 0);
    let channels = checked(at, "d --pages channels");
    assert_eq!(channels["channels"]["3"], 2);
}

#[test]
fn folders_keep_their_split_and_classes_next_to_a_table_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut listed = "file,sex\n".to_owned();
    for (i, split) in ["train", "train", "val", "test"]
        .iter()
        .cycle()
        .take(24)
        .enumerate()
    {
        let path = format!("{split}/{}/{i}.png", ["a", "b"][i % 2]);
        let whole = at.join("d").join(&path);
        std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
        image::GrayImage::from_fn(6, 6, |x, y| {
            image::Luma([(x * 31 + y * 17 + i as u32 * 7) as u8])
        })
        .save(whole)
        .unwrap();
        writeln!(listed, "{path},{}", ["m", "f"][i / 2 % 2]).unwrap();
    }
    std::fs::write(at.join("d/labels.csv"), listed).unwrap();
    let splits = |found: &Value| ["train", "val", "test"].map(|s| found[s].as_u64().unwrap());
    let found = checked(at, "d");
    assert_eq!(splits(&found), [12, 6, 6]);
    // `sex` is a label of the table, so folders are not taken for classes.
    assert_eq!(found["columns"][0]["name"], "sex");
    let found = checked(at, "d --role sex=nuisance");
    let names: Vec<&str> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!((names, splits(&found)), (vec!["label", "sex"], [12, 6, 6]));
}

#[test]
fn a_table_without_a_header_and_a_one_hot_task_are_understood() {
    let folder = with(
        "n.csv",
        &table("0,-1.341,b", 20, |i| format!("{i},0.{i},a")),
    );
    let error = fails(folder.path(), "check n.csv");
    assert!(error.contains("needs a header line"), "{error}");
    let folder = with(
        "h.csv",
        &table("f,t=a,t=b,u=x,u=y", 40, |i| {
            format!(
                "{},{},{},{},{}",
                scrambled(i),
                i % 2,
                i / 2 % 2,
                i % 2,
                1 - i % 2
            )
        }),
    );
    let task = |more: &str| {
        let found = checked(folder.path(), &format!("h.csv {more}"));
        found["columns"][0]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        [task(""), task("--label u"), task("--role t=ignore")],
        ["t", "u", "u"]
    );
}

#[test]
fn every_flag_that_a_message_names_exists() {
    let mut help = String::new();
    let commands = [
        "check",
        "train",
        "probe",
        "predict",
        "embed",
        "density",
        "compare",
        "report",
        "views",
        "import",
        "disentangle",
        "study",
        "traverse",
        "fidelity",
        "maps",
        "invert",
        "export",
        "bench",
        "sample",
        "reconstruct",
        "likelihood",
        "rank",
        "select",
        "shift",
        "robustness",
        "tasks",
        "start",
        "quickstart",
        "list",
    ];
    for name in commands {
        help += &ok(Path::new("."), &format!("{name} --help"));
    }
    let known =
        |flag: &str| help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n"));
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for file in sources(&crates) {
        let text = without_tests(&file);
        for (place, _) in text.match_indices("--") {
            let before = text[..place].chars().next_back();
            let name: String = text[place + 2..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            // Not `var(--accent)` of a style sheet.
            let style = text[..place].ends_with("var(");
            let starts = before.is_none_or(|c| " `\"(".contains(c)) && !style;
            if !starts || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            let flag = format!("--{}", name.trim_end_matches('-'));
            // Of cargo, in the text about builds.
            if ["--features", "--release", "--lib", "--help"].contains(&flag.as_str()) {
                continue;
            }
            seen += 1;
            assert!(
                known(&flag),
                "{}: {flag} is no flag of any command",
                file.display()
            );
        }
    }
    assert!(seen > 100, "{seen}");
}

/// A source file up to its tests: what those say is no advice.
fn without_tests(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Every source file of the crates, less their tests.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "tests" && name != "target" && name != "examples" {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

/// Every key that a message tells to set exists: `section.key=` and `--set section.key`.
#[test]
fn every_key_that_a_message_names_exists() {
    let mut known = ok(Path::new("."), "list objectives");
    for list in ["encoders", "views", "probes", "densities"] {
        known += &ok(Path::new("."), &format!("list {list}"));
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all: String = sources(&crates)
        .iter()
        .map(|file| without_tests(file))
        .collect();
    let mut seen = 0;
    for section in ["train", "objective", "encoder", "linear", "knn", "ridge"] {
        let start = format!("{section}.");
        for (place, _) in all.match_indices(&start) {
            let before = all[..place].chars().next_back().unwrap_or(' ');
            let key: String = all[place + start.len()..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            let after = all[place + start.len() + key.len()..].chars().next();
            // As text of a message `train.clip=1` or `train.batch_size={`, not as code.
            if after != Some('=') || !" `\"(".contains(before) || key.is_empty() {
                continue;
            }
            seen += 1;
            let field = format!("pub {key}:");
            assert!(
                all.contains(&field) || known.contains(&key),
                "{section}.{key} is no key"
            );
        }
    }
    assert!(seen > 20, "{seen}");
}
