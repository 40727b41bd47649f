//! Where a memcached answers, and one connection to it.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use crate::config::{Secret, TargetSpec};
use crate::model::{PollError, PollErrorKind};

/// Longest answer taken to one question.
const MOST: u64 = 4 << 20;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A socket in the file system, or `host:port`.
#[derive(Clone, Debug)]
pub enum MemcachedDoor {
    /// A path.
    Unix(String),
    /// `host:port`.
    Tcp(String),
}

/// An open connection with nothing unread on it.
pub struct MemcachedLine(BufReader<Box<dyn Wire>>);

impl MemcachedDoor {
    /// The door that a target names.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn of(spec: &TargetSpec) -> Result<Self, String> {
        let url = spec.url.as_ref().map_or("", Secret::expose);
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Unix(path.strip_prefix("//").unwrap_or(path).to_owned()));
        }
        let Some(place) = url.strip_prefix("memcached://").map(|rest| rest.trim_end_matches('/')) else {
            return Err("url must begin with memcached:// or unix:".into());
        };
        if place.is_empty() || place.contains('/') {
            return Err("url must be memcached://host:port and no more".into());
        }
        if place.contains('@') {
            return Err(
                "url holds a user: warroom speaks memcached's text protocol, which knows no login".into()
            );
        }
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self::Tcp(if has_port { place.to_owned() } else { format!("{place}:11211") }))
    }

    /// What it is called in words.
    pub fn place(&self) -> &str {
        match self {
            Self::Unix(place) | Self::Tcp(place) => place,
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Nobody answers there.
    pub async fn open(&self) -> Result<MemcachedLine, PollError> {
        let wire: io::Result<Box<dyn Wire>> = match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(|wire| Box::new(wire) as Box<dyn Wire>),
            Self::Tcp(place) => TcpStream::connect(place).await.map(|wire| Box::new(wire) as Box<dyn Wire>),
        };
        let wire = wire.map_err(|error| {
            PollError::new(PollErrorKind::Unreachable, &format!("{}: {error}", self.place()))
        })?;
        Ok(MemcachedLine(BufReader::new(wire)))
    }

    /// What a failure on an open connection means.
    pub fn broken(&self, error: &io::Error) -> PollError {
        let kind = match error.kind() {
            io::ErrorKind::InvalidData => PollErrorKind::Garbage,
            io::ErrorKind::PermissionDenied => PollErrorKind::Rights,
            _ => PollErrorKind::Unreachable,
        };
        PollError::new(kind, &format!("{}: {error}", self.place()))
    }
}

impl MemcachedLine {
    /// Asks what is answered by one line.
    ///
    /// # Errors
    /// The connection broke, or it refuses.
    pub async fn ask_line(&mut self, command: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).await?;
        let line = self.line().await?;
        refused(&line)?;
        Ok(line)
    }

    /// Reads the value of a key, as text; `None` when there is none.
    ///
    /// # Errors
    /// The connection broke, or the answer is not one.
    pub async fn get(&mut self, key: &str) -> io::Result<Option<String>> {
        let head = self.order(&format!("get {key}")).await?;
        if head == "END" {
            return Ok(None);
        }
        let garbage = || io::Error::new(io::ErrorKind::InvalidData, "its answer to get is not one");
        let length = head.strip_prefix("VALUE ").and_then(|rest| rest.split(' ').nth(2)?.parse::<u64>().ok());
        let length = length.filter(|length| *length <= MOST).ok_or_else(garbage)?;
        let mut value = Vec::new();
        let wanted = length + 2;
        if (&mut self.0).take(wanted).read_to_end(&mut value).await? as u64 != wanted
            || self.line().await? != "END"
        {
            return Err(garbage());
        }
        Ok(Some(String::from_utf8_lossy(&value).trim_end_matches("\r\n").to_owned()))
    }

    /// Gives an order and returns the first line of the answer, whatever it is.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn order(&mut self, command: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).await?;
        self.line().await
    }

    /// Asks for counters: name and value of each.
    ///
    /// # Errors
    /// The connection broke, or it refuses.
    pub async fn ask_stats(&mut self, command: &str) -> io::Result<Vec<(String, String)>> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut out = Vec::new();
        let mut read = 0;
        loop {
            let line = self.line().await?;
            read += line.len() as u64;
            if line == "END" || line == "RESET" {
                return Ok(out);
            }
            refused(&line)?;
            let Some((name, value)) = line.strip_prefix("STAT ").and_then(|rest| rest.split_once(' ')) else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it does not speak memcached's text protocol",
                ));
            };
            if read > MOST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer has no end"));
            }
            out.push((name.to_owned(), value.to_owned()));
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(MOST).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// An answer that is none.
fn refused(line: &str) -> io::Result<()> {
    if line.starts_with("CLIENT_ERROR unauth") {
        let why = "it wants a login, which warroom does not give; let it listen on a socket of its own";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if line == "ERROR" || line.starts_with("SERVER_ERROR") || line.starts_with("CLIENT_ERROR") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it refuses to tell its counters"));
    }
    Ok(())
}
