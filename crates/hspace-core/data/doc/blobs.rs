// Included by examples of the documentation, hidden.

use hspace_core::dataset::{Column, Role, Split, Values};
use hspace_core::matrix::Matrix;
use hspace_core::representation::Representation;

/// 160 samples of three classes around the corners of a triangle, `noise` apart; every fourth is a test sample.
/// Columns: the class, a number that is the first feature but for noise, and a scanner that the features do not show.
pub fn blobs(name: &str, noise: f32) -> Representation {
    const CENTRES: [[f32; 2]; 3] = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.9]];
    let n: usize = 160;
    let random = |i: usize, salt: usize| {
        let hash = (i * 40 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        (hash % 1009) as f32 / 504.0 - 1.0
    };
    let feature = |i: usize, axis: usize| CENTRES[i % 3][axis] + noise * random(i, axis);
    let classes = |name: &str, role: Role, names: &[&str], of: &dyn Fn(usize) -> usize| Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            index: (0..n).map(|i| Some(of(i) as u32)).collect(),
        },
    };
    let width = |i: usize| Some(f64::from(CENTRES[i % 3][0] + 0.1 * random(i, 2)));
    Representation {
        name: name.into(),
        features: Matrix::new(
            n,
            2,
            (0..n)
                .flat_map(|i| [feature(i, 0), feature(i, 1)])
                .collect(),
        ),
        ids: (0..n).map(|i| format!("{i}.png")).collect(),
        columns: vec![
            classes("kind", Role::Label, &["cat", "cow", "dog"], &|i| i % 3),
            Column {
                name: "width".into(),
                role: Role::Label,
                values: Values::Numbers((0..n).map(width).collect()),
            },
            classes("scanner", Role::Nuisance, &["A", "B"], &|i| i / 3 % 2),
        ],
        split: (0..n)
            .map(|i| {
                if i % 4 == 0 {
                    Split::Test
                } else {
                    Split::Train
                }
            })
            .collect(),
        origin: name.into(),
        shift: vec![],
    }
}
