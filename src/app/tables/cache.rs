//! Cache servers, their namespaces, their slow log and what their time goes into.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::words::{bytes, count, span};
use crate::model::{CACHE_KINDS, CacheSample, NamespaceSample, Resource, Severity, TargetId};

/// The row of a prefix that the config does not name begins so.
pub(in crate::app) const FOUND: &str = "found ";

const COLUMNS: &[Column] = &[
    col("CACHE", 14, false, 0),
    col("FILL", 5, true, 0),
    col("USED", 8, true, 1),
    col("LIMIT", 8, true, 2),
    col("HIT", 6, true, 1),
    col("EVICTED", 8, true, 1),
    col("OPS", 8, true, 1),
    col("PING", 7, true, 2),
    col("BUSY", 5, true, 3),
    col("CLIENTS", 7, true, 4),
    col("BLOCKED", 7, true, 5),
    col("KEYS", 8, true, 4),
    col("FRAG", 5, true, 6),
    col("", 0, false, 3),
];

/// Used against the limit; without a limit against the machine's memory.
fn fill(sample: &CacheSample) -> Option<f64> {
    let limit = sample.max_memory.or(sample.system_memory).filter(|limit| *limit > 0)?;
    Some(sample.used_memory as f64 / limit as f64)
}

pub(super) fn caches(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no cache is polled", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.caches(now) {
        let id = &target.info.id;
        let rates = target.cache_window();
        let note = match sample.max_memory {
            None => format!("{}, no maxmemory: the machine is the limit", sample.product),
            Some(_) => format!("{}, {}", sample.product, sample.eviction_policy),
        };
        draft.rows.push(row(
            RowKey::Target(id.clone()),
            severity(app, &[Resource::CacheMemory, Resource::CacheLatency, Resource::CacheService], id),
            vec![
                Cell::text(id.as_str()),
                Cell::maybe(fill(sample), Cell::Share),
                Cell::Bytes(sample.used_memory as f64),
                Cell::maybe(sample.max_memory, |limit| Cell::Bytes(limit as f64)),
                Cell::maybe(rates.and_then(|rates| rates.hit_ratio), Cell::Share),
                Cell::maybe(rates.and_then(|rates| rates.evictions), Cell::Rate),
                Cell::maybe(rates.and_then(|rates| rates.commands), Cell::Rate),
                Cell::maybe(sample.ping_ms, Cell::Millis),
                Cell::maybe(rates.and_then(|rates| rates.main_thread), Cell::Share),
                Cell::Count(sample.clients),
                Cell::Count(sample.blocked_clients),
                Cell::Count(sample.keys),
                Cell::maybe(sample.fragmentation_ratio, Cell::Number),
                Cell::text(&note),
            ],
        ));
        said.push(format!("{id}: {}", polled(target, now)));
    }
    draft.rows.extend(silent_rows(app, CACHE_KINDS, COLUMNS));
    draft.summary = said.join("   ");
    draft
}

const NAMESPACES: &[Column] = &[
    col("NAMESPACE", 18, false, 0),
    col("PREFIX", 24, false, 4),
    col("SHARE", 6, true, 0),
    col("KEYS ABOUT", 10, true, 0),
    col("±", 6, true, 1),
    col("MEMORY", 8, true, 0),
    col("±", 6, true, 5),
    col("TTL", 6, true, 2),
    col("LASTING", 7, true, 5),
    col("TYPES", 14, false, 3),
    col("LARGEST", 8, true, 2),
    col("SEEN", 6, true, 6),
    col("CLEAR", 13, false, 1),
    col("ON", 0, false, 3),
];

