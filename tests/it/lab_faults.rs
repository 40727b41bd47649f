//! Each fault does to the servers what it says, and healing undoes it. Judged by the servers' own words.
#![expect(clippy::unwrap_used, reason = "a test says what it expected by failing")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use warroom::lab::{self, Lab};

use crate::lab::{until, whole};

/// A lab with a fault; healing is asked for by the test.
struct Drill {
    lab: Lab,
    _folder: lab::Folder,
}

impl Drill {
    fn with(fault: &str) -> Self {
        let folder = lab::Folder::temporary(&format!("test-{fault}")).unwrap();
        let drill = Self { lab: whole(&folder), _folder: folder };
        assert_eq!(lab::cause(drill.lab.dir(), fault).unwrap().name, fault);
        assert!(lab::cause(drill.lab.dir(), fault).is_err(), "a fault at work is not caused twice");
        drill
    }

    fn heal(&self, fault: &str) {
        assert_eq!(lab::heal(self.lab.dir()).unwrap(), [fault]);
    }

    async fn database(&self) -> PgConnection {
        let port = self.lab.state().postgres.as_ref().unwrap().port;
        let url = format!("postgres://warroom@127.0.0.1:{port}/app?application_name=test");
        let mut connection = PgConnection::connect(&url).await;
        // The last free connection comes and goes while the app breathes.
        until("a connection is to be had", async || {
            if connection.is_err() {
                connection = PgConnection::connect(&url).await;
            }
            connection.is_ok()
        })
        .await;
        connection.unwrap()
    }

    async fn cache(&self) -> redis::RedisResult<MultiplexedConnection> {
        let port = self.lab.state().cache.unwrap();
        super::redis::connect(&format!("redis://127.0.0.1:{port}/0")).await
    }

    /// A column of a row of the app's backend, out of HAProxy's own statistics.
    fn proxy(&self, row: &str, column: &str) -> String {
        let mut socket = UnixStream::connect(&self.lab.state().doors.as_ref().unwrap().socket).unwrap();
        socket.write_all(b"show stat\n").unwrap();
        let mut csv = String::new();
        socket.read_to_string(&mut csv).unwrap();
        let mut lines = csv.lines();
        let at = lines.next().unwrap().split(',').position(|name| name == column).unwrap();
        let line = lines.find(|line| line.starts_with(&format!("app,{row},"))).unwrap();
        line.split(',').nth(at).unwrap().to_owned()
    }
}

