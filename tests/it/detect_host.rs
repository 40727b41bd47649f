//! What is said of machines, and of targets that do not answer: samples in, findings out.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use std::time::Duration;

use warroom::config::{Limits, Thresholds};
use warroom::detect::{Judge, Judgement};
use warroom::model::{
    CpuTimes, Culprit, DiskIo, Filesystem, HostSample, Interface, Listener, Memory, Millis, Paging,
    PollError, PollErrorKind, Pressure, Reading, Resource, ResourceState, SafeText, Sample, Severity,
    TargetId, Tcp, Timestamp,
};
use warroom::store::{Store, TargetInfo};

const GIB: u64 = 1 << 30;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

fn id() -> TargetId {
    TargetId::parse("web1").unwrap()
}

/// A machine, polled once a second, with four cores of which one is busy.
fn healthy(second: i64) -> HostSample {
    let busy = second as f64;
    HostSample {
        cores: 4,
        cpu: Some(CpuTimes { user: busy, idle: 3.0 * busy, ..CpuTimes::default() }),
        run_queue: Some(1),
        memory: Some(Memory { total: 8 * GIB, available: 6 * GIB, swap_total: 2 * GIB, swap_free: 0 }),
        paging: Some(Paging { refaults: Some(0), oom_kills: Some(3), ..Paging::default() }),
        pressure: Some(Pressure::default()),
        disks: vec![DiskIo { name: "sda".into(), ..DiskIo::default() }],
        filesystems: vec![
            Filesystem { mount: "/".into(), total: 100 * GIB, available: 60 * GIB },
            Filesystem { mount: "/srv".into(), total: 10 * GIB, available: 5 * GIB },
        ],
        interfaces: vec![Interface { name: "eth0".into(), ..Interface::default() }],
        tcp: Some(Tcp { segments_out: 1_000 * second.unsigned_abs(), listen_overflows: 7, ..Tcp::default() }),
        ..HostSample::default()
    }
}

/// The memory of a judge, and what it judges by.
struct Watch {
    store: Store,
    judge: Judge,
}

impl Watch {
    fn new(limits: Thresholds) -> Self {
        let info = TargetInfo {
            id: id(),
            kind: "host".into(),
            group: String::new(),
            endpoint: "web1".into(),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
        };
        Self { store: Store::new([info]), judge: Judge::new(limits, []) }
    }

    fn hear(&mut self, second: i64, took: f64, answer: Result<HostSample, PollError>) -> Judgement {
        let sample = answer.map(|sample| Sample::Host(Box::new(sample)));
        self.store.take(at(second), Reading { target: id(), took: Millis(took), sample });
        self.look(second)
    }

    fn look(&mut self, second: i64) -> Judgement {
        self.judge.judge(&mut self.store, at(second)).0
    }
}

/// Ten seconds of a machine that differs from a healthy one by `change`, from the first poll on.
fn seen(change: impl Fn(u64, &mut HostSample)) -> Judgement {
    seen_with(Thresholds::default(), change)
}

fn seen_with(limits: Thresholds, change: impl Fn(u64, &mut HostSample)) -> Judgement {
    let mut watch = Watch::new(limits);
    let mut last = Judgement::default();
    for second in 0..10 {
        let mut sample = healthy(second);
        change(second.unsigned_abs(), &mut sample);
        last = watch.hear(second, 1.0, Ok(sample));
    }
    last
}

fn of(judgement: &Judgement, resource: Resource) -> ResourceState {
    judgement.resource(resource, &id()).unwrap().clone()
}

/// How bad it is, and what is said.
fn stands(judgement: &Judgement, resource: Resource) -> (Severity, String) {
    let state = of(judgement, resource);
    (state.severity, state.says)
}

fn culprit(judgement: &Judgement, resource: Resource) -> Option<Culprit> {
    judgement.findings.iter().find(|finding| finding.resource == resource)?.culprit.clone()
}

fn device(name: &str) -> Culprit {
    Culprit::Device { name: SafeText::new(name) }
}

#[test]
fn a_healthy_machine_is_fine_in_all_it_has_though_it_once_swapped_and_killed() {
    let judgement = seen(|_, _| {});
    assert_eq!(judgement.findings, vec![]);
    let says = |resource| stands(&judgement, resource);
    let fine = |text: &str| (Severity::Ok, text.to_owned());
    assert_eq!(says(Resource::HostCpu), fine("25 % busy (25 user)"));
    assert_eq!(of(&judgement, Resource::HostCpu).utilisation, Some(0.25));
    assert_eq!(of(&judgement, Resource::HostMemory).utilisation, Some(0.25));
    // No swap is left, and that alone is no trouble.
    assert_eq!(says(Resource::HostMemory), fine("25 % used, 6.0 GB available"));
    assert_eq!(says(Resource::HostDisk), fine("/srv is 50 % full, 5.0 GB left"));
    assert_eq!(says(Resource::HostNetwork).0, Severity::Ok);
}

