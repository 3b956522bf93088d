//! Masks as a task, through the binary.

use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::Value;

use crate::{fails, ok};

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The row of a source with so many labels.
fn row<'a>(m: &'a Value, source: &str, labels: &Value) -> &'a Value {
    let mut rows = m["rows"].as_array().unwrap().iter();
    let own = |row: &&Value| row["representation"] == source && row["labels"] == *labels;
    rows.find(own).unwrap()
}

fn mean_iou(row: &Value) -> f64 {
    assert_eq!(row["scores"][0][0], "mean_iou");
    row["scores"][0][1]["mean"].as_f64().unwrap()
}

#[test]
fn stages_and_pixels_are_measured_on_the_masks_of_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(
        at,
        "train --data builtin:shapes --encoder cnn --objective simclr --set encoder.width=8 --steps 2 --batch-size 16 --out run",
    );
    let data = "--data builtin:shapes --label mask --labels 3,all --draws 3";
    let probe = format!("probe run run@conv1 pixels {data} --no-baselines --html page.html");
    let text = ok(at, &format!("{probe} --json m.json"));
    for part in [
        "task: `mask`",
        "mean_iou of the mask probe, by masks",
        "run@conv1",
        "chance",
        "pairs with all masks, mask probe",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let m = json(&at.join("m.json"));
    assert_eq!(m["mask_classes"], serde_json::json!(["0", "1", "2"]));
    let chance = m["chance"].as_f64().unwrap();
    let (few, all) = (
        serde_json::json!({"per_class": 3}),
        serde_json::json!("all"),
    );
    for source in ["run", "run@conv1", "pixels"] {
        let names: Vec<&str> = row(&m, source, &all)["scores"]
            .as_array()
            .unwrap()
            .iter()
            .map(|score| score[0].as_str().unwrap())
            .collect();
        assert_eq!(names, ["mean_iou", "mean_dice", "pixel_accuracy"]);
        assert_eq!(row(&m, source, &few)["labelled"], 3);
        assert_eq!(row(&m, source, &few)["draws"].as_array().unwrap().len(), 3);
        // An image is a unit, however many pixels it has.
        let units = row(&m, source, &all)["answers"]["units"].clone();
        assert_eq!(units, m["test"], "{source}");
    }
    // A background is seen in colours, and round and square in what lies further around.
    let [pixels, stage] = ["pixels", "run@conv1"].map(|source| mean_iou(row(&m, source, &all)));
    assert!(pixels > chance + 0.2, "{pixels} {chance}");
    assert!(stage > chance + 0.1, "{stage} {chance}");
    let page = || std::fs::read_to_string(at.join("page.html")).unwrap();
    let has_masks = |page: &str| {
        page.contains("<h2>Masks</h2>") && page.contains("image, mask, run, run@conv1, pixels")
    };
    assert!(has_masks(&page()));
    // The answers are known, and so are the pictures.
    std::fs::remove_file(at.join("page.html")).unwrap();
    let again = ok(at, &format!("{probe} --json m.json"));
    assert_eq!(again, text);
    assert_eq!(json(&at.join("m.json")), m);
    assert!(has_masks(&page()));
    // Baselines come by themselves, and stages that have maps.
    let text = ok(
        at,
        "compare run --data builtin:shapes --label mask --labels 2 --draws 1 --layers all --json c.json",
    );
    for part in ["run@conv0", "run@conv3", "pixels", "random:cnn"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let joined = ok(at, "compare m.json m.json");
    assert!(joined.contains("mean_iou of the mask probe"), "{joined}");
}

/// Forty images of 12 × 20, a bright box on noise, with masks in which the box is 4 and its border is ignored.
fn boxes(at: &Path) -> String {
    std::fs::create_dir_all(at.join("photos/masks")).unwrap();
    let mut table = String::from("path,split,mask:lesion\n");
    for i in 0..40u32 {
        let (left, top) = (3 + i % 9, 3 + i % 4);
        let inside = |x: u32, y: u32, grow: u32| {
            (left - grow..left + 6 + grow).contains(&x) && (top - grow..top + 4 + grow).contains(&y)
        };
        let noise = |x: u32, y: u32| ((x * 31 + y * 17 + i * 7) * 2_654_435 % 97) as u8;
        let image = GrayImage::from_fn(20, 12, |x, y| {
            Luma([noise(x, y) + if inside(x, y, 0) { 120 } else { 0 }])
        });
        let mask = GrayImage::from_fn(20, 12, |x, y| {
            Luma([match () {
                () if inside(x, y, 0) => 4,
                () if inside(x, y, 1) => 255,
                () => 0,
            }])
        });
        image.save(at.join(format!("photos/{i:02}.png"))).unwrap();
        mask.save(at.join(format!("photos/masks/{i:02}.png")))
            .unwrap();
        let split = if i % 8 == 0 { "train" } else { "test" };
        table.push_str(&format!("{i:02}.png,{split},masks/{i:02}.png\n"));
    }
    table
}

#[test]
fn a_table_names_the_masks_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let table = boxes(at);
    std::fs::write(at.join("photos/labels.csv"), &table).unwrap();
    let probe = "probe pixels --data photos --label lesion";
    ok(at, &format!("{probe} --json m.json"));
    let m = json(&at.join("m.json"));
    assert_eq!(m["mask_classes"], serde_json::json!(["0", "4"]));
    assert_eq!((&m["train"], &m["test"]), (&5.into(), &35.into()));
    let iou = mean_iou(row(&m, "pixels", &"all".into()));
    assert!(iou > 0.9, "{iou}");
    // The same with the title that the table has, next to the folder, and with a flag in place of a prefix.
    let named = ok(at, "probe pixels --data photos --label mask:lesion");
    std::fs::remove_file(at.join("photos/labels.csv")).unwrap();
    let elsewhere = table
        .replace("mask:lesion", "lesion")
        .replace("masks/", "photos/masks/");
    std::fs::write(at.join("table.csv"), elsewhere).unwrap();
    let flags = "--label-file table.csv --role lesion=mask";
    let other = ok(at, &format!("{probe} {flags}"));
    assert_eq!(named, other);
    std::fs::remove_file(at.join("table.csv")).unwrap();
    std::fs::write(at.join("photos/labels.csv"), &table).unwrap();
    for (args, why) in [
        (
            "probe pca:3 --data photos --label lesion",
            "has no feature maps",
        ),
        (
            "probe pixels --data photos --label lesion --save-head h.safetensors",
            "--save-head",
        ),
        (
            "train --data photos --label lesion --encoder cnn --objective supervised --steps 1 --out r",
            "no objective learns from",
        ),
        (
            "probe pixels --data photos --label lesions",
            "unknown column `lesions`",
        ),
    ] {
        let error = fails(at, args);
        assert!(error.contains(why), "{args}: {error}");
    }
    let wrong = at.join("photos/masks/17.png");
    GrayImage::new(12, 20).save(&wrong).unwrap();
    let error = fails(at, probe);
    for part in ["masks/17.png", "12x20", "17.png 20x12"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    image::RgbImage::new(20, 12).save(&wrong).unwrap();
    let error = fails(at, probe);
    assert!(
        error.contains("masks/17.png") && error.contains("colours"),
        "{error}"
    );
    std::fs::remove_file(&wrong).unwrap();
    let error = fails(at, probe);
    assert!(error.contains("masks/17.png"), "{error}");
}

#[test]
fn several_stages_and_u_nets_answer_and_their_masks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("labels.csv"), boxes(at)).unwrap();
    std::fs::rename(at.join("labels.csv"), at.join("photos/labels.csv")).unwrap();
    ok(
        at,
        "train --data photos --encoder cnn --objective simclr --set encoder.width=4 --steps 2 --batch-size 4 --out run",
    );
    let data = "--data photos --label lesion --draws 3";
    let unet = "unet:run:steps=60:batch=4:decoder_width=4";
    let text = ok(
        at,
        &format!("probe run@conv0+conv2 run@all {unet} {data} --labels 2,all --json m.json"),
    );
    for part in [
        "run@conv0+conv2",
        unet,
        "unet:cnn",
        "random:cnn",
        "own heads",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let m = json(&at.join("m.json"));
    let few = serde_json::json!({"per_class": 2});
    assert_eq!(row(&m, unet, &few)["draws"].as_array().unwrap().len(), 3);
    let iou = mean_iou(row(&m, unet, &"all".into()));
    assert!(iou > m["chance"].as_f64().unwrap() + 0.2, "{iou}");
    // The same network, masks kept: a file an image, of its size, of known classes.
    let save = format!("probe {unet} {data} --no-baselines --save-masks predicted");
    let text = ok(at, &save);
    assert!(text.contains("masks of test images: predicted"), "{text}");
    let files: Vec<_> = std::fs::read_dir(at.join("predicted")).unwrap().collect();
    assert_eq!(files.len(), 35);
    let table = std::fs::read_to_string(at.join("photos/labels.csv")).unwrap();
    std::fs::rename(at.join("predicted"), at.join("photos/predicted")).unwrap();
    let line = |line: &str| match line.contains(",test,") {
        true => line.replace("masks/", "predicted/"),
        false => line.to_owned(),
    };
    let predicted: Vec<String> = table.lines().map(line).collect();
    std::fs::write(at.join("photos/labels.csv"), predicted.join("\n")).unwrap();
    // They are masks that hspace reads.
    let text = ok(at, "probe pixels --data photos --label lesion");
    assert!(text.contains("task: `lesion`"), "{text}");
    std::fs::write(at.join("photos/labels.csv"), table).unwrap();
    std::fs::rename(at.join("photos/predicted"), at.join("predicted")).unwrap();
    for (args, why) in [
        (save.as_str(), "predicted: exists"),
        (
            &format!("probe pixels run {data} --save-masks p"),
            "name one source",
        ),
        (
            "probe pixels --data builtin:shapes --save-masks p",
            "no column of masks",
        ),
        (
            "probe unet:cnn --data builtin:shapes",
            "learns from each draw of masks",
        ),
        (
            "probe unet:mlp --data photos --label lesion",
            "feature maps",
        ),
        (
            &format!("probe run@conv0+conv0 {data}"),
            "names a stage twice",
        ),
    ] {
        let error = fails(at, args);
        assert!(error.contains(why), "{args}: {error}");
    }
    assert!(!at.join("p").exists());
}

