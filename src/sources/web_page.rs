//! One page read over HTTP. Redirects are not followed, no proxy is asked, the size is bounded.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::crypto::ring;

use crate::model::{PollError, PollErrorKind, Timestamp};

/// How long a connection is kept for the next poll: one that is asked less often has no use of its buffers.
const KEPT: Duration = Duration::from_secs(4);

/// What a kind adds to the general words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    /// After "401: it wants a user and a password".
    pub(super) login: &'static str,
    /// After "404: ".
    pub(super) not_found: &'static str,
    /// Longest answer taken, megabytes.
    pub(super) most_mb: usize,
}

/// What a page answered, whatever its status.
pub(super) struct Answered {
    /// The HTTP status.
    pub(super) status: u16,
    /// The server's clock, to the second, where it tells.
    pub(super) at: Option<Timestamp>,
    /// The body.
    pub(super) text: String,
}

/// The page and the connection to it.
pub(super) struct WebPage {
    client: Client,
    url: Url,
    /// Without user and password.
    place: String,
    hints: Hints,
}

impl WebPage {
    /// Prepares to read `url`. The error holds no credentials.
    pub(super) fn new(url: Url, hints: Hints) -> Result<Self, String> {
        let client = shared(url.scheme() == "https")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path());
        Ok(Self { client, url, place, hints })
    }

    /// Whether the page is on this machine.
    pub(super) fn is_here(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Reads the page.
    pub(super) async fn get(&self) -> Result<String, PollError> {
        let answer = self.client.get(self.url.clone()).send().await.map_err(|error| self.failed(error))?;
        self.check(&answer)?;
        self.body(answer).await
    }

    /// Reads the page and leaves it to the caller what its status means.
    pub(super) async fn ask(&self) -> Result<Answered, PollError> {
        let answer = self.client.get(self.url.clone()).send().await.map_err(|error| self.failed(error))?;
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
        let at = date
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|at| Timestamp::from_micros(at.timestamp().as_microsecond()));
        let status = answer.status().as_u16();
        Ok(Answered { status, at, text: self.body(answer).await? })
    }

    async fn body(&self, mut answer: Response) -> Result<String, PollError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + chunk.len() > self.hints.most_mb << 20 {
                let says = format!("the answer is longer than {} MB", self.hints.most_mb);
                return Err(self.error(PollErrorKind::Garbage, &says));
            }
            body.extend_from_slice(&chunk);
        }
        // Copied only where it is no text.
        Ok(String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn check(&self, answer: &Response) -> Result<(), PollError> {
        let status = answer.status();
        let kind = match status {
            StatusCode::OK => return Ok(()),
            StatusCode::UNAUTHORIZED => {
                let login = self.hints.login;
                let says = if self.url.username().is_empty() {
                    format!("401: it wants a user and a password{login}; put them into the url")
                } else {
                    format!("401: it refuses the user and password of the url{login}; correct them")
                };
                return Err(self.error(PollErrorKind::Login, &says));
            }
            StatusCode::FORBIDDEN => PollErrorKind::Rights,
            StatusCode::NOT_FOUND => {
                return Err(self.error(PollErrorKind::Unsupported, &format!("404: {}", self.hints.not_found)));
            }
            _ if status.is_redirection() => {
                let says = format!(
                    "{status}: a redirect, which is not followed; put the final address into the url"
                );
                return Err(self.error(PollErrorKind::Garbage, &says));
            }
            _ if status.is_server_error() => PollErrorKind::Unavailable,
            _ => PollErrorKind::Garbage,
        };
        Err(self.error(kind, &format!("it answered {status}")))
    }

    fn failed(&self, error: reqwest::Error) -> PollError {
        let kind = if error.is_timeout() {
            PollErrorKind::Timeout
        } else if error.is_connect() {
            PollErrorKind::Unreachable
        } else {
            PollErrorKind::Garbage
        };
        let error = error.without_url();
        // The innermost cause is the one that says something: `connection refused`.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let says = cause.to_string();
        if let Some(unresolved) = PollError::unresolved(&self.place, &says) {
            return unresolved;
        }
        if cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
            == Some(std::io::ErrorKind::ConnectionRefused)
        {
            return PollError::new(kind, &format!("nobody listens on {}", self.place));
        }
        let says = says.to_lowercase();
        if says.starts_with("invalid http") {
            return self.error(PollErrorKind::Garbage, "it does not answer in HTTP; is it the right port?");
        }
        if says.contains("invalidcontenttype") {
            return self.error(
                PollErrorKind::Garbage,
                "it does not speak TLS there; is it http:// or another port?",
            );
        }
        if let Some(reason) = says.strip_prefix("invalid peer certificate: ") {
            return self.error(PollErrorKind::Login, &mistrust(reason));
        }
        if says.contains("end of file before message length") {
            return self.error(kind, "it broke off in the middle of its answer");
        }
        // A server that went away between two polls leaves a dead connection behind.
        let gone = says.contains("closed before message completed");
        self.error(if gone { PollErrorKind::Unreachable } else { kind }, &says)
    }

    /// A fault of the page, with its place.
    pub(super) fn error(&self, kind: PollErrorKind, says: &str) -> PollError {
        PollError::new(kind, &format!("{}: {says}", self.place))
    }
}

/// Why a server's certificate is refused, and what mends it, by the library's reason in small letters.
fn mistrust(reason: &str) -> String {
    let signed = "give it one signed by an authority that this machine trusts, or name the file of its authority in \
                  $SSL_CERT_FILE";
    let (why, mend) = match reason {
        _ if reason.contains("causedasendentity") => ("signs itself", signed),
        _ if reason.contains("unknownissuer") => ("is signed by nobody whom this machine trusts", signed),
        _ if reason.contains("notvalidyet") || reason.contains("not valid yet") => {
            ("is not valid yet", "compare the clocks")
        }
        _ if reason.contains("expired") => ("has expired", "renew it"),
        _ if reason.contains("name") => ("is for another name", "put that name into the url"),
        _ => return format!("its certificate is refused: {reason}"),
    };
    format!("its certificate {why}; {mend}")
}

thread_local! {
    /// One client for all pages that are read on a thread, without and with TLS: each has tables of its
    /// own, which a fleet cannot have a thousand times.
    static CLIENTS: [OnceCell<Client>; 2] = const { [OnceCell::new(), OnceCell::new()] };
}

fn shared(tls: bool) -> Result<Client, String> {
    CLIENTS.with(|clients| {
        let slot = &clients[usize::from(tls)];
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(KEPT);
        let builder = if tls {
            // Fails only when a provider is installed already, which is as good.
            ring::default_provider().install_default().ok();
            builder
        } else {
            // No certificates are needed, so none are loaded.
            builder.tls_backend_preconfigured(no_tls()?)
        };
        let client = builder.build().map_err(|error| format!("http client: {}", error.without_url()))?;
        Ok(slot.get_or_init(|| client).clone())
    })
}

fn no_tls() -> Result<rustls::ClientConfig, String> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| format!("tls: {error}"))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
