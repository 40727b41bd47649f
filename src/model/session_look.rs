//! What is read of one session when an operator opens it, and only then.

use serde::{Deserialize, Serialize};

use super::{BackendKey, Lock, SafeText, Timestamp};

/// One session, looked at closely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLook {
    /// Which one.
    pub key: BackendKey,
    /// When, by the server's clock.
    pub read_at: Timestamp,
    /// The transaction's number, once it has written; `None` where it has written nothing.
    pub xid: Option<SafeText>,
    /// What it runs, or ran last, as whole as the server keeps it.
    pub query: SafeText,
    /// The server keeps only its beginning (`track_activity_query_size`).
    pub query_cut: bool,
    /// Its locks: what it waits for first, then the strongest.
    pub locks: Vec<LookedLock>,
    /// Locks that are not listed: those on indexes, and on too many other things.
    pub left_out: u32,
    /// Why the locks could not be read, if so.
    pub no_locks: Option<SafeText>,
}

/// One lock of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedLock {
    /// Which, on what.
    pub lock: Lock,
    /// Held; else wanted.
    pub held: bool,
    /// How many of that sort.
    pub count: u32,
}
