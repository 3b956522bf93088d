//! What differs between the images of two domains: size, bits, polarity, range, brightness, colour, contrast, field of view, detail, border.

use std::collections::BTreeMap;

use crate::dataset::{Dataset, Image, Pixels, Sample};
use crate::text::short;

/// Side of the mean image.
const SIDE: usize = 16;
/// Differences of means and quantiles, of values in 0..1, from which on they are reported.
const APART: f64 = 0.1;
/// Difference of a channel's mean, less the mean of all channels, from which on a colour is reported.
const COLOUR: f64 = 0.05;
/// Ratio of standard deviations from which on it is reported.
const WIDER: f64 = 1.5;
/// Correlation of mean images below which the one looks like the negative of the other.
const INVERTED: f64 = -0.5;
/// Ratio of detail from which on it is reported.
const DETAIL: f64 = 2.0;
/// Share of the positions that vary in one domain and not in the other, from which on it is reported.
const FIELD: f64 = 0.2;
/// Standard deviation of a position, as a share of the largest, from which on it varies.
const VARIES: f64 = 0.1;

/// Some images of a domain; values as a share of the largest that the files can hold.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// The most common size, `[channels, height, width]`, and whether there are others.
    size: [usize; 3],
    sizes_differ: bool,
    /// Bits a value.
    bits: u32,
    mean: f64,
    std: f64,
    /// Mean of each channel, of the images with the most common number of channels.
    channels: Vec<f64>,
    /// Quantiles .01 and .99 of all values.
    low: f64,
    high: f64,
    /// Mean of the outermost pixels.
    border: f64,
    /// Mean squared difference of neighbours in a row, as a share of twice the variance: small of smooth images, 1 of noise.
    detail: f64,
    /// Share of the positions that vary from image to image.
    field: f64,
    /// Mean image, `[SIDE, SIDE]`, of nearest pixels and the mean of the channels.
    average: Vec<f64>,
}

impl Images {
    pub(super) fn of(dataset: &Dataset, rows: &[usize]) -> Images {
        let mut out = Images {
            average: vec![0.0; SIDE * SIDE],
            bits: 8,
            ..Images::default()
        };
        let mut sizes: Vec<([usize; 3], usize)> = Vec::new();
        // By number of channels: sums of each channel's values, and how many values each sum has.
        let mut by_channel: BTreeMap<usize, (Vec<f64>, usize)> = BTreeMap::new();
        // Counts of values, in 1,024 steps.
        let (mut counts, mut sum, mut squares) = (vec![0usize; 1025], 0.0, 0.0);
        let (mut border, mut borders) = (0.0, 0usize);
        let (mut steps, mut pairs) = (0.0, 0usize);
        let mut squared = vec![0.0; SIDE * SIDE];
        for &row in rows {
            let Ok(Sample::Image(image)) = dataset.samples.get(row) else {
                continue;
            };
            let size = [image.channels, image.height, image.width];
            match sizes.iter_mut().find(|known| known.0 == size) {
                Some(known) => known.1 += 1,
                None => sizes.push((size, 1)),
            }
            let value = |i: usize| self::value(&image, i);
            if matches!(image.pixels, Pixels::U16(_)) {
                out.bits = 16;
            }
            let [channels, height, width] = size;
            let own = by_channel.entry(channels);
            let (sums, pixels) = own.or_insert_with(|| (vec![0.0; channels], 0));
            *pixels += height * width;
            for i in 0..channels * height * width {
                let value = value(i);
                counts[(1024.0 * value).round() as usize] += 1;
                sum += value;
                sums[i % channels] += value;
                squares += value * value;
                let (y, x) = (i / channels / width, i / channels % width);
                if x > 0 {
                    steps += (value - self::value(&image, i - channels)).powi(2);
                    pairs += 1;
                }
                if y == 0 || x == 0 || y + 1 == height || x + 1 == width {
                    border += value;
                    borders += 1;
                }
            }
            for (place, mean) in out.average.iter_mut().enumerate() {
                let [y, x] = [(place / SIDE, height), (place % SIDE, width)]
                    .map(|(at, length)| (2 * at + 1) * length / (2 * SIDE));
                let pixel = (y * width + x) * channels;
                let grey = (0..channels).map(|c| value(pixel + c)).sum::<f64>();
                let grey = grey / channels as f64;
                *mean += grey / rows.len() as f64;
                squared[place] += grey * grey / rows.len() as f64;
            }
        }
        let all = counts.iter().sum::<usize>().max(1);
        let quantile = |share: f64| {
            let mut left = (share * all as f64) as usize;
            let step = counts.iter().position(|&n| {
                let is_here = left < n;
                left = left.saturating_sub(n);
                is_here
            });
            step.unwrap_or(0) as f64 / 1024.0
        };
        out.mean = sum / all as f64;
        out.std = (squares / all as f64 - out.mean * out.mean).max(0.0).sqrt();
        (out.low, out.high) = (quantile(0.01), quantile(0.99));
        out.border = border / borders.max(1) as f64;
        let variance = out.std * out.std;
        if variance > 0.0 {
            out.detail = steps / pairs.max(1) as f64 / (2.0 * variance);
        }
        let spread = squared.iter().zip(&out.average);
        let spread: Vec<f64> = spread.map(|(q, m)| (q - m * m).max(0.0).sqrt()).collect();
        let most = spread.iter().copied().fold(0.0, f64::max);
        let varying = spread.iter().filter(|&&s| most > 0.0 && s >= VARIES * most);
        out.field = varying.count() as f64 / spread.len() as f64;
        out.sizes_differ = sizes.len() > 1;
        let common = sizes.into_iter().max_by_key(|known| known.1);
        out.size = common.map_or([0; 3], |known| known.0);
        if let Some((sums, pixels)) = by_channel.get(&out.size[0]) {
            let mean = |sum: &f64| sum / (*pixels).max(1) as f64;
            out.channels = sums.iter().map(mean).collect();
        }
        out
    }

