//! A real Varnish: what it counts, how its backends are, and setting them sick and back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::mpsc;
use warroom::actions::{Action, StopFlag, VarnishActions};
use warroom::config::TargetSpec;
use warroom::journal::{Author, Journal};
use warroom::lab::{Folder, Process, free_port};
use warroom::model::{
    Confirm, Intent, Outcome, OutcomeKind, Plan, PollErrorKind, ProxySample, Resource, Sample, ServerChange,
    ServerState, Severity, TargetId, Timestamp,
};
use warroom::sources::{KINDS, Source};

use crate::incidents::Watcher;

/// A web server that is well or not, and that can hold its answers back.
struct Web {
    at: SocketAddr,
    sick: Arc<AtomicBool>,
    hold: Arc<AtomicBool>,
}

impl Web {
    fn start() -> Self {
        Self::working(None)
    }

    /// With `work` it takes one request after the other, each for so long.
    fn working(work: Option<Duration>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let (sick, hold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let flags = (Arc::clone(&sick), Arc::clone(&hold));
        std::thread::spawn(move || {
            for wire in listener.incoming() {
                let Ok(mut wire) = wire else { return };
                let (unwell, waiting) = (Arc::clone(&flags.0), Arc::clone(&flags.1));
                let mut serve = move || {
                    let mut question = [0; 4096];
                    let read = wire.read(&mut question).unwrap_or(0);
                    let probe = question[..read].starts_with(b"GET /probe");
                    while waiting.load(Ordering::Relaxed) && !probe {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    std::thread::sleep(work.unwrap_or_default());
                    let status = if unwell.load(Ordering::Relaxed) { "503 No" } else { "200 OK" };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nCache-Control: max-age=60\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
                    );
                    wire.write_all(answer.as_bytes()).ok();
                };
                if work.is_some() {
                    serve();
                } else {
                    std::thread::spawn(serve);
                }
            }
        });
        Self { at, sick, hold }
    }
}

/// In front of `web1`, which it probes, and of `web2`, which it does not.
struct Varnish {
    web: [Web; 2],
    port: u16,
    folder: Folder,
    process: Process,
}

impl Varnish {
    fn start() -> Self {
        Self::before([Web::start(), Web::start()])
    }

    fn before(web: [Web; 2]) -> Self {
        let folder = Folder::temporary("varnish").unwrap();
        let (port, management) = (free_port().unwrap(), free_port().unwrap());
        let vcl = format!(
            "vcl 4.0;\nimport directors;\n\
             backend web1 {{ .host = \"127.0.0.1\"; .port = \"{}\"; .probe = {{ .url = \"/probe\"; .interval = 0.2s; \
             .timeout = 10s; .window = 2; .threshold = 2; }} }}\n\
             backend web2 {{ .host = \"127.0.0.1\"; .port = \"{}\"; }}\n\
             sub vcl_init {{ new all = directors.round_robin(); all.add_backend(web1); all.add_backend(web2); }}\n\
             sub vcl_recv {{ set req.backend_hint = all.backend(); if (req.url ~ \"^/pass\") {{ return (pass); }} }}\n",
            web[0].at.port(),
            web[1].at.port()
        );
        let (program, secret) = (folder.path().join("a.vcl"), folder.path().join("secret"));
        std::fs::write(&program, vcl).unwrap();
        std::fs::write(&secret, "quite secret\n").unwrap();
        let mut command = Command::new("/usr/sbin/varnishd");
        command
            .args(["-F", "-j", "none", "-s", "malloc,10m", "-a", &format!("127.0.0.1:{port}")])
            .args(["-T", &format!("127.0.0.1:{management}")])
            .arg("-n")
            .arg(folder.path().join("run"))
            .arg("-S")
            .arg(&secret)
            .arg("-f")
            .arg(&program);
        for parameter in ["thread_pools=1", "thread_pool_min=8", "thread_pool_max=16"] {
            command.args(["-p", parameter]);
        }
        let log = folder.path().join("log");
        let mut process = Process::start("varnishd", &mut command, &log, Signal::TERM).unwrap();
        process.wait_ready(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).unwrap();
        Self { web, port, folder, process }
    }

    fn spec(&self) -> TargetSpec {
        let mut spec = TargetSpec::new(TargetId::parse("front").unwrap(), "varnish");
        spec.instance = Some(self.folder.path().join("run").display().to_string());
        spec.timeout = Duration::from_secs(30);
        spec
    }

    fn get(&self, path: &'static str) -> JoinHandle<String> {
        let mut wire = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        std::thread::spawn(move || {
            wire.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
                .ok();
            let mut answer = Vec::new();
            wire.read_to_end(&mut answer).ok();
            String::from_utf8_lossy(&answer).into_owned()
        })
    }

