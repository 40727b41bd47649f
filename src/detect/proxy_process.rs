//! Rule `proxy_full`: the proxy itself is the bottleneck. Connections against the most it takes (at that
//! number new ones wait in the kernel unseen), and the share of time in which its threads had nothing to do.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::{ProxyProcess, Resource, Sample, Severity};

/// Share of the connections from which it warns, and from which it is critical.
const CONNECTIONS: [f64; 2] = [0.80, 0.95];
/// Idle share under which it warns, and under which it is critical.
const IDLE: [f64; 2] = [0.20, 0.05];

/// How every proxy stands that tells of its process.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let told = view.store.proxies(view.now);
    told.filter_map(|(target, sample)| {
        let it = Assessment::new("proxy_full", Resource::ProxyBackends, target.info.id.clone());
        let process = sample.process.as_ref()?;
        let before = target.recent().find_map(|sample| match sample {
            Sample::Proxy(proxy) => proxy.process.as_ref()?.dropped,
            _ => None,
        });
        let dropped = process.dropped.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        let room = if target.info.kind == "varnish" { "thread_pool_max" } else { "worker_connections" };
        judge(it, process, dropped, room)
    })
    .collect()
}

/// `dropped` counts the connections lost over the window; `room` is the setting that gives more.
fn judge(it: Assessment, process: &ProxyProcess, dropped: u64, room: &str) -> Option<Assessment> {
    let most = process.max_connections.filter(|most| *most > 0);
    let taken = most.map(|most| process.connections as f64 / most as f64);
    if taken.is_none() && process.idle.is_none() && process.dropped.is_none() {
        return None;
    }
    let by = |bad: [bool; 2]| match bad {
        [_, true] => Severity::Critical,
        [true, _] => Severity::Warning,
        _ => Severity::Ok,
    };
    let full = taken.map_or(Severity::Ok, |taken| by(CONNECTIONS.map(|limit| taken >= limit)));
    let busy = process.idle.map_or(Severity::Ok, |idle| by(IDLE.map(|limit| idle < limit)));
    let mut says = Vec::new();
    if most.is_none() && dropped == 0 {
        says.push(format!("{} connections, none dropped", process.connections));
    }
    if let Some(most) = most {
        let beyond = if full > Severity::Ok { "; beyond them new ones wait unseen" } else { "" };
        says.push(format!("{} of {most} connections{beyond}", process.connections));
    }
    let threads = process.threads.zip(process.max_threads.filter(|most| *most > 0));
    let threads_used = threads.map(|(there, most)| there as f64 / most as f64);
    // Threads come and go with the load; only at their very limit do requests wait for them.
    let out_of_threads = by([threads_used.is_some_and(|used| used >= 1.0), false]);
    if let Some((there, most)) = threads {
        says.push(format!("{there} of {most} worker threads"));
        if out_of_threads > Severity::Ok {
            says.rotate_right(1);
        }
    }
    if let Some(idle) = process.idle {
        let busy = (1.0 - idle) * 100.0;
        says.push(format!("the proxy's threads are {busy:.0} % busy"));
    }
    if busy > full {
        says.reverse();
    }
    match process.old {
        None | Some(0) => {}
        Some(1) => says.push("1 old process still serves since a reload".to_owned()),
        Some(some) => says.push(format!("{some} old processes still serve since reloads")),
    }
    let lost = if dropped > 0 { Severity::Critical } else { Severity::Ok };
    if dropped > 0 {
        says.insert(0, format!("{dropped} connections dropped for want of room ({room})"));
    }
    let used =
        [taken, process.idle.map(|idle| 1.0 - idle), threads_used].into_iter().flatten().reduce(f64::max);
    let it = it.at_least(full.max(busy).max(lost).max(out_of_threads)).hold(Duration::from_secs(5)).used(
        used,
        None,
        process.dropped.map(|_| dropped),
    );
    Some(it.says(says.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetId;

    #[test]
    fn full_or_busy_whichever_is_worse_speaks_first() {
        let judged = |connections, max_connections, idle| {
            let id = TargetId::parse("edge").expect("legal");
            let it = Assessment::new("proxy_full", Resource::ProxyBackends, id);
            let process = ProxyProcess { idle, connections, max_connections, ..ProxyProcess::default() };
            judge(it, &process, 0, "maxconn").map(|it| (it.entered, it.says))
        };
        assert_eq!(judged(3, None, None), None);
        let (severity, says) = judged(960, Some(1000), Some(0.5)).expect("judged");
        assert_eq!(severity, Severity::Critical);
        assert!(says.starts_with("960 of 1000 connections; beyond"), "{says}");
        let (severity, says) = judged(10, Some(1000), Some(0.1)).expect("judged");
        assert_eq!(severity, Severity::Warning);
        assert!(says.starts_with("the proxy's threads are 90 % busy; 10 of"), "{says}");
        assert_eq!(judged(10, Some(1000), Some(0.9)).expect("judged").0, Severity::Ok);
    }
}
