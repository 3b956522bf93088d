//! Features drawn on a plane: t-SNE, and the picture of it.
//!
//! t-distributed stochastic neighbour embedding (van der Maaten & Hinton 2008; Barnes–Hut
//! approximation, van der Maaten 2014) places points so that neighbours stay neighbours. We start
//! it from the first two principal directions and hand it exact neighbours, so that nothing random
//! is left and the broad arrangement follows the data (Kobak & Berens 2019). Only who is near whom
//! carries meaning: distances between far clusters and their sizes do not.

use bhtsne::{Neighbor, tSNE};
use maud::{Markup, html};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::look::{class_colour, clip};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Effective number of neighbours each point tries to keep; fewer where there are few points.
const PERPLEXITY: f32 = 30.0;
/// Steps of gradient descent, the first 250 with exaggerated attraction.
const EPOCHS: usize = 750;
/// Barnes–Hut accuracy: cells seen under a smaller angle than this count as one point.
const THETA: f32 = 0.5;
/// Power iterations for each starting direction; it need not be exact.
const POWER_STEPS: usize = 12;
/// Standard deviation of the starting picture.
const START_SPREAD: f32 = 1e-4;

/// How points came onto the plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// By t-SNE.
    #[default]
    Tsne,
    /// The representation has two dimensions: they are its own.
    Own,
    /// The same, and a standard normal prior.
    OwnWithPrior,
}

/// Points of one representation on a plane.
///
/// ```
/// use hspace_core::report::{Page, Plane, Projection, html};
///
/// let projection = Projection {
///     name: "runs/a".into(),
///     points: vec![[0.0, 0.0], [1.0, 0.5], [0.2, 0.9]],
///     class: vec![Some(0), Some(1), None],
///     classes: vec!["cat".into(), "dog".into()],
///     plane: Plane::Tsne,
/// };
/// let page = Page { projections: vec![projection], ..Page::default() };
/// assert!(html(&page)?.contains("t-SNE"));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Name of the representation.
    pub name: String,
    /// `[n, 2]`; the scale is arbitrary. Points that are not finite are left out of the picture.
    #[serde(deserialize_with = "points_or_nan")]
    pub points: Vec<[f32; 2]>,
    /// Each point's class, an index into `classes`.
    pub class: Vec<Option<u32>>,
    /// Class names.
    pub classes: Vec<String>,
    /// What the coordinates are.
    #[serde(default)]
    pub plane: Plane,
}

/// Radii of the prior's contours, in its standard deviations: they hold 39, 86 and 99 % of it.
const CONTOURS: [f32; 3] = [1.0, 2.0, 3.0];

/// JSON has no NaN: it is written as `null` and read back as NaN.
fn points_or_nan<'de, D>(from: D) -> std::result::Result<Vec<[f32; 2]>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let points = Vec::<[Option<f32>; 2]>::deserialize(from)?;
    let number = |value: Option<f32>| value.unwrap_or(f32::NAN);
    Ok(points.iter().map(|p| p.map(number)).collect())
}

/// Lays `features [n, d]` out on a plane with t-SNE (Euclidean distances), one point per row.
///
/// The same features and seed give the same points, bit for bit, whatever the number of threads.
/// Meant for some 1,000 points, which take about a second; time grows with n² d for the neighbours.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/blobs.rs")); }
/// # use data::blobs;
/// use hspace_core::report::project;
///
/// let points = project(&blobs("runs/a", 0.1).features, 0)?;
/// let distance = |a: usize, b: usize| {
///     (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1])
/// };
/// // Samples 0 and 3 are of one class, 0 and 1 are not.
/// assert!(points.len() == 160 && distance(0, 3) < distance(0, 1));
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If a feature is NaN or infinite.
pub fn project(features: &Matrix, seed: u64) -> Result<Vec<[f32; 2]>> {
    if let Some(at) = features.data.iter().position(|v| !v.is_finite()) {
        let (row, col) = (at / features.cols, at % features.cols);
        return Err(Error::data(format!(
            "row {row} of the features is not finite (column {col}); it cannot be projected"
        )));
    }
    let n = features.rows;
    let perplexity = PERPLEXITY.min((n as f32 - 1.0) / 3.0);
    let start = principal_plane(features, seed);
    if perplexity < 2.0 {
        return Ok(start);
    }
    let neighbours = nearest(features, (3.0 * perplexity) as usize);
    // One thread: sums over many threads depend on how the work was split.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|e| Error::data(format!("cannot start a thread for t-SNE: {e}")))?;
    let flat = pool.install(|| {
        let rows: Vec<usize> = (0..n).collect();
        let mut tsne = tSNE::<f32, usize, 2>::new(&rows);
        tsne.perplexity(perplexity)
            .epochs(EPOCHS)
            .initial_embedding(start.concat())
            .barnes_hut_with_neighbors(THETA, &neighbours);
        tsne.embedding()
    });
    Ok(flat.as_chunks::<2>().0.to_vec())
}

