//! Against a naive implementation in double precision, and what must hold of any fit.

use super::whitening::Whitening;
use super::*;
use crate::random::{mix, shuffled};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

/// Images with values of multiples of 1/255, some of them flat in large parts.
fn images(n: usize, [channels, height, width]: [usize; 3], seed: u64) -> (Matrix, Shape) {
    let size = channels * height * width;
    let data = (0..n * size).map(|i| {
        let flat = (i / size).is_multiple_of(3) && i % width > width / 2;
        match flat {
            true => 0.0,
            false => (mix(&[seed, i as u64]) % 256) as f32 / 255.0,
        }
    });
    let shape = Shape::Image {
        channels,
        height,
        width,
    };
    (Matrix::new(n, size, data.collect()), shape)
}

fn settings(k: usize, patch: usize, pool: usize, activation: Activation) -> Settings {
    Settings {
        k,
        patch,
        pool,
        activation,
        patches: 400,
        steps: 3,
        power: 1.0,
        ..Settings::default()
    }
}

/// The features of one image by the formulas, patch by patch; and for each how far rounding may move it.
///
/// `|z|² + |c|² − 2 cᵀz` in single precision is off by some `ε (|z|² + |c|²)`, which is no small share of the square of a short distance: a
/// distance near 0 may come out as the root of that error.
fn naive(
    fitted: &KmeansFeatures,
    image: &[f32],
    [channels, height, width]: [usize; 3],
    settings: &Settings,
) -> (Vec<f64>, Vec<f64>) {
    let Settings { patch, pool, k, .. } = *settings;
    let (whitening, centroids) = (&fitted.layer.whitening, &fitted.layer.centroids);
    let d = channels * patch * patch;
    let mut out = vec![0.0; pool * pool * k];
    let mut rounding = vec![0.0; pool * pool * k];
    for y in 0..=height - patch {
        for x in 0..=width - patch {
            let (rows, columns) = (height + 1 - patch, width + 1 - patch);
            let region = (y * pool / rows) * pool + x * pool / columns;
            let mut values = Vec::new();
            for c in 0..channels {
                for i in 0..patch {
                    for j in 0..patch {
                        let pixel = image[(c * height + y + i) * width + x + j];
                        values.push(f64::from(pixel) * 255.0);
                    }
                }
            }
            let mean = values.iter().sum::<f64>() / d as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / d as f64;
            let scale = (variance + settings.contrast).sqrt();
            let centred: Vec<f64> = values
                .iter()
                .zip(&whitening.mean)
                .map(|(v, m)| (v - mean) / scale - f64::from(*m))
                .collect();
            let white: Vec<f64> = (0..d)
                .map(|i| {
                    let row = whitening.matrix.row(i).iter().zip(&centred);
                    row.map(|(&w, v)| f64::from(w) * v).sum()
                })
                .collect();
            let sum_over = |c: usize, f: &dyn Fn(f64, f64) -> f64| -> f64 {
                let pairs = white.iter().zip(centroids.row(c));
                pairs.map(|(&z, &c)| f(z, f64::from(c))).sum()
            };
            let activations: Vec<f64> = match settings.activation {
                Activation::Threshold => (0..k)
                    .map(|c| (sum_over(c, &|z, c| z * c).abs() - settings.alpha).max(0.0))
                    .collect(),
                Activation::Triangle => {
                    let distances: Vec<f64> = (0..k)
                        .map(|c| sum_over(c, &|z, c| (z - c).powi(2)).sqrt())
                        .collect();
                    let square: f64 = white.iter().map(|z| z * z).sum();
                    for (c, z) in distances.iter().enumerate() {
                        if z * z < 1e-3 * square {
                            rounding[region * k + c] +=
                                (4.0 * f64::from(f32::EPSILON) * square).sqrt();
                        }
                    }
                    let mean = distances.iter().sum::<f64>() / k as f64;
                    distances.iter().map(|z| (mean - z).max(0.0)).collect()
                }
            };
            for (c, activation) in activations.iter().enumerate() {
                out[region * k + c] += activation;
            }
        }
    }
    (out, rounding)
}

