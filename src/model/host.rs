//! What one look at a machine saw. Counters are raw and cumulative; rates are the store's business.

use serde::{Deserialize, Serialize};

use super::{Missing, SafeText};

/// Kinds of target that are machines.
pub const MACHINE_KINDS: &[&str] = &["host", "ssh", "node_exporter", "prometheus_hosts"];

/// One raw sample of a machine. What the system does not offer is `None` and named in `missing`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSample {
    /// The machine's own name.
    pub hostname: SafeText,
    /// What it is for, as the config or the source says: `web`; empty when nobody says.
    pub group: SafeText,
    /// Seconds since 1970 by its own clock when it was looked at, where somebody in between looks for us:
    /// its counters are of that moment, not of the moment of the poll.
    pub clock: Option<f64>,
    /// Seconds from that look to the answer that told of it, by the clock of who looked for us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_ago: Option<f64>,
    /// Logical processors online.
    pub cores: u32,
    /// Processor time by mode, cumulative over all cores.
    pub cpu: Option<CpuTimes>,
    /// Threads running or ready to run now (`procs_running`), the asking thread not counted.
    pub run_queue: Option<u32>,
    /// Threads in uninterruptible sleep now.
    pub blocked: Option<u32>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory and swap as they stand, bytes.
    pub memory: Option<Memory>,
    /// Paging counters, cumulative.
    pub paging: Option<Paging>,
    /// Pressure stall totals, cumulative microseconds.
    pub pressure: Option<Pressure>,
    /// Block devices, cumulative counters.
    pub disks: Vec<DiskIo>,
    /// Mounted file systems that hold data.
    pub filesystems: Vec<Filesystem>,
    /// Network interfaces, cumulative counters.
    pub interfaces: Vec<Interface>,
    /// TCP counters of the machine, cumulative.
    pub tcp: Option<Tcp>,
    /// Every listening TCP socket with its accept queue.
    pub listeners: Vec<Listener>,
    /// Every listening socket in the file system with its accept queue: its path is the address, its port 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unix_listeners: Vec<Listener>,
    /// The programs that take most of its processors and memory, busiest first; only looked at while one
    /// of them is short.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// Seconds since boot.
    pub uptime: Option<f64>,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// What one look at a source of many machines saw; each machine has a row with a sample of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetSample {
    /// Machines it knows.
    pub machines: u32,
    /// Of those, the ones that it could not reach.
    pub unreachable: u32,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// All processes of one name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    /// The kernel's name of it, at most 15 bytes.
    pub name: SafeText,
    /// How many there are.
    pub processes: u32,
    /// Of these, the one that holds most memory.
    pub pid: u32,
    /// Processors they take together: 1.0 is one core.
    pub cores: f64,
    /// Memory the largest of them holds, bytes; what it shares with others included.
    pub largest: u64,
}

impl Program {
    /// `rustc ×2`, or with its process id when there is one.
    #[must_use]
    pub fn called(&self) -> String {
        match self.processes {
            0 | 1 => format!("{} (pid {})", self.name, self.pid),
            some => format!("{} ×{some}", self.name),
        }
    }
}

/// Processor time in seconds by mode, summed over all cores since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuTimes {
    /// In programs, `nice` included.
    pub user: f64,
    /// In the kernel, interrupts included.
    pub system: f64,
    /// Idle with a disk request outstanding.
    pub iowait: f64,
    /// Taken by the hypervisor for somebody else.
    pub steal: f64,
    /// Idle.
    pub idle: f64,
}

impl CpuTimes {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.user + self.system + self.steal + self.resting()
    }

    /// What nobody took.
    #[must_use]
    pub fn resting(&self) -> f64 {
        self.iowait + self.idle
    }
}

/// Memory as it stands, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Installed.
    pub total: u64,
    /// What programs can still get without swapping (`MemAvailable`).
    pub available: u64,
    /// Size of swap; 0 means there is none.
    pub swap_total: u64,
    /// Swap not used.
    pub swap_free: u64,
}

/// Paging events since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paging {
    /// Pages read back from swap.
    pub swap_in: u64,
    /// Pages written to swap.
    pub swap_out: u64,
    /// Faults that had to read from disk.
    pub major_faults: u64,
    /// File pages read again soon after their eviction (thrash); absent on old kernels.
    pub refaults: Option<u64>,
    /// Processes ended for want of memory.
    pub oom_kills: Option<u64>,
}

/// Stall time since boot in microseconds (PSI): `some` task waited, or `full`y all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    /// Some task waited for a processor.
    pub cpu_some: u64,
    /// Some task waited for memory.
    pub memory_some: u64,
    /// All tasks waited for memory.
    pub memory_full: u64,
    /// Some task waited for I/O.
    pub io_some: u64,
    /// All tasks waited for I/O.
    pub io_full: u64,
}

/// Counters of one block device since boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskIo {
    /// Kernel name: `sda`, `nvme0n1`.
    pub name: SafeText,
    /// Milliseconds with at least one request in flight.
    pub busy_ms: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filesystem {
    /// Where it is mounted.
    pub mount: SafeText,
    /// Size in bytes.
    pub total: u64,
    /// Bytes left for ordinary users.
    pub available: u64,
}

/// Counters of one network interface since boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// `eth0`.
    pub name: SafeText,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Errors on receive and send.
    pub errors: u64,
}

/// TCP counters of the machine since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tcp {
    /// Segments sent.
    pub segments_out: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Connections refused a place because an accept queue was full (events, not users).
    pub listen_overflows: u64,
    /// Connections dropped at a listening socket for any reason.
    pub listen_drops: u64,
    /// Connections taken in by all listening sockets together.
    pub passive_opens: Option<u64>,
}

/// One listening TCP socket and its accept queue: connections the kernel completed and nobody accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// Local address as text, without the port; `*` for any; the path of a socket in the file system.
    pub address: SafeText,
    /// Local port; 0 for a socket in the file system.
    pub port: u16,
    /// Connections waiting now, summed over sockets that share the port.
    pub depth: u32,
    /// The limit of that queue (the smaller of the program's backlog and `somaxconn`).
    pub limit: u32,
    /// Mean depth since the previous poll, over time, from samples taken in between.
    pub mean_depth: f64,
    /// Greatest depth seen since the previous poll.
    pub max_depth: u32,
    /// Looks since the previous poll that met anybody waiting; `None` where each poll is one look.
    pub met: Option<u32>,
    /// Accepted connections whose bytes the program has not read, now.
    pub unread: Option<u32>,
    /// Mean of that since the previous poll, over time.
    pub mean_unread: Option<f64>,
    /// Looks since the previous poll that met any of them.
    pub met_unread: Option<u32>,
    /// Milliseconds the longest waiting of both has waited; `None` when nothing waits. In steps of a
    /// kernel tick (1 to 10 ms).
    pub oldest_ms: Option<u32>,
}
