//! Logins that come without end, or are not let in: each costs the server a process before its first statement.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::many;
use crate::model::{BackendState, Culprit, DatabaseSample, Remedy, Resource, Severity};
use crate::store::Target;

/// Where only those logins are seen that stay until a poll there are many more: so many times as many.
const UNSEEN: f64 = 5.0;
/// Sessions still authenticating that are too many: so many, and this share of the slots.
const AT_THE_DOOR: (usize, f64) = (5, 0.1);

/// Judges every database whose logins can be told.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let limit = |target: &Target| view.limits(Resource::PostgresConnections, &target.info.id).logins;
    let judged = view.store.databases(view.now).filter_map(|(target, sample)| {
        let storm = limit(target);
        judge(target, sample, storm)
    });
    judged.collect()
}

/// `storm`: logins a second that are too many.
fn judge(target: &Target, sample: &DatabaseSample, storm: f64) -> Option<Assessment> {
    let logins = target.database_rates().and_then(|rates| rates.logins);
    let counted = sample.version >= 140_000;
    let storm = logins.filter(|logins| *logins >= if counted { storm } else { storm / UNSEEN });
    let mut door: BTreeMap<&str, u32> = BTreeMap::new();
    for one in sample.backends.iter().filter(|one| one.state == BackendState::Starting) {
        *door.entry(one.client.as_str()).or_default() += 1;
    }
    let starting = door.values().sum::<u32>();
    let usable = sample.max_connections.saturating_sub(sample.reserved_connections);
    let (number, share) = AT_THE_DOOR;
    let jam = starting as usize >= number && f64::from(starting) >= share * f64::from(usable);
    if storm.is_none() && !jam {
        return None;
    }
    let it = Assessment::new("logins", Resource::PostgresConnections, target.info.id.clone())
        .at_least(Severity::Warning)
        .hold(Duration::from_secs(3));
    let waiting = format!("{} still authenticating", many(u64::from(starting), "session", "sessions"));
    let from = door.into_iter().max_by_key(|(_, number)| *number);
    let from = from.filter(|(client, _)| !client.is_empty());
    let from = from.map_or_else(String::new, |(client, _)| format!(", most from {client}"));
    let Some(rate) = storm else {
        return Some(it.says(format!("{waiting}{from}: each takes a slot")).remedy(Remedy::advice(
            "look at what checks passwords (pg_hba.conf: ldap, pam, radius, a slow name lookup), or who opens \
             sessions and never logs in; authentication_timeout ends them",
        )));
    };
    let least = if counted { "" } else { "at least " };
    let head = format!("{least}{rate:.0} logins/s");
    let tail = if jam { format!("; {waiting}{from}") } else { String::new() };
    let Some(most) = sample.newcomers.first() else {
        return Some(it.says(format!("{head}{tail}")).remedy(Remedy::advice(
            "put a pool (PgBouncer) before who logs in anew for each request; log_connections tells who",
        )));
    };
    Some(
        it.says(format!("{head}, most by {}{tail}", most.who()))
            .culprit(Culprit::Sessions { name: most.application.clone(), count: most.seen })
            .remedy(Remedy::advice(format!(
                "let {} keep its connections, or put a pool (PgBouncer) before it: each login costs a new process",
                most.application
            ))),
    )
}