pub(super) fn namespaces(app: &App) -> Draft {
    let mut draft = Draft {
        columns: NAMESPACES,
        empty: "no namespace is configured, and none was found yet",
        ..Draft::default()
    };
    let now = app.moment();
    let nothing = NamespaceSample::default();
    // From the config, so that they stand here while the cache does not answer.
    for (id, namespace) in &app.settings.namespaces {
        let sample =
            app.shown().store.caches(now).find(|(target, _)| target.info.id == *id).map(|(_, it)| it);
        let known = sample.and_then(|it| it.namespaces.iter().find(|it| it.name.as_str() == namespace.name));
        let cells = namespace_cells(
            [&namespace.name, &namespace.prefix, id.as_str()],
            known.unwrap_or(&nothing),
            if namespace.protected { "protected" } else { "X clears it" },
        );
        let key = RowKey::Named(id.clone(), namespace.name.clone());
        draft.rows.push(row(key, Severity::Ok, cells));
    }
    let mut large = Vec::new();
    for (target, sample) in app.shown().store.caches(now) {
        let id = &target.info.id;
        for it in &sample.found {
            let name = if it.prefix.is_empty() { "without prefix" } else { "found" };
            let cells = namespace_cells([name, it.prefix.as_str(), id.as_str()], it, "not in config");
            let key = RowKey::Named(id.clone(), format!("{FOUND}{}", it.prefix));
            draft.rows.push(row(key, Severity::Ok, cells));
        }
        if let Some(it) = sample.largest.first() {
            large.push(format!("{} on {id}, a {} of {}", it.key, it.kind, bytes(it.bytes as f64)));
        }
    }
    draft.summary = "estimates from a sample".into();
    if !large.is_empty() {
        draft.summary = format!("{}; largest met: {}", draft.summary, large.join("; "));
    }
    draft
}

fn namespace_cells([name, prefix, on]: [&str; 3], it: &NamespaceSample, clear: &str) -> Vec<Cell> {
    let kinds: Vec<_> = it.types.iter().map(|kind| kind.name.as_str()).collect();
    let sampled = Some(it.sampled).filter(|sampled| *sampled > 0);
    vec![
        Cell::text(name),
        Cell::text(prefix),
        Cell::maybe(it.share, Cell::Share),
        Cell::maybe(it.keys, Cell::Count),
        match it.keys.zip(it.keys_off) {
            Some((0, off)) => Cell::Count(off),
            Some((keys, off)) => Cell::Share(off as f64 / keys as f64),
            None => Cell::None,
        },
        Cell::maybe(it.bytes, Cell::Bytes),
        Cell::maybe(it.bytes.zip(it.bytes_off).filter(|it| it.0 > 0.0), |(all, off)| Cell::Share(off / all)),
        Cell::maybe(it.ttl.map(|ttl| ttl.middle), Cell::Seconds),
        Cell::maybe(it.lasting, Cell::Share),
        if kinds.is_empty() { Cell::None } else { Cell::text(&kinds.join(" ")) },
        Cell::maybe(it.largest.as_ref().map(|it| it.bytes as f64), Cell::Bytes),
        Cell::maybe(sampled, Cell::Count),
        Cell::text(clear),
        Cell::text(on),
    ]
}

/// What is known of a namespace beyond its row, label and text.
pub(super) fn namespace_page(app: &App, id: &TargetId, name: &str) -> Vec<(String, Cell)> {
    let caches = app.shown().store.caches(app.moment());
    let Some((_, sample)) = caches.into_iter().find(|(target, _)| target.info.id == *id) else {
        return Vec::new();
    };
    let it = match name.strip_prefix(FOUND) {
        Some(prefix) => sample.found.iter().find(|it| it.prefix.as_str() == prefix),
        None => sample.namespaces.iter().find(|it| it.name.as_str() == name),
    };
    let Some(it) = it else { return Vec::new() };
    let mut lines = Vec::new();
    let mut add = |label: &str, text: String| lines.push((label.to_owned(), Cell::text(&text)));
    let kinds: Vec<_> = it.types.iter().map(|kind| format!("{} {}", count(kind.keys), kind.name)).collect();
    if !kinds.is_empty() {
        add("types", format!("{} of {} looked into", kinds.join(", "), count(it.looked_into)));
    }
    if let Some(ttl) = it.ttl {
        let (least, middle, most) = (span(ttl.least), span(ttl.middle), span(ttl.most));
        add("expire", format!("in {least} to {most}, half of them after {middle}"));
    }
    if let Some(it) = &it.largest {
        add("largest met", format!("{}, a {} of {}", it.key, it.kind, bytes(it.bytes as f64)));
    }
    if name.starts_with(FOUND) && !it.prefix.is_empty() {
        add("to clear it", format!("add to {id} in the config: {}", as_config(it.prefix.as_str())));
    }
    lines
}

/// What a config would have to say for a prefix that was found.
pub(in crate::app) fn as_config(prefix: &str) -> String {
    format!("[[target.namespace]] with a name and prefix = {prefix:?}")
}

const LARGE: &[Column] = &[
    col("MEMORY", 8, true, 0),
    col("TYPE", 7, false, 0),
    col("TTL", 7, true, 1),
    col("ON", 14, false, 1),
    col("KEY", 0, false, 0),
];

