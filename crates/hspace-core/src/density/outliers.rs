//! Outliers in a representation: densities fitted to training features score the test features of the
//! same data against features of other data.
//!
//! A row's score is −ln f. Nothing is chosen by looking at the other data: bandwidth, shrinkage and
//! components come from the training rows alone.

use serde::{Deserialize, Serialize};

use super::constant::ConstantFeatures;
use super::detection::{DETECTION_SCORES, detection};
use super::fit::Unfit;
use super::histogram::quantile;
use super::rows::doubles;
use super::{FEATURE_DENSITIES, OutlierOptions};
use crate::dataset::Split;
use crate::error::{Error, Result, valid};
use crate::matrix::Matrix;
use crate::representation::Representation;
use crate::stats::Estimate;

/// Bars of a drawing.
const BARS: usize = 40;

/// How one density tells the other data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutlierRow {
    /// Name from the list.
    pub name: String,
    /// What was chosen on the training rows.
    pub chosen: String,
    /// [`DETECTION_SCORES`] by name; the outlier is the positive class.
    pub scores: Vec<(String, Estimate)>,
    /// Median ln f of the test rows, in nats.
    pub inside: f64,
    /// Median ln f of the other data.
    pub outside: f64,
    /// Ends of the bars drawn: −ln f.
    pub edges: Vec<f64>,
    /// Share of the test rows in each bar.
    pub inside_bars: Vec<f64>,
    /// Share of the other data in each bar.
    pub outside_bars: Vec<f64>,
}

/// Everything found about outliers in one representation. Written as JSON, read by the report.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::density::{OutlierOptions, outliers::outliers};
/// use hspace_core::matrix::Matrix;
///
/// let candidates = vec!["normal".into(), "knn".into()];
/// let options = OutlierOptions { candidates, ..OutlierOptions::default() };
/// let far = Matrix::new(20, 2, vec![8.0; 40]);
/// let found = outliers(&blobs("runs/a", 0.2), &far, ["animals", "cars"], &options, &mut |_| ())?;
/// assert_eq!(found.rows[0].scores[0].0, "auroc");
/// assert!(found.rows.iter().all(|row| row.scores[0].1.mean == 1.0));
/// assert!(found.table().contains("knn") && !found.headline().is_empty());
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outliers {
    /// hspace's version.
    pub code_version: String,
    /// Name of the representation.
    pub representation: String,
    /// Where it came from.
    pub origin: String,
    /// The ordinary data.
    pub data: String,
    /// The other data, each row of them an outlier.
    pub against: String,
    /// Number of features.
    pub dim: usize,
    /// Rows fitted to.
    pub train: usize,
    /// Ordinary rows scored.
    pub test: usize,
    /// Outliers scored.
    pub outliers: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// The densities, in the list's order: the best one cannot be chosen on these outliers.
    pub rows: Vec<OutlierRow>,
    /// What could not be fitted.
    pub unfit: Vec<Unfit>,
}

