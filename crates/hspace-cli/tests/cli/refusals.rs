//! What cannot be is refused: in words, before anything is written.

use std::path::Path;

use crate::pictures::{pictures, train};
use crate::{command, fails};

/// Standard error of what the command line itself must have refused, with the exit code of bad usage.
fn misused(folder: &Path, args: &str) -> String {
    let output = command(folder, args).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "hspace {args}: {error}");
    error
}

#[test]
fn all_wrong_settings_are_answered_at_once_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    let error = fails(
        at,
        "train --data data --out r --encoder resnet81 --set objective.temprature=1 --set train.epochs=0",
    );
    for part in ["resnet18", "temperature", "train.epochs=0"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!at.join("r").exists());
}

#[test]
fn objectives_say_what_they_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder);
    for (more, part) in [
        ("--objective mae --encoder cnn", "vit_tiny"),
        (
            "--objective mae --encoder vit_tiny --set encoder.patch=16",
            "at least two patches",
        ),
        ("--objective swav --encoder mlp", "local_views=0"),
        (
            "--objective dino --encoder vit_tiny --set train.image_size=96 --set views.crop.local_size=40",
            "no multiple of the patches' 16",
        ),
        (
            "--objective dino --set views.crop.local_size=64",
            "local_size=64 is larger than the images",
        ),
        ("--objective scarf --encoder cnn", "simclr"),
        (
            "--objective supervised --stop-on alignment",
            "several views",
        ),
        ("--keep-best alignmen", "alignmen"),
        (
            "--objective vae --set objective.decoder=resnets",
            "objective.decoder=\"resnets\": unknown variant",
        ),
        (
            "--keep-best online_probe --set train.online_probe=false",
            "online_probe",
        ),
    ] {
        let args = format!("train --data data --out x --no-check {more}");
        let error = fails(folder, &args);
        assert!(error.contains(part), "{more}: {error}");
        assert!(!folder.join("x").exists());
    }
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    std::fs::create_dir(at.join("nothing")).unwrap();
    let cases = [
        ("check nothing", "nothing"),
        ("check no-such-folder", "no-such-folder"),
        ("check builtin:mnist", "mnist-mini"),
        (
            "train --data data --out r --batch-size 500",
            "batch_size=500",
        ),
        ("train --resume data", "no run of hspace"),
        ("embed data --data data --out x.npz", "no run of hspace"),
        ("embed pixels --data data --out x.txt", "x.txt"),
        ("probe pixles --data data", "pixels"),
        ("probe pixels --data data --set knn.kk=3", "`k`"),
    ];
    for (args, part) in cases {
        let error = fails(at, args);
        assert!(error.contains(part), "{args}: {error}");
    }
    train(at, "r", "--epochs 1");
    let taken = fails(at, "train --data data --out r");
    assert!(taken.contains("--overwrite"), "{taken}");
    let mine = fails(at, "train --data data --out data --overwrite");
    assert!(mine.contains("not overwritten"), "{mine}");
    let weights = at.join("r/encoder.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 3]).unwrap();
    let cut = fails(at, "embed r --data data --out x.npz");
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
    let error = fails(at, "probe nan.csv --data data");
    assert!(error.contains("nan.csv"), "{error}");
    std::fs::write(
        at.join("other.csv"),
        "filename,embedding_0\na.png,1.0\nb.png,2.0\n",
    )
    .unwrap();
    let error = fails(at, "probe other.csv --data data");
    assert!(
        error.contains("other.csv") || error.contains("ids"),
        "{error}"
    );
}

#[test]
fn no_steps_samples_or_seconds_are_refused_at_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    for (args, flag) in [
        ("train --data data --steps 0", "--steps"),
        ("train --data data --epochs 0", "--epochs"),
        ("train --data data --batch-size 0", "--batch-size"),
        ("views data --views 0", "--views"),
        ("views data --samples 0", "--samples"),
        ("quickstart --seconds 0", "--seconds"),
        ("bench --seconds 0", "--seconds"),
        ("bench --seconds nan", "--seconds"),
        ("bench --seconds inf", "--seconds"),
        ("bench --batch-size 0", "--batch-size"),
    ] {
        let error = misused(folder.path(), args);
        assert!(error.contains(flag), "{args}: {error}");
    }
}

#[test]
fn a_run_is_resumed_with_the_settings_it_has() {
    let folder = tempfile::tempdir().unwrap();
    for more in [
        "--config a.toml",
        "--set train.epochs=3",
        "--encoder cnn",
        "--objective vae",
        "--epochs 3",
        "--steps 3",
        "--batch-size 8",
        "--learning-rate 0.1",
        "--image-size 8",
        "--stop-on spread",
        "--keep-best spread",
        "--label class",
        "--seed 1",
        "--device cpu",
        "--data data",
    ] {
        let error = misused(folder.path(), &format!("train --resume r {more}"));
        let flag = more.split(' ').next().unwrap();
        assert!(
            error.contains(flag) && error.contains("--resume"),
            "{more}: {error}"
        );
    }
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["c2.csv", "emb.csv"] {
        std::fs::write(at.join(name), "a,b\n1,2\n").unwrap();
    }
    for (args, part) in [
        (
            "embed pixels --data c2.csv --out c2.csv",
            "--out c2.csv is the data",
        ),
        (
            "embed emb.csv --data c2.csv --out emb.csv",
            "--out emb.csv is the source",
        ),
        (
            "check c2.csv --json ./c2.csv",
            "--json ./c2.csv is the data",
        ),
        ("views c2.csv --out c2.csv", "--out c2.csv is the data"),
        (
            "probe pixels --data c2.csv --json c2.csv",
            "--json c2.csv is the data",
        ),
        (
            "probe pixels emb.csv --data c2.csv --html emb.csv",
            "--html emb.csv is the source",
        ),
        (
            "compare pixels --data c2.csv --html c2.csv",
            "--html c2.csv is the data",
        ),
    ] {
        let error = fails(at, args);
        assert!(
            error.contains(part) && error.contains("choose another file"),
            "{args}: {error}"
        );
    }
    for name in ["c2.csv", "emb.csv"] {
        let text = std::fs::read_to_string(at.join(name)).unwrap();
        assert_eq!(text, "a,b\n1,2\n", "{name}");
    }
}

#[test]
fn endings_are_refused_before_work_begins() {
    let folder = tempfile::tempdir().unwrap();
    for (args, ending) in [
        ("export r --out w.pth", ".safetensors"),
        ("views data --out v.jpg", ".png"),
        ("traverse r --data data --out t.gif", ".png"),
        ("traverse r --data data --gif t.png", ".gif"),
        ("reconstruct r --data data --out r.jpg", ".png"),
    ] {
        let error = fails(folder.path(), args);
        assert!(
            error.contains(&format!("ends in {ending}")),
            "{args}: {error}"
        );
    }
}
