//! The latents of a run, each with the standard normal prior.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::sections::section;
use super::tables::grouped;
use crate::matrix::Matrix;
use crate::stats::ACTIVE;

/// Latents drawn, those that vary most.
const SHOWN: usize = 12;
/// Bars of each.
const BARS: usize = 32;
/// The bars go from −`REACH` to `REACH`; the outermost hold what lies beyond.
const REACH: f64 = 4.0;

/// How the codes of some samples (where they have posteriors, the means) lie, latent by latent.
///
/// ```
/// use hspace_core::matrix::Matrix;
/// use hspace_core::report::Latents;
///
/// // The first latent varies, the second is always 0: the model does not use it.
/// let means = Matrix::new(4, 2, vec![-1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0]);
/// let latents = Latents::of(&means);
/// assert_eq!((latents.total, latents.active), (2, 1));
/// assert_eq!((latents.shown[0].index, latents.shown[0].deviation), (0, 1.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latents {
    /// Samples.
    pub samples: usize,
    /// Latents there are.
    pub total: usize,
    /// Latents whose means vary by more than [`ACTIVE`].
    pub active: usize,
    /// Those that vary most, in that order.
    pub shown: Vec<Latent>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latent {
    /// Its number, from 0.
    pub index: usize,
    /// Standard deviation of its means.
    pub deviation: f64,
    /// Density of its means, from −4 to 4.
    pub bars: Vec<f64>,
}

impl Latents {
    /// Of means `[n, d]`, n ≥ 1.
    pub fn of(means: &Matrix) -> Latents {
        let n = means.rows.max(1) as f64;
        let middle = means.column_means();
        let latent = |index: usize| {
            let values = means.data.iter().skip(index).step_by(means.cols);
            let values = values.map(|x| f64::from(*x));
            let squares: f64 = values.clone().map(|x| (x - middle[index]).powi(2)).sum();
            let step = 2.0 * REACH / BARS as f64;
            let mut bars = vec![0.0; BARS];
            for value in values {
                let bar = ((value + REACH) / step).clamp(0.0, (BARS - 1) as f64);
                bars[bar as usize] += 1.0 / (n * step);
            }
            Latent {
                index,
                deviation: (squares / n).sqrt(),
                bars,
            }
        };
        let mut all: Vec<Latent> = (0..means.cols).map(latent).collect();
        all.sort_by(|a, b| b.deviation.total_cmp(&a.deviation));
        let active = all.iter().filter(|l| l.deviation.powi(2) > ACTIVE);
        Latents {
            samples: means.rows,
            total: means.cols,
            active: active.count(),
            shown: all.into_iter().take(SHOWN).collect(),
        }
    }
}

/// The section of the page.
pub(super) fn latents(of: Option<&Latents>) -> Markup {
    let Some(of) = of else {
        return html! {};
    };
    let lede = html! {
        "Where the encoder puts " (grouped(of.samples)) " test samples (bars), and the prior (line). "
        b { (of.active) " of " (of.total) } " latents are in use: they vary by more than " (ACTIVE) "; a latent that lies on 0 tells nothing. "
        "Where samples have posteriors, the bars are the means of those, which spread less than the prior, since each sample has a width of its own."
        @if of.total > of.shown.len() { " Those that vary most are drawn." }
    };
    let body = html! {
        div.latents { @for latent in &of.shown {
            figure {
                figcaption { "z" (latent.index) span { "deviation " (format!("{:.2}", latent.deviation)) } }
                (picture(latent))
            }
        } }
    };
    section("The latents and their prior", lede, body)
}

/// The bars and the prior's density over them.
fn picture(latent: &Latent) -> Markup {
    const SIZE: [f64; 2] = [180.0, 92.0];
    /// Where the drawing ends; a latent that is not in use leaves it.
    const TOP: f64 = 0.9;
    let [width, height] = SIZE;
    let y = |density: f64| height - 2.0 - (height - 6.0) * density.min(TOP) / TOP;
    let step = width / BARS as f64;
    let mut line = String::new();
    for i in 0..=80 {
        let share = f64::from(i) / 80.0;
        let z = REACH * (2.0 * share - 1.0);
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let to = if i == 0 { 'M' } else { 'L' };
        line += &format!("{to}{:.1} {:.1}", share * width, y(density));
    }
    html! {
        svg.latent viewBox=(format!("0 0 {width} {height}")) role="img" {
            title { "Latent " (latent.index) " and the prior" }
            @for (i, density) in latent.bars.iter().enumerate().filter(|(_, d)| **d > 0.0) {
                rect.bar x=(format!("{:.1}", i as f64 * step)) y=(format!("{:.1}", y(*density)))
                    width=(format!("{:.1}", step - 0.6)) height=(format!("{:.1}", height - 2.0 - y(*density))) {}
            }
            path.line d=(line) style="stroke:var(--accent-1)" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_in_use_come_first_and_bars_are_densities() {
        // The second varies, the first lies on 0, the third leaves the drawing.
        let rows = |i: usize| [0.0, i as f32 / 50.0 - 1.0, if i == 0 { 90.0 } else { 0.01 }];
        let data: Vec<f32> = (0..100).flat_map(rows).collect();
        let found = Latents::of(&Matrix::new(100, 3, data));
        assert_eq!((found.active, found.total, found.samples), (2, 3, 100));
        let order: Vec<usize> = found.shown.iter().map(|l| l.index).collect();
        assert_eq!(order, [2, 1, 0]);
        assert!((found.shown[1].deviation - 0.577).abs() < 0.01);
        for latent in &found.shown {
            let total: f64 = latent.bars.iter().map(|d| d * 0.25).sum();
            assert!((total - 1.0).abs() < 1e-9, "{total}");
        }
        assert!((found.shown[0].bars[BARS - 1] - 0.04).abs() < 1e-9);
        let page = latents(Some(&found)).into_string();
        assert!(
            page.contains("2 of 3") && page.contains("z1") && !page.contains("NaN"),
            "{page}"
        );
        assert!(latents(None).into_string().is_empty());
    }
}
