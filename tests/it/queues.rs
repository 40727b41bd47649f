//! Worker queues as their own libraries write them, and plain lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::process::Command;
use std::time::Duration;

use warroom::lab;
use warroom::model::{FailedJobs, Queue, QueueAge, QueueSample, Sample};
use warroom::sources::Source;

use super::redis::{client, poll, run, source, spec};

pub(crate) async fn queues(source: &mut Box<dyn Source>) -> QueueSample {
    match poll(source).await.sample {
        Ok(Sample::Queue(sample)) => *sample,
        other => panic!("no queue sample: {other:?}"),
    }
}

pub(crate) fn queue<'a>(sample: &'a QueueSample, name: &str) -> &'a Queue {
    let found = sample.queues.iter().find(|queue| queue.name.as_str() == name);
    found.unwrap_or_else(|| panic!("no queue {name} in {sample:?}"))
}

/// Runs a Python program with the real libraries and hands back what it printed.
pub(crate) fn python(url: &str, program: &str) -> String {
    python_at("WARROOM_TEST_PYTHON", url, program)
}

/// As [`python`], by the interpreter that a variable names.
pub(crate) fn python_at(variable: &str, url: &str, program: &str) -> String {
    let python = std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run scripts/test, which installs the libraries and sets it")
    });
    let out = Command::new(python).arg("-c").arg(program).env("URL", url).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test]
async fn rq_as_its_own_library_writes_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(1);
    let mut asked = source(&spec("rq", &url));
    assert_eq!(queues(&mut asked).await.queues, vec![], "nothing registered yet");
    python(
        &url,
        r"
import os, redis, datetime
from rq import Queue, Worker, SimpleWorker
connection = redis.Redis.from_url(os.environ['URL'])
mail, default = Queue('mail', connection=connection), Queue('default', connection=connection)
for n in range(5): default.enqueue('time.sleep', 0)
SimpleWorker([default], connection=connection).work(burst=True, max_jobs=2)
default.enqueue('no.such.function')
for n in range(3): mail.enqueue('time.sleep', n)
mail.enqueue_at(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60), 'time.sleep', 0)
worker = SimpleWorker([mail], connection=connection); worker.register_birth(); worker.set_state('idle')
",
    );
    // The names are read in the round trip before they are used.
    queues(&mut asked).await;
    let sample = queues(&mut asked).await;
    let default = queue(&sample, "default");
    assert_eq!((default.depth, default.workers, default.in_flight), (4, Some(0), Some(0)));
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.scheduled, mail.overdue), (3, Some(1), Some(1)));
    let QueueAge::Exact(age) = mail.oldest else { panic!("{:?}", mail.oldest) };
    assert!((0.0..30.0).contains(&age), "{age}");
    assert!((59.0..90.0).contains(&mail.overdue_for.unwrap()), "{mail:?}");
    // Its process has ended, and with it the connection that bore its name: RQ itself would wait for eight minutes.
    let mail =
        until(&mut asked, "seen to be gone", |it| it.name.as_str() == "mail" && it.workers == Some(0)).await;
    assert_eq!(mail.stale_workers, Some(1));

    let mut named = spec("rq", &url);
    named.queues = vec!["mail".into()];
    let sample = queues(&mut source(&named)).await;
    assert_eq!(sample.queues.len(), 1);
    assert_eq!(queue(&sample, "mail").depth, 3);

    // A burst worker takes the rest: one job fails.
    python(
        &url,
        r"
import os, redis
from rq import Queue, SimpleWorker
connection = redis.Redis.from_url(os.environ['URL'])
SimpleWorker([Queue('default', connection=connection)], connection=connection).work(burst=True)
",
    );
    let sample = queues(&mut asked).await;
    let default = queue(&sample, "default");
    assert_eq!((default.depth, default.dead, &default.oldest), (0, Some(1), &QueueAge::Empty));
    // Only where some have failed is it looked which.
    let sample = queues(&mut asked).await;
    assert_eq!(dying(&queue(&sample, "default").dying), ["1 no.such.function "]);
}

/// How many failed, what, and by which error.
pub(crate) fn dying(jobs: &[FailedJobs]) -> Vec<String> {
    jobs.iter().map(|it| format!("{} {} {}", it.count, it.name, it.error)).collect()
}

