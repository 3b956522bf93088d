//! SCARF: contrastive learning for tables. A row and the same row with some of its features replaced
//! attract, different rows repel.
//!
//! The loss is NT-Xent (Bahri et al. 2022, arXiv:2106.15147, algorithm 1), the views are the run's:
//! by default the first is the row itself, in the second six in ten features are drawn from their
//! marginals, and both get a little noise (`views.noise`), which the paper does not add. Hidden units
//! and temperature are the paper's.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::heads::{positive, positive_number, projector};
use super::similarity::{by_sample, contrast};
use super::{Batch, Facts, Loss, Net, Objective, Stream, two_views};
use crate::dataset::Shape;
use crate::list::{self, Entry};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Scarf {
    /// τ > 0.
    temperature: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for Scarf {
    fn default() -> Self {
        Scarf {
            temperature: 1.0,
            hidden: 256,
            projection: 256,
        }
    }
}

pub(super) const ENTRY: Entry<dyn Objective> = Entry {
    name: "scarf",
    summary: "contrastive, for vectors: a row attracts itself with some features replaced",
    source: "Bahri et al. 2022, arXiv:2106.15147",
    defaults: list::defaults::<Scarf>,
    make: |table| {
        let settings: Scarf = list::parse(table)?;
        positive(&[
            ("hidden", settings.hidden),
            ("projection", settings.projection),
        ])?;
        positive_number("temperature", settings.temperature)?;
        Ok(Box::new(settings))
    },
};

impl Objective for Scarf {
    fn prepare(&mut self, facts: &Facts) -> Vec<String> {
        match facts.shape {
            Shape::Vector { .. } => vec![],
            Shape::Image { .. } => vec![
                "objective `scarf` replaces features of vectors, and the data are images; use \
                 `simclr`"
                    .to_owned(),
            ],
        }
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let views = &batches[0].views;
        let learned = net.encode_views(views);
        let features = Tensor::cat(learned.clone(), 0);
        let z = projector(
            &net.at("projector"),
            features,
            &[self.hidden, self.projection],
        );
        let groups = by_sample(batches[0].rows.len(), views.len());
        Loss::of(
            contrast(z, &groups, self.temperature, net.device()),
            learned,
        )
    }
}
