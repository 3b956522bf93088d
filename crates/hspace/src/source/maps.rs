//! Sources of feature maps, for tasks of masks: networks up to a stage, and pixels.

use burn_tensor::{Tensor, TensorData};

use super::{Source, Sources, represent_rows};
use crate::data_record::contents;
use crate::dataset::{Dataset, Shape};
use crate::device::Device;
use crate::embed::{Embedded, inputs};
use crate::encoder::{Exit, Features, Stage, axes, blank};
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::nn::weights::values;
use crate::nn::{Mode, Pass, Weights};
use crate::probe::mask::UseMaps;
use crate::probe::{FeatureMaps, MapSource};
use crate::run::TrainedEncoder;
use crate::views::{InputSpec, Views, ViewsConfig};

/// Longer side of the images whose pixels are measured; larger ones are reduced to it.
const PIXELS: usize = 128;
/// Numbers of maps that are computed at once, at most, and images.
const NUMBERS: usize = 1 << 24;
const IMAGES: usize = 64;

/// Makes sources of feature maps of one dataset.
///
/// ```
/// use hspace::dataset::{Dataset, OpenOptions};
/// use hspace::device::Device;
/// use hspace::evaluate::map_contenders;
/// use hspace::probe::{Limits, MaskTask, ProbeOptions, measure_masks};
/// use hspace::source::{MapSources, Source, Sources};
///
/// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
/// let some = (0..1600).step_by(40).collect();
/// let mut makers = MapSources::new(Sources::new(&shapes, Device::cpu(), 0).only(some))?;
/// let pixels = makers.maps("pixels", &Source::Pixels)?;
///
/// let rows = makers.rows().to_vec();
/// let read = |row: usize| shapes.samples.mask(rows[row], "mask");
/// let task = MaskTask { read: &read, examples: 0 };
/// let options = ProbeOptions { task: "mask".into(), ..ProbeOptions::default() };
/// let (of, limits) = (map_contenders(vec![pixels], &[]), &mut Limits::default());
/// let (found, _) = measure_masks(of, task, &options, "builtin:shapes", limits, &mut |_| ())?;
/// assert_eq!(found.rows[0].scores[0].0, "mean_iou");
/// # Ok::<(), hspace::Error>(())
/// ```
pub struct MapSources<'a> {
    sources: Sources<'a>,
    /// Hash of the values of all images.
    contents: String,
}

impl<'a> MapSources<'a> {
    /// Of the samples of `sources` that can be read, all of which are read once.
    ///
    /// # Errors
    /// When samples are no images, or none can be read.
    pub fn new(sources: Sources<'a>) -> Result<MapSources<'a>> {
        let dataset = sources.dataset;
        if let Shape::Vector { .. } = dataset.shape {
            return Err(Error::data(format!(
                "{} holds {}, which have no masks; masks are of images",
                dataset.name,
                dataset.shape.what()
            )));
        }
        let (mut rows, mut text) = (Vec::new(), String::new());
        for (row, hash) in contents(dataset, &sources.rows) {
            if hash != "unreadable" {
                rows.push(row);
                text.push_str(&format!("{}\0{hash}\n", dataset.ids[row]));
            }
        }
        if rows.is_empty() {
            return Err(Error::data(format!(
                "no image of {} can be read; `hspace check` lists what is wrong",
                dataset.name
            )));
        }
        Ok(MapSources {
            sources: sources.only(rows),
            contents: file::hash_of(text.as_bytes()),
        })
    }

    /// The rows of the dataset that can be read, which rows of maps are places in.
    pub fn rows(&self) -> &[usize] {
        &self.sources.rows
    }

    /// Architectures of the runs read so far, each once.
    pub fn architectures(&self) -> impl Iterator<Item = &str> {
        self.sources.architectures()
    }

    /// The stages of a network that have maps, in order; none of another source.
    ///
    /// # Errors
    /// When the network cannot be read.
    pub fn stages(&mut self, of: &Source) -> Result<Vec<Stage>> {
        if !matches!(of, Source::Run(_) | Source::Hub(_) | Source::Random(_)) {
            return Ok(Vec::new());
        }
        let network = self.sources.network(of)?;
        let dims = dims_by_stage(&network, &self.sources.device);
        let stages = network.encoder.stages(network.about.input.shape);
        let pairs = stages.into_iter().zip(dims);
        Ok(pairs
            .filter_map(|(stage, dims)| dims.map(|_| stage))
            .collect())
    }

    /// The maps of a source: of a network those of its last stage that has maps, of a stage its own, of pixels the colours of 3 × 3 neighbours.
    ///
    /// # Errors
    /// When the source cannot be read or has no maps.
    pub fn maps(&mut self, name: &str, source: &Source) -> Result<MapSource<'a>> {
        let (maps, origin): (Box<dyn FeatureMaps + 'a>, String) = match source {
            Source::Pixels => (Box::new(self.pixels()?), "closed form".to_owned()),
            Source::Run(_) | Source::Hub(_) | Source::Random(_) => {
                self.network(name, source, None)?
            }
            Source::At(of, stage) => self.network(name, of, Some(stage))?,
            Source::File(_)
            | Source::Pca(_)
            | Source::Ica(_)
            | Source::Kmeans(_)
            | Source::Learner(_)
            | Source::OnFeatures(..)
            | Source::Head(_) => {
                return Err(Error::config(format!(
                    "{name} has no feature maps, so it says nothing of masks; name a network (a run, a stage of one, hf:MODEL, random:ENCODER) or \
                     pixels"
                )));
            }
        };
        let dataset = self.sources.dataset;
        let rows = self.sources.rows.clone();
        let none = Embedded {
            features: Matrix::new(rows.len(), 0, Vec::new()),
            rows,
            bad: Vec::new(),
        };
        let hash = format!("{origin} {:?} {}", maps.dims(), self.contents);
        Ok(MapSource {
            samples: represent_rows(dataset, name, none, origin),
            maps,
            hash: file::hash_of(hash.as_bytes()),
        })
    }

