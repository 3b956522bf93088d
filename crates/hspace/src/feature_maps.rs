//! Feature maps of a trained network on some test images, and the filters of its first layer: what
//! [`crate::report::FeatureMaps`] draws.

use burn_tensor::{Tensor, TensorData};

use crate::dataset::{Column, Dataset, Shape, Split, Values};
use crate::device::Device;
use crate::embed::inputs;
use crate::encoder::{Features, Stage, axes};
use crate::error::{Error, Result};
use crate::image::imageops::{FilterType, resize};
use crate::image::{Rgb, RgbImage};
use crate::matrix::spaced;
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Weight};
use crate::picture::shown;
use crate::report::{CHANNELS, FeatureMaps, Filters, Maps, Sprite, StageMaps};
use crate::run::TrainedEncoder;
use crate::views::InputSpec;

/// Longer side of an image that is shown, pixels.
const LONGEST: usize = 64;
/// Images by which channels are chosen.
const CHOSEN_ON: usize = 16;

/// How much is drawn.
#[derive(Clone, Copy, Debug)]
pub struct MapsOptions {
    /// Test images.
    pub images: usize,
    /// Channels of each stage.
    pub channels: usize,
    /// Stages, evenly spaced over the network, the first and the last among them.
    pub stages: usize,
}

impl Default for MapsOptions {
    fn default() -> Self {
        MapsOptions {
            images: 4,
            channels: CHANNELS,
            stages: 6,
        }
    }
}

/// Feature maps of the network called `name` on test images of `dataset` (on any, where there is no test split), evenly spaced
/// over them, with their classes by the column `task`. `None` where its samples are no images.
///
/// ```
/// # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/doc/run.rs")); }
/// # use data::short_run;
/// # let folder = tempfile::tempdir()?;
/// # let (shapes, run) = short_run(folder.path(), "simclr")?;
/// use hspace::device::Device;
/// use hspace::feature_maps::{MapsOptions, feature_maps};
///
/// let device = Device::cpu();
/// let encoder = run.read_encoder(&device)?;
/// let options = MapsOptions { images: 3, channels: 2, stages: 2 };
/// let maps = feature_maps("runs/a", &encoder, &shapes, "shape", options, &device)?;
/// let maps = maps.expect("samples are images");
/// assert_eq!((maps.images.count, maps.stages.len(), maps.stages[0].shown.len()), (3, 2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If no image can be read, or the dataset's are of another kind than those it was trained on.
pub fn feature_maps(
    name: &str,
    network: &TrainedEncoder,
    dataset: &Dataset,
    task: &str,
    options: MapsOptions,
    device: &Device,
) -> Result<Option<FeatureMaps>> {
    let input = &network.about.input;
    let Shape::Image { height, width, .. } = input.shape else {
        return Ok(None);
    };
    let among = match dataset.indices(Split::Test) {
        test if test.is_empty() => (0..dataset.len()).collect(),
        test => test,
    };
    let wanted = spaced(among.len(), CHOSEN_ON.max(options.images));
    let rows: Vec<usize> = wanted.into_iter().map(|i| among[i]).collect();
    let given = inputs(&network.views(dataset)?, dataset, &rows)?;
    let read = given.rows.len();
    if read == 0 {
        return Err(Error::data(format!(
            "none of {} images of {} could be read; `hspace check` lists what is wrong",
            rows.len(),
            dataset.name
        )));
    }
    let drawn = spaced(read, options.images);
    let stages = network.encoder.stages(input.shape);
    let mut notes = Vec::new();
    let filters = first_filters(network, &stages)?;
    if filters.is_none() {
        notes.push(
            "The first layer is neither a convolution nor connected to the pixels, so it has no filters to draw."
                .to_owned(),
        );
    }
    let chosen = match stages.len() {
        n if n <= options.stages => (0..n).collect(),
        n => match options.stages {
            0 | 1 => vec![n - 1],
            some => (0..some).map(|i| i * (n - 1) / (some - 1)).collect(),
        },
    };
    let data = TensorData::new(given.features.data.clone(), axes(read, input.shape));
    let computed = device.run(|| {
        let weights = network.weights.clone().prefixed("encoder");
        let pass = Pass::new(&weights, Mode::Eval, device);
        let mut x = Features::Samples(Tensor::from_data(data, device));
        let (mut size, mut found) = ([height, width], Vec::new());
        for (place, stage) in stages.iter().enumerate() {
            x = network
                .encoder
                .forward(&pass.at("encoder"), x, place..place + 1);
            size = size.map(|side| side.div_ceil(stage.stride));
            if chosen.contains(&place) {
                found.push((stage, maps(x.clone(), size)));
            }
        }
        found
    });
    let mut drawn_stages = Vec::new();
    for (stage, maps) in &computed {
        if let Some(maps) = maps {
            drawn_stages.push(StageMaps::new(&stage.name, maps, &drawn, options.channels)?);
        }
    }
    if drawn_stages.is_empty() {
        notes.push(format!(
            "The stages of {} give vectors, which have no places, so there are no feature maps.",
            network.about.architecture
        ));
    }
    let tiles: Vec<RgbImage> = drawn
        .iter()
        .map(|&i| shown_input(input, given.features.row(i)))
        .collect();
    let column = dataset.columns.iter().find(|c| c.name == task);
    Ok(Some(FeatureMaps {
        network: name.to_owned(),
        images: Sprite::of_tiles(&tiles)?,
        classes: drawn
            .iter()
            .map(|&i| class(column, given.rows[i]))
            .collect(),
        chosen_on: read,
        depth: match drawn_stages.is_empty() {
            true => 0,
            false => stages.len(),
        },
        stages: drawn_stages,
        filters,
        notes,
    }))
}

