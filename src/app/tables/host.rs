//! Machines, their file systems and disks, and the accept queues of their ports.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, Row, RowKey};
use crate::model::{HostSample, MACHINE_KINDS, Resource, Severity, TargetId, words};
use crate::store::Freshness;

const HOSTS: &[Column] = &[
    col("HOST", 14, false, 0),
    col("BUSY", 5, true, 0),
    col("RUN", 4, true, 1),
    col("IOWAIT", 6, true, 3),
    col("STEAL", 5, true, 3),
    col("PSI CPU", 7, true, 4),
    col("MEM USED", 8, true, 0),
    col("SWAP", 8, true, 1),
    col("PSI MEM", 7, true, 4),
    col("REFAULT", 8, true, 6),
    col("PSI IO", 6, true, 5),
    col("RETRANS", 7, true, 7),
    col("DROPS", 6, true, 7),
    col("LOAD", 5, true, 6),
    col("", 0, false, 2),
];

pub(super) fn hosts(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: HOSTS, empty: "no machine is polled", ..Draft::default() };
    let (mut said, mut ages) = (Vec::new(), Vec::new());
    for (target, sample) in app.shown().store.hosts(now) {
        ages.push(target.age(now));
        let id = &target.info.id;
        let rates = target.host_rates();
        let cpu = rates.and_then(|rates| rates.cpu);
        let psi = rates.and_then(|rates| rates.pressure);
        let used = sample.memory.filter(|memory| memory.total > 0);
        let worst = severity(
            app,
            &[Resource::HostCpu, Resource::HostMemory, Resource::HostDisk, Resource::HostNetwork],
            id,
        );
        draft.rows.push(row(
            RowKey::Target(id.clone()),
            worst,
            vec![
                Cell::text(id.as_str()),
                Cell::maybe(cpu, |cpu| Cell::Share(cpu.busy)),
                Cell::maybe(sample.run_queue, |n| Cell::Count(n.into())),
                Cell::maybe(cpu, |cpu| Cell::Share(cpu.iowait)),
                Cell::maybe(cpu, |cpu| Cell::Share(cpu.steal)),
                Cell::maybe(psi, |psi| Cell::Share(psi.cpu_some)),
                Cell::maybe(used, |memory| Cell::Share(1.0 - memory.available as f64 / memory.total as f64)),
                Cell::maybe(rates.and_then(crate::store::HostRates::swap_traffic), Cell::Rate),
                Cell::maybe(psi, |psi| Cell::Share(psi.memory_full)),
                Cell::maybe(rates.and_then(|rates| rates.refaults), Cell::Rate),
                Cell::maybe(psi, |psi| Cell::Share(psi.io_full)),
                Cell::maybe(rates.and_then(|rates| rates.retransmits), Cell::Share),
                Cell::maybe(rates.and_then(|rates| rates.listen_drops), Cell::Count),
                Cell::maybe(sample.load, |load| Cell::Number(load[0])),
                Cell::text(&about(&target.info.group, sample)),
            ],
        ));
        // A few are told one by one, many are counted.
        said.push(if said.len() < 3 { format!("{id}: {}", polled(target, now)) } else { String::new() });
    }
    draft.rows.extend(silent_rows(app, MACHINE_KINDS, HOSTS));
    draft.summary =
        if said.len() < 4 { said.join("   ") } else { counted(&draft.rows) + &read(&Freshness::of(ages)) };
    draft
}

/// What a machine is for, and its size.
fn about(group: &str, sample: &HostSample) -> String {
    let group = if group.is_empty() { sample.group.as_str() } else { group };
    let cores = words::many(u64::from(sample.cores), "core", "cores");
    if group.is_empty() { cores } else { format!("{group}, {cores}") }
}

/// `   read 2.4 s ago, 99 of 100 within 5.1 s`.
fn read(ages: &Freshness) -> String {
    let seconds = |ms: u64| words::span(ms as f64 / 1e3);
    let both = ages.p50_ms.zip(ages.p99_ms);
    both.map_or_else(String::new, |(half, most)| {
        format!("   read {} ago, 99 of 100 within {}", seconds(half), seconds(most))
    })
}

/// `1 000 machines: 2 critical, 5 warning, 990 ok, 3 unknown`.
fn counted(rows: &[Row]) -> String {
    let parts: Vec<String> = [Severity::Critical, Severity::Warning, Severity::Unknown, Severity::Ok]
        .into_iter()
        .filter_map(|severity| {
            let count = rows.iter().filter(|row| row.severity == severity).count();
            (count > 0).then(|| format!("{count} {}", severity.word()))
        })
        .collect();
    format!("{}: {}", words::many(rows.len() as u64, "machine", "machines"), parts.join(", "))
}

