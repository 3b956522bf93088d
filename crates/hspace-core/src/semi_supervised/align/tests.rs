use super::*;
use crate::list::find;
use crate::semi_supervised::{METHODS, Options};

fn noise(i: usize) -> f32 {
    let x = (12.9898 * i as f64 + 0.3).sin() * 43758.5453;
    (2.0 * (x - x.floor()) - 1.0) as f32
}

/// Rows of two classes that differ in the first feature, `moved` by a shift and a rotation; the second feature is noise with three times the spread.
fn rows(n: usize, seed: usize, moved: bool) -> Matrix {
    let mut data = Vec::new();
    for row in 0..n {
        let x = 2.0 * (row % 2) as f32 - 1.0 + 0.5 * noise(3 * row + seed);
        let y = 3.0 * noise(3 * row + 1 + seed);
        let z = 0.3 * noise(3 * row + 2 + seed);
        data.extend(match moved {
            false => [x, y, z],
            // A fifth of a turn, another scale, and a shift.
            true => [0.9 * x - 0.4 * y + 2.0, 0.4 * x + 0.9 * y - 1.0, 2.0 * z],
        });
    }
    Matrix::new(n, 3, data)
}

#[test]
fn coral_gives_the_source_mean_and_covariance_of_the_target() {
    let (source, target) = (rows(200, 1, false), rows(150, 900, true));
    let moved = coral::coloured(&source, &target, 1e-9).unwrap();
    let ((mean, c), (mean_t, c_t)) = (moments(&moved), moments(&target));
    for i in 0..3 {
        assert!((mean[i] - mean_t[i]).abs() < 1e-4);
        for j in 0..3 {
            assert!((c[(i, j)] - c_t[(i, j)]).abs() < 1e-3, "{i} {j}");
        }
    }
}

#[test]
fn equal_domains_are_left_where_they_are() {
    let same = rows(200, 1, false);
    let moved = coral::coloured(&same, &same, 0.1).unwrap();
    let off = moved
        .data
        .iter()
        .zip(&same.data)
        .map(|(a, b)| (a - b).abs());
    assert!(off.fold(0.0, f32::max) < 1e-4);
    // All components: distances of the rows are kept.
    let moved = subspace::turned(&same, &same, &same, Auto::Set(3)).unwrap();
    let off = moved
        .source
        .data
        .iter()
        .zip(&moved.test.data)
        .map(|(a, b)| (a - b).abs());
    assert!(off.fold(0.0, f32::max) < 1e-4);
    // Each row is nearest to itself.
    let moved = transport::transported(&same, &same, 1e-3);
    let off = moved
        .data
        .iter()
        .zip(&same.data)
        .map(|(a, b)| (a - b).abs());
    assert!(off.fold(0.0, f32::max) < 0.05);
}

#[test]
fn a_plan_has_equal_weights_of_rows_and_columns() {
    let costs: Vec<f64> = (0..20 * 30).map(|i| f64::from(noise(i)).abs()).collect();
    let plan = transport::plan(&costs, [20, 30], 0.1);
    for i in 0..20 {
        let sum: f64 = plan[i * 30..(i + 1) * 30].iter().sum();
        assert!((sum - 0.05).abs() < 1e-4, "{sum}");
    }
    for j in 0..30 {
        let sum: f64 = (0..20).map(|i| plan[i * 30 + j]).sum();
        assert!((sum - 1.0 / 30.0).abs() < 1e-9, "{sum}");
    }
}

/// Where the target is turned and shifted, all three are better than the probe on the features as they are.
#[test]
fn a_moved_target_is_answered_better_than_without_alignment() {
    let (source, target, test) = (
        rows(200, 1, false),
        rows(200, 900, true),
        rows(200, 5000, true),
    );
    let mut train = source.clone();
    train.rows += target.rows;
    train.data.extend(&target.data);
    let labels: Vec<Option<u32>> = (0..400)
        .map(|row| (row < 200).then_some(row as u32 % 2))
        .collect();
    let of = |labels: &[Option<u32>], train: &Matrix, method: &str| {
        let labels = PartialLabels {
            labels,
            classes: 2,
            groups: None,
            seed: 0,
        };
        let method = find("method", METHODS, method).unwrap();
        let p = method
            .learn(train, &labels, &test, &Options::default())
            .unwrap();
        let right = (0..200).filter(|&row| (p[2 * row + 1] > 0.5) == (row % 2 == 1));
        right.count()
    };
    let alone = of(&labels[..200], &source, "align_coral");
    for method in ["align_coral", "align_subspace", "align_transport"] {
        let right = of(&labels, &train, method);
        assert!(
            right > alone + 10,
            "{method}: {right} of 200, {alone} without"
        );
    }
}
