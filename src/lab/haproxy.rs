//! A private HAProxy on loopback with all three of its statistics doors open.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::{Folder, LabError, Process, free_port};

/// Where Debian puts it when the caller's PATH has no `sbin`.
const PLACES: [&str; 3] = ["haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];

/// A running HAProxy; dropping it ends it.
#[derive(Debug)]
pub struct Haproxy {
    process: Process,
    doors: Doors,
    // After the process, so that the server is gone before its folder.
    _folder: Option<Folder>,
}

/// Where a HAProxy tells its statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doors {
    /// Its runtime socket, level admin.
    pub socket: PathBuf,
    /// The same by TCP, a loopback port.
    pub tcp: u16,
    /// Its statistics page, a loopback port.
    pub http: u16,
}

/// Starts a HAProxy: `body` holds the `frontend`, `backend` and `listen` sections; the sections
/// `global` and `defaults` (mode http, short timeouts) and the statistics stand before it.
///
/// # Errors
/// It is not installed, refuses its configuration or does not answer.
pub fn start(body: &str) -> Result<Haproxy, LabError> {
    let folder = Folder::temporary("haproxy")?;
    let (process, doors) = start_in(folder.path(), body)?;
    Ok(Haproxy { process, doors, _folder: Some(folder) })
}

/// Starts a HAProxy that keeps its files in `dir`.
pub(super) fn start_in(dir: &Path, body: &str) -> Result<(Process, Doors), LabError> {
    let doors = Doors { socket: dir.join("haproxy.sock"), tcp: free_port()?, http: free_port()? };
    let config = dir.join("haproxy.cfg");
    fs::write(&config, head(&doors) + body).map_err(LabError::file("write", &config))?;
    start_again(dir, &doors).map(|process| (process, doors))
}

/// Starts a HAProxy with the configuration that it had before.
pub(super) fn start_again(dir: &Path, doors: &Doors) -> Result<Process, LabError> {
    let mut process = start_on(dir, &dir.join("haproxy.cfg"))?;
    process.wait_ready(|| UnixStream::connect(&doors.socket).is_ok())?;
    Ok(process)
}

fn start_on(dir: &Path, config: &Path) -> Result<Process, LabError> {
    let log = dir.join("haproxy.log");
    for place in PLACES {
        let mut command = Command::new(place);
        command.arg("-db").arg("-f").arg(config).current_dir(dir);
        match Process::start("haproxy", &mut command, &log, Signal::TERM) {
            Err(LabError::Spawn { why, .. }) if why.kind() == std::io::ErrorKind::NotFound => {}
            started => return started,
        }
    }
    Err(LabError::NotInstalled {
        program: "haproxy",
        looked_in: "PATH and /usr/sbin".into(),
        package: "haproxy",
    })
}

fn head(doors: &Doors) -> String {
    let socket = doors.socket.display();
    format!(
        "global\n    maxconn 1000\n    stats socket {socket} mode 600 level admin\n    \
         stats socket ipv4@127.0.0.1:{tcp} level admin\n    stats timeout 1h\n\
         defaults\n    mode http\n    timeout connect 1s\n    timeout client 30s\n    timeout server 30s\n    \
         timeout queue 10s\n    option http-keep-alive\n\
         frontend stats\n    bind 127.0.0.1:{http}\n    stats enable\n    stats uri /\n    stats show-legends\n",
        tcp = doors.tcp,
        http = doors.http,
    )
}

impl Haproxy {
    /// Its statistics by HTTP.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}/;csv", self.doors.http)
    }

    /// Its runtime socket, level admin.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.doors.socket
    }

    /// Its runtime socket as the config writes it.
    #[must_use]
    pub fn socket_url(&self) -> String {
        format!("unix:{}", self.doors.socket.display())
    }

    /// Its runtime socket by TCP.
    #[must_use]
    pub fn tcp_url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.doors.tcp)
    }

    /// Ends it and starts it with what its configuration file holds now, behind the same doors.
    ///
    /// # Errors
    /// It refuses its configuration or does not answer.
    pub fn start_anew(&mut self) -> Result<(), LabError> {
        let Some(dir) = self.doors.socket.parent() else { return Ok(()) };
        self.process.stop();
        std::fs::remove_file(&self.doors.socket).ok();
        self.process = start_again(dir, &self.doors)?;
        Ok(())
    }

    /// The server's process, to freeze, thaw or stop it.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
