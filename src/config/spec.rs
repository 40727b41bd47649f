//! The effective settings, as the rest of the program sees them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{ApplicationPattern, Thresholds, TlsFiles};
use crate::model::{Namespace, SQL_QUEUE_KINDS, TargetId};

/// Everything that was configured, with defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file it came from; `None` when warroom looked around by itself.
    pub path: Option<PathBuf>,
    /// What the operator should be aware of at every moment.
    pub environment: Environment,
    /// What is polled, in the file's order.
    pub targets: Vec<TargetSpec>,
    /// Limits of every resource.
    pub thresholds: Thresholds,
    /// Name of the theme.
    pub theme: Option<String>,
    /// Rebound keys: command name and chord, as written.
    pub keys: Vec<(String, String)>,
    /// How transitions are announced.
    pub notify: NotifySettings,
    /// Where the journal is written; `None` means the XDG state folder.
    pub journal: Option<PathBuf>,
    /// Set by `warroom lab up`: the lab this config belongs to.
    pub lab: Option<LabSettings>,
    /// Where a setting came from, by its dotted path (`target.primary.every`): `line 12`. What is not here is built in.
    pub origins: BTreeMap<String, String>,
    /// What the operator should be told once at the start: what was found without a config, open secrets.
    pub notices: Vec<String>,
}

impl Config {
    /// The target with this id, rows counted to their target.
    #[must_use]
    pub fn target(&self, id: &TargetId) -> Option<&TargetSpec> {
        let id = id.target();
        self.targets.iter().find(|target| target.id == id)
    }
}

/// The environment the targets belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `production`; shown in the header.
    pub name: String,
    /// How acts are confirmed.
    pub confirm: ConfirmRule,
    /// No act is possible.
    pub read_only: bool,
    /// Where `read_only` came from, for the greyed keys: `--read-only`, `WARROOM_READ_ONLY`, `the config file`.
    pub read_only_from: &'static str,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            name: "local".into(),
            confirm: ConfirmRule::Key,
            read_only: false,
            read_only_from: "the default",
        }
    }
}

/// How an act is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfirmRule {
    /// `y`.
    #[default]
    Key,
    /// The target's id is typed.
    Name,
}

/// How transitions are announced beside the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// Ring the terminal bell.
    pub bell: bool,
    /// Set the terminal's title.
    pub title: bool,
    /// Escape sequence to send: 9, 99 or 777.
    pub osc: Option<u16>,
    /// Desktop notification, where there is a desktop session.
    pub desktop: bool,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self { bell: true, title: true, osc: None, desktop: true }
    }
}

/// The lab a config belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabSettings {
    /// The lab's folder.
    pub dir: PathBuf,
}

/// One thing to poll. Fields that a kind does not use are refused when the file is read.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Its id.
    pub id: TargetId,
    /// Name of the kind, one of the table in `sources`.
    pub kind: String,
    /// Where it answers, with credentials; `None` where the kind needs none or finds it in its own environment.
    pub url: Option<Secret>,
    /// Sentinels that tell where it answers; the URL then gives only user, password, database and encryption.
    pub sentinels: Vec<Secret>,
    /// The name by which those Sentinels know it.
    pub master: Option<String>,
    /// Files for an encrypted connection (redis and worker queues on Redis).
    pub tls: TlsFiles,
    /// Time from one poll to the next.
    pub every: Duration,
    /// Longest wait for one answer, the connecting included.
    pub timeout: Duration,
    /// A statement that runs longer is slow.
    pub slow_after: Duration,
    /// How the names of its sessions tell the kind of process, where they are not of the usual forms.
    pub applications: Option<ApplicationPattern>,
    /// Cache namespaces.
    pub namespaces: Vec<Namespace>,
    /// Queues to watch; empty means every queue found.
    pub queues: Vec<String>,
    /// The virtual host whose queues are meant; `None` means all that can be seen (rabbitmq).
    pub vhost: Option<String>,
    /// What every key of a queue library begins with, where it is not the library's own choice.
    pub prefix: Option<String>,
    /// What a queue in a database is asked: a single select, checked when the file is read.
    pub statement: Option<String>,
    /// Schema in which a queue library keeps its tables, where it is not the library's own choice.
    pub schema: Option<String>,
    /// Configuration file for `ssh` in place of the user's own.
    pub ssh_config: Option<PathBuf>,
    /// Socket of its master process, `unix:/path` (haproxy).
    pub master_socket: Option<String>,
    /// Ring to follow, by its name (haproxy).
    pub ring: Option<String>,
    /// Where a server listens in the file system, by `backend/server`: a HAProxy does not tell.
    pub sockets: Vec<(String, String)>,
    /// Access log to follow (nginx).
    pub log: Option<PathBuf>,
    /// Address at which an app server listens that does not tell it: `127.0.0.1:3000`.
    pub listens: Option<String>,
    /// Name or folder of one of several on a machine (varnish).
    pub instance: Option<String>,
    /// File with the secret of its management (varnish).
    pub secret_file: Option<PathBuf>,
    /// Path of a status page (`php_fpm`).
    pub status_path: Option<String>,
    /// What a control app wants to be told before it answers (puma).
    pub token: Option<Secret>,
    /// What the machine is for; of many machines behind one address, the label that tells it.
    pub group: Option<String>,
    /// Which of a Prometheus server's series are meant: label matchers without their braces.
    pub select: Option<String>,
    /// Whose metrics a page holds (prometheus).
    pub preset: Option<String>,
    /// Which metrics answer which question, key and selector, over the preset's (prometheus).
    pub metrics: Vec<(String, String)>,
    /// Limits of this target, over the general ones.
    pub thresholds: Thresholds,
    /// Line of the file on which the target begins.
    pub line: Option<usize>,
    /// Why it cannot be used; it then shows as down with this reason.
    pub broken: Option<String>,
}

