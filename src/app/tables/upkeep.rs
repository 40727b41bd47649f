//! How a database server keeps itself: load by wait, rates, replication, slots, vacuum, its slower lanes.

use std::collections::BTreeMap;

use super::draft::{Draft, col, row, severity};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::words::{bytes, count, span};
use crate::model::{Backend, BackendState, DatabaseSample, Resource, Severity, TargetId};
use crate::store::Target;

const COLUMNS: &[Column] = &[
    col("WHAT", 12, false, 0),
    col("NAME", 18, false, 0),
    col("VALUE", 8, true, 0),
    col("ON", 10, false, 2),
    col("", 0, false, 0),
];

struct Lines<'a> {
    draft: &'a mut Draft,
    id: &'a TargetId,
}

impl Lines<'_> {
    fn add(&mut self, what: &str, name: &str, value: Cell, severity: Severity, says: &str) {
        let key = RowKey::Named(self.id.clone(), format!("{what} {name}"));
        let cells =
            vec![Cell::text(what), Cell::text(name), value, Cell::text(self.id.as_str()), Cell::text(says)];
        self.draft.rows.push(row(key, severity, cells));
    }
}

pub(super) fn upkeep(app: &App) -> Draft {
    let mut draft =
        Draft { columns: COLUMNS, ordered: true, empty: "no database has answered", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.databases(app.moment()) {
        let id = &target.info.id;
        let mut lines = Lines { draft: &mut draft, id };
        waits(&mut lines, sample);
        work(&mut lines, target);
        let late = severity(app, &[Resource::PostgresReplication], id);
        replication(&mut lines, sample, late);
        vacuum(&mut lines, sample, severity(app, &[Resource::PostgresVacuum], id));
        let oldest = sample.lanes.iter().max_by(|a, b| a.age.total_cmp(&b.age));
        said.extend(oldest.map(|lane| format!("{id}: {} read {} ago", lane.lane, span(lane.age))));
    }
    draft.summary = said.join("   ");
    draft
}

/// What active sessions do: use the processor, or wait for something, by its class.
fn waits(lines: &mut Lines<'_>, sample: &DatabaseSample) {
    let active = |one: &&Backend| {
        matches!(one.state, BackendState::Active | BackendState::Fastpath)
            && (one.is_client() || one.kind.as_str() == "parallel worker")
    };
    let mut classes: BTreeMap<&str, (u64, BTreeMap<&str, u64>)> = BTreeMap::new();
    for backend in sample.backends.iter().filter(active) {
        let (class, event) =
            backend.wait.as_ref().map_or(("CPU", ""), |wait| (wait.class.as_str(), wait.event.as_str()));
        let of = classes.entry(class).or_default();
        of.0 += 1;
        *of.1.entry(event).or_default() += 1;
    }
    let mut classes: Vec<_> = classes.into_iter().collect();
    classes.sort_by_key(|(_, (number, _))| std::cmp::Reverse(*number));
    for (class, (number, events)) in classes {
        let mut events: Vec<_> = events.into_iter().filter(|(event, _)| !event.is_empty()).collect();
        events.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        let said: Vec<_> = events.iter().take(4).map(|(event, number)| format!("{event} {number}")).collect();
        let says = if class == "CPU" { "running, waiting for nothing".to_owned() } else { said.join(", ") };
        lines.add("active in", class, Cell::Count(number), Severity::Ok, &says);
    }
}

fn work(lines: &mut Lines<'_>, target: &Target) {
    let Some(rates) = target.database_rates() else { return };
    let rate = |value: Option<f64>| Cell::maybe(value, Cell::Rate);
    let undone =
        rates.rollback_share.map_or_else(String::new, |share| format!("{:.1} % rolled back", share * 100.0));
    lines.add("work", "transactions", rate(rates.transactions), Severity::Ok, &undone);
    lines.add("work", "buffers hit", Cell::maybe(rates.hit_ratio, Cell::Share), Severity::Ok, "");
    let spilled = rates.temp_bytes.map_or_else(String::new, |size| format!("{}/s", bytes(size)));
    lines.add("work", "temporary files", rate(rates.temp_files), Severity::Ok, &spilled);
    let lost = rates.lost.map_or_else(String::new, |lost| format!("{lost:.1}/s broken off or failed"));
    lines.add("work", "logins", rate(rates.logins), Severity::Ok, &lost);
    let found = rates.deadlocks.filter(|number| *number > 0);
    lines.add(
        "work",
        "deadlocks",
        Cell::maybe(rates.deadlocks, Cell::Count),
        if found.is_some() { Severity::Warning } else { Severity::Ok },
        "since the last reading",
    );
    let asked = rates.checkpoints_requested.filter(|number| *number > 0);
    let says = if asked.is_some() {
        "a second; a checkpoint was forced by it: raise max_wal_size"
    } else {
        "a second"
    };
    lines.add("work", "log written", Cell::maybe(rates.wal_bytes, Cell::Bytes), Severity::Ok, says);
}

fn replication(lines: &mut Lines<'_>, sample: &DatabaseSample, late: Severity) {
    if let Some(lag) = sample.replay_lag {
        lines.add("replication", "own replay", Cell::Seconds(lag), late, "behind what it received");
    }
    if let Some(lately) = &sample.replay_conflicts {
        let severity = if lately.all() > 0 { late } else { Severity::Ok };
        let says = format!("statements, by its replay, in the last {}", span(lately.over));
        lines.add("replication", "cancelled", Cell::Count(lately.all()), severity, &says);
    }
    for one in &sample.replicas {
        let left = one.lag_bytes.map_or_else(|| "?".to_owned(), bytes);
        let unsent = one.unsent_bytes.map_or_else(|| "?".to_owned(), bytes);
        let says = format!("{}, {}; {left} to replay, {unsent} of it not sent", one.state, one.sync);
        let value = Cell::maybe(one.lag_seconds, Cell::Seconds);
        lines.add("standby", one.name.as_str(), value, late, &says);
    }
    for slot in &sample.upkeep.slots {
        let reader = if slot.active { "read from" } else { "nobody reads from it" };
        let severity = match slot.wal_status.as_str() {
            "lost" | "unreserved" => late.max(Severity::Warning),
            _ => Severity::Ok,
        };
        let says = format!("{}, {reader}; log is {}", slot.kind, slot.wal_status);
        lines.add("slot", slot.name.as_str(), Cell::maybe(slot.retained, Cell::Bytes), severity, &says);
    }
}

fn vacuum(lines: &mut Lines<'_>, sample: &DatabaseSample, judged: Severity) {
    if let Some(frozen) = &sample.upkeep.frozen {
        let says = format!("of all transaction ids; age {}", count(frozen.age));
        lines.add("ids used", frozen.database.as_str(), Cell::Share(frozen.used()), judged, &says);
    }
    for holder in &sample.upkeep.holders {
        let pid = holder.pid.map_or_else(String::new, |pid| format!("pid {pid}, "));
        let age = holder.age.map_or_else(String::new, |age| format!(" for {}", span(age)));
        let says =
            format!("{}, {pid}keeps {} transactions' rows from vacuum{age}", holder.kind, count(holder.xids));
        lines.add(
            "holds vacuum",
            holder.name.as_str(),
            Cell::maybe(holder.age, Cell::Seconds),
            Severity::Ok,
            &says,
        );
    }
    let workers = sample.backends.iter().filter(|one| one.kind.as_str() == "autovacuum worker").count();
    if let Some(most) = sample.upkeep.autovacuum_workers {
        let says = format!("of {most} at most");
        lines.add("vacuum", "autovacuum workers", Cell::Count(workers as u64), Severity::Ok, &says);
    }
    for it in &sample.upkeep.progress {
        let on = if it.relation.is_empty() { it.database.as_str() } else { it.relation.as_str() };
        let says = format!("{on}: {} (pid {})", it.phase, it.pid);
        lines.add("runs", it.command.as_str(), Cell::maybe(it.done, Cell::Share), Severity::Ok, &says);
    }
}
