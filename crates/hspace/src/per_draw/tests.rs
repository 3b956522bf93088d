use super::*;
use crate::dataset::{Kind, Reading, Role, Sample, Samples, Shape, Split, Values};
use crate::learner::methods;

const ROWS: usize = 90;

const SOURCE: &str = "supervised:mlp:width=64";

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

fn column(name: &str, role: Role, class: &dyn Fn(usize) -> u32) -> Column {
    Column {
        name: name.into(),
        role,
        values: Values::Classes {
            names: vec!["a".into(), "b".into()],
            index: (0..ROWS).map(|row| Some(class(row))).collect(),
        },
    }
}

/// Methods that learn from vectors, which cannot be turned.
fn methods_of_vectors() -> impl Iterator<Item = &'static str> {
    let all = methods().map(|(method, _)| method);
    all.filter(|method| *method != "rotation")
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
        columns: vec![
            column("label", Role::Label, &|row| class(row)),
            column("site", Role::Domain, &|row| (row / 2 % 2) as u32),
        ],
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
fn answers(source: &str, data: &Dataset) -> Result<(Vec<f64>, String)> {
    let of = |wanted: Split| (0..ROWS).filter(move |&row| split(row) == wanted);
    let test: Vec<usize> = of(Split::Test).step_by(2).collect();
    asked(source, data, &of(Split::Train).collect::<Vec<_>>(), &test)
}

/// The same in a fold that tests other rows than the data's own split does, whose training rows are of all splits.
fn answers_in_fold(source: &str, data: &Dataset) -> Result<Vec<f64>> {
    let train: Vec<usize> = (0..ROWS).filter(|&row| !is_tested(row)).collect();
    let test: Vec<usize> = (0..ROWS).filter(|&row| is_tested(row)).collect();
    Ok(asked(source, data, &train, &test)?.0)
}

/// The fold tests training rows and test rows of the data.
fn is_tested(row: usize) -> bool {
    row % 5 == 1
}

/// Answers for `test`, learned from the rows `train`, of which every third has its label.
fn asked(
    source: &str,
    data: &Dataset,
    train: &[usize],
    test: &[usize],
) -> Result<(Vec<f64>, String)> {
    let stop = AtomicBool::new(false);
    let Some(learner) = Learner::parse(source) else {
        panic!("{source} is no method");
    };
    let learner = learner?;
    let per_draw = PerDraw {
        name: source.to_owned(),
        base: learner.base(&[], "cpu")?,
        learner,
        dataset: data,
        rows: (0..ROWS).collect(),
        budget: Budget::default(),
        labels_alone: None,
    };
    let made = per_draw.contender(&data.columns[0], &stop)?;
    let Contender::PerDraw { answer, origin, .. } = made else {
        panic!("it learns from each draw");
    };
    let labelled: Vec<usize> = train.iter().copied().step_by(3).collect();
    let values = answer(&Draw {
        labelled: &labelled,
        train,
        test,
        seed: 7,
    })?;
    Ok((values, origin))
}

#[test]
fn answers_are_probabilities_of_what_was_learned() -> Result<()> {
    for method in methods_of_vectors() {
        // In so few steps little but its penalty is learned.
        let lighter = if method == "irm" { ":weight=1.0" } else { "" };
        let source = format!("{method}:mlp:width=64:train.steps=300{lighter}");
        let (values, _) = answers(&source, &dataset(&|_| false))?;
        let rows = values.chunks_exact(2);
        assert_eq!(rows.len(), 15);
        assert!(rows.clone().all(|p| (p[0] + p[1] - 1.0).abs() < 1e-9));
        let right = rows.enumerate().filter(|(i, p)| {
            let row = 2 + 6 * i;
            (p[1] > 0.5) == (row / 6 % 2 == 1)
        });
        let right = right.count();
        assert!(right >= 13, "{method}: {right} of 15");
    }
    Ok(())
}

/// Neither a test row that is not asked for nor its label changes an answer of any method by a bit; a training row does.
#[test]
fn no_method_can_see_test_rows() -> Result<()> {
    for method in methods_of_vectors() {
        let source = format!("{method}:mlp:width=8:train.steps=6");
        let (plain, origin) = answers(&source, &dataset(&|_| false))?;
        let again = answers(&source, &dataset(&|_| false))?;
        assert_eq!(again, (plain.clone(), origin.clone()), "{method}");
        let hidden = |row: usize| split(row) == Split::Test && row / 3 % 2 == 1;
        let (unseen, other) = answers(&source, &dataset(&hidden))?;
        assert_eq!(unseen, plain, "{method}");
        assert_ne!(
            other, origin,
            "{method}: what is asked for later has changed"
        );
        let trained = |row: usize| row == 0;
        assert_ne!(answers(&source, &dataset(&trained))?.0, plain, "{method}");
    }
    Ok(())
}

