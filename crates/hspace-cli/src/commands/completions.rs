//! `hspace completions`: names of commands and flags, for shells.

use clap::Command;
use clap_complete::Shell;
use hspace::Result;

/// Print a script that completes hspace's commands and flags in a shell.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace completions bash > ~/.local/share/bash-completion/completions/hspace
  hspace completions zsh > ~/.zfunc/_hspace            # a folder of fpath
  hspace completions fish > ~/.config/fish/completions/hspace.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args, mut command: Command) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "hspace", &mut text);
    print!("{}", String::from_utf8_lossy(&text));
    Ok(())
}
