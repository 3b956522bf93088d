//! Sources of feature maps, for tasks of masks: networks up to a stage, and pixels.

mod images;
mod learned;
mod network;
mod pixels;

use super::{Source, Sources, Unet, represent_rows};
use crate::data_record::contents;
use crate::dataset::Shape;
use crate::embed::Embedded;
use crate::encoder::{ALL_STAGES, Exit, Stage};
use crate::error::{Error, Result};
use crate::file;
use crate::matrix::Matrix;
use crate::probe::{Contender, FeatureMaps, MapSource};
use crate::representation::Representation;
use crate::views::{InputSpec, Views, ViewsConfig};
use images::Images;
use learned::UnetLearner;
use network::{NetworkMaps, dims_by_stage, last};
use pixels::PixelMaps;

/// Longer side of the images whose pixels are measured; larger ones are reduced to it.
const PIXELS: usize = 128;
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
/// let task = MaskTask { read: &read, examples: 0, keep: None };
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

    /// The maps of a source: of a network those of its last stage that has maps, of a stage its own, of several stages theirs,
    /// interpolated to the size of the finest, of pixels the colours of 3 × 3 neighbours.
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
            | Source::Unet(_)
            | Source::Head(_) => {
                return Err(Error::config(format!(
                    "{name} has no feature maps, so it says nothing of masks; name a network (a run, a stage of one, hf:MODEL, random:ENCODER) or \
                     pixels"
                )));
            }
        };
        let hash = format!("{origin} {:?} {}", maps.dims(), self.contents);
        Ok(MapSource {
            samples: self.samples(name, origin),
            maps,
            hash: file::hash_of(hash.as_bytes()),
        })
    }

    /// A U-Net as a contender for the masks of `column`, trained on at most `draws` draws of each number of masks.
    ///
    /// ```
    /// use hspace::dataset::{Dataset, OpenOptions};
    /// use hspace::device::Device;
    /// use hspace::probe::{Labels, Limits, MaskTask, ProbeOptions, measure_masks};
    /// use hspace::source::{MapSources, Source, Sources};
    ///
    /// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// let some = (0..1600).step_by(40).collect();
    /// let mut makers = MapSources::new(Sources::new(&shapes, Device::cpu(), 0).only(some))?;
    /// let name = "unet:cnn:width=4:decoder_width=4:steps=2";
    /// let Source::Unet(unet) = Source::parse(name)? else { unreachable!() };
    /// let unet = makers.unet(name, &unet, "mask", 1)?;
    ///
    /// let rows = makers.rows().to_vec();
    /// let read = |row: usize| shapes.samples.mask(rows[row], "mask");
    /// let task = MaskTask { read: &read, examples: 0, keep: None };
    /// let options = ProbeOptions { task: "mask".into(), labels: vec![Labels::PerClass(3)], ..ProbeOptions::default() };
    /// let found = measure_masks(vec![unet], task, &options, "builtin:shapes", &mut Limits::default(), &mut |_| ())?.0;
    /// assert_eq!((found.rows[0].probe.as_str(), found.rows[0].labelled), ("head", 3));
    /// # Ok::<(), hspace::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the network cannot be read or has no maps.
    pub fn unet(
        &mut self,
        name: &str,
        unet: &Unet,
        column: &str,
        draws: usize,
    ) -> Result<Contender<'a>> {
        let network = self.sources.network(&unet.of)?;
        let views = network.views(self.sources.dataset)?;
        let dims = dims_by_stage(&network, &self.sources.device);
        let depth = match network.exit()? {
            Exit::After(depth) => last(&dims[..depth]),
            Exit::End => last(&dims),
        };
        if depth == 0 {
            return Err(Error::config(format!(
                "{name}: the encoder gives one vector a sample, and a decoder of masks needs its feature maps; name another network"
            )));
        }
        let learner = UnetLearner::new(
            self.images(views),
            (network, depth, unet.is_untrained()),
            unet.settings.clone(),
            self.sources.device.clone(),
            column,
        );
        let origin = format!("{} {depth} {column} {}", learner.settings(), self.contents);
        Ok(Contender::MasksPerDraw {
            name: name.to_owned(),
            samples: Box::new(self.samples(name, String::new())),
            origin: file::hash_of(origin.as_bytes()),
            draws,
            learner: Box::new(learner),
        })
    }

    /// The samples without features.
    fn samples(&self, name: &str, origin: String) -> Representation {
        let rows = self.sources.rows.clone();
        let none = Embedded {
            features: Matrix::new(rows.len(), 0, Vec::new()),
            rows,
            bad: Vec::new(),
        };
        represent_rows(self.sources.dataset, name, none, origin)
    }

    fn network(
        &mut self,
        name: &str,
        source: &Source,
        stages: Option<&str>,
    ) -> Result<(Box<dyn FeatureMaps + 'a>, String)> {
        let network = self.sources.network(source)?;
        let views = network.views(self.sources.dataset)?;
        let all = network.encoder.stages(network.about.input.shape);
        let dims = dims_by_stage(&network, &self.sources.device);
        let exits = match stages {
            Some(names) => Exit::after_each(names, &all).map_err(Error::config)?,
            None => vec![network.exit()?],
        };
        // Where a stage is named its own maps are meant, else the last ones up to there.
        let depths = exits.iter().map(|exit| match (exit, stages) {
            (Exit::After(depth), Some(_)) => *depth,
            (Exit::After(depth), None) => last(&dims[..*depth]),
            (Exit::End, _) => last(&dims),
        });
        let with_dims = |depth: usize| Some((depth, (*dims.get(depth.checked_sub(1)?)?)?));
        let depths: Vec<usize> = depths.collect();
        let found: Vec<(usize, [usize; 3])> =
            depths.iter().copied().filter_map(with_dims).collect();
        if found.is_empty() || (found.len() < depths.len() && stages != Some(ALL_STAGES)) {
            return Err(Error::config(format!(
                "{name} gives one vector a sample, which says nothing of single pixels; name a stage with feature maps, or another network"
            )));
        }
        let names = found.iter().map(|(depth, _)| &*all[depth - 1].name);
        let names = names.collect::<Vec<_>>().join("+");
        let origin = format!("{}@{names}", network.about.hash);
        let (images, device) = (self.images(views), self.sources.device.clone());
        let maps = NetworkMaps::new(images, network, device, found);
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

#[cfg(test)]
mod tests;
