//! Queues of libraries that are not run here, written key by key as their sources do: Resque
//! (`lib/resque/data_store.rb`, `worker.rb`), asynq (`internal/base/base.go`, `internal/rdb/rdb.go`) and
//! Laravel (`Illuminate/Queue/RedisQueue.php`, `LuaScripts.php`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use redis::aio::MultiplexedConnection;
use warroom::lab;
use warroom::model::{Queue, QueueAge};

use super::queues::{dying, queue, queues};
use super::redis::{client, run, source, spec};

async fn seconds(client: &mut MultiplexedConnection) -> f64 {
    let time: (f64, f64) = redis::cmd("TIME").query_async(client).await.unwrap();
    time.0
}

fn rfc3339(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time of this century")]
    warroom::model::Timestamp::from_micros((seconds * 1e6) as i64).to_string()
}

fn exact(queue: &Queue) -> f64 {
    match queue.oldest {
        QueueAge::Exact(age) => age,
        ref other => panic!("{other:?} of {queue:?}"),
    }
}

#[tokio::test]
async fn resque_by_its_source() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let mut other = client(&url).await;
    let now = seconds(&mut other).await;
    run(&mut other, &["SADD", "resque:queues", "mail", "plain"]).await;
    let active = format!(
        r#"{{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{{"job_class":"MailJob","enqueued_at":"{}"}}]}}"#,
        rfc3339(now - 120.0)
    );
    // Put in at the right, taken at the left.
    run(&mut other, &["RPUSH", "resque:queue:mail", &active, r#"{"class":"B","args":[]}"#]).await;
    run(&mut other, &["RPUSH", "resque:queue:plain", r#"{"class":"A","args":[1]}"#]).await;
    run(&mut other, &["SADD", "resque:workers", "web1:17:mail,plain", "web2:18:*", "web3:19:mail"]).await;
    let beats = [("web1:17:mail,plain", 10.0), ("web2:18:*", 20.0), ("web3:19:mail", 400.0)];
    for (worker, age) in beats {
        run(&mut other, &["HSET", "resque:workers:heartbeat", worker, &rfc3339(now - age)]).await;
    }
    for (worker, age) in [("web1:17:mail,plain", 50.0), ("web3:19:mail", 500.0)] {
        let job = format!(
            r#"{{"queue":"mail","run_at":"{}","payload":{{"class":"Report","args":["secret"]}}}}"#,
            rfc3339(now - age)
        );
        run(&mut other, &["SET", &format!("resque:worker:{worker}"), &job]).await;
    }
    run(&mut other, &["SET", "resque:stat:processed", "99"]).await;
    // As in lib/resque/failure/redis.rb.
    let failed =
        r#"{"payload":{"class":"Report","args":["secret"]},"exception":"RuntimeError","error":"of a@b.c"}"#;
    run(&mut other, &["RPUSH", "resque:failed", "{}", failed]).await;
    run(&mut other, &["ZADD", "resque:delayed_queue_schedule", &format!("{}", now - 90.0), "a"]).await;

    let mut asked = source(&spec("resque", &url));
    queues(&mut asked).await;
    let sample = queues(&mut asked).await;
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.workers, mail.stale_workers, mail.busy), (2, Some(2), Some(1), Some(1)));
    assert_eq!((mail.in_flight, mail.orphaned, mail.paused), (Some(2), Some(1), Some(false)));
    assert!((119.0..150.0).contains(&exact(mail)), "{mail:?}");
    let longest = mail.longest.as_ref().unwrap();
    assert_eq!((longest.name.as_str(), longest.worker.as_str()), ("Report", "web3:19:mail"));
    assert!((499.0..530.0).contains(&longest.running.unwrap()));
    let plain = queue(&sample, "plain");
    assert_eq!((plain.workers, plain.stale_workers), (Some(2), Some(0)));
    assert!(matches!(plain.oldest, QueueAge::AtLeast(_)), "Resque itself writes no time");
    assert_eq!(
        (sample.shared.processed, sample.shared.dead, sample.shared.overdue),
        (Some(99), Some(2), Some(1))
    );
    assert!((89.0..120.0).contains(&sample.shared.overdue_for.unwrap()));
    assert_eq!(dying(&sample.shared.dying), ["1 Report RuntimeError"]);
}

#[tokio::test]
async fn asynq_by_its_source() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let mut other = client(&url).await;
    let now = seconds(&mut other).await;
    run(&mut other, &["SADD", "asynq:queues", "default", "low"]).await;
    // Put in at the left, taken at the right; the time stands in the task's hash, in nanoseconds.
    for (id, age) in [("a", 300.0), ("b", 20.0)] {
        run(&mut other, &["LPUSH", "asynq:{default}:pending", id]).await;
        let since = format!("{:.0}000000000", now - age);
        run(
            &mut other,
            &["HSET", &format!("asynq:{{default}}:t:{id}"), "msg", "\u{1}", "pending_since", &since],
        )
        .await;
    }
    run(&mut other, &["LPUSH", "asynq:{default}:active", "c", "d"]).await;
    let (lost, held) = (format!("{}", now - 5.0), format!("{}", now + 25.0));
    run(&mut other, &["ZADD", "asynq:{default}:lease", &lost, "c", &held, "d"]).await;
    run(&mut other, &["ZADD", "asynq:{default}:retry", &format!("{}", now - 70.0), "e"]).await;
    run(&mut other, &["ZADD", "asynq:{default}:scheduled", &held, "f"]).await;
    run(&mut other, &["ZADD", "asynq:{default}:archived", "1", "g"]).await;
    run(&mut other, &["SET", "asynq:{default}:processed", "40"]).await;
    run(&mut other, &["SET", "asynq:{default}:failed", "4"]).await;
    run(&mut other, &["SET", "asynq:{low}:paused", "1"]).await;
    run(&mut other, &["ZADD", "asynq:servers", &lost, "asynq:servers:{h:1:gone}"]).await;

    let mut asked = source(&spec("asynq", &url));
    let sample = queues(&mut asked).await;
    let default = queue(&sample, "default");
    assert!((299.0..330.0).contains(&exact(default)), "{default:?}");
    assert_eq!((default.depth, default.in_flight, default.orphaned), (2, Some(2), Some(1)));
    assert_eq!((default.scheduled, default.retry, default.dead), (Some(1), Some(1), Some(1)));
    assert_eq!((default.overdue, default.processed, default.failed), (Some(1), Some(40), Some(4)));
    assert!((69.0..100.0).contains(&default.overdue_for.unwrap()));
    assert_eq!((default.workers, sample.workers), (Some(0), Some(0)), "its server's term is over");
    assert_eq!((queue(&sample, "low").paused, &queue(&sample, "low").oldest), (Some(true), &QueueAge::Empty));

    run(&mut other, &["ZADD", "asynq:servers", &format!("{}", now + 60.0), "asynq:servers:{h:2:there}"])
        .await;
    let sample = queues(&mut asked).await;
    assert_eq!((sample.workers, queue(&sample, "default").workers), (Some(1), None));
}

