//! The wait of requests as the console tells it, against what each request of the same run measured itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::format_push_string, reason = "a test's configuration is short")]

mod apps;
mod slight;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::Judge;
use warroom::lab;
use warroom::lab::haproxy::Haproxy;
use warroom::model::{Resource, Severity, TargetId, Timestamp};
use warroom::shell::world;
use warroom::sources::{KINDS, Source};
use warroom::store::{Metric, Store};

/// Work of one request in ms, requests a second.
const LOADS: [(u64, f64); 3] = [(20, 38.0), (20, 20.0), (5, 90.0)];
/// Seconds until the first window is full, and seconds measured after that.
const WARM: usize = 10;
const MEASURED: usize = 12;

/// The time of the first poll, to the judge.
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Waits of requests in ms with the time they ended, oldest first.
type Waits = Arc<Mutex<Vec<(Instant, f64)>>>;

#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
fn now() -> Instant {
    Instant::now()
}

/// The time of day, microseconds.
#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
fn clock() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()
}

/// An app with one thread that notes how long ago the proxy stamped each request it begins.
struct App {
    address: SocketAddr,
    waits: Waits,
}

impl App {
    fn start(work: Duration, stop: &Arc<AtomicBool>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let waits = Waits::default();
        let (noted, stop) = (Arc::clone(&waits), Arc::clone(stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let Ok(length) = stream.read(&mut request) else { continue };
                let text = String::from_utf8_lossy(&request[..length]).to_lowercase();
                let Some(stamp) = text.split("x-request-start: t=").nth(1) else { continue };
                let stamp: u128 = stamp.split_whitespace().next().unwrap().parse().unwrap();
                noted.lock().unwrap().push((now(), clock().saturating_sub(stamp) as f64 / 1e3));
                std::thread::sleep(work);
                stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").ok();
            }
        });
        Self { address, waits }
    }

    fn mean_between(&self, from: Instant, to: Instant) -> f64 {
        let waits = self.waits.lock().unwrap();
        let within: Vec<f64> =
            waits.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, wait)| *wait).collect();
        mean(&within, 100)
    }
}

/// The mean; not a number where there are too few to speak of one.
fn mean(all: &[f64], enough: usize) -> f64 {
    if all.len() < enough { f64::NAN } else { all.iter().sum::<f64>() / all.len() as f64 }
}

/// Clients that come when they come, whoever still waits.
fn arrivals(port: u16, backend: usize, rate: f64, stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(backend as u64 + 1);
        let mut next = now();
        while !stop.load(Ordering::Relaxed) {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            let uniform = ((dice >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
            next += Duration::from_secs_f64(-uniform.ln() / rate);
            std::thread::sleep(next.saturating_duration_since(now()));
            std::thread::spawn(move || {
                let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                stream.write_all(format!("GET /{backend} HTTP/1.0\r\n\r\n").as_bytes()).ok();
                stream.read_to_end(&mut Vec::new()).ok();
            });
        }
    });
}

/// Clients that each ask again as soon as they are answered.
fn crowd(port: u16, backend: usize, clients: usize, stop: &Arc<AtomicBool>) {
    for _ in 0..clients {
        let stop = Arc::clone(stop);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                stream.write_all(format!("GET /{backend} HTTP/1.0\r\n\r\n").as_bytes()).ok();
                stream.read_to_end(&mut Vec::new()).ok();
            }
        });
    }
}

/// Three loads, each with and without a limit in the proxy: six apps behind one HAProxy. The mean told
/// over the run is within 15 % of the truth of the same run.
#[tokio::test]
async fn the_wait_that_is_told_is_the_wait_that_was() {
    is_told_truly(measure).await;
}

/// Every row must be true in most of its runs: the first, or two of three, or three of five. One run on a
/// machine that does other things meanwhile proves nothing, and what is wrong is not true more often than not.
async fn is_told_truly<F: Future<Output = Vec<Row>>>(measure: impl Fn() -> F) {
    let mut runs: Vec<Vec<Row>> = Vec::new();
    for _ in 0..5 {
        runs.push(measure().await);
        let is_true = |at: usize| runs.iter().filter(|run| run[at].is_true()).count() * 2 > runs.len();
        if runs.len() % 2 == 1 && (0..runs[0].len()).all(is_true) {
            return;
        }
    }
    let lines = runs.iter().map(|run| run.iter().map(Row::line).collect::<Vec<_>>().join("\n"));
    panic!("not within 15 % more often than not:\n{}", lines.collect::<Vec<_>>().join("\n\n"));
}

struct Row {
    name: String,
    truth: f64,
    told: f64,
    says: String,
    blind: bool,
}

impl Row {
    /// A fifth of a millisecond is what a thread needs to wake up on a busy machine.
    fn is_true(&self) -> bool {
        assert!(!self.blind || !self.says.contains("in the proxy"), "{}", self.says);
        (self.told - self.truth).abs() <= self.truth * 0.15 + 0.2
    }

