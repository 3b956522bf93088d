use std::collections::BTreeMap;

use serde_json::Value;

use super::blur::MotionBlur;
use super::filter::{Border, convolve};
use super::*;
use crate::dataset::Pixels;
use crate::list::find;

/// The image of `tests/golden_corruptions/corruptions.py`.
fn test_image(side: usize) -> Image<'static> {
    let wave = |t: i64, period: i64| (t % (2 * period) - period).abs() * 255 / period;
    let n = side as i64;
    let value = |i: i64| {
        let (y, x, c) = (i / 3 / n, i / 3 % n, i % 3);
        let mut v = (3 * wave(x * (2 + c) + 2 * y, 180) + 2 * wave(3 * y + 40 * c, 97)) / 5;
        v += (x * 73 + y * 151 + c * 37 + x * y * 7) % 41 - 20;
        if (8 * x - 3 * n).pow(2) + (8 * y - 4 * n).pow(2) < (2 * n).pow(2) {
            v = v.div_euclid(4);
        }
        if 2 * x > n && 4 * y > 3 * n {
            v = 255 - v;
        }
        v.clamp(0, 255) as u8
    };
    image(side, 3, Pixels::U8((0..3 * n * n).map(value).collect()))
}

fn image(side: usize, channels: usize, pixels: Pixels<'static>) -> Image<'static> {
    Image {
        width: side,
        height: side,
        channels,
        pixels,
    }
}

/// A smooth image with an edge, in levels up to `most`.
fn smooth(side: usize, channels: usize, most: u32) -> Image<'static> {
    let value = |i: usize| {
        let (y, x) = (i / channels / side, i / channels % side);
        let [y, x] = [y, x].map(|v| v as f32 / side as f32);
        let wave = (9.0 * x + 4.0 * y + (i % channels) as f32).sin();
        let inside = (x - 0.4).hypot(y - 0.55) < 0.25;
        let v = 0.45 + 0.3 * wave * if inside { -0.8 } else { 1.0 };
        (v * most as f32) as u32
    };
    let values = (0..side * side * channels).map(value);
    let pixels = match most {
        255 => Pixels::U8(values.map(|v| v as u8).collect()),
        _ => Pixels::U16(values.map(|v| v as u16).collect()),
    };
    image(side, channels, pixels)
}

fn values(image: &Image<'_>) -> Vec<f64> {
    match &image.pixels {
        Pixels::U8(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Pixels::U16(v) => v.iter().map(|&v| f64::from(v) / 257.0).collect(),
    }
}

fn suite(name: &str) -> &'static Suite {
    find("suite", SUITES, name).expect("a suite")
}

fn all() -> impl Iterator<Item = (&'static str, &'static Corruption)> {
    let named = |suite: &'static list::Entry<Suite>| {
        let corruptions = suite.corruptions.iter();
        corruptions.map(|corruption| (suite.name, corruption))
    };
    SUITES.iter().flat_map(named)
}

#[test]
fn names_are_unique_and_suites_use_those_of_the_list() {
    for (i, entry) in CORRUPTIONS.iter().enumerate() {
        let mut before = CORRUPTIONS[..i].iter();
        assert!(
            before.all(|other| other.name != entry.name),
            "{}",
            entry.name
        );
    }
    let mut used = std::collections::BTreeSet::new();
    for (_, corruption) in all() {
        used.insert(corruption.kind().name);
        assert!(corruption.parameters(5).unwrap().contains('{'));
    }
    assert_eq!(used.len(), CORRUPTIONS.len());
    let sizes: Vec<usize> = SUITES.iter().map(|suite| suite.corruptions.len()).collect();
    assert_eq!(sizes, [15, 4, 13, 13, 11]);
}

#[test]
fn results_are_a_pure_function_of_image_corruption_severity_and_seed() {
    let image = smooth(40, 3, 255);
    for (suite, corruption) in all() {
        let first = corrupt(&image, corruption, 3, 7).unwrap();
        let again = std::thread::scope(|scope| {
            let thread = scope.spawn(|| corrupt(&image, corruption, 3, 7).unwrap());
            thread.join().unwrap()
        });
        assert_eq!(first, again, "{suite} {}", corruption.name);
        let others = (8..20).map(|seed| corrupt(&image, corruption, 3, seed).unwrap());
        let differs = others.into_iter().any(|other| other != first);
        assert_eq!(
            differs,
            corruption.kind().is_random,
            "{suite} {}",
            corruption.name
        );
    }
}

/// Severities after which the published parameters need not change an image more.
const MAY_FALL: &[(&str, &[usize])] = &[
    ("fog", &[3]),
    ("frost", &[3]),
    ("glass_blur", &[1, 3]),
    ("saturate", &[1, 2]),
    ("snow", &[2]),
    ("spatter", &[3]),
    ("stain_deposit", &[2, 3]),
];

