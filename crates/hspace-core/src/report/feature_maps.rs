//! Feature maps of a network, stage by stage, and the filters of its first layer.

mod colours;
mod section;
mod sheet;

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::sprite::Sprite;
use crate::error::Result;
use crate::picture::shown;
use colours::{heat_map, range};
pub(super) use section::feature_maps;

/// Channels of a stage that are drawn, unless said otherwise.
pub const CHANNELS: usize = 6;
/// Filters drawn at most.
const FILTERS: usize = 48;

/// Numbers `[images, channels, height, width]`.
///
/// ```
/// use hspace_core::report::{Filters, Maps, StageMaps};
///
/// // One image, two channels of 2 × 2; the second varies more.
/// let maps = Maps { dims: [1, 2, 2, 2], data: vec![0.0, 0.1, 0.0, 0.1, 0.0, 9.0, 9.0, 0.0] };
/// let stage = StageMaps::new("layer1", &maps, &[0], 1)?;
/// assert_eq!((stage.channels, &stage.shown[..], stage.size), (2, &[1][..], [2, 2]));
/// assert_eq!(stage.maps.tiles()?.len(), 1);
/// // The same numbers as filters of a first layer.
/// let filters = Filters::new("conv1.weight", &maps)?;
/// assert_eq!((filters.total, filters.size), (1, [2, 2, 2]));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// The axes.
    pub dims: [usize; 4],
    /// The numbers, row-major.
    pub data: Vec<f32>,
}

impl Maps {
    /// One channel of one image, `[height · width]`.
    fn map(&self, image: usize, channel: usize) -> &[f32] {
        let [_, channels, height, width] = self.dims;
        let start = (image * channels + channel) * height * width;
        &self.data[start..start + height * width]
    }

    /// Variance of a channel over all places of all images; 0 where it has numbers that are not finite.
    fn variance(&self, channel: usize) -> f64 {
        let numbers = || {
            let maps = (0..self.dims[0]).map(|image| self.map(image, channel));
            maps.flatten().map(|&x| f64::from(x))
        };
        let n = numbers().count().max(1) as f64;
        let mean = numbers().sum::<f64>() / n;
        let variance = numbers().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        if variance.is_finite() { variance } else { 0.0 }
    }

    /// The channels that vary most over the places of all images, most first.
    fn most_variable(&self, count: usize) -> Vec<usize> {
        let channels = 0..self.dims[1];
        largest(channels.map(|channel| self.variance(channel)), count)
    }
}

/// Places of the largest numbers, the largest first.
fn largest(numbers: impl Iterator<Item = f64>, count: usize) -> Vec<usize> {
    let numbers: Vec<f64> = numbers.collect();
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]));
    places.truncate(count);
    places
}

/// What a network computes from some test images.
///
/// ```
/// use hspace_core::dataset::{Image, Pixels};
/// use hspace_core::report::{FeatureMaps, Maps, Sprite, StageMaps};
///
/// let image = Image { width: 2, height: 2, channels: 1, pixels: Pixels::U8(vec![0, 99, 200, 255].into()) };
/// let maps = Maps { dims: [1, 1, 2, 2], data: vec![0.0, 1.0, 2.0, 3.0] };
/// let found = FeatureMaps {
///     network: "runs/a".into(),
///     images: Sprite::new(&[image])?,
///     classes: vec![Some("cat".into())],
///     chosen_on: 1,
///     depth: 1,
///     stages: vec![StageMaps::new("layer1", &maps, &[0], 1)?],
///     filters: None,
///     notes: vec![],
/// };
/// let sheet = found.sheet()?;
/// assert!(sheet.width() > sheet.height()); // The image and its map side by side.
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureMaps {
    /// Name of the network.
    pub network: String,
    /// The images that are shown, as the network is given them.
    pub images: Sprite,
    /// Their classes, where known.
    pub classes: Vec<Option<String>>,
    /// Images by which channels were chosen.
    pub chosen_on: usize,
    /// Stages that it has; not all are drawn where they are many.
    pub depth: usize,
    /// The stages that are drawn.
    pub stages: Vec<StageMaps>,
    /// Filters of the first layer.
    pub filters: Option<Filters>,
    /// What is not drawn, and why.
    pub notes: Vec<String>,
}

