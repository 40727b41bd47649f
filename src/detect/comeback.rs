//! Whether an application whose session was ended comes back at once and holds others up again: then ending
//! its sessions mends nothing, and that is told.

use super::blocking::{Forest, Node};
use crate::model::{Backend, BackendKey, DatabaseSample, Intent, Plan, SafeText, TargetId, Timestamp};

/// A shorter wait is a lock doing its work, in seconds.
const SHORTEST: f64 = 0.25;

/// Sessions that are ended: what their clients call themselves, and who was there already.
#[derive(Clone, Debug)]
pub struct Ended {
    target: TargetId,
    names: Vec<SafeText>,
    /// Every session that was there then: none of them came back.
    known: Vec<BackendKey>,
    /// Seen holding others up, first in the answer of this time of the server.
    seen: Option<(BackendKey, Timestamp)>,
}

/// An application that is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// On which server.
    pub target: TargetId,
    /// What it calls itself.
    pub who: SafeText,
    /// Its new session.
    pub key: BackendKey,
    /// From which address; empty for a local socket.
    pub client: SafeText,
    /// Who waits behind it.
    pub waiters: usize,
}

impl Ended {
    /// Remembers whose sessions this plan ends, by the last answer before it; `None` where it ends none.
    #[must_use]
    pub fn by(plan: &Plan, before: &DatabaseSample) -> Option<Self> {
        let Intent::TerminateBackend { target, backends } = &plan.intent else { return None };
        let meant = before.backends.iter().filter(|one| backends.contains(&one.key));
        let names: Vec<SafeText> = meant.map(|one| one.who().into()).collect();
        let known = before.backends.iter().map(|one| one.key).chain(backends.iter().copied()).collect();
        (!names.is_empty()).then(|| Self { target: target.clone(), names, known, seen: None })
    }

    /// On which server.
    #[must_use]
    pub const fn target(&self) -> &TargetId {
        &self.target
    }

    /// Looks whether one of them is back and, in two answers on end, others wait for it: who takes a lock for a
    /// moment does its work.
    pub fn look(&mut self, now: &DatabaseSample) -> Option<Back> {
        let back = now.backends.iter().enumerate().find_map(|(at, one)| {
            let known = self.known.contains(&one.key) || one.waits_for_lock();
            let same = self.names.iter().any(|name| name.as_str() == one.who());
            let waiters = if same && !known { waiters(now, at) } else { 0 };
            (waiters > 0).then(|| Back {
                target: self.target.clone(),
                who: one.who().into(),
                key: one.key,
                client: one.client.clone(),
                waiters,
            })
        });
        let first = |key| match self.seen {
            Some((seen, at)) if seen == key => at,
            _ => now.server_time,
        };
        self.seen = back.as_ref().map(|back| (back.key, first(back.key)));
        back.filter(|_| self.seen.is_some_and(|(_, at)| at < now.server_time))
    }
}

/// How many wait behind this one, where one of them does so not just for a moment.
fn waiters(sample: &DatabaseSample, holder: usize) -> usize {
    let Some(pid) = sample.backends.get(holder).map(|one| one.key.pid) else { return 0 };
    let waits =
        |one: &Backend| one.blocked_by.contains(&pid) && one.wait_age.is_none_or(|age| age >= SHORTEST);
    if !sample.backends.iter().any(waits) {
        return 0;
    }
    let forest = Forest::build(&sample.backends, &sample.prepared);
    forest.behind(&[Node::Backend(holder)]).len()
}

impl Back {
    /// The sentence, so many seconds after the end.
    #[must_use]
    pub fn says(&self, after: f64) -> String {
        let wait = if self.waiters == 1 { "1 waits".to_owned() } else { format!("{} wait", self.waiters) };
        format!(
            "{} is back on {} after {after:.0} s as pid {}, and {wait} behind it again: ending its sessions does \
             not mend it, stop what starts them{}",
            self.who,
            self.target,
            self.key.pid,
            self.place()
        )
    }

    /// ` on 10.0.0.7`, where it is known.
    #[must_use]
    pub fn place(&self) -> String {
        if self.client.is_empty() { String::new() } else { format!(" on {}", self.client) }
    }
}
