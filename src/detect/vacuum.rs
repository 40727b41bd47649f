//! `postgres.vacuum`: transaction ids used up, measured as a share of all there are; and who keeps vacuum
//! from freeing them and from removing old rows.

use super::{Assessment, View};
use crate::model::words::{count, span};
use crate::model::{
    BackendState, Culprit, DatabaseSample, Holder, Intent, Remedy, Resource, Severity, TargetId,
};

/// A transaction that has been open for so long, in seconds, while others go on, is worth a look.
const LONG: f64 = 1_800.0;
/// Transactions that must have passed meanwhile: on a quiet server an old one harms nobody.
const PASSED: u64 = 100_000;
/// What tells no age is judged by these transactions alone.
const MANY: u64 = 100_000_000;

/// Judges how near every database server is to the end of its transaction ids.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let judge = |(target, sample): (&crate::store::Target, &DatabaseSample)| {
        let frozen = sample.upkeep.frozen.as_ref()?;
        let id = &target.info.id;
        let used = frozen.used();
        let it = Assessment::new("wraparound", Resource::PostgresVacuum, id.clone())
            .measured(used, view.limits(Resource::PostgresVacuum, id))
            .used(Some(used), None, None);
        let share =
            format!("{:.0} % of the transaction ids are used up in {}", used * 100.0, frozen.database);
        Some(if it.kept == Severity::Ok {
            it.says(share)
        } else {
            let held = sample.upkeep.holders.first().map_or_else(String::new, |one| {
                format!("; {} has kept vacuum back for {} transactions", who(one), count(one.xids))
            });
            it.says(format!("{share}: at 100 % it stops taking writes{held}")).remedy(Remedy::advice(
                "end what keeps vacuum back, then run vacuum freeze there, oldest table first",
            ))
        })
    };
    view.store.databases(view.now).filter_map(judge).collect()
}

/// Judges who keeps vacuum back, where somebody does.
pub(super) fn holders(view: &View<'_>) -> Vec<Assessment> {
    let databases = view.store.databases(view.now);
    databases.filter_map(|(target, sample)| judge(&target.info.id, sample)).collect()
}

fn judge(id: &TargetId, sample: &DatabaseSample) -> Option<Assessment> {
    let too_long = |one: &&Holder| match one.age {
        Some(age) => age >= LONG && one.xids >= PASSED,
        None => one.xids >= MANY,
    };
    let worst = sample.upkeep.holders.iter().find(too_long)?;
    let age = worst.age.map_or_else(String::new, |age| format!(" for {}", span(age)));
    let it = Assessment::new("vacuum_held", Resource::PostgresVacuum, id.clone())
        .at_least(Severity::Warning)
        .says(format!(
            "{} has kept vacuum back{age}: the rows of {} transactions cannot be removed",
            who(worst),
            count(worst.xids)
        ));
    let backend = sample.backends.iter().find(|one| Some(one.key.pid) == worst.pid && one.is_client());
    let Some(backend) = backend else {
        let prepared = worst.kind.as_str() == "prepared" && !worst.database.is_empty();
        let intent = prepared.then(|| Intent::RollbackPrepared {
            target: id.clone(),
            gid: worst.name.as_str().to_owned(),
            database: worst.database.as_str().to_owned(),
        });
        let says = match worst.kind.as_str() {
            "prepared" => {
                format!("ask who prepared {} to commit it, or roll it back: its changes are lost", worst.name)
            }
            "slot" => format!("bring the reader of slot {} back, or drop it", worst.name),
            _ => "end the long query on that standby".to_owned(),
        };
        return Some(it.remedy(Remedy { intent, says }));
    };
    let idle =
        matches!(backend.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted);
    let intent = idle.then(|| Intent::TerminateBackend { target: id.clone(), backends: vec![backend.key] });
    let says = if idle { "end that session" } else { "let it finish, or cancel its statement" };
    Some(it.culprit(Culprit::backend(backend, 0)).remedy(Remedy { intent, says: says.into() }))
}

fn who(holder: &Holder) -> String {
    match (holder.kind.as_str(), holder.pid) {
        ("session", Some(pid)) => format!("{} (pid {pid})", holder.name),
        ("prepared", _) => format!("prepared transaction {}", holder.name),
        (kind, _) => format!("{kind} {}", holder.name),
    }
}
