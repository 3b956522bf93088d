use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::probe::tests::{data, nearest, short};
use crate::probe::{Contender, Limits, Measurements, ProbeOptions, measure_within};

/// Two sources and one that learns from each draw, which asks `may` first; answers are kept in `path`.
fn measured(
    path: Option<&Path>,
    options: &ProbeOptions,
    seed: Representation,
    deadline: Option<Instant>,
    may: &(dyn Fn() -> Result<()> + Sync),
) -> Result<(Measurements, Vec<String>)> {
    let contenders = vec![
        Contender::Fixed(seed),
        Contender::Fixed(data("pixels")),
        nearest("supervised", 3, may),
    ];
    let mut journal = path.map(Journal::open).transpose()?;
    let mut limits = Limits::new(journal.as_mut(), deadline);
    let found = measure_within(&contenders, options, "test", &mut limits, &mut |_| ())?;
    let notes = journal.map_or(Vec::new(), |journal| journal.notes().to_vec());
    Ok((found, notes))
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn a_measurement_goes_on_where_it_was_stopped() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let options = short();
    let fits = AtomicUsize::new(0);
    let count = || {
        fits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let (whole, _) = measured(None, &options, data("a"), None, &count)?;
    let all = fits.swap(0, Ordering::SeqCst);
    assert_eq!(all, 7);
    // It fails while it learns from the third draw or later.
    let stop = || match fits.fetch_add(1, Ordering::SeqCst) {
        0..3 => Ok(()),
        _ => Err(Error::data("stopped")),
    };
    assert!(measured(Some(&path), &options, data("a"), None, &stop).is_err());
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines(&path), 7 + 7 + 3);
    fits.store(0, Ordering::SeqCst);
    // A line that was cut off is measured again.
    let cut = before.trim_end().len() - 10;
    std::fs::write(&path, &before[..cut]).unwrap();
    let (found, notes) = measured(Some(&path), &options, data("a"), None, &count)?;
    assert_eq!(found, whole);
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(fits.swap(0, Ordering::SeqCst), 5);
    assert_eq!(lines(&path), 21);
    // Nothing is left to do; other probes are.
    assert_eq!(
        measured(Some(&path), &options, data("a"), None, &count)?.0,
        whole
    );
    assert_eq!((fits.load(Ordering::SeqCst), lines(&path)), (0, 21));
    let one = ProbeOptions {
        probes: vec!["knn".into()],
        ..short()
    };
    measured(Some(&path), &one, data("a"), None, &count)?;
    assert_eq!(lines(&path), 21);
    Ok(())
}

/// In folds a draw is kept once it is answered in all of them.
#[test]
fn a_measurement_in_folds_goes_on_where_it_was_stopped() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let options = ProbeOptions {
        folds: 3,
        ..short()
    };
    let fits = AtomicUsize::new(0);
    let count = || {
        fits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let (whole, _) = measured(None, &options, data("a"), None, &count)?;
    assert_eq!(fits.swap(0, Ordering::SeqCst), 3 * 7);
    let stop = || match fits.fetch_add(1, Ordering::SeqCst) {
        0..11 => Ok(()),
        _ => Err(Error::data("stopped")),
    };
    assert!(measured(Some(&path), &options, data("a"), None, &stop).is_err());
    // Eleven answers are three draws, and two folds of a fourth at most.
    let kept = lines(&path) - 14;
    assert!((1..=3).contains(&kept), "{kept}");
    fits.store(0, Ordering::SeqCst);
    let (found, notes) = measured(Some(&path), &options, data("a"), None, &count)?;
    assert_eq!((found, notes), (whole, Vec::<String>::new()));
    assert_eq!(fits.load(Ordering::SeqCst), 3 * (7 - kept));
    // Answers of folds are none for the data's own split.
    let (_, notes) = measured(Some(&path), &short(), data("a"), None, &count)?;
    assert!(
        notes[0].contains("other settings of the probes"),
        "{notes:?}"
    );
    Ok(())
}