const DISKS: &[Column] = &[
    col("DISK", 20, false, 0),
    col("USED", 5, true, 0),
    col("FREE", 8, true, 0),
    col("SIZE", 8, true, 2),
    col("BUSY", 5, true, 1),
    col("READ", 10, true, 2),
    col("WRITTEN", 10, true, 2),
    col("ON", 0, false, 3),
];

pub(super) fn filesystems(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: DISKS, empty: "no disk is known", ..Draft::default() };
    for (target, sample) in app.shown().store.hosts(now) {
        let id = &target.info.id;
        let judged = severity(app, &[Resource::HostDisk], id);
        let named = |name: &str| RowKey::Named(id.clone(), name.to_owned());
        let mut mounts: Vec<_> = sample.filesystems.iter().filter(|it| it.total > 0).collect();
        let used = |it: &crate::model::Filesystem| 1.0 - it.available as f64 / it.total as f64;
        mounts.sort_by(|a, b| used(b).total_cmp(&used(a)));
        for (at, it) in mounts.into_iter().enumerate() {
            let own = severity(app, &[Resource::HostDisk], &id.row(it.mount.as_str()));
            draft.rows.push(row(
                named(it.mount.as_str()),
                own.max(if at == 0 { judged } else { Severity::Ok }),
                vec![
                    Cell::Text(it.mount.clone()),
                    Cell::Share(used(it)),
                    Cell::Bytes(it.available as f64),
                    Cell::Bytes(it.total as f64),
                    Cell::None,
                    Cell::None,
                    Cell::None,
                    Cell::text(id.as_str()),
                ],
            ));
        }
        let mut disks: Vec<_> =
            target.host_rates().map(|rates| rates.disks.iter().collect()).unwrap_or_default();
        disks.sort_by(|a: &&crate::store::DiskRate, b| b.busy.total_cmp(&a.busy));
        for it in disks {
            draft.rows.push(row(
                named(&it.name),
                severity(app, &[Resource::HostDisk], &id.row(&it.name)),
                vec![
                    Cell::text(&it.name),
                    Cell::None,
                    Cell::None,
                    Cell::None,
                    Cell::Share(it.busy),
                    Cell::text(&format!("{}/s", crate::model::words::bytes(it.read))),
                    Cell::text(&format!("{}/s", crate::model::words::bytes(it.written))),
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft
}

const PORTS: &[Column] = &[
    col("PORT", 6, true, 0),
    col("ADDRESS", 16, false, 2),
    col("WAITING", 7, true, 0),
    col("MEAN", 6, true, 1),
    col("MOST", 6, true, 1),
    col("LIMIT", 6, true, 1),
    col("FULL", 5, true, 0),
    col("ON", 0, false, 3),
];

pub(super) fn accept_queues(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft {
        columns: PORTS,
        empty: "no listening port is known: the accept queues of another machine cannot be read from here",
        ..Draft::default()
    };
    for (target, sample) in app.shown().store.hosts(now) {
        let id: &TargetId = &target.info.id;
        // Every machine has dozens of sockets in its file system at which nobody ever waits.
        let paths = sample.unix_listeners.iter().filter(|it| it.max_depth > 0);
        let mut ports: Vec<_> = sample.listeners.iter().chain(paths).collect();
        ports.sort_by(|a, b| b.mean_depth.total_cmp(&a.mean_depth).then(a.port.cmp(&b.port)));
        for it in ports {
            let name = format!("{}:{}", it.address, it.port);
            let full = f64::from(it.depth) / f64::from(it.limit.max(1));
            let by_fill = if it.limit > 0 && it.depth >= it.limit {
                Severity::Critical
            } else if it.limit > 0 && full >= 0.5 {
                Severity::Warning
            } else {
                Severity::Ok
            };
            draft.rows.push(row(
                RowKey::Named(id.clone(), name),
                by_fill,
                vec![
                    if it.port == 0 { Cell::None } else { Cell::text(&it.port.to_string()) },
                    Cell::Text(it.address.clone()),
                    Cell::Count(it.depth.into()),
                    Cell::Number(it.mean_depth),
                    Cell::Count(it.max_depth.into()),
                    Cell::Count(it.limit.into()),
                    if it.limit > 0 { Cell::Share(full) } else { Cell::None },
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft
}
