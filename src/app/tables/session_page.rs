//! The page of one session.

use crate::app::{App, Cell, Looked};
use crate::model::words::{many, span};
use crate::model::{Backend, BackendKey, BackendState, DatabaseSample, SafeText, Sample};
use crate::store::Target;

/// What has no column: who it is, what it waits for, and what was read when the page was opened.
pub(super) fn session(app: &App, target: &Target, key: BackendKey) -> Vec<(String, Cell)> {
    let Some(Sample::Database(sample)) = target.sample.as_deref().map(|sample| &sample.it) else {
        return Vec::new();
    };
    let Some(it) = sample.backends.iter().find(|backend| backend.key == key) else { return Vec::new() };
    let pids = |pids: Vec<i32>| {
        let text = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if text.is_empty() { Cell::None } else { Cell::text(&text) }
    };
    let mut waits_for = it.blocked_by.clone();
    waits_for.sort_unstable();
    waits_for.dedup();
    let behind = sample.backends.iter().filter(|other| other.blocked_by.contains(&key.pid));
    let client =
        if it.client.is_empty() { Cell::text("local socket") } else { Cell::Text(it.client.clone()) };
    let wrote = if it.has_written { "has written: ending it rolls that back" } else { "has written nothing" };
    let in_transaction = it.xact_age.is_some();
    let state = it.state_age.map_or_else(String::new, |age| format!(" for {}", span(age)));
    let state = format!("{}{state}", it.state.word());
    // Of a session that runs nothing the server tells the last statement.
    let (statement, ago) =
        if it.state == BackendState::Active { ("statement for", "") } else { ("last statement", " ago") };
    let mut lines = vec![
        ("application".into(), Cell::Text(it.application_name.clone())),
        ("user".into(), Cell::Text(it.user.clone())),
        ("database".into(), Cell::Text(it.database.clone())),
        ("client".into(), client),
        ("connected".into(), Cell::Seconds(sample.server_time.seconds_since(key.started).max(0.0))),
        ("full state".into(), Cell::text(&state)),
        ("transaction".into(), if in_transaction { Cell::text(wrote) } else { Cell::None }),
        (statement.into(), Cell::maybe(it.query_age, |age| Cell::text(&format!("{}{ago}", span(age))))),
        ("waits".into(), Cell::maybe(waits(sample, it), |says| Cell::text(&says))),
        ("waits for pid".into(), pids(waits_for)),
        ("blocks pid".into(), pids(behind.map(|other| other.key.pid).collect())),
        ("kind".into(), Cell::Text(it.kind.clone())),
        ("leader pid".into(), Cell::maybe(it.leader_pid, |pid| Cell::text(&pid.to_string()))),
    ];
    if app.past.is_none()
        && let Some(looked) = app.looked.as_ref().filter(|it| it.target == target.info.id && it.key == key)
    {
        lines.extend(closely(looked, sample, &it.query));
    }
    lines
}

/// `for a row of orders held by web.3 (pid 4211), 12 s`.
fn waits(sample: &DatabaseSample, it: &Backend) -> Option<String> {
    let thing = it.wanted()?.thing();
    let mut holders: Vec<&Backend> =
        sample.backends.iter().filter(|other| it.blocked_by.contains(&other.key.pid)).collect();
    // In a queue everybody ahead is named; who holds it is who waits for nobody.
    if holders.iter().any(|other| other.blocked_by.is_empty()) {
        holders.retain(|other| other.blocked_by.is_empty());
    }
    let held = match holders.as_slice() {
        [] if it.blocked_by.contains(&0) => " held by a prepared transaction".into(),
        [] => String::new(),
        [one] => format!(" held by {} (pid {})", one.who(), one.key.pid),
        [one, rest @ ..] => format!(" held by {} (pid {}) and {} more", one.who(), one.key.pid, rest.len()),
    };
    let age = it.wait_age.map_or_else(String::new, |age| format!(", {}", span(age)));
    Some(format!("for {thing}{held}{age}"))
}

/// What was read of it alone.
fn closely(looked: &Looked, sample: &DatabaseSample, polled: &SafeText) -> Vec<(String, Cell)> {
    let line = |label: &str, says: &str| (label.to_owned(), Cell::text(says));
    let look = match &looked.told {
        None => return vec![line("looked at", "asking for its locks and its whole statement")],
        Some(Err(why)) => return vec![line("looked at", &format!("in vain: {}", why.says))],
        Some(Ok(look)) => look,
    };
    let age = sample.server_time.seconds_since(look.read_at).max(0.0);
    let mut lines = vec![line("looked at", &format!("{} ago; r looks again", span(age)))];
    lines.push(line(
        "has written",
        &look.xid.as_ref().map_or_else(|| "nothing yet".into(), |xid| format!("yes, as transaction {xid}")),
    ));
    for (label, held) in [("wants", false), ("holds", true)] {
        let mut label = label;
        for one in look.locks.iter().filter(|one| one.held == held) {
            let times = if one.count > 1 { format!(", {} times", one.count) } else { String::new() };
            lines.push(line(label, &format!("{}{times}", one.lock.short())));
            label = "";
        }
    }
    if look.left_out > 0 {
        lines.push(line("", &format!("and {}", many(look.left_out.into(), "lesser lock", "lesser locks"))));
    }
    if let Some(why) = &look.no_locks {
        lines.push(line("locks", &format!("could not be read: {why}")));
    }
    // The poll tells its first letters; those of a short one are all there are.
    if look.query != *polled {
        lines.push(("whole statement".into(), Cell::Text(look.query.clone())));
    }
    if look.query_cut {
        lines.push(line("", "cut there: the server keeps no more (track_activity_query_size)"));
    }
    lines
}
