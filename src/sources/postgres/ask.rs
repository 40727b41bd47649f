//! One poll: the fast statement, and now and then a slow one.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _};

use super::rows;
use super::waits::Waits;
use crate::dial::{PostgresActivity, PostgresDial};
use crate::model::{
    DatabaseSample, DatabaseTotals, Missing, PollError, PreparedTransaction, Replica, Timestamp,
};

const FACTS: &str = include_str!("sql/facts_130.sql");
const TOTALS: &str = include_str!("sql/totals_130.sql");
const REPLICATION: &str = include_str!("sql/replication_130.sql");
const PREPARED: &str = include_str!("sql/prepared_130.sql");
const WAITS: &str = include_str!("sql/waits_140.sql");

/// What came of a poll.
pub(super) type Answer = Result<DatabaseSample, PollError>;

/// An open session and what it remembers from poll to poll.
pub(super) struct Session {
    connection: PgConnection,
    version: u32,
    polls: u64,
    facts: Option<Facts>,
    waits: Waits,
    replicas: Vec<Replica>,
    replay_lag: Option<f64>,
    prepared: Vec<PreparedTransaction>,
    prepared_read: u64,
    /// What this session cannot be asked; not tried again before the next login.
    absent: Vec<Missing>,
}

#[derive(Clone)]
struct Facts {
    max_connections: u32,
    reserved: u32,
    started: Timestamp,
    sees_all: bool,
    grant: String,
}

/// Asks once, on `session` or a new one; hands the session back while it can be used.
pub(super) async fn ask(dial: PostgresDial, session: Option<Session>) -> (Answer, Option<Session>) {
    if let Some(mut session) = session {
        match session.activity().await {
            Ok(activity) => return session.complete(&dial, activity).await,
            Err(error) if PostgresDial::survives(&error) => return (Err(dial.error(&error)), Some(session)),
            // Cut off since the last poll (a restart, somebody's kill): what a new login says is the news.
            Err(_cut_off) => {}
        }
    }
    let connection = match dial.connect().await {
        Ok(connection) => connection,
        Err(error) => return (Err(error), None),
    };
    let mut session = Session::new(connection);
    match session.activity().await {
        Ok(activity) => session.complete(&dial, activity).await,
        Err(error) => {
            let kept = PostgresDial::survives(&error).then_some(session);
            (Err(dial.error(&error)), kept)
        }
    }
}

impl Session {
    fn new(connection: PgConnection) -> Self {
        Self {
            version: connection.server_version_num().unwrap_or(0),
            connection,
            polls: 0,
            facts: None,
            waits: Waits::default(),
            replicas: Vec::new(),
            replay_lag: None,
            prepared: Vec::new(),
            prepared_read: 0,
            absent: Vec::new(),
        }
    }

    async fn activity(&mut self) -> Result<PostgresActivity, Error> {
        PostgresActivity::read(&mut self.connection).await
    }

    /// Adds what is read less often, and what is remembered.
    async fn complete(mut self, dial: &PostgresDial, activity: PostgresActivity) -> (Answer, Option<Self>) {
        let PostgresActivity { server_time, in_recovery, backends, left_out } = activity;
        let mut sample = DatabaseSample {
            version: self.version,
            server_time,
            in_recovery,
            backends,
            left_out,
            ..DatabaseSample::default()
        };
        let alive = match self.slow_lanes(dial, &mut sample).await {
            Ok(()) => true,
            // The poll itself succeeded; the next one logs in again.
            Err(error) => {
                sample.missing.push(Missing::new("the slower figures", dial.error(&error).says.as_str()));
                false
            }
        };
        self.polls += 1;
        self.waits.fill(&mut sample);
        if let Some(facts) = &self.facts {
            sample.max_connections = facts.max_connections;
            sample.reserved_connections = facts.reserved;
            sample.started = facts.started;
            if !facts.sees_all {
                let hidden =
                    sample.backends.iter().filter(|b| b.query.as_str() == "<insufficient privilege>").count();
                sample.missing.push(Missing::new(
                    "state, wait and statement of other roles' sessions",
                    &format!("the role may not see them ({hidden} hidden); {}", facts.grant),
                ));
            }
        }
        sample.replicas.clone_from(&self.replicas);
        sample.replay_lag = self.replay_lag;
        sample.missing.extend(self.absent.iter().cloned());
        (Ok(sample), alive.then_some(self))
    }

