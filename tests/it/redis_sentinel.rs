//! A master that three real Sentinels watch: the console follows a failover, and a clear goes where the
//! master is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Instant;
use warroom::actions::{Action, RedisActions, StopFlag};
use warroom::config::{Secret, TargetSpec};
use warroom::lab;
use warroom::lab::free_port;
use warroom::lab::redis::Redis;
use warroom::model::{CacheSample, OutcomeKind, PollErrorKind, Progress, Reading, Sample};
use warroom::store::noticed;

use super::redis::{client, kind, poll, run, source};
use super::redis_clear::{act, fill, intended, plan, size, target};

const PATIENCE: Duration = Duration::from_secs(60);

struct Sentinel {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A Sentinel that watches the master on this port; two must agree that it is down.
async fn sentinel(master: u16) -> Sentinel {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
    let file = folder.path().join("sentinel.conf");
    let settings = format!(
        "port {port}\nbind 127.0.0.1\nprotected-mode no\ndir {}\nlogfile \"\"\n\
         sentinel monitor shop 127.0.0.1 {master} 2\nsentinel down-after-milliseconds shop 5000\n\
         sentinel failover-timeout shop 20000\n",
        folder.path().display()
    );
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().expect("redis-server is installed by scripts/packages");
    let sentinel = Sentinel { process, port, _folder: folder };
    let began = Instant::now();
    while super::redis::connect(&sentinel.url()).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "the Sentinel does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sentinel
}

impl Sentinel {
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn field(&self, name: &str) -> String {
        let told = run(&mut client(&self.url()).await, &["SENTINEL", "MASTER", "shop"]).await;
        let Value::Array(parts) = told else { panic!("{told:?}") };
        let texts: Vec<String> = parts.iter().map(|it| redis::from_redis_value_ref(it).unwrap()).collect();
        texts.chunks(2).find(|pair| pair[0] == name).unwrap()[1].clone()
    }
}

/// A master, its replica, and three Sentinels that know all of it.
struct Watched {
    master: Redis,
    replica: Redis,
    sentinels: Vec<Sentinel>,
}

impl Watched {
    async fn start() -> Self {
        let master = lab::redis::start(&["--repl-diskless-sync-delay", "0"]).unwrap();
        let replica = lab::redis::start(&["--replicaof", &format!("127.0.0.1 {}", master.port())]).unwrap();
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(master.port()).await);
        }
        let began = Instant::now();
        for sentinel in &sentinels {
            for (field, wanted) in [("num-slaves", "1"), ("num-other-sentinels", "2")] {
                while sentinel.field(field).await != wanted {
                    assert!(began.elapsed() < PATIENCE, "{field} never became {wanted}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Self { master, replica, sentinels }
    }

    /// Guards a target by them; a fourth that is not there stands first.
    fn guard(&self, mut spec: TargetSpec) -> TargetSpec {
        let nobody = format!("redis://127.0.0.1:{}", free_port().unwrap());
        spec.sentinels = vec![Secret::new(&nobody)];
        spec.sentinels.extend(self.sentinels.iter().map(|it| Secret::new(&it.url())));
        spec.master = Some("shop".into());
        spec
    }

    async fn fail_over(&self) {
        let mut asked = client(&self.sentinels[1].url()).await;
        let began = Instant::now();
        loop {
            let told: Result<Value, _> =
                redis::cmd("SENTINEL").arg("FAILOVER").arg("shop").query_async(&mut asked).await;
            match told {
                Ok(_) => return,
                // The replica has not told yet how far it is.
                Err(why) => assert!(began.elapsed() < PATIENCE, "no failover: {why}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Asked anew each time: Sentinels close the connections of those whose role they change.
async fn role(server: &Redis) -> String {
    let Value::Array(parts) = run(&mut client(&server.url(0)).await, &["ROLE"]).await else {
        panic!("no role")
    };
    redis::from_redis_value_ref(&parts[0]).unwrap()
}

fn cache(reading: Reading) -> CacheSample {
    match reading.sample {
        Ok(Sample::Cache(sample)) => *sample,
        other => panic!("no cache sample: {other:?}"),
    }
}

#[tokio::test]
async fn a_failover_is_followed_seen_and_cleared_on_the_new_master() {
    let watched = Watched::start().await;
    let url = watched.master.url(0);
    let mut old = client(&url).await;
    fill(&mut old, "cache:a:", 300).await;
    fill(&mut old, "page:", 100).await;
    // A replica that has not heard of the keys would be promoted without them.
    let began = Instant::now();
    while !matches!(run(&mut old, &["WAIT", "1", "500"]).await, Value::Int(1)) {
        assert!(began.elapsed() < PATIENCE, "the replica does not follow");
    }
    // The URL leads nowhere: it only says which database.
    let spec = watched.guard(target("redis://nowhere.invalid:1/0", &[("a", "cache:a:", false)]));

    let mut console = source(&spec);
    let before = cache(poll(&mut console).await);
    let sentinel = before.sentinel.clone().expect("the Sentinels' view");
    assert_eq!(sentinel.address.as_str(), format!("127.0.0.1:{}", watched.master.port()));
    assert_eq!((sentinel.asked, sentinel.answered, sentinel.agree), (4, 3, 3), "{sentinel:?}");
    assert_eq!((sentinel.known, sentinel.quorum, sentinel.replicas), (3, 2, 1));
    assert!(sentinel.silent[0].why.as_str().contains("refuses the connection"), "{sentinel:?}");
    assert_eq!((before.role.as_str(), before.keys), ("master", 400));
    // A queue kind goes the same way without a word of its own.
    let mut jobs = watched.guard(super::redis::spec("rq", "redis://nowhere.invalid:1/0"));
    jobs.id = "jobs".parse().unwrap();
    let mut queues = source(&jobs);
    assert!(poll(&mut queues).await.sample.is_ok());

    let lines = (kind("redis").doctor)(&spec).await;
    assert!(lines[1].what.as_str().starts_with("3 of 4 Sentinels answer: the master of shop"), "{lines:?}");
    assert!(lines[2].what.as_str().ends_with("refuses the connection"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.what.as_str().contains("Sentinel")).count(), 2, "{lines:?}");

    let early = plan(&spec, "a").await.unwrap();
    assert_eq!(early.touches, 300);
    watched.fail_over().await;
    let began = Instant::now();
    // The old master learns of it last; until then it would still take writes, and lose them.
    loop {
        let named = watched.sentinels[1].field("port").await;
        if named == watched.replica.port().to_string() && role(&watched.replica).await == "master" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nobody was promoted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // What was planned on the old master is not done on the new one.
    let (outcome, _) = act(&spec, early, &StopFlag::default()).await;
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{}", outcome.says);
    assert!(outcome.says.as_str().contains("another server"), "{}", outcome.says);
    let planned = plan(&spec, "a").await.unwrap();
    let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(300)), "{}", outcome.says);
    assert_eq!(size(&mut client(&watched.replica.url(0)).await).await, 100);

    // The console follows by itself, and says what happened.
    let after = loop {
        assert!(began.elapsed() < PATIENCE, "the console stayed with the old master");
        if let Ok(Sample::Cache(sample)) = poll(&mut console).await.sample
            && sample.run_id != before.run_id
        {
            break *sample;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(after.role.as_str(), "master");
    let told = noticed(&Sample::Cache(Box::new(before)), &Sample::Cache(Box::new(after)));
    let (from, to) = (watched.master.port(), watched.replica.port());
    assert_eq!(told, [format!("failed over from 127.0.0.1:{from}: 127.0.0.1:{to} is its master now")]);
    let began = Instant::now();
    while poll(&mut queues).await.sample.is_err() {
        assert!(began.elapsed() < PATIENCE, "the queues stayed with the old master");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_failover_in_the_middle_of_a_clear_is_no_success() {
    let watched = Watched::start().await;
    let mut old = client(&watched.master.url(0)).await;
    fill(&mut old, "cache:a:", 300).await;
    let began = Instant::now();
    while !matches!(run(&mut old, &["WAIT", "1", "500"]).await, Value::Int(1)) {
        assert!(began.elapsed() < PATIENCE, "the replica does not follow");
    }
    let spec = watched.guard(target("redis://nowhere.invalid:1/0", &[("a", "cache:a:", false)]));
    let intended = intended(plan(&spec, "a").await.unwrap());
    let (actions, stop) = (RedisActions::new(&spec), StopFlag::default());
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    // Held before the first removal.
    stop.pause(true);
    let failover = async {
        progress.recv().await.expect("it begins");
        watched.fail_over().await;
        while role(&watched.replica).await != "master" {
            assert!(began.elapsed() < PATIENCE, "nobody was promoted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.pause(false);
    };
    let (outcome, ()) = tokio::join!(actions.act(&intended, sink, stop.clone()), failover);
    // Whether the old master still took the removals, alone, or had been told by then.
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{}", outcome.says);
    assert!(outcome.says.as_str().starts_with("broke off: "), "{}", outcome.says);
    assert_eq!(size(&mut client(&watched.replica.url(0)).await).await, 300);
}

#[tokio::test]
async fn without_an_answer_that_names_the_master_it_says_whom_it_asked() {
    let watched = sentinel(free_port().unwrap()).await;
    let mut spec = super::redis::spec("redis", "redis://127.0.0.1/0");
    let nobody = format!("redis://eye:hunter2@127.0.0.1:{}", free_port().unwrap());
    spec.sentinels = vec![Secret::new(&watched.url()), Secret::new(&nobody)];
    spec.master = Some("blog".into());
    let error = poll(&mut source(&spec)).await.sample.expect_err("nobody knows it");
    assert_eq!(error.kind, PollErrorKind::Unreachable);
    let says = error.says.as_str();
    assert!(says.contains("No such master") && says.contains("refuses the connection"), "{says}");
    assert!(says.contains(&watched.port.to_string()) && !says.contains("hunter2"), "{says}");
    // Its master is not there: that is said of the master, and not of the Sentinels.
    spec.master = Some("shop".into());
    let error = poll(&mut source(&spec)).await.sample.expect_err("nobody listens");
    assert!(error.says.as_str().contains("the master of shop"), "{error}");
}
