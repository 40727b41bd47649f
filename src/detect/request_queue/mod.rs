//! Rule `requests_wait`: the mean wait of a request between the proxy and the app's code, ms, one row a
//! backend. Its hiding places are told side by side and summed: the proxy's own queue, which is blind where
//! a server has no limit, and, where the server is on a watched machine, the kernel's accept queue and the
//! connections that were accepted and not read.

mod accept_wait;
mod app_wait;
mod proxy_wait;
mod reason;
mod seen;

use std::time::Duration;

use self::accept_wait::{Accept, accept_queue, door};
pub(super) use self::app_wait::detect as apps;
use self::proxy_wait::{ServerWindow, longest_queue, mean_wait};
use self::reason::reason;
use super::{Assessment, View};
use crate::model::words::{millis, per_second};
use crate::model::{
    Culprit, LoggedTimes, ProxyBackend, ProxySample, ProxyServer, Remedy, Resource, SafeText, Sample,
    ServerState, Severity, TargetId,
};
use crate::store::{Metric, Target};

/// How every backend's requests wait.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut out = Vec::new();
    for (target, sample) in view.store.proxies(view.now) {
        out.extend(sample.backends.iter().map(|backend| judge(view, target, sample, backend)));
    }
    out
}

fn judge(view: &View<'_>, target: &Target, sample: &ProxySample, backend: &ProxyBackend) -> Assessment {
    let row = target.info.id.row(backend.name.as_str());
    let mut it = Assessment::new("requests_wait", Resource::RequestQueue, row.clone());
    it.logged = backend.logged;
    let taking: Vec<&ProxyServer> = backend.servers.iter().filter(|server| takes(server)).collect();
    let blind: Vec<&ProxyServer> = taking.iter().copied().filter(|server| server.limit.is_none()).collect();
    let mut accept = accept_queue(view, target, sample, &taking);
    let door = door(view, target, sample);
    accept.full = accept.full.or_else(|| door.as_ref()?.full.clone());
    let unseen: Vec<&ProxyServer> = blind.iter().copied().filter(|server| !accept.covers(server)).collect();
    if let Some(it) = by_the_app(view, target, backend, &row) {
        return it;
    }
    if backend.servers.is_empty() && !backend.sees_queue {
        return it
            .unknown("cannot be known: this proxy has no queue of its own and does not tell its servers");
    }
    let open = !taking.is_empty() && unseen.len() == taking.len() && !backend.sees_queue;
    if open && backend.queue == 0 {
        let blind = if target.info.kind == "haproxy" {
            format!("no limit (maxconn) on {}, so the proxy cannot see requests wait", names(&unseen))
        } else {
            "this proxy sends everything on and sees no request wait".to_owned()
        };
        let whose =
            if unseen.len() == 1 { "its server's accept queue" } else { "its servers' accept queues" };
        let verb = if unseen.len() == 1 { "is" } else { "are" };
        return it.unknown(format!("cannot be known: {blind}, and {whose} {verb} {}", hidden(&unseen)));
    }
    let slots: Option<u64> = taking.iter().map(|server| server.limit).sum();
    let at_door = door.as_ref().map_or(0, |door| door.depth);
    let depth = backend.queue.saturating_add(accept.depth).saturating_add(at_door);
    let busy = slots.filter(|slots| *slots > 0).map(|slots| backend.in_flight as f64 / slots as f64);
    let mut it = it.used(busy, Some(depth as f64), None).hold(Duration::from_secs(2));

    let rate = target.proxy_window().and_then(|rows| rows.get(backend.name.as_str())?.requests);
    let proxy = rate.and_then(|rate| in_proxy(target, backend, rate));
    let proxy = proxy.map(|ms| ms.min(longest(view, target, backend, &row)));
    let door = door.zip(rate.filter(|rate| *rate > 0.0)).map(|(door, rate)| (door.seen, 1e3 / rate));
    let chance = accept.chance_ms + door.map_or(0.0, |(door, each)| door.chance() * each);
    let door = door.map(|(door, each)| door.mean * each);
    let waits = Waits { door, proxy, accept: accept.wait_ms, unread: accept.unread_ms, app: accept.app_ms };
    let says = match waits.total() {
        None => {
            if rate == Some(0.0) && depth > 0 {
                it = it.at_least(Severity::Critical);
                format!("{depth} wait and nothing is served")
            } else if rate == Some(0.0) {
                it = it.measured(0.0, view.limits(Resource::RequestQueue, &row));
                "no requests".to_owned()
            } else if backend.untold.requests {
                format!("{depth} wait; how long cannot be known: no metric counts requests")
            } else {
                format!("{depth} wait; their mean wait is known from the second poll on")
            }
        }
        Some(total) => {
            it = it.measured(total - chance, view.limits(Resource::RequestQueue, &row));
            it.value = Some(total);
            let oldest = accept.oldest_ms.filter(|_| it.kept > Severity::Ok);
            let oldest =
                oldest.map_or_else(String::new, |ms| format!(", the oldest {}", millis(f64::from(ms))));
            let tail = backend.logged.filter(|_| proxy.is_some()).map_or_else(String::new, tail);
            let told = waits.told(total);
            let pace = per_second(rate.unwrap_or(0.0));
            if depth == 0 && it.kept > Severity::Ok {
                // The mean is that of the last seconds, the depth that of this moment.
                format!("{told}{tail}; nobody waits right now{oldest}, {pace} requests/s")
            } else {
                format!("{told}{tail}; {depth} wait{oldest} at {pace} requests/s")
            }
        }
    };
    let says = match &accept.full {
        Some((place, limit)) => format!("{says}; the accept queue of {place} is full ({limit})"),
        None => says,
    };
    let says = match accept.teller {
        Some(teller) => format!("{says}; its accept queue as {teller} tells it"),
        None => says,
    };
    let over = slots.is_some_and(|slots| slots > 0 && backend.queue > slots) || accept.full.is_some();
    if over {
        it = it.at_least(Severity::Critical);
    }
    if it.kept > Severity::Ok
        && let Some(fullest) =
            taking.iter().max_by_key(|server| (server.queue, server.queue_time_ms, server.in_flight))
    {
        let name = SafeText::new(&format!("{}/{}", backend.name, fullest.name));
        it = it.culprit(Culprit::Server { name, status: fullest.status.clone() });
    }
    let mut says = says;
    if it.kept > Severity::Ok
        && let Some(why) = reason(view, &row, busy, accept.depth as f64)
    {
        says = format!("{says}; {}", why.says);
        it = it.remedy(Remedy::advice(why.mend));
    }
    if backend.servers.is_empty() {
        it.says(says + "; what waits at its servers cannot be seen")
    } else if unseen.is_empty() {
        it.says(says)
    } else {
        let limit = if target.info.kind == "haproxy" { "maxconn" } else { "limit" };
        let more = format!("; what waits at {} cannot be seen (no {limit} there)", names(&unseen));
        it.says(says + &more)
    }
}

