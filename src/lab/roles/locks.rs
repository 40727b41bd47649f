//! A session that holds what everybody wants and does nothing.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::sleep;

use super::{Scene, connect};
use crate::lab::ProcessRecord;
use crate::lab::process::record_of;

/// Updates every user as `web.3`, then stays idle in transaction until somebody ends the session.
pub(super) async fn hold_rows(scene: &Scene, name: &str) -> Result<(), String> {
    let mut connection = connect::connection(&connect::options(scene.postgres()?, "web.3")).await?;
    let server = backend(&mut connection).await?;
    sqlx::raw_sql("BEGIN").execute(&mut connection).await.map_err(failed)?;
    sqlx::raw_sql("UPDATE users SET plan = 'pro'").execute(&mut connection).await.map_err(failed)?;
    scene.ready(name)?;
    // Asking the connection itself would renew the time since when it is idle.
    while server.alive() {
        sleep(Duration::from_millis(200)).await;
    }
    connection.close().await.ok();
    Ok(())
}

/// The server process behind a connection, which runs on this machine.
pub(super) async fn backend(connection: &mut PgConnection) -> Result<ProcessRecord, String> {
    let (pid,): (i32,) =
        sqlx::query_as("SELECT pg_backend_pid()").fetch_one(connection).await.map_err(failed)?;
    record_of("backend", pid).ok_or_else(|| "the session ended at once".into())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn failed(why: sqlx::Error) -> String {
    format!("postgres: {why}")
}
