//! What a standby's replay cancelled lately, and why: asked only when the totals say that there is more of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _};
use tokio::time::Instant;

use crate::dial::{as_sent, postgres_text as text};
use crate::model::{ReplayConflicts, SafeText};

const CONFLICTS: &str = as_sent(include_str!("sql/conflicts_130.sql"));
/// How far back is told: who looks up from another screen should still find it.
const WINDOW: Duration = Duration::from_mins(1);
/// Readings kept of it; the totals are read every few seconds.
const KEPT: usize = 100;

/// The counters as they were read last, and what came to them since.
#[derive(Default)]
pub(super) struct Conflicts {
    known: Option<BTreeMap<SafeText, ReplayConflicts>>,
    begun: Option<Instant>,
    grown: VecDeque<(Instant, SafeText, ReplayConflicts)>,
}

impl Conflicts {
    /// Whether to read: not known yet, or the databases together count another number.
    pub(super) fn due(&self, total: u64) -> bool {
        self.known.as_ref().is_none_or(|known| known.values().map(ReplayConflicts::all).sum::<u64>() != total)
    }

    pub(super) async fn read(&mut self, connection: &mut PgConnection) -> Result<(), Error> {
        let rows = sqlx::query(CONFLICTS).fetch_all(connection).await?;
        let read: BTreeMap<_, _> = rows.iter().map(counted).collect::<Result<_, _>>()?;
        self.take(read, Instant::now());
        Ok(())
    }

    fn take(&mut self, read: BTreeMap<SafeText, ReplayConflicts>, now: Instant) {
        self.begun.get_or_insert(now);
        if let Some(before) = &self.known {
            for (database, counted) in &read {
                let nothing = ReplayConflicts::default();
                let more = counted.since(before.get(database).unwrap_or(&nothing));
                // A counter that fell was reset: nothing can be told of that while.
                if let Some(more) = more.filter(|more| more.all() > 0) {
                    self.grown.push_back((now, database.clone(), more));
                }
            }
        }
        self.known = Some(read);
        while self.grown.len() > KEPT {
            self.grown.pop_front();
        }
    }

    /// What came in the last minute, or since the first reading; `None` before that.
    pub(super) fn tell(&mut self, now: Instant) -> Option<ReplayConflicts> {
        let over = now.duration_since(self.begun?).min(WINDOW);
        self.grown.retain(|(at, ..)| now.duration_since(*at) <= WINDOW);
        let mut told = ReplayConflicts { over: over.as_secs_f64(), ..ReplayConflicts::default() };
        let mut of: BTreeMap<&SafeText, u64> = BTreeMap::new();
        for (_, database, more) in &self.grown {
            told.add(more);
            *of.entry(database).or_default() += more.all();
        }
        told.database = of.into_iter().max_by_key(|(_, number)| *number).map(|(name, _)| name.clone());
        Some(told)
    }
}

fn counted(row: &PgRow) -> Result<(SafeText, ReplayConflicts), Error> {
    let count = |index| row.try_get::<i64, _>(index).map(|number| u64::try_from(number).unwrap_or(0));
    let counted = ReplayConflicts {
        rows: count(1)?,
        locks: count(2)?,
        pins: count(3)?,
        deadlocks: count(4)?,
        tablespaces: count(5)?,
        slots: count(6)?,
        ..ReplayConflicts::default()
    };
    Ok((text(row, 0)?, counted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rows: u64, locks: u64) -> BTreeMap<SafeText, ReplayConflicts> {
        [("app".into(), ReplayConflicts { rows, locks, ..ReplayConflicts::default() })].into()
    }

    #[test]
    fn what_was_there_before_is_not_told_and_what_came_is_told_for_a_minute() {
        let mut conflicts = Conflicts::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(conflicts.due(0) && conflicts.tell(start).is_none());
        conflicts.take(at(7, 2), start);
        assert!(!conflicts.due(9));
        assert_eq!(conflicts.tell(after(5)).map(|told| (told.all(), told.over)), Some((0, 5.0)));
        assert!(conflicts.due(10));
        conflicts.take(at(8, 2), after(10));
        conflicts.take(at(9, 4), after(15));
        let told = conflicts.tell(after(20)).unwrap_or_default();
        assert_eq!((told.rows, told.locks, told.database), (2, 2, Some("app".into())));
        assert_eq!(conflicts.tell(after(71)).map(|told| (told.all(), told.over)), Some((3, 60.0)));
        assert_eq!(conflicts.tell(after(76)).map(|told| told.all()), Some(0));
        // A reset counter tells nothing, and the next one counts again.
        conflicts.take(at(0, 0), after(80));
        conflicts.take(at(1, 0), after(85));
        assert_eq!(conflicts.tell(after(86)).map(|told| told.all()), Some(1));
    }
}
