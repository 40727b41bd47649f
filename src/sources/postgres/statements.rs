//! `pg_stat_statements` between two readings: its counters without its texts, and the texts of the few
//! that cost most. One text costs the server the reading of all of them, so they are asked for seldom.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Error, Row as _};
use tokio::time::Instant;

use crate::dial::{as_sent, postgres_text as text};
use crate::model::{SafeText, StatementCost, Statements, Timestamp};

const COUNTERS: &str = as_sent(include_str!("sql/statements_130.sql"));
const TEXTS: &str = as_sent(include_str!("sql/statement_texts_130.sql"));

/// Where the extension is looked for: a schema's name comes from the server and may not stand in a
/// statement, unless it is one of these.
const SCHEMAS: [&str; 6] = ["public", "extensions", "monitoring", "pg_catalog", "stats", "metrics"];
/// Statements told by name.
const TOP: usize = 20;
/// Texts are not asked for more often than this.
const TEXTS_EVERY: Duration = Duration::from_mins(1);
/// Texts kept.
const TEXTS_KEPT: usize = 500;

/// Whose statement it is: role, database, `queryid`.
type Key = (u32, u32, i64);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counters {
    calls: u64,
    exec_ms: f64,
    rows: u64,
    blocks_read: u64,
    temp_blocks: u64,
}

#[derive(Clone, Default)]
struct Words {
    user: SafeText,
    database: SafeText,
    query: SafeText,
}

/// What was read last, and what the difference told.
#[derive(Default)]
pub(super) struct Ledger {
    before: HashMap<Key, Counters>,
    read: Option<Timestamp>,
    words: HashMap<Key, Words>,
    words_read: Option<Instant>,
    last: Option<(Statements, Vec<Key>)>,
}

impl Ledger {
    /// Whether the extension stands where it can be asked.
    pub(super) fn reaches(schema: &str) -> bool {
        SCHEMAS.contains(&schema)
    }

    /// Reads the counters from the extension in `schema`, which [`Self::reaches`].
    pub(super) async fn read(&mut self, connection: &mut PgConnection, schema: &str) -> Result<(), Error> {
        let Some(schema) = SCHEMAS.into_iter().find(|known| *known == schema) else { return Ok(()) };
        let counters = COUNTERS.replace("{schema}", schema);
        let rows = sqlx::query(AssertSqlSafe(counters)).fetch_all(&mut *connection).await?;
        let Some(at) = rows.first().map(|row| row.try_get(0)).transpose()? else { return Ok(()) };
        self.take(Timestamp::from_micros(at), counters_by_key(&rows)?);
        let unknown = self.unknown();
        let now = Instant::now();
        if unknown.is_empty() || self.words_read.is_some_and(|last| now.duration_since(last) < TEXTS_EVERY) {
            return Ok(());
        }
        self.words_read = Some(now);
        let rows = sqlx::query(AssertSqlSafe(TEXTS.replace("{schema}", schema)))
            .bind(unknown)
            .fetch_all(connection)
            .await?;
        if self.words.len() > TEXTS_KEPT {
            self.words.clear();
        }
        for row in &rows {
            let words = Words { user: text(row, 3)?, database: text(row, 4)?, query: text(row, 5)? };
            self.words.insert(key(row, 0)?, words);
        }
        Ok(())
    }

    /// What the last two readings tell, with the texts known by now.
    pub(super) fn tell(&self) -> Option<Statements> {
        let (statements, keys) = self.last.as_ref()?;
        let mut statements = statements.clone();
        for (cost, words) in statements.top.iter_mut().zip(keys.iter().map(|key| self.words.get(key))) {
            if let Some(words) = words {
                cost.user.clone_from(&words.user);
                cost.database.clone_from(&words.database);
                cost.query.clone_from(&words.query);
            }
        }
        Some(statements)
    }

    /// The ids among the dearest whose text is not known.
    fn unknown(&self) -> Vec<i64> {
        let Some((_, keys)) = &self.last else { return Vec::new() };
        let ids: HashSet<i64> =
            keys.iter().filter(|key| !self.words.contains_key(key)).map(|key| key.2).collect();
        ids.into_iter().collect()
    }

