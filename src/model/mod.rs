//! Plain data: what was seen, what it means, what is wanted. Knows serde and nothing else:
//! no clock, no socket, no screen, no runtime. Every other folder may import this one.

mod app_server;
mod broker;
mod cache;
mod cache_clients;
mod clearing;
mod database;
mod doctor;
mod explain;
mod explain_lines;
mod fact;
mod family;
mod finding;
mod host;
mod identity;
mod ids;
mod intent;
mod lock;
mod metrics;
mod newcomers;
mod pausing;
mod plan;
mod pooler;
mod proxy;
mod queue;
mod reading;
mod resource;
mod session_look;
mod statements;
mod text;
mod time;
mod upkeep;
pub mod words;

pub use app_server::{APP_KINDS, AppSample, AppSocket, AppWorker};
pub use broker::{Broker, BrokerNode};
pub use cache::{
    CACHE_KINDS, CacheReplica, CacheSample, ClusterSample, CommandStat, KeySizes, KeyType, LargeKey,
    Lifetimes, NamespaceSample, Persistence, ReplicaLink, SentinelSample, ShardSample, SlowCommand,
};
pub use cache_clients::{CacheClientGroup, CacheClients, ClientRole, FreshClients, HeavyClient};
pub use clearing::{Clearing, Pace, Way};
pub use database::{
    Backend, BackendState, DatabaseSample, DatabaseTotals, PreparedTransaction, Replica, Wait,
};
pub use doctor::DoctorLine;
pub use explain::{ExplainAsk, ExplainOf, ExplainStep, Explanation};
pub use explain_lines::{ExplainLine, ExplainLineKind, table_size};
pub use fact::{At, Fact, Mark};
pub use finding::{Culprit, Finding, Remedy, ResourceState, Severity, Verdict};
pub use host::{
    CpuTimes, DiskIo, Filesystem, FleetSample, HostSample, Interface, Listener, MACHINE_KINDS, Memory,
    Paging, Pressure, Program, Tcp,
};
pub use identity::{SeenSession, identity_change};
pub use ids::{BackendKey, IdError, Namespace, PlanId, TargetId};
pub use intent::{Intent, ServerChange};
pub use lock::{Freed, Lock};
pub use metrics::{METRIC_KEYS, METRIC_LABELS, METRIC_PRESETS, MetricSelector};
pub use newcomers::Newcomers;
pub use pausing::{PauseReach, QueueChange, bullmq_worker, pause_reach};
pub use plan::{
    Actor, Confirm, Gentler, NextStep, Outcome, OutcomeKind, Plan, PlanLine, Progress, Refusal, StepResult,
};
pub use pooler::{Pool, PooledClient, PooledCounters, PooledDatabase, PoolerSample};
pub use proxy::{
    LoggedTimes, ProxyBackend, ProxyCache, ProxyProcess, ProxySample, ProxyServer, ServerState, Spread,
    Untold, WaitTotal,
};
pub use queue::{
    FailedJobs, NotedJob, QUEUE_KINDS, Queue, QueueAge, QueueSample, SQL_QUEUE_KINDS, SharedCounts,
};
pub use reading::{Missing, PollError, PollErrorKind, Reading, Sample};
pub use resource::Resource;
pub use session_look::{LookedLock, SessionLook};
pub use statements::{StatementCost, Statements};
pub use text::SafeText;
pub use time::{Millis, Timestamp};
pub use upkeep::{Frozen, Holder, LaneAge, ReplayConflicts, ReplicationSlot, Running, Setting, Upkeep};
