//! SCARF: contrastive learning for tables. A row and the same row with some of its features replaced
//! attract, different rows repel.
//!
//! The loss is NT-Xent (Bahri et al. 2022, arXiv:2106.15147, algorithm 1), the views are the run's:
//! by default the first is the row itself, in the second six in ten features are drawn from their
//! marginals, and both get a little noise (`views.noise`), which the paper does not add. Hidden units
//! and temperature are the paper's; the projector normalises its hidden units, which the paper's does not.

use serde::{Deserialize, Serialize};

use super::heads::{positive, positive_number};
use super::similarity::contrast_views;
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
        let dims = [self.hidden, self.projection];
        contrast_views(net, &batches[0], &dims, self.temperature)
    }
}
