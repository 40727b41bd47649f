//! Rule `hit_fall`: a cache that answers far less than it usually does, so that others work instead.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::count;
use crate::model::{CacheSample, Remedy, Resource, Severity, TargetId, Timestamp};
use crate::store::{CacheRates, Metric, Store, Target};

/// So much less of the lookups hit than usually.
const FELL: f64 = 0.15;
/// What is usual is the middle of the points older than this,
const RECENT: Duration = Duration::from_secs(60);
/// and of so many at least.
const ENOUGH: usize = 60;

/// How every cache stands whose usual is known.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.caches(view.now).filter_map(|(target, sample)| judge(view, target, sample)).collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &CacheSample) -> Option<Assessment> {
    let id = &target.info.id;
    let window = target.cache_window()?;
    let ratio = window.hit_ratio?;
    let usual = usual(view.store, id, view.now)?;
    let it = Assessment::new("hit_fall", Resource::CacheService, id.clone());
    let told = format!("{:.0} % of lookups hit", ratio * 100.0);
    if ratio > usual - FELL {
        return Some(it.says(told));
    }
    let (why, mend) = reason(sample, window);
    let severity = if ratio < usual / 2.0 { Severity::Critical } else { Severity::Warning };
    Some(
        it.at_least(severity)
            .hold(Duration::from_secs(5))
            .says(format!("{told}, usually {:.0} %{why}: the misses go to what is behind it", usual * 100.0))
            .remedy(Remedy::advice(mend)),
    )
}

/// What the other counters say of it, and what would help.
fn reason(sample: &CacheSample, window: &CacheRates) -> (String, &'static str) {
    let evicted = window.evictions.filter(|rate| *rate >= 1.0);
    let expired = window.expirations.filter(|rate| *rate >= 1.0);
    match (evicted, expired) {
        (Some(rate), _) => (
            format!("; it throws out {rate:.0} keys/s for want of room"),
            "give it more maxmemory, or clear what is not worth its room",
        ),
        (None, Some(rate)) if rate * 60.0 > sample.keys as f64 / 10.0 => (
            format!("; {rate:.0} keys/s expire"),
            "spread the expiry: keys that were written together expire together",
        ),
        _ => (
            format!("; it holds {} keys", count(sample.keys)),
            "see what was deployed or cleared then: new names of keys, or a cold cache",
        ),
    }
}

/// The middle of what the course shows, the last minute aside.
fn usual(store: &Store, id: &TargetId, now: Timestamp) -> Option<f64> {
    let course = store.course(id, Metric::HitRatio)?;
    let before = now.minus(RECENT);
    let points = course.points().filter(|(at, _)| *at <= before);
    let mut values: Vec<f64> = points.filter_map(|(_, value)| value).collect();
    if values.len() < ENOUGH {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
