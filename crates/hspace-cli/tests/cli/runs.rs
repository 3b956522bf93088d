//! From a folder of images made here, some of them broken, to runs, measurements and reports.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{fails, ok};
use image::{GrayImage, Luma, RgbImage};

/// 60 pictures in two classes by sub-folder: a bright bar, upright or lying. PNG and JPEG.
fn pictures(folder: &Path) {
    for i in 0..60u32 {
        let (class, upright) = if i % 2 == 0 {
            ("up", true)
        } else {
            ("lie", false)
        };
        let at = 3 + (i * 7) % 10;
        let picture = GrayImage::from_fn(16, 16, |x, y| {
            let on = if upright {
                x.abs_diff(at) < 2
            } else {
                y.abs_diff(at) < 2
            };
            Luma([if on { 220 } else { 20 + (x * y + i) as u8 % 30 }])
        });
        let folder = folder.join("data").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        match i % 3 {
            0 => {
                let rgb =
                    RgbImage::from_fn(16, 16, |x, y| image::Rgb([picture.get_pixel(x, y).0[0]; 3]));
                rgb.save(folder.join(format!("{i}.jpg"))).unwrap();
            }
            _ => picture.save(folder.join(format!("{i}.png"))).unwrap(),
        }
    }
}

fn broken(folder: &Path) {
    let up = folder.join("data/up");
    std::fs::write(up.join("empty.png"), b"").unwrap();
    std::fs::write(up.join("text.jpg"), b"this is no picture").unwrap();
    let whole = std::fs::read(up.join("4.png")).unwrap();
    // Several, so that both splits have some.
    for i in 0..6 {
        std::fs::write(up.join(format!("cut{i}.png")), &whole[..whole.len() / 2]).unwrap();
    }
}

const SMALL: [&str; 6] = [
    "--set",
    "encoder.width=4",
    "--batch-size",
    "16",
    "--seed",
    "3",
];

fn train(folder: &Path, out: &str, more: &[&str]) -> String {
    let mut args = vec!["train", "--data", "data", "--encoder", "cnn", "--out", out];
    args.extend(SMALL);
    args.extend(more);
    ok(folder, &args)
}

fn bytes(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn help_is_quick_and_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), &["--help"]);
    let begun = Instant::now();
    let help = ok(folder.path(), &["--help"]);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(
        help.contains("Examples:") && help.contains("hspace quickstart"),
        "{help}"
    );
    for list in ["encoders", "objectives", "views", "probes", "datasets"] {
        assert!(
            ok(folder.path(), &["list", list]).lines().count() >= 3,
            "{list}"
        );
    }
}

