//! One poll: the fast statement, and now and then a slow one.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _};
use tokio::time::Instant;

use super::conflicts::Conflicts;
use super::facts::{FACTS, Facts, facts};
use super::lanes::{Lane, Lanes, Situation};
use super::locks::Locks;
use super::logins::Logins;
use super::rows;
use super::statements::Ledger;
use super::waits::Waits;
use crate::dial::{PostgresActivity, PostgresDial, as_sent};
use crate::model::{
    Backend, BackendState, DatabaseSample, LaneAge, Missing, PollError, PreparedTransaction, Replica,
    SafeText, Timestamp, Upkeep,
};

const TOTALS_13: &str = as_sent(include_str!("sql/totals_130.sql"));
const TOTALS_14: &str = as_sent(include_str!("sql/totals_140.sql"));
const TOTALS_17: &str = as_sent(include_str!("sql/totals_170.sql"));
const REPLICATION: &str = as_sent(include_str!("sql/replication_130.sql"));
const PREPARED: &str = as_sent(include_str!("sql/prepared_130.sql"));
const SLOTS: &str = as_sent(include_str!("sql/slots_130.sql"));
const HORIZON: &str = as_sent(include_str!("sql/horizon_130.sql"));
const PROGRESS: &str = as_sent(include_str!("sql/progress_130.sql"));
const SETTINGS: &str = as_sent(include_str!("sql/settings_130.sql"));

/// What came of a poll.
pub(super) type Answer = Result<DatabaseSample, PollError>;

