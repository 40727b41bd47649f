//! The PostgreSQL source on real servers.

use std::time::Duration;

use sqlx::Connection as _;
use tokio::time::{Instant, timeout};
use warroom::config::{ApplicationPattern, TargetSpec};
use warroom::lab::free_port;
use warroom::lab::postgres::{Settings, start_with};
use warroom::model::{BackendState, DatabaseSample, PollErrorKind, Severity, TargetId};
use warroom::sources::KINDS;

use crate::postgres::{Client, accounts, backend, poll, poll_until, server, source, spec, waiters};

#[tokio::test]
async fn a_pile_up_shows_holder_waiters_and_ages() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let mut waiting = Vec::new();
    for n in 0..8 {
        let client = Client::new(&server, &format!("web.{}", 10 + n)).await;
        waiting.push(client.spawn("update accounts set n = 2 where id = 1"));
    }
    let mut source = source(&spec(&server));
    let sample = poll_until(&mut source, "8 waiters", |sample| waiters(sample) == 8).await;
    let root = backend(&sample, holder.pid);
    assert_eq!(root.state, BackendState::IdleInTransaction);
    assert_eq!(root.application_name.as_str(), "web.3");
    assert!(root.has_written && root.is_client() && root.blocked_by.is_empty());
    assert_eq!(root.query.as_str(), "begin; update accounts set n = 1 where id = 1");
    assert!(root.xact_age.unwrap() > 0.0 && root.state_age.unwrap() >= 0.0);
    for one in &waiting {
        let waiter = backend(&sample, one.pid);
        assert!(!waiter.blocked_by.is_empty(), "{waiter:?}");
        let age = waiter.wait_age.unwrap();
        assert!((0.0..10.0).contains(&age), "{age}");
    }
    assert_eq!(sample.max_connections, 100);
    assert_eq!(sample.reserved_connections, 3);
    assert!(sample.missing.is_empty(), "{:?}", sample.missing);
    holder.run("rollback").await;
    for one in waiting {
        one.end().await.1.unwrap();
    }
    poll_until(&mut source, "no waiter", |sample| waiters(sample) == 0).await;
}

#[tokio::test]
async fn a_first_look_tells_a_waits_age_from_the_server_not_the_statements() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "holder").await;
    holder.run("begin; lock table accounts").await;
    // The statement runs long before it comes to wait.
    let batch = Client::new(&server, "batch").await.spawn("select pg_sleep(1.2); update accounts set n = 3");
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "a waiter", |sample| waiters(sample) == 1).await;
    let sample = poll(&mut source(&spec(&server))).await.unwrap();
    // However slow the machine: the wait began when the sleep was over.
    let slept = |sample: &DatabaseSample| {
        let it = backend(sample, batch.pid);
        it.query_age.unwrap() - it.wait_age.unwrap()
    };
    assert!(slept(&sample) > 1.1, "{:?}", backend(&sample, batch.pid));
    let sample = poll(&mut watch).await.unwrap();
    assert!(slept(&sample) > 1.1, "{:?}", backend(&sample, batch.pid));
    holder.run("rollback").await;
    batch.end().await.1.unwrap();
}

#[tokio::test]
async fn sixty_polls_cost_at_most_one_and_a_half_statements_each() {
    let server = server(&[]);
    let mut source = source(&spec(&server));
    for _ in 0..60 {
        poll(&mut source).await.unwrap();
    }
    let mut admin = sqlx::PgConnection::connect(&server.url("postgres")).await.unwrap();
    let calls: i64 = sqlx::query_scalar(
        "select sum(calls)::int8 from pg_stat_statements s join pg_roles r on r.oid = s.userid where rolname = 'warroom'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!((60..=90).contains(&calls), "{calls} statements in 60 polls");
}

#[tokio::test]
async fn a_full_server_still_answers_a_held_session_and_a_new_one_is_told_why() {
    let server = server(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]);
    let mut held = source(&spec(&server));
    poll(&mut held).await.unwrap();
    let mut clients = Vec::new();
    for n in 0..9 {
        clients.push(Client::new(&server, &format!("web.{n}")).await);
    }
    let sample = poll(&mut held).await.unwrap();
    assert_eq!((sample.max_connections, sample.reserved_connections), (12, 2));
    assert_eq!(sample.backends.iter().filter(|b| b.is_client()).count(), 9);
    let error = poll(&mut source(&spec(&server))).await.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Exhausted, "{error}");
}

