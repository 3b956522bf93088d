//! The suites, with their published parameters.

mod imagenet_c;
mod medmnist_c;

use super::{Corruption, Suite};
use crate::list::Entry;

/// A corruption, with its operation's settings at the five severities.
macro_rules! corruption {
    ($name:literal, $operation:ident {
        $($setting:ident: [$one:expr, $two:expr, $three:expr, $four:expr, $five:expr $(,)?]),+ $(,)?
    }) => {
        Corruption {
            name: $name,
            through_rgb: false,
            severities: [
                &$operation { $($setting: $one),+ },
                &$operation { $($setting: $two),+ },
                &$operation { $($setting: $three),+ },
                &$operation { $($setting: $four),+ },
                &$operation { $($setting: $five),+ },
            ],
        }
    };
}
use corruption;

/// The suites of corruptions.
pub static SUITES: &[Entry<Suite>] = &[
    Entry {
        name: "imagenet-c",
        summary: "the 15 corruptions of ImageNet-C",
        source: "Hendrycks & Dietterich 2019, arXiv:1903.12261",
        item: Suite {
            corruptions: imagenet_c::STANDARD,
        },
    },
    Entry {
        name: "imagenet-c-extra",
        summary: "the 4 extra corruptions of ImageNet-C, for choosing settings",
        source: "Hendrycks & Dietterich 2019, arXiv:1903.12261",
        item: Suite {
            corruptions: imagenet_c::EXTRA,
        },
    },
    Entry {
        name: "xray",
        summary: "chest X-rays: MedMNIST-C's PneumoniaMNIST",
        source: "Di Salvo et al. 2024, arXiv:2406.17536",
        item: Suite {
            corruptions: medmnist_c::PNEUMONIA,
        },
    },
    Entry {
        name: "xray-strong",
        summary: "chest X-rays: MedMNIST-C's ChestMNIST, as `xray` with more noise and fewer pixels",
        source: "Di Salvo et al. 2024, arXiv:2406.17536",
        item: Suite {
            corruptions: medmnist_c::CHEST,
        },
    },
    Entry {
        name: "microscopy",
        summary: "blood cells under a microscope: MedMNIST-C's BloodMNIST",
        source: "Di Salvo et al. 2024, arXiv:2406.17536",
        item: Suite {
            corruptions: medmnist_c::BLOOD,
        },
    },
];

/// With grey images corrupted as RGB.
const fn through_rgb(corruption: Corruption) -> Corruption {
    Corruption {
        through_rgb: true,
        ..corruption
    }
}
