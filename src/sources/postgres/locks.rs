//! Which locks the waiters want and their blockers hold, by name: read from the lock table now and then.
//!
//! The server copies the whole lock table for each reading, so its price grows with locks that have
//! nothing to do with the wait. It is read when somebody waits whose lock is not known yet, at most at
//! every fifth poll, and the longer it took the later again.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _};
use tokio::time::Instant;

use super::waits::Waits;
use crate::dial::{as_sent, postgres_text as text, postgres_time as time};
use crate::model::{Backend, BackendKey, DatabaseSample, Lock, SafeText, Timestamp};

const LOCKS: &str = as_sent(include_str!("sql/locks_130.sql"));
/// Polls between two readings.
const POLLS: u64 = 5;
/// A reading may take this part of the time at most.
const SHARE: u32 = 100;
/// Locks named of one blocker, the strongest.
const NAMED: usize = 3;

/// What the last readings told, for who still waits.
#[derive(Default)]
pub(super) struct Locks {
    wants: HashMap<BackendKey, (Option<Timestamp>, Option<Lock>)>,
    holds: HashMap<BackendKey, Vec<Lock>>,
    /// On a standby: who holds what the replay waits for.
    readers: Vec<BackendKey>,
    last: Option<Last>,
}

struct Last {
    poll: u64,
    at: Instant,
    took: Duration,
}

impl Locks {
    /// Whether to read at this poll.
    pub(super) fn due(&self, poll: u64, sample: &DatabaseSample) -> bool {
        let unknown = |one: &Backend| {
            let known = self.wants.get(&one.key).is_some_and(|(statement, _)| *statement == one.query_start);
            waits(one) && (!known || self.replay_is_riddle(one))
        };
        let rested = |last: &Last| {
            poll >= last.poll + POLLS && last.at.elapsed() >= (last.took * SHARE).saturating_sub(last.took)
        };
        self.last.as_ref().is_none_or(rested) && sample.backends.iter().any(unknown)
    }

    /// Replay that waits, and nobody known for it to wait for is still there.
    fn replay_is_riddle(&self, one: &Backend) -> bool {
        is_replay(one) && self.readers.is_empty()
    }

    /// Reads; the begins of waits go to `since`.
    pub(super) async fn read(
        &mut self,
        connection: &mut PgConnection,
        poll: u64,
        sample: &DatabaseSample,
        since: Option<&mut Waits>,
    ) -> Result<(), Error> {
        let at = Instant::now();
        // Also when it fails: it is not tried again at once.
        self.last = Some(Last { poll, at, took: Duration::ZERO });
        let mut blockers: Vec<i32> =
            sample.backends.iter().flat_map(|one| one.blocked_by.iter().copied()).collect();
        blockers.sort_unstable();
        blockers.dedup();
        let replay = sample.backends.iter().any(is_replay);
        let rows = sqlx::query(LOCKS).bind(blockers).bind(replay).fetch_all(connection).await;
        self.last = Some(Last { poll, at, took: at.elapsed() });
        let rows = rows?;
        self.take(&rows, sample)?;
        if let Some(since) = since {
            for row in rows.iter().filter(|row| !row.try_get(1).unwrap_or(true)) {
                if let Some(begun) = time(row, 4)? {
                    since.told(row.try_get(0)?, begun);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, rows: &[PgRow], sample: &DatabaseSample) -> Result<(), Error> {
        let by_pid: HashMap<i32, &Backend> = sample.backends.iter().map(|one| (one.key.pid, one)).collect();
        // Who waits by now but is not among the rows got its lock meanwhile: known to be nothing.
        self.wants = sample
            .backends
            .iter()
            .filter(|one| waits(one))
            .map(|one| (one.key, (one.query_start, None)))
            .collect();
        self.holds.clear();
        self.readers.clear();
        let replay = sample.backends.iter().find(|one| is_replay(one)).map(|one| one.key);
        let mut replayed = None;
        for row in rows {
            let Some(one) = by_pid.get(&row.try_get(0)?) else { continue };
            let lock = lock(row)?;
            if !row.try_get::<bool, _>(1)? {
                if replay == Some(one.key) {
                    replayed = Some(lock.on.clone());
                }
                if let Some((_, wanted)) = self.wants.get_mut(&one.key) {
                    *wanted = Some(lock);
                }
                continue;
            }
            if replay.is_some_and(|replay| replay != one.key)
                && replayed.as_ref() == Some(&lock.on)
                && !self.readers.contains(&one.key)
            {
                self.readers.push(one.key);
            }
            let held = self.holds.entry(one.key).or_default();
            // The strongest comes first; of one thing that is enough.
            if held.len() < NAMED && held.iter().all(|known| known.on != lock.on) {
                held.push(lock);
            }
        }
        Ok(())
    }

    /// Writes into the sample what is known, and forgets who waits no more.
    pub(super) fn fill(&mut self, sample: &mut DatabaseSample) {
        let mut waiting = HashMap::new();
        let present = |key: &BackendKey| sample.backends.iter().any(|one| one.key == *key);
        self.readers.retain(present);
        let mut blocks: Vec<i32> = self.readers.iter().map(|key| key.pid).collect();
        let readers = blocks.clone();
        for one in sample.backends.iter_mut().filter(|one| waits(one)) {
            if is_replay(one) {
                one.blocked_by.clone_from(&readers);
            }
            if let Some((statement, lock)) = self.wants.remove(&one.key)
                && statement == one.query_start
            {
                one.wants.clone_from(&lock);
                waiting.insert(one.key, (statement, lock));
            }
            blocks.extend(&one.blocked_by);
        }
        self.wants = waiting;
        blocks.sort_unstable();
        blocks.dedup();
        self.holds.retain(|key, _| blocks.binary_search(&key.pid).is_ok());
        for one in &mut sample.backends {
            if let Some(held) = self.holds.get(&one.key) {
                one.holds.clone_from(held);
            }
        }
    }
}

fn waits(one: &Backend) -> bool {
    one.waits_for_lock() || !one.blocked_by.is_empty()
}

/// A standby's replay that waits for a lock: the server names nobody it waits for.
fn is_replay(one: &Backend) -> bool {
    one.kind.as_str() == "startup" && one.waits_for_lock()
}

fn lock(row: &PgRow) -> Result<Lock, Error> {
    let on = text(row, 5)?;
    let on = on.as_str().strip_prefix("public.").map_or_else(|| on.clone(), SafeText::new);
    Ok(Lock { kind: text(row, 2)?, on, mode: text(row, 3)? })
}
