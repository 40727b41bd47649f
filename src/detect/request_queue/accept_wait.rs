//! The wait in the kernel, where the servers behind a proxy run on a watched machine: in their accept
//! queues, and in connections they accepted and have not read. By Little's law: depth over arrivals.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::View;
use super::app_wait::{Crowd, app_at};
use super::seen::Seen;
use crate::model::{HostSample, Listener, ProxySample, ProxyServer, SafeText, Sample, ServerState, TargetId};
use crate::store::Target;

/// What the kernel tells of a backend's servers, together.
#[derive(Debug, Default)]
pub(super) struct Accept<'a> {
    /// Mean wait in the accept queues over the window, ms; `None` when no queue was found or nothing was served.
    pub(super) wait_ms: Option<f64>,
    /// Mean wait of what was accepted and not read, ms.
    pub(super) unread_ms: Option<f64>,
    /// Mean wait of what an app server took in and has not begun, ms.
    pub(super) app_ms: Option<f64>,
    /// The part of the first two that chance may have made, ms.
    pub(super) chance_ms: f64,
    /// Who told of an accept queue, where no machine that could is watched.
    pub(super) teller: Option<&'a TargetId>,
    /// Waiting now, in all of them.
    pub(super) depth: u64,
    /// The longest that one of them has waited, ms.
    pub(super) oldest_ms: Option<u32>,
    /// The address and the limit of a queue that is full.
    pub(super) full: Option<(String, u64)>,
    /// Addresses of the servers whose queue was found.
    pub(super) seen: Vec<&'a SafeText>,
}

/// Looks the servers' ports up among the listening ports of the watched machines.
pub(super) fn accept_queue<'a>(
    view: &View<'a>,
    proxy: &Target,
    sample: &ProxySample,
    servers: &[&'a ProxyServer],
) -> Accept<'a> {
    let mut out = Accept::default();
    let (mut waiting, mut unread, mut rate) = (Seen::default(), None::<Seen>, 0.0);
    let mut told_of = 0.0;
    let mut own: Option<f64> = None;
    let mut apps: Vec<&TargetId> = Vec::new();
    for server in servers {
        let Some(address) = &server.address else { continue };
        if out.seen.contains(&address) {
            continue;
        }
        let queue = |now| match address.as_str().parse::<SocketAddr>() {
            Ok(place) => listener(now, place, proxy),
            Err(_) => unix_listener(now, address.as_str(), proxy),
        };
        let found = view.store.hosts(view.now).find_map(|(host, now)| Some((host, queue(now)?)));
        let app = app_at(view, address.as_str(), proxy).filter(|(app, _)| !apps.contains(&&app.info.id));
        let told = app.map(|(app, sample)| (app, Crowd::told(app, sample)));
        // The kernel's word, looked at a hundred times a second, goes before that of who asks the kernel.
        if let Some((host, queue)) = found {
            out.depth += u64::from(queue.depth) + u64::from(queue.unread.unwrap_or(0));
            out.oldest_ms = out.oldest_ms.max(queue.oldest_ms);
            if is_full(queue) {
                let place = match queue.port {
                    0 => queue.address.to_string(),
                    port => format!("port {port}"),
                };
                out.full = Some((place, u64::from(queue.limit)));
            }
            let means = means(host, queue);
            waiting = waiting.and(means.depth);
            unread = means.unread.map(|more| more.and(unread.unwrap_or_default())).or(unread);
        } else if let Some((app, told)) = &told
            && let Some((now, mean)) = told.accept
        {
            out.depth += now;
            told_of += mean;
            out.teller = Some(&app.info.id);
            out.full = told.full.clone().or(out.full);
        } else {
            continue;
        }
        if let Some((app, told)) = told {
            apps.push(&app.info.id);
            if let Some((now, mean)) = told.own {
                out.depth += now;
                own = Some(mean + own.unwrap_or(0.0));
            }
        }
        out.seen.push(address);
        rate += requests(proxy, sample, address);
    }
    if !out.seen.is_empty() && rate > 0.0 {
        out.wait_ms = Some((waiting.mean + told_of) / rate * 1e3);
        out.unread_ms = unread.map(|unread| unread.mean / rate * 1e3);
        out.chance_ms = (waiting.chance() + unread.map_or(0.0, Seen::chance)) / rate * 1e3;
        out.app_ms = own.map(|own| own / rate * 1e3);
    }
    out
}

/// What waits before the proxy itself has accepted it.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// Connections now, and their mean number over the window.
    pub(super) depth: u64,
    pub(super) seen: Seen,
    /// The address and the limit of a queue that is full.
    pub(super) full: Option<(String, u64)>,
}

/// The accept queues of a proxy that tells where it listens, and has one pool to put the wait down to.
pub(super) fn door(view: &View<'_>, proxy: &Target, sample: &ProxySample) -> Option<Door> {
    let process = sample.process.as_ref().filter(|_| sample.backends.len() == 1)?;
    let mut out: Option<Door> = None;
    for at in &process.listens {
        let queue = |now| match at.as_str().parse::<SocketAddr>() {
            Ok(mut place) => {
                if place.ip().is_unspecified() && is_local(&proxy.info.endpoint) {
                    place.set_ip(Ipv4Addr::LOCALHOST.into());
                }
                listener(now, place, proxy)
            }
            Err(_) => unix_listener(now, at.as_str(), proxy),
        };
        let found = view.store.hosts(view.now).find_map(|(host, now)| Some((host, queue(now)?)));
        let Some((host, queue)) = found else { continue };
        let door = out.get_or_insert_default();
        door.depth += u64::from(queue.depth);
        door.seen = door.seen.and(means(host, queue).depth);
        if is_full(queue) {
            door.full = Some((at.to_string(), u64::from(queue.limit)));
        }
    }
    out
}

