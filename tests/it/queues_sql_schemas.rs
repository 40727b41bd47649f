//! Queue libraries on PostgreSQL that are not run here, by their tables: each file of tests/fixtures/queues names the
//! library's own file that it follows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use sqlx::AssertSqlSafe;
use warroom::lab::postgres::Postgres;
use warroom::model::{NotedJob, Queue, QueueAge, QueueSample};

use super::postgres::{Client, server};
use super::queues::queue;
use super::queues_sql::{exact, granted, poll, source, spec};

/// What the preset of a kind says of a database filled by `setup`, after the rights it asked for were given.
async fn told(kind: &str, setup: &'static str) -> (Postgres, QueueSample) {
    let server = server(&[]);
    let mut owner = Client::new(&server, "owner").await;
    if kind == "pgmq" {
        let mut root =
            <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("postgres")).await.unwrap();
        let right = "grant create on database app to app".to_owned();
        sqlx::raw_sql(AssertSqlSafe(right)).execute(&mut root).await.unwrap();
    }
    owner.run(setup).await;
    let mut asked = source(&spec(kind, &server));
    let refused = poll(&mut asked).await.unwrap_err();
    granted(&server, &refused).await;
    let sample = poll(&mut asked).await.unwrap();
    (server, sample)
}

fn near(seconds: f64, expected: f64) {
    assert!((expected - 1.0..expected + 120.0).contains(&seconds), "{seconds} is not {expected}");
}

fn job(job: Option<&NotedJob>) -> (&str, &str) {
    job.map_or(("none", ""), |job| (job.name.as_str(), job.worker.as_str()))
}

fn waits(mail: &Queue, oldest: f64) {
    assert_eq!(mail.depth, 3, "{mail:?}");
    near(exact(mail), oldest);
}

#[tokio::test]
async fn solid_queue_by_its_schema() {
    let (_server, sample) = told("solid_queue", include_str!("../fixtures/queues/solid_queue.sql")).await;
    let (mail, bulk) = (queue(&sample, "mail"), queue(&sample, "bulk"));
    waits(mail, 300.0);
    assert_eq!((mail.in_flight, mail.orphaned, mail.scheduled), (Some(2), Some(1), Some(2)));
    assert_eq!((mail.overdue, mail.dead, mail.paused), (Some(1), Some(1), Some(false)));
    near(mail.overdue_for.unwrap(), 70.0);
    assert_eq!(job(mail.longest.as_ref()), ("Report", "web1:17"));
    assert_eq!((bulk.depth, bulk.paused, sample.workers), (0, Some(true), Some(1)));
    assert!(sample.shared.processed.is_some());
}

#[tokio::test]
async fn good_job_by_its_schema() {
    let (_server, sample) = told("good_job", include_str!("../fixtures/queues/good_job.sql")).await;
    let mail = queue(&sample, "mail");
    waits(mail, 300.0);
    assert_eq!((mail.in_flight, mail.orphaned, mail.scheduled), (Some(2), Some(1), Some(1)));
    assert_eq!((mail.retry, mail.paused, mail.dead, sample.workers), (Some(1), Some(true), None, Some(1)));
    assert_eq!(job(mail.longest.as_ref()), ("Report", ""));
    near(mail.longest.as_ref().unwrap().running.unwrap(), 120.0);
    assert_eq!(mail.returning.as_ref().unwrap().tries, Some(3));
    let held = queue(&sample, "held");
    assert_eq!((held.depth, held.paused, &held.oldest), (0, Some(true), &QueueAge::Empty), "without a job");
}

#[tokio::test]
async fn que_by_its_schema_and_its_locks() {
    let (server, before) = told("que", include_str!("../fixtures/queues/que.sql")).await;
    // Nobody holds a lock, and the only locker's session is gone.
    let mail = queue(&before, "mail");
    assert_eq!(
        (mail.depth, mail.in_flight, mail.workers, mail.stale_workers),
        (3, Some(0), Some(0), Some(6))
    );
    near(exact(mail), 900.0);
    let mut worker = Client::new(&server, "que").await;
    worker.run("select pg_advisory_lock(4)").await;
    worker
        .run("insert into que_lockers values (pg_backend_pid(), 5, '{null}', 17, 'web1', '{mail}', true)")
        .await;
    let sample = poll(&mut source(&spec("que", &server))).await.unwrap();
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.in_flight, mail.workers, mail.scheduled), (2, Some(1), Some(5), Some(1)));
    near(exact(mail), 300.0);
    assert_eq!(job(mail.returning.as_ref()), ("Import", ""));
}

#[tokio::test]
async fn oban_and_river_by_their_schemas() {
    let (_oban, oban) = told("oban", include_str!("../fixtures/queues/oban.sql")).await;
    let (_river, river) = told("river", include_str!("../fixtures/queues/river.sql")).await;
    for (sample, report, worker) in [(&oban, "MyApp.Report", "web1"), (&river, "report", "web1")] {
        let mail = queue(sample, "mail");
        waits(mail, 300.0);
        assert_eq!((mail.in_flight, mail.orphaned, mail.scheduled), (Some(2), Some(1), Some(3)));
        assert_eq!((mail.overdue, mail.retry, mail.dead), (Some(1), Some(1), Some(1)));
        near(mail.overdue_for.unwrap(), 70.0);
        assert_eq!(job(mail.longest.as_ref()), (report, worker));
        assert_eq!(mail.returning.as_ref().unwrap().tries, Some(4));
    }
    assert_eq!((queue(&oban, "mail").paused, queue(&river, "mail").paused), (None, Some(true)));
    let without_jobs = ["held", "idle"].map(|name| (queue(&river, name).depth, queue(&river, name).paused));
    assert_eq!(without_jobs, [(0, Some(true)), (0, Some(false))]);
}

#[tokio::test]
async fn pgmq_by_its_tables() {
    let (_server, sample) = told("pgmq", include_str!("../fixtures/queues/pgmq.sql")).await;
    let (mail, idle) = (queue(&sample, "Mail"), queue(&sample, "idle"));
    waits(mail, 300.0);
    assert_eq!((mail.in_flight, mail.scheduled, mail.added), (Some(1), Some(1), Some(5)));
    assert_eq!(mail.returning.as_ref().unwrap().tries, Some(7));
    assert_eq!((idle.depth, idle.in_flight), (0, Some(0)));
}
