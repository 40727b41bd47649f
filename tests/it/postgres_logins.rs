//! Sessions that come without end, and those that are not let in: who they are, on the oldest and newest version.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use warroom::config::Thresholds;
use warroom::detect::{Judge, Judgement};
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{
    BackendState, DatabaseSample, Millis, Reading, Resource, Sample, Severity, TargetId, Timestamp,
};
use warroom::store::{Store, TargetInfo};

use crate::postgres::{Client, poll, poll_until, source, spec};
use crate::postgres_detect::{finding, judged};
use crate::postgres_versions::programs;

fn start(version: u32) -> Postgres {
    let server =
        vec![("max_connections".into(), "40".into()), ("authentication_timeout".into(), "600".into())];
    start_with(&Settings { bin_dir: programs(version), server, ..Settings::default() }).unwrap()
}

/// Judges this answer once a second while so many log in each second.
fn judged_while(sample: &DatabaseSample, logins: u64) -> Judgement {
    let target = TargetId::parse("primary").unwrap();
    let mut store = Store::new([TargetInfo {
        id: target.clone(),
        kind: "postgres".into(),
        endpoint: String::new(),
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    }]);
    let mut judge = Judge::new(Thresholds::default(), []);
    let mut last = Judgement::default();
    for second in 0..8 {
        let mut sample = sample.clone();
        let totals = sample.totals.as_mut().unwrap();
        let counter =
            if sample.version >= 140_000 { &mut totals.sessions } else { &mut totals.sessions_seen };
        *counter.as_mut().unwrap() += logins * second;
        let now = Timestamp::from_micros(1_000_000_000 + i64::try_from(second).unwrap() * 1_000_000);
        let sample = Ok(Sample::Database(Box::new(sample)));
        store.take(now, Reading { target: target.clone(), took: Millis(1.0), sample });
        last = judge.judge(&mut store, now).0;
    }
    last
}

async fn newcomers_on(version: u32, storm: u64) {
    let server = start(version);
    let mut watch = source(&spec(&server));
    let sample = poll(&mut watch).await.unwrap();
    assert!(sample.newcomers.is_empty(), "{:?}", sample.newcomers);
    let mut all = Vec::new();
    for name in ["cron.1", "cron.2", "web.1", "cron.3", "cron.4"] {
        all.push(Client::new(&server, name).await);
    }
    let seen = |sample: &DatabaseSample| sample.newcomers.iter().map(|sort| sort.seen).sum::<u32>() == 5;
    let mut sample = poll_until(&mut watch, "who came", seen).await;
    let told: Vec<_> = sample.newcomers.iter().map(|sort| (sort.who(), sort.seen)).collect();
    let sort = |name: &str, seen| (format!("{name} as app from 127.0.0.1"), seen);
    assert_eq!(told, [sort("cron", 4), sort("web", 1)]);
    while sample.totals.is_none() {
        sample = poll_until(&mut watch, "the totals", |sample| sample.totals.is_some()).await;
    }

    assert!(judged_while(&sample, storm / 10).findings.is_empty());
    let judgement = judged_while(&sample, storm);
    let found = finding(&judgement, Resource::PostgresConnections);
    let least = if version < 14 { "at least " } else { "" };
    let says = format!("{least}{storm} logins/s, most by cron as app from 127.0.0.1");
    assert_eq!((found.severity, &found.says), (Severity::Warning, &says));
    assert!(found.remedy.as_ref().unwrap().says.starts_with("let cron keep its connections"), "{found:?}");
}

#[tokio::test]
async fn version_13_tells_who_logs_in_without_end() {
    newcomers_on(13, 40).await;
}

#[tokio::test]
async fn version_18_tells_who_logs_in_without_end() {
    newcomers_on(18, 400).await;
}

/// A client that says who it is and never answers for it.
fn knock(server: &Postgres) -> TcpStream {
    loop {
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let mut hello = 196_608_u32.to_be_bytes().to_vec();
        hello.extend(b"user\0slow\0database\0app\0\0");
        let length = u32::try_from(hello.len() + 4).unwrap().to_be_bytes();
        client.write_all(&[&length[..], &hello].concat()).unwrap();
        let mut answer = [0; 9];
        client.read_exact(&mut answer).unwrap();
        // Let in at once: the server has not read its new rules yet.
        if answer[..1] == *b"R" && answer[5..] != [0; 4] {
            return client;
        }
    }
}

async fn at_the_door(version: u32) -> (Postgres, Vec<TcpStream>, DatabaseSample) {
    let server = start(version);
    let mut dba = Client::as_role(&server, "postgres", "dba").await;
    dba.run("create role slow login password 'x'").await;
    let rules = server.sockets().join("data/pg_hba.conf");
    let trusted = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("host all slow 127.0.0.1/32 md5\n{trusted}")).unwrap();
    dba.run("select pg_reload_conf()").await;
    let all: Vec<_> = (0..6).map(|_| knock(&server)).collect();
    let mut watch = source(&spec(&server));
    let known = |sample: &DatabaseSample| {
        version < 18 || sample.backends.iter().filter(|one| one.state == BackendState::Starting).count() == 6
    };
    let sample = poll_until(&mut watch, "who authenticates", known).await;
    (server, all, sample)
}

#[tokio::test]
async fn version_18_tells_who_still_authenticates_and_from_where() {
    let (_server, _all, sample) = at_the_door(18).await;
    let judgement = judged(&Ok(sample), 6);
    let found = finding(&judgement, Resource::PostgresConnections);
    assert_eq!(found.severity, Severity::Warning);
    assert_eq!(found.says, "6 sessions still authenticating, most from 127.0.0.1: each takes a slot");
    assert!(found.remedy.as_ref().unwrap().says.contains("pg_hba.conf"), "{found:?}");
}

#[tokio::test]
async fn version_13_hides_who_authenticates_and_nothing_is_made_of_it() {
    let (_server, _all, sample) = at_the_door(13).await;
    assert!(sample.backends.iter().all(|one| one.state != BackendState::Starting));
    assert!(judged(&Ok(sample), 6).findings.is_empty());
}
