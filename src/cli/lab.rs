//! `warroom lab`: real servers on loopback, broken on purpose.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::lab::{self, Lab, LabError, Options};

/// The words after `warroom lab`.
#[derive(Clone, Debug, Args)]
pub struct LabArgs {
    /// The lab's folder [default: warroom-lab-UID in the temporary folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// What to do with it.
    #[command(subcommand)]
    pub command: LabCommand,
}

/// What can be done with a lab.
#[derive(Clone, Debug, Subcommand)]
pub enum LabCommand {
    /// Start PostgreSQL, two Redis, HAProxy, a small app, workers and a steady load, and write a config for them
    Up,
    /// End all of it and leave nothing behind, also after a crash
    Down,
    /// Break something on purpose
    Break {
        /// The fault, one of `warroom lab list`
        name: String,
    },
    /// End every fault
    Heal,
    /// Print the faults
    List,
}

/// Does it and prints what was done.
///
/// # Errors
/// The lab refuses, a server does not come up, or nothing can be printed.
pub fn run(args: &LabArgs) -> Result<(), LabError> {
    let dir = args.dir.clone().unwrap_or_else(lab::default_dir);
    // The parts of a lab run in folders of their own, where a relative path would lead elsewhere.
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let said = match &args.command {
        LabCommand::Up => up(args.dir.as_deref(), dir)?,
        LabCommand::Down => match lab::down(&dir)? {
            0 => "no lab is up\n".into(),
            n => format!("the lab is down: {n} processes ended, {} removed\n", dir.display()),
        },
        LabCommand::Break { name } => {
            let fault = lab::cause(&dir, name)?;
            format!("{}: {}\n`warroom lab heal` ends it\n", fault.name, fault.says)
        }
        LabCommand::Heal => match lab::heal(&dir)?.as_slice() {
            [] => "nothing was broken; every part runs\n".into(),
            names => format!("healed: {}\n", names.join(", ")),
        },
        LabCommand::List => list(&dir),
    };
    match io::stdout().write_all(said.as_bytes()) {
        // Whoever read us has seen enough.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|why| LabError::Refused(format!("cannot print: {why}"))),
    }
}

/// The faults, those at work marked.
fn list(dir: &Path) -> String {
    let state = lab::State::load(dir).unwrap_or_default();
    let at_work = |name: &str| state.faults.iter().any(|one| one.name == name && one.at_work());
    let line = |fault: &lab::Fault| {
        let mark = if at_work(fault.name) { '*' } else { ' ' };
        format!("{mark} {:<17} {}\n", fault.name, fault.says)
    };
    lab::FAULTS.iter().map(line).collect::<Vec<_>>().concat()
}

fn up(asked: Option<&Path>, dir: PathBuf) -> Result<String, LabError> {
    let lab = Lab::up(Options { dir: Some(dir), ..Options::default() })?;
    let config = lab.config();
    lab.leave_running();
    let config = config.display();
    let lab =
        asked.map_or_else(|| "warroom lab".to_owned(), |dir| format!("warroom lab --dir {}", dir.display()));
    Ok(format!(
        "the lab is up; its config is {config}\n\n  \
         warroom --config {config}    opens the console on it\n  \
         {lab} break lock-pileup    breaks it; `{lab} list` tells what else\n  \
         {lab} heal    ends every fault\n  {lab} down    ends it all\n"
    ))
}
