//! Hands over to the command line.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use warroom::cli::lab::{self, LabArgs};

#[derive(Parser)]
#[command(name = "warroom", version, about)]
struct Words {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Real servers on loopback, broken on purpose
    Lab(LabArgs),
    #[command(hide = true)]
    LabRole { dir: std::path::PathBuf, name: String },
}

fn main() -> ExitCode {
    let done = match Words::parse().verb {
        Verb::Lab(args) => lab::run(&args),
        Verb::LabRole { dir, name } => warroom::lab::roles::run(Path::new(&dir), &name),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            writeln!(std::io::stderr(), "warroom: {why}").ok();
            ExitCode::FAILURE
        }
    }
}
