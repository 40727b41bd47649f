//! The masters of a cluster as one cache: what they hold and did, added up.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::model::{CacheClients, CacheSample, CommandStat, Persistence, SafeText};

/// The sample of all masters together; what belongs to no counter is that of the member that was asked.
/// Slow commands are told of the master that ran them, and not here.
pub(super) fn together(own: CacheSample, masters: &[CacheSample]) -> CacheSample {
    let sum = |of: fn(&CacheSample) -> u64| masters.iter().map(of).fold(0, u64::saturating_add);
    // What one does not tell, nobody knows of all.
    let all = |of: fn(&CacheSample) -> Option<u64>| {
        masters.iter().try_fold(0, |sum: u64, it| Some(sum.saturating_add(of(it)?)))
    };
    let (used, resident) = (sum(|it| it.used_memory), all(|it| it.resident_memory));
    let mut life = DefaultHasher::new();
    for master in masters {
        master.run_id.hash(&mut life);
    }
    CacheSample {
        // Another one as soon as one of them is.
        run_id: SafeText::new(&format!("{:016x}", life.finish())),
        uptime: masters.iter().filter_map(|it| it.uptime).min(),
        role: SafeText::new("master"),
        used_memory: used,
        resident_memory: resident,
        max_memory: all(|it| it.max_memory),
        system_memory: all(|it| it.system_memory),
        fragmentation_ratio: resident.filter(|_| used > 0).map(|resident| resident as f64 / used as f64),
        fragmentation_bytes: masters.iter().map(|it| it.fragmentation_bytes).sum(),
        keys: sum(|it| it.keys),
        expiring_keys: sum(|it| it.expiring_keys),
        evicted: sum(|it| it.evicted),
        expired: sum(|it| it.expired),
        hits: sum(|it| it.hits),
        misses: sum(|it| it.misses),
        commands: sum(|it| it.commands),
        clients: sum(|it| it.clients),
        max_clients: all(|it| it.max_clients),
        blocked_clients: sum(|it| it.blocked_clients),
        rejected: sum(|it| it.rejected),
        connections: sum(|it| it.connections),
        // The mean: each has a core of its own.
        main_thread_cpu: masters
            .iter()
            .map(|it| it.main_thread_cpu)
            .sum::<Option<f64>>()
            .map(|cpu| cpu / masters.len().max(1) as f64),
        oom_errors: all(|it| it.oom_errors),
        client_list: clients(masters),
        command_stats: commands(masters),
        slow: Vec::new(),
        persistence: persistence(masters),
        replica_link: None,
        loading: masters.iter().any(|it| it.loading),
        ..own
    }
}

fn commands(masters: &[CacheSample]) -> Vec<CommandStat> {
    let mut all: Vec<CommandStat> = Vec::new();
    for stat in masters.iter().flat_map(|it| &it.command_stats) {
        match all.iter_mut().find(|known| known.name == stat.name) {
            Some(known) => {
                known.calls += stat.calls;
                known.micros += stat.micros;
            }
            None => all.push(stat.clone()),
        }
    }
    all.sort_by(|a, b| b.micros.cmp(&a.micros).then_with(|| a.name.cmp(&b.name)));
    all
}

/// Each master's own, one beside the other: who is connected to all of them is told once for each.
fn clients(masters: &[CacheSample]) -> Option<CacheClients> {
    let lists: Vec<_> = masters.iter().filter_map(|it| it.client_list.as_ref()).collect();
    let mut all = CacheClients { listed: lists.iter().map(|it| it.listed).sum(), ..CacheClients::default() };
    for list in &lists {
        for group in &list.groups {
            match all.groups.iter_mut().find(|known| known.who == group.who) {
                Some(known) => {
                    known.connections += group.connections;
                    known.idle += group.idle;
                }
                None => all.groups.push(group.clone()),
            }
        }
        for fresh in &list.fresh {
            match all.fresh.iter_mut().find(|known| known.who == fresh.who) {
                Some(known) => known.seen += fresh.seen,
                None => all.fresh.push(fresh.clone()),
            }
        }
    }
    all.groups.sort_by_key(|it| std::cmp::Reverse(it.connections));
    all.fresh.sort_by_key(|it| std::cmp::Reverse(it.seen));
    (!lists.is_empty()).then_some(all)
}

fn persistence(masters: &[CacheSample]) -> Option<Persistence> {
    let told: Vec<_> = masters.iter().filter_map(|it| it.persistence.as_ref()).collect();
    (!told.is_empty()).then(|| Persistence {
        snapshot_failed: told.iter().any(|it| it.snapshot_failed),
        append_failed: told.iter().any(|it| it.append_failed),
        unsaved_changes: told.iter().map(|it| it.unsaved_changes).sum(),
    })
}
