//! Measurements → one self-contained page.
//!
//! [`fn@html`] knows nothing but the numbers in a [`Page`]. They are plain data: written to the run
//! folder as JSON, read back, they give the same page again. The page needs no network and no
//! script, works from `file://`, and prints.

mod charts;
mod comparison;
mod confusion;
mod density;
mod disentangle;
mod feature_maps;
mod fits;
mod head;
mod latents;
mod layers;
mod look;
mod masks;
mod neighbours;
mod projection;
mod reliability;
mod sections;
mod sprite;
mod tables;

use maud::{DOCTYPE, PreEscaped, html};
use serde::{Deserialize, Serialize};

pub use feature_maps::{CHANNELS, FeatureMaps, Filters, Maps, StageMaps};
pub use latents::Latents;
pub use masks::mask_examples;
pub use neighbours::{Neighbours, Query, Thumb, neighbours};
pub use projection::{Plane, Projection, project};
pub use sprite::Sprite;

use crate::dataset::BadFile;
use crate::density::fit::ColumnFits;
use crate::density::outliers::Outliers;
use crate::density::space::SpaceFits;
use crate::disentangle::Disentanglement;
use crate::error::Result;
use crate::head::About;
use crate::probe::Measurements;
use crate::probe::evaluation::Evaluation;
use crate::warning::Warning;
use look::Looks;

