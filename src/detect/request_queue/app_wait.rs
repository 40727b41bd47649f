//! Rule `workers_busy`: how the workers of an app server stand, and what waits for them: in its listen
//! queue, which is the kernel's accept queue under another name and counts once, and in the server itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Waits;
use super::accept_wait::{is_full, is_local, listener, means, unix_listener};
use super::seen::Seen;
use crate::detect::{Assessment, View};
use crate::model::words::{count, many, millis, span};
use crate::model::{AppSample, Remedy, Resource, Sample, Severity};
use crate::store::{AppRates, Target};

/// Requests waiting now, and their mean number over the window.
type Count = (u64, f64);

/// What waits for an app server by its own word.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// In its listen queues.
    pub(super) accept: Option<Count>,
    /// Taken in and not begun.
    pub(super) own: Option<Count>,
    /// A listen queue that is full: its name and its limit.
    pub(super) full: Option<(String, u64)>,
    /// Looks that the means are made of.
    looks: usize,
}

impl Crowd {
    /// Over the polls of about the last ten seconds.
    pub(super) fn told(target: &Target, now: &AppSample) -> Self {
        let apps: Vec<&AppSample> = target
            .recent()
            .filter_map(|sample| match sample {
                Sample::App(app) => Some(&**app),
                _ => None,
            })
            .collect();
        let mean = |of: fn(&AppSample) -> Option<u64>| {
            let known: Vec<f64> = apps.iter().filter_map(|app| of(app)).map(|n| n as f64).collect();
            let now = of(now)?;
            let sum: f64 = known.iter().sum();
            Some((now, if known.is_empty() { now as f64 } else { sum / known.len() as f64 }))
        };
        let full = now.sockets.iter().find_map(|socket| {
            let limit = socket.limit.filter(|limit| *limit > 0)?;
            (socket.depth? >= limit).then(|| (socket.name.to_string(), limit))
        });
        Self {
            accept: mean(AppSample::listening),
            own: mean(|app| app.backlog),
            full,
            looks: apps.len().max(1),
        }
    }

    /// What its mean number is at least: few were seen in few looks, and chance is in that.
    fn at_least(&self, mean: f64) -> f64 {
        let looks = self.looks as f64;
        let seen = mean * looks;
        (seen - 2.0 * seen.sqrt()).max(0.0) / looks
    }
}

/// The app server that listens at this address, as a proxy names it: `10.0.0.7:3031`, `unix:/run/app.sock`.
pub(super) fn app_at<'a>(
    view: &View<'a>,
    place: &str,
    proxy: &Target,
) -> Option<(&'a Target, &'a AppSample)> {
    let path = place.strip_prefix("unix:").unwrap_or(place);
    let port = place.parse::<SocketAddr>().ok();
    view.store.apps(view.now).find(|(app, sample)| {
        let here = is_local(&app.info.endpoint) && is_local(&proxy.info.endpoint);
        let fits = |name: &str| match (port, address(name)) {
            (None, None) => here && name.starts_with('/') && name == path,
            (Some(port), Some(it)) if port.ip().is_loopback() || it.ip().is_loopback() => {
                here && (it.ip() == port.ip() || it.ip().is_unspecified()) && it.port() == port.port()
            }
            (Some(port), Some(it)) => {
                let any = it.ip().is_unspecified() && names_host(&app.info.endpoint, port.ip());
                (any || it.ip() == port.ip()) && it.port() == port.port()
            }
            _ => false,
        };
        sample.sockets.iter().any(|socket| fits(socket.name.as_str()))
    })
}

/// `127.0.0.1:3031`, `:3031`, `*:3031`; `None` for a path.
fn address(name: &str) -> Option<SocketAddr> {
    let any = |port: &str| Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.parse().ok()?)));
    match name.strip_prefix('*').unwrap_or(name).strip_prefix(':') {
        Some(port) if !port.contains(':') => any(port),
        _ => name.parse().ok(),
    }
}

/// Whether an endpoint is at this address.
fn names_host(endpoint: &str, ip: IpAddr) -> bool {
    let rest = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host.trim_matches(['[', ']']).parse() == Ok(ip)
}

