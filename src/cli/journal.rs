//! `warroom journal`: what was done, by whom, with what result.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::args::{Global, JournalArgs};
use super::end::{End, Fail, say};
use super::run::{env, quiet_config};
use crate::config::find;
use crate::journal::{Entry, EntryKind, Journal, Reader};
use crate::model::words::{bytes, many};
use crate::model::{Outcome, SafeText, Timestamp};
use crate::shell::clock;

/// Prints the journal.
pub(super) fn run(global: &Global, args: &JournalArgs) -> Result<End, Fail> {
    let configured = match find(&global.flags(), &env)? {
        Some(_) => quiet_config(global)?.journal.clone(),
        None => None,
    };
    let failed = |err: crate::journal::JournalError| Fail::new(1, &err.to_string());
    let path = Journal::place(configured.as_deref(), &env).map_err(failed)?;
    let reader = Reader::read(&path).map_err(failed)?;
    if reader.left_out > 0 {
        let old = bytes(reader.left_out as f64);
        say(&format!("warroom: the oldest {old} of {} are not told: it is too long", path.display()));
    }
    if reader.skipped > 0 {
        let lines = many(reader.skipped as u64, "line", "lines");
        say(&format!("warroom: {lines} of {} could not be read and passed over", path.display()));
    }
    let unsettled: Vec<String> = reader.unsettled().iter().map(|entry| entry.id.clone()).collect();
    let outcomes: HashMap<String, Outcome> = reader
        .entries
        .iter()
        .filter_map(|entry| entry.outcome.clone().map(|outcome| (entry.id.clone(), outcome)))
        .collect();
    let reader = match args.since {
        Some(span) => reader.since(clock::now().minus(span)),
        None => reader,
    };
    let mut out = String::new();
    for entry in &reader.entries {
        if args.form.json {
            let mut value = serde_json::to_value(entry).map_err(|err| Fail::new(1, &err.to_string()))?;
            if entry.kind == EntryKind::Intent {
                value["unsettled"] = unsettled.contains(&entry.id).into();
            }
            writeln!(out, "{value}").ok();
        } else {
            line(&mut out, entry, &outcomes);
        }
    }
    if !args.form.json && out.is_empty() {
        let when = if args.since.is_some() { "in that time" } else { "yet" };
        out = format!("nothing was done {when} ({})\n", path.display());
    }
    Ok(End::new(out, 0))
}

/// One line an act: the intent with what came of it, or a mark.
fn line(out: &mut String, entry: &Entry, outcomes: &HashMap<String, Outcome>) {
    let from = entry.actor.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let who = format!("{}{from}", entry.actor);
    let (glyph, what) = match entry.kind {
        EntryKind::Intent => {
            let title = entry.plan.as_ref().map_or(SafeText::new("?"), |plan| plan.title.clone());
            match outcomes.get(&entry.id) {
                Some(outcome) => {
                    (" ", format!("{title} → {}: {}", outcome.kind.word().replace('_', " "), outcome.says))
                }
                None => ("?", format!("{title} → unsettled: no outcome is known; look at the target")),
            }
        }
        EntryKind::Mark => {
            let Some(mark) = &entry.mark else { return };
            let note = if mark.note.is_empty() { String::new() } else { format!(" \"{}\"", mark.note) };
            ("◆", format!("deploy {}{note}", mark.label))
        }
        EntryKind::Outcome => return,
        EntryKind::Other => ("?", "written by a later version of warroom".to_owned()),
    };
    let environment = SafeText::new(&entry.environment);
    writeln!(out, "{} {glyph} {environment}  {who}  {what}", local(entry.at)).ok();
}

/// Local date and time to the second.
fn local(at: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => at.to_string(),
    }
}
