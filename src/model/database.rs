//! What one look at a PostgreSQL server saw: its sessions, who waits for whom, its totals.

use serde::{Deserialize, Serialize};

use super::family::family;
use super::{
    BackendKey, LaneAge, Lock, Missing, Newcomers, ReplayConflicts, SafeText, Statements, Timestamp, Upkeep,
};

/// One raw sample of a database server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseSample {
    /// `server_version_num`: 150018 is 15.18.
    pub version: u32,
    /// The server's clock when it answered.
    pub server_time: Timestamp,
    /// When the server started.
    pub started: Timestamp,
    /// A standby that replays another server's log.
    pub in_recovery: bool,
    /// `max_connections`.
    pub max_connections: u32,
    /// Slots an ordinary role cannot take: superuser reserved and, from 16, reserved.
    pub reserved_connections: u32,
    /// Every backend but the asking one.
    pub backends: Vec<Backend>,
    /// Prepared transactions, read only when a session waits behind one (blocker pid 0).
    pub prepared: Vec<PreparedTransaction>,
    /// Sessions that began lately, the sort first of which most did; 5 sorts at most.
    pub newcomers: Vec<Newcomers>,
    /// Totals over all databases; `None` on polls that did not read them.
    pub totals: Option<DatabaseTotals>,
    /// Standbys fed by this server.
    pub replicas: Vec<Replica>,
    /// On a standby: seconds behind, 0 when all that was received is replayed.
    pub replay_lag: Option<f64>,
    /// On a standby: what its replay cancelled in the last minute; `None` before that was read.
    pub replay_conflicts: Option<ReplayConflicts>,
    /// What statements cost lately; `None` before the second reading, or without `pg_stat_statements`.
    pub statements: Option<Statements>,
    /// Slots, vacuum, transaction ids, settings: what changes slowly.
    pub upkeep: Upkeep,
    /// How old each slower part of this sample is.
    pub lanes: Vec<LaneAge>,
    /// Sessions left out because of the row cap.
    pub left_out: u32,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

impl DatabaseSample {
    /// Connections that count against the limit. The session that asked takes one too and is not in its
    /// own answer.
    #[must_use]
    pub fn slots_taken(&self) -> u64 {
        let seen = self.backends.iter().filter(|one| one.takes_slot()).count() as u64;
        seen + 1 + u64::from(self.left_out)
    }
}

/// One server process, as `pg_stat_activity` shows it. Ages are seconds by the server's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Who it is: pid and start.
    pub key: BackendKey,
    /// For a parallel worker, the pid of its leader.
    #[serde(default)]
    pub leader_pid: Option<i32>,
    /// `backend_type`: `client backend`, `autovacuum worker`, `walsender` …
    #[serde(default)]
    pub kind: SafeText,
    /// Database it is connected to.
    #[serde(default)]
    pub database: SafeText,
    /// Role it logged in as.
    #[serde(default)]
    pub user: SafeText,
    /// What the client calls itself: `web.3`.
    #[serde(default)]
    pub application_name: SafeText,
    /// Client address; empty for a local socket.
    #[serde(default)]
    pub client: SafeText,
    /// What it does.
    pub state: BackendState,
    /// What it waits for, if anything.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// When the current or last statement began.
    #[serde(default)]
    pub query_start: Option<Timestamp>,
    /// Seconds since its transaction began.
    #[serde(default)]
    pub xact_age: Option<f64>,
    /// Seconds since its statement began.
    #[serde(default)]
    pub query_age: Option<f64>,
    /// Seconds in the present state.
    #[serde(default)]
    pub state_age: Option<f64>,
    /// Its transaction has an id of its own: it wrote, and ending it rolls that back.
    #[serde(default)]
    pub has_written: bool,
    /// The first 200 characters of the current or last statement.
    #[serde(default)]
    pub query: SafeText,
    /// Pids it waits for, as `pg_blocking_pids` tells: unordered, perhaps repeated; 0 is a prepared transaction.
    #[serde(default)]
    pub blocked_by: Vec<i32>,
    /// Seconds it has waited for its lock; from 14 as the server tells, before that its statement's age.
    #[serde(default)]
    pub wait_age: Option<f64>,
    /// The lock it waits for; read now and then only, so a young wait may not have it yet.
    #[serde(default)]
    pub wants: Option<Lock>,
    /// Locks of its own on what others wait for, as of the last reading of the lock table.
    #[serde(default)]
    pub holds: Vec<Lock>,
    /// The kind of process it belongs to, where a pattern of the config tells; else see [`Backend::family`].
    #[serde(default)]
    pub process: SafeText,
}

