//! The console: a database of the name `pgbouncer` that answers a few words by the simple protocol only.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Column as _, Connection as _, Error, Row as _, ValueRef as _};

use super::parse::Shown;
use crate::dial::PostgresDial;
use crate::model::{PollError, PollErrorKind};

/// An open console.
pub(super) struct Console {
    connection: PgConnection,
    dial: PostgresDial,
}

impl Console {
    pub(super) async fn open(dial: &PostgresDial) -> Result<Self, PollError> {
        let connection = dial.connect().await.map_err(|error| refused(dial, error))?;
        Ok(Self { connection, dial: dial.clone() })
    }

    /// What one `SHOW` tells. Columns differ by version: they are found by name.
    pub(super) async fn show(&mut self, what: &'static str) -> Result<Shown, PollError> {
        let rows = sqlx::raw_sql(what).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| match &error {
            Error::Database(said) if said.message().contains("unrecognized configuration parameter") => {
                let says = format!("{} is no PgBouncer: it is a PostgreSQL", self.dial.place());
                PollError::new(PollErrorKind::Unsupported, &says)
            }
            _ => self.dial.error(&error),
        })?;
        Ok(shown(&rows))
    }

    pub(super) async fn close(self) {
        self.connection.close().await.ok();
    }
}

/// What a refusal at the door means: the console takes only whom the config names.
fn refused(dial: &PostgresDial, error: PollError) -> PollError {
    let says = error.says.as_str();
    if says.contains("3D000") {
        let says = format!("{} is no PgBouncer: it has a database server's databases", dial.place());
        return PollError::new(PollErrorKind::Unsupported, &says);
    }
    if says.contains("authentication failed") {
        let mend = format!("put {} into its auth_file, and the password into the url", dial.role());
        return PollError::new(PollErrorKind::Login, &format!("{says}; {mend}"));
    }
    if says.contains("not allowed") {
        let mend = format!("name {} in stats_users of pgbouncer.ini", dial.role());
        return PollError::new(PollErrorKind::Rights, &format!("{says}; {mend}"));
    }
    error
}

fn shown(rows: &[PgRow]) -> Shown {
    let Some(first) = rows.first() else { return Shown::default() };
    let columns: Vec<String> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    let text = |row: &PgRow, at: usize| {
        let value = row.try_get_raw(at).ok()?;
        if value.is_null() {
            return None;
        }
        value.as_bytes().ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let rows = rows.iter().map(|row| (0..columns.len()).map(|at| text(row, at)).collect()).collect();
    Shown { columns, rows }
}
