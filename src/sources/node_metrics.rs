//! The metrics of `node_exporter` read into the sample of a machine, from its page or from who has scraped it. Pure.

use std::collections::{BTreeMap, HashSet};

use crate::model::{
    CpuTimes, DiskIo, Filesystem, HostSample, Interface, Memory, Missing, Paging, Pressure, SafeText, Tcp,
};
use crate::sources::prometheus_text::{Metric, whole};

/// Most interfaces, disks and file systems told of.
const MOST: usize = 64;
/// Device names that are no hardware of their own.
const VIRTUAL: &[&str] = &["loop", "ram", "zram", "dm-", "md", "sr", "fd"];
/// File systems that hold no data that could fill up.
const NO_STORES: &[&str] = &["tmpfs", "devtmpfs", "ramfs", "squashfs", "overlay", "iso9660", "erofs"];

/// What was said of one machine, while it is read. Counters that were not there stay `None`.
#[derive(Default)]
pub(super) struct Seen {
    cpu: BTreeMap<String, CpuTimes>,
    plain: BTreeMap<&'static str, f64>,
    disks: BTreeMap<String, DiskIo>,
    mounts: BTreeMap<(String, String), Mount>,
    interfaces: BTreeMap<String, Interface>,
    refaults: Option<u64>,
    hostname: SafeText,
}

#[derive(Default)]
struct Mount {
    size: f64,
    free: f64,
    available: f64,
    left_out: bool,
}

/// Metrics without labels that are wanted.
pub(super) const PLAIN: &[&str] = &[
    "node_boot_time_seconds",
    "node_cpu_count",
    "node_load1",
    "node_load15",
    "node_load5",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_SwapFree_bytes",
    "node_memory_SwapTotal_bytes",
    "node_netstat_TcpExt_ListenDrops",
    "node_netstat_TcpExt_ListenOverflows",
    "node_netstat_Tcp_OutSegs",
    "node_netstat_Tcp_PassiveOpens",
    "node_netstat_Tcp_RetransSegs",
    "node_pressure_cpu_waiting_seconds_total",
    "node_pressure_io_stalled_seconds_total",
    "node_pressure_io_waiting_seconds_total",
    "node_pressure_memory_stalled_seconds_total",
    "node_pressure_memory_waiting_seconds_total",
    "node_procs_blocked",
    "node_procs_running",
    "node_time_seconds",
    "node_vmstat_oom_kill",
    "node_vmstat_pgmajfault",
    "node_vmstat_pswpin",
    "node_vmstat_pswpout",
];

/// Whether a metric is one of those that are read here: most of a page are not.
pub(super) fn is_wanted(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("node_") else { return false };
    // Compared by length first: this is asked of every line of every page.
    matches!(
        rest,
        "boot_time_seconds"
            | "cpu_count"
            | "cpu_seconds_total"
            | "disk_io_time_seconds_total"
            | "disk_read_bytes_total"
            | "disk_written_bytes_total"
            | "filesystem_avail_bytes"
            | "filesystem_device_error"
            | "filesystem_free_bytes"
            | "filesystem_readonly"
            | "filesystem_size_bytes"
            | "load1"
            | "load15"
            | "load5"
            | "memory_MemAvailable_bytes"
            | "memory_MemTotal_bytes"
            | "memory_SwapFree_bytes"
            | "memory_SwapTotal_bytes"
            | "netstat_TcpExt_ListenDrops"
            | "netstat_TcpExt_ListenOverflows"
            | "netstat_Tcp_OutSegs"
            | "netstat_Tcp_PassiveOpens"
            | "netstat_Tcp_RetransSegs"
            | "network_receive_bytes_total"
            | "network_receive_errs_total"
            | "network_transmit_bytes_total"
            | "network_transmit_errs_total"
            | "pressure_cpu_waiting_seconds_total"
            | "pressure_io_stalled_seconds_total"
            | "pressure_io_waiting_seconds_total"
            | "pressure_memory_stalled_seconds_total"
            | "pressure_memory_waiting_seconds_total"
            | "procs_blocked"
            | "procs_running"
            | "time_seconds"
            | "uname_info"
            | "vmstat_oom_kill"
            | "vmstat_pgmajfault"
            | "vmstat_pswpin"
            | "vmstat_pswpout"
            | "vmstat_workingset_refault"
            | "vmstat_workingset_refault_anon"
            | "vmstat_workingset_refault_file"
    )
}

impl Seen {
    /// Takes one metric in; one that is not wanted is passed over.
    pub(super) fn take(&mut self, line: &impl Metric) {
        let Some(rest) = line.name().strip_prefix("node_") else { return };
        if let Ok(at) = PLAIN.binary_search(&line.name()) {
            self.plain.insert(PLAIN[at], line.value());
        } else if rest == "cpu_seconds_total" {
            self.processor(line);
        } else if rest.starts_with("disk_") {
            self.disk(line);
        } else if rest.starts_with("filesystem_") {
            self.mount(line);
        } else if rest.starts_with("network_") {
            self.interface(line);
        } else if rest.starts_with("vmstat_workingset_refault") {
            let sum = self.refaults.unwrap_or_default();
            self.refaults = line.count().map(|more| sum.saturating_add(more)).or(self.refaults);
        } else if rest == "uname_info"
            && let Some(name) = line.label("nodename")
        {
            self.hostname = SafeText::new(&name);
        }
    }

