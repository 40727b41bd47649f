//! What every verb starts from: the config, the journal, a runtime.

use std::future::Future;
use std::sync::Arc;

use super::args::Globals;
use super::{CONFIG, Failure, out};
use crate::config::{Config, Flags, Known, load};
use crate::journal::{Author, Journal, actor};
use crate::shell::clock;
use crate::shell::perform::Hands;
use crate::shell::world::known;

/// What every verb starts from.
pub(super) struct Context {
    pub(super) config: Arc<Config>,
    /// The journal, or why there is none.
    pub(super) journal: Result<Journal, String>,
}

/// Reads one variable of the environment; one that is no text counts as not set.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Context {
    /// Reads the config that counts.
    pub(super) fn load(globals: &Globals) -> Result<Self, Failure> {
        let flags = Flags { config: globals.config.clone(), read_only: globals.read_only };
        let names = known();
        let known = Known { kinds: &names.kinds, commands: &names.commands, themes: &names.themes };
        let config =
            load(&flags, &known, &env).map_err(|error| Failure { code: CONFIG, says: error.to_string() })?;
        for warning in &config.notices {
            out::note(&format!("warroom: {warning}"));
        }
        let author = Author { actor: actor(&env), environment: config.environment.name.clone() };
        let journal = Journal::place(config.journal.as_deref(), &env)
            .map(|path| Journal::new(path, author))
            .map_err(|error| error.to_string());
        Ok(Self { config: Arc::new(config), journal })
    }

    /// What can plan and act.
    pub(super) fn hands(&self) -> Hands {
        Hands::new(self.config.clone(), self.journal.clone(), clock::now)
    }
}

/// Runs something that waits for servers; a signal ends it with the shell's usual code.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::other(format!("the system gives no event loop: {why}")))?;
    Ok(runtime.block_on(work))
}