/// Counters of a machine of which `busy` of four cores do work.
fn burn(second: u64, busy: f64, sample: &mut HostSample) {
    let second = second as f64;
    let (user, steal) = (second * busy * 0.75, second * busy * 0.25);
    sample.cpu =
        Some(CpuTimes { user, steal, idle: second * (4.0 - busy), iowait: 0.0, ..CpuTimes::default() });
}

#[test]
fn a_processor_counts_by_its_share_and_only_when_it_lasts() {
    let at_load = |busy: f64| stands(&seen(|second, it| burn(second, busy, it)), Resource::HostCpu);
    assert_eq!(at_load(2.76).0, Severity::Ok);
    assert_eq!(at_load(2.84).0, Severity::Warning);
    assert_eq!(at_load(3.56).0, Severity::Warning);
    let (severity, says) = at_load(3.64);
    assert_eq!(severity, Severity::Critical);
    assert_eq!(says, "91 % busy (68 user, 23 stolen by the hypervisor)");

    // Two seconds of it are a spike: never a finding.
    let mut watch = Watch::new(Thresholds::default());
    let mut work = 0.0;
    for second in 0..30 {
        work += if second % 5 == 0 { 4.0 } else { 0.4 };
        let cpu = CpuTimes { user: work, idle: 4.0 * second as f64 + 4.0 - work, ..CpuTimes::default() };
        let judgement = watch.hear(second, 1.0, Ok(HostSample { cpu: Some(cpu), ..healthy(second) }));
        assert_eq!(of(&judgement, Resource::HostCpu).severity, Severity::Ok, "second {second}");
    }
}

#[test]
fn what_waits_for_a_processor_is_told_beside_its_share() {
    let judgement = seen(|second, it| {
        burn(second, 4.0, it);
        it.run_queue = Some(11);
        it.pressure = Some(Pressure { cpu_some: second * 620_000, ..Pressure::default() });
    });
    let cpu = of(&judgement, Resource::HostCpu);
    assert_eq!((cpu.utilisation, cpu.saturation), (Some(1.0), Some(7.0)));
    assert!(cpu.says.ends_with(", 11 want 4 cores"), "{}", cpu.says);
    assert_eq!(judgement.verdict.resource, Some(Resource::HostCpu));
}

#[test]
fn counters_that_cannot_be_read_are_unknown_and_never_fine() {
    let judgement = seen(|_, it| {
        it.cpu = None;
        it.memory = None;
        it.filesystems.clear();
        it.pressure = None;
    });
    for resource in [Resource::HostCpu, Resource::HostMemory, Resource::HostDisk] {
        let state = of(&judgement, resource);
        assert_eq!((state.severity, state.utilisation), (Severity::Unknown, None), "{state:?}");
        assert!(state.says.ends_with("of this machine cannot be read"), "{state:?}");
    }
}

#[test]
fn memory_counts_by_what_is_still_available() {
    let with =
        |percent: u64| seen(|_, it| it.memory.as_mut().unwrap().available = 8 * GIB * (100 - percent) / 100);
    assert_eq!(stands(&with(69), Resource::HostMemory).0, Severity::Ok);
    assert_eq!(stands(&with(71), Resource::HostMemory).0, Severity::Warning);
    assert_eq!(stands(&with(91), Resource::HostMemory).0, Severity::Critical);
    let mut own = Thresholds::default();
    own.set(Resource::HostMemory, Limits::new(0.2, 0.3));
    assert_eq!(stands(&seen_with(own, |_, _| {}), Resource::HostMemory).0, Severity::Warning);
}

fn paging(second: u64, inn: u64, out: u64) -> Paging {
    Paging { swap_in: second * inn, swap_out: second * out, refaults: Some(0), ..Paging::default() }
}

#[test]
fn pages_that_stream_to_swap_are_pressure_and_a_trickle_is_none() {
    let with = |inn, out| {
        stands(&seen(|second, it| it.paging = Some(paging(second, inn, out))), Resource::HostMemory)
    };
    assert_eq!(with(4, 5).0, Severity::Ok);
    let (severity, says) = with(4, 8);
    assert_eq!(severity, Severity::Warning);
    assert_eq!(says, "swapping, 4 pages/s in and 8 out; 25 % used, 6.0 GB available");
    assert_eq!(with(60, 40).0, Severity::Critical);
}