/// The feature maps of one stage.
///
/// ```
/// use hspace_core::report::{Maps, StageMaps};
///
/// // Two images of three channels, of which the last varies most.
/// let maps = Maps { dims: [2, 3, 1, 1], data: vec![0.0, 1.0, -5.0, 0.0, 2.0, 5.0] };
/// let stage = StageMaps::new("layer4", &maps, &[0, 1], 2)?;
/// assert_eq!((stage.shown, stage.maps.count), (vec![2, 1], 4));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageMaps {
    /// Its name.
    pub name: String,
    /// Channels that it has.
    pub channels: usize,
    /// Height and width of its maps.
    pub size: [usize; 2],
    /// The channels that are drawn.
    pub shown: Vec<usize>,
    /// Their maps, image by image.
    pub maps: Sprite,
}

impl StageMaps {
    /// Heat maps of the `count` channels that vary most over all images of `maps`, for the images `drawn`. Each channel goes from its
    /// lowest to its highest number among those.
    ///
    /// # Errors
    /// If they cannot be written as PNG.
    pub fn new(name: &str, maps: &Maps, drawn: &[usize], count: usize) -> Result<StageMaps> {
        let [_, channels, height, width] = maps.dims;
        let shown = maps.most_variable(count);
        let ranges: Vec<[f32; 2]> = shown
            .iter()
            .map(|&channel| range(drawn.iter().flat_map(|&image| maps.map(image, channel))))
            .collect();
        let tiles = drawn.iter().flat_map(|&image| {
            let of = shown.iter().zip(&ranges);
            of.map(move |(&channel, &range)| {
                heat_map(maps.map(image, channel), [height, width], range)
            })
        });
        Ok(StageMaps {
            name: name.to_owned(),
            channels,
            size: [height, width],
            maps: Sprite::of_tiles(&tiles.collect::<Vec<_>>())?,
            shown,
        })
    }
}

/// Filters of a first layer.
///
/// ```
/// use hspace_core::report::{Filters, Maps};
///
/// // Two filters of a layer of three channels, 1 × 1 pixels.
/// let weight = Maps { dims: [2, 3, 1, 1], data: vec![0.1, 0.2, 0.3, 1.0, 2.0, 3.0] };
/// let filters = Filters::new("conv1.weight", &weight)?;
/// assert_eq!((filters.total, filters.size, filters.tiles.count), (2, [3, 1, 1], 2));
/// # Ok::<(), hspace_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filters {
    /// Name of the weight.
    pub name: String,
    /// Filters that there are.
    pub total: usize,
    /// Channels, height, width of one.
    pub size: [usize; 3],
    /// Filters of the largest norm, in that order.
    pub tiles: Sprite,
}

