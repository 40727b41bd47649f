//! What a standby's replay cancelled: its clients see errors that no lock, load or delay explains.

use super::{Assessment, View};
use crate::model::words::{many, span};
use crate::model::{DatabaseSample, Remedy, ReplayConflicts, Resource, Severity, TargetId};

/// Judges every standby whose replay counts what it cancels.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let databases = view.store.databases(view.now);
    databases.filter_map(|(target, sample)| judge(&target.info.id, sample)).collect()
}

fn judge(id: &TargetId, sample: &DatabaseSample) -> Option<Assessment> {
    let lately = sample.replay_conflicts.as_ref().filter(|_| sample.in_recovery)?;
    let it = Assessment::new("replay_conflicts", Resource::PostgresReplication, id.clone()).used(
        None,
        None,
        Some(lately.all()),
    );
    if lately.all() == 0 {
        return Some(it.says("its replay cancels nobody"));
    }
    let mut sorts: Vec<(u64, &str)> = sorts(lately).into_iter().filter(|(number, _)| *number > 0).collect();
    sorts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let why: Vec<_> = match sorts.as_slice() {
        [(_, only)] => vec![(*only).to_owned()],
        several => several.iter().map(|(number, sort)| format!("{number} {sort}")).collect(),
    };
    let of = lately.database.as_ref().filter(|name| !name.is_empty());
    let of = of.map_or_else(String::new, |name| format!(" in {name}"));
    Some(
        it.at_least(Severity::Warning)
            .says(format!(
                "replay cancelled {}{of} in the last {}: {}",
                many(lately.all(), "statement", "statements"),
                span(lately.over.max(1.0)),
                why.join(", ")
            ))
            .remedy(Remedy::advice(advice(lately, sample))),
    )
}

const fn sorts(of: &ReplayConflicts) -> [(u64, &'static str); 6] {
    [
        (of.rows, "saw rows that vacuum removed on the primary"),
        (of.locks, "held a table that the primary locked"),
        (of.pins, "held a page that was to be cleaned"),
        (of.deadlocks, "waited for the replay that waited for them"),
        (of.tablespaces, "used a tablespace that was dropped"),
        (of.slots, "decoded from a slot whose rows are gone"),
    ]
}

/// What keeps it from happening again; what the feedback prevents is not what a longer delay does.
fn advice(of: &ReplayConflicts, sample: &DatabaseSample) -> String {
    let set = |name: &str| {
        sample.upkeep.settings.iter().find(|one| one.name.as_str() == name).map(|one| one.value.as_str())
    };
    let delay = set("max_standby_streaming_delay").unwrap_or("30000 ms");
    let longer = format!("raise max_standby_streaming_delay here (now {delay}; replay then waits so long)");
    let feeds_back = set("hot_standby_feedback") == Some("on");
    if of.rows * 2 >= of.all() && !feeds_back {
        format!("set hot_standby_feedback = on here (the primary then keeps those rows), or {longer}")
    } else {
        format!("{longer}, or move long reports to a standby of their own")
    }
}
