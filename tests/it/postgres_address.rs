//! The ways to a PostgreSQL that its URL can tell: brackets, TLS, a service file.
#![expect(clippy::unwrap_used, reason = "a test says what it expected by failing")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};
use warroom::config::TargetSpec;
use warroom::lab;
use warroom::model::{PollError, PollErrorKind, TargetId};

use super::certificate::certificate;
use super::postgres::{poll, server, source};

fn at(url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("primary").unwrap(), "postgres").with_url(url)
}

async fn refused(url: &str) -> PollError {
    let error = poll(&mut source(&at(url))).await.unwrap_err();
    assert!(!error.says.as_str().contains("s3cret"), "{error:?}");
    error
}

#[tokio::test]
async fn an_address_in_brackets_is_reached() {
    let server = server(&[]);
    let url = format!("postgres://warroom@[::ffff:127.0.0.1]:{}/app", server.port());
    poll(&mut source(&at(&url))).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_our_trouble_and_told_with_the_mend() {
    let server = server(&[]);
    let folder = lab::Folder::temporary("pg-tls").unwrap();
    let (certificate, key) = certificate(folder.path());
    let data = server.sockets().join("data");
    let owner = fs::metadata(&data).unwrap();
    for (from, to) in [(&certificate, "server.crt"), (&key, "server.key")] {
        let to = data.join(to);
        fs::copy(from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for statement in ["alter system set ssl = on", "select pg_reload_conf()"] {
        sqlx::query(statement).execute(&mut admin).await.unwrap();
    }
    let url = |more: &str| format!("postgres://warroom:s3cret@127.0.0.1:{}/app?{more}", server.port());
    let good = url(&format!("sslmode=verify-full&sslrootcert={}", certificate.display()));
    let patience = Instant::now() + Duration::from_secs(20);
    while let Err(error) = poll(&mut source(&at(&good))).await {
        // The server reads its settings anew in its own time.
        assert!(Instant::now() < patience, "{error}");
        sleep(Duration::from_millis(50)).await;
    }

    let error = refused(&url("sslmode=verify-full")).await;
    assert_eq!(error.kind, PollErrorKind::Login, "{error}");
    assert!(error.says.as_str().contains("sslrootcert"), "{error}");
    let other = good.replace("127.0.0.1", "localhost");
    let error = refused(&other).await;
    assert_eq!(error.kind, PollErrorKind::Login, "{error}");
    assert!(error.says.as_str().contains("for another name"), "{error}");
    let error = refused(&url("sslmode=verify-full&sslrootcert=/nowhere/ca.pem")).await;
    assert_eq!(error.kind, PollErrorKind::Config, "{error}");
}

#[tokio::test]
async fn a_service_of_libpqs_file_is_followed() {
    let server = server(&[]);
    let home = tempfile::tempdir().unwrap();
    let service = format!("[prod]\nhost=127.0.0.1\nport={}\nuser=warroom\ndbname=app\n", server.port());
    fs::write(home.path().join(".pg_service.conf"), service).unwrap();
    let check = |target: &str, service: Option<&str>| {
        let text = format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\n{target}\n");
        fs::write(home.path().join("warroom.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
        command.args(["check", "--json"]).env_clear().env("HOME", home.path()).current_dir(home.path());
        let told = command.envs(service.map(|name| ("PGSERVICE", name))).output().unwrap();
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        told["targets"][0].clone()
    };
    for target in [check("url = \"postgres:///?service=prod\"", None), check("", Some("prod"))] {
        assert_eq!(target["state"], "up", "{}", target["error"]);
        assert_eq!(target["sample"]["max_connections"], 100, "{target}");
    }
    let lost = check("url = \"postgres:///?service=prot\"", None);
    assert!(lost["error"]["says"].as_str().unwrap().contains("no service \"prot\""), "{lost}");
}
