//! While a namespace is cleared, what stands behind the cache is told beside it, and a stampede in words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use warroom::detect::Behind;
use warroom::journal::Reader;
use warroom::lab;
use warroom::model::{
    Backend, BackendKey, BackendState, CacheSample, DatabaseSample, Millis, PollError, Reading, Sample,
    TargetId, Timestamp,
};
use warroom::store::{Store, TargetInfo};

use super::console::ask;
use super::postgres::{Client, Waiting, poll_until, server, source, spec};
use super::pty::{Start, Terminal};

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

fn id(name: &str) -> TargetId {
    TargetId::parse(name).unwrap()
}

/// A cache with these totals and a database with so many busy sessions, as polled in that second.
fn second(store: &mut Store, second: i64, (hits, misses): (u64, u64), busy: Option<i32>) -> Timestamp {
    let cache = CacheSample { hits, misses, ..CacheSample::default() };
    let active = |pid| Backend {
        key: BackendKey { pid, started: at(0) },
        kind: "client backend".into(),
        state: BackendState::Active,
        ..serde_json::from_value(serde_json::json!({
            "key": { "pid": 1, "started": "2026-01-01T00:00:00Z" }, "state": "active"
        }))
        .unwrap()
    };
    let database = busy.map(|busy| DatabaseSample {
        max_connections: 100,
        reserved_connections: 3,
        backends: (1..=busy).map(active).collect(),
        ..DatabaseSample::default()
    });
    let database = database.map(|it| Sample::Database(Box::new(it)));
    let took = Millis(1.0);
    store.take(at(second), Reading { target: id("cache"), took, sample: Ok(Sample::Cache(Box::new(cache))) });
    let sample = database.ok_or_else(|| PollError::silent(Duration::from_secs(3)));
    store.take(at(second), Reading { target: id("primary"), took, sample });
    at(second)
}

#[test]
fn a_stampede_is_both_fewer_hits_and_a_busier_database_and_ends_when_one_is_over() {
    let info = |name: &str, kind: &str| TargetInfo {
        id: id(name),
        kind: kind.into(),
        endpoint: String::new(),
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    };
    let mut store = Store::new([info("cache", "redis"), info("primary", "postgres")]);
    second(&mut store, 0, (0, 0), Some(2));
    let now = second(&mut store, 1, (970, 30), Some(2));
    let mut behind = Behind::before(&store, &id("cache"), now);
    let mut look = |totals, busy, n| {
        let now = second(&mut store, n, totals, busy);
        behind.look(&store, now);
        (behind.lines().join("; "), behind.rush().map(str::to_owned))
    };
    let (says, rush) = look((1_370, 630), Some(3), 2);
    assert_eq!(says, "lookups hit 40 % (97 % before); primary 3 busy (2 before) of 97 usable sessions");
    assert_eq!(rush, None, "the database bears it");
    let (_, rush) = look((1_770, 1_230), Some(9), 3);
    let told = "stampede: lookups that hit fell from 97 % to 40 %, and primary has 9 sessions busy, 2 before";
    assert_eq!(rush.as_deref(), Some(told));
    assert!(look((2_170, 1_830), Some(5), 4).1.is_some(), "not yet over");
    assert_eq!(look((2_570, 2_430), Some(3), 5).1, None);
    let (says, rush) = look((2_970, 3_030), None, 6);
    assert!(says.contains("primary does not answer"), "{says}");
    assert!(rush.is_some_and(|rush| rush.ends_with("and primary does not answer")));
    assert_eq!(
        look((3_960, 3_040), Some(40), 7).1,
        None,
        "a busy database whose cache hits is another matter"
    );
}

const HITS: u8 = 0;
const MISSES: u8 = 1;
const OVER: u8 = 2;

/// Asks the cache for what is there, or for what is not, until it is over.
fn lookups(port: u16, mode: &Arc<AtomicU8>) -> std::thread::JoinHandle<()> {
    let mode = mode.clone();
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 8_192];
        loop {
            let key = match mode.load(Ordering::Relaxed) {
                HITS => "page:1",
                MISSES => "page:none",
                _ => return,
            };
            stream.write_all(format!("GET {key}\r\n").repeat(100).as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(10));
            assert!(stream.read(&mut buffer).unwrap() > 0);
        }
    })
}

