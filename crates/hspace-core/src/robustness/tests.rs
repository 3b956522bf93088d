use super::*;
use crate::corruptions::SUITES;
use crate::dataset::{Dataset, OpenOptions, Sample, Split};

#[test]
fn corrupted_samples_follow_the_clean_ones_and_keep_their_labels() {
    let open = || Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap();
    let (count, test) = (open().len(), open().indices(Split::Test));
    let rows = &test[..4];
    let noise = SUITES[0].corruption("gaussian_noise").unwrap();
    let both = corrupted(open(), rows, &[(noise, 1), (noise, 5)], 0).unwrap();
    assert_eq!(both.len(), count + 8);
    let task = both.task().unwrap();
    for (i, &row) in rows.iter().enumerate() {
        let copy = count + 4 + i;
        let (Values::Classes { index, .. }, Sample::Image(own), Sample::Image(clean)) = (
            &task.values,
            both.samples.get(copy).unwrap(),
            both.samples.get(row).unwrap(),
        ) else {
            panic!("images of classes");
        };
        assert_eq!(index[copy], index[row]);
        assert_eq!((own.height, own.width), (clean.height, clean.width));
        assert_ne!(own, clean);
        assert!(both.ids[copy].starts_with("gaussian_noise 5/"));
        assert_eq!(both.split[copy], Split::Test);
    }
    // Other test samples are not tested.
    assert!(!task.values.is_known(test[4]));
    let vectors = Dataset {
        shape: crate::dataset::Shape::Vector { dim: 3 },
        ..open()
    };
    assert!(corrupted(vectors, rows, &[(noise, 1)], 0).is_err());
    assert!(corrupted(both, rows, &[(noise, 1)], 0).is_err());
}

/// Errors of .1 and .3 over a corruption, of .2 and .2 over the other; of the baseline .4 in all four.
#[test]
fn the_corruption_error_is_a_mean_of_ratios_of_sums() {
    let condition = |corruption: &str, severity| Condition {
        corruption: corruption.into(),
        severity,
    };
    let conditions = [
        condition("fog", 1),
        condition("fog", 2),
        condition("snow", 1),
        condition("snow", 2),
    ];
    let own = [0.9, 0.7, 0.8, 0.8];
    let found = estimates::corruption_error(&conditions, &|c| [own[c - 1], 0.6]);
    assert!((found - 0.5).abs() < 1e-12, "{found}");
}

/// A source that answers right for clean samples, and at severity 2 for half of the samples, with less certainty.
#[test]
fn scores_are_those_of_the_answers() {
    let n = 200;
    let names = |of: &[&str]| of.iter().map(|s| s.to_string()).collect::<Vec<String>>();
    let class = |row: usize| (row % 2) as u32;
    // 40 training samples, 80 test samples, and the same 80 corrupted.
    let condition = |row: usize| u32::from(row >= 120);
    let column =
        |name: &str, role, own: &[&str], of: &dyn Fn(usize) -> u32| crate::dataset::Column {
            name: name.into(),
            role,
            values: Values::Classes {
                names: names(own),
                index: (0..n).map(|row| Some(of(row))).collect(),
            },
        };
    let samples = crate::representation::Representation {
        name: "mine".into(),
        features: crate::matrix::Matrix::zeros(n, 0),
        ids: (0..n).map(|row| row.to_string()).collect(),
        columns: vec![
            column("label", Role::Label, &["a", "b"], &class),
            column(CONDITION, Role::Domain, &["clean", "fog 2"], &condition),
        ],
        split: (0..n)
            .map(|row| if row < 40 { Split::Train } else { Split::Test })
            .collect(),
        origin: String::new(),
        shift: Vec::new(),
    };
    let answer = move |draw: &crate::probe::Draw<'_>| {
        assert!(draw.train.iter().all(|&row| row < 40));
        let one = |&row: &usize| {
            let is_wrong = row >= 120 && row % 4 < 2;
            let said = class(row) ^ u32::from(is_wrong);
            let sure = if is_wrong { 0.6 } else { 0.9 };
            match said {
                0 => [sure, 1.0 - sure],
                _ => [1.0 - sure, sure],
            }
        };
        Ok(draw.test.iter().flat_map(one).collect())
    };
    let contender = Contender::PerDraw {
        name: "mine".into(),
        samples: Box::new(samples),
        origin: String::new(),
        draws: 1,
        labels_alone: None,
        answer: Box::new(answer),
    };
    let fog = Condition {
        corruption: "fog".into(),
        severity: 2,
    };
    let options = ProbeOptions {
        labels: vec![Labels::All],
        ..ProbeOptions::default()
    };
    let (mut limits, say) = (Limits::default(), &mut |_: &str| ());
    let found = measure(
        &[contender],
        &[fog],
        "test",
        &options,
        "data",
        &mut limits,
        say,
    )
    .unwrap();
    assert_eq!(found.samples, 80);
    let row = &found.rows[0];
    assert_eq!((row.clean.accuracy.mean, row.corrupted.mean), (1.0, 0.5));
    assert!((row.kept.mean - 0.5).abs() < 1e-12 && row.kept.low < 0.5 && row.kept.high > 0.5);
    // The surer half is right; all answers are .75 sure on average.
    let condition = &row.conditions[0];
    assert_eq!(condition.confident_error, 0.0);
    assert!((condition.overconfidence - 0.25).abs() < 1e-9);
    assert!(row.corruption_error.is_none());
    assert!(
        found.headline().starts_with("mine keeps 50 %"),
        "{}",
        found.headline()
    );
    assert!(found.table().contains("fog"));
}
