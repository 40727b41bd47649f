//! What is concluded of a database: samples in, findings out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "only tests call these")]

use std::time::Duration;

use warroom::config::Thresholds;
use warroom::detect::{Judge, Judgement};
use warroom::model::{
    Backend, BackendKey, BackendState, Culprit, DatabaseSample, Finding, Intent, Millis, PollError,
    PollErrorKind, PreparedTransaction, Reading, Replica, Resource, SafeText, Sample, Severity, TargetId,
    Timestamp, Wait,
};
use warroom::store::{Store, TargetInfo};

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_000 + second) * 1_000_000)
}

fn session(pid: i32, name: &str, state: BackendState, blocked_by: &[i32]) -> Backend {
    let waits = !blocked_by.is_empty();
    Backend {
        key: BackendKey { pid, started: at(-500) },
        leader_pid: None,
        kind: SafeText::new("client backend"),
        database: SafeText::new("app"),
        user: SafeText::new("app"),
        application_name: SafeText::new(name),
        client: SafeText::default(),
        state,
        wait: waits.then(|| Wait { class: SafeText::new("Lock"), event: SafeText::new("transactionid") }),
        query_start: Some(at(-10)),
        xact_age: Some(10.0),
        query_age: Some(0.1),
        state_age: Some(134.0),
        has_written: false,
        query: SafeText::new("update users set plan = $1 where id = $2 and tenant = $3"),
        blocked_by: blocked_by.to_vec(),
        wait_age: waits.then_some(3.0),
        wants: None,
        holds: Vec::new(),
        process: "".into(),
    }
}

fn sample(backends: Vec<Backend>) -> DatabaseSample {
    DatabaseSample { backends, max_connections: 100, reserved_connections: 3, ..DatabaseSample::default() }
}

fn store() -> (TargetId, Store) {
    let target = TargetId::parse("primary").unwrap();
    let store = Store::new([TargetInfo {
        id: target.clone(),
        kind: "postgres".into(),
        endpoint: "postgres://10.0.0.5/app".into(),
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    }]);
    (target, store)
}

/// Judges the same answer once a second, `polls` times.
pub(crate) fn judged(answer: &Result<DatabaseSample, PollError>, polls: i64) -> Judgement {
    let (target, mut store) = store();
    let mut judge = Judge::new(Thresholds::default(), []);
    let mut last = Judgement::default();
    for n in 0..polls {
        let sample = answer.clone().map(|sample| Sample::Database(Box::new(sample)));
        store.take(at(n), Reading { target: target.clone(), took: Millis(1.0), sample });
        last = judge.judge(&mut store, at(n)).0;
    }
    last
}

pub(crate) fn finding(judgement: &Judgement, resource: Resource) -> &Finding {
    judgement
        .findings
        .iter()
        .find(|one| one.resource == resource)
        .unwrap_or_else(|| panic!("no {resource}: {judgement:#?}"))
}

#[test]
fn what_was_wrong_is_not_called_well_because_the_server_went_silent() {
    let (target, mut store) = store();
    let mut judge = Judge::new(Thresholds::default(), []);
    let mut all = vec![session(4211, "web.3", BackendState::IdleInTransaction, &[])];
    all.extend((0..6).map(|n| session(5000 + n, "web.9", BackendState::Active, &[4211])));
    let ends = |silent: bool, store: &mut Store, judge: &mut Judge| {
        let mut ends = Vec::new();
        for n in 0..40 {
            let answer = match n {
                0..5 => Ok(sample(all.clone())),
                _ if silent => Err(PollError::silent(Duration::from_secs(3))),
                _ => Ok(sample(Vec::new())),
            };
            let sample = answer.map(|sample| Sample::Database(Box::new(sample)));
            store.take(at(n), Reading { target: target.clone(), took: Millis(1.0), sample });
            ends.extend(judge.judge(store, at(n)).1);
        }
        ends.retain(|it| it.finding.resource == Resource::PostgresLocks && it.from == Severity::Critical);
        ends.into_iter().map(|it| (it.finding.severity, it.finding.says)).collect::<Vec<_>>()
    };
    let told = ends(true, &mut store, &mut judge);
    assert_eq!(told, [(Severity::Unknown, "not known any more: it went silent".to_owned())]);
    let (_, mut store) = self::store();
    let told = ends(false, &mut store, &mut Judge::new(Thresholds::default(), []));
    assert_eq!(told.iter().map(|(severity, _)| *severity).collect::<Vec<_>>(), [Severity::Ok]);
}

