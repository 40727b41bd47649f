//! php-fpm's status page as a sample. Pure.

use serde::Deserialize;

use crate::model::{AppSample, AppWorker, SafeText};

#[derive(Debug, Deserialize)]
struct Status {
    pool: String,
    #[serde(rename = "process manager")]
    manager: String,
    #[serde(rename = "start time", default)]
    start: u64,
    #[serde(rename = "accepted conn")]
    accepted: u64,
    #[serde(rename = "listen queue")]
    queue: u64,
    #[serde(rename = "listen queue len")]
    queue_limit: u64,
    #[serde(rename = "active processes")]
    active: u64,
    #[serde(rename = "total processes")]
    total: u64,
    #[serde(rename = "max active processes", default)]
    most_active: u64,
    #[serde(rename = "max children reached", default)]
    at_limit: u64,
    #[serde(rename = "slow requests", default)]
    slow: u64,
    #[serde(default)]
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Process {
    pid: u32,
    state: String,
    requests: u64,
    /// Microseconds, of the running or of the last request.
    #[serde(rename = "request duration")]
    duration: u64,
    #[serde(rename = "request method")]
    method: String,
    #[serde(rename = "request uri")]
    uri: String,
}

impl Status {
    /// Its limit is not on the page; when it was reached, all were at work at once. A process that has just
    /// started is on the list before it is counted.
    fn capacity(&self, fixed: bool) -> u64 {
        if fixed { self.total.max(self.most_active).max(self.processes.len() as u64) } else { self.total }
    }
}

/// A page, read.
pub(super) struct Read {
    pub(super) sample: AppSample,
    pub(super) queue: u64,
    pub(super) queue_limit: u64,
    /// The question was answered by one of the pool's own processes.
    pub(super) through_pool: bool,
}

/// Reads a page that was asked for at `path`; `None` when it is none of php-fpm's.
pub(super) fn read(text: &str, path: &str) -> Option<Read> {
    let status: Status = serde_json::from_str(text).ok()?;
    let is_ours = |process: &Process| {
        process.state != "Idle" && process.uri.split('?').next().is_some_and(|uri| uri == path)
    };
    let through_pool = status.processes.iter().any(is_ours);
    let workers = status.processes.iter().enumerate().map(|(at, it)| worker(at, it, is_ours(it))).collect();
    let fixed = status.manager == "static" || status.at_limit > 0;
    Some(Read {
        sample: AppSample {
            product: SafeText::new(&format!("php-fpm, pool {}", status.pool)),
            run: SafeText::new(&status.start.to_string()),
            unit: "process".into(),
            capacity: status.capacity(fixed),
            busy: status.active.saturating_sub(u64::from(through_pool)),
            grows: !fixed,
            requests: Some(status.accepted),
            at_limit: Some(status.at_limit),
            slow: Some(status.slow),
            workers,
            ..AppSample::default()
        },
        queue: status.queue,
        queue_limit: status.queue_limit,
        through_pool,
    })
}

fn worker(at: usize, process: &Process, ours: bool) -> AppWorker {
    let busy = process.state != "Idle" && !ours;
    let doing = format!("{} {}", process.method, process.uri.split('?').next().unwrap_or_default());
    AppWorker {
        name: SafeText::new(&(at + 1).to_string()),
        pid: process.pid,
        state: SafeText::new(if ours { "answers warroom" } else { &process.state }),
        capacity: 1,
        busy: u64::from(busy),
        requests: Some(process.requests),
        doing: (busy && process.uri != "-").then(|| SafeText::new(&doing)),
        busy_for: busy.then_some(process.duration as f64 / 1e6),
        ..AppWorker::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    /// As php-fpm 8.2 told it, asked through the pool while one of two ran a script.
    const TOLD: &str = r#"{"pool":"www","process manager":"static","start time":1795267260,"start since":3,"accepted conn":4,"listen queue":0,"max listen queue":0,"listen queue len":50,"idle processes":0,"active processes":2,"total processes":2,"max active processes":2,"max children reached":0,"slow requests":0, "processes":[{"pid":27924,"state":"Running","start time":1795267260,"start since":3,"requests":3,"request duration":129,"request method":"GET","request uri":"\/status?json&full","content length":0,"user":"-","script":"-","last request cpu":0.00,"last request memory":0},{"pid":27925,"state":"Running","start time":1795267260,"start since":3,"requests":1,"request duration":1802506,"request method":"GET","request uri":"\/slow.php?a=secret","content length":0,"user":"-","script":"slow.php","last request cpu":0.00,"last request memory":0}]}"#;

    #[test]
    fn our_own_question_is_not_counted_as_work_and_no_query_is_kept() {
        let read = read(TOLD, "/status").expect("it is a page");
        assert!(read.through_pool);
        let it = read.sample;
        assert_eq!((it.busy, it.capacity, it.grows), (1, 2, false));
        let (longest, age) = it.longest().expect("one is at work");
        assert_eq!(longest.doing.as_ref().map(SafeText::as_str), Some("GET /slow.php"));
        assert!((1.80..1.81).contains(&age));
        assert!(super::read(TOLD, "/other").is_some_and(|it| !it.through_pool && it.sample.busy == 2));
        let starting =
            TOLD.replace("\"total processes\":2,\"max active processes\":2", "\"total processes\":1");
        assert!(super::read(&starting, "/status").is_some_and(|it| it.sample.capacity == 2));
    }

    #[test]
    fn torn_pages_are_read_or_refused() {
        each_torn_text(TOLD, |torn| drop(super::read(torn, "/status")));
    }
}
