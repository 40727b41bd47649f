//! How long each session has waited for its lock, without reading the lock table at each poll.

use std::collections::HashMap;

use crate::model::{BackendKey, DatabaseSample, Timestamp};

/// The earliest instant at which each wait can have begun.
///
/// Who waits now and did not at the poll before began since then, or with its statement, whichever
/// is later. That errs by one poll at most, where the statement's age alone would call a batch that
/// has run for an hour and waits for the first time an hour's wait.
#[derive(Default)]
pub(super) struct Waits {
    since: HashMap<BackendKey, Timestamp>,
    told: HashMap<i32, Timestamp>,
    last_poll: Option<Timestamp>,
}

impl Waits {
    /// Takes in what the server tells (from 14 on) of a session's wait, for the first poll only.
    pub(super) fn told(&mut self, pid: i32, since: Timestamp) {
        self.told.insert(pid, since);
    }

    /// Writes each waiter's age into the sample and remembers who waits.
    pub(super) fn fill(&mut self, sample: &mut DatabaseSample) {
        let mut since = HashMap::new();
        for backend in &mut sample.backends {
            if !backend.waits_for_lock() && backend.blocked_by.is_empty() {
                continue;
            }
            // Of a session that is hidden from us neither is told: it waits since it was first seen to.
            let statement = backend.query_start.or((!backend.is_hidden()).then_some(backend.key.started));
            let known = self.since.get(&backend.key).copied();
            let known = known.filter(|known| statement.is_none_or(|statement| *known >= statement));
            let begun = known
                .or_else(|| self.told.get(&backend.key.pid).copied())
                .or_else(|| self.last_poll.map(|last| statement.map_or(last, |begun| last.max(begun))))
                .or(statement)
                .unwrap_or(sample.server_time);
            since.insert(backend.key, begun);
            backend.wait_age = Some(sample.server_time.seconds_since(begun).max(0.0));
        }
        self.told.clear();
        self.since = since;
        self.last_poll = Some(sample.server_time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Backend, BackendState, SafeText, Wait};

    fn poll(at: i64, waiting: bool) -> DatabaseSample {
        let backend = Backend {
            key: BackendKey { pid: 7, started: Timestamp::from_micros(0) },
            leader_pid: None,
            kind: SafeText::new("client backend"),
            database: SafeText::default(),
            user: SafeText::default(),
            application_name: SafeText::default(),
            client: SafeText::default(),
            state: BackendState::Active,
            wait: waiting.then(|| Wait { class: SafeText::new("Lock"), event: SafeText::default() }),
            query_start: Some(Timestamp::from_micros(1_000_000)),
            xact_age: None,
            query_age: None,
            state_age: None,
            has_written: false,
            query: SafeText::default(),
            blocked_by: Vec::new(),
            wait_age: None,
            wants: None,
            holds: Vec::new(),
            process: SafeText::default(),
        };
        let server_time = Timestamp::from_micros(at * 1_000_000);
        DatabaseSample { server_time, backends: vec![backend], ..DatabaseSample::default() }
    }

    fn age(waits: &mut Waits, at: i64, waiting: bool) -> Option<f64> {
        let mut sample = poll(at, waiting);
        waits.fill(&mut sample);
        sample.backends[0].wait_age
    }

    #[test]
    fn a_long_statement_that_waits_for_the_first_time_has_not_waited_long() {
        let mut waits = Waits::default();
        assert_eq!(age(&mut waits, 600, false), None);
        assert_eq!(age(&mut waits, 601, true), Some(1.0));
        assert_eq!(age(&mut waits, 604, true), Some(4.0));
        assert_eq!(age(&mut waits, 605, false), None);
        assert_eq!(age(&mut waits, 606, true), Some(1.0));
    }

    #[test]
    fn on_the_first_look_the_server_tells_or_the_statement_bounds_it() {
        assert_eq!(age(&mut Waits::default(), 11, true), Some(10.0));
        let told = HashMap::from([(7, Timestamp::from_micros(9_500_000))]);
        assert_eq!(age(&mut Waits { told, ..Waits::default() }, 11, true), Some(1.5));
    }
}
