//! What one look at a cache saw. Counters are raw and cumulative.

use serde::{Deserialize, Serialize};

use super::{CacheClients, Missing, SafeText, Timestamp};

/// Kinds of target that answer for a cache.
pub const CACHE_KINDS: &[&str] = &["redis", "memcached"];

/// One raw sample of a cache server. A field the server does not offer is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSample {
    /// `redis 7.0.15`, `valkey 9.1.2`.
    pub product: SafeText,
    /// Changes with every start of the server.
    pub run_id: SafeText,
    /// Seconds since the server started.
    pub uptime: Option<u64>,
    /// `master` or `slave`, as the server says.
    pub role: SafeText,
    /// Bytes counted against the limit.
    pub used_memory: u64,
    /// Bytes the process takes from the system.
    pub resident_memory: Option<u64>,
    /// The limit; `None` when the server has none (then the kernel's OOM killer is the limit).
    pub max_memory: Option<u64>,
    /// Memory of the server's machine: what a server without a limit is measured against.
    pub system_memory: Option<u64>,
    /// `noeviction`, `allkeys-lru` …
    pub eviction_policy: SafeText,
    /// Resident to used.
    pub fragmentation_ratio: Option<f64>,
    /// Bytes lost to fragmentation.
    pub fragmentation_bytes: Option<i64>,
    /// Of those, what the allocator cannot give back: pages that are partly in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocator_gaps: Option<i64>,
    /// Bytes the allocator keeps for later and would give back if asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocator_kept: Option<i64>,
    /// Whether the server is moving values together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defragments: Option<bool>,
    /// Bytes that connections take, waiting answers included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_memory: Option<u64>,
    /// Keys in all databases.
    pub keys: u64,
    /// Of those, keys with an expiry.
    pub expiring_keys: u64,
    /// Keys removed for want of space.
    pub evicted: u64,
    /// Keys removed because their time was up.
    pub expired: u64,
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Commands run.
    pub commands: u64,
    /// Connections open.
    pub clients: u64,
    /// Connections the server takes at most.
    pub max_clients: Option<u64>,
    /// Who is connected; `None` while nothing makes it worth a look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_list: Option<CacheClients>,
    /// Clients in a blocking call (workers are meant to be).
    pub blocked_clients: u64,
    /// Connections refused because of the limit.
    pub rejected: u64,
    /// Connections ever accepted.
    pub connections: u64,
    /// Processor seconds of the thread that runs commands; of the process where the server does not tell.
    pub main_thread_cpu: Option<f64>,
    /// Writes refused for want of memory.
    pub oom_errors: Option<u64>,
    /// Writes refused because the last saving failed.
    pub save_errors: Option<u64>,
    /// Bytes received and sent.
    pub network: Option<(u64, u64)>,
    /// Bytes of the longest answer that waited for its client of late.
    pub output_buffer: Option<u64>,
    /// Clients dropped because their answers piled up.
    pub output_drops: Option<u64>,
    /// Keys removed whose memory is not yet freed.
    pub freeing: Option<u64>,
    /// Share of the keys with an expiry whose time is up and that are still there, 0 to 1.
    pub stale: Option<f64>,
    /// How long the last fork held everybody up, milliseconds.
    pub fork_ms: Option<f64>,
    /// Time share of each command, cumulative.
    pub command_stats: Vec<CommandStat>,
    /// Slow-log entries of the last ten seconds, newest first; an entry stays in the samples while it is news.
    pub slow: Vec<SlowCommand>,
    /// The technology keeps no list of slow commands at all.
    pub no_slow_log: bool,
    /// Our own PING, milliseconds: sees what the slow log hides (EXEC).
    pub ping_ms: Option<f64>,
    /// The namespaces the config names, with what is known of them.
    pub namespaces: Vec<NamespaceSample>,
    /// Prefixes that the config does not name, found among a sample of the keys; greatest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<NamespaceSample>,
    /// The largest keys met by chance, largest first: there may be larger ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub largest: Vec<LargeKey>,
    /// Keys whose size was asked to find them, since the first look at this server.
    pub sized: u64,
    /// How large keys are by type, where the server counts them itself (Redis from 8 on).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_sizes: Vec<KeySizes>,
    /// Saving to disk.
    pub persistence: Option<Persistence>,
    /// On a replica, its link to the master.
    pub replica_link: Option<ReplicaLink>,
    /// On a master, who follows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<CacheReplica>,
    /// Bytes of its writes that it keeps for a replica whose link breaks.
    pub backlog: Option<u64>,
    /// The Sentinels that name the master, where it is reached through them.
    pub sentinel: Option<SentinelSample>,
    /// Where it is, where somebody else told: Sentinels, or the other members of its cluster.
    pub address: Option<SafeText>,
    /// The cluster it is a member of. The sample then is that of all masters together, and each
    /// of them has one of its own in a row below the target.
    pub cluster: Option<ClusterSample>,
    /// Loading its data; commands are refused.
    pub loading: bool,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// Calls and time of one command since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandStat {
    /// `get`, `config|set`.
    pub name: SafeText,
    /// Times called.
    pub calls: u64,
    /// Microseconds spent.
    pub micros: u64,
    /// Half of the calls took less, milliseconds; since the server's start or its last reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 99 of 100 calls took less, milliseconds; since the server's start or its last reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

