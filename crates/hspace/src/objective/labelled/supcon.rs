//! Supervised contrastive learning: views of samples of one class attract, all others repel.
//!
//! The loss is SimCLR's with all views of the class as positives (Khosla et al. 2020,
//! arXiv:2004.11362, equation 2, `L_out`). The temperature is the paper's; the projector has
//! 512 hidden units, and normalises them.

use serde::{Deserialize, Serialize};

use crate::list::{self, Configured, Entry};
use crate::objective::classes::Classes;
use crate::objective::heads::{positive, positive_number};
use crate::objective::similarity::contrast_groups;
use crate::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// τ > 0.
    temperature: f64,
    /// Hidden units of the projector.
    hidden: usize,
    /// Dimensions of the projection.
    projection: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            temperature: 0.1,
            hidden: 512,
            projection: 128,
        }
    }
}

struct SupCon {
    settings: Settings,
    classes: Classes,
}

pub(in crate::objective) const ENTRY: Entry<Configured<dyn Objective>> = Entry {
    name: "supcon",
    summary: "contrastive with labels: views of one class attract, different classes repel",
    source: "Khosla et al. 2020, arXiv:2004.11362",
    item: Configured {
        defaults: list::defaults::<Settings>,
        make: |table| {
            let settings: Settings = list::parse(table)?;
            let problems = [
                positive(&[
                    ("hidden", settings.hidden),
                    ("projection", settings.projection),
                ]),
                positive_number("temperature", settings.temperature),
            ];
            list::refuse(problems.concat())?;
            let classes = Classes::default();
            Ok(Box::new(SupCon { settings, classes }))
        },
    },
};

impl Objective for SupCon {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.classes.prepare(spec, "supcon")
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Random; 2])]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let batch = &batches[0];
        let classes = self.classes.of(batch);
        let Settings {
            temperature,
            hidden,
            projection,
        } = self.settings;
        contrast_groups(net, batch, &classes, &[hidden, projection], temperature)
    }
}
