//! Asks this machine.

use std::borrow::Cow;

use sysinfo::{MemoryRefreshKind, System};
use tokio::time::Instant;

use super::accept_queues::AcceptQueues;
use super::doctor::doctor;
use super::filesystems::Filesystems;
use super::proc_files::ProcFile;
use super::programs::Programs;
use crate::config::TargetSpec;
use crate::model::{HostSample, Memory, Millis, Missing, Reading, SafeText, Sample, TargetId};
use crate::sources::proc_text as parse;
use crate::sources::{BoxFuture, Kind, Source};

/// This machine.
pub const KIND: Kind = Kind { name: "host", says: "this machine", build, doctor };

/// Most network interfaces told of; a machine full of containers has one for each.
const MOST_INTERFACES: usize = 64;

#[expect(clippy::unnecessary_wraps, reason = "the table of kinds wants builders that can refuse")]
fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(HostSource::new(spec.id.clone())))
}

/// Reads /proc in place at each poll; looks at mounts seldom and at accept queues often.
pub struct HostSource {
    target: TargetId,
    hostname: SafeText,
    system: Option<System>,
    files: Files,
    buffer: Vec<u8>,
    queues: AcceptQueues,
    filesystems: Filesystems,
    programs: Programs,
}

struct Files {
    stat: ProcFile,
    load: ProcFile,
    uptime: ProcFile,
    vmstat: ProcFile,
    pressure: [ProcFile; 3],
    diskstats: ProcFile,
    interfaces: ProcFile,
    snmp: ProcFile,
    netstat: ProcFile,
}

impl HostSource {
    /// A source for the machine that this program runs on.
    #[must_use]
    pub fn new(target: TargetId) -> Self {
        Self {
            target,
            hostname: SafeText::new(&rustix::system::uname().nodename().to_string_lossy()),
            system: System::new().ok(),
            files: Files {
                stat: ProcFile::new("/proc/stat"),
                load: ProcFile::new("/proc/loadavg"),
                uptime: ProcFile::new("/proc/uptime"),
                vmstat: ProcFile::new("/proc/vmstat"),
                pressure: ["/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"]
                    .map(ProcFile::new),
                diskstats: ProcFile::new("/proc/diskstats"),
                interfaces: ProcFile::new("/proc/net/dev"),
                snmp: ProcFile::new("/proc/net/snmp"),
                netstat: ProcFile::new("/proc/net/netstat"),
            },
            buffer: Vec::new(),
            queues: AcceptQueues::new(),
            filesystems: Filesystems::default(),
            programs: Programs::default(),
        }
    }

    async fn sample(&mut self) -> HostSample {
        let mut gaps = Gaps(Vec::new());
        let mut sample = HostSample { hostname: self.hostname.clone(), ..HostSample::default() };
        self.processor(&mut sample, &mut gaps);
        self.memory(&mut sample, &mut gaps);
        if let Some(system) = &mut self.system {
            self.programs.add(system, &mut sample);
        }
        self.network(&mut sample, &mut gaps);
        self.disks(&mut sample, &mut gaps).await;
        sample.missing = gaps.0;
        sample
    }

    fn processor(&mut self, sample: &mut HostSample, gaps: &mut Gaps) {
        let files = &mut self.files;
        if let Some(stat) =
            gaps.read("processor times", &mut files.stat, &mut self.buffer, |text| Some(parse::stat(text)))
        {
            sample.cores = stat.cores;
            sample.cpu = stat.cpu;
            sample.run_queue = stat.running;
            sample.blocked = stat.blocked;
        }
        sample.load = gaps.read("load", &mut files.load, &mut self.buffer, parse::load);
        sample.uptime = gaps.read("uptime", &mut files.uptime, &mut self.buffer, parse::uptime);
        let [cpu, memory, io] = &mut files.pressure;
        let mut texts =
            [cpu, memory, io].into_iter().map(|file| file.read(&mut self.buffer).map(Cow::into_owned));
        sample.pressure = match (texts.next(), texts.next(), texts.next()) {
            (Some(Ok(cpu)), Some(Ok(memory)), Some(Ok(io))) => parse::pressure(&cpu, &memory, &io),
            _ => None,
        };
        if sample.pressure.is_none() {
            gaps.add("pressure", "the kernel was built without PSI or booted with psi=0; boot with psi=1");
        }
    }

