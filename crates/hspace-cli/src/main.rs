//! The binary `hspace`: flags in, library call, text out.

mod commands;
mod progress;
mod say;
mod settings;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser, Subcommand};

use hspace::device::use_threads;
use hspace::{Error, Result};

use commands::{
    bench, check, compare, completions, density, disentangle, embed, export, fidelity, import,
    invert, likelihood, list, man, maps, predict, probe, quickstart, rank, reconstruct, report,
    robustness, sample, select, shift, start, study, tasks, train, transfer, traverse, views,
};

/// Learn a representation, measure how much easier it makes your task, see why, and ship it.
#[derive(Parser)]
#[command(name = "hspace", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads to compute with; results do not depend on it [default: one a core]
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "HSPACE_THREADS",
        value_parser = settings::count(1..=1024)
    )]
    threads: Option<usize>,
    /// Say errors, warnings and results alone
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say all notes on how data were read, and how long it took
    #[arg(short, long, global = true)]
    verbose: bool,
}

const EXAMPLES: &str = "Examples:
  hspace quickstart                                  the whole job on embedded data, 3 minutes
  hspace start photos/                               few labels, many images: what to do, done
  hspace check photos/                               what is in a folder of images
  hspace train --data photos/ --out runs/a           learn from them
  hspace probe runs/a --data photos/ --labels 1,10   measure it against pixels, PCA, chance
  hspace report runs/a                               see why

Exit codes: 0 done, 2 what was asked cannot be, 3 data or files, 4 training diverged, 130 and 143 stopped by Ctrl-C and by
SIGTERM. HSPACE_DEVICE and HSPACE_THREADS are the defaults of --device and --threads.";

#[derive(Subcommand)]
enum Command {
    Quickstart(quickstart::Args),
    Start(Box<start::Args>),
    Check(check::Args),
    Views(views::Args),
    Train(train::Args),
    Embed(embed::Args),
    Probe(probe::Args),
    Predict(predict::Args),
    Compare(compare::Args),
    Transfer(transfer::Args),
    Rank(rank::Args),
    Select(select::Args),
    Shift(shift::Args),
    Robustness(robustness::Args),
    Tasks(Box<tasks::Args>),
    Disentangle(disentangle::Args),
    Density(density::Args),
    Report(report::Args),
    Study(study::Args),
    Sample(sample::Args),
    Reconstruct(reconstruct::Args),
    Traverse(traverse::Args),
    Maps(maps::Args),
    Likelihood(likelihood::Args),
    Fidelity(fidelity::Args),
    Invert(invert::Args),
    Import(import::Args),
    Export(export::Args),
    Bench(bench::Args),
    List(list::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn main() -> ExitCode {
    // Without it, printing to a reader that went away is a panic.
    sigpipe::reset();
    let cli = Cli::parse();
    say::set(cli.quiet, cli.verbose);
    let begin = Instant::now();
    let result = match cli.threads {
        Some(count) => use_threads(count).and_then(|()| run(cli.command)),
        None => run(cli.command),
    };
    if say::is_verbose() {
        say::info(format_args!(
            "took {}",
            progress::clock(begin.elapsed().as_secs_f64())
        ));
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = code_of(&error);
            match error {
                Error::Interrupted(text) => eprintln!("{text}"),
                error => eprintln!("error: {error}"),
            }
            ExitCode::from(code)
        }
    }
}

/// 2 for what was asked (as clap has it for flags), 3 for data and files, 4 for a training that diverged, and 128 and the signal's
/// number for one that was stopped, as shells have it.
fn code_of(error: &Error) -> u8 {
    match error {
        Error::Config(_) => 2,
        Error::File { .. } | Error::Data(_) => 3,
        Error::Diverged(_) => 4,
        Error::Interrupted(_) => progress::stopped_by(),
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Quickstart(args) => quickstart::run(&args),
        Command::Start(args) => start::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Views(args) => views::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Transfer(args) => transfer::run(&args),
        Command::Rank(args) => rank::run(&args),
        Command::Select(args) => select::run(&args),
        Command::Shift(args) => shift::run(&args),
        Command::Robustness(args) => robustness::run(&args),
        Command::Tasks(args) => tasks::run(&args),
        Command::Disentangle(args) => disentangle::run(&args),
        Command::Density(args) => density::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Reconstruct(args) => reconstruct::run(&args),
        Command::Traverse(args) => traverse::run(&args),
        Command::Maps(args) => maps::run(&args),
        Command::Likelihood(args) => likelihood::run(&args),
        Command::Fidelity(args) => fidelity::run(&args),
        Command::Invert(args) => invert::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::List(args) => list::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}
