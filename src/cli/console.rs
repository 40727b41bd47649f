//! `warroom` alone: opens the console.

use super::args::Global;
use super::end::{End, Fail, USAGE};
use super::run::{env, quiet_config};
use crate::journal::{Author, Journal, actor};
use crate::shell::{self, ConsoleError, Setup};

/// Opens the console and stays until it is left.
pub(super) fn run(global: &Global) -> Result<End, Fail> {
    match shell::open(setup(global)?) {
        Ok(code) => Ok(End::new(String::new(), code)),
        Err(err @ ConsoleError::Tty(_)) => Err(Fail::new(USAGE, &err.to_string())),
        Err(err) => Err(Fail::new(1, &err.to_string())),
    }
}

/// What a console is opened with.
pub(super) fn setup(global: &Global) -> Result<Setup, Fail> {
    let config = quiet_config(global)?;
    let actor = actor(&env);
    let author = Author { actor: actor.clone(), environment: config.environment.name.clone() };
    let journal = Journal::place(config.journal.as_deref(), &env)
        .map(|path| Journal::new(path, author))
        .map_err(|err| err.to_string());
    let found = (!config.notices.is_empty()).then(|| config.notices.join("; "));
    Ok(Setup { config, found, actor, journal })
}