#[test]
fn a_healthy_server_is_ok_in_every_resource_it_has() {
    let judgement = judged(&Ok(sample(vec![session(1, "web.1", BackendState::Idle, &[])])), 5);
    assert!(judgement.findings.is_empty(), "{:#?}", judgement.findings);
    let ids: Vec<_> = judgement
        .resources
        .iter()
        .filter(|r| r.resource.id().starts_with("postgres."))
        .map(|r| r.resource.id())
        .collect();
    assert_eq!(ids, ["postgres.locks", "postgres.slow_queries", "postgres.load", "postgres.connections"]);
}

#[test]
fn one_look_at_a_pile_up_names_the_root_and_the_key_that_frees_it() {
    let mut all = vec![session(4211, "web.3", BackendState::IdleInTransaction, &[])];
    all.extend((0..38).map(|n| session(5000 + n, "web.9", BackendState::Active, &[4211])));
    let judgement = judged(&Ok(sample(all)), 1);
    let locks = finding(&judgement, Resource::PostgresLocks);
    assert_eq!(locks.severity, Severity::Critical);
    assert_eq!(locks.says, "web.3 (pid 4211), idle in transaction 2m14s: 38 wait behind it");
    assert_eq!(locks.since, at(-3));
    let remedy = locks.remedy.as_ref().unwrap();
    assert_eq!(remedy.says, "end it: frees 38");
    let Some(Intent::TerminateBackend { backends, .. }) = &remedy.intent else { panic!("{remedy:?}") };
    assert_eq!(backends[..], [BackendKey { pid: 4211, started: at(-500) }]);
    assert!(matches!(locks.culprit, Some(Culprit::Backend { pid: 4211, waiters: 38, .. })));
    assert_eq!(judgement.verdict.resource, Some(Resource::PostgresLocks));
}

#[test]
fn one_waiter_counts_after_two_seconds_and_a_blink_never() {
    let mut waiter = session(2, "web", BackendState::Active, &[1]);
    waiter.wait_age = Some(0.5);
    let holder = session(1, "web", BackendState::Idle, &[]);
    let answer = Ok(sample(vec![holder.clone(), waiter.clone()]));
    assert!(judged(&answer, 1).findings.is_empty());
    assert_eq!(finding(&judged(&answer, 3), Resource::PostgresLocks).severity, Severity::Warning);
    waiter.wait_age = Some(0.01);
    assert!(judged(&Ok(sample(vec![holder.clone(), waiter.clone()])), 9).findings.is_empty());
    waiter.wait_age = Some(16.0);
    let long = judged(&Ok(sample(vec![holder, waiter])), 1);
    assert_eq!(finding(&long, Resource::PostgresLocks).severity, Severity::Critical);
}

#[test]
fn two_holders_are_named_and_ended_together() {
    let all = vec![
        session(1, "a", BackendState::IdleInTransaction, &[]),
        session(2, "b", BackendState::IdleInTransaction, &[]),
        session(3, "web", BackendState::Active, &[1, 2]),
    ];
    let judgement = judged(&Ok(sample(all)), 3);
    let locks = finding(&judgement, Resource::PostgresLocks);
    assert!(locks.says.starts_with("a (pid 1), idle in transaction 2m14s and b (pid 2),"), "{}", locks.says);
    let remedy = locks.remedy.as_ref().unwrap();
    assert_eq!(remedy.says, "end both: frees 1 (either alone frees nobody)");
    assert!(matches!(&remedy.intent, Some(Intent::TerminateBackend { backends, .. }) if backends.len() == 2));
}

