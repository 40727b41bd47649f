//! Rules `slow_command`, `slow_ping` and `busy_cache`: what holds up everybody who asks a cache. In milliseconds.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::millis;
use crate::model::{CacheSample, Culprit, Remedy, Resource, SafeText, Severity, SlowCommand, TargetId};
use crate::store::CacheRates;

/// Share of its one core from which the thread that runs commands is the bottleneck.
const BUSY: f64 = 0.90;

/// Commands that take no time whatever they are given: when one is slow, the server was kept from running.
const NO_WORK: [&str; 12] =
    ["PING", "ECHO", "TYPE", "EXISTS", "TTL", "PTTL", "STRLEN", "LLEN", "HLEN", "SCARD", "ZCARD", "DBSIZE"];

/// How every cache stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .flat_map(|(target, sample)| {
            let id = &target.info.id;
            [
                (!sample.no_slow_log).then(|| slow_command(view, id, sample)),
                slow_ping(view, id, sample),
                busy(id, target.cache_window()),
            ]
        })
        .flatten()
        .collect()
}

fn slow_command(view: &View<'_>, id: &TargetId, sample: &CacheSample) -> Assessment {
    let limits = view.limits(Resource::CacheLatency, id);
    let it = Assessment::new("slow_command", Resource::CacheLatency, id.clone());
    let Some(slowest) = sample.slow.iter().max_by(|a, b| a.took_ms.total_cmp(&b.took_ms)) else {
        if let Some(missing) = sample.missing.iter().find(|missing| missing.what.as_str() == "slow log") {
            return it.unknown(format!("slow commands are not seen: {}", missing.why));
        }
        return it.measured(0.0, limits).says("no slow command");
    };
    let count = sample.slow.iter().filter(|slow| slow.took_ms >= limits.warning).count();
    let more = if count > 1 { format!("; {count} such in ten seconds") } else { String::new() };
    let says = format!("{} held everybody up for {:.0} ms{more}", slowest.command, slowest.took_ms);
    let name = slowest.command.as_str().split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let advice = if NO_WORK.contains(&name.as_str()) {
        format!("look at its machine: {name} is no work by itself")
    } else {
        format!("find what sends it: {}", who(slowest))
    };
    it.measured(slowest.took_ms, limits)
        .proven(view.now.seconds_since(slowest.at).clamp(0.0, 10.0))
        .used(None, Some(slowest.took_ms), None)
        .says(says)
        .culprit(Culprit::Command { name: slowest.command.clone(), client: SafeText::new(&who(slowest)) })
        .remedy(Remedy::advice(advice))
}

fn who(slow: &SlowCommand) -> String {
    match (slow.client_name.as_str(), slow.client.as_str()) {
        ("", "") => "client not told".into(),
        ("", client) => client.to_owned(),
        (name, client) => format!("{name} at {client}"),
    }
}

/// Our own PING sees what the slow log leaves out: transactions, scripts, a paused or starved server.
fn slow_ping(view: &View<'_>, id: &TargetId, sample: &CacheSample) -> Option<Assessment> {
    let ping = sample.ping_ms?;
    let limits = view.limits(Resource::CacheLatency, id);
    let mut it = Assessment::new("slow_ping", Resource::CacheLatency, id.clone())
        .measured(ping, limits)
        .hold(Duration::from_secs(3))
        .used(None, Some(ping), None)
        .says(format!("{} takes {}", if sample.no_slow_log { "an answer" } else { "PING" }, millis(ping)));
    if it.kept == Severity::Ok && !sample.no_slow_log {
        // Only one rule charts a resource: the other one does while nothing is slow here.
        it.value = None;
    }
    Some(it)
}

fn busy(id: &TargetId, window: Option<&CacheRates>) -> Option<Assessment> {
    let window = window?;
    let share = window.main_thread?;
    let it = Assessment::new("busy_cache", Resource::CacheLatency, id.clone())
        .used(Some(share), None, None)
        .hold(Duration::from_secs(3));
    if share < BUSY {
        return Some(it.says(format!("{:.0} % of its core busy", share * 100.0)));
    }
    let top = window.by_command.first();
    let most = top.map_or_else(String::new, |top| {
        format!(": {} takes {:.0} %", top.name.to_uppercase(), top.busy * 100.0)
    });
    let it =
        it.at_least(Severity::Warning).says(format!("{:.0} % of its one core is used{most}", share * 100.0));
    Some(match top {
        Some(top) => {
            it.culprit(Culprit::Command { name: SafeText::new(&top.name), client: SafeText::default() })
        }
        None => it,
    })
}
