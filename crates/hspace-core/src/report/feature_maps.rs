//! Feature maps of a network, stage by stage, and the filters of its first layer.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma, Rgb, RgbImage};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::sections::section;
use super::sprite::Sprite;
use super::tables::grouped;
use crate::error::{Error, Result};
use crate::picture::{self, shown};

/// Channels of a stage that are drawn, unless said otherwise.
pub const CHANNELS: usize = 6;
/// Filters drawn at most.
const FILTERS: usize = 48;
/// Longer side of a map in the page, pixels; larger ones are made smaller.
const LONGEST: usize = 48;
/// Colours of a heat map; few of them make the page small.
const LEVELS: f32 = 31.0;
/// Smallest side of a tile of [`FeatureMaps::sheet`], pixels.
const TILE: u32 = 64;
/// White between the stages of [`FeatureMaps::sheet`], pixels.
const GAP: u32 = 16;

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

/// The smallest and the largest finite number; a little apart where all are alike.
fn range<'a>(numbers: impl IntoIterator<Item = &'a f32>) -> [f32; 2] {
    let finite = numbers.into_iter().filter(|x| x.is_finite());
    let [low, high] = finite.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], &x| {
        [low.min(x), high.max(x)]
    });
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low, low + 1.0],
        false => [0.0, 1.0],
    }
}