    fn network(
        &mut self,
        name: &str,
        source: &Source,
        stage: Option<&str>,
    ) -> Result<(Box<dyn FeatureMaps + 'a>, String)> {
        let network = self.sources.network(source)?;
        let views = network.views(self.sources.dataset)?;
        let stages = network.encoder.stages(network.about.input.shape);
        let dims = dims_by_stage(&network, &self.sources.device);
        let exit = match stage {
            Some(stage) => Exit::after(stage, &stages).map_err(Error::config)?,
            None => network.exit()?,
        };
        let depth = match (exit, stage) {
            (Exit::After(depth), Some(_)) => depth,
            (Exit::After(depth), None) => last(&dims[..depth]),
            (Exit::End, _) => last(&dims),
        };
        let Some(dims) = depth.checked_sub(1).and_then(|place| dims[place]) else {
            return Err(Error::config(format!(
                "{name} gives one vector a sample, which says nothing of single pixels; name a stage with feature maps, or another network"
            )));
        };
        let hash = &network.about.hash;
        let origin = format!("{hash}@{}", stages[depth - 1].name);
        let maps = NetworkMaps {
            images: self.images(views),
            weights: network.weights.clone().prefixed("encoder"),
            network,
            device: self.sources.device.clone(),
            depth,
            dims,
        };
        Ok((Box::new(maps), origin))
    }

    fn pixels(&self) -> Result<PixelMaps<'a>> {
        let Shape::Image {
            channels,
            height,
            width,
        } = self.sources.dataset.shape
        else {
            return Err(Error::data("vectors have no pixels"));
        };
        let longest = height.max(width).max(PIXELS);
        let [height, width] = [height, width].map(|side| (side * PIXELS / longest).max(1));
        let input = InputSpec {
            shape: Shape::Image {
                channels,
                height,
                width,
            },
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            shift: vec![],
        };
        let views = Views::new(ViewsConfig::none(), input, None)?;
        Ok(PixelMaps {
            images: self.images(views),
            size: [channels, height, width],
        })
    }

    fn images(&self, views: Views) -> Images<'a> {
        Images {
            dataset: self.sources.dataset,
            rows: self.sources.rows.clone(),
            views,
        }
    }
}

/// So many stages that the last of them has maps; 0 where none has.
fn last(dims: &[Option<[usize; 3]>]) -> usize {
    dims.iter()
        .rposition(Option::is_some)
        .map_or(0, |place| place + 1)
}

/// Height, width and features of the maps after each stage; `None` of vectors.
fn dims_by_stage(network: &TrainedEncoder, device: &Device) -> Vec<Option<[usize; 3]>> {
    let shape = network.about.input.shape;
    let stages = network.encoder.stages(shape);
    let weights = network.weights.clone().prefixed("encoder");
    device.run(|| {
        let pass = Pass::new(&weights, Mode::Eval, device);
        let scope = pass.at("encoder");
        let mut x = Features::Samples(blank(1, shape, device));
        let mut dims = Vec::with_capacity(stages.len());
        for place in 0..stages.len() {
            x = network.encoder.forward(&scope, x, place..place + 1);
            let size = size_after(shape, &stages[..=place]);
            dims.push(places(x.clone(), size).map(|maps| {
                let [_, height, width, d] = maps.dims();
                [height, width, d]
            }));
        }
        dims
    })
}

