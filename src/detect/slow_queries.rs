//! `postgres.slow_queries`: statements of clients that run longer than the target's `slow_after`.
//! Measured in statements. One that waits for a lock is the locks' business.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{many, span};
use crate::model::{Backend, BackendState, Culprit, DatabaseSample, Intent, Remedy, Resource};

/// Clients whose statements run long by their nature.
const BY_NATURE: [&str; 2] = ["pg_dump", "pg_basebackup"];

/// What lets us see what other roles' sessions do.
pub(super) const RIGHTS: &str = "grant pg_monitor to our role: warroom doctor prints the statement";

/// That what some sessions do is not known, where the role may not see it.
pub(super) fn hidden(sample: &DatabaseSample) -> Option<String> {
    let hidden = sample.backends.iter().filter(|one| one.is_hidden()).count();
    let told = many(hidden as u64, "session is", "sessions are");
    (hidden > 0).then(|| format!("{told} hidden from us: what runs there is not known"))
}

/// Judges every database.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let judge = |(target, sample): (&crate::store::Target, &DatabaseSample)| {
        let (id, slow_after) = (&target.info.id, target.info.slow_after);
        let age = |backend: &Backend| backend.query_age.unwrap_or(0.0);
        let mut slow: Vec<&Backend> =
            sample.backends.iter().filter(|one| runs(one) && age(one) >= slow_after.as_secs_f64()).collect();
        slow.sort_by(|a, b| age(b).total_cmp(&age(a)));
        let it = Assessment::new("slow_queries", Resource::PostgresSlowQueries, id.clone())
            .measured(slow.len() as f64, view.limits(Resource::PostgresSlowQueries, id))
            .used(None, Some(slow.len() as f64), None)
            .hold(Duration::from_secs(1));
        let Some(longest) = slow.first() else {
            if let Some(why) = hidden(sample) {
                return it.unknown(why).remedy(Remedy::advice(RIGHTS));
            }
            return it.says(format!("nothing runs longer than {}", span(slow_after.as_secs_f64())));
        };
        let more = match slow.len() - 1 {
            0 => String::new(),
            more => format!("; {more} more over {}", span(slow_after.as_secs_f64())),
        };
        let ran = span(age(longest));
        it.proven(age(longest) - slow_after.as_secs_f64())
            .says(format!(
                "{} (pid {}) has run {ran}: {}{more}",
                longest.who(),
                longest.key.pid,
                short(longest)
            ))
            .culprit(Culprit::backend(longest, 0))
            .remedy(Remedy {
                intent: Some(Intent::CancelBackend {
                    target: id.clone(),
                    backend: longest.key,
                    query_start: longest.query_start,
                }),
                says: "cancel its statement".into(),
            })
    };
    view.store.databases(view.now).map(judge).collect()
}

/// Whether it runs a statement of its own that is not held up by a lock.
fn runs(backend: &Backend) -> bool {
    backend.is_client()
        && matches!(backend.state, BackendState::Active | BackendState::Fastpath)
        && !backend.waits_for_lock()
        && backend.blocked_by.is_empty()
        && !BY_NATURE.contains(&backend.application_name.as_str())
}

/// The head of a statement, for a sentence.
fn short(backend: &Backend) -> String {
    let query = backend.query.as_str().trim_end_matches([';', ' ']);
    match query.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", query[..cut].trim_end()),
        None => query.to_owned(),
    }
}