    fn line(&self) -> String {
        let off = (self.told / self.truth - 1.0) * 100.0;
        format!(
            "{:<24} truth {:>7.2} ms  told {:>7.2} ms  {off:>+5.1} %  {}",
            self.name, self.truth, self.told, self.says
        )
    }
}

async fn measure() -> Vec<Row> {
    let stop = Arc::new(AtomicBool::new(false));
    let port = lab::free_port().unwrap();
    let mut front = format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    http-request set-header X-Request-Start t=%[date(0,us)]\n"
    );
    let (mut backends, mut apps) = (String::new(), Vec::new());
    for (at, (work, rate)) in LOADS.iter().flat_map(|load| [load, load]).enumerate() {
        let app = App::start(Duration::from_millis(*work), &stop);
        let limit = if at % 2 == 0 { "" } else { " maxconn 1" };
        front.push_str(&format!("    use_backend b{at} if {{ path /{at} }}\n"));
        backends += &format!("backend b{at}\n    server one {}{limit}\n", app.address);
        let name = format!("{work} ms, {rate}/s{limit}");
        apps.push((app, name, limit.is_empty()));
    }
    let proxy = lab::haproxy::start(&(front + &backends)).unwrap();
    for (at, (_, rate)) in LOADS.iter().flat_map(|load| [load, load]).enumerate() {
        arrivals(port, at, *rate, &stop);
    }
    let seen = watch(&[host(), edge(&proxy)]).await;
    stop.store(true, Ordering::Relaxed);
    let rows = apps.into_iter().enumerate().map(|(at, (app, name, blind))| {
        let row = row(at, name, blind, &seen, |from, to| app.mean_between(from, to));
        TcpStream::connect(app.address).ok();
        row
    });
    rows.collect()
}

/// What was told of the backend `b<at>` beside the truth, which is a mean between two moments.
fn row(at: usize, name: String, blind: bool, seen: &Seen, mean: impl Fn(Instant, Instant) -> f64) -> Row {
    let (began, (store, _, _)) = seen;
    let id: TargetId = format!("edge/b{at}").parse().unwrap();
    let course = store.course(&id, Metric::Resource(Resource::RequestQueue)).unwrap();
    let told: Vec<(Timestamp, f64)> = course.points().filter_map(|(at, value)| Some((at, value?))).collect();
    // Each value tells of the ten seconds before it: so does its truth.
    let told = &told[told.len().saturating_sub(MEASURED)..];
    let truth = told.iter().map(|(at, _)| {
        let end = *began + Duration::from_secs_f64(at.seconds_since(START));
        mean(end.checked_sub(Duration::from_secs(10)).unwrap(), end)
    });
    let truth = truth.sum::<f64>() / told.len() as f64;
    let told = told.iter().map(|(_, value)| value).sum::<f64>() / told.len() as f64;
    let says = said(at, seen);
    Row { name, truth, told, says, blind }
}

/// When the polls began, the store, what was said last of each row, and what was raised from the first full
/// window on.
type Seen = (Instant, (Store, Vec<(TargetId, String)>, Vec<(TargetId, Severity)>));

/// What was said last of the backend `b<at>`.
fn said(at: usize, (_, (_, said, _)): &Seen) -> String {
    let id: TargetId = format!("edge/b{at}").parse().unwrap();
    said.iter().find(|(row, _)| *row == id).unwrap().1.clone()
}

/// This machine.
fn host() -> TargetSpec {
    TargetSpec::new(TargetId::parse("bastion").unwrap(), "host")
}

/// The proxy.
fn edge(proxy: &Haproxy) -> TargetSpec {
    TargetSpec::new(TargetId::parse("edge").unwrap(), "haproxy").with_url(&proxy.socket_url())
}

/// Polls and judges once a second; the store, and what was said last of each row.
async fn watch(specs: &[TargetSpec]) -> Seen {
    let build =
        |spec: &TargetSpec| (KINDS.iter().find(|kind| kind.name == spec.kind).unwrap().build)(spec).unwrap();
    let mut sources: Vec<Box<dyn Source>> = specs.iter().map(build).collect();
    let mut store = Store::new(specs.iter().map(world::info));
    let mut judge = Judge::new(Thresholds::default(), []);
    let began = now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let (mut said, mut raised) = (Vec::new(), Vec::new());
    for tick in 0..=WARM + MEASURED {
        ticks.tick().await;
        let at = START.plus(began.elapsed());
        for source in &mut sources {
            for reading in source.poll().await {
                store.take(at, reading);
            }
        }
        let (judgement, _) = judge.judge(&mut store, at);
        let waits = judgement.resources.iter().filter(|it| it.resource == Resource::RequestQueue);
        if tick > WARM {
            raised.extend(waits.clone().map(|it| (it.target.clone(), it.severity)));
        }
        said = waits.map(|it| (it.target.clone(), it.says.clone())).collect();
    }
    (began, (store, said, raised))
}
