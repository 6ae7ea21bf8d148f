//! Subcommands that write what a package carries beside a program: completions for a shell, and manual pages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

/// What a program writes about its own command line.
#[derive(Debug, Clone, Subcommand)]
pub enum Reference {
    /// Print completions of this command line for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages, a file for each subcommand too.
    #[command(hide = true)]
    Man {
        /// Folder for the files; it is made if it is not there.
        #[arg(value_name = "DIR")]
        to: PathBuf,
    },
}

impl Reference {
    /// Writes it for the command line of `P`.
    ///
    /// # Errors
    /// When standard output or the folder can't be written.
    pub fn write<P: CommandFactory>(&self) -> io::Result<()> {
        match self {
            Self::Completions { shell } => io::stdout().write_all(&completions::<P>(*shell)),
            Self::Man { to } => manual::<P>(to).map_err(|error| {
                let what = format!("can't write manual pages to {}: {error}", to.display());
                io::Error::new(error.kind(), what)
            }),
        }
    }
}

fn completions<P: CommandFactory>(shell: Shell) -> Vec<u8> {
    let mut command = P::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

fn manual<P: CommandFactory>(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(P::command(), folder)
}
