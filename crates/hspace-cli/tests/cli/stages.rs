//! Networks up to their stages, through the binary.

use crate::{fails, ok};

#[test]
fn a_network_is_measured_stage_by_stage() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train =
        "train --data builtin:mnist-mini --encoder cnn --objective simclr --set encoder.width=4";
    ok(at, &format!("{train} --steps 2 --batch-size 16 --out run"));
    let data = "--data builtin:mnist-mini --labels 1 --draws 3 --probe knn --no-baselines";
    let text = ok(
        at,
        &format!(
            "probe run random:cnn@conv1 pixels {data} --layers all --html page.html --json m.json"
        ),
    );
    let order = ["run ", "run@conv0", "run@conv1", "run@conv2", "run@conv3"];
    let places = order.map(|name| text.find(&format!("  {name}")));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{text}"
    );
    assert!(
        text.contains("random:cnn@conv1") && text.contains("pixels"),
        "{text}"
    );
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("Layer by layer") && page.contains("after each stage"));
    // The last stage's mean is the features of a cnn.
    let m: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(at.join("m.json")).unwrap()).unwrap();
    let draws = |name: &str| {
        let mut rows = m["rows"].as_array().unwrap().iter();
        rows.find(|row| row["representation"] == name).unwrap()["draws"].clone()
    };
    assert_eq!(draws("run@conv3"), draws("run"));
    assert_ne!(draws("run@conv0"), draws("run"));
    let some = ok(at, &format!("probe run {data} --layers conv2"));
    assert!(
        some.contains("run@conv2") && !some.contains("run@conv1"),
        "{some}"
    );
    ok(
        at,
        "embed run@conv1 --data builtin:mnist-mini --out conv1.npz",
    );
    for (source, wanted) in [
        ("run@conv9", "conv3"),
        ("pixels@conv1", "only networks have stages"),
        ("nowhere@conv1", "there is no run folder"),
    ] {
        let error = fails(at, &format!("probe {source} {data}"));
        assert!(error.contains(wanted), "{source}: {error}");
    }
}