/// Channels, sizes, patches, regions and both activations drawn at random.
#[test]
fn features_are_those_of_the_naive_implementation() -> Outcome {
    for case in 0..24 {
        let pick = |salt: u64, low: usize, high: usize| {
            low + (mix(&[case, salt]) % (high - low + 1) as u64) as usize
        };
        let shape = [pick(0, 1, 4), pick(1, 9, 13), pick(2, 9, 13)];
        let activation = match case % 2 {
            0 => Activation::Threshold,
            _ => Activation::Triangle,
        };
        let mut own = settings(pick(3, 1, 40), pick(4, 2, 6), pick(5, 1, 3), activation);
        own.alpha = pick(6, 0, 10) as f64 / 10.0;
        let (x, of) = images(9, shape, case);
        let train: Vec<usize> = (0..6).collect();
        let fitted = KmeansFeatures::fit(&x, &train, of, &own, case)?;
        let features = fitted.transform(&x);
        assert_eq!((features.rows, features.cols), (9, own.features()));
        for i in 0..9 {
            let (expected, rounding) = naive(&fitted, x.row(i), shape, &own);
            let largest = expected.iter().copied().fold(1.0, f64::max);
            let pairs = features.row(i).iter().zip(&expected);
            for ((ours, naive), rounding) in pairs.zip(&rounding) {
                let off = (f64::from(*ours) - naive).abs();
                assert!(
                    off < 1e-4 * largest + rounding,
                    "{own:?} {shape:?}: {ours} {naive}"
                );
            }
        }
        let power = Settings { power: 0.5, ..own };
        let roots = KmeansFeatures::fit(&x, &train, of, &power, case)?.transform(&x);
        for (root, sum) in roots.data.iter().zip(&features.data) {
            assert_eq!(*root, sum.sqrt());
        }
    }
    Ok(())
}

#[test]
fn a_patch_is_normalised_on_the_scale_of_255() -> Outcome {
    let own = Settings {
        k: 1,
        patch: 2,
        pool: 1,
        ..Settings::default()
    };
    let shape = Shape::Image {
        channels: 1,
        height: 2,
        width: 2,
    };
    let window = Window::new(shape, &own)?;
    let mut patch = [0.0; 4];
    // Mean 13, variance 5: divided by √(5 + 10).
    let image = [10.0, 12.0, 14.0, 16.0f32].map(|v| v / 255.0);
    assert!(window.read(&image, (0, 0), &mut patch));
    for (ours, expected) in patch.iter().zip([-3.0f32, -1.0, 1.0, 3.0]) {
        assert!((ours - expected / 15f32.sqrt()).abs() < 1e-4, "{patch:?}");
    }
    assert!(!window.read(&[0.7; 4], (0, 0), &mut patch));
    assert_eq!(patch, [0.0; 4]);
    Ok(())
}

/// The covariance of whitened rows is the identity, but for ε: λ / (λ + ε) along each eigenvector.
#[test]
fn whitened_rows_have_the_covariance_of_the_formula() -> Result<()> {
    let d = 5;
    let row = |i: u64| {
        let base: Vec<f32> = (0..5)
            .map(|j| (mix(&[i, j]) % 1000) as f32 / 500.0 - 1.0)
            .collect();
        [
            3.0 * base[0] + 2.0,
            base[1] + base[0],
            0.2 * base[2],
            base[3] - base[4],
            base[4],
        ]
    };
    let rows = Matrix::new(2000, d, (0..2000).flat_map(row).collect());
    let covariance = |rows: &Matrix| {
        let means = rows.column_means();
        crate::matrix::gram(rows.minus(&means).view()) * faer::Scale(1.0 / rows.rows as f64)
    };
    let white = covariance(&Whitening::fit(&rows, 1e-9)?.apply(rows.clone()));
    for i in 0..d {
        for j in 0..d {
            let expected = f64::from(u8::from(i == j));
            assert!((white[(i, j)] - expected).abs() < 1e-3, "{white:?}");
        }
    }
    let epsilon = 0.1;
    let (values, vectors) = crate::matrix::eigen(&covariance(&rows), true)?;
    let white = covariance(&Whitening::fit(&rows, epsilon)?.apply(rows));
    let along = vectors.transpose() * &white * &vectors;
    for (i, value) in values.iter().enumerate() {
        assert!((along[(i, i)] - value / (value + epsilon)).abs() < 1e-3);
    }
    Ok(())
}