#[tokio::test]
async fn a_frozen_server_times_out_collects_no_session_and_recovers() {
    let mut server = server(&[]);
    let spec = spec(&server);
    let mut source = source(&spec);
    poll(&mut source).await.unwrap();
    let family = server.process().record().family();
    for one in &family {
        one.signal(rustix::process::Signal::STOP);
    }
    for _ in 0..5 {
        let asked = Instant::now();
        timeout(Duration::from_millis(200), poll(&mut source)).await.expect_err("a frozen server answered");
        assert!(asked.elapsed() < Duration::from_secs(20));
    }
    for one in &family {
        one.signal(rustix::process::Signal::CONT);
    }
    let sample = timeout(Duration::from_secs(60), poll(&mut source)).await.expect("it recovers").unwrap();
    let ours = sample.backends.iter().filter(|b| b.application_name.as_str() == "warroom").count();
    assert_eq!(ours, 0, "sessions of ours beside the asking one");
}

#[tokio::test]
async fn a_session_that_was_ended_is_opened_anew_within_the_same_poll() {
    let server = server(&[]);
    let mut source = source(&spec(&server));
    poll(&mut source).await.unwrap();
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin
        .run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'warroom'")
        .await;
    poll(&mut source).await.unwrap();
}

#[tokio::test]
async fn each_failure_is_told_as_what_it_is() {
    let mut server = server(&[]);
    let at = |url: &str| TargetSpec::new(TargetId::parse("t").unwrap(), "postgres").with_url(url);
    let free = free_port().unwrap();
    let refused =
        poll(&mut source(&at(&format!("postgres://a:s3cret@127.0.0.1:{free}/x")))).await.unwrap_err();
    assert_eq!(refused.kind, PollErrorKind::Unreachable);
    assert!(refused.says.as_str().contains(&format!("127.0.0.1:{free}")), "{refused}");
    let role = poll(&mut source(&at(&server.url("nobody:s3cret")))).await.unwrap_err();
    assert_eq!(role.kind, PollErrorKind::Login, "{role}");
    assert!(!format!("{refused}{role}").contains("s3cret"));
    let other = poll(&mut source(&at(&format!("postgres://warroom@127.0.0.1:{}/nowhere", server.port()))))
        .await
        .unwrap_err();
    assert_eq!(other.kind, PollErrorKind::Login, "{other}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        }
    });
    let garbage = poll(&mut source(&at(&format!("postgres://a@127.0.0.1:{port}/x")))).await.unwrap_err();
    assert_eq!(garbage.kind, PollErrorKind::Garbage, "{garbage}");

    let mut held = source(&spec(&server));
    poll(&mut held).await.unwrap();
    server.process().stop();
    let stopped = poll(&mut held).await.unwrap_err();
    assert_eq!(stopped.kind, PollErrorKind::Unreachable, "{stopped}");
}

#[tokio::test]
async fn the_unix_socket_serves_and_a_role_without_rights_is_told_the_grant() {
    let server = server(&[]);
    let url = format!("postgres:///app?host={}&port={}&user=app", server.sockets().display(), server.port());
    let plain = TargetSpec::new(TargetId::parse("t").unwrap(), "postgres").with_url(&url);
    let other = Client::as_role(&server, "postgres", "dba").await;
    let sample = poll(&mut source(&plain)).await.unwrap();
    assert_eq!(backend(&sample, other.pid).state, BackendState::Unknown);
    assert!(sample.missing[0].why.as_str().contains("grant pg_monitor to app"), "{:?}", sample.missing);
    let kind = KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let lines = (kind.doctor)(&plain).await;
    let mends: Vec<_> = lines.iter().filter_map(|line| line.mend.as_ref()).map(ToString::to_string).collect();
    assert_eq!(mends[..2], ["grant pg_monitor to app", "grant pg_signal_backend to app"], "{lines:?}");
    let lines = (kind.doctor)(&spec(&server)).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");
}

