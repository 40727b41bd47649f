//! Statements explained on every PostgreSQL from 13 to 18: found, planned and never run.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "only tests call these")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use warroom::config::TargetSpec;
use warroom::explain::explain;
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{ExplainAsk, ExplainOf, Explanation, OutcomeKind, Refusal, TargetId};

use crate::postgres::{Client, server, spec};
use crate::postgres_versions::programs;

async fn ask(spec: &TargetSpec, of: ExplainOf) -> Result<Explanation, Refusal> {
    explain(spec, &ExplainAsk { target: spec.id.clone(), of, search_path: None }).await
}

fn session(pid: i32) -> ExplainOf {
    ExplainOf::Session { pid, started: None, query_start: None }
}

fn text(text: &str) -> ExplainOf {
    ExplainOf::Text { text: text.into(), database: None }
}

/// What a text is refused with.
async fn refused(spec: &TargetSpec, of: ExplainOf) -> String {
    let refusal = ask(spec, of).await.expect_err("it was explained");
    assert_eq!(refusal.kind, OutcomeKind::Refused, "{refusal}");
    refusal.says.to_string()
}

/// 100 000 orders, some 13 MB, in a schema that only the role's `search_path` leads to.
async fn orders(server: &Postgres) -> Client {
    let mut app = Client::new(server, "web.3").await;
    for sql in [
        "create schema shop",
        "create table shop.orders as select g as id, g % 1000 as buyer, repeat('x', 100) as note \
         from generate_series(1, 100000) g",
        "alter table shop.orders add primary key (id)",
        "analyze shop.orders",
        "alter role app set search_path = shop, public",
    ] {
        app.run(sql).await;
    }
    // What a role has set counts from its next session on.
    Client::new(server, "web.3").await
}

async fn admin(server: &Postgres) -> PgConnection {
    PgConnection::connect(&server.url("postgres")).await.unwrap()
}

async fn run(admin: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(admin).await.unwrap();
}

async fn on(version: u32) {
    let bin_dir = programs(version);
    let server = start_with(&Settings { bin_dir, ..Settings::default() }).unwrap();
    let spec = spec(&server);
    let mut app = orders(&server).await;
    let mut admin = admin(&server).await;

    // Without rights: the very grants it names are what it lacks.
    app.run("select count(*) from orders where note = 'nothing'").await;
    let says = refused(&spec, session(app.pid)).await;
    assert!(says.contains("grant usage on schema shop to warroom"), "{says}");
    run(&mut admin, "grant usage on schema shop to warroom").await;
    let says = refused(&spec, session(app.pid)).await;
    assert!(says.contains("grant select on orders to warroom"), "{says}");
    run(&mut admin, "grant select on shop.orders to warroom").await;

    let told = ask(&spec, session(app.pid)).await.unwrap();
    assert!(told.who.as_str().starts_with("web.3 (pid "), "{told:?}");
    assert_eq!((told.role.as_str(), told.parameters, told.pid), ("warroom", 0, Some(app.pid)));
    assert_eq!(told.search_path.as_str(), "shop, public");
    let scan = told.steps.iter().find(|step| step.what.as_str().contains("Seq Scan on shop.orders")).unwrap();
    assert!(scan.costliest && scan.share > 0.5, "{scan:?}");
    assert!(scan.beware[0].as_str().starts_with("reads all of shop.orders (about 100 000 rows"), "{scan:?}");
    let notes = told.notes.iter().map(ToString::to_string).collect::<String>();
    assert!(notes.contains("ran last") || notes.contains("the last statement"), "{notes}");
    assert!(notes.contains("planned as warroom, not as app"), "{notes}");

    from_statistics(&server, &spec, &mut app).await;
    guards(&spec, &mut app, &mut admin).await;
    cut_off(&spec, &mut app, version).await;

    // A member of the session's role plans as that role, so a change of data can be explained too.
    let says = refused(&spec, text("delete from shop.orders where id = $1")).await;
    assert!(says.contains("this one writes"), "{says}");
    run(&mut admin, "grant app to warroom").await;
    app.run("delete from orders where id = 0").await;
    let told = ask(&spec, session(app.pid)).await.unwrap();
    assert_eq!(told.role.as_str(), "app");
    assert!(told.steps[0].what.as_str().starts_with("Delete on shop.orders"), "{told:?}");
    let left: i64 =
        sqlx::query_scalar("select count(*) from shop.orders").fetch_one(&mut admin).await.unwrap();
    assert_eq!(left, 100_000);

    let mut ddl = Client::new(&server, "ddl").await;
    ddl.run("begin; lock table shop.orders in access exclusive mode").await;
    let says = refused(&spec, text("select * from shop.orders")).await;
    assert!(says.contains("a lock is in the way"), "{says}");
    ddl.run("rollback").await;
}

