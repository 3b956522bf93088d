//! `hspace man`: the help as manual pages.

use std::path::PathBuf;

use clap::Command;
use hspace::{Error, Result};

/// Write manual pages, one for hspace and one for each of its commands.
#[derive(clap::Args)]
#[command(after_help = "Example:
  hspace man --out ~/.local/share/man/man1 && man hspace-probe")]
pub struct Args {
    /// Folder to write them to; made where it is missing
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub fn run(args: &Args, command: Command) -> Result<()> {
    let failed = |e: std::io::Error| Error::file(&args.out, e);
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    clap_mangen::generate_to(command, &args.out).map_err(failed)?;
    println!("{}", args.out.display());
    Ok(())
}
