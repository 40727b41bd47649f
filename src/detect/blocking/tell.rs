//! The words for who stands in a tree and for what the trees come to.

use super::{Forest, Node, Offer, Root, RootKind};
use crate::model::words::{many, span};
use crate::model::{Backend, BackendState, DatabaseSample, Freed, Lock};

/// Seconds from which the age of a transaction is told where its state is much younger: it holds its locks
/// that long.
const OPEN: f64 = 2.0;

/// `web.3 (pid 4211), idle in transaction 2m14s`.
#[must_use]
pub fn who(node: Node, sample: &DatabaseSample) -> String {
    match node {
        Node::Backend(at) => sample.backends.get(at).map_or_else(String::new, describe),
        Node::Prepared(at) => sample.prepared.get(at).map_or_else(String::new, |one| {
            format!("prepared transaction {} of {}, {} old", one.gid, one.owner, span(one.age))
        }),
        Node::UnnamedPrepared => "a prepared transaction".into(),
    }
}

/// A session with its state and how long it holds its locks in it.
#[must_use]
pub fn describe(backend: &Backend) -> String {
    let age = match backend.state {
        BackendState::Active => backend.xact_age.or(backend.query_age),
        _ => backend.state_age,
    };
    if backend.is_hidden() {
        return format!("{} (pid {}), its state hidden from us", backend.who(), backend.key.pid);
    }
    let state =
        if backend.state == BackendState::Unknown { backend.kind.as_str() } else { backend.state.word() };
    let open = backend.xact_age.filter(|open| *open >= OPEN && age.is_some_and(|age| *open >= 3.0 * age));
    let open = open.map_or_else(String::new, |open| format!(" (transaction open {})", span(open)));
    let age = age.map_or_else(String::new, |age| format!(" {}", span(age)));
    format!("{} (pid {}), {state}{age}{open}", backend.who(), backend.key.pid)
}

/// The session of a node, if it is one.
pub(in crate::detect) fn session(node: Node, sample: &DatabaseSample) -> Option<&Backend> {
    match node {
        Node::Backend(at) => sample.backends.get(at),
        Node::Prepared(_) | Node::UnnamedPrepared => None,
    }
}

/// One sentence on the tree that matters: its root, who waits behind it and for what.
pub(in crate::detect) fn sentence(
    forest: &Forest,
    root: &Root,
    offer: Option<&Offer>,
    sample: &DatabaseSample,
) -> String {
    let wait = |count: u32| if count == 1 { "1 waits".to_owned() } else { format!("{count} wait") };
    let elsewhere = forest.waiters.saturating_sub(root.waiters);
    let more = if elsewhere > 0 { format!("; {} elsewhere", wait(elsewhere)) } else { String::new() };
    let own = match root.kind {
        RootKind::Cycle => {
            let sessions = many(root.nodes.len() as u64, "session", "sessions");
            let behind = root.waiters.saturating_sub(u32::try_from(root.nodes.len()).unwrap_or(u32::MAX));
            let behind = if behind > 0 { format!(", {} behind them", wait(behind)) } else { String::new() };
            return format!(
                "{sessions} wait for each other in a circle{behind}; the server ends one of them by itself{more}"
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
    let together = match offer.map(|offer| offer.roots.as_slice()) {
        Some([_, second]) => {
            let second = forest.roots.get(*second).and_then(|root| root.nodes.first());
            format!(" and {}", second.map_or_else(String::new, |node| who(*node, sample)))
        }
        Some(roots) if roots.len() > 2 => format!(" and {} more", roots.len() - 1),
        _ => String::new(),
    };
    let behind = if together.is_empty() { "it" } else { "them" };
    let thing = wanted(forest, root, sample).map_or_else(String::new, |thing| format!(" for {thing}"));
    let inside = inside(forest, root, sample);
    format!("{own}{together}: {} behind {behind}{thing}{inside}{more}", wait(root.waiters))
}

/// What those next to the root wait for, where it is the same for all that tell: `a row of orders`.
fn wanted(forest: &Forest, root: &Root, sample: &DatabaseSample) -> Option<String> {
    let rows = forest.rows.get(root.rows.clone())?;
    let mut things = rows
        .iter()
        .filter(|row| row.depth == 1)
        .filter_map(|row| session(row.node, sample)?.wants.as_ref())
        .filter(|lock| !lock.on.is_empty())
        .map(Lock::thing);
    let first = things.next()?;
    things.all(|other| other == first).then_some(first)
}

/// The one below the root that most of the others wait for in the first place, and a standby's replay.
fn inside(forest: &Forest, root: &Root, sample: &DatabaseSample) -> String {
    let Some(rows) = forest.rows.get(root.rows.clone()) else { return String::new() };
    let replay = rows.iter().any(|row| {
        row.depth > 0 && session(row.node, sample).is_some_and(|one| one.kind.as_str() == "startup")
    });
    if replay {
        return ", the replay of the log among them".into();
    }
    multiplier(forest, root, sample).map_or_else(String::new, |(one, frees)| {
        format!(", {frees} of them through {} (pid {})", one.who(), one.key.pid)
    })
}

/// The one next to the root that most of the others wait for, and not for the root: DDL behind a report. With
/// how many go on without it.
fn multiplier<'a>(forest: &Forest, root: &Root, sample: &'a DatabaseSample) -> Option<(&'a Backend, u32)> {
    let rows = forest.rows.get(root.rows.clone())?;
    let most = rows.iter().filter(|row| row.depth == 1).max_by_key(|row| row.frees)?;
    (most.frees > 1 && most.frees * 2 >= root.waiters).then_some((session(most.node, sample)?, most.frees))
}

/// `; or cancel migrate (pid 4302) alone: frees 6`, where that helps most of them and the root lives on.
pub(in crate::detect) fn instead(forest: &Forest, root: &Root, sample: &DatabaseSample) -> String {
    let able = |one: &Backend| one.is_client() && one.state == BackendState::Active;
    let it = multiplier(forest, root, sample).filter(|(one, _)| able(one));
    it.map_or_else(String::new, |(one, frees)| {
        format!("; or cancel {} (pid {}) alone: frees {frees}", one.who(), one.key.pid)
    })
}

/// `end it: frees 38`, or what is left where it does not free all.
pub(in crate::detect) fn end(forest: &Forest, offer: &Offer, freed: Freed) -> String {
    let end = match offer.roots.len() {
        1 => "end it".to_owned(),
        2 => "end both".to_owned(),
        count => format!("end all {count} together"),
    };
    let alone: u32 =
        offer.roots.iter().filter_map(|root| forest.roots.get(*root)).map(|root| root.frees).sum();
    let alone = match (offer.roots.len(), alone) {
        (2, 0) => " (either alone frees nobody)",
        (3.., 0) => " (one alone frees nobody)",
        _ => "",
    };
    let rest = match freed.still_blocked {
        0 => String::new(),
        1 => "; 1 waits for others too".into(),
        some => format!("; {some} wait for others too"),
    };
    format!("{end}: frees {}{alone}{rest}", offer.frees)
}
