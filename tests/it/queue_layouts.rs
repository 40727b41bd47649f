//! Sidekiq by its written layout (seconds before version 8, milliseconds since) and streams as the server keeps them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use warroom::lab;
use warroom::model::QueueAge;

use super::queues::{dying, queue, queues};
use super::redis::{client, run, source, spec};

async fn seconds(client: &mut redis::aio::MultiplexedConnection) -> f64 {
    let time: (f64, f64) = redis::cmd("TIME").query_async(client).await.unwrap();
    time.0
}

#[tokio::test]
async fn sidekiq_of_every_version() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(2);
    let mut other = client(&url).await;
    let now = seconds(&mut other).await;
    run(&mut other, &["SADD", "queues", "default", "mail"]).await;
    let job = |age: f64, milli: bool| {
        let at = now - age;
        if milli {
            format!(r#"{{"class":"A","jid":"1","enqueued_at":{:.0},"created_at":{:.0}}}"#, at * 1e3, at * 1e3)
        } else {
            format!(r#"{{"class":"A","jid":"1","enqueued_at":{at:.3},"created_at":{at:.3}}}"#)
        }
    };
    // Put in at the left, taken at the right: the oldest is the last.
    for age in [90.0, 40.0, 10.0] {
        run(&mut other, &["LPUSH", "queue:default", &job(age, false)]).await;
    }
    run(&mut other, &["LPUSH", "queue:mail", &job(700.0, true)]).await;
    run(&mut other, &["SADD", "paused", "mail"]).await;
    run(&mut other, &["SET", "stat:processed", "1234"]).await;
    run(&mut other, &["ZADD", "schedule", &format!("{}", now - 5.0), "a", &format!("{}", now + 500.0), "b"])
        .await;
    run(&mut other, &["ZADD", "retry", &format!("{}", now + 5.0), "c"]).await;
    run(&mut other, &["SADD", "processes", "web1:17:abc", "web2:18:gone"]).await;
    let work = format!(
        r#"{{"queue":"default","payload":"{{\"class\":\"Wrapper\",\"wrapped\":\"MailJob\",\"args\":[\"secret\"]}}","run_at":{:.0}}}"#,
        now - 80.0
    );
    let info = r#"{"hostname":"web1","concurrency":10,"queues":["default"],"identity":"web1:17:abc"}"#;
    run(
        &mut other,
        &["HSET", "web1:17:abc", "info", info, "beat", &format!("{now}"), "quiet", "false", "busy", "1"],
    )
    .await;
    run(&mut other, &["HSET", "web1:17:abc:work", "t1", &work]).await;

    let mut asked = source(&spec("sidekiq", &url));
    let sample = queues(&mut asked).await;
    let (default, mail) = (queue(&sample, "default"), queue(&sample, "mail"));
    let age = |age: &QueueAge| match age {
        QueueAge::Exact(age) => *age,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (default.depth, default.workers, default.busy, default.paused),
        (3, Some(10), Some(1), Some(false))
    );
    assert!((89.0..120.0).contains(&age(&default.oldest)), "{default:?}");
    let longest = default.longest.as_ref().unwrap();
    assert_eq!((longest.name.as_str(), longest.worker.as_str()), ("MailJob", "web1:17:abc"));
    assert!((79.0..110.0).contains(&longest.running.unwrap()), "{longest:?}");
    assert_eq!((mail.depth, mail.workers, mail.paused), (1, Some(0), Some(true)));
    assert!((699.0..730.0).contains(&age(&mail.oldest)), "{mail:?}");
    assert_eq!(
        (sample.shared.processed, sample.shared.scheduled, sample.shared.retry),
        (Some(1234), Some(2), Some(1))
    );
    assert_eq!((sample.shared.dead, sample.workers), (Some(0), Some(10)));
    let shared = queues(&mut asked).await.shared;
    assert_eq!(shared.overdue, Some(1));
    assert!((4.0..35.0).contains(&shared.overdue_for.unwrap()), "{shared:?}");
    // lib/sidekiq/job_retry.rb writes the error's class into the job itself.
    for n in 0..3 {
        let class = if n == 0 { r#""class":"Report""# } else { r#""class":"Wrapper","wrapped":"MailJob""# };
        let dead = format!(
            r#"{{{class},"args":["secret"],"queue":"mail","jid":"{n}","error_class":"Net::ReadTimeout","error_message":"of a@b.c"}}"#
        );
        run(&mut other, &["ZADD", "dead", &format!("{now}"), &dead]).await;
    }
    queues(&mut asked).await;
    let shared = queues(&mut asked).await.shared;
    assert_eq!(dying(&shared.dying), ["2 MailJob Net::ReadTimeout", "1 Report Net::ReadTimeout"]);
}

#[tokio::test]
async fn a_stream_tells_what_waits_also_after_a_deletion() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    let now = seconds(&mut other).await * 1e3;
    for n in 0..10_u32 {
        run(
            &mut other,
            &["XADD", "events", &format!("{:.0}-{n}", now - 120_000.0 + f64::from(n) * 1e3), "k", "v"],
        )
        .await;
    }
    run(&mut other, &["XGROUP", "CREATE", "events", "mail", "0"]).await;
    run(&mut other, &["XREADGROUP", "GROUP", "mail", "worker.1", "COUNT", "4", "STREAMS", "events", ">"])
        .await;
    let mut spec = spec("redis_stream", &server.url(0));
    spec.queues = vec!["events".into(), "none".into()];
    let mut asked = source(&spec);
    let sample = queues(&mut asked).await;
    let events = queue(&sample, "events");
    assert_eq!(
        (events.depth, events.in_flight, events.processed, events.workers),
        (6, Some(4), Some(4), Some(1))
    );
    let QueueAge::Exact(age) = events.oldest else { panic!("{events:?}") };
    assert!((115.0..140.0).contains(&age), "{age}");
    assert_eq!(queue(&sample, "none").depth, 0);

    // Deleting an unread entry makes the server lose its count.
    run(&mut other, &["XDEL", "events", &format!("{:.0}-7", now - 120_000.0 + 7e3)]).await;
    run(&mut other, &["XGROUP", "CREATE", "events", "audit", "$"]).await;
    let sample = queues(&mut asked).await;
    assert_eq!(queue(&sample, "events/mail").depth, 5);
    assert_eq!(queue(&sample, "events/audit").oldest, QueueAge::Empty);
}

/// The names come out of a database that anybody may write to.
#[tokio::test]
async fn a_name_that_is_none_is_left_out_and_told_and_costs_nothing() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(3)).await;
    let evil: [&[u8]; 4] = [b"mail", b"\x1b]0;PWNED\x07mail\x1b[2J", b"\xff\xfe", &vec![b'A'; 1_000_000]];
    for name in evil {
        let key = [b"rq:queue:", name].concat();
        let mut both = redis::pipe();
        both.cmd("SADD").arg("rq:queues").arg(&key).cmd("RPUSH").arg(&key).arg("job");
        both.exec_async(&mut other).await.unwrap();
    }
    let sample = queues(&mut source(&spec("rq", &server.url(3)))).await;
    let names: Vec<&str> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["mail", "mail"], "an escape is taken out of a name");
    let told: Vec<String> = sample.missing.iter().map(|it| format!("{it:?}")).collect();
    assert!(told.iter().any(|it| it.contains("2 queues left out")), "{told:?}");
}
