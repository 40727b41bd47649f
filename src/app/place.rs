//! Where the operator is: which pane, which view of it, which row.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BackendKey, Resource, TargetId, Timestamp};

/// The panes of the overview, in their order and places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// 1: request queuing.
    #[default]
    Requests,
    /// 2: locks beside slow queries.
    Postgres,
    /// 3: processor.
    Cpu,
    /// 4: memory and swap.
    Memory,
    /// 5: cache fill.
    Cache,
    /// 6: worker queues.
    Queues,
    /// 7: deploys and events.
    Events,
}

impl Pane {
    /// All of them, by number.
    pub const ALL: [Self; 7] =
        [Self::Requests, Self::Postgres, Self::Cpu, Self::Memory, Self::Cache, Self::Queues, Self::Events];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Requests => "Request queue",
            Self::Postgres => "Postgres",
            Self::Cpu => "CPU",
            Self::Memory => "Memory",
            Self::Cache => "Cache",
            Self::Queues => "Worker queues",
            Self::Events => "Deploys and events",
        }
    }

    /// The resources whose severity its frame shows.
    pub const fn resources(self) -> &'static [Resource] {
        match self {
            Self::Requests => &[Resource::RequestQueue, Resource::ProxyBackends, Resource::EndpointLatency],
            Self::Postgres => &[
                Resource::PostgresLocks,
                Resource::PostgresSlowQueries,
                Resource::PostgresLoad,
                Resource::PostgresConnections,
                Resource::PostgresReplication,
                Resource::PostgresVacuum,
            ],
            Self::Cpu => &[Resource::HostCpu],
            Self::Memory => &[Resource::HostMemory, Resource::HostDisk, Resource::HostNetwork],
            Self::Cache => &[Resource::CacheMemory, Resource::CacheLatency, Resource::CacheService],
            Self::Queues => &[Resource::QueueBacklog],
            Self::Events => &[Resource::Heartbeat],
        }
    }

    /// The tables it opens to, first the one `Enter` shows while nothing is wrong in another.
    pub const fn tabs(self) -> &'static [Tab] {
        match self {
            Self::Requests => &[Tab::Backends, Tab::AppServers, Tab::AcceptQueues],
            Self::Postgres => {
                &[Tab::Locks, Tab::Sessions, Tab::Connections, Tab::Statements, Tab::Upkeep, Tab::Pools]
            }
            Self::Cpu | Self::Memory => &[Tab::Hosts, Tab::Programs, Tab::Filesystems, Tab::AcceptQueues],
            Self::Cache => {
                &[Tab::Caches, Tab::Namespaces, Tab::LargeKeys, Tab::SlowCommands, Tab::CommandShares]
            }
            Self::Queues => &[Tab::Queues],
            Self::Events => &[Tab::Events, Tab::Findings, Tab::Targets],
        }
    }
}

/// One table of a zoomed pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tab {
    /// Backends and the servers behind them.
    Backends,
    /// App servers and their workers.
    AppServers,
    /// Listening ports with their accept queues.
    AcceptQueues,
    /// The blocking tree.
    Locks,
    /// Every session.
    Sessions,
    /// Sessions counted by application, role, database and state.
    Connections,
    /// What statements cost lately.
    Statements,
    /// How a database keeps itself: waits, rates, replication, vacuum.
    Upkeep,
    /// Pools of connection poolers.
    Pools,
    /// Machines.
    Hosts,
    /// What takes the processors and the memory of a machine that is short of them.
    Programs,
    /// File systems and disks.
    Filesystems,
    /// Cache servers.
    Caches,
    /// Configured namespaces.
    Namespaces,
    /// The largest keys met.
    LargeKeys,
    /// The slow log.
    SlowCommands,
    /// Time by command.
    CommandShares,
    /// Worker queues.
    Queues,
    /// What happened.
    Events,
    /// What is concluded now.
    Findings,
    /// What is polled, and how it answers.
    Targets,
}

impl Tab {
    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Backends => "Backends and servers",
            Self::AppServers => "App servers",
            Self::AcceptQueues => "Accept queues",
            Self::Locks => "Locks",
            Self::Sessions => "Sessions",
            Self::Connections => "Connections",
            Self::Statements => "Statements",
            Self::Upkeep => "Upkeep",
            Self::Pools => "Pools",
            Self::Hosts => "Hosts",
            Self::Programs => "Programs",
            Self::Filesystems => "Disks",
            Self::Caches => "Caches",
            Self::Namespaces => "Namespaces",
            Self::LargeKeys => "Big keys",
            Self::SlowCommands => "Slow log",
            Self::CommandShares => "Commands",
            Self::Queues => "Worker queues",
            Self::Events => "Events",
            Self::Findings => "Findings",
            Self::Targets => "Targets",
        }
    }
}

/// What the screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everything at once.
    Overview,
    /// One pane over the whole screen.
    Zoom(Pane, Tab),
    /// All that is known of one row.
    Detail(Tab, RowKey),
}

/// Begins the name of a row that stands for several like it.
pub(super) const FOLD: &str = "fold ";

/// What a row is, so that a selection survives a refresh and an action hits what was meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A target, or a row named by its id: a backend, a server behind it, a queue.
    Target(TargetId),
    /// A PostgreSQL session.
    Backend(TargetId, BackendKey),
    /// Anything else of a target, by a name unique in its table.
    Named(TargetId, String),
    /// Something that happened, by its number.
    Event(u64),
}

impl RowKey {
    /// Whether it stands for several rows like it, which it shows and hides.
    pub fn is_fold(&self) -> bool {
        matches!(self, Self::Named(_, name) if name.starts_with(FOLD))
    }
}

/// How a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Which column, by its place in the table.
    pub column: usize,
    /// Greatest first.
    pub descending: bool,
}

/// Where the operator is and what is chosen there.
#[derive(Clone, Debug, Default)]
pub struct Viewpoint {
    /// The focused pane of the overview.
    pub focus: Pane,
    /// Places entered, innermost last; empty is the overview.
    pub stack: Vec<Place>,
    /// The selected row of each table.
    pub selected: BTreeMap<Tab, RowKey>,
    /// The row each table selects when its selected row is gone: its last place.
    pub selected_at: BTreeMap<Tab, usize>,
    /// How each table is sorted, where not by its own order.
    pub sort: BTreeMap<Tab, Sort>,
    /// The filter, over all tables; empty shows everything.
    pub filter: String,
    /// Folded rows of trees that were opened.
    pub unfolded: BTreeSet<RowKey>,
    /// Rows marked for an action on several.
    pub marked: Vec<RowKey>,
    /// Scroll of the detail and help pages.
    pub scroll: usize,
    /// The moment looked at; `None` is now.
    pub at: Option<Timestamp>,
}

impl Viewpoint {
    /// What the screen shows.
    pub fn place(&self) -> &Place {
        self.stack.last().unwrap_or(&Place::Overview)
    }
}
