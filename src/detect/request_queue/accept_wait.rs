//! The wait in the kernel's accept queues of the servers behind a proxy, where they run on a watched machine.

use std::net::{IpAddr, SocketAddr};

use super::View;
use crate::model::{HostSample, Listener, ProxySample, ProxyServer, SafeText, Sample};
use crate::store::Target;

/// What the accept queues of a backend's servers tell, together.
#[derive(Debug, Default)]
pub(super) struct Accept<'a> {
    /// Mean wait over the window, ms; `None` when no queue was found or nothing was served.
    pub(super) wait_ms: Option<f64>,
    /// Connections waiting now.
    pub(super) depth: u32,
    /// One of them was full.
    pub(super) full: bool,
    /// Addresses of the servers whose queue was found.
    pub(super) seen: Vec<&'a SafeText>,
}

/// Looks the servers' ports up among the listening ports of the watched machines.
pub(super) fn accept_queue<'a>(
    view: &View<'_>,
    proxy: &Target,
    sample: &ProxySample,
    servers: &[&'a ProxyServer],
) -> Accept<'a> {
    let mut out = Accept::default();
    let (mut waiting, mut rate) = (0.0, 0.0);
    for server in servers {
        let Some(address) = &server.address else { continue };
        if out.seen.contains(&address) {
            continue;
        }
        let Ok(place) = address.as_str().parse::<SocketAddr>() else { continue };
        let found =
            view.store.hosts(view.now).find_map(|(host, now)| Some((host, listener(now, place, proxy)?)));
        let Some((host, queue)) = found else { continue };
        out.seen.push(address);
        out.depth = out.depth.saturating_add(queue.depth);
        out.full |= queue.limit > 0 && queue.depth >= queue.limit;
        waiting += mean_depth(host, queue);
        rate += requests(proxy, sample, address);
    }
    if !out.seen.is_empty() && rate > 0.0 {
        out.wait_ms = Some(waiting / rate * 1e3);
    }
    out
}

/// The queue of this address on this machine. A loopback address means the proxy's own machine, so the
/// proxy must be reached here; any other must be the very address the program listens on.
fn listener<'h>(host: &'h HostSample, place: SocketAddr, proxy: &Target) -> Option<&'h Listener> {
    let ip = place.ip().to_string();
    let here = place.ip().is_loopback() && is_local(&proxy.info.endpoint);
    let on_port = || host.listeners.iter().filter(move |it| it.port == place.port());
    let exact = on_port().find(|it| it.address.as_str() == ip);
    if place.ip().is_loopback() && !here {
        return None;
    }
    exact.or_else(|| on_port().find(|it| here && it.address.as_str() == "*"))
}

/// Whether an endpoint without credentials is on this machine.
fn is_local(endpoint: &str) -> bool {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.starts_with("unix:") };
    let host = rest.split(['/', ';', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    scheme == "unix" || name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Mean over the window of the queue's depth, by the means between the polls.
fn mean_depth(host: &Target, queue: &Listener) -> f64 {
    let (mut sum, mut polls) = (0.0, 0u32);
    for sample in host.recent() {
        let Sample::Host(host) = sample else { continue };
        let known = host.listeners.iter().find(|it| it.port == queue.port && it.address == queue.address);
        sum += known.map_or(0.0, |it| it.mean_depth);
        polls += 1;
    }
    if polls == 0 { queue.mean_depth } else { sum / f64::from(polls) }
}

/// Requests a second to this address from all backends of the proxy that send there.
fn requests(proxy: &Target, sample: &ProxySample, address: &SafeText) -> f64 {
    let Some(rows) = proxy.proxy_window() else { return 0.0 };
    let mut rate = 0.0;
    for backend in &sample.backends {
        for server in backend.servers.iter().filter(|server| server.address.as_ref() == Some(address)) {
            let row = rows.get(&format!("{}/{}", backend.name, server.name));
            rate += row.and_then(|row| row.requests).unwrap_or(0.0);
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_on_this_machine_is_local() {
        for here in
            ["unix:/run/x.sock", "tcp://127.0.0.1:9999", "http://localhost:8404/;csv", "http://[::1]:80/x"]
        {
            assert!(is_local(here), "{here}");
        }
        for away in ["tcp://10.0.0.2:9999", "http://127.example.org/;csv", "(hidden)"] {
            assert!(!is_local(away), "{away}");
        }
    }
}