#[test]
fn a_process_killed_for_want_of_memory_is_critical_until_it_is_ten_seconds_past() {
    let mut watch = Watch::new(Thresholds::default());
    let mut severities = Vec::new();
    let mut says = String::new();
    for second in 0..24 {
        let mut sample = healthy(second);
        sample.paging = Some(Paging { oom_kills: Some(if second < 5 { 3 } else { 5 }), ..Paging::default() });
        let judgement = watch.hear(second, 1.0, Ok(sample));
        let memory = of(&judgement, Resource::HostMemory);
        severities.push(memory.severity);
        if second == 10 {
            assert_eq!(memory.errors, Some(2));
            says = memory.says;
        }
    }
    assert_eq!(says, "2 processes were killed for want of memory; 25 % used, 6.0 GB available");
    assert_eq!(severities[4], Severity::Ok);
    assert!(severities[8..14].iter().all(|it| *it == Severity::Critical), "{severities:?}");
    assert_eq!(severities[23], Severity::Ok);
}

#[test]
fn tasks_that_stall_for_memory_are_pressure_and_refaults_only_while_some_stall() {
    let with = |full: u64, some: u64, refaults: u64| {
        let judgement = seen(|second, it| {
            it.pressure = Some(Pressure {
                memory_full: second * full,
                memory_some: second * some,
                ..Pressure::default()
            });
            it.paging = Some(Paging { refaults: Some(second * refaults), ..Paging::default() });
        });
        stands(&judgement, Resource::HostMemory)
    };
    assert_eq!(with(5_000, 5_000, 5_000).0, Severity::Ok);
    assert_eq!(with(20_000, 20_000, 0).0, Severity::Warning);
    let (severity, says) = with(120_000, 200_000, 0);
    assert_eq!(severity, Severity::Critical);
    assert!(says.starts_with("everything waits for memory 12 % of the time; "), "{says}");
    let (severity, says) = with(0, 30_000, 5_000);
    assert_eq!(severity, Severity::Warning);
    assert!(says.starts_with("5 000 file pages/s are read again right after they were dropped; "), "{says}");
}

#[test]
fn who_is_short_while_the_machine_is_not_is_held_by_a_limit() {
    let with = |left: u64| {
        let judgement = seen(|second, it| {
            it.pressure = Some(Pressure { memory_full: second * 120_000, ..Pressure::default() });
            it.memory.iter_mut().for_each(|memory| memory.available = memory.total / 100 * left);
        });
        stands(&judgement, Resource::HostMemory)
            .1
            .ends_with(", so the limit of a service or container holds it")
    };
    assert!(with(80) && !with(20));
}

#[test]
fn a_disk_is_full_by_its_fullest_file_system_which_is_named() {
    let with = |percent: u64| {
        seen(|_, it| it.filesystems[1].available = it.filesystems[1].total * (100 - percent) / 100)
    };
    assert_eq!(stands(&with(69), Resource::HostDisk).0, Severity::Ok);
    let judgement = with(75);
    assert_eq!(stands(&judgement, Resource::HostDisk).0, Severity::Warning);
    assert_eq!(culprit(&judgement, Resource::HostDisk), Some(device("/srv")));
    let (severity, says) = stands(&with(95), Resource::HostDisk);
    assert_eq!((severity, says.as_str()), (Severity::Critical, "/srv is 95 % full, 512 MB left"));
}

#[test]
fn a_disk_that_everything_waits_for_is_named_and_a_busy_one_alone_is_not_pressure() {
    let with = |stalled: u64| {
        seen(|second, it| {
            it.pressure = Some(Pressure { io_full: second * stalled, ..Pressure::default() });
            it.disks[0].busy_ms = second * 990;
        })
    };
    let (severity, says) = stands(&with(0), Resource::HostDisk);
    assert_eq!((severity, says.as_str()), (Severity::Ok, "/srv is 50 % full, 5.0 GB left; sda busy 99 %"));
    let judgement = with(150_000);
    let (severity, says) = stands(&judgement, Resource::HostDisk);
    assert_eq!(severity, Severity::Warning);
    assert!(says.starts_with("everything waits for disks 15 % of the time; "), "{says}");
    assert_eq!(culprit(&judgement, Resource::HostDisk), Some(device("sda")));
    assert_eq!(stands(&with(450_000), Resource::HostDisk).0, Severity::Critical);
}

#[test]
fn segments_sent_again_count_by_their_share_once_there_are_enough() {
    let with = |segments: u64, again: u64| {
        let judgement = seen(|second, it| {
            let tcp = it.tcp.as_mut().unwrap();
            (tcp.segments_out, tcp.retransmits) = (second * segments, second * again);
        });
        stands(&judgement, Resource::HostNetwork)
    };
    assert_eq!(with(1_000, 5).0, Severity::Ok);
    let (severity, says) = with(1_000, 20);
    assert_eq!((severity, says.as_str()), (Severity::Warning, "2.0 % of the segments are sent again"));
    assert_eq!(with(1_000, 60).0, Severity::Critical);
    assert_eq!(with(10, 5).0, Severity::Ok, "five of ten segments prove nothing");
}