#[test]
fn from_a_folder_with_broken_files_to_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    broken(at);
    let found = ok(at, &["check", "data"]);
    for part in ["60", "up", "lie", "empty.png", "text.jpg", "cut0.png"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    train(at, "runs/a", &["--epochs", "2", "--objective", "simclr"]);
    for file in [
        "config.toml",
        "encoder.safetensors",
        "encoder.toml",
        "metrics.jsonl",
        "bad_files.csv",
    ] {
        assert!(at.join("runs/a").join(file).is_file(), "{file}");
    }
    let bad = std::fs::read_to_string(at.join("runs/a/bad_files.csv")).unwrap();
    assert!(bad.contains("empty.png") && bad.contains("up/cut"), "{bad}");

    ok(
        at,
        &["embed", "runs/a", "--data", "data", "--out", "emb.npz"],
    );
    ok(
        at,
        &["embed", "runs/a", "--data", "data", "--out", "emb.csv"],
    );
    let first = std::fs::read_to_string(at.join("emb.csv")).unwrap();
    assert!(
        first.starts_with("filename,embedding_0"),
        "{}",
        &first[..60]
    );
    let sources = ["runs/a", "pixels", "pca:5", "random:cnn", "emb.npz"];
    let mut probe = vec!["probe"];
    probe.extend(sources);
    probe.extend([
        "--data",
        "data",
        "--labels",
        "1,10,all",
        "--json",
        "probe.json",
    ]);
    let table = ok(at, &probe);
    for part in [
        "runs/a",
        "pixels",
        "pca:5",
        "random:cnn",
        "emb.npz",
        "chance",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json = std::fs::read_to_string(at.join("probe.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let accuracy = |name: &str| {
        let rows = json["rows"].as_array().unwrap().iter();
        let mut rows = rows.filter(|r| r["representation"] == name && r["labels"] == "all");
        rows.next().unwrap()["scores"][0][1]["mean"]
            .as_f64()
            .unwrap()
    };
    assert_eq!(
        accuracy("runs/a"),
        accuracy("emb.npz"),
        "a run and its own features"
    );

    ok(at, &["report", "runs/a", "--labels", "1,all"]);
    let page = std::fs::read_to_string(at.join("runs/a/report.html")).unwrap();
    assert!(
        page.contains("<svg") && !page.contains("http://"),
        "self-contained"
    );
    assert!(at.join("runs/a/summary.json").is_file());
    train(
        at,
        "runs/b",
        &["--epochs", "1", "--objective", "autoencoder"],
    );
    let compared = ok(
        at,
        &[
            "compare", "runs/a", "runs/b", "--data", "data", "--labels", "all",
        ],
    );
    assert!(compared.contains("objective.name"), "{compared}");
    ok(
        at,
        &[
            "views",
            "data",
            "--out",
            "views.png",
            "--samples",
            "2",
            "--views",
            "3",
        ],
    );
    assert!(image::open(at.join("views.png")).unwrap().width() > 100);
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    train(at, "a", &["--epochs", "2"]);
    train(at, "b", &["--epochs", "2"]);
    train(
        at,
        "c",
        &["--epochs", "2", "--set", "objective.temperature=0.3"],
    );
    ok(at, &["train", "--config", "a/config.toml", "--out", "d"]);
    let weights = |run: &str| bytes(at.join(run).join("encoder.safetensors"));
    assert_eq!(weights("a"), weights("b"));
    assert_eq!(weights("a"), weights("d"), "config.toml repeats the run");
    assert_ne!(weights("a"), weights("c"));
}

#[test]
fn killed_and_resumed_is_the_same_as_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    for objective in ["byol", "supervised"] {
        let (whole, killed) = (format!("whole-{objective}"), format!("killed-{objective}"));
        let length = [
            "--epochs",
            "40",
            "--objective",
            objective,
            "--set",
            "train.keep_best=epoch_loss",
        ];
        train(at, &whole, &length);
        let mut args = vec![
            "train",
            "--data",
            "data",
            "--encoder",
            "cnn",
            "--out",
            &killed,
        ];
        args.extend(SMALL);
        args.extend(length);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hspace"));
        command
            .current_dir(at)
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let log = at.join(&killed).join("metrics.jsonl");
        let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        let begun = Instant::now();
        while lines() < 9 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !at.join(&killed).join("encoder.toml").exists(),
            "it was to be killed in the middle"
        );
        let refused = fails(at, &["embed", &killed, "--data", "data", "--out", "x.npz"]);
        assert!(refused.contains("--resume"), "{refused}");
        ok(at, &["train", "--resume", &killed]);
        let file = |run: &str, name: &str| bytes(at.join(run).join(name));
        let name = "encoder.safetensors";
        assert_eq!(file(&whole, name), file(&killed, name), "{objective}");
        let steps = |run: &str| {
            let text = String::from_utf8(file(run, "metrics.jsonl")).unwrap();
            let line = |l: &str| {
                let line: serde_json::Value = serde_json::from_str(l).unwrap();
                (line["step"].as_u64(), line["loss"].as_f64())
            };
            text.lines().map(line).collect::<Vec<_>>()
        };
        assert_eq!(steps(&whole), steps(&killed), "{objective}: metrics.jsonl");
    }
}

#[test]
fn all_wrong_settings_are_answered_at_once_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let error = fails(
        at,
        &[
            "train",
            "--data",
            "data",
            "--out",
            "r",
            "--encoder",
            "resnet81",
            "--set",
            "objective.temprature=1",
            "--set",
            "train.epochs=0",
        ],
    );
    for part in ["resnet18", "temperature", "train.epochs=0"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!at.join("r").exists());
}

