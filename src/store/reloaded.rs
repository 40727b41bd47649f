//! A proxy that runs anew, and what was set in the process before it and is lost with it.

use crate::model::{ProxySample, ProxyServer, ServerState};

/// Servers told by name; the rest is counted.
const NAMED: usize = 3;

/// What happened when another process answers now, one that began since: it was reloaded, and with it went
/// what was set at run time.
pub(super) fn reloaded(before: &ProxySample, now: &ProxySample) -> Option<String> {
    let anew = match (&before.process, &now.process) {
        // One of several that answer in turn is as old as the others.
        (Some(then), Some(here)) => {
            then.pid != 0 && here.pid != 0 && then.pid != here.pid && here.uptime <= then.uptime
        }
        (None, None) => counts_anew(before, now),
        _ => false,
    };
    if !anew {
        return None;
    }
    let mut lost = Vec::new();
    for backend in &now.backends {
        let Some(old) = before.backends.iter().find(|it| it.name == backend.name) else { continue };
        for server in &backend.servers {
            let was = old.servers.iter().find(|it| it.name == server.name);
            lost.extend(was.and_then(|was| change(was, server)).map(|it| format!("{}/{it}", backend.name)));
        }
    }
    if lost.is_empty() {
        return Some("was reloaded or restarted".to_owned());
    }
    let more = lost.len().saturating_sub(NAMED);
    lost.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("was reloaded and lost what was set at run time: {}{more}", lost.join(", ")))
}

/// Where the process is not told, as by a statistics page: every pool that counted counts less, and no server has
/// stood as it stands for as long as one of them had before. Counters set to zero by hand leave the times alone, and
/// of several processes that answer in turn each is as old as the others.
fn counts_anew(before: &ProxySample, now: &ProxySample) -> bool {
    let stood = |sample: &ProxySample| {
        let servers = sample.backends.iter().flat_map(|backend| &backend.servers);
        servers.filter_map(|server| server.last_change).max()
    };
    let younger = stood(before).zip(stood(now)).is_some_and(|(then, here)| here < then);
    let mut counted = now.backends.iter().filter_map(|backend| {
        let old = before.backends.iter().find(|it| it.name == backend.name)?;
        (old.requests > 0).then_some(backend.requests < old.requests)
    });
    younger && counted.next() == Some(true) && counted.all(|less| less)
}

/// `web1 takes requests again (was DRAIN)`.
fn change(was: &ProxyServer, now: &ProxyServer) -> Option<String> {
    let out = |server: &ProxyServer| matches!(server.state, ServerState::Drain | ServerState::Maintenance);
    if out(was) && !out(now) {
        return Some(format!("{} takes requests again (was {})", now.name, was.status));
    }
    let (then, here) = (was.weight?, now.weight?);
    (then != here).then(|| format!("{} has weight {here} (was {then})", now.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProxyBackend, ProxyProcess};

    fn sample(pid: u32, uptime: u64, servers: &[(ServerState, u64)]) -> ProxySample {
        let servers = servers.iter().map(|(state, weight)| ProxyServer {
            name: "web".into(),
            state: *state,
            status: "DRAIN".into(),
            weight: Some(*weight),
            ..ProxyServer::default()
        });
        ProxySample {
            process: Some(ProxyProcess { pid, uptime, ..ProxyProcess::default() }),
            backends: vec![ProxyBackend {
                name: "app".into(),
                servers: servers.collect(),
                ..ProxyBackend::default()
            }],
            ..ProxySample::default()
        }
    }

    #[test]
    fn what_a_reload_loses_is_told_and_nothing_else() {
        let drained = sample(7, 500, &[(ServerState::Drain, 1)]);
        assert_eq!(
            reloaded(&drained, &sample(9, 1, &[(ServerState::Up, 1)])).as_deref(),
            Some("was reloaded and lost what was set at run time: app/web takes requests again (was DRAIN)")
        );
        let weighed = sample(7, 500, &[(ServerState::Up, 30)]);
        assert!(
            reloaded(&weighed, &sample(9, 1, &[(ServerState::Up, 100)]))
                .is_some_and(|says| says.ends_with("app/web has weight 100 (was 30)"))
        );
        assert_eq!(reloaded(&weighed, &sample(9, 1, &[])).as_deref(), Some("was reloaded or restarted"));
        // By the page alone: younger than before, and counting anew.
        let page = |requests, stood| {
            let mut it = sample(0, 0, &[(ServerState::Up, 1)]);
            it.process = None;
            it.backends[0].requests = requests;
            it.backends[0].servers[0].last_change = stood;
            it
        };
        let told = |requests, stood| reloaded(&page(900, Some(80)), &page(requests, stood)).is_some();
        assert!(told(12, Some(1)));
        assert!(!told(901, Some(1)), "its only server changed its state");
        assert!(!told(12, Some(81)), "its counters were set to zero");
        assert!(!told(12, None), "no proxy that tells since when");
        // The same process, and one of several that answer in turn.
        assert_eq!(reloaded(&drained, &sample(7, 501, &[(ServerState::Up, 1)])), None);
        assert_eq!(reloaded(&drained, &sample(8, 501, &[(ServerState::Up, 1)])), None);
    }
}