/// Sessions that stay active and cost nothing: their commits wait for a standby that does not exist.
async fn rush(server: &lab::postgres::Postgres) -> Vec<Waiting> {
    let mut all = Vec::new();
    for n in 0..8 {
        let mut client = Client::new(server, &format!("web.{n}")).await;
        client.run("set synchronous_commit = on").await;
        all.push(client.spawn("select pg_logical_emit_message(true, 'rush', '')"));
    }
    let active = |it: &Backend| it.state == BackendState::Active && it.query.as_str().contains("rush");
    let mut watch = source(&spec(server));
    poll_until(&mut watch, "the rush", |it| it.backends.iter().filter(|it| active(it)).count() == 8).await;
    all
}

#[tokio::test]
async fn a_stampede_behind_a_clear_is_told_with_the_keys_that_hold_it_and_a_held_clear_can_be_stopped() {
    let origin = server(&[
        ("wal_level", "replica"),
        ("max_wal_senders", "2"),
        ("synchronous_standby_names", "nobody"),
        ("synchronous_commit", "local"),
    ]);
    let cache = lab::redis::start(&["--enable-debug-command", "yes"]).unwrap();
    for (prefix, keys) in [("cache:a", 700_000), ("page", 800_000)] {
        let said = ask(cache.port(), &format!("DEBUG POPULATE {keys} {prefix}"));
        assert!(said.starts_with("+OK"), "{said}");
    }
    let mode = Arc::new(AtomicU8::new(HITS));
    let load = lookups(cache.port(), &mode);
    let folder = lab::Folder::temporary("behind").unwrap();
    let journal = folder.path().join("journal.jsonl");
    let config = format!(
        "[[target]]\nid = \"cache\"\nkind = \"redis\"\nurl = \"{}\"\n\
         [[target.namespace]]\nname = \"a\"\nprefix = \"cache:a:\"\n\
         [[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n[journal]\npath = \"{}\"\n",
        cache.url(0),
        origin.url("warroom"),
        journal.display()
    );
    let size = || -> u64 {
        let said = ask(cache.port(), "DBSIZE");
        said.lines().next().and_then(|line| line.strip_prefix(':')).unwrap().parse().unwrap()
    };
    let begin = size();

    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    terminal.until_says("hit 100 %");
    terminal.keys(":clear a\r");
    terminal.until_says("y  clear a");
    terminal.listen(Duration::from_millis(600));
    terminal.keys("y");
    terminal.until_says("space");
    terminal.keys(" ");
    terminal.until_says("held for");
    terminal.until_says("lookups hit 100 % (100 % before)");
    terminal.until_says("primary 0 busy (0 before) of ");
    mode.store(MISSES, Ordering::Relaxed);
    let stuck = rush(&origin).await;
    terminal.until_says("stampede: lookups that hit fell from 100 % to 0 %");
    terminal.until_says("it is held: space goes on, s stops it");
    terminal.keys("s");
    terminal.until_says("stopped by the operator");
    terminal.keys("\r");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    let held = size();
    let outcome = Reader::read(&journal).unwrap().entries.pop().unwrap().outcome.unwrap();
    assert!(outcome.stopped, "{outcome:?}");
    assert_eq!(outcome.deleted, Some(begin - held), "{outcome:?}");

    mode.store(HITS, Ordering::Relaxed);
    let mut admin = Client::as_role(&origin, "postgres", "admin").await;
    admin
        .run("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'web.%'")
        .await;
    for one in stuck {
        one.end().await.1.unwrap_err();
    }

    let args = ["clear", "--target", "cache", "a", "--yes"];
    let mut terminal =
        Terminal::start(&Start { config: &config, args: &args, size: (120, 40), ..Start::default() });
    terminal.until("its progress", |screen| screen.contents().contains("slowest PING"));
    terminal.keys("\x1a");
    terminal.until_says("held: ctrl-z once more goes on, ctrl-c stops it");
    mode.store(MISSES, Ordering::Relaxed);
    let stuck = rush(&origin).await;
    terminal.until_says("! stampede: lookups that hit fell from 100 % to");
    terminal.until_says("ctrl-z holds the clear, ctrl-c stops it");
    let middle = size();
    terminal.keys("\x1a");
    terminal.until("it to go on", |_| size() < middle);
    terminal.keys("\x03");
    terminal.end();
    let outcome = Reader::read(&journal).unwrap().entries.pop().unwrap().outcome.unwrap();
    assert_eq!(outcome.deleted, Some(held - size()), "{outcome:?}");
    mode.store(OVER, Ordering::Relaxed);
    load.join().unwrap();
    drop(stuck);
}
