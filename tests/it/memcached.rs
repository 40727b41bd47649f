//! memcached, as Debian installs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;
use warroom::actions::{Action, MemcachedActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::lab::free_port;
use warroom::model::{
    CacheSample, Namespace, OutcomeKind, PollError, PollErrorKind, Progress, Sample, Severity, TargetId,
};
use warroom::sources::{KINDS, Source};

use super::redis_clear::{intended, intent};

/// A memcached on loopback, ended with the test.
struct Memcached {
    process: Child,
    port: u16,
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Memcached {
    fn start(port: u16, args: &[&str]) -> Self {
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-p"]).arg(port.to_string()).args(args);
        let process = command.stderr(Stdio::null()).spawn().unwrap_or_else(|why| {
            panic!("memcached does not start ({why}): run scripts/packages test, which installs it")
        });
        let began = tokio::time::Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "memcached does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, port }
    }

    fn spec(&self) -> TargetSpec {
        let id = TargetId::parse("cache").unwrap();
        TargetSpec::new(id, "memcached").with_url(&format!("memcached://127.0.0.1:{}", self.port))
    }

    /// Sends commands that are each answered by one line (a hit by three).
    fn run(&self, commands: &[String]) {
        let mut wire = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut lines = BufReader::new(wire.try_clone().unwrap()).lines();
        for command in commands {
            wire.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            while lines.next().unwrap().unwrap().starts_with("VALUE") {
                lines.next().unwrap().unwrap();
            }
        }
    }
}

fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "memcached").unwrap();
    (kind.build)(spec).unwrap()
}

async fn poll(source: &mut Box<dyn Source>) -> Result<CacheSample, PollError> {
    match source.poll().await.remove(0).sample? {
        Sample::Cache(sample) => Ok(*sample),
        other => panic!("no cache: {other:?}"),
    }
}

fn set(key: usize, size: usize) -> String {
    format!("set key{key} 0 0 {size}\r\n{}", "x".repeat(size))
}

#[tokio::test]
async fn a_memcached_tells_hits_evictions_and_a_start_anew() {
    let port = free_port().unwrap();
    let server = Memcached::start(port, &["-m", "8", "-c", "128"]);
    let mut asked = source(&server.spec());
    let empty = poll(&mut asked).await.unwrap();
    assert!(empty.product.as_str().starts_with("memcached 1."), "{:?}", empty.product);
    assert_eq!((empty.max_memory, empty.max_clients, empty.keys), (Some(8 << 20), Some(128), 0));
    assert_eq!((empty.eviction_policy.as_str(), empty.oom_errors, empty.missing.len()), ("lru", Some(0), 0));
    assert!(empty.ping_ms.unwrap() > 0.0 && empty.main_thread_cpu.is_none());
    server.run(&[set(1, 100), "get key1".into(), "get none".into(), "get key1".into()]);
    let one = poll(&mut asked).await.unwrap();
    assert_eq!((one.keys, one.hits - empty.hits, one.misses - empty.misses), (1, 2, 1));
    assert_eq!(one.commands - empty.commands, 4);
    // Each of its threads counts those it takes, some of them late; one that is not kept counts every time.
    let mut before = one.connections;
    let mut kept = false;
    for _ in 0..20 {
        let now = poll(&mut asked).await.unwrap().connections;
        kept = std::mem::replace(&mut before, now) == now;
        if kept {
            break;
        }
    }
    assert!(kept, "our own connection is kept");
    // Twice as much as fits.
    let many: Vec<String> = (0..2_000).map(|key| set(key, 8_000)).collect();
    server.run(&many);
    let full = poll(&mut asked).await.unwrap();
    assert!(full.evicted > 500 && full.used_memory > 5 << 20, "{full:?}");
    drop(server);
    let gone = poll(&mut asked).await.unwrap_err();
    assert_eq!(gone.kind, PollErrorKind::Unreachable);
    let server = Memcached::start(port, &["-M"]);
    let anew = poll(&mut asked).await.unwrap();
    assert_ne!(anew.run_id, full.run_id);
    assert_eq!(anew.eviction_policy.as_str(), "noeviction");
    let doctor = KINDS.iter().find(|kind| kind.name == "memcached").unwrap().doctor;
    let lines = doctor(&server.spec()).await;
    assert_eq!(lines.iter().map(|line| line.ok).max(), Some(Severity::Warning), "{lines:?}");
}

#[tokio::test]
async fn a_namespace_is_cleared_by_raising_its_version_and_no_key_is_touched() {
    let server = Memcached::start(free_port().unwrap(), &[]);
    server.run(&[set(1, 100)]);
    let mut spec = server.spec();
    for (name, key) in [("pages", Some("v:pages")), ("bare", None), ("odd", Some("v 1\r\nflush_all"))] {
        let mut namespace = Namespace::parse(name, &format!("{name}:"), false).unwrap();
        namespace.version_key = key.map(str::to_owned);
        spec.namespaces.push(namespace);
    }
    let actions = MemcachedActions::new(&spec).unwrap();
    for name in ["bare", "odd"] {
        let refusal = actions.plan(&intent(&spec, name)).await.unwrap_err();
        assert_eq!(refusal.kind, OutcomeKind::Refused, "{refusal}");
        assert!(refusal.says.as_str().contains("version_key"), "{refusal}");
    }
    let mut versions: Vec<u64> = Vec::new();
    for _ in 0..2 {
        let planned = actions.plan(&intent(&spec, "pages")).await.unwrap();
        assert_eq!(planned.title.as_str(), "Raise the version of pages on cache");
        if let Some(last) = versions.last() {
            assert_eq!(planned.lines[1].text.as_str(), format!("{last}, becomes {}", last + 1));
        }
        let (sink, intended) = (mpsc::channel::<Progress>(1).0, intended(planned));
        let outcome = actions.act(&intended, sink, StopFlag::default()).await;
        assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
        let version = outcome.says.as_str().strip_prefix("raised v:pages to ").unwrap();
        versions.push(version.split(';').next().unwrap().parse().unwrap());
    }
    // No version of before an eviction can be as high as the clock.
    assert!(versions[0] > 1_700_000_000 && versions[1] == versions[0] + 1, "{versions:?}");
    let kept = poll(&mut source(&server.spec())).await.unwrap();
    assert_eq!(kept.keys, 2, "the key of before and the version");

    // What was planned on one memcached is not done on the next.
    let planned = actions.plan(&intent(&spec, "pages")).await.unwrap();
    let port = server.port;
    drop(server);
    let _next = Memcached::start(port, &[]);
    let (sink, intended) = (mpsc::channel::<Progress>(1).0, intended(planned));
    let outcome = actions.act(&intended, sink, StopFlag::default()).await;
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{}", outcome.says);
}

#[tokio::test]
async fn what_is_no_memcached_is_told_apart() {
    let redis = warroom::lab::redis::start(&[]).unwrap();
    let id = TargetId::parse("cache").unwrap();
    let spec = TargetSpec::new(id, "memcached").with_url(&format!("memcached://127.0.0.1:{}/", redis.port()));
    let error = poll(&mut source(&spec)).await.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Garbage, "{error:?}");
}
