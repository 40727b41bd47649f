//! How a command ends: what it prints, and the code it exits with.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::config::ConfigError;

/// The exit code of wrong usage, as `sysexits.h` numbers it.
pub(super) const USAGE: u8 = 64;
/// The exit code of a wrong config.
pub(super) const CONFIG: u8 = 78;

/// What a command prints on stdout, and its exit code.
#[derive(Debug, Default)]
pub(super) struct End {
    pub(super) out: String,
    pub(super) code: u8,
}

impl End {
    pub(super) const fn new(out: String, code: u8) -> Self {
        Self { out, code }
    }

    /// One JSON object on a line of its own.
    pub(super) fn json(value: &impl Serialize, code: u8) -> Result<Self, Fail> {
        let mut out = serde_json::to_string(value).map_err(|err| Fail::new(1, &err.to_string()))?;
        out.push('\n');
        Ok(Self::new(out, code))
    }
}

/// Why a command did not do its work: a sentence for stderr.
#[derive(Debug)]
pub(super) struct Fail {
    pub(super) says: String,
    pub(super) code: u8,
}

impl Fail {
    pub(super) fn new(code: u8, says: &str) -> Self {
        Self { says: says.to_owned(), code }
    }
}

impl From<ConfigError> for Fail {
    fn from(err: ConfigError) -> Self {
        Self { says: err.to_string(), code: CONFIG }
    }
}

/// Writes to stdout; a reader that has gone away has seen enough.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to stderr; nobody is left to be told when that fails.
pub(super) fn say(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}