/// A draw begins in all folds or in none.
#[test]
fn a_deadline_leaves_out_whole_draws_in_folds() -> Result<()> {
    let options = ProbeOptions {
        folds: 3,
        ..short()
    };
    let fits = AtomicUsize::new(0);
    let slow = || {
        fits.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200));
        Ok(())
    };
    // With many threads all draws would begin before any pace is known.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let found = pool.unwrap().install(|| {
        let mut limits = Limits::new(None, Some(Instant::now() + Duration::from_millis(300)));
        let one = vec![nearest("supervised", 3, &slow)];
        measure_within(&one, &options, "test", &mut limits, &mut |_| ())
    })?;
    let fits = fits.load(Ordering::SeqCst);
    assert!(fits > 0 && fits < 21 && fits.is_multiple_of(3), "{fits}");
    let draws: usize = found.rows.iter().map(|row| row.chosen.len()).sum();
    assert_eq!(draws, fits / 3);
    assert_eq!(
        found.left_out,
        [format!("supervised ({} of 7 draws of labels)", 7 - draws)]
    );
    Ok(())
}

#[test]
fn what_has_changed_is_measured_again_and_said() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let run = |options: &ProbeOptions, a: Representation| {
        measured(Some(&path), options, a, None, &|| Ok(()))
    };
    run(&short(), data("a"))?;
    let mut other = data("a");
    other.features.data[3] += 1e-3;
    let (found, notes) = run(&short(), other.clone())?;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("7 draws of a are of other weights"),
        "{notes:?}"
    );
    assert_eq!(lines(&path), 21);
    assert_eq!(
        found,
        measured(None, &short(), other.clone(), None, &|| Ok(()))?.0
    );
    let seed = ProbeOptions { seed: 5, ..short() };
    let (found, notes) = run(&seed, other.clone())?;
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(
        notes[2].contains("other settings of the probes"),
        "{notes:?}"
    );
    assert_eq!(found, measured(None, &seed, other, None, &|| Ok(()))?.0);
    Ok(())
}

#[test]
fn what_there_is_no_time_for_is_left_out_and_said() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let now = Some(Instant::now());
    let (nothing, _) = measured(Some(&path), &short(), data("a"), now, &|| Ok(()))?;
    assert!(nothing.rows.is_empty() && nothing.geometry.is_empty());
    assert_eq!(nothing.left_out, ["a", "pixels", "supervised"]);
    assert!(
        nothing
            .table()
            .contains("left out, for lack of time: a; pixels; supervised")
    );
    let (whole, _) = measured(Some(&path), &short(), data("a"), None, &|| Ok(()))?;
    // Two draws of `a` are lost: what is known of the others is shown.
    let text = std::fs::read_to_string(&path).unwrap();
    let some: String = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(i, _)| ![1, 2].contains(i))
        .map(|l| l.1)
        .collect();
    std::fs::write(&path, some).unwrap();
    let (found, _) = measured(Some(&path), &short(), data("a"), now, &|| Ok(()))?;
    assert_eq!(found.left_out, ["a (2 of 7 draws of labels)"]);
    assert_eq!(found.rows.len(), whole.rows.len());
    assert_eq!(found.rows[0].draws[..], whole.rows[0].draws[..1]);
    assert_eq!(found.rows[1].draws, whole.rows[1].draws);
    Ok(())
}

#[test]
fn a_file_of_something_else_and_one_in_use_are_refused() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    for other in ["a,b\n1,2\n", "{\"protocol\": 4}"] {
        std::fs::write(&path, other).unwrap();
        let text = Journal::open(&path).unwrap_err().to_string();
        assert!(
            text.contains("x.jsonl") && text.contains("no answers"),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    }
    let own = folder.path().join("own.jsonl");
    let _open = Journal::open(&own)?;
    let text = Journal::open(&own).unwrap_err().to_string();
    assert!(text.contains("another hspace"), "{text}");
    Ok(())
}