#[test]
fn other_test_images_leave_training_features_as_they_are() -> Result<()> {
    let shape = [1, 12, 12];
    let (mut x, of) = images(30, shape, 1);
    let train = shuffled((0..20).collect(), 3);
    let own = settings(20, 5, 2, Activation::Threshold);
    let before = KmeansFeatures::fit(&x, &train, of, &own, 7)?.transform(&x);
    let size = x.cols;
    let (changed, _) = images(10, shape, 99);
    x.data[20 * size..].copy_from_slice(&changed.data);
    let after = KmeansFeatures::fit(&x, &train, of, &own, 7)?.transform(&x);
    assert_eq!(before.data[..20 * 80], after.data[..20 * 80]);
    assert_ne!(before.data[20 * 80..], after.data[20 * 80..]);
    let other = KmeansFeatures::fit(&x, &train, of, &own, 8)?.transform(&x);
    assert_ne!(after, other);
    Ok(())
}

#[test]
fn the_number_of_threads_changes_nothing() -> Outcome {
    let (x, of) = images(40, [3, 11, 10], 5);
    let train: Vec<usize> = (0..30).collect();
    for activation in [Activation::Threshold, Activation::Triangle] {
        let own = settings(33, 4, 3, activation);
        let with = |threads: usize| -> std::result::Result<Matrix, Box<dyn std::error::Error>> {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            let features = || -> Result<Matrix> {
                Ok(KmeansFeatures::fit(&x, &train, of, &own, 2)?.transform(&x))
            };
            Ok(pool.install(features)?)
        };
        assert_eq!(with(1)?, with(3)?);
    }
    Ok(())
}

/// Rows around four directions, of either sign; and around four points.
#[test]
fn centroids_are_the_planted_ones() {
    let noise = |i: u64, j: u64| (mix(&[i, j]) % 1000) as f32 / 1e4;
    let row = |i: u64| {
        let sign = if mix(&[i]).is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        let size = 1.0 + (mix(&[i, 77]) % 100) as f32 / 100.0;
        (0..4u64)
            .map(move |j| sign * size * (f32::from(u8::from(i % 4 == j)) + noise(i, j)))
            .collect::<Vec<f32>>()
    };
    let rows = Matrix::new(800, 4, (0..800).flat_map(row).collect());
    let found = clusters::spherical(&rows, 4, 10, 0);
    let mut largest: Vec<usize> = (0..4)
        .filter_map(|c| (0..4).find(|&j| found.row(c)[j].abs() > 0.98))
        .collect();
    largest.sort_unstable();
    assert_eq!(largest, [0, 1, 2, 3], "{found:?}");
    let points = |i: u64| {
        let own = [[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]][i as usize % 4];
        [own[0] + noise(i, 0), own[1] + noise(i, 1)]
    };
    let rows = Matrix::new(800, 2, (0..800).flat_map(points).collect());
    // Of a few starts, one has a row of each point.
    let fits = (0..30).any(|seed| {
        let found = clusters::lloyd(&rows, 4, 10, seed);
        let mut corners: Vec<[bool; 2]> = (0..4)
            .map(|c| [found.row(c)[0] > 4.5, found.row(c)[1] > 4.5])
            .collect();
        let near = |x: &f32| (x % 9.0 - 0.05).abs() < 0.02;
        corners.sort_unstable();
        corners.dedup();
        corners.len() == 4 && found.data.iter().all(near)
    });
    assert!(fits);
}

