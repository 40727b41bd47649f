//! A real nginx in front of a slow app, by its page, by its log, and by the kernel where it is blind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::Judge;
use warroom::lab::{self, Process};
use warroom::model::{PollErrorKind, ProxySample, Resource, Sample, Severity, TargetId, Timestamp};
use warroom::sources::Source;
use warroom::sources::host::HostSource;
use warroom::sources::nginx::{LOG_FORMAT, NginxSource};
use warroom::store::{Store, TargetInfo};

/// nginx with `stub_status` and a log, in front of these servers.
pub(crate) struct Nginx {
    process: Process,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Nginx {
    pub(crate) fn start(servers: &[impl std::fmt::Display]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = lab::free_port().unwrap();
        let dir = folder.path().display();
        let servers: Vec<_> = servers.iter().map(|it| format!("server {it} max_fails=0; ")).collect();
        let temporary: Vec<_> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|it| format!("{it}_temp_path {dir}/{it}; "))
            .collect();
        let (servers, temporary) = (servers.concat(), temporary.concat());
        // The app may be a socket in a folder that only we may enter.
        let user = if rustix::process::geteuid().is_root() { "user root; " } else { "" };
        let config = format!(
            "{user}worker_processes 1; daemon off; pid {dir}/nginx.pid; events {{ worker_connections 256; }}\n\
             http {{ {temporary}\n{LOG_FORMAT}\naccess_log {dir}/access.log warroom;\n\
             upstream app {{ {servers} }}\n\
             server {{ listen 127.0.0.1:{port};\n\
             location = /status {{ stub_status; access_log off; }}\n\
             location /own {{ return 200 'own'; }}\n\
             location / {{ proxy_pass http://app; }} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let installed = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|it| Path::new(it).exists());
        let Some(nginx) = installed else { panic!("no nginx here: it is one of scripts/packages test") };
        let mut command = Command::new(nginx);
        command.arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(&file);
        let log = folder.path().join("start.log");
        let mut process = Process::start("nginx", &mut command, &log, Signal::TERM).unwrap();
        process.wait_ready(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).unwrap();
        Self { process, port, folder }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn spec(&self, log: bool) -> TargetSpec {
        let spec = TargetSpec::new(TargetId::parse("edge").unwrap(), "nginx")
            .with_url(&format!("http://127.0.0.1:{}/status", self.port));
        TargetSpec { log: log.then(|| self.log()), ..spec }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// An app with one slot.
fn app(work: Duration) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                std::thread::sleep(work);
                stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").ok();
            }
        }
    });
    address
}

async fn look(source: &mut NginxSource) -> ProxySample {
    match source.poll().await.pop().unwrap().sample.unwrap() {
        Sample::Proxy(sample) => *sample,
        other => panic!("not a proxy: {other:?}"),
    }
}

