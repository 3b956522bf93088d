//! `hspace shift` through the binary.

use std::fmt::Write;
use std::path::Path;

use crate::rank::json;
use crate::{fails, ok};

/// Samples of two classes from each of `labs`, distinguished by u; in lab `b` u and w are less by 1.5. One sample of a third class.
fn table(at: &Path, name: &str, labs: &[&str], with_lab: bool) {
    let mut text = String::from("id,split,u,v,w,label");
    text += if with_lab { ",lab\n" } else { "\n" };
    for (place, lab) in labs.iter().enumerate() {
        for i in 0..160 {
            let noise = |salt: usize| ((i * 7919 + salt * 104_729) % 1009) as f64 / 1009.0 - 0.5;
            let moved = if *lab == "b" { 1.5 } else { 0.0 };
            let (class, x) = match i {
                3 if *lab == "a" => ("odd", 9.0),
                _ if i % 2 == 0 => ("no", 0.0),
                _ => ("yes", 2.0),
            };
            let (x, y, z) = (
                x + noise(place) - moved,
                noise(place + 5),
                noise(place + 9) - moved,
            );
            let split = if i / 2 % 2 == 0 { "train" } else { "test" };
            write!(text, "{lab}{i},{split},{x:.3},{y:.3},{z:.3},{class}").unwrap();
            text += &if with_lab {
                format!(",{lab}\n")
            } else {
                "\n".into()
            };
        }
    }
    std::fs::write(at.join(name), text).unwrap();
}

#[test]
fn each_lab_against_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "cells.csv", &["a", "b"], true);
    let shift = "shift pixels supervised:mlp:width=8 --data cells.csv --domain lab";
    let text = ok(at, &format!("{shift} --json s.json --html s.html"));
    for part in [
        "inputs of a and b",
        "accuracy: learned in a, tested in b",
        "accuracy: learned in b, tested in a",
        "at home",
        "ceiling",
        "lab is decoded from pixels",
        "A-distance",
        "confident half wrong: at home",
        "From a to b ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(at, "s.json");
    let rows = found["rows"].as_array().unwrap();
    let of = |source: &str| {
        let own = rows
            .iter()
            .find(|row| row["source"] == source && row["away"] == "b");
        own.unwrap_or_else(|| panic!("{source}")).clone()
    };
    for source in ["pixels", "supervised:mlp:width=8"] {
        let row = of(source);
        assert!(row["drop"]["low"].as_f64().unwrap() > 0.1, "{row}");
        assert!(row["ceiling"]["mean"].as_f64().unwrap() > 0.9, "{row}");
        assert_eq!(row["adapts"], false);
        for place in ["calibration_at_home", "calibration"] {
            assert!(row[place]["error"]["mean"].is_f64(), "{row}");
            assert!(
                row[place]["confidence"]["confident_error"].is_f64(),
                "{row}"
            );
        }
    }
    let page = std::fs::read_to_string(at.join("s.html")).unwrap();
    assert!(
        page.contains("Confident half wrong, at home")
            && page.contains("At home and away")
            && page.contains("cells.csv")
            || page.contains("lab")
    );
    // What was measured is not measured again.
    assert!(std::fs::metadata(at.join("s.answers.jsonl")).unwrap().len() > 0);
    let again = ok(at, &format!("{shift} --json s.json"));
    assert!(text.contains(again.trim()), "{again}");
    assert_eq!(found["rows"], json(at, "s.json")["rows"]);
}

#[test]
fn two_data_sets_and_a_method_that_sees_unlabelled_samples_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "mine.csv", &["a"], false);
    table(at, "theirs.csv", &["b"], false);
    let text = ok(
        at,
        "shift pixels label_spreading:pixels --data mine.csv --target theirs.csv --no-baselines --json s.json",
    );
    assert!(text.contains("learned in mine, tested in theirs"), "{text}");
    assert!(!text.contains("learned in theirs"), "{text}");
    assert!(text.contains("gain"), "{text}");
    let found = json(at, "s.json");
    let rows = found["rows"].as_array().unwrap();
    let adapts = rows.iter().find(|row| row["adapts"] == true).unwrap();
    assert_eq!(adapts["source"], "label_spreading:pixels");
    assert!(adapts["gain"]["mean"].is_f64());
    // The one sample of a third class is left out.
    assert!(found["inputs"][0]["class_mix"].as_f64().unwrap() < 0.05);
}

