//! Appends a line and makes sure that it is on disk before anything is done.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::entry::{Entry, EntryKind, Intended, VERSION};
use crate::model::{Actor, Mark, Outcome, Plan, Timestamp};

/// Longest wait for another process that writes: 100 tries, 20 ms apart.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why nothing could be written; then nothing may be done either.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The system said no: full, read-only, not ours.
    #[error("journal {path}: {doing}: {source}; nothing is done without it")]
    Io {
        /// The journal's file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process holds the lock for seconds.
    #[error("journal {0}: another process has held it for 2 s; nothing is done without it")]
    Locked(PathBuf),
    /// There is nowhere to write.
    #[error("journal: neither XDG_STATE_HOME nor HOME is set; name a file by [journal] path")]
    Nowhere,
}

/// Who writes, and for which environment: the part of a line that is the same all through a run.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// `production`.
    pub environment: String,
}

/// The append-only file. Cheap to make: each line opens, locks, writes, syncs and closes it, so that
/// several people share it and nobody holds it. It blocks; call it off the screen's thread.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    author: Author,
}

impl Journal {
    /// The journal at this path; nothing is opened yet.
    #[must_use]
    pub const fn new(path: PathBuf, author: Author) -> Self {
        Self { path, author }
    }

    /// Where the journal is: as configured, else under `$XDG_STATE_HOME`, else under `~/.local/state`.
    ///
    /// # Errors
    /// When there is no home to put it in.
    pub fn place(
        configured: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<PathBuf, JournalError> {
        if let Some(path) = configured {
            return Ok(path.to_owned());
        }
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map(|state| state.join("warroom/journal.jsonl"))
            .ok_or(JournalError::Nowhere)
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who writes it.
    #[must_use]
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// Writes down what is about to be done; the proof that an action asks for.
    ///
    /// # Errors
    /// When the line is not safely on disk. Then nothing may be done.
    pub fn intend(&self, plan: Plan, at: Timestamp) -> Result<Intended, JournalError> {
        let mut entry = self.entry(EntryKind::Intent, plan.id.0.clone(), at);
        entry.intent = Some(plan.intent.clone());
        entry.plan = Some(plan.clone());
        self.append(&entry)?;
        Ok(Intended::written(plan))
    }

    /// Writes down what came of it.
    ///
    /// # Errors
    /// When the line is not safely on disk; the intent then shows as unsettled.
    pub fn settle(&self, outcome: &Outcome, at: Timestamp) -> Result<(), JournalError> {
        let mut entry = self.entry(EntryKind::Outcome, outcome.plan.0.clone(), at);
        entry.outcome = Some(outcome.clone());
        self.append(&entry)
    }

    /// Writes down a deploy mark.
    ///
    /// # Errors
    /// When the line is not safely on disk.
    pub fn mark(&self, mark: &Mark, at: Timestamp) -> Result<(), JournalError> {
        let mut entry = self.entry(EntryKind::Mark, mark.id.clone(), at);
        entry.mark = Some(mark.clone());
        self.append(&entry)
    }

    fn entry(&self, kind: EntryKind, id: String, at: Timestamp) -> Entry {
        let Author { actor, environment } = self.author.clone();
        Entry { v: VERSION, at, kind, id, actor, environment, ..Entry::default() }
    }

    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).map_err(|err| self.failed("serialising", err.into()))?;
        line.push(b'\n');
        let file = self.open()?;
        self.lock(&file)?;
        let length = file.metadata().map_err(|err| self.failed("looking at it", err))?.len();
        if ends_torn(&file, length) {
            line.insert(0, b'\n');
        }
        if let Err(err) = (&file).write_all(&line) {
            // Half a line helps nobody; where it cannot be cut off, the reader steps over it.
            file.set_len(length).ok();
            return Err(self.failed("writing", err));
        }
        file.sync_data().map_err(|err| self.failed("syncing to disk", err))
    }

    /// Opens the file to append, making it (0600) and its folder (0700) when they are not there.
    fn open(&self) -> Result<File, JournalError> {
        let mut how = OpenOptions::new();
        how.append(true)
            .read(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        match how.open(&self.path) {
            Ok(file) => return Ok(file),
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            Err(err) => return Err(self.failed("opening", err)),
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|err| self.failed("making its folder", err))?;
        let file = how.create(true).open(&self.path).map_err(|err| self.failed("making it", err))?;
        // The name must survive a crash too, not only the bytes.
        File::open(folder)
            .and_then(|it| it.sync_all())
            .map_err(|err| self.failed("syncing its folder", err))?;
        Ok(file)
    }

    fn lock(&self, file: &File) -> Result<(), JournalError> {
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(err)) => return Err(self.failed("locking", err)),
            }
        }
        Err(JournalError::Locked(self.path.clone()))
    }

    fn failed(&self, doing: &'static str, source: std::io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), doing, source }
    }
}

/// Whether the last line was never finished: somebody died while writing it.
fn ends_torn(file: &File, length: u64) -> bool {
    let mut last = [b'\n'];
    length > 0 && file.read_exact_at(&mut last, length - 1).is_ok() && last != [b'\n']
}
