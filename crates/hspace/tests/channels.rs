//! Images of five channels, from files to features: every kind of network takes any number of channels.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use hspace::config::Config;
use hspace::dataset::check::check;
use hspace::dataset::{Dataset, OpenOptions, Shape};
use hspace::job::{Job, about};
use hspace::training::Start;

const SIDE: usize = 16;
const CHANNELS: usize = 5;
const STEPS: usize = 12;

/// A TIFF of interleaved bytes `[SIDE, SIDE, CHANNELS]`: a header, the data, and a directory of eight fields.
fn tiff(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((8 + pixels.len() as u32).to_le_bytes());
    bytes.extend(pixels);
    // Width, height, bits, grey, where the data lie, samples, rows and bytes of the only strip.
    let fields: [(u16, u32); 8] = [
        (256, SIDE as u32),
        (257, SIDE as u32),
        (258, 8),
        (262, 1),
        (273, 8),
        (277, CHANNELS as u32),
        (278, SIDE as u32),
        (279, pixels.len() as u32),
    ];
    bytes.extend((fields.len() as u16).to_le_bytes());
    for (tag, value) in fields {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4u16.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0u32.to_le_bytes());
    bytes
}

/// Two classes that differ in one channel: the fourth is bright or dark, the others are waves.
fn folder(at: &Path) -> Dataset {
    for i in 0..48 {
        let class = i % 2;
        let value = |at: usize| {
            let (pixel, channel) = (at / CHANNELS, at % CHANNELS);
            let wave = ((pixel / SIDE + i) as f64 * 0.4 + (pixel % SIDE) as f64 * 0.3).sin();
            let height = if channel == 3 {
                60.0 + 130.0 * class as f64
            } else {
                128.0
            };
            (height + 50.0 * wave) as u8
        };
        let pixels: Vec<u8> = (0..SIDE * SIDE * CHANNELS).map(value).collect();
        let folder = at.join(["dark", "bright"][class]);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{i}.tif")), tiff(&pixels)).unwrap();
    }
    Dataset::open(&at.display().to_string(), &OpenOptions::default()).unwrap()
}

#[test]
fn five_channels_are_learned_by_every_kind_of_network() {
    let at = tempfile::tempdir().unwrap();
    let dataset = folder(at.path());
    let shape = Shape::Image {
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
    };
    assert_eq!(dataset.shape, shape);
    let found = check(&dataset, &|_, _| ()).unwrap();
    assert_eq!(
        (found.channels[&CHANNELS], found.mean.len()),
        (48, CHANNELS)
    );
    for (encoder, small, objective) in [
        ("cnn", "width = 8", "simclr"),
        ("resnet18", "width = 8", "supervised"),
        ("mlp", "width = 32", "vicreg"),
        ("vit_tiny", "width = 16\ndepth = 2", "mae"),
        ("cnn", "width = 8", "vae"),
        ("cnn", "width = 8", "gan"),
    ] {
        let text = format!(
            "[encoder]\nname = \"{encoder}\"\n{small}\n[objective]\nname = \"{objective}\"\n\
             [train]\nsteps = {STEPS}\nbatch_size = 16\nlog_every = 1\n"
        );
        let config = Config::resolve(text.parse().unwrap(), about(&dataset)).unwrap();
        let job = Job::new(config, &dataset, None).unwrap_or_else(|e| panic!("{objective}: {e}"));
        let mut losses = Vec::new();
        let mut watch = |progress: &hspace::training::Progress| losses.push(progress.loss);
        let trained = job.run(None, Start::Fresh, &mut watch, &AtomicBool::new(false));
        let trained = trained.unwrap_or_else(|e| panic!("{objective}: {e}"));
        assert_eq!(trained.steps, STEPS, "{encoder} {objective}");
        assert!(
            losses.iter().all(|loss| loss.is_finite()),
            "{encoder} {objective}: {losses:?}"
        );
        if matches!(objective, "supervised" | "mae" | "vae") {
            let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
            let (first, last) = (mean(&losses[..3]), mean(&losses[STEPS - 3..]));
            assert!(last < first, "{encoder} {objective}: {losses:?}");
        }
    }
}
