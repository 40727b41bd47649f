//! Work that should have run at night: reports that never end, and connections that nobody gives back.

use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use sqlx::postgres::PgConnection;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::locks::{backend, failed};
use super::{Scene, connect};

/// Reports that run side by side.
const REPORTS: usize = 5;
/// Compares each order with each other one, for each user: hours of work without writing a byte.
const REPORT: &str =
    "SELECT count(*) FROM orders a JOIN orders b ON a.total < b.total JOIN users u ON u.id <> a.user_id";

/// Runs the reports until each was cancelled or ended, or we are told to end: a server at work does not notice
/// by itself that its client has gone.
pub(super) async fn report(scene: &Scene, name: &str) -> Result<(), String> {
    let port = scene.postgres()?;
    let mut told_to_end = signal(SignalKind::terminate()).map_err(|why| format!("signals: {why}"))?;
    let mut running = JoinSet::new();
    let mut pids = Vec::new();
    for n in 1..=REPORTS {
        let options = connect::options(port, &format!("report.{n}"))
            // One process each, which can be told to stand behind everything that matters.
            .options([("max_parallel_workers_per_gather", "0"), ("jit", "off")]);
        let mut connection = connect::connection(&options).await?;
        let server = backend(&mut connection).await?;
        pids.push(server.pid);
        // Without the right to do so the report merely competes harder.
        Pid::from_raw(server.pid).and_then(|pid| setpriority_process(Some(pid), 10).ok());
        running.spawn(async move { sqlx::raw_sql(REPORT).execute(&mut connection).await.is_ok() });
    }
    scene.ready(name)?;
    tokio::select! {
        () = async { while running.join_next().await.is_some() {} } => Ok(()),
        _ = told_to_end.recv() => {
            let mut connection = connect::connection(&connect::options(port, "lab")).await?;
            let end = sqlx::query("SELECT pg_terminate_backend(pid) FROM unnest($1) pid").bind(pids);
            end.execute(&mut connection).await.map(drop).map_err(failed)
        }
    }
}

/// Opens connections until 95 % of the usable ones are taken, and leaves them idle until they are ended.
pub(super) async fn connect_many(scene: &Scene, name: &str) -> Result<(), String> {
    let options = connect::options(scene.postgres()?, "batch");
    let mut first = connect::connection(&options).await?;
    let mut servers = vec![backend(&mut first).await?];
    let (usable, used) = counts(&mut first).await?;
    let wanted = usable * 95 / 100;
    let mut held = vec![first];
    for _ in used..wanted {
        // The app takes its share meanwhile: a full server is what was wanted.
        let Ok(mut connection) = connect::connection(&options).await else { break };
        servers.push(backend(&mut connection).await?);
        held.push(connection);
    }
    scene.ready(name)?;
    while servers.iter().any(crate::lab::ProcessRecord::alive) {
        sleep(Duration::from_millis(500)).await;
    }
    drop(held);
    Ok(())
}

/// Connections that an ordinary role may use in all, and those in use.
async fn counts(connection: &mut PgConnection) -> Result<(i64, i64), String> {
    sqlx::query_as(
        "SELECT (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int8 ELSE -setting::int8 END)
                   FROM pg_settings
                  WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections'))::int8,
                (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)
}
