//! The command line: one file a verb. The only place that prints. Knows shell, config, journal and lab.

mod act;
mod args;
mod check;
mod context;
mod journal;
pub mod lab;
mod out;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};
use context::Context;

/// Exit code of a wrong call.
const USAGE: u8 = 64;
/// Exit code of a wrong config.
const CONFIG: u8 = 78;

/// Why a verb could not be carried out, and the exit code that tells so.
#[derive(Debug)]
struct Failure {
    code: u8,
    says: String,
}

impl Failure {
    fn other(says: impl Into<String>) -> Self {
        Self { code: 1, says: says.into() }
    }
}

/// Reads the arguments, does what they say, and returns the exit code.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are answers, not errors; clap knows on which stream each belongs.
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            out::error(&failure.says);
            ExitCode::from(failure.code)
        }
    }
}

fn run(args: Args) -> Result<u8, Failure> {
    let context = || Context::load(&args.globals);
    match args.verb {
        None => Err(Failure::other("the console is not built in yet")),
        Some(Verb::Check(it)) => check::run(&it, &context()?),
        Some(Verb::Kill(it)) => act::kill(&it, &context()?),
        Some(Verb::Clear(it)) => act::clear(&it, &context()?),
        Some(Verb::Mark(it)) => act::mark(&it, &context()?),
        Some(Verb::Journal(it)) => journal::run(&it, &context()?),
        Some(Verb::Lab(it)) => lab::run(&it).map(|()| 0).map_err(|why| Failure::other(why.to_string())),
        Some(Verb::LabRole { dir, name }) => {
            crate::lab::roles::run(&dir, &name).map(|()| 0).map_err(|why| Failure::other(why.to_string()))
        }
    }
}
