//! `postgres.locks`: sessions that wait for a lock, and who they wait for in the end.
//! Measured in sessions that have waited for at least a quarter second.

use std::time::Duration;

use super::blocking::{Forest, Node, Offer, Root, RootKind, end, instead, sentence, session};
use super::{Assessment, View};
use crate::model::{Backend, Culprit, DatabaseSample, Intent, Remedy, Resource, Severity, TargetId};

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
    // Behind a pooler the session's own address is the pooler's.
    if let Some(Node::Backend(at)) = root.nodes.first()
        && let Some(held) = sample.backends.get(*at)
        && let Some((pooler, client)) = view.store.client_behind(view.now, held)
    {
        it.says = format!("{}; its client is {}, through {}", it.says, client.address, pooler.info.id);
    }
    if let Some(culprit) = culprit(&forest, root, sample) {
        it = it.culprit(culprit);
    }
    match remedy(target, &forest, root, offer.as_ref(), sample) {
        Some(remedy) => it.remedy(remedy),
        None => it,
    }
}

fn culprit(forest: &Forest, root: &Root, sample: &DatabaseSample) -> Option<Culprit> {
    let culprit = match root.nodes.first()? {
        Node::Backend(at) => Culprit::backend(sample.backends.get(*at)?, root.waiters),
        Node::Prepared(at) => {
            let one = sample.prepared.get(*at)?;
            Culprit::Prepared {
                gid: one.gid.clone(),
                owner: one.owner.clone(),
                waiters: root.waiters,
                database: one.database.clone(),
                frees: crate::model::Freed::default(),
            }
        }
        Node::UnnamedPrepared => return None,
    };
    Some(if root.kind == RootKind::Holder { culprit.freeing(forest.freed_by(&root.nodes)) } else { culprit })
}

fn remedy(
    target: &TargetId,
    forest: &Forest,
    root: &Root,
    offer: Option<&Offer>,
    sample: &DatabaseSample,
) -> Option<Remedy> {
    let advice = |says: String| Some(Remedy::advice(says));
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
    if let Some(hidden) = sessions.iter().find(|one| one.is_hidden()) {
        return advice(format!(
            "grant pg_monitor and pg_signal_backend to our role (doctor prints it): then it can be told and \
             ended; or have {} ended by who may: pg_terminate_backend({})",
            hidden.who(),
            hidden.key.pid
        ));
    }
    if let Some(other) = sessions.iter().find(|one| !one.is_client() && !one.kind.is_empty()) {
        return advice(match other.kind.as_str() {
            "autovacuum worker" if other.query.as_str().contains("to prevent wraparound") => {
                "this autovacuum prevents wraparound and does not yield: let it end, or stop the waiter"
                    .into()
            }
            "autovacuum worker" => {
                "wait: autovacuum yields by itself after deadlock_timeout (1 s unless set otherwise)".into()
            }
            "walsender" => "it is a walsender: ending it cuts a standby, a backup or a subscriber off, so \
                            that is not offered; find out whom it feeds"
                .into(),
            kind => format!("a {kind} is not ended from here: find out what it serves"),
        });
    }
    let backends = sessions.iter().map(|one| one.key).collect();
    let intent = Some(Intent::TerminateBackend { target: target.clone(), backends });
    let says = end(forest, offer, forest.freed_by(&nodes)) + &instead(forest, root, sample);
    Some(Remedy { intent, says })
}
