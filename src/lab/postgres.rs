//! A private PostgreSQL on loopback: the roles of the lab, no durability, gone when dropped.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::user::server_user;
use super::{Folder, LabError, Process, free_port};

/// What a private PostgreSQL is started with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Folder of `initdb` and `postgres`; `None` looks for the newest installed one.
    pub bin_dir: Option<PathBuf>,
    /// Further server settings, as `("max_connections", "60")`.
    pub server: Vec<(String, String)>,
    /// Statements for the database `app`, one a line each, run as the superuser before the server starts.
    pub setup: Vec<String>,
    /// Port of a server to follow as a standby, with its roles and data; it must allow a walsender
    /// (`wal_level=replica`, `max_wal_senders`), and `setup` is not run.
    pub standby_of: Option<u16>,
    /// The data folder of that server, where its programs bring no `pg_basebackup`: it is copied as it lies, so
    /// nobody may write there since its last checkpoint.
    pub standby_from: Option<PathBuf>,
}

/// A running PostgreSQL; dropping it ends it. Roles: `postgres` (superuser), `app` (owns the database
/// `app`), `warroom` (`pg_monitor`, `pg_signal_backend`); all trusted, on loopback only.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    place: Place,
    // After the process, so that the server is gone before its folder.
    _folder: Option<Folder>,
}

/// Where a PostgreSQL listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Folder of its unix socket.
    pub sockets: PathBuf,
}

/// Starts a PostgreSQL with the lab's roles; `bin_dir` picks the version, `None` the newest installed.
///
/// # Errors
/// It is not installed or does not come up.
pub fn start(bin_dir: Option<&Path>) -> Result<Postgres, LabError> {
    start_with(&Settings { bin_dir: bin_dir.map(Path::to_owned), ..Settings::default() })
}

/// Starts a PostgreSQL with settings of the caller's.
///
/// # Errors
/// It is not installed or does not come up.
pub fn start_with(settings: &Settings) -> Result<Postgres, LabError> {
    let folder = Folder::temporary("postgres")?;
    let (process, place) = start_in(folder.path(), settings)?;
    Ok(Postgres { process, place, _folder: Some(folder) })
}

/// Starts a PostgreSQL with its data and sockets under `dir/postgres`.
pub(super) fn start_in(dir: &Path, settings: &Settings) -> Result<(Process, Place), LabError> {
    let home = dir.join("postgres");
    let bin = settings.bin_dir.clone().map_or_else(find_bin_dir, Ok)?;
    fs::DirBuilder::new().mode(0o700).create(&home).map_err(LabError::file("create", &home))?;
    if let Some(user) = server_user() {
        std::os::unix::fs::chown(&home, Some(user.uid), Some(user.gid))
            .map_err(LabError::file("hand over", &home))?;
    }
    match (settings.standby_of, &settings.standby_from) {
        (None, _) => initialise(&bin, &home, settings)?,
        (Some(primary), None) => copy_of(&bin, &home, primary)?,
        (Some(primary), Some(data)) => cold_copy_of(data, &home, primary)?,
    }
    // Written by root into a folder it may pass through; the server only appends.
    fs::write(dir.join("postgres.log"), "").map_err(LabError::file("write", dir.join("postgres.log")))?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let port = free_port()?;
        match start_on(&bin, &home, dir, port, settings) {
            // Somebody else may have taken the port in between.
            Err(LabError::NotReady { .. }) if attempts < 3 => {}
            started => return started.map(|process| (process, Place { port, sockets: home })),
        }
    }
}

/// Starts a PostgreSQL again that [`start_in`] set up in `dir`, on its old port.
pub(super) fn start_again(dir: &Path, place: &Place, settings: &Settings) -> Result<Process, LabError> {
    let bin = settings.bin_dir.clone().map_or_else(find_bin_dir, Ok)?;
    start_on(&bin, &place.sockets, dir, place.port, settings)
}

fn initialise(bin: &Path, home: &Path, settings: &Settings) -> Result<(), LabError> {
    let mut initdb = command(&bin.join("initdb"), home);
    initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
    run(initdb.arg(home.join("data")), "")?;
    single(bin, home, "postgres", &roles())?;
    let mut setup = vec!["GRANT ALL ON SCHEMA public TO app".to_owned()];
    if has_statements(bin) {
        setup.push("CREATE EXTENSION pg_stat_statements".into());
    }
    setup.extend(settings.setup.iter().cloned());
    single(bin, home, "app", &setup)
}

