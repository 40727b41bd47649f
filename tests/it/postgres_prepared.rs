//! Rolling back a prepared transaction, by its owner, by who may become it, and by nobody else.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use warroom::actions::{Action as _, PostgresActions};
use warroom::config::TargetSpec;
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{Confirm, Intent, OutcomeKind};

use crate::postgres::{Client, accounts, poll_until, source, spec, waiters};
use crate::postgres_actions::{act, line};
use crate::postgres_versions::programs;

fn server(version: u32) -> Postgres {
    let server = [("max_prepared_transactions", "4")].map(|(name, value)| (name.into(), value.into()));
    start_with(&Settings { bin_dir: programs(version), server: server.to_vec(), ..Settings::default() })
        .unwrap()
}

/// As the role `warroom`, but logged in to another database than the transaction's.
fn elsewhere(server: &Postgres) -> TargetSpec {
    spec(server).with_url(&server.url("warroom").replace("/app", "/postgres"))
}

async fn on(version: u32) {
    let server = server(version);
    accounts(&server).await;
    let mut client = Client::new(&server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 1; prepare transaction 'it''s 42'").await;
    let waiting = [
        Client::new(&server, "web.1").await.spawn("update accounts set n = 6 where id = 1"),
        Client::new(&server, "web.2").await.spawn("update accounts set n = 7 where id = 1"),
    ];
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "two waiters", |sample| waiters(sample) == 2).await;

    // With no more rights than to look and to signal: told who may, and how.
    let weak = PostgresActions::new(&elsewhere(&server));
    let intent = weak.prepared("it's 42").await.unwrap();
    assert_eq!(intent.command_line(), r"warroom kill --target primary --prepared='it'\''s 42'");
    let refusal = weak.plan(&intent).await.unwrap_err();
    assert_eq!(refusal.kind, OutcomeKind::Refused);
    let says = refusal.says.as_str();
    assert!(
        says.contains("only its owner app or a superuser") && says.contains("rollback prepared 'it''s 42'")
    );
    assert_eq!(weak.prepared("nobody").await.unwrap_err().kind, OutcomeKind::NothingToDo);

    // Who may become its owner can, from another database too, though the session only reads.
    Client::as_role(&server, "postgres", "dba").await.run("grant app to warroom").await;
    let actions = PostgresActions::new(&elsewhere(&server));
    let plan = actions.plan(&intent).await.unwrap();
    assert_eq!(plan.confirm, Confirm::Name("it's 42".into()));
    assert!(line(&plan, "who").starts_with("prepared by app in app, "), "{plan:?}");
    assert!(line(&plan, "holds").contains(" of app (RowExclusive)"), "{plan:?}");
    assert!(line(&plan, "frees").starts_with("2 of 2 waiters"), "{plan:?}");
    assert!(plan.warnings[0].as_str().contains("its changes are lost"), "{plan:?}");
    assert_eq!(actions.plan(&intent).await.unwrap().identity, plan.identity);

    // The same name, but another transaction by now.
    let mut stale = plan.clone();
    stale.identity.push('0');
    let outcome = act(&actions, stale).await;
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
    let wrong = Intent::RollbackPrepared {
        database: "postgres".into(),
        gid: "it's 42".into(),
        target: actions_target(),
    };
    assert_eq!(actions.plan(&wrong).await.unwrap_err().kind, OutcomeKind::Refused);

    let outcome = act(&actions, plan.clone()).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(2)), "{outcome:?}");
    for one in waiting {
        one.end().await.1.unwrap();
    }
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::NothingToDo);
    client
        .run("do $$ begin if (select n from accounts where id = 1) = 5 then raise 'kept'; end if; end $$")
        .await;
}

fn actions_target() -> warroom::model::TargetId {
    warroom::model::TargetId::parse("primary").unwrap()
}

#[tokio::test]
async fn the_command_line_names_a_prepared_transaction_and_the_check_gives_that_command() {
    let server = server(15);
    accounts(&server).await;
    Client::as_role(&server, "postgres", "dba").await.run("grant app to warroom").await;
    let mut client = Client::new(&server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 1; prepare transaction 'order 42'").await;
    let waiting = Client::new(&server, "web").await.spawn("update accounts set n = 6 where id = 1");
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "a waiter", |sample| waiters(sample) == 1).await;

    let home = tempfile::tempdir().unwrap();
    let config =
        format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n", server.url("warroom"));
    std::fs::write(home.path().join("warroom.toml"), config).unwrap();
    let json = |args: &[&str]| {
        let (code, out, err) = crate::cli::run(home.path(), args);
        (code, serde_json::from_str::<serde_json::Value>(&out).unwrap_or_else(|_| panic!("{args:?}: {err}")))
    };
    let (_, checked) = json(&["check", "--json", "--samples", "4"]);
    let remedy = &checked["verdict"]["remedy"];
    assert_eq!(remedy["intent"], "rollback_prepared", "{checked}");
    assert_eq!(remedy["command"], "warroom kill --target primary --prepared='order 42'");
    let kill = ["kill", "--target", "primary", "--prepared=order 42", "--json"];
    let (code, shown) = json(&[&kill[..], &["--dry-run"]].concat());
    assert_eq!((code, &shown["plan"]["frees"]), (0, &1.into()), "{shown}");
    let (code, refused) = json(&kill);
    assert_eq!((code, &refused["outcome"]), (4, &"refused".into()), "no terminal, no consent: {refused}");
    let (code, done) = json(&[&kill[..], &["--yes"]].concat());
    assert_eq!((code, &done["outcome"], &done["freed"]), (0, &"done".into(), &1.into()), "{done}");
    assert_eq!((&done["gid"], &done["database"]), (&"order 42".into(), &"app".into()), "{done}");
    waiting.end().await.1.unwrap();
    let (_, journal, _) = crate::cli::run(home.path(), &["journal"]);
    assert!(journal.contains("rolled back prepared transaction order 42"), "{journal}");
}

#[tokio::test]
async fn a_prepared_transaction_is_rolled_back_on_13() {
    on(13).await;
}

#[tokio::test]
async fn a_prepared_transaction_is_rolled_back_on_15() {
    on(15).await;
}

#[tokio::test]
async fn a_prepared_transaction_is_rolled_back_on_18() {
    on(18).await;
}