impl Filters {
    /// Of a weight `[filters, channels, height, width]`.
    ///
    /// # Errors
    /// If they cannot be written as PNG.
    pub fn new(name: &str, weight: &Maps) -> Result<Filters> {
        let [total, channels, height, width] = weight.dims;
        let len = channels * height * width;
        let filter = |i: usize| &weight.data[i * len..(i + 1) * len];
        let norm = |i: usize| filter(i).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let tile = |i: usize| {
            let [low, high] = range(filter(i));
            let byte = |c: usize, pixel: usize| {
                let share = (filter(i)[c * height * width + pixel] - low) / (high - low);
                (share.clamp(0.0, 1.0) * 255.0).round() as u8
            };
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let pixel = y as usize * width + x as usize;
                Rgb(shown(channels).map(|channel| channel.map_or(0, |c| byte(c, pixel))))
            })
        };
        let places = largest((0..total).map(norm), FILTERS);
        Ok(Filters {
            name: name.to_owned(),
            total,
            size: [channels, height, width],
            tiles: Sprite::of_tiles(&places.into_iter().map(tile).collect::<Vec<_>>())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::colours::{VIRIDIS, viridis};
    use super::sheet::GAP;
    use super::*;

    /// Two images of three channels of 1 × 2: the last varies most, the first not at all.
    fn maps() -> Maps {
        Maps {
            dims: [2, 3, 1, 2],
            data: vec![5.0, 5.0, 0.0, 1.0, 0.0, 9.0, 5.0, 5.0, 1.0, 0.0, 3.0, 0.0],
        }
    }

    #[test]
    fn the_channels_that_vary_most_are_drawn_each_in_its_own_range() {
        let stage = StageMaps::new("conv0", &maps(), &[0, 1], 2).expect("maps");
        assert_eq!(
            (stage.shown.clone(), stage.channels, stage.size),
            (vec![2, 1], 3, [1, 2])
        );
        let tiles = stage.maps.tiles().expect("tiles");
        let colours: Vec<[u8; 3]> = tiles.iter().flat_map(|t| t.pixels().map(|p| p.0)).collect();
        let (low, high) = (VIRIDIS[0], VIRIDIS[8]);
        // By image, then by channel; 3 of 9 is a third of the way.
        assert_eq!(
            colours[..6],
            [low, high, low, high, viridis(10.0 / 31.0).0, low]
        );
        assert_eq!(colours[6..], [high, low]);
        // With one image drawn the ranges are its own, but the channels are chosen on all.
        let alone = StageMaps::new("conv0", &maps(), &[1], 1).expect("maps");
        assert_eq!(
            alone.maps.tiles().expect("tiles")[0].get_pixel(0, 0).0,
            high
        );
        // A channel that is the same everywhere, or broken, is drawn dark and last.
        let mut broken = maps();
        broken.data[4] = f32::NAN;
        let stage = StageMaps::new("conv0", &broken, &[0, 1], 3).expect("maps");
        assert_eq!(stage.shown, [1, 0, 2]);
        assert_eq!(stage.maps.tiles().expect("tiles")[1].get_pixel(0, 0).0, low);
    }

    #[test]
    fn large_maps_are_made_smaller() {
        let large = Maps {
            dims: [1, 1, 96, 192],
            data: (0..96 * 192).map(|i| (i % 192) as f32).collect(),
        };
        let stage = StageMaps::new("conv1", &large, &[0], 6).expect("maps");
        assert_eq!((stage.maps.width, stage.maps.height), (48, 24));
        assert_eq!(stage.size, [96, 192]);
    }

    #[test]
    fn filters_come_by_norm_in_their_own_range() {
        let weight = Maps {
            dims: [2, 3, 1, 1],
            data: vec![0.0, 0.5, 1.0, -4.0, 4.0, 0.0],
        };
        let filters = Filters::new("conv1.weight", &weight).expect("filters");
        assert_eq!((filters.total, filters.size), (2, [3, 1, 1]));
        let tiles = filters.tiles.tiles().expect("tiles");
        let colours: Vec<[u8; 3]> = tiles.iter().map(|t| t.get_pixel(0, 0).0).collect();
        assert_eq!(colours, [[0, 255, 128], [0, 128, 255]]);
    }

    #[test]
    fn the_section_and_the_sheet_show_stages_and_filters() {
        let weight = Maps {
            dims: [50, 1, 3, 3],
            data: (0..450).map(|i| (i as f32).sin()).collect(),
        };
        let images = [10, 200].map(|v| RgbImage::from_pixel(4, 4, Rgb([v; 3])));
        let of = FeatureMaps {
            network: "runs/<a>".into(),
            images: Sprite::of_tiles(&images).expect("images"),
            classes: vec![Some("cat".into()), None],
            chosen_on: 16,
            depth: 9,
            stages: vec![StageMaps::new("conv0", &maps(), &[0, 1], CHANNELS).expect("maps")],
            filters: Some(Filters::new("conv0.weight", &weight).expect("filters")),
            notes: vec!["A note.".into()],
        };
        let page = feature_maps(std::slice::from_ref(&of)).into_string();
        for part in [
            "runs/&lt;a&gt;",
            "1 of 9 stages are drawn",
            "3 channels of 2×1",
            "The 48 of the largest norm",
            "A note.",
            "<title>cat</title>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        // Two images with three maps each, and the filters.
        assert_eq!(page.matches("<use").count(), 2 * 4 + 48);
        // Each network has pictures of its own.
        let other = FeatureMaps {
            network: "runs/b".into(),
            ..of.clone()
        };
        let page = feature_maps(&[of.clone(), other]).into_string();
        for part in ["<h3>runs/b</h3>", "What each network computes"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let ids = |start: &str| -> std::collections::BTreeSet<&str> {
            let found = page.split(start).skip(1);
            found.filter_map(|rest| rest.split('"').next()).collect()
        };
        let images = ids("id=\"network-");
        // The images, the filters and the one stage of each.
        assert_eq!(images.len(), 2 * 3);
        assert_eq!(ids("href=\"#network-"), images);
        let sheet = of.sheet().expect("sheet");
        // Four rows of 12 filters of 66 pixels, then two rows of maps of 64 × 32.
        let (filters, stages) = ((4 + 12 * 70, 4 + 4 * 70), 4 + 2 * 36);
        assert_eq!(sheet.dimensions(), (filters.0, filters.1 + GAP + stages));
        let nothing = FeatureMaps {
            stages: vec![],
            filters: None,
            ..of
        };
        assert!(feature_maps(&[nothing]).into_string().is_empty());
        assert!(feature_maps(&[]).into_string().is_empty());
    }
}