/// In a fold neither the values nor the label of a row that it tests change the answer for another row by a bit, whatever the split of the data
/// says; a row that the data test and the fold learns from does.
#[test]
fn no_method_can_see_rows_that_its_fold_tests() -> Result<()> {
    let tested: Vec<usize> = (0..ROWS).filter(|&row| is_tested(row)).collect();
    // Of these rows of the fold, some are training rows of the data.
    let hidden = |row: usize| is_tested(row) && row % 2 == 1;
    assert!(
        tested
            .iter()
            .any(|&row| hidden(row) && split(row) == Split::Train)
    );
    let kept: Vec<usize> = (0..tested.len()).filter(|&i| !hidden(tested[i])).collect();
    let of_kept = |values: &[f64]| -> Vec<f64> {
        kept.iter()
            .flat_map(|&i| values[2 * i..2 * i + 2].to_vec())
            .collect()
    };
    for method in methods_of_vectors() {
        let source = format!("{method}:mlp:width=8:train.steps=6");
        let plain = answers_in_fold(&source, &dataset(&|_| false))?;
        assert_eq!(plain.len(), 2 * tested.len(), "{method}");
        let unseen = answers_in_fold(&source, &dataset(&hidden))?;
        assert_eq!(of_kept(&unseen), of_kept(&plain), "{method}");
        assert_ne!(unseen, plain, "{method}: rows are answered by their values");
        // The first row of the fold's draw that the data's own split tests.
        let learned = (0..ROWS).filter(|&row| !is_tested(row)).step_by(3);
        let learned = learned.into_iter().find(|&row| split(row) == Split::Test);
        let learned = |row: usize| Some(row) == learned;
        let moved = answers_in_fold(&source, &dataset(&learned))?;
        assert_ne!(moved, plain, "{method}");
    }
    Ok(())
}

/// A training row outside the draw is seen by methods that learn from unlabelled samples, and by no other; its label by none.
#[test]
fn labels_outside_the_draw_are_not_seen() -> Result<()> {
    let outside = |row: usize| row == 3;
    assert_eq!(split(3), Split::Train);
    for (method, alone) in [
        ("supervised", true),
        ("finetune", true),
        ("mean_teacher", false),
        ("fixmatch", false),
    ] {
        let source = format!("{method}:mlp:width=8:train.steps=6");
        let plain = answers(&source, &dataset(&|_| false))?.0;
        let mut relabelled = dataset(&|_| false);
        let Values::Classes { index, .. } = &mut relabelled.columns[0].values else {
            panic!("it has classes");
        };
        index[3] = index[3].map(|class| 1 - class);
        assert_eq!(answers(&source, &relabelled)?.0, plain, "{method}");
        let moved = answers(&source, &dataset(&outside))?.0;
        // The input's mean and spread are of all training rows.
        if !alone {
            assert_ne!(moved, plain, "{method}");
        }
    }
    Ok(())
}

#[test]
fn settings_go_where_they_belong() {
    let text = "fixmatch:mlp:width=8:ratio=3:train.steps=5:train.ema=0.5";
    let learner = Learner::parse(text).unwrap().unwrap();
    assert_eq!(learner.untrained().as_deref(), Some("mlp:width=8"));
    assert_eq!(learner.objective().unwrap().streams()[1].ratio, 3);
    assert_eq!(learner.settings["train"]["steps"].as_integer(), Some(5));
    let refused = |text: &str| Learner::parse(text).unwrap().unwrap_err().to_string();
    let wrong = refused("fixmatch:mlp:raito=3");
    assert!(
        wrong.contains("raito") && wrong.contains("ratio"),
        "{wrong}"
    );
    let wrong = refused("simclr:cnn");
    assert!(
        wrong.contains("no head") && wrong.contains("hspace train"),
        "{wrong}"
    );
    let wrong = refused("supervised:cmn");
    assert!(wrong.contains("cnn"), "{wrong}");
    let wrong = refused("fixmatch:mlp:threshold=1.5");
    assert!(wrong.contains("threshold=1.5"), "{wrong}");
}

#[test]
fn only_classes_are_learned() -> Result<()> {
    let mut data = dataset(&|_| false);
    data.columns[0].values = Values::Numbers(vec![Some(1.0); ROWS]);
    let refused = answers(SOURCE, &data).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(refused.contains("learns classes"), "{refused}");
    Ok(())
}
