//! Reads the journal back: whole, or what others have added since the last look.

use std::collections::HashSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::entry::{Entry, EntryKind};
use super::writer::JournalError;
use crate::model::Timestamp;

/// The most that is read at once, from the end: years of incidents.
const MOST: u64 = 32 << 20;

/// What a journal holds.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// Its lines, oldest first.
    pub entries: Vec<Entry>,
    /// Lines that could not be read (torn by a crash, or not ours).
    pub skipped: usize,
    /// Bytes at its beginning that were not read: it is longer than what is read at once.
    pub left_out: u64,
}

impl Reader {
    /// Reads a journal; one that does not exist yet is empty.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let mut tail = Tail::from_start(path);
        let mut reader = Self { left_out: tail.offset, ..Self::default() };
        // The first line of what is read may well be the end of one.
        let mut cut = tail.offset > 0;
        loop {
            let before = tail.offset;
            tail.step(&mut reader).map_err(|source| JournalError::Io {
                path: path.to_owned(),
                doing: "reading",
                source,
            })?;
            if std::mem::take(&mut cut) {
                reader.skipped = reader.skipped.saturating_sub(1);
            }
            if tail.offset == before {
                return Ok(reader);
            }
        }
    }

    /// Only what happened at or after `at`.
    #[must_use]
    pub fn since(mut self, at: Timestamp) -> Self {
        self.entries.retain(|entry| entry.at >= at);
        self
    }

    /// Intents of which no outcome is known: somebody died between the act and its record, or is acting now.
    #[must_use]
    pub fn unsettled(&self) -> Vec<&Entry> {
        let settled: HashSet<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Outcome)
            .map(|entry| entry.id.as_str())
            .collect();
        self.entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Intent && !settled.contains(entry.id.as_str()))
            .collect()
    }
}

/// Follows a journal: each look gives what was added since the last one.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    inode: u64,
}

impl Tail {
    /// Follows from what stands there now; older lines are not told again.
    #[must_use]
    pub fn from_end(path: &Path) -> Self {
        let meta = std::fs::metadata(path);
        let (offset, inode) = meta.map_or((0, 0), |meta| (meta.len(), meta.ino()));
        Self { path: path.to_owned(), offset, inode }
    }

    fn from_start(path: &Path) -> Self {
        let meta = std::fs::metadata(path);
        let (length, inode) = meta.map_or((0, 0), |meta| (meta.len(), meta.ino()));
        Self { path: path.to_owned(), offset: length.saturating_sub(MOST), inode }
    }

    /// What was added since the last look; a file that was moved away and made anew is read from its start.
    /// Cheap when nothing was: one stat. A fault is told as nothing new, the next look tries again.
    pub fn look(&mut self) -> Vec<Entry> {
        let mut reader = Reader::default();
        self.step(&mut reader).ok();
        reader.entries
    }

    fn step(&mut self, into: &mut Reader) -> std::io::Result<()> {
        let meta = match std::fs::metadata(&self.path) {
            Ok(meta) => meta,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        if meta.ino() != self.inode || meta.len() < self.offset {
            (self.inode, self.offset) = (meta.ino(), 0);
        }
        let length = meta.len().saturating_sub(self.offset).min(MOST);
        if length == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        File::open(&self.path)?.read_exact_at(&mut bytes, self.offset)?;
        // An unfinished last line may be finished by the next look.
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        for line in bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(entry) => into.entries.push(entry),
                Err(_) => into.skipped += 1,
            }
        }
        self.offset += end as u64 + 1;
        Ok(())
    }
}
