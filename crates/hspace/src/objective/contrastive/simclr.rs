//! SimCLR: two views of a sample attract, views of different samples repel.
//!
//! With z the projections of the 2n views, scaled to length 1, and j(i) the other view of the
//! sample of i: `loss = −mean_i log( exp(z_i·z_j(i)/τ) / Σ_{k≠i} exp(z_i·z_k/τ) )`
//! (NT-Xent; Chen et al. 2020, arXiv:2002.05709, equation 1).
//!
//! Each view goes through the encoder as its own batch (the paper's code normalises both together),
//! the projector sees both. Other defaults: the temperature is 0.2 rather than 0.1 or 0.5, which suits batches of
//! a few hundred; the projector has 512 hidden units rather than as many as features, and normalises them, as the
//! authors' code does and the paper does not say (that normalises the projection too, which is not done here).

use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::objective::heads::{positive, positive_number};
use crate::objective::similarity::contrast_groups;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, two_views};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SimClr {
    /// τ > 0.
    temperature: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for SimClr {
    fn default() -> Self {
        SimClr {
            temperature: 0.2,
            hidden: 512,
            projection: 128,
        }
    }
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "simclr",
    summary: "contrastive: two views of a sample attract, different samples repel",
    source: "Chen et al. 2020, arXiv:2002.05709",
    item: Configured {
        defaults: list::defaults::<SimClr>,
        make: |table| {
            let settings: SimClr = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                positive_number("temperature", settings.temperature),
            ];
            list::refuse(problems.concat())?;
            Ok(Box::new(settings))
        },
    },
};

impl Objective for SimClr {
    fn prepare(&mut self, _: &DataSpec) -> Vec<String> {
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        two_views()
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let dims = [self.hidden, self.projection];
        // Every sample is a group of its own.
        let own: Vec<u32> = (0..batches[0].rows.len() as u32).collect();
        contrast_groups(net, &batches[0], &own, &dims, self.temperature)
    }
}