#[test]
fn a_connection_that_found_its_queue_full_is_critical_at_once_and_names_the_port() {
    let mut watch = Watch::new(Thresholds::default());
    watch.hear(0, 1.0, Ok(healthy(0)));
    watch.hear(1, 1.0, Ok(healthy(1)));
    let mut sample = healthy(2);
    sample.tcp.as_mut().unwrap().listen_overflows += 9;
    sample.listeners = vec![
        Listener { port: 22, limit: 128, max_depth: 1, ..Listener::default() },
        Listener { port: 8000, limit: 64, max_depth: 65, ..Listener::default() },
    ];
    let judgement = watch.hear(2, 1.0, Ok(sample));
    let network = of(&judgement, Resource::HostNetwork);
    assert_eq!((network.severity, network.saturation), (Severity::Critical, Some(9.0)));
    assert_eq!(network.says, "9 times a connection found an accept queue full; port 8000 holds 65 of 64");
    assert_eq!(culprit(&judgement, Resource::HostNetwork), Some(device("port 8000")));
}

#[test]
fn errors_of_an_interface_are_a_warning() {
    let judgement = seen(|second, it| it.interfaces[0].errors = 40 + second / 9 * 3);
    let (severity, says) = stands(&judgement, Resource::HostNetwork);
    assert_eq!((severity, says.as_str()), (Severity::Ok, "3 errors on its interfaces in the last seconds"));
    let judgement = seen(|second, it| it.interfaces[0].errors = 40 + second);
    assert_eq!(stands(&judgement, Resource::HostNetwork).0, Severity::Warning);
}

fn refused() -> PollError {
    PollError::new(PollErrorKind::Unreachable, "connecting to 10.0.0.5:22: connection refused")
}

#[test]
fn a_target_that_does_not_answer_is_critical_and_tells_why() {
    let mut watch = Watch::new(Thresholds::default());
    assert!(watch.look(0).resource(Resource::TargetAnswer, &id()).is_none(), "it was not asked yet");
    watch.hear(0, 1.0, Ok(healthy(0)));
    let judgement = watch.hear(4, 1.0, Err(refused()));
    let answer = of(&judgement, Resource::TargetAnswer).clone();
    assert_eq!((answer.severity, answer.errors), (Severity::Critical, Some(1)));
    assert_eq!(answer.says, "connecting to 10.0.0.5:22: connection refused");
    // What was true of the machine before is not told as if it still were.
    assert!(judgement.resource(Resource::HostCpu, &id()).is_none_or(|it| it.severity != Severity::Ok));
    watch.hear(5, 1.0, Ok(healthy(5)));
    let judgement = watch.hear(8, 1.0, Ok(healthy(8)));
    assert_eq!(of(&judgement, Resource::TargetAnswer).severity, Severity::Ok);

    let mut never = Watch::new(Thresholds::default());
    let (_, says) = stands(&never.hear(0, 1.0, Err(refused())), Resource::TargetAnswer);
    assert_eq!(says, answer.says, "one that never answered is told in the same words");
}

#[test]
fn trouble_of_our_own_says_nothing_of_the_target_and_neither_does_silence() {
    for kind in
        [PollErrorKind::Login, PollErrorKind::Rights, PollErrorKind::Unsupported, PollErrorKind::Config]
    {
        let judgement = Watch::new(Thresholds::default()).hear(0, 1.0, Err(PollError::new(kind, "no")));
        let (severity, says) = stands(&judgement, Resource::TargetAnswer);
        assert_eq!(severity, Severity::Unknown, "{kind}");
        assert_eq!(says, "no", "{kind}");
    }
    let mut watch = Watch::new(Thresholds::default());
    watch.hear(0, 1.0, Ok(healthy(0)));
    assert_eq!(stands(&watch.look(5), Resource::TargetAnswer).0, Severity::Ok);
    let (severity, says) = stands(&watch.look(9), Resource::TargetAnswer);
    assert_eq!((severity, says.as_str()), (Severity::Unknown, "nothing heard of it for 9.0 s"));
}

#[test]
fn a_late_answer_is_a_warning_once_it_lasts() {
    let mut watch = Watch::new(Thresholds::default());
    let mut severities = Vec::new();
    for second in 0..4 {
        let judgement = watch.hear(second, 1_600.0, Ok(healthy(second)));
        severities.push(of(&judgement, Resource::TargetAnswer).severity);
        let says = of(&judgement, Resource::TargetAnswer).says;
        assert_eq!(says, "answers late: 1.6 s");
    }
    assert_eq!(severities, [Severity::Ok, Severity::Ok, Severity::Warning, Severity::Warning]);
    let judgement = Watch::new(Thresholds::default()).hear(0, 1_400.0, Ok(healthy(0)));
    assert_eq!(stands(&judgement, Resource::TargetAnswer).1, "answers in 1400.0 ms");
}
