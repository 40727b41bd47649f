//! The texts of /proc, parsed. Pure: what a text does not hold is `None`, never 0.

use std::collections::BTreeSet;

use crate::model::{CpuTimes, DiskIo, Interface, Memory, Pressure, SafeText, Tcp};

/// Ticks a second in /proc/stat: fixed at 100 in what the kernel shows to programs.
const TICKS: f64 = 100.0;
/// Bytes of a sector in /proc/diskstats, whatever the device's own sector size.
const SECTOR: u64 = 512;

/// What /proc/stat says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stat {
    pub(super) cpu: Option<CpuTimes>,
    /// Processors online.
    pub(super) cores: u32,
    /// Threads running or ready, the reading one not counted.
    pub(super) running: Option<u32>,
    /// Threads in uninterruptible sleep.
    pub(super) blocked: Option<u32>,
}

/// Parses /proc/stat. Guest time is not added: the kernel has counted it under `user` already.
pub(super) fn stat(text: &str) -> Stat {
    let mut out = Stat::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(key) = words.next() else { continue };
        match key {
            "cpu" => out.cpu = cpu_times(words),
            "procs_running" => out.running = number(words.next()).map(|n: u32| n.saturating_sub(1)),
            "procs_blocked" => out.blocked = number(words.next()),
            _ if key.len() > 3 && key.starts_with("cpu") => out.cores += 1,
            _ => {}
        }
    }
    out
}

/// user nice system idle iowait irq softirq steal …; kernels before 2.6.11 stop earlier.
fn cpu_times<'a>(words: impl Iterator<Item = &'a str>) -> Option<CpuTimes> {
    let mut mode = [0.0; 8];
    let mut seen = 0;
    for (slot, word) in mode.iter_mut().zip(words) {
        *slot = word.parse::<u64>().ok()? as f64 / TICKS;
        seen += 1;
    }
    (seen >= 5).then(|| CpuTimes {
        user: mode[0] + mode[1],
        system: mode[2] + mode[5] + mode[6],
        iowait: mode[4],
        steal: mode[7],
        idle: mode[3],
    })
}

/// Parses /proc/loadavg.
pub(super) fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace();
    let mut next = || words.next()?.parse::<f64>().ok().filter(|n| n.is_finite());
    Some([next()?, next()?, next()?])
}

/// Parses /proc/uptime: seconds since boot.
pub(super) fn uptime(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok().filter(|n: &f64| n.is_finite())
}

/// Parses /proc/meminfo. A kernel before 3.14 has no `MemAvailable`, and a guess would be no measurement.
pub(super) fn memory(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        number::<u64>(rest.split_ascii_whitespace().next())?.checked_mul(1024)
    };
    Some(Memory {
        total: field("MemTotal")?,
        available: field("MemAvailable")?,
        swap_total: field("SwapTotal")?,
        swap_free: field("SwapFree")?,
    })
}

/// Parses /proc/vmstat.
pub(super) fn paging(text: &str) -> Option<crate::model::Paging> {
    let (mut swap_in, mut swap_out, mut major_faults) = (None, None, None);
    let (mut refaults, mut oom_kills) = (None::<u64>, None);
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else { continue };
        match key {
            "pswpin" => swap_in = number(Some(value)),
            "pswpout" => swap_out = number(Some(value)),
            "pgmajfault" => major_faults = number(Some(value)),
            "oom_kill" => oom_kills = number(Some(value)),
            // One counter before 5.9, two since; anonymous pages come back from swap and thrash as well.
            "workingset_refault" | "workingset_refault_file" | "workingset_refault_anon" => {
                let more: Option<u64> = number(Some(value));
                refaults = match (refaults, more) {
                    (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                    (sum, more) => sum.or(more),
                };
            }
            _ => {}
        }
    }
    Some(crate::model::Paging {
        swap_in: swap_in?,
        swap_out: swap_out?,
        major_faults: major_faults?,
        refaults,
        oom_kills,
    })
}

