//! Sessions that begin, counted by looking: for servers that do not count logins themselves.

use std::collections::HashSet;

use crate::model::{Backend, BackendKey};

/// Who was there at the last poll, and how many came since the first. Who comes and goes between two polls
/// is not seen.
#[derive(Default)]
pub(super) struct Logins {
    present: Option<HashSet<BackendKey>>,
    seen: u64,
}

impl Logins {
    /// Takes in one poll.
    pub(super) fn look(&mut self, backends: &[Backend]) {
        let now: HashSet<BackendKey> =
            backends.iter().filter(|one| one.is_client()).map(|one| one.key).collect();
        if let Some(before) = self.present.as_ref() {
            self.seen += now.difference(before).count() as u64;
        }
        self.present = Some(now);
    }

    /// How many came since the first poll.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }
}
