//! The one session of the actions on a PostgreSQL: once it is open it is given up only for another one.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, timeout_at};

use super::postgres_look::Look;
use crate::dial::PostgresDial;
use crate::model::{BackendKey, PollError};

/// How long a session may be silent before another is tried beside it: then it is the line that is dead.
const SILENT: Duration = Duration::from_secs(15);

/// The session, as long as there is one. An answer that came too late, or that nobody waits for any more,
/// is read away before the next question: neither costs the session.
#[derive(Default)]
pub(super) struct KeptSession {
    connection: Option<PgConnection>,
    silent_since: Option<Instant>,
}

/// Why a session could not be asked.
pub(super) enum NoAnswer {
    /// The server or the network said so.
    Said(PollError),
    /// Nothing came in time.
    Silent,
}

impl KeptSession {
    /// Asks it whether it lives, or opens one.
    pub(super) async fn open(&mut self, dial: &PostgresDial, patience: Duration) -> Result<(), NoAnswer> {
        let until = Instant::now() + patience;
        if let Some(connection) = self.connection.as_mut().filter(|_| !silent_long(self.silent_since)) {
            match timeout_at(until, connection.ping()).await {
                Ok(Ok(())) => {
                    self.silent_since = None;
                    return Ok(());
                }
                Ok(Err(_cut_off)) => self.connection = None,
                Err(_elapsed) => return Err(self.silent()),
            }
        }
        // Whether or not there is another by then, the silent one has its turn again.
        self.silent_since = None;
        match timeout_at(until, dial.connect()).await {
            Ok(Ok(connection)) => {
                self.connection = Some(connection);
                Ok(())
            }
            Ok(Err(error)) => Err(NoAnswer::Said(error)),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// A fresh look at everybody and, more closely, at these, with the session it was taken on. One that was
    /// cut off meanwhile is opened anew, once.
    pub(super) async fn look(
        &mut self,
        dial: &PostgresDial,
        keys: &[BackendKey],
        patience: Duration,
    ) -> Result<(Look, &mut PgConnection), NoAnswer> {
        let until = Instant::now() + patience;
        let mut seen = None;
        if let Some(connection) = self.connection.as_mut().filter(|_| !silent_long(self.silent_since)) {
            match timeout_at(until, Look::take(connection, keys)).await {
                Ok(Ok(look)) => seen = Some(look),
                Ok(Err(error)) if PostgresDial::survives(&error) => {
                    self.silent_since = None;
                    return Err(NoAnswer::Said(dial.error(&error)));
                }
                Ok(Err(_cut_off)) => self.connection = None,
                Err(_elapsed) => return Err(self.silent()),
            }
        }
        let look = match seen {
            Some(look) => look,
            None => self.another(dial, keys, until).await?,
        };
        self.silent_since = None;
        self.connection.as_mut().map(|connection| (look, connection)).ok_or(NoAnswer::Silent)
    }

    /// Looks on a new session, which then takes the place of the one there was.
    async fn another(
        &mut self,
        dial: &PostgresDial,
        keys: &[BackendKey],
        until: Instant,
    ) -> Result<Look, NoAnswer> {
        let asked = async {
            let mut connection = dial.connect().await?;
            let look = Look::take(&mut connection, keys).await.map_err(|error| dial.error(&error))?;
            Ok((look, connection))
        };
        // Whether or not there is another by then, the silent one has its turn again.
        self.silent_since = None;
        match timeout_at(until, asked).await {
            Ok(Ok((look, connection))) => {
                self.connection = Some(connection);
                Ok(look)
            }
            Ok(Err(error)) => Err(NoAnswer::Said(error)),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// Gives the session up: it may not be what it was.
    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }

    fn silent(&mut self) -> NoAnswer {
        self.silent_since.get_or_insert_with(Instant::now);
        NoAnswer::Silent
    }
}

fn silent_long(since: Option<Instant>) -> bool {
    since.is_some_and(|since| since.elapsed() > SILENT)
}
