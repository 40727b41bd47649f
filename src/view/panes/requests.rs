//! 1: requests that wait between the proxy and the app, and the servers behind the proxy.

use super::entry::trouble;
use super::{Entry, Scene, Shape, counted};
use crate::app::PROXIES;
use crate::model::{
    APP_KINDS, AppSample, ProxyBackend, Resource, ResourceState, Sample, ServerState, Severity, TargetId,
};
use crate::store::{Metric, ProxyRates, Target};
use crate::view::format;
use crate::view::widgets::Scale;

/// Mean wait, requests waiting, servers up, requests a second, failed share.
pub(super) const SHAPES: (u16, &[Shape]) = (
    8,
    &[Shape::judged(7, 0), Shape::plain(10, 0), Shape::judged(6, 1), Shape::plain(7, 2), Shape::plain(9, 3)],
);

/// One entry a backend, then one for any other place where requests are seen to queue.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut known: Vec<TargetId> = Vec::new();
    for target in scene.world.store.targets() {
        match target.sample.as_ref().map(|sample| &sample.it) {
            Some(Sample::Proxy(sample)) => {
                if let Some(entry) = trouble(target, scene) {
                    out.push(entry);
                    continue;
                }
                let rates = target.proxy_window();
                for backend in &sample.backends {
                    let rate = rates.and_then(|rates| rates.get(backend.name.as_str()));
                    known.push(target.info.id.row(backend.name.as_str()));
                    out.push(entry(scene, target, backend, rate));
                }
            }
            Some(Sample::App(sample)) => {
                known.push(target.info.id.clone());
                out.push(trouble(target, scene).unwrap_or_else(|| app_server(scene, target, sample)));
            }
            None if APP_KINDS.contains(&target.info.kind.as_str()) => out.extend(trouble(target, scene)),
            None if PROXIES.contains(&target.info.kind.as_str()) => out.extend(trouble(target, scene)),
            _ => {}
        }
    }
    let elsewhere =
        |state: &&ResourceState| state.resource == Resource::RequestQueue && !known.contains(&state.target);
    out.extend(scene.world.judgement.resources.iter().filter(elsewhere).map(|state| seen_by(scene, state)));
    out
}

/// The wait as the rules measured it last.
fn wait(scene: &Scene<'_>, id: &TargetId) -> Option<f64> {
    let ring = scene.world.store.course(id, Metric::Resource(Resource::RequestQueue))?;
    ring.points().rfind(|(at, _)| *at <= scene.now).and_then(|(_, value)| value)
}

fn entry(scene: &Scene<'_>, target: &Target, backend: &ProxyBackend, rates: Option<&ProxyRates>) -> Entry {
    let id = target.info.id.row(backend.name.as_str());
    let wait = wait(scene, &id);
    // Wherever they wait: a proxy without limits sees none of them.
    let state = scene.world.judgement.resource(Resource::RequestQueue, &id);
    let waiting = state.and_then(|state| state.saturation).or(backend.seen_queue().map(|queue| queue as f64));
    let servers = || backend.servers.iter().filter(|server| !server.backup);
    let up =
        servers().filter(|server| matches!(server.state, ServerState::Up | ServerState::Unchecked)).count();
    // Some proxies tell their servers by number only, some not at all.
    let (up, all_up) = match (servers().count(), backend.healthy.zip(backend.members)) {
        (0, None) => ("-".to_owned(), false),
        (0, Some((healthy, members))) => (format!("{healthy}/{members} up"), healthy == members),
        (all, _) => (format!("{up}/{all} up"), up == all),
    };
    let failed = rates.and_then(|rates| rates.errors_5xx);
    let requests = rates.and_then(|rates| rates.requests);
    let pace = |rate: f64| {
        let failed = failed.map_or_else(String::new, |share| format!("  {} 5xx", format::share(share)));
        format!("{}{failed}", format::rate(rate))
    };
    let stuck = requests == Some(0.0) && backend.queue > 0;
    // Where all servers are up it is the answers that are bad.
    let bad = scene.severity(Resource::ProxyBackends, &id);
    let (of_servers, of_answers) = if all_up && failed.is_some_and(|share| share >= 0.0005) {
        (Severity::Ok, bad)
    } else {
        (bad, Severity::Ok)
    };
    Entry::of(id.as_str(), target, scene)
        .weigh(wait.map(|ms| ms / 50.0))
        .field(format::maybe(wait, format::millis), scene.severity(Resource::RequestQueue, &id))
        .plain(counted(waiting, "wait"))
        .field(up, of_servers)
        .plain(format::maybe(requests, format::rate))
        .plain(format!("{} 5xx", format::maybe(failed, format::share)))
        .bad_note(stuck.then(|| "nothing is served".to_owned()), scene.severity(Resource::RequestQueue, &id))
        .note((wait.is_none() && !stuck).then(|| "wait cannot be seen".to_owned()))
        .note(backend.logged.map(|it| format!("p95 {}", format::millis(it.wait.p95_ms))))
        .note(rates.and_then(|rates| rates.hit_ratio).map(|share| format!("{} hits", format::share(share))))
        .bad_note(requests.map(pace), of_answers)
        .note(
            backend.logged.and_then(|it| it.answer).map(|it| {
                format!("answer {}, p95 {}", format::millis(it.mean_ms), format::millis(it.p95_ms))
            }),
        )
        .note((!backend.untold.in_flight).then(|| counted(Some(backend.in_flight as f64), "in flight")))
        .note(rates.and_then(|rates| rates.retries).map(|rate| format!("retries {}", format::rate(rate))))
        .note(
            rates
                .and_then(|rates| rates.connect_errors)
                .map(|rate| format!("refused {}", format::rate(rate))),
        )
        .course("wait", &id, Metric::Resource(Resource::RequestQueue), Scale::AtLeast(50.0))
}

/// An app server: its workers stand where a proxy's servers do.
fn app_server(scene: &Scene<'_>, target: &Target, sample: &AppSample) -> Entry {
    let id = &target.info.id;
    let state = scene.world.judgement.resource(Resource::RequestQueue, id);
    let wait = wait(scene, id);
    let free = sample.capacity.saturating_sub(sample.busy);
    let requests = target.app_window().and_then(|rates| rates.requests);
    let free = if free > 0 { format!("{free} free") } else { "all busy".to_owned() };
    Entry::of(id.as_str(), target, scene)
        .weigh(wait.map(|ms| ms / 50.0))
        .field(format::maybe(wait, format::millis), scene.severity(Resource::RequestQueue, id))
        .plain(counted(state.and_then(|state| state.saturation), "wait"))
        .plain(format!("{}/{}", sample.busy, sample.capacity))
        .plain(format::maybe(requests, format::rate))
        .plain(free)
        .note(wait.is_none().then(|| "wait cannot be seen".to_owned()))
        .note(sample.answer_ms.map(|ms| format!("answers in {}", format::millis(ms))))
        .note(sample.backlog.map(|backlog| counted(Some(backlog as f64), "inside")))
        .course("wait", id, Metric::Resource(Resource::RequestQueue), Scale::AtLeast(50.0))
}

/// A queue that some other target sees: a listening port, an app server.
fn seen_by(scene: &Scene<'_>, state: &ResourceState) -> Entry {
    let wait = wait(scene, &state.target);
    Entry::new(state.target.as_str())
        .weigh(wait.map(|ms| ms / 50.0))
        .field(format::maybe(wait, format::millis), state.severity)
        .plain(counted(state.saturation, "wait"))
        .note(Some(state.says.clone()))
        .course("wait", &state.target, Metric::Resource(Resource::RequestQueue), Scale::AtLeast(50.0))
}
