//! Pausing queues that a PostgreSQL keeps: what is written is what the library itself writes, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use sqlx::postgres::PgListener;
use warroom::actions::{Action as _, QueueActions};
use warroom::lab::postgres::Postgres;
use warroom::model::{OutcomeKind, QueueChange};

use super::pause_queue::{act, refused, spec, told, wish};
use super::postgres::{Client, server};
use super::queues::queue;
use super::queues_sql::{poll, source};

/// A server with a library's tables, which `warroom` may read.
async fn filled(setup: &'static str) -> (Postgres, Client) {
    let server = server(&[]);
    let mut owner = Client::new(&server, "owner").await;
    owner.run(setup).await;
    owner.run("grant usage on schema public to warroom").await;
    owner.run("grant select on all tables in schema public to warroom").await;
    (server, owner)
}

/// Does what the refusal says would mend it.
async fn mended(owner: &mut Client, says: &str) {
    let grant = says.split("mend: ").nth(1).unwrap_or_else(|| panic!("{says}")).to_owned();
    for one in grant.split(';') {
        owner.run(Box::leak(one.trim().to_owned().into_boxed_str())).await;
    }
}

#[tokio::test]
async fn a_queue_of_solid_queue_is_paused_by_a_row() {
    let (server, mut owner) = filled(include_str!("../fixtures/queues/solid_queue.sql")).await;
    let actions = QueueActions::new(&spec("solid_queue", &server.url("warroom")));
    let pause = wish(Some("mail"), QueueChange::Pause);
    let (_, says) = refused(&actions, &pause).await;
    mended(&mut owner, &says).await;
    let plan = actions.plan(&pause).await.unwrap();
    assert!(told(&plan).contains("jobs: 3 waiting, 2 under way"), "{}", told(&plan));
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.says.as_str(), "mail paused; 3 jobs wait, 2 still under way");
    let mut asked = source(&spec("solid_queue", &server.url("warroom")));
    assert_eq!(queue(&poll(&mut asked).await.unwrap(), "mail").paused, Some(true));
    assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo);

    let resume = wish(Some("mail"), QueueChange::Resume);
    let stale = actions.plan(&resume).await.unwrap();
    owner.run("delete from solid_queue_pauses where queue_name = 'mail'").await;
    owner.run("insert into solid_queue_pauses (queue_name, created_at) values ('mail', now())").await;
    assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused, "another pause of the same name");
    let plan = actions.plan(&resume).await.unwrap();
    assert_eq!(act(&actions, plan).await.says.as_str(), "mail resumed; 3 jobs wait");
    assert_eq!(refused(&actions, &resume).await.0, OutcomeKind::NothingToDo);
    assert!(
        refused(&actions, &wish(Some("x'; drop"), QueueChange::Pause)).await.1.contains("there is no queue")
    );
}

// As in app/models/good_job/setting.rb: one row for the pauses of all queues, classes and labels.
#[tokio::test]
async fn a_queue_of_good_job_is_paused_among_others() {
    let (server, mut owner) = filled(include_str!("../fixtures/queues/good_job.sql")).await;
    owner.run("delete from good_job_settings").await;
    let target = spec("good_job", &server.url("warroom"));
    let actions = QueueActions::new(&target);
    let pause = wish(Some("mail"), QueueChange::Pause);
    let (_, says) = refused(&actions, &pause).await;
    mended(&mut owner, &says).await;
    let value = async |owner: &mut Client| owner.text("select value::text from good_job_settings").await;
    // The first pause there ever was, then one beside others of the app's own.
    for others in
        [r#"{"labels": [], "queues": [], "job_classes": []}"#, r#"{"labels": ["eu"], "queues": ["bulk"]}"#]
    {
        let plan = actions.plan(&pause).await.unwrap();
        assert!(told(&plan).contains("jobs: 3 waiting, 2 under way"), "{}", told(&plan));
        assert!(plan.warnings[0].as_str().contains("enable_pauses = true"), "{:?}", plan.warnings);
        let outcome = act(&actions, plan).await;
        assert_eq!(outcome.says.as_str(), "mail paused; 3 jobs wait, 2 still under way");
        let seen = value(&mut owner).await;
        assert!(seen.contains(r#""mail"]"#), "{seen}");
        assert_eq!(queue(&poll(&mut source(&target)).await.unwrap(), "mail").paused, Some(true));
        assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo);
        let resume = wish(Some("mail"), QueueChange::Resume);
        let stale = actions.plan(&resume).await.unwrap();
        owner.run("update good_job_settings set updated_at = updated_at + interval '1 second'").await;
        assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused, "the pauses are others by now");
        let plan = actions.plan(&resume).await.unwrap();
        assert_eq!(act(&actions, plan).await.says.as_str(), "mail resumed; 3 jobs wait");
        let left = value(&mut owner).await;
        assert_eq!(left, others, "the other pauses stand");
        owner.run(r#"update good_job_settings set value = '{"labels": ["eu"], "queues": ["bulk"]}'"#).await;
    }
    assert!(refused(&actions, &wish(Some("none"), QueueChange::Pause)).await.1.contains("there is no queue"));
}

// As in riverdriver/riverpgxv5/internal/dbsqlc/river_queue.sql, with the notice of internal/notifier/notifier.go.
#[tokio::test]
async fn a_queue_of_river_is_paused_and_its_clients_are_told() {
    let (server, mut owner) = filled(include_str!("../fixtures/queues/river.sql")).await;
    owner.run("update river_queue set paused_at = null").await;
    let target = spec("river", &server.url("warroom"));
    let actions = QueueActions::new(&target);
    let pause = wish(Some("mail"), QueueChange::Pause);
    let (_, says) = refused(&actions, &pause).await;
    mended(&mut owner, &says).await;
    let mut river = PgListener::connect(&server.url("app")).await.unwrap();
    river.listen("public.river_control").await.unwrap();
    let plan = actions.plan(&pause).await.unwrap();
    assert!(told(&plan).contains("jobs: 3 waiting, 2 under way"), "{}", told(&plan));
    assert_eq!(act(&actions, plan).await.says.as_str(), "mail paused; 3 jobs wait, 2 still under way");
    let mut heard = async || {
        let notice = tokio::time::timeout(Duration::from_secs(60), river.recv()).await.unwrap().unwrap();
        serde_json::from_str::<serde_json::Value>(notice.payload()).unwrap()
    };
    assert_eq!(heard().await, serde_json::json!({"action": "pause", "queue": "mail"}));
    assert_eq!(queue(&poll(&mut source(&target)).await.unwrap(), "mail").paused, Some(true));
    assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo);

    let resume = wish(Some("mail"), QueueChange::Resume);
    let stale = actions.plan(&resume).await.unwrap();
    owner.run("update river_queue set paused_at = paused_at + interval '1 second'").await;
    assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused, "another pause of the same name");
    let plan = actions.plan(&resume).await.unwrap();
    assert_eq!(act(&actions, plan).await.says.as_str(), "mail resumed; 3 jobs wait");
    assert_eq!(heard().await["action"], "resume");
    assert_eq!(queue(&poll(&mut source(&target)).await.unwrap(), "mail").paused, Some(false));
    for queue in ["*", "none"] {
        let (kind, says) = refused(&actions, &wish(Some(queue), QueueChange::Pause)).await;
        assert!(kind == OutcomeKind::Refused && says.contains("there is no queue"), "{says}");
    }
}
