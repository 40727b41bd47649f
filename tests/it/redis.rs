//! The redis source against real servers, and against things that are not one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use warroom::config::TargetSpec;
use warroom::lab;
use warroom::model::{CacheSample, Namespace, PollError, PollErrorKind, Reading, Sample, Severity, TargetId};
use warroom::sources::{KINDS, Kind, Source};

pub(crate) fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("no kind {name}"))
}

pub(crate) fn spec(kind: &str, url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("cache").unwrap(), kind).with_url(url)
}

pub(crate) fn source(spec: &TargetSpec) -> Box<dyn Source> {
    (kind(&spec.kind).build)(spec).unwrap()
}

pub(crate) async fn poll(source: &mut Box<dyn Source>) -> Reading {
    let mut readings = source.poll().await;
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

pub(crate) async fn cache(source: &mut Box<dyn Source>) -> CacheSample {
    match poll(source).await.sample {
        Ok(Sample::Cache(sample)) => *sample,
        other => panic!("no cache sample: {other:?}"),
    }
}

async fn failure(source: &mut Box<dyn Source>) -> PollError {
    poll(source).await.sample.expect_err("a failure was expected")
}

/// A connection with patience: the client's own is half a second, and a busy machine may take longer.
pub(crate) async fn client(url: &str) -> redis::aio::MultiplexedConnection {
    connect(url).await.unwrap()
}

pub(crate) async fn connect(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    let patient = Some(std::time::Duration::from_secs(60));
    let config = redis::AsyncConnectionConfig::new();
    let config = config.set_connection_timeout(patient).set_response_timeout(patient);
    redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await
}

pub(crate) async fn run(client: &mut redis::aio::MultiplexedConnection, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(client).await.unwrap()
}

#[tokio::test]
async fn a_sample_is_what_info_says_and_the_slow_log_shows_no_values() {
    let server = lab::redis::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).unwrap();
    let url = server.url(0);
    let mut other = client(&url).await;
    for n in 0..300 {
        run(&mut other, &["SET", &format!("cache:templates:{n}"), "x"]).await;
        run(&mut other, &["SET", &format!("sess:{n}"), "x", "EX", "1000"]).await;
    }
    run(&mut other, &["GET", "sess:1"]).await;
    run(&mut other, &["GET", "nothing"]).await;
    run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]).await;
    run(&mut other, &["SET", "cache:templates:1", "a secret value"]).await;
    run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]).await;

    let mut spec = spec("redis", &url);
    spec.namespaces.push(Namespace::parse("templates", "cache:templates:", false).unwrap());
    let mut source = source(&spec);
    let sample = cache(&mut source).await;
    assert!(sample.product.as_str().starts_with("redis "), "{}", sample.product);
    assert_eq!((sample.keys, sample.expiring_keys, sample.hits, sample.misses), (600, 300, 1, 1));
    assert_eq!(sample.max_memory, Some(64 << 20));
    assert_eq!(sample.eviction_policy.as_str(), "allkeys-lru");
    assert!(sample.used_memory > 500_000 && sample.resident_memory.unwrap() > sample.used_memory / 2);
    assert!(sample.ping_ms.unwrap() > 0.0);
    assert_eq!(sample.oom_errors, Some(0));
    assert!(sample.command_stats.iter().any(|stat| stat.name.as_str() == "set" && stat.calls == 601));
    let share = sample.namespaces[0].share.unwrap();
    assert!((0.4..0.6).contains(&share) && sample.namespaces[0].sampled >= 400, "{share}");
    assert_eq!(sample.missing, vec![]);
    let told: Vec<_> = sample.slow.iter().map(|slow| slow.command.as_str()).collect();
    assert!(told.contains(&"SET cache:templates:1 (+1)"), "{told:?}");
    assert!(!format!("{sample:?}").contains("a secret value"));

    assert_eq!(cache(&mut source).await.slow, sample.slow, "no entry twice, none lost while it is news");
    run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]).await;
    run(&mut other, &["GET", "sess:7"]).await;
    run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]).await;
    let later = cache(&mut source).await.slow;
    assert!(later.iter().any(|slow| slow.command.as_str() == "GET sess:7"));
    assert!(later.windows(2).all(|pair| pair[0].id > pair[1].id), "newest first, each once");
}

#[tokio::test]
async fn one_poll_is_one_round_trip_on_one_connection() {
    let server = lab::redis::start(&[]).unwrap();
    let mut source = source(&spec("redis", &server.url(0)));
    let first = cache(&mut source).await;
    let mut last = first.clone();
    for _ in 0..10 {
        last = cache(&mut source).await;
    }
    assert_eq!(last.connections, first.connections, "the connection is kept");
    // PING, INFO, SLOWLOG; and a SCAN now and then.
    let scans = last.commands - first.commands - 30;
    assert!((1..=3).contains(&scans), "{scans}");
}

#[tokio::test]
async fn a_frozen_server_times_out_and_recovers() {
    let mut server = lab::redis::start(&[]).unwrap();
    let mut spec = spec("redis", &server.url(0));
    spec.timeout = Duration::from_secs(2);
    let mut source = source(&spec);
    cache(&mut source).await;
    server.process().freeze();
    assert_eq!(failure(&mut source).await.kind, PollErrorKind::Timeout);
    // A poll that is dropped half way must leave a source that works.
    tokio::time::timeout(Duration::from_millis(50), source.poll()).await.expect_err("it must still wait");
    server.process().thaw();
    let sample = cache(&mut source).await;
    assert!(sample.clients <= 2, "abandoned connections pile up: {}", sample.clients);
}

