//! Rules over worker queues: what each calls trouble, whom it names, and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use warroom::detect::Judgement;
use warroom::model::{
    Broker, BrokerNode, Culprit, FailedJobs, Finding, NotedJob, Queue, QueueAge, QueueSample, Sample,
    Severity, SharedCounts,
};

use super::redis_detect::{found, judged};

/// What is judged of queues that change by the second.
fn queues(seconds: u64, change: impl Fn(u64, &mut QueueSample)) -> Judgement {
    judged((0..seconds).map(|second| {
        let queue = Queue { name: "mail".into(), ..Queue::default() };
        let mut sample = QueueSample { queues: vec![queue], ..QueueSample::default() };
        change(second, &mut sample);
        Sample::Queue(Box::new(sample))
    }))
}

fn queue(change: impl Fn(u64, &mut Queue)) -> Judgement {
    queues(30, |second, sample| change(second, &mut sample.queues[0]))
}

fn warned(judgement: &Judgement, rule: &str) -> Finding {
    let finding = found(judgement, rule).unwrap_or_else(|| panic!("no {rule}: {:?}", judgement.findings));
    assert!(finding.severity >= Severity::Warning, "{finding:?}");
    finding
}

fn job(name: &str, running: Option<f64>, tries: Option<u64>) -> NotedJob {
    NotedJob { name: name.into(), worker: "web1:17".into(), running, tries }
}

#[test]
fn more_in_than_out_tells_when_it_will_hurt() {
    // 20 a second in, 10 out: with 10 a second done, sixty seconds are 600 jobs.
    let growing = queue(|second, queue| {
        queue.depth = 60 + 10 * second;
        queue.processed = Some(10 * second);
        queue.oldest = QueueAge::Exact(2.0);
    });
    let finding = warned(&growing, "overrun");
    // 350 wait now: 250 more at 10 a second.
    assert!(finding.says.contains("20/s in, 10/s out: in 25 s jobs will wait for 1m00s"), "{}", finding.says);
    let counted_in = queue(|second, queue| {
        queue.depth = 60 + 10 * second;
        (queue.added, queue.in_flight) = (Some(1_000 + 20 * second), Some(4));
    });
    assert!(warned(&counted_in, "overrun").says.starts_with("20/s in, 10/s out"));
    for harmless in [
        queue(|second, queue| (queue.depth, queue.processed) = (5 + second / 8, Some(10 * second))),
        queue(|second, queue| (queue.depth, queue.processed) = (900 - 9 * second, Some(10 * second))),
        queue(|second, queue| {
            (queue.depth, queue.processed) = (60 + 10 * second, Some(10 * second));
            queue.paused = Some(true);
        }),
    ] {
        assert_eq!(found(&harmless, "overrun"), None);
    }
}

#[test]
fn workers_that_take_nothing_and_workers_busy_elsewhere() {
    let idle = |queue: &mut Queue| {
        (queue.depth, queue.workers, queue.in_flight, queue.busy) = (12, Some(3), Some(0), Some(0));
        queue.oldest = QueueAge::Exact(90.0);
        queue.processed = Some(7);
    };
    let finding = warned(&queue(|_, queue| idle(queue)), "idle_workers");
    assert!(finding.says.contains("3 workers are alive and none takes a job"), "{}", finding.says);
    let elsewhere = queues(30, |_, sample| {
        idle(&mut sample.queues[0]);
        sample.queues[0].busy = Some(3);
        sample.queues.push(Queue { name: "bulk".into(), in_flight: Some(3), ..Queue::default() });
    });
    let finding = warned(&elsewhere, "idle_workers");
    assert!(finding.says.contains("all at work on bulk"), "{}", finding.says);
    assert!(matches!(finding.culprit, Some(Culprit::Queue { name, .. }) if name.as_str() == "bulk"));
    let works = queue(|second, queue| {
        idle(queue);
        queue.processed = Some(second);
    });
    assert_eq!(found(&works, "idle_workers"), None);
}

#[test]
fn fast_jobs_behind_a_slow_one_name_it() {
    let stuck = |queue: &mut Queue| {
        (queue.depth, queue.workers, queue.busy, queue.in_flight) = (300, Some(2), Some(2), Some(2));
        queue.oldest = QueueAge::Exact(50.0);
        queue.longest = Some(job("Report", Some(240.0), None));
    };
    let finding = warned(&queue(|_, queue| stuck(queue)), "slow_job");
    assert!(
        finding.says.contains("Report has run for 4m00s on web1:17 and all 2 workers are taken"),
        "{}",
        finding.says
    );
    assert!(matches!(finding.culprit, Some(Culprit::Job { name, .. }) if name.as_str() == "Report"));
    let room = queue(|_, queue| {
        stuck(queue);
        queue.busy = Some(1);
    });
    assert_eq!(found(&room, "slow_job"), None, "the other worker is free");
}