/// Ended with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn an_rq_worker_at_work_and_then_killed() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let program = r"
import os, redis
from rq import Queue, SimpleWorker
connection = redis.Redis.from_url(os.environ['URL'])
mail = Queue('mail', connection=connection)
mail.enqueue('time.sleep', 600)
mail.enqueue('time.sleep', 601)
SimpleWorker([mail], connection=connection).work()
";
    let python = std::env::var("WARROOM_TEST_PYTHON").unwrap();
    let mut command = Command::new(python);
    command.arg("-c").arg(program).env("URL", &url);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let worker = Ended(command.spawn().unwrap());
    let mut asked = source(&spec("rq", &url));
    let mail = until(&mut asked, "at work", |it| it.longest.is_some() && it.busy == Some(1)).await;
    assert_eq!((mail.depth, mail.workers, mail.stale_workers), (1, Some(1), Some(0)));
    let longest = mail.longest.unwrap();
    assert_eq!(longest.name.as_str(), "time.sleep", "what it was called with is not shown");
    assert!(longest.running.unwrap() < 60.0);
    drop(worker);
    // It said it is at work half a minute ago at most; a missed word and no connection are proof.
    let mail = until(&mut asked, "seen to be gone", |it| it.workers == Some(0)).await;
    assert_eq!((mail.stale_workers, mail.busy), (Some(1), Some(0)));
}

async fn until(source: &mut Box<dyn Source>, what: &str, met: impl Fn(&Queue) -> bool) -> Queue {
    let began = tokio::time::Instant::now();
    loop {
        let sample = queues(source).await;
        if let Some(queue) = sample.queues.iter().find(|queue| met(queue)) {
            return queue.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(80), "never {what}: {sample:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_steady_poll_of_many_queues_is_one_round_trip() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(1)).await;
    for n in 0..520 {
        let name = format!("q{n:03}");
        run(&mut other, &["SADD", "rq:queues", &format!("rq:queue:{name}")]).await;
        run(&mut other, &["RPUSH", &format!("rq:queue:{name}"), &format!("job{n}")]).await;
        run(&mut other, &["HSET", &format!("rq:job:job{n}"), "enqueued_at", "2025-11-21T03:41:34.000000Z"])
            .await;
    }
    let mut asked = source(&spec("rq", &server.url(1)));
    let sample = queues(&mut asked).await;
    assert_eq!((sample.queues.len(), sample.left_out), (500, 20));
    assert!(sample.queues.iter().all(|queue| queue.oldest.seconds().unwrap() > 1e6));
    let pings = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix("cmdstat_ping:calls=")).unwrap();
        line.split(',').next().unwrap().parse().unwrap()
    };
    let stats = async |other: &mut redis::aio::MultiplexedConnection| {
        let redis::Value::BulkString(text) = run(other, &["INFO", "commandstats"]).await else { panic!() };
        String::from_utf8(text).unwrap()
    };
    let before = pings(&stats(&mut other).await);
    for _ in 0..5 {
        queues(&mut asked).await;
    }
    // Every round trip opens with a PING.
    assert_eq!(pings(&stats(&mut other).await) - before, 5);
}

#[tokio::test]
async fn a_plain_list_is_as_old_as_it_can_prove() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    let mut spec = spec("redis_list", &server.url(0));
    spec.queues = ["bare", "timed", "twins", "none", "wrong"].map(String::from).into();
    run(&mut other, &["RPUSH", "bare", "a", "b", "c"]).await;
    run(&mut other, &["RPUSH", "twins", "tick", "tick", "tick"]).await;
    run(&mut other, &["SET", "wrong", "1"]).await;
    let redis::Value::Array(time) = run(&mut other, &["TIME"]).await else { panic!() };
    let now: f64 = match &time[0] {
        redis::Value::BulkString(text) => String::from_utf8_lossy(text).parse().unwrap(),
        other => panic!("{other:?}"),
    };
    for age in [300.0, 10.0] {
        run(&mut other, &["LPUSH", "timed", &format!(r#"{{"job":1,"enqueued_at":{}}}"#, now - age)]).await;
    }
    let mut asked = source(&spec);
    queues(&mut asked).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let sample = queues(&mut asked).await;
    assert_eq!(queue(&sample, "bare").depth, 3);
    let QueueAge::AtLeast(age) = queue(&sample, "bare").oldest else { panic!("{sample:?}") };
    assert!((0.05..20.0).contains(&age), "{age}");
    let QueueAge::Exact(age) = queue(&sample, "timed").oldest else { panic!("{sample:?}") };
    assert!((299.0..330.0).contains(&age), "{age}");
    assert!(matches!(queue(&sample, "twins").oldest, QueueAge::Unknown(_)));
    assert_eq!(queue(&sample, "none").oldest, QueueAge::Empty);
    assert!(sample.missing.iter().any(|missing| missing.what.as_str() == "queue wrong"));
}
