//! Checkpoints of other training code through the binary: `import` and `train --init-from`.

use std::path::Path;

use crate::{command, fails};

/// Sixteen pictures in colour, of the network's size.
fn pictures(at: &Path) {
    std::fs::create_dir(at.join("data")).unwrap();
    for i in 0..16u32 {
        let pixel = |x, y| image::Rgb([(x * 30) as u8, (y * 30) as u8, (i * 15) as u8]);
        let picture = image::RgbImage::from_fn(8, 8, pixel);
        picture.save(at.join(format!("data/{i}.png"))).unwrap();
    }
}

/// Puts a checkpoint of the library's tests into the folder.
fn checkpoint(at: &Path, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hspace/tests/golden/checkpoints");
    std::fs::copy(folder.join(name), at.join(name)).unwrap();
}

/// Standard error of what must have succeeded.
fn notes(at: &Path, args: &str) -> String {
    let output = command(at, args).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "hspace {args}: {error}");
    error
}

#[test]
fn a_checkpoint_is_imported_with_notes_and_by_key_where_two_networks_fit() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["simsiam.pth.tar", "dino.pth"] {
        checkpoint(at, name);
    }
    let cnn = "--encoder cnn --set encoder.width=1 --image-size 8";
    let text = notes(at, &format!("import simsiam.pth.tar {cnn} --out a"));
    for note in [
        "note: simsiam.pth.tar: took the weights under `state_dict`, names after `module.encoder.`\n",
        "note: simsiam.pth.tar: left out ",
    ] {
        assert!(text.contains(note), "{text}");
    }
    let error = fails(at, &format!("import dino.pth {cnn} --out b"));
    assert!(
        error.contains("--weights-key student.module.backbone or --weights-key teacher.backbone"),
        "{error}"
    );
    assert!(!at.join("b").exists());
    for (key, out) in [("teacher", "b"), ("student", "c")] {
        let args = format!("import dino.pth {cnn} --weights-key {key} --out {out}");
        assert!(notes(at, &args).contains(&format!("under `{key}`")));
    }
    let weights = |run: &str| std::fs::read(at.join(run).join("encoder.safetensors")).unwrap();
    assert_eq!(weights("a"), weights("c"));
    assert_ne!(weights("b"), weights("c"));
}

#[test]
fn a_training_starts_from_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    checkpoint(at, "moco.pth.tar");
    let train = "train --data data --objective simclr --encoder cnn --set encoder.width=1 --steps 1 --batch-size 4 \
                 --no-check";
    let error = fails(at, &format!("{train} --init-from moco.pth.tar --out a"));
    assert!(error.contains("state_dict.module.encoder_q"), "{error}");
    let args = format!("{train} --init-from moco.pth.tar --weights-key encoder_q --out a");
    let text = notes(at, &args);
    assert!(
        text.contains("note: moco.pth.tar: took the weights under `state_dict`, names after"),
        "{text}"
    );
    let misused = command(at, &format!("{train} --weights-key encoder_q --out b"));
    let output = { misused }.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && error.contains("--init-from"),
        "{error}"
    );
}
