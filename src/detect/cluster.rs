//! Rules `cluster_slots` and `shard_balance`: what part of a cluster cannot be reached, and whether its
//! masters carry alike.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, count};
use crate::model::{ClusterSample, Remedy, Resource, Severity, TargetId};

/// Slots of a cluster.
const SLOTS: u32 = 16_384;
/// Times the mean from which one master carries too much; less is chance.
const UNEVEN: f64 = 2.0;
/// Bytes over the mean below which it does not matter.
const MATTERS: f64 = 64.0 * 1024.0 * 1024.0;
/// Busy share of its core from which a master that does most of the work is about to hold the others up.
const BUSY: f64 = 0.6;

/// How every cluster stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .filter_map(|(target, sample)| Some((&target.info.id, sample.cluster.as_ref()?)))
        // A member that may not tell has a gap, and no zero.
        .filter(|(_, cluster)| !cluster.state.is_empty())
        .flat_map(|(id, cluster)| [Some(slots(id, cluster)), balance(view, id, cluster)])
        .flatten()
        .collect()
}

fn slots(id: &TargetId, cluster: &ClusterSample) -> Assessment {
    let ClusterSample { assigned, failed, doubtful, .. } = *cluster;
    let it = Assessment::new("cluster_slots", Resource::TargetAnswer, id.clone());
    let nobodys = SLOTS.saturating_sub(assigned);
    let lost = nobodys + failed;
    let refuses = cluster.state.as_str() != "ok";
    let whose = |wanted: u32| -> String {
        let gone =
            cluster.shards.iter().filter(|shard| shard.keys.is_none()).map(|shard| shard.address.as_str());
        let gone: Vec<_> = gone.collect();
        if wanted == 0 || gone.is_empty() { String::new() } else { format!(" ({})", gone.join(", ")) }
    };
    if lost > 0 {
        let fate = if refuses { "the cluster refuses every command" } else { "their keys cannot be reached" };
        let why = match (nobodys, failed) {
            (0, _) => format!("their master is down{}", whose(failed)),
            (_, 0) => "they belong to no master".to_owned(),
            _ => format!(
                "{} belong to no master, the master of the others is down{}",
                count(nobodys.into()),
                whose(failed)
            ),
        };
        let says =
            format!("{} of {} slots are not served, {fate}: {why}", count(lost.into()), count(SLOTS.into()));
        let advice = if failed > 0 {
            "bring the master back, or let a replica of it take over: CLUSTER FAILOVER TAKEOVER, sent to the replica"
        } else {
            "redis-cli --cluster fix gives them to a master"
        };
        return it
            .at_least(Severity::Critical)
            .used(None, None, Some(lost.into()))
            .says(says)
            .remedy(Remedy::advice(advice));
    }
    if refuses {
        let says = "this member refuses every command, for it does not see most of the masters";
        return it.at_least(Severity::Critical).says(says);
    }
    if doubtful > 0 {
        let says = format!(
            "{} slots are in doubt: some members do not hear their master{}",
            count(doubtful.into()),
            whose(doubtful)
        );
        return it.at_least(Severity::Warning).level().hold(Duration::from_secs(2)).says(says);
    }
    it.says(format!("{} masters serve all slots", cluster.shards.len()))
}

fn balance(view: &View<'_>, id: &TargetId, cluster: &ClusterSample) -> Option<Assessment> {
    if cluster.shards.len() < 2 || cluster.shards.iter().any(|shard| shard.used_memory.is_none()) {
        return None;
    }
    let it = Assessment::new("shard_balance", Resource::CacheMemory, id.clone()).hold(Duration::from_secs(5));
    let masters = cluster.shards.len() as f64;
    let used = cluster.shards.iter().filter_map(|shard| Some((shard, shard.used_memory? as f64)));
    let mean = used.clone().map(|(_, used)| used).sum::<f64>() / masters;
    let (fullest, most) = used.max_by(|a, b| a.1.total_cmp(&b.1))?;
    if most >= mean * UNEVEN && most - mean >= MATTERS {
        let says = format!(
            "{} at {} holds {}, {:.1} times as much as a master does on average ({} keys in {} slots)",
            fullest.row,
            fullest.address,
            bytes(most),
            most / mean,
            count(fullest.keys.unwrap_or(0)),
            count(fullest.slots.into())
        );
        let advice = "look for a large key or a hash tag that many keys share; move slots with redis-cli --cluster rebalance";
        let remedy = Remedy::advice(advice);
        return Some(it.at_least(Severity::Warning).says(says).remedy(remedy));
    }
    let rates = cluster.shards.iter().filter_map(|shard| {
        let rates = view.store.target(&id.row(shard.row.as_str()))?.cache_window()?;
        Some((shard, rates.commands?, rates.main_thread?))
    });
    let rates: Vec<_> = rates.collect();
    let per_master = rates.iter().map(|(_, commands, _)| commands).sum::<f64>() / masters;
    let busiest = rates.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((shard, commands, busy)) = busiest
        && rates.len() == cluster.shards.len()
        && *commands >= per_master * UNEVEN
        && *busy >= BUSY
    {
        let says = format!(
            "{} at {} takes {commands:.0} commands/s, {:.1} times as many as a master does on average, and {:.0} % of its core",
            shard.row,
            shard.address,
            commands / per_master,
            busy * 100.0
        );
        let advice = "look for a key that everybody asks for, or a hash tag that many keys share";
        return Some(it.at_least(Severity::Warning).says(says).remedy(Remedy::advice(advice)));
    }
    Some(it.says(format!("the fullest of {masters:.0} masters holds {:.1} times the average", most / mean)))
}
