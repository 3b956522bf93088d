//! What holds for every kind of view, checked over the whole list.

use std::borrow::Cow;

use super::*;
use crate::dataset::{Dataset, Kind, Pixels, Samples};
use crate::matrix::Matrix;

const SIDE: usize = 24;
const DIM: usize = 12;

/// An RGB image with soft shapes and some texture, none of it symmetric.
fn picture(channels: usize) -> Sample<'static> {
    let (height, width) = (30, 40);
    let value = |i: usize| {
        let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
        let wave = ((x * (c + 2)) as f32 * 0.11).sin() + ((y * (c + 1)) as f32 * 0.17).cos();
        (128.0 + 50.0 * wave + (i * 37 % 23) as f32) as u8
    };
    let bytes: Vec<u8> = (0..height * width * channels).map(value).collect();
    Sample::Image(Image {
        width,
        height,
        channels,
        pixels: Pixels::U8(bytes.into()),
    })
}

fn vector() -> Sample<'static> {
    Sample::Vector(Cow::Owned((0..DIM).map(|i| i as f32 + 0.5).collect()))
}

fn image_input(channels: usize) -> InputSpec {
    InputSpec {
        shape: Shape::Image {
            channels,
            height: SIDE,
            width: SIDE,
        },
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
        shift: vec![],
    }
}

fn vector_input() -> InputSpec {
    InputSpec {
        shape: Shape::Vector { dim: DIM },
        mean: (0..DIM).map(|i| i as f32).collect(),
        std: vec![2.0; DIM],
        shift: vec![],
    }
}

fn reference() -> Option<Marginals> {
    let data = (0..DIM * 50).map(|i| (i * 31 % 97) as f32 / 10.0).collect();
    Marginals::new(Matrix::new(50, DIM, data))
}

/// What the view can be taken of: an input, a sample, and whether colours can change.
fn subjects(entry: &ViewEntry) -> Vec<(InputSpec, Sample<'static>)> {
    let rgb = (image_input(3), picture(3));
    let grey = (image_input(1), picture(1));
    let both = (image_input(3), picture(1));
    let many = (image_input(5), picture(5));
    let numbers = (vector_input(), vector());
    match entry.takes {
        Takes::Images if entry.name == "grey" => vec![rgb],
        Takes::Images => vec![rgb, grey, both, many],
        Takes::Vectors => vec![numbers],
        Takes::Both => vec![rgb, grey, both, many, numbers],
    }
}

fn taken(views: &Views, sample: &Sample, key: Key) -> Vec<f32> {
    let mut out = vec![f32::NAN; views.input().len()];
    views.random(sample, key, &mut out).expect("a view");
    out
}

fn plain(views: &Views, sample: &Sample) -> Vec<f32> {
    let mut out = vec![f32::NAN; views.input().len()];
    views.plain(sample, &mut out).expect("a view");
    out
}

#[test]
fn every_view_is_a_pure_function_of_its_key_and_stays_in_range() {
    for entry in VIEWS {
        let mut config = ViewsConfig::none();
        (entry.show)(&mut config);
        assert!((entry.of)(&config).on(), "{}", entry.name);
        for (input, sample) in subjects(entry) {
            let images = matches!(input.shape, Shape::Image { .. });
            let views = Views::new(config.clone(), input, reference()).expect("valid");
            let mut distinct: Vec<Vec<f32>> = vec![plain(&views, &sample)];
            for view in 0..20 {
                let key = Key {
                    view,
                    seed: 3,
                    ..Key::default()
                };
                let out = taken(&views, &sample, key);
                let again = std::thread::scope(|s| s.spawn(|| taken(&views, &sample, key)).join());
                assert_eq!(out, again.expect("joined"), "{}", entry.name);
                for v in &out {
                    assert!(v.is_finite(), "{}", entry.name);
                    assert!(
                        !images || (-1e-6..=1.000_001).contains(v),
                        "{}: {v}",
                        entry.name
                    );
                }
                if !distinct.contains(&out) {
                    distinct.push(out);
                }
            }
            let expected = match entry.name {
                "flip" => 4,
                "grey" | "solarize" => 2,
                _ => 21,
            };
            assert_eq!(distinct.len(), expected, "{}", entry.name);
        }
    }
}

#[test]
fn switched_off_means_untouched() {
    for (input, sample) in [
        (image_input(3), picture(3)),
        (image_input(1), picture(3)),
        (image_input(3), picture(1)),
        (image_input(5), picture(5)),
        (vector_input(), vector()),
    ] {
        let views = Views::new(ViewsConfig::none(), input, None).expect("valid");
        assert_eq!(
            taken(&views, &sample, Key::default()),
            plain(&views, &sample)
        );
    }
}

#[test]
fn switching_one_view_on_leaves_the_choices_of_the_others() {
    let crop = ViewsConfig {
        crop: crop::Crop {
            p: 1.0,
            ..Default::default()
        },
        ..ViewsConfig::none()
    };
    let mut darker = crop.clone();
    darker.cutout = cutout::Cutout {
        p: 1.0,
        fill: 0.0,
        ..Default::default()
    };
    let take = |config| {
        taken(
            &Views::new(config, image_input(3), None).expect("valid"),
            &picture(3),
            Key::default(),
        )
    };
    let (before, after) = (take(crop), take(darker));
    assert_ne!(before, after);
    assert!(before.iter().zip(&after).all(|(b, a)| a == b || *a == 0.0));
}

