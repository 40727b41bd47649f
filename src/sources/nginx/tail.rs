//! Follows a log file: from its end on, over rotation, over a file cut short, never more than so much at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most bytes read at one poll; of more the newest part is left for the next poll to skip to.
const MOST: u64 = 8 << 20;

/// A file that is followed.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// Lines that ended without their newline yet.
    rest: Vec<u8>,
    most: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    at: u64,
}

/// What was new.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    /// Bytes that were passed over, because there were too many.
    pub(super) skipped: u64,
}

impl Tail {
    /// Follows `path` from its present end on.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, open: None, rest: Vec::new(), most: MOST }
    }

    /// Reads what was added since the last call; the first call only finds the end.
    pub(super) fn read(&mut self) -> Result<News, String> {
        self.news().map_err(|error| told(&self.path, &error))
    }

    fn news(&mut self) -> io::Result<News> {
        let mut news = News::default();
        let Some(mut open) = self.open.take() else {
            let mut open = Open::new(&self.path)?;
            open.at = open.file.metadata()?.len();
            self.open = Some(open);
            return Ok(news);
        };
        // What was written before the file was moved away is still in it.
        self.take(&mut open, &mut news)?;
        match std::fs::metadata(&self.path) {
            Ok(there) if there.ino() != open.inode => {
                self.rest.clear();
                open = Open::new(&self.path)?;
                self.take(&mut open, &mut news)?;
            }
            Ok(_) => {}
            // Moved away, the new one not yet begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.open = Some(open);
        Ok(news)
    }

    fn take(&mut self, open: &mut Open, news: &mut News) -> io::Result<()> {
        let length = open.file.metadata()?.len();
        if length < open.at {
            // Cut short in place.
            open.at = 0;
            self.rest.clear();
        }
        if length - open.at > self.most {
            news.skipped += length - open.at - self.most;
            open.at = length - self.most;
            // The first line is a part of one; it ends up as a foreign line.
            self.rest.clear();
        }
        open.file.seek(SeekFrom::Start(open.at))?;
        let mut fresh = std::mem::take(&mut self.rest);
        let read = (&open.file).take(length - open.at).read_to_end(&mut fresh)?;
        open.at += read as u64;
        let end = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.rest = fresh.split_off(end);
        if self.rest.len() > 64 * 1024 {
            // No line of a log is so long: it is not worth its memory.
            self.rest.clear();
        }
        news.lines.append(&mut fresh);
        Ok(())
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, at: 0 })
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not read it; join the group that owns it (adm on Debian)".to_owned()
        }
        kind => kind.to_string(),
    };
    format!("{}: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    fn add(path: &Path, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("it opens");
        file.write_all(text.as_bytes()).expect("it is written");
    }

    #[test]
    fn rotation_truncation_and_floods_are_survived() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let mut tail = Tail::new(path.clone());
        assert!(tail.read().expect_err("not there").contains("no such file"));
        add(&path, "before\n");
        let read = |tail: &mut Tail| {
            let news = tail.read().expect("readable");
            (String::from_utf8(news.lines).expect("text"), news.skipped)
        };
        assert_eq!(read(&mut tail).0, "", "what was there before is history");
        add(&path, "one\ntw");
        assert_eq!(read(&mut tail).0, "one\n");
        add(&path, "o\nlast of the old\n");
        fs::rename(&path, folder.path().join("access.log.1")).expect("rotated");
        assert_eq!(read(&mut tail).0, "two\nlast of the old\n");
        add(&folder.path().join("access.log.1"), "straggler\n");
        add(&path, "first of the new\n");
        assert_eq!(read(&mut tail).0, "straggler\nfirst of the new\n");
        fs::write(&path, "cut\n").expect("cut short");
        assert_eq!(read(&mut tail).0, "cut\n");
        tail.most = 10;
        add(&path, "a flood of many bytes\nseen\n");
        let (lines, skipped) = read(&mut tail);
        assert!(lines.ends_with("seen\n") && skipped == 17, "{lines} {skipped}");
    }
}
