//! `postgres.replication`: how far standbys are behind. Measured in seconds; only where there is replication.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, many, span};
use crate::model::{DatabaseSample, Remedy, Replica, ReplicationSlot, Resource, Severity, TargetId};

/// A standby that has this much left to replay and tells no delay is not called caught up.
const CAUGHT_UP: f64 = 16.0 * 1024.0 * 1024.0;

/// Judges every database that feeds a standby or is one.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let databases = view.store.databases(view.now);
    databases.filter_map(|(target, sample)| judge(view, &target.info.id, sample)).collect()
}

fn judge(view: &View<'_>, id: &TargetId, sample: &DatabaseSample) -> Option<Assessment> {
    let it = Assessment::new("replication", Resource::PostgresReplication, id.clone());
    let limits = view.limits(Resource::PostgresReplication, id);
    // A base backup is sent by the same kind of process and is behind by its nature.
    let fed: Vec<&Replica> = sample.replicas.iter().filter(|one| one.state.as_str() != "backup").collect();
    if let Some(lag) = sample.replay_lag {
        let says = if lag < 1.0 {
            "a standby, caught up".into()
        } else {
            format!("a standby, {} behind", span(lag))
        };
        return Some(
            it.measured(lag, limits)
                .level()
                .used(None, Some(lag), None)
                .hold(Duration::from_secs(2))
                .says(says),
        );
    }
    if fed.is_empty() {
        return sample.in_recovery.then(|| {
            it.unknown(
                "a standby whose delay cannot be told: it receives no log, or has replayed nothing yet",
            )
        });
    }
    let worst =
        fed.iter().filter_map(|one| lag(one).map(|lag| (lag, *one))).max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((lag, worst)) = worst else {
        return Some(it.unknown("the delay of its standbys is not told"));
    };
    let left = worst.lag_bytes.map_or_else(String::new, |left| format!(" ({})", bytes(left)));
    let says = if lag < 1.0 {
        format!("{} caught up", many(fed.len() as u64, "standby", "standbys"))
    } else {
        let name = if worst.name.is_empty() { "a standby" } else { worst.name.as_str() };
        format!("{name} is {} behind{left}, {}", span(lag), worst.state)
    };
    Some(it.measured(lag, limits).level().used(None, Some(lag), None).hold(Duration::from_secs(2)).says(says))
}

/// A slot that nobody reads from and that keeps this much log, in bytes, will fill the disk.
const RETAINED: f64 = 4.0 * 1024.0 * 1024.0 * 1024.0;

/// Judges the slots of every database that has some.
pub(super) fn slots(view: &View<'_>) -> Vec<Assessment> {
    let databases = view.store.databases(view.now);
    databases.filter_map(|(target, sample)| judge_slots(&target.info.id, sample)).collect()
}

fn judge_slots(id: &TargetId, sample: &DatabaseSample) -> Option<Assessment> {
    let of = |slot: &ReplicationSlot| {
        let kept = slot.retained.unwrap_or(0.0);
        let severity = match slot.wal_status.as_str() {
            "lost" | "unreserved" => Severity::Critical,
            _ if !slot.active && kept >= RETAINED => Severity::Warning,
            _ => Severity::Ok,
        };
        (severity, kept)
    };
    let worst = sample.upkeep.slots.iter().max_by(|a, b| {
        let (a, b) = (of(a), of(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })?;
    let (severity, kept) = of(worst);
    let it = Assessment::new("slots", Resource::PostgresReplication, id.clone()).at_least(severity);
    let name = &worst.name;
    Some(match worst.wal_status.as_str() {
        "lost" => it
            .says(format!("slot {name} is lost: its log is gone, its reader must be made anew"))
            .remedy(Remedy::advice(format!("drop slot {name}, then build its standby or subscriber anew"))),
        "unreserved" => it
            .says(format!(
                "slot {name} is about to be lost: it keeps {} of log, more than may be kept",
                bytes(kept)
            ))
            .remedy(Remedy::advice(format!(
                "bring its reader back, or raise max_slot_wal_keep_size before {name} is lost"
            ))),
        _ if severity > Severity::Ok => {
            it.says(format!("slot {name} keeps {} of log, and nobody reads from it", bytes(kept))).remedy(
                Remedy::advice(format!("bring its reader back, or drop slot {name} before the disk is full")),
            )
        }
        _ => it.says(format!("{} fine", many(sample.upkeep.slots.len() as u64, "slot", "slots"))),
    })
}

/// Seconds behind. An idle standby tells none: then it is caught up if little is left to replay.
fn lag(replica: &Replica) -> Option<f64> {
    replica.lag_seconds.or_else(|| replica.lag_bytes.filter(|left| *left < CAUGHT_UP).map(|_| 0.0))
}