/// Fits to the training rows of `inside`, scores its test rows against all rows of `outside` `[n, d]`.
/// `data` and `against` are what the two are called.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::density::{OutlierOptions, outliers::outliers};
///
/// let inside = blobs("runs/a", 0.2);
/// let options = OutlierOptions { candidates: vec!["normal".into()], ..OutlierOptions::default() };
/// // The same data again: nothing tells them.
/// let found = outliers(&inside, &inside.features, ["a", "a"], &options, &mut |_| ())?;
/// assert!((found.rows[0].scores[0].1.mean - 0.5).abs() < 0.1);
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// Options that cannot be, widths that differ, a side without rows, or no density that can be fitted.
pub fn outliers(
    inside: &Representation,
    outside: &Matrix,
    [data, against]: [&str; 2],
    options: &OutlierOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Outliers> {
    valid(options.validate())?;
    let of = |split: Split| -> Vec<usize> {
        let all = 0..inside.features.rows;
        all.filter(|i| inside.split[*i] == split).collect()
    };
    let d = inside.features.cols;
    let (train, test) = (of(Split::Train), of(Split::Test));
    if outside.cols != d {
        return Err(Error::data(format!(
            "{data} has {d} features a row, {against} has {}: both must come from the same encoder",
            outside.cols
        )));
    }
    for (count, what) in [
        (train.len(), format!("training row in {data}")),
        (test.len(), format!("test row in {data}")),
        (outside.rows, format!("row in {against}")),
        (d, format!("feature in {data}")),
    ] {
        if count == 0 {
            return Err(Error::data(format!(
                "there is no {what}: densities are fitted to training rows, and test rows are scored against the other data"
            )));
        }
    }
    if let Some(at) = outside.data.iter().position(|x| !x.is_finite()) {
        return Err(Error::data(format!(
            "{against}: feature {} of row {} is {}; leave that row out or mend what made it",
            at % d,
            at / d,
            outside.data[at]
        )));
    }
    let fitted_to = doubles(&inside.features.select(&train));
    let still = ConstantFeatures::of(&fitted_to, d).ok_or_else(|| {
        Error::data(format!(
            "no feature varies over the training rows of {data}"
        ))
    })?;
    let ordinary = doubles(&inside.features.select(&test));
    let other = doubles(outside);
    let (mut rows, mut unfit) = (Vec::<OutlierRow>::new(), Vec::new());
    let wanted = |name: &str| options.candidates.iter().any(|c| c == name);
    for entry in FEATURE_DENSITIES.iter().filter(|e| wanted(e.name)) {
        progress(&format!("fitting {}", entry.name));
        let listed: Vec<&str> = rows.iter().map(|r| r.name.as_str()).collect();
        let (name, density) = match still.fit(entry, &fitted_to, &listed, options) {
            Ok(fitted) => fitted,
            Err(reason) => {
                unfit.push(Unfit {
                    name: entry.name.into(),
                    reason,
                });
                continue;
            }
        };
        progress(&format!("scoring by {}", entry.name));
        let score = |rows: &[f64]| -> Vec<f64> {
            let each = still.ln_densities(&*density, rows).into_iter();
            // What overflows lies farther out than numbers go.
            each.map(|l| if l.is_finite() { -l } else { f64::MAX })
                .collect()
        };
        let (in_scores, out_scores) = (score(&ordinary), score(&other));
        let estimates = detection(&in_scores, &out_scores);
        let names = DETECTION_SCORES.iter().map(|name| name.to_string());
        let [edges, inside_bars, outside_bars] = bars(&in_scores, &out_scores);
        rows.push(OutlierRow {
            name: name.into(),
            chosen: density.chosen(),
            scores: names.zip(estimates).collect(),
            inside: -median(&in_scores),
            outside: -median(&out_scores),
            edges,
            inside_bars,
            outside_bars,
        });
    }
    if rows.is_empty() {
        return Err(Unfit::all(data, &unfit));
    }
    Ok(Outliers {
        code_version: env!("CARGO_PKG_VERSION").into(),
        representation: inside.name.clone(),
        origin: inside.origin.clone(),
        data: data.into(),
        against: against.into(),
        dim: d,
        train: train.len(),
        test: test.len(),
        outliers: outside.rows,
        seed: options.seed,
        rows,
        unfit,
    })
}

fn median(scores: &[f64]) -> f64 {
    quantile(&ascending(scores.iter().copied()), 0.5)
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Ends of the bars, and the shares of both sides in them. They reach six times as far beyond the middle
/// eight tenths of the ordinary rows as these are wide; the outermost hold what lies beyond.
fn bars(inside: &[f64], outside: &[f64]) -> [Vec<f64>; 3] {
    let ordinary = ascending(inside.iter().copied());
    let both = ascending(inside.iter().chain(outside).copied());
    let (tenth, ninth) = (quantile(&ordinary, 0.1), quantile(&ordinary, 0.9));
    let reach = 6.0 * (ninth - tenth);
    let low = quantile(&both, 0.005).max(tenth - reach);
    let high = quantile(&both, 0.995).min(ninth + reach);
    let step = ((high - low) / BARS as f64).max(f64::MIN_POSITIVE);
    let share = |scores: &[f64]| {
        let mut bars = vec![0.0; BARS];
        for s in scores {
            let bar = ((s - low) / step).clamp(0.0, (BARS - 1) as f64) as usize;
            bars[bar] += 1.0 / scores.len() as f64;
        }
        bars
    };
    let edges = (0..=BARS).map(|i| low + i as f64 * step).collect();
    [edges, share(inside), share(outside)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_never_vary_change_no_density_of_the_others() {
        let options = OutlierOptions::default();
        // A ring, and points in its middle; then the same with thirty more features that are 0.
        let ring = |i: usize| {
            let angle = i as f32 * 2.4;
            let radius = 1.0 + 0.1 * (i as f32 * 1.7).sin();
            [radius * angle.cos(), radius * angle.sin()]
        };
        let of = |still: usize| {
            let wide = |row: [f32; 2]| [&row[..], &vec![0.0; still]].concat();
            let inside: Vec<f32> = (0..300).flat_map(|i| wide(ring(i))).collect();
            let outside: Vec<f32> = (0..40)
                .flat_map(|i| wide(ring(i).map(|x| 0.4 * x)))
                .collect();
            let split = |i: usize| if i < 200 { Split::Train } else { Split::Test };
            let inside = Representation {
                shift: Vec::new(),
                name: "ring".into(),
                features: Matrix::new(300, 2 + still, inside),
                ids: (0..300).map(|i| i.to_string()).collect(),
                columns: vec![],
                split: (0..300).map(split).collect(),
                origin: String::new(),
            };
            let outside = Matrix::new(40, 2 + still, outside);
            outliers(&inside, &outside, ["a", "b"], &options, &mut |_| ()).unwrap()
        };
        let (plain, wide) = (of(0), of(30));
        assert_eq!(plain.rows.len(), FEATURE_DENSITIES.len());
        for (a, b) in plain.rows.iter().zip(&wide.rows) {
            assert_eq!((&a.name, &a.chosen), (&b.name, &b.chosen));
            assert_eq!(a.scores, b.scores, "{}", a.name);
        }
    }
}