/// How every app server stands.
pub(crate) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.apps(view.now).map(|(target, sample)| judge(view, target, sample)).collect()
}

/// What waits, from the best source at hand.
struct Waiting {
    depth: u64,
    /// Mean numbers: likely, and at least.
    accept: Option<[f64; 2]>,
    unread: Option<Seen>,
    own: Option<[f64; 2]>,
    oldest_ms: Option<u32>,
    full: Option<(String, u64)>,
}

fn waiting(view: &View<'_>, target: &Target, sample: &AppSample) -> Waiting {
    let told = Crowd::told(target, sample);
    let both = |(_, mean): Count| [mean, told.at_least(mean)];
    let mut out = Waiting {
        depth: told.own.map_or(0, |(now, _)| now),
        accept: told.accept.map(both),
        unread: None,
        own: told.own.map(both),
        oldest_ms: None,
        full: told.full.clone(),
    };
    let mut seen = None;
    for socket in &sample.sockets {
        let queue = |now| match address(socket.name.as_str()) {
            Some(mut place) => {
                if place.ip().is_unspecified() && is_local(&target.info.endpoint) {
                    place.set_ip(Ipv4Addr::LOCALHOST.into());
                }
                listener(now, place, target)
            }
            None => unix_listener(now, socket.name.as_str(), target),
        };
        let found = view.store.hosts(view.now).find_map(|(host, now)| Some((host, queue(now)?)));
        let Some((host, queue)) = found else { continue };
        let means = means(host, queue);
        let (depth, mean) = seen.unwrap_or((0, Seen::default()));
        seen = Some((
            depth + u64::from(queue.depth) + u64::from(queue.unread.unwrap_or(0)),
            mean.and(means.depth),
        ));
        out.unread = means.unread.map(|more| more.and(out.unread.unwrap_or_default())).or(out.unread);
        out.oldest_ms = out.oldest_ms.max(queue.oldest_ms);
        if is_full(queue) {
            out.full = Some((socket.name.to_string(), u64::from(queue.limit)));
        }
    }
    match seen {
        // The kernel's own word replaces the server's: it is the same queue.
        Some((depth, mean)) => {
            out.depth += depth;
            out.accept = Some([mean.mean, mean.at_least()]);
        }
        None => out.depth += told.accept.map_or(0, |(now, _)| now),
    }
    out
}

fn judge(view: &View<'_>, target: &Target, sample: &AppSample) -> Assessment {
    let id = &target.info.id;
    let waiting = waiting(view, target, sample);
    let rates = target.app_window().copied().unwrap_or_default();
    let blind = waiting.accept.is_none();
    let share = (sample.capacity > 0).then(|| sample.busy as f64 / sample.capacity as f64);
    let mut it = Assessment::new("workers_busy", Resource::RequestQueue, id.clone())
        .used(share, (!blind || waiting.depth > 0).then_some(waiting.depth as f64), Some(rates.overflows))
        .hold(Duration::from_secs(2));
    let says = crowd_words(sample, &waiting);
    let limits = view.limits(Resource::RequestQueue, id);
    let says = match rates.requests {
        Some(rate) if rate > 0.0 => {
            let ms = |of: Option<[f64; 2]>, at: usize| of.map(|of| of[at] / rate * 1e3);
            let unread = waiting.unread.map(|unread| [unread.mean, unread.at_least()]);
            let wait = |at| Waits {
                door: None,
                proxy: None,
                accept: ms(waiting.accept, at),
                unread: ms(unread, at),
                app: ms(waiting.own, at),
            };
            if let Some((likely, least)) = wait(0).total().zip(wait(1).total()) {
                it = it.measured(least, limits);
                it.value = Some(likely);
                let oldest = waiting.oldest_ms.filter(|_| it.kept > Severity::Ok);
                let oldest =
                    oldest.map_or_else(String::new, |ms| format!(", the oldest {}", millis(f64::from(ms))));
                format!("{says}; {}{oldest} at {rate:.0} requests/s", wait(0).told(likely))
            } else {
                format!("{says}; {rate:.0} requests/s")
            }
        }
        Some(_) if waiting.depth > 0 && sample.is_full() => {
            it = it.at_least(Severity::Critical);
            format!("{says} and nothing is served")
        }
        Some(_) if waiting.depth == 0 => {
            it = it.measured(0.0, limits);
            format!("{says}; no request ended lately")
        }
        _ => says,
    };
    if sample.is_full() && waiting.depth > sample.capacity {
        it = it.at_least(Severity::Critical);
    }
    if sample.is_full() && blind {
        it = it.at_least(Severity::Warning);
    }
    let says = more(says, &rates, &mut it);
    let says = match &waiting.full {
        Some((name, limit)) => {
            it = it.at_least(Severity::Critical);
            format!("{says}; the queue of {name} is full ({limit})")
        }
        None => says,
    };
    let says = match sample.longest().filter(|(_, age)| it.kept > Severity::Ok && *age >= 1.0) {
        Some((worker, age)) => {
            let what = worker.doing.as_ref().map_or_else(String::new, |doing| format!(", {doing}"));
            format!("{says}; the longest at work for {} (pid {}{what})", span(age), worker.pid)
        }
        None => says,
    };
    if it.kept > Severity::Ok {
        let says = format!("see what holds its {}, or give it more of them", plural(sample));
        it = it.remedy(Remedy::advice(says));
    }
    it.says(says)
}

