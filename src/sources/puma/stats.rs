//! Puma's statistics as a sample: alone, or a cluster whose workers report now and then. Pure.

use serde::Deserialize;

use crate::model::{AppSample, AppWorker, Missing, SafeText};

/// Seconds between two reports of a cluster's worker, as Puma sets it by itself.
const REPORTS: f64 = 5.0;

#[derive(Debug, Deserialize)]
struct Stats {
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    versions: Versions,
    worker_status: Option<Vec<Worker>>,
    workers: Option<u64>,
    #[serde(flatten)]
    own: Pool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Versions {
    puma: String,
}

/// A thread pool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pool {
    backlog: Option<u64>,
    running: Option<u64>,
    #[serde(rename = "pool_capacity")]
    free: Option<u64>,
    max_threads: Option<u64>,
    requests_count: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Worker {
    pid: u32,
    index: u64,
    booted: bool,
    last_status: Pool,
}

/// The sample that an answer makes; `None` when it is none of Puma's.
pub(super) fn read(text: &str) -> Option<AppSample> {
    let stats: Stats = serde_json::from_str(text).ok()?;
    let mut missing = Vec::new();
    let workers: Vec<AppWorker> = if let Some(workers) = &stats.worker_status {
        workers.iter().map(worker).collect()
    } else {
        stats.own.max_threads?;
        vec![pool(
            &stats.own,
            AppWorker { name: "0".into(), state: "running".into(), ..AppWorker::default() },
        )]
    };
    let booted = stats.worker_status.iter().flatten().filter(|worker| worker.booted).count() as u64;
    if let Some(all) = stats.workers.filter(|all| *all > booted) {
        missing.push(Missing::new("workers", &format!("{booted} of {all} have booted")));
    }
    let sum = |of: fn(&AppWorker) -> Option<u64>| workers.iter().filter_map(of).reduce(u64::saturating_add);
    Some(AppSample {
        product: SafeText::new(format!("Puma {}", stats.versions.puma).trim_end()),
        run: SafeText::new(&stats.started_at),
        unit: "thread".into(),
        capacity: workers.iter().map(|worker| worker.capacity).fold(0, u64::saturating_add),
        busy: workers.iter().map(|worker| worker.busy).fold(0, u64::saturating_add),
        backlog: sum(|worker| worker.backlog),
        requests: sum(|worker| worker.requests),
        refreshed_every: if stats.worker_status.is_some() { REPORTS } else { 0.0 },
        workers,
        missing,
        ..AppSample::default()
    })
}

fn worker(worker: &Worker) -> AppWorker {
    let state = if worker.booted { "booted" } else { "booting" };
    let name = SafeText::new(&worker.index.to_string());
    let blank = AppWorker { name, pid: worker.pid, state: state.into(), ..AppWorker::default() };
    pool(&worker.last_status, blank)
}

/// `pool_capacity` is what it could take on now: threads that wait, and those not yet started.
fn pool(pool: &Pool, worker: AppWorker) -> AppWorker {
    let capacity = pool.max_threads.unwrap_or(0);
    let free = pool.free.unwrap_or_else(|| capacity.saturating_sub(pool.running.unwrap_or(0)));
    AppWorker {
        capacity,
        busy: capacity.saturating_sub(free),
        backlog: pool.backlog,
        requests: pool.requests_count,
        ..worker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn a_cluster_adds_up_and_what_has_not_booted_is_told() {
        let text = r#"{"started_at":"2026-11-21T13:20:47Z","workers":3,"booted_workers":2,"worker_status":[
            {"pid":1,"index":0,"booted":true,"last_status":{"backlog":1,"running":2,"pool_capacity":0,"max_threads":2,"requests_count":7}},
            {"pid":2,"index":1,"booted":true,"last_status":{"backlog":0,"running":1,"pool_capacity":2,"max_threads":2,"requests_count":1}},
            {"pid":3,"index":2,"booted":false,"last_status":{}}]}"#;
        let it = read(text).expect("it is Puma's");
        assert_eq!((it.busy, it.capacity, it.backlog, it.requests), (2, 4, Some(1), Some(8)));
        assert_eq!(it.missing[0].why.as_str(), "2 of 3 have booted");
        assert!(read("{}").is_none() && read("[1]").is_none());
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        let text = r#"{"started_at":"2026-11-21T13:20:47Z","workers":2,"worker_status":[{"pid":1,"index":0,"booted":true,
            "last_status":{"backlog":1,"running":2,"pool_capacity":0,"max_threads":2,"requests_count":7}},{"pid":2,"index":1,
            "booted":true,"last_status":{"backlog":1,"running":2,"pool_capacity":0,"max_threads":2,"requests_count":7}}]}"#;
        each_torn_text(text, |torn| drop(read(torn)));
    }
}