/// Parses one file of /proc/pressure: the totals of `some` and `full`, microseconds.
pub(super) fn stall(text: &str) -> Option<(u64, Option<u64>)> {
    let total = |wanted: &str| {
        text.lines().find_map(|line| {
            let rest = line.strip_prefix(wanted)?.strip_prefix(' ')?;
            number(rest.split_ascii_whitespace().find_map(|word| word.strip_prefix("total=")))
        })
    };
    Some((total("some")?, total("full")))
}

/// Joins the three files of /proc/pressure; all or nothing, since the kernel offers all or none.
pub(super) fn pressure(cpu: &str, memory: &str, io: &str) -> Option<Pressure> {
    let ((cpu_some, _), (memory_some, memory_full), (io_some, io_full)) =
        (stall(cpu)?, stall(memory)?, stall(io)?);
    Some(Pressure { cpu_some, memory_some, memory_full: memory_full?, io_some, io_full: io_full? })
}

/// Parses /proc/diskstats; only the devices in `whole`, so that no partition is counted twice.
pub(super) fn disks(text: &str, whole: &BTreeSet<String>) -> Vec<DiskIo> {
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().take(14).collect();
            let name = *words.get(2)?;
            let at = |index: usize| number::<u64>(words.get(index).copied());
            whole.contains(name).then_some(())?;
            Some(DiskIo {
                name: SafeText::new(name),
                busy_ms: at(12)?,
                read_bytes: at(5)?.saturating_mul(SECTOR),
                written_bytes: at(9)?.saturating_mul(SECTOR),
            })
        })
        .collect()
}

/// Parses /proc/net/dev, the loopback left out: it has no wire that could fail.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    text.lines()
        .filter_map(|line| {
            let (name, counters) = line.split_once(':')?;
            let name = name.trim();
            let words: Vec<&str> = counters.split_ascii_whitespace().collect();
            let at = |index: usize| number::<u64>(words.get(index).copied());
            (name != "lo").then_some(())?;
            Some(Interface {
                name: SafeText::new(name),
                received_bytes: at(0)?,
                sent_bytes: at(8)?,
                errors: at(2)?.saturating_add(at(10)?),
            })
        })
        .collect()
}

/// Parses /proc/net/snmp and /proc/net/netstat by the names in their header lines.
pub(super) fn tcp(snmp: &str, netstat: &str) -> Option<Tcp> {
    Some(Tcp {
        segments_out: field(snmp, "Tcp:", "OutSegs")?,
        retransmits: field(snmp, "Tcp:", "RetransSegs")?,
        listen_overflows: field(netstat, "TcpExt:", "ListenOverflows")?,
        listen_drops: field(netstat, "TcpExt:", "ListenDrops")?,
        passive_opens: field(snmp, "Tcp:", "PassiveOpens"),
    })
}

/// The value under `name` in a pair of lines that both start with `group`.
fn field(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    number(pairs.find(|(key, _)| *key == name).map(|(_, value)| value))
}

