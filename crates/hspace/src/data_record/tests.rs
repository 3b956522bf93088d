use super::*;
use crate::dataset::{Reading, Role, Samples};

/// Vectors of one number.
struct Scalars(Vec<[f32; 1]>, Option<[f64; 1]>);

impl Samples for Scalars {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        Ok(Sample::Vector(self.0[index][..].into()))
    }

    fn shift(&self) -> Option<&[f64]> {
        self.1.as_ref().map(|shift| &shift[..])
    }
}

/// Id, split, class, value.
type Row = (&'static str, Split, &'static str, f32);

const ROWS: [Row; 6] = [
    ("a", Split::Train, "cat", 1.0),
    ("b", Split::Train, "dog", 2.0),
    ("c", Split::Train, "cat", 3.0),
    ("d", Split::Train, "dog", 4.0),
    ("v", Split::Val, "dog", 5.0),
    ("t", Split::Test, "cat", 6.0),
];

fn dataset(rows: &[Row]) -> Dataset {
    let mut names: Vec<String> = rows.iter().map(|row| row.2.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    let place = |name: &str| names.iter().position(|n| n == name).map(|i| i as u32);
    let index = rows.iter().map(|row| place(row.2)).collect();
    Dataset {
        name: "data".into(),
        kind: Kind::Vectors,
        shape: Shape::Vector { dim: 1 },
        ids: rows.iter().map(|row| row.0.to_owned()).collect(),
        columns: vec![Column {
            name: "animal".into(),
            role: Role::Label,
            values: Values::Classes { names, index },
        }],
        split: rows.iter().map(|row| row.1).collect(),
        bad: vec![],
        reading: Reading::default(),
        samples: Box::new(Scalars(rows.iter().map(|row| [row.3]).collect(), None)),
    }
}

fn record(of: &Dataset) -> DataRecord {
    DataRecord::new(of, "auto", &of.indices(Split::Train), None).unwrap()
}

/// What has changed since, in `rows` instead of [`ROWS`].
fn changes(rows: &[Row]) -> Vec<String> {
    record(&dataset(&ROWS)).changes(&dataset(rows))
}

fn with(change: impl FnOnce(&mut Vec<Row>)) -> Vec<Row> {
    let mut rows = ROWS.to_vec();
    change(&mut rows);
    rows
}

#[test]
fn written_and_read_it_is_the_same_and_nothing_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&folder.path().join("run"), false).unwrap();
    assert_eq!(DataRecord::read(&folder).unwrap(), None);
    let dataset = dataset(&ROWS);
    let record = record(&dataset);
    record.write(&folder).unwrap();
    let read = DataRecord::read(&folder).unwrap().unwrap();
    assert_eq!(read, record);
    assert!(read.changes(&dataset).is_empty());
    assert!(read.warnings("runs/a", &dataset).is_empty());
    let about = &read.about;
    assert_eq!(
        [about.train, about.val, about.test, about.learned],
        [4, 1, 1, 4]
    );
    assert_eq!(about.classes, ["cat", "dog"]);
}

#[test]
fn every_change_is_named() {
    let cases: [(Vec<Row>, &[&str]); 9] = [
        (
            with(|rows| rows.insert(2, ("new", Split::Train, "cat", 0.0))),
            &["1 sample was added (first: new)"],
        ),
        (
            with(|rows| drop(rows.drain(1..3))),
            &["2 samples are gone (first: b)"],
        ),
        (
            with(|rows| rows[3].1 = Split::Test),
            &["1 sample is in another split (first: d, was train, is test)"],
        ),
        (
            with(|rows| rows[4].2 = "cat"),
            &["1 sample has another label (first: v, was `dog`, is `cat`)"],
        ),
        (
            with(|rows| {
                rows.iter_mut()
                    .filter(|r| r.2 == "cat")
                    .for_each(|r| r.2 = "kitten")
            }),
            &[
                "class `cat` is now `kitten`",
                "the order of classes differs: was `kitten`, `dog`; is `dog`, `kitten`",
            ],
        ),
        (
            with(|rows| rows[0].2 = "ant"),
            &[
                "class `ant` is new",
                "1 sample has another label (first: a, was `cat`, is `ant`)",
            ],
        ),
        (
            with(|rows| rows.swap(0, 1)),
            &["the samples are in another order"],
        ),
        (
            with(|rows| rows[2].3 += 1e-3),
            &["1 of 4 compared samples has other values (first: c)"],
        ),
        (
            // Test samples are not compared by value, nor their labels.
            with(|rows| (rows[5].2, rows[5].3) = ("dog", 7.0)),
            &[],
        ),
    ];
    for (rows, expected) in cases {
        assert_eq!(changes(&rows), expected);
    }
    let record = record(&dataset(&ROWS));
    let wider = Dataset {
        shape: Shape::Vector { dim: 2 },
        columns: vec![],
        ..dataset(&ROWS)
    };
    let expected = [
        "samples are vectors of length 2, were vectors of length 1",
        "the task `animal` is gone",
    ];
    assert_eq!(record.changes(&wider), expected);
    let mut reversed = dataset(&ROWS);
    if let Values::Classes { names, index } = &mut reversed.columns[0].values {
        names.reverse();
        index
            .iter_mut()
            .flatten()
            .for_each(|class| *class = 1 - *class);
    }
    let expected = "the order of classes differs: was `cat`, `dog`; is `dog`, `cat`";
    assert_eq!(record.changes(&reversed), [expected]);
    // Elsewhere too.
    reversed.name = "copy".into();
    let warning = format!("copy is not the data of runs/a: {expected}");
    assert_eq!(record.warnings("runs/a", &reversed), [warning]);
}

