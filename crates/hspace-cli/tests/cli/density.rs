//! `hspace density`, end to end through the binary.

use std::fmt::Write;
use std::path::Path;

use crate::{fails, ok};
use serde_json::Value;

fn json(folder: &Path, args: &str) -> Value {
    serde_json::from_str(&ok(folder, &format!("{args} --json -"))).unwrap()
}

/// Even numbers in 0..1 without a pattern.
fn even(i: u64) -> f64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A column of counts whose rate varies (negative binomial, size 2, mean 6), and one of waiting times
/// (Weibull, shape 2, scale 30); a few values missing.
fn table(folder: &Path) {
    let mut text = String::from("day,visits,seconds\n");
    let wait = |u: f64| -(1.0 - u).ln();
    for i in 0..400 {
        let rate = 3.0 * (wait(even(7 * i)) + wait(even(7 * i + 1)));
        let (mut visits, mut time) = (0, wait(even(90_000 + 100 * i)));
        while time < rate {
            visits += 1;
            time += wait(even(90_000 + 100 * i + visits));
        }
        let seconds = 30.0 * wait(even(7 * i + 5)).sqrt();
        match i % 50 {
            9 => writeln!(text, "{i},,{seconds:.4}").unwrap(),
            _ => writeln!(text, "{i},{visits},{seconds:.4}").unwrap(),
        }
    }
    std::fs::write(folder.join("visits.csv"), text).unwrap();
}

