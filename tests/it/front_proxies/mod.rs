//! Real Envoy, Traefik and Caddy in front of a counted load: what their page of metrics is made to say,
//! against what the clients saw.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod app;
mod fronts;

use std::time::{Duration, Instant};

use warroom::model::{ProxyBackend, ProxySample, Sample, ServerState, Severity};
use warroom::sources::Source;
use warroom::sources::mapped_metrics::PrometheusSource;

use self::app::{App, get};
use self::fronts::Front;

/// Requests sent, and how many of them the app answers with 500.
const SENT: usize = 200;
const BAD: usize = 20;
/// Clients that hang at once.
const HANG: u64 = 5;

async fn poll(source: &mut PrometheusSource) -> ProxySample {
    match source.poll().await.pop().unwrap().sample {
        Ok(Sample::Proxy(sample)) => *sample,
        other => panic!("no proxy: {other:?}"),
    }
}

/// Looks until the pool that gets the load is so.
async fn until(
    source: &mut PrometheusSource,
    front: &Front,
    what: &str,
    seen: impl Fn(&ProxyBackend) -> bool,
) -> ProxyBackend {
    let mut last = None;
    for _ in 0..600 {
        let sample = poll(source).await;
        let pool = sample.backends.into_iter().find(|it| it.name.as_str() == front.pool);
        if let Some(pool) = pool {
            if seen(&pool) {
                return pool;
            }
            last = Some(pool);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} was not seen: {last:?}");
}

/// Sends them by four clients; what each took, ms.
async fn load(port: u16, paths: &[&'static str]) -> Vec<(u16, f64)> {
    let each = paths.chunks(paths.len().div_ceil(4)).map(|paths| {
        let paths = paths.to_vec();
        tokio::task::spawn_blocking(move || paths.iter().map(|path| timed(port, path)).collect::<Vec<_>>())
    });
    let mut all = Vec::new();
    for client in each.collect::<Vec<_>>() {
        all.extend(client.await.unwrap());
    }
    all
}

#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
fn timed(port: u16, path: &str) -> (u16, f64) {
    let began = Instant::now();
    (get(port, path), began.elapsed().as_secs_f64() * 1e3)
}

/// Requests, failures, what is under way and what waits are those that the clients made.
async fn is_true_of(front: &Front, app: &App) -> PrometheusSource {
    let mut source = PrometheusSource::new(&front.spec()).unwrap();
    let before = until(&mut source, front, "a first server", |it| {
        it.servers.iter().any(|it| it.state == ServerState::Up)
    })
    .await;
    let paths: Vec<&str> = (0..SENT).map(|at| if at < BAD { "/bad" } else { "/" }).collect();
    let answers = load(front.port, &paths).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 500).count(), BAD);
    let after = until(&mut source, front, "every request", |it| {
        it.requests == before.requests + SENT as u64 && it.errors_5xx == before.errors_5xx + BAD as u64
    })
    .await;
    assert_eq!((after.queue, after.in_flight, after.connect_errors), (0, 0, before.connect_errors));

    // The mean of exactly these, of which the clients see a little more. Envoy adds times up now and then only.
    until(&mut source, front, "no more of those before", |it| it.response_time_ms.is_none()).await;
    let mut source = PrometheusSource::new(&front.spec()).unwrap();
    poll(&mut source).await;
    let answers = load(front.port, &["/slow"; 20]).await;
    let seen = answers.iter().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let told = until(&mut source, front, "a mean", |it| it.response_time_ms.is_some()).await;
    let told = told.response_time_ms.unwrap() as f64;
    let slow = app::SLOW.as_millis() as f64;
    assert!(told >= slow - 1.0 && told <= seen + 1.0, "{told} ms told, {seen} ms at most seen");

    let clients: Vec<_> = (0..HANG).map(|_| front.hang()).collect();
    if front.tells_in_flight {
        let full = until(&mut source, front, "those that hang", |it| it.in_flight + it.queue == HANG).await;
        assert_eq!(full.queue, HANG.saturating_sub(front.limit.unwrap_or(HANG)), "{full:?}");
    } else {
        let full = poll(&mut source).await.backends.remove(0);
        assert!(full.untold.in_flight && !full.sees_queue, "not known is not 0: {full:?}");
    }
    app.release();
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
    let all = after.requests + 20 + HANG;
    until(&mut source, front, "all served", |it| it.requests == all && it.in_flight == 0).await;
    source
}

/// The app goes: the clients' failures are told, and so are its servers.
async fn an_outage_is_told(front: &Front, mut source: PrometheusSource, app: App) {
    let half = until(&mut source, front, "the server that never was", |it| {
        it.servers.iter().any(|it| it.state == ServerState::Down)
    })
    .await;
    assert!(half.up && half.servers.len() == 2, "{half:?}");
    let mut watcher = front.watcher();
    watcher
        .until("one of two down", |judgement| {
            judgement.findings.iter().any(|it| it.rule == "servers_failing" && it.says.contains("1 of 2"))
        })
        .await;
    drop(app);
    let before = poll(&mut source).await.backends.remove(0);
    let answers = load(front.port, &["/"; 40]).await;
    assert!(answers.iter().all(|(status, _)| matches!(status, 502..=504)), "{answers:?}");
    if front.counts_its_own {
        until(&mut source, front, "40 that failed", |it| {
            it.requests == before.requests + 40 && it.errors_5xx == before.errors_5xx + 40
        })
        .await;
        watcher
            .until("an outage", |judgement| {
                judgement.findings.iter().any(|it| {
                    it.rule == "servers_failing"
                        && it.severity == Severity::Critical
                        && it.says.contains("100 % of the answers are 5xx")
                })
            })
            .await;
    }
    if front.slow {
        return;
    }
    watcher
        .until("nobody left", |judgement| {
            judgement.findings.iter().any(|it| {
                it.rule == "servers_failing"
                    && it.severity == Severity::Critical
                    && it.says.contains("nobody is left")
            })
        })
        .await;
    until(&mut source, front, "both down", |it| {
        it.servers.iter().all(|it| it.state == ServerState::Down) && !it.up
    })
    .await;
}

#[tokio::test]
async fn envoy() {
    let app = App::start();
    let front = Front::envoy(app.port);
    let source = is_true_of(&front, &app).await;
    an_outage_is_told(&front, source, app).await;
}

#[tokio::test]
async fn traefik() {
    let app = App::start();
    let front = Front::traefik(app.port);
    let source = is_true_of(&front, &app).await;
    an_outage_is_told(&front, source, app).await;
}

#[tokio::test]
async fn caddy() {
    let app = App::start();
    let front = Front::caddy(app.port);
    let source = is_true_of(&front, &app).await;
    an_outage_is_told(&front, source, app).await;
}