    /// Compares with the reading before. An entry whose counters fell was reset or thrown out and came
    /// back: all it has now came since. A reading in which most fell follows a reset and tells nothing.
    fn take(&mut self, at: Timestamp, now: HashMap<Key, Counters>) {
        let before = std::mem::replace(&mut self.before, now);
        let Some(read) = self.read.replace(at) else { return };
        let over = at.seconds_since(read);
        let fell =
            |(key, old): &(&Key, &Counters)| self.before.get(key).is_none_or(|new| new.calls < old.calls);
        let gone = before.iter().filter(fell).count();
        if over <= 0.0 || (gone > 0 && gone * 2 > before.len()) {
            self.last = None;
            return;
        }
        let mut grown: Vec<(Key, Counters)> =
            self.before.iter().filter_map(|(key, new)| Some((*key, growth(before.get(key), new)?))).collect();
        grown.sort_by(|a, b| b.1.exec_ms.total_cmp(&a.1.exec_ms).then(a.0.cmp(&b.0)));
        let calls = grown.iter().map(|(_, it)| it.calls).sum();
        let exec_ms = grown.iter().map(|(_, it)| it.exec_ms).sum();
        grown.truncate(TOP);
        let keys = grown.iter().map(|(key, _)| *key).collect();
        let cost = |(key, it): (Key, Counters)| StatementCost {
            query_id: key.2,
            calls: it.calls,
            exec_ms: it.exec_ms,
            rows: it.rows,
            blocks_read: it.blocks_read,
            temp_blocks: it.temp_blocks,
            ..StatementCost::default()
        };
        let top = grown.into_iter().map(cost).collect();
        let entries = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        self.last = Some((Statements { over, calls, exec_ms, entries, top }, keys));
    }
}

fn growth(old: Option<&Counters>, new: &Counters) -> Option<Counters> {
    let old = old.filter(|old| old.calls <= new.calls).copied().unwrap_or_default();
    let calls = new.calls - old.calls;
    (calls > 0).then(|| Counters {
        calls,
        exec_ms: (new.exec_ms - old.exec_ms).max(0.0),
        rows: new.rows.saturating_sub(old.rows),
        blocks_read: new.blocks_read.saturating_sub(old.blocks_read),
        temp_blocks: new.temp_blocks.saturating_sub(old.temp_blocks),
    })
}

fn key(row: &PgRow, at: usize) -> Result<Key, Error> {
    let oid = |index| row.try_get::<i64, _>(index).map(|n| u32::try_from(n).unwrap_or(0));
    Ok((oid(at)?, oid(at + 1)?, row.try_get(at + 2)?))
}

/// Statements run inside functions and outside are two entries of one key: they are added.
fn counters_by_key(rows: &[PgRow]) -> Result<HashMap<Key, Counters>, Error> {
    let mut all: HashMap<Key, Counters> = HashMap::with_capacity(rows.len());
    for row in rows {
        let count = |index| row.try_get::<i64, _>(index).map(|n| u64::try_from(n).unwrap_or(0));
        let it = all.entry(key(row, 1)?).or_default();
        it.calls += count(4)?;
        it.exec_ms += row.try_get::<f64, _>(5)?;
        it.rows += count(6)?;
        it.blocks_read += count(7)?;
        it.temp_blocks += count(8)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(calls: u64, exec_ms: f64) -> Counters {
        Counters { calls, exec_ms, ..Counters::default() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_dearest_since_the_last_reading_stand_first_whatever_they_cost_before() {
        let mut ledger = Ledger::default();
        let reading =
            |new: f64| HashMap::from([((1, 1, 7), counters(1_000, 9e9)), ((1, 1, 8), counters(5, new))]);
        ledger.take(at(0), reading(100.0));
        assert_eq!(ledger.tell(), None);
        let mut second = reading(100.0);
        second.insert((1, 1, 8), counters(15, 20_100.0));
        second.insert((1, 1, 9), counters(2, 30.0));
        ledger.take(at(10), second);
        let told = ledger.tell().expect("two readings");
        assert_eq!(told.top.iter().map(|it| it.query_id).collect::<Vec<_>>(), [8, 9]);
        assert_eq!((told.calls, told.busy()), (12, Some(2.003)));
        assert_eq!(told.top[0].mean_ms(), Some(2_000.0));
    }

    #[test]
    fn a_reset_tells_nothing_and_one_that_was_thrown_out_counts_from_nought() {
        let all = |calls| (0..10).map(|id| ((1, 1, id), counters(calls, 5.0))).collect::<HashMap<_, _>>();
        let mut ledger = Ledger::default();
        ledger.take(at(0), all(50));
        ledger.take(at(10), all(1));
        assert_eq!(ledger.tell(), None);
        let mut third = all(1);
        third.insert((1, 1, 3), counters(4, 9.0));
        ledger.take(at(20), third.clone());
        assert_eq!(ledger.tell().map(|told| told.calls), Some(3));
        third.insert((1, 1, 3), counters(2, 1.0));
        ledger.take(at(30), third);
        assert_eq!(ledger.tell().map(|told| told.calls), Some(2));
    }
}
