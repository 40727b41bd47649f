//! This machine as the host source sees it, against what the kernel tells others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::listen;
use warroom::model::{HostSample, Listener, Sample, TargetId};
use warroom::sources::Source;
use warroom::sources::host::HostSource;

fn source() -> HostSource {
    HostSource::new(TargetId::parse("bastion").unwrap())
}

async fn poll(source: &mut HostSource) -> HostSample {
    let mut readings = source.poll().await;
    match readings.pop().unwrap().sample.unwrap() {
        Sample::Host(sample) => *sample,
        other => panic!("not a host: {other:?}"),
    }
}

/// Polls until a queue looks as wanted, at most a minute.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
async fn wait_for(source: &mut HostSource, port: u16, wanted: impl Fn(&Listener) -> bool) -> Listener {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let sample = poll(source).await;
        let row = sample.listeners.iter().find(|it| it.port == port).cloned();
        match row {
            Some(row) if wanted(&row) => return row,
            row if Instant::now() > deadline => panic!("port {port} never looked as wanted: {row:?}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_full_accept_queue_is_seen_with_its_limit_and_its_overflows() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listen(listener.as_fd(), 5).unwrap();
    let mut source = source();
    let before = poll(&mut source).await;
    // Twelve ask, nobody accepts: the queue holds one more than its limit, the others knock in vain.
    let clients: Vec<_> = (0..12)
        .map(|_| {
            std::thread::spawn(move || {
                TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(2))
            })
        })
        .collect();
    let row = wait_for(&mut source, port, |it| it.depth == 6).await;
    assert_eq!((row.limit, row.max_depth, row.address.as_str()), (5, 6, "127.0.0.1"));
    let joined: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    // One whose last step the full queue dropped may still believe that it is connected.
    let through = joined.iter().filter(|it| it.is_ok()).count();
    assert!((6..12).contains(&through), "{through} came through");
    let after = poll(&mut source).await;
    let grown = after.tcp.unwrap().listen_overflows - before.tcp.unwrap().listen_overflows;
    assert!(grown >= 6, "{grown} overflows");
    let row = wait_for(&mut source, port, |it| it.mean_depth > 5.99).await;
    assert_eq!(row.max_depth, 6, "full from one poll to the next");
}

#[tokio::test]
async fn a_queue_that_came_and_went_between_two_polls_is_not_missed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut source = source();
    poll(&mut source).await;
    let mut clients: Vec<_> = (0..4).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    // Far longer than the sampler's step, for it may have to wait for a processor.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..4 {
        listener.accept().unwrap();
    }
    for client in &mut clients {
        client.write_all(b"x").unwrap();
    }
    let row = poll(&mut source).await.listeners.into_iter().find(|it| it.port == port).unwrap();
    assert_eq!((row.depth, row.max_depth), (0, 4));
    assert!(row.mean_depth > 0.1 && row.mean_depth <= 4.0, "{row:?}");
}

#[tokio::test]
async fn the_same_ports_listen_as_ss_tells() {
    let _held = TcpListener::bind("[::1]:0").unwrap();
    let mut source = source();
    let told = |text: &str| -> Vec<u16> {
        let mut ports: Vec<u16> = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse().ok())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    // Other tests open and close ports meanwhile: only what two tellings of ss agree on is compared.
    let ss =
        || told(&String::from_utf8(Command::new("ss").args(["-ltnH"]).output().unwrap().stdout).unwrap());
    let first = ss();
    let sample = poll(&mut source).await;
    let second = ss();
    let seen: Vec<u16> = sample.listeners.iter().map(|it| it.port).collect();
    let both: Vec<u16> = first.iter().filter(|port| second.contains(port)).copied().collect();
    assert!(!both.is_empty());
    assert!(both.iter().all(|port| seen.contains(port)), "ss {both:?}, seen {seen:?}");
    assert!(
        seen.iter().all(|port| first.contains(port) || second.contains(port)),
        "ss {first:?}, seen {seen:?}"
    );
}

/// Processors the kernel counts its time for, however few of them this process may use.
pub(super) fn processors() -> usize {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let each = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| !rest.starts_with(' '));
    stat.lines().filter(each).count()
}

#[tokio::test]
async fn figures_agree_with_proc_and_df() {
    let mut source = source();
    let first = poll(&mut source).await;
    assert_eq!(first.cores as usize, processors());
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = meminfo.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(first.memory.unwrap().total, total * 1024);
    let df = Command::new("df").args(["--output=pcent", "/"]).output().unwrap();
    let df: f64 = String::from_utf8_lossy(&df.stdout)
        .lines()
        .nth(1)
        .unwrap()
        .trim()
        .trim_end_matches('%')
        .parse()
        .unwrap();
    let root = first.filesystems.iter().find(|it| it.mount.as_str() == "/").expect("the root file system");
    let filled = (root.total - root.available) as f64 * 100.0 / root.total as f64;
    assert!((filled - df).abs() <= 1.5, "{filled} % here, {df} % by df");
    assert!(
        first.run_queue.is_some() && first.load.is_some() && first.paging.is_some() && first.tcp.is_some()
    );
    let told: Vec<&str> = first.missing.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(first.pressure.is_none(), told.contains(&"pressure"), "a gap is told: {told:?}");
    let spun = std::thread::spawn(|| (0..80_000_000u64).fold(0, |a, b| std::hint::black_box(a ^ b)));
    spun.join().unwrap();
    let second = poll(&mut source).await;
    let (a, b) = (first.cpu.unwrap(), second.cpu.unwrap());
    assert!(b.user > a.user, "the work done between two polls shows as user time");
    assert!(second.uptime.unwrap() >= first.uptime.unwrap());
}

#[tokio::test]
async fn a_poll_costs_little_processor() {
    let mut source = source();
    poll(&mut source).await;
    let spent = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let before = spent();
    for _ in 0..45 {
        poll(&mut source).await;
    }
    let each = (spent() - before) / 45;
    // A bound against mistakes of kind (a walk over every process), not a measurement: builds without
    // optimisation run here, on machines that do other things.
    assert!(each < 20_000_000, "{each} ns a poll");
}
