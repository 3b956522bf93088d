//! The binary `hspace`: flags in, library call, text out.

mod commands;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    bench, check, compare, density, disentangle, embed, export, fidelity, import, invert,
    likelihood, list, probe, quickstart, reconstruct, report, sample, study, train, traverse,
    views,
};

/// Learn a representation, measure how much easier it makes your task, see why, and ship it.
#[derive(Parser)]
#[command(name = "hspace", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  hspace quickstart                                  the whole job on embedded data, 3 minutes
  hspace check photos/                               what is in a folder of images
  hspace train --data photos/ --out runs/a           learn from them
  hspace probe runs/a --data photos/ --labels 1,10   measure it against pixels, PCA, chance
  hspace report runs/a                               see why";

#[derive(Subcommand)]
enum Command {
    Quickstart(quickstart::Args),
    Check(check::Args),
    Views(views::Args),
    Train(train::Args),
    Embed(embed::Args),
    Probe(probe::Args),
    Compare(compare::Args),
    Disentangle(disentangle::Args),
    Density(density::Args),
    Report(report::Args),
    Study(study::Args),
    Sample(sample::Args),
    Reconstruct(reconstruct::Args),
    Traverse(traverse::Args),
    Likelihood(likelihood::Args),
    Fidelity(fidelity::Args),
    Invert(invert::Args),
    Import(import::Args),
    Export(export::Args),
    Bench(bench::Args),
    List(list::Args),
}

fn main() -> ExitCode {
    // Without it, printing to a reader that went away is a panic.
    sigpipe::reset();
    let result = match Cli::parse().command {
        Command::Quickstart(args) => quickstart::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Views(args) => views::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Disentangle(args) => disentangle::run(&args),
        Command::Density(args) => density::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Reconstruct(args) => reconstruct::run(&args),
        Command::Traverse(args) => traverse::run(&args),
        Command::Likelihood(args) => likelihood::run(&args),
        Command::Fidelity(args) => fidelity::run(&args),
        Command::Invert(args) => invert::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::List(args) => list::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // 130 is what shells expect after Ctrl-C.
        Err(hspace::Error::Interrupted(text)) => {
            eprintln!("{text}");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
