//! From a folder of images, some of them broken, and from a table, to runs, measurements and reports.

use crate::pictures::{broken, pictures, train};
use crate::{fails, ok};

/// The accuracy in the row of `name` of the first table in `text`.
fn accuracy_of(name: &str, text: &str) -> f64 {
    let rows = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let mut rows = rows.filter(|row| row.len() > 1 && row[0] == name);
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("no row of {name}: {text}"));
    row[1]
        .parse()
        .unwrap_or_else(|_| panic!("no accuracy: {text}"))
}

#[test]
fn help_has_examples_and_lists_have_entries() {
    let folder = tempfile::tempdir().unwrap();
    let help = ok(folder.path(), "--help");
    assert!(
        help.contains("Examples:") && help.contains("hspace quickstart"),
        "{help}"
    );
    for list in ["encoders", "objectives", "views", "probes", "datasets"] {
        assert!(
            ok(folder.path(), &format!("list {list}")).lines().count() >= 3,
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
    let found = ok(at, "check data");
    for part in ["60", "up", "lie", "empty.png", "text.jpg", "cut0.png"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    train(at, "runs/a", "--epochs 2 --objective simclr");
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

    ok(at, "embed runs/a --data data --out emb.npz");
    ok(at, "embed runs/a --data data --out emb.csv");
    let first = std::fs::read_to_string(at.join("emb.csv")).unwrap();
    assert!(
        first.starts_with("filename,embedding_0"),
        "{}",
        &first[..60]
    );
    let sources = "runs/a pixels pca:5 random:cnn emb.npz";
    let how = "--data data --labels 1,10,all --json probe.json";
    let table = ok(at, &format!("probe {sources} {how}"));
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

    ok(at, "report runs/a --labels 1,all");
    let page = std::fs::read_to_string(at.join("runs/a/report.html")).unwrap();
    assert!(
        page.contains("<svg") && !page.contains("http://"),
        "self-contained"
    );
    assert!(at.join("runs/a/summary.json").is_file());
    train(at, "runs/b", "--epochs 1 --objective autoencoder");
    let compared = ok(at, "compare runs/a runs/b --data data --labels all");
    assert!(compared.contains("objective.name"), "{compared}");
    let drawn = ok(at, "views data --out views.png --samples 2 --views 3");
    assert!(drawn.contains("samples: 2,"), "{drawn}");
    assert!(image::open(at.join("views.png")).unwrap().width() > 100);
    // No more than can be read.
    let drawn = ok(at, "views data --out views.png --samples 500 --views 1");
    assert!(drawn.contains("samples: 60,"), "{drawn}");
}

#[test]
fn a_run_that_has_ended_says_so_and_is_exported_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let first = train(at, "my-run", "--epochs 1 --no-check");
    assert!(
        first.contains("images/s") && first.contains("hspace report my-run"),
        "{first}"
    );
    let weights = || std::fs::read(at.join("my-run/encoder.safetensors")).unwrap();
    let before = weights();
    let again = ok(at, "train --resume my-run");
    assert!(
        again.starts_with("already finished: ")
            && again.contains("the encoder is my-run/encoder.safetensors"),
        "{again}"
    );
    assert_eq!(weights(), before);
    let text = ok(at, "export my-run --out w.safetensors");
    assert!(text.contains("(channels, height, width)"), "{text}");
}

#[test]
fn which_weights_are_exported_is_chosen_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    for (run, how, exported) in [
        ("plain", "--objective byol", "model"),
        ("averaged", "--objective simclr --ema 0.9", "ema"),
        ("taught", "--objective byol --export teacher", "teacher"),
    ] {
        train(at, run, &format!("--epochs 1 --no-check {how}"));
        for (file, key) in [("encoder.toml", "exported"), ("config.toml", "export")] {
            let text = std::fs::read_to_string(at.join(run).join(file)).unwrap();
            let wanted = format!("{key} = \"{exported}\"");
            assert!(text.contains(&wanted), "{run}/{file}: {text}");
        }
    }
    let weights = |run: &str| std::fs::read(at.join(run).join("encoder.safetensors")).unwrap();
    assert_ne!(weights("plain"), weights("taught"));
    let train = "train --data data --out no --objective simclr";
    for (how, wanted) in [
        ("--export teacher", "objective `simclr` has model and ema"),
        ("--export ema", "train.ema=0.999"),
        ("--export best", "`teacher`"),
        ("--ema 1", "train.ema=1 must be in 0..1"),
    ] {
        let error = fails(at, &format!("{train} {how}"));
        assert!(error.contains(wanted), "{how}: {error}");
    }
    assert!(!at.join("no").exists());
}

#[test]
fn json_on_standard_output_is_alone_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    for command in ["probe", "compare"] {
        let how = format!("--data data --probe knn --json - --html {command}.html");
        let text = ok(at, &format!("{command} pixels {how}"));
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(found["rows"].is_array(), "{text}");
        assert!(at.join(format!("{command}.html")).is_file());
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_one_and_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    std::fs::create_dir(at.join("disk")).unwrap();
    std::os::unix::fs::symlink("disk/far.csv", at.join("near.csv")).unwrap();
    // At first nothing is there.
    for source in ["pixels", "pca:2"] {
        ok(at, &format!("embed {source} --data data --out near.csv"));
        assert!(at.join("near.csv").is_symlink());
        let text = std::fs::read_to_string(at.join("disk/far.csv")).unwrap();
        assert!(text.starts_with("filename,embedding_0"), "{source}");
    }
    std::fs::create_dir(at.join("sheet.png")).unwrap();
    let error = fails(at, "views data --out sheet.png");
    assert!(error.contains("is a folder; name a file"), "{error}");
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
    ok(at, "check table.csv");
    ok(
        at,
        "train --data table.csv --out v --epochs 3 --set encoder.width=8",
    );
    let table = ok(at, "probe v --data table.csv");
    assert!(
        table.contains("random:mlp") && table.contains("pixels"),
        "{table}"
    );
    let error = fails(at, "train --data table.csv --out w --encoder resnet18");
    assert!(error.contains("use `mlp`"), "{error}");
}

#[test]
fn weights_come_from_elsewhere_and_go_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder);
    let small =
        "--set encoder.width=16 --set encoder.depth=1 --set encoder.heads=2 --set encoder.patch=4";
    let vit = format!("--encoder vit_tiny --image-size 16 {small}");
    let quick = format!("train --data data --epochs 1 --batch-size 16 --no-check {vit}");
    ok(folder, &format!("{quick} --objective mae --out a"));
    let text = ok(folder, "export a --out w.safetensors");
    assert!(
        text.contains("timm.models.VisionTransformer(img_size=(16, 16)"),
        "{text}"
    );

    // As a run of its own, which is measured like any other.
    let grey = text.contains("in_chans=1");
    let channels = if grey { "0.5" } else { "0.5,0.5,0.5" };
    let import = format!("import w.safetensors --out b {vit} --mean {channels} --std {channels}");
    ok(folder, &import);
    let text = ok(folder, "probe b --data data --probe knn --labels 5");
    assert!(accuracy_of("b", &text) > 0.0, "{text}");
    let error = fails(folder, &import);
    assert!(error.contains("--overwrite"), "{error}");

    let text = ok(folder, "compare a b --data data --probe knn --labels 5");
    assert!(accuracy_of("b", &text) > 0.0, "{text}");
    for args in ["report b", "train --resume b"] {
        let error = fails(folder, args);
        assert!(error.contains("from elsewhere"), "{error}");
    }

    // As the start of another.
    ok(
        folder,
        &format!("{quick} --init-from w.safetensors --out c"),
    );
    // Its settings repeat it, bit for bit, and refuse other weights.
    let bytes = |run: &str| std::fs::read(folder.join(run).join("encoder.safetensors")).unwrap();
    ok(
        folder,
        "train --config c/config.toml --no-check --out again",
    );
    assert!(bytes("c") == bytes("again") && bytes("c") != bytes("a"));
    let kept = std::fs::read(folder.join("w.safetensors")).unwrap();
    std::fs::copy(
        folder.join("c/encoder.safetensors"),
        folder.join("w.safetensors"),
    )
    .unwrap();
    let error = fails(
        folder,
        "train --config c/config.toml --no-check --out other",
    );
    assert!(
        error.contains("is not what that run began from") && !folder.join("other").exists(),
        "{error}"
    );
    std::fs::write(folder.join("w.safetensors"), kept).unwrap();
    // Also where a latent space follows that the file does not know; a run's weights likewise.
    for (from, out) in [("w.safetensors", "c-vae"), ("c", "c-vae-too")] {
        ok(
            folder,
            &format!("{quick} --objective vae --init-from {from} --out {out}"),
        );
    }

    // What does not fit is said, all of it, and leaves nothing.
    let error = fails(folder, "import w.safetensors --encoder resnet18 --out d");
    for part in [
        "w.safetensors",
        "100 missing: bn1.bias [64], ",
        "conv1.weight [64, 3, 7, 7]",
        "18 not part of the network: blocks.0.attn.proj.bias, ",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M";
    std::fs::write(folder.join("w.pth"), legacy).unwrap();
    let error = fails(folder, "import w.pth --encoder resnet18 --out d");
    assert!(error.contains("before 1.6"), "{error}");
    std::fs::write(folder.join("w.pth"), b"PK\x03\x04 and nothing").unwrap();
    let error = fails(folder, "import w.pth --encoder resnet18 --out d");
    assert!(
        error.contains("w.pth") && !folder.join("d").exists(),
        "{error}"
    );
}
