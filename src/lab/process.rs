//! Child processes: started with their output in a log, known by pid and start time, stopped for good.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::LabError;

/// Time between two looks while waiting for something.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One process as another process can find it again: a pid alone may have been given to somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessRecord {
    /// What it is, for messages: `postgres`, `web.1`.
    pub name: String,
    /// Its pid.
    pub pid: i32,
    /// Clock ticks from boot to its start, as `/proc/PID/stat` gives them.
    pub started: u64,
}

impl ProcessRecord {
    /// Whether that very process still runs (one that ended and waits to be reaped does not).
    #[must_use]
    pub fn alive(&self) -> bool {
        look(self.pid).is_some_and(|seen| seen.started == self.started && !seen.over)
    }

    /// Sends a signal, unless the process is gone.
    pub fn signal(&self, signal: Signal) {
        if self.alive() {
            send(self.pid, signal);
        }
    }

    /// Ends it and everything it started: first as the server likes it, after `patience` for good.
    pub fn end(&self, gently: Signal, patience: Duration) {
        let family = self.family();
        signal_all(&family, Signal::CONT);
        self.signal(gently);
        if !wait_until(patience, || !family.iter().any(Self::alive)) {
            signal_all(&family, Signal::KILL);
            wait_until(Duration::from_secs(5), || !family.iter().any(Self::alive));
        }
    }

    /// Stops it in its tracks with all its children: connections stay open, nothing answers.
    pub fn freeze(&self) {
        signal_all(&self.family(), Signal::STOP);
    }

    /// Lets it run again after [`Self::freeze`].
    pub fn thaw(&self) {
        signal_all(&self.family(), Signal::CONT);
    }

    /// It and its descendants, as far as they can still be told by their parents.
    #[must_use]
    pub fn family(&self) -> Vec<Self> {
        let mut family = vec![self.clone()];
        let all: Vec<Seen> = pids().filter_map(look).collect();
        let mut next = 0;
        while let Some(parent) = family.get(next).map(|one| one.pid) {
            family.extend(all.iter().filter(|seen| seen.parent == parent).map(|seen| Self {
                name: self.name.clone(),
                pid: seen.pid,
                started: seen.started,
            }));
            next += 1;
        }
        family
    }
}

/// A running child. Dropping it ends it, unless it was let go.
#[derive(Debug)]
pub struct Process {
    child: Child,
    record: ProcessRecord,
    log: PathBuf,
    gently: Signal,
    let_go: bool,
}

impl Process {
    /// Starts a program in a process group of its own, its output in `log`; `gently` is the signal by which it ends.
    ///
    /// # Errors
    /// The log cannot be written or the program cannot be run.
    pub fn start(name: &str, command: &mut Command, log: &Path, gently: Signal) -> Result<Self, LabError> {
        let out = log_file(log)?;
        let err = out.try_clone().map_err(LabError::file("write", log))?;
        let child =
            command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn().map_err(|why| {
                LabError::Spawn { program: command.get_program().to_string_lossy().into(), why }
            })?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        let started = look(pid).map_or(0, |seen| seen.started);
        let record = ProcessRecord { name: name.to_owned(), pid, started };
        Ok(Self { child, record, log: log.to_owned(), gently, let_go: false })
    }

    /// Its pid.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.record.pid
    }

    /// How others find it.
    #[must_use]
    pub const fn record(&self) -> &ProcessRecord {
        &self.record
    }

    /// Waits for a condition, up to 30 s.
    ///
    /// # Errors
    /// The process ended first or the time ran out; the error shows the end of its log.
    pub fn wait_ready(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), LabError> {
        let mut ended = false;
        let child = &mut self.child;
        let answered = wait_until(Duration::from_secs(30), || {
            ended = matches!(child.try_wait(), Ok(Some(_)));
            ended || ready()
        });
        if answered && !ended {
            return Ok(());
        }
        let what = if ended { "ended at once" } else { "did not answer within 30 s" };
        Err(LabError::NotReady {
            name: self.record.name.clone(),
            what: what.into(),
            log: log_tail(&self.log),
        })
    }

    /// Stops it in its tracks with all its children: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.record.freeze();
    }

    /// Lets it run again after [`Self::freeze`].
    pub fn thaw(&self) {
        self.record.thaw();
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        self.record.end(self.gently, Duration::from_secs(5));
        // It is gone by now; this only reaps it.
        self.child.wait().ok();
    }

    /// Lets it outlive this process; the record is what is left to end it by.
    #[must_use]
    pub fn let_go(mut self) -> ProcessRecord {
        self.let_go = true;
        self.record.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.let_go {
            self.stop();
        }
    }
}

/// Looks until the condition holds; false when `patience` ran out first.
pub(super) fn wait_until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let looks = patience.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if holds() {
            return true;
        }
        sleep(LOOK_EVERY);
    }
    holds()
}

struct Seen {
    pid: i32,
    parent: i32,
    over: bool,
    started: u64,
}

/// Reads `/proc/PID/stat`; the command in parentheses may hold spaces and parentheses itself.
fn look(pid: i32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(Seen {
        pid,
        // A leader that ended before its other threads is a zombie too, while they still work.
        over: fields.first() == Some(&"Z") && matches!(fields.get(17), Some(&"0" | &"1")),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Every process of this machine.
pub(super) fn records() -> impl Iterator<Item = ProcessRecord> {
    pids().filter_map(look).map(|seen| ProcessRecord {
        name: String::new(),
        pid: seen.pid,
        started: seen.started,
    })
}

/// The record of a process by its pid, while it is there.
pub(super) fn record_of(name: &str, pid: i32) -> Option<ProcessRecord> {
    look(pid).map(|seen| ProcessRecord { name: name.to_owned(), pid, started: seen.started })
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn signal_all(family: &[ProcessRecord], signal: Signal) {
    for one in family {
        one.signal(signal);
    }
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have ended since: that is what was wanted.
        kill_process(pid, signal).ok();
    }
}

fn log_file(path: &Path) -> Result<File, LabError> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(LabError::file("write", path))
}

fn log_tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(4)..].join(" | ");
    if tail.is_empty() { "(nothing)".into() } else { tail }
}