#[test]
fn what_cannot_be_ended_from_here_is_told_what_to_do() {
    let mut waiting = sample(vec![session(3, "web", BackendState::Active, &[0])]);
    waiting.prepared = vec![PreparedTransaction {
        gid: SafeText::new("it's 42"),
        owner: SafeText::new("app"),
        database: SafeText::new("shop"),
        age: 300.0,
        waiters: vec![3],
    }];
    let judgement = judged(&Ok(waiting), 3);
    let remedy = finding(&judgement, Resource::PostgresLocks).remedy.clone().unwrap();
    let Some(Intent::RollbackPrepared { gid, database, .. }) = &remedy.intent else { panic!("{remedy:?}") };
    assert_eq!((gid.as_str(), database.as_str()), ("it's 42", "shop"));
    assert!(remedy.says.ends_with("roll back prepared it's 42: frees 1, its changes are lost"), "{remedy:?}");

    let mut vacuum = session(1, "", BackendState::Active, &[]);
    vacuum.kind = SafeText::new("autovacuum worker");
    vacuum.query = SafeText::new("autovacuum: VACUUM public.t (to prevent wraparound)");
    let judgement = judged(&Ok(sample(vec![vacuum, session(2, "web", BackendState::Active, &[1])])), 3);
    let remedy = finding(&judgement, Resource::PostgresLocks).remedy.clone().unwrap();
    assert!(remedy.intent.is_none() && remedy.says.contains("wraparound"), "{}", remedy.says);

    let circle =
        vec![session(1, "a", BackendState::Active, &[2]), session(2, "b", BackendState::Active, &[1])];
    let judgement = judged(&Ok(sample(circle)), 3);
    let locks = finding(&judgement, Resource::PostgresLocks);
    assert!(locks.says.contains("2 sessions wait for each other"), "{}", locks.says);
    assert_eq!(locks.remedy.as_ref().unwrap().intent, None);
}

#[test]
fn slow_statements_name_the_longest_and_leave_out_waiters_and_dumps() {
    let slow = |pid, name: &str, age| {
        let mut one = session(pid, name, BackendState::Active, &[]);
        one.query_age = Some(age);
        one
    };
    let mut blocked = slow(9, "web", 50.0);
    blocked.wait = Some(Wait { class: SafeText::new("Lock"), event: SafeText::default() });
    blocked.wait_age = Some(0.0);
    let all = vec![slow(1, "report", 12.0), slow(2, "web.1", 4.0), slow(3, "pg_dump", 900.0), blocked];
    let judgement = judged(&Ok(sample(all)), 1);
    let slow = finding(&judgement, Resource::PostgresSlowQueries);
    assert_eq!(slow.severity, Severity::Warning);
    assert_eq!(
        slow.says,
        "report (pid 1) has run 12 s: update users set plan = $1 where id = $2…; 1 more over 1.0 s"
    );
    let intent = slow.remedy.as_ref().unwrap().intent.as_ref().unwrap();
    assert!(
        matches!(intent, Intent::CancelBackend { backend, query_start: Some(_), .. } if backend.pid == 1)
    );
}

#[test]
fn connections_name_the_application_and_a_full_server_is_critical_without_an_answer() {
    let mut all: Vec<Backend> =
        (0..60).map(|n| session(n + 1, &format!("web.{n}"), BackendState::Idle, &[])).collect();
    all.extend((0..15).map(|n| session(n + 100, "worker-1", BackendState::IdleInTransaction, &[])));
    let judgement = judged(&Ok(sample(all)), 3);
    let taken = finding(&judgement, Resource::PostgresConnections);
    assert_eq!(taken.severity, Severity::Warning);
    assert_eq!(taken.says, "76 of 97 connections taken: 60 by web, 15 idle in transaction (longest 2m14s)");
    let full = judged(&Err(PollError::new(PollErrorKind::Exhausted, "no slot")), 1);
    assert_eq!(finding(&full, Resource::PostgresConnections).severity, Severity::Critical);
}

#[test]
fn load_counts_who_works_and_replication_who_is_behind() {
    let mut all: Vec<Backend> = (0..20).map(|n| session(n + 1, "web", BackendState::Active, &[])).collect();
    all.extend((0..30).map(|n| {
        let mut one = session(n + 100, "web", BackendState::Active, &[]);
        one.wait = Some(Wait { class: SafeText::new("Client"), event: SafeText::new("ClientWrite") });
        one
    }));
    let mut busy = sample(all);
    let replica = |name: &str, seconds, state: &str| Replica {
        name: SafeText::new(name),
        state: SafeText::new(state),
        lag_bytes: Some(5e6),
        lag_seconds: seconds,
        ..Replica::default()
    };
    busy.replicas = vec![
        replica("r1", Some(12.0), "streaming"),
        replica("r2", None, "streaming"),
        replica("b", Some(99.0), "backup"),
    ];
    let judgement = judged(&Ok(busy), 5);
    let load = finding(&judgement, Resource::PostgresLoad);
    assert_eq!(
        (load.severity, load.says.as_str()),
        (Severity::Warning, "20 sessions busy (cores not known, 16 assumed)")
    );
    let behind = finding(&judgement, Resource::PostgresReplication);
    assert_eq!(behind.says, "r1 is 12 s behind (4.8 MB), streaming");
}
