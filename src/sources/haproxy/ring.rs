//! Follows one of HAProxy's rings over its runtime socket: each request is told as it ends, and nothing is
//! written down by anybody. A task reads; the polls take what it added up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::request_log::{Came, RequestLog};
use crate::dial::HaproxyDoor;
use crate::model::{LoggedTimes, SafeText};

/// Read at once; and the longest line that is taken for one.
const CHUNK: usize = 64 * 1024;
const LONGEST: usize = 16 * 1024;

/// One ring, followed. Dropping it ends the reading.
pub(super) struct Ring {
    name: String,
    door: HaproxyDoor,
    log: Arc<Mutex<RequestLog>>,
    /// Ends with the reason why no more can be read.
    reader: Option<JoinHandle<String>>,
}

impl Ring {
    pub(super) fn new(name: &str, door: HaproxyDoor) -> Self {
        Self { name: name.to_owned(), door, log: Arc::default(), reader: None }
    }

    fn log(&self) -> MutexGuard<'_, RequestLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the ring is read. `Some` tells why it was not since the last call; it is read anew.
    pub(super) async fn follow(&mut self) -> Option<String> {
        self.log().turn(Instant::now());
        let ended = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
        if !ended {
            return None;
        }
        let why = match self.reader.take() {
            Some(reader) => Some(reader.await.unwrap_or_else(|_cancelled| "its reader ended".to_owned())),
            None => None,
        };
        self.reader = Some(tokio::spawn(read(self.door.clone(), self.name.clone(), Arc::clone(&self.log))));
        why
    }

    /// HAProxy counted so many requests since it was last asked.
    pub(super) fn asked(&self, requests: u64) {
        self.log().asked(requests);
    }

    /// How many lines came over the window.
    pub(super) fn came(&self) -> Came {
        self.log().came()
    }

    /// What is known of a backend's requests over the window.
    pub(super) fn of(&self, backend: &str) -> Option<LoggedTimes> {
        self.log().of(backend)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

/// Reads until it cannot; tells why. Holds one chunk and one line at most.
async fn read(door: HaproxyDoor, name: String, log: Arc<Mutex<RequestLog>>) -> String {
    // An idle session is closed after ten seconds unless it asks for longer.
    let mut stream = match door.open(&format!("set timeout cli 24h;show events {name} -w -n")).await {
        Ok(stream) => stream,
        Err(error) => return error.to_string(),
    };
    let mut chunk = vec![0; CHUNK];
    let mut line: Vec<u8> = Vec::new();
    let (mut too_long, mut heard) = (false, false);
    loop {
        let length = match stream.read(&mut chunk).await {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => return format!("it broke off: {error}"),
        };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in chunk[..length].split_inclusive(|byte| *byte == b'\n') {
            too_long |= line.len() + piece.len() > LONGEST;
            if !too_long {
                line.extend_from_slice(piece);
            }
            if piece.last() != Some(&b'\n') {
                continue;
            }
            if too_long {
                log.add_foreign();
            } else {
                let text = String::from_utf8_lossy(&line);
                // Said instead of lines, and then the session ends.
                if let Some(why) = (!heard).then(|| refusal(text.trim(), &name)).flatten() {
                    return why;
                }
                heard |= !text.trim().is_empty();
                log.add(&text);
            }
            line.clear();
            too_long = false;
        }
    }
    "it broke off (was HAProxy reloaded?) and is read again from now on".to_owned()
}

/// What the runtime interface answers when it will not.
fn refusal(line: &str, name: &str) -> Option<String> {
    if line == "Permission denied" {
        Some("a ring is shown at level operator (`stats socket … level operator`)".to_owned())
    } else if line.starts_with("No such event sink") {
        Some(format!("its configuration has no section `ring {}`", SafeText::new(name)))
    } else if line.starts_with("Unknown command") {
        Some("this HAProxy has no rings; they came with 2.2".to_owned())
    } else {
        None
    }
}
