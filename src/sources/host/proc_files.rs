//! The files of /proc, kept open and read again in place.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// More than any file here holds on a sane machine.
const MOST: usize = 1 << 20;

/// One file of /proc.
pub(super) struct ProcFile {
    path: &'static str,
    file: Option<File>,
}

impl ProcFile {
    pub(super) const fn new(path: &'static str) -> Self {
        Self { path, file: None }
    }

    /// Reads it anew into `buffer`; opens it when it is not open. The error names the file.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Cow<'b, str>, String> {
        match self.fill(buffer) {
            Ok(length) => Ok(String::from_utf8_lossy(&buffer[..length])),
            Err(error) => {
                self.file = None;
                Err(format!("{}: {}", self.path, reason(&error)))
            }
        }
    }

    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(self.path)?),
        };
        if buffer.is_empty() {
            buffer.resize(16 * 1024, 0);
        }
        let mut length = 0;
        loop {
            if length == buffer.len() {
                if length >= MOST {
                    return Ok(length);
                }
                buffer.resize(length * 2, 0);
            }
            match file.read_at(&mut buffer[length..], length as u64) {
                Ok(0) => return Ok(length),
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "this kernel does not offer it".into(),
        io::ErrorKind::PermissionDenied => "not readable by this user".into(),
        io::ErrorKind::Unsupported => "switched off in this kernel".into(),
        kind => kind.to_string(),
    }
}
