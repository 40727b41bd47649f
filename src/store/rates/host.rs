//! Rates of a machine.

use crate::model::{CpuTimes, HostSample, Pressure};
use crate::store::counter::{grown, per_second, share};

/// What a machine did between two samples.
#[derive(Clone, Debug, Default)]
pub struct HostRates {
    /// Processor time by mode, shares of all cores.
    pub cpu: Option<CpuShares>,
    /// Pages read back from swap a second.
    pub swap_in: Option<f64>,
    /// Pages written to swap a second.
    pub swap_out: Option<f64>,
    /// Faults that read from disk, a second.
    pub major_faults: Option<f64>,
    /// File pages read again soon after eviction, a second.
    pub refaults: Option<f64>,
    /// Processes ended for want of memory since the previous sample.
    pub oom_kills: Option<u64>,
    /// Share of time in which tasks were stalled.
    pub pressure: Option<PressureShares>,
    /// Block devices.
    pub disks: Vec<DiskRate>,
    /// Share of TCP segments that were sent again.
    pub retransmits: Option<f64>,
    /// Segments sent a second: few of them make the share above mean little.
    pub segments: Option<f64>,
    /// Connections refused because an accept queue was full, since the previous sample.
    pub listen_overflows: Option<u64>,
    /// Connections dropped at listening sockets since the previous sample.
    pub listen_drops: Option<u64>,
    /// Connections taken in by all listening sockets since the previous sample.
    pub taken_in: Option<u64>,
    /// Bytes received a second, all interfaces.
    pub received: Option<f64>,
    /// Bytes sent a second, all interfaces.
    pub sent: Option<f64>,
    /// Interface errors since the previous sample.
    pub network_errors: Option<u64>,
}

/// Processor time by mode, shares of all cores, 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuShares {
    /// In programs.
    pub user: f64,
    /// In the kernel.
    pub system: f64,
    /// Idle with a disk request outstanding.
    pub iowait: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
    /// Everything but idle and iowait.
    pub busy: f64,
}

/// Share of time, 0 to 1, in which tasks were stalled for a resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct PressureShares {
    /// Some task waited for a processor.
    pub cpu_some: f64,
    /// Some task waited for memory.
    pub memory_some: f64,
    /// All tasks waited for memory.
    pub memory_full: f64,
    /// Some task waited for I/O.
    pub io_some: f64,
    /// All tasks waited for I/O.
    pub io_full: f64,
}

/// One block device.
#[derive(Clone, Debug, Default)]
pub struct DiskRate {
    /// Kernel name.
    pub name: String,
    /// Share of time with a request in flight, 0 to 1.
    pub busy: f64,
    /// Bytes read a second.
    pub read: f64,
    /// Bytes written a second.
    pub written: f64,
}

impl HostRates {
    /// Rates from `a` to `b`, `seconds` later.
    pub(super) fn between(a: &HostSample, b: &HostSample, seconds: f64) -> Self {
        let paging = a.paging.zip(b.paging);
        let tcp = a.tcp.zip(b.tcp);
        let segments = tcp.and_then(|(a, b)| grown(a.segments_out, b.segments_out));
        Self {
            cpu: a.cpu.zip(b.cpu).and_then(|(a, b)| cpu(&a, &b)),
            swap_in: paging.and_then(|(a, b)| per_second(a.swap_in, b.swap_in, seconds)),
            swap_out: paging.and_then(|(a, b)| per_second(a.swap_out, b.swap_out, seconds)),
            major_faults: paging.and_then(|(a, b)| per_second(a.major_faults, b.major_faults, seconds)),
            refaults: paging
                .and_then(|(a, b)| a.refaults.zip(b.refaults))
                .and_then(|(a, b)| per_second(a, b, seconds)),
            oom_kills: paging.and_then(|(a, b)| a.oom_kills.zip(b.oom_kills)).and_then(|(a, b)| grown(a, b)),
            pressure: a.pressure.zip(b.pressure).and_then(|(a, b)| pressure(&a, &b, seconds)),
            disks: disks(a, b, seconds),
            retransmits: tcp
                .and_then(|(a, b)| grown(a.retransmits, b.retransmits))
                .zip(segments)
                .and_then(|(again, all)| share(again as f64, all as f64)),
            segments: segments.map(|n| n as f64 / seconds),
            listen_overflows: tcp.and_then(|(a, b)| grown(a.listen_overflows, b.listen_overflows)),
            listen_drops: tcp.and_then(|(a, b)| grown(a.listen_drops, b.listen_drops)),
            taken_in: tcp
                .and_then(|(a, b)| a.passive_opens.zip(b.passive_opens))
                .and_then(|(a, b)| grown(a, b)),
            received: total(a, b, |i| i.received_bytes).map(|n| n as f64 / seconds),
            sent: total(a, b, |i| i.sent_bytes).map(|n| n as f64 / seconds),
            network_errors: total(a, b, |i| i.errors),
        }
    }

    /// Pages moved between memory and swap a second, both ways.
    #[must_use]
    pub fn swap_traffic(&self) -> Option<f64> {
        self.swap_in.zip(self.swap_out).map(|(read, written)| read + written)
    }
}

/// Sums a counter over the interfaces that were there before and did not reset.
fn total(a: &HostSample, b: &HostSample, of: impl Fn(&crate::model::Interface) -> u64) -> Option<u64> {
    let mut sum = None;
    for now in &b.interfaces {
        let before = a.interfaces.iter().find(|before| before.name == now.name);
        if let Some(more) = before.and_then(|before| grown(of(before), of(now))) {
            sum = Some(sum.unwrap_or(0) + more);
        }
    }
    sum
}

fn cpu(a: &CpuTimes, b: &CpuTimes) -> Option<CpuShares> {
    // iowait is known to step back a little on some kernels; a real reset shows in idle.
    let delta = |before: f64, now: f64| (now - before).max(0.0);
    if b.idle + 1.0 < a.idle || b.user < a.user {
        return None;
    }
    let user = delta(a.user, b.user);
    let system = delta(a.system, b.system);
    let iowait = delta(a.iowait, b.iowait);
    let steal = delta(a.steal, b.steal);
    let all = user + system + iowait + steal + delta(a.idle, b.idle);
    (all > 0.0).then(|| CpuShares {
        user: user / all,
        system: system / all,
        iowait: iowait / all,
        steal: steal / all,
        busy: (user + system + steal) / all,
    })
}

fn pressure(a: &Pressure, b: &Pressure, seconds: f64) -> Option<PressureShares> {
    let stalled = |before: u64, now: u64| grown(before, now).and_then(|us| share(us as f64, seconds * 1e6));
    Some(PressureShares {
        cpu_some: stalled(a.cpu_some, b.cpu_some)?,
        memory_some: stalled(a.memory_some, b.memory_some)?,
        memory_full: stalled(a.memory_full, b.memory_full)?,
        io_some: stalled(a.io_some, b.io_some)?,
        io_full: stalled(a.io_full, b.io_full)?,
    })
}

fn disks(a: &HostSample, b: &HostSample, seconds: f64) -> Vec<DiskRate> {
    b.disks
        .iter()
        .filter_map(|now| {
            let before = a.disks.iter().find(|before| before.name == now.name)?;
            Some(DiskRate {
                name: now.name.to_string(),
                busy: share(grown(before.busy_ms, now.busy_ms)? as f64, seconds * 1e3)?,
                read: per_second(before.read_bytes, now.read_bytes, seconds)?,
                written: per_second(before.written_bytes, now.written_bytes, seconds)?,
            })
        })
        .collect()
}
