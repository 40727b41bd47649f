//! A namespace spread over the masters of a cluster is cleared on all of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::net::TcpListener;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::Instant;
use warroom::actions::StopFlag;
use warroom::lab;
use warroom::lab::redis::Redis;
use warroom::model::OutcomeKind;

use super::redis::{client, run};
use super::redis_clear::{act, fill, plan, size, target};

/// First and last slot of each master.
const SLOTS: [(i64, i64); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

/// A master, a connection to it, and the port on which it speaks with the others.
pub(super) type Node = (Redis, MultiplexedConnection, u16);

/// One of the three masters, which knows of no other yet.
pub(super) async fn start(number: usize) -> Node {
    let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bus_port = bus.to_string();
    let server = lab::redis::start(&[
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus_port,
        "--cluster-node-timeout",
        "5000",
    ])
    .unwrap();
    let mut own = client(&server.url(0)).await;
    let (first, last) = SLOTS[number];
    run(&mut own, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
    run(&mut own, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
    (server, own, bus)
}

/// Makes three masters one cluster, and waits until each of them says so.
pub(super) async fn meet(nodes: &mut [Node]) {
    let others: Vec<_> = nodes[1..].iter().map(|(server, _, bus)| (server.port(), *bus)).collect();
    for (port, bus) in others {
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()].map(str::to_owned);
        run(&mut nodes[0].1, &meet.each_ref().map(String::as_str)).await;
    }
    let began = Instant::now();
    for (_, own, _) in nodes.iter_mut() {
        loop {
            let info = run(own, &["CLUSTER", "INFO"]).await;
            let redis::Value::BulkString(text) = &info else { panic!("{info:?}") };
            let text = String::from_utf8_lossy(text);
            if text.contains("cluster_state:ok") && text.contains("cluster_size:3") {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A hash tag whose slot lies on this master.
pub(super) async fn tag(own: &mut MultiplexedConnection, number: usize) -> u32 {
    let (first, last) = SLOTS[number];
    let mut tag = 0;
    loop {
        let slot = run(own, &["CLUSTER", "KEYSLOT", &format!("{{{tag}}}")]).await;
        if matches!(slot, redis::Value::Int(slot) if (first..=last).contains(&slot)) {
            return tag;
        }
        tag += 1;
    }
}

#[tokio::test]
async fn every_master_of_a_cluster_is_cleared() {
    let mut nodes = Vec::new();
    for number in 0..SLOTS.len() {
        nodes.push(start(number).await);
    }
    let url = nodes[0].0.url(0);
    let spec = target(&url, &[("a", "cache:a:", false), ("sessions", "sess:", true)]);
    let refusal = plan(&spec, "a").await.unwrap_err();
    assert!(refusal.says.as_str().contains("slots are served"), "{refusal}");

    meet(&mut nodes).await;
    for (number, (_, own, _)) in nodes.iter_mut().enumerate() {
        let tag = tag(own, number).await;
        fill(own, &format!("cache:a:{{{tag}}}:"), 3_000 + u32::try_from(number).unwrap()).await;
        fill(own, &format!("page:{{{tag}}}:"), 4_000).await;
        fill(own, &format!("sess:{{{tag}}}:"), 10).await;
    }

    let planned = plan(&spec, "a").await.unwrap();
    assert!((8_000..10_000).contains(&planned.touches), "the estimate is far off: {}", planned.touches);
    assert!(planned.warnings.iter().any(|it| it.as_str().contains("on 3 masters")), "{planned:?}");
    let (outcome, told) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(9_003)), "{}", outcome.says);
    assert!(outcome.says.as_str().contains("none is left"), "{}", outcome.says);
    assert!(told.windows(2).all(|pair| pair[0].share <= pair[1].share), "progress went backwards");
    for (_, own, _) in &mut nodes {
        assert_eq!(size(own).await, 4_010);
    }
}