/// The wait as somebody measures it for every request, the way from the proxy to the app included. It is
/// one number for all hiding places, so nothing is added to it.
fn by_the_app(
    view: &View<'_>,
    target: &Target,
    backend: &ProxyBackend,
    row: &TargetId,
) -> Option<Assessment> {
    let now = backend.waits?;
    let before = target.recent().find_map(|sample| match sample {
        Sample::Proxy(proxy) => proxy.backends.iter().find(|it| it.name == backend.name)?.waits,
        _ => None,
    })?;
    let it =
        Assessment::new("requests_wait", Resource::RequestQueue, row.clone()).hold(Duration::from_secs(2));
    let requests = now.requests.checked_sub(before.requests)?;
    let limits = view.limits(Resource::RequestQueue, row);
    if requests == 0 {
        return Some(it.measured(0.0, limits).says("no requests".to_owned()));
    }
    let mean = (now.seconds - before.seconds).max(0.0) / requests as f64 * 1e3;
    let says =
        format!("{} from the proxy to the app, as measured there for {requests} requests", millis(mean));
    Some(it.measured(mean, limits).says(says))
}

/// What the mean hides: ` (proxy p95 900 ms, 3 gave up)`.
fn tail(logged: LoggedTimes) -> String {
    let gave_up = match logged.gave_up {
        0 => String::new(),
        some => format!(", {some} gave up in its queue"),
    };
    format!(" (p95 in the proxy {}{gave_up})", millis(logged.wait.p95_ms))
}

/// Where a request waits, ms; `None` where it cannot be seen.
#[derive(Default)]
struct Waits {
    /// Until the proxy accepted it.
    door: Option<f64>,
    proxy: Option<f64>,
    accept: Option<f64>,
    unread: Option<f64>,
    app: Option<f64>,
}

/// Less is told only as part of the sum.
const NOTHING: f64 = 0.05;
/// The same as a part of the sum.
const NEXT_TO_NOTHING: f64 = 0.02;

impl Waits {
    fn total(&self) -> Option<f64> {
        let known = [self.door, self.proxy, self.accept, self.unread, self.app];
        known.iter().any(Option::is_some).then(|| known.into_iter().flatten().sum())
    }

