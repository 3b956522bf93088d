//! Two tasks of which each sample may lack one, with a gradient for each; where they are in conflict, a task's gradient is projected onto the normal plane
//! of the other's (PCGrad, Yu et al. 2020, arXiv:2001.06782).

use hspace::dataset::{Column, Role, Split, Values};
use hspace::nn::layers::linear;
use hspace::objective::{Batch, DataSpec, Loss, Net, Objective, Stream, Subset, ViewKind};
use hspace::optim::{Gradients, dot, sum};

use super::cross_entropy;

const TASKS: [&str; 2] = ["digit", "odd"];

#[derive(Default)]
struct PcGrad {
    columns: Vec<Vec<Option<u32>>>,
}

/// `a` without its part against `b`, in the weights that both have.
fn projected(a: &Gradients, b: &Gradients) -> Gradients {
    let mut shared = b.clone();
    shared.retain(|name, _| a.contains_key(name));
    let share = dot(a, b).min(0.0) / dot(&shared, b);
    let against = shared.into_iter().map(|(name, b)| (name, b * -share));
    sum(vec![a.clone(), against.collect()])
}

impl Objective for PcGrad {
    fn prepare(&mut self, spec: &DataSpec) -> Vec<String> {
        for name in TASKS {
            let column = spec.columns.iter().find(|c| c.name == name);
            let Some(Values::Classes { index, .. }) = column.map(|c| &c.values) else {
                return vec![format!("there is no column `{name}`")];
            };
            self.columns.push(index.clone());
        }
        vec![]
    }

    fn streams(&self) -> Vec<Stream> {
        let known = |column| Stream::new(Subset::Known(column), vec![ViewKind::Random]);
        vec![known(0), known(1).cycles()]
    }

    fn tasks(&self) -> Vec<&'static str> {
        TASKS.to_vec()
    }

    fn combine(&self, tasks: Vec<Gradients>) -> Gradients {
        let (digit, odd) = (&tasks[0], &tasks[1]);
        assert!(digit.contains_key("digit.weight") && !digit.contains_key("odd.weight"));
        let apart = [projected(digit, odd), projected(odd, digit)];
        let least = -1e-5 * (dot(digit, digit) * dot(odd, odd)).sqrt();
        assert!(dot(&apart[0], odd) > least && dot(&apart[1], digit) > least);
        sum(apart.to_vec())
    }

    fn loss(&self, net: &Net, batches: &[Batch], _: usize) -> Loss {
        let features = net.encode_views(&[0, 1].map(|task: usize| batches[task].views[0].clone()));
        let of = |task: usize| {
            let rows = batches[task].rows.iter();
            let labels: Vec<u32> = rows.filter_map(|&row| self.columns[task][row]).collect();
            let (head, features) = (net.at(TASKS[task]), features[task].clone());
            cross_entropy(linear(&head, features, [10, 2][task], true), &labels)
        };
        let (digit, odd) = (of(0), of(1));
        Loss {
            metrics: vec![(TASKS[0], digit.clone()), (TASKS[1], odd.clone())],
            ..Loss::of(digit + odd, vec![])
        }
    }
}

#[test]
fn tasks_with_missing_labels_have_a_gradient_each() {
    let mut dataset = super::digits();
    let Values::Classes { index, .. } = &mut dataset.columns[0].values else {
        panic!("digits have classes");
    };
    // Of every third sample the digit is known, of the others whether it is odd.
    let odd = index
        .iter()
        .enumerate()
        .map(|(row, c)| (row % 3 > 0).then_some((*c)? % 2));
    let odd: Vec<Option<u32>> = odd.collect();
    index
        .iter_mut()
        .enumerate()
        .filter(|(row, _)| row % 3 > 0)
        .for_each(|(_, c)| *c = None);
    dataset.columns[0].name = TASKS[0].into();
    dataset.columns.push(Column {
        name: TASKS[1].into(),
        role: Role::Label,
        values: Values::Classes {
            names: vec!["even".into(), "odd".into()],
            index: odd,
        },
    });
    let all = dataset.indices(Split::Train);
    let run = |steps| super::trained_for(&dataset, &all, Box::<PcGrad>::default(), steps);
    let [one, two] = [1, 2].map(run);
    for name in ["digit.weight", "odd.weight", "encoder.conv0.weight"] {
        assert!(super::distance(&one, &two, name) > 0.0, "{name}");
    }
}
