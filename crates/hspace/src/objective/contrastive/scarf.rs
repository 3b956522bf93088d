//! SCARF: contrastive learning for tables. A row must find itself among rows of which some features were
//! replaced.
//!
//! `loss = −mean_i log( exp(z_i·z̃_i/τ) / Σ_k exp(z_i·z̃_k/τ) )` with z the projections of the rows and z̃ those of
//! the corrupted rows, scaled to length 1: InfoNCE (Bahri et al. 2022, arXiv:2106.15147, algorithm 1, less the
//! constant log n). The views are the run's: by default the first is the row itself, in the second six in ten
//! features are drawn from their marginals, and both get a little noise (`views.noise`), which the paper does not
//! add. Hidden units and temperature are the paper's; the projector normalises its hidden units over both views, which
//! the paper's does not.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::dataset::Shape;
use crate::list::{self, Configured, Entry};
use crate::objective::heads::{positive, positive_number, projector};
use crate::objective::similarity::info_nce;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, two_views};

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

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "scarf",
    summary: "contrastive, for vectors: a row attracts itself with some features replaced",
    source: "Bahri et al. 2022, arXiv:2106.15147",
    item: Configured {
        defaults: list::defaults::<Scarf>,
        make: |table| {
            let settings: Scarf = list::parse(table)?;
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

impl Objective for Scarf {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        match spec.shape {
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
        let learned = net.encode_views(&batches[0].views);
        let dims = [self.hidden, self.projection];
        let features = Tensor::cat(learned.clone(), 0);
        let both = projector(&net.at("projector"), features, &dims).chunk(2, 0);
        let [rows, corrupted] = [0, 1].map(|view| both[view].clone());
        let total = info_nce(rows, corrupted, None, self.temperature, net.device());
        Loss::of(total, learned)
    }
}
