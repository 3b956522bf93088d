//! How the samples of two domains differ before anything is learned: size, channels, range and polarity of values, classes.
//!
//! A data set that is scaled otherwise, or inverted, looks like a hard case of adaptation and is none.

use serde::{Deserialize, Serialize};

use super::Domains;
use crate::dataset::check::feature_names;
use crate::dataset::{Column, Dataset, Image, Pixels, Sample, Shape, Split, Values};
use crate::error::Result;
use crate::matrix::spaced;
use crate::text::short;

/// Training samples of each domain that are looked at.
const SAMPLES: usize = 300;
/// Side of the mean image.
const SIDE: usize = 16;
/// Differences of means and quantiles, of values in 0..1, from which on they are reported.
const APART: f64 = 0.1;
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
/// Total variation of the shares of classes from which on it is reported.
pub(super) const CLASS_MIX: f64 = 0.1;
/// Distance of the means of a feature, in standard deviations, and ratio of these, from which on vectors are reported.
const FEATURE_MEAN: f64 = 3.0;
const FEATURE_SCALE: f64 = 10.0;

/// Two domains, and how their samples differ.
///
/// ```
/// use hspace_core::shift::InputDifference;
///
/// let found = InputDifference { a: "old".into(), b: "new".into(), findings: vec![], class_mix: None };
/// assert_eq!(found.text(), "inputs of old and new: no difference seen\n");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputDifference {
    /// The one domain.
    pub a: String,
    /// The other.
    pub b: String,
    /// What differs, a sentence each; empty where nothing was seen.
    pub findings: Vec<String>,
    /// Total variation between the shares of the classes, in 0..=1; `None` without classes.
    pub class_mix: Option<f64>,
}

impl InputDifference {
    /// A line for each finding, below one that names the domains.
    pub fn text(&self) -> String {
        let (a, b) = (&self.a, &self.b);
        match self.findings.is_empty() {
            true => format!("inputs of {a} and {b}: no difference seen\n"),
            false => format!("inputs of {a} and {b}\n  {}\n", self.findings.join("\n  ")),
        }
    }
}

/// Compares the training samples of all pairs of domains that the column `domain` names, at most 300 of each, and the shares of the classes of
/// `task`. Samples that cannot be read are left out.
///
/// ```
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::shift::compare_inputs;
///
/// // The same images twice.
/// let shapes = || Dataset::open("builtin:shapes", &OpenOptions::default());
/// let both = Dataset::of_domains(vec![("a".into(), shapes()?), ("b".into(), shapes()?)])?;
/// let found = compare_inputs(&both, "domain", both.task())?;
/// assert!(found[0].findings.is_empty() && found[0].class_mix == Some(0.0));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// When there is no such column of at least two domains.
pub fn compare_inputs(
    dataset: &Dataset,
    domain: &str,
    task: Option<&Column>,
) -> Result<Vec<InputDifference>> {
    let domains = Domains::of(&dataset.columns, domain)?;
    let mut all = Vec::new();
    for domain in 0..domains.names.len() {
        let own = domains.rows(&[domain]);
        let is_own = |&row: &usize| own[row] && dataset.split[row] == Split::Train;
        let own: Vec<usize> = (0..dataset.len()).filter(is_own).collect();
        let seen: Vec<usize> = spaced(own.len(), SAMPLES)
            .into_iter()
            .map(|i| own[i])
            .collect();
        let classes = task.and_then(|task| shares(task, &own));
        let values = match dataset.shape {
            Shape::Image { .. } => Inputs::Images(Images::of(dataset, &seen)),
            Shape::Vector { dim } => Inputs::Vectors(Vectors::of(dataset, &seen, dim)),
        };
        all.push((values, classes, own.len()));
    }
    let names = match task.map(|task| &task.values) {
        Some(Values::Classes { names, .. }) => &names[..],
        _ => &[],
    };
    let mut found = Vec::new();
    for a in 0..all.len() {
        for b in a + 1..all.len() {
            let ((of_a, mix_a, count_a), (of_b, mix_b, count_b)) = (&all[a], &all[b]);
            if count_a.min(count_b) == &0 {
                continue;
            }
            let pair = [&domains.names[a][..], &domains.names[b]];
            let mut findings = match (of_a, of_b) {
                (Inputs::Images(x), Inputs::Images(y)) => images(pair, x, y),
                (Inputs::Vectors(x), Inputs::Vectors(y)) => {
                    vectors(pair, x, y, &feature_names(dataset))
                }
                _ => Vec::new(),
            };
            let mut class_mix = None;
            if let (Some(x), Some(y)) = (mix_a, mix_b) {
                let apart: f64 = x.iter().zip(y).map(|(p, q)| (p - q).abs()).sum();
                class_mix = Some(0.5 * apart);
                findings.extend(classes(pair, names, x, y));
            }
            found.push(InputDifference {
                a: pair[0].to_owned(),
                b: pair[1].to_owned(),
                findings,
                class_mix,
            });
        }
    }
    Ok(found)
}