#[test]
fn weights_come_from_elsewhere_and_go_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder);
    let small = ["width=16", "depth=1", "heads=2", "patch=4"].map(|s| format!("encoder.{s}"));
    let small: Vec<&str> = small.iter().flat_map(|s| ["--set", s]).collect();
    let mut vit = vec!["--encoder", "vit_tiny", "--image-size", "16"];
    vit.extend(&small);
    let quick = [
        "train",
        "--data",
        "data",
        "--epochs",
        "1",
        "--batch-size",
        "16",
        "--no-check",
    ];
    let mut train = quick.to_vec();
    train.extend(["--objective", "mae", "--out", "a"]);
    train.extend(&vit);
    ok(folder, &train);
    let text = ok(folder, &["export", "a", "--out", "w.safetensors"]);
    assert!(
        text.contains("timm.models.VisionTransformer(img_size=(16, 16)"),
        "{text}"
    );

    // As a run of its own, which is measured like any other.
    let mut import = vec!["import", "w.safetensors", "--out", "b"];
    import.extend(&vit);
    let channels = if text.contains("in_chans=1") {
        "0.5"
    } else {
        "0.5,0.5,0.5"
    };
    import.extend(["--mean", channels, "--std", channels]);
    ok(folder, &import);
    let text = ok(
        folder,
        &[
            "probe", "b", "--data", "data", "--probe", "knn", "--labels", "5",
        ],
    );
    assert!(text.contains("b "), "{text}");
    let error = fails(folder, &import);
    assert!(error.contains("--overwrite"), "{error}");

    let text = ok(
        folder,
        &[
            "compare", "a", "b", "--data", "data", "--probe", "knn", "--labels", "5",
        ],
    );
    assert!(text.contains("b "), "{text}");
    for args in [
        ["report", "b"].to_vec(),
        ["train", "--resume", "b"].to_vec(),
    ] {
        let error = fails(folder, &args);
        assert!(error.contains("from elsewhere"), "{error}");
    }

    // As the start of another.
    let mut train = quick.to_vec();
    train.extend(["--init-from", "w.safetensors", "--out", "c"]);
    train.extend(&vit);
    ok(folder, &train);
    // Also where a latent space follows that the file does not know; a run's weights likewise.
    for (from, out) in [("w.safetensors", "c-vae"), ("c", "c-vae-too")] {
        let mut train = quick.to_vec();
        train.extend(["--objective", "vae", "--init-from", from, "--out", out]);
        train.extend(&vit);
        ok(folder, &train);
    }

    // What does not fit is said, all of it, and leaves nothing.
    let error = fails(
        folder,
        &[
            "import",
            "w.safetensors",
            "--encoder",
            "resnet18",
            "--out",
            "d",
        ],
    );
    for part in [
        "w.safetensors",
        "missing: conv1.weight",
        "not part of the network: pos_embed",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M";
    std::fs::write(folder.join("w.pth"), legacy).unwrap();
    let error = fails(
        folder,
        &["import", "w.pth", "--encoder", "resnet18", "--out", "d"],
    );
    assert!(error.contains("before 1.6"), "{error}");
    std::fs::write(folder.join("w.pth"), b"PK\x03\x04 and nothing").unwrap();
    let error = fails(
        folder,
        &["import", "w.pth", "--encoder", "resnet18", "--out", "d"],
    );
    assert!(
        error.contains("w.pth") && !folder.join("d").exists(),
        "{error}"
    );
}

#[test]
fn objectives_say_what_they_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder);
    for (more, part) in [
        (&["--objective", "mae", "--encoder", "cnn"][..], "vit_tiny"),
        (
            &[
                "--objective",
                "mae",
                "--encoder",
                "vit_tiny",
                "--set",
                "encoder.patch=16",
            ],
            "at least two patches",
        ),
        (
            &["--objective", "swav", "--encoder", "mlp"],
            "local_views=0",
        ),
        (
            &[
                "--objective",
                "dino",
                "--encoder",
                "vit_tiny",
                "--set",
                "train.image_size=96",
                "--set",
                "views.crop.local_size=40",
            ],
            "no multiple of the patches' 16",
        ),
        (
            &["--objective", "dino", "--set", "views.crop.local_size=64"],
            "local_size=64 is larger than the images",
        ),
        (&["--objective", "scarf", "--encoder", "cnn"], "simclr"),
        (
            &["--objective", "supervised", "--stop-on", "alignment"],
            "several views",
        ),
        (&["--keep-best", "alignmen"], "alignmen"),
        (
            &[
                "--keep-best",
                "online_probe",
                "--set",
                "train.online_probe=false",
            ],
            "online_probe",
        ),
    ] {
        let mut args = vec!["train", "--data", "data", "--out", "x", "--no-check"];
        args.extend(more);
        let error = fails(folder, &args);
        assert!(error.contains(part), "{more:?}: {error}");
        assert!(!folder.join("x").exists());
    }
    // A metric that is measured at each epoch's end stops the training.
    let patience = [
        "--stop-on",
        "spread",
        "--set",
        "train.patience=1",
        "--epochs",
        "40",
    ];
    train(folder, "y", &patience);
    let lines = std::fs::read_to_string(folder.join("y/metrics.jsonl")).unwrap();
    let last = lines.lines().last().unwrap();
    assert!(last.contains("\"uniformity\""), "{last}");
    assert!(!last.contains("\"epoch\":40"), "{last}");
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    std::fs::create_dir(at.join("nothing")).unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&["check", "nothing"], "nothing"),
        (&["check", "no-such-folder"], "no-such-folder"),
        (&["check", "builtin:mnist"], "mnist-mini"),
        (
            &[
                "train",
                "--data",
                "data",
                "--out",
                "r",
                "--batch-size",
                "500",
            ],
            "batch_size=500",
        ),
        (&["train", "--resume", "data"], "no run of hspace"),
        (
            &["embed", "data", "--data", "data", "--out", "x.npz"],
            "no run of hspace",
        ),
        (
            &["embed", "pixels", "--data", "data", "--out", "x.txt"],
            "x.txt",
        ),
        (&["probe", "pixles", "--data", "data"], "pixels"),
        (
            &["probe", "pixels", "--data", "data", "--set", "knn.kk=3"],
            "`k`",
        ),
    ];
    for (args, part) in cases {
        let error = fails(at, args);
        assert!(error.contains(part), "{args:?}: {error}");
    }
    train(at, "r", &["--epochs", "1"]);
    let taken = fails(at, &["train", "--data", "data", "--out", "r"]);
    assert!(taken.contains("--overwrite"), "{taken}");
    let mine = fails(
        at,
        &["train", "--data", "data", "--out", "data", "--overwrite"],
    );
    assert!(mine.contains("not overwritten"), "{mine}");
    let weights = at.join("r/encoder.safetensors");
    let whole = bytes(weights.clone());
    std::fs::write(&weights, &whole[..whole.len() / 3]).unwrap();
    let cut = fails(at, &["embed", "r", "--data", "data", "--out", "x.npz"]);
    assert!(
        cut.contains("encoder.safetensors") && cut.contains("cut short"),
        "{cut}"
    );
    assert!(!at.join("x.npz").exists());
}

