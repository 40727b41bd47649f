//! Ending sessions safely to the letter: on a server that fills up, on a holder that has moved on, where a
//! cancel is not obeyed, where the right to signal is taken away meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use warroom::actions::{Action as _, PostgresActions, StopFlag};
use warroom::config::Config;
use warroom::journal::{Author, Journal};
use warroom::lab::postgres::Postgres;
use warroom::model::{Confirm, Intent, OutcomeKind, TargetId, Timestamp};
use warroom::shell::perform::Hands;

use crate::postgres::{Client, accounts, backend, poll_until, server, source, spec};
use crate::postgres_actions::{act, cancel, line, pile, terminate};
use crate::pty::{Start, Terminal};

/// What the console acts with.
fn hands(server: &Postgres, home: &std::path::Path) -> Hands {
    let config = Config { targets: vec![spec(server)], ..Config::default() };
    let journal = Journal::new(home.join("journal.jsonl"), Author::default());
    Hands::new(Arc::new(config), Ok(journal), || Timestamp::from_micros(1_763_690_400_000_000))
}

#[tokio::test]
async fn a_console_opened_before_the_server_was_full_still_ends_the_blocker() {
    let server = server(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]);
    accounts(&server).await;
    let home = tempfile::tempdir().unwrap();
    let primary = TargetId::parse("primary").unwrap();
    let console = hands(&server, home.path());
    console.stand_ready().await;
    // Looking after it again opens no second one.
    console.stand_ready().await;
    let mut watch = source(&spec(&server));
    let ours = poll_until(&mut watch, "one kept session", |sample| {
        sample.backends.iter().filter(|one| one.application_name.as_str() == "warroom").count() == 1
    });
    ours.await;

    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let waiting = pile(&server, 2).await;
    let root = console.root_blocker(&primary).await.unwrap();
    assert_eq!(root[0].pid, holder.pid);
    // Who comes only when it is full is told what is left to do.
    let mut late = Vec::new();
    let refusal = loop {
        let another = hands(&server, home.path());
        match another.plan(&terminate(&root)).await {
            Ok(_) => late.push(another),
            Err(refusal) => break refusal,
        }
        assert!(late.len() < 12, "it never filled up");
    };
    let says = refusal.says.as_str();
    assert!(says.contains("has no slot left and no session of ours was open there"), "{says}");
    assert!(says.contains(&format!("select pg_terminate_backend({})", holder.pid)), "{says}");
    assert!(says.contains("grant pg_use_reserved_connections to warroom"), "{says}");

    // As the console does it: planned, read again while the dialog stands, done.
    let shown = console.plan(&terminate(&root)).await.unwrap();
    console.stand_ready().await;
    let plan = console.plan(&terminate(&root)).await.unwrap();
    assert_eq!(plan.change_since(&shown), None);
    let outcome = console.act(plan, mpsc::channel(1).0, StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(2)), "{outcome:?}");
    for one in waiting {
        one.end().await.1.unwrap();
    }
}

#[tokio::test]
async fn in_a_real_terminal_f_and_y_still_free_the_pile_up_of_a_full_server() {
    let server = server(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]);
    accounts(&server).await;
    let config =
        format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n", server.url("warroom"));
    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("postgres")).await.unwrap();
    let mut ours = 0_i64;
    while ours < 2 {
        terminal.listen(Duration::from_millis(50));
        let count = "select count(*) from pg_stat_activity where application_name = 'warroom'";
        ours = sqlx::query_scalar(count).fetch_one(&mut admin).await.unwrap();
    }
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let waiting = pile(&server, 3).await;
    // Full, and kept full: what else is still closing gives its slot away to these.
    let mut rest = Vec::new();
    loop {
        match <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("app")).await {
            Ok(connection) => rest.push(connection),
            Err(error) => {
                assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("53300"));
                break;
            }
        }
    }
    terminal.until_says("wait behind it");
    terminal.keys("F");
    terminal.until_says(&format!("End pid {} on primary", holder.pid));
    terminal.until_says("3 of 3 waiters");
    terminal.listen(Duration::from_millis(600));
    terminal.keys("y");
    terminal.until_says("3 of 3 that waited go on");
    for one in waiting {
        one.end().await.1.unwrap();
    }
    terminal.keys("\rq");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test]
async fn a_holder_that_has_moved_on_is_another_matter() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let actions = PostgresActions::new(&spec(&server));
    let intent = terminate(&[actions.backend(holder.pid).await.unwrap()]);
    let shown = actions.plan(&intent).await.unwrap();
    // Another statement of the same transaction changes nothing of what was meant.
    holder.run("select 1").await;
    let again = actions.plan(&intent).await.unwrap();
    assert_eq!(again.change_since(&shown), None);
    assert_eq!(line(&again, "last"), "select 1");
    holder.run("commit").await;
    let ended = actions.plan(&intent).await.unwrap().change_since(&shown).unwrap();
    assert_eq!(ended.as_str(), format!("pid {} has ended its transaction by itself", holder.pid));
    holder.run("begin; update accounts set n = 2 where id = 2").await;
    let other = actions.plan(&intent).await.unwrap().change_since(&shown).unwrap();
    assert_eq!(other.as_str(), format!("pid {} is in another transaction now", holder.pid));
    let outcome = act(&actions, shown).await;
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
    holder.run("commit").await;
}