#[tokio::test]
async fn a_refused_a_closed_and_a_babbling_server_are_told_apart() {
    let port = lab::free_port().unwrap();
    let url = format!("redis://user:hunter2@127.0.0.1:{port}/0");
    let mut asked = source(&spec("redis", &url));
    let refused = failure(&mut asked).await;
    assert_eq!(refused.kind, PollErrorKind::Unreachable);
    assert!(refused.says.as_str().contains("nobody listens"), "{}", refused.says);
    assert!(!refused.to_string().contains("hunter2"));

    for (answer, kind) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", PollErrorKind::Garbage),
        ("\u{1b}[2J\u{7}garbage\r\n\r\n\r\n", PollErrorKind::Garbage),
        ("", PollErrorKind::Garbage),
        ("-ERR max number of clients reached\r\n", PollErrorKind::Exhausted),
        ("-LOADING Redis is loading the dataset in memory\r\n", PollErrorKind::Unavailable),
        ("-NOAUTH Authentication required.\r\n", PollErrorKind::Login),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://127.0.0.1:{}/0", listener.local_addr().unwrap().port());
        let babbler = std::thread::spawn(move || {
            // The first answer, and again for what comes after it on the same connection.
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = [0; 4096];
            while matches!(stream.read(&mut heard), Ok(n) if n > 0) {
                if answer.is_empty() || stream.write_all(answer.repeat(8).as_bytes()).is_err() {
                    break;
                }
            }
        });
        let mut spec = spec("redis", &url);
        spec.timeout = Duration::from_secs(30);
        let mut source = source(&spec);
        let error = failure(&mut source).await;
        assert_eq!(error.kind, kind, "{answer:?} was told as {error}");
        drop(source);
        // The connection is closed by the runtime, so the thread is waited for without blocking it.
        tokio::task::spawn_blocking(|| babbler.join()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_restarted_server_costs_no_reading() {
    let server = lab::redis::start(&[]).unwrap();
    let mut source = source(&spec("redis", &server.url(0)));
    cache(&mut source).await;
    let mut other = client(&server.url(0)).await;
    run(&mut other, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    cache(&mut source).await;
}

#[tokio::test]
async fn a_limited_user_sees_what_it_may_and_doctor_names_the_rule() {
    let server = lab::redis::start(&[]).unwrap();
    let mut admin = client(&server.url(0)).await;
    run(
        &mut admin,
        &[
            "ACL",
            "SETUSER",
            "eye",
            "on",
            ">pw",
            "-@all",
            "+@connection",
            "+info",
            "+acl|whoami",
            "+acl|dryrun",
        ],
    )
    .await;
    run(&mut admin, &["SET", "cache:x:1", "1"]).await;
    let url = format!("redis://eye:pw@127.0.0.1:{}/0", server.port());
    let mut spec = spec("redis", &url);
    spec.namespaces.push(Namespace::parse("x", "cache:x:", false).unwrap());
    let mut watcher = source(&spec);
    let sample = cache(&mut watcher).await;
    assert_eq!(sample.keys, 1);
    assert_eq!(sample.missing.len(), 2, "{:?}", sample.missing);
    assert!(sample.missing[0].why.as_str().contains("ACL SETUSER"));
    let before: i64 = denied(&mut admin).await;
    cache(&mut watcher).await;
    assert_eq!(denied(&mut admin).await, before, "a refused command is not asked again");

    let lines = (kind("redis").doctor)(&spec).await;
    assert_eq!(lines[0].ok, Severity::Ok);
    let mends: Vec<_> =
        lines.iter().filter_map(|line| line.mend.as_ref()).map(|mend| mend.as_str().to_owned()).collect();
    assert!(mends.iter().any(|mend| mend == "ACL SETUSER eye +scan"), "{mends:?}");
    // The rule that doctor names must be the one that mends it.
    let rule = mends.iter().find(|mend| mend.contains("+unlink")).expect("a rule for the clear");
    let selector = rule.split('\'').nth(1).unwrap();
    run(&mut admin, &["ACL", "SETUSER", "eye", selector]).await;
    let lines = (kind("redis").doctor)(&spec).await;
    assert!(
        lines.iter().any(|line| line.what.as_str() == "namespace x (cache:x:) may be cleared"),
        "{lines:?}"
    );

    let wrong = format!("redis://eye:wrong@127.0.0.1:{}/0", server.port());
    let mut refused = source(&super::redis::spec("redis", &wrong));
    assert_eq!(failure(&mut refused).await.kind, PollErrorKind::Login);
}

async fn denied(admin: &mut redis::aio::MultiplexedConnection) -> i64 {
    let redis::Value::BulkString(text) = run(admin, &["INFO", "errorstats"]).await else { panic!("no text") };
    let text = String::from_utf8(text).unwrap();
    text.lines()
        .find_map(|line| line.trim().strip_prefix("errorstat_NOPERM:count="))
        .map_or(0, |n| n.parse().unwrap())
}

#[tokio::test]
async fn a_unix_socket_is_as_good_and_tls_that_is_not_spoken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let server = lab::redis::start(&["--unixsocket", socket.to_str().unwrap()]).unwrap();
    for scheme in ["unix:", "unix://"] {
        let mut asked = source(&spec("redis", &format!("{scheme}{}", socket.display())));
        assert_eq!(cache(&mut asked).await.role.as_str(), "master");
    }
    let mut absent = source(&spec("redis", "unix:/nowhere/redis.sock"));
    assert_eq!(failure(&mut absent).await.kind, PollErrorKind::Unreachable);
    let mut secure = spec("redis", &format!("rediss://127.0.0.1:{}/0", server.port()));
    secure.timeout = Duration::from_millis(500);
    // A plain server waits for the rest of what it takes for a command.
    let error = failure(&mut source(&secure)).await;
    assert!(error.kind == PollErrorKind::Timeout && error.says.as_str().contains("TLS?"), "{error}");
}
