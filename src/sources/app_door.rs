//! Where an app server tells of itself: one connection, one question, and the answer read to its end.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::web_page::WebPage;
use crate::model::{PollError, PollErrorKind};

/// Longest answer taken: a thousand workers with what they work on stay below it.
const MOST: u64 = 8 << 20;

/// A socket in the file system, or `host:port`.
#[derive(Clone, Debug)]
pub(super) enum AppDoor {
    Unix(String),
    Tcp(String),
}

/// By a door of its own, or by a page that some web server hands out.
pub(super) enum AppWay {
    Door(AppDoor),
    Page(WebPage),
}

impl AppWay {
    /// Whether who answers there runs on this machine.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Door(door) => door.is_here(),
            Self::Page(page) => page.is_here(),
        }
    }
}

impl AppDoor {
    /// The door that a url leads to: `unix:/path`, or `host:port` after `scheme`; `None` for any other.
    pub(super) fn of_url(url: &str, scheme: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Some(Self::Unix(path.strip_prefix("//").unwrap_or(path).to_owned()));
        }
        let place = url.strip_prefix(scheme)?.split(['/', '?']).next()?;
        (!place.is_empty()).then(|| Self::Tcp(place.to_owned()))
    }

    /// What it is called in words.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Unix(place) | Self::Tcp(place) => place,
        }
    }

    /// Whether who answers there runs on this machine.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(place) => {
                let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
                let host = host.trim_matches(['[', ']']);
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// Sends `question` and reads until the other side closes.
    pub(super) async fn ask(&self, question: &[u8]) -> Result<Vec<u8>, PollError> {
        let answer = match self {
            Self::Unix(path) => {
                let wire = UnixStream::connect(path).await.map_err(|error| self.refused(&error))?;
                exchange(wire, question).await
            }
            Self::Tcp(place) => {
                let wire = TcpStream::connect(place).await.map_err(|error| self.refused(&error))?;
                exchange(wire, question).await
            }
        };
        let answer =
            answer.map_err(|error| self.error(PollErrorKind::Garbage, &format!("it broke off: {error}")))?;
        if answer.len() as u64 > MOST {
            return Err(self.error(PollErrorKind::Garbage, "the answer is longer than 8 MB"));
        }
        Ok(answer)
    }

    /// Reads a page by HTTP: its status and its body.
    pub(super) async fn page(&self, path: &str) -> Result<(u16, String), PollError> {
        let question = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
        let answer = self.ask(question.as_bytes()).await?;
        let answer = String::from_utf8_lossy(&answer);
        let no_http = || self.error(PollErrorKind::Garbage, "it does not speak HTTP");
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        Ok((status.ok_or_else(no_http)?, body.to_owned()))
    }

    /// A fault, with its place.
    pub(super) fn error(&self, kind: PollErrorKind, says: &str) -> PollError {
        PollError::new(kind, &format!("{}: {says}", self.place()))
    }

    fn refused(&self, error: &io::Error) -> PollError {
        let place = self.place();
        let (kind, says) = match error.kind() {
            io::ErrorKind::NotFound => (PollErrorKind::Unreachable, format!("there is no {place}")),
            io::ErrorKind::ConnectionRefused => {
                (PollErrorKind::Unreachable, format!("nobody listens on {place}"))
            }
            io::ErrorKind::WouldBlock => {
                (PollErrorKind::Exhausted, format!("{place} takes no more connections: its queue is full"))
            }
            io::ErrorKind::PermissionDenied => (
                PollErrorKind::Rights,
                format!("this user may not open {place}; join the group that owns it"),
            ),
            _ => {
                let plain =
                    || PollError::new(PollErrorKind::Unreachable, &format!("cannot reach {place}: {error}"));
                return PollError::unresolved(place, &error.to_string()).unwrap_or_else(plain);
            }
        };
        PollError::new(kind, &says)
    }
}

async fn exchange(mut wire: impl AsyncRead + AsyncWrite + Unpin, question: &[u8]) -> io::Result<Vec<u8>> {
    wire.write_all(question).await?;
    let mut answer = Vec::with_capacity(16 * 1024);
    match wire.take(MOST + 1).read_to_end(&mut answer).await {
        // Some close while our question is still unread.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !answer.is_empty() => {}
        other => drop(other?),
    }
    Ok(answer)
}
