//! What is said of caches and queues: samples in, judgements out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use warroom::config::Thresholds;
use warroom::detect::{Judge, Judgement};
use warroom::model::{
    CacheSample, Finding, Intent, Millis, NamespaceSample, Queue, QueueAge, QueueSample, Reading, Resource,
    SafeText, Sample, Severity, SlowCommand, TargetId, Timestamp,
};
use warroom::store::{Store, TargetInfo};

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

/// Plays samples a second apart and judges after each.
pub(crate) fn judged(samples: impl IntoIterator<Item = Sample>) -> Judgement {
    let id = TargetId::parse("it").unwrap();
    let info = TargetInfo {
        id: id.clone(),
        kind: "redis".into(),
        endpoint: String::new(),
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
        group: String::new(),
    };
    let mut store = Store::new([info]);
    let mut judge = Judge::new(Thresholds::default(), []);
    let mut last = Judgement::default();
    for (second, sample) in (0..).zip(samples) {
        let reading = Reading { target: id.clone(), took: Millis(1.0), sample: Ok(sample) };
        store.take(at(second), reading);
        last = judge.judge(&mut store, at(second)).0;
    }
    last
}

fn cache(change: impl Fn(i64, &mut CacheSample)) -> Judgement {
    judged((0..8).map(|second| {
        let mut sample = CacheSample {
            max_memory: Some(1_000),
            used_memory: 300,
            eviction_policy: "allkeys-lru".into(),
            oom_errors: Some(0),
            ping_ms: Some(0.2),
            main_thread_cpu: Some(second as f64 * 0.05),
            ..CacheSample::default()
        };
        change(second, &mut sample);
        Sample::Cache(Box::new(sample))
    }))
}

pub(crate) fn found(judgement: &Judgement, rule: &str) -> Option<Finding> {
    judgement.findings.iter().find(|finding| finding.rule == rule).cloned()
}

#[test]
fn a_quiet_cache_is_fine() {
    let judgement = cache(|_, _| {});
    assert_eq!(judgement.findings, vec![]);
    let id = TargetId::parse("it").unwrap();
    assert_eq!(judgement.resource(Resource::CacheMemory, &id).unwrap().utilisation, Some(0.3));
    assert_eq!(judgement.resource(Resource::CacheLatency, &id).unwrap().severity, Severity::Ok);
}

#[test]
fn a_full_cache_that_cannot_make_room_is_critical_and_one_that_can_is_not() {
    let full = |policy: &'static str| {
        cache(move |_, sample| {
            sample.used_memory = 970;
            sample.eviction_policy = policy.into();
        })
    };
    assert_eq!(found(&full("noeviction"), "cache_fill").unwrap().severity, Severity::Critical);
    assert_eq!(found(&full("allkeys-lru"), "cache_fill").unwrap().severity, Severity::Warning);
    // Nothing expires, so a policy of expiring keys evicts nothing.
    assert_eq!(found(&full("volatile-lru"), "cache_fill").unwrap().severity, Severity::Critical);
}

