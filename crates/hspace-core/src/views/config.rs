//! Which views are taken, and how strong.

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::blur::Blur;
use super::color::{Color, Grey};
use super::corrupt::Corrupt;
use super::crop::Crop;
use super::cutout::Cutout;
use super::flip::Flip;
use super::noise::Noise;
use super::rand_augment::RandAugment;
use super::recipes::photo;
use super::solarize::Solarize;
use super::{VIEWS, View};
use crate::dataset::Kind;

/// Height in pixels up to which photographs are small.
pub const SMALL: usize = 64;

/// The settings of every kind of view; each is off by default, with the strength of its paper.
///
/// ```
/// use hspace_core::dataset::Kind;
/// use hspace_core::views::ViewsConfig;
///
/// let mut views = ViewsConfig::preset(Kind::Photo, 224);
/// assert!(views.crop.p == 1.0 && views.color.p > 0.0);
/// assert_eq!(ViewsConfig::preset(Kind::Digits, 28).flip.horizontal, 0.0);
/// views.blur.p = 7.0;
/// assert!(views.validate()[0].starts_with("views.blur.p"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewsConfig {
    /// Random resized crop.
    pub crop: Crop,
    /// Mirroring.
    pub flip: Flip,
    /// Rotation, shift, scaling, shear.
    pub affine: Affine,
    /// Colour jitter.
    pub color: Color,
    /// Loss of colour.
    pub grey: Grey,
    /// Gaussian blur.
    pub blur: Blur,
    /// Inverted bright values.
    pub solarize: Solarize,
    /// A few operations of a list.
    pub rand_augment: RandAugment,
    /// Feature corruption.
    pub corrupt: Corrupt,
    /// Gaussian noise.
    pub noise: Noise,
    /// Random erasing.
    pub cutout: Cutout,
}

impl ViewsConfig {
    /// The views to learn from without labels. What they change is what the representation will
    /// not carry: digits are never mirrored, grey images have no colours to jitter.
    ///
    /// `Photo` is the set of SimCLR (Chen et al. 2020, appendix A) with crops of at least 20 % of
    /// the area in place of 8 %, which suits short training; pictures of at most [`SMALL`] pixels height have its jitter for CIFAR-10, half as
    /// strong, and no blur. `Vectors` is that of SCARF (Bahri et al. 2022) with a little noise. What was compared:
    /// docs/experiments/2026-11-30-views.md.
    pub fn preset(kind: Kind, side: usize) -> Self {
        let mut views = Self::none();
        match kind {
            Kind::Digits => {
                views.crop.p = 1.0;
                views.crop.scale = [0.4, 1.0];
                views.crop.local_scale = [0.15, 0.4];
                views.affine = Affine {
                    p: 0.8,
                    degrees: 15.0,
                    translate: 0.1,
                    scale: [0.9, 1.1],
                    shear: 10.0,
                    fill: 0.0,
                };
            }
            Kind::Grey => {
                views.crop.p = 1.0;
                views.flip.horizontal = 0.5;
                views.color.p = 0.8;
                views.color.brightness = 0.4;
                views.color.contrast = 0.4;
            }
            Kind::Photo if side <= SMALL => views = photo(0.2, [0.4, 0.4, 0.4, 0.1], 0.0),
            Kind::Photo => views = photo(0.2, [0.8, 0.8, 0.8, 0.2], 0.5),
            Kind::Vectors => {
                views.corrupt.p = 1.0;
                views.noise.p = 1.0;
            }
        }
        views
    }

    /// No views: every sample as it is.
    pub fn none() -> Self {
        Self::default()
    }

    /// The light views that make training with labels generalise better.
    pub fn weak(kind: Kind) -> Self {
        let mut views = Self::none();
        match kind {
            Kind::Digits => {
                views.crop.p = 1.0;
                views.crop.scale = [0.8, 1.0];
                views.crop.ratio = [0.9, 1.0 / 0.9];
            }
            Kind::Grey | Kind::Photo => {
                views.crop.p = 1.0;
                views.crop.scale = [0.6, 1.0];
                views.flip.horizontal = 0.5;
            }
            Kind::Vectors => views.noise.p = 1.0,
        }
        views
    }

    /// Every setting that makes no sense, as `views.crop.scale: problem`. Empty if all is well.
    pub fn validate(&self) -> Vec<String> {
        let problems_of = |view: &dyn View, name: &str| -> Vec<String> {
            let problems = view.validate();
            problems
                .iter()
                .map(|p| format!("views.{name}.{p}"))
                .collect()
        };
        VIEWS
            .iter()
            .flat_map(|entry| problems_of((entry.of)(self), entry.name))
            .collect()
    }
}

/// Collects what is wrong with the settings of one view.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// `value` must lie in `low..=high`.
    pub fn within(mut self, key: &str, value: f64, [low, high]: [f64; 2]) -> Self {
        if !(low..=high).contains(&value) {
            self.0
                .push(format!("{key}: must be in {low}..={high}, not {value}"));
        }
        self
    }

    /// `value` must be a probability.
    pub fn probability(self, key: &str, value: f64) -> Self {
        self.within(key, value, [0.0, 1.0])
    }

    /// `range` must be ascending and lie within `[low, high]`.
    pub fn range(mut self, key: &str, range: [f64; 2], [low, high]: [f64; 2]) -> Self {
        let ordered = low <= range[0] && range[0] <= range[1] && range[1] <= high;
        if !ordered {
            self.0.push(format!(
                "{key}: must be two ascending numbers in {low}..={high}, not {range:?}"
            ));
        }
        self
    }

    /// What was found.
    pub fn list(self) -> Vec<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Digits, Kind::Grey, Kind::Photo, Kind::Vectors];

    #[test]
    fn presets_are_valid_and_survive_toml() {
        for kind in KINDS {
            for views in [ViewsConfig::preset(kind, 32), ViewsConfig::weak(kind)] {
                assert_eq!(views.validate(), Vec::<String>::new());
                let text = toml::to_string(&views).expect("serialises");
                assert_eq!(toml::from_str::<ViewsConfig>(&text).expect("parses"), views);
            }
        }
    }

    #[test]
    fn keys_and_the_list_are_the_same() {
        let table = toml::Table::try_from(ViewsConfig::none()).expect("serialises");
        let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
        let mut names: Vec<&str> = VIEWS.iter().map(|v| v.name).collect();
        keys.sort_unstable();
        names.sort_unstable();
        assert_eq!(keys, names);
    }

    #[test]
    fn unknown_keys_are_refused_and_missing_ones_filled() {
        assert!(toml::from_str::<ViewsConfig>("[crop]\nsacle = [0.1, 1.0]").is_err());
        let views: ViewsConfig = toml::from_str("[blur]\np = 0.5").expect("parses");
        assert_eq!(views.blur.sigma, Blur::default().sigma);
    }

    #[test]
    fn all_problems_are_found() {
        let mut views = ViewsConfig::none();
        views.crop.scale = [0.0, 2.0];
        views.blur.p = 1.5;
        views.color.hue = f64::NAN;
        let problems = views.validate();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].starts_with("views.crop.scale: "),
            "{problems:?}"
        );
    }
}