#[test]
fn flat_images_have_finite_features() -> Result<()> {
    let shape = Shape::Image {
        channels: 1,
        height: 8,
        width: 8,
    };
    for activation in [Activation::Threshold, Activation::Triangle] {
        let x = Matrix::new(4, 64, vec![0.5; 256]);
        let own = settings(5, 3, 2, activation);
        let features = KmeansFeatures::fit(&x, &[0, 1], shape, &own, 0)?.transform(&x);
        assert!(features.data.iter().all(|v| v.is_finite()));
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let (x, of) = images(4, [1, 8, 8], 0);
    let refused = |shape, own: &Settings, train: &[usize]| {
        let made = KmeansFeatures::fit(&x, train, shape, own, 0);
        made.map_or_else(|e| e.to_string(), |_| String::new())
    };
    let own = settings(5, 3, 2, Activation::Threshold);
    let vectors = refused(Shape::Vector { dim: 64 }, &own, &[0]);
    assert!(
        vectors.contains("vectors") && vectors.contains("pca:D"),
        "{vectors}"
    );
    let large = refused(
        of,
        &Settings {
            patch: 8,
            ..own.clone()
        },
        &[0],
    );
    assert!(large.contains("8 x 8 pixels do not fit"), "{large}");
    assert!(refused(of, &own, &[]).contains("no training image"));
    let wrong = Settings {
        k: 0,
        power: f64::NAN,
        alpha: -1.0,
        ..own.clone()
    };
    assert_eq!(wrong.validate().len(), 3, "{:?}", wrong.validate());
    let few = Settings { patches: 4, ..own };
    assert!(refused(of, &few, &[0]).contains("kmeans.patches"));
}

#[test]
fn memory_is_warned_of_above_4_gb() {
    let own = Settings::default();
    assert_eq!(own.memory_warning(70_000, 784), None);
    let more = Settings { pool: 4, ..own };
    let text = more.memory_warning(70_000, 784).unwrap_or_default();
    assert!(
        text.contains("25600 features") && text.contains("7.4 GB"),
        "{text}"
    );
}

/// The second layer's features are those of the first layer's naive implementation, on its maps.
#[test]
fn a_second_layer_reads_the_maps_of_the_first() -> Outcome {
    let (images, shape) = images(30, [1, 12, 12], 5);
    let own = Settings {
        layers: 2,
        grid: 4,
        groups: 3,
        group_size: 2,
        k2: 6,
        patch2: 2,
        pool2: 2,
        ..settings(5, 4, 2, Activation::Threshold)
    };
    let train: Vec<usize> = (0..20).collect();
    let fitted = KmeansFeatures::fit(&images, &train, shape, &own, 3)?;
    let features = fitted.transform(&images);
    assert_eq!(features.cols, own.features());
    let first = KmeansFeatures::fit(
        &images,
        &train,
        shape,
        &Settings {
            layers: 1,
            ..own.clone()
        },
        3,
    )?;
    let alone = first.transform(&images);
    assert!((0..30).all(|row| features.row(row)[..alone.cols] == *alone.row(row)));
    let more = (0..30).map(|row| &features.row(row)[alone.cols..]);
    assert!(
        more.clone()
            .all(|row| row.iter().all(|x| x.is_finite() && *x >= 0.0))
    );
    assert!(more.clone().any(|row| row.iter().any(|x| *x > 0.0)));
    // Other test images change nothing, nor does another fit.
    let again = KmeansFeatures::fit(&images.select(&train), &train, shape, &own, 3)?;
    assert_eq!(again.transform(&images), features);
    for (wrong, part) in [
        (
            Settings {
                layers: 3,
                ..own.clone()
            },
            "layers",
        ),
        (
            Settings {
                group_size: 9,
                ..own.clone()
            },
            "group_size",
        ),
        (
            Settings {
                patch2: 4,
                ..own.clone()
            },
            "do not fit",
        ),
    ] {
        let error = KmeansFeatures::fit(&images, &train, shape, &wrong, 3).err();
        let text = error.map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains(part), "{part}: {text}");
    }
    Ok(())
}
