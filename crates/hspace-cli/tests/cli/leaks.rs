//! Leaks are warned about by `check`, and by `probe` for files of features.

use crate::{command, ok};

/// 300 rows of three features of noise and one that is the class in disguise.
fn table() -> String {
    let mut text = "id,f0,f1,f2,code,class\n".to_owned();
    let mut state = 1u64;
    let mut noise = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / 1e6
    };
    for i in 0..300 {
        let class = i * 7919 % 101 % 3;
        let [a, b, c] = [noise(), noise(), noise()];
        let (code, name) = ([5, 1, 3][class], ["ant", "bee", "cat"][class]);
        text += &format!("s{i},{a},{b},{c},{code},{name}\n");
    }
    text
}

#[test]
fn a_feature_that_is_the_task_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), table()).unwrap();
    let text = ok(folder.path(), "check data.csv");
    assert!(
        text.contains("alone says the task class (each class has a value of its own)"),
        "{text}"
    );
    let json = ok(folder.path(), "check data.csv --json -");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["leaks"]["features"]["telling"][0]["one_to_one"], true);
    let args = "probe pixels --data data.csv --probe knn --html page.html";
    let output = command(folder.path(), args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("warning: pixels: feature"), "{error}");
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("alone says the task class"));
}
