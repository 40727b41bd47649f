//! The words of a plan on sessions.

use super::postgres_look::Look;
use crate::model::words::{many, span};
use crate::model::{Backend, BackendState, Freed, PlanLine, SafeText, Timestamp};

/// Sessions listed one by one; the rest is counted.
const LISTED: usize = 6;

/// `who`, `state`, `last`, `holds`, `frees`.
pub(super) fn lines(look: &Look, sessions: &[&Backend], freed: Freed, aside: &str) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    if let [one] = sessions {
        lines.push(PlanLine::new("who", &who(one, look.activity.server_time)));
        lines.push(PlanLine::new("state", &state(one)));
        let last = if one.state == BackendState::Active { "runs" } else { "last" };
        lines
            .push(PlanLine::new(last, if one.query.is_empty() { "nothing yet" } else { one.query.as_str() }));
    } else {
        for one in sessions.iter().take(LISTED) {
            let text =
                format!("pid {}, {}; {}", one.key.pid, who(one, look.activity.server_time), state(one));
            lines.push(PlanLine::new("session", &text));
        }
        if sessions.len() > LISTED {
            lines.push(PlanLine::new("session", &format!("and {} more", sessions.len() - LISTED)));
        }
    }
    let more = if look.more_holds > 0 { format!(", and {} more", look.more_holds) } else { String::new() };
    let holds =
        if look.holds.is_empty() { "no lock on a table".into() } else { look.holds.join(", ") + &more };
    lines.push(PlanLine::new("holds", &holds));
    lines.push(PlanLine::new("frees", &(frees(freed) + aside)));
    lines
}

/// `web.3 as app in shop, from 10.0.0.14, connected 14m02s`.
fn who(one: &Backend, now: Timestamp) -> String {
    let from = if one.client.is_empty() { "a local socket" } else { one.client.as_str() };
    let age = span(now.seconds_since(one.key.started));
    format!("{} as {} in {}, from {from}, connected {age}", one.who(), one.user, one.database)
}

/// `idle in transaction for 2m14s; transaction open for 3m; has written (will roll back)`.
fn state(one: &Backend) -> String {
    let age = match one.state {
        BackendState::Active => one.query_age,
        _ => one.state_age,
    };
    let age = age.map_or_else(String::new, |age| format!(" for {}", span(age)));
    let xact = one.xact_age.filter(|_| one.state != BackendState::Idle);
    let open = xact.map_or_else(String::new, |open| format!("; transaction open for {}", span(open)));
    let wrote = match (one.has_written, one.state) {
        (true, _) => "; has written (will roll back)",
        (false, BackendState::Idle) => "; no transaction open",
        (false, _) => "; has written nothing",
    };
    format!("{}{age}{open}{wrote}", one.state.word())
}

/// `38 of 38 at once; nobody else is blocked`.
pub(super) fn frees(freed: Freed) -> String {
    let all = freed.in_all + freed.still_blocked;
    if all == 0 {
        return "nobody: no session waits behind it".into();
    }
    let how = if freed.in_all == 0 {
        ""
    } else if freed.now == freed.in_all {
        " at once"
    } else {
        " one after the other"
    };
    let rest = match freed.still_blocked {
        0 => String::new(),
        some => format!("; {some} wait behind somebody else too"),
    };
    format!("{} of {}{how}{rest}", freed.in_all, many(u64::from(all), "waiter", "waiters"))
}

/// What to beware of in ending or cancelling these.
pub(super) fn warnings(sessions: &[&Backend]) -> Vec<SafeText> {
    let mut out = Vec::new();
    for one in sessions {
        let query = one.query.as_str().to_ascii_lowercase();
        let starts = |head: &str| query.trim_start().starts_with(head);
        let running = one.state == BackendState::Active;
        let mut warn = |says: &str| {
            let text = SafeText::new(&format!("pid {}: {says}", one.key.pid));
            if !out.contains(&text) {
                out.push(text);
            }
        };
        if running && (starts("create") || starts("reindex")) && query.contains("concurrently") {
            warn("builds an index concurrently: ending it leaves an INVALID index behind");
        }
        if running && (starts("vacuum full") || starts("vacuum (full") || starts("cluster")) {
            warn("rewrites a table: ending it throws the work away");
        }
        if one.wait.as_ref().is_some_and(|wait| wait.event.as_str() == "SyncRep") {
            warn("has committed here and waits for a standby: ending it undoes nothing");
        }
        if matches!(one.application_name.as_str(), "pg_dump" | "pg_restore") {
            warn("a dump or restore that is then incomplete");
        }
        if one.application_name.as_str().starts_with("warroom") {
            warn("is a session of warroom itself");
        }
    }
    out.truncate(8);
    out
}
