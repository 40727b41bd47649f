//! Without a config: this machine, and what listens on it in the usual places.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Config, TargetSpec};
use crate::model::TargetId;

/// Where to look; the tests look elsewhere.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// This machine's name.
    pub hostname: String,
    /// Folders with PostgreSQL's sockets.
    pub postgres_folders: Vec<PathBuf>,
    /// HAProxy's stats sockets.
    pub haproxy_sockets: Vec<PathBuf>,
    /// Where a Redis would listen.
    pub redis: SocketAddr,
}

impl Default for Surroundings {
    fn default() -> Self {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
        Self {
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            postgres_folders: paths(&["/run/postgresql", "/var/run/postgresql", "/tmp"]),
            haproxy_sockets: paths(&[
                "/run/haproxy/admin.sock",
                "/run/haproxy.sock",
                "/var/lib/haproxy/stats",
                "/var/lib/haproxy/admin.sock",
                "/tmp/haproxy.sock",
            ]),
            redis: SocketAddr::from(([127, 0, 0, 1], 6379)),
        }
    }
}

/// A config of what listens on this machine.
#[must_use]
pub fn discover(kinds: &[&str], env: &dyn Fn(&str) -> Option<String>) -> Config {
    discover_in(&Surroundings::default(), kinds, env)
}

/// A config of what listens in these surroundings; a kind that is not in `kinds` is not looked for.
#[must_use]
pub fn discover_in(around: &Surroundings, kinds: &[&str], env: &dyn Fn(&str) -> Option<String>) -> Config {
    let mut config = Config::default();
    let mut found = Vec::new();
    let mut add = |id: &str, kind: &str, url: Option<String>, says: String| {
        if let (true, Ok(id)) = (kinds.contains(&kind), TargetId::parse(id)) {
            let spec = TargetSpec::new(id, kind);
            found.push(says);
            config.targets.push(match url {
                Some(url) => spec.with_url(&url),
                None => spec,
            });
        }
    };
    let host = if TargetId::parse(&around.hostname).is_ok() { around.hostname.as_str() } else { "host" };
    add(host, "host", None, "this machine".into());
    if ["PGHOST", "PGHOSTADDR", "PGSERVICE"].iter().any(|name| env(name).is_some_and(|it| !it.is_empty())) {
        add("postgres", "postgres", None, "PostgreSQL by the libpq environment".into());
    } else {
        for (at, (folder, port)) in postgres_sockets(&around.postgres_folders).iter().enumerate() {
            let id = if at == 0 { "postgres".to_owned() } else { format!("postgres-{port}") };
            let says = format!("PostgreSQL at {}/.s.PGSQL.{port}", folder.display());
            let url = format!("postgres:///postgres?host={}&port={port}", folder.display());
            add(&id, "postgres", Some(url), says);
        }
    }
    // A closed port on loopback answers at once; only a firewall that drops could hold this up.
    if TcpStream::connect_timeout(&around.redis, Duration::from_millis(100)).is_ok() {
        let url = format!("redis://{}/0", around.redis);
        add("redis", "redis", Some(url), format!("Redis at {}", around.redis));
    }
    if let Some(socket) = around.haproxy_sockets.iter().find(|path| is_socket(path)) {
        let shown = socket.display();
        add("haproxy", "haproxy", Some(format!("unix:{shown}")), format!("HAProxy at {shown}"));
    }
    config.notices.push(format!("no config file (`warroom init` writes one): watching {}", found.join(", ")));
    config
}

/// The sockets that PostgreSQL servers listen on, each port once, the usual port first.
fn postgres_sockets(folders: &[PathBuf]) -> Vec<(PathBuf, u16)> {
    let mut sockets: Vec<(PathBuf, u16)> = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let port = name.to_str().and_then(|name| name.strip_prefix(".s.PGSQL."));
            let Some(port) = port.and_then(|port| port.parse::<u16>().ok()) else { continue };
            if is_socket(&entry.path()) && !sockets.iter().any(|(_, other)| *other == port) {
                sockets.push((folder.clone(), port));
            }
        }
    }
    sockets.sort_by_key(|(_, port)| (*port != 5432, *port));
    sockets.truncate(8);
    sockets
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}
