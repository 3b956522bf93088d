//! Domain-adversarial training (Ganin et al. 2016, arXiv:1505.07818): one stream a domain; a classifier of domains behind a gradient reversal.

use burn_tensor::Tensor;
use hspace::dataset::{Column, Role, Split, Values};
use hspace::nn::layers::linear;
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};

use super::cross_entropy;

#[derive(Default)]
struct Dann {
    labels: Vec<Option<u32>>,
    domain: usize,
}

/// The value of `x`, the gradient of −strength · x.
fn reversed(x: Tensor<2>, strength: f64) -> Tensor<2> {
    x.clone().detach() * (1.0 + strength) - x * strength
}

impl Objective for Dann {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        self.labels = spec.classes().expect("the data have classes").1.to_vec();
        let domain = spec.columns.iter().position(|c| c.role == Role::Domain);
        self.domain = domain.expect("the data have a domain");
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        let of = |domain| Stream::new(Subset::Class(self.domain, domain), vec![ViewKind::Random]);
        vec![of(0), of(1).cycles()]
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let [source, target] = [&batches[0], &batches[1]];
        assert!(source.rows.iter().all(|row| row % 2 == 0));
        assert!(
            target
                .rows
                .iter()
                .all(|row| row % 2 == 1 && self.labels[*row].is_none())
        );
        let features = net.encode_views(&[source.views[0].clone(), target.views[0].clone()]);
        let labels = source.rows.iter().filter_map(|&row| self.labels[row]);
        let classes = linear(&net.at("head"), features[0].clone(), 10, true);
        let class = cross_entropy(classes, &labels.collect::<Vec<u32>>());
        let strength = 2.0 / (1.0 + (-10.0 * net.progress()).exp()) - 1.0;
        let both = reversed(Tensor::cat(features, 0), strength);
        let n = [source.rows.len(), target.rows.len()];
        let domains = [vec![0; n[0]], vec![1; n[1]]].concat();
        let domain = cross_entropy(linear(&net.at("domain"), both, 2, true), &domains);
        Loss {
            metrics: vec![("class", class.clone()), ("domain", domain.clone())],
            ..Loss::of(class + domain, vec![])
        }
    }
}

#[test]
fn two_domains_of_which_one_has_labels() {
    let mut dataset = super::digits();
    dataset.columns.push(Column {
        name: "hospital".into(),
        role: Role::Domain,
        values: Values::Classes {
            names: vec!["a".into(), "b".into()],
            index: (0..dataset.len()).map(|row| Some(row as u32 % 2)).collect(),
        },
    });
    let train = dataset.indices(Split::Train);
    let source: Vec<usize> = train.into_iter().filter(|row| row % 2 == 0).collect();
    let trained = super::trained(&dataset, &source, Box::<Dann>::default());
    assert_eq!((trained.lines.len(), trained.samples), (2, 2 * 2 * 16));
    for part in ["class", "domain"] {
        assert!(trained.lines.iter().all(|line| line.values[part] > 0.0));
    }
}

#[test]
fn a_reversed_gradient_has_the_other_sign() {
    let x = Tensor::<2>::from([[1.0, -2.0]]).autodiff().require_grad();
    let y = reversed(x.clone(), 0.5);
    y.clone()
        .inner()
        .into_data()
        .assert_eq(&x.clone().inner().into_data(), true);
    let gradient = x.grad(&y.sum().backward()).expect("x asks for one");
    gradient
        .into_data()
        .assert_eq(&[[-0.5f32, -0.5]].into(), true);
}
