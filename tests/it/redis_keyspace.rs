//! What a real keyspace holds, learnt from samples: never walked, never counted among the server's own figures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "figures for eyes")]

use redis::aio::MultiplexedConnection;
use warroom::lab;
use warroom::model::{CacheSample, LargeKey, Namespace, NamespaceSample};

use super::redis::{cache, client, run, source, spec};

async fn fill(client: &mut MultiplexedConnection, prefix: &str, count: u32, command: &str, more: &[&str]) {
    for first in (0..count).step_by(5_000) {
        let mut pipeline = redis::pipe();
        for n in first..count.min(first + 5_000) {
            pipeline.cmd(command).arg(format!("{prefix}{n}")).arg(more).ignore();
        }
        pipeline.query_async::<()>(client).await.unwrap();
    }
}

fn found<'a>(sample: &'a CacheSample, prefix: &str) -> &'a NamespaceSample {
    let it = sample.found.iter().find(|it| it.prefix.as_str() == prefix);
    it.unwrap_or_else(|| panic!("no {prefix:?} in {:#?}", sample.found))
}

/// Whether the estimate holds: within three times what it says it may be off, which chance alone never exceeds.
fn holds(it: &NamespaceSample, keys: u64) -> bool {
    let (told, off) = (it.keys.unwrap(), it.keys_off.unwrap());
    off > 0 && told.abs_diff(keys) <= off * 3
}

#[tokio::test]
async fn namespaces_are_found_and_measured_from_samples_that_leave_no_trace() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    let value = "x".repeat(200);
    fill(&mut other, "cache:page:", 20_000, "SET", &[&value, "EX", "600"]).await;
    fill(&mut other, "cache:user:", 8_000, "HSET", &["name", "x"]).await;
    fill(&mut other, "cache:odd:", 100, "SET", &["x"]).await;
    for n in 0..5_000 {
        run(&mut other, &["SET", &format!("cart:{n}:items"), "x"]).await;
    }
    fill(&mut other, "plain", 4_000, "SET", &["x"]).await;
    // Another database, whose keys must not be counted.
    fill(&mut client(&server.url(1)).await, "cache:page:", 10_000, "SET", &["x"]).await;
    let mut spec = spec("redis", &server.url(0));
    spec.namespaces.push(Namespace::parse("users", "cache:user:", false).unwrap());
    spec.namespaces.push(Namespace::parse("none", "cache:none:", false).unwrap());
    let mut source = source(&spec);
    let mut sample = cache(&mut source).await;
    for _ in 0..100 {
        sample = cache(&mut source).await;
    }
    assert_eq!(sample.missing, vec![]);

    let users = &sample.namespaces[0];
    assert!(holds(users, 8_000), "{users:#?}");
    assert_eq!(users.types.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["hash"], "{users:#?}");
    assert_eq!((users.lasting, users.ttl), (Some(1.0), None));
    let none = &sample.namespaces[1];
    assert_eq!(none.keys, Some(0));
    assert!((1..100).contains(&none.keys_off.unwrap()), "{none:#?}");

    let page = found(&sample, "cache:page:");
    assert!(holds(page, 20_000), "{page:#?}");
    assert!(page.looked_into >= 100, "{page:#?}");
    let ttl = page.ttl.unwrap();
    assert!((300.0..=600.0).contains(&ttl.middle) && page.lasting == Some(0.0), "{page:#?}");
    let redis::Value::Int(each) = run(&mut other, &["MEMORY", "USAGE", "cache:page:15000"]).await else {
        panic!("no size")
    };
    let bytes = each as f64 * 20_000.0;
    assert!((page.bytes.unwrap() - bytes).abs() <= page.bytes_off.unwrap() * 3.0 + bytes / 50.0, "{page:#?}");
    assert!(holds(found(&sample, "cart:"), 5_000), "an id is no prefix");
    assert!(holds(found(&sample, ""), 4_000));
    assert!(!sample.found.iter().any(|it| it.prefix.as_str() == "cache:user:"), "that one is configured");
    assert!(sample.found.windows(2).all(|pair| pair[0].share >= pair[1].share));

    // Nobody has looked anything up but we ourselves.
    assert_eq!((sample.hits, sample.misses), (0, 0));
    run(&mut other, &["GET", "plain1"]).await;
    run(&mut other, &["GET", "nothing"]).await;
    let sample = cache(&mut source).await;
    assert_eq!((sample.hits, sample.misses), (1, 1));
    run(&mut other, &["CONFIG", "RESETSTAT"]).await;
    cache(&mut source).await;
    run(&mut other, &["GET", "plain1"]).await;
    cache(&mut source).await;
    let sample = cache(&mut source).await;
    assert!(sample.hits <= 1 && sample.misses == 0, "{} {}", sample.hits, sample.misses);
    let calls =
        |name: &str| sample.command_stats.iter().find(|it| it.name.as_str() == name).map_or(0, |it| it.calls);
    assert_eq!(calls("keys"), 0);
}

