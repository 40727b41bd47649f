//! Pages of metrics as real proxies wrote them under load, told through the one source that reads them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::{Judge, Judgement};
use warroom::model::{
    PollError, PollErrorKind, ProxySample, Resource, Sample, ServerState, Severity, TargetId, Timestamp,
};
use warroom::shell::world::info;
use warroom::sources::Source;
use warroom::sources::mapped_metrics::PrometheusSource;
use warroom::store::Store;

/// A page that can be turned.
struct Page {
    port: u16,
    text: Arc<Mutex<String>>,
}

impl Page {
    fn start(text: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = Arc::new(Mutex::new(text.to_owned()));
        let shown = Arc::clone(&text);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if stream.read(&mut [0; 4096]).is_err() {
                    continue;
                }
                let body = shown.lock().unwrap().clone();
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).ok();
            }
        });
        Self { port, text }
    }

    fn turn(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }

    fn spec(&self, preset: Option<&str>, metrics: &[(&str, &str)]) -> TargetSpec {
        let spec = TargetSpec::new(TargetId::parse("edge").unwrap(), "prometheus")
            .with_url(&format!("http://127.0.0.1:{}/", self.port));
        let metrics = metrics.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        TargetSpec { preset: preset.map(ToOwned::to_owned), metrics, ..spec }
    }
}

async fn poll(source: &mut PrometheusSource) -> Result<ProxySample, PollError> {
    match source.poll().await.pop().unwrap().sample? {
        Sample::Proxy(sample) => Ok(*sample),
        other => panic!("not a proxy: {other:?}"),
    }
}

/// Both pages, a second apart, through store and judge.
async fn judged(spec: &TargetSpec, page: &Page, later: &str) -> (ProxySample, Judgement) {
    let mut source = PrometheusSource::new(spec).unwrap();
    let info = info(spec);
    let mut store = Store::new([info]);
    let mut judge = Judge::new(Thresholds::default(), []);
    let begin = Timestamp::from_micros(1_700_000_000_000_000);
    store.take(begin, source.poll().await.pop().unwrap());
    judge.judge(&mut store, begin);
    page.turn(later);
    let reading = source.poll().await.pop().unwrap();
    let Ok(Sample::Proxy(sample)) = reading.sample.clone() else { panic!("{reading:?}") };
    store.take(begin.plus(Duration::from_secs(1)), reading);
    judge.judge(&mut store, begin.plus(Duration::from_secs(1)));
    // A severity is held for a while before it stands.
    let (judgement, _) = judge.judge(&mut store, begin.plus(Duration::from_millis(3_500)));
    (*sample, judgement)
}

fn state(judgement: &Judgement, resource: Resource, row: &str) -> (Severity, String) {
    let state = judgement.resource(resource, &row.parse().unwrap());
    let state = state.unwrap_or_else(|| panic!("{row}: {:?}", judgement.resources));
    (state.severity, state.says.clone())
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/prometheus/", $name))
    };
}

#[tokio::test]
async fn envoy_tells_who_waits_in_it_and_which_server_is_down() {
    let page = Page::start(recorded!("envoy-1.40-1.txt"));
    let spec = page.spec(Some("envoy"), &[]);
    let (sample, judgement) = judged(&spec, &page, recorded!("envoy-1.40-2.txt")).await;
    let app = &sample.backends[0];
    assert_eq!((app.name.as_str(), app.queue, app.in_flight, app.requests), ("app", 6, 2, 130));
    assert_eq!((app.members, app.healthy, app.errors_5xx), (Some(2), Some(1), 8));
    let up: Vec<_> = app.servers.iter().map(|it| (it.state, it.requests)).collect();
    assert_eq!(up, [(ServerState::Up, 131), (ServerState::Down, 0)]);
    // Six waited at both looks, 30 were answered in the second between: 200 ms.
    let (severity, says) = state(&judgement, Resource::RequestQueue, "edge/app");
    assert!(severity == Severity::Critical && says.starts_with("200 ms in the proxy; 6 wait"), "{says}");
    let (severity, says) = state(&judgement, Resource::ProxyBackends, "edge/app");
    assert!(severity == Severity::Critical && says.contains("1 of 2"), "{says}");

    // Without `per_endpoint_stats` the servers are told by number only.
    let fewer =
        |text: &str| text.lines().filter(|it| !it.contains("endpoint")).collect::<Vec<_>>().join("\n");
    page.turn(&fewer(recorded!("envoy-1.40-1.txt")));
    let (sample, judgement) = judged(&spec, &page, &fewer(recorded!("envoy-1.40-2.txt"))).await;
    assert!(sample.backends[0].servers.is_empty() && sample.backends[0].up);
    let (_, says) = state(&judgement, Resource::ProxyBackends, "edge/app");
    assert!(says.contains("1 of 2 servers are down"), "{says}");
    let (_, says) = state(&judgement, Resource::RequestQueue, "edge/app");
    assert!(says.contains("at its servers cannot be seen"), "{says}");
}

