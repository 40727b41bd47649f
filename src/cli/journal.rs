//! `warroom journal`: what was done.

use std::fmt::Write as _;

use super::args::JournalArgs;
use super::context::Context;
use super::{Failure, out};
use crate::journal::{Entry, EntryKind, Reader};
use crate::model::SafeText;
use crate::shell::clock;

pub(super) fn run(args: &JournalArgs, context: &Context) -> Result<u8, Failure> {
    let journal = context.journal.as_ref().map_err(|why| Failure::other(why.clone()))?;
    let reader = Reader::read(journal.path()).map_err(|error| Failure::other(error.to_string()))?;
    let unsettled: Vec<String> = reader.unsettled().iter().map(|entry| entry.id.clone()).collect();
    let skipped = reader.skipped;
    let entries = match args.since {
        Some(span) => reader.since(clock::now().minus(span)).entries,
        None => reader.entries,
    };
    if args.json {
        for entry in &entries {
            out::json(entry)?;
        }
        return Ok(0);
    }
    if entries.is_empty() {
        out::note(&format!("nothing is written in {} for that time", journal.path().display()));
    }
    let zone = jiff::tz::TimeZone::system();
    let mut text = String::new();
    for entry in &entries {
        let at = jiff::Timestamp::from_microsecond(entry.at.as_micros())
            .map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
            .unwrap_or_default();
        writeln!(text, "{at}  {:<20}  {}", entry.actor.to_string(), says(entry, &unsettled)).ok();
    }
    out::print(&text)?;
    if skipped > 0 {
        out::note(&format!("{skipped} lines could not be read (torn by a crash, or not of this program)"));
    }
    Ok(0)
}

/// One entry in words; every part is cleaned, whoever wrote the file.
fn says(entry: &Entry, unsettled: &[String]) -> SafeText {
    let text = match entry.kind {
        EntryKind::Intent => {
            let title = entry.plan.as_ref().map(|plan| plan.title.to_string()).unwrap_or_default();
            let open = if unsettled.contains(&entry.id) { "   ? no outcome is known" } else { "" };
            format!("→ {title}{open}")
        }
        EntryKind::Outcome => entry
            .outcome
            .as_ref()
            .map(|outcome| format!("{} {}", outcome.kind.word().replace('_', " "), outcome.says))
            .unwrap_or_default(),
        EntryKind::Mark => entry
            .mark
            .as_ref()
            .map(|mark| format!("◆ deploy {} {}", mark.label, mark.note))
            .unwrap_or_default(),
        EntryKind::Other => "(written by a later version)".into(),
    };
    SafeText::new(&text)
}
