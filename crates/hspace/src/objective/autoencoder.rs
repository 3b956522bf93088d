//! Autoencoder: the features must suffice to draw the sample again.
//!
//! `loss = mean (decoder(h) − x)²` over samples and pixels, with x normalised as the encoder's
//! input (Hinton & Salakhutdinov 2006). Between encoder and decoder is a linear bottleneck, if
//! asked for; the features are what the encoder gives, before it.

use serde::{Deserialize, Serialize};

use super::heads::decode;
use super::{Batch, Facts, Look, Loss, Net, Objective, Stream, Which};
use crate::dataset::Shape;
use crate::list::{self, Entry};
use crate::network::layers::linear;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Dimensions of the bottleneck; 0 for none.
    bottleneck: usize,
    /// Channels of the decoder's last block.
    width: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            bottleneck: 0,
            width: 16,
        }
    }
}

struct Autoencoder {
    settings: Settings,
    shape: Shape,
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "autoencoder",
    summary: "a decoder draws the sample from its features; squared error",
    source: "Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647",
    defaults: list::defaults::<Settings>,
    make: |table| {
        let settings: Settings = list::parse(table)?;
        if settings.width < 2 {
            return Err(format!("width={} must be at least 2", settings.width));
        }
        Ok(Box::new(Autoencoder {
            settings,
            shape: Shape::Vector { dim: 0 },
        }))
    },
};

impl Objective for Autoencoder {
    fn prepare(&mut self, facts: &Facts) -> Vec<String> {
        self.shape = facts.shape;
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream {
            which: Which::All,
            looks: vec![Look::Random],
            share: 1,
        }]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let x = batches[0].views[0].clone();
        let features = net.encode(x.clone());
        let z = match self.settings.bottleneck {
            0 => features.clone(),
            dim => linear(&net.at("bottleneck"), features.clone(), dim, true),
        };
        let drawn = decode(&net.at("decoder"), z, self.shape, self.settings.width);
        Loss::of((drawn - x).powi_scalar(2).mean(), vec![features])
    }
}
