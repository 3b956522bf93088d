use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::dataset::{Image, OpenOptions, Pixels, Sample, Samples};

/// Tiny images given as they are; `None` cannot be read.
struct Given(Vec<Option<Image<'static>>>);

impl Samples for Given {
    fn get(&self, index: usize) -> Result<Sample<'_>> {
        let broken = || Error::file("somewhere", "cut short");
        self.0[index].clone().map(Sample::Image).ok_or_else(broken)
    }
}

fn grey(values: &[u8]) -> Option<Image<'static>> {
    let pixels = Pixels::U8(Cow::Owned(values.to_vec()));
    Some(Image {
        width: values.len(),
        height: 1,
        channels: 1,
        pixels,
    })
}

fn dataset(images: Vec<Option<Image<'static>>>, split: Vec<Split>, classes: Vec<u32>) -> Dataset {
    let names = (0..=classes.iter().copied().max().unwrap_or(0)).map(|c| format!("c{c}"));
    let index = classes.into_iter().map(Some).collect();
    let values = Values::Classes {
        names: names.collect(),
        index,
    };
    Dataset {
        name: "given".into(),
        kind: Kind::Grey,
        shape: Shape::Image {
            channels: 1,
            height: 1,
            width: 2,
        },
        ids: (0..images.len()).map(|i| format!("s{i}")).collect(),
        columns: vec![Column {
            name: "label".into(),
            role: Role::Label,
            values,
        }],
        split,
        bad: vec![BadFile {
            path: "early".into(),
            reason: "empty".into(),
        }],
        reading: Default::default(),
        samples: Box::new(Given(images)),
    }
}

const TRAIN: Split = Split::Train;
const TEST: Split = Split::Test;

#[test]
fn everything_is_counted() {
    let wide = Image {
        width: 1,
        height: 1,
        channels: 1,
        pixels: Pixels::U16(vec![65_535].into()),
    };
    let images = vec![
        grey(&[0, 255]),
        grey(&[0, 255]),
        None,
        Some(wide),
        grey(&[0, 255]),
    ];
    let data = dataset(
        images,
        vec![TRAIN, TRAIN, TRAIN, TEST, TEST],
        vec![0, 0, 0, 1, 1],
    );
    let last = AtomicUsize::new(0);
    let found = check(&data, &|done, all| {
        last.store(done * 10 + all, Ordering::Relaxed)
    })
    .unwrap();
    assert_eq!(last.into_inner(), 55);
    assert_eq!((found.train, found.test), (2, 2));
    let sizes = Sizes {
        min: [1, 1],
        median: [2, 1],
        max: [2, 1],
        distinct: 2,
    };
    assert_eq!(found.sizes, Some(sizes));
    assert_eq!(found.bits, BTreeMap::from([(8, 3), (16, 1)]));
    // Three zeros and four ones.
    assert!((found.mean[0] - 4.0 / 7.0).abs() < 1e-6);
    assert!((found.std[0] - (12f32 / 49.0).sqrt()).abs() < 1e-6);
    let d = &found.duplicates;
    assert_eq!((d.within_train, d.within_test, d.across), (1, 0, 1));
    assert_eq!(d.examples, [["s0".to_string(), "s4".to_string()]]);
    let bad: Vec<&str> = found.bad.iter().map(|b| b.path.as_str()).collect();
    assert_eq!(bad, ["early", "s2"]);
    assert_eq!(found.bad[1].reason, "cut short");
    let count = |name: &str, train, test| ClassCount {
        name: name.into(),
        train,
        val: 0,
        test,
    };
    let counts = vec![count("c0", 2, 0), count("c1", 0, 2)];
    assert_eq!(found.columns[0].values, ValueFindings::Classes(counts));
    let text = found.to_string();
    for part in [
        "2 train, 2 test",
        "1x1 to 2x1, median 2x1, 2 different",
        "1 test samples are also in the training set",
        "label: 1 classes without a training sample: c1",
        "label: 1 classes of fewer than 5 training samples: c0",
        "s2: cut short",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(serde_json::to_string(&found).is_ok());
}

#[test]
fn one_class_and_imbalance_are_warned_about() {
    let many = |n: u8| (0..n).map(|i| grey(&[i, i])).collect::<Vec<_>>();
    let found = check(&dataset(many(6), vec![TRAIN; 6], vec![0; 6]), &|_, _| ()).unwrap();
    assert!(found.to_string().contains("one class only (c0)"), "{found}");
    assert!(found.to_string().contains("no test samples"), "{found}");
    let classes = [vec![0; 60], vec![1; 6]].concat();
    let found = check(&dataset(many(66), vec![TRAIN; 66], classes), &|_, _| ()).unwrap();
    assert!(
        found
            .to_string()
            .contains("unbalanced, 60 of c0 but 6 of c1"),
        "{found}"
    );
    let none = check(&dataset(vec![None], vec![TRAIN], vec![0]), &|_, _| ());
    assert!(
        none.err()
            .unwrap()
            .to_string()
            .contains("not one sample can be read: cut short")
    );
}

#[test]
fn statistics_look_at_training_samples_alone() {
    let images = vec![grey(&[255, 255]), grey(&[0, 0]), grey(&[255, 255])];
    let data = dataset(images, vec![TEST, TRAIN, TEST], vec![0; 3]);
    assert_eq!(
        channel_statistics(&data, 2_000).unwrap(),
        (vec![0.0], vec![1.0])
    );
    assert!(channel_statistics(&data, 0).is_err());
    let shapes = Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap();
    let (mean, std) = channel_statistics(&shapes, 2_000).unwrap();
    assert!(mean.len() == 3 && mean[1] == 0.0 && std[0] > 0.1);
}
