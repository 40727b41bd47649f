//! What a remote shell printed, cut into its sections and read into a sample. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::{Filesystem, HostSample, Listener, Missing, SafeText};
use crate::sources::proc_text;

/// Most listening ports, interfaces, disks and file systems told of.
const MOST: usize = 64;
/// What `df` lists beside file systems that hold data.
const NO_STORES: &[&str] =
    &["tmpfs", "devtmpfs", "udev", "none", "shm", "overlay", "efivarfs", "rootfs", "ramfs"];

/// Asks for everything in one go. `head` itself prints the name of each file in front of it.
pub(super) const QUESTION: &str = "\
probe() { { cd /proc && head -n 4000 stat loadavg meminfo vmstat diskstats uptime net/dev net/netstat net/snmp \
pressure/cpu pressure/memory pressure/io sys/kernel/hostname; \
echo; echo '==> ss <=='; ss -ltnH; \
echo '==> block <=='; ls -l /sys/block; \
echo '==> df <=='; timeout 2 df -Pkl; } </dev/null 2>/dev/null; printf '\\n==> end %s <==\\n' \"$1\"; }\n";

/// The line that ends the answer to question `number`.
pub(super) fn end(number: u64) -> String {
    format!("==> end {number} <==")
}

/// Reads one whole answer.
pub(super) fn sample(text: &str) -> HostSample {
    let parts = sections(text);
    let part = |name: &str| parts.get(name).map(String::as_str).unwrap_or_default();
    let mut missing = Vec::new();
    let mut want = |there: bool, what: &str, why: &str| {
        if !there {
            missing.push(Missing::new(what, why));
        }
    };
    let stat = proc_text::stat(part("stat"));
    let whole = whole_disks(part("block"));
    let mut sample = HostSample {
        hostname: SafeText::new(part("sys/kernel/hostname").trim()),
        cores: stat.cores,
        cpu: stat.cpu,
        run_queue: stat.running,
        blocked: stat.blocked,
        load: proc_text::load(part("loadavg")),
        memory: proc_text::memory(part("meminfo")),
        paging: proc_text::paging(part("vmstat")),
        pressure: proc_text::pressure(part("pressure/cpu"), part("pressure/memory"), part("pressure/io")),
        disks: proc_text::disks(part("diskstats"), &whole),
        filesystems: filesystems(part("df")),
        interfaces: proc_text::interfaces(part("net/dev")),
        tcp: proc_text::tcp(part("net/snmp"), part("net/netstat")),
        listeners: listeners(part("ss")),
        uptime: proc_text::uptime(part("uptime")),
        ..HostSample::default()
    };
    want(sample.cpu.is_some(), "processor times", "/proc/stat was not readable there");
    want(sample.memory.is_some(), "memory", "/proc/meminfo has no MemAvailable there");
    want(sample.paging.is_some(), "paging", "/proc/vmstat was not readable there");
    want(sample.pressure.is_some(), "pressure", "its kernel was built without PSI or booted with psi=0");
    want(sample.tcp.is_some(), "tcp counters", "/proc/net/netstat was not readable there");
    want(!part("df").is_empty(), "file systems", "df gave nothing within 2 s: one of the mounts may be dead");
    want(
        !sample.listeners.is_empty(),
        "accept queues",
        "no `ss` there, or nothing listens; mend: install iproute2",
    );
    for (what, left_out) in [
        ("accept queues", cut(&mut sample.listeners)),
        ("network interfaces", cut(&mut sample.interfaces)),
        ("file systems", cut(&mut sample.filesystems)),
        ("disks", cut(&mut sample.disks)),
    ] {
        want(left_out == 0, what, &format!("{left_out} left out"));
    }
    sample.missing = missing;
    sample
}

fn cut<T>(rows: &mut Vec<T>) -> usize {
    let left_out = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    left_out
}

/// The text under each `==> NAME <==`.
fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut parts = BTreeMap::new();
    let mut now = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <==")) {
            now = name;
            continue;
        }
        let part: &mut String = parts.entry(now).or_default();
        part.push_str(line);
        part.push('\n');
    }
    parts
}

/// From `ls -l /sys/block`: devices that are hardware (or the hypervisor's).
fn whole_disks(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.split_once(" -> "))
        .filter(|(_, to)| !to.contains("/virtual/"))
        .filter_map(|(from, _)| from.split_ascii_whitespace().next_back().map(str::to_owned))
        .collect()
}