    /// `412 ms: 380 ms in the proxy, 32 ms in the accept queue`.
    fn told(&self, total: f64) -> String {
        let unread = self.unread.filter(|ms| *ms >= NOTHING);
        let door = self.door.filter(|ms| *ms >= NOTHING);
        let app = self.app.filter(|ms| *ms >= NOTHING || self.proxy.or(self.accept).is_none());
        let places: Vec<(f64, &str)> = [
            (door, "in the proxy's accept queue"),
            (self.proxy, "in the proxy"),
            (self.accept, "in the accept queue"),
            (unread, "accepted and not read"),
            (app, "in the app server"),
        ]
        .into_iter()
        .filter_map(|(ms, place)| Some((ms?, place)))
        .collect();
        // What is next to nothing beside another is part of the sum only.
        let told: Vec<(f64, &str)> =
            places.iter().copied().filter(|(ms, _)| *ms >= total * NEXT_TO_NOTHING).collect();
        if let ([(_, place)], _) | (_, [(_, place)]) = (&places[..], &told[..]) {
            return format!("{} {place}", millis(total));
        }
        let each: Vec<String> = places.iter().map(|(ms, place)| format!("{} {place}", millis(*ms))).collect();
        format!("{}: {}", millis(total), each.join(", "))
    }
}

fn names(servers: &[&ProxyServer]) -> String {
    let named: Vec<&str> = servers.iter().take(3).map(|server| server.name.as_str()).collect();
    let more = servers.len().saturating_sub(3);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

/// Why no accept queue of these servers was found.
fn hidden(servers: &[&ProxyServer]) -> &'static str {
    let in_files = |server: &&ProxyServer| server.address.as_ref().is_some_and(|it| it.as_str() == "unix");
    if servers.iter().all(|server| server.address.is_none()) {
        "at an address that it does not tell (a HAProxy does from level operator on)"
    } else if servers.iter().all(in_files) {
        "at a socket whose path HAProxy does not tell: name it in `sockets` of the target"
    } else {
        "on no watched machine"
    }
}

/// Whether requests go to it now; a spare does only when it has been given some.
fn takes(server: &ProxyServer) -> bool {
    let open = matches!(server.state, ServerState::Up | ServerState::Unchecked);
    open && (!server.backup || server.in_flight > 0)
}

/// The longest that a request can have waited, ms: nobody waits longer than there was a queue. Where little is
/// served, depth against pace would tell of waits that lie ahead.
fn longest(view: &View<'_>, target: &Target, backend: &ProxyBackend, row: &TargetId) -> f64 {
    let mut depths: Vec<(f64, u64)> = Vec::new();
    for (at, sample) in target.recent_at() {
        let Sample::Proxy(proxy) = sample else { continue };
        let found = proxy.backends.iter().find(|it| it.name == backend.name);
        depths.extend(found.map(|it| (view.now.seconds_since(at), it.queue)));
    }
    // A queue that is older than the window began when all was calm last.
    let since_calm = || {
        let calm = view.limits(Resource::RequestQueue, row).warning;
        let ring = view.store.course(row, Metric::Resource(Resource::RequestQueue))?;
        let (at, _) = ring.points().rfind(|(_, ms)| ms.is_some_and(|ms| ms < calm))?;
        Some(view.now.seconds_since(at) + target.info.every.as_secs_f64())
    };
    longest_queue(&depths).or_else(since_calm).map_or(f64::INFINITY, |seconds| seconds * 1e3)
}

/// The mean wait in the proxy's queue over the window; `None` where the proxy is blind or nothing was served.
fn in_proxy(target: &Target, backend: &ProxyBackend, rate: f64) -> Option<f64> {
    let seen: Vec<&ProxyBackend> = target
        .recent()
        .filter_map(|sample| match sample {
            Sample::Proxy(proxy) => proxy.backends.iter().find(|it| it.name == backend.name),
            _ => None,
        })
        .collect();
    let limited = backend.sees_queue || backend.servers.iter().any(|server| server.limit.is_some());
    if !limited && seen.iter().all(|it| it.queue == 0) {
        return None;
    }
    let first = seen.first()?;
    let servers: Vec<ServerWindow> = backend
        .servers
        .iter()
        .filter_map(|now| {
            let before = first.servers.iter().find(|before| before.name == now.name)?;
            Some(ServerWindow {
                queue_time: (before.queue_time_ms.unwrap_or(0), now.queue_time_ms?),
                requests: (before.requests, now.requests),
            })
        })
        .collect();
    let depths: Vec<u64> = seen.iter().map(|it| it.queue).collect();
    let logged = backend.logged.map(|it| it.wait.mean_ms);
    mean_wait(logged, &servers, &depths, rate)
}

impl Accept<'_> {
    /// Whether this server's accept queue was found.
    fn covers(&self, server: &ProxyServer) -> bool {
        server.address.as_ref().is_some_and(|address| self.seen.contains(&address))
    }
}
