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

#[test]
fn filters_and_feature_maps_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train = |encoder: &str, out: &str| {
        let length = "--objective simclr --steps 2 --batch-size 16";
        let data = "--data builtin:mnist-mini";
        ok(
            at,
            &format!("train {data} --encoder {encoder} {length} --out {out}"),
        );
    };
    let maps = |run: &str, more: &str| {
        ok(
            at,
            &format!("maps {run} --data builtin:mnist-mini --out {run}.png {more}"),
        )
    };
    train("cnn --set encoder.width=4", "cnn");
    let text = maps("cnn", "--samples 3 --channels 2");
    for part in [
        "conv0.weight: 4 of 4 filters of 3x3",
        "conv1: channels",
        "of 8, maps of 7x7",
        "conv3",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Filters of 66 pixels; three rows of each stage: 70, 70, 64 and 64 pixels.
    let picture = image::open(at.join("cnn.png")).unwrap();
    let stage = |side: u32| 16 + 4 + 3 * (side + 4);
    let height = 4 + 70 + 2 * stage(70) + 2 * stage(64);
    assert_eq!((picture.width(), picture.height()), (4 + 4 * 70, height));
    let page = || std::fs::read_to_string(at.join("cnn/report.html")).unwrap();
    ok(at, "report cnn --labels all");
    assert!(
        page().contains("Filters and feature maps") && page().contains("Feature maps of conv2")
    );
    train(
        "vit_tiny --set encoder.width=16 --set encoder.depth=8",
        "vit",
    );
    // Of each network once on pages about several, however many stages of it are measured.
    let compare = "compare cnn cnn@conv1 vit --no-baselines --data builtin:mnist-mini --probe knn";
    ok(at, &format!("{compare} --html compare.html"));
    let page = std::fs::read_to_string(at.join("compare.html")).unwrap();
    for (part, count) in [
        ("<h3>cnn</h3>", 1),
        ("<h3>vit</h3>", 1),
        ("Feature maps of conv2", 1),
        ("Feature maps of blocks.7", 1),
        ("<title>Filters of the first layer</title>", 2),
    ] {
        assert_eq!(page.matches(part).count(), count, "{part}");
    }
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let text = maps("vit", "--stages 3");
    for part in [
        "patch_embed.proj.weight: 16 of 16 filters of 4x4",
        "patch_embed: channels",
        "blocks.3: channels",
        "blocks.7: channels",
        "of 16, maps of 7x7",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    train("mlp --set encoder.width=8", "mlp");
    let text = maps("mlp", "");
    assert!(
        text.contains("0.weight: 8 of 8 filters of 28x28") && text.contains("give vectors"),
        "{text}"
    );
    let error = fails(at, "maps cnn --data builtin:mnist-mini --out maps.jpg");
    assert!(error.contains("ends in .png"), "{error}");
    let rows: String = (0..40).map(|i| format!("{i},{}\n", i % 7)).collect();
    std::fs::write(at.join("t.csv"), format!("a,b\n{rows}")).unwrap();
    let length = "--encoder mlp --objective autoencoder --steps 2 --batch-size 8";
    ok(at, &format!("train --data t.csv {length} --out vectors"));
    let error = fails(at, "maps vectors --data t.csv");
    assert!(error.contains("vectors takes vectors"), "{error}");
}