/// The `k` nearest other rows of each row, nearest first; equally near ones in row order.
fn nearest(features: &Matrix, k: usize) -> Vec<Vec<Neighbor<f32>>> {
    (0..features.rows)
        .into_par_iter()
        .map(|i| {
            let others = (0..features.rows).filter(|&j| j != i);
            let mut all: Vec<(f32, usize)> = others
                .map(|j| (squared(features.row(i), features.row(j)), j))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let near = all.into_iter().take(k);
            near.map(|(square, index)| Neighbor {
                index,
                distance: square.sqrt(),
            })
            .collect()
        })
        .collect()
}

/// Squared Euclidean distance, summed in eight lanes so that the compiler can use vector registers.
fn squared(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    lanes.into_iter().chain(rest).sum()
}

/// Coordinates along the first two principal directions (by power iteration), scaled down to
/// [`START_SPREAD`], with a trace of noise so that equal rows do not start at one point.
fn principal_plane(features: &Matrix, seed: u64) -> Vec<[f32; 2]> {
    let (n, d) = (features.rows, features.cols);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut centre = vec![0.0_f64; d];
    for i in 0..n {
        for (sum, v) in centre.iter_mut().zip(features.row(i)) {
            *sum += f64::from(*v) / n as f64;
        }
    }
    // Scores of every row along `direction`, and the direction those scores pull towards.
    let scores = |direction: &[f64]| -> Vec<f64> {
        let offset: f64 = centre.iter().zip(direction).map(|(c, w)| c * w).sum();
        let score = |i: usize| -> f64 {
            let pairs = features.row(i).iter().zip(direction);
            pairs.map(|(v, w)| f64::from(*v) * w).sum::<f64>() - offset
        };
        (0..n).map(score).collect()
    };
    let pull = |scores: &[f64]| -> Vec<f64> {
        let mut direction = vec![0.0; d];
        for (i, score) in scores.iter().enumerate() {
            for ((w, v), c) in direction.iter_mut().zip(features.row(i)).zip(&centre) {
                *w += score * (f64::from(*v) - c);
            }
        }
        direction
    };
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        let mut w: Vec<f64> = (0..d).map(|_| rng.random_range(-1.0..1.0)).collect();
        for _ in 0..POWER_STEPS {
            w = pull(&scores(&w));
            for before in &directions {
                let along: f64 = w.iter().zip(before).map(|(a, b)| a * b).sum();
                w.iter_mut().zip(before).for_each(|(a, b)| *a -= along * b);
            }
            let length = w.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-30);
            w.iter_mut().for_each(|v| *v /= length);
        }
        directions.push(w);
    }
    let [x, y] = [scores(&directions[0]), scores(&directions[1])];
    let spread = (x.iter().map(|v| v * v).sum::<f64>() / n.max(1) as f64)
        .sqrt()
        .max(1e-30);
    let mut place = |v: f64| {
        let noise = rng.random_range(-0.01..0.01);
        START_SPREAD * (v / spread + noise) as f32
    };
    x.iter()
        .zip(&y)
        .map(|(&x, &y)| [place(x), place(y)])
        .collect()
}

