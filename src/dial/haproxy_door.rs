//! HAProxy's runtime interface: one command line, one answer, and the connection is closed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::model::{PollError, PollErrorKind};

/// Longest answer taken: a proxy with tens of thousands of servers stays below it.
pub const MOST: usize = 32 << 20;

/// Where the runtime interface listens.
#[derive(Clone, Debug)]
pub enum HaproxyDoor {
    /// A socket in the file system.
    Unix(String),
    /// `host:port`.
    Tcp(String),
}

impl HaproxyDoor {
    /// The door that a url leads to: `unix:/path` or `tcp://host:port`; `None` for any other.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Some(Self::Unix(path.strip_prefix("//").unwrap_or(path).to_owned()));
        }
        url.strip_prefix("tcp://").map(|address| Self::Tcp(address.trim_end_matches('/').to_owned()))
    }

    /// Sends `commands` (joined by `;`) and hands out what comes, for answers that do not end.
    ///
    /// # Errors
    /// Nobody listens there, or the socket may not be opened.
    pub async fn open(&self, commands: &str) -> Result<Box<dyn AsyncRead + Send + Unpin>, PollError> {
        let line = format!("{commands}\n");
        match self {
            Self::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(|error| refused(path, &error))?;
                stream.write_all(line.as_bytes()).await.map_err(|error| broken(path, &error))?;
                Ok(Box::new(stream))
            }
            Self::Tcp(address) => {
                let mut stream =
                    TcpStream::connect(address).await.map_err(|error| refused(address, &error))?;
                stream.write_all(line.as_bytes()).await.map_err(|error| broken(address, &error))?;
                Ok(Box::new(stream))
            }
        }
    }

    /// Sends `commands` (joined by `;`) and reads the answer to its end. A source sends `show` commands only.
    ///
    /// # Errors
    /// Nobody listens there, the socket may not be opened, or it broke off.
    pub async fn ask(&self, commands: &str) -> Result<String, PollError> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| refused(path, &error))?;
                exchange(stream, commands).await.map_err(|error| broken(path, &error))
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|error| refused(address, &error))?;
                exchange(stream, commands).await.map_err(|error| broken(address, &error))
            }
        }
    }
}

/// Asks the master process of a HAProxy behind the socket at `path`; it ends a session only when its client does.
///
/// # Errors
/// Nobody listens there, the socket may not be opened, or it broke off.
pub async fn ask_master(path: &str, command: &str) -> Result<String, PollError> {
    let mut stream = UnixStream::connect(path).await.map_err(|error| refused(path, &error))?;
    let asked = async {
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.take(64 << 10).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    asked.await.map_err(|error| broken(path, &error))
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, commands: &str) -> io::Result<String> {
    stream.write_all(format!("{commands}\n").as_bytes()).await?;
    let mut answer = Vec::with_capacity(16 * 1024);
    stream.take(MOST as u64 + 1).read_to_end(&mut answer).await?;
    if answer.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is longer than 32 MB"));
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn refused(place: &str, error: &io::Error) -> PollError {
    let (kind, says) = match error.kind() {
        io::ErrorKind::NotFound => {
            (PollErrorKind::Unreachable, format!("there is no {place}; is HAProxy running?"))
        }
        io::ErrorKind::ConnectionRefused => {
            (PollErrorKind::Unreachable, format!("nobody listens on {place}; is HAProxy running?"))
        }
        io::ErrorKind::PermissionDenied => (
            PollErrorKind::Rights,
            format!(
                "this user may not open {place}; join the group that owns it, or set `stats socket … group`"
            ),
        ),
        _ => {
            let unresolved = PollError::unresolved(place, &error.to_string());
            let plain =
                || PollError::new(PollErrorKind::Unreachable, &format!("cannot reach {place}: {error}"));
            return unresolved.unwrap_or_else(plain);
        }
    };
    PollError::new(kind, &says)
}

fn broken(place: &str, error: &io::Error) -> PollError {
    PollError::new(PollErrorKind::Garbage, &format!("{place} broke off: {error}"))
}