enum Inputs {
    Images(Images),
    Vectors(Vectors),
}

/// Some images of a domain; values as a share of the largest that the files can hold.
#[derive(Debug, Default)]
struct Images {
    /// The most common size, `[channels, height, width]`, and whether there are others.
    size: [usize; 3],
    sizes_differ: bool,
    /// Bits a value.
    bits: u32,
    mean: f64,
    std: f64,
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
    fn of(dataset: &Dataset, rows: &[usize]) -> Images {
        let mut out = Images {
            average: vec![0.0; SIDE * SIDE],
            bits: 8,
            ..Images::default()
        };
        let mut sizes: Vec<([usize; 3], usize)> = Vec::new();
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
            for i in 0..channels * height * width {
                let value = value(i);
                counts[(1024.0 * value).round() as usize] += 1;
                sum += value;
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
fn images(names: [&str; 2], x: &Images, y: &Images) -> Vec<String> {
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

/// Mean and standard deviation of each feature of a domain.
#[derive(Debug)]
struct Vectors {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Vectors {
    fn of(dataset: &Dataset, rows: &[usize], dim: usize) -> Vectors {
        let shift = dataset.samples.shift().map(<[f64]>::to_vec);
        let (mut sum, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
        for &row in rows {
            let Ok(Sample::Vector(values)) = dataset.samples.get(row) else {
                continue;
            };
            for (i, &value) in values.iter().enumerate() {
                sum[i] += f64::from(value);
                squares[i] += f64::from(value).powi(2);
            }
        }
        let n = rows.len().max(1) as f64;
        let std = sum.iter().zip(&squares);
        let std = std.map(|(s, q)| (q / n - (s / n).powi(2)).max(0.0).sqrt());
        let std = std.collect();
        let mean = sum.iter().enumerate();
        let mean = mean.map(|(i, s)| s / n + shift.as_ref().map_or(0.0, |shift| shift[i]));
        Vectors {
            mean: mean.collect(),
            std,
        }
    }
}

/// What differs between the vectors of two domains: the features that differ most.
fn vectors(names: [&str; 2], x: &Vectors, y: &Vectors, features: &[String]) -> Vec<String> {
    let [a, b] = names;
    let mut apart: Vec<(f64, usize)> = Vec::new();
    for i in 0..x.mean.len() {
        let (narrow, wide) = (x.std[i].min(y.std[i]), x.std[i].max(y.std[i]));
        let means = (x.mean[i] - y.mean[i]).abs() / wide;
        let scales = wide / narrow;
        // Of a feature that is constant in both nothing is known but its mean.
        let by = (means / FEATURE_MEAN).max(scales / FEATURE_SCALE);
        if by >= 1.0 || (wide == 0.0 && x.mean[i] != y.mean[i]) {
            apart.push((if by.is_finite() { by } else { f64::MAX }, i));
        }
    }
    apart.sort_by(|p, q| q.0.total_cmp(&p.0));
    let one = |&(_, i): &(f64, usize)| {
        let name = features.get(i).cloned();
        let name = name.unwrap_or_else(|| format!("feature {i}"));
        format!(
            "{name}: {a} {:.4} ± {:.4}, {b} {:.4} ± {:.4} (mean ± standard deviation)",
            x.mean[i], x.std[i], y.mean[i], y.std[i]
        )
    };
    let mut found: Vec<String> = apart.iter().take(3).map(one).collect();
    if let more @ 1.. = apart.len().saturating_sub(3) {
        found.push(format!(
            "{more} more features differ as much; is one of them scaled otherwise?"
        ));
    }
    found
}

/// Shares of the classes of a task among `rows`; `None` of another kind of task, or without labels.
fn shares(task: &Column, rows: &[usize]) -> Option<Vec<f64>> {
    let Values::Classes { names, index } = &task.values else {
        return None;
    };
    let mut counts = vec![0.0; names.len()];
    for class in rows.iter().filter_map(|&row| index[row]) {
        counts[class as usize] += 1.0;
    }
    let all: f64 = counts.iter().sum();
    (all > 0.0).then(|| counts.iter().map(|count| count / all).collect())
}

/// What differs between the shares of the classes.
fn classes(domains: [&str; 2], names: &[String], x: &[f64], y: &[f64]) -> Vec<String> {
    let mut found = Vec::new();
    for (here, own, other) in [(0, x, y), (1, y, x)] {
        let only = (0..names.len()).filter(|&c| own[c] > 0.0 && other[c] == 0.0);
        let only: Vec<&str> = only.map(|c| names[c].as_str()).collect();
        if !only.is_empty() {
            found.push(format!(
                "classes in {} alone: {}",
                domains[here],
                only.join(", ")
            ));
        }
    }
    let apart: f64 = 0.5 * x.iter().zip(y).map(|(p, q)| (p - q).abs()).sum::<f64>();
    if apart >= CLASS_MIX {
        let most = (0..names.len()).max_by(|&c, &d| {
            let by = |c: usize| (x[c] - y[c]).abs();
            by(c).total_cmp(&by(d))
        });
        let most = most.map_or(String::new(), |c| {
            format!(
                ", most of all {}: {} in {}, {} in {}",
                names[c],
                short(x[c]),
                domains[0],
                short(y[c]),
                domains[1]
            )
        });
        found.push(format!(
            "class mix: {} of the samples would have to change class{most}; look at the balanced accuracy too",
            short(apart)
        ));
    }
    found
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
        assert!(images(names, &x, &grey(0.32, false)).is_empty());
        let says = |y: &Images, word: &str| {
            let found = images(names, &x, y);
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
        assert!(images(names, &x, &dim)[0].contains("scaled otherwise"));
    }

    #[test]
    fn the_feature_of_another_scale_is_named() {
        let of = |scale: f64| Vectors {
            mean: vec![1.0, 5.0 * scale],
            std: vec![1.0, scale],
        };
        let features = ["age", "mass"].map(String::from);
        assert!(vectors(["a", "b"], &of(1.0), &of(1.2), &features).is_empty());
        let found = vectors(["a", "b"], &of(1.0), &of(1000.0), &features);
        assert!(
            found.len() == 1 && found[0].starts_with("mass"),
            "{found:?}"
        );
    }

    #[test]
    fn a_class_in_one_domain_alone_is_named() {
        let names = ["cat", "dog"].map(String::from);
        let found = classes(["a", "b"], &names, &[0.5, 0.5], &[1.0, 0.0]);
        assert!(found[0] == "classes in a alone: dog" && found[1].starts_with("class mix: .500"));
        assert!(classes(["a", "b"], &names, &[0.5, 0.5], &[0.45, 0.55]).is_empty());
    }
}
