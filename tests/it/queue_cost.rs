//! What it costs a server to be asked for five hundred queues, steadily.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "figures for eyes")]

use redis::aio::MultiplexedConnection;
use warroom::lab;

use super::queues::{queue, queues};
use super::redis::{client, run, source, spec};

/// In as many polls every queue is asked everything once.
const POLLS: u64 = 8;

/// Figures of INFO that only grow.
#[derive(Debug, Clone, Copy)]
struct Spent {
    commands: u64,
    micros: u64,
    thread: f64,
    sent: u64,
    received: u64,
}

async fn spent(other: &mut MultiplexedConnection) -> Spent {
    let redis::Value::BulkString(text) = run(other, &["INFO", "all"]).await else { panic!() };
    let text = String::from_utf8(text).unwrap();
    let field = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    };
    let micros =
        text.lines().filter(|line| line.starts_with("cmdstat_") && !line.starts_with("cmdstat_info"));
    let micros = micros.map(|line| {
        let usec = line.split("usec=").nth(1).unwrap();
        usec.split(',').next().unwrap().parse::<u64>().unwrap()
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let count = |name: &str| field(name) as u64;
    Spent {
        commands: count("total_commands_processed"),
        micros: micros.sum(),
        thread: field("used_cpu_user_main_thread") + field("used_cpu_sys_main_thread"),
        sent: count("total_net_output_bytes"),
        received: count("total_net_input_bytes"),
    }
}

/// Commands, microseconds in commands, microseconds of the main thread, bytes in and out, each a poll.
async fn a_poll(kind: &str, seed: impl Fn(usize) -> Vec<Vec<String>>) -> [u64; 5] {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    for n in 0..500 {
        for command in seed(n) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            run(&mut other, &words).await;
        }
    }
    let mut asked = source(&spec(kind, &server.url(0)));
    let began = tokio::time::Instant::now();
    while queues(&mut asked).await.queues.len() < 500 {
        assert!(began.elapsed().as_secs() < 60, "{kind}: never all of them");
    }
    queues(&mut asked).await;
    let before = spent(&mut other).await;
    for _ in 0..POLLS {
        queues(&mut asked).await;
    }
    let after = spent(&mut other).await;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds")]
    let thread = ((after.thread - before.thread) * 1e6) as u64;
    let cost = [
        after.commands - before.commands - 1,
        after.micros - before.micros,
        thread,
        after.received - before.received,
        after.sent - before.sent,
    ];
    cost.map(|all| all / POLLS)
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn five_hundred_queues_cost_a_known_number_of_commands() {
    let rq = async |jobs: bool| {
        a_poll("rq", |n| {
            let mut all = vec![words(&format!("SADD rq:queues rq:queue:q{n}"))];
            if jobs {
                all.push(words(&format!("RPUSH rq:queue:q{n} job{n}")));
                all.push(words(&format!("HSET rq:job:job{n} enqueued_at 2025-11-21T03:41:34.000000Z")));
            }
            all
        })
        .await
    };
    let bullmq = async |jobs: bool| {
        a_poll("bullmq", |n| {
            let mut all = vec![words(&format!("HSET bull:q{n}:meta version bullmq:6.7.0"))];
            if jobs {
                all.push(words(&format!("LPUSH bull:q{n}:wait 1")));
                all.push(words(&format!("HSET bull:q{n}:1 timestamp 1763696494000")));
            }
            all
        })
        .await
    };
    let sidekiq = async |jobs: bool| {
        a_poll("sidekiq", |n| {
            let mut all = vec![words(&format!("SADD queues q{n}"))];
            if jobs {
                all.push(words(&format!(r#"LPUSH queue:q{n} {{"class":"A","enqueued_at":1763696494000}}"#)));
            }
            all
        })
        .await
    };
    for jobs in [true, false] {
        // Signs of each queue, and one in eight asked everything.
        let (rq, bullmq, sidekiq) = tokio::join!(rq(jobs), bullmq(jobs), sidekiq(jobs));
        let kinds = [("rq", 1, 2, 9, rq), ("bullmq", 3, 5, 15, bullmq), ("sidekiq", 1, 2, 2, sidekiq)];
        for (kind, empty, waiting, everything, cost) in kinds {
            let [commands, micros, thread, received, sent] = cost;
            // Seen by --nocapture; the times are the machine's affair, the rest is ours.
            eprintln!(
                "{kind}, {}: {commands} commands, {micros} us in them, {thread} us of the main thread, {received} B in, {sent} B out a poll",
                if jobs { "a job in each" } else { "empty" }
            );
            let signs = if jobs { waiting } else { empty };
            let limit = (signs * 500 * 7 + everything * 500) / 8 + 40;
            assert!(commands <= limit, "{kind}: {commands} > {limit}");
            assert!(received < 100 * limit && sent < 100_000, "{kind}: {received} {sent}");
        }
    }
}

/// A queue that rests among many: what changes is told at once, what else was counted says how old it is.
#[tokio::test]
async fn one_that_rests_among_many_is_told_as_it_is() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    for n in 0..80 {
        run(&mut other, &["SADD", "rq:queues", &format!("rq:queue:q{n:02}")]).await;
    }
    let mut asked = source(&spec("rq", &server.url(0)));
    let mut held = 0;
    for _ in 0..10 {
        let sample = queues(&mut asked).await;
        held += sample.queues.iter().filter(|queue| queue.counted_ago.is_some()).count();
    }
    assert!(held > 5 * 80, "{held}");
    run(&mut other, &["RPUSH", "rq:queue:q17", "job"]).await;
    run(&mut other, &["HSET", "rq:job:job", "enqueued_at", "2025-11-21T03:41:34.000000Z"]).await;
    run(&mut other, &["ZADD", "rq:failed:q17", "1", "a"]).await;
    run(&mut other, &["ZADD", "rq:failed:q18", "1", "a"]).await;
    let sample = queues(&mut asked).await;
    let q17 = queue(&sample, "q17");
    assert_eq!((q17.depth, q17.dead, q17.counted_ago), (1, Some(1), None), "asked everything at once");
    assert!(q17.oldest.seconds().unwrap() > 1e6);
    // One that shows no sign waits for its turn.
    for _ in 0..8 {
        if queue(&queues(&mut asked).await, "q18").dead == Some(1) {
            return;
        }
    }
    panic!("never counted again");
}
