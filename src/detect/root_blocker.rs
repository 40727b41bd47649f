//! `postgres.locks`: sessions that wait for a lock, and who they wait for in the end.
//! Measured in sessions that have waited for at least a quarter second.

use std::time::Duration;

use super::blocking::{Forest, Node, Offer, Root, RootKind};
use super::{Assessment, View};
use crate::model::words::{many, span};
use crate::model::{
    Backend, BackendState, Culprit, DatabaseSample, Intent, Remedy, Resource, Severity, TargetId,
};

/// A shorter wait is a lock doing its work: a busy server has some at any moment.
const SHORTEST: f64 = 0.25;
/// One session that has waited this long is as bad as five.
const LONG: f64 = 15.0;

/// Judges every database.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.databases(view.now).map(|(target, sample)| judge(view, &target.info.id, sample)).collect()
}

fn judge(view: &View<'_>, target: &TargetId, sample: &DatabaseSample) -> Assessment {
    let forest = Forest::build(&sample.backends, &sample.prepared);
    let waited = |backend: &&Backend| backend.wait_age.is_none_or(|age| age >= SHORTEST);
    let waits = |backend: &&Backend| backend.waits_for_lock() || !backend.blocked_by.is_empty();
    let waiting = sample.backends.iter().filter(waits).filter(waited).count();
    let oldest = forest.roots.iter().filter_map(|root| root.oldest_wait).fold(0.0, f64::max);
    let limits = view.limits(Resource::PostgresLocks, target);
    let mut it = Assessment::new("root_blocker", Resource::PostgresLocks, target.clone())
        .measured(waiting as f64, limits)
        .used(None, Some(f64::from(forest.waiters)), None)
        .proven(oldest);
    // Many at once need no long proof.
    it.hold = if it.entered == Severity::Critical { Duration::from_secs(1) } else { Duration::from_secs(2) };
    if waiting > 0 && oldest >= LONG {
        it = it.at_least(Severity::Critical);
    }
    if forest.waiters == 0 {
        return it.says("nobody waits for a lock");
    }
    let offer = forest.offer();
    let speaks = offer.as_ref().and_then(|offer| offer.roots.first().copied()).unwrap_or(0);
    let Some(root) = forest.roots.get(speaks) else { return it.says("nobody waits for a lock") };
    it = it.says(sentence(&forest, root, offer.as_ref(), sample));
    if let Some(culprit) = culprit(root, sample) {
        it = it.culprit(culprit);
    }
    match remedy(target, &forest, root, offer.as_ref(), sample) {
        Some(remedy) => it.remedy(remedy),
        None => it,
    }
}

fn sentence(forest: &Forest, root: &Root, offer: Option<&Offer>, sample: &DatabaseSample) -> String {
    let wait = |count: u32| if count == 1 { "1 waits".to_owned() } else { format!("{count} wait") };
    let elsewhere = forest.waiters.saturating_sub(root.waiters);
    let more = if elsewhere > 0 { format!("; {} elsewhere", wait(elsewhere)) } else { String::new() };
    let own = match root.kind {
        RootKind::Cycle => {
            return format!(
                "{} wait for each other in a circle; the server ends one of them by itself{more}",
                many(root.nodes.len() as u64, "session", "sessions")
            );
        }
        RootKind::Unresolved => match root.nodes.first().and_then(|node| session(*node, sample)) {
            Some(startup) if startup.kind.as_str() == "startup" => {
                "the replay of the log waits for a reader".into()
            }
            _ => "a lock whose holder the server does not tell".into(),
        },
        RootKind::Holder => root.nodes.first().map_or_else(String::new, |node| who(*node, sample)),
    };
    let together = match offer.map(|offer| offer.roots.len()) {
        Some(2) => {
            format!(" and {}", offer.and_then(|offer| second(forest, offer, sample)).unwrap_or_default())
        }
        Some(count) if count > 2 => format!(" and {} more", count - 1),
        _ => String::new(),
    };
    let behind = if together.is_empty() { "it" } else { "them" };
    format!("{own}{together}: {} behind {behind}{more}", wait(root.waiters))
}

fn second(forest: &Forest, offer: &Offer, sample: &DatabaseSample) -> Option<String> {
    let root = forest.roots.get(*offer.roots.get(1)?)?;
    root.nodes.first().map(|node| who(*node, sample))
}

