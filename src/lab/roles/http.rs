//! As much HTTP/1.1 as the app and its load need: requests and answers without surprises.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head of a request or an answer.
const HEAD: usize = 8 * 1024;

/// One connection; keeps what was read beyond the message at hand.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A small answer must not wait for the acknowledgement of the one before.
        stream.set_nodelay(true).ok();
        Self { stream, read: Vec::new() }
    }

    /// The path of the next request; `None` when the other side is done or talks nonsense.
    pub(super) async fn request(&mut self) -> Option<String> {
        let head = self.head().await?;
        head.split(' ').nth(1).map(str::to_owned)
    }

    /// Answers the request read last.
    pub(super) async fn answer(&mut self, status: u16, body: &str) -> bool {
        let text = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            if status == 200 { "OK" } else { "Error" },
            body.len()
        );
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// Asks for a path; the answer's status, and whether the connection can be used again.
    pub(super) async fn get(&mut self, path: &str) -> Option<(u16, bool)> {
        let text = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n");
        self.stream.write_all(text.as_bytes()).await.ok()?;
        let head = self.head().await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length: usize = field("content-length")?.parse().ok()?;
        while self.read.len() < length {
            self.more().await?;
        }
        self.read.drain(..length);
        Some((status, field("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"))))
    }

    async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.read.drain(..end + 4).collect::<Vec<_>>();
                return String::from_utf8(head).ok();
            }
            if self.read.len() > HEAD {
                return None;
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.read).await.ok()?;
        (read > 0).then_some(())
    }
}