#[test]
fn corruptions_keep_the_shape_and_change_more_at_each_severity() {
    for (side, channels, most) in [(28, 1, 255), (28, 3, 255), (64, 1, 65535), (224, 3, 255)] {
        let image = smooth(side, channels, most);
        let before = values(&image);
        for (suite, corruption) in all() {
            let change = |severity| {
                let seeds = if corruption.kind().is_random { 8 } else { 1 };
                let mut sum = 0.0;
                for seed in 0..seeds {
                    let after = corrupt(&image, corruption, severity, seed).unwrap();
                    assert_eq!((after.height, after.width), (side, side));
                    assert_eq!(after.channels, channels);
                    let after = values(&after);
                    assert_eq!(after.len(), before.len());
                    let changes = after.iter().zip(&before).map(|(a, b)| (a - b).abs());
                    sum += changes.sum::<f64>() / (before.len() * seeds as usize) as f64;
                }
                sum
            };
            let changes = [1, 2, 3, 4, 5].map(change);
            let what = format!(
                "{side} px, {channels}: {suite} {} {changes:.2?}",
                corruption.name
            );
            let mut lines = MAY_FALL.iter();
            let line = lines.find(|(name, _)| *name == corruption.name);
            let may_fall = line.map_or(&[][..], |(_, severities)| severities);
            for severity in (1..5).filter(|severity| !may_fall.contains(severity)) {
                assert!(changes[severity] > changes[severity - 1], "{what}");
            }
            assert!(changes[4] > changes[0] && changes[4] > 0.3, "{what}");
        }
    }
}

#[test]
fn any_size_and_number_of_channels_is_corrupted() {
    for (height, width, channels) in [(1, 1, 1), (1, 5, 3), (3, 2, 2), (9, 40, 4), (5, 5, 5)] {
        let n = height * width * channels;
        let pixels = (0..n).map(|i| (i * 37 % 251) as u8).collect();
        let image = Image {
            width,
            height,
            channels,
            pixels: Pixels::U8(pixels),
        };
        for (_, corruption) in all() {
            for lengths in [Lengths::Scaled, Lengths::Published] {
                let after = corrupt_with(&image, corruption, 5, 1, lengths).unwrap();
                assert_eq!(values(&after).len(), n, "{}", corruption.name);
            }
        }
    }
}

#[test]
fn wrong_severities_and_images_are_refused() {
    let noise = suite("imagenet-c").corruption("gaussian_noise").unwrap();
    let image = smooth(8, 1, 255);
    for severity in [0, 6] {
        let text = corrupt(&image, noise, severity, 0).unwrap_err().to_string();
        assert!(text.contains("must be in 1..=5"), "{text}");
    }
    let short = Image {
        height: 9,
        ..image.clone()
    };
    let text = corrupt(&short, noise, 1, 0).unwrap_err().to_string();
    assert!(
        text.contains("9 × 8 pixels and 1 channels that has 64 values"),
        "{text}"
    );
}

#[test]
fn lengths_agree_from_224_pixels_on() {
    let image = smooth(224, 1, 255);
    for (_, corruption) in all() {
        let scaled = corrupt(&image, corruption, 4, 2).unwrap();
        let published = corrupt_with(&image, corruption, 4, 2, Lengths::Published);
        assert_eq!(scaled, published.unwrap(), "{}", corruption.name);
    }
}

