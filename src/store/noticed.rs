//! What happened to a server between two answers that no rate tells: it was restarted, promoted, set
//! otherwise. Each a phrase that follows the target's name.

use super::reloaded::reloaded;
use crate::model::{BackendKey, CacheSample, DatabaseSample, Sample, Timestamp};

/// Settings told by name; the rest is counted.
const NAMED: usize = 3;

/// What happened from one answer of a target to a later one.
#[must_use]
pub fn noticed(before: &Sample, now: &Sample) -> Vec<String> {
    match (before, now) {
        (Sample::Database(before), Sample::Database(now)) => database(before, now),
        (Sample::Cache(before), Sample::Cache(now)) => cache(before, now),
        (Sample::Proxy(before), Sample::Proxy(now)) => reloaded(before, now).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn cache(before: &CacheSample, now: &CacheSample) -> Vec<String> {
    let mut out = Vec::new();
    // Of a cluster each master tells for itself.
    let is_whole = before.cluster.is_some() && now.cluster.is_some();
    let another =
        !is_whole && !before.run_id.is_empty() && before.run_id != now.run_id && !now.run_id.is_empty();
    match (&before.address, &now.address) {
        (Some(then), Some(here)) if then != here => {
            out.push(format!("failed over from {then}: {here} is its master now"));
        }
        _ if another => out.push("was restarted, or another server answers in its place".to_owned()),
        _ => {}
    }
    match (before.role.as_str(), now.role.as_str()) {
        ("slave", "master") if !another => out.push("was promoted: it takes writes now".to_owned()),
        ("master", "slave") => out.push("is a replica now".to_owned()),
        _ => {}
    }
    out
}

fn database(before: &DatabaseSample, now: &DatabaseSample) -> Vec<String> {
    let mut out = Vec::new();
    let unknown = Timestamp::default();
    if before.started != now.started && before.started != unknown && now.started != unknown {
        out.push("was restarted".to_owned());
    } else if let (Some(then), Some(here)) = (writer(before), writer(now))
        && then != here
    {
        // The postmaster lives on and has replaced every process below it.
        out.push("crashed and recovered: every session was dropped".to_owned());
    }
    if before.version != now.version && before.version > 0 {
        out.push(format!("is PostgreSQL {} now", version(now.version)));
    }
    match (before.in_recovery, now.in_recovery) {
        (true, false) => out.push("was promoted: it takes writes now".to_owned()),
        (false, true) => out.push("is a standby now".to_owned()),
        _ => {}
    }
    out.extend(settings(before, now));
    out
}

/// The process that writes buffers out: as old as the server's present life.
fn writer(sample: &DatabaseSample) -> Option<BackendKey> {
    let found = sample.backends.iter().find(|one| one.kind.as_str() == "checkpointer");
    found.map(|one| one.key).filter(|key| key.started != Timestamp::default())
}

fn version(number: u32) -> String {
    format!("{}.{}", number / 10_000, number % 10_000)
}

fn settings(before: &DatabaseSample, now: &DatabaseSample) -> Option<String> {
    let (then, here) = (&before.upkeep.settings, &now.upkeep.settings);
    if then.is_empty() || here.is_empty() || then == here {
        return None;
    }
    let was = |name: &str| then.iter().find(|one| one.name.as_str() == name).map(|one| one.value.as_str());
    let mut changed: Vec<String> = here
        .iter()
        .filter(|one| was(one.name.as_str()) != Some(one.value.as_str()))
        .map(|one| match was(one.name.as_str()) {
            Some(old) => format!("{} from {old} to {}", one.name, one.value),
            None => format!("{} to {}", one.name, one.value),
        })
        .collect();
    let gone = then.iter().filter(|one| here.iter().all(|other| other.name != one.name));
    changed.extend(gone.map(|one| format!("{} from {} to its default", one.name, one.value)));
    let more = changed.len().saturating_sub(NAMED);
    changed.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("was set otherwise: {}{more}", changed.join(", ")))
}