/// From `df -Pkl`: used and available make the size, so that what root reserves counts as neither.
fn filesystems(text: &str) -> Vec<Filesystem> {
    let mut seen = HashSet::new();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let device = words.next()?;
            let numbers: Vec<u64> = words.by_ref().take(3).filter_map(|word| word.parse().ok()).collect();
            let [_, used, available] = numbers[..] else { return None };
            let mount = words.skip(1).collect::<Vec<_>>().join(" ");
            let store = !NO_STORES.contains(&device) && !device.starts_with("/dev/loop");
            let total = used.saturating_add(available).saturating_mul(1024);
            (store && total > 0 && !mount.is_empty() && seen.insert(device)).then(|| Filesystem {
                mount: SafeText::new(&mount),
                total,
                available: available.saturating_mul(1024),
            })
        })
        .collect()
}

/// From `ss -ltnH`: the queue and its limit of every listening socket, those that share a port summed.
fn listeners(text: &str) -> Vec<Listener> {
    let mut rows: Vec<Listener> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["LISTEN", depth, limit, local, ..] = words[..] else { continue };
        let (Ok(depth), Ok(limit), Some((address, port))) =
            (depth.parse::<u32>(), limit.parse::<u32>(), local.rsplit_once(':'))
        else {
            continue;
        };
        let Ok(port) = port.parse() else { continue };
        let address = address.split('%').next().unwrap_or_default().trim_matches(['[', ']']);
        let address = SafeText::new(if matches!(address, "0.0.0.0" | "::" | "*") { "*" } else { address });
        let known = rows.iter().position(|row| row.port == port && row.address == address);
        let at = known.unwrap_or_else(|| {
            rows.push(Listener { address, port, ..Listener::default() });
            rows.len() - 1
        });
        let row = &mut rows[at];
        row.depth = row.depth.saturating_add(depth);
        row.limit = row.limit.saturating_add(limit);
        // One look a poll is all there is.
        row.mean_depth = f64::from(row.depth);
        row.max_depth = row.depth;
    }
    rows.sort_by(|a, b| b.depth.cmp(&a.depth).then(a.port.cmp(&b.port)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    const TEXT: &str = "\
==> stat <==
cpu  100 0 50 800 10 0 5 2 0 0
cpu0 100 0 50 800 10 0 5 2 0 0
procs_running 3
procs_blocked 1

==> loadavg <==
0.50 0.40 0.30 1/100 999

==> sys/kernel/hostname <==
web1

==> ss <==
LISTEN 7      128          0.0.0.0:8080      0.0.0.0:*
LISTEN 2      128             [::]:8080         [::]:*
LISTEN 0      4096   127.0.0.53%lo:53        0.0.0.0:*
==> block <==
total 0
lrwxrwxrwx 1 root root 0 Nov 21 09:00 loop0 -> ../devices/virtual/block/loop0
lrwxrwxrwx 1 root root 0 Nov 21 09:00 sda -> ../devices/pci0000:00/ata1/block/sda
==> df <==
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/sda1             1000     600       200      75% /
tmpfs                 1000       0      1000       0% /run
/dev/loop3             100     100         0     100% /snap/core
/dev/sda1             1000     600       200      75% /var/lib/bind mount

";

    #[test]
    fn an_answer_is_cut_and_read() {
        let sample = sample(TEXT);
        assert_eq!((sample.hostname.as_str(), sample.cores, sample.run_queue), ("web1", 1, Some(2)));
        assert_eq!(sample.filesystems.len(), 1, "{:?}", sample.filesystems);
        assert_eq!((sample.filesystems[0].total, sample.filesystems[0].available), (800 * 1024, 200 * 1024));
        let first = &sample.listeners[0];
        assert_eq!((first.address.as_str(), first.port, first.depth, first.limit), ("*", 8080, 9, 256));
        assert_eq!(sample.listeners[1].address.as_str(), "127.0.0.53");
        let gaps: Vec<_> = sample.missing.iter().map(|it| it.what.to_string()).collect();
        assert_eq!(gaps, ["memory", "paging", "pressure", "tcp counters"]);
    }

    #[test]
    fn torn_answers_are_read() {
        each_torn_text(TEXT, |torn| drop(sample(torn)));
    }
}
