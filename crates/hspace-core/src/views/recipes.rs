//! Recipes: the random views of a run by name, and the presets that papers used.
//!
//! Most methods take all their views by one recipe, `[views]`. Others ask for several, each with a table of its own:
//! `[views.second]` is the second view of a sample (BYOL, DINO), `[views.local]` small views of small parts (SwAV, DINO),
//! `[views.weak]` and `[views.strong]` those of FixMatch.

use std::collections::BTreeMap;

use super::ViewsConfig;
use crate::dataset::Kind;
use crate::list::Entry;

/// A recipe other than `[views]`.
///
/// ```
/// use hspace_core::views::Recipe;
///
/// assert_eq!(Recipe::ALL.map(Recipe::name), ["second", "local", "weak", "strong"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipe {
    /// The second random view of a sample.
    Second,
    /// Small views of small parts.
    Local,
    /// Views that change little.
    Weak,
    /// Views that change much.
    Strong,
}

impl Recipe {
    /// All of them.
    pub const ALL: [Recipe; 4] = [Recipe::Second, Recipe::Local, Recipe::Weak, Recipe::Strong];

    /// Its table within `[views]`.
    pub fn name(self) -> &'static str {
        match self {
            Recipe::Second => "second",
            Recipe::Local => "local",
            Recipe::Weak => "weak",
            Recipe::Strong => "strong",
        }
    }
}

/// The random views of a run.
///
/// ```
/// use hspace_core::dataset::Kind;
/// use hspace_core::views::{PRESETS, Recipe, Recipes, ViewsConfig};
///
/// let recipes = Recipes::of(ViewsConfig::preset(Kind::Photo, 32));
/// let strong = recipes.default_of(Recipe::Strong, Kind::Photo);
/// assert_eq!((Recipe::Strong.name(), strong.rand_augment.operations), ("strong", 2));
///
/// // BYOL solarises the second view of a sample alone.
/// let byol = PRESETS.iter().find(|preset| preset.name == "byol").expect("BYOL's views");
/// let recipes = (byol.make)(Kind::Photo, 224);
/// assert!(recipes.random.solarize.p == 0.0 && recipes.named[&Recipe::Second].solarize.p > 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipes {
    /// Those without a recipe of their own.
    pub random: ViewsConfig,
    /// The others.
    pub named: BTreeMap<Recipe, ViewsConfig>,
}

impl Recipes {
    /// All random views alike.
    pub fn of(random: ViewsConfig) -> Recipes {
        Recipes {
            random,
            named: BTreeMap::new(),
        }
    }

    /// What `recipe` is where nothing is said of it, for data of `kind`: weak and strong views are FixMatch's, made of what suits
    /// the data; the others are as the random ones.
    pub fn default_of(&self, recipe: Recipe, kind: Kind) -> ViewsConfig {
        match (recipe, kind) {
            (Recipe::Second | Recipe::Local, _) => self.random.clone(),
            (Recipe::Weak, _) => ViewsConfig::weak(kind),
            (Recipe::Strong, Kind::Vectors) => ViewsConfig::preset(kind, 0),
            (Recipe::Strong, _) => {
                let mut views = ViewsConfig::weak(kind);
                (views.rand_augment.operations, views.rand_augment.p) = (2, 0.5);
                (views.cutout.p, views.cutout.scale) = (1.0, [0.0, 0.25]);
                (views.cutout.ratio, views.cutout.fill) = ([1.0, 1.0], 0.5);
                views
            }
        }
    }
}

/// Views by name; a line of [`PRESETS`] is called as in `view_set=byol`.
pub struct Preset {
    /// Whether it is for images that may be mirrored alone.
    pub of_photos: bool,
    /// The recipes for data of a kind, of pictures so many pixels high.
    pub make: fn(Kind, usize) -> Recipes,
}