    fn memory(&mut self, sample: &mut HostSample, gaps: &mut Gaps) {
        if let Some(system) = &mut self.system {
            system.refresh_memory_specifics(MemoryRefreshKind::everything());
            let total = system.total_memory();
            sample.memory = (total > 0).then(|| Memory {
                total,
                available: system.available_memory(),
                swap_total: system.total_swap(),
                swap_free: system.free_swap(),
            });
        }
        if sample.memory.is_none() {
            gaps.add("memory", "/proc/meminfo could not be read");
        }
        sample.paging = gaps.read("paging", &mut self.files.vmstat, &mut self.buffer, parse::paging);
    }

    fn network(&mut self, sample: &mut HostSample, gaps: &mut Gaps) {
        let files = &mut self.files;
        let interfaces = |text: &str| Some(parse::interfaces(text));
        sample.interfaces = gaps
            .read("network interfaces", &mut files.interfaces, &mut self.buffer, interfaces)
            .unwrap_or_default();
        if sample.interfaces.len() > MOST_INTERFACES {
            sample
                .interfaces
                .sort_by_key(|it| std::cmp::Reverse(it.received_bytes.saturating_add(it.sent_bytes)));
            let left_out = sample.interfaces.len() - MOST_INTERFACES;
            sample.interfaces.truncate(MOST_INTERFACES);
            gaps.add("network interfaces", &format!("{left_out} of the quietest left out"));
        }
        match files.snmp.read(&mut self.buffer).map(Cow::into_owned) {
            Ok(snmp) => {
                let both = |netstat: &str| parse::tcp(&snmp, netstat);
                sample.tcp = gaps.read("tcp counters", &mut files.netstat, &mut self.buffer, both);
            }
            Err(why) => gaps.add("tcp counters", &why),
        }
        match self.queues.take() {
            Ok(queues) => {
                sample.listeners = queues.ports;
                sample.unix_listeners = queues.paths;
                if queues.left_out > 0 {
                    gaps.add("accept queues", &format!("{} of the shortest left out", queues.left_out));
                }
                if let Some(error) = queues.refused {
                    let why = format!("of sockets in the file system: the kernel refused ({error})");
                    gaps.add("accept queues", &why);
                }
            }
            Err(why) => gaps.add("accept queues", &why),
        }
    }

    async fn disks(&mut self, sample: &mut HostSample, gaps: &mut Gaps) {
        let (look, late) = self.filesystems.get().await;
        if let Some(why) = late {
            gaps.add("file systems", why);
        }
        let Some(look) = look else { return };
        sample.filesystems.clone_from(&look.filesystems);
        if look.left_out > 0 {
            gaps.add("file systems", &format!("{} left out", look.left_out));
        }
        match &look.disks {
            Some(whole) => {
                let disks = |text: &str| Some(parse::disks(text, whole));
                sample.disks = gaps
                    .read("disks", &mut self.files.diskstats, &mut self.buffer, disks)
                    .unwrap_or_default();
            }
            None => gaps.add("disks", "/sys/block: not readable"),
        }
    }
}

impl Source for HostSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async {
            let began = Instant::now();
            let sample = self.sample().await;
            vec![Reading {
                target: self.target.clone(),
                took: Millis::from(began.elapsed()),
                sample: Ok(Sample::Host(Box::new(sample))),
            }]
        })
    }
}

/// What this look lacks.
struct Gaps(Vec<Missing>);

impl Gaps {
    fn add(&mut self, what: &str, why: &str) {
        self.0.push(Missing::new(what, why));
    }

    /// Reads and parses one file; notes what is missing when either fails.
    fn read<T>(
        &mut self,
        what: &str,
        file: &mut ProcFile,
        buffer: &mut Vec<u8>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match file.read(buffer) {
            Ok(text) => {
                let value = parse(&text);
                if value.is_none() {
                    self.add(what, "the kernel's answer holds something else than expected");
                }
                value
            }
            Err(why) => {
                self.add(what, &why);
                None
            }
        }
    }
}