impl TargetSpec {
    /// A target with every default in place.
    #[must_use]
    pub fn new(id: TargetId, kind: &str) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            url: None,
            sentinels: Vec::new(),
            master: None,
            every: Duration::from_secs(match kind {
                // RabbitMQ counts anew every five seconds only, and counting rows is no small question.
                "prometheus_hosts" | "rabbitmq" => 5,
                kind if SQL_QUEUE_KINDS.contains(&kind) => 5,
                _ => 1,
            }),
            timeout: Duration::from_secs(if kind == "prometheus_hosts" { 10 } else { 3 }),
            slow_after: Duration::from_secs(1),
            applications: None,
            namespaces: Vec::new(),
            queues: Vec::new(),
            master_socket: None,
            ring: None,
            sockets: Vec::new(),
            log: None,
            preset: None,
            metrics: Vec::new(),
            vhost: None,
            prefix: None,
            statement: None,
            schema: None,
            tls: TlsFiles::default(),
            ssh_config: None,
            listens: None,
            instance: None,
            secret_file: None,
            status_path: None,
            token: None,
            group: None,
            select: None,
            thresholds: Thresholds::default(),
            line: None,
            broken: None,
        }
    }

    /// The same target at another address.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(Secret::new(url));
        self
    }

    /// Where it answers, for the screen: scheme, host and path without user, password and query.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if let Some(master) = &self.master {
            return format!("{master}, by {} Sentinels", self.sentinels.len());
        }
        self.url.as_ref().map_or_else(|| self.kind.clone(), Secret::without_credentials)
    }
}

/// Text that may hold a password: shown by nothing, handed out only to who connects.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for connecting only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it holds a password.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        let authority = rest.rfind('@').map_or("", |at| &rest[..at]);
        authority.contains(':') || rest.contains("password=") || rest.contains("pass=")
    }

    /// A URL without its user, password, query and fragment; a path as it is.
    #[must_use]
    pub fn without_credentials(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            let plain = self.0.split(['?', '#']).next().unwrap_or("");
            return if self.0.contains('@') { "(hidden)".into() } else { plain.to_owned() };
        };
        let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = path.split(['?', '#']).next().unwrap_or("");
        // A slash that stands in a password as it is: then what looks like a host is none.
        if path.contains('@') {
            return format!("{scheme}://(hidden)");
        }
        format!("{scheme}://{host}{path}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_endpoint_holds_no_credentials() {
        let shown = |url| Secret::new(url).without_credentials();
        assert_eq!(shown("postgres://u:p@w@10.0.0.5:5432/app?password=x"), "postgres://10.0.0.5:5432/app");
        assert_eq!(shown("http://10.0.0.2:8404/;csv"), "http://10.0.0.2:8404/;csv");
        assert_eq!(shown("unix:/run/haproxy/admin.sock"), "unix:/run/haproxy/admin.sock");
        assert_eq!(shown("unix:/run/redis.sock?db=1&pass=x"), "unix:/run/redis.sock");
        assert_eq!(shown("unix:///run/redis.sock?pass=x"), "unix:///run/redis.sock");
        assert_eq!(shown("postgres://u:12/34@db/app"), "postgres://(hidden)");
        assert_eq!(shown("host=db password=x@y"), "(hidden)");
        assert!(Secret::new("unix:/run/redis.sock?pass=x").holds_password());
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "(hidden)");
    }
}
