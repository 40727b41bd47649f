//! What single requests take, by the ring of a real HAProxy.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use warroom::config::TargetSpec;
use warroom::lab;
use warroom::model::{ProxySample, Resource, Sample, Severity, TargetId};
use warroom::sources::Source;
use warroom::sources::haproxy::{self, HaproxySource};

use super::haproxy::{App, Load, front, judge_spec_until, spec};

/// What a configuration needs for it.
const RING: &str = "ring requests\n    format raw\n    maxlen 800\n    size 262144\n";
const LOGGED: &str = "    log ring@requests format raw local0 info\n    option httplog\n";

fn ringed(url: &str, name: &str) -> TargetSpec {
    let mut spec = spec(url);
    spec.ring = Some(name.into());
    spec
}

async fn poll(source: &mut HaproxySource) -> ProxySample {
    let reading = tokio::time::timeout(Duration::from_secs(20), source.poll()).await.unwrap().pop().unwrap();
    match reading.sample.unwrap() {
        Sample::Proxy(sample) => *sample,
        other => panic!("not a proxy: {other:?}"),
    }
}

/// Polls until something is so.
async fn until(source: &mut HaproxySource, done: impl Fn(&ProxySample) -> bool) -> ProxySample {
    let mut last = None;
    for _ in 0..200 {
        let sample = poll(source).await;
        if done(&sample) {
            return sample;
        }
        last = Some(sample);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never came: {last:?}")
}

fn gap(sample: &ProxySample) -> &str {
    sample
        .missing
        .iter()
        .find(|gap| gap.what.as_str() == "single requests")
        .map_or("", |gap| gap.why.as_str())
}

/// Eight ask an app with one slot that takes 20 ms: each request is told with its own wait.
#[tokio::test]
async fn each_request_is_told_and_the_tail_is_judged_and_printed() {
    let app = App::start(Duration::from_millis(20));
    let port = lab::free_port().unwrap();
    let body = format!("{RING}{}", front(port, &format!("    server web1 {} maxconn 1\n", app.address)));
    let proxy = lab::haproxy::start(
        &body
            .replace("backend app\n    option", &format!("backend app\n{LOGGED}    option"))
            .replace("frontend front\n", &format!("frontend front\n{LOGGED}")),
    )
    .unwrap();
    let _load = Load::start(port, 8);
    let row: TargetId = "edge/app".parse().unwrap();
    let seen = judge_spec_until(&ringed(&proxy.socket_url(), "requests"), |it| {
        it.resource(Resource::RequestQueue, &row).is_some_and(|it| {
            it.severity == Severity::Critical && it.logged.is_some_and(|it| it.wait.count > 50)
        })
    })
    .await;
    let state = seen.resource(Resource::RequestQueue, &row).unwrap();
    let logged = state.logged.unwrap();
    assert!(state.says.contains("p95 in the proxy"), "{}", state.says);
    // Seven wait for the eighth, 20 ms and more each; not how fast the machine is, but how the numbers lie.
    assert!(logged.wait.mean_ms > 70.0 && logged.wait.p95_ms >= logged.wait.mean_ms * 0.8, "{logged:?}");
    assert!(logged.wait.max_ms >= logged.wait.p95_ms && logged.gave_up == 0, "{logged:?}");
    assert!(logged.answer.is_some_and(|it| it.mean_ms >= 19.0), "{logged:?}");
    let json = serde_json::to_value(state).unwrap();
    assert!(json["logged"]["wait"]["p95_ms"].as_f64().is_some_and(|ms| ms > 70.0), "{json}");
}

/// Whoever waits longer than `timeout queue` is in no average of HAProxy's, but in its log.
#[tokio::test]
async fn requests_that_died_in_the_queue_are_told() {
    let app = App::start(Duration::from_secs(3));
    let port = lab::free_port().unwrap();
    let body = format!(
        "{RING}{}",
        front(port, &format!("    timeout queue 300\n    server web1 {} maxconn 1\n", app.address))
    );
    let proxy =
        lab::haproxy::start(&body.replace("frontend front\n", &format!("frontend front\n{LOGGED}"))).unwrap();
    let mut source = HaproxySource::new(&ringed(&proxy.tcp_url(), "requests")).unwrap();
    poll(&mut source).await;
    let _load = Load::start(port, 4);
    let died = |sample: &ProxySample| sample.backends[0].logged.filter(|it| it.gave_up > 0);
    let sample = until(&mut source, |sample| died(sample).is_some()).await;
    let logged = died(&sample).unwrap();
    assert!(logged.wait.max_ms >= 300.0, "{logged:?}");
    assert!(
        sample.backends[0].servers[0].queue_time_ms.is_some_and(|ms| ms < 300),
        "its average knows nothing"
    );
}

/// Of two frontends one logs: that a part of the requests has no line is told, and what came is shown.
#[tokio::test]
async fn requests_without_a_line_are_told() {
    let app = App::start(Duration::ZERO);
    let (port, other) = (lab::free_port().unwrap(), lab::free_port().unwrap());
    let body = format!("{RING}{}", front(port, &format!("    server web1 {}\n", app.address)));
    let body = body.replace("frontend front\n", &format!("frontend front\n{LOGGED}"))
        + &format!("frontend silent\n    bind 127.0.0.1:{other}\n    default_backend app\n");
    let proxy = lab::haproxy::start(&body).unwrap();
    let mut source = HaproxySource::new(&ringed(&proxy.socket_url(), "requests")).unwrap();
    poll(&mut source).await;
    let _load = [Load::start(port, 1), Load::start(other, 4)];
    let sample = until(&mut source, |sample| gap(sample).contains("of the requests came")).await;
    assert!(sample.backends[0].logged.is_some_and(|it| it.wait.count > 0), "{sample:?}");
}

#[tokio::test]
async fn a_ring_that_is_lost_or_was_never_there_is_told_and_read_again() {
    let app = App::start(Duration::from_millis(1));
    let port = lab::free_port().unwrap();
    let body = format!("{RING}{}", front(port, &format!("    server web1 {}\n", app.address)));
    let logged = body.replace("frontend front\n", &format!("frontend front\n{LOGGED}"));
    let proxy = lab::haproxy::start(&logged).unwrap();

    let mut none = HaproxySource::new(&ringed(&proxy.socket_url(), "nothing")).unwrap();
    let sample = until(&mut none, |sample| !gap(sample).is_empty()).await;
    assert!(gap(&sample).contains("no section `ring nothing`"), "{}", gap(&sample));
    let told = async |name: &str| {
        let lines = (haproxy::KIND.doctor)(&ringed(&proxy.socket_url(), name)).await;
        lines.iter().map(|it| it.what.to_string()).collect::<Vec<_>>()
    };
    assert!(told("nothing").await.contains(&"there is no ring nothing".to_owned()));
    assert!(told("requests").await.contains(&"ring requests is there".to_owned()));
    assert!(HaproxySource::new(&ringed(&proxy.http_url(), "requests")).is_err(), "a page has no ring");

    let mut source = HaproxySource::new(&ringed(&proxy.socket_url(), "requests")).unwrap();
    let load = Load::start(port, 2);
    until(&mut source, |sample| sample.backends[0].logged.is_some_and(|it| it.wait.count > 10)).await;
    // The same doors, but a HAProxy that logs nowhere.
    let folder = proxy.socket().parent().unwrap().to_path_buf();
    drop(load);
    std::fs::write(
        folder.join("haproxy.cfg"),
        std::fs::read_to_string(folder.join("haproxy.cfg")).unwrap().replace(LOGGED, ""),
    )
    .unwrap();
    let mut proxy = proxy;
    proxy.start_anew().unwrap();
    let sample = until(&mut source, |sample| !gap(sample).is_empty()).await;
    assert!(gap(&sample).contains("broke off"), "{}", gap(&sample));
    let _load = Load::start(port, 4);
    let sample = until(&mut source, |sample| gap(sample).contains("no line comes")).await;
    assert!(sample.backends[0].logged.is_none(), "{sample:?}");
}
