//! What is seen and done on every sort of Redis that can be had here: old, new, and forked. Each is a
//! server of its own version; what it cannot do is told, and no version is asked for what it can.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::PathBuf;

use redis::aio::MultiplexedConnection;
use warroom::actions::{Action as _, RedisActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::lab;
use warroom::lab::redis::Redis;
use warroom::model::{CacheSample, Clearing, DoctorLine, Intent, OutcomeKind, Sample, Severity, Way};

use super::redis::{client, kind, poll, run, source};
use super::redis_clear::{act, fill, intent, plan, size, target};

/// One of the servers: its name and version as the sample tells them, and its program.
pub(crate) struct Sort {
    pub(crate) product: String,
    program: PathBuf,
}

impl Sort {
    pub(crate) fn all() -> Vec<Self> {
        let told = std::env::var("WARROOM_TEST_REDIS").expect("set by scripts/test");
        let all: Vec<_> = std::env::split_paths(&told).map(|it| Self::of(&it)).collect();
        assert!(all.len() >= 7, "{told} are too few");
        all
    }

    /// A folder such as `redis5.0` or `valkey9.1`.
    fn of(folder: &std::path::Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let digits = name.find(|c: char| c.is_ascii_digit()).unwrap();
        let product = format!("{} {}", &name[..digits], &name[digits..]);
        Self { product, program: folder.join("server") }
    }

    /// Whether it counts its keys by their size.
    pub(crate) fn counts_sizes(&self) -> bool {
        self.is("redis 8")
    }

    pub(crate) fn is(&self, product: &str) -> bool {
        self.product.starts_with(product)
    }

    pub(crate) fn start(&self, args: &[&str]) -> Redis {
        lab::redis::start_program(&self.program, args).unwrap()
    }
}

async fn cache(spec: &TargetSpec) -> CacheSample {
    match poll(&mut source(spec)).await.sample {
        Ok(Sample::Cache(sample)) => *sample,
        other => panic!("no cache sample: {other:?}"),
    }
}

async fn doctor(spec: &TargetSpec) -> Vec<DoctorLine> {
    (kind("redis").doctor)(spec).await
}

fn spec_of(server: &Redis, login: &str) -> TargetSpec {
    let url = format!("redis://{login}127.0.0.1:{}/0", server.port());
    target(&url, &[("a", "cache:a:", false), ("sessions", "sess:", true)])
}

/// Runs a statement as doctor printed it, as a shell hands it to redis-cli.
async fn obey(admin: &mut MultiplexedConnection, mend: &str) {
    let mut words = vec![String::new()];
    for (number, part) in mend.replace("<password>", "pw").split('\'').enumerate() {
        let mut pieces = if number % 2 == 1 { vec![part] } else { part.split(' ').collect() };
        words.last_mut().unwrap().push_str(pieces.remove(0));
        words.extend(pieces.into_iter().map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    run(admin, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn each_is_seen_whole_and_cleared_by_prefix() {
    for sort in Sort::all() {
        let server = sort.start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
        let mut other = client(&server.url(0)).await;
        fill(&mut other, "cache:a:", 12_000).await;
        fill(&mut other, "page:", 4_000).await;
        run(&mut other, &["SET", "sess:1", "x", "EX", "1000"]).await;
        run(&mut other, &["HSET", "cache:a:hash", "field", "x"]).await;
        run(&mut other, &["GET", "page:1"]).await;
        run(&mut other, &["GET", "nothing"]).await;
        run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]).await;
        run(&mut other, &["GET", "sess:1"]).await;
        run(&mut other, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]).await;

        let spec = spec_of(&server, "");
        let sample = cache(&spec).await;
        let told = &sample.product;
        assert!(told.as_str().starts_with(&sort.product), "{told} is not {}", sort.product);
        assert_eq!(
            (sample.keys, sample.expiring_keys, sample.hits, sample.misses),
            (16_002, 1, 2, 1),
            "{told}"
        );
        assert_eq!(sample.max_memory, Some(64 << 20), "{told}");
        assert_eq!((sample.role.as_str(), sample.missing.as_slice()), ("master", &[][..]), "{told}");
        assert!(
            sample.slow.iter().any(|slow| slow.command.as_str() == "GET sess:1"),
            "{told}: {:?}",
            sample.slow
        );
        assert!(sample.command_stats.iter().any(|it| it.name.as_str() == "set"), "{told}");
        assert!(sample.main_thread_cpu.is_some() && sample.persistence.is_some(), "{told}");
        // What came with Redis 6.2 is missing before it, and not zero.
        let old = sort.is("redis 5");
        assert_eq!((sample.oom_errors, sample.max_clients.is_some()), ((!old).then_some(0), !old), "{told}");
        let share = sample.namespaces[0].share.unwrap();
        assert!((0.5..1.0).contains(&share), "{told}: {share}");

        let lines = doctor(&spec).await;
        assert!(lines.iter().all(|line| line.ok < Severity::Warning), "{told}: {lines:?}");
        assert_eq!(lines[0].what.as_str().contains("knows no users"), old, "{told}: {lines:?}");
        assert!(!old || lines.iter().all(|line| line.mend.is_none()), "{told}: {lines:?}");

        let how = |how: Clearing| match intent(&spec, "a") {
            Intent::ClearNamespace { target, namespace, .. } => {
                Intent::ClearNamespace { target, namespace, how }
            }
            other => panic!("{other:?}"),
        };
        let soon = Clearing { way: Way::Expire { over_ms: 600_000 }, ..Clearing::default() };
        let can = RedisActions::new(&spec).plan(&how(soon)).await;
        assert_eq!(can.is_ok(), !old && !sort.is("redis 6"), "{told}: {can:?}");
        let hashes = Clearing { only_type: Some("hash".into()), ..Clearing::default() };
        match RedisActions::new(&spec).plan(&how(hashes)).await {
            Ok(plan) => {
                let (outcome, _) = act(&spec, plan, &StopFlag::default()).await;
                assert_eq!((outcome.deleted, old), (Some(1), false), "{told}: {}", outcome.says);
            }
            Err(refusal) => {
                assert!(old && refusal.says.as_str().contains("one type"), "{told}: {refusal}");
                run(&mut other, &["DEL", "cache:a:hash"]).await;
            }
        }
        let planned = plan(&spec, "a").await.unwrap();
        assert!((10_000..14_000).contains(&planned.touches), "{told}: {}", planned.touches);
        let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
        assert_eq!(
            (outcome.kind, outcome.deleted),
            (OutcomeKind::Done, Some(12_000)),
            "{told}: {}",
            outcome.says
        );
        assert!(outcome.says.as_str().contains("none is left"), "{told}: {}", outcome.says);
        assert_eq!(size(&mut other).await, 4_001, "{told}");
    }
}

#[tokio::test]
async fn the_rules_that_doctor_prints_are_the_ones_that_mend() {
    for sort in Sort::all().into_iter().filter(|sort| !sort.is("redis 5")) {
        let server = sort.start(&["--maxmemory", "64mb"]);
        let mut admin = client(&server.url(0)).await;
        fill(&mut admin, "cache:a:", 300).await;
        fill(&mut admin, "sess:", 10).await;
        obey(&mut admin, "ACL SETUSER eye on >pw -@all +@connection +info").await;
        let spec = spec_of(&server, "eye:pw@");
        let product = &sort.product;
        let missing = cache(&spec).await.missing;
        assert_eq!(missing.len(), 2, "{product}: {missing:?}");
        let is_refused = |line: &&DoctorLine| line.what.as_str().contains("is refused");
        let lines = doctor(&spec).await;
        assert!(lines.iter().filter(is_refused).count() >= 6, "{product}: {lines:?}");
        let all = lines.iter().find(|line| line.what.as_str().contains("by one rule")).unwrap();
        obey(&mut admin, all.mend.as_ref().unwrap().as_str()).await;
        // Now every command is allowed, and which keys may be looked into comes to light.
        let lines = doctor(&spec).await;
        let keys: Vec<_> = lines.iter().filter(is_refused).collect();
        assert!(
            keys.iter().all(|line| line.mend.as_ref().unwrap().as_str().contains("~cache:a:*")),
            "{keys:?}"
        );
        for line in keys {
            obey(&mut admin, line.mend.as_ref().unwrap().as_str()).await;
        }
        let lines = doctor(&spec).await;
        assert_eq!(lines.iter().filter(is_refused).count(), 0, "{product}: {lines:?}");
        assert_eq!(cache(&spec).await.missing, [], "{product}");

        // The user that the server keeps off the protected namespace.
        let lines = doctor(&spec_of(&server, "")).await;
        let held = lines.iter().find(|line| line.what.as_str().contains("protected by the config")).unwrap();
        let rule = held.mend.as_ref().unwrap().as_str();
        assert!(rule.starts_with("ACL SETUSER warroom reset"), "{product}: {rule}");
        obey(&mut admin, rule).await;
        let spec = spec_of(&server, "warroom:pw@");
        assert_eq!(cache(&spec).await.missing, [], "{product}");
        let lines = doctor(&spec).await;
        assert!(
            lines.iter().all(|line| line.ok < Severity::Warning && line.mend.is_none()),
            "{product}: {lines:?}"
        );
        let mut held = client(&format!("redis://warroom:pw@127.0.0.1:{}/0", server.port())).await;
        for words in
            [&["UNLINK", "sess:1"][..], &["SET", "cache:a:1", "x"], &["KEYS", "*"], &["CLIENT", "PAUSE", "1"]]
        {
            let mut command = redis::cmd(words[0]);
            let told: Result<redis::Value, _> = command.arg(&words[1..]).query_async(&mut held).await;
            let code = told.expect_err("the server must refuse").code().map(str::to_owned);
            assert_eq!(code.as_deref(), Some("NOPERM"), "{product}: {words:?}");
        }
        let planned = plan(&spec, "a").await.unwrap();
        let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
        assert_eq!(
            (outcome.kind, outcome.deleted),
            (OutcomeKind::Done, Some(300)),
            "{product}: {}",
            outcome.says
        );
        assert_eq!(size(&mut admin).await, 10, "{product}");
    }
}

#[tokio::test]
async fn what_a_service_withholds_is_told_command_by_command() {
    for sort in Sort::all() {
        let mut args = vec!["--maxmemory", "64mb"];
        for name in ["CONFIG", "SLOWLOG", "MEMORY", "CLIENT", "OBJECT", "COMMAND", "LATENCY"] {
            args.extend(["--rename-command", name, ""]);
        }
        let server = sort.start(&args);
        let product = &sort.product;
        let spec = spec_of(&server, "");
        let mut other = client(&server.url(0)).await;
        fill(&mut other, "cache:a:", 300).await;
        let sample = cache(&spec).await;
        assert_eq!(sample.keys, 300, "{product}");
        let why = &sample.missing.iter().find(|it| it.what.as_str() == "slow log").expect("told").why;
        assert!(
            why.as_str().starts_with("the server does not offer it") && !why.as_str().contains("ACL"),
            "{why}"
        );
        let lines = doctor(&spec).await;
        let withheld = |name: &str| {
            let what = format!("{name} is not offered here");
            lines.iter().any(|line| line.what.as_str().starts_with(&what) && line.mend.is_none())
        };
        assert!(withheld("SLOWLOG GET") && withheld("MEMORY USAGE"), "{product}: {lines:?}");
        let planned = plan(&spec, "a").await.unwrap();
        assert!(planned.lines.iter().all(|line| line.label.as_str() != "frees"), "{product}: {planned:?}");
        let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
        assert_eq!(
            (outcome.kind, outcome.deleted),
            (OutcomeKind::Done, Some(300)),
            "{product}: {}",
            outcome.says
        );
    }
}
