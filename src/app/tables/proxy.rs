//! Backends and the servers behind them.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, Row, RowKey};
use crate::model::words::count;
use crate::model::{ProxyBackend, ProxySample, ProxyServer, Resource, ServerState, Severity};
use crate::store::{ProxyRates, Target};

/// Kinds that are proxies.
pub const PROXIES: &[&str] = &["haproxy", "nginx", "prometheus", "varnish"];

const COLUMNS: &[Column] = &[
    col("BACKEND", 22, false, 0),
    col("STATE", 10, false, 0),
    col("QUEUE", 6, true, 0),
    col("Q TIME", 7, true, 1),
    col("Q P95", 7, true, 3),
    col("IN FLIGHT", 9, true, 2),
    col("LIMIT", 6, true, 3),
    col("REQUESTS", 8, true, 1),
    col("5XX", 6, true, 1),
    col("CONNECT ERR", 11, true, 4),
    col("RETRIES", 7, true, 5),
    col("ANSWER", 7, true, 3),
    col("P95", 7, true, 4),
    col("CHECK", 0, false, 4),
];

pub(super) fn backends(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no proxy is polled", ..Draft::default() };
    // A backend's servers stand below it, so the groups are ordered and not their rows.
    draft.ordered = true;
    let mut groups: Vec<(Severity, Vec<Row>)> = Vec::new();
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.proxies(now) {
        for backend in &sample.backends {
            groups.push(group(app, target, backend));
        }
        said.push(format!("{}: {}{}", target.info.id, polled(target, now), cached(target, sample)));
    }
    groups.extend(silent_rows(app, PROXIES, COLUMNS).map(|row| (row.severity, vec![row])));
    groups.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    draft.rows = groups.into_iter().flat_map(|(_, rows)| rows).collect();
    draft.summary = said.join("   ");
    draft
}

/// `, 87.0 % hits of 4 210 objects, 12 parked behind a fetch`.
fn cached(target: &Target, sample: &ProxySample) -> String {
    let Some(cache) = &sample.cache else { return String::new() };
    let ratio = target.proxy_window().and_then(|rows| rows.values().find_map(|row| row.hit_ratio));
    let ratio = ratio.map_or_else(String::new, |share| format!("{:.1} % hits of ", share * 100.0));
    let parked =
        if cache.parked > 0 { format!(", {} parked behind a fetch", cache.parked) } else { String::new() };
    format!(", {ratio}{} objects{parked}", count(cache.objects))
}

fn group(app: &App, target: &Target, backend: &ProxyBackend) -> (Severity, Vec<Row>) {
    let id = target.info.id.row(backend.name.as_str());
    let rate = |name: &str| target.proxy_window().and_then(|rows| rows.get(name));
    let worst =
        severity(app, &[Resource::RequestQueue, Resource::ProxyBackends, Resource::EndpointLatency], &id);
    let own = rate(backend.name.as_str());
    let logged = backend.logged;
    let answer = logged.and_then(|it| it.answer);
    let mean = answer.map(|it| it.mean_ms).or(backend.response_time_ms.map(|ms| ms as f64));
    let mut cells = vec![
        Cell::text(id.as_str()),
        Cell::text(if backend.up { "up" } else { "down" }),
        Cell::maybe(backend.seen_queue(), Cell::Count),
        Cell::maybe(logged, |it| Cell::Millis(it.wait.mean_ms)),
        Cell::maybe(logged, |it| Cell::Millis(it.wait.p95_ms)),
        if backend.untold.in_flight { Cell::None } else { Cell::Count(backend.in_flight) },
        Cell::None,
    ];
    cells.extend(rates(own));
    cells.push(Cell::maybe(mean, Cell::Millis));
    cells.push(Cell::maybe(answer, |it| Cell::Millis(it.p95_ms)));
    cells.push(Cell::None);
    let mut rows = vec![row(RowKey::Target(id.clone()), worst, cells)];
    let mut servers: Vec<(Severity, &ProxyServer)> =
        backend.servers.iter().map(|server| (server_severity(server), server)).collect();
    servers.sort_by_key(|(severity, server)| (std::cmp::Reverse(*severity), std::cmp::Reverse(server.queue)));
    let count = servers.len();
    for (at, (severity, server)) in servers.into_iter().enumerate() {
        let name = format!("{}/{}", backend.name, server.name);
        // Without a limit the proxy sends everything on: its queue is blind, not empty.
        let sees = server.limit.is_some();
        let mut cells = vec![
            Cell::Text(server.name.clone()),
            Cell::Text(server.status.clone()),
            if sees { Cell::Count(server.queue) } else { Cell::None },
            Cell::maybe(server.queue_time_ms.filter(|_| sees), |ms| Cell::Millis(ms as f64)),
            Cell::None,
            if server.untold.in_flight { Cell::None } else { Cell::Count(server.in_flight) },
            Cell::maybe(server.limit, Cell::Count),
        ];
        cells.extend(rates(rate(&name)));
        cells.push(Cell::maybe(server.response_time_ms, |ms| Cell::Millis(ms as f64)));
        cells.push(Cell::None);
        cells.push(Cell::Text(server.check.clone()));
        rows.push(Row {
            key: RowKey::Target(target.info.id.row(&name)),
            depth: 1,
            last: vec![true, at + 1 == count],
            severity,
            cells,
        });
    }
    (worst, rows)
}

fn rates(rates: Option<&ProxyRates>) -> [Cell; 4] {
    let of = |pick: fn(&ProxyRates) -> Option<f64>| rates.and_then(pick);
    [
        Cell::maybe(of(|rates| rates.requests), Cell::Rate),
        Cell::maybe(of(|rates| rates.errors_5xx), Cell::Share),
        Cell::maybe(of(|rates| rates.connect_errors), Cell::Rate),
        Cell::maybe(of(|rates| rates.retries), Cell::Rate),
    ]
}

const fn server_severity(server: &ProxyServer) -> Severity {
    match server.state {
        ServerState::Down if server.backup => Severity::Warning,
        ServerState::Down => Severity::Critical,
        ServerState::Drain | ServerState::Maintenance => Severity::Warning,
        ServerState::Up | ServerState::Unchecked => Severity::Ok,
    }
}