/// Views by name, ours first.
pub static PRESETS: &[Entry<Preset>] = &[
    Entry {
        name: "strong",
        summary: "change much, by the kind of data and the size: what is compared without labels",
        source: "",
        item: Preset {
            of_photos: false,
            make: |kind, side| Recipes::of(ViewsConfig::preset(kind, side)),
        },
    },
    Entry {
        name: "weak",
        summary: "small shifts and, where it makes sense, mirroring: what generalises with labels",
        source: "",
        item: Preset {
            of_photos: false,
            make: |kind, _| Recipes::of(ViewsConfig::weak(kind)),
        },
    },
    Entry {
        name: "none",
        summary: "every sample as it is",
        source: "",
        item: Preset {
            of_photos: false,
            make: |_, _| Recipes::of(ViewsConfig::none()),
        },
    },
    Entry {
        name: "simclr",
        summary: "crops of 8 % and more, strong colour jitter, blur",
        source: "Chen et al. 2020, arXiv:2002.05709, appendix A",
        item: Preset {
            of_photos: true,
            make: |_, _| Recipes::of(photo(0.08, SIMCLR, 0.5)),
        },
    },
    Entry {
        name: "simclr_small",
        summary: "SimCLR's for CIFAR-10: half the jitter, no blur",
        source: "Chen et al. 2020, arXiv:2002.05709, appendix B.9",
        item: Preset {
            of_photos: true,
            make: |_, _| Recipes::of(photo(0.08, MOCO, 0.0)),
        },
    },
    Entry {
        name: "moco_v2",
        summary: "crops of 20 % and more, half of SimCLR's jitter, blur",
        source: "Chen et al. 2020, arXiv:2003.04297",
        item: Preset {
            of_photos: true,
            make: |_, _| Recipes::of(photo(0.2, MOCO, 0.5)),
        },
    },
    Entry {
        name: "byol",
        summary: "the first view always blurred, the second seldom, which is solarised now and then",
        source: "Grill et al. 2020, arXiv:2006.07733, appendix B",
        item: Preset {
            of_photos: true,
            make: |_, _| two(0.08),
        },
    },
    Entry {
        name: "swav",
        summary: "SimCLR's with crops of 14 % and more, small ones of 5 to 14 %",
        source: "Caron et al. 2020, arXiv:2006.09882",
        item: Preset {
            of_photos: true,
            make: |_, _| {
                let mut views = photo(0.14, SIMCLR, 0.5);
                views.crop.local_scale = [0.05, 0.14];
                Recipes::of(views)
            },
        },
    },
    Entry {
        name: "dino",
        summary: "BYOL's with crops of 40 % and more, small ones of 5 to 40 %",
        source: "Caron et al. 2021, arXiv:2104.14294",
        item: Preset {
            of_photos: true,
            make: |_, _| {
                let mut views = two(0.4);
                views.named.insert(Recipe::Local, photo(0.4, BYOL, 0.5));
                for recipe in [&mut views.random]
                    .into_iter()
                    .chain(views.named.values_mut())
                {
                    recipe.crop.local_scale = [0.05, 0.4];
                }
                views
            },
        },
    },
];

/// Brightness, contrast, saturation, hue.
const SIMCLR: [f64; 4] = [0.8, 0.8, 0.8, 0.2];
const MOCO: [f64; 4] = [0.4, 0.4, 0.4, 0.1];
const BYOL: [f64; 4] = [0.4, 0.4, 0.2, 0.1];

/// What the papers share: crops of at least `area`, mirroring, colour jitter with probability .8, loss of colour .2.
pub(super) fn photo(area: f64, jitter: [f64; 4], blur: f64) -> ViewsConfig {
    let mut views = ViewsConfig::none();
    (views.crop.p, views.crop.scale) = (1.0, [area, 1.0]);
    views.flip.horizontal = 0.5;
    let color = &mut views.color;
    color.p = 0.8;
    [
        color.brightness,
        color.contrast,
        color.saturation,
        color.hue,
    ] = jitter;
    views.grey.p = 0.2;
    views.blur.p = blur;
    views
}

/// BYOL's two views.
fn two(area: f64) -> Recipes {
    let mut second = photo(area, BYOL, 0.1);
    second.solarize.p = 0.2;
    Recipes {
        random: photo(area, BYOL, 1.0),
        named: BTreeMap::from([(Recipe::Second, second)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_for_every_kind_and_have_names_of_their_own() {
        for (i, preset) in PRESETS.iter().enumerate() {
            assert!(PRESETS[..i].iter().all(|other| other.name != preset.name));
            for kind in [Kind::Digits, Kind::Grey, Kind::Photo, Kind::Vectors] {
                let recipes = (preset.make)(kind, 32);
                for views in recipes.named.values().chain([&recipes.random]) {
                    assert_eq!(views.validate(), Vec::<String>::new(), "{}", preset.name);
                }
                for recipe in Recipe::ALL {
                    let views = recipes.default_of(recipe, kind);
                    assert_eq!(views.validate(), Vec::<String>::new(), "{recipe:?}");
                }
            }
        }
    }

    #[test]
    fn byol_s_views_differ_in_blur_and_solarisation() {
        let byol = PRESETS.iter().find(|p| p.name == "byol").expect("listed");
        let recipes = (byol.make)(Kind::Photo, 224);
        let second = &recipes.named[&Recipe::Second];
        assert_eq!((recipes.random.blur.p, second.blur.p), (1.0, 0.1));
        assert_eq!((recipes.random.solarize.p, second.solarize.p), (0.0, 0.2));
        assert_eq!(recipes.random.color, second.color);
    }
}