/// Numbers `[height, width]` in colours from `low` to `high`, at most 48 pixels long.
fn heat_map(numbers: &[f32], [height, width]: [usize; 2], [low, high]: [f32; 2]) -> RgbImage {
    let byte = |x: f32| (((x - low) / (high - low)).clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut grey = GrayImage::from_fn(width as u32, height as u32, |x, y| {
        Luma([byte(numbers[y as usize * width + x as usize])])
    });
    let longest = height.max(width);
    if longest > LONGEST {
        let side = |length: usize| (length * LONGEST / longest).max(1) as u32;
        grey = imageops::resize(&grey, side(width), side(height), FilterType::Triangle);
    }
    RgbImage::from_fn(grey.width(), grey.height(), |x, y| {
        let share = f32::from(grey.get_pixel(x, y).0[0]) / 255.0;
        viridis((share * LEVELS).round() / LEVELS)
    })
}

/// Matplotlib's viridis at nine places.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The colour of a number in 0..=1.
fn viridis(share: f32) -> Rgb<u8> {
    let place = share * (VIRIDIS.len() - 1) as f32;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let rest = place - below as f32;
    let mix = |i: usize| {
        let (a, b) = (VIRIDIS[below][i], VIRIDIS[below + 1][i]);
        (f32::from(a) + rest * (f32::from(b) - f32::from(a))).round() as u8
    };
    Rgb([mix(0), mix(1), mix(2)])
}

impl FeatureMaps {
    /// All as one picture: the filters, then of each stage a row for each image, which comes first.
    ///
    /// # Errors
    /// If there is nothing to draw.
    pub fn sheet(&self) -> Result<RgbImage> {
        let large = |tile: &RgbImage, [width, height]: [u32; 2]| {
            imageops::resize(tile, width, height, FilterType::Nearest)
        };
        let mut parts = Vec::new();
        if let Some(filters) = &self.filters {
            let tiles = filters.tiles.tiles()?;
            let times = TILE.div_ceil(filters.tiles.width.max(filters.tiles.height).max(1));
            let size = [filters.tiles.width, filters.tiles.height].map(|side| side * times);
            let tiles: Vec<RgbImage> = tiles.iter().map(|tile| large(tile, size)).collect();
            let rows: Vec<Vec<RgbImage>> = tiles.chunks(12).map(<[_]>::to_vec).collect();
            parts.push(picture::sheet(&rows, false)?);
        }
        let images = self.images.tiles()?;
        for stage in &self.stages {
            let maps = stage.maps.tiles()?;
            // The smallest multiple of the maps' size that is as large as the images and the tiles.
            let least = TILE.max(self.images.width).max(self.images.height);
            let times = least.div_ceil(stage.maps.width.max(stage.maps.height).max(1));
            let size = [stage.maps.width, stage.maps.height].map(|side| side * times);
            let rows: Vec<Vec<RgbImage>> = images
                .iter()
                .zip(maps.chunks(stage.shown.len().max(1)))
                .map(|(image, maps)| {
                    let row = [image].into_iter().chain(maps);
                    row.map(|tile| large(tile, size)).collect()
                })
                .collect();
            parts.push(picture::sheet(&rows, true)?);
        }
        if parts.is_empty() {
            return Err(Error::data(
                "there are no filters and no feature maps to draw",
            ));
        }
        Ok(stacked(&parts))
    }
}

/// Pictures below one another on white.
fn stacked(parts: &[RgbImage]) -> RgbImage {
    let width = parts.iter().map(RgbImage::width).max().unwrap_or(0);
    let heights: u32 = parts.iter().map(|part| part.height() + GAP).sum();
    let mut all = RgbImage::from_pixel(width, heights.saturating_sub(GAP), Rgb([255; 3]));
    let mut top = 0;
    for part in parts {
        imageops::replace(&mut all, part, 0, i64::from(top));
        top += part.height() + GAP;
    }
    all
}

/// The section of the page.
pub(super) fn feature_maps(of: Option<&FeatureMaps>) -> Markup {
    let Some(of) = of.filter(|of| of.filters.is_some() || !of.stages.is_empty()) else {
        return html! {};
    };
    let channels = of.stages.iter().map(|stage| stage.shown.len()).max();
    let lede = html! {
        @if let Some(channels) = channels {
            "What " b { (of.network) } " computes from " (of.images.count) " test images. Each column is a channel, its number above; drawn are the "
            (channels) " channels of a stage with the largest variance over the places of " (of.chosen_on) " test images. Colours go from a channel’s lowest value in the images shown "
            span.scale style=(gradient()) {} " to its highest: compare images by them, not channels. "
            @if of.stages.len() < of.depth { (of.stages.len()) " of " (of.depth) " stages are drawn. " }
        }
        @for note in &of.notes { (note) " " }
    };
    let body = html! {
        svg.hidden aria-hidden="true" {
            (of.images.image("network-input"))
            @if let Some(filters) = &of.filters { (filters.tiles.image("network-filters")) }
            @for (i, stage) in of.stages.iter().enumerate() { (stage.maps.image(&format!("network-maps-{i}"))) }
        }
        div.panels {
            @if let Some(filters) = &of.filters { (filter_panel(filters)) }
            @for (i, stage) in of.stages.iter().enumerate() { (stage_panel(of, stage, &format!("#network-maps-{i}"))) }
        }
    };
    section("Filters and feature maps", lede, body)
}

/// The colours of the heat maps as a CSS background.
fn gradient() -> String {
    let colours = VIRIDIS.map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"));
    format!("background:linear-gradient(90deg,{})", colours.join(","))
}

/// Width of a panel, in units of its drawing.
const PANEL: f64 = 480.0;

/// A window onto picture `index` of `sprite` at `href`.
fn window(sprite: &Sprite, href: &str, index: usize, place: [f64; 2], side: f64) -> Markup {
    let [x, y] = place.map(|length| format!("{length:.1}"));
    html! {
        svg.tile x=(x) y=(y) width=(format!("{side:.1}")) height=(format!("{side:.1}")) viewBox=(sprite.view_box(index as u32)) {
            use href=(href) {}
        }
    }
}

fn filter_panel(filters: &Filters) -> Markup {
    const ACROSS: usize = 12;
    const BETWEEN: f64 = 4.0;
    let side = (PANEL - BETWEEN * (ACROSS - 1) as f64) / ACROSS as f64;
    let count = filters.tiles.count as usize;
    let height = count.div_ceil(ACROSS) as f64 * (side + BETWEEN);
    let [channels, rows, columns] = filters.size;
    let colours = match channels {
        1 => "in grey",
        2 => "with their two channels as red and green",
        3 => "in colour",
        _ => "with their first three channels as colours",
    };
    html! {
        figure {
            figcaption { "Filters of the first layer"
                span { (grouped(filters.total)) " of " (columns) "×" (rows) ", " (filters.name) }
            }
            svg.chart viewBox=(format!("0 0 {PANEL} {height:.1}")) role="img" {
                title { "Filters of the first layer" }
                @for i in 0..count {
                    @let place = [(i % ACROSS) as f64, (i / ACROSS) as f64].map(|step| step * (side + BETWEEN));
                    (window(&filters.tiles, "#network-filters", i, place, side))
                }
            }
            p.caption {
                @if count < filters.total { "The " (count) " of the largest norm" } @else { "By norm" }
                ", the largest first, " (colours) ". Each goes from its own lowest weight (dark) to its highest (bright): how large its weights are cannot be seen."
            }
        }
    }
}

fn stage_panel(of: &FeatureMaps, stage: &StageMaps, href: &str) -> Markup {
    const BETWEEN: f64 = 5.0;
    /// Between an image and its maps.
    const APART: f64 = 14.0;
    /// Where the tiles begin, below the channels' numbers.
    const TOP: f64 = 20.0;
    let columns = stage.shown.len();
    let side = (PANEL - APART - BETWEEN * (CHANNELS - 1) as f64) / (CHANNELS + 1) as f64;
    let left = |column: usize| side + APART + column as f64 * (side + BETWEEN);
    let top = |row: usize| TOP + row as f64 * (side + BETWEEN);
    let rows = of.images.count as usize;
    let [height, width] = stage.size;
    let class = |row: usize| of.classes.get(row).and_then(Option::as_deref);
    let frame = [PANEL.max(left(columns) - BETWEEN), top(rows) - BETWEEN];
    html! {
        figure {
            figcaption { (stage.name) span { (grouped(stage.channels)) " channels of " (width) "×" (height) } }
            svg.chart viewBox=(format!("0 0 {:.1} {:.1}", frame[0], frame[1])) role="img" {
                title { "Feature maps of " (stage.name) }
                @for (column, channel) in stage.shown.iter().enumerate() {
                    text.middle.name x=(format!("{:.1}", left(column) + side / 2.0)) y="13" { (channel) }
                }
                @for row in 0..rows {
                    g {
                        title { (class(row).unwrap_or("a test image")) }
                        (window(&of.images, "#network-input", row, [0.0, top(row)], side))
                        @for column in 0..columns {
                            (window(&stage.maps, href, row * columns + column, [left(column), top(row)], side))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let page = feature_maps(Some(&of)).into_string();
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
        let sheet = of.sheet().expect("sheet");
        // Four rows of 12 filters of 66 pixels, then two rows of maps of 64 × 32.
        let (filters, stages) = ((4 + 12 * 70, 4 + 4 * 70), 4 + 2 * 36);
        assert_eq!(sheet.dimensions(), (filters.0, filters.1 + GAP + stages));
        let nothing = FeatureMaps {
            stages: vec![],
            filters: None,
            ..of
        };
        assert!(feature_maps(Some(&nothing)).into_string().is_empty());
        assert!(feature_maps(None).into_string().is_empty());
    }
}
