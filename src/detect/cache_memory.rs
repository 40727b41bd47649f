//! Rule `cache_fill`: memory of a cache against its limit, in shares of it.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::{
    CacheSample, Clearing, Intent, Namespace, NamespaceSample, Remedy, Resource, Severity, TargetId,
};
use crate::store::{CacheRates, Target};

/// A namespace smaller than this share of the keys is not worth clearing to make room.
const WORTH_CLEARING: f64 = 0.10;
/// Evictions to writes from which a cache throws out what it has just taken in.
const THRASH: f64 = 0.5;
/// Below this fill only what is thrown out at this very poll counts.
const EMPTY: f64 = 0.5;

/// How every cache stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .map(|(target, sample)| judge(view, target, sample, target.cache_window()))
        .collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &CacheSample, window: Option<&CacheRates>) -> Assessment {
    let id = &target.info.id;
    let limits = view.limits(Resource::CacheMemory, id);
    let it = Assessment::new("cache_fill", Resource::CacheMemory, id.clone());
    let Some(limit) = sample.max_memory else { return without_limit(it, sample, limits) };
    let fill = sample.used_memory as f64 / limit as f64;
    let evictions = window.and_then(|window| window.evictions);
    let refused = window.and_then(|window| window.oom_errors);
    // What the window still remembers of a cache that has been emptied since is over.
    let lately = target.cache_rates().and_then(|rates| rates.evictions);
    let evicting =
        evictions.is_some_and(|rate| rate > 0.0) && (fill >= EMPTY || lately.is_none_or(|rate| rate > 0.0));
    let mut it =
        it.measured(fill, limits).level().hold(Duration::from_secs(2)).used(Some(fill), evictions, refused);
    let share = percent(fill);
    if refused.is_some_and(|n| n > 0) {
        it = it
            .at_least(Severity::Critical)
            .says(format!("{share} full and refuses writes: {} in the last seconds", refused.unwrap_or(0)));
    } else if evicting {
        let rate = evictions.unwrap_or(0.0);
        // memcached does not count what it takes in by command.
        let counted = sample.eviction_policy.as_str() != "lru";
        let thrashes = counted && writes(window).is_some_and(|writes| rate > writes * THRASH);
        let pace = if thrashes { ", nearly as fast as it takes new ones in" } else { "" };
        it = it
            .at_least(Severity::Warning)
            .says(format!("{share} full and throws out {rate:.0} keys/s{pace} ({})", sample.eviction_policy));
        if thrashes {
            it = it.at_least(Severity::Critical);
        }
    } else if can_evict(sample) {
        // A cache that keeps itself full and throws nothing out does what it was set up for.
        it.entered = it.entered.min(Severity::Warning);
        it.kept = it.kept.min(Severity::Critical);
        it.level = it.entered;
        it = it.says(format!("{share} full, throws nothing out"));
    } else {
        let fate = if fill >= limits.warning { "; at the limit writes fail" } else { "" };
        it = it.says(format!("{share} full ({}{fate})", sample.eviction_policy));
    }
    if it.kept > Severity::Ok
        && let Some(remedy) = make_room(id, &sample.namespaces)
    {
        it = it.remedy(remedy);
    }
    it
}

/// No limit of its own: the machine's memory is the limit, and the kernel's OOM killer keeps it.
fn without_limit(it: Assessment, sample: &CacheSample, limits: crate::config::Limits) -> Assessment {
    match sample.resident_memory.zip(sample.system_memory.filter(|total| *total > 0)) {
        Some((resident, total)) => {
            let fill = resident as f64 / total as f64;
            let says = format!("takes {} of its machine's memory; no maxmemory is set", percent(fill));
            it.measured(fill, limits)
                .level()
                .hold(Duration::from_secs(2))
                .used(Some(fill), None, None)
                .says(says)
        }
        None => it.unknown("no maxmemory is set and the machine's memory is not told: fill cannot be judged"),
    }
}

/// Whether the server makes room by itself.
fn can_evict(sample: &CacheSample) -> bool {
    let policy = sample.eviction_policy.as_str();
    policy == "lru"
        || policy.starts_with("allkeys-")
        || (policy.starts_with("volatile-") && sample.expiring_keys > 0)
}

/// Calls a second of the commands that put new keys in.
fn writes(window: Option<&CacheRates>) -> Option<f64> {
    const WRITES: [&str; 10] =
        ["set", "setex", "psetex", "setnx", "mset", "hset", "hmset", "getset", "lpush", "rpush"];
    let calls = &window?.by_command;
    Some(calls.iter().filter(|it| WRITES.contains(&it.name.as_str())).map(|it| it.calls).sum())
}

/// The clearing of the greatest namespace that may be cleared.
fn make_room(id: &TargetId, namespaces: &[NamespaceSample]) -> Option<Remedy> {
    let (greatest, share) = namespaces
        .iter()
        .filter(|it| !it.protected)
        .filter_map(|it| Some((it, it.share?)))
        .filter(|(_, share)| *share >= WORTH_CLEARING)
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let namespace = Namespace::parse(greatest.name.as_str(), greatest.prefix.as_str(), false).ok()?;
    let says = format!("clear {}: about {} of the keys", namespace.name, percent(share));
    Some(Remedy {
        intent: Some(Intent::ClearNamespace { target: id.clone(), namespace, how: Clearing::default() }),
        says,
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
