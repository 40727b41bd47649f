//! What every source must be able to do.

pub use futures_util::future::BoxFuture;

use crate::config::TargetSpec;
use crate::model::{DoctorLine, Reading};

/// Asks one target. The caller owns the clock, the timeout, the back-off and the retry.
pub trait Source: Send {
    /// Asks once, in one round trip where the protocol allows, and never panics.
    ///
    /// The future may be dropped at any await (a timeout); the next poll must then find a usable
    /// state again, if need be by connecting anew. A failure is a reading with its error.
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>>;
}

/// One technology that can be polled.
pub struct Kind {
    /// Its name in the config: `postgres`.
    pub name: &'static str,
    /// What `doctor` and the docs call it.
    pub says: &'static str,
    /// Makes a source; does not connect yet. The error is a sentence for the operator, without secrets.
    pub build: fn(&TargetSpec) -> Result<Box<dyn Source>, String>,
    /// Examines a target: reachable, version, rights, what will not work and what mends it.
    /// Reads only, on a connection of its own; the caller owns the timeout. Never empty.
    pub doctor: fn(&TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>>,
}