impl Backend {
    /// Whether it waits for a lock now.
    #[must_use]
    pub fn waits_for_lock(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.class.as_str() == "Lock")
    }

    /// What it waits for: the lock as read, or else as its wait event alone tells.
    #[must_use]
    pub fn wanted(&self) -> Option<Lock> {
        let wait = self.wait.as_ref().filter(|_| self.waits_for_lock());
        self.wants.clone().or_else(|| wait.map(|wait| Lock::of_event(&wait.event)))
    }

    /// A client's session, not one of the server's own processes.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.kind.as_str() == "client backend"
    }

    /// A client's session of which our role may not see more than whose it is: neither its state nor its
    /// statement nor its begin. The server's own processes have no database.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.kind.is_empty() && !self.user.is_empty() && !self.database.is_empty()
    }

    /// Whether it counts against the limit of connections.
    #[must_use]
    pub fn takes_slot(&self) -> bool {
        self.is_client() || self.is_hidden()
    }

    /// What to call it on the screen: its application, or its role, or its kind.
    #[must_use]
    pub fn who(&self) -> &str {
        [&self.application_name, &self.user, &self.kind]
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("a session", SafeText::as_str)
    }

    /// What it has in common with its like: the kind of process, so that `web.3` and `web.4` are `web`.
    #[must_use]
    pub fn family(&self) -> &str {
        if self.process.is_empty() { family(self.who()) } else { self.process.as_str() }
    }
}

/// `pg_stat_activity.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BackendState {
    /// Still authenticating (shown by 18 and later).
    #[serde(rename = "starting")]
    Starting,
    /// Running a statement.
    #[serde(rename = "active")]
    Active,
    /// Waiting for its client, no transaction open.
    #[serde(rename = "idle")]
    Idle,
    /// Waiting for its client with a transaction open.
    #[serde(rename = "idle in transaction")]
    IdleInTransaction,
    /// As above after an error; keeps locks only from before a savepoint.
    #[serde(rename = "idle in transaction (aborted)")]
    IdleInTransactionAborted,
    /// Running a fast-path function.
    #[serde(rename = "fastpath function call")]
    Fastpath,
    /// Not told: activity tracking is off, no right to see it, or a process of the server's own.
    #[serde(rename = "unknown", other)]
    Unknown,
}

impl BackendState {
    /// The state by PostgreSQL's own word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "starting" => Self::Starting,
            "active" => Self::Active,
            "idle" => Self::Idle,
            "idle in transaction" => Self::IdleInTransaction,
            "idle in transaction (aborted)" => Self::IdleInTransactionAborted,
            "fastpath function call" => Self::Fastpath,
            _ => Self::Unknown,
        }
    }

    /// PostgreSQL's own word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle in transaction",
            Self::IdleInTransactionAborted => "idle in transaction (aborted)",
            Self::Fastpath => "fastpath function call",
            Self::Unknown => "unknown",
        }
    }
}

/// What a backend waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// `wait_event_type`: `Lock`, `IO`, `Client` …
    pub class: SafeText,
    /// `wait_event`: `transactionid`, `relation`, `DataFileRead` …
    pub event: SafeText,
}

/// A transaction prepared for two-phase commit: it holds locks and has no process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreparedTransaction {
    /// Its name.
    pub gid: SafeText,
    /// Who prepared it.
    pub owner: SafeText,
    /// In which database.
    pub database: SafeText,
    /// Seconds since it was prepared.
    pub age: f64,
    /// Pids that wait for it.
    pub waiters: Vec<i32>,
}

/// Counters over all databases since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseTotals {
    /// Transactions committed.
    pub commits: u64,
    /// Transactions rolled back.
    pub rollbacks: u64,
    /// Deadlocks found.
    pub deadlocks: u64,
    /// Bytes written to temporary files.
    pub temp_bytes: u64,
    /// Blocks found in shared buffers.
    pub blocks_hit: u64,
    /// Blocks asked of the operating system.
    pub blocks_read: u64,
    /// Temporary files written.
    pub temp_files: u64,
    /// Statements cancelled by a standby's replay.
    pub conflicts: u64,
    /// Logins; told from 14.
    pub sessions: Option<u64>,
    /// Sessions that were seen to begin since this watch began, where the server does not count logins:
    /// at least so many.
    pub sessions_seen: Option<u64>,
    /// Sessions that ended otherwise than by their client's wish; told from 14.
    pub sessions_lost: Option<u64>,
    /// Bytes of log written; `None` on a standby before 14.
    pub wal_bytes: Option<u64>,
    /// Checkpoints that came by the clock.
    pub checkpoints_timed: Option<u64>,
    /// Checkpoints that came because so much log was written, or by hand.
    pub checkpoints_requested: Option<u64>,
}

/// A standby fed by this server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replica {
    /// What the standby calls itself.
    pub name: SafeText,
    /// `streaming`, `catchup` …
    pub state: SafeText,
    /// Bytes written here and not yet replayed there.
    pub lag_bytes: Option<f64>,
    /// Seconds, as the server measures it; `None` while idle.
    pub lag_seconds: Option<f64>,
    /// Bytes written here and not yet sent.
    pub unsent_bytes: Option<f64>,
    /// `async`, `sync`, `quorum` …
    pub sync: SafeText,
    /// Seconds since it last said how far it is.
    pub silent: Option<f64>,
}