#[test]
fn plain_takes_the_centre_and_normalises() {
    // A white square in the middle of a black image that is wider than high.
    let bytes: Vec<u8> = (0..48 * SIDE)
        .map(|i| if (12..36).contains(&(i % 48)) { 255 } else { 0 })
        .collect();
    let sample = Sample::Image(Image {
        width: 48,
        height: SIDE,
        channels: 1,
        pixels: Pixels::U8(bytes.into()),
    });
    let input = InputSpec {
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        ..image_input(3)
    };
    let views = Views::new(ViewsConfig::none(), input, None).expect("valid");
    assert!(
        plain(&views, &sample)
            .iter()
            .all(|v| (v - 2.0).abs() < 1e-5)
    );
    let numbers = Views::new(ViewsConfig::none(), vector_input(), None).expect("valid");
    assert_eq!(plain(&numbers, &vector()), vec![0.25; DIM]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let views = |config, input| Views::new(config, input, None);
    assert!(views(ViewsConfig::preset(Kind::Photo, 224), vector_input()).is_err());
    assert!(views(ViewsConfig::preset(Kind::Vectors, 224), image_input(3)).is_err());
    let missing = views(ViewsConfig::preset(Kind::Vectors, 224), vector_input())
        .err()
        .expect("an error");
    assert!(missing.to_string().contains("reference"), "{missing}");
    let views = views(ViewsConfig::none(), vector_input()).expect("valid");
    let short = Sample::Vector(Cow::Borrowed(&[1.0]));
    assert!(views.plain(&short, &mut [0.0; DIM]).is_err());
    assert!(views.plain(&picture(1), &mut [0.0; DIM]).is_err());
    for (takes, has) in [(3, 2), (3, 4), (5, 1), (1, 5), (5, 3)] {
        let images = Views::new(ViewsConfig::none(), image_input(takes), None).expect("valid");
        let mut out = vec![0.0; images.input().len()];
        let text = images
            .plain(&picture(has), &mut out)
            .expect_err("refused")
            .to_string();
        assert!(
            text.contains(&format!("{has} channels, where the encoder takes {takes}")),
            "{text}"
        );
    }
    assert!(views.plain(&vector(), &mut [0.0; 3]).is_err());
}

struct One(Sample<'static>);

impl Samples for One {
    fn get(&self, _: usize) -> Result<Sample<'_>> {
        Ok(self.0.clone())
    }
}

fn dataset(kind: Kind, shape: Shape, sample: Sample<'static>) -> Dataset {
    Dataset {
        name: "test".into(),
        kind,
        shape,
        ids: (0..5).map(|i| format!("{i}")).collect(),
        columns: Vec::new(),
        split: vec![crate::dataset::Split::Train; 5],
        bad: Vec::new(),
        reading: Default::default(),
        samples: Box::new(One(sample)),
    }
}

/// Of every image view, channel by channel: views that do not mix channels treat each as they would alone.
#[test]
fn each_of_many_channels_is_seen_as_it_would_be_alone() {
    let Sample::Image(many) = picture(5) else {
        panic!("an image")
    };
    let Pixels::U8(bytes) = &many.pixels else {
        panic!("bytes")
    };
    let alone = |channel: usize| {
        let plane: Vec<u8> = bytes.iter().skip(channel).step_by(5).copied().collect();
        Sample::Image(Image {
            channels: 1,
            pixels: Pixels::U8(plane.into()),
            ..many.clone()
        })
    };
    // Noise draws a number for each value.
    for entry in VIEWS
        .iter()
        .filter(|v| v.takes != Takes::Vectors && v.name != "noise")
    {
        let mut config = ViewsConfig::none();
        (entry.show)(&mut config);
        let views =
            |channels| Views::new(config.clone(), image_input(channels), None).expect("valid");
        for view in 0..5 {
            let key = Key {
                view,
                ..Key::default()
            };
            let all = taken(&views(5), &Sample::Image(many.clone()), key);
            let planes: Vec<f32> = (0..5)
                .flat_map(|c| taken(&views(1), &alone(c), key))
                .collect();
            for (a, b) in all.iter().zip(&planes) {
                assert!((a - b).abs() < 1e-6, "{}: {a} {b}", entry.name);
            }
        }
    }
}

#[test]
fn contact_sheets_have_a_tile_for_each_view() {
    let (photo, numbers) = (image_input(3), vector_input());
    let cases = [
        (dataset(Kind::Photo, photo.shape, picture(3)), photo, 72),
        (
            dataset(Kind::Vectors, numbers.shape, vector()),
            numbers,
            11 * DIM as u32,
        ),
    ];
    for (data, input, tile) in cases {
        let views =
            Views::new(ViewsConfig::preset(data.kind, 224), input, reference()).expect("valid");
        let (sheet, rows) =
            sheet::contact_sheet(&data, &[&views, &views.local(None)], 3, 4, 0).expect("a sheet");
        assert_eq!(rows, data.len().min(3));
        assert_eq!(sheet.width(), 5 * tile + 6 * 4 + 8);
        assert_eq!(
            sheet,
            sheet::contact_sheet(&data, &[&views, &views.local(None)], 3, 4, 0)
                .expect("a sheet")
                .0
        );
        assert!(sheet::contact_sheet(&data, &[&views, &views.local(None)], 0, 4, 0).is_err());
    }
}

#[test]
fn speed_is_measured() {
    let views =
        Views::new(ViewsConfig::preset(Kind::Photo, 224), image_input(3), None).expect("valid");
    let speed = measure::samples_per_second(&views, &One(picture(3)), 5, 2, 0.01);
    assert!(speed.expect("measured") > 10.0);
}

#[test]
fn local_views_are_whole_patches_of_about_three_sevenths() {
    for (size, patch, local) in [
        (224, None, 96),
        (28, None, 12),
        (28, Some(7), 14),
        (28, Some(14), 14),
        (28, Some(28), 28),
        (224, Some(32), 96),
    ] {
        assert_eq!(local_size(size, patch), local, "{size} {patch:?}");
    }
}
