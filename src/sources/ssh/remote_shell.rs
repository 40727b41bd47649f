//! One `ssh` process with one shell at its far end, asked again and again.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use super::address::Address;
use super::answer::{QUESTION, end};
use super::refusal::refusal;
use crate::model::{PollError, PollErrorKind};

/// How long a login may take.
const OPENING: Duration = Duration::from_secs(20);

/// Longest answer taken; a busy machine with many disks prints some 60 KB.
const MOST: usize = 2 * 1024 * 1024;
/// How much of what `ssh` complains is kept.
const COMPLAINT: usize = 4096;

/// How long ssh is given to say why it ends.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A shell on another machine. Dropped, it takes its `ssh` with it, and so the far end as well.
pub(super) struct RemoteShell {
    /// Dropping it kills the process.
    child: Child,
    into: ChildStdin,
    from: BufReader<ChildStdout>,
    complaint: Arc<Mutex<String>>,
    place: String,
    /// Questions asked, and whether the last of them is answered.
    asked: u64,
    answered: bool,
    began: Instant,
    /// What has come of the answer, and of its present line.
    text: String,
    line: Vec<u8>,
}

impl RemoteShell {
    /// Starts `ssh`. It never asks for a password, forwards nothing and leaves no master behind.
    pub(super) fn open(address: &Address, config: Option<&Path>, place: &str) -> Result<Self, PollError> {
        let mut command = Command::new("ssh");
        if let Some(config) = config {
            command.arg("-F").arg(config);
        }
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=15",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=2",
            "ControlMaster=no",
            "ControlPath=none",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RequestTTY=no",
            "EscapeChar=none",
        ] {
            command.args(["-o", option]);
        }
        command.args(["-a", "-x"]).args(address.args()).arg("LC_ALL=C exec sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that Ctrl-C at our terminal is ours alone.
        command.process_group(0).kill_on_drop(true);
        let broken = |why: &str| PollError::new(PollErrorKind::Config, &format!("{place}: {why}"));
        let mut child = command.spawn().map_err(|error| {
            broken(&format!("ssh cannot be started here: {error}; mend: install openssh-client"))
        })?;
        let (Some(into), Some(from), Some(mut errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(broken("ssh came up without its pipes"));
        };
        let complaint = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&complaint);
        // Read to the end, or a talkative banner would fill the pipe and stop ssh. Ends with the process.
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = errors.read(&mut buffer).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&String::from_utf8_lossy(&buffer[..read]));
                if kept.len() > COMPLAINT {
                    let mut from = kept.len() - COMPLAINT;
                    while !kept.is_char_boundary(from) {
                        from += 1;
                    }
                    kept.drain(..from);
                }
            }
        });
        let from = BufReader::with_capacity(32 * 1024, from);
        Ok(Self {
            child,
            into,
            from,
            complaint,
            place: place.to_owned(),
            asked: 0,
            answered: true,
            began: Instant::now(),
            text: String::new(),
            line: Vec::new(),
        })
    }

    /// Whether it is still on its way: logging in at fifty machines at once takes longer than a poll waits,
    /// and to begin anew each time would never come to an end.
    pub(super) fn is_opening(&self) -> bool {
        self.asked == 1 && !self.answered && self.began.elapsed() < OPENING
    }

    /// Asks once and reads to the end of the answer. After an error the shell is of no more use; after a dropped
    /// future only while it is opening: the next call then goes on with the same answer.
    pub(super) async fn ask(&mut self) -> Result<String, PollError> {
        if !self.is_opening() {
            let before = if self.asked == 0 { QUESTION } else { "" };
            self.asked += 1;
            self.answered = false;
            (self.text, self.line) = (String::new(), Vec::new());
            let question = format!("{before}probe {}\n", self.asked);
            if self.into.write_all(question.as_bytes()).await.is_err() || self.into.flush().await.is_err() {
                return Err(self.gone().await);
            }
        }
        let end = end(self.asked);
        loop {
            let room = MOST.saturating_sub(self.text.len() + self.line.len()) as u64;
            // What was read before a future is dropped stays in `line`.
            match (&mut self.from).take(room).read_until(b'\n', &mut self.line).await {
                Ok(0) if room == 0 => {
                    let says = format!("{}: the answer is longer than 2 MB", self.place);
                    return Err(PollError::new(PollErrorKind::Garbage, &says));
                }
                Ok(0) | Err(_) => return Err(self.gone().await),
                Ok(_) => {}
            }
            let line = std::mem::take(&mut self.line);
            let piece = String::from_utf8_lossy(&line);
            if piece.trim_end() == end {
                self.answered = true;
                return Ok(std::mem::take(&mut self.text));
            }
            self.text.push_str(&piece);
            // Replacement characters are longer than the bytes they stand for.
            if self.text.len() > MOST {
                self.text.truncate(0);
                let says = format!("{}: the answer is not text", self.place);
                return Err(PollError::new(PollErrorKind::Garbage, &says));
            }
        }
    }

    /// Why it ended. What ssh has to say may come a moment after its output is closed.
    async fn gone(&mut self) -> PollError {
        tokio::time::timeout(LAST_WORDS, self.child.wait()).await.ok();
        tokio::task::yield_now().await;
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone();
        refusal(&self.place, &complaint)
    }
}
