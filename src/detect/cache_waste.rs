//! Rules `fragmentation` and `lazy_free`: memory that a cache holds without using it, or uses without having it.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, count};
use crate::model::{CacheSample, Culprit, Remedy, Resource, SafeText, Severity, TargetId};
use crate::store::CacheRates;

/// Bytes, and resident to used, from which memory is wasted: the ratio alone is high on every empty server.
const WASTED: (i64, f64) = (200 << 20, 1.5);
/// Resident to used, and bytes used, under which a part of it is not in memory at all.
const SWAPPED: (f64, u64) = (0.9, 100 << 20);
/// Keys removed whose memory is still to be freed, from which the freeing falls behind.
const UNFREED: u64 = 100_000;

/// How every cache stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        // The masters of a cluster tell for themselves what belongs to one server.
        .filter(|(_, sample)| sample.cluster.as_ref().is_none_or(|it| it.shards.is_empty()))
        .flat_map(|(target, sample)| {
            let id = &target.info.id;
            [fragmentation(id, sample), lazy_free(id, sample, target.cache_window())]
        })
        .flatten()
        .collect()
}

fn fragmentation(id: &TargetId, sample: &CacheSample) -> Option<Assessment> {
    let (ratio, lost) = sample.fragmentation_ratio.zip(sample.fragmentation_bytes)?;
    let it =
        Assessment::new("fragmentation", Resource::CacheMemory, id.clone()).hold(Duration::from_secs(10));
    if ratio < SWAPPED.0 && sample.used_memory >= SWAPPED.1 {
        let resident = sample.resident_memory.unwrap_or(0) as f64;
        let says = format!(
            "{} of the {} it uses are in memory: the rest is swapped out, and whoever asks for it waits for the disk",
            bytes(resident),
            bytes(sample.used_memory as f64)
        );
        let mend = "free memory on its machine, or lower maxmemory below what the machine can give";
        return Some(it.at_least(Severity::Warning).says(says).remedy(Remedy::advice(mend)));
    }
    if lost < WASTED.0 || ratio < WASTED.1 {
        return Some(it.says(format!("takes {ratio:.2} times what it uses")));
    }
    let says = format!("takes {} more from its machine than it uses ({ratio:.2} times)", bytes(lost as f64));
    let gaps = sample.allocator_gaps.unwrap_or(lost);
    let mend = match (sample.defragments, sample.allocator_kept) {
        (Some(true), _) => "it is moving values together (activedefrag): wait",
        (_, Some(kept)) if kept > gaps => {
            "MEMORY PURGE gives back what its allocator keeps after much was removed"
        }
        (Some(false), _) => "CONFIG SET activedefrag yes, or restart it when it is quiet (a replica first)",
        (None, _) => "restart it when it is quiet (a replica first)",
    };
    Some(it.at_least(Severity::Warning).says(says).remedy(Remedy::advice(mend)))
}

/// What was removed and still takes its place, and which command removes it.
fn lazy_free(id: &TargetId, sample: &CacheSample, window: Option<&CacheRates>) -> Option<Assessment> {
    let waiting = sample.freeing?;
    let it = Assessment::new("lazy_free", Resource::CacheMemory, id.clone()).hold(Duration::from_secs(5));
    if waiting < UNFREED {
        return Some(it.says(format!("{} removed keys are still to be freed", count(waiting))));
    }
    let says = format!(
        "{} removed keys are still to be freed: their memory counts as used until then",
        count(waiting)
    );
    let it = it.at_least(Severity::Warning).says(says);
    let removes = |name: &str| matches!(name, "unlink" | "flushdb" | "flushall" | "del");
    let commands = window.map(|window| window.by_command.as_slice()).unwrap_or_default();
    Some(match commands.iter().find(|it| removes(&it.name)) {
        Some(command) => it
            .remedy(Remedy::advice("slow down what removes them"))
            .culprit(Culprit::Command { name: SafeText::new(&command.name), client: SafeText::default() }),
        None => it.remedy(Remedy::advice("wait: they expired or were thrown out together")),
    })
}