/// The second time, too, when an answers file could be there.
#[test]
fn a_choice_is_made_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "cells.csv", &["a", "b"], true);
    let shift = "shift mcc:mlp:width=8:train.steps=30 coral:mlp:width=8:train.steps=30 --data cells.csv --domain lab --from a --to b \
                 --select --json s.json";
    for _ in 0..2 {
        let text = ok(at, shift);
        assert!(
            text.contains("chosen from a to b without a label from b"),
            "{text}"
        );
        let choices = json(at, "s.json")["choices"].clone();
        let first = choices[0]["candidates"][0]["source"].as_str().unwrap();
        assert!(first.starts_with("supervised:mlp"), "{first}");
    }
    assert!(fails(at, &format!("{shift} --answers a.jsonl")).contains("--answers"));
    // Ten labels can refuse a choice, and no more can be asked for than there are.
    ok(at, &format!("{shift} --target-labels 10"));
    let choice = json(at, "s.json")["choices"][0].clone();
    let veto = &choice["veto"];
    assert!(veto.is_null() || veto["labels"] == 10, "{choice}");
    assert!(choice["candidates"][0]["validation"].is_f64());
    let few = fails(at, &format!("{shift} --target-labels 500"));
    assert!(few.contains("--target-labels 500: b has"), "{few}");
}

/// The network whose batch normalisation is fitted to lab b is another than the one that is not.
#[test]
fn tent_adapts_in_the_last_part_of_its_training() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "cells.csv", &["a", "b"], true);
    ok(
        at,
        "shift tent:mlp:width=8:share=0.5:train.steps=60 --data cells.csv --domain lab --from a --to b --json s.json",
    );
    let found = json(at, "s.json");
    let rows = found["rows"].as_array().unwrap();
    let adapted = rows.iter().find(|row| row["adapts"] == true).unwrap();
    assert!(adapted["source"].as_str().unwrap().starts_with("tent:mlp"));
    assert!(
        adapted["gain"]["mean"].as_f64().unwrap() != 0.0,
        "{adapted}"
    );
    let refused = fails(
        at,
        "shift tent:mlp:norm=false --data cells.csv --domain lab --from a --to b",
    );
    assert!(refused.contains("encoder.norm=true"), "{refused}");
}

#[test]
fn every_sample_is_tested_in_folds_and_labs_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "cells.csv", &["a", "b", "c"], true);
    let shift = "shift pixels --data cells.csv --domain lab --no-baselines";
    let text = ok(at, &format!("{shift} --folds 5 --from a --to b"));
    assert!(text.contains("tested in b (160 test samples)"), "{text}");
    assert!(!text.contains("tested in c"), "{text}");
    let text = ok(at, &format!("{shift} --leave-one-out"));
    assert!(text.contains("learned in a + c, tested in b"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "cells.csv", &["a", "b"], true);
    std::fs::write(at.join("wide.csv"), "u,v,label\n1,2,no\n3,4,yes\n").unwrap();
    let refused = |flags: &str| fails(at, &format!("shift pixels --data cells.csv {flags}"));
    assert!(refused("").contains("--domain"));
    assert!(refused("--domain labb").contains("`lab`"));
    assert!(
        refused("--domain u").contains("no column `u`")
            || refused("--domain u").contains("unknown column")
    );
    assert!(refused("--domain lab --from d").contains("--from"));
    assert!(refused("--domain lab --image-size 32").contains("no images"));
    assert!(refused("--target wide.csv").contains("vectors of 2 numbers"));
    assert!(refused("--target nothing.csv").contains("nothing.csv"));
}