    fn processor(&mut self, line: &impl Metric) {
        // Without the label they are sums over all processors.
        let cpu = line.label("cpu").unwrap_or_default();
        let Some(mode) = line.label("mode") else { return };
        if !line.value().is_finite() {
            return;
        }
        let times = self.cpu.entry(cpu.into_owned()).or_default();
        match mode.as_ref() {
            "user" | "nice" => times.user += line.value(),
            "system" | "irq" | "softirq" => times.system += line.value(),
            "iowait" => times.iowait += line.value(),
            "steal" => times.steal += line.value(),
            "idle" => times.idle += line.value(),
            _ => {}
        }
    }

    fn disk(&mut self, line: &impl Metric) {
        let wanted = matches!(
            line.name(),
            "node_disk_io_time_seconds_total"
                | "node_disk_read_bytes_total"
                | "node_disk_written_bytes_total"
        );
        let Some(device) = wanted.then(|| line.label("device")).flatten() else { return };
        if VIRTUAL.iter().any(|prefix| device.starts_with(prefix)) {
            return;
        }
        let disk = self.disks.entry(device.clone().into_owned()).or_default();
        disk.name = SafeText::new(&device);
        match line.name() {
            "node_disk_io_time_seconds_total" => disk.busy_ms = line.times(1e3).unwrap_or_default(),
            "node_disk_read_bytes_total" => disk.read_bytes = line.count().unwrap_or_default(),
            _ => disk.written_bytes = line.count().unwrap_or_default(),
        }
    }

    fn mount(&mut self, line: &impl Metric) {
        let (Some(device), Some(mount)) = (line.label("device"), line.label("mountpoint")) else { return };
        let fstype = line.label("fstype").unwrap_or_default();
        let row = self.mounts.entry((device.into_owned(), mount.into_owned())).or_default();
        row.left_out |= NO_STORES.contains(&fstype.as_ref());
        match line.name() {
            "node_filesystem_size_bytes" => row.size = line.value(),
            "node_filesystem_free_bytes" => row.free = line.value(),
            "node_filesystem_avail_bytes" => row.available = line.value(),
            // A file system nobody can write to cannot fill; one that gives errors has no numbers.
            "node_filesystem_readonly" | "node_filesystem_device_error" => row.left_out |= line.value() > 0.0,
            _ => {}
        }
    }

    fn interface(&mut self, line: &impl Metric) {
        let wanted = matches!(
            line.name(),
            "node_network_receive_bytes_total"
                | "node_network_transmit_bytes_total"
                | "node_network_receive_errs_total"
                | "node_network_transmit_errs_total"
        );
        let Some(device) = wanted.then(|| line.label("device")).flatten().filter(|name| name != "lo") else {
            return;
        };
        let count = line.count().unwrap_or_default();
        let row = self.interfaces.entry(device.clone().into_owned()).or_default();
        row.name = SafeText::new(&device);
        match line.name() {
            "node_network_receive_bytes_total" => row.received_bytes = count,
            "node_network_transmit_bytes_total" => row.sent_bytes = count,
            _ => row.errors = row.errors.saturating_add(count),
        }
    }

    /// A metric without labels.
    fn get(&self, name: &str) -> Option<f64> {
        self.plain.get(name).copied().filter(|value| value.is_finite())
    }

    fn whole(&self, name: &str) -> Option<u64> {
        whole(self.get(name)?, 1.0)
    }

    fn micros(&self, name: &str) -> Option<u64> {
        whole(self.get(&format!("node_pressure_{name}_seconds_total"))?, 1e6)
    }

    fn pressure(&self) -> Option<Pressure> {
        Some(Pressure {
            cpu_some: self.micros("cpu_waiting")?,
            memory_some: self.micros("memory_waiting")?,
            memory_full: self.micros("memory_stalled")?,
            io_some: self.micros("io_waiting")?,
            io_full: self.micros("io_stalled")?,
        })
    }

    fn memory(&self) -> Option<Memory> {
        let bytes = |name: &str| self.whole(&format!("node_memory_{name}_bytes"));
        Some(Memory {
            total: bytes("MemTotal")?,
            available: bytes("MemAvailable")?,
            swap_total: bytes("SwapTotal")?,
            swap_free: bytes("SwapFree")?,
        })
    }

    fn paging(&self) -> Option<Paging> {
        Some(Paging {
            swap_in: self.whole("node_vmstat_pswpin")?,
            swap_out: self.whole("node_vmstat_pswpout")?,
            major_faults: self.whole("node_vmstat_pgmajfault")?,
            refaults: self.refaults,
            oom_kills: self.whole("node_vmstat_oom_kill"),
        })
    }

