//! Dramatiq's and arq's queues as the libraries themselves write them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use warroom::lab;
use warroom::model::QueueAge;

use super::queues::{python, python_at, queue, queues};
use super::redis::{source, spec};

const DRAMATIQ: &str = r"
import os, time, dramatiq
from dramatiq.brokers.redis import RedisBroker
broker = RedisBroker(url=os.environ['URL'], heartbeat_timeout=60000)
dramatiq.set_broker(broker)
@dramatiq.actor(queue_name='mail', max_retries=0)
def send(a):
    if a == 'bad': raise ValueError('no')
@dramatiq.actor(queue_name='bulk')
def bulk(a): pass
";

#[tokio::test]
async fn dramatiq_as_its_own_library_writes_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(1);
    let told = python(
        &url,
        &format!(
            "{DRAMATIQ}
message = send.message('old')
broker.enqueue(message.copy(message_timestamp=message.message_timestamp - 80000))
for n in range(3): send.send(n)
send.send_with_options(args=(1,), delay=600000)
bulk.send(1)
consumer = broker.consume('mail', prefetch=1)
taken = next(consumer)
print(taken.args[0])
"
        ),
    );
    assert_eq!(told.trim(), "old");
    let mut asked = source(&spec("dramatiq", &url));
    let sample = queues(&mut asked).await;
    let names: Vec<_> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["bulk", "mail"]);
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.in_flight, mail.scheduled, mail.dead), (3, Some(1), Some(1), Some(0)));
    let QueueAge::Exact(age) = mail.oldest else { panic!("{mail:?}") };
    assert!((0.0..40.0).contains(&age), "{age}");
    assert_eq!(mail.workers, None, "somebody beats, but it may be one who only puts in");

    // A real worker takes everything; one job fails for good.
    python(
        &url,
        &format!(
            "{DRAMATIQ}
send.send('bad')
worker = dramatiq.Worker(broker, worker_timeout=100)
worker.start()
import redis
seen = redis.Redis.from_url(os.environ['URL'])
for n in range(400):
    if seen.zcard('dramatiq:mail.XQ') == 1 and seen.llen('dramatiq:mail') == 0 and seen.llen('dramatiq:bulk') == 0: break
    time.sleep(0.05)
worker.stop()
"
        ),
    );
    let sample = queues(&mut asked).await;
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.dead, &mail.oldest), (0, Some(1), &QueueAge::Empty), "{mail:?}");
    assert_eq!(queue(&sample, "bulk").depth, 0, "an empty queue is still a queue");
}

#[tokio::test]
async fn arq_as_its_own_library_writes_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(2);
    let fill = r"
import asyncio, os, time, datetime
from arq import create_pool
from arq.connections import RedisSettings
async def main():
    pool = await create_pool(RedisSettings.from_dsn(os.environ['URL']))
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=75)
    await pool.enqueue_job('report', _job_id='a', _defer_until=old)
    for n in range(3): await pool.enqueue_job('report', n)
    await pool.enqueue_job('report', 9, _defer_by=600)
asyncio.run(main())
";
    python_at("WARROOM_TEST_ARQ", &url, fill);
    let mut asked = source(&spec("arq", &url));
    let sample = queues(&mut asked).await;
    let jobs = queue(&sample, "arq:queue");
    assert_eq!((jobs.depth, jobs.in_flight, jobs.scheduled), (4, Some(0), Some(1)));
    let QueueAge::Exact(age) = jobs.oldest else { panic!("{jobs:?}") };
    assert!((74.0..110.0).contains(&age), "{age}");

    // The worker takes the oldest and is looked at while it works: the job still stands in the set.
    let work = r"
import asyncio, os
from arq.worker import Worker
from arq.connections import RedisSettings
started = asyncio.Event()
async def report(ctx, n=None):
    started.set()
    await asyncio.sleep(3600)
async def main():
    worker = Worker([report], redis_settings=RedisSettings.from_dsn(os.environ['URL']), max_jobs=1, handle_signals=False)
    task = asyncio.ensure_future(worker.main())
    await started.wait()
    os._exit(0)
asyncio.run(main())
";
    python_at("WARROOM_TEST_ARQ", &url, work);
    let sample = queues(&mut asked).await;
    let jobs = queue(&sample, "arq:queue");
    assert_eq!((jobs.depth, jobs.in_flight, jobs.scheduled), (3, Some(1), Some(1)), "{jobs:?}");
    let QueueAge::Exact(age) = jobs.oldest else { panic!("{jobs:?}") };
    assert!(age < 60.0, "the oldest is under way, so that a younger one waits: {age}");
}
