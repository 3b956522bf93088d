//! Runs that learn to draw, end to end through the binary, and a study of two objectives.

use std::path::Path;

/// Arguments without spaces in them, as one text.
fn ok(at: &Path, args: &str) -> String {
    crate::ok(at, &args.split(' ').collect::<Vec<_>>())
}

fn fails(at: &Path, args: &str) -> String {
    crate::fails(at, &args.split(' ').collect::<Vec<_>>())
}

const SMALL: &str = "--encoder mlp --set encoder.width=32 --set encoder.layers=1 --batch-size 64";

#[test]
fn a_variational_run_draws_what_it_learned() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = "--data builtin:shapes";
    ok(
        at,
        &format!(
            "train {data} {SMALL} --objective vae --set objective.latents=4 --steps 60 --out v"
        ),
    );
    assert!(at.join("v/model.safetensors").is_file());
    ok(at, "sample v --count 9 --out s.png");
    ok(at, "sample v --count 9 --out s.npz");
    let text = ok(at, &format!("reconstruct v {data} --out r.png"));
    assert!(text.contains("mean squared error"), "{text}");
    let text = ok(
        at,
        &format!("traverse v {data} --out t.png --gif t.gif --steps 5"),
    );
    assert!(text.contains("row 4: latent"), "{text}");
    for (file, width) in [("s.png", 3), ("r.png", 12), ("t.png", 5)] {
        // Tiles of 24 pixels three times enlarged, 4 pixels of white between them.
        let picture = image::open(at.join(file)).unwrap();
        assert_eq!(picture.width(), 4 + width * 76, "{file}");
    }
    assert!(
        std::fs::read(at.join("t.gif"))
            .unwrap()
            .starts_with(b"GIF89a")
    );
    // More draws come nearer to the likelihood, from below; one is the bound.
    let weigh = |draws: usize| -> serde_json::Value {
        let args = format!("likelihood v {data} --samples 100 --draws {draws} --json -");
        serde_json::from_str(&ok(at, &args)).unwrap()
    };
    let (one, many) = (weigh(1), weigh(50));
    let number = |found: &serde_json::Value, key: &str| found[key].as_f64().unwrap();
    assert!(number(&many, "log_likelihood") > number(&one, "log_likelihood"));
    assert!(number(&many, "log_likelihood") > number(&many, "elbo"));
    // The representation is the latents.
    let table = ok(
        at,
        &format!("probe v {data} --probe geometry --no-baselines --json -"),
    );
    let found: serde_json::Value = serde_json::from_str(&table).unwrap();
    assert_eq!(found["geometry"][0]["dim"], 4);
    ok(at, "report v --labels all");
    let page = std::fs::read_to_string(at.join("v/report.html")).unwrap();
    for part in [
        "Reconstructions",
        "Traversals",
        "Samples from the prior",
        "image/gif",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_gan_is_inverted_and_what_cannot_draw_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = "--data builtin:shapes";
    let gan = "--objective gan --set objective.latents=3 --set objective.decoder=mlp --steps 30";
    ok(at, &format!("train {data} {SMALL} {gan} --out g"));
    ok(at, "sample g --out s.png");
    let error = fails(at, &format!("reconstruct g {data}"));
    assert!(error.contains("hspace invert"), "{error}");
    for method in ["optimise", "encoder", "both"] {
        let how = format!("--method {method} --samples 60 --steps 20 --lessons 20 --starts 2");
        let text = ok(
            at,
            &format!("invert g {data} {how} --out z.npz --png z.png --json -"),
        );
        let errors: Vec<(usize, f64)> = serde_json::from_str(&text).unwrap();
        let (first, last) = (errors[0], errors[errors.len() - 1]);
        assert_eq!(
            (first.0, last.0),
            (0, if method == "encoder" { 0 } else { 20 })
        );
        assert!(
            method == "encoder" || last.1 < first.1,
            "{method}: {errors:?}"
        );
    }
    ok(
        at,
        &format!("invert g {data} --method encoder --lessons 20"),
    );
    ok(
        at,
        &format!("probe latents.npz {data} --probe geometry --no-baselines"),
    );
    ok(
        at,
        &format!("train {data} {SMALL} --objective simclr --steps 2 --out c"),
    );
    // An autoencoder draws, but does not say how its codes are distributed.
    ok(
        at,
        &format!("train {data} {SMALL} --objective autoencoder --steps 2 --out a"),
    );
    ok(at, &format!("reconstruct a {data}"));
    assert!(fails(at, "sample a").contains("no prior"));
    let error = fails(at, "sample c");
    assert!(error.contains("simclr") && error.contains("vae"), "{error}");
}

#[test]
fn a_study_goes_on_where_it_stopped_and_tells_where_pixels_win() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let study = "study --data builtin:shapes --encoder mlp:width=16 --objective simclr,mae,supervised \
                 --seconds 0.2 --seeds 2 --samples 300 --set train.batch_size=64 --out s";
    let table = ok(at, study);
    for part in [
        "| simclr",
        "| supervised †",
        "| pixels",
        "raw pixels",
        "Not for this encoder or these data: mae",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // Nothing is done twice: what is there is read, what is missing is made again, and is the same.
    let results = at.join("s/results");
    let one = results.join("builtin-shapes.mlp-width=16.simclr.1.json");
    let before = std::fs::read(&one).unwrap();
    std::fs::remove_file(&one).unwrap();
    assert_eq!(ok(at, study), table);
    assert_eq!(std::fs::read(&one).unwrap(), before);
    let error = fails(at, &study.replace("--seeds 2", "--seeds 3"));
    assert!(error.contains("study.toml"), "{error}");
}
