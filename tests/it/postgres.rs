//! What the PostgreSQL tests share: a server with the lab's roles, clients that make trouble, one poll.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests call these")]

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use warroom::config::TargetSpec;
use warroom::lab;
use warroom::model::{Backend, DatabaseSample, PollError, Sample, TargetId};
use warroom::sources::{KINDS, Source};

/// A server of the newest installed version with these settings.
pub(crate) fn server(settings: &[(&str, &str)]) -> lab::postgres::Postgres {
    let server = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    lab::postgres::start_with(&lab::postgres::Settings { server, ..Default::default() }).unwrap()
}

/// The target `primary` as the role `warroom`.
pub(crate) fn spec(server: &lab::postgres::Postgres) -> TargetSpec {
    TargetSpec::new(TargetId::parse("primary").unwrap(), "postgres").with_url(&server.url("warroom"))
}

pub(crate) fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    (kind.build)(spec).unwrap()
}

/// One poll of a target that gives one reading.
pub(crate) async fn poll(source: &mut Box<dyn Source>) -> Result<DatabaseSample, PollError> {
    let mut readings = source.poll().await;
    assert_eq!(readings.len(), 1);
    match readings.remove(0).sample? {
        Sample::Database(sample) => Ok(*sample),
        other => panic!("not a database: {other:?}"),
    }
}

/// Polls until the sample is as wanted; fails after 30 s with what was seen last.
pub(crate) async fn poll_until(
    source: &mut Box<dyn Source>,
    what: &str,
    wanted: impl Fn(&DatabaseSample) -> bool,
) -> DatabaseSample {
    let began = tokio::time::Instant::now();
    loop {
        let sample = poll(source).await.unwrap();
        if wanted(&sample) {
            return sample;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never saw {what}; last: {sample:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One client of the server, as `app`, under its own application name.
pub(crate) struct Client {
    connection: PgConnection,
    pub(crate) pid: i32,
}

impl Client {
    pub(crate) async fn new(server: &lab::postgres::Postgres, name: &str) -> Self {
        Self::as_role(server, "app", name).await
    }

    pub(crate) async fn as_role(server: &lab::postgres::Postgres, role: &str, name: &str) -> Self {
        let url = format!("{}?application_name={name}", server.url(role));
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        Self { connection, pid }
    }

    pub(crate) async fn run(&mut self, sql: &'static str) {
        self.try_run(sql).await.unwrap();
    }

    pub(crate) async fn try_run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut self.connection).await.map(|_| ())
    }

    /// The one text a query gives.
    pub(crate) async fn text(&mut self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&mut self.connection).await.unwrap()
    }

    /// Runs a statement in the background: it is expected to wait for a lock.
    pub(crate) fn spawn(mut self, sql: &'static str) -> Waiting {
        let pid = self.pid;
        let task = tokio::spawn(async move {
            let result = self.try_run(sql).await;
            (self, result)
        });
        Waiting { pid, task }
    }
}

/// A statement on its way.
pub(crate) struct Waiting {
    pub(crate) pid: i32,
    task: tokio::task::JoinHandle<(Client, Result<(), sqlx::Error>)>,
}

impl Waiting {
    /// Its end, within 30 s, and its client.
    pub(crate) async fn end(self) -> (Client, Result<(), sqlx::Error>) {
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("it still waits").unwrap()
    }
}

/// A table `accounts` of ten rows.
pub(crate) async fn accounts(server: &lab::postgres::Postgres) {
    let mut client = Client::new(server, "setup").await;
    client.run("create table accounts as select g as id, 0 as n from generate_series(1, 10) g").await;
    client.run("alter table accounts add primary key (id)").await;
}

pub(crate) fn waiters(sample: &DatabaseSample) -> usize {
    sample.backends.iter().filter(|b| b.waits_for_lock()).count()
}

pub(crate) fn backend(sample: &DatabaseSample, pid: i32) -> &Backend {
    sample.backends.iter().find(|b| b.key.pid == pid).unwrap_or_else(|| panic!("no backend {pid}"))
}
