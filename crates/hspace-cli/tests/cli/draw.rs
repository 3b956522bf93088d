//! Runs that learn to draw, end to end through the binary, and a study of two objectives.

use crate::{fails, ok};

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
    ok(
        at,
        &format!(
            "traverse v {data} --between blue-circle-x07-y07-r3,blue-circle-x07-y08-r4 --out b.png"
        ),
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
        "Interpolations",
        "Samples from the prior",
        "recall",
        "The latents and their prior",
        "The density of the space",
        "image/gif",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_collapse_is_told_as_it_happens_and_on_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let how = "--objective beta_vae --set objective.beta=10000 --steps 60 --set train.log_every=10";
    let train = format!("train --data builtin:shapes {SMALL} {how} --out b");
    let output = crate::command(at, &train).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<&str> = printed
        .lines()
        .filter(|l| l.starts_with("warning: "))
        .collect();
    let [warning] = warnings[..] else {
        panic!("one warning, once: {printed}");
    };
    assert!(warning.contains("the posterior has collapsed"), "{warning}");
    ok(at, "report b --labels all");
    let warning = warning.strip_prefix("warning: ").unwrap();
    let read = |file: &str| std::fs::read_to_string(at.join("b").join(file)).unwrap();
    assert!(read("report.html").contains(warning));
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let found = summary["warnings"].as_array().unwrap();
    let found = found.iter().find(|w| w["kind"] == "posterior_collapse");
    let found = found.unwrap_or_else(|| panic!("{summary}"));
    let text = found["text"].as_str().unwrap();
    assert_eq!(warning, format!("at step {}: {text}", found["step"]));
}

