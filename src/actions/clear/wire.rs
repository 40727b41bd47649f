//! The connection a sweep works on: commands packed by hand into one buffer, one write and one turn of the
//! server a batch. It blocks, on a thread of its own: the runtime's timer is too coarse for the rests a
//! sweep takes, and every wake-up of a task would cost more than the server needs for a batch.

use std::io::Write;
use std::time::Duration;

use redis::{Connection, Value};
use tokio::time::Instant;

use super::server::{in_words, refused, text};

/// One connection and what is about to be sent on it.
pub(in crate::actions) struct Wire {
    connection: Connection,
    out: Vec<u8>,
    /// The server runs on this machine.
    pub(super) local: bool,
}

impl Wire {
    /// Takes over an open connection.
    pub(super) const fn new(connection: Connection, local: bool) -> Self {
        Self { connection, out: Vec::new(), local }
    }

    /// Adds a command to what is about to be sent.
    pub(super) fn put(&mut self, words: &[&[u8]]) {
        // Writing into memory cannot fail.
        write!(self.out, "*{}\r\n", words.len()).ok();
        for word in words {
            write!(self.out, "${}\r\n", word.len()).ok();
            self.out.extend_from_slice(word);
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Sends what was put.
    ///
    /// # Errors
    /// A fragment: the connection broke.
    pub(super) fn send(&mut self) -> Result<(), String> {
        let sent = self.connection.send_packed_command(&self.out);
        self.out.clear();
        sent.map_err(|error| in_words(&error))
    }

    /// The next answer; the server's refusal is one too.
    ///
    /// # Errors
    /// A fragment: the connection broke, or no answer came in time.
    pub(super) fn answer(&mut self) -> Result<Value, String> {
        loop {
            match self.connection.recv_response() {
                Ok(Value::Push { .. }) => {}
                Ok(value) => return Ok(value),
                Err(error) => return Err(in_words(&error)),
            }
        }
    }

    /// One command, one answer that is not a refusal.
    ///
    /// # Errors
    /// A fragment: the connection broke, or why the server refused.
    pub(super) fn ask(&mut self, words: &[&[u8]]) -> Result<Value, String> {
        self.put(words);
        self.send()?;
        let value = self.answer()?;
        match refused(std::slice::from_ref(&value)) {
            Some(why) => Err(why),
            None => Ok(value),
        }
    }

    /// Makes sure that this very start of a server is at the other end, and that it is no replica.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or another server answers.
    pub(in crate::actions) fn meets(&mut self, run_id: &str) -> Result<(), String> {
        let info = text(&self.ask(&[b"INFO"])?);
        let field =
            |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
        if field("role") == Some("slave") {
            Err("it has become a replica: clear again where the master is now".into())
        } else if field("run_id").unwrap_or_default() != run_id {
            Err("another server answers there now".into())
        } else {
            Ok(())
        }
    }

    /// Measures the way there and back: the quickest of ten PINGs, for the others waited for something else.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(super) fn baseline(&mut self) -> Result<Duration, String> {
        let mut quickest = Duration::MAX;
        for _ in 0..10 {
            let began = Instant::now();
            self.ask(&[b"PING"])?;
            quickest = quickest.min(began.elapsed());
        }
        Ok(quickest)
    }
}