#[tokio::test]
async fn traefik_and_caddy_tell_requests_errors_and_servers_but_no_queue() {
    let page = Page::start(recorded!("traefik-3.7-1.txt"));
    let spec = page.spec(Some("traefik"), &[]);
    let (sample, judgement) = judged(&spec, &page, recorded!("traefik-3.7-2.txt")).await;
    let app = &sample.backends[0];
    assert_eq!((app.name.as_str(), app.requests, app.errors_5xx), ("app@file", 489, 48));
    let answer = app.response_time_ms.unwrap();
    assert!((40..90).contains(&answer), "{answer} ms");
    assert_eq!(app.servers[0].address.as_ref().unwrap().as_str(), "127.0.0.1:42117");
    assert_eq!((app.servers[0].state, app.servers[1].state), (ServerState::Up, ServerState::Down));
    let (severity, says) = state(&judgement, Resource::RequestQueue, "edge/app@file");
    assert!(severity == Severity::Unknown && says.starts_with("cannot be known"), "never zero: {says}");
    assert!(sample.missing.iter().any(|gap| gap.what.as_str() == "queue"), "{:?}", sample.missing);

    let page = Page::start(recorded!("caddy-2.6-1.txt"));
    let spec = page.spec(Some("caddy"), &[]);
    let (sample, judgement) = judged(&spec, &page, recorded!("caddy-2.6-2.txt")).await;
    let site = &sample.backends[0];
    assert_eq!((site.name.as_str(), site.requests, site.errors_5xx, site.in_flight), ("srv0", 493, 48, 8));
    assert_eq!((sample.backends.len(), site.servers.len()), (1, 2));
    let (severity, says) = state(&judgement, Resource::ProxyBackends, "edge/srv0");
    assert!(severity == Severity::Critical && says.contains("127.0.0.1:58689 is down"), "{says}");
}

#[tokio::test]
async fn an_app_that_measures_the_wait_itself_is_believed() {
    let told = |sum: f64, count: u32| {
        format!(
            "# TYPE ruby_http_request_queue_duration_seconds summary\n\
             ruby_http_request_queue_duration_seconds{{controller=\"a\",quantile=\"0.99\"}} 0.2\n\
             ruby_http_request_queue_duration_seconds_sum{{controller=\"a\"}} {sum}\n\
             ruby_http_request_queue_duration_seconds_count{{controller=\"a\"}} {count}\n\
             ruby_http_requests_total{{controller=\"a\",status=\"200\"}} {count}\n"
        )
    };
    let page = Page::start(&told(100.0, 5_000));
    let spec = page.spec(
        None,
        &[
            ("wait_seconds", "ruby_http_request_queue_duration_seconds"),
            ("requests", "ruby_http_requests_total"),
        ],
    );
    let (_, judgement) = judged(&spec, &page, &told(104.1, 5_100)).await;
    let (severity, says) = state(&judgement, Resource::RequestQueue, "edge/all");
    assert!(severity == Severity::Warning && says.starts_with("41 ms from the proxy to the app"), "{says}");
}

#[tokio::test]
async fn a_wrong_page_and_one_without_end_are_refused() {
    let page = Page::start("# nothing of it\nother_metric 1\n");
    let error = poll(&mut PrometheusSource::new(&page.spec(Some("envoy"), &[])).unwrap()).await.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Unsupported, "{error}");
    assert!(PrometheusSource::new(&page.spec(None, &[])).is_err(), "nothing says what it means");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endless = Page { port: listener.local_addr().unwrap().port(), text: Arc::default() };
    let wrote = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n").unwrap();
        let chunk = "traefik_service_requests_total{service=\"a\"} 1\n".repeat(10_000);
        let mut wrote = 0;
        while stream.write_all(chunk.as_bytes()).is_ok() && wrote < 300_000_000 {
            wrote += chunk.len();
        }
        wrote
    });
    let mut source = PrometheusSource::new(&endless.spec(Some("traefik"), &[])).unwrap();
    let error = poll(&mut source).await.unwrap_err();
    assert!(error.says.as_str().contains("longer than 32 MB"), "{error}");
    let wrote = wrote.await.unwrap();
    assert!(wrote < 100_000_000, "it was read on to {wrote} bytes");
}
