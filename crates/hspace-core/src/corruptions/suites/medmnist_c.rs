//! MedMNIST-C (Di Salvo et al. 2024, arXiv:2406.17536); parameters of the package `medmnistc` 0.1.0.

use super::{Corruption, corruption, through_rgb};
use crate::corruptions::blur::{DefocusBlur, GaussianKernel, MotionBlur};
use crate::corruptions::digital::{Pixelate, Up};
use crate::corruptions::intensity::{Brightness, Contrast, Gamma, Saturate};
use crate::corruptions::jpeg::Jpeg;
use crate::corruptions::microscopy::{Bubble, StainDeposit};
use crate::corruptions::noise::{GaussianNoise, ImpulseNoise, ShotNoise, SpeckleNoise};

/// How pixels become as many as before.
const BOX: [Up; 5] = [Up::Box; 5];

const JPEG: Corruption = corruption!(
    "jpeg_compression",
    Jpeg {
        quality: [50, 30, 15, 10, 7]
    }
);
const GAUSSIAN_BLUR: Corruption = corruption!(
    "gaussian_blur",
    GaussianKernel {
        size: [3, 5, 7, 9, 11]
    }
);
const BRIGHTNESS_UP: Corruption = corruption!(
    "brightness_up",
    Brightness {
        factor: [1.1, 1.2, 1.3, 1.4, 1.5]
    }
);
const BRIGHTNESS_DOWN: Corruption = corruption!(
    "brightness_down",
    Brightness {
        factor: [0.9, 0.8, 0.7, 0.6, 0.5]
    }
);
const CONTRAST_UP: Corruption = corruption!(
    "contrast_up",
    Contrast {
        factor: [1.1, 1.2, 1.3, 1.4, 1.6]
    }
);
const CONTRAST_DOWN: Corruption = corruption!(
    "contrast_down",
    Contrast {
        factor: [0.9, 0.8, 0.7, 0.6, 0.4]
    }
);
const GAMMA_UP: Corruption = corruption!(
    "gamma_corr_up",
    Gamma {
        gamma: [1.1, 1.2, 1.3, 1.4, 1.6]
    }
);
const GAMMA_DOWN: Corruption = corruption!(
    "gamma_corr_down",
    Gamma {
        gamma: [0.9, 0.8, 0.7, 0.6, 0.4]
    }
);

pub(super) const PNEUMONIA: &[Corruption] = &[
    corruption!(
        "pixelate",
        Pixelate {
            ratio: [0.8, 0.7, 0.6, 0.5, 0.4],
            up: [BOX[0], BOX[1], BOX[2], BOX[3], BOX[4]],
        }
    ),
    JPEG,
    through_rgb(corruption!(
        "gaussian_noise",
        GaussianNoise {
            std: [0.04, 0.05, 0.06, 0.07, 0.08],
        }
    )),
    through_rgb(corruption!(
        "speckle_noise",
        SpeckleNoise {
            std: [0.05, 0.07, 0.1, 0.15, 0.2]
        }
    )),
    through_rgb(corruption!(
        "impulse_noise",
        ImpulseNoise {
            ratio: [0.005, 0.01, 0.013, 0.017, 0.02],
        }
    )),
    through_rgb(corruption!(
        "shot_noise",
        ShotNoise {
            photons: [300.0, 200.0, 150.0, 100.0, 80.0],
        }
    )),
    GAUSSIAN_BLUR,
    BRIGHTNESS_UP,
    BRIGHTNESS_DOWN,
    CONTRAST_UP,
    CONTRAST_DOWN,
    GAMMA_UP,
    GAMMA_DOWN,
];

pub(super) const CHEST: &[Corruption] = &[
    corruption!(
        "pixelate",
        Pixelate {
            ratio: [0.3, 0.25, 0.2, 0.15, 0.1],
            up: [BOX[0], BOX[1], BOX[2], BOX[3], BOX[4]],
        }
    ),
    JPEG,
    through_rgb(corruption!(
        "gaussian_noise",
        GaussianNoise {
            std: [0.04, 0.08, 0.12, 0.18, 0.26],
        }
    )),
    through_rgb(corruption!(
        "speckle_noise",
        SpeckleNoise {
            std: [0.05, 0.15, 0.2, 0.35, 0.45],
        }
    )),
    through_rgb(corruption!(
        "impulse_noise",
        ImpulseNoise {
            ratio: [0.01, 0.03, 0.06, 0.09, 0.17],
        }
    )),
    through_rgb(corruption!(
        "shot_noise",
        ShotNoise {
            photons: [60.0, 25.0, 18.0, 10.0, 5.0]
        }
    )),
    GAUSSIAN_BLUR,
    BRIGHTNESS_UP,
    BRIGHTNESS_DOWN,
    CONTRAST_UP,
    CONTRAST_DOWN,
    GAMMA_UP,
    GAMMA_DOWN,
];

pub(super) const BLOOD: &[Corruption] = &[
    corruption!(
        "pixelate",
        Pixelate {
            ratio: [0.6, 0.5, 0.4, 0.3, 0.25],
            up: [BOX[0], BOX[1], BOX[2], BOX[3], BOX[4]],
        }
    ),
    JPEG,
    corruption!(
        "defocus_blur",
        DefocusBlur {
            radius: [2, 3, 4, 5, 6],
            edge: [0.01, 0.1, 0.1, 0.1, 0.1],
        }
    ),
    corruption!(
        "motion_blur",
        MotionBlur {
            radius: [3, 5, 10, 10, 10],
            sigma: [3.0, 5.0, 5.0, 7.0, 9.0],
        }
    ),
    corruption!(
        "brightness_up",
        Brightness {
            factor: [1.1, 1.2, 1.3, 1.35, 1.4]
        }
    ),
    BRIGHTNESS_DOWN,
    corruption!(
        "contrast_up",
        Contrast {
            factor: [1.1, 1.15, 1.2, 1.25, 1.3]
        }
    ),
    corruption!(
        "contrast_down",
        Contrast {
            factor: [0.9, 0.8, 0.7, 0.6, 0.5]
        }
    ),
    through_rgb(corruption!(
        "saturate",
        Saturate {
            factor: [1.0, 1.0, 1.0, 1.0, 1.0],
            shift: [0.05, 0.1, 0.15, 0.17, 0.2],
        }
    )),
    corruption!(
        "stain_deposit",
        StainDeposit {
            most: [1, 2, 3, 3, 3],
            side: [24, 24, 24, 24, 32],
            area: [360.0, 360.0, 360.0, 360.0, 564.0],
        }
    ),
    corruption!(
        "bubble",
        Bubble {
            radius: [5, 7, 10, 12, 15],
            most: [10, 10, 10, 12, 12],
        }
    ),
];
