//! Measurements → one self-contained page.
//!
//! [`fn@html`] knows nothing but the numbers in a [`Page`]. They are plain data: written to the run
//! folder as JSON, read back, they give the same page again. The page needs no network and no
//! script, works from `file://`, and prints.

mod charts;
mod comparison;
mod confusion;
mod curves;
mod density;
mod disentangle;
mod feature_maps;
mod fits;
mod head;
mod latents;
mod layers;
mod look;
mod many_tasks;
mod masks;
mod neighbours;
mod projection;
mod reliability;
mod robustness;
mod roc_picture;
mod sections;
mod shift;
mod sprite;
mod tables;

use maud::{DOCTYPE, PreEscaped, html};
use serde::{Deserialize, Serialize};

pub use feature_maps::{CHANNELS, FeatureMaps, Filters, Maps, StageMaps};
pub use latents::Latents;
pub use masks::mask_examples;
pub use neighbours::{Neighbours, Query, Thumb, neighbours};
pub use projection::{Plane, Projection, project};
pub use robustness::{RobustnessResult, corruption_samples, corruption_sheet};
pub use roc_picture::roc_picture;
pub use shift::{ShiftResult, domain_samples};
pub use sprite::Sprite;

use crate::dataset::BadFile;
use crate::density::fit::ColumnFits;
use crate::density::outliers::Outliers;
use crate::density::space::SpaceFits;
use crate::disentangle::Disentanglement;
use crate::error::Result;
use crate::head::About;
use crate::many_tasks::ManyTasks;
use crate::probe::Measurements;
use crate::probe::evaluation::Evaluation;
use crate::warning::Warning;
use look::Looks;

/// All that a report shows. A part that is absent or empty leaves its section out.
///
/// ```
/// use hspace_core::report::{Curve, Page, html};
/// use hspace_core::warning::Warning;
///
/// let page = Page {
///     title: "runs/a".into(),
///     headline: "The loss falls.".into(),
///     training: vec![Curve { name: "loss".into(), x: vec![1.0, 2.0, 3.0], y: vec![5.0, 4.0, 3.5] }],
///     warnings: vec![Warning::of_data("3 test images are in the training set".into())],
///     ..Page::default()
/// };
/// let text = html(&page)?;
/// assert!(text.contains("The loss falls.") && text.contains("<svg"));
/// assert!(text.contains("3 test images are in the training set"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// The page's title, such as the run's name.
    pub title: String,
    /// What was found, in a sentence or two.
    pub headline: String,
    /// Names of the representations the page is about, as in `measurements`: they are drawn in the
    /// accent colours, everything else as a baseline.
    pub learned: Vec<String>,
    /// How the encoder came about; `None` where only features were measured.
    pub run: Option<RunFacts>,
    /// The results.
    pub measurements: Option<Measurements>,
    /// The head that was kept, or asked.
    pub head: Option<HeadResult>,
    /// Scores of disentanglement and the latents' dependence.
    pub disentanglement: Option<Disentanglement>,
    /// What was logged during training.
    pub training: Vec<Curve>,
    /// Representations on a plane, side by side.
    pub projections: Vec<Projection>,
    /// Nearest training images of some test images.
    pub neighbours: Option<Neighbours>,
    /// Masks of test images and what sources answer.
    pub masks: Option<Drawing>,
    /// Filters and feature maps of networks.
    pub feature_maps: Vec<FeatureMaps>,
    /// The latents of a run with a prior.
    pub latents: Option<Latents>,
    /// Densities of the learned space.
    pub space: Option<SpaceFits>,
    /// Pictures that the run drew.
    pub drawings: Vec<Drawing>,
    /// Densities of a column of numbers.
    pub column: Option<ColumnFits>,
    /// How well densities of the features tell other data.
    pub outliers: Option<Outliers>,
    /// What was learned in one domain and tested in another.
    pub shift: Option<ShiftResult>,
    /// Tasks learned together.
    pub many_tasks: Option<ManyTasks>,
    /// Accuracy on corrupted images.
    pub robustness: Option<RobustnessResult>,
    /// What a reader must know before believing the numbers.
    pub warnings: Vec<Warning>,
    /// Files that could not be used.
    pub bad_files: Vec<BadFile>,
}

/// A head, and how right it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadResult {
    /// The head.
    pub about: About,
    /// On labelled samples.
    pub evaluation: Evaluation,
}

/// How an encoder came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Name of the encoder.
    pub encoder: String,
    /// Name of the objective.
    pub objective: String,
    /// As given to `--data`.
    pub data: String,
    /// Seed of everything.
    pub seed: u64,
    /// Steps of training done.
    pub steps: u64,
    /// Time they took.
    pub seconds: f64,
    /// Training images (or vectors) a second.
    pub images_per_s: f64,
    /// Number of the encoder's weights.
    pub parameters: usize,
    /// The resolved settings, as in `config.toml`.
    pub config: String,
}