async fn from_statistics(server: &Postgres, spec: &TargetSpec, app: &mut Client) {
    app.run("select note from orders where id = 7").await;
    let mut admin = admin(server).await;
    let query_id: i64 = sqlx::query_scalar(
        "select queryid from pg_stat_statements where query like 'select note from orders where id = $1'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    let of = ExplainOf::Statistics { query_id, user: Some("app".into()), database: None };
    let told = ask(spec, of).await.unwrap();
    assert_eq!((told.parameters, told.query_id, told.database.as_str()), (1, Some(query_id), "app"));
    assert_eq!(told.steps[0].what.as_str(), "Index Scan using orders_pkey on shop.orders");
    assert_eq!(told.steps[0].details[0].1.as_str(), "(orders.id = $1)");
    assert!(told.notes.iter().any(|note| note.as_str().contains("without its values")), "{told:?}");
    let of = ExplainOf::Statistics { query_id: query_id ^ 1, user: None, database: None };
    assert_eq!(ask(spec, of).await.unwrap_err().kind, OutcomeKind::NothingToDo);
}

/// What must not be planned, and what cannot.
async fn guards(spec: &TargetSpec, app: &mut Client, admin: &mut PgConnection) {
    for (sql, why) in [
        ("select 1; delete from shop.orders", "several statements"),
        ("select 1; commit; delete from shop.orders", "several statements"),
        ("vacuum shop.orders", "vacuum has no plan"),
        ("/* x */ drop table shop.orders", "drop has no plan"),
        ("explain analyze delete from shop.orders", "an explain already"),
        ("select now() - interval $1", "cannot be parsed again"),
        ("select * from shop.orders where note = $1 and", "cannot be parsed again"),
        ("select $1 + $2", "types cannot be told"),
        ("select * from nowhere", "may have set another search_path"),
        ("", "no statement"),
    ] {
        let says = refused(spec, text(sql)).await;
        assert!(says.contains(why), "{sql}: {says}");
    }
    // From 15 on this has a plan; what matters is that it makes nothing.
    let into = ask(spec, text("select * into shop.copy from shop.orders")).await;
    assert!(into.as_ref().err().is_none_or(|no| no.says.as_str().contains("makes a table")), "{into:?}");
    app.run("select 1; update orders set note = '' where id = 1").await;
    let says = refused(spec, session(app.pid)).await;
    assert!(says.contains("several statements"), "{says}");
    let made: Option<String> =
        sqlx::query_scalar("select to_regclass('shop.copy')::text").fetch_one(&mut *admin).await.unwrap();
    assert_eq!(made, None);
    let left: i64 = sqlx::query_scalar("select count(*) from shop.orders").fetch_one(admin).await.unwrap();
    assert_eq!(left, 100_000);
    let gone = ask(spec, session(i32::MAX)).await.unwrap_err();
    assert_eq!(gone.kind, OutcomeKind::NothingToDo);
    let started = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let of = ExplainOf::Session { pid: app.pid, started, query_start: None };
    assert!(refused(spec, of).await.contains("another session now"));
}

/// A text longer than the server shows: whole in the statistics, from the version on that ties the two.
async fn cut_off(spec: &TargetSpec, app: &mut Client, version: u32) {
    let ids = (0..600).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let sql: &'static str = format!("select count(*) from orders where buyer = any('{{{ids}}}')").leak();
    app.run(sql).await;
    if version < 14 {
        assert!(refused(spec, session(app.pid)).await.contains("cut off at track_activity_query_size"));
        return;
    }
    let told = ask(spec, session(app.pid)).await.unwrap();
    assert!(told.query_id.is_some() && told.query.as_str().ends_with("any($1)"), "{told:?}");
    assert!(told.notes.iter().any(|note| note.as_str().contains("that of its statistics")), "{told:?}");
}

#[tokio::test]
async fn version_13_explains() {
    on(13).await;
}

#[tokio::test]
async fn version_14_explains() {
    on(14).await;
}

#[tokio::test]
async fn version_15_explains() {
    on(15).await;
}

#[tokio::test]
async fn version_16_explains() {
    on(16).await;
}

#[tokio::test]
async fn version_17_explains() {
    on(17).await;
}

#[tokio::test]
async fn version_18_explains() {
    on(18).await;
}

/// The planner runs functions that say they are immutable: that ends soon, and changes nothing.
#[tokio::test]
async fn a_function_that_the_planner_runs_is_cut_short_and_cannot_write() {
    let server = server(&[]);
    let spec = spec(&server);
    let mut admin = admin(&server).await;
    run(&mut admin, "create table seen (n int); grant all on seen to public").await;
    run(
        &mut admin,
        "create function sleeps(n int) returns int immutable language plpgsql \
         as 'begin perform pg_sleep(600); return n; end'; \
         create function writes(n int) returns int immutable language plpgsql \
         as 'begin insert into public.seen values (n); return n; end'",
    )
    .await;
    let says = refused(&spec, text("select * from seen where n = public.sleeps(1)")).await;
    assert!(says.contains("longer than 2 s"), "{says}");
    let says = refused(&spec, text("select * from seen where n = public.writes(1)")).await;
    assert!(says.contains("read-only") || says.contains("non-volatile"), "{says}");
    let seen: i64 = sqlx::query_scalar("select count(*) from seen").fetch_one(&mut admin).await.unwrap();
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_statement_is_planned_in_its_own_database_and_told_as_text_and_json() {
    let server = server(&[]);
    let mut admin = admin(&server).await;
    run(&mut admin, "create database \"the shop\" owner app").await;
    let elsewhere = format!("{}the%20shop", server.url("app").trim_end_matches("app"));
    let mut app = PgConnection::connect(&elsewhere).await.unwrap();
    run(&mut app, "create table carts (id int primary key); grant select on carts to warroom").await;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut app).await.unwrap();
    run(&mut app, "select * from carts").await;

    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("w.toml");
    std::fs::write(
        &config,
        format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n", server.url("warroom")),
    )
    .unwrap();
    let warroom = |args: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
        command
            .args(["--read-only", "explain", "--target", "primary"])
            .args(args)
            .arg("--config")
            .arg(&config);
        command.env_clear().env("HOME", home.path()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = warroom(&["--pid", &pid.to_string()], "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("planned in the shop as warroom") && out.contains("Seq Scan on carts"), "{out}");
    assert!(out.contains("carts was never analyzed"), "{out}");

    let wanted = ["--query-file", "-", "--database", "the shop", "--json"];
    let (code, out, _) = warroom(&wanted, "select * from carts where id = $1");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["outcome"].as_str(), told["parameters"].as_u64()), (0, Some("done"), Some(1)));
    assert!(told["steps"][0]["what"].as_str().unwrap().contains("on carts"), "{out}");
    let (code, out, _) = warroom(&["--query-file", "-", "--json"], "vacuum carts");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["outcome"].as_str()), (4, Some("refused")), "{out}");
    let (code, _, err) = warroom(&["--query-file", "-"], "select * from carts");
    assert!(code == 4 && err.contains("--search-path"), "{code} {err}");
    assert_eq!(warroom(&[], "").0, 64);
    let nobody = TargetSpec::new(TargetId::parse("primary").unwrap(), "postgres")
        .with_url(&format!("{}nowhere", server.url("warroom").trim_end_matches("app")));
    assert_eq!(ask(&nobody, text("select 1")).await.unwrap_err().kind, OutcomeKind::Failed);
}
