//! When taking one server out of the balance would mend it: it is the one that is bad, others of its kind
//! take requests, and they are well. Whether it may be done is asked again before it is.

use crate::model::{Intent, ProxyBackend, ProxyServer, Remedy, Sample, ServerChange, ServerState};
use crate::store::Target;

/// The remedy for one bad server among its equals; `None` where nobody else would take its requests.
pub(super) fn drain(target: &Target, backend: &ProxyBackend, server: &ProxyServer) -> Option<Remedy> {
    let left = backend.servers.iter().filter(|it| it.name != server.name && takes(it)).count();
    if left == 0 || !takes(server) {
        return None;
    }
    let what = format!("drain {}: {left} of {} take its requests", server.name, left + 1);
    Some(match why_not(target) {
        None => {
            let (backend, server) = (backend.name.to_string(), server.name.to_string());
            let to = ServerChange::Drain;
            let intent = Intent::SetServer { target: target.info.id.clone(), backend, server, to };
            Remedy { intent: Some(intent), says: what }
        }
        Some(why) => Remedy::advice(format!("{what} ({why})")),
    })
}

/// Whether it is given new requests; a spare is not while the others are there.
fn takes(server: &ProxyServer) -> bool {
    let open = matches!(server.state, ServerState::Up | ServerState::Unchecked);
    open && !server.backup && server.weight != Some(0)
}

/// Why this proxy cannot be told by a key.
fn why_not(target: &Target) -> Option<String> {
    if !matches!(target.info.kind.as_str(), "haproxy" | "varnish") {
        return Some(format!("by hand: no key changes {}", target.info.kind));
    }
    let sample = target.sample.as_deref().map(|sample| &sample.it);
    let process = match sample {
        Some(Sample::Proxy(proxy)) => proxy.process.as_ref(),
        _ => None,
    };
    match process.and_then(|process| process.level.as_ref()) {
        Some(level) if level.as_str() == "admin" => None,
        Some(level) => Some(format!("no key: the socket's level is {level}, not admin")),
        None if target.info.kind == "varnish" => Some("no key: its management does not answer".into()),
        // Before 1.9 a socket does not tell its level.
        None if ["unix:", "tcp:"].iter().any(|door| target.info.endpoint.starts_with(door)) => None,
        None => Some("no key: the statistics page can only be read".into()),
    }
}
