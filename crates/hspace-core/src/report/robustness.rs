//! How accuracy falls as test images are corrupted: a table, a chart for each corruption, and what the corruptions look like.

use image::RgbImage;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::Drawing;
use super::charts::Frame;
use super::look::Looks;
use super::sections::{section, source};
use super::sprite::Sprite;
use super::tables::{Measure, grouped, name};
use crate::corruptions::{Corruption, corrupt};
use crate::dataset::{Dataset, Image, Sample};
use crate::error::Result;
use crate::picture;
use crate::robustness::{Robustness, RobustnessRow};

/// Robustness, for a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessResult {
    /// What was measured.
    pub found: Robustness,
    /// An image in each corruption, called by its name.
    pub samples: Vec<Drawing>,
}

/// One of the samples `rows` in each of `corruptions`, a strip each: as it is, then at each of `severities`; none of no image.
///
/// ```
/// use hspace_core::corruptions::SUITES;
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::report::corruption_samples;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let fog = SUITES[0].corruption("fog")?;
/// let strips = corruption_samples(&shapes, &[3], &[fog], &[1, 5], 0)?;
/// assert_eq!(strips[0].title, "fog");
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// A severity that does not exist, and what goes wrong with the picture.
pub fn corruption_samples(
    dataset: &Dataset,
    rows: &[usize],
    corruptions: &[&'static Corruption],
    severities: &[usize],
    seed: u64,
) -> Result<Vec<Drawing>> {
    let tiles = tiles(dataset, rows, corruptions, severities, seed)?;
    let severities: Vec<String> = severities.iter().map(usize::to_string).collect();
    let drawing = |(corruption, tiles): (&&'static Corruption, Vec<RgbImage>)| {
        Ok(Drawing {
            title: corruption.name.to_owned(),
            caption: format!("as it is, and at severity {}", severities.join(", ")),
            picture: picture::png(&picture::sheet(&[tiles], true)?)?,
        })
    };
    corruptions.iter().zip(tiles).map(drawing).collect()
}

/// All strips of [`corruption_samples`] one below the other, as a PNG file.
///
/// ```
/// use hspace_core::corruptions::SUITES;
/// use hspace_core::dataset::{Dataset, OpenOptions};
/// use hspace_core::report::corruption_sheet;
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let fog = SUITES[0].corruption("fog")?;
/// assert!(corruption_sheet(&shapes, &[3], &[fog], &[1, 5], 0)?.starts_with(b"\x89PNG"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// As [`corruption_samples`]; when there is no image.
pub fn corruption_sheet(
    dataset: &Dataset,
    rows: &[usize],
    corruptions: &[&'static Corruption],
    severities: &[usize],
    seed: u64,
) -> Result<Vec<u8>> {
    let tiles = tiles(dataset, rows, corruptions, severities, seed)?;
    picture::png(&picture::sheet(&tiles, true)?)
}

/// Of each corruption a sample as it is and at each severity.
fn tiles(
    dataset: &Dataset,
    rows: &[usize],
    corruptions: &[&'static Corruption],
    severities: &[usize],
    seed: u64,
) -> Result<Vec<Vec<RgbImage>>> {
    let mut images: Vec<Image<'_>> = Vec::new();
    for (place, corruption) in corruptions.iter().enumerate() {
        // Another sample for each, so that more than one is seen.
        let Some(&row) = rows.get(place * rows.len() / corruptions.len().max(1)) else {
            return Ok(Vec::new());
        };
        let Ok(Sample::Image(image)) = dataset.samples.get(row) else {
            return Ok(Vec::new());
        };
        let seed = seed.wrapping_add(row as u64);
        let own = severities.iter();
        let own: Result<Vec<Image<'static>>> = own
            .map(|&severity| corrupt(&image, corruption, severity, seed))
            .collect();
        images.push(image.clone());
        images.extend(own?);
    }
    let tiles = Sprite::new(&images)?.tiles()?;
    let tiles: Vec<RgbImage> = tiles.iter().map(picture::enlarged).collect();
    Ok(tiles
        .chunks(severities.len() + 1)
        .map(<[_]>::to_vec)
        .collect())
}

pub(super) fn robustness(result: Option<&RobustnessResult>, looks: &Looks) -> Markup {
    let Some(RobustnessResult { found, samples }) = result else {
        return html! {};
    };
    let Some(first) = found.rows.first() else {
        return html! {};
    };
    let lede = html! {
        "Accuracy on " (grouped(found.samples)) " test samples, as they are and in " (first.conditions.len()) " conditions of " (found.suite)
        ". Kept: the mean over all conditions as a share of the clean accuracy. Error compared: errors as a share of those of " (found.baseline)
        ", below 100 % where there are fewer; a mean over corruptions. Confident half: error of the half of the answers that are most probable, of those that remain if the "
        "other half is referred to a human. 95 % intervals."
    };
    let charts = html! {
        ul.legend { @for row in &found.rows {
            @let look = looks.of(&row.source);
            li { span.dot style=(format!("background:{}", look.colour)) {} (row.title(found.has_several_labels())) }
        } }
        div.traces { @for corruption in first.corruptions() { (chart(found, corruption, samples, looks)) } }
    };
    html! {
        (section("Under corruption", lede, table(found, looks)))
        (section("By severity", html! { "Accuracy at severities 0 (as it is) to 5, with 95 % intervals, and a sample at the same severities." }, charts))
    }
}

fn table(found: &Robustness, looks: &Looks) -> Markup {
    let measure = Measure::of("accuracy");
    let several = found.has_several_labels();
    html! { div.scroll { table {
        thead { tr {
            th.text { "Source" } th { "Clean" } th { "Corrupted" } th { "Kept" } th { "Error compared" }
            th { "Confident half wrong, clean" } th { "Corrupted" } th { "Too sure by" }
        } }
        tbody { @for row in &found.rows {
            @let look = looks.of(&row.source);
            tr.learned[look.learned] {
                th.text { (name(&row.title(several), &look)) }
                td { (measure.cell(&row.clean.accuracy)) }
                td { (measure.cell(&row.corrupted)) }
                td { (measure.cell(&row.kept)) }
                td { @match &row.corruption_error { Some(e) => (measure.cell(e)), None => "–" } }
                td { (measure.number(row.clean.confident_error)) }
                td { (measure.number(row.confident_error())) }
                td { (measure.number(mean_overconfidence(row))) }
            }
        } }
    } } }
}

fn mean_overconfidence(row: &RobustnessRow) -> f64 {
    let sum: f64 = row.conditions.iter().map(|c| c.overconfidence).sum();
    sum / row.conditions.len().max(1) as f64
}

/// Accuracy of all sources by the severity of one corruption.
fn chart(found: &Robustness, corruption: &str, samples: &[Drawing], looks: &Looks) -> Markup {
    let all = found.rows.iter().flat_map(|row| &row.conditions);
    let least = all.map(|c| c.accuracy.low).fold(1.0, f64::min);
    let floor = ((4.0 * least).floor() / 4.0).clamp(0.0, 0.75);
    let ticks: Vec<f64> = (0..=4)
        .map(|i| floor + (1.0 - floor) * f64::from(i) / 4.0)
        .collect();
    let frame = Frame {
        area: [40.0, 300.0, 8.0, 170.0],
        x: [0.0, 5.0],
        y: [floor, 1.0],
    };
    let strip = samples.iter().find(|s| s.title == corruption);
    let percent = |x: f64| format!("{:.0}", 100.0 * x);
    let columns: Vec<(f64, String)> = (0..=5).map(|s| (f64::from(s), s.to_string())).collect();
    html! { figure {
        figcaption { (corruption.replace('_', " ")) }
        svg.chart viewBox="0 0 310 196" role="img" {
            title { "Accuracy by severity of " (corruption) }
            (frame.rows(&ticks, percent))
            (frame.columns(&columns))
            @for row in &found.rows {
                @let look = looks.of(&row.source);
                @let colour = format!("stroke:{}", look.colour);
                @let own: Vec<_> = std::iter::once(&row.clean).chain(row.conditions.iter().filter(|c| c.corruption == corruption)).collect();
                @let points: Vec<[f64; 2]> = own.iter().map(|c| [c.severity as f64, c.accuracy.mean]).collect();
                path.line.strong[look.learned] d=(frame.path(&points)) style=(colour) stroke-dasharray=(look.dash) {}
                @for c in own.iter().filter(|c| c.accuracy.has_interval()) {
                    @let x = format!("{:.1}", frame.x(c.severity as f64));
                    line x1=(x) x2=(x) y1=(format!("{:.1}", frame.y(c.accuracy.low))) y2=(format!("{:.1}", frame.y(c.accuracy.high)))
                        style=(colour) stroke-width="1" opacity="0.6" {}
                }
            }
        }
        @if let Some(strip) = strip { img.strip-of-samples src=(source(&strip.picture)) alt=(strip.caption) title=(strip.caption); }
    } }
}