#[tokio::test]
async fn a_statement_that_does_not_obey_a_cancel_leads_on_to_ending_its_session() {
    let server = server(&[]);
    let stubborn = Client::new(&server, "stubborn").await.spawn(
        "do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then null; end; end loop; \
         end $$",
    );
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "it", |s| backend(s, stubborn.pid).query.as_str().contains("pg_sleep")).await;
    let actions = PostgresActions::new(&spec(&server));
    let key = actions.backend(stubborn.pid).await.unwrap();
    let plan = actions.plan(&cancel(key)).await.unwrap();
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{outcome:?}");
    let next = outcome.next.unwrap();
    assert_eq!(next.says.as_str(), "end the session instead");
    let harder = next.intent.unwrap();
    assert_eq!(harder, terminate(&[key]));
    let outcome = act(&actions, actions.plan(&harder).await.unwrap()).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{outcome:?}");
    assert!(outcome.next.is_none(), "{outcome:?}");
    stubborn.end().await.1.unwrap_err();
}

#[tokio::test]
async fn whoever_is_next_in_the_way_is_offered_next() {
    let server = server(&[]);
    accounts(&server).await;
    let (mut first, mut second) = (Client::new(&server, "a").await, Client::new(&server, "b").await);
    first.run("begin; lock table accounts in share mode").await;
    second.run("begin; lock table accounts in share mode").await;
    let waiting = pile(&server, 3).await;
    let actions = PostgresActions::new(&spec(&server));
    let keys = actions.backends(&[first.pid, second.pid]).await.unwrap();
    let outcome = act(&actions, actions.plan(&terminate(&keys[..1])).await.unwrap()).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(0)), "{outcome:?}");
    let next = outcome.next.unwrap();
    assert_eq!(next.says.as_str(), format!("end the next in the way, b (pid {})", second.pid));
    assert_eq!(next.intent, Some(terminate(&keys[1..])));
    let outcome = act(&actions, actions.plan(&next.intent.unwrap()).await.unwrap()).await;
    assert_eq!(outcome.freed, Some(3), "{outcome:?}");
    for one in waiting {
        one.end().await.1.unwrap();
    }
}

#[tokio::test]
async fn a_right_that_was_taken_away_meanwhile_is_named_with_its_grant() {
    let server = server(&[]);
    let client = Client::new(&server, "web").await;
    let actions = PostgresActions::new(&spec(&server));
    let plan = actions.plan(&terminate(&[actions.backend(client.pid).await.unwrap()])).await.unwrap();
    let mut admin = Client::as_role(&server, "postgres", "dba").await;
    admin.run("revoke pg_signal_backend from warroom").await;
    let outcome = act(&actions, plan.clone()).await;
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{outcome:?}");
    assert!(outcome.says.as_str().starts_with("0 of 1 session ended: "), "{outcome:?}");
    assert!(outcome.says.as_str().contains("grant pg_signal_backend to warroom"), "{outcome:?}");
    let refusal = actions.plan(&plan.intent).await.unwrap_err();
    assert!(refusal.says.as_str().contains("grant pg_signal_backend to warroom"), "{refusal}");
    // A session of our own is ended only by who types the name.
    admin.run("grant pg_signal_backend to warroom").await;
    let other = PostgresActions::new(&spec(&server));
    other.open().await.unwrap();
    let mut watch = source(&spec(&server));
    let ours = |one: &warroom::model::Backend| one.application_name.as_str() == "warroom";
    let sample = poll_until(&mut watch, "ours", |sample| sample.backends.iter().any(ours)).await;
    let key = sample.backends.iter().find(|one| ours(one)).unwrap().key;
    let plan = PostgresActions::new(&spec(&server)).plan(&terminate(&[key])).await.unwrap();
    assert_eq!(plan.confirm, Confirm::Name("primary".into()), "{plan:?}");
}

#[tokio::test]
async fn fifty_sessions_are_signalled_by_one_statement_and_counted_after() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holders = Vec::new();
    for n in 0..49 {
        let mut one = Client::new(&server, &format!("web.{n}")).await;
        one.run("begin; select pg_advisory_xact_lock_shared(7); select pg_advisory_xact_lock_shared(8)")
            .await;
        holders.push(one);
    }
    let mut report = Client::new(&server, "report").await;
    report.run("begin; select pg_advisory_xact_lock_shared(8)").await;
    let free = Client::new(&server, "a").await.spawn("select pg_advisory_lock(7)");
    let stuck = Client::new(&server, "b").await.spawn("select pg_advisory_lock(8)");
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "two waiters", |sample| crate::postgres::waiters(sample) == 2).await;
    let actions = PostgresActions::new(&spec(&server));
    let pids: Vec<i32> = holders.iter().map(|one| one.pid).collect();
    let keys = actions.backends(&pids).await.unwrap();
    let plan = actions.plan(&terminate(&keys)).await.unwrap();
    assert_eq!((plan.touches, plan.frees), (49, Some(1)), "{plan:?}");
    // One of them ends by itself while the dialog stands: the rest is meant as before.
    let gone = holders.pop().unwrap().pid;
    poll_until(&mut watch, "one less", |s| s.backends.iter().all(|one| one.key.pid != gone)).await;
    let again = actions.plan(&terminate(&keys)).await.unwrap();
    assert_eq!((again.change_since(&plan), again.touches), (None, 48));
    let began = tokio::time::Instant::now();
    let outcome = act(&actions, again).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(1)), "{outcome:?}");
    assert!(outcome.says.as_str().starts_with("ended 48 of 48 sessions in "), "{outcome:?}");
    let rest = format!("1 of 2 that waited goes on; the rest waits behind report (pid {})", report.pid);
    assert!(outcome.says.as_str().ends_with(&rest), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(120));
    free.end().await.1.unwrap();
    let Some(Intent::TerminateBackend { backends, .. }) = outcome.next.unwrap().intent else {
        panic!("no next")
    };
    assert_eq!(backends[0].pid, report.pid);
    report.run("commit").await;
    stuck.end().await.1.unwrap();
}
