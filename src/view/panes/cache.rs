//! 5: caches: how full, how often they help, what they drop.

use super::entry::trouble;
use super::{Entry, Scene, Shape, counted, with};
use crate::model::{CACHE_KINDS, CacheSample, Resource, Sample};
use crate::store::{Metric, Target};
use crate::view::format;
use crate::view::widgets::Scale;

/// Fill of the limit, hit ratio, evictions, commands.
pub(super) const SHAPES: (u16, &[Shape]) =
    (8, &[Shape::judged(15, 0), Shape::plain(9, 1), Shape::plain(14, 2), Shape::plain(11, 3)]);

/// One entry a server.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    let mut out = Vec::new();
    for target in scene.world.store.targets() {
        match target.sample.as_ref().map(|sample| &sample.it) {
            Some(Sample::Cache(sample)) => {
                out.push(trouble(target, scene).unwrap_or_else(|| entry(scene, target, sample)));
            }
            None if CACHE_KINDS.contains(&target.info.kind.as_str()) => out.extend(trouble(target, scene)),
            _ => {}
        }
    }
    out
}

fn entry(scene: &Scene<'_>, target: &Target, sample: &CacheSample) -> Entry {
    let id = &target.info.id;
    let rates = target.cache_window();
    let limit = sample.max_memory.filter(|limit| *limit > 0);
    let fill = limit.map(|limit| sample.used_memory as f64 / limit as f64);
    let filled = match (fill, limit) {
        (Some(fill), Some(limit)) => {
            format!("{} of {}", format::share(fill), format::bytes(limit as f64))
        }
        _ => format!("{} no limit", format::bytes(sample.used_memory as f64)),
    };
    let commands = rates.and_then(|rates| rates.commands);
    let evictions = rates.and_then(|rates| rates.evictions);
    let pace = |rate: f64| {
        let ping = sample.ping_ms.map_or_else(String::new, |ping| format!("  {}", format::millis(ping)));
        format!("{}{ping}", format::rate(rate))
    };
    Entry::of(id.as_str(), target, scene)
        .weigh(fill)
        .field(filled, scene.severity(Resource::CacheMemory, id))
        .plain(format!("hit {}", format::maybe(rates.and_then(|rates| rates.hit_ratio), format::share)))
        .plain(format!("evicts {}", format::maybe(evictions, format::rate)))
        .plain(format!("{} cmd", format::maybe(commands, format::rate)))
        .bad_note(slowest(sample), scene.severity(Resource::CacheLatency, id))
        .note(commands.map(pace))
        .note(with("evicts", evictions, format::rate))
        .note(Some(counted(Some(sample.clients as f64), "clients")))
        .note(Some(counted(Some(sample.keys as f64), "keys")))
        .note(sample.fragmentation_ratio.map(|ratio| format!("fragmented {}", format::number(ratio))))
        .course("fill", id, Metric::Resource(Resource::CacheMemory), Scale::Fixed(1.0))
}

/// The slowest command of late, where there is one.
fn slowest(sample: &CacheSample) -> Option<String> {
    let worst = sample.slow.iter().max_by(|a, b| a.took_ms.total_cmp(&b.took_ms))?;
    let name = worst.command.as_str().split(' ').next().unwrap_or(format::UNKNOWN);
    Some(format!("{name} {}", format::millis(worst.took_ms)))
}