/// A linear autoencoder's best bound is the likelihood of probabilistic principal components (Tipping &
/// Bishop 1999; Lucas et al. 2019, arXiv:1911.02469), whose maximum is known in closed form.
#[test]
fn a_linear_variational_autoencoder_finds_the_principal_components() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // Signs of orthogonal columns, in 64 rows.
    let sign = |row: usize, column: usize| -> f64 {
        if (row & column).count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        }
    };
    // The same rows to learn from and to be judged by; every column has the same variance.
    let variances = [4.0, 2.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3];
    let mut csv = "a,b,c,d,e,f,g,h,split\n".to_owned();
    for split in ["train", "test"] {
        for row in 0..64 {
            for column in 0..8 {
                let part =
                    |j: usize| f64::sqrt(variances[j]) * sign(row, 1 + 7 * j) * sign(j, column);
                let value: f64 = (0..8).map(part).sum();
                csv += &format!("{},", value / f64::sqrt(8.0));
            }
            csv += &format!("{split}\n");
        }
    }
    std::fs::write(at.join("rows.csv"), csv).unwrap();
    let model = "--encoder mlp --set encoder.layers=0 --objective vae --set objective.latents=2 \
                 --set objective.decoder_layers=0";
    let how = "--batch-size 64 --steps 2500 --learning-rate 0.02 --set train.weight_decay=0";
    ok(at, &format!("train --data rows.csv {model} {how} --out v"));
    // The report of data without labels shows what there is to see.
    ok(at, "report v");
    let page = std::fs::read_to_string(at.join("v/report.html")).unwrap();
    for part in [
        "have no label column",
        "The plane",
        "Effective rank",
        "What latents have in common",
        "The circles are the prior's contours",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("linear probe"));
    let text = ok(
        at,
        "traverse v --data rows.csv --plane --steps 3 --out p.png",
    );
    assert!(text.contains("upwards: latent 1"), "{text}");
    let text = ok(at, "likelihood v --data rows.csv --draws 2000 --json -");
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    // Columns are standardised: divided by the mean variance.
    let mean: f64 = variances.iter().sum::<f64>() / 8.0;
    let logs: f64 = variances.iter().map(|v: &f64| (v / mean).ln()).sum();
    let best = -0.5 * (8.0 * (2.0 * std::f64::consts::PI).ln() + logs + 8.0);
    for (what, room) in [("elbo", 0.03), ("log_likelihood", 0.02)] {
        let value = found[what].as_f64().unwrap();
        assert!(
            (value - best).abs() < room,
            "{what} {value}, closed form {best}"
        );
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
    let text = ok(at, &format!("fidelity g {data} --samples 300"));
    assert!(
        text.contains("300 test samples of builtin:shapes in pca:50"),
        "{text}"
    );
    let text = ok(
        at,
        &format!("fidelity g {data} --samples 200 --space pixels --json -"),
    );
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let score = |side: &str, what: &str| found[side][what].as_f64().unwrap();
    // Other real samples are nearer to real ones than what 30 steps teach.
    assert!(
        score("real", "recall") > 0.5 && score("real", "precision") > 0.5,
        "{text}"
    );
    assert!(
        score("drawn", "frechet") > 2.0 * score("real", "frechet"),
        "{text}"
    );
    let error = fails(at, &format!("fidelity g {data} --space s.png"));
    assert!(error.contains("s.png"), "{error}");
    let error = fails(at, &format!("reconstruct g {data}"));
    assert!(error.contains("hspace invert"), "{error}");
    // Drawn samples are moved: no encoder gives the latents of real ones.
    let text = ok(
        at,
        "traverse g --sample 2 --steps 3 --out t.png --gif t.gif",
    );
    assert!(
        text.contains("row 3: latent") && text.contains("0.000 ± 1.000"),
        "{text}"
    );
    let between = |ids: &str, out: &str| {
        ok(
            at,
            &format!("traverse g --between {ids} --steps 5 --out {out}"),
        );
        image::open(at.join(out)).unwrap().into_rgb8()
    };
    let (there, back) = (between("0,4", "there.png"), between("4,0", "back.png"));
    assert_eq!(there.dimensions(), (4 + 5 * 76, 4 + 76));
    // The ends are the samples of those numbers.
    let tile = |sheet: &image::RgbImage, column: u32, row: u32| {
        image::imageops::crop_imm(sheet, 4 + column * 76, 4 + row * 76, 72, 72).to_image()
    };
    ok(at, "sample g --count 5 --out five.png");
    let five = image::open(at.join("five.png")).unwrap().into_rgb8();
    let (first, last) = (tile(&five, 0, 0), tile(&five, 1, 1));
    assert!(first != last);
    assert!(first == tile(&there, 0, 0) && first == tile(&back, 4, 0));
    assert!(last == tile(&there, 4, 0) && last == tile(&back, 0, 0));
    // What changes the sample most comes first.
    ok(at, "traverse g --steps 3 --span 1 --out t.png");
    let moved = image::open(at.join("t.png")).unwrap().into_rgb8();
    let changes: Vec<f64> = (0..3)
        .map(|row| {
            let ends = [0, 2].map(|column| tile(&moved, column, row));
            let pairs = ends[0].as_raw().iter().zip(ends[1].as_raw());
            pairs
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum()
        })
        .collect();
    assert!(
        changes.is_sorted_by(|a, b| a >= b) && changes[0] > 0.0,
        "{changes:?}"
    );
    for (args, part) in [
        (
            "traverse g --sample x".to_owned(),
            "no number of a drawn sample",
        ),
        (format!("traverse g {data}"), "leave --data out"),
    ] {
        let error = fails(at, &args);
        assert!(error.contains(part), "{error}");
    }
    ok(at, "report g --labels all");
    let page = std::fs::read_to_string(at.join("g/report.html")).unwrap();
    for part in [
        "one latent of a drawn sample a row",
        "distributed as the prior",
        "Samples from the prior",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for method in ["optimise", "encoder", "both"] {
        let how =
            format!("--method {method} --samples 60 --steps 20 --encoder-steps 20 --starts 2");
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
    let error = fails(at, &format!("probe z.npz pixels {data}"));
    assert!(error.contains("--common"), "{error}");
    let text = ok(at, &format!("probe z.npz pixels {data} --common --json -"));
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    // The 60 samples that were inverted: rounded down for each split.
    let measured = ["train", "test"].map(|split| found[split].as_u64().unwrap());
    assert!(
        (58..=60).contains(&measured.iter().sum::<u64>()),
        "{measured:?}"
    );
    ok(at, &format!("embed g {data} --out all.npz"));
    let both = ok(
        at,
        &format!("probe all.npz z.npz pixels {data} --common --json -"),
    );
    let both: serde_json::Value = serde_json::from_str(&both).unwrap();
    assert_eq!(both["train"], found["train"]);
    std::fs::write(at.join("other.csv"), "id,x\na,1\nb,2\n").unwrap();
    let error = fails(at, &format!("probe other.csv {data} --common"));
    assert!(
        error.contains("other.csv") && error.contains("holds no sample"),
        "{error}"
    );
    ok(
        at,
        &format!("invert g {data} --method encoder --encoder-steps 20"),
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
    assert!(fails(at, &format!("fidelity a {data}")).contains("no prior"));
    let error = fails(at, "sample c");
    assert!(error.contains("simclr") && error.contains("vae"), "{error}");
}

/// Numbers of a table by column, without those of its first column; the split is no number.
fn columns(text: &str) -> Vec<Vec<f64>> {
    let rows = text.lines().skip(1).map(|line| line.split(',').skip(1));
    let rows: Vec<Vec<f64>> = rows
        .map(|row| row.filter_map(|x| x.parse().ok()).collect())
        .collect();
    let column = |j: usize| rows.iter().map(|row| row[j]).collect();
    (0..rows[0].len()).map(column).collect()
}

fn variance(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64
}

/// Columns of very different units, and a generator that is one linear map: so there are latents that draw a
/// drawn sample exactly.
#[test]
fn a_game_on_vectors_draws_in_their_units_and_its_latents_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut csv = "id,a,b,c,d\n".to_owned();
    for i in 0..400 {
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        let wave = |k: u32| f64::from(i * k % 101) / 101.0 - 0.5;
        let (a, b) = (
            1000.0 * (side + 0.3 * wave(7)),
            0.001 * (side + 0.3 * wave(13)),
        );
        csv += &format!("{i},{a},{b},{},{}\n", 50.0 + 5.0 * wave(29), wave(31));
    }
    let real = columns(&csv);
    std::fs::write(at.join("rows.csv"), csv).unwrap();
    let model = "--encoder mlp --set encoder.width=32 --set encoder.layers=2 --objective gan \
                 --set objective.latents=2 --set objective.decoder_layers=0";
    ok(
        at,
        &format!("train --data rows.csv {model} --steps 200 --batch-size 64 --out g"),
    );
    ok(at, "sample g --count 200 --out s.csv");
    let samples = std::fs::read_to_string(at.join("s.csv")).unwrap();
    let drawn = columns(&samples);
    for (drawn, real) in drawn.iter().zip(&real) {
        let ratio = (variance(drawn) / variance(real)).sqrt();
        assert!((0.2..3.0).contains(&ratio), "{ratio}");
    }
    let judged = ok(
        at,
        "fidelity g --data rows.csv --samples 100 --space pixels --json -",
    );
    let found: serde_json::Value = serde_json::from_str(&judged).unwrap();
    let score = |side: &str, what: &str| found[side][what].as_f64().unwrap();
    assert!(score("real", "recall") > 0.9, "{judged}");
    assert!((0.1..0.9).contains(&score("drawn", "recall")), "{judged}");
    assert!(
        score("drawn", "frechet") > score("real", "frechet"),
        "{judged}"
    );
    ok(at, "traverse g --sample 1 --steps 3 --out t.png");
    assert!(at.join("t.png").is_file());

    let (_, rest) = samples.split_once('\n').unwrap();
    std::fs::write(at.join("drawn.csv"), format!("id,a,b,c,d,split\n{rest}")).unwrap();
    let invert = |method: &str| -> (Vec<(usize, f64)>, Vec<Vec<f64>>) {
        let how = format!("--method {method} --prior 0 --starts 1 --steps 300 --encoder-steps 300");
        let out = format!("--out {method}.csv --json -");
        let text = ok(at, &format!("invert g --data drawn.csv {how} {out}"));
        let found = std::fs::read_to_string(at.join(format!("{method}.csv"))).unwrap();
        (serde_json::from_str(&text).unwrap(), columns(&found))
    };
    let [(optimised, from_prior), (taught, _), (both, from_student)] =
        ["optimise", "encoder", "both"].map(invert);
    // What one sample for all would be off by.
    let shares = drawn
        .iter()
        .zip(&real)
        .map(|(d, r)| variance(d) / variance(r));
    let constant = shares.sum::<f64>() / 4.0;
    let last = |errors: &[(usize, f64)]| errors[errors.len() - 1].1;
    assert!(last(&optimised) < 1e-3 * constant, "{optimised:?}");
    assert!(last(&taught) < 0.3 * constant, "{taught:?}, {constant}");
    assert!(
        (both[0].1 - taught[0].1).abs() < 1e-6,
        "{both:?}, {taught:?}"
    );
    assert!(last(&both) < 1e-3 * constant, "{both:?}");
    // Two numbers that draw four exactly are the only ones.
    for (a, b) in from_prior.concat().iter().zip(from_student.concat()) {
        assert!((a - b).abs() < 0.1, "{a} and {b}");
    }
}

#[test]
fn a_study_goes_on_where_it_stopped_and_compares_with_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let study = "study --data builtin:shapes --encoder mlp:width=16 --objective simclr:temperature=0.5,mae,supervised \
                 --seconds 0.2 --seeds 2 --samples 300 --set train.batch_size=64 --out s";
    let table = ok(at, study);
    for part in [
        "| simclr:temperature=0.5 |",
        "| supervised †",
        "| pixels",
        "raw pixels",
        "Not for this encoder or these data: mae",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // Nothing is done twice: what is there is read, what is missing is made again, and is the same.
    let results = at.join("s/results");
    let one = results.join("builtin-shapes.mlp-width=16.simclr-temperature=0-5.1.json");
    let before = std::fs::read(&one).unwrap();
    std::fs::remove_file(&one).unwrap();
    assert_eq!(ok(at, study), table);
    assert_eq!(std::fs::read(&one).unwrap(), before);
    // What diverges is reported under the table, and the rest goes on.
    let wild = "study --data builtin:shapes --encoder mlp:width=16 --objective beta_vae:beta=1e300,supervised \
                --seconds 0.2 --seeds 1 --samples 300 --set train.batch_size=64 --out w";
    let table = ok(at, wild);
    assert!(
        table.contains("| supervised †") && table.contains("beta_vae:beta=1e300 (the loss is"),
        "{table}"
    );
    assert_eq!(ok(at, wild), table);
    let error = fails(at, &study.replace("--seeds 2", "--seeds 3"));
    assert!(error.contains("study.toml"), "{error}");
}