/// Draws one projection, one colour a class. The legend is drawn once for all, by [`legend`].
pub(super) fn picture(projection: &Projection) -> Markup {
    const SIDE: f32 = 440.0;
    const EDGE: f32 = 12.0;
    let finite = |p: &&[f32; 2]| p[0].is_finite() && p[1].is_finite();
    let mut low = [f32::INFINITY; 2];
    let mut high = [f32::NEG_INFINITY; 2];
    for point in projection.points.iter().filter(finite) {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let contours: &[f32] = match projection.plane {
        Plane::OwnWithPrior => &CONTOURS,
        Plane::Tsne | Plane::Own => &[],
    };
    for (axis, radius) in [0, 1]
        .into_iter()
        .flat_map(|a| contours.iter().map(move |r| (a, *r)))
    {
        (low[axis], high[axis]) = (low[axis].min(-radius), high[axis].max(radius));
    }
    let extent = (high[0] - low[0]).max(high[1] - low[1]).max(1e-12);
    let place = |p: &[f32; 2]| -> [f32; 2] {
        [0, 1].map(|axis| {
            let middle = (low[axis] + high[axis]) / 2.0;
            // The second axis points up.
            let sign = if axis == 0 { 1.0 } else { -1.0 };
            SIDE / 2.0 + sign * (p[axis] - middle) / extent * (SIDE - 2.0 * EDGE)
        })
    };
    let [origin_x, origin_y] = place(&[0.0; 2]);
    let circles: Vec<(f32, f32)> = contours
        .iter()
        .map(|radius| (*radius, radius / extent * (SIDE - 2.0 * EDGE)))
        .collect();
    // Points of no class first, so that they lie below.
    let groups = std::iter::once(None).chain((0..projection.classes.len() as u32).map(Some));
    let groups: Vec<(Option<u32>, Vec<[f32; 2]>)> = groups
        .map(|class| {
            let pairs = projection.points.iter().zip(&projection.class);
            let mine = pairs.filter(|(p, c)| **c == class && finite(p));
            (class, mine.map(|(p, _)| place(p)).collect())
        })
        .collect();
    // Where there are no classes, all points are of one kind.
    let plain = projection.classes.is_empty().then_some(0);
    let dots = |points: &[[f32; 2]]| -> String {
        points
            .iter()
            .map(|[x, y]| format!("M{x:.1} {y:.1}h0"))
            .collect()
    };
    let long = projection
        .classes
        .iter()
        .any(|name| name.chars().count() > 3);
    html! {
        svg.map viewBox=(format!("0 0 {SIDE} {SIDE}")) role="img" {
            title { "Projection of " (projection.name) }
            @for (_, radius) in &circles {
                circle.contour cx=(format!("{origin_x:.1}")) cy=(format!("{origin_y:.1}")) r=(format!("{radius:.1}")) {}
            }
            @for (class, points) in groups.iter().filter(|(_, points)| !points.is_empty()) {
                path.dots d=(dots(points)) style=(format!("stroke:{}", class_colour(class.or(plain)))) {}
            }
            @for (deviations, radius) in &circles {
                text.place.small x=(format!("{origin_x:.1}")) y=(format!("{:.1}", origin_y - radius + 4.0)) {
                    (format!("{deviations}σ"))
                }
            }
            @if projection.classes.len() <= 20 {
                @for (class, points) in groups.iter().filter(|(c, p)| c.is_some() && p.len() > 4) {
                    @let [x, y] = middle(points);
                    text.place.small[long] x=(format!("{x:.1}")) y=(format!("{y:.1}")) {
                        (clip(&projection.classes[class.map_or(0, |c| c as usize)], 14))
                    }
                }
            }
        }
    }
}

/// The median point, which lies inside a cluster even when some points lie far off.
fn middle(points: &[[f32; 2]]) -> [f32; 2] {
    [0, 1].map(|axis| {
        let mut values: Vec<f32> = points.iter().map(|p| p[axis]).collect();
        values.sort_by(f32::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    })
}

/// Class names with their colours; the first 40 of them.
pub(super) fn legend(classes: &[String]) -> Markup {
    html! {
        ul.legend {
            @for (class, name) in classes.iter().take(40).enumerate() {
                li { span.dot style=(format!("background:{}", class_colour(Some(class as u32)))) {} (name) }
            }
            @if classes.len() > 40 { li { "… and " (classes.len() - 40) " more" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `groups` clouds of `each` points in `d` dimensions, far apart.
    fn clouds(groups: usize, each: usize, d: usize) -> Matrix {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut data = Vec::new();
        for i in 0..groups * each {
            for j in 0..d {
                let centre = if j % groups == i / each { 3.0 } else { 0.0 };
                data.push(centre + rng.random_range(-0.5..0.5));
            }
        }
        Matrix::new(groups * each, d, data)
    }

    #[test]
    fn same_seed_same_points_and_clouds_stay_apart() {
        let features = clouds(3, 50, 12);
        let points = project(&features, 0).expect("finite");
        assert_eq!(points, project(&features, 0).expect("finite"));
        let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        for i in 0..points.len() {
            let others = (0..points.len()).filter(|&j| j != i);
            let near = others.min_by(|&a, &b| {
                distance(points[i], points[a]).total_cmp(&distance(points[i], points[b]))
            });
            assert_eq!(near.map(|j| j / 50), Some(i / 50), "nearest point of {i}");
        }
    }

    #[test]
    fn a_prior_is_drawn_around_the_origin() {
        let of = |plane| {
            let projection = Projection {
                points: vec![[0.0, 0.5], [6.0, 0.0]],
                class: vec![None; 2],
                plane,
                ..Projection::default()
            };
            picture(&projection).into_string()
        };
        // From −3 to 6: nine units on 416 pixels, with 0 a third from the left.
        let text = of(Plane::OwnWithPrior);
        let centre = format!("cx=\"{:.1}\" cy=\"220.0\"", 12.0 + 416.0 / 3.0);
        assert_eq!(text.matches(&centre).count(), 3, "{text}");
        assert!(
            text.contains(&format!("r=\"{:.1}\"", 416.0 / 9.0)),
            "{text}"
        );
        assert!(!of(Plane::Own).contains("circle"));
    }

    #[test]
    fn odd_inputs_give_points_or_an_error() {
        assert!(project(&Matrix::zeros(0, 5), 0).expect("empty").is_empty());
        for n in [1, 2, 6, 7, 8, 40] {
            let points = project(&Matrix::zeros(n, 3), 1).expect("equal rows");
            assert_eq!(points.len(), n);
            assert!(points.iter().flatten().all(|v| v.is_finite()), "{n}");
        }
        let bad = project(&Matrix::new(1, 2, vec![0.0, f32::NAN]), 0);
        assert!(bad.is_err_and(|e| e.to_string().contains("row 0")));
    }
}
