//! What a PostgreSQL needs beside answering: slots, vacuum, restarts, settings; on real servers.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};
use warroom::lab::postgres::{Settings, start_with};
use warroom::model::{
    BackendKey, DatabaseSample, Frozen, Intent, PollErrorKind, Remedy, Resource, Sample, Severity,
};
use warroom::store::noticed;

use crate::postgres::{Client, accounts, backend, poll, poll_until, server, source, spec};
use crate::postgres_detect::{finding, judged};

fn happened(before: &DatabaseSample, now: &DatabaseSample) -> Vec<String> {
    let sample = |of: &DatabaseSample| Sample::Database(Box::new(of.clone()));
    noticed(&sample(before), &sample(now))
}

#[tokio::test]
async fn a_slot_that_lost_its_log_is_named_with_what_to_do() {
    let server = server(&[
        ("wal_level", "replica"),
        ("max_wal_senders", "2"),
        ("max_replication_slots", "2"),
        ("max_slot_wal_keep_size", "1MB"),
    ]);
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin.run("select pg_create_physical_replication_slot('old_standby', true)").await;
    let sample = poll(&mut source(&spec(&server))).await.unwrap();
    let slot = &sample.upkeep.slots[0];
    assert_eq!((slot.name.as_str(), slot.kind.as_str(), slot.active), ("old_standby", "physical", false));
    assert_eq!(slot.wal_status.as_str(), "reserved");
    let judgement = judged(&Ok(sample), 3);
    let state = |judgement: &warroom::detect::Judgement| {
        let of = judgement.resources.iter().find(|one| one.resource == Resource::PostgresReplication);
        of.map(|state| (state.severity, state.says.clone()))
    };
    assert_eq!(state(&judgement), Some((Severity::Ok, "1 slot fine".into())));

    accounts(&server).await;
    for _ in 0..4 {
        admin.run("insert into accounts select 100 + g, g from generate_series(1, 10) g; select pg_switch_wal(); delete from accounts where id > 100; checkpoint").await;
    }
    let sample = poll(&mut source(&spec(&server))).await.unwrap();
    assert_eq!(sample.upkeep.slots[0].wal_status.as_str(), "lost");
    let judgement = judged(&Ok(sample), 3);
    let lost = finding(&judgement, Resource::PostgresReplication);
    assert_eq!(lost.severity, Severity::Critical);
    assert!(lost.says.starts_with("slot old_standby is lost"), "{}", lost.says);
}

#[tokio::test]
async fn who_holds_vacuum_back_is_named_with_the_key_that_ends_it() {
    let server = server(&[("max_prepared_transactions", "2")]);
    accounts(&server).await;
    let mut report = Client::new(&server, "report").await;
    report.run("begin isolation level repeatable read; select * from accounts").await;
    let mut payments = Client::new(&server, "payments").await;
    payments.run("begin; update accounts set n = 1 where id = 1; prepare transaction 'order 42'").await;
    for _ in 0..3 {
        payments.run("update accounts set n = 1 where id = 2").await;
    }
    let mut sample = poll(&mut source(&spec(&server))).await.unwrap();
    let known = |sample: &DatabaseSample| -> Vec<(String, String, Option<i32>)> {
        let tell = |one: &warroom::model::Holder| (one.kind.to_string(), one.name.to_string(), one.pid);
        sample.upkeep.holders.iter().map(tell).collect()
    };
    let holders = known(&sample);
    assert!(holders.contains(&("session".into(), "report".into(), Some(report.pid))), "{holders:?}");
    assert!(holders.contains(&("prepared".into(), "order 42".into(), None)), "{holders:?}");
    assert!(sample.upkeep.holders.iter().all(|one| one.xids >= 3 && one.age.is_some()));
    // Young and few: nobody is troubled.
    let judgement = judged(&Ok(sample.clone()), 3);
    assert!(judgement.findings.is_empty(), "{:#?}", judgement.findings);

    // The same an hour and half a million transactions later: first what was prepared, then the report.
    let mut forgotten = sample.clone();
    forgotten.upkeep.holders.retain(|one| one.name.as_str() == "order 42");
    (forgotten.upkeep.holders[0].age, forgotten.upkeep.holders[0].xids) = (Some(3_600.0), 500_000);
    let judgement = judged(&Ok(forgotten), 3);
    let remedy = finding(&judgement, Resource::PostgresVacuum).remedy.clone().unwrap();
    let command = remedy.intent.unwrap().command_line();
    assert_eq!(command, "warroom kill --target primary --prepared='order 42'");
    sample.upkeep.holders.retain(|one| one.name.as_str() == "report");
    (sample.upkeep.holders[0].age, sample.upkeep.holders[0].xids) = (Some(3_600.0), 500_000);
    let key: BackendKey = backend(&sample, report.pid).key;
    let judgement = judged(&Ok(sample.clone()), 3);
    let held = finding(&judgement, Resource::PostgresVacuum);
    assert_eq!(held.severity, Severity::Warning);
    assert!(
        held.says.starts_with(&format!("report (pid {}) has kept vacuum back for", report.pid)),
        "{held:?}"
    );
    let Some(Remedy { intent: Some(Intent::TerminateBackend { backends, .. }), .. }) = &held.remedy else {
        unreachable!("{held:?}")
    };
    assert_eq!(backends[..], [key]);

    sample.upkeep.holders.clear();
    sample.upkeep.frozen = Some(Frozen { database: "app".into(), age: 1_700_000_000, multixact_age: 0 });
    let judgement = judged(&Ok(sample), 3);
    let near = finding(&judgement, Resource::PostgresVacuum);
    assert_eq!(near.severity, Severity::Critical);
    assert!(near.says.starts_with("79 % of the transaction ids are used up in app"), "{}", near.says);
    payments.run("rollback prepared 'order 42'").await;
}

