//! What cannot be is refused: in words, before anything is written.

use crate::fails;
use crate::pictures::{pictures, train};

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