#[test]
fn counts_are_ranked_among_masses_and_answer_questions() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at);
    let args = "density visits.csv --column visits --above 15 --between 2,5 --bootstrap 60";
    let found = json(at, args);
    assert_eq!(
        (&found["count"], &found["missing"]),
        (&392.into(), &8.into())
    );
    assert_eq!(found["kind"], "counts");
    assert_eq!(found["fits"][0]["name"], "negative_binomial");
    let size = found["fits"][0]["parameters"][0][1].as_f64().unwrap();
    assert!((1.4..2.8).contains(&size), "{size}");
    assert!(found["fits"][0]["p"].as_f64().unwrap() > 0.01);
    assert!(
        found["fits"][1]["p"].as_f64().unwrap() < 0.05,
        "the poisson is wrong"
    );
    assert!(found["fits"][1]["behind"]["at_least"].as_f64().unwrap() > 0.0);
    // Densities stand apart.
    let names = |list: &Value| -> Vec<String> {
        let fits = list.as_array().unwrap().iter();
        fits.map(|f| f["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&found["fits"]), ["negative_binomial", "poisson"]);
    assert!(names(&found["apart"]).contains(&"kde".to_owned()));
    let answer = &found["answers"][0]["fits"][0];
    let p = answer["probability"].as_f64().unwrap();
    let interval = [0, 1].map(|i| answer["interval"][i].as_f64().unwrap());
    assert!(
        interval[0] < p && p < interval[1] && (0.01..0.1).contains(&p),
        "{answer}"
    );
    assert_eq!(found, json(at, args), "the same seed, the same numbers");

    let text = ok(at, args);
    for part in [
        "392 values of `visits`, 8 missing",
        "taken as counts",
        "best",
        "probability of more than 15",
        "probability of 2 to 5",
        "compare these lines with each other alone",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn measurements_are_ranked_drawn_and_restricted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at);
    let text = ok(
        at,
        "density visits.csv --column seconds --below 10 --bootstrap 40 --html page.html",
    );
    let best = text.lines().find(|l| l.contains("  best ")).unwrap();
    assert!(best.trim_start().starts_with("weibull"), "{text}");
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    for part in [
        "<svg",
        "Fits over the data",
        "Probability of less than 10",
        "weibull",
        "parametric bootstrap",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["NaN", "<script", "http://", "https://"] {
        assert!(!page.contains(part), "{part}");
    }
    let few = json(
        at,
        "density visits.csv --column seconds --candidates gamma,kde --set kde.bandwidth=2.5 --set kde.kernel=epanechnikov --bootstrap 0 --folds 3",
    );
    assert_eq!(few["fits"].as_array().unwrap().len(), 2);
    let kde = few["fits"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "kde")
        .unwrap();
    assert_eq!(kde["parameters"][0][1], 2.5);
    // Whole numbers may be measurements.
    let days = json(
        at,
        "density visits.csv --column day --kind continuous --bootstrap 0",
    );
    assert_eq!(days["kind"], "continuous");
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    table(at);
    let write = |name: &str, text: &str| std::fs::write(at.join(name), text).unwrap();
    write("equal.csv", &format!("x\n{}", "2.5\n".repeat(30)));
    write("words.csv", "x\n1\n2\nthree\n");
    write("one.csv", "x\n1\n\n");
    write("even.csv", &format!("x\n{}", "2\n3\n2\n3\n".repeat(20)));
    let of = |more: &str| fails(at, &format!("density {more}"));
    let text = of("visits.csv --column visit");
    assert!(text.contains("did you mean `visits`?"), "{text}");
    assert!(of("visits.csv").contains("--column: day, visits, seconds"));
    assert!(of("words.csv").contains("line 4, column `x`: `three`"));
    assert!(of("one.csv").contains("at least 2 values"));
    let text = of("equal.csv --candidates normal,gamma");
    assert!(text.contains("all 30 values are 2.5"), "{text}");
    assert!(of("visits.csv --column seconds --candidates wiebull").contains("`weibull`?"));
    assert!(of("visits.csv --column seconds --set kde.bandwith=3").contains("bandwidth"));
    assert!(of("visits.csv --column seconds --kind counts").contains("whole numbers"));
    let wrong = of("visits.csv --column visits --set histogram.bins=-1 --set kde.kernel=gausian");
    assert!(
        wrong.contains("histogram.bins=-1") && wrong.contains("kde.kernel=\"gausian\""),
        "{wrong}"
    );
    // Numbers as large as row identifiers are no counts, and what is too far apart is refused.
    write(
        "ids.csv",
        "x\n9007199254740992\n9007199254740994\n9007199254740998\n9007199254741000\n",
    );
    assert!(!ok(at, "density ids.csv --bootstrap 5").contains("taken as counts"));
    write("far.csv", "x\n1e308\n-1e308\n1\n");
    assert!(of("far.csv").contains("divide the values by a constant"));
    // Flags that cannot be are refused before anything is done, with the exit code of bad usage.
    let misused = |more: &str| {
        let args = format!("density {more}");
        let output = crate::command(at, &args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args}");
        String::from_utf8(output.stderr).unwrap()
    };
    let between = misused("visits.csv --column seconds --between 5,1");
    assert!(between.contains("smaller first"), "{between}");
    let many = misused("visits.csv --column seconds --bootstrap 9999999999999999999");
    assert!(many.contains("--bootstrap"), "{many}");
    let both = "pixels --data a --against b --kind counts";
    let both = misused(both);
    assert!(both.contains("--kind"), "{both}");
    let seed = misused("visits.csv --seed 9223372036854775808");
    assert!(seed.contains("9223372036854775807"), "{seed}");
    assert!(of("no.csv --column x").contains("no file"));
    // Counts that vary less than a Poisson's leave one candidate.
    let text = ok(at, "density even.csv --bootstrap 20");
    assert!(
        text.contains("negative_binomial: not fitted") && text.contains("best fit is the poisson"),
        "{text}"
    );
    // Equal values leave those without a spread of their own.
    let text = ok(at, "density equal.csv --bootstrap 20");
    assert!(
        text.contains("all values are equal") && text.contains("exponential"),
        "{text}"
    );
}

/// Rows of six numbers around `centre`, the first three of them correlated.
fn vectors(folder: &Path, name: &str, n: u64, centre: f64, salt: u64) {
    let mut text = String::from("a,b,c,d,e,f\n");
    for i in 0..n {
        let z = |j: u64| {
            let at = salt + 40 * i + 4 * j;
            (0..4).map(|k| even(at + k)).sum::<f64>() - 2.0
        };
        let row = [z(0), z(0) + 0.2 * z(1), z(2) - z(0), z(3), z(4), z(5)];
        let cells: Vec<String> = row.iter().map(|x| format!("{:.5}", x + centre)).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn outliers_are_told_in_any_representation() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    vectors(at, "in.csv", 600, 0.0, 0);
    vectors(at, "far.csv", 80, 2.0, 1_000_000);
    vectors(at, "same.csv", 200, 0.0, 2_000_000);
    let against = |other: &str, source: &str| {
        let args = format!("density {source} --data in.csv --against {other}");
        let found = json(at, &args);
        let count = |list: &str| found[list].as_array().unwrap().len();
        // A mixture of one component is listed as the normal density.
        assert_eq!(count("rows") + count("unfit"), 7, "{}", found["unfit"]);
        found
    };
    for source in ["pixels", "pca:3"] {
        let far = against("far.csv", source);
        assert_eq!(far["outliers"], 80);
        assert_eq!(
            far["train"].as_u64().unwrap() + far["test"].as_u64().unwrap(),
            600
        );
        let score = |row: &Value, i: usize| row["scores"][i][1]["mean"].as_f64().unwrap();
        for row in far["rows"].as_array().unwrap() {
            assert!(score(row, 0) > 0.9, "{row}");
        }
        let same = against("same.csv", source);
        for row in same["rows"].as_array().unwrap() {
            assert!((score(row, 0) - 0.5).abs() < 0.12, "{row}");
        }
    }
    // Without other data the densities are ranked, the flow among them; a distance to neighbours is none.
    let found = json(at, "density pca:3 --data in.csv");
    let names: Vec<&str> = found["fits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fit| fit["name"].as_str().unwrap())
        .collect();
    assert!(names.len() >= 5 && names.contains(&"flow"), "{names:?}");
    let text = ok(
        at,
        "density pixels --data in.csv --candidates normal,knn --html space.html",
    );
    assert!(
        text.contains("The best density of pixels is normal"),
        "{text}"
    );
    let page = std::fs::read_to_string(at.join("space.html")).unwrap();
    assert!(page.contains("<h2>The density of the space"));
    // Files of features, from one encoder.
    ok(at, "embed pixels --data in.csv --out in.npz");
    ok(at, "embed pixels --data far.csv --out far.npz");
    let args =
        "density in.npz --data in.csv --against far.npz --candidates normal,knn --html page.html";
    let text = ok(at, args);
    for part in ["AUROC", "positive class", "chance", "knn", "k = 10"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("<h2>Outliers") && page.contains("<svg") && !page.contains("NaN"));

    std::fs::write(at.join("two.csv"), "a,b\n1,2\n3,4\n").unwrap();
    let text = fails(at, "density pixels --data in.csv --against two.csv");
    assert!(text.contains("vectors of 2 numbers"), "{text}");
    let text = fails(at, "density in.npz --data in.csv --against builtin:shapes");
    assert!(text.contains("from the same encoder"), "{text}");
}

#[test]
fn a_run_s_features_are_scored_too() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    vectors(at, "in.csv", 200, 0.0, 0);
    vectors(at, "far.csv", 50, 3.0, 1_000_000);
    let train = "train --data in.csv --encoder mlp --objective autoencoder --steps 20 --out run";
    ok(at, train);
    let found = json(
        at,
        "density run --data in.csv --against far.csv --candidates normal_shrunk,knn",
    );
    for row in found["rows"].as_array().unwrap() {
        assert!(row["scores"][0][1]["mean"].as_f64().unwrap() > 0.8, "{row}");
    }
    assert!(found["origin"].as_str().unwrap().len() > 10);
}