#[tokio::test]
async fn a_changed_setting_is_noticed_with_both_values_and_free_text_is_not_read() {
    let server = server(&[]);
    let before = poll(&mut source(&spec(&server))).await.unwrap();
    assert_eq!(happened(&before, &before), Vec::<String>::new());
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin.run("alter system set work_mem = '8MB'").await;
    admin.run("alter system set primary_conninfo = 'password=s3cret'").await;
    admin.run("select pg_reload_conf()").await;
    let began = Instant::now();
    let now = loop {
        let now = poll(&mut source(&spec(&server))).await.unwrap();
        if now.upkeep.settings != before.upkeep.settings {
            break now;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", now.upkeep.settings);
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(happened(&before, &now), ["was set otherwise: work_mem to 8192 kB"]);
    assert!(!format!("{now:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_crash_is_told_apart_from_a_restart_and_polls_go_on_after_it() {
    let server = server(&[]);
    let mut watched = source(&spec(&server));
    let before = poll(&mut watched).await.unwrap();
    let victim = Client::new(&server, "victim").await;
    kill_process(Pid::from_raw(victim.pid).unwrap(), Signal::KILL).unwrap();
    let began = Instant::now();
    let after = loop {
        match poll(&mut watched).await {
            Ok(sample) if !happened(&before, &sample).is_empty() => break sample,
            Ok(_) => {}
            // While it recovers it refuses (57P03) or is not there at all: trouble of the server's, not ours.
            Err(error) => assert!(
                matches!(
                    error.kind,
                    PollErrorKind::Unavailable | PollErrorKind::Unreachable | PollErrorKind::Garbage
                ),
                "{error}"
            ),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the crash was never noticed");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(happened(&before, &after), ["crashed and recovered: every session was dropped"]);
    assert_eq!(before.started, after.started);
}

#[tokio::test]
async fn a_promoted_standby_is_noticed_and_asked_as_a_primary_from_then_on() {
    let feeding = [("wal_level", "replica"), ("max_wal_senders", "4"), ("hot_standby", "on")];
    let primary = server(&feeding);
    let standby = start_with(&Settings {
        server: feeding.map(|(name, value)| (name.into(), value.into())).to_vec(),
        standby_of: Some(primary.port()),
        ..Settings::default()
    })
    .unwrap();
    let mut watched = source(&spec(&standby));
    let before = poll(&mut watched).await.unwrap();
    assert!(before.in_recovery && before.missing.is_empty(), "{:?}", before.missing);
    Client::as_role(&standby, "postgres", "dba").await.run("select pg_promote(true, 30)").await;
    let after = poll_until(&mut watched, "a promoted server", |sample| !sample.in_recovery).await;
    assert_eq!(happened(&before, &after), ["was promoted: it takes writes now"]);
    let calm = |sample: &DatabaseSample| sample.replay_lag.is_none() && sample.missing.is_empty();
    poll_until(&mut watched, "a primary's answers", calm).await;
}

#[tokio::test]
async fn a_server_without_statement_statistics_is_polled_and_told_what_would_bring_them() {
    let server = server(&[]);
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin.run("drop extension pg_stat_statements").await;
    let spec = spec(&server);
    let sample = poll(&mut source(&spec)).await.unwrap();
    let gap = sample.missing.iter().find(|gap| gap.what.as_str() == "statement statistics").unwrap();
    assert!(gap.why.as_str().contains("create extension pg_stat_statements"), "{gap:?}");
    assert!(sample.statements.is_none() && sample.totals.is_some());
    let kind = warroom::sources::KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let mends = |lines: Vec<warroom::model::DoctorLine>| -> Vec<String> {
        lines.iter().filter_map(|line| line.mend.as_ref()).map(ToString::to_string).collect()
    };
    assert_eq!(mends((kind.doctor)(&spec).await), ["create extension pg_stat_statements"]);

    admin.run("create schema monitoring; create extension pg_stat_statements schema monitoring").await;
    assert_eq!(mends((kind.doctor)(&spec).await), ["grant usage on schema monitoring to warroom"]);
    let shut_out = poll(&mut source(&spec)).await.unwrap();
    assert!(shut_out.missing[0].why.as_str().contains("grant usage on schema monitoring"), "{shut_out:?}");
    admin.run("grant usage on schema monitoring to warroom").await;
    let mut elsewhere = source(&spec);
    poll(&mut elsewhere).await.unwrap();
    admin.run("select sum(g) from generate_series(1, 100000) g").await;
    poll_until(&mut elsewhere, "statements", |sample| sample.statements.is_some()).await;
    assert_eq!(mends((kind.doctor)(&spec).await), Vec::<String>::new());
}

/// One string for all libraries is taken for one library of that name, and the server does not start again.
#[tokio::test]
async fn what_is_preloaded_already_stays() {
    let server = server(&[("shared_preload_libraries", "auto_explain, pg_prewarm")]);
    let kind = warroom::sources::KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let lines = (kind.doctor)(&spec(&server)).await;
    let mends: Vec<_> = lines.iter().filter_map(|line| line.mend.as_ref()).map(ToString::to_string).collect();
    let mend = mends.iter().find(|mend| mend.contains("preload")).unwrap();
    let set =
        "alter system set shared_preload_libraries = 'auto_explain', 'pg_prewarm', 'pg_stat_statements'";
    assert_eq!(mend.split(';').next(), Some(set), "{mend}");
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin.run(set).await;
    let kept = std::fs::read_to_string(server.sockets().join("data/postgresql.auto.conf")).unwrap();
    assert!(kept.contains("'auto_explain, pg_prewarm, pg_stat_statements'"), "{kept}");
}