#[test]
fn two_tasks_are_ranked_in_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let compare = "compare random:cnn:width=4 random:cnn:width=4@conv0 pixels --data builtin:shapes --labels 5 --draws 3 --no-baselines";
    let text = ok(at, &format!("{compare} --tasks shape,mask --json r.json"));
    for part in [
        "task: `shape`",
        "task: `mask`",
        "shape: rank",
        "mean_iou, 5 labels",
        "Kendall's tau",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let r = json(&at.join("r.json"));
    assert_eq!(r["ranks"]["sources"].as_array().unwrap().len(), 3);
    for (file, task) in [("a.json", 0), ("b.json", 1)] {
        std::fs::write(at.join(file), r["measurements"][task].to_string()).unwrap();
    }
    // The same from files.
    let again = ok(at, "compare a.json b.json");
    let table = text.split("ranks on two tasks").nth(1).unwrap();
    assert_eq!(again.split("ranks on two tasks").nth(1), Some(table));
    for (args, why) in [
        (format!("{compare} --tasks shape"), "name two columns"),
        (format!("{compare} --tasks mask,mask"), "name two columns"),
        (
            format!("{compare} --tasks shape,mask --html p.html"),
            "--html",
        ),
    ] {
        let error = fails(at, &args);
        assert!(error.contains(why), "{args}: {error}");
    }
}
