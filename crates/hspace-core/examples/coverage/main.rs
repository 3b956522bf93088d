//! How often the intervals of hspace hold the truth: repeats whole measurements on data drawn from populations that are known.
//!
//! ```text
//! cargo run --release --workspace --example coverage -- --data fashion/ > coverage.md
//! cargo run --release --workspace --example coverage -- --scale 0.1 probes
//! ```
//!
//! `--data` names images whose principal components are the main population (Fashion-MNIST in docs/experiments); without it
//! Gaussian classes serve. `--scale` multiplies the number of repetitions. Names choose parts: `main`,
//! `calibration`, `savings`, `equal`, `kinds`, `numbers`, `density`, `disentangle`.

mod cell;
mod density;
mod disentangle;
mod population;
mod probes;

use cell::Cell;
use hspace_core::Result;
use population::{Population, Sizes};
use probes::{Setting, calibration, family_cells, pair_cells, repeat, saving_cells, scores};

const SOURCES: [(&str, f64); 5] = [("b", 1.0), ("a", 1.0), ("c5", 0.6), ("c", 0.0), ("d", 2.0)];
const SIZES: Sizes = Sizes {
    train: 2000,
    test: 500,
    group: 1,
};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut data, mut scale, mut parts) = (None, 1.0, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--data" => data = arguments.next(),
            "--scale" => scale = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(1.0),
            part => parts.push(part.to_owned()),
        }
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    let times = |n: usize| ((n as f64 * scale) as usize).max(8);
    let main = match &data {
        Some(source) => Population::images(source)?,
        None => Population::classes(10, 1.0),
    };
    println!("| what | nominal | found | width / ideal |\n| --- | --- | --- | --- |");
    if wanted("main") {
        main_cells(&main, times(1000))?;
    }
    if wanted("calibration") {
        let setting = standard("10 classes", &main, &SOURCES[..3]);
        show(&calibration(&setting, times(100), 2)?);
    }
    if wanted("savings") {
        let setting = Setting {
            labels: &[Some(1), Some(5), Some(10), Some(50), Some(100), None],
            probes: &["knn"],
            ..standard("savings", &main, &SOURCES)
        };
        show(&saving_cells(&setting, &repeat(&setting, times(300), 6)?)?);
    }
    if wanted("equal") {
        let equal = [("b", 1.0), ("a", 1.0), ("e", 1.0), ("f", 1.0), ("g", 1.0)];
        let setting = Setting {
            labels: &[Some(1), Some(10)],
            probes: &["linear", "knn"],
            ..standard("equal", &main, &equal)
        };
        show(&family_cells(&setting, &repeat(&setting, times(300), 3)?));
    }
    if wanted("kinds") {
        kinds(&main, times(300))?;
    }
    if wanted("numbers") {
        numbers(times(1000))?;
    }
    if wanted("density") {
        show_without_width(density::cells(times(300), 0));
    }
    if wanted("disentangle") {
        show_without_width(disentangle::cells(times(300), 0));
    }
    Ok(())
}

/// Cells whose width is in the unit of the answer.
fn show_without_width(cells: Vec<Cell>) {
    let plain = |cell: Cell| Cell {
        width: None,
        ..cell
    };
    show(&cells.into_iter().map(plain).collect::<Vec<_>>());
}

fn standard<'a>(
    name: &'a str,
    population: &'a Population,
    sources: &'a [(&'a str, f64)],
) -> Setting<'a> {
    Setting {
        name,
        population,
        sizes: SIZES,
        labels: &[Some(1), Some(10), Some(100), None],
        probes: &["linear", "knn"],
        sources,
        draws: 10,
    }
}

/// The main cells: all measures, pairs and savings for ten classes.
fn main_cells(population: &Population, repetitions: usize) -> Result<()> {
    let setting = standard("10 classes", population, &SOURCES[..3]);
    let found = repeat(&setting, repetitions, 1)?;
    for name in [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "macro_auroc",
        "log_loss",
    ] {
        show(&scores(&setting, &found, name));
    }
    show(&pair_cells(&setting, &found));
    show(&saving_cells(&setting, &found)?);
    Ok(())
}

/// Other data, one line of settings each: name, population, training and test rows, samples of a group, labels, draws, probe.
fn kinds(main: &Population, repetitions: usize) -> Result<()> {
    let (two, hundred) = (Population::classes(2, 1.0), Population::classes(100, 1.0));
    let unbalanced = Population::classes(10, 20.0);
    let few = [Some(1), Some(10), None];
    let settings = [
        ("2 classes", &two, [1000, 500, 1], &few[..], 10, "linear"),
        ("100 classes", &hundred, [3000, 1000, 1], &few[..], 5, "knn"),
        (
            "unbalanced 20:1",
            &unbalanced,
            [1000, 500, 1],
            &few[..],
            10,
            "linear",
        ),
        (
            "200 test rows",
            main,
            [1000, 200, 1],
            &few[..],
            10,
            "linear",
        ),
        ("40 test rows", main, [1000, 40, 1], &few[..], 10, "knn"),
        ("5,000 test rows", main, [1000, 5000, 1], &few[..], 5, "knn"),
        (
            "pool of 20 a class",
            main,
            [200, 500, 1],
            &[Some(5), Some(10)],
            10,
            "knn",
        ),
        ("3 draws", main, [1000, 500, 1], &few[..], 3, "linear"),
        ("groups of 5", main, [1000, 500, 5], &few[..], 10, "knn"),
    ];
    for (name, population, [train, test, group], labels, draws, probe) in settings {
        let setting = Setting {
            sizes: Sizes { train, test, group },
            labels,
            probes: &[probe],
            draws,
            ..standard(name, population, &SOURCES[..3])
        };
        let found = repeat(&setting, repetitions, 4)?;
        for measure in ["accuracy", "balanced_accuracy", "macro_auroc"] {
            show(&scores(&setting, &found, measure));
        }
        show(&pair_cells(&setting, &found));
        show(&saving_cells(&setting, &found)?);
    }
    Ok(())
}

/// Numeric targets.
fn numbers(repetitions: usize) -> Result<()> {
    let numbers = Setting {
        labels: &[Some(10), Some(100), None],
        probes: &["ridge"],
        ..standard("numbers", &Population::Numbers, &SOURCES[..3])
    };
    let found = repeat(&numbers, repetitions, 5)?;
    for name in ["r2", "mean_absolute_error"] {
        show(&scores(&numbers, &found, name));
    }
    show(&pair_cells(&numbers, &found));
    show(&saving_cells(&numbers, &found)?);
    Ok(())
}

fn show(cells: &[Cell]) {
    cells.iter().for_each(|cell| println!("{}", cell.line()));
}
