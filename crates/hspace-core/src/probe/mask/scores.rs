//! How good masks are: measures over all pixels of all test images, with what each image contributes.
//!
//! Of a class, with the pixels t of it, the answered ones p and the right ones r, summed over the images:
//!
//! ```text
//! IoU = Σ r / Σ (t + p − r)      Dice = 2 Σ r / Σ (t + p)      pixel accuracy = Σ over classes r / Σ t
//! ```
//!
//! `mean_iou` and `mean_dice` are means over the classes that a test image has or is answered with; ignored pixels are not counted. All are
//! ratios R = Σ a / Σ b of sums over n **images**, which are what is sampled, so that the influence of image i is `n (aᵢ − R bᵢ) / Σ b`, the
//! delta method.

use crate::probe::mask::MaskSummary;
use crate::probe::scores::{Answers, Score};

/// Names of the measures of masks, in the order of their values.
pub const MASK_SCORES: [&str; 3] = ["mean_iou", "mean_dice", "pixel_accuracy"];

/// The pixels of masks and of their answers, image by image.
pub struct MaskAnswers<'a> {
    /// For each image and class the pixels that are answered rightly, and all that are answered `[n, classes, 2]`.
    pub(in crate::probe) counts: &'a [f64],
    /// The true pixels `[n]`.
    pub(in crate::probe) truth: &'a [MaskSummary],
    /// Number of classes.
    pub(in crate::probe) classes: usize,
}

impl MaskAnswers<'_> {
    /// Right, answered and true pixels of class `c` of image `i`.
    fn pixels(&self, i: usize, c: usize) -> [f64; 3] {
        let at = 2 * (i * self.classes + c);
        let truth = self.truth[i].pixels.get(c).copied().unwrap_or(0);
        [self.counts[at], self.counts[at + 1], f64::from(truth)]
    }

    /// The ratio of the sums over images of two numbers of their right, answered and true pixels of a class.
    fn ratio(&self, c: usize, of: impl Fn([f64; 3]) -> [f64; 2]) -> Option<Score> {
        Score::ratio((0..self.truth.len()).map(|i| of(self.pixels(i, c))))
    }
}

impl Answers for MaskAnswers<'_> {
    fn scores(&self) -> Vec<Option<Score>> {
        let classes = || 0..self.classes;
        let iou = |c| {
            self.ratio(c, |[right, answered, truth]| {
                [right, truth + answered - right]
            })
        };
        let dice = |c| {
            self.ratio(c, |[right, answered, truth]| {
                [2.0 * right, truth + answered]
            })
        };
        let right = (0..self.truth.len()).map(|i| {
            let all = classes().map(|c| self.pixels(i, c));
            all.fold([0.0; 2], |[r, t], [right, _, truth]| [r + right, t + truth])
        });
        vec![
            Score::average(classes().map(iou)),
            Score::average(classes().map(dice)),
            Score::ratio(right),
        ]
    }
}

