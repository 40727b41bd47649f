//! memcached, as Debian installs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use warroom::config::TargetSpec;
use warroom::lab::free_port;
use warroom::model::{CacheSample, PollError, PollErrorKind, Sample, Severity, TargetId};
use warroom::sources::{KINDS, Source};

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
async fn what_is_no_memcached_is_told_apart() {
    let redis = warroom::lab::redis::start(&[]).unwrap();
    let id = TargetId::parse("cache").unwrap();
    let spec = TargetSpec::new(id, "memcached").with_url(&format!("memcached://127.0.0.1:{}/", redis.port()));
    let error = poll(&mut source(&spec)).await.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Garbage, "{error:?}");
}