    fn status(&self, path: &'static str) -> String {
        self.get(path).join().unwrap().split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "varnish").unwrap();
    (kind.build)(spec).unwrap()
}

async fn until(source: &mut Box<dyn Source>, what: &str, seen: impl Fn(&ProxySample) -> bool) -> ProxySample {
    let mut last = None;
    for _ in 0..600 {
        let sample = source.poll().await.remove(0).sample;
        if let Ok(Sample::Proxy(sample)) = &sample
            && seen(sample)
        {
            return (**sample).clone();
        }
        last = Some(sample);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} was not seen: {last:?}");
}

fn states(sample: &ProxySample) -> Vec<ServerState> {
    sample.backends[0].servers.iter().map(|server| server.state).collect()
}

#[tokio::test]
async fn hits_probes_and_threads_that_run_out_are_told() {
    let mut varnish = Varnish::start();
    let mut source = source(&varnish.spec());
    let well =
        until(&mut source, "a probe", |it| states(it) == [ServerState::Up, ServerState::Unchecked]).await;
    let process = well.process.as_ref().unwrap();
    assert!(
        !process.version.is_empty() && process.level.as_ref().unwrap().as_str() == "admin",
        "{process:?}"
    );
    assert_eq!((process.max_threads, process.dropped), (Some(16), Some(0)));
    let told = well.backends[0].servers[0].address.as_ref().unwrap();
    assert_eq!(told.as_str(), varnish.web[0].at.to_string());
    for _ in 0..3 {
        assert_eq!(varnish.status("/"), "200");
    }
    let cached = until(&mut source, "two hits", |it| it.cache.is_some_and(|cache| cache.hits == 2)).await;
    assert_eq!(cached.cache.unwrap().misses, 1);
    assert_eq!(cached.backends[0].requests, 3);

    varnish.web[0].sick.store(true, Ordering::Relaxed);
    let down = until(&mut source, "a failed probe", |it| states(it)[0] == ServerState::Down).await;
    assert!(down.backends[0].up && down.backends[0].servers[0].status.as_str() == "sick", "{down:?}");
    varnish.web[0].sick.store(false, Ordering::Relaxed);

    for web in &varnish.web {
        web.hold.store(true, Ordering::Relaxed);
    }
    let held: Vec<_> = (0..24).map(|_| varnish.get("/pass")).collect();
    let full = until(&mut source, "requests that wait for a thread", |it| it.backends[0].queue > 0).await;
    assert!(full.process.unwrap().threads >= Some(15), "{full:?}", full = full.backends);
    for web in &varnish.web {
        web.hold.store(false, Ordering::Relaxed);
    }
    for one in held {
        one.join().unwrap();
    }
    until(&mut source, "an empty queue", |it| it.backends[0].queue == 0 && it.backends[0].requests >= 20)
        .await;

    varnish.process.stop();
    let error = source.poll().await.remove(0).sample.unwrap_err();
    assert!(
        error.kind == PollErrorKind::Unreachable && error.says.as_str().contains("is it running"),
        "{error}"
    );
}

/// Thirty clients, threads for seven of them, two servers that take one request at a time: most wait to be
/// accepted by Varnish, some for a thread, some to be accepted behind it. What is told is what the clients wait.
#[tokio::test]
async fn the_waits_before_in_and_behind_it_are_summed() {
    const WORK: Duration = Duration::from_millis(50);
    let varnish = Varnish::before([Web::working(Some(WORK)), Web::working(Some(WORK))]);
    let config = varnish.folder.path().join("w.toml");
    let text = format!(
        "[[target]]\nid = \"bastion\"\nkind = \"host\"\n\
         [[target]]\nid = \"front\"\nkind = \"varnish\"\ninstance = \"{}\"\ntimeout = \"30s\"\n",
        varnish.folder.path().join("run").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut watcher = Watcher::on(&config);
    let (stop, spent) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new((Duration::ZERO, 0))));
    let clients: Vec<_> = (0..30)
        .map(|_| {
            let (stop, spent, port) = (Arc::clone(&stop), Arc::clone(&spent), varnish.port);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let took = asked(port);
                    let mut spent = spent.lock().unwrap();
                    *spent = (spent.0 + took, spent.1 + 1);
                }
            })
        })
        .collect();
    let row = TargetId::parse("front").unwrap().row("backends");
    watcher
        .until("the sum of all waits", |judgement| {
            let Some(state) = judgement.resource(Resource::RequestQueue, &row) else { return false };
            let (all, count) = *spent.lock().unwrap();
            let truth = (all.as_secs_f64() / f64::from(count.max(1)) - WORK.as_secs_f64()) * 1e3;
            state.severity == Severity::Critical
                && count > 100
                && state.says.contains(" in the proxy's accept queue, ")
                && state.says.contains(" in the accept queue")
                && first_ms(&state.says).is_some_and(|told| (told / truth - 1.0).abs() < 0.25)
        })
        .await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
}

/// `860 ms: …`, `1.2 s: …`, in ms.
fn first_ms(says: &str) -> Option<f64> {
    let (number, unit) = says.split_once(':')?.0.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    Some(if unit == "s" { number * 1e3 } else { number })
}