    /// At most 0.44 statements a poll on average; none waits for a user's lock.
    async fn slow_lanes(&mut self, dial: &PostgresDial, sample: &mut DatabaseSample) -> Result<(), Error> {
        let n = self.polls;
        if n == 0
            && self.version >= 140_000
            && sample.backends.iter().any(crate::model::Backend::waits_for_lock)
            && let Some(rows) =
                self.extra(dial, "how long sessions have waited", WAITS, &mut sample.missing).await?
        {
            self.waits.told(&rows)?;
        }
        if (n.is_multiple_of(30) || self.facts.is_none())
            && let Some(rows) = self.extra(dial, "limits and rights", FACTS, &mut sample.missing).await?
        {
            self.facts = rows.first().map(facts).transpose()?;
        }
        if n.is_multiple_of(5)
            && let Some(rows) =
                self.extra(dial, "totals of the databases", TOTALS, &mut sample.missing).await?
        {
            sample.totals = rows.first().map(totals).transpose()?;
        }
        let followed = sample.in_recovery || !self.replicas.is_empty();
        if (n.is_multiple_of(30) || (followed && n % 5 == 2))
            && let Some(rows) = self.extra(dial, "replication", REPLICATION, &mut sample.missing).await?
        {
            self.replay_lag = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
            self.replicas =
                rows.iter().filter_map(|row| rows::replica(row).transpose()).collect::<Result<_, _>>()?;
        }
        self.prepared_transactions(dial, sample).await
    }

    /// Looks up who pid 0 is, when it is among the blockers: at once, then at every fifth poll at most.
    async fn prepared_transactions(
        &mut self,
        dial: &PostgresDial,
        sample: &mut DatabaseSample,
    ) -> Result<(), Error> {
        let waiters: Vec<i32> =
            sample.backends.iter().filter(|b| b.blocked_by.contains(&0)).map(|b| b.key.pid).collect();
        if waiters.is_empty() {
            self.prepared.clear();
            return Ok(());
        }
        let known = |pid: &i32| self.prepared.iter().any(|prepared| prepared.waiters.contains(pid));
        let due = self.prepared.is_empty() || self.polls >= self.prepared_read + 5;
        if due && !waiters.iter().all(known) {
            self.prepared_read = self.polls;
            match sqlx::query(PREPARED).bind(waiters).fetch_all(&mut self.connection).await {
                Ok(rows) => self.prepared = rows::prepared(&rows)?,
                Err(error) => {
                    let why = dial.error(&error);
                    sample.missing.push(Missing::new("prepared transactions", why.says.as_str()));
                    if !PostgresDial::survives(&error) {
                        return Err(error);
                    }
                }
            }
        }
        sample.prepared.clone_from(&self.prepared);
        Ok(())
    }

    /// One slower statement. `None` where it failed and the session lives: then the gap is noted, and
    /// a statement that the role, the version or the service does not allow is not tried again.
    async fn extra(
        &mut self,
        dial: &PostgresDial,
        what: &'static str,
        sql: &'static str,
        missing: &mut Vec<Missing>,
    ) -> Result<Option<Vec<PgRow>>, Error> {
        if self.absent.iter().any(|gap| gap.what.as_str() == what) {
            return Ok(None);
        }
        match sqlx::query(sql).fetch_all(&mut self.connection).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if PostgresDial::survives(&error) => {
                let gap = Missing::new(what, dial.error(&error).says.as_str());
                if PostgresDial::is_absent(&error) {
                    self.absent.push(gap);
                } else {
                    missing.push(gap);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn facts(row: &PgRow) -> Result<Facts, Error> {
    let count = |index| row.try_get::<i32, _>(index).map(|n| u32::try_from(n).unwrap_or(0));
    Ok(Facts {
        max_connections: count(0)?,
        reserved: count(1)?,
        started: Timestamp::from_micros(row.try_get(2)?),
        sees_all: row.try_get(3)?,
        grant: row.try_get(4)?,
    })
}

fn totals(row: &PgRow) -> Result<DatabaseTotals, Error> {
    let count = |index| row.try_get::<i64, _>(index).map(|n| u64::try_from(n).unwrap_or(0));
    Ok(DatabaseTotals {
        commits: count(0)?,
        rollbacks: count(1)?,
        deadlocks: count(2)?,
        temp_bytes: count(3)?,
        blocks_hit: count(4)?,
        blocks_read: count(5)?,
    })
}