    fn tcp(&self) -> Option<Tcp> {
        Some(Tcp {
            segments_out: self.whole("node_netstat_Tcp_OutSegs")?,
            passive_opens: self.whole("node_netstat_Tcp_PassiveOpens"),
            retransmits: self.whole("node_netstat_Tcp_RetransSegs")?,
            listen_overflows: self.whole("node_netstat_TcpExt_ListenOverflows")?,
            listen_drops: self.whole("node_netstat_TcpExt_ListenDrops")?,
        })
    }

    /// The sample; `None` when no processor was told of: it is then no `node_exporter` on Linux.
    pub(super) fn into_sample(self) -> Option<HostSample> {
        if self.cpu.is_empty() {
            return None;
        }
        let mut cpu = CpuTimes::default();
        for one in self.cpu.values() {
            cpu.user += one.user;
            cpu.system += one.system;
            cpu.iowait += one.iowait;
            cpu.steal += one.steal;
            cpu.idle += one.idle;
        }
        let threads = |name: &str| self.whole(name).and_then(|count| u32::try_from(count).ok());
        let load = || Some([self.get("node_load1")?, self.get("node_load5")?, self.get("node_load15")?]);
        let uptime = || Some(self.get("node_time_seconds")? - self.get("node_boot_time_seconds")?);
        let mut sample = HostSample {
            hostname: self.hostname.clone(),
            cores: threads("node_cpu_count").unwrap_or(u32::try_from(self.cpu.len()).unwrap_or_default()),
            cpu: Some(cpu),
            // The exporter runs while it looks.
            run_queue: threads("node_procs_running").map(|count| count.saturating_sub(1)),
            blocked: threads("node_procs_blocked"),
            load: load(),
            memory: self.memory(),
            paging: self.paging(),
            pressure: self.pressure(),
            tcp: self.tcp(),
            uptime: uptime(),
            clock: self.get("node_time_seconds"),
            ..HostSample::default()
        };
        sample.missing = gaps(&sample);
        let mut devices = HashSet::new();
        let mounts = self.mounts.into_iter().filter(|(_, mount)| !mount.left_out && mount.size > 0.0);
        sample.filesystems = mounts
            .filter(|((device, _), _)| devices.insert(device.clone()))
            .filter_map(|((_, mount), row)| {
                let bytes = |value: f64| whole(value, 1.0);
                let used = bytes(row.size)?.saturating_sub(bytes(row.free)?);
                let available = bytes(row.available)?;
                let total = used.saturating_add(available);
                Some(Filesystem { mount: SafeText::new(&mount), total, available })
            })
            .collect();
        sample.disks = self.disks.into_values().collect();
        sample.interfaces = self.interfaces.into_values().collect();
        for (what, left_out) in [
            ("file systems", cut(&mut sample.filesystems)),
            ("disks", cut(&mut sample.disks)),
            ("network interfaces", cut(&mut sample.interfaces)),
        ] {
            if left_out > 0 {
                sample.missing.push(Missing::new(what, &format!("{left_out} left out")));
            }
        }
        Some(sample)
    }
}

fn cut<T>(rows: &mut Vec<T>) -> usize {
    let left_out = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    left_out
}

/// What the page does not tell, and how it would.
fn gaps(sample: &HostSample) -> Vec<Missing> {
    let refaults = sample.paging.is_some_and(|paging| paging.refaults.is_some());
    [
        (sample.memory.is_some(), "memory", "the exporter runs without its meminfo collector"),
        (sample.paging.is_some(), "paging", "the exporter runs without its vmstat collector"),
        (
            refaults || sample.paging.is_none(),
            "refaults",
            "left out by the exporter; add workingset_refault to its --collector.vmstat.fields",
        ),
        (
            sample.pressure.is_some(),
            "pressure",
            "its kernel has no PSI, or the exporter no pressure collector",
        ),
        (sample.tcp.is_some(), "tcp counters", "the exporter runs without its netstat collector"),
        (false, "accept queues", "no exporter tells them; a target of kind ssh does"),
    ]
    .into_iter()
    .filter(|(there, _, _)| !there)
    .map(|(_, what, why)| Missing::new(what, why))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_without_labels_is_wanted_and_the_rest_of_a_page_is_not() {
        for name in PLAIN {
            assert!(is_wanted(name), "{name}");
        }
        for name in
            ["node_network_up", "node_disk_reads_completed_total", "node_arp_entries", "cpu_seconds_total"]
        {
            assert!(!is_wanted(name), "{name}");
        }
    }

    #[test]
    fn torn_pages_are_read_or_refused() {
        let page = "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 70.5\nnode_memory_MemTotal_bytes 8e9\nnode_load1 0.5\n\
                    node_filesystem_size_bytes{device=\"a\",mountpoint=\"/\",fstype=\"ext4\"} 9e9\nnode_time_seconds 1.7e9\n\
                    node_disk_read_bytes_total{device=\"vda\"} 7\nnode_network_receive_errs_total{device=\"eth0\"} 9\n\
                    node_vmstat_workingset_refault_anon 5\nnode_vmstat_workingset_refault_file 5\n";
        crate::torn::each_torn_text(page, |torn| {
            let mut seen = Seen::default();
            super::super::prometheus_text::lines(torn, is_wanted).for_each(|line| seen.take(&line));
            seen.into_sample();
        });
    }
}
