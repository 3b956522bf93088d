//! ImageNet-C (Hendrycks & Dietterich 2019, arXiv:1903.12261); parameters of the authors' code, as in the package `imagecorruptions` 1.1.2.

use super::{Corruption, corruption, through_rgb};
use crate::corruptions::blur::{DefocusBlur, GaussianBlur, MotionBlur};
use crate::corruptions::digital::{Elastic, Pixelate, Up};
use crate::corruptions::frost::Frost;
use crate::corruptions::glass::GlassBlur;
use crate::corruptions::intensity::{AddValue, ChannelContrast, Saturate};
use crate::corruptions::jpeg::Jpeg;
use crate::corruptions::noise::{GaussianNoise, ImpulseNoise, ShotNoise, SpeckleNoise};
use crate::corruptions::spatter::{Liquid, Spatter};
use crate::corruptions::weather::{Fog, Snow};
use crate::corruptions::zoom::ZoomBlur;

/// Motion of snow.
const fn motion(radius: usize, sigma: f64) -> MotionBlur {
    MotionBlur { radius, sigma }
}

pub(super) const STANDARD: &[Corruption] = &[
    corruption!(
        "gaussian_noise",
        GaussianNoise {
            std: [0.08, 0.12, 0.18, 0.26, 0.38]
        }
    ),
    corruption!(
        "shot_noise",
        ShotNoise {
            photons: [60.0, 25.0, 12.0, 5.0, 3.0]
        }
    ),
    corruption!(
        "impulse_noise",
        ImpulseNoise {
            ratio: [0.03, 0.06, 0.09, 0.17, 0.27]
        }
    ),
    corruption!(
        "defocus_blur",
        DefocusBlur {
            radius: [3, 4, 6, 8, 10],
            edge: [0.1, 0.5, 0.5, 0.5, 0.5],
        }
    ),
    corruption!(
        "glass_blur",
        GlassBlur {
            sigma: [0.7, 0.9, 1.0, 1.1, 1.5],
            reach: [1, 2, 2, 3, 4],
            times: [2, 1, 3, 2, 2],
        }
    ),
    corruption!(
        "motion_blur",
        MotionBlur {
            radius: [10, 15, 15, 15, 20],
            sigma: [3.0, 5.0, 8.0, 12.0, 15.0],
        }
    ),
    corruption!(
        "zoom_blur",
        ZoomBlur {
            // As many as NumPy's `arange` has up to 1.11, 1.16, 1.21, 1.26 and 1.31.
            steps: [12, 16, 11, 13, 11],
            step: [0.01, 0.01, 0.02, 0.02, 0.03],
        }
    ),
    corruption!(
        "snow",
        Snow {
            mean: [0.1, 0.2, 0.55, 0.55, 0.55],
            std: [0.3, 0.3, 0.3, 0.3, 0.3],
            size: [3.0, 2.0, 4.0, 4.5, 2.5],
            threshold: [0.5, 0.5, 0.9, 0.85, 0.85],
            motion: [
                motion(10, 4.0),
                motion(12, 4.0),
                motion(12, 8.0),
                motion(12, 8.0),
                motion(12, 12.0),
            ],
            keep: [0.8, 0.7, 0.7, 0.65, 0.55],
        }
    ),
    corruption!(
        "frost",
        Frost {
            keep: [1.0, 0.8, 0.7, 0.65, 0.6],
            ice: [0.4, 0.6, 0.7, 0.7, 0.75],
        }
    ),
    corruption!(
        "fog",
        Fog {
            strength: [1.5, 2.0, 2.5, 2.5, 3.0],
            decay: [2.0, 2.0, 1.7, 1.5, 1.4],
        }
    ),
    corruption!(
        "brightness",
        AddValue {
            value: [0.1, 0.2, 0.3, 0.4, 0.5]
        }
    ),
    corruption!(
        "contrast",
        ChannelContrast {
            factor: [0.4, 0.3, 0.2, 0.1, 0.05]
        }
    ),
    corruption!(
        "elastic_transform",
        Elastic {
            strength: [12.5, 16.25, 21.25, 25.0, 30.0]
        }
    ),
    corruption!(
        "pixelate",
        Pixelate {
            ratio: [0.6, 0.5, 0.4, 0.3, 0.25],
            up: [
                Up::Nearest,
                Up::Nearest,
                Up::Nearest,
                Up::Nearest,
                Up::Nearest
            ],
        }
    ),
    corruption!(
        "jpeg_compression",
        Jpeg {
            quality: [25, 18, 15, 10, 7]
        }
    ),
];

pub(super) const EXTRA: &[Corruption] = &[
    corruption!(
        "speckle_noise",
        SpeckleNoise {
            std: [0.15, 0.2, 0.35, 0.45, 0.6]
        }
    ),
    corruption!(
        "gaussian_blur",
        GaussianBlur {
            sigma: [1.0, 2.0, 3.0, 4.0, 6.0]
        }
    ),
    corruption!(
        "spatter",
        Spatter {
            mean: [0.65, 0.65, 0.65, 0.65, 0.67],
            std: [0.3, 0.3, 0.3, 0.3, 0.4],
            sigma: [4.0, 3.0, 2.0, 1.0, 1.0],
            threshold: [0.69, 0.68, 0.68, 0.65, 0.65],
            liquid: [
                Liquid::Water(0.6),
                Liquid::Water(0.6),
                Liquid::Water(0.5),
                Liquid::Mud(1.5),
                Liquid::Mud(1.5),
            ],
        }
    ),
    through_rgb(corruption!(
        "saturate",
        Saturate {
            factor: [0.3, 0.1, 2.0, 5.0, 20.0],
            shift: [0.0, 0.0, 0.0, 0.1, 0.2],
        }
    )),
];
