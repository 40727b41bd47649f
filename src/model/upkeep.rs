//! What a database server needs beside answering: replication slots, vacuum, transaction ids, settings.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// What was read of it last; each part has a lane of its own, and [`LaneAge`] tells how old it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upkeep {
    /// Replication slots, those that keep most log first.
    pub slots: Vec<ReplicationSlot>,
    /// The database nearest to the end of its transaction ids.
    pub frozen: Option<Frozen>,
    /// Who keeps old row versions from being removed, oldest first; 10 at most.
    pub holders: Vec<Holder>,
    /// Commands that tell how far they are.
    pub progress: Vec<Running>,
    /// `autovacuum_max_workers`.
    pub autovacuum_workers: Option<u32>,
    /// Settings that are not built in and not free text, with their units.
    pub settings: Vec<Setting>,
}

/// A replication slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicationSlot {
    /// Its name.
    pub name: SafeText,
    /// `physical` or `logical`.
    pub kind: SafeText,
    /// Somebody reads from it.
    pub active: bool,
    /// Bytes of log it keeps from being removed.
    pub retained: Option<f64>,
    /// `reserved`, `extended`, `unreserved` (about to be lost) or `lost`.
    pub wal_status: SafeText,
}

/// How far a database's oldest transaction id is behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frozen {
    /// Which database.
    pub database: SafeText,
    /// Transaction ids used since its oldest one.
    pub age: u64,
    /// The same of its multixact ids.
    pub multixact_age: u64,
}

/// The ids there are before a server refuses to write: 2^31.
const IDS: f64 = 2_147_483_648.0;

impl Frozen {
    /// Share of the ids that are used up, of transactions or of multixacts, whichever is more.
    #[must_use]
    pub fn used(&self) -> f64 {
        self.age.max(self.multixact_age) as f64 / IDS
    }
}

/// Who keeps old row versions from being removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// `session`, `standby` (by its feedback), `prepared` or `slot`.
    pub kind: SafeText,
    /// Application, gid or slot.
    pub name: SafeText,
    /// Its process, of a session or standby.
    pub pid: Option<i32>,
    /// Transaction ids used since.
    pub xids: u64,
    /// Seconds it has done so, where that is told.
    pub age: Option<f64>,
    /// The database it is in; empty where it is in none.
    pub database: SafeText,
}

/// A command that tells how far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// `vacuum`, `create index` …
    pub command: SafeText,
    /// Its process.
    pub pid: i32,
    /// In which database; empty for the whole server.
    pub database: SafeText,
    /// On which table, where that can be told.
    pub relation: SafeText,
    /// `scanning heap` …
    pub phase: SafeText,
    /// Share of its phase that is done, 0 to 1.
    pub done: Option<f64>,
}

/// One setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// `work_mem`.
    pub name: SafeText,
    /// `4096 kB`.
    pub value: SafeText,
}

/// How old a slower part of a sample is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneAge {
    /// Which part: `totals`, `replication`, `statements` …
    pub lane: SafeText,
    /// Seconds since it was read.
    pub age: f64,
}

/// Statements and sessions of a standby that its replay ended because they stood in its way: `conflict with
/// recovery` to their clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayConflicts {
    /// Seconds that are looked back.
    pub over: f64,
    /// They could still see rows that the primary's vacuum removed.
    pub rows: u64,
    /// They held a table that the primary locked: DDL, or vacuum giving back a table's end.
    pub locks: u64,
    /// They held a page that was to be cleaned.
    pub pins: u64,
    /// They waited for the replay, which waited for them.
    pub deadlocks: u64,
    /// They had temporary files in a tablespace that was dropped.
    pub tablespaces: u64,
    /// They decoded from a slot whose rows are gone; counted from 16.
    pub slots: u64,
    /// In which database most of them were.
    pub database: Option<SafeText>,
}

impl ReplayConflicts {
    /// Of every sort together.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.rows + self.locks + self.pins + self.deadlocks + self.tablespaces + self.slots
    }

    /// What came since `before`; `None` where a counter fell.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            rows: self.rows.checked_sub(before.rows)?,
            locks: self.locks.checked_sub(before.locks)?,
            pins: self.pins.checked_sub(before.pins)?,
            deadlocks: self.deadlocks.checked_sub(before.deadlocks)?,
            tablespaces: self.tablespaces.checked_sub(before.tablespaces)?,
            slots: self.slots.checked_sub(before.slots)?,
            ..Self::default()
        })
    }

    /// Adds the counts of another.
    pub const fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.locks += other.locks;
        self.pins += other.pins;
        self.deadlocks += other.deadlocks;
        self.tablespaces += other.tablespaces;
        self.slots += other.slots;
    }
}