    fn size_text(&self) -> String {
        let [channels, height, width] = self.size;
        let mixed = if self.sizes_differ { "mostly " } else { "" };
        let colours = match channels {
            1 => "grey".to_owned(),
            3 => "in colour".to_owned(),
            more => format!("of {more} channels"),
        };
        format!("{mixed}{height} × {width}, {colours}")
    }
}

/// A value, as a share of the largest that its file can hold.
fn value(image: &Image<'_>, i: usize) -> f64 {
    match &image.pixels {
        Pixels::U8(values) => f64::from(values[i]) / 255.0,
        Pixels::U16(values) => f64::from(values[i]) / 65535.0,
    }
}

/// What differs between the images of two domains.
pub(super) fn differences(names: [&str; 2], x: &Images, y: &Images) -> Vec<String> {
    let [a, b] = names;
    let mut found = Vec::new();
    if x.size != y.size {
        found.push(format!(
            "size: {a} {}, {b} {}",
            x.size_text(),
            y.size_text()
        ));
    }
    if x.bits != y.bits {
        found.push(format!("bits a value: {a} {}, {b} {}", x.bits, y.bits));
    }
    // Of images of which one is the negative of the other, range and brightness differ for that reason.
    if correlation(&x.average, &y.average) < INVERTED {
        found.push(format!(
            "polarity: the mean image of {b} looks like the negative of that of {a} (border {} and {} of the range); invert one of them",
            short(x.border),
            short(y.border)
        ));
        return found;
    }
    let apart = |p: f64, q: f64| (p - q).abs() >= APART;
    if apart(x.low, y.low) || apart(x.high, y.high) {
        let range = |of: &Images| format!("{} to {}", short(of.low), short(of.high));
        let hint = match x.high.min(y.high) < 0.5 * x.high.max(y.high) {
            true => "; is one of them scaled otherwise?",
            false => "",
        };
        found.push(format!(
            "range (98 % of the values, of the largest a file can hold): {a} {}, {b} {}{hint}",
            range(x),
            range(y)
        ));
    }
    if apart(x.mean, y.mean) {
        found.push(format!(
            "brightness: {a} {}, {b} {} of the range",
            short(x.mean),
            short(y.mean)
        ));
    }
    found.extend(colours(names, &x.channels, &y.channels));
    let (narrow, wide) = (x.std.min(y.std), x.std.max(y.std));
    if wide >= WIDER * narrow {
        found.push(format!(
            "contrast (standard deviation): {a} {}, {b} {} of the range",
            short(x.std),
            short(y.std)
        ));
    }
    if (x.field - y.field).abs() >= FIELD {
        found.push(format!(
            "field of view: {} of the positions vary in {a}, {} in {b}; is one of them cropped otherwise?",
            short(x.field),
            short(y.field)
        ));
    }
    let (smooth, rough) = (x.detail.min(y.detail), x.detail.max(y.detail));
    if x.size == y.size && rough >= DETAIL * smooth && rough > 0.0 {
        found.push(format!(
            "detail or noise (squared difference of neighbours, 1 of noise): {a} {}, {b} {}",
            short(x.detail),
            short(y.detail)
        ));
    }
    if apart(x.border, y.border) {
        found.push(format!(
            "border: {a} {}, {b} {} of the range",
            short(x.border),
            short(y.border)
        ));
    }
    found
}

/// The channels whose means differ by more than the brightness does; none of images with one channel, or with different numbers of channels.
fn colours([a, b]: [&str; 2], x: &[f64], y: &[f64]) -> Option<String> {
    if x.len() != y.len() || x.len() < 2 {
        return None;
    }
    let brightness = |means: &[f64]| means.iter().sum::<f64>() / means.len() as f64;
    let brighter = brightness(x) - brightness(y);
    let differs = |c: &usize| (x[*c] - y[*c] - brighter).abs() >= COLOUR;
    let text = |c: usize| {
        let name = match (x.len(), c) {
            (3, 0) => "red".to_owned(),
            (3, 1) => "green".to_owned(),
            (3, 2) => "blue".to_owned(),
            _ => format!("channel {}", c + 1),
        };
        format!("{name} {} in {a}, {} in {b}", short(x[c]), short(y[c]))
    };
    let found: Vec<String> = (0..x.len()).filter(differs).map(text).collect();
    (!found.is_empty()).then(|| format!("colour (mean of the channel): {}", found.join("; ")))
}

