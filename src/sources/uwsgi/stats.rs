//! uWSGI's statistics as a sample. Pure.

use serde::Deserialize;

use crate::model::{AppSample, AppSocket, AppWorker, Missing, SafeText};

/// The document, as far as it is used. It also holds the headers of running requests: they are not kept.
#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    version: String,
    pid: u64,
    #[serde(default)]
    listen_queue_errors: u64,
    #[serde(default)]
    sockets: Vec<Socket>,
    pub(super) workers: Vec<Worker>,
}

#[derive(Debug, Deserialize)]
struct Socket {
    name: String,
    #[serde(default)]
    queue: u64,
    #[serde(default)]
    max_queue: u64,
}

/// A process.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Worker {
    pub(super) id: u64,
    pid: u32,
    requests: u64,
    exceptions: u64,
    harakiri_count: u64,
    status: String,
    rss: u64,
    respawn_count: u64,
    avg_rt: u64,
    pub(super) cores: Vec<Core>,
}

/// What works on one request: a thread, or the whole process.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Core {
    pub(super) id: u64,
    pub(super) in_request: u64,
    vars: Vec<String>,
    pub(super) req_info: Request,
}

/// A running request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    /// Seconds since 1970 by the server's clock.
    pub(super) request_start: i64,
}

impl Core {
    /// `GET /report`, without the query.
    pub(super) fn doing(&self) -> Option<SafeText> {
        let var = |name: &str| self.vars.iter().find_map(|var| var.strip_prefix(name)?.strip_prefix('='));
        let path = var("REQUEST_URI").or_else(|| var("PATH_INFO"))?.split('?').next()?;
        Some(SafeText::new(&format!("{} {path}", var("REQUEST_METHOD").unwrap_or("?"))))
    }
}

/// The sample that a document makes.
pub(super) fn sample(stats: &Stats) -> AppSample {
    let workers: Vec<AppWorker> = stats.workers.iter().map(worker).collect();
    let sum = |of: fn(&Worker) -> u64| stats.workers.iter().map(of).fold(0, u64::saturating_add);
    let served = sum(|worker| worker.requests);
    let weighted: f64 = stats.workers.iter().map(|it| it.avg_rt as f64 * it.requests as f64).sum();
    let threaded = stats.workers.iter().any(|worker| worker.cores.len() > 1);
    let mut sample = AppSample {
        product: SafeText::new(&format!("uWSGI {}", stats.version)),
        run: SafeText::new(&stats.pid.to_string()),
        unit: (if threaded { "thread" } else { "worker" }).into(),
        capacity: workers.iter().map(|worker| worker.capacity).sum(),
        busy: workers.iter().map(|worker| worker.busy).sum(),
        sockets: stats.sockets.iter().map(socket).collect(),
        requests: Some(served),
        exceptions: Some(sum(|worker| worker.exceptions)),
        spawned: Some(sum(|worker| worker.respawn_count)),
        ended: Some(sum(|worker| worker.harakiri_count)),
        overflows: Some(stats.listen_queue_errors),
        answer_ms: (served > 0).then(|| weighted / served as f64 / 1e3),
        workers,
        ..AppSample::default()
    };
    if sample.sockets.iter().any(|socket| socket.depth.is_none()) {
        let why = "uWSGI cannot see the queue of a socket in the file system; listen on a port, or watch it from \
                   the machine itself";
        sample.missing.push(Missing::new("listen queue", why));
    }
    sample
}

/// A queue whose limit is 0 is one that uWSGI cannot see, whatever its depth says.
fn socket(socket: &Socket) -> AppSocket {
    let seen = socket.max_queue > 0;
    AppSocket {
        name: SafeText::new(&socket.name),
        depth: seen.then_some(socket.queue),
        limit: seen.then_some(socket.max_queue),
    }
}

fn worker(worker: &Worker) -> AppWorker {
    let cores = worker.cores.len().max(1) as u64;
    let busy = if worker.cores.is_empty() {
        u64::from(worker.status == "busy")
    } else {
        worker.cores.iter().filter(|core| core.in_request > 0).count() as u64
    };
    AppWorker {
        name: SafeText::new(&worker.id.to_string()),
        pid: worker.pid,
        state: SafeText::new(&worker.status),
        capacity: cores,
        busy,
        requests: Some(worker.requests),
        memory: (worker.rss > 0).then_some(worker.rss),
        answer_ms: (worker.requests > 0).then(|| worker.avg_rt as f64 / 1e3),
        ..AppWorker::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn a_queue_that_cannot_be_seen_is_no_empty_queue() {
        let text = r#"{"version":"2.0.21","pid":7,"sockets":[{"name":"/run/u.sock","queue":0,"max_queue":0},
            {"name":"127.0.0.1:1","queue":4,"max_queue":10}],"workers":[{"id":1,"pid":8,"status":"busy","avg_rt":2000,
            "requests":3,"cores":[{"id":0,"in_request":1,"vars":["REQUEST_METHOD=GET","REQUEST_URI=/a?token=x",""]},
            {"id":1,"in_request":0}]}]}"#;
        let stats: Stats = serde_json::from_str(text).expect("it is a document");
        let it = sample(&stats);
        let told: Vec<_> = it.sockets.iter().map(|socket| (socket.depth, socket.limit)).collect();
        assert_eq!(told, [(None, None), (Some(4), Some(10))]);
        assert_eq!(it.missing.len(), 1);
        assert_eq!((it.busy, it.capacity, it.unit.as_str(), it.answer_ms), (1, 2, "thread", Some(2.0)));
        assert_eq!(stats.workers[0].cores[0].doing().expect("told").as_str(), "GET /a");
    }

    #[test]
    fn torn_documents_are_read_or_refused() {
        let text = r#"{"version":"2.0.21","pid":7,"sockets":[{"name":"127.0.0.1:1","queue":4,"max_queue":10}],"workers":[
            {"id":1,"pid":8,"status":"busy","avg_rt":2000,"requests":3,"rss":1,"cores":[{"id":0,"in_request":1,
            "vars":["REQUEST_METHOD=GET","REQUEST_URI=/a?token=x",""],"req_info":{"request_start":1795267260}}]},
            {"id":2,"pid":9,"status":"idle","exceptions":1,"harakiri_count":1,"respawn_count":1,"requests":3}]}"#;
        each_torn_text(text, |torn| {
            let Ok(stats) = serde_json::from_str::<Stats>(torn) else { return };
            sample(&stats);
            stats.workers.iter().flat_map(|worker| &worker.cores).for_each(|core| drop(core.doing()));
        });
    }
}
