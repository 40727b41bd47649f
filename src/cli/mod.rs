//! The command line: one file a verb. The only place that prints. Knows the shell and config; must not
//! know a source, an action or the screen.

mod act;
mod args;
mod check;
mod console;
mod doctor;
mod end;
mod explain;
mod init;
mod journal;
pub mod lab;
mod outcome;
mod perform;
mod plan_text;
mod run;
mod screenshot;
mod settings;
mod signal;
mod under_way;

use std::process::ExitCode;

pub use args::Words;
pub use run::run;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os())
}