/// Looks until the upstream has had so many requests: a log is written when an answer is done.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
async fn look_until(source: &mut NginxSource, requests: u64) -> ProxySample {
    let began = Instant::now();
    loop {
        let sample = look(source).await;
        if sample.backends.first().is_some_and(|it| it.requests >= requests) {
            return sample;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never {requests} requests: {sample:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_log_tells_the_servers_over_a_rotation() {
    let (good, dead) = (app(Duration::from_millis(30)), lab::free_port().unwrap());
    let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, dead));
    let nginx = Nginx::start(&[good, dead]);
    nginx.get("/before");
    let mut source = NginxSource::new(&nginx.spec(true)).unwrap();
    assert!(look(&mut source).await.backends.is_empty(), "history is not followed");
    for _ in 0..4 {
        assert!(nginx.get("/").ends_with("ok"));
        nginx.get("/own");
    }
    let sample = look_until(&mut source, 4).await;
    let backend = &sample.backends[0];
    assert_eq!((backend.name.as_str(), backend.requests, backend.errors_5xx), ("app", 4, 0));
    assert!(backend.retries >= 1 && backend.connect_errors == backend.retries, "{backend:?}");
    let server = backend.servers.iter().find(|it| it.name.as_str() == good.to_string()).unwrap();
    assert_eq!((server.requests, server.errors_5xx), (4, 0));
    let told = server.response_time_ms.unwrap();
    assert!((28..3_000).contains(&told), "{told} ms to the first byte");
    let refused = backend.servers.iter().find(|it| it.name.as_str() == dead.to_string()).unwrap();
    assert_eq!((refused.connect_errors, refused.errors_5xx), (refused.requests, refused.requests));

    std::fs::rename(nginx.log(), nginx.folder.path().join("access.log.1")).unwrap();
    nginx.get("/into-the-old");
    let pid = std::fs::read_to_string(nginx.folder.path().join("nginx.pid")).unwrap();
    let status = Command::new("kill").args(["-USR1", pid.trim()]).status().unwrap();
    assert!(status.success());
    while !nginx.log().exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    nginx.get("/into-the-new");
    let sample = look_until(&mut source, 6).await;
    assert_eq!(sample.backends[0].requests, 6, "none lost, none twice");
    assert!(sample.missing.is_empty(), "{:?}", sample.missing);
}

#[tokio::test]
async fn the_page_alone_tells_requests_and_what_it_cannot_know() {
    let mut nginx = Nginx::start(&[app(Duration::from_millis(1))]);
    let mut source = NginxSource::new(&nginx.spec(false)).unwrap();
    let before = look(&mut source).await;
    nginx.get("/");
    nginx.get("/own");
    let after = look(&mut source).await;
    assert_eq!(after.backends[0].requests - before.backends[0].requests, 3, "this look counts too");
    assert_eq!(after.process.unwrap().dropped, Some(0));
    assert!(after.missing.iter().any(|gap| gap.what.as_str() == "servers"), "{:?}", after.missing);

    let spec = nginx.spec(false).with_url(&format!("http://127.0.0.1:{}/own", nginx.port));
    let error = NginxSource::new(&spec).unwrap().poll().await.pop().unwrap().sample.unwrap_err();
    assert!(error.kind == PollErrorKind::Garbage && error.says.as_str().contains("stub_status"), "{error}");
    nginx.process.stop();
    let error = source.poll().await.pop().unwrap().sample.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Unreachable, "{error}");
}

/// nginx has no queue: what waits for the app is seen in the app's accept queue.
#[tokio::test]
async fn requests_that_wait_behind_nginx_are_measured_in_the_accept_queue() {
    wait_is_measured(&Nginx::start(&[app(Duration::from_millis(20))])).await;
}

/// Eight clients at once, and an app behind it that takes one request at a time, 20 ms each.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
pub(crate) async fn wait_is_measured(nginx: &Nginx) {
    let mut sources: Vec<Box<dyn Source>> = vec![
        Box::new(HostSource::new(TargetId::parse("bastion").unwrap())),
        Box::new(NginxSource::new(&nginx.spec(true)).unwrap()),
    ];
    let info = |id: &str, kind: &str| TargetInfo {
        id: TargetId::parse(id).unwrap(),
        kind: kind.into(),
        endpoint: nginx.spec(true).endpoint(),
        every: Duration::from_millis(500),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    };
    let mut store = Store::new([info("bastion", "host"), info("edge", "nginx")]);
    let mut judge = Judge::new(Thresholds::default(), []);
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..8 {
        let (stop, port) = (Arc::clone(&stop), nginx.port);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok();
                stream.read_to_end(&mut Vec::new()).ok();
            }
        });
    }
    let row: TargetId = "edge/app".parse().unwrap();
    let began = Instant::now();
    let says = loop {
        let at = Timestamp::from_micros(1_700_000_000_000_000).plus(began.elapsed());
        for source in &mut sources {
            store.take(at, source.poll().await.pop().unwrap());
        }
        let (judgement, _) = judge.judge(&mut store, at);
        let state = judgement.resource(Resource::RequestQueue, &row);
        if let Some(state) = state.filter(|it| it.severity == Severity::Critical) {
            break state.says.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never came: {:?}", judgement.resources);
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    stop.store(true, Ordering::Relaxed);
    assert!(says.contains("in the accept queue"), "{says}");
    let wait: f64 = says.split_whitespace().next().unwrap().parse().unwrap();
    assert!((70.0..10_000.0).contains(&wait), "{says}");
}
