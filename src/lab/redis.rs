//! A private Redis on loopback, with nothing kept on disk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::{Folder, LabError, Process, free_port};

/// A running Redis; dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    // After the process, so that the server is gone before its folder.
    _folder: Option<Folder>,
}

/// Starts a Redis in a folder of its own; `args` are further settings, as `["--maxmemory", "64mb"]`.
///
/// # Errors
/// It is not installed or does not answer.
pub fn start(args: &[&str]) -> Result<Redis, LabError> {
    start_program(Path::new("redis-server"), args)
}

/// Starts another program that speaks as a Redis does and takes its arguments: another version, a fork.
///
/// # Errors
/// As [`start`].
pub fn start_program(program: &Path, args: &[&str]) -> Result<Redis, LabError> {
    let folder = Folder::temporary("redis")?;
    let (process, port) = on_a_free_port(|port| start_as(program, folder.path(), "redis", port, args))?;
    Ok(Redis { process, port, _folder: Some(folder) })
}

/// Starts a Redis that logs into `dir`, on a free port.
pub(super) fn start_in(dir: &Path, name: &str, args: &[&str]) -> Result<(Process, u16), LabError> {
    on_a_free_port(|port| start_on(dir, name, port, args))
}

fn on_a_free_port(start: impl Fn(u16) -> Result<Process, LabError>) -> Result<(Process, u16), LabError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let port = free_port()?;
        match start(port) {
            // Somebody else may have taken the port in between.
            Err(LabError::NotReady { .. }) if attempts < 3 => {}
            result => return result.map(|process| (process, port)),
        }
    }
}

/// Starts a Redis on this very port (a server that comes back after it went away).
pub(super) fn start_on(dir: &Path, name: &str, port: u16, args: &[&str]) -> Result<Process, LabError> {
    start_as(Path::new("redis-server"), dir, name, port, args)
}

fn start_as(program: &Path, dir: &Path, name: &str, port: u16, args: &[&str]) -> Result<Process, LabError> {
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--port")
        .arg(port.to_string())
        .arg("--dir")
        .arg(dir)
        .args(args)
        .current_dir(dir);
    let mut process = Process::start(name, &mut command, &dir.join(format!("{name}.log")), Signal::TERM)
        .map_err(not_installed)?;
    process.wait_ready(|| answers(port))?;
    Ok(process)
}

impl Redis {
    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where one of its databases answers.
    #[must_use]
    pub fn url(&self, database: u32) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// The server's process, to freeze, thaw or stop it.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn not_installed(error: LabError) -> LabError {
    match error {
        LabError::Spawn { why, .. } if why.kind() == std::io::ErrorKind::NotFound => LabError::NotInstalled {
            program: "redis-server",
            looked_in: "PATH".into(),
            package: "redis-server",
        },
        other => other,
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 5];
    stream.set_read_timeout(Some(Duration::from_millis(500))).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"+PONG"
}