/// Height and width of the maps or the grid of tokens after some stages.
fn size_after(shape: Shape, stages: &[Stage]) -> [usize; 2] {
    let [_, _, height, width] = axes(1, shape);
    let smaller = |side: usize| {
        let strides = stages.iter().map(|stage| stage.stride);
        strides.fold(side, |side, stride| side.div_ceil(stride))
    };
    [smaller(height), smaller(width)]
}

/// Maps or tokens on a grid of `size` as `[n, h, w, d]`; `None` of vectors.
fn places(of: Features, [height, width]: [usize; 2]) -> Option<Tensor<4>> {
    match of {
        Features::Maps(maps) => Some(maps.into_images().permute([0, 2, 3, 1])),
        Features::Tokens(tokens) => {
            let (prefix, count) = (tokens.prefix, tokens.count - tokens.prefix);
            let patches = tokens.by_sample().narrow(1, prefix, count);
            let [n, _, d] = patches.dims();
            (count == height * width).then(|| patches.reshape([n, height, width, d]))
        }
        Features::Samples(_) | Features::Vector(_) => None,
    }
}

/// Images of a dataset, as a network or a probe takes them.
struct Images<'a> {
    dataset: &'a Dataset,
    /// Rows of the dataset.
    rows: Vec<usize>,
    views: Views,
}

impl Images<'_> {
    fn size(&self) -> [usize; 2] {
        let [_, _, height, width] = axes(1, self.views.input().shape);
        [height, width]
    }

    /// Calls `use_them` with the inputs `[images, channels, height, width]` of some of `rows` at a time.
    fn each(&self, rows: &[usize], numbers: usize, use_them: &mut UseMaps<'_>) -> Result<()> {
        let count = (NUMBERS / numbers.max(1)).clamp(1, IMAGES);
        for batch in rows.chunks(count) {
            let own: Vec<usize> = batch.iter().map(|&row| self.rows[row]).collect();
            let read = inputs(&self.views, self.dataset, &own)?;
            if let Some(bad) = read.bad.first() {
                return Err(Error::file(&bad.path, &bad.reason));
            }
            use_them(batch, &read.features.data)?;
        }
        Ok(())
    }
}

/// A network up to a stage.
struct NetworkMaps<'a> {
    images: Images<'a>,
    network: TrainedEncoder,
    weights: Weights,
    device: Device,
    /// Number of stages.
    depth: usize,
    dims: [usize; 3],
}

impl FeatureMaps for NetworkMaps<'_> {
    fn dims(&self) -> [usize; 3] {
        self.dims
    }

    fn input(&self) -> [usize; 2] {
        self.images.size()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let shape = self.network.about.input.shape;
        let [height, width, d] = self.dims;
        let numbers = (height * width * d).max(axes(1, shape).iter().product());
        self.images.each(rows, numbers, &mut |batch, pixels| {
            let data = TensorData::new(pixels.to_vec(), axes(batch.len(), shape));
            let found = self.device.run(|| {
                let pass = Pass::new(&self.weights, Mode::Eval, &self.device);
                let x = Features::Samples(Tensor::from_data(data, &self.device));
                let encoder = &*self.network.encoder;
                let x = encoder.forward(&pass.at("encoder"), x, 0..self.depth);
                places(x, [height, width]).map(values)
            });
            let found = found.ok_or_else(|| Error::data("a stage without maps"))?;
            use_them(batch, &found)
        })
    }
}

/// Colours of the 3 × 3 pixels around each, in 0..1; beyond the border those at it.
struct PixelMaps<'a> {
    images: Images<'a>,
    /// Channels, height, width.
    size: [usize; 3],
}