/// One entry of the slow log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowCommand {
    /// The server's number for it.
    pub id: u64,
    /// When it ran, to the second, by the server's clock.
    pub at: Timestamp,
    /// How long it held everybody up, milliseconds.
    pub took_ms: f64,
    /// Command and first arguments, cut short; values are not shown.
    pub command: SafeText,
    /// Address of the client.
    pub client: SafeText,
    /// Name the client gave itself.
    pub client_name: SafeText,
}

/// What is known of one namespace, from a bounded random sample of the keys: every figure is an estimate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceSample {
    /// Its name in the config; of one that was found, its prefix.
    pub name: SafeText,
    /// Its literal prefix.
    pub prefix: SafeText,
    /// Never cleared.
    pub protected: bool,
    /// Estimated share of all keys, 0 to 1; `None` before the first sample.
    pub share: Option<f64>,
    /// Keys looked at for that estimate.
    pub sampled: u64,
    /// Estimated keys in the database that is asked.
    pub keys: Option<u64>,
    /// How far off that may be, 19 times of 20; 0 when every key was looked at.
    pub keys_off: Option<u64>,
    /// Estimated bytes of its keys and values together.
    pub bytes: Option<f64>,
    /// How far off that may be, 19 times of 20; `None` from too few keys.
    pub bytes_off: Option<f64>,
    /// Keys whose type, size and expiry were read for what follows.
    pub looked_into: u64,
    /// Of those, how many of each type, most first.
    pub types: Vec<KeyType>,
    /// Of those, the share that never expires, 0 to 1.
    pub lasting: Option<f64>,
    /// Seconds the others have to live.
    pub ttl: Option<Lifetimes>,
    /// The largest of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest: Option<LargeKey>,
}

/// Keys of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyType {
    /// `string`, `hash`, as the server names it.
    pub name: SafeText,
    /// Keys.
    pub keys: u64,
}

/// How long keys have to live, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifetimes {
    /// The least.
    pub least: f64,
    /// Half of them are above.
    pub middle: f64,
    /// The most.
    pub most: f64,
}

/// A key that takes much memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LargeKey {
    /// Its name, cut short.
    pub key: SafeText,
    /// Its type.
    pub kind: SafeText,
    /// Bytes, as the server estimates from a few of its elements.
    pub bytes: u64,
    /// Seconds it has to live; `None` for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
}

/// Keys of one type by size, as the server counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeySizes {
    /// `string`, `hash`, as the server names it.
    pub kind: SafeText,
    /// Keys of it.
    pub keys: u64,
    /// The largest has at least so many bytes (a string) or elements (any other).
    pub most: u64,
    /// Keys of at least `limit`.
    pub large: u64,
    /// What counts as large: bytes of a string, elements of any other.
    pub limit: u64,
}

/// Saving to disk, as the server tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Persistence {
    /// The last snapshot failed: writes may be refused.
    pub snapshot_failed: bool,
    /// The last write to the append-only file failed.
    pub append_failed: bool,
    /// Changes not yet in a snapshot.
    pub unsaved_changes: u64,
}

/// A replica's link to its master.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicaLink {
    /// The link is up.
    pub up: bool,
    /// Seconds since the master last spoke.
    pub last_io: Option<u64>,
    /// Seconds the link is down.
    pub down_for: Option<u64>,
    /// It copies everything anew.
    pub syncing: bool,
}

/// One that follows a master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheReplica {
    /// Where it listens.
    pub address: SafeText,
    /// `online` when it is in step, or sent the writes at least.
    pub state: SafeText,
    /// Bytes of writes it has not told to have.
    pub behind: Option<u64>,
}

/// The Sentinels that watch over a master, as they answered last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SentinelSample {
    /// The name they know the master by.
    pub master: SafeText,
    /// Where they say it is: host and port.
    pub address: SafeText,
    /// Sentinels of the config.
    pub asked: u32,
    /// Of those, how many named a master.
    pub answered: u32,
    /// Of those, how many named this one.
    pub agree: u32,
    /// Sentinels that watch the master, by their own count.
    pub known: u64,
    /// How many of them must agree that it is down.
    pub quorum: u64,
    /// Replicas they could put in its place.
    pub replicas: u64,
    /// They take the master for failing.
    pub down: bool,
    /// Which did not answer, and why.
    pub silent: Vec<Missing>,
}

/// A cluster, as the member that was asked sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterSample {
    /// `ok` or `fail`, as it says.
    pub state: SafeText,
    /// Slots, of 16 384, that belong to a master.
    pub assigned: u32,
    /// Of those, slots whose master answers the others.
    pub served: u32,
    /// Of those, slots whose master may be down: some do not hear it.
    pub doubtful: u32,
    /// Of those, slots whose master is down for all.
    pub failed: u32,
    /// Masters that hold slots.
    pub shards: Vec<ShardSample>,
}

/// One master of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShardSample {
    /// Name of its row below the target: its slots.
    pub row: SafeText,
    /// Host and port.
    pub address: SafeText,
    /// Slots it holds.
    pub slots: u32,
    /// Replicas that follow it.
    pub replicas: u32,
    /// Bytes it uses; `None` when it did not answer.
    pub used_memory: Option<u64>,
    /// Keys it holds; `None` when it did not answer.
    pub keys: Option<u64>,
}
