//! `hspace robustness` through the binary.

use crate::rank::{json, table};
use crate::{fails, ok};

#[test]
fn sources_are_measured_on_clean_and_corrupted_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = ok(
        at,
        "robustness random:cnn:width=4 pixels --data builtin:shapes --no-baselines --samples 60 --corruption gaussian_noise,contrast \
         --severity 5,1 --json r.json --html r.html --pictures p.png",
    );
    for part in [
        "60 test samples",
        "4 conditions (imagenet-c)",
        "gaussian_noise",
        "of its accuracy under corruption",
        "picture: p.png",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(at, "r.json");
    assert_eq!(found["samples"], 60);
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let conditions = row["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 4);
        let of = |name: &str, severity: u64| {
            let mut own = conditions.iter();
            let own = own.find(|c| c["corruption"] == name && c["severity"] == severity);
            own.unwrap()["accuracy"]["mean"].as_f64().unwrap()
        };
        let mean: f64 = ["gaussian_noise", "contrast"]
            .iter()
            .flat_map(|name| [of(name, 1), of(name, 5)])
            .sum();
        let corrupted = row["corrupted"]["mean"].as_f64().unwrap();
        assert!((mean / 4.0 - corrupted).abs() < 1e-6, "{row}");
        assert_eq!(row["corruption_error"].is_null(), row["source"] == "pixels");
    }
    let page = std::fs::read_to_string(at.join("r.html")).unwrap();
    assert!(page.contains("Under corruption") && page.contains("strip-of-samples"));
    assert!(
        std::fs::read(at.join("p.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    // The same seed, the same numbers.
    ok(
        at,
        "robustness random:cnn:width=4 pixels --data builtin:shapes --no-baselines --samples 60 --corruption gaussian_noise,contrast \
         --severity 1,5 --json again.json",
    );
    assert_eq!(found, json(at, "again.json"));
}

#[test]
fn what_cannot_be_corrupted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at, "all.csv", 60);
    let refused = |args: &str| fails(at, &format!("robustness pixels {args}"));
    assert!(refused("--data all.csv").contains("vectors"));
    assert!(refused("--data builtin:shapes --suite xrai").contains("xray"));
    assert!(refused("--data builtin:shapes --corruption fgo").contains("did you mean `fog`?"));
    assert!(refused("--data builtin:shapes --severity 6").contains("6"));
    assert!(refused("--data builtin:shapes --pictures p.jpg").contains("png"));
    assert!(refused("--data builtin:shapes --folds 5 --samples 5").contains("--folds"));
}