async fn count(connection: &mut PgConnection, condition: &'static str) -> i64 {
    let sql = format!("select count(*) from pg_stat_activity where {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
}

async fn info(connection: &mut MultiplexedConnection, name: &str) -> f64 {
    let info: String = redis::cmd("INFO").query_async(connection).await.unwrap();
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn lock_pileup_makes_twenty_wait_behind_one_that_does_nothing() {
    let drill = Drill::with("lock-pileup");
    let mut db = drill.database().await;
    until("twenty wait for a lock", async || count(&mut db, "wait_event_type = 'Lock'").await >= 20).await;
    let roots: Vec<(String, String)> = sqlx::query_as(
        "select distinct r.application_name, r.state from pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) b,
                pg_stat_activity r where r.pid = b and cardinality(pg_blocking_pids(b)) = 0",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert_eq!(roots, [("web.3".to_owned(), "idle in transaction".to_owned())]);
    drill.heal("lock-pileup");
    until("nobody waits", async || count(&mut db, "wait_event_type = 'Lock'").await == 0).await;
    assert_eq!(count(&mut db, "application_name = 'web.3'").await, 0);
}

#[tokio::test]
async fn a_terminated_lock_holder_stays_away_and_the_fault_can_be_caused_again() {
    let drill = Drill::with("lock-pileup");
    let mut db = drill.database().await;
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'web.3'")
        .execute(&mut db)
        .await
        .unwrap();
    until("nobody waits", async || count(&mut db, "wait_event_type = 'Lock'").await == 0).await;
    let state = lab::State::load(drill.lab.dir()).unwrap();
    let fault = state.faults[0].process.clone().unwrap();
    until("the process behind the fault is gone", async || !fault.alive()).await;
    lab::cause(drill.lab.dir(), "lock-pileup").unwrap();
    assert_eq!(count(&mut db, "application_name = 'web.3'").await, 1);
}

#[tokio::test]
async fn slow_queries_run_on_and_on() {
    let drill = Drill::with("slow-queries");
    let mut db = drill.database().await;
    let slow = "state = 'active' and application_name like 'report.%' and now() - query_start > '1 s'";
    until("five run longer than a second", async || count(&mut db, slow).await == 5).await;
    drill.heal("slow-queries");
    until("they are gone", async || count(&mut db, "application_name like 'report.%'").await == 0).await;
}

#[tokio::test]
async fn connection_storm_fills_nine_tenths_of_the_usable_connections() {
    let drill = Drill::with("connection-storm");
    let mut db = drill.database().await;
    // 50 in all, of which three are the superuser's.
    let used = count(&mut db, "backend_type = 'client backend'").await;
    assert!((43..=47).contains(&used), "{used} connections");
    drill.heal("connection-storm");
    until("they are gone", async || count(&mut db, "application_name = 'batch'").await == 0).await;
}

#[tokio::test]
async fn cache_fill_evicts_until_somebody_makes_room() {
    let drill = Drill::with("cache-fill");
    let mut cache = drill.cache().await.unwrap();
    let before = info(&mut cache, "evicted_keys").await;
    assert!(info(&mut cache, "used_memory").await > 0.95 * info(&mut cache, "maxmemory").await);
    until("evictions go on", async || info(&mut cache, "evicted_keys").await > before).await;
    drill.heal("cache-fill");
    assert!(info(&mut cache, "used_memory").await < 0.5 * info(&mut cache, "maxmemory").await);
}

#[tokio::test]
async fn slow_app_queues_requests_in_the_proxy() {
    let drill = Drill::with("slow-app");
    let queue = || drill.proxy("BACKEND", "qcur").parse::<u32>().unwrap();
    until("thirty requests queue", async || queue() > 30).await;
    drill.heal("slow-app");
    until("none queues", async || queue() == 0).await;
}

#[tokio::test]
async fn backend_down_fails_one_health_check_of_two() {
    let drill = Drill::with("backend-down");
    until("web2 is down", async || drill.proxy("web2", "status").starts_with("DOWN")).await;
    assert!(drill.proxy("web1", "status").starts_with("UP"));
    drill.heal("backend-down");
    until("web2 is up", async || drill.proxy("web2", "status") == "UP").await;
}

#[tokio::test]
async fn queue_clog_leaves_jobs_and_no_worker() {
    let drill = Drill::with("queue-clog");
    let url = format!("redis://127.0.0.1:{}/0", drill.lab.state().jobs.unwrap());
    let mut jobs = super::redis::client(&url).await;
    let look = async |jobs: &mut MultiplexedConnection| -> (u64, u64) {
        redis::pipe().llen("rq:queue:default").scard("rq:workers").query_async(jobs).await.unwrap()
    };
    until("jobs and no worker", async || matches!(look(&mut jobs).await, (11.., 0))).await;
    drill.heal("queue-clog");
    until("two workers and no backlog", async || matches!(look(&mut jobs).await, (0..3, 2))).await;
}

#[tokio::test]
async fn a_frozen_postgres_accepts_and_never_answers() {
    let drill = Drill::with("freeze-postgres");
    let patience = Duration::from_millis(500);
    assert!(timeout(patience, drill.database()).await.is_err(), "it must not answer");
    drill.heal("freeze-postgres");
    assert_eq!(count(&mut drill.database().await, "application_name = 'test'").await, 1);
}

#[tokio::test]
async fn a_cache_can_be_frozen_refused_or_replaced_by_garbage() {
    let drill = Drill::with("freeze-redis");
    let patience = Duration::from_millis(500);
    assert!(timeout(patience, async { drill.cache().await.unwrap() }).await.is_err(), "it must not answer");
    drill.heal("freeze-redis");
    info(&mut drill.cache().await.unwrap(), "maxmemory").await;

    lab::cause(drill.lab.dir(), "refuse-redis").unwrap();
    assert!(drill.cache().await.unwrap_err().is_connection_refusal());
    drill.heal("refuse-redis");
    info(&mut drill.cache().await.unwrap(), "maxmemory").await;

    lab::cause(drill.lab.dir(), "garbage-redis").unwrap();
    let Err(error) = drill.cache().await else { unreachable!("garbage is no Redis") };
    assert!(!error.is_connection_refusal(), "{error}");
    drill.heal("garbage-redis");
    let mut cache = drill.cache().await.unwrap();
    let templates: u64 = redis::cmd("DBSIZE").query_async(&mut cache).await.unwrap();
    assert!(templates >= 2_500, "a cache that comes back is warm: {templates}");
}

#[tokio::test]
async fn a_vanished_proxy_comes_back_to_its_load() {
    let drill = Drill::with("vanish-haproxy");
    let socket = drill.lab.state().doors.as_ref().unwrap().socket.clone();
    assert!(UnixStream::connect(&socket).is_err());
    drill.heal("vanish-haproxy");
    until("requests flow", async || drill.proxy("BACKEND", "hrsp_2xx").parse::<u64>().unwrap() > 100).await;
}

#[tokio::test]
async fn cpu_burn_keeps_a_process_busy_at_low_priority() {
    let drill = Drill::with("cpu-burn");
    let state = lab::State::load(drill.lab.dir()).unwrap();
    let burner = state.faults[0].process.clone().unwrap();
    let stat = |field: usize| -> i64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", burner.pid)).unwrap();
        text.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(field).unwrap().parse().unwrap()
    };
    assert_eq!(stat(16), 10, "nice");
    until("a second of processor time was burnt", async || stat(11) > 100).await;
    drill.heal("cpu-burn");
    assert!(!burner.alive());
}
