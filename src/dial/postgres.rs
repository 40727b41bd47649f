//! A PostgreSQL connection with its limits laid on at startup.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::os_user::os_user;
use super::postgres_address;
use crate::config::{Secret, TargetSpec};
use crate::model::{PollError, PollErrorKind};

/// The first version that warroom can ask, as `server_version_num`.
const OLDEST: u32 = 130_000;

/// Where a PostgreSQL answers and how a session on it is bound. Connects nothing by itself.
#[derive(Clone)]
pub struct PostgresDial {
    options: PgConnectOptions,
    place: String,
    /// The first version that is spoken to, as `server_version_num`.
    oldest: u32,
}

/// What the driver calls a role that nobody named.
const NOBODY: &str = "anonymous";

/// The target's URL, or libpq's own environment where it has none. Where no role is named it is, as libpq
/// has it, the one called as the operating system's user is.
fn parsed(spec: &TargetSpec) -> Result<PgConnectOptions, String> {
    let options = written(spec)?;
    let named = spec.url.as_ref().is_some_and(|url| url.expose().contains(NOBODY))
        || std::env::var_os("PGUSER").is_some_and(|user| !user.is_empty());
    match os_user().filter(|_| !named && options.get_username() == NOBODY) {
        Some(user) => Ok(options.username(&user)),
        None => Ok(options),
    }
}

fn written(spec: &TargetSpec) -> Result<PgConnectOptions, String> {
    let url = spec.url.as_ref().map(Secret::expose);
    if url.is_some_and(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
        return Err("url must begin with postgres:// (or postgresql://)".into());
    }
    match postgres_address::understood(url, |name| std::env::var(name).ok())? {
        None => Ok(PgConnectOptions::new()),
        // The parser's own words may quote a part of the URL.
        Some(url) => PgConnectOptions::from_str(&url).map_err(|_unsaid| {
            "url is not understood: write postgres://user@host:5432/database, special characters as %xx"
                .into()
        }),
    }
}

fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{}:{}", socket.display(), options.get_port()),
        None if options.get_host().contains(':') => {
            format!("[{}]:{}", options.get_host(), options.get_port())
        }
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

impl fmt::Debug for PostgresDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password and would print it.
        f.debug_struct("PostgresDial").field("place", &self.place).finish_non_exhaustive()
    }
}

impl PostgresDial {
    /// Reads the target's URL, or libpq's own environment where it has none (`PGHOST`, `PGUSER` …).
    /// A missing password is looked up in `~/.pgpass`.
    ///
    /// # Errors
    /// When the URL cannot be understood; the sentence holds no part of it.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let statement = spec.timeout.clamp(Duration::from_millis(100), Duration::from_secs(2));
        let options = parsed(spec)?
            .application_name("warroom")
            .options([
                ("statement_timeout", statement.as_millis().to_string().as_str()),
                ("lock_timeout", "200"),
                ("idle_in_transaction_session_timeout", "5000"),
                ("default_transaction_read_only", "on"),
                ("search_path", "pg_catalog"),
                // A plan of a statistics view can look dear enough to be compiled: that alone takes 100 ms.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        Ok(Self { place: place(&options), options, oldest: OLDEST })
    }

    /// Where it answers: host or socket folder, and port.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The console of a PgBouncer: a database of that name, which takes no limits at startup and whose
    /// version is its own.
    ///
    /// # Errors
    /// As [`Self::new`]; and when there is no URL.
    pub fn pooler(spec: &TargetSpec) -> Result<Self, String> {
        if spec.url.is_none() {
            return Err("pgbouncer needs a url: postgres://warroom@host:6432/pgbouncer".into());
        }
        let options = parsed(spec)?.database("pgbouncer").extra_float_digits(None);
        let options = options.application_name("warroom").disable_statement_logging();
        Ok(Self { place: place(&options), options, oldest: 0 })
    }

    /// The same server and role, in another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        Self { options: self.options.clone().database(database), ..self.clone() }
    }

    /// The role it logs in as.
    #[must_use]
    pub fn role(&self) -> &str {
        self.options.get_username()
    }

    /// Opens one session. Has no timeout of its own: the caller keeps the clock.
    ///
    /// # Errors
    /// What the server or the network said, told by kind and in words.
    pub async fn connect(&self) -> Result<PgConnection, PollError> {
        let connection = self.options.connect().await.map_err(|error| self.connect_error(&error))?;
        match connection.server_version_num() {
            Some(version) if version < self.oldest => Err(PollError::new(
                PollErrorKind::Unsupported,
                &format!(
                    "{} is PostgreSQL {}; 13 is the oldest that can be asked",
                    self.place,
                    version / 10_000
                ),
            )),
            _ => Ok(connection),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetId;

    fn spec(url: &str) -> TargetSpec {
        TargetSpec::new(TargetId::parse("primary").expect("legal"), "postgres").with_url(url)
    }

    #[test]
    fn a_role_that_nobody_named_is_that_of_the_operating_system() {
        let role = |url: &str| PostgresDial::new(&spec(url)).expect("a URL").role().to_owned();
        assert_eq!(role("postgres://oncall@127.0.0.1/app"), "oncall");
        assert_eq!(role("postgres://anonymous@127.0.0.1/app"), "anonymous");
        if std::env::var_os("PGUSER").is_none() {
            assert_eq!(Some(role("postgres://127.0.0.1/app")), os_user());
        }
    }

    #[test]
    fn neither_debug_nor_a_refusal_shows_the_password() {
        let dial = PostgresDial::new(&spec("postgres://app:s3cret@db:6432/x")).expect("a good url");
        assert_eq!(dial.place(), "db:6432");
        assert!(!format!("{dial:?}").contains("s3cret"));
        for bad in [
            "postgres://app:s3cret@db:99999/x",
            "mysql://app:s3cret@db",
            "postgres://u:s3cret@h/x?sslmode=s3cret",
        ] {
            let refusal = PostgresDial::new(&spec(bad)).expect_err("a bad url");
            assert!(!refusal.contains("s3cret"), "{refusal}");
        }
    }

    #[test]
    fn a_socket_folder_is_a_place() {
        let dial = PostgresDial::new(&spec("postgres:///app?host=/run/pg&port=6000")).expect("a good url");
        assert_eq!(dial.place(), "/run/pg:6000");
    }
}