/// The numbers of maps, and of tokens on a grid of `size`; `None` of vectors.
fn maps(of: Features, [height, width]: [usize; 2]) -> Option<Maps> {
    match of {
        Features::Maps(maps) => Some(Maps {
            dims: maps.dims(),
            data: values(maps.into_images()),
        }),
        Features::Tokens(tokens) => {
            let (prefix, count) = (tokens.prefix, tokens.count - tokens.prefix);
            let patches = tokens.by_sample().narrow(1, prefix, count);
            let [n, _, channels] = patches.dims();
            (count == height * width).then(|| Maps {
                dims: [n, channels, height, width],
                data: values(patches.swap_dims(1, 2)),
            })
        }
        Features::Samples(_) | Features::Vector(_) => None,
    }
}

/// The first weight of the first stage that is connected to the pixels.
fn first_filters(network: &TrainedEncoder, stages: &[Stage]) -> Result<Option<Filters>> {
    let Shape::Image {
        channels,
        height,
        width,
    } = network.about.input.shape
    else {
        return Ok(None);
    };
    let filters = |weight: &Weight| match weight.shape[..] {
        [n, c, h, w] if c == channels => Some([n, c, h, w]),
        [n, inputs] if inputs == channels * height * width => Some([n, channels, height, width]),
        _ => None,
    };
    let first = |name: &str| stages.first().is_some_and(|stage| stage.has(name));
    let mut weights = network.weights.iter().filter(|(name, _)| first(name));
    let found = weights.find_map(|(name, weight)| Some((name, weight, filters(weight)?)));
    let Some((name, weight, dims)) = found else {
        return Ok(None);
    };
    let weight = Maps {
        dims,
        data: values(weight.value.clone()),
    };
    Filters::new(name, &weight).map(Some)
}

/// What the network is given, without its normalisation, at most 64 pixels long.
fn shown_input(input: &InputSpec, numbers: &[f32]) -> RgbImage {
    let Shape::Image {
        channels,
        height,
        width,
    } = input.shape
    else {
        return RgbImage::default();
    };
    let byte = |c: usize, pixel: usize| {
        let value = numbers[c * height * width + pixel] * input.std[c] + input.mean[c];
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let pixel = y as usize * width + x as usize;
        Rgb(shown(channels).map(|channel| channel.map_or(0, |c| byte(c, pixel))))
    });
    let longest = height.max(width);
    let side = |length: usize| (length * LONGEST / longest).max(1) as u32;
    match longest > LONGEST {
        true => resize(&picture, side(width), side(height), FilterType::Triangle),
        false => picture,
    }
}

fn class(column: Option<&Column>, row: usize) -> Option<String> {
    match &column?.values {
        Values::Classes { names, index } => index[row].map(|class| names[class as usize].clone()),
        _ => None,
    }
}