pub(super) fn large_keys(app: &App) -> Draft {
    let mut draft =
        Draft { columns: LARGE, empty: "no key was sized yet", ordered: true, ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.caches(app.moment()) {
        let id = &target.info.id;
        for it in &sample.largest {
            draft.rows.push(row(
                RowKey::Named(id.clone(), it.key.to_string()),
                Severity::Ok,
                vec![
                    Cell::Bytes(it.bytes as f64),
                    Cell::Text(it.kind.clone()),
                    it.ttl.map_or_else(|| Cell::text("never"), Cell::Seconds),
                    Cell::text(id.as_str()),
                    Cell::Text(it.key.clone()),
                ],
            ));
        }
        if sample.sized > 0 {
            let sized = sample.sized.min(sample.keys);
            said.push(format!(
                "{id}: {} of {} keys sized{}",
                count(sized),
                count(sample.keys),
                counted(sample)
            ));
        }
    }
    draft.rows.sort_by(|a, b| match (a.cells.first(), b.cells.first()) {
        (Some(Cell::Bytes(a)), Some(Cell::Bytes(b))) => b.total_cmp(a),
        _ => std::cmp::Ordering::Equal,
    });
    draft.summary = said.join("   ");
    draft
}

/// What the server itself counts of large keys, which may not all have been met yet.
fn counted(sample: &CacheSample) -> String {
    let kinds = sample.key_sizes.iter().filter(|it| it.large > 0).map(|it| match it.kind.as_str() {
        "string" => format!("{} strings of {} or more", count(it.large), bytes(it.limit as f64)),
        kind => format!("{} {kind}s of {} elements or more", count(it.large), count(it.limit)),
    });
    let kinds: Vec<_> = kinds.collect();
    if kinds.is_empty() { String::new() } else { format!("; it counts {}", kinds.join(", ")) }
}

const SLOW: &[Column] = &[
    col("AT", 8, false, 0),
    col("TOOK", 7, true, 0),
    col("CLIENT", 21, false, 2),
    col("NAME", 12, false, 3),
    col("ON", 12, false, 4),
    col("COMMAND", 0, false, 0),
];

pub(super) fn slow_commands(app: &App) -> Draft {
    let mut draft =
        Draft { columns: SLOW, empty: "no slow command in the last ten seconds", ..Draft::default() };
    for (target, sample) in app.shown().store.caches(app.moment()) {
        let id = &target.info.id;
        for it in &sample.slow {
            draft.rows.push(row(
                RowKey::Named(id.clone(), format!("slow {}", it.id)),
                if it.took_ms >= 100.0 { Severity::Warning } else { Severity::Ok },
                vec![
                    Cell::Time(it.at),
                    Cell::Millis(it.took_ms),
                    Cell::Text(it.client.clone()),
                    if it.client_name.is_empty() { Cell::None } else { Cell::Text(it.client_name.clone()) },
                    Cell::text(id.as_str()),
                    Cell::Text(it.command.clone()),
                ],
            ));
        }
    }
    draft
}

const SHARES: &[Column] = &[
    col("COMMAND", 20, false, 0),
    col("BUSY", 6, true, 0),
    col("CALLS", 9, true, 0),
    col("EACH", 8, true, 1),
    col("P50", 8, true, 3),
    col("P99", 8, true, 2),
    col("ON", 0, false, 2),
];

pub(super) fn command_shares(app: &App) -> Draft {
    let mut draft =
        Draft { columns: SHARES, empty: "no command was counted between two polls yet", ..Draft::default() };
    for (target, sample) in app.shown().store.caches(app.moment()) {
        let id = &target.info.id;
        for it in target.cache_window().map(|rates| rates.by_command.as_slice()).unwrap_or_default() {
            let known = sample.command_stats.iter().find(|known| known.name.as_str() == it.name);
            let each = (it.calls > 0.0).then(|| it.busy / it.calls * 1e3);
            draft.rows.push(row(
                RowKey::Named(id.clone(), it.name.clone()),
                Severity::Ok,
                vec![
                    Cell::text(&it.name),
                    Cell::Share(it.busy),
                    Cell::Rate(it.calls),
                    Cell::maybe(each, Cell::Millis),
                    Cell::maybe(known.and_then(|it| it.p50_ms), Cell::Millis),
                    Cell::maybe(known.and_then(|it| it.p99_ms), Cell::Millis),
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft
}
