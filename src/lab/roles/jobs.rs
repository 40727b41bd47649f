//! Jobs as RQ lays them out in Redis: queues, jobs, workers, work in progress.

use redis::Pipeline;

use super::connect::Redis;
use crate::model::Timestamp;

/// The queues of the lab, in the order in which the workers serve them.
pub(super) const QUEUES: [&str; 2] = ["default", "mail"];
/// Seconds after which a worker that stopped beating is forgotten by the server.
const WORKER_TTL: u64 = 480;
/// Seconds after which a job in progress counts as abandoned.
const JOB_TIMEOUT: i64 = 180;

/// The server's time, which all parties share.
pub(super) async fn now(redis: &mut Redis) -> Result<Timestamp, redis::RedisError> {
    let ((seconds, micros),): ((i64, i64),) = redis.ask(redis::pipe().cmd("TIME")).await?;
    Ok(Timestamp::from_micros(seconds * 1_000_000 + micros))
}

/// Puts a job at the end of a queue.
pub(super) fn put(queue: &str, id: &str, at: Timestamp) -> Pipeline {
    let mut pipe = redis::pipe();
    let job = job(id);
    pipe.atomic().sadd("rq:queues", list(queue)).ignore();
    pipe.hset_multiple(
        &job,
        &[
            ("created_at", at.to_string()),
            ("enqueued_at", at.to_string()),
            ("origin", queue.to_owned()),
            ("description", "app.remember_visit()".to_owned()),
            ("status", "queued".to_owned()),
            ("timeout", JOB_TIMEOUT.to_string()),
        ],
    )
    .ignore();
    pipe.rpush(list(queue), id).ignore();
    pipe
}

/// A worker took a job and starts on it.
pub(super) fn begin(worker: &str, queue: &str, id: &str, at: Timestamp) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic().hset_multiple(job(id), &[("status", "started"), ("worker_name", worker)]).ignore();
    pipe.zadd(progress(queue), format!("{id}:1"), at.as_seconds() + JOB_TIMEOUT).ignore();
    pipe.hset_multiple(key(worker), &[("state", "busy"), ("current_job", id)]).ignore();
    pipe
}

/// The worker is done with the job.
pub(super) fn finish(worker: &str, queue: &str, id: &str, ok: bool) -> Pipeline {
    let mut pipe = redis::pipe();
    let count = if ok { "successful_job_count" } else { "failed_job_count" };
    pipe.atomic().zrem(progress(queue), format!("{id}:1")).ignore();
    // A result nobody asks for is not kept, nor is the job.
    pipe.del(job(id)).ignore();
    pipe.hset(key(worker), "state", "idle").ignore();
    pipe.hdel(key(worker), "current_job").ignore();
    pipe.hincr(key(worker), count, 1).ignore();
    pipe
}

/// A worker signs on.
pub(super) fn sign_on(worker: &str, at: Timestamp) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic().del(key(worker)).ignore();
    pipe.hset_multiple(
        key(worker),
        &[
            ("birth", at.to_string()),
            ("last_heartbeat", at.to_string()),
            ("queues", QUEUES.join(",")),
            ("pid", std::process::id().to_string()),
            ("hostname", "lab".to_owned()),
            ("state", "idle".to_owned()),
        ],
    )
    .ignore();
    pipe.cmd("EXPIRE").arg(key(worker)).arg(WORKER_TTL).ignore();
    pipe.sadd("rq:workers", key(worker)).ignore();
    for queue in QUEUES {
        pipe.sadd(format!("rq:workers:{queue}"), key(worker)).ignore();
    }
    pipe
}

/// A worker says that it is alive.
pub(super) fn beat(worker: &str, at: Timestamp) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.hset(key(worker), "last_heartbeat", at.to_string()).ignore();
    pipe.cmd("EXPIRE").arg(key(worker)).arg(WORKER_TTL).ignore();
    pipe
}

/// A worker signs off.
pub(super) fn sign_off(worker: &str) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic().srem("rq:workers", key(worker)).ignore();
    for queue in QUEUES {
        pipe.srem(format!("rq:workers:{queue}"), key(worker)).ignore();
    }
    pipe.del(key(worker)).ignore();
    pipe
}

/// Takes the next job, waiting up to a second: the queue's list and the job's id.
pub(super) fn take() -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd("BLPOP").arg(&QUEUES.map(list)).arg(1);
    pipe
}

/// The queue's name in its list's key.
pub(super) fn queue_of(list: &str) -> &str {
    list.strip_prefix("rq:queue:").unwrap_or(list)
}

fn list(queue: &str) -> String {
    format!("rq:queue:{queue}")
}

fn job(id: &str) -> String {
    format!("rq:job:{id}")
}

fn key(worker: &str) -> String {
    format!("rq:worker:{worker}")
}

fn progress(queue: &str) -> String {
    format!("rq:wip:{queue}")
}
