//! Labelled samples of several domains, and their losses by domain: what methods of domain generalisation learn from.

use burn_tensor::{Tensor, TensorData};

use crate::dataset::{Role, Values};
use crate::nn::layers::pick;
use crate::objective::classes::{Classes, accuracy};
use crate::objective::{Batch, DataSpec, Net, Stream, Subset, ViewKind};
use burn_tensor::activation::log_softmax;

/// Which domain each labelled sample is of.
#[derive(Clone, Default)]
pub(super) struct LabelledDomains {
    pub classes: Classes,
    /// Domains that have labelled samples.
    pub count: usize,
    /// By row of the dataset, below `count`.
    domain: Vec<Option<usize>>,
}

/// A step's samples, encoded.
pub(super) struct ByDomain {
    pub features: Tensor<2>,
    /// `[n, classes]`
    pub logits: Tensor<2>,
    pub labels: Vec<u32>,
    /// Ones where a sample is of a domain, a column each, `[n, domains]`, of the domains that the batch has.
    pub members: Tensor<2>,
    /// Which domains these are.
    pub present: Vec<usize>,
    /// Worth a curve.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
}

impl ByDomain {
    /// The mean of `values [n, 1]` in each domain, `[domains]`.
    pub fn means(&self, values: Tensor<2>) -> Tensor<1> {
        let sums = (values * self.members.clone()).sum_dim(0);
        let means = sums / self.members.clone().sum_dim(0);
        means.reshape([self.present.len()])
    }

    /// The cross-entropy of each domain, `[domains]`.
    pub fn losses(&self) -> Tensor<1> {
        let own = -pick(log_softmax(self.logits.clone(), 1), &self.labels);
        self.means(own.reshape([self.labels.len(), 1]))
    }
}

impl LabelledDomains {
    /// Takes classes and domains from `spec`, of the column with the role `domain`; what is missing is returned.
    pub fn prepare(&mut self, spec: &DataSpec, objective: &str) -> Vec<String> {
        let problems = self.classes.prepare(spec, objective);
        if !problems.is_empty() {
            return problems;
        }
        let column = spec.columns.iter().find(|c| c.role == Role::Domain);
        let Some(Values::Classes { names, index }) = column.map(|c| &c.values) else {
            return vec![format!(
                "objective `{objective}` needs a column of domains: say which by --role COLUMN=domain, or use `supervised`"
            )];
        };
        let labelled = |row: &usize| spec.labelled(*row);
        let mut places = vec![None; names.len()];
        self.count = 0;
        for row in (0..index.len()).filter(labelled) {
            if let Some(domain) = index[row] {
                let place = &mut places[domain as usize];
                if place.is_none() {
                    *place = Some(self.count);
                    self.count += 1;
                }
            }
        }
        let of = |domain: &Option<u32>| domain.and_then(|domain| places[domain as usize]);
        self.domain = index.iter().map(of).collect();
        match self.count {
            0 | 1 => vec![format!(
                "objective `{objective}` needs labels of at least two domains, not {}; use `supervised`",
                self.count
            )],
            _ => vec![],
        }
    }

    /// All labelled samples.
    pub fn streams(&self) -> Vec<Stream> {
        vec![Stream::new(Subset::Labelled, vec![ViewKind::Weak])]
    }

    /// Encodes a batch. Samples of no domain are of the first.
    pub fn encode(&self, net: &Net, batches: &[Batch]) -> ByDomain {
        let features = net.encode(batches[0].views[0].clone());
        let logits = self.classes.logits(net, features.clone());
        let labels = self.classes.of(&batches[0]);
        let domains: Vec<usize> = batches[0]
            .rows
            .iter()
            .map(|&row| self.domain[row].unwrap_or(0))
            .collect();
        let present: Vec<usize> = (0..self.count).filter(|d| domains.contains(d)).collect();
        let mut members = Vec::with_capacity(domains.len() * present.len());
        for domain in &domains {
            let is = |own: &usize| f32::from(u8::from(own == domain));
            members.extend(present.iter().map(is));
        }
        let members = TensorData::new(members, [domains.len(), present.len()]);
        ByDomain {
            metrics: vec![("accuracy", accuracy(logits.clone(), &labels, net))],
            features,
            logits,
            labels,
            members: Tensor::from_data(members, net.device()),
            present,
        }
    }
}