/// An open session and what it remembers from poll to poll.
pub(super) struct Session {
    connection: PgConnection,
    version: u32,
    polls: u64,
    in_recovery: Option<bool>,
    lanes: Lanes,
    facts: Option<Facts>,
    ledger: Ledger,
    upkeep: Upkeep,
    waits: Waits,
    locks: Locks,
    logins: Logins,
    conflicts: Conflicts,
    replicas: Vec<Replica>,
    replay_lag: Option<f64>,
    prepared: Vec<PreparedTransaction>,
    prepared_read: u64,
    /// The server's time when they were read.
    prepared_at: Timestamp,
    /// What this session cannot be asked; not tried again before the next login.
    absent: Vec<Missing>,
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
            in_recovery: None,
            lanes: Lanes::default(),
            facts: None,
            ledger: Ledger::default(),
            upkeep: Upkeep::default(),
            waits: Waits::default(),
            locks: Locks::default(),
            logins: Logins::default(),
            conflicts: Conflicts::default(),
            replicas: Vec::new(),
            replay_lag: None,
            prepared: Vec::new(),
            prepared_read: 0,
            prepared_at: Timestamp::default(),
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
        if self.in_recovery.replace(in_recovery).is_some_and(|before| before != in_recovery) {
            // Promoted: what was known of the standby, and what it could not be asked, is out of date.
            self.lanes = Lanes::default();
            self.replay_lag = None;
            self.conflicts = Conflicts::default();
            self.absent.clear();
        }
        self.logins.look(&sample.backends, Instant::now());
        sample.newcomers = self.logins.tell();
        let alive = match self.slow_lanes(dial, &mut sample).await {
            Ok(()) => true,
            // The poll itself succeeded; the next one logs in again.
            Err(error) => {
                sample.missing.push(Missing::new("the slower figures", dial.error(&error).says.as_str()));
                false
            }
        };
        self.polls += 1;
        self.locks.fill(&mut sample);
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
        sample.replay_conflicts = self.conflicts.tell(Instant::now());
        sample.statements = self.ledger.tell();
        sample.upkeep.clone_from(&self.upkeep);
        let age = |(lane, age): (&str, f64)| LaneAge { lane: SafeText::new(lane), age };
        sample.lanes = self.lanes.ages(Instant::now()).map(age).collect();
        sample.missing.extend(self.absent.iter().cloned());
        (Ok(sample), alive.then_some(self))
    }

    /// Half a statement a poll on average; none waits for a user's lock.
    async fn slow_lanes(&mut self, dial: &PostgresDial, sample: &mut DatabaseSample) -> Result<(), Error> {
        self.lock_names(dial, sample).await?;
        let situation = Situation {
            replicates: sample.in_recovery
                || !self.replicas.is_empty()
                || sample.backends.iter().any(|one| one.kind.as_str() == "walsender"),
            long_command: !self.upkeep.progress.is_empty() || sample.backends.iter().any(tells_progress),
        };
        for lane in self.lanes.due(Instant::now(), situation) {
            self.lane(dial, lane, sample).await?;
        }
        self.prepared_transactions(dial, sample).await
    }

    async fn lane(
        &mut self,
        dial: &PostgresDial,
        lane: Lane,
        sample: &mut DatabaseSample,
    ) -> Result<(), Error> {
        let sql = match lane {
            Lane::Statements => return self.statements(dial, sample).await,
            Lane::Facts => FACTS,
            Lane::Totals if self.version >= 170_000 => TOTALS_17,
            Lane::Totals if self.version >= 140_000 => TOTALS_14,
            Lane::Totals => TOTALS_13,
            Lane::Replication => REPLICATION,
            Lane::Slots => SLOTS,
            Lane::Horizon => HORIZON,
            Lane::Progress => PROGRESS,
            Lane::Settings => SETTINGS,
        };
        let Some(rows) = self.extra(dial, lane.name(), sql, &mut sample.missing).await? else {
            return Ok(());
        };
        match lane {
            Lane::Facts => {
                self.facts = rows.first().map(facts).transpose()?;
                self.upkeep.autovacuum_workers = self.facts.as_ref().map(|facts| facts.autovacuum_workers);
            }
            Lane::Totals => {
                sample.totals = rows.first().map(rows::totals).transpose()?;
                if let Some(totals) = sample.totals.as_mut().filter(|totals| totals.sessions.is_none()) {
                    totals.sessions_seen = Some(self.logins.seen());
                }
                self.replay_conflicts(dial, sample).await?;
            }
            Lane::Replication => {
                self.replay_lag = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
                self.replicas =
                    rows.iter().filter_map(|row| rows::replica(row).transpose()).collect::<Result<_, _>>()?;
            }
            Lane::Slots => self.upkeep.slots = rows.iter().map(rows::slot).collect::<Result<_, _>>()?,
            Lane::Horizon => (self.upkeep.frozen, self.upkeep.holders) = rows::horizon(&rows)?,
            Lane::Progress => {
                self.upkeep.progress = rows.iter().map(rows::running).collect::<Result<_, _>>()?;
            }
            Lane::Settings => {
                self.upkeep.settings = rows.iter().map(rows::setting).collect::<Result<_, _>>()?;
            }
            Lane::Statements => {}
        }
        self.lanes.answered(lane, Instant::now());
        Ok(())
    }

    async fn statements(&mut self, dial: &PostgresDial, sample: &mut DatabaseSample) -> Result<(), Error> {
        let what = Lane::Statements.name();
        let Some(facts) = &self.facts else { return Ok(()) };
        if self.absent.iter().any(|gap| gap.what.as_str() == what) {
            return Ok(());
        }
        let Some(schema) = &facts.statements else {
            let why = "pg_stat_statements is not installed in this database; \
                       put it into shared_preload_libraries, restart, create extension pg_stat_statements";
            self.absent.push(Missing::new(what, why));
            return Ok(());
        };
        if !Ledger::reaches(schema) {
            let why = format!(
                "pg_stat_statements is in the schema {schema}, where it is not looked for; \
                 alter extension pg_stat_statements set schema monitoring"
            );
            self.absent.push(Missing::new(what, &why));
            return Ok(());
        }
        if let Some(grant) = &facts.statements_grant {
            let why = format!("pg_stat_statements is in a schema that the role may not enter; {grant}");
            self.absent.push(Missing::new(what, &why));
            return Ok(());
        }
        match self.ledger.read(&mut self.connection, schema).await {
            Ok(()) => {
                self.lanes.answered(Lane::Statements, Instant::now());
                Ok(())
            }
            Err(error) => self.gap(dial, what, error, &mut sample.missing),
        }
    }

    /// Why a standby's replay cancelled statements, when the totals say that it did.
    async fn replay_conflicts(
        &mut self,
        dial: &PostgresDial,
        sample: &mut DatabaseSample,
    ) -> Result<(), Error> {
        const WHAT: &str = "what the replay cancelled";
        let counted = sample.totals.filter(|_| sample.in_recovery).map(|totals| totals.conflicts);
        let due = counted.is_some_and(|counted| self.conflicts.due(counted));
        if !due || self.absent.iter().any(|gap| gap.what.as_str() == WHAT) {
            return Ok(());
        }
        match self.conflicts.read(&mut self.connection).await {
            Ok(()) => Ok(()),
            Err(error) => self.gap(dial, WHAT, error, &mut sample.missing),
        }
    }

    /// Looks up what the waiters wait for, when somebody does and it is not known.
    async fn lock_names(&mut self, dial: &PostgresDial, sample: &mut DatabaseSample) -> Result<(), Error> {
        const WHAT: &str = "what is waited for";
        if self.absent.iter().any(|gap| gap.what.as_str() == WHAT) || !self.locks.due(self.polls, sample) {
            return Ok(());
        }
        // From the second poll on a wait's begin is known without the server's word.
        let since = (self.polls == 0).then_some(&mut self.waits);
        match self.locks.read(&mut self.connection, self.polls, sample, since).await {
            Ok(()) => Ok(()),
            Err(error) => self.gap(dial, WHAT, error, &mut sample.missing),
        }
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
                Ok(rows) => {
                    self.prepared = rows::prepared(&rows)?;
                    self.prepared_at = sample.server_time;
                }
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
        // They grow older without being read again.
        let since = sample.server_time.seconds_since(self.prepared_at).max(0.0);
        for one in &mut sample.prepared {
            one.age += since;
        }
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
            Err(error) => self.gap(dial, what, error, missing).map(|()| None),
        }
    }

    /// Notes a gap; the error itself where the session is gone.
    fn gap(
        &mut self,
        dial: &PostgresDial,
        what: &'static str,
        error: Error,
        missing: &mut Vec<Missing>,
    ) -> Result<(), Error> {
        if !PostgresDial::survives(&error) {
            return Err(error);
        }
        let gap = Missing::new(what, dial.error(&error).says.as_str());
        if PostgresDial::is_absent(&error) {
            self.absent.push(gap);
        } else {
            missing.push(gap);
        }
        Ok(())
    }
}

/// Whether it may run a command that tells how far it is.
fn tells_progress(backend: &Backend) -> bool {
    const HEADS: [&str; 7] =
        ["vacuum", "analyze", "create index", "create unique", "reindex", "cluster", "alter table"];
    let head = backend.query.as_str().trim_start().to_ascii_lowercase();
    backend.kind.as_str() == "autovacuum worker"
        || (backend.state == BackendState::Active && HEADS.iter().any(|one| head.starts_with(one)))
}
