//! Populations to draw data from: a task, and sources that see it through noise.

use hspace_core::Result;
use hspace_core::dataset::{Column, Dataset, OpenOptions, Pixels, Role, Sample, Split, Values};
use hspace_core::matrix::Matrix;
use hspace_core::pca::Pca;
use hspace_core::representation::Representation;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus as Random;

/// Dimensions of all sources.
pub const DIMS: usize = 20;

/// Where samples come from.
pub enum Population {
    /// Gaussian classes with these shares.
    Classes {
        means: Vec<Vec<f64>>,
        shares: Vec<f64>,
    },
    /// A number that depends on the first dimensions.
    Numbers,
    /// Principal components of real images, with their classes; samples are drawn from them without replacement.
    Images {
        features: Matrix,
        classes: Vec<u32>,
        count: usize,
    },
}

/// What a sample is labelled with.
pub enum Truths {
    Classes(Vec<u32>, usize),
    Numbers(Vec<f64>),
}

fn normal(random: &mut Random) -> f64 {
    StandardNormal.sample(random)
}

impl Population {
    /// `count` classes whose sizes fall from first to last by the factor `imbalance`.
    pub fn classes(count: usize, imbalance: f64) -> Population {
        let mut random = Random::seed_from_u64(count as u64);
        // As far apart as leaves some doubt; later dimensions say less.
        let spread = |j: usize| 2.4 / (1.0 + j as f64).sqrt();
        let means = (0..count)
            .map(|_| (0..DIMS).map(|j| spread(j) * normal(&mut random)).collect())
            .collect();
        let share = |c: usize| imbalance.powf(-(c as f64) / (count as f64 - 1.0).max(1.0));
        let total: f64 = (0..count).map(share).sum();
        Population::Classes {
            means,
            shares: (0..count).map(|c| share(c) / total).collect(),
        }
    }

    /// The first principal components of the images of a dataset.
    pub fn images(source: &str) -> Result<Population> {
        let dataset = Dataset::open(source, &OpenOptions::default())?;
        let mut pixels = Vec::new();
        for row in 0..dataset.len() {
            if let Sample::Image(image) = dataset.samples.get(row)? {
                match image.pixels {
                    Pixels::U8(bytes) => pixels.extend(bytes.iter().map(|&x| f32::from(x) / 255.0)),
                    Pixels::U16(words) => {
                        pixels.extend(words.iter().map(|&x| f32::from(x) / 65535.0))
                    }
                }
            }
        }
        let cols = pixels.len() / dataset.len();
        let pixels = Matrix::new(dataset.len(), cols, pixels);
        let features = Pca::fit(&pixels, DIMS)?.transform(&pixels);
        let task = dataset.task();
        let Some(Values::Classes { names, index }) = task.map(|c| &c.values) else {
            return Err(hspace_core::Error::data("the images have no classes"));
        };
        Ok(Population::Images {
            features,
            classes: index.iter().map(|c| c.unwrap_or(0)).collect(),
            count: names.len(),
        })
    }

    /// `n` samples, `[n, DIMS]`, and their truths.
    fn draw(&self, n: usize, random: &mut Random) -> (Matrix, Truths) {
        let mut data = Vec::with_capacity(n * DIMS);
        match self {
            Population::Classes { means, shares } => {
                let mut classes = Vec::new();
                for _ in 0..n {
                    let mut left = random.random::<f64>();
                    let place = shares.iter().position(|share| {
                        left -= share;
                        left < 0.0
                    });
                    let class = place.unwrap_or(0);
                    classes.push(class as u32);
                    data.extend(
                        means[class]
                            .iter()
                            .map(|m| (m + 1.5 * normal(random)) as f32),
                    );
                }
                (
                    Matrix::new(n, DIMS, data),
                    Truths::Classes(classes, means.len()),
                )
            }
            Population::Numbers => {
                let mut numbers = Vec::new();
                for _ in 0..n {
                    let x: Vec<f64> = (0..DIMS)
                        .map(|j| normal(random) * 2.0 / (1.0 + j as f64).sqrt())
                        .collect();
                    numbers.push(x[0] + x[1] - x[2] + 0.3 * x[0] * x[1] + normal(random));
                    data.extend(x.iter().map(|&x| x as f32));
                }
                (Matrix::new(n, DIMS, data), Truths::Numbers(numbers))
            }
            Population::Images {
                features,
                classes,
                count,
            } => {
                let mut rows: Vec<usize> = (0..features.rows).collect();
                for i in 0..n {
                    let other = random.random_range(i..rows.len());
                    rows.swap(i, other);
                }
                rows.truncate(n);
                let own = rows.iter().map(|&i| classes[i]).collect();
                (features.select(&rows), Truths::Classes(own, *count))
            }
        }
    }
}

/// Sizes of the data that are drawn.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub train: usize,
    pub test: usize,
    /// Samples of a group, which share most of their noise; 1: none.
    pub group: usize,
}

/// One sample of the population as seen by sources (name, standard deviation of their noise).
pub fn representations(
    population: &Population,
    sizes: Sizes,
    sources: &[(&str, f64)],
    seed: u64,
) -> Vec<Representation> {
    let mut random = Random::seed_from_u64(seed);
    let n = sizes.train + sizes.test;
    let (mut clean, mut truths) = population.draw(n, &mut random);
    let mut columns = Vec::new();
    if sizes.group > 1 {
        // The samples of a group are its first one, seen again.
        let first = |i: usize| i - i % sizes.group;
        let rows: Vec<usize> = (0..n).map(first).collect();
        clean = clean.select(&rows);
        if let Truths::Classes(classes, _) = &mut truths {
            *classes = rows.iter().map(|&i| classes[i]).collect();
        }
        columns.push(Column {
            name: "patient".into(),
            role: Role::Group,
            values: Values::Classes {
                names: (0..n.div_ceil(sizes.group))
                    .map(|g| g.to_string())
                    .collect(),
                index: (0..n).map(|i| Some((i / sizes.group) as u32)).collect(),
            },
        });
    }
    let values = match truths {
        Truths::Classes(classes, count) => Values::Classes {
            names: (0..count).map(|c| c.to_string()).collect(),
            index: classes.into_iter().map(Some).collect(),
        },
        Truths::Numbers(numbers) => Values::Numbers(numbers.into_iter().map(Some).collect()),
    };
    columns.push(Column {
        name: "label".into(),
        role: Role::Label,
        values,
    });
    let split = |i: usize| {
        if i < sizes.train {
            Split::Train
        } else {
            Split::Test
        }
    };
    let make = |&(name, noise): &(&str, f64)| {
        let mut features = clean.clone();
        for x in &mut features.data {
            *x += (noise * normal(&mut random)) as f32;
        }
        Representation {
            name: name.into(),
            features,
            ids: (0..n).map(|i| i.to_string()).collect(),
            columns: columns.clone(),
            split: (0..n).map(split).collect(),
            origin: "drawn".into(),
            shift: Vec::new(),
        }
    };
    sources.iter().map(make).collect()
}