/// Pearson's; 0 where one is constant.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let (mx, my) = (mean(x), mean(y));
    let product = |p: &[f64], mp: f64, q: &[f64], mq: f64| -> f64 {
        p.iter().zip(q).map(|(a, b)| (a - mp) * (b - mq)).sum()
    };
    let scale = (product(x, mx, x, mx) * product(y, my, y, my)).sqrt();
    match scale > 0.0 {
        true => product(x, mx, y, my) / scale,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(mean: f64, invert: bool) -> Images {
        let value = |i: usize| if (i % SIDE < 8) != invert { 0.1 } else { 0.9 };
        Images {
            size: [1, 28, 28],
            bits: 8,
            mean,
            std: 0.3,
            low: 0.0,
            high: 1.0,
            border: 0.0,
            detail: 0.05,
            field: 0.9,
            average: (0..SIDE * SIDE).map(value).collect(),
            ..Images::default()
        }
    }

    #[test]
    fn equal_images_have_no_finding_and_each_difference_has_one() {
        let names = ["a", "b"];
        let x = grey(0.3, false);
        assert!(differences(names, &x, &grey(0.32, false)).is_empty());
        let says = |y: &Images, word: &str| {
            let found = differences(names, &x, y);
            assert!(found.len() == 1 && found[0].starts_with(word), "{found:?}");
        };
        says(&grey(0.5, false), "brightness");
        says(&grey(0.7, true), "polarity");
        says(
            &Images {
                field: 0.5,
                ..grey(0.3, false)
            },
            "field",
        );
        says(
            &Images {
                detail: 0.2,
                ..grey(0.3, false)
            },
            "detail",
        );
        says(
            &Images {
                size: [3, 28, 28],
                ..grey(0.3, false)
            },
            "size",
        );
        says(
            &Images {
                bits: 16,
                ..grey(0.3, false)
            },
            "bits",
        );
        says(
            &Images {
                std: 0.1,
                ..grey(0.3, false)
            },
            "contrast",
        );
        let dim = Images {
            high: 0.004,
            ..grey(0.3, false)
        };
        says(&dim, "range");
        assert!(differences(names, &x, &dim)[0].contains("scaled otherwise"));
    }

    #[test]
    fn the_channels_of_another_colour_are_named_and_brightness_alone_is_no_colour() {
        let found = |x: [f64; 3], y: [f64; 3]| colours(["a", "b"], &x, &y);
        let text = found([0.0, 0.1, 0.25], [0.25, 0.1, 0.0]).unwrap();
        assert!(text.contains("red .000 in a, .250 in b"), "{text}");
        assert!(text.contains("blue .250 in a, .000 in b"), "{text}");
        assert!(!text.contains("green"), "{text}");
        assert_eq!(found([0.2, 0.3, 0.4], [0.5, 0.6, 0.7]), None);
        assert_eq!(colours(["a", "b"], &[0.2], &[0.9]), None);
        // A warm cast of 30 % of the range shows in the channel that has it, next to the brightness.
        let text = found([0.3, 0.3, 0.3], [0.6, 0.3, 0.3]).unwrap();
        assert!(text.contains("red .300 in a, .600 in b"), "{text}");
    }

    /// Blue squares and red ones, on grey: equal brightness.
    #[test]
    fn squares_of_another_colour_are_seen_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        for (domain, colour) in [("blue", [0u8, 0, 255]), ("red", [255, 0, 0])] {
            let of = folder.path().join(domain);
            std::fs::create_dir(&of).unwrap();
            for i in 0..4u32 {
                let pixel = |x: u32, y: u32| match x.abs_diff(8).max(y.abs_diff(8)) < 4 + i {
                    true => image::Rgb(colour),
                    false => image::Rgb([85, 85, 85]),
                };
                let picture = image::RgbImage::from_fn(16, 16, pixel);
                picture.save(of.join(format!("{i}.png"))).unwrap();
            }
        }
        let data = Dataset::open(folder.path().to_str().unwrap(), &Default::default()).unwrap();
        let rows = |name: &str| -> Vec<usize> {
            let is = |row: &usize| data.ids[*row].starts_with(name);
            (0..data.len()).filter(is).collect()
        };
        let [blue, red] = ["blue", "red"].map(|name| Images::of(&data, &rows(name)));
        let found = differences(["blue", "red"], &blue, &red);
        assert!(
            found.len() == 1 && found[0].starts_with("colour"),
            "{found:?}"
        );
    }
}
