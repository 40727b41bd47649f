//! Celery's queues as Celery itself writes them, and its workers as they beat.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::{QueueAge, QueueSample};
use warroom::sources::Source;

use super::queues::{python, queue, queues};
use super::redis::{client, run, source, spec};

const APP: &str = r"
import os
from celery import Celery
app = Celery('jobs', broker=os.environ['URL'])
app.conf.broker_connection_retry_on_startup = True
app.conf.task_ignore_result = True
app.conf.broker_transport_options = {'queue_order_strategy': 'priority'}
@app.task(name='add')
def add(a, b): return a + b
@app.task(name='nap')
def nap(): __import__('time').sleep(3600)
";

/// A real worker with its children; they are ended with the test, as by a machine that is switched off.
struct Worker {
    process: Child,
    _folder: TempDir,
}

impl Worker {
    fn start(url: &str, pool: &str) -> Self {
        let program = format!(
            "{APP}\napp.worker_main(['worker', '--pool', '{pool}', '-c', '1', '-Q', 'celery,mail', '-n', 'w1@h', '--loglevel', 'ERROR'])"
        );
        let python = std::env::var("WARROOM_TEST_PYTHON").unwrap();
        // What it leaves behind when it is killed goes with the test.
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python);
        command.env("TMPDIR", folder.path());
        command.arg("-c").arg(program).env("URL", url).stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: command.process_group(0).spawn().unwrap(), _folder: folder }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process_group(group, Signal::KILL).ok();
        self.process.wait().ok();
    }
}

async fn until(source: &mut Box<dyn Source>, what: &str, met: impl Fn(&QueueSample) -> bool) -> QueueSample {
    let began = Instant::now();
    loop {
        let sample = queues(source).await;
        if met(&sample) {
            return sample;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "never {what}: {sample:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn celery_as_its_own_library_writes_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(3);
    python(
        &url,
        &format!(
            "{APP}
for n in range(5): add.delay(1, 2)
for n in range(2): add.apply_async((1, 2), priority=6)
for n in range(3): add.apply_async((1, 2), queue='mail', headers={{'enqueued_at': __import__('time').time() - 100}})
"
        ),
    );
    let mut asked = source(&spec("celery", &url));
    let sample = queues(&mut asked).await;
    let names: Vec<_> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["celery", "mail"]);
    assert_eq!(queue(&sample, "celery").depth, 7, "the priorities count too");
    assert!(matches!(queue(&sample, "celery").oldest, QueueAge::AtLeast(_)));
    let QueueAge::Exact(age) = queue(&sample, "mail").oldest else { panic!("{sample:?}") };
    assert!((99.0..140.0).contains(&age), "{age}");
    // Nobody was heard, and nobody is connected who waits for jobs or listens.
    assert_eq!((sample.workers, queue(&sample, "celery").workers), (Some(0), Some(0)));
    // None heard is not none there.
    let mut other = client(&url).await;
    let waits = tokio::spawn(async move { run(&mut other, &["BRPOP", "elsewhere", "0"]).await });
    let blocked = until(&mut asked, "waited for", |sample| sample.workers.is_none()).await;
    assert!(blocked.missing.iter().any(|missing| missing.what.as_str() == "workers"));
    waits.abort();
    sleep(Duration::from_millis(300)).await;
    let sample = queues(&mut asked).await;
    assert!(queue(&sample, "celery").oldest.seconds().unwrap() >= 0.25, "the head has not moved");

    let worker = Worker::start(&url, "solo");
    let sample = until(&mut asked, "drained", |sample| {
        sample.workers == Some(1) && sample.queues.iter().all(|queue| queue.depth == 0)
    })
    .await;
    assert_eq!(queue(&sample, "mail").oldest, QueueAge::Empty);
    until(&mut asked, "counted", |sample| sample.shared.processed == Some(10)).await;

    drop(worker);
    python(&url, &format!("{APP}\nadd.delay(3, 4)"));
    let sample = until(&mut asked, "seen to be gone", |sample| sample.workers == Some(0)).await;
    assert_eq!((queue(&sample, "celery").depth, queue(&sample, "celery").workers), (1, Some(0)));
}

#[tokio::test]
async fn what_a_killed_worker_of_celery_held_is_told() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(1);
    let put = "for n in range(7): nap.delay()\nadd.apply_async((1, 2), countdown=3600)";
    python(&url, &format!("{APP}\n{put}"));
    let mut asked = source(&spec("celery", &url));
    let worker = Worker::start(&url, "prefork");
    // One is under way and acknowledged already, those fetched ahead of it are not, nor what is for later.
    let held = |sample: &QueueSample| {
        sample.workers == Some(1) && queue(sample, "celery").in_flight > Some(3) && sample.queues[0].depth < 4
    };
    let sample = until(&mut asked, "at work", held).await;
    let before = queue(&sample, "celery").in_flight;
    assert_eq!(queue(&sample, "celery").orphaned, Some(0), "{sample:?}");
    drop(worker);
    let sample = until(&mut asked, "seen to be gone", |sample| sample.workers == Some(0)).await;
    let celery = queue(&sample, "celery");
    assert_eq!((celery.workers, celery.orphaned), (Some(0), celery.in_flight), "{celery:?}");
    assert!(celery.in_flight >= before, "nobody has given them back: {celery:?}");
}