#[tokio::test]
async fn a_large_key_is_met_and_forgotten_when_it_is_gone() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 200, "SET", &["x"]).await;
    for n in 0..20_000 {
        run(&mut other, &["HSET", "cache:a:index", &format!("field {n}"), "some value"]).await;
    }
    let mut source = source(&spec("redis", &server.url(0)));
    assert_eq!(cache(&mut source).await.key_sizes, [], "this server does not count them");
    let largest = |sample: &CacheSample| sample.largest.first().cloned();
    let is_it = |it: Option<LargeKey>| it.is_some_and(|it| it.key.as_str() == "cache:a:index");
    let mut sample = cache(&mut source).await;
    for _ in 0..200 {
        if is_it(largest(&sample)) {
            break;
        }
        sample = cache(&mut source).await;
    }
    let it = largest(&sample).unwrap();
    assert!(is_it(Some(it.clone())), "{:?}", sample.largest);
    assert!(it.bytes > 1_000_000 && it.kind.as_str() == "hash", "{it:?}");
    let of = found(&sample, "cache:a:");
    assert_eq!((of.keys, of.keys_off), (Some(201), Some(0)), "every key was seen");
    assert!(is_it(of.largest.clone()));
    run(&mut other, &["UNLINK", "cache:a:index"]).await;
    for _ in 0..20 {
        sample = cache(&mut source).await;
    }
    assert!(!is_it(largest(&sample)), "{:?}", sample.largest);
}

/// A large key among so many that the sample would hardly ever meet it.
async fn hide(other: &mut MultiplexedConnection) {
    for part in 0..10 {
        run(other, &["DEBUG", "POPULATE", "3000", &format!("cache:{part}"), "20"]).await;
    }
    for first in (0..20_000).step_by(1_000) {
        let mut pipeline = redis::pipe();
        for n in first..first + 1_000 {
            pipeline.cmd("HSET").arg("cache:\u{1b}[2Jhash").arg(n).arg("x").ignore();
        }
        pipeline.query_async::<()>(other).await.unwrap();
    }
    run(other, &["SET", "cache:blob", &"x".repeat(2 << 20), "EX", "5000"]).await;
}

fn has_both(sample: &CacheSample) -> bool {
    let names: Vec<_> = sample.largest.iter().map(|it| it.key.as_str().to_owned()).collect();
    names.iter().any(|it| it == "cache:blob") && names.iter().any(|it| it.ends_with("hash"))
}

#[tokio::test]
async fn a_large_key_is_found_within_a_bounded_number_of_polls_wherever_it_is() {
    let sorts = super::redis_versions::Sort::all();
    for sort in sorts.iter().filter(|sort| sort.counts_sizes() || sort.is("valkey 9")) {
        let server = sort.start(&["--enable-debug-command", "yes"]);
        let mut other = client(&server.url(0)).await;
        hide(&mut other).await;
        let mut source = source(&spec("redis", &server.url(0)));
        let mut polls = 0;
        let mut sample = cache(&mut source).await;
        // Where the server counts them, a thousand names a poll are walked over; else a hundred.
        let most = if sort.counts_sizes() { 140 } else { 400 };
        while !has_both(&sample) {
            polls += 1;
            assert!(polls <= most, "{}: {:?} {:?}", sort.product, sample.largest, sample.key_sizes);
            sample = cache(&mut source).await;
        }
        let blob = sample.largest.iter().find(|it| it.key.as_str() == "cache:blob").unwrap();
        assert!(
            blob.bytes >= 2 << 20 && blob.ttl.is_some_and(|ttl| (1.0..=5_000.0).contains(&ttl)),
            "{blob:?}"
        );
        assert!(sample.largest.iter().all(|it| !it.key.as_str().contains('\u{1b}')));
        assert!(sample.sized > 0);
        if sort.counts_sizes() {
            let of =
                |kind: &str| sample.key_sizes.iter().find(|it| it.kind.as_str() == kind).unwrap().clone();
            assert_eq!((of("string").large, of("string").most, of("hash").large), (1, 2 << 20, 1));
        }
        // What it costs the server, a poll.
        run(&mut other, &["CONFIG", "RESETSTAT"]).await;
        for _ in 0..50 {
            sample = cache(&mut source).await;
        }
        let spent = |names: &[&str]| {
            let of = sample.command_stats.iter().filter(|it| names.contains(&it.name.as_str()));
            of.fold((0, 0), |sum, it| (sum.0 + it.calls, sum.1 + it.micros))
        };
        let (calls, micros) = spent(&["memory|usage", "memory", "type", "pttl", "scan"]);
        eprintln!(
            "{}: found after {polls} polls; {} calls, {} us a poll to look into keys",
            sort.product,
            calls / 50,
            micros / 50
        );
        assert!(calls / 50 <= 150, "{calls}");
        assert_eq!((sample.hits, sample.misses), (0, 0), "{}: it leaves no trace", sort.product);
    }
}
