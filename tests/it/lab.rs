//! The lab's own servers: each answers as it should and is gone afterwards.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expected by failing")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use sqlx::{Connection, PgConnection};
use warroom::lab;

#[tokio::test]
async fn postgres_answers_with_the_roles_of_the_lab() {
    let server = lab::postgres::start(None).unwrap();
    let mut connection = PgConnection::connect(&server.url("warroom")).await.unwrap();
    let (monitor, signal, superuser): (bool, bool, bool) = sqlx::query_as(
        "select pg_has_role(current_user,'pg_monitor','member'),
                pg_has_role(current_user,'pg_signal_backend','member'),
                (select rolsuper from pg_roles where rolname=current_user)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(monitor && signal && !superuser);
    let mut owner = PgConnection::connect(&server.url("app")).await.unwrap();
    sqlx::raw_sql("create table t (id int)").execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn every_postgres_that_is_spoken_to_is_started() {
    let bins = std::env::var_os("WARROOM_TEST_PG").expect("WARROOM_TEST_PG is not set: run scripts/test");
    let mut versions = Vec::new();
    for bin in std::env::split_paths(&bins) {
        let server = lab::postgres::start(Some(&bin)).unwrap();
        let mut connection = PgConnection::connect(&server.url("warroom")).await.unwrap();
        let (version, statements): (i32, bool) = sqlx::query_as(
            "select current_setting('server_version_num')::int / 10000,
                    exists (select from pg_extension where extname = 'pg_stat_statements')",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert!(statements, "pg_stat_statements on {version}");
        versions.push(version);
    }
    assert_eq!(versions, [13, 14, 15, 16, 17, 18]);
}

#[tokio::test]
async fn a_dropped_postgres_leaves_no_process_and_no_folder() {
    let mut server = lab::postgres::start(None).unwrap();
    let family = server.process().record().family();
    assert!(family.len() > 3, "the postmaster and its children: {family:?}");
    let folder = server.sockets().parent().unwrap().to_owned();
    assert!(folder.exists());
    server.process().freeze();
    drop(server);
    assert!(family.iter().all(|one| !one.alive()), "still alive: {family:?}");
    assert!(!folder.exists());
}

#[test]
fn redis_answers_and_takes_settings() {
    let server = lab::redis::start(&["--maxmemory", "64mb"]).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"CONFIG GET maxmemory\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("67108864"), "{answer}");
}

#[test]
fn haproxy_tells_its_statistics_by_its_socket() {
    let port = lab::free_port().unwrap();
    let server = lab::haproxy::start(&format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    default_backend app\nbackend app\n    server web1 127.0.0.1:1 maxconn 2\n"
    ))
    .unwrap();
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    stream.write_all(b"show stat\n").unwrap();
    let mut csv = String::new();
    stream.read_to_string(&mut csv).unwrap();
    assert!(csv.contains("app,web1,"), "{csv}");
}

#[test]
fn a_server_that_refuses_its_settings_says_why() {
    let error = lab::redis::start(&["--maxmemory", "plenty"]).unwrap_err().to_string();
    assert!(error.contains("redis ended at once"), "{error}");
}

/// The whole lab, in a folder of its own; the binary under test plays the roles.
pub(crate) fn whole(folder: &lab::Folder) -> lab::Lab {
    lab::Lab::up(lab::Options {
        dir: Some(folder.path().join("lab")),
        program: Some(env!("CARGO_BIN_EXE_warroom").into()),
        ..lab::Options::default()
    })
    .unwrap()
}

/// Looks every 50 ms until the condition holds; fails after a minute.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}

#[tokio::test]
async fn the_whole_lab_serves_requests_and_jobs_and_is_gone_when_dropped() {
    let folder = lab::Folder::temporary("test-whole").unwrap();
    let lab = whole(&folder);
    let state = lab.state().clone();
    let names: Vec<&str> = state.processes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        ["postgres", "cache", "jobs", "web.1", "web.2", "haproxy", "worker.1", "worker.2", "load"],
        "every part is in the state"
    );
    let url = format!("redis://127.0.0.1:{}/0", state.jobs.unwrap());
    let mut jobs = super::redis::client(&url).await;
    until("both workers did ten jobs", async || {
        let mut done = Vec::new();
        for worker in ["worker.1", "worker.2"] {
            let count: Option<u64> = redis::cmd("HGET")
                .arg(format!("rq:worker:{worker}"))
                .arg("successful_job_count")
                .query_async(&mut jobs)
                .await
                .unwrap();
            done.push(count.unwrap_or(0));
        }
        done.iter().all(|count| *count > 10)
    })
    .await;
    let config = std::fs::read_to_string(lab.config()).unwrap();
    for id in ["bastion", "primary", "cache", "jobs", "edge"] {
        assert!(config.contains(&format!("id = \"{id}\"")), "{id} in {config}");
    }
    let family: Vec<_> = state.processes.iter().flat_map(lab::ProcessRecord::family).collect();
    let dir = lab.dir().to_owned();
    drop(lab);
    assert!(family.iter().all(|one| !one.alive()), "still alive: {family:?}");
    assert!(!dir.exists());
}

#[test]
fn a_lab_is_not_started_twice_and_down_ends_it_from_another_process() {
    let folder = lab::Folder::temporary("test-twice").unwrap();
    let lab = whole(&folder);
    let (state, dir) = (lab.state().clone(), lab.dir().to_owned());
    lab.leave_running();
    let again = warroom(&dir, &["up"]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("a lab is up"), "{again:?}");
    assert!(state.processes.iter().all(lab::ProcessRecord::alive));
    let down = warroom(&dir, &["down"]);
    assert!(down.status.success(), "{down:?}");
    assert!(state.processes.iter().all(|one| !one.alive()));
    assert!(!dir.exists());
    assert!(warroom(&dir, &["down"]).status.success(), "a second down has nothing to do");
}

#[test]
fn what_a_killed_start_left_behind_is_cleared_away() {
    let folder = lab::Folder::temporary("test-killed").unwrap();
    let dir = folder.path().join("lab");
    let mut up = command(&dir, &["up"]).spawn().unwrap();
    // In the middle: PostgreSQL has been started, the rest has not.
    let log = dir.join("cache.log");
    while !log.exists() {
        assert!(up.try_wait().unwrap().is_none(), "the start must be under way");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    up.kill().unwrap();
    up.wait().unwrap();
    let inside = || {
        let pids = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&dir))
                && std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
        });
        pids.count()
    };
    assert!(inside() > 1, "something was left behind");
    // Even without the state, by the folder the processes work in.
    std::fs::write(dir.join("state.json"), "{ torn").unwrap();
    let down = warroom(&dir, &["down"]);
    assert!(down.status.success(), "{down:?}");
    assert_eq!(inside(), 0);
    assert!(!dir.exists());
}

#[test]
fn a_folder_that_is_no_lab_is_left_alone() {
    let folder = lab::Folder::temporary("test-foreign").unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let down = warroom(folder.path(), &["down"]);
    assert!(!down.status.success());
    assert!(folder.path().join("thesis.tex").exists());
}

fn command(dir: &std::path::Path, words: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_warroom"));
    command.arg("lab").arg("--dir").arg(dir).args(words);
    command
}

fn warroom(dir: &std::path::Path, words: &[&str]) -> std::process::Output {
    command(dir, words).output().unwrap()
}