/// A picture that a run drew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// What it is, in two words.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Bytes of a PNG or GIF file.
    #[serde(with = "as_base64")]
    pub picture: Vec<u8>,
}

/// Bytes as text.
mod as_base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> std::result::Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text).map_err(serde::de::Error::custom)
    }
}

/// Something logged during training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// `loss`, `effective_rank`, `online_probe`, `lr`. Names with `probe` or `accuracy` are shown
    /// in percent.
    pub name: String,
    /// Steps, ascending.
    #[serde(deserialize_with = "numbers_or_nan")]
    pub x: Vec<f64>,
    /// The value at each step; gaps where it is not finite.
    #[serde(deserialize_with = "numbers_or_nan")]
    pub y: Vec<f64>,
}

/// JSON has no NaN: it is written as `null` and read back as NaN.
fn numbers_or_nan<'de, D>(from: D) -> std::result::Result<Vec<f64>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let values = Vec::<Option<f64>>::deserialize(from)?;
    Ok(values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

/// The page as one HTML document. All text is escaped; numbers that are not finite show as a dash
/// or a gap.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::probe::{Contender, Labels, ProbeOptions, measure};
/// use hspace_core::report::{Page, html};
///
/// let options = ProbeOptions { labels: vec![Labels::PerClass(5)], ..ProbeOptions::default() };
/// let found = measure(vec![Contender::Fixed(blobs("runs/a", 0.2))], &options, "animals", &mut |_| ())?;
/// let page = Page { title: "animals".into(), measurements: Some(found), ..Page::default() };
/// let text = html(&page)?;
/// assert!(text.starts_with("<!DOCTYPE html>") && text.contains("runs/a"));
/// assert!(!text.contains("<script"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// None at present; a page that cannot be drawn would be one.
pub fn html(page: &Page) -> Result<String> {
    let measured = page
        .measurements
        .iter()
        .flat_map(|m| tables::representations(m));
    let scored = page
        .disentanglement
        .iter()
        .flat_map(disentangle::representations);
    let shifted = page.shift.iter().flat_map(|s| &s.found.rows);
    let shifted = shifted.map(|row| row.source.as_str());
    let corrupted = page.robustness.iter().flat_map(|r| &r.found.rows);
    let corrupted = corrupted.map(|row| row.source.as_str());
    let shifted = shifted.chain(corrupted);
    let drawn = page.projections.iter().map(|p| p.name.as_str());
    let looks = Looks::new(
        measured
            .chain(scored)
            .chain(shifted)
            .chain(drawn)
            .chain(["chance"]),
        &page.learned,
    );
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · hspace" }
                style { (PreEscaped(include_str!("report/style.css"))) }
            }
            body {
                main {
                    (sections::header(page))
                    @if let Some(m) = &page.measurements {
                        (sections::results(m, &page.learned, &looks))
                        (sections::few_labels(m, &looks))
                        (layers::layers(m, &looks))
                        (comparison::pairs(m, &looks))
                    }
                    (shift::shift(page.shift.as_ref(), &looks))
                    (many_tasks::many_tasks(page.many_tasks.as_ref()))
                    (robustness::robustness(page.robustness.as_ref(), &looks))
                    (masks::masks(page.masks.as_ref(), page.measurements.as_ref().map_or(&[], |m| &m.mask_classes)))
                    (head::head(page.head.as_ref()))
                    (sections::projections(&page.projections))
                    (sections::strips(page.neighbours.as_ref()))
                    (feature_maps::feature_maps(&page.feature_maps))
                    (latents::latents(page.latents.as_ref()))
                    (density::space(page.space.as_ref()))
                    (sections::drawings(&page.drawings))
                    @if let Some(m) = &page.measurements {
                        (sections::confusions(m, &looks))
                        (reliability::reliability(m, &looks))
                        (sections::labels(m, &looks))
                        (sections::geometry(m, &looks))
                        (sections::nuisances(m, &looks))
                    }
                    @if let Some(d) = &page.disentanglement { (disentangle::sections(d, &looks)) }
                    (density::column(page.column.as_ref()))
                    (density::outliers(page.outliers.as_ref()))
                    (curves::training(page))
                    @if let Some(m) = &page.measurements { (sections::method(m)) }
                    (sections::settings(page.run.as_ref()))
                    (sections::bad_files(&page.bad_files))
                }
            }
        }
    };
    Ok(document.into_string())
}

#[cfg(test)]
mod tests;