/// What a request took.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
fn asked(port: u16) -> Duration {
    let began = std::time::Instant::now();
    if let Ok(mut wire) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        wire.write_all(b"GET /pass HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok();
        wire.read_to_end(&mut Vec::new()).ok();
    }
    began.elapsed()
}

#[tokio::test]
async fn without_its_secret_the_counters_are_told_and_what_is_missing() {
    let varnish = Varnish::start();
    let mut spec = varnish.spec().with_url("tcp://127.0.0.1:1");
    spec.secret_file = Some(varnish.folder.path().join("nothing"));
    let blind = until(&mut source(&spec), "counters", |it| it.backends[0].servers.len() == 2).await;
    assert!(
        blind.missing.iter().any(|gap| gap.what.as_str() == "health of the backends"),
        "{:?}",
        blind.missing
    );
    assert_eq!(blind.process.unwrap().level, None);
    let kind = KINDS.iter().find(|kind| kind.name == "varnish").unwrap();
    let lines = (kind.doctor)(&spec).await;
    assert_eq!(lines.iter().map(|line| line.ok).collect::<Vec<_>>(), [Severity::Ok, Severity::Warning]);
    let lines = (kind.doctor)(&varnish.spec()).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");
}

fn set(server: &str, to: ServerChange) -> Intent {
    let target = TargetId::parse("front").unwrap();
    Intent::SetServer { target, backend: "backends".into(), server: server.into(), to }
}

async fn act(actions: &VarnishActions, plan: Plan) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal.jsonl"), Author::default());
    let intended = journal.intend(plan, Timestamp::default()).unwrap();
    actions.act(&intended, mpsc::channel(1).0, StopFlag::default()).await
}

#[tokio::test]
async fn a_backend_is_set_sick_and_back_and_the_last_healthy_one_wants_its_name() {
    let varnish = Varnish::start();
    let mut source = source(&varnish.spec());
    until(&mut source, "a probe", |it| states(it) == [ServerState::Up, ServerState::Unchecked]).await;
    let actions = VarnishActions::new(&varnish.spec()).unwrap();
    let line = |plan: &Plan, label: &str| {
        plan.lines.iter().find(|line| line.label.as_str() == label).unwrap().text.to_string()
    };
    let plan = actions.plan(&set("web1", ServerChange::Drain)).await.unwrap();
    assert_eq!((plan.title.as_str(), &plan.confirm), ("Set sick: web1 on front", &Confirm::Key));
    assert_eq!(line(&plan, "undo"), "warroom server backends/web1 --target front --ready");
    assert_eq!(line(&plan, "left"), "1 of 2 backends take requests");
    let last = actions.plan(&set("web2", ServerChange::Drain)).await.unwrap();
    let done = act(&actions, plan.clone()).await;
    assert_eq!(done.kind, OutcomeKind::Done, "{done:?}");
    assert_eq!(done.says.as_str(), "web1 was healthy, is sick by hand; 1 of 2 backends take requests");
    until(&mut source, "a drained backend", |it| states(it)[0] == ServerState::Drain).await;
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::NothingToDo);

    // What was planned while another took requests is another thing now.
    assert_eq!(act(&actions, last).await.kind, OutcomeKind::Refused);
    let last = actions.plan(&set("web2", ServerChange::Drain)).await.unwrap();
    assert_eq!(last.confirm, Confirm::Name("web2".into()));
    assert!(last.warnings[0].as_str().contains("last healthy backend"), "{:?}", last.warnings);
    assert_eq!(act(&actions, last).await.kind, OutcomeKind::Done);
    assert_eq!(varnish.status("/pass"), "503");

    for server in ["web1", "web2"] {
        let back = actions.plan(&set(server, ServerChange::Ready)).await.unwrap();
        assert_eq!(act(&actions, back).await.kind, OutcomeKind::Done);
    }
    until(&mut source, "both back", |it| states(it) == [ServerState::Up, ServerState::Unchecked]).await;
    assert_eq!(varnish.status("/pass"), "200");

    let forced = actions.plan(&set("web1", ServerChange::Healthy)).await.unwrap();
    assert_eq!(act(&actions, forced).await.kind, OutcomeKind::Done);
    let told = until(&mut source, "one set healthy", |it| {
        it.backends[0].servers[0].status.as_str() == "healthy by hand"
    });
    assert_eq!(states(&told.await)[0], ServerState::Up);
    for (intent, why) in [
        (set("web9", ServerChange::Drain), "has no backend"),
        (set("web*", ServerChange::Drain), "no name"),
        (set("web1", ServerChange::Maintenance), "no maintenance"),
        (set("web1", ServerChange::Weight(3)), "weights"),
    ] {
        let refusal = actions.plan(&intent).await.unwrap_err();
        assert!(refusal.kind == OutcomeKind::Refused && refusal.says.as_str().contains(why), "{refusal}");
    }
}