/// A copy of a running server that will follow it.
fn copy_of(bin: &Path, home: &Path, primary: u16) -> Result<(), LabError> {
    let mut backup = command(&bin.join("pg_basebackup"), home);
    backup.args(["-h", "127.0.0.1", "-U", "postgres", "-c", "fast", "-X", "stream", "-R", "--no-sync", "-p"]);
    run(backup.arg(primary.to_string()).arg("-D").arg(home.join("data")), "")
}

/// The same by copying its files: what they hold is what a crash would have left.
fn cold_copy_of(data: &Path, home: &Path, primary: u16) -> Result<(), LabError> {
    const COPY: &str = "cp -Rp \"$1\" data && rm data/postmaster.pid && touch data/standby.signal && \
                        echo \"primary_conninfo = 'host=127.0.0.1 port=$2 user=postgres'\" >>data/postgresql.auto.conf";
    let mut copy = command(Path::new("/bin/sh"), home);
    run(copy.args(["-ec", COPY, "copy"]).arg(data).arg(primary.to_string()), "")
}

fn roles() -> Vec<String> {
    [
        "CREATE ROLE app LOGIN",
        "CREATE ROLE warroom LOGIN IN ROLE pg_monitor, pg_signal_backend",
        "CREATE DATABASE app OWNER app",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Runs statements in the server's single-user mode, which needs no client program.
fn single(bin: &Path, home: &Path, database: &str, statements: &[String]) -> Result<(), LabError> {
    let mut postgres = command(&bin.join("postgres"), home);
    postgres.args(["--single", "-F", "-c", "exit_on_error=true", "-c", "log_checkpoints=off", "-D"]);
    let input: String = statements.iter().map(|one| one.replace('\n', " ") + "\n").collect();
    run(postgres.arg(home.join("data")).arg(database), &input)
}

fn start_on(
    bin: &Path,
    home: &Path,
    dir: &Path,
    port: u16,
    settings: &Settings,
) -> Result<Process, LabError> {
    let mut postgres = command(&bin.join("postgres"), home);
    postgres.arg("-D").arg(home.join("data")).arg("-k").arg(home).arg("-p").arg(port.to_string());
    postgres.args(["-h", "127.0.0.1", "-F", "-c", "shared_buffers=16MB", "-c", "wal_level=minimal"]);
    postgres.args(["-c", "max_wal_senders=0", "-c", "synchronous_commit=off", "-c", "autovacuum_naptime=60"]);
    if has_statements(bin) {
        postgres.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
    }
    for (name, value) in &settings.server {
        postgres.arg("-c").arg(format!("{name}={value}"));
    }
    // SIGQUIT: at once, without a checkpoint; the data is thrown away anyway.
    let mut process = Process::start("postgres", &mut postgres, &dir.join("postgres.log"), Signal::QUIT)?;
    let pid_file = home.join("data/postmaster.pid");
    process.wait_ready(|| {
        fs::read_to_string(&pid_file)
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|status| status.trim() == "ready"))
    })?;
    Ok(process)
}

impl Postgres {
    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.place.port
    }

    /// Folder of its unix socket.
    #[must_use]
    pub fn sockets(&self) -> &Path {
        &self.place.sockets
    }

    /// The database `app` as `warroom` (or `app`, `postgres`) reaches it.
    #[must_use]
    pub fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/app", self.place.port)
    }

    /// The server's process, to freeze, thaw or stop it.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The newest PostgreSQL of this machine: `$WARROOM_PG_BIN`, Debian's folders, then `PATH`.
fn find_bin_dir() -> Result<PathBuf, LabError> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("WARROOM_PG_BIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(versions.into_iter().map(|(_, bin)| bin))
        .chain(std::env::split_paths(&path))
        .find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .ok_or_else(|| LabError::NotInstalled {
            program: "initdb",
            looked_in: "$WARROOM_PG_BIN, /usr/lib/postgresql and PATH".into(),
            package: "postgresql",
        })
}

/// Whether this installation can load `pg_stat_statements` and create its extension.
fn has_statements(bin: &Path) -> bool {
    ["../lib", "../lib/postgresql"].iter().any(|lib| bin.join(lib).join("pg_stat_statements.so").exists())
}

/// A command as the servers' user, with nothing of our environment that could steer it elsewhere.
fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .current_dir(home);
    if let Some(user) = server_user() {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Runs a command to its end with `input` on its standard input; what it printed is its error's text.
fn run(command: &mut Command, input: &str) -> Result<(), LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |why| LabError::Spawn { program: program.clone(), why };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that failed early does not read: its own words come below.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let log = said.lines().rev().take(4).collect::<Vec<_>>().join(" | ");
    Err(LabError::NotReady { name: program, what: format!("failed ({})", output.status), log })
}
