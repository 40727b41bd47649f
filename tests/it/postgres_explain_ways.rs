//! Statements explained on a standby, and over TLS.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use warroom::actions::PostgresActions;
use warroom::config::TargetSpec;
use warroom::explain::explain;
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{ExplainAsk, ExplainOf, Explanation, OutcomeKind, Refusal, Severity};
use warroom::sources::KINDS;

use crate::certificate::certificate;
use crate::postgres::{accounts, poll, poll_until, server, source, spec};

async fn ask(spec: &TargetSpec, text: &str) -> Result<Explanation, Refusal> {
    let of = ExplainOf::Text { text: text.into(), database: None };
    explain(spec, &ExplainAsk { target: spec.id.clone(), of, search_path: None }).await
}

async fn readable(server: &Postgres) {
    accounts(server).await;
    let mut app = PgConnection::connect(&server.url("app")).await.unwrap();
    sqlx::raw_sql("grant all on accounts to warroom").execute(&mut app).await.unwrap();
}

#[tokio::test]
async fn a_standby_explains_what_reads_and_what_writes_and_runs_neither() {
    let feeding = [("wal_level", "replica"), ("max_wal_senders", "4"), ("hot_standby", "on")];
    let primary = server(&feeding);
    readable(&primary).await;
    let standby = start_with(&Settings {
        server: feeding.map(|(name, value)| (name.into(), value.into())).to_vec(),
        standby_of: Some(primary.port()),
        ..Settings::default()
    })
    .unwrap();
    let spec = spec(&standby);
    let mut watch = source(&spec);
    let sample = poll_until(&mut watch, "all of it", |sample| sample.replay_lag == Some(0.0)).await;
    assert!(sample.in_recovery);
    let reads = ask(&spec, "select * from public.accounts where id = $1").await.unwrap();
    assert_eq!(reads.parameters, 1);
    let writes = ask(&spec, "update public.accounts set n = $1 where id = $2").await.unwrap();
    assert!(writes.steps.iter().any(|step| step.what.as_str().contains("accounts")), "{writes:?}");
    let locks = ask(&spec, "select * from public.accounts for update").await;
    assert!(locks.is_ok_and(|it| !it.steps.is_empty()));
}

#[tokio::test]
async fn polls_plans_and_explanations_go_over_tls() {
    let server = server(&[]);
    readable(&server).await;
    let owner = std::fs::metadata(server.sockets()).unwrap();
    let (certificate, key) = certificate(server.sockets());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for file in [&key, &certificate] {
        std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let url = format!("{}?sslmode=verify-ca&sslrootcert={}", server.url("warroom"), certificate.display());
    let spec = spec(&server).with_url(&url);
    assert_eq!(ask(&spec, "select 1").await.unwrap_err().kind, OutcomeKind::Failed, "it has no TLS yet");

    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for sql in [
        format!("alter system set ssl_key_file = '{}'", key.display()),
        format!("alter system set ssl_cert_file = '{}'", certificate.display()),
        "alter system set ssl = on".into(),
        "select pg_reload_conf()".into(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
    let began = tokio::time::Instant::now();
    let explained = loop {
        match ask(&spec, "select * from public.accounts").await {
            Ok(explained) => break explained,
            Err(refusal) => assert!(began.elapsed() < std::time::Duration::from_secs(30), "{refusal}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(!explained.steps.is_empty());
    let mut watch = source(&spec);
    poll(&mut watch).await.unwrap();
    PostgresActions::new(&spec).open().await.unwrap();
    let kind = KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let lines = (kind.doctor)(&spec).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");
    // The server itself says that the poll's session is under TLS.
    let bare: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) where a.usename = 'warroom' and not s.ssl",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(bare, 0);
}
