use super::*;
use crate::error::Result;
use crate::probe::tests::{data, nearest, short as options};
use crate::probe::{Contender, Estimate, ProbeOptions, join, measure};

/// What is measured of [`data`] as `a` and of a source called `method`, which says that `besides` is learned from besides labels.
fn measured(options: &ProbeOptions, baseline: &str, probe: Option<&str>) -> Result<Measurements> {
    let mut method = nearest("method", 3, &|| Ok(()));
    if let Contender::PerDraw { labels_alone, .. } = &mut method {
        *labels_alone = Some(LabelsAlone {
            baseline: baseline.into(),
            probe: probe.map(String::from),
            besides: "the unlabelled samples".into(),
        });
    }
    let supervised = nearest("supervised", 3, &|| Ok(()));
    let contenders = vec![Contender::Fixed(data("a")), method, supervised];
    measure(contenders, options, "test", &mut |_| ())
}

/// Makes `a` better than `b` by .031 under `probe`.
fn decide(m: &mut Measurements, probe: &str, labels: Labels, a: &str, b: &str, seen: bool) {
    let difference = Estimate {
        mean: 0.031,
        low: if seen { 0.010 } else { -0.004 },
        high: 0.052,
    };
    let is_pair = |c: &&mut Comparison| {
        let names = [c.a.as_str(), c.b.as_str()];
        (c.probe.as_str(), c.labels) == (probe, labels) && names.contains(&a) && names.contains(&b)
    };
    let pair = m.comparisons.iter_mut().find(is_pair).expect("a pair");
    *pair = Comparison {
        a: a.into(),
        b: b.into(),
        difference,
        by_itself: Some(difference),
        seen,
        ..pair.clone()
    };
}

#[test]
fn what_is_worse_than_the_labels_alone_is_said_at_each_number_of_labels() -> Result<()> {
    let mut m = measured(&options(), "supervised", None)?;
    // Both answer alike, so no difference is seen.
    assert_eq!(m.worse_than_labels_alone(), Vec::<String>::new());
    assert!(!m.table().contains("do harm"));
    let few = Labels::PerClass(10);
    decide(&mut m, "linear", few, "supervised", "method", true);
    decide(&mut m, "linear", Labels::All, "supervised", "method", true);
    let [first, second] = &m.worse_than_labels_alone()[..] else {
        panic!("{:?}", m.worse_than_labels_alone());
    };
    assert_eq!(
        first,
        "method is worse than supervised at 10 labels a class: −.031 (−.052 to −.010): here the unlabelled samples do harm"
    );
    assert!(second.contains(" with all labels: −.031"), "{second}");
    assert!(
        m.table().contains(&format!("warning: {first}\n")),
        "{}",
        m.table()
    );
    // A method that is better, or not seen to be worse, does no harm.
    decide(&mut m, "linear", few, "method", "supervised", true);
    decide(&mut m, "linear", Labels::All, "supervised", "method", false);
    assert_eq!(m.worse_than_labels_alone(), Vec::<String>::new());
    Ok(())
}

/// Each probe has its table; the baseline's own is asked.
#[test]
fn a_method_on_features_is_compared_with_the_probe_on_them() -> Result<()> {
    let mut m = measured(&options(), "a", Some("linear"))?;
    for probe in ["linear", "knn"] {
        decide(&mut m, probe, Labels::All, "method", "a", true);
    }
    decide(&mut m, "knn", Labels::All, "a", "method", true);
    assert_eq!(m.worse_than_labels_alone(), Vec::<String>::new());
    decide(&mut m, "linear", Labels::All, "a", "method", true);
    let harm = m.worse_than_labels_alone();
    assert!(
        harm.len() == 1 && harm[0].starts_with("method is worse than the linear probe on a with"),
        "{harm:?}"
    );
    let without = ProbeOptions {
        probes: vec!["knn".into()],
        ..options()
    };
    let m = measured(&without, "a", Some("linear"))?;
    assert_eq!(
        m.without_labels_alone(),
        ["method is not compared with the labels alone: the linear probe on a is not measured"]
    );
    Ok(())
}

#[test]
fn a_baseline_that_is_not_measured_is_named() -> Result<()> {
    let mut m = measured(&options(), "supervised:mlp", None)?;
    let text = "method is not compared with the labels alone: supervised:mlp is not measured";
    assert_eq!(m.without_labels_alone(), [text]);
    assert!(m.table().contains(&format!("note: {text}\n")));
    // What there was no time for is said elsewhere.
    m.left_out = vec!["supervised:mlp (2 of 7 draws of labels)".into()];
    assert_eq!(m.without_labels_alone(), Vec::<String>::new());
    Ok(())
}

/// A baseline of another file is found by its name, and followed where that changes.
#[test]
fn joined_measurements_keep_who_is_compared_with_whom() -> Result<()> {
    let both = measured(&options(), "supervised", None)?;
    let mut method = nearest("method", 3, &|| Ok(()));
    if let Contender::PerDraw { labels_alone, .. } = &mut method {
        *labels_alone = Some(both.labels_alone[0].1.clone());
    }
    let alone = |of| measure(vec![of], &options(), "test", &mut |_| ());
    let method = alone(method)?;
    assert_eq!(method.without_labels_alone().len(), 1);
    let files = |a: Measurements, b: Measurements| vec![("a".into(), a), ("b".into(), b)];
    let supervised = alone(nearest("supervised", 3, &|| Ok(())))?;
    let joined = join(files(method, supervised), "pixels")?;
    assert_eq!(joined.labels_alone, both.labels_alone);
    assert!(joined.without_labels_alone().is_empty());
    // Another source of the same name, in the first file.
    let mut other = data("supervised");
    other.features.data.iter_mut().for_each(|x| *x = -*x * *x);
    let joined = join(files(alone(Contender::Fixed(other))?, both), "pixels")?;
    assert_eq!(joined.labels_alone[0].1.baseline, "supervised (b)");
    assert!(joined.without_labels_alone().is_empty());
    Ok(())
}

/// Corrected for all pairs of the table no difference is seen, and by itself the pair has one: it was asked for before.
#[test]
fn harm_is_said_by_the_interval_of_the_pair_by_itself() -> Result<()> {
    let mut m = measured(&options(), "supervised", None)?;
    let few = Labels::PerClass(10);
    decide(&mut m, "linear", few, "supervised", "method", false);
    assert_eq!(m.worse_than_labels_alone(), Vec::<String>::new());
    let own = |c: &&mut Comparison| c.labels == few && c.a == "supervised" && c.b == "method";
    let pair = m.comparisons.iter_mut().find(own).expect("a pair");
    pair.by_itself = Some(Estimate {
        low: 0.002,
        ..pair.difference
    });
    let said = m.worse_than_labels_alone();
    assert!(
        said[0].contains("(−.052 to −.002)") && said.len() == 1,
        "{said:?}"
    );
    Ok(())
}
