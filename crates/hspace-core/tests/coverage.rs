//! A small version of `examples/coverage.rs`: intervals that do not hold the truth as often as they say fail here.

#[path = "../examples/coverage/cell.rs"]
mod cell;
#[path = "../examples/coverage/population.rs"]
mod population;
#[path = "../examples/coverage/probes.rs"]
mod probes;

use cell::Cell;
use hspace_core::Result;
use hspace_core::probe::Row;
use population::{Population, Sizes};
use probes::{Setting, calibration, family_cells, pair_cells, repeat, saving_cells, scores};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const REPETITIONS: usize = 200;
/// The baseline, an equal source, a better and a worse one.
const SOURCES: [(&str, f64); 4] = [("b", 1.0), ("a", 1.0), ("c", 0.2), ("d", 2.5)];

fn setting<'a>(population: &'a Population, sources: &'a [(&'a str, f64)]) -> Setting<'a> {
    Setting {
        name: "small",
        population,
        sizes: Sizes {
            train: 600,
            test: 200,
            group: 1,
        },
        labels: &[Some(2), Some(10), Some(50), None],
        probes: &["knn"],
        sources,
        draws: 10,
    }
}

/// Fails where fewer cells than are drawn by chance hold what they claim: below `least` less three standard errors.
fn check(cells: &[Cell], least: f64) {
    for cell in cells.iter().filter(|cell| cell.nominal > 0.0) {
        assert!(cell.of >= REPETITIONS / 4, "{}", cell.line());
        let error = (least * (1.0 - least) / cell.of as f64).sqrt();
        assert!(cell.found() >= least - 3.0 * error, "{}", cell.line());
    }
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() -> Result<()> {
    let population = Population::classes(4, 1.0);
    let setting = setting(&population, &SOURCES);
    let found = repeat(&setting, REPETITIONS, 11)?;
    for name in ["accuracy", "balanced_accuracy", "macro_auroc", "log_loss"] {
        let mut cells = scores(&setting, &found, name);
        assert_eq!(cells.len(), 16);
        if name == "log_loss" {
            // With all labels it moves with the k that is chosen, which draws of fewer do not show: .86 (docs/intervals.md).
            cells.retain(|cell| !cell.what.ends_with(" all"));
        }
        check(&cells, 0.94);
        // Not by being wide: 1.15 is the aim, and the deviation over 200 repetitions is known within 15 %. What 50 and all labels
        // borrow from fewer is more than other measures than accuracy need.
        let drawn = |cell: &&Cell| cell.what.ends_with(" 2") || cell.what.ends_with(" 10");
        for cell in cells
            .iter()
            .filter(|cell| name == "accuracy" || drawn(cell))
        {
            assert!(
                cell.width.is_some_and(|width| width < 1.35),
                "{}",
                cell.line()
            );
        }
    }
    check(&calibration(&setting, REPETITIONS / 2, 14)?, 0.93);
    check(&pair_cells(&setting, &found), 0.94);
    check(
        &family_cells(&setting_of_equals(&setting), &equals(&found)),
        0.94,
    );
    check(&saving_cells(&setting, &found)?, 0.93);
    // The intervals of version 0.1.0, from the same rows, fail the same bound.
    let held = old_savings(&found, "a");
    assert!(
        held < 0.93 - 3.0 * (0.93f64 * 0.07 / 600.0).sqrt(),
        "{held}"
    );
    Ok(())
}

fn setting_of_equals<'a>(of: &Setting<'a>) -> Setting<'a> {
    Setting {
        sources: &SOURCES[..2],
        ..*of
    }
}

fn equals(found: &[Vec<Row>]) -> Vec<Vec<Row>> {
    let equal = |row: &&Row| "ab".contains(&row.representation);
    found
        .iter()
        .map(|rows| rows.iter().filter(equal).cloned().collect())
        .collect()
}

/// How often the savings of version 0.1.0 held the truth for an equal source, whose labels do what as many do: draws alone were
/// resampled, and the curve was made to rise by a running maximum.
fn old_savings(found: &[Vec<Row>], name: &str) -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
    let (mut held, mut all) = (0, 0);
    for rows in found {
        let of = |name: &str| {
            rows.iter()
                .filter(|r| r.representation == name)
                .collect::<Vec<&Row>>()
        };
        let base = of("b");
        for own in &of(name)[1..] {
            let mut sampled: Vec<f64> = (0..500)
                .map(|_| {
                    let u: Vec<f64> = (0..10).map(|_| random.random()).collect();
                    let again = |row: &Row| {
                        let m = row.draws.len();
                        u[..m]
                            .iter()
                            .map(|u| row.draws[(u * m as f64) as usize])
                            .sum::<f64>()
                            / m as f64
                    };
                    let curve: Vec<(f64, f64)> = base
                        .iter()
                        .map(|row| (row.labelled as f64, again(row)))
                        .collect();
                    old_crossing(&curve, again(own))
                })
                .collect();
            sampled.sort_by(f64::total_cmp);
            let truth = own.labelled as f64;
            held += usize::from(sampled[12] <= truth && truth <= sampled[487]);
            all += 1;
        }
    }
    held as f64 / all as f64
}

fn old_crossing(curve: &[(f64, f64)], accuracy: f64) -> f64 {
    let (mut labels, mut reached) = curve[0];
    if accuracy < reached {
        return labels;
    }
    for &(next, height) in &curve[1..] {
        let height = height.max(reached);
        if accuracy <= height && height > reached {
            let share = (accuracy - reached) / (height - reached);
            return (labels.ln() + share * (next.ln() - labels.ln())).exp();
        }
        (labels, reached) = (next, height);
    }
    labels
}

#[test]
fn intervals_of_numbers_and_of_groups_hold_the_truth() -> Result<()> {
    let numbers = Setting {
        labels: &[Some(10), Some(100), None],
        probes: &["ridge"],
        ..setting(&Population::Numbers, &SOURCES[..2])
    };
    let found = repeat(&numbers, REPETITIONS, 12)?;
    check(&scores(&numbers, &found, "r2"), 0.93);
    check(&pair_cells(&numbers, &found), 0.94);
    // Five images of a patient are one unit: counted as five, intervals would hold the truth in 62 %.
    let population = Population::images("builtin:mnist-mini")?;
    let groups = Setting {
        sizes: Sizes {
            train: 600,
            test: 400,
            group: 5,
        },
        labels: &[Some(10), None],
        ..setting(&population, &SOURCES[..2])
    };
    let found = repeat(&groups, REPETITIONS, 13)?;
    check(&scores(&groups, &found, "accuracy"), 0.93);
    Ok(())
}