/// Mean IoU on `test` masks that are all answered with the class of most pixels of the `train` ones.
pub(in crate::probe) fn chance(train: &[MaskSummary], test: &[MaskSummary], classes: usize) -> f64 {
    let count = |class: usize| -> u64 {
        let pixels = train.iter().map(|mask| u64::from(mask.pixels[class]));
        pixels.sum()
    };
    let commonest = (0..classes).rev().max_by_key(|&c| count(c)).unwrap_or(0);
    let answered = |mask: &MaskSummary| -> Vec<f64> {
        let all: u32 = mask.pixels.iter().sum();
        let of = |class: usize| match class == commonest {
            true => [f64::from(mask.pixels[class]), f64::from(all)],
            false => [0.0; 2],
        };
        (0..classes).flat_map(of).collect()
    };
    let counts: Vec<f64> = test.iter().flat_map(answered).collect();
    let answers = MaskAnswers {
        counts: &counts,
        truth: test,
        classes,
    };
    let mean_iou = answers.scores().swap_remove(0);
    mean_iou.map_or(0.0, |score| score.value)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus as Random;

    use super::*;
    use crate::probe::answer::score;
    use crate::probe::estimates::Sampling;
    use crate::probe::task::Truth;

    /// True and answered class of each pixel of an image.
    type Image = Vec<(u8, u8)>;

    fn summaries(images: &[Image], classes: usize) -> (Vec<f64>, Vec<MaskSummary>) {
        let mut counts = Vec::new();
        let mut truth = Vec::new();
        for image in images {
            let count = |of: &dyn Fn(&(u8, u8)) -> bool| image.iter().filter(|p| of(p)).count();
            for c in 0..classes as u8 {
                counts.push(count(&|p| *p == (c, c)) as f64);
                counts.push(count(&|p| p.1 == c) as f64);
            }
            truth.push(MaskSummary {
                pixels: (0..classes as u8)
                    .map(|c| count(&|p| p.0 == c) as u32)
                    .collect(),
                hash: String::new(),
            });
        }
        (counts, truth)
    }

    /// Mean IoU, mean Dice and accuracy pixel by pixel, by the definitions of sets.
    fn naive(images: &[Image], classes: u8) -> [f64; 3] {
        let pixels: Vec<(u8, u8)> = images.iter().flatten().copied().collect();
        let (mut ious, mut dices) = (Vec::new(), Vec::new());
        for c in 0..classes {
            let both = pixels.iter().filter(|p| p.0 == c && p.1 == c).count() as f64;
            let either = pixels.iter().filter(|p| p.0 == c || p.1 == c).count() as f64;
            if either > 0.0 {
                ious.push(both / either);
                dices.push(2.0 * both / (both + either));
            }
        }
        let right = pixels.iter().filter(|p| p.0 == p.1).count() as f64;
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        [mean(&ious), mean(&dices), right / pixels.len() as f64]
    }

    /// Images of different size, difficulty and shares of the classes.
    fn images(random: &mut Random, count: usize, classes: u8) -> Vec<Image> {
        let one = |random: &mut Random| {
            let size = random.random_range(1..120);
            let noise: f64 = random.random_range(0.0..0.8);
            let own = random.random_range(0..classes);
            let pixel = |random: &mut Random| {
                let any = random.random_range(0..classes);
                let truth = if random.random::<f64>() < 0.5 {
                    own
                } else {
                    any
                };
                let wrong = random.random_range(0..classes);
                (
                    truth,
                    if random.random::<f64>() < noise {
                        wrong
                    } else {
                        truth
                    },
                )
            };
            (0..size).map(|_| pixel(random)).collect()
        };
        (0..count).map(|_| one(random)).collect()
    }

    #[test]
    fn measures_are_those_of_the_obvious_loop() {
        for seed in 0..200 {
            let random = &mut Random::seed_from_u64(seed);
            let classes = random.random_range(1..6u8);
            let count = random.random_range(1..12);
            let images = images(random, count, classes);
            let (counts, truth) = summaries(&images, classes.into());
            let found = MaskAnswers {
                counts: &counts,
                truth: &truth,
                classes: classes.into(),
            }
            .scores();
            for (found, wanted) in found.iter().zip(naive(&images, classes)) {
                let found = found.as_ref().unwrap();
                assert!((found.value - wanted).abs() < 1e-12, "seed {seed}");
                let mean = found.influence.iter().sum::<f64>() / images.len() as f64;
                assert!(mean.abs() < 1e-9, "seed {seed}: {mean}");
            }
        }
    }

    #[test]
    fn influence_is_the_derivative_by_an_image_s_weight() {
        let images = images(&mut Random::seed_from_u64(3), 20, 4);
        let (counts, truth) = summaries(&images, 4);
        let of = |counts: &[f64], truth: &[MaskSummary]| {
            let answers = MaskAnswers {
                counts,
                truth,
                classes: 4,
            };
            answers.scores()
        };
        let found = of(&counts, &truth);
        // Every image a thousand times, and one of them once more.
        let thousand = |images: &[Image], extra: usize| {
            let mut all: Vec<Image> = images.iter().map(|image| image.repeat(1000)).collect();
            let more = images[extra].clone();
            all[extra].extend(more);
            naive(&all, 4)
        };
        for (s, name) in MASK_SCORES.iter().enumerate() {
            let found = found[s].as_ref().unwrap();
            for extra in [0, 7, 19] {
                let change = thousand(&images, extra)[s] - found.value;
                let wanted = change * 1000.0 * images.len() as f64;
                let own = found.influence[extra];
                assert!(
                    (own - wanted).abs() < 2e-3 + 0.01 * own.abs(),
                    "{name}: {own} {wanted}"
                );
            }
        }
    }

    #[test]
    fn intervals_are_as_wide_as_a_bootstrap_over_images_says() {
        let random = &mut Random::seed_from_u64(11);
        let images = images(random, 250, 3);
        let (counts, truth) = summaries(&images, 3);
        let truth = Truth::Masks(truth);
        let scored = vec![vec![score(&truth, &counts, 3)]];
        let sampling = Sampling::new(&truth, 3, None);
        let resampled: Vec<[f64; 3]> = (0..4000)
            .map(|_| {
                let draw = (0..images.len()).map(|_| images[random.random_range(0..250)].clone());
                naive(&draw.collect::<Vec<_>>(), 3)
            })
            .collect();
        for (s, name) in MASK_SCORES.iter().enumerate() {
            let found = sampling.estimate(&scored, s, name).unwrap();
            let mut values: Vec<f64> = resampled.iter().map(|values| values[s]).collect();
            values.sort_by(f64::total_cmp);
            let ratio = (found.high - found.low) / (values[3899] - values[100]);
            assert!((0.9..1.1).contains(&ratio), "{name}: {ratio}");
        }
    }
}