#[test]
fn sixteen_bits_are_corrupted_as_eight() {
    let bytes = test_image(64);
    let deep = match &bytes.pixels {
        Pixels::U8(v) => v.iter().map(|&v| u16::from(v) * 257).collect(),
        Pixels::U16(_) => panic!("bytes"),
    };
    let deep = image(64, 3, Pixels::U16(deep));
    for (suite, corruption) in all().filter(|(_, c)| c.name != "shot_noise") {
        let a = values(&corrupt(&bytes, corruption, 3, 5).unwrap());
        let b = values(&corrupt(&deep, corruption, 3, 5).unwrap());
        let most = a
            .iter()
            .zip(&b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        // Glass blur rounds twice.
        assert!(most <= 2.0, "{suite} {}: {most}", corruption.name);
    }
}

type Golden = BTreeMap<String, Vec<Value>>;

fn golden(text: &str) -> Golden {
    serde_json::from_str(text).expect("lists by name")
}

const IMAGECORRUPTIONS: &str = include_str!("../../tests/golden_corruptions/imagecorruptions.json");
const MEDMNISTC: &str = include_str!("../../tests/golden_corruptions/medmnistc.json");

/// Rows and columns whose values are kept.
const GRID: [usize; 8] = [0, 1, 38, 75, 112, 149, 186, 223];

/// Of motion blur at each severity, in degrees.
const ANGLES: [f64; 5] = [30.0, -40.0, 12.0, -3.0, 45.0];

/// Each corruption that has golden values, its severity, and them.
fn with_golden() -> Vec<(String, &'static Corruption, usize, Value)> {
    let mut all = vec![];
    for (name, severities) in golden(IMAGECORRUPTIONS) {
        let suites = ["imagenet-c", "imagenet-c-extra"].map(suite);
        let mut found = suites.iter().flat_map(|suite| suite.corruptions);
        let corruption = found.find(|corruption| corruption.name == name).unwrap();
        for (i, values) in severities.into_iter().enumerate() {
            all.push((name.clone(), corruption, i + 1, values));
        }
    }
    for (key, severities) in golden(MEDMNISTC) {
        let mut parts = key.split('/');
        let of = suite(parts.next().unwrap());
        let corruption = of.corruption(parts.next().unwrap()).unwrap();
        for (i, values) in severities.into_iter().enumerate() {
            all.push((key.clone(), corruption, i + 1, values));
        }
    }
    all
}

#[test]
fn corruptions_without_random_numbers_agree_with_the_published_code() {
    let image = test_image(224);
    let mut compared = 0;
    for (key, corruption, severity, golden) in with_golden() {
        let Some(grid) = golden["grid"].as_array() else {
            continue;
        };
        let after = match corruption.name {
            "motion_blur" => motion(&image, corruption, severity),
            _ => corrupt(&image, corruption, severity, 0).unwrap(),
        };
        let after = values(&after);
        let places = GRID
            .iter()
            .flat_map(|y| GRID.iter().map(move |x| y * 224 + x));
        let places = places.flat_map(|pixel| [0, 1, 2].map(|c| pixel * 3 + c));
        let differences = places
            .zip(grid)
            .map(|(place, v)| (after[place] - v.as_f64().unwrap()).abs());
        let differences: Vec<f64> = differences.collect();
        let most = differences.iter().fold(0.0, |a: f64, &b| a.max(b));
        assert!(most <= 2.0, "{key} at {severity}: {differences:?}");
        assert_eq!(differences.len(), 192);
        compared += 1;
    }
    assert_eq!(compared, 5 * 28);
}

/// Motion blur at a fixed angle; its parameters are read from its text.
fn motion(image: &Image<'_>, corruption: &Corruption, severity: usize) -> Image<'static> {
    let text = corruption.parameters(severity).unwrap();
    let number = |name: &str| -> f64 {
        let rest = &text[text.find(name).unwrap() + name.len() + 2..];
        rest[..rest.find([',', ' ']).unwrap()].parse().unwrap()
    };
    let blur = MotionBlur {
        radius: number("radius") as usize,
        sigma: number("sigma"),
    };
    let mut picture = Picture::read(image, Lengths::Published).unwrap();
    let taps = blur.taps(ANGLES[severity - 1], 1.0);
    let dims = picture.dims();
    convolve(&mut picture.values, dims, &taps, Border::Clamp, &mut vec![]);
    picture.write()
}

#[test]
fn random_corruptions_have_the_moments_of_the_published_code() {
    let rgb = test_image(224);
    let green = values(&rgb).into_iter().skip(1).step_by(3);
    let green = image(224, 1, Pixels::U8(green.map(|v| v as u8).collect()));
    for (key, corruption, severity, golden) in with_golden() {
        let (Some(mean), Some(variance)) = (golden["mean"].as_f64(), golden["variance"].as_f64())
        else {
            continue;
        };
        let image = if key.ends_with("/grey") { &green } else { &rgb };
        let draws = golden["draws"].as_u64().unwrap().min(400);
        let before = values(image);
        let [mut sum, mut squares] = [0.0, 0.0];
        for seed in 0..draws {
            let after = values(&corrupt(image, corruption, severity, seed).unwrap());
            for (a, b) in after.iter().zip(&before) {
                sum += a - b;
                squares += (a - b).powi(2);
            }
        }
        let n = (before.len() as u64 * draws) as f64;
        let (found, found_variance) = (sum / n, squares / n - (sum / n).powi(2));
        let text = format!(
            "{key} at {severity}: {found:.3}, {found_variance:.2}; published {mean}, {variance}"
        );
        // Means near 0 have few digits: a hundredth of the standard deviation is added.
        assert!(
            (found - mean).abs() <= 0.05 * mean.abs() + 0.01 * variance.sqrt(),
            "{text}"
        );
        assert!((found_variance / variance - 1.0).abs() <= 0.05, "{text}");
    }
}