/// All that a report shows. A part that is absent or empty leaves its section out.
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
    /// Feature maps of the run's network.
    pub feature_maps: Option<FeatureMaps>,
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
    let drawn = page.projections.iter().map(|p| p.name.as_str());
    let looks = Looks::new(
        measured.chain(scored).chain(drawn).chain(["chance"]),
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
                    (masks::masks(page.masks.as_ref()))
                    (head::head(page.head.as_ref()))
                    (sections::projections(&page.projections))
                    (sections::strips(page.neighbours.as_ref()))
                    (feature_maps::feature_maps(page.feature_maps.as_ref()))
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
                    (sections::training(page))
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
mod tests {
    use super::*;
    use crate::probe::evaluation::{Operation, Roc};
    use crate::probe::{
        Comparison, Confusion, Estimate, Geometry, LabelScore, Labels, Nuisance, Reliability,
        ReliabilityBin, Row, Savings, Scaling,
    };

    fn estimate(mean: f64) -> Estimate {
        Estimate {
            mean,
            low: mean - 0.02,
            high: mean + 0.02,
        }
    }

    /// Two representations, two probes, three numbers of labels; one value is NaN, names are odd.
    fn page() -> Page {
        let names = ["pixels", "a<b>&\"c\""];
        let mut rows = Vec::new();
        for (r, name) in names.iter().enumerate() {
            for probe in ["linear", "knn"] {
                let columns = [
                    (Labels::PerClass(1), 2),
                    (Labels::PerClass(10), 20),
                    (Labels::All, 400),
                ];
                for (i, (labels, labelled)) in columns.into_iter().enumerate() {
                    let mean = 0.5 + 0.1 * i as f64 + 0.05 * r as f64;
                    let mean = if (r, i, probe) == (0, 0, "knn") {
                        f64::NAN
                    } else {
                        mean
                    };
                    let scores = vec![
                        ("accuracy".into(), estimate(mean)),
                        ("log_loss".into(), estimate(0.7)),
                    ];
                    let (representation, probe) = (name.to_string(), probe.to_string());
                    let draws = vec![mean; if labels == Labels::All { 1 } else { 5 }];
                    rows.push(Row {
                        representation,
                        probe,
                        labels,
                        labelled,
                        val_labels: 0,
                        scores,
                        label_scores: Vec::new(),
                        draws,
                        chosen: Vec::new(),
                        needs: None,
                        answers: None,
                    });
                }
            }
        }
        let learned = names[1].to_string();
        let classes = vec!["cat".to_string(), "<script>alert(1)</script>".into()];
        let measurements = Measurements {
            protocol: 1,
            code_version: "0.1.0".into(),
            data: "folder".into(),
            task: "animal".into(),
            split_hash: "5eed".into(),
            seed: 3,
            train: 400,
            val: 0,
            test: 100,
            classes: classes.clone(),
            labels: Vec::new(),
            mask_classes: Vec::new(),
            chance: 0.5,
            origins: names.map(|n| (n.to_string(), "hash".to_string())).to_vec(),
            rows,
            savings: vec![Savings {
                representation: learned.clone(),
                baseline: "pixels".into(),
                probe: "linear".into(),
                labels: 20,
                seen: true,
                equals: Some((55.4, 55.4)),
                at_least: Some(40.0),
                at_most: Some(70.0),
            }],
            scaling: Scaling::Overall,
            folds: 1,
            labels_hash: "1abe1".into(),
            comparisons: vec![Comparison {
                a: learned.clone(),
                b: "pixels".into(),
                probe: "linear".into(),
                labels: Labels::PerClass(10),
                difference: estimate(0.05),
                p: 0.01,
                seen: true,
            }],
            left_out: vec![],
            reliability: vec![Reliability {
                representation: learned.clone(),
                probe: "linear".into(),
                bins: vec![ReliabilityBin {
                    confidence: 0.7,
                    accuracy: estimate(0.65),
                    count: 100,
                }],
            }],
            geometry: vec![Geometry {
                representation: learned.clone(),
                dim: 8,
                effective_rank: None,
                alignment: None,
                uniformity: Some(-2.0),
                nmi: Some(0.5),
                ari: None,
            }],
            nuisances: vec![Nuisance {
                representation: learned.clone(),
                column: "hospital".into(),
                role: crate::dataset::Role::Nuisance,
                decodability: estimate(0.8),
                chance: 0.5,
                readable: true,
                warning: true,
            }],
            confusions: vec![Confusion {
                representation: learned.clone(),
                classes: classes.clone(),
                counts: vec![vec![40, 10], vec![5, 45]],
            }],
        };
        let curve = |name: &str, y: Vec<f64>| Curve {
            name: name.into(),
            x: vec![0.0, 1.0, 2.0],
            y,
        };
        Page {
            title: "run <1>".into(),
            headline: "It works.".into(),
            learned: vec![learned.clone()],
            run: Some(RunFacts {
                seconds: f64::INFINITY,
                config: "seed = 3".into(),
                ..RunFacts::default()
            }),
            measurements: Some(measurements),
            head: Some(head()),
            masks: None,
            training: vec![
                curve("loss", vec![2.0, f64::NAN, 1.0]),
                curve("lr", vec![f64::NAN; 3]),
            ],
            projections: vec![Projection {
                name: learned,
                points: vec![[0.0, 1.0], [f32::NAN, 0.0], [2.0, 2.0]],
                class: vec![Some(0), Some(1), None],
                classes,
                plane: Plane::Tsne,
            }],
            neighbours: None,
            feature_maps: None,
            latents: Some(Latents::of(&crate::matrix::Matrix::new(
                2,
                1,
                vec![0.5, -0.5],
            ))),
            space: Some(SpaceFits {
                representation: "runs/a".into(),
                fits: vec![crate::density::space::SpaceFit {
                    name: "mixture".into(),
                    chosen: "3 components".into(),
                    held_out: -1.5,
                    behind: None,
                    no_difference: false,
                }],
                ..SpaceFits::default()
            }),
            drawings: vec![Drawing {
                title: "Samples".into(),
                caption: "drawn <here>".into(),
                picture: vec![1, 2, 3],
            }],
            disentanglement: Some(disentanglement(&names)),
            column: None,
            outliers: None,
            warnings: vec![Warning::of_data("mind <this>".into())],
            bad_files: vec![BadFile {
                path: "x&y.png".into(),
                reason: "empty".into(),
            }],
        }
    }

    /// Of two classes with odd names.
    fn head() -> HeadResult {
        HeadResult {
            about: About {
                task: "animal <1>".into(),
                kind: crate::probe::TaskKind::Classes,
                names: vec!["cat".into(), "<b>".into()],
                source: ("runs/a".into(), "hash".into()),
                made: "linear c=1".into(),
                samples: 400,
                temperature: 1.2,
                threshold: Some(0.4),
                scores: vec![],
            },
            evaluation: Evaluation {
                samples: 100,
                unknown: 3,
                scores: vec![("sensitivity".into(), estimate(0.8))],
                roc: Some(Roc {
                    classes: ["cat".into(), "<b>".into()],
                    counts: [40, 60],
                    points: vec![[0.0, 0.0], [0.0, 0.7], [0.3, 1.0], [1.0, 1.0]],
                    auroc: estimate(0.93),
                    chosen: Some(Operation {
                        threshold: 0.4,
                        sensitivity: estimate(0.8),
                        specificity: estimate(0.9),
                    }),
                    sensitivity_at_95: Estimate::without_interval(0.7),
                }),
            },
        }
    }

    /// The first of `names` has a score and a matrix, the second has none.
    fn disentanglement(names: &[&str]) -> Disentanglement {
        use crate::disentangle::{Dependence, FactorFacts, Row};
        let row = |name: &str, scores| Row {
            representation: name.into(),
            origin: String::new(),
            dim: 2,
            scores,
        };
        Disentanglement {
            protocol: 1,
            code_version: "0.1.0".into(),
            data: "folder".into(),
            seed: 0,
            samples: 500,
            groups: 5,
            factors: vec![FactorFacts {
                name: "<1>".into(),
                values: 3,
            }],
            rows: vec![
                row(names[0], vec![("mig".into(), estimate(0.25))]),
                row(names[1], Vec::new()),
            ],
            dependence: vec![Dependence {
                representation: names[1].into(),
                latents: vec![vec![1.0, 0.5], vec![0.5, 1.0]],
                correlations: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
                factors: vec!["<1>".into()],
                known: vec![vec![1.0], vec![0.0]],
            }],
        }
    }

    #[test]
    fn everything_is_shown_escaped_and_without_network_script_or_nan() {
        let text = html(&page()).expect("page");
        let sections = [
            "Results",
            "With few labels",
            "The head",
            "The space",
            "What it draws",
            "What is mistaken",
            "Shape of",
            "What should not",
            "Disentanglement",
            "What latents have in common",
            "Training",
            "How this was",
        ];
        for heading in sections {
            assert!(text.contains(&format!("<h2>{heading}")), "{heading}");
        }
        for part in [
            "20 labels",
            ">55 (95\u{a0}% interval 40 to 70)<",
            ">+5.0<",
            "Reliability of",
            "93.0 (91.0 to 95.0) %",
            "chosen threshold 0.400",
            "Sensitivity at the threshold",
            "3 more have a label",
            "mind &lt;this&gt;",
            "x&amp;y.png",
            "seed = 3",
        ] {
            assert!(text.contains(part), "{part}");
        }
        for part in ["<script", "http", "NaN", "inf<", "a<b>", "<1>"] {
            assert!(!text.contains(part), "{part}");
        }
    }

    #[test]
    fn labels_domains_and_val_labels_are_shown() {
        let mut page = page();
        let plain = html(&page).expect("page");
        let absent = ["Label by label", "val labels", "(domain)", "label sets"];
        for part in absent {
            assert!(!plain.contains(part), "{part}");
        }
        let m = page.measurements.as_mut().expect("measurements");
        m.classes.clear();
        m.labels = vec!["mass".into(), "<b>".into()];
        m.val = 524;
        for row in m.rows.iter_mut().filter(|row| row.labels == Labels::All) {
            row.val_labels = 524;
            row.scores[0].0 = "macro_auroc".into();
            row.label_scores = vec![LabelScore {
                label: "<b>".into(),
                positives: 25,
                auroc: Some(estimate(0.7)),
                average_precision: None,
            }];
        }
        m.nuisances[0].role = crate::dataset::Role::Domain;
        m.nuisances[0].warning = false;
        let text = html(&page).expect("page");
        for part in absent.into_iter().chain([
            "all: settings chosen on 524 val labels",
            "524 to choose settings by",
            "2 labels, any number a sample",
            "&lt;b&gt;",
            "<td>25.0</td>",
            "<h2>Domains",
            "can be read off",
        ]) {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("⚠"));
    }

    #[test]
    fn sections_without_data_are_left_out() {
        let text = html(&Page {
            title: "t".into(),
            ..Page::default()
        })
        .expect("page");
        assert!(!text.contains("<section"), "{text}");
        let mut bare = page();
        if let Some(m) = &mut bare.measurements {
            m.rows.clear();
            m.geometry.clear();
        }
        let text = html(&bare).expect("page");
        assert!(!text.contains("Results") && !text.contains("Shape of"));
    }

    #[test]
    fn a_page_is_the_same_after_json() {
        let mut page = page();
        // NaN is read back in a page's own curves and points; measurements are always finite in JSON.
        if let Some(m) = &mut page.measurements {
            m.rows.retain(|r| r.draws.iter().all(|d| d.is_finite()));
            m.geometry.clear();
        }
        if let Some(run) = &mut page.run {
            run.seconds = 75.0;
        }
        let json = serde_json::to_string(&page).expect("JSON");
        let back: Page = serde_json::from_str(&json).expect("read back");
        assert_eq!(html(&back).expect("page"), html(&page).expect("page"));
    }
}
