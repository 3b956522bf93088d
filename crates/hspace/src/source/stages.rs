//! Networks and their stages as sources. All stages of a network are embedded in one pass over the data.

use super::{Source, Sources};
use crate::embed::{Embedded, Network, embed_at};
use crate::encoder::{Exit, Stage};
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::representation::Representation;

impl Source {
    /// The network that it is, or is some stages of, and the names of these.
    fn network(&self) -> Option<(&Source, Option<&str>)> {
        match self {
            Source::Run(_) | Source::Hub(_) | Source::Random(_) => Some((self, None)),
            Source::At(network, stage) => Some((network, Some(stage))),
            Source::File(_)
            | Source::Pixels
            | Source::Pca(_)
            | Source::Ica(_)
            | Source::Kmeans(_)
            | Source::Learner(_)
            | Source::OnFeatures(..)
            | Source::Unet(_)
            | Source::Head(_) => None,
        }
    }
}

impl Sources<'_> {
    /// The stages of a network, in order; none of another source.
    ///
    /// ```
    /// use hspace::dataset::{Dataset, OpenOptions};
    /// use hspace::device::Device;
    /// use hspace::source::{Source, Sources};
    ///
    /// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// let mut sources = Sources::new(&shapes, Device::cpu(), 0);
    /// let stages = sources.stages(&Source::parse("random:cnn:width=4")?)?;
    /// assert_eq!((stages.len(), stages[0].name.as_str()), (4, "conv0"));
    /// assert!(sources.stages(&Source::Pixels)?.is_empty());
    /// # Ok::<(), hspace::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the network cannot be read.
    pub fn stages(&mut self, of: &Source) -> Result<Vec<Stage>> {
        match of.network() {
            Some((_, None)) => {
                let network = self.network(of)?;
                Ok(network.encoder.stages(network.about.input.shape))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The representations of named sources, in their order. However many stages of a network are among them, it passes over the
    /// data once. `progress` is called with the name of what is being embedded and how many samples are done.
    ///
    /// ```
    /// use hspace::dataset::{Dataset, OpenOptions};
    /// use hspace::device::Device;
    /// use hspace::source::{Source, Sources};
    ///
    /// let shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// let mut sources = Sources::new(&shapes, Device::cpu(), 0).only(vec![0, 1, 2]);
    /// let cnn = Source::parse("random:cnn:width=4")?;
    /// let named = [("first".to_owned(), cnn.clone().at("conv0")?), ("whole".to_owned(), cnn)];
    /// let made = sources.represent_all(&named, &mut |_, _| ())?;
    /// assert!(made[0].features.cols < made[1].features.cols);
    /// # Ok::<(), hspace::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sources::represent`].
    pub fn represent_all(
        &mut self,
        sources: &[(String, Source)],
        progress: &mut dyn FnMut(&str, usize),
    ) -> Result<Vec<Representation>> {
        let mut made: Vec<Option<Representation>> = vec![None; sources.len()];
        for first in 0..sources.len() {
            if made[first].is_some() {
                continue;
            }
            let (name, source) = &sources[first];
            let Some((network, _)) = source.network() else {
                made[first] = Some(self.represent(name, source, &mut |done| progress(name, done))?);
                continue;
            };
            let mut places = Vec::new();
            let mut wanted = Vec::new();
            for (place, (name, source)) in sources.iter().enumerate().skip(first) {
                if let Some((own, stage)) = source.network()
                    && own == network
                {
                    places.push(place);
                    wanted.push((name.as_str(), stage));
                }
            }
            let found = self.stages_of(network, &wanted, &mut |done| progress(name, done))?;
            for (place, found) in places.into_iter().zip(found) {
                found.check()?;
                made[place] = Some(found);
            }
        }
        Ok(made.into_iter().flatten().collect())
    }

    /// Of one network what `wanted` names: representations after a stage, or of its own features.
    pub(super) fn stages_of(
        &mut self,
        network: &Source,
        wanted: &[(&str, Option<&str>)],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Representation>> {
        let network = self.network(network)?;
        let views = network.views(self.dataset)?;
        let stages = network.encoder.stages(network.about.input.shape);
        let exits = |(_, stage): &(&str, Option<&str>)| match stage {
            None => Ok(vec![network.exit()?]),
            Some(names) => Exit::after_each(names, &stages).map_err(Error::config),
        };
        let exits: Vec<Vec<Exit>> = wanted.iter().map(exits).collect::<Result<_>>()?;
        let parts = Network {
            encoder: &*network.encoder,
            weights: &network.weights,
            views: &views,
        };
        let (rows, device) = (&self.rows, &self.device);
        let all = exits.concat();
        let mut embedded = embed_at(&all, parts, self.dataset, rows, device, progress)?.into_iter();
        let mut made = Vec::with_capacity(wanted.len());
        for ((name, stage), exits) in wanted.iter().zip(&exits) {
            let Some(embedded) = concatenated(embedded.by_ref().take(exits.len())) else {
                return Err(Error::data(format!("{name}: no stage is named")));
            };
            let hash = &network.about.hash;
            let origin = match stage {
                None => hash.clone(),
                Some(stage) => format!("{hash}@{stage}"),
            };
            made.push(self.of_rows(name, embedded, origin));
        }
        Ok(made)
    }
}

/// Features of the same samples, as one matrix with the columns of all; `None` without any.
fn concatenated(parts: impl Iterator<Item = Embedded>) -> Option<Embedded> {
    let parts: Vec<Embedded> = parts.collect();
    let one = match &parts[..] {
        [] => None,
        [_] => return parts.into_iter().next(),
        [first, ..] => Some(first.clone()),
    };
    let rows = one.as_ref().map_or(0, |one| one.features.rows);
    let row = |i: usize| parts.iter().flat_map(move |part| part.features.row(i));
    let data: Vec<f32> = (0..rows).flat_map(row).copied().collect();
    let cols = parts.iter().map(|part| part.features.cols).sum();
    one.map(|one| Embedded {
        features: Matrix::new(rows, cols, data),
        ..one
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, OpenOptions};
    use crate::device::Device;

    #[test]
    fn stages_embedded_together_equal_those_embedded_alone() {
        let dataset = Dataset::open("builtin:mnist-mini", &OpenOptions::default()).unwrap();
        for network in [
            "random:cnn:width=4",
            "random:resnet18:width=4",
            "random:vit_tiny:width=16:depth=3",
            "random:mlp:width=8",
        ] {
            // More than a batch, so that matrices grow.
            let sources = || Sources::new(&dataset, Device::cpu(), 3).only((0..300).collect());
            let stages = sources().stages(&Source::parse(network).unwrap()).unwrap();
            assert!(stages.len() > 2, "{network}");
            let last_first = stages
                .iter()
                .rev()
                .map(|stage| format!("{network}@{}", stage.name));
            let names = [network.to_owned()].into_iter().chain(last_first);
            let named: Vec<(String, Source)> = names
                .map(|name| (name.clone(), Source::parse(&name).unwrap()))
                .collect();
            let mut passed = 0;
            let together = sources()
                .represent_all(&named, &mut |_, done| passed += usize::from(done == 300))
                .unwrap();
            assert_eq!((together.len(), passed), (named.len(), 1), "{network}");
            for ((name, source), together) in named.iter().zip(&together) {
                let alone = sources().represent(name, source, &mut |_| ()).unwrap();
                assert_eq!((&alone.name, &alone.ids), (&together.name, &together.ids));
                assert_eq!(alone.origin, together.origin);
                let bits = |r: &Representation| -> Vec<u32> {
                    r.features.data.iter().map(|x| x.to_bits()).collect()
                };
                assert_eq!(alone.features.cols, together.features.cols, "{name}");
                assert!(bits(&alone) == bits(together), "{name}");
            }
            // Several stages: the columns of each.
            let several = format!(
                "{network}@{}",
                stages[..2]
                    .iter()
                    .rev()
                    .map(|s| &*s.name)
                    .collect::<Vec<_>>()
                    .join("+")
            );
            let source = Source::parse(&several).unwrap();
            let both = sources().represent(&several, &source, &mut |_| ()).unwrap();
            let (first, second) = (&together[named.len() - 1], &together[named.len() - 2]);
            let row: Vec<f32> = [first.features.row(7), second.features.row(7)].concat();
            assert_eq!(both.features.row(7), row, "{several}");
            let at = |r: usize| &together[r].features;
            assert_ne!(at(1).data, at(2).data, "{network}");
        }
    }
}
