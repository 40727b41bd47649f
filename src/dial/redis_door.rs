//! Where a Redis is: at its URL, or where its Sentinels say that the master is now.

use std::path::PathBuf;
use std::time::Duration;

use redis::{Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, TlsCertificates};

use super::sentinel::{Named, Sentinels};
use crate::config::{Secret, TargetSpec, TlsFiles};
use crate::model::{PollError, SentinelSample};

/// Where a target without a URL answers.
const USUAL: &str = "redis://127.0.0.1:6379/0";

/// The way to one Redis: user, password, database and encryption are those of the URL; the address is
/// too, unless Sentinels guard it, who name the master anew whenever they are asked.
pub struct RedisDoor {
    client: Client,
    endpoint: String,
    guard: Option<Guard>,
}

struct Guard {
    sentinels: Sentinels,
    master: String,
    patience: Duration,
    named: Option<Named>,
}

impl RedisDoor {
    /// The way to a target; asks nobody yet.
    ///
    /// # Errors
    /// A sentence for the operator, without the URL itself.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let url = spec.url.clone().unwrap_or_else(|| Secret::new(USUAL));
        let client = client(&url, &spec.tls)?;
        let endpoint = if spec.sentinels.is_empty() { url.without_credentials() } else { spec.endpoint() };
        let mut door = Self { client, endpoint, guard: None };
        if spec.sentinels.is_empty() {
            return Ok(door);
        }
        if matches!(door.client.get_connection_info().addr(), ConnectionAddr::Unix(_)) {
            return Err("the url is a socket's, but Sentinels name hosts and ports".into());
        }
        let each = spec
            .sentinels
            .iter()
            .map(|url| Ok((client_of_sentinel(url, &spec.tls)?, url.without_credentials())));
        door.guard = Some(Guard {
            sentinels: Sentinels::new(each.collect::<Result<Vec<_>, String>>()?),
            master: spec.master.clone().unwrap_or_default(),
            // What is left is for the master itself.
            patience: spec.timeout / 3,
            named: None,
        });
        Ok(door)
    }

    /// The same user, password, database and encryption at another address, whoever guards this one; no
    /// host means the same one.
    ///
    /// # Errors
    /// It is no address.
    pub fn at(&self, host: &str, port: u16) -> Result<Self, PollError> {
        let own = match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(own, _) | ConnectionAddr::TcpTls { host: own, .. } => own.as_str(),
            _ => "127.0.0.1",
        };
        let host = if matches!(host, "" | "?") { own } else { host };
        let (client, endpoint) = elsewhere(&self.client, host, port)?;
        Ok(Self { client, endpoint, guard: None })
    }

    /// Opens connections; to the master last named, where Sentinels name one.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Where it leads, for people; no credentials.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether Sentinels must be asked before each connection.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Whether the Sentinels name a master and what they know; `None` without Sentinels, or before the first answer.
    #[must_use]
    pub fn watch(&self) -> Option<SentinelSample> {
        let guard = self.guard.as_ref()?;
        Some(guard.sentinels.sample(&guard.master, guard.named.as_ref()?))
    }

    /// Asks the Sentinels where the master is now. True when it is another than before; always false
    /// without Sentinels. Dropped half way, it leads where it led.
    ///
    /// # Errors
    /// No Sentinel answers, or none knows the master.
    pub async fn find(&mut self) -> Result<bool, PollError> {
        let Some(guard) = &mut self.guard else { return Ok(false) };
        let named = guard.sentinels.ask(&guard.master, guard.patience).await?;
        let before = guard.named.replace(named.clone());
        if before.is_some_and(|before| before.is_same_place(&named)) {
            return Ok(false);
        }
        let (client, at) = elsewhere(&self.client, &named.host, named.port)?;
        self.client = client;
        self.endpoint = format!("{at} (the master of {})", guard.master);
        Ok(true)
    }
}

/// The same user, password, database and encryption at another address, and that address for people.
fn elsewhere(client: &Client, host: &str, port: u16) -> Result<(Client, String), PollError> {
    let info = client.get_connection_info().clone();
    let host = host.to_owned();
    let addr = match info.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    let at = addr.to_string();
    let wrong = |_| PollError::new(crate::model::PollErrorKind::Garbage, "what was named is no address");
    Ok((Client::open(info.set_addr(addr)).map_err(wrong)?, at))
}

fn client(url: &Secret, files: &TlsFiles) -> Result<Client, String> {
    let text = url.expose();
    let text = match text.strip_prefix("unix:") {
        Some(path) if !path.starts_with("//") => format!("unix://{path}"),
        _ => text.to_owned(),
    };
    open(&text, files)?.ok_or_else(|| {
        "url is not one of a Redis: redis://[user:password@]host:port/database, rediss://… or unix:/path"
            .into()
    })
}

fn client_of_sentinel(url: &Secret, files: &TlsFiles) -> Result<Client, String> {
    open(url.expose(), files)?
        .ok_or_else(|| "a Sentinel is not given as host:port or redis://host:port".into())
}

/// A client for this URL, with the files where it is encrypted; `None` when it is no URL of a Redis.
fn open(url: &str, files: &TlsFiles) -> Result<Option<Client>, String> {
    let Ok(info) = url.into_connection_info() else { return Ok(None) };
    // The name is set by warroom itself; an unknown SETINFO would count as an error in the server's statistics.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let info = info.set_redis_settings(settings);
    if files.is_empty() || !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(Client::open(info).ok());
    }
    let read = |key: &str, path: &Option<PathBuf>| match path {
        None => Ok(None),
        Some(path) => std::fs::read(path)
            .map(Some)
            .map_err(|why| format!("{key} {} cannot be read: {why}", path.display())),
    };
    let (cert, key) = (read("tls_cert", &files.cert)?, read("tls_key", &files.key)?);
    let client_tls =
        cert.zip(key).map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    let given = TlsCertificates { client_tls, root_cert: read("tls_ca", &files.ca)? };
    // The library's own words could quote a key.
    let unfit = |_| "tls_ca, tls_cert and tls_key are to hold certificates and a key as PEM".to_owned();
    Client::build_with_tls(info, given).map(Some).map_err(unfit)
}