#[tokio::test]
async fn laravel_by_its_source() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let mut other = client(&url).await;
    let now = seconds(&mut other).await;
    let list = "shop-database-queues:mail";
    let job = |id: u32, age: f64, attempts: u32| {
        format!(
            r#"{{"uuid":"{id}","displayName":"App\\Jobs\\Mail","job":"x","data":{{"command":"secret"}},"attempts":{attempts},"createdAt":{:.0}}}"#,
            now - age
        )
    };
    run(&mut other, &["RPUSH", list, &job(1, 200.0, 0), &job(2, 3.0, 0)]).await;
    run(&mut other, &["RPUSH", "shop-database-queues:mail:notify", "1", "1"]).await;
    let (late, held) = (format!("{}", now - 65.0), format!("{}", now + 90.0));
    run(&mut other, &["ZADD", "shop-database-queues:mail:reserved", &late, &job(3, 900.0, 7), &held, "{}"])
        .await;
    run(&mut other, &["ZADD", "shop-database-queues:mail:delayed", &late, "{}", &held, "{ }"]).await;
    // Older versions write no time.
    run(&mut other, &["RPUSH", "shop-database-queues:old", r#"{"uuid":"9","job":"x","attempts":0}"#]).await;
    // A second application with a queue of the same name.
    run(&mut other, &["RPUSH", "blog-database-queues:mail", &job(4, 1.0, 0)]).await;

    let mut asked = source(&spec("laravel", &url));
    let sample = queues(&mut asked).await;
    let names: Vec<_> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["mail", "old", "shop-database-queues:mail"]);
    let mail = queue(&sample, "shop-database-queues:mail");
    assert!((199.0..230.0).contains(&exact(mail)), "{mail:?}");
    assert_eq!((mail.depth, mail.in_flight, mail.orphaned), (2, Some(2), Some(1)));
    assert_eq!((mail.scheduled, mail.overdue), (Some(2), Some(1)));
    assert!((64.0..95.0).contains(&mail.overdue_for.unwrap()));
    let returning = mail.returning.as_ref().unwrap();
    assert_eq!((returning.name.as_str(), returning.tries), ("App\\Jobs\\Mail", Some(7)));
    assert!(matches!(queue(&sample, "old").oldest, QueueAge::AtLeast(_)));

    // A drained queue leaves no key, and is a queue all the same; a configured prefix keeps others out.
    run(&mut other, &["DEL", "shop-database-queues:old"]).await;
    assert_eq!(queue(&queues(&mut asked).await, "old").depth, 0);
    let mut only = spec("laravel", &url);
    only.prefix = Some("blog-database-".into());
    let sample = queues(&mut source(&only)).await;
    assert_eq!((sample.queues.len(), queue(&sample, "mail").depth), (1, 1));
}
