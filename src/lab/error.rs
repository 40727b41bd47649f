//! Why a lab server could not be started or stopped.

use std::io;
use std::path::PathBuf;

/// What went wrong in the lab; each text names the place and, where there is one, the mend.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The server's program is not installed where the lab looks.
    #[error("{program} not found in {looked_in}; install the package {package}")]
    NotInstalled {
        /// The program wanted.
        program: &'static str,
        /// Where it was looked for.
        looked_in: String,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// A file or folder of the lab could not be read or written.
    #[error("cannot {doing} {}: {why}", path.display())]
    File {
        /// `create`, `write`, `read`, `remove`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// A program could not be run at all.
    #[error("cannot start {program}: {why}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        why: io::Error,
    },
    /// A server ended, or did not answer in time.
    #[error("{name} {what}; its log ends with: {log}")]
    NotReady {
        /// The server.
        name: String,
        /// `ended at once`, `did not answer within 30 s`.
        what: String,
        /// Last lines of its log.
        log: String,
    },
    /// No loopback port could be had.
    #[error("no free loopback port: {0}")]
    NoPort(io::Error),
    /// Something asked of the lab cannot be done in its present state.
    #[error("{0}")]
    Refused(String),
}

impl LabError {
    /// For `map_err`: names the file and what was being done to it.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |why| Self::File { doing, path, why }
    }
}
