//! Who troubles a real cache: those who connect for each request, fetch no answers, listen to everything or
//! hold all connections; and memory that it holds without using it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use warroom::lab;
use warroom::model::{CacheSample, ClientRole, Culprit, Finding, Sample, Severity};

use super::redis::{cache, client, run, source, spec};
use super::redis_detect::{found, judged};
use super::redis_service::until;

/// What is found when it has looked like this for long.
fn lasting(sample: &CacheSample, rule: &str) -> Option<Finding> {
    found(&judged((0..20).map(|_| Sample::Cache(Box::new(sample.clone())))), rule)
}

fn connect(port: u16, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    let mut answer = [0; 64];
    assert!(stream.read(&mut answer).unwrap() > 0);
    stream
}

#[tokio::test]
async fn who_connects_for_each_request_is_named() {
    let server = lab::redis::start(&[]).unwrap();
    let port = server.port();
    let mut source = source(&spec("redis", &server.url(0)));
    let before = cache(&mut source).await;
    assert_eq!(before.client_list, None, "nothing asks for a look");
    let stop = Arc::new(AtomicBool::new(false));
    let web = |n: usize| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let held = connect(port, &format!("CLIENT SETNAME web.{n}\r\n"));
                std::thread::sleep(Duration::from_millis(5));
                drop(held);
            }
        })
    };
    let threads: Vec<_> = (0..4).map(web).collect();
    let seen = until(&mut source, "who connects", |it| {
        it.client_list.as_ref().is_some_and(|it| it.fresh.first().is_some_and(|it| it.seen >= 3))
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let list = seen.client_list.clone().unwrap();
    assert_eq!(list.fresh[0].who.as_str(), "web at 127.0.0.1", "{list:?}");
    // What was seen, at a pace that no machine changes: 90 a second.
    let of = |n: u64| {
        let mut it = seen.clone();
        (it.connections, it.commands) = (seen.connections + 90 * n, seen.commands + 180 * n);
        Sample::Cache(Box::new(it))
    };
    let told = found(&judged((0..30).map(of)), "cache_clients").unwrap();
    let says = "90 new connections/s for 180 commands/s: web at 127.0.0.1 connects for each request";
    assert!(told.says.starts_with(says), "{}", told.says);
    assert!(
        matches!(told.culprit, Some(Culprit::Sessions { ref name, count }) if name.as_str() == "web at 127.0.0.1" && count >= 3)
    );
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_is_named_with_what_waits_for_it() {
    let server = lab::redis::start(&["--client-output-buffer-limit", "pubsub", "0", "0", "0"]).unwrap();
    let mut other = client(&server.url(0)).await;
    let held = connect(server.port(), "SUBSCRIBE news\r\n");
    let mut source = source(&spec("redis", &server.url(0)));
    assert_eq!(lasting(&cache(&mut source).await, "output_buffers"), None);
    let news = "x".repeat(1 << 20);
    for _ in 0..40 {
        run(&mut other, &["PUBLISH", "news", &news]).await;
    }
    let heavy = |it: &CacheSample| it.client_list.as_ref().and_then(|it| it.heavy.first().cloned());
    let piled = until(&mut source, "a buffer", |it| heavy(it).is_some_and(|it| it.bytes > 20 << 20)).await;
    let client = heavy(&piled).unwrap();
    assert_eq!((client.role, client.command.as_str()), (ClientRole::Subscriber, "subscribe"));
    assert!(piled.client_memory.unwrap() > 20 << 20, "{:?}", piled.client_memory);
    let told = lasting(&piled, "output_buffers").unwrap();
    let at = held.local_addr().unwrap();
    assert!(
        told.says.contains(&format!("of answers wait for {at} (a subscriber, SUBSCRIBE)")),
        "{}",
        told.says
    );
    let full = CacheSample { max_memory: Some(100 << 20), ..piled };
    let told = lasting(&full, "output_buffers").unwrap();
    assert_eq!(told.severity, Severity::Critical);
    assert!(told.says.ends_with("% of the memory it has"), "{}", told.says);
    drop(held);
    until(&mut source, "an empty buffer", |it| heavy(it).is_none()).await;
}

#[tokio::test]
async fn a_monitor_that_was_left_open_is_named_until_it_ends() {
    let server = lab::redis::start(&[]).unwrap();
    let held = connect(server.port(), "CLIENT SETNAME laptop\r\n");
    (&held).write_all(b"MONITOR\r\n").unwrap();
    (&held).read_exact(&mut [0; 5]).unwrap();
    let mut source = source(&spec("redis", &server.url(0)));
    let monitors = |it: &CacheSample| {
        it.client_list.as_ref().is_some_and(|it| it.heavy.iter().any(|it| it.role == ClientRole::Monitor))
    };
    let seen = until(&mut source, "the monitor", monitors).await;
    let told = lasting(&seen, "monitor").unwrap();
    let at = held.local_addr().unwrap();
    assert!(told.says.starts_with(&format!("laptop at {at} runs MONITOR for ")), "{}", told.says);
    drop(held);
    until(&mut source, "its end", |it| !monitors(it)).await;
}

#[tokio::test]
async fn memory_full_of_gaps_is_told_and_an_empty_server_is_not() {
    let server = lab::redis::start(&["--enable-debug-command", "yes"]).unwrap();
    let mut source = source(&spec("redis", &server.url(0)));
    let empty = cache(&mut source).await;
    assert_eq!((lasting(&empty, "fragmentation"), empty.freeing), (None, Some(0)));
    assert!(
        empty.allocator_gaps.is_some() && empty.allocator_kept.is_some() && empty.defragments == Some(false)
    );
    let mut other = client(&server.url(0)).await;
    // In parts, each of which a slow machine does in time. One of eight values of this size stays: as many share a
    // slab of the allocator, so that none comes free and is given back while a slow machine is still at it.
    for part in 0..18 {
        run(&mut other, &["DEBUG", "POPULATE", "5000", &format!("key{part}"), "3500"]).await;
    }
    let gaps = "for i = 0, 4999 do if i % 8 ~= 0 then redis.call('unlink', ARGV[1] .. ':' .. i) end end";
    for part in 0..18 {
        run(&mut other, &["EVAL", gaps, "0", &format!("key{part}")]).await;
    }
    let wasted = |it: &CacheSample| it.fragmentation_bytes.is_some_and(|bytes| bytes > 220 << 20);
    let sample = until(&mut source, "fragmentation", wasted).await;
    let told = lasting(&sample, "fragmentation").unwrap();
    // Worse where what made the gaps was slow as well, which is put down to them.
    assert!(told.severity >= Severity::Warning, "{told:?}");
    assert!(told.says.contains("more from its machine than it uses"), "{}", told.says);
    // Which of the two helps depends on how far its allocator is with giving back.
    let remedy = |sample: &CacheSample| lasting(sample, "fragmentation").unwrap().remedy.unwrap().says;
    let mut sample = sample;
    (sample.allocator_gaps, sample.allocator_kept) = (Some(200 << 20), Some(20 << 20));
    assert!(remedy(&sample).contains("activedefrag"), "{sample:#?}");
    (sample.allocator_gaps, sample.allocator_kept) = (Some(20 << 20), Some(200 << 20));
    assert!(remedy(&sample).contains("MEMORY PURGE"), "{sample:#?}");
}

#[test]
fn a_part_that_is_swapped_out_and_freeing_that_falls_behind_are_told() {
    let gb = 1_u64 << 30;
    let mut sample = CacheSample {
        used_memory: 4 * gb,
        resident_memory: Some(3 * gb),
        fragmentation_ratio: Some(0.75),
        fragmentation_bytes: Some(-(1 << 30)),
        freeing: Some(2_000),
        ..CacheSample::default()
    };
    let told = lasting(&sample, "fragmentation").unwrap();
    assert!(
        told.says.starts_with("3.0 GB of the 4.0 GB it uses are in memory: the rest is swapped"),
        "{}",
        told.says
    );
    assert_eq!(lasting(&sample, "lazy_free"), None);
    sample.freeing = Some(250_000);
    let told = lasting(&sample, "lazy_free").unwrap();
    assert!(told.says.starts_with("250 000 removed keys are still to be freed"), "{}", told.says);
}