/// Whether the next connection is turned away.
pub(super) const fn is_full(queue: &Listener) -> bool {
    queue.limit > 0 && queue.depth >= queue.limit
}

/// The queue of this address on this machine. A loopback address means the proxy's own machine, so the
/// proxy must be reached here; any other must be the very address the program listens on.
pub(super) fn listener<'h>(host: &'h HostSample, place: SocketAddr, proxy: &Target) -> Option<&'h Listener> {
    let ip = place.ip().to_string();
    let here = place.ip().is_loopback() && is_local(&proxy.info.endpoint);
    let on_port = || host.listeners.iter().filter(move |it| it.port == place.port());
    let exact = on_port().find(|it| it.address.as_str() == ip);
    if place.ip().is_loopback() && !here {
        return None;
    }
    exact.or_else(|| on_port().find(|it| here && it.address.as_str() == "*"))
}

/// The queue of a socket in the file system of this machine: `unix:/run/app.sock`, `/run/app.sock`.
pub(super) fn unix_listener<'h>(host: &'h HostSample, place: &str, from: &Target) -> Option<&'h Listener> {
    let path = place.strip_prefix("unix:").unwrap_or(place);
    let here = path.starts_with('/') && is_local(&from.info.endpoint);
    host.unix_listeners.iter().find(|it| here && it.address.as_str() == path)
}

/// Whether an endpoint without credentials is on this machine.
pub(super) fn is_local(endpoint: &str) -> bool {
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        // A Varnish without an address is asked by its programs here.
        return endpoint.starts_with("unix:") || endpoint == "varnish";
    };
    let host = rest.split(['/', ';', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    scheme == "unix" || name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Means of a port over the window.
pub(super) struct Means {
    /// Connections that nobody had accepted.
    pub(super) depth: Seen,
    /// Accepted connections with unread bytes.
    pub(super) unread: Option<Seen>,
}

/// Means over the window, by the means between the polls. The window's first sample speaks of the time
/// before it, and counts only while it is alone.
pub(super) fn means(host: &Target, queue: &Listener) -> Means {
    let rows: Vec<Option<&Listener>> = host
        .recent()
        .filter_map(|sample| match sample {
            Sample::Host(host) => Some(host),
            _ => None,
        })
        .map(|host| {
            let mut all = host.listeners.iter().chain(&host.unix_listeners);
            all.find(|it| it.port == queue.port && it.address == queue.address)
        })
        .collect();
    let within = if rows.len() > 1 { &rows[1..] } else { &rows[..] };
    let seen = |of: &dyn Fn(&Listener) -> Option<Seen>| {
        let known: Vec<Seen> =
            within.iter().filter_map(|row| row.map_or(Some(Seen::default()), of)).collect();
        let all = known.iter().copied().reduce(Seen::and)?;
        Some(Seen { mean: all.mean / known.len() as f64, ..all })
    };
    let once = |mean: f64, met: Option<u32>| Seen { mean, met: met.map_or(mean, f64::from) };
    Means {
        depth: seen(&|row| Some(once(row.mean_depth, row.met)))
            .unwrap_or_else(|| once(queue.mean_depth, queue.met)),
        unread: seen(&|row| Some(once(row.mean_unread?, row.met_unread))),
    }
}

/// Requests a second to this address from all backends of the proxy that send there.
fn requests(proxy: &Target, sample: &ProxySample, address: &SafeText) -> f64 {
    let Some(rows) = proxy.proxy_window() else { return 0.0 };
    let mut rate = 0.0;
    for backend in &sample.backends {
        for server in backend.servers.iter().filter(|server| server.address.as_ref() == Some(address)) {
            // A proxy that counts its pools only sends each server an even share.
            let uncounted = backend.requests > 0 && backend.servers.iter().all(|it| it.requests == 0);
            rate += if uncounted {
                let all = rows.get(backend.name.as_str()).and_then(|row| row.requests).unwrap_or(0.0);
                let open = backend.servers.iter().filter(|it| it.state != ServerState::Down).count();
                all / open.max(1) as f64
            } else {
                let row = rows.get(&format!("{}/{}", backend.name, server.name));
                row.and_then(|row| row.requests).unwrap_or(0.0)
            };
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_on_this_machine_is_local() {
        for here in [
            "varnish",
            "unix:/run/x.sock",
            "tcp://127.0.0.1:9999",
            "http://localhost:8404/;csv",
            "http://[::1]:80/x",
        ] {
            assert!(is_local(here), "{here}");
        }
        for away in ["tcp://10.0.0.2:9999", "http://127.example.org/;csv", "(hidden)"] {
            assert!(!is_local(away), "{away}");
        }
    }
}