#[test]
fn of_hashed_ids_changes_are_counted() {
    let before = dataset(&ROWS);
    let learned = before.indices(Split::Train);
    let record = DataRecord::build(&before, "auto", &learned, None, true).unwrap();
    assert!(record.changes(&before).is_empty());
    let cases: [(Vec<Row>, &[&str]); 3] = [
        (
            with(|rows| rows[0].0 = "new"),
            &["1 sample was added (first: new)", "1 sample is gone"],
        ),
        (
            with(|rows| rows[1].2 = "cat"),
            &["labels of train or val samples differ"],
        ),
        (
            with(|rows| rows[1].1 = Split::Test),
            &["1 sample is in another split (first: b, was train, is test)"],
        ),
    ];
    for (rows, expected) in cases {
        assert_eq!(record.changes(&dataset(&rows)), expected);
    }
    let leak = record.warnings("runs/a", &dataset(&with(|rows| rows[1].1 = Split::Test)));
    assert!(
        leak[0].starts_with("1 of the test samples of data was"),
        "{leak:?}"
    );
}

#[test]
fn test_samples_that_were_learned_from_are_noticed() {
    let record = record(&dataset(&ROWS));
    let mut other = dataset(&with(|rows| {
        (rows[0].1, rows[2].1) = (Split::Test, Split::Test)
    }));
    other.name = "other".into();
    let expected = "2 of the test samples of other were training samples of runs/a (first: a): its \
                    results there are too good";
    assert_eq!(record.warnings("runs/a", &other), [expected]);
    // Other samples that happen to have the same ids.
    let numbered = with(|rows| {
        rows.iter_mut()
            .for_each(|row| (row.1, row.3) = (Split::Test, 0.5))
    });
    let mut numbered = dataset(&numbered);
    numbered.name = "other".into();
    assert!(record.warnings("runs/a", &numbered).is_empty());
}

#[test]
fn what_was_learned_from_earlier_stays_known() {
    let first = record(&dataset(&ROWS));
    let rest = dataset(&with(|rows| {
        rows[1].1 = Split::Test;
        rows.remove(0);
    }));
    for hashed in [false, true] {
        let learned = rest.indices(Split::Train);
        let record = DataRecord::build(&rest, "auto", &learned, Some(&first), hashed).unwrap();
        assert_eq!(record.about.learned, 4);
        assert!(record.changes(&rest).is_empty());
        let test = with(|rows| (rows[0].1, rows[1].1) = (Split::Test, Split::Test));
        let leak = record.warnings("runs/a", &dataset(&test));
        assert!(leak[0].starts_with("2 of the test samples"), "{leak:?}");
    }
}

#[test]
fn hashes_of_vectors_do_not_depend_on_the_shift() {
    let shifted = |shift: f64| {
        let mut dataset = dataset(&ROWS);
        let values = ROWS.map(|row| [(f64::from(row.3) - shift) as f32]);
        dataset.samples = Box::new(Scalars(values.to_vec(), Some([shift])));
        dataset
    };
    assert!(record(&shifted(0.25)).changes(&shifted(-100.5)).is_empty());
}
