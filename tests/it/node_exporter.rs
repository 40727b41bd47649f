//! A real `node_exporter`, and pages that are none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use warroom::config::TargetSpec;
use warroom::lab::{self, Folder, free_port};
use warroom::model::{HostSample, PollErrorKind, Reading, Sample, TargetId};
use warroom::sources::{KINDS, Source};

pub(super) struct Exporter(Child, pub(super) u16);

impl Exporter {
    #[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
    pub(super) fn start() -> Self {
        let port = free_port().unwrap();
        let child = Command::new("prometheus-node-exporter")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--no-collector.systemd", "--no-collector.hwmon", "--no-collector.thermal_zone"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("apt-get install prometheus-node-exporter: {why}"));
        let exporter = Self(child, port);
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "the exporter never listened");
            std::thread::sleep(Duration::from_millis(10));
        }
        exporter
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn source(url: &str) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "node_exporter").unwrap();
    let spec = TargetSpec::new(TargetId::parse("web1").unwrap(), "node_exporter").with_url(url);
    (kind.build)(&spec).unwrap()
}

async fn poll(source: &mut Box<dyn Source>) -> Reading {
    source.poll().await.pop().unwrap()
}

fn host(reading: Reading) -> HostSample {
    match reading.sample.unwrap() {
        Sample::Host(sample) => *sample,
        other => panic!("not a machine: {other:?}"),
    }
}

#[tokio::test]
async fn a_machine_by_its_exporter_says_what_the_kernel_says() {
    let exporter = Exporter::start();
    let mut source = source(&format!("http://127.0.0.1:{}", exporter.1));
    let first = host(poll(&mut source).await);
    let second = host(poll(&mut source).await);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(first.hostname.as_str(), read("/proc/sys/kernel/hostname").trim());
    assert_eq!(first.cores as usize, super::host::processors());
    let total: u64 = read("/proc/meminfo").split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(first.memory.unwrap().total, total * 1024);
    let all = |sample: &HostSample| {
        let cpu = sample.cpu.unwrap();
        cpu.user + cpu.system + cpu.iowait + cpu.steal + cpu.idle
    };
    let uptime = f64::from(first.cores) * first.uptime.unwrap();
    assert!((all(&first) / uptime - 1.0).abs() < 0.1, "{} of {uptime} processor seconds", all(&first));
    assert!(all(&second) >= all(&first));
    assert!(first.paging.is_some() && first.tcp.is_some() && first.load.is_some());
    assert!(first.filesystems.iter().any(|it| it.mount.as_str() == "/"), "{:?}", first.filesystems);
    let gaps: Vec<&str> = first.missing.iter().map(|it| it.what.as_str()).collect();
    assert!(gaps.contains(&"accept queues") && gaps.contains(&"refaults"), "{gaps:?}");

    // The first poll may still find the old connection, and that it is closed.
    drop(exporter);
    poll(&mut source).await.sample.unwrap_err();
    let error = poll(&mut source).await.sample.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Unreachable, "{error}");
}

/// Answers every request with `head`, then with `body` over and over, `times` times.
fn liar(head: &'static str, body: &'static [u8], times: usize, hang: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _request = stream.read(&mut [0; 2048]);
            let mut fine = stream.write_all(head.as_bytes()).is_ok();
            for _ in 0..times {
                fine = fine && stream.write_all(body).is_ok();
            }
            if hang {
                let _end = stream.read(&mut [0; 1]);
            }
        }
    });
    address
}

#[tokio::test]
async fn pages_that_are_none_are_told_and_bounded() {
    static LONG: [u8; 1 << 20] = [b'#'; 1 << 20];
    const FINE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let said = |address: SocketAddr| async move {
        let error = poll(&mut source(&format!("http://{address}/metrics"))).await.sample.unwrap_err();
        (error.kind, error.says.to_string())
    };
    let (kind, says) = said(liar(FINE, &LONG, 300, false)).await;
    assert!(kind == PollErrorKind::Garbage && says.contains("longer than 16 MB"), "{says}");
    let (kind, says) =
        said(liar("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", b"", 0, false)).await;
    assert!(kind == PollErrorKind::Garbage && says.contains("redirect"), "{says}");
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nnode_";
    let (kind, says) = said(liar(half, b"", 0, false)).await;
    assert!(kind == PollErrorKind::Garbage && says.contains("in the middle of its answer"), "{says}");
    let (kind, says) = said(liar(FINE, b"up 1\n", 1, false)).await;
    assert!(kind == PollErrorKind::Unsupported && says.contains("node_cpu_seconds_total"), "{says}");
    let (kind, says) = said(liar("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"", 0, false)).await;
    assert!(kind == PollErrorKind::Unsupported && says.contains("/metrics"), "{says}");
    let (kind, _) = said(liar("no http at all\r\n\r\n", b"", 0, false)).await;
    assert_eq!(kind, PollErrorKind::Garbage);

    // One that stops in the middle is the caller's to time; the source is of use again afterwards.
    let hanging = liar("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnode_", b"", 0, true);
    let mut source = source(&format!("http://{hanging}/metrics"));
    for _ in 0..2 {
        assert!(tokio::time::timeout(Duration::from_millis(200), source.poll()).await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused_in_words() {
    let exporter = Exporter::start();
    let https = |port: u16| source(&format!("https://127.0.0.1:{port}"));
    let error = poll(&mut https(exporter.1)).await.sample.unwrap_err();
    assert!(error.kind == PollErrorKind::Garbage && error.says.as_str().contains("TLS"), "{error}");

    let (folder, port) = (Folder::temporary("tls").unwrap(), free_port().unwrap());
    let (certificate, key) = super::certificate::certificate(folder.path());
    let both = [std::fs::read(certificate).unwrap(), std::fs::read(key).unwrap()].concat();
    let file = folder.path().join("both.pem");
    std::fs::write(&file, both).unwrap();
    let _proxy = lab::haproxy::start(&format!(
        "frontend front\n    bind 127.0.0.1:{port} ssl crt {}\n    default_backend page\n\
         backend page\n    server one 127.0.0.1:{}\n",
        file.display(),
        exporter.1
    ))
    .unwrap();
    let error = poll(&mut https(port)).await.sample.unwrap_err();
    let says = error.says.as_str();
    assert!(
        error.kind == PollErrorKind::Login && says.contains("its certificate is signed by nobody"),
        "{error}"
    );
}
