use super::*;
use crate::dataset::{Kind, Reading, Role, Sample, Samples, Shape, Split, Values};

const ROWS: usize = 90;

struct Table(Vec<[f32; 3]>);

impl Samples for Table {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        Ok(Sample::Vector(self.0[index][..].into()))
    }
}

fn split(row: usize) -> Split {
    match row % 3 {
        2 => Split::Test,
        _ => Split::Train,
    }
}

/// Vectors near one of two classes, a third of them test samples. Rows that are `changed` have other values and the other class.
fn dataset(changed: &dyn Fn(usize) -> bool) -> Dataset {
    let class = |row: usize| (row / 6 % 2) as u32 ^ u32::from(changed(row));
    let value = |row: usize, j: usize| {
        let noise = ((row * 7919 + j * 104_729) % 1009) as f32 / 1009.0;
        noise + class(row) as f32 + if changed(row) { 1000.0 } else { 0.0 }
    };
    Dataset {
        name: "table".into(),
        kind: Kind::Vectors,
        shape: Shape::Vector { dim: 3 },
        ids: (0..ROWS).map(|row| format!("row/{row}")).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values: Values::Classes {
                names: vec!["a".into(), "b".into()],
                index: (0..ROWS).map(|row| Some(class(row))).collect(),
            },
        }],
        split: (0..ROWS).map(split).collect(),
        bad: vec![],
        reading: Reading::default(),
        samples: Box::new(Table(
            (0..ROWS)
                .map(|row| [0, 1, 2].map(|j| value(row, j)))
                .collect(),
        )),
    }
}

/// Answers for every other test row, learned from every third training row with its label.
fn answers(data: &Dataset) -> Result<(Vec<f64>, String)> {
    let stop = AtomicBool::new(false);
    let like = supervised_settings("mlp:width=64", data, "cpu")?;
    let budget = SupervisedBudget {
        steps: 200,
        ..SupervisedBudget::default()
    };
    let rows = (0..ROWS).collect();
    let task = &data.columns[0];
    let made = supervised("supervised:mlp", like, data, rows, task, budget, &stop)?;
    let Contender::PerDraw { answer, origin, .. } = made else {
        panic!("it learns from each draw");
    };
    let of = |wanted: Split| (0..ROWS).filter(move |&row| split(row) == wanted);
    let train: Vec<usize> = of(Split::Train).collect();
    let labelled: Vec<usize> = train.iter().copied().step_by(3).collect();
    let test: Vec<usize> = of(Split::Test).step_by(2).collect();
    let values = answer(&Draw {
        labelled: &labelled,
        train: &train,
        test: &test,
        seed: 7,
    })?;
    Ok((values, origin))
}

#[test]
fn answers_are_probabilities_of_what_was_learned() -> Result<()> {
    let (values, _) = answers(&dataset(&|_| false))?;
    let rows = values.chunks_exact(2);
    assert_eq!(rows.len(), 15);
    assert!(rows.clone().all(|p| (p[0] + p[1] - 1.0).abs() < 1e-9));
    let right = rows.enumerate().filter(|(i, p)| {
        let row = 2 + 6 * i;
        (p[1] > 0.5) == (row / 6 % 2 == 1)
    });
    let right = right.count();
    assert!(right >= 13, "{right} of 15");
    Ok(())
}

/// Neither a test row that is not asked for nor its label changes an answer by a bit; a training row does, and so does its label where it is in
/// the draw.
#[test]
fn a_learner_cannot_see_test_rows() -> Result<()> {
    let (plain, origin) = answers(&dataset(&|_| false))?;
    assert_eq!(
        answers(&dataset(&|_| false))?,
        (plain.clone(), origin.clone())
    );
    let hidden = |row: usize| split(row) == Split::Test && row / 3 % 2 == 1;
    let (unseen, other) = answers(&dataset(&hidden))?;
    assert_eq!(unseen, plain);
    assert_ne!(other, origin, "what is asked for later has changed");
    let trained = |row: usize| row == 0;
    assert_ne!(answers(&dataset(&trained))?.0, plain);
    Ok(())
}

#[test]
fn only_classes_are_learned() -> Result<()> {
    let mut data = dataset(&|_| false);
    data.columns[0].values = Values::Numbers(vec![Some(1.0); ROWS]);
    let refused = answers(&data).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(refused.contains("learns classes"), "{refused}");
    Ok(())
}
