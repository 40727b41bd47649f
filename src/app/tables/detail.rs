//! All that is known of one row.

use super::draft::{draft, polled, why_silent};
use super::{cache, connections, queues, session_page};
use crate::app::{App, Cell, RowKey, Tab};
use crate::model::{BackendKey, Finding, Resource, ResourceState, Sample, Severity, TargetId};
use crate::store::Target;

/// As many lines without a value are told as one.
const MANY_EMPTY: usize = 3;

/// All that is known of a row, label and value: its own cells, then what has no column.
pub fn detail(app: &App, tab: Tab, key: &RowKey) -> Vec<(String, Cell)> {
    let draft = draft(app, tab);
    let row = draft.rows.iter().find(|row| row.key == *key);
    let mut lines: Vec<(String, Cell)> = match row {
        Some(row) => draft
            .columns
            .iter()
            .zip(&row.cells)
            .map(|(column, cell)| {
                let label = if column.title.is_empty() { "note".into() } else { column.title.to_lowercase() };
                (label, cell.clone())
            })
            .collect(),
        None => vec![("gone".into(), Cell::text("it is no longer there"))],
    };
    let now = app.moment();
    let target = |id: &TargetId| app.shown().store.target(id);
    match key {
        RowKey::Backend(id, key) => {
            if let Some(target) = target(id) {
                lines.extend(session_page::session(app, target, *key));
                lines.extend(pooled(app, target, *key));
            }
        }
        RowKey::Named(id, name) if tab == Tab::Findings => lines.extend(finding(app, id, name)),
        RowKey::Named(id, name) if tab == Tab::Connections => {
            lines.extend(target(id).map(|target| connections::holders(target, name)).unwrap_or_default());
        }
        RowKey::Named(id, name) if tab == Tab::Namespaces => {
            lines.extend(cache::namespace_page(app, id, name));
        }
        RowKey::Target(id) if tab == Tab::Queues => {
            lines.extend(target(id).map(|target| queues::queue_page(target, id)).unwrap_or_default());
        }
        RowKey::Target(_) | RowKey::Named(..) | RowKey::Event(_) => {}
    }
    said_once(&mut lines);
    let empty = without_value(&mut lines);
    if let RowKey::Target(id) | RowKey::Backend(id, _) | RowKey::Named(id, _) = key
        && let Some(target) = target(id)
    {
        if target.fresh(now).is_none() {
            let why = why_silent(target, now);
            lines.retain(|(_, cell)| *cell != Cell::None && *cell != Cell::text(&why));
            // Of one without any values nothing is known but that; else the reason stands before old ones.
            let (label, says) = match lines.len() {
                0 | 1 => ("no answer", why),
                _ => ("beware", format!("what stands here is old: {why}")),
            };
            lines.insert(lines.len().min(1), (label.to_owned(), Cell::text(&says)));
        }
        let mut add = |label: &str, text: &str| lines.push((label.to_owned(), Cell::text(text)));
        // The rows of the targets' own table say this already.
        if tab != Tab::Targets {
            add("target", &format!("{} ({}) at {}", target.info.id, target.info.kind, target.info.endpoint));
            add("answer", &polled(target, now));
        }
        for missing in missing(target) {
            add("missing", &format!("{}: {}", missing.what, missing.why));
        }
        // What ails a whole broker or machine ails each row of it.
        let whole =
            |it: &&Finding| it.target == target.info.id && key_of(key).is_some_and(|row| *row != it.target);
        for it in app.shown().judgement.findings.iter().filter(whole) {
            add(it.resource.id(), &format!("{} {}: {}", it.severity.glyph(), it.target, it.says));
        }
        // Why it does not answer stands there already.
        let silent = target.fresh(now).is_none();
        let own = |it: &&ResourceState| {
            key_of(key) == Some(&it.target) && !(silent && it.resource == Resource::TargetAnswer)
        };
        let mut judged: Vec<_> = app.shown().judgement.resources.iter().filter(own).collect();
        judged.sort_by_key(|it| std::cmp::Reverse(it.severity));
        // What is wrong stands where the eye falls first, what is well at the end.
        let told = |it: &&ResourceState| {
            (it.resource.id().to_owned(), Cell::text(&format!("{:<2} {}", it.severity.glyph(), it.says)))
        };
        let (bad, well): (Vec<_>, Vec<_>) = judged.into_iter().partition(|it| it.severity > Severity::Ok);
        let first = lines.len().min(1);
        lines.splice(first..first, bad.iter().map(told));
        lines.extend(well.iter().map(told));
    }
    lines.extend(empty);
    lines
}

/// Takes out the lines without a value; they are told in one, if they are many.
fn without_value(lines: &mut Vec<(String, Cell)>) -> Option<(String, Cell)> {
    if lines.iter().filter(|(_, cell)| *cell == Cell::None).count() < MANY_EMPTY {
        return None;
    }
    let mut empty = Vec::new();
    lines.retain(|(label, cell)| {
        if *cell == Cell::None {
            empty.push(label.clone());
        }
        *cell != Cell::None
    });
    empty.dedup();
    Some(("without a value".into(), Cell::text(&empty.join(", "))))
}

/// Of lines with the same label and value the later ones go.
fn said_once(lines: &mut Vec<(String, Cell)>) {
    let mut at = 0;
    while at < lines.len() {
        if lines[..at].contains(&lines[at]) && !lines[at].0.is_empty() {
            lines.remove(at);
        } else {
            at += 1;
        }
    }
}

const fn key_of(key: &RowKey) -> Option<&TargetId> {
    match key {
        RowKey::Target(id) => Some(id),
        _ => None,
    }
}

fn missing(target: &Target) -> &[crate::model::Missing] {
    match target.sample.as_deref().map(|sample| &sample.it) {
        Some(Sample::Host(it)) => &it.missing,
        Some(Sample::Database(it)) => &it.missing,
        Some(Sample::Cache(it)) => &it.missing,
        Some(Sample::Queue(it)) => &it.missing,
        Some(Sample::Proxy(it)) => &it.missing,
        Some(Sample::App(it)) => &it.missing,
        Some(Sample::Pooler(it)) => &it.missing,
        Some(Sample::Fleet(it)) => &it.missing,
        None => &[],
    }
}

/// Who stands behind a session that a pooler opened.
fn pooled(app: &App, target: &Target, key: BackendKey) -> Option<(String, Cell)> {
    let Some(Sample::Database(sample)) = target.sample.as_deref().map(|sample| &sample.it) else {
        return None;
    };
    let it = sample.backends.iter().find(|backend| backend.key == key)?;
    let (pooler, client) = app.shown().store.client_behind(app.moment(), it)?;
    let name = if client.application_name.is_empty() { &client.user } else { &client.application_name };
    let says = format!("{name} from {}, through {}", client.address, pooler.info.id);
    Some(("pooled client".into(), Cell::text(&says)))
}

fn finding(app: &App, id: &TargetId, name: &str) -> Vec<(String, Cell)> {
    let found = app
        .shown()
        .judgement
        .findings
        .iter()
        .find(|it| it.target == *id && format!("{} {}", it.rule, it.resource) == name);
    let Some(it) = found else { return Vec::new() };
    let mut lines = vec![("since".into(), Cell::Time(it.since)), ("rule".into(), Cell::text(&it.rule))];
    if let Some(remedy) = &it.remedy {
        lines.push(("remedy".into(), Cell::text(&remedy.says)));
        if let Some(intent) = &remedy.intent {
            lines.push(("as a command".into(), Cell::text(&intent.command_line())));
        }
    }
    lines
}