impl FeatureMaps for PixelMaps<'_> {
    fn dims(&self) -> [usize; 3] {
        let [channels, height, width] = self.size;
        [height, width, 9 * channels]
    }

    fn input(&self) -> [usize; 2] {
        self.images.size()
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let [channels, height, width] = self.size;
        let near = |at: usize, full: usize| {
            (0..3).map(move |step: usize| (at + step).saturating_sub(1).min(full - 1))
        };
        let numbers = 9 * channels * height * width;
        self.images.each(rows, numbers, &mut |batch, pixels| {
            let mut maps = Vec::with_capacity(batch.len() * numbers);
            for image in pixels.chunks_exact(channels * height * width) {
                for place in 0..height * width {
                    for y in near(place / width, height) {
                        for x in near(place % width, width) {
                            let of = |c: usize| image[(c * height + y) * width + x];
                            maps.extend((0..channels).map(of));
                        }
                    }
                }
            }
            use_them(batch, &maps)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::OpenOptions;

    fn shapes() -> Dataset {
        Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap()
    }

    fn sources(dataset: &Dataset) -> MapSources<'_> {
        let sources = Sources::new(dataset, Device::cpu(), 3).only((0..100).collect());
        MapSources::new(sources).unwrap()
    }

    fn all(source: &MapSource<'_>, rows: &[usize]) -> Vec<f32> {
        let mut found = Vec::new();
        let mut seen = Vec::new();
        let mut keep = |batch: &[usize], maps: &[f32]| {
            seen.extend_from_slice(batch);
            found.extend_from_slice(maps);
            Ok(())
        };
        source.maps.each(rows, &mut keep).unwrap();
        assert_eq!(seen, rows);
        found
    }

    #[test]
    fn the_mean_of_a_stage_s_maps_is_its_pooled_features() {
        let dataset = shapes();
        for name in [
            "random:cnn:width=4@conv1",
            "random:resnet18:width=4@layer2",
            "random:resnet18:width=4",
        ] {
            let source = Source::parse(name).unwrap();
            let maps = sources(&dataset).maps(name, &source).unwrap();
            let [height, width, d] = maps.maps.dims();
            let rows: Vec<usize> = (0..70).collect();
            let found = all(&maps, &rows);
            assert_eq!(found.len(), 70 * height * width * d);
            let plain = Sources::new(&dataset, Device::cpu(), 3).only(rows.clone());
            let pooled = { plain }.represent(name, &source, &mut |_| ()).unwrap();
            assert_eq!(pooled.features.cols, d);
            for (row, map) in found.chunks_exact(height * width * d).enumerate() {
                for c in 0..d {
                    let sum: f32 = map.iter().skip(c).step_by(d).sum();
                    let mean = sum / (height * width) as f32;
                    let wanted = pooled.features.row(row)[c];
                    assert!(
                        (mean - wanted).abs() < 1e-4 * (1.0 + wanted.abs()),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn tokens_lie_on_their_grid_and_vectors_have_no_places() {
        let dataset = shapes();
        let mut sources = sources(&dataset);
        let vit = Source::parse("random:vit_tiny:width=16:depth=2").unwrap();
        let maps = sources.maps("vit", &vit).unwrap();
        let [height, width, d] = maps.maps.dims();
        assert_eq!((height, d), (width, 16));
        assert_eq!(all(&maps, &[5, 7]).len(), 2 * height * width * d);
        assert_eq!(sources.stages(&vit).unwrap().len(), 3);
        for (name, why) in [
            ("random:mlp:width=8", "one vector a sample"),
            ("random:mlp:width=8@0", "one vector a sample"),
            ("pca:5", "no feature maps"),
            ("supervised:cnn", "no feature maps"),
        ] {
            let found = sources.maps(name, &Source::parse(name).unwrap());
            let text = found.err().map_or(String::new(), |e| e.to_string());
            assert!(text.contains(name) && text.contains(why), "{text}");
        }
    }

    #[test]
    fn pixels_have_their_neighbours_colours() {
        let dataset = shapes();
        let maps = sources(&dataset).maps("pixels", &Source::Pixels).unwrap();
        assert_eq!(maps.maps.dims(), [24, 24, 27]);
        let found = all(&maps, &[42]);
        let crate::dataset::Sample::Image(image) = dataset.samples.get(42).unwrap() else {
            panic!("an image")
        };
        let crate::dataset::Pixels::U8(bytes) = &image.pixels else {
            panic!("of 8 bits")
        };
        let colour = |y: usize, x: usize, c: usize| f32::from(bytes[(y * 24 + x) * 3 + c]) / 255.0;
        for (y, x) in [(12, 11), (0, 23)] {
            for (i, value) in found[(y * 24 + x) * 27..][..27].iter().enumerate() {
                let near = |at: usize, step: usize| (at + step).saturating_sub(1).min(23);
                let wanted = colour(near(y, i / 9), near(x, i / 3 % 3), i % 3);
                assert!((value - wanted).abs() < 1e-6, "{y} {x} {i}");
            }
        }
    }
}
