//! A real HAProxy in front of a slow app, as its source and the rules see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::{Judge, Judgement};
use warroom::lab;
use warroom::model::{
    PollErrorKind, ProxySample, Reading, Resource, Sample, ServerState, Severity, TargetId, Timestamp,
};
use warroom::sources::haproxy::{self, HaproxySource};
use warroom::sources::host::HostSource;
use warroom::sources::{Kind, Source};
use warroom::store::{Store, TargetInfo};

/// An app with one slot: it accepts, works, answers, and only then accepts again.
pub(super) struct App {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl App {
    pub(super) fn start(work: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                if stream.read(&mut request).is_ok_and(|length| length > 0) {
                    std::thread::sleep(work);
                    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").ok();
                }
            }
        });
        Self { address, stop }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        TcpStream::connect(self.address).ok();
    }
}

/// Clients that ask again as soon as they are answered.
pub(super) struct Load(Arc<AtomicBool>);

impl Load {
    pub(super) fn start(port: u16, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..clients {
            let stopped = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok();
                    stream.read_to_end(&mut Vec::new()).ok();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn front(port: u16, servers: &str) -> String {
    format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    default_backend app\nbackend app\n    option httpchk GET /\n{servers}"
    )
}

pub(super) fn spec(url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("edge").unwrap(), "haproxy").with_url(url)
}

async fn read(source: &mut dyn Source) -> Reading {
    tokio::time::timeout(Duration::from_secs(60), source.poll()).await.unwrap().pop().unwrap()
}

/// The sample, if there is one yet.
pub(super) async fn try_look(spec: &TargetSpec) -> Option<ProxySample> {
    match read(&mut HaproxySource::new(spec).unwrap()).await.sample {
        Ok(Sample::Proxy(sample)) => Some(*sample),
        _ => None,
    }
}

pub(super) async fn look(url: &str) -> ProxySample {
    match read(&mut HaproxySource::new(&spec(url)).unwrap()).await.sample.unwrap() {
        Sample::Proxy(sample) => *sample,
        other => panic!("not a proxy: {other:?}"),
    }
}

async fn failure(url: &str) -> (PollErrorKind, String) {
    let error = read(&mut HaproxySource::new(&spec(url)).unwrap()).await.sample.unwrap_err();
    (error.kind, error.says.to_string())
}

async fn judge_until(url: &str, done: impl Fn(&Judgement) -> bool) -> Judgement {
    judge_spec_until(&spec(url), done).await
}

/// A host and a proxy, polled and judged every half second of their own time until `done`.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
pub(super) async fn judge_spec_until(it: &TargetSpec, done: impl Fn(&Judgement) -> bool) -> Judgement {
    let mut sources: Vec<Box<dyn Source>> = vec![
        Box::new(HostSource::new(TargetId::parse("bastion").unwrap())),
        Box::new(HaproxySource::new(it).unwrap()),
    ];
    let info = |id: &str, kind: &str, endpoint: String| TargetInfo {
        id: TargetId::parse(id).unwrap(),
        kind: kind.into(),
        endpoint,
        every: Duration::from_millis(500),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    };
    let mut store =
        Store::new([info("bastion", "host", "host".into()), info("edge", "haproxy", it.endpoint())]);
    let mut judge = Judge::new(Thresholds::default(), []);
    let began = Instant::now();
    loop {
        let at = || Timestamp::from_micros(1_700_000_000_000_000).plus(began.elapsed());
        for source in &mut sources {
            let reading = read(source.as_mut()).await;
            store.take(at(), reading);
        }
        let (judgement, _) = judge.judge(&mut store, at());
        if done(&judgement) {
            return judgement;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never came: {:?}", judgement.resources);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn three_doors_tell_the_same_and_a_server_down_is_seen() {
    let app = App::start(Duration::from_millis(1));
    let (port, dead) = (lab::free_port().unwrap(), lab::free_port().unwrap());
    let servers = format!(
        "    server web1 {} maxconn 4 check inter 100 fall 1\n    server web2 127.0.0.1:{dead} check inter 100 fall 1\n",
        app.address
    );
    let proxy = lab::haproxy::start(&front(port, &servers)).unwrap();
    let down = judge_until(&proxy.socket_url(), |it| {
        let row: TargetId = "edge/app".parse().unwrap();
        it.resource(Resource::ProxyBackends, &row).is_some_and(|it| it.severity == Severity::Critical)
    })
    .await;
    let finding = down.findings.iter().find(|it| it.resource == Resource::ProxyBackends).unwrap();
    assert!(finding.says.contains("web2 is down (L4CON Connection refused), 1 of 2"), "{}", finding.says);

    let (socket, tcp, http) =
        (look(&proxy.socket_url()).await, look(&proxy.tcp_url()).await, look(&proxy.http_url()).await);
    let plain = look(&proxy.http_url().replace(";csv", "")).await;
    let shape = |sample: &ProxySample| {
        let app = sample.backends.iter().find(|it| it.name.as_str() == "app").unwrap();
        let servers: Vec<_> = app
            .servers
            .iter()
            .map(|it| (it.name.to_string(), it.address.as_ref().map(ToString::to_string), it.state, it.limit))
            .collect();
        (sample.backends.len(), app.up, servers)
    };
    let wanted = vec![
        ("web1".to_owned(), Some(app.address.to_string()), ServerState::Up, Some(4)),
        ("web2".to_owned(), Some(format!("127.0.0.1:{dead}")), ServerState::Down, None),
    ];
    for sample in [&socket, &tcp, &http, &plain] {
        assert_eq!(shape(sample), (1, true, wanted.clone()));
    }
    assert_eq!(
        socket.process,
        tcp.process.map(|it| warroom::model::ProxyProcess {
            uptime: socket.process.as_ref().unwrap().uptime,
            idle: socket.process.as_ref().unwrap().idle,
            connections: socket.process.as_ref().unwrap().connections,
            ..it
        })
    );
    assert!(http.process.is_none() && http.missing.iter().any(|gap| gap.what.as_str() == "process"));

    let Kind { doctor, .. } = haproxy::KIND;
    let lines = doctor(&spec(&proxy.socket_url())).await;
    let told: Vec<&str> = lines.iter().map(|it| it.what.as_str()).collect();
    assert!(told.contains(&"socket level admin"), "{told:?}");
    assert!(told.iter().any(|it| it.contains("no maxconn on app/web2")), "{told:?}");
}

/// The app serves one at a time for 20 ms and eight ask: each waits about seven times as long.
#[tokio::test]
async fn requests_that_wait_in_the_proxy_are_measured() {
    let app = App::start(Duration::from_millis(20));
    let port = lab::free_port().unwrap();
    let proxy =
        lab::haproxy::start(&front(port, &format!("    server web1 {} maxconn 1\n", app.address))).unwrap();
    let _load = Load::start(port, 8);
    let row: TargetId = "edge/app".parse().unwrap();
    let seen = judge_until(&proxy.socket_url(), |it| {
        it.resource(Resource::RequestQueue, &row).is_some_and(|it| it.severity == Severity::Critical)
    })
    .await;
    let says = &seen.resource(Resource::RequestQueue, &row).unwrap().says;
    assert!(says.contains("in the proxy"), "{says}");
    let wait = milliseconds(says);
    assert!((70.0..300.0).contains(&wait), "{says}");
}

/// The same without maxconn: the proxy says 0, the kernel knows.
#[tokio::test]
async fn requests_that_wait_where_the_proxy_is_blind_are_measured_in_the_accept_queue() {
    let app = App::start(Duration::from_millis(20));
    let port = lab::free_port().unwrap();
    let proxy = lab::haproxy::start(&front(port, &format!("    server web1 {}\n", app.address))).unwrap();
    let _load = Load::start(port, 8);
    let row: TargetId = "edge/app".parse().unwrap();
    let seen = judge_until(&proxy.socket_url(), |it| {
        it.resource(Resource::RequestQueue, &row).is_some_and(|it| it.severity == Severity::Critical)
    })
    .await;
    let state = seen.resource(Resource::RequestQueue, &row).unwrap();
    assert!(
        state.says.contains("in the accept queue") && !state.says.contains("in the proxy"),
        "{}",
        state.says
    );
    let wait = milliseconds(&state.says);
    assert!((70.0..300.0).contains(&wait), "{}", state.says);
    let own = look(&proxy.socket_url()).await.backends.remove(0);
    assert_eq!((own.queue, own.servers[0].queue_time_ms), (0, Some(0)), "the proxy's own number is blind");
}

/// No limit, and the app's port is on no watched machine: not a healthy zero.
#[tokio::test]
async fn what_nobody_can_see_is_unknown() {
    let port = lab::free_port().unwrap();
    let proxy = lab::haproxy::start(&front(port, "    server web1 192.0.2.1:80\n")).unwrap();
    let row: TargetId = "edge/app".parse().unwrap();
    let seen =
        judge_until(&proxy.socket_url(), |it| it.resource(Resource::RequestQueue, &row).is_some()).await;
    let state = seen.resource(Resource::RequestQueue, &row).unwrap();
    assert_eq!(state.severity, Severity::Unknown, "{}", state.says);
    assert!(state.says.contains("no limit (maxconn) on web1"), "{}", state.says);
}

/// Two equals, one of them ten times slower: the backend is named by its slow server.
#[tokio::test]
async fn one_slow_server_among_its_equals_is_named() {
    let (quick, slow) = (App::start(Duration::from_millis(5)), App::start(Duration::from_millis(120)));
    let port = lab::free_port().unwrap();
    let servers = format!("    server web1 {}\n    server web2 {}\n", quick.address, slow.address);
    let proxy = lab::haproxy::start(&front(port, &servers)).unwrap();
    let _load = Load::start(port, 6);
    let seen =
        judge_until(&proxy.socket_url(), |it| it.findings.iter().any(|it| it.rule == "server_slow")).await;
    let found = seen.findings.iter().find(|it| it.rule == "server_slow").unwrap();
    assert!(found.says.starts_with("web2 answers in"), "{}", found.says);
    // A warning of itself, and as bad as the requests that wait for it.
    assert!(found.target.as_str() == "edge/app" && found.severity >= Severity::Warning);
    assert!(!seen.findings.iter().any(|it| it.rule == "proxy_full"), "{:?}", seen.findings);
    let remedy = found.remedy.as_ref().unwrap();
    assert_eq!(remedy.says, "drain web2: 1 of 2 take its requests");
    let intent = remedy.intent.clone().unwrap();
    assert_eq!(intent.command_line(), "warroom server app/web2 --target edge --drain");
    let done = super::haproxy_actions::plan_and_act(&proxy.socket_url(), &intent).await;
    assert_eq!(done.kind, warroom::model::OutcomeKind::Done, "{done:?}");
    assert_eq!(look(&proxy.socket_url()).await.backends[0].servers[1].state, ServerState::Drain);
}

/// One of three answers with errors only: it alone is named, and draining it offered; by the page as advice.
#[tokio::test]
async fn one_failing_server_among_its_equals_can_be_drained() {
    let (good, other) = (App::start(Duration::from_millis(5)), App::start(Duration::from_millis(5)));
    let bad = answering(b"HTTP/1.0 500 Oops\r\nContent-Length: 2\r\n\r\nno");
    let port = lab::free_port().unwrap();
    let servers = format!(
        "    server web1 {}\n    server web2 {}\n    server web3 127.0.0.1:{bad}\n",
        good.address, other.address
    );
    let proxy = lab::haproxy::start(&front(port, &servers)).unwrap();
    let _load = Load::start(port, 4);
    let found = |it: &Judgement| {
        it.findings.iter().find(|it| it.rule == "servers_failing").and_then(|it| it.remedy.clone())
    };
    let seen = judge_until(&proxy.socket_url(), |it| found(it).is_some()).await;
    let remedy = found(&seen).unwrap();
    assert_eq!(remedy.says, "drain web3: 2 of 3 take its requests");
    assert!(remedy.intent.is_some());
    let seen = judge_until(&proxy.http_url(), |it| found(it).is_some()).await;
    let remedy = found(&seen).unwrap();
    assert!(remedy.intent.is_none() && remedy.says.contains("can only be read"), "{}", remedy.says);
}

/// The first number of a sentence, in ms.
fn milliseconds(says: &str) -> f64 {
    let mut words = says.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    if words.next().unwrap().starts_with("ms") { number } else { number * 1e3 }
}

/// Answers every connection with these bytes.
pub(super) fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                stream.write_all(bytes).ok();
            }
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_proxy_is_told_apart() {
    let page = answering(b"HTTP/1.0 200 OK\r\n\r\n<html><body>hello</body></html>");
    let (kind, says) = failure(&format!("http://127.0.0.1:{page}/")).await;
    assert!(kind == PollErrorKind::Garbage && says.contains("a web page"), "{kind:?} {says}");
    let redirect = answering(b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    let (kind, says) = failure(&format!("http://127.0.0.1:{redirect}/stats")).await;
    assert!(kind == PollErrorKind::Garbage && says.contains("not followed"), "{kind:?} {says}");
    let login = answering(b"HTTP/1.0 401 Unauthorized\r\n\r\n");
    let (kind, says) = failure(&format!("http://user:s3cret@127.0.0.1:{login}/stats")).await;
    assert!(kind == PollErrorKind::Login && !says.contains("s3cret"), "{kind:?} {says}");
    let noise = answering(b"\x00\x1b[2Jnoise\n");
    let (kind, says) = failure(&format!("tcp://127.0.0.1:{noise}")).await;
    assert!(kind == PollErrorKind::Garbage && !says.contains('\u{1b}'), "{kind:?} {says}");
    let nobody = lab::free_port().unwrap();
    for url in
        [format!("http://127.0.0.1:{nobody}/"), format!("tcp://127.0.0.1:{nobody}"), "unix:/nowhere/x".into()]
    {
        let (kind, says) = failure(&url).await;
        assert!(kind == PollErrorKind::Unreachable, "{url}: {kind:?} {says}");
    }
}

#[tokio::test]
async fn a_hung_proxy_can_be_given_up_on_and_asked_again() {
    let port = lab::free_port().unwrap();
    let mut proxy = lab::haproxy::start(&front(port, "    server web1 127.0.0.1:1 maxconn 1\n")).unwrap();
    for url in [proxy.socket_url(), proxy.tcp_url(), proxy.http_url()] {
        let mut source = HaproxySource::new(&spec(&url)).unwrap();
        assert!(read(&mut source).await.sample.is_ok(), "{url}");
        proxy.process().freeze();
        // The signal takes effect when its threads are next scheduled: until then it may still answer.
        let mut gave_up = false;
        for _ in 0..50 {
            gave_up = tokio::time::timeout(Duration::from_millis(200), source.poll()).await.is_err();
            if gave_up {
                break;
            }
        }
        assert!(gave_up, "{url}: a frozen proxy goes on answering");
        proxy.process().thaw();
        let again = read(&mut source).await.sample;
        assert!(again.is_ok(), "{url}: {:?}", again.err());
    }
}