#[tokio::test]
async fn a_prepared_transaction_that_blocks_is_named() {
    let server = server(&[("max_prepared_transactions", "4")]);
    accounts(&server).await;
    let mut client = Client::new(&server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 2; prepare transaction 'order 42'").await;
    let waiting = Client::new(&server, "web.1").await.spawn("update accounts set n = 6 where id = 2");
    let mut source = source(&spec(&server));
    let sample = poll_until(&mut source, "a prepared root", |sample| !sample.prepared.is_empty()).await;
    assert_eq!(sample.prepared[0].gid.as_str(), "order 42");
    assert_eq!(sample.prepared[0].owner.as_str(), "app");
    assert_eq!(sample.prepared[0].waiters, [waiting.pid]);
    assert_eq!(backend(&sample, waiting.pid).blocked_by, [0]);
    let young = sample.prepared[0].age;
    let older = |sample: &DatabaseSample| sample.prepared.first().is_some_and(|one| one.age > young + 0.5);
    poll_until(&mut source, "it to grow older", older).await;
    client.run("rollback prepared 'order 42'").await;
    waiting.end().await.1.unwrap();
    poll_until(&mut source, "nothing prepared", |sample| sample.prepared.is_empty()).await;
}

#[tokio::test]
async fn a_lock_on_every_table_never_holds_a_poll_up() {
    let server = server(&[]);
    let mut admin = Client::as_role(&server, "postgres", "ddl").await;
    accounts(&server).await;
    admin
        .run("begin; lock table accounts in access exclusive mode; lock table pg_class in share row exclusive mode")
        .await;
    let mut patient = spec(&server);
    patient.timeout = Duration::from_secs(30);
    let mut source = source(&patient);
    for _ in 0..31 {
        let sample = poll(&mut source).await.expect("held up");
        assert!(sample.missing.is_empty(), "{:?}", sample.missing);
    }
}

#[tokio::test]
async fn a_standby_is_polled_and_its_primary_tells_how_far_it_is_behind() {
    let feeding = [("wal_level", "replica"), ("max_wal_senders", "4"), ("hot_standby", "on")];
    let primary = server(&feeding);
    accounts(&primary).await;
    let standby = start_with(&Settings {
        server: feeding.map(|(name, value)| (name.into(), value.into())).to_vec(),
        standby_of: Some(primary.port()),
        ..Settings::default()
    })
    .unwrap();
    let mut of_primary = source(&spec(&primary));
    let sample = poll_until(&mut of_primary, "a fed standby", |sample| {
        sample.replicas.iter().any(|one| one.state.as_str() == "streaming" && one.lag_bytes.is_some())
    })
    .await;
    assert!(!sample.in_recovery && sample.replay_lag.is_none());
    let mut of_standby = source(&spec(&standby));
    let caught_up = |sample: &DatabaseSample| sample.replay_lag == Some(0.0);
    let sample = poll_until(&mut of_standby, "a standby that has caught up", caught_up).await;
    assert!(sample.in_recovery && sample.missing.is_empty(), "{:?}", sample.missing);

    // What is replayed is held up by a reader: the standby falls behind and says so.
    let mut migrate = Client::new(&primary, "migrate").await;
    // A delay is told from the first transaction that was replayed on.
    migrate.run("insert into accounts values (11, 0)").await;
    let mut reader = Client::new(&standby, "report").await;
    reader.run("begin; lock table accounts in access share mode").await;
    migrate.run("alter table accounts add column extra int").await;
    let waits = |sample: &DatabaseSample| {
        sample.backends.iter().any(|one| one.kind.as_str() == "startup" && one.waits_for_lock())
    };
    poll_until(&mut of_standby, "a replay that waits", waits).await;
    let behind = |sample: &DatabaseSample| sample.replay_lag.is_some_and(|lag| lag > 0.2);
    poll_until(&mut of_standby, "a standby that is behind", behind).await;
    reader.run("rollback").await;
    poll_until(&mut of_standby, "a standby that has caught up again", caught_up).await;
}

#[tokio::test]
async fn sessions_are_of_one_family_by_the_usual_names_or_by_the_operators_pattern() {
    let server = server(&[]);
    let mut clients = Vec::new();
    for name in ["shop-web-7f9c", "shop-mail-1", "sidekiq 7.2.4 app [3 of 10 busy]", "web.3"] {
        clients.push(Client::new(&server, name).await);
    }
    let families = async |spec: &TargetSpec| {
        let sample = poll(&mut source(spec)).await.unwrap();
        clients.iter().map(|one| backend(&sample, one.pid).family().to_owned()).collect::<Vec<_>>()
    };
    let mut spec = spec(&server);
    assert_eq!(families(&spec).await, ["shop-web-7f9c", "shop-mail", "sidekiq", "web"]);
    spec.applications = Some(ApplicationPattern::parse("shop-{kind}-*").unwrap());
    assert_eq!(families(&spec).await, ["web", "mail", "sidekiq", "web"]);
}
