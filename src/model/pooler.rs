//! What one look at a connection pooler saw: its pools, and who holds their connections.

use serde::{Deserialize, Serialize};

use super::{Missing, SafeText};

/// One raw sample of a pooler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolerSample {
    /// `PgBouncer 1.18.0`.
    pub version: SafeText,
    /// Clients connected to it, its own console's left out.
    pub clients: u64,
    /// Clients it takes at most.
    pub max_clients: Option<u64>,
    /// Its pools: one for each database and role.
    pub pools: Vec<Pool>,
    /// Databases as clients name them.
    pub databases: Vec<PooledDatabase>,
    /// Clients that hold a server connection at this moment.
    pub links: Vec<PooledClient>,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// One database that clients may name, whoever they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PooledDatabase {
    /// As clients name it.
    pub name: SafeText,
    /// An operator holds it: clients wait on purpose.
    pub paused: bool,
    /// An operator closed it: new clients are refused.
    pub disabled: bool,
    /// What it did since the pooler started; `None` before its first client.
    pub counters: Option<PooledCounters>,
}

/// What one database of a pooler did since the pooler started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PooledCounters {
    /// Transactions ended.
    pub transactions: u64,
    /// Statements ended.
    pub queries: u64,
    /// Microseconds that servers worked on statements.
    pub query_micros: u64,
    /// Microseconds that clients waited for a connection, counted when they have it.
    pub wait_micros: u64,
}

/// The server connections of one database and role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// Database as clients name it, and role: `app.web`.
    pub name: SafeText,
    /// Database as clients name it.
    pub database: SafeText,
    /// Role.
    pub user: SafeText,
    /// `session`, `transaction` or `statement`: how long a client keeps a connection.
    pub mode: SafeText,
    /// Clients that hold a connection, or are idle and hold none.
    pub clients_active: u64,
    /// Clients that wait for a connection.
    pub clients_waiting: u64,
    /// Server connections held by a client.
    pub servers_active: u64,
    /// Server connections free to be taken.
    pub servers_idle: u64,
    /// Server connections that are being opened.
    pub servers_login: u64,
    /// Seconds the client at the head of the queue has waited.
    pub longest_wait: f64,
    /// Server connections it may open.
    pub size: Option<u64>,
    /// Connections beyond `size` it may open when clients wait too long.
    pub reserve: Option<u64>,
    /// The server: `10.0.0.5:5432/app`.
    pub server: SafeText,
    /// An operator holds it: clients wait on purpose.
    pub paused: bool,
}

impl Pool {
    /// Share of its connections that clients hold, 0 to 1.
    #[must_use]
    pub fn used(&self) -> Option<f64> {
        let size = self.size.filter(|size| *size > 0)?;
        Some((self.servers_active as f64 / size as f64).min(1.0))
    }
}

/// A client of the pooler and the server process that works for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PooledClient {
    /// Process id on the PostgreSQL server.
    pub pid: i32,
    /// Database as clients name it.
    pub database: SafeText,
    /// Role.
    pub user: SafeText,
    /// What the client calls itself.
    pub application_name: SafeText,
    /// Where it comes from: `10.0.0.14:51234`.
    pub address: SafeText,
}