#[test]
fn jobs_that_die_come_back_or_lost_their_worker() {
    let dying = queue(|second, queue| queue.dead = Some(100 + 2 * second));
    assert!(warned(&dying, "dead_jobs").says.contains("jobs died within ten seconds"));
    let named = queue(|second, queue| {
        queue.dead = Some(100 + 2 * second);
        let of = |name: &str, count| FailedJobs { name: name.into(), error: "KeyError".into(), count };
        queue.dying = vec![of("Import", 5), of("Mail", 3)];
    });
    let finding = warned(&named, "dead_jobs");
    assert!(finding.says.contains("not be tried again, mostly Import with KeyError; "), "{}", finding.says);
    assert!(matches!(finding.culprit, Some(Culprit::Job { name, .. }) if name.as_str() == "Import"));
    let now_and_then = queue(|second, queue| queue.dead = Some(100 + second / 9));
    assert_eq!(found(&now_and_then, "dead_jobs"), None);
    let shared = queues(30, |second, sample| {
        sample.shared = SharedCounts { dead: Some(3 * second), ..SharedCounts::default() };
    });
    assert_eq!(warned(&shared, "dead_jobs").target.as_str(), "it", "counted for all queues together");

    let poison = queue(|_, queue| queue.returning = Some(job("Import", None, Some(9))));
    let finding = warned(&poison, "poison_job");
    assert!(finding.says.contains("Import was handed out 9 times on web1:17"), "{}", finding.says);
    assert_eq!(
        found(&queue(|_, queue| queue.returning = Some(job("Import", None, Some(2)))), "poison_job"),
        None
    );

    let lost = |seconds| queues(seconds, |_, sample| sample.queues[0].orphaned = Some(3));
    assert_eq!(found(&lost(20), "orphaned_jobs"), None, "its queue may still take it back");
    assert!(warned(&lost(40), "orphaned_jobs").says.contains("3 jobs were taken long ago"));
}

#[test]
fn jobs_held_without_end_and_jobs_handed_out_again_and_again() {
    let held = |seconds| {
        queues(seconds, |_, sample| {
            let queue = &mut sample.queues[0];
            (queue.depth, queue.in_flight, queue.workers, queue.processed) = (40, Some(6), Some(2), Some(9));
            queue.oldest = QueueAge::AtLeast(120.0);
        })
    };
    let finding = warned(&held(90), "stuck_workers");
    assert!(finding.says.starts_with("2 workers hold 6 jobs and finished none"), "{}", finding.says);
    assert_eq!(found(&held(40), "stuck_workers"), None, "a job may take a while");

    let again = |done: u64| {
        queues(40, move |second, sample| {
            let queue = &mut sample.queues[0];
            (queue.processed, queue.redelivered) = (Some(done * second), Some(3 * second));
        })
    };
    let finding = warned(&again(0), "poison_job");
    assert!(
        finding.says.contains("were handed out once more within ten seconds, 0 were done"),
        "{}",
        finding.says
    );
    assert_eq!(found(&again(20), "poison_job"), None, "most are done");
}

#[test]
fn a_broker_without_memory_without_a_node_or_with_a_broken_queue() {
    let broker = |change: fn(&mut QueueSample)| {
        queues(20, move |_, sample| {
            let node = |name: &str| BrokerNode { name: name.into(), running: true, ..BrokerNode::default() };
            sample.broker =
                Some(Broker { nodes: vec![node("rabbit@a"), node("rabbit@b")], ..Broker::default() });
            change(sample);
        })
    };
    let full = broker(|sample| {
        let broker = sample.broker.as_mut().unwrap();
        (broker.blocked, broker.blocked_users) = (Some(3), vec!["shop".into()]);
        let node = &mut broker.nodes[1];
        (node.disk_alarm, node.disk_free, node.disk_limit) = (true, Some(20 << 20), Some(48 << 20));
    });
    let finding = warned(&full, "broker_alarm");
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(
        finding.says,
        "rabbit@b is out of disk (20 MB free, it wants 48 MB): 3 connections of shop put jobs in and are made to wait"
    );
    let down = broker(|sample| sample.broker.as_mut().unwrap().nodes[0].running = false);
    assert_eq!(warned(&down, "broker_node").says, "1 of 2 nodes is down: rabbit@a");
    let apart =
        broker(|sample| sample.broker.as_mut().unwrap().nodes[0].apart_from = vec!["rabbit@b".into()]);
    assert_eq!(warned(&apart, "broker_apart").severity, Severity::Critical);
    let crashed = broker(|sample| sample.queues[0].unusable = Some("crashed".into()));
    assert_eq!(warned(&crashed, "queue_unusable").target.as_str(), "it/mail");
    let well = broker(|_| {});
    assert!(
        ["broker_alarm", "broker_apart", "broker_node", "queue_unusable"]
            .iter()
            .all(|rule| found(&well, rule).is_none())
    );
}

#[test]
fn a_scheduler_that_wakes_nobody_is_seen_at_once() {
    let late = |age: f64| {
        queues(1, |_, sample| {
            (sample.queues[0].overdue, sample.queues[0].overdue_for) = (Some(34), Some(age));
        })
    };
    let finding = warned(&late(300.0), "scheduler");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.says.contains("34 jobs are overdue, the first by 5m00s"), "{}", finding.says);
    assert_eq!(warned(&late(3_000.0), "scheduler").severity, Severity::Critical);
    assert_eq!(found(&late(8.0), "scheduler"), None, "a poller looks every few seconds");
}
