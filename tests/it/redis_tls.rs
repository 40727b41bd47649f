//! A Redis and its Sentinel that speak TLS only, want a certificate and a password each, and are signed by nobody
//! the world knows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;
use warroom::actions::StopFlag;
use warroom::config::{Secret, TargetSpec, TlsFiles};
use warroom::lab;
use warroom::lab::free_port;
use warroom::model::{OutcomeKind, Sample};

use super::certificate::certificate;
use super::redis::{client, kind, poll, run, source};
use super::redis_clear::{act, fill, plan, target};

/// Ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn sentinel(folder: &Path, port: u16, master: u16, tls: [&str; 2]) -> Ends {
    let file = folder.join("sentinel.conf");
    let [certificate, key] = tls;
    let settings = format!(
        "port 0\ntls-port {port}\nbind 127.0.0.1\nprotected-mode no\ndir {}\nlogfile \"\"\n\
         tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {certificate}\ntls-replication yes\n\
         requirepass eyes\nsentinel monitor shop 127.0.0.1 {master} 1\nsentinel auth-pass shop hunter2\n",
        folder.display()
    );
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").stdout(Stdio::null()).stderr(Stdio::null());
    Ends(command.spawn().expect("redis-server is installed by scripts/packages"))
}

async fn refused(spec: &TargetSpec) -> String {
    let error = poll(&mut source(spec)).await.sample.expect_err("it must not be let in");
    let says = error.to_string();
    assert!(!says.contains("hunter2") && !says.contains("eyes"), "{says}");
    says
}

#[tokio::test]
async fn a_master_is_found_seen_and_cleared_over_tls_with_passwords_and_certificates() {
    let folder = lab::Folder::temporary("tls").unwrap();
    let (certificate, key) = certificate(folder.path());
    let (signed, secret) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let (port, watch) = (free_port().unwrap(), free_port().unwrap());
    let tls_port = port.to_string();
    let args = ["--tls-port", &tls_port, "--tls-cert-file", signed, "--tls-key-file", secret];
    let server = lab::redis::start(&[&args[..], &["--tls-ca-cert-file", signed]].concat()).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 300).await;
    fill(&mut other, "page:", 100).await;
    run(&mut other, &["CONFIG", "SET", "requirepass", "hunter2"]).await;
    let _sentinel = sentinel(folder.path(), watch, port, [signed, secret]);

    let mut spec = target("rediss://:hunter2@nowhere.invalid:1/0", &[("a", "cache:a:", false)]);
    spec.sentinels = vec![Secret::new(&format!("rediss://:eyes@127.0.0.1:{watch}"))];
    spec.master = Some("shop".into());
    spec.timeout = Duration::from_secs(20);
    let ours = || Some(certificate.clone());
    spec.tls = TlsFiles { ca: ours(), cert: ours(), key: Some(key.clone()) };
    let mut watched = source(&spec);
    let began = Instant::now();
    let sample = loop {
        match poll(&mut watched).await.sample {
            Ok(Sample::Cache(sample)) => break sample,
            other => assert!(began.elapsed() < Duration::from_secs(60), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(sample.keys, 400);
    let seen = sample.sentinel.expect("it was found by its Sentinel");
    assert_eq!((seen.answered, seen.address.as_str()), (1, format!("127.0.0.1:{port}").as_str()));
    let lines = (kind("redis").doctor)(&spec).await;
    assert!(lines[0].what.as_str().contains("answers, logged in as default"), "{lines:?}");

    let wrong = |change: &dyn Fn(&mut TargetSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        spec
    };
    let says = refused(&wrong(&|spec| spec.tls = TlsFiles::default())).await;
    assert!(says.contains("shows a certificate that is not trusted; tls_ca"), "{says}");
    let says = refused(&wrong(&|spec| {
        spec.sentinels = vec![Secret::new(&format!("rediss://:hunter3@127.0.0.1:{watch}"))];
    }))
    .await;
    assert!(says.contains("refuses the user or password given with it"), "{says}");
    let says = refused(&wrong(&|spec| spec.url = Some(Secret::new("rediss://:hunter3@h:1/0")))).await;
    assert!(says.contains("user or password"), "{says}");
    // A certificate of our own is wanted, and none is shown: it hangs up.
    refused(&wrong(&|spec| (spec.tls.cert, spec.tls.key) = (None, None))).await;
    let nothing = wrong(&|spec| spec.tls.ca = Some("/nowhere/ca.pem".into()));
    let why = (kind("redis").build)(&nothing).map(|_| ()).expect_err("there is no such file");
    assert!(why.starts_with("tls_ca /nowhere/ca.pem cannot be read"), "{why}");

    let planned = plan(&spec, "a").await.unwrap();
    let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(300)), "{}", outcome.says);
}
