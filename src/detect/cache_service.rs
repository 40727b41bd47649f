//! What a cache owes besides room and speed: replicas in step, saving that works.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, many, span};
use crate::model::{CacheReplica, CacheSample, Remedy, ReplicaLink, Resource, Severity, TargetId};
use crate::store::CacheRates;

/// A replica that is so many bytes behind has fallen behind.
const BEHIND: u64 = 64 * 1024 * 1024;
/// A link that is down for so many seconds is not down by a restart.
const LONG: u64 = 60;

/// How every cache stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .flat_map(|(target, sample)| {
            let (id, window) = (&target.info.id, target.cache_window());
            [
                saving(id, sample, window),
                sample.replica_link.as_ref().map(|link| link_up(id, link)),
                replicas(id, sample),
            ]
        })
        .flatten()
        .collect()
}

fn new(rule: &'static str, id: &TargetId) -> Assessment {
    Assessment::new(rule, Resource::CacheService, id.clone())
}

/// Saving that fails, and the writes that the server refuses for it.
fn saving(id: &TargetId, sample: &CacheSample, window: Option<&CacheRates>) -> Option<Assessment> {
    let kept = sample.persistence.as_ref()?;
    let it = new("cache_saving", id);
    let refused = window.and_then(|window| window.save_errors).filter(|refused| *refused > 0);
    let what = match (kept.append_failed, kept.snapshot_failed) {
        (true, _) => "the last write to its append-only file failed",
        (false, true) => "its last snapshot failed",
        (false, false) => return Some(it.says("saves what it should")),
    };
    let loses = format!("{} would be lost", many(kept.unsaved_changes, "change", "changes"));
    let it = it.remedy(Remedy::advice(
        "look for a full disk, a wrong dir or no memory to fork (its log says which), then BGSAVE",
    ));
    Some(match refused {
        // Our own PING is refused as a write would be: that writes are refused is sure, how many is not.
        Some(_) => it.at_least(Severity::Critical).says(format!("refuses writes: {what}; {loses}")),
        None if kept.append_failed => it.at_least(Severity::Critical).says(format!("{what}; {loses}")),
        None => it.at_least(Severity::Warning).says(format!("{what}; {loses}")),
    })
}

/// On a replica, its own link.
fn link_up(id: &TargetId, link: &ReplicaLink) -> Assessment {
    let it = new("cache_replica", id);
    if link.up {
        return it.says("a replica, linked to its master");
    }
    let down = link.down_for.map_or_else(String::new, |down| format!(" for {}", span(down as f64)));
    if link.syncing {
        return it
            .at_least(Severity::Warning)
            .hold(Duration::from_secs(5))
            .says(format!("a replica that is copying everything anew from its master, without it{down}"));
    }
    let severity =
        if link.down_for.is_some_and(|down| down >= LONG) { Severity::Critical } else { Severity::Warning };
    it.at_least(severity)
        .says(format!("a replica without its master{down}: what it answers grows old"))
        .remedy(Remedy::advice(
            "see whether the master answers, and whether the replica's masterauth still fits",
        ))
}

/// On a master, those who follow it.
fn replicas(id: &TargetId, sample: &CacheSample) -> Option<Assessment> {
    let worst = sample.replicas.iter().max_by_key(|it| (it.state.as_str() != "online", it.behind))?;
    let CacheReplica { address, state, behind, .. } = worst;
    let it = new("cache_replicas", id);
    if state.as_str() != "online" {
        let says = format!("replica {address} is not in step yet ({state}): it is sent everything anew");
        return Some(it.at_least(Severity::Warning).hold(Duration::from_secs(10)).says(says));
    }
    let Some(behind) = behind.filter(|behind| *behind >= BEHIND) else {
        let number = sample.replicas.len() as u64;
        return Some(it.says(format!("{} in step", many(number, "replica", "replicas"))));
    };
    let lost = sample.backlog.is_some_and(|backlog| behind >= backlog);
    let fate = if lost { "; if its link breaks now, it is sent everything anew" } else { "" };
    let says = format!("replica {address} is {} behind{fate}", bytes(behind as f64));
    Some(it.at_least(Severity::Warning).hold(Duration::from_secs(5)).says(says))
}