#[test]
fn features_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    std::fs::write(
        at.join("nan.csv"),
        "filename,embedding_0\nup/0.jpg,1.0\nlie/1.png,nan\n",
    )
    .unwrap();
    let error = fails(at, &["probe", "nan.csv", "--data", "data"]);
    assert!(error.contains("nan.csv"), "{error}");
    std::fs::write(
        at.join("other.csv"),
        "filename,embedding_0\na.png,1.0\nb.png,2.0\n",
    )
    .unwrap();
    let error = fails(at, &["probe", "other.csv", "--data", "data"]);
    assert!(
        error.contains("other.csv") || error.contains("ids"),
        "{error}"
    );
}

#[test]
fn vectors_are_learned_from_too() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut text = String::from("a,b,c,d,label\n");
    for i in 0..80 {
        let class = i % 2;
        let x = |k: i32| f64::from((i * 37 + k * 11) % 17) / 17.0 + f64::from(class * k);
        text.push_str(&format!(
            "{},{},{},{},{}\n",
            x(0),
            x(1),
            x(2),
            x(3),
            ["no", "yes"][class as usize]
        ));
    }
    std::fs::write(at.join("table.csv"), text).unwrap();
    ok(at, &["check", "table.csv"]);
    ok(
        at,
        &[
            "train",
            "--data",
            "table.csv",
            "--out",
            "v",
            "--epochs",
            "3",
            "--set",
            "encoder.width=8",
        ],
    );
    let table = ok(at, &["probe", "v", "--data", "table.csv"]);
    assert!(
        table.contains("random:mlp") && table.contains("pixels"),
        "{table}"
    );
    let error = fails(
        at,
        &[
            "train",
            "--data",
            "table.csv",
            "--out",
            "w",
            "--encoder",
            "resnet18",
        ],
    );
    assert!(error.contains("use `mlp`"), "{error}");
}

#[cfg(unix)]
#[test]
fn sigterm_saves_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let mut args = vec![
        "train",
        "--data",
        "data",
        "--encoder",
        "cnn",
        "--out",
        "r",
        "--epochs",
        "5000",
    ];
    args.extend(SMALL);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hspace"));
    command
        .current_dir(at)
        .args(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let log = at.join("r/metrics.jsonl");
    let begun = Instant::now();
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    while lines() < 2 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("hspace train --resume r"), "{error}");
    assert!(at.join("r/checkpoints/last.safetensors").is_file());
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let mut args = vec![
        "train",
        "--data",
        "data",
        "--encoder",
        "cnn",
        "--out",
        "r",
        "--epochs",
        "50",
    ];
    args.extend(SMALL);
    args.extend([
        "--objective",
        "autoencoder",
        "--learning-rate",
        "1e30",
        "--set",
        "train.optimizer=sgd",
    ]);
    args.extend(["--set", "train.warmup=0"]);
    let error = fails(at, &args);
    assert!(
        error.contains("step") && error.contains("learning_rate"),
        "{error}"
    );
    assert!(at.join("r/checkpoints/last.safetensors").is_file());
}