fn session(node: Node, sample: &DatabaseSample) -> Option<&Backend> {
    match node {
        Node::Backend(at) => sample.backends.get(at),
        Node::Prepared(_) | Node::UnnamedPrepared => None,
    }
}

/// `web.3 (pid 4211), idle in transaction 2m14s`.
fn who(node: Node, sample: &DatabaseSample) -> String {
    match node {
        Node::Backend(at) => sample.backends.get(at).map_or_else(String::new, describe),
        Node::Prepared(at) => sample.prepared.get(at).map_or_else(String::new, |one| {
            format!("prepared transaction {} of {}, {} old", one.gid, one.owner, span(one.age))
        }),
        Node::UnnamedPrepared => "a prepared transaction".into(),
    }
}

fn describe(backend: &Backend) -> String {
    let (name, pid) = (backend.who(), backend.key.pid);
    let age = match backend.state {
        // What counts is how long it holds its locks.
        BackendState::Active => backend.xact_age.or(backend.query_age),
        _ => backend.state_age,
    };
    let state =
        if backend.state == BackendState::Unknown { backend.kind.as_str() } else { backend.state.word() };
    let age = age.map_or_else(String::new, |age| format!(" {}", span(age)));
    format!("{name} (pid {pid}), {state}{age}")
}

fn culprit(root: &Root, sample: &DatabaseSample) -> Option<Culprit> {
    match root.nodes.first()? {
        Node::Backend(at) => Some(Culprit::backend(sample.backends.get(*at)?, root.waiters)),
        Node::Prepared(at) => sample.prepared.get(*at).map(|one| Culprit::Prepared {
            gid: one.gid.clone(),
            owner: one.owner.clone(),
            waiters: root.waiters,
        }),
        Node::UnnamedPrepared => None,
    }
}

fn remedy(
    target: &TargetId,
    forest: &Forest,
    root: &Root,
    offer: Option<&Offer>,
    sample: &DatabaseSample,
) -> Option<Remedy> {
    let advice = |says: String| Some(Remedy { intent: None, says });
    let Some(offer) = offer else {
        return match root.kind {
            RootKind::Cycle => advice("wait for deadlock_timeout: the server ends one of them".into()),
            _ => advice("look again: the blocker is not known".into()),
        };
    };
    let nodes: Vec<Node> = offer
        .roots
        .iter()
        .filter_map(|root| forest.roots.get(*root))
        .filter_map(|root| root.nodes.first().copied())
        .collect();
    if let Some(Node::Prepared(at)) = nodes.iter().find(|node| matches!(node, Node::Prepared(_))) {
        let one = sample.prepared.get(*at)?;
        if nodes.len() > 1 {
            return advice(format!("prepared transaction {} holds with others: end that first", one.gid));
        }
        return Some(Remedy {
            intent: Some(Intent::RollbackPrepared {
                target: target.clone(),
                gid: one.gid.as_str().to_owned(),
                database: one.database.as_str().to_owned(),
            }),
            says: format!(
                "ask who prepared it to commit it, or roll back prepared {}: frees {}, its changes are lost",
                one.gid, offer.frees
            ),
        });
    }
    let sessions: Vec<&Backend> = nodes.iter().filter_map(|node| session(*node, sample)).collect();
    if sessions.len() < nodes.len() || sessions.is_empty() {
        return advice("commit or roll back the prepared transaction (see pg_prepared_xacts)".into());
    }
    if let Some(other) = sessions.iter().find(|one| !one.is_client() && !one.kind.is_empty()) {
        return advice(match other.kind.as_str() {
            "autovacuum worker" if other.query.as_str().contains("to prevent wraparound") => {
                "this autovacuum prevents wraparound and does not yield: let it end, or stop the waiter"
                    .into()
            }
            "autovacuum worker" => "autovacuum yields by itself after deadlock_timeout".into(),
            kind => format!("a {kind} is not ended from here: find out what it serves"),
        });
    }
    let end = match sessions.len() {
        1 => "end it".to_owned(),
        2 => "end both".to_owned(),
        count => format!("end all {count} together"),
    };
    let backends = sessions.iter().map(|one| one.key).collect();
    let intent = Some(Intent::TerminateBackend { target: target.clone(), backends });
    Some(Remedy { intent, says: format!("{end}: frees {}", offer.frees) })
}