/// `all 8 workers busy, 37 wait`.
fn crowd_words(sample: &AppSample, waiting: &Waiting) -> String {
    let units = plural(sample);
    let busy = match sample.capacity {
        0 => format!("none of its {units} is there"),
        1 if sample.busy >= 1 => format!("its only {} busy", sample.unit),
        all if sample.busy >= all && sample.grows => format!("all {all} {units} started so far busy"),
        all if sample.busy >= all => format!("all {all} {units} busy"),
        all => format!("{} of {all} {units} busy", sample.busy),
    };
    match waiting.depth {
        0 if waiting.accept.is_none() => format!("{busy}; what waits in its accept queue is not seen"),
        0 => format!("{busy}, nobody waits"),
        depth => format!("{busy}, {} wait", count(depth)),
    }
}

fn plural(sample: &AppSample) -> String {
    match sample.unit.as_str() {
        "process" => "processes".into(),
        unit => format!("{unit}s"),
    }
}

/// What else happened over the window.
fn more(mut says: String, rates: &AppRates, it: &mut Assessment) -> String {
    let mut add = |count: u64, one: &str, more: &str, bad: Severity| {
        if count > 0 {
            says = format!("{says}; {}", many(count, one, more));
            it.entered = it.entered.max(bad);
            it.kept = it.kept.max(bad);
        }
    };
    add(rates.overflows, "time its queue was full", "times its queue was full", Severity::Critical);
    add(
        rates.at_limit,
        "time at its limit of processes",
        "times at its limit of processes",
        Severity::Warning,
    );
    add(
        rates.ended,
        "request ended by force for its length",
        "requests ended by force for their length",
        Severity::Warning,
    );
    add(rates.slow, "slow request", "slow requests", Severity::Ok);
    add(rates.exceptions, "uncaught exception", "uncaught exceptions", Severity::Ok);
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_under_each_of_its_names() {
        let all = ["127.0.0.1:3031", ":8080", "*:80", "[::1]:9", "/run/u.sock", "host:80"];
        let told = all.map(|name| address(name).map(|it| it.to_string()));
        let wanted =
            [Some("127.0.0.1:3031"), Some("0.0.0.0:8080"), Some("0.0.0.0:80"), Some("[::1]:9"), None, None];
        assert_eq!(told, wanted.map(|it| it.map(str::to_owned)));
        assert!(names_host("tcp://10.0.0.7:1717", Ipv4Addr::new(10, 0, 0, 7).into()));
        assert!(!names_host("tcp://10.0.0.7:1717", Ipv4Addr::new(10, 0, 0, 8).into()));
    }

    #[test]
    fn one_that_was_seen_waiting_by_chance_is_no_proof() {
        let crowd = |looks| Crowd { looks, ..Crowd::default() };
        assert!(crowd(10).at_least(0.1) < 1e-9);
        assert!(crowd(10).at_least(20.0) > 17.0);
    }
}
