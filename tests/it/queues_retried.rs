//! Jobs that fail and are tried again without end, by the real libraries: each is named, with how often.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::NotedJob;

use super::queues::queues;
use super::redis::{source, spec};

// In one process, for a scheduler of its own outlives a worker that is killed.
const RQ: &str = r"
import os, redis, time
from rq import Queue, Retry, SimpleWorker
from rq.scheduler import RQScheduler
connection = redis.Redis.from_url(os.environ['URL'])
mail = Queue('mail', connection=connection)
mail.enqueue('builtins.int', 'secret', retry=Retry(max=500, interval=1))
scheduler = RQScheduler([mail], connection=connection)
scheduler.acquire_locks()
while True:
    scheduler.enqueue_scheduled_jobs()
    SimpleWorker([mail], connection=connection).work(burst=True)
    time.sleep(0.2)
";

const CELERY: &str = r"
import os
from celery import Celery
app = Celery('jobs', broker=os.environ['URL'])
app.conf.task_ignore_result = True
@app.task(name='app.flaky', bind=True, max_retries=500)
def flaky(self, a): raise self.retry(countdown=1)
flaky.apply_async(('secret',), queue='mail')
app.worker_main(['worker', '--pool', 'solo', '-Q', 'mail', '--loglevel', 'ERROR', '-n', 'w1@h'])
";

const DRAMATIQ: &str = r"
import os, time, dramatiq
from dramatiq.brokers.redis import RedisBroker
broker = RedisBroker(url=os.environ['URL'])
dramatiq.set_broker(broker)
@dramatiq.actor(queue_name='mail', max_retries=500, min_backoff=1000, max_backoff=1000)
def flaky(a): raise ValueError('no')
flaky.send('secret')
dramatiq.Worker(broker, worker_timeout=100).start()
while True: time.sleep(1)
";

const ARQ: &str = r"
import asyncio, os
from arq import create_pool
from arq.worker import Worker, Retry, func
from arq.connections import RedisSettings
async def flaky(ctx, n): raise Retry(defer=1)
async def main():
    settings = RedisSettings.from_dsn(os.environ['URL'])
    await (await create_pool(settings)).enqueue_job('flaky', 'secret', _job_id='flaky-1')
    flakies = [func(flaky, max_tries=500)]
    await Worker(flakies, redis_settings=settings, handle_signals=False, poll_delay=0.2).main()
asyncio.run(main())
";

/// Ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The job that is told to come back, once it was handed out thrice.
async fn returning(kind: &str, url: &str, variable: &str, program: &str) -> NotedJob {
    let python =
        std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run scripts/test"));
    let mut command = Command::new(python);
    command.arg("-c").arg(program).env("URL", url).stdout(Stdio::null()).stderr(Stdio::null());
    let _worker = Ended(command.spawn().unwrap());
    let mut asked = source(&spec(kind, url));
    let began = Instant::now();
    loop {
        let sample = queues(&mut asked).await;
        let jobs = sample.queues.iter().filter_map(|queue| queue.returning.clone());
        if let Some(job) = jobs.into_iter().find(|job| job.tries >= Some(3)) {
            return job;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "{kind}: never told: {sample:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_job_that_fails_and_is_tried_again_is_named() {
    let server = lab::redis::start(&[]).unwrap();
    let python = "WARROOM_TEST_PYTHON";
    let urls = [0, 1, 2, 3].map(|database| server.url(database));
    let (rq, celery, dramatiq, arq) = tokio::join!(
        returning("rq", &urls[0], python, RQ),
        returning("celery", &urls[1], python, CELERY),
        returning("dramatiq", &urls[2], python, DRAMATIQ),
        returning("arq", &urls[3], "WARROOM_TEST_ARQ", ARQ),
    );
    // What they were called with is not shown; arq packs the name, so that its id stands for it.
    let names = [rq, celery, dramatiq, arq].map(|job| job.name.to_string());
    assert_eq!(names, ["builtins.int", "app.flaky", "flaky", "flaky-1"]);
}