fn number<T: std::str::FromStr>(word: Option<&str>) -> Option<T> {
    word?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/6.18/", $name))
        };
    }

    #[test]
    fn a_captured_machine_is_read() {
        let stat = stat(fixture!("stat"));
        let cpu = stat.cpu.expect("a cpu line");
        assert!((cpu.user - 675.46).abs() < 1e-9 && (cpu.system - 115.10).abs() < 1e-9, "{cpu:?}");
        assert!((cpu.idle - 2031.20).abs() < 1e-9 && (cpu.steal - 0.43).abs() < 1e-9, "{cpu:?}");
        assert_eq!((stat.cores, stat.running, stat.blocked), (2, Some(4), Some(0)));
        assert_eq!(load("0.40 0.22 0.30 3/108 14882\n"), Some([0.40, 0.22, 0.30]));
        assert_eq!(uptime("1367.32 2031.20\n"), Some(1367.32));
        let paging = paging(fixture!("vmstat")).expect("paging");
        assert_eq!((paging.swap_in, paging.swap_out, paging.major_faults), (17, 42, 1105));
        assert_eq!((paging.refaults, paging.oom_kills), (Some(30), Some(1)));
        let whole = BTreeSet::from(["vda".to_owned()]);
        let disks = disks(fixture!("diskstats"), &whole);
        assert_eq!(disks.len(), 1, "loops and zram are not disks");
        assert_eq!((disks[0].busy_ms, disks[0].read_bytes), (24_964, 7_943_234 * 512));
        let interfaces = interfaces(fixture!("net_dev"));
        assert_eq!(interfaces.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["ifb0", "eth0"]);
        assert_eq!((interfaces[1].errors, interfaces[1].sent_bytes), (7, 503_400));
        let tcp = tcp(fixture!("net_snmp"), fixture!("net_netstat")).expect("tcp");
        assert_eq!((tcp.segments_out, tcp.retransmits), (4053, 3));
        assert_eq!((tcp.listen_overflows, tcp.listen_drops), (24, 25));
    }

    #[test]
    fn memory_is_in_bytes_and_never_guessed() {
        let text =
            "MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable: 512 kB\nSwapTotal: 4 kB\nSwapFree: 3 kB\n";
        let all = memory(text).expect("memory");
        assert_eq!((all.total, all.available), (2_097_152, 524_288));
        assert_eq!((all.swap_total, all.swap_free), (4096, 3072));
        assert_eq!(memory(&text.replace("MemAvailable", "MemAvail")), None);
    }

    #[test]
    fn pressure_is_all_or_nothing() {
        let some = "some avg10=0.67 avg60=0.62 avg300=0.82 total=13135466\n";
        let both = format!("{some}full avg10=0.00 avg60=0.00 avg300=0.00 total=99\n");
        assert_eq!(stall(some), Some((13_135_466, None)));
        let all = pressure(some, &both, &both).expect("pressure");
        assert_eq!((all.cpu_some, all.memory_full, all.io_full), (13_135_466, 99, 99));
        assert_eq!(pressure(some, some, &both), None);
        assert_eq!(pressure("", "", ""), None);
    }

    #[test]
    fn the_old_single_refault_counter_counts() {
        let old = "pgmajfault 1\npswpin 2\npswpout 3\nworkingset_refault 4\n";
        assert_eq!(paging(old).expect("paging").refaults, Some(4));
        assert_eq!(paging("pgmajfault 1\npswpin 2\npswpout 3\n").expect("paging").refaults, None);
        assert_eq!(paging("pgmajfault 1\npswpin 2\n"), None, "half an answer is none");
    }

    #[test]
    fn torn_files_are_read_or_refused() {
        let whole = BTreeSet::from(["vda".to_owned()]);
        each_torn_text(fixture!("stat"), |torn| {
            stat(torn);
        });
        each_torn_text(fixture!("vmstat"), |torn| {
            paging(torn);
        });
        each_torn_text(fixture!("diskstats"), |torn| drop(disks(torn, &whole)));
        each_torn_text(fixture!("net_dev"), |torn| drop(interfaces(torn)));
        each_torn_text(fixture!("net_snmp"), |torn| {
            tcp(torn, fixture!("net_netstat"));
        });
        each_torn_text(fixture!("net_netstat"), |torn| {
            tcp(fixture!("net_snmp"), torn);
        });
        each_torn_text("0.40 0.22 0.30 3/108 14882\n", |torn| {
            load(torn);
            uptime(torn);
        });
        each_torn_text("MemTotal: 2048 kB\nMemAvailable: 5 kB\nSwapTotal: 4 kB\nSwapFree: 3 kB\n", |torn| {
            memory(torn);
        });
        each_torn_text("some avg10=0.67 total=13\nfull avg10=0.00 total=99\n", |torn| {
            pressure(torn, torn, torn);
        });
    }
}