#[test]
fn evictions_on_a_full_cache_are_critical_and_the_greatest_open_namespace_is_offered() {
    let judgement = cache(|second, sample| {
        sample.used_memory = 990;
        sample.evicted = 100 * second.unsigned_abs();
        let namespace = |name: &str, share, protected| NamespaceSample {
            name: name.into(),
            prefix: SafeText::new(&format!("{name}:")),
            protected,
            share: Some(share),
            sampled: 1_000,
            ..NamespaceSample::default()
        };
        sample.namespaces =
            vec![namespace("sess", 0.6, true), namespace("page", 0.3, false), namespace("tmp", 0.05, false)];
    });
    let finding = found(&judgement, "cache_fill").unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    match finding.remedy.unwrap().intent.unwrap() {
        Intent::ClearNamespace { namespace, .. } => assert_eq!(namespace.name, "page"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cache_that_was_emptied_no_longer_throws_out_what_the_last_seconds_remember() {
    let emptied_at = |moment: i64| {
        cache(|second, sample| {
            sample.used_memory = if second < moment { 990 } else { 80 };
            sample.evicted = 100 * second.min(moment - 1).unsigned_abs();
        })
    };
    let full = found(&emptied_at(100), "cache_fill").unwrap();
    assert!(full.says.contains("99 % full and throws out"), "{}", full.says);
    let judgement = emptied_at(6);
    let says = &judgement.resources.iter().find(|it| it.resource == Resource::CacheMemory).unwrap().says;
    assert!(says.contains("8 % full, throws nothing out"), "{says}");
}

#[test]
fn refused_writes_are_critical_however_full_it_is() {
    let judgement = cache(|second, sample| sample.oom_errors = Some(3 * second.unsigned_abs()));
    assert!(found(&judgement, "cache_fill").unwrap().says.contains("refuses writes"));
}

#[test]
fn without_a_limit_the_machine_is_the_limit() {
    let judgement = cache(|_, sample| {
        sample.max_memory = None;
        sample.resident_memory = Some(960);
        sample.system_memory = Some(1_000);
    });
    let finding = found(&judgement, "cache_fill").unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.says.contains("no maxmemory"), "{}", finding.says);
    let unknown = cache(|_, sample| sample.max_memory = None);
    assert_eq!(found(&unknown, "cache_fill").unwrap().severity, Severity::Unknown);
}

#[test]
fn a_command_that_held_everybody_up_is_named_with_its_client() {
    let slow = |command: &str| {
        let judgement = cache(|_, sample| {
            sample.slow = vec![SlowCommand {
                id: 9,
                at: at(5),
                took_ms: 180.0,
                command: command.into(),
                client: "10.0.0.9:4".into(),
                client_name: "web.3".into(),
            }];
        });
        found(&judgement, "slow_command").unwrap()
    };
    let advice = |finding: &Finding| finding.remedy.clone().unwrap().says;
    assert_eq!(advice(&slow("type page:1")), "look at its machine: TYPE is no work by itself");
    let finding = slow("KEYS *");
    assert_eq!(advice(&finding), "find what sends it: web.3 at 10.0.0.9:4");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.says.contains("KEYS *") && finding.says.contains("180 ms"), "{}", finding.says);
    assert!(format!("{:?}", finding.culprit).contains("web.3"));
}

#[test]
fn one_slow_ping_is_no_finding_and_a_lasting_one_is() {
    let once = cache(|second, sample| sample.ping_ms = Some(if second == 7 { 300.0 } else { 0.2 }));
    assert_eq!(found(&once, "slow_ping"), None);
    let lasting = cache(|_, sample| sample.ping_ms = Some(30.0));
    assert_eq!(found(&lasting, "slow_ping").unwrap().severity, Severity::Warning);
}

fn queue(change: impl Fn(i64, &mut Queue)) -> Judgement {
    judged((0..8).map(|second| {
        let mut queue = Queue { name: "mail".into(), workers: Some(2), ..Queue::default() };
        change(second, &mut queue);
        Sample::Queue(Box::new(QueueSample { queues: vec![queue], ..QueueSample::default() }))
    }))
}

#[test]
fn jobs_that_wait_too_long_and_jobs_that_wait_for_nobody() {
    assert_eq!(queue(|_, _| {}).findings, vec![]);
    let late = queue(|second, queue| {
        queue.depth = 100 + 10 * second.unsigned_abs();
        queue.oldest = QueueAge::Exact(700.0);
        queue.processed = Some(5 * second.unsigned_abs());
    });
    let finding = found(&late, "backlog").unwrap();
    assert_eq!((finding.severity, finding.target.as_str()), (Severity::Critical, "it/mail"));
    assert!(
        finding.says.contains("15/s in, 5.0/s out") && finding.says.contains("never"),
        "{}",
        finding.says
    );

    let nobody = queue(|_, queue| {
        queue.depth = 3;
        queue.workers = Some(0);
        queue.oldest = QueueAge::Exact(5.0);
    });
    assert!(found(&nobody, "no_worker").unwrap().says.contains("no worker is alive"));
    for harmless in [
        queue(|_, queue| queue.workers = Some(0)),
        queue(|_, queue| (queue.depth, queue.workers) = (3, None)),
        queue(|_, queue| (queue.depth, queue.workers, queue.paused) = (3, Some(0), Some(true))),
    ] {
        assert_eq!(found(&harmless, "no_worker"), None);
    }
}
