//! Lock edges into trees: every shape that real servers make, and any that they do not.
#![expect(clippy::expect_used, reason = "what the kernel tells of a thread is there, or the test fails")]

use std::time::Duration;

use proptest::prelude::*;
use warroom::detect::blocking::{Forest, Node, Offer, RootKind};
use warroom::model::{
    Backend, BackendKey, BackendState, Freed, PreparedTransaction, SafeText, Timestamp, Wait,
};

/// A session that waits for these pids; for none, it does not wait.
fn session(pid: i32, blocked_by: &[i32]) -> Backend {
    let waits = !blocked_by.is_empty();
    Backend {
        key: BackendKey { pid, started: Timestamp::default() },
        leader_pid: None,
        kind: SafeText::new("client backend"),
        database: SafeText::default(),
        user: SafeText::default(),
        application_name: SafeText::default(),
        client: SafeText::default(),
        state: if waits { BackendState::Active } else { BackendState::Idle },
        wait: waits.then(|| Wait { class: SafeText::new("Lock"), event: SafeText::default() }),
        query_start: None,
        xact_age: None,
        query_age: None,
        state_age: None,
        has_written: false,
        query: SafeText::default(),
        blocked_by: blocked_by.to_vec(),
        wait_age: waits.then_some(f64::from(pid)),
        wants: None,
        holds: Vec::new(),
        process: "".into(),
    }
}

fn forest(sessions: &[Backend]) -> Forest {
    Forest::build(sessions, &[])
}

/// `pid depth frees_now/frees` a row.
fn drawn(sessions: &[Backend], forest: &Forest) -> Vec<String> {
    let pid = |node| match node {
        Node::Backend(at) => sessions[at].key.pid.to_string(),
        other => format!("{other:?}"),
    };
    let line = |row: &warroom::detect::blocking::Row| {
        format!("{}{} {}/{}", "-".repeat(row.depth), pid(row.node), row.frees_now, row.frees)
    };
    forest.rows.iter().map(line).collect()
}

#[test]
fn a_queue_on_one_row_is_flat_and_frees_one_after_the_other() {
    let all =
        [session(1, &[]), session(2, &[1]), session(3, &[1, 2, 2]), session(4, &[3, 1, 2]), session(9, &[])];
    let forest = forest(&all);
    assert_eq!(drawn(&all, &forest), ["1 1/3", "-4 0/0", "-3 0/0", "-2 0/0"]);
    let root = &forest.roots[0];
    assert_eq!((root.kind, root.frees_now, root.frees, root.waiters), (RootKind::Holder, 1, 3, 3));
    assert_eq!(root.oldest_wait, Some(4.0));
    assert_eq!(forest.offer(), Some(Offer { roots: vec![0], frees: 3 }));
    assert_eq!(forest.freed_by(&[Node::Backend(1)]), Freed { now: 0, in_all: 0, still_blocked: 2 });
}

#[test]
fn readers_behind_a_waiting_alter_stand_under_it() {
    let all = [session(1, &[]), session(2, &[1]), session(3, &[2]), session(4, &[2])];
    let forest = forest(&all);
    assert_eq!(drawn(&all, &forest), ["1 1/3", "-2 2/2", "--4 0/0", "--3 0/0"]);
    assert_eq!(forest.freed_by(&[Node::Backend(1)]), Freed { now: 2, in_all: 2, still_blocked: 0 });
}

#[test]
fn two_holders_of_one_waiter_are_offered_together() {
    let all = [session(1, &[]), session(2, &[]), session(3, &[1, 2]), session(4, &[3])];
    let forest = forest(&all);
    assert_eq!(drawn(&all, &forest), ["1 0/0", "-3 1/1", "--4 0/0", "2 0/0"]);
    assert_eq!(forest.roots.iter().map(|r| (r.waiters, r.frees)).collect::<Vec<_>>(), [(2, 0), (2, 0)]);
    assert_eq!(forest.rows[1].roots, 2);
    assert_eq!(forest.offer(), Some(Offer { roots: vec![0, 1], frees: 2 }));
    assert_eq!(forest.freed_by(&[Node::Backend(0)]), Freed { now: 0, in_all: 0, still_blocked: 2 });
    assert_eq!(
        forest.freed_by(&[Node::Backend(0), Node::Backend(1)]),
        Freed { now: 1, in_all: 2, still_blocked: 0 }
    );
}

#[test]
fn a_root_that_frees_many_is_offered_alone() {
    let mut all = vec![session(1, &[]), session(2, &[]), session(3, &[1, 2])];
    all.extend((10..20).map(|pid| session(pid, &[1])));
    assert_eq!(forest(&all).offer(), Some(Offer { roots: vec![0], frees: 10 }));
}

#[test]
fn parallel_workers_are_their_leader() {
    let mut worker = session(3, &[1]);
    worker.leader_pid = Some(2);
    let mut leader = session(2, &[1, 1]);
    leader.wait = None;
    let all = [session(1, &[]), leader, worker, session(4, &[2, 3, 3])];
    let forest = forest(&all);
    assert_eq!(drawn(&all, &forest), ["1 1/2", "-2 1/1", "--4 0/0"]);
    assert_eq!(forest.waiters, 2);
}

#[test]
fn pid_0_is_the_prepared_transaction_that_holds_the_lock() {
    let prepared = |gid: &str, waiters: &[i32]| PreparedTransaction {
        gid: SafeText::new(gid),
        waiters: waiters.to_vec(),
        ..PreparedTransaction::default()
    };
    let all = [session(1, &[0]), session(2, &[0, 1]), session(3, &[0])];
    let named = Forest::build(&all, &[prepared("a", &[1, 2]), prepared("b", &[3])]);
    assert_eq!(drawn(&all, &named), ["Prepared(0) 1/2", "-2 0/0", "-1 0/0", "Prepared(1) 1/1", "-3 0/0"]);
    let unnamed = forest(&all);
    assert_eq!(unnamed.roots.len(), 1);
    assert_eq!(unnamed.roots[0].nodes, [Node::UnnamedPrepared]);
    assert_eq!(unnamed.roots[0].frees, 3);
}

#[test]
fn a_circle_is_one_root_that_nobody_can_end_and_soft_circles_hide_no_holder() {
    let all = [session(1, &[2]), session(2, &[1]), session(3, &[1])];
    let circle = forest(&all);
    assert_eq!(circle.roots[0].kind, RootKind::Cycle);
    assert_eq!((circle.roots[0].waiters, circle.waiters), (3, 3));
    assert_eq!(circle.offer(), None);
    let all = [session(1, &[]), session(2, &[1, 3]), session(3, &[1, 2])];
    let soft = forest(&all);
    assert_eq!(soft.roots[0].kind, RootKind::Holder);
    assert_eq!(soft.roots[0].frees, 2);
    assert_eq!(soft.rows.len(), 3);
}

#[test]
fn a_waiter_whose_blocker_is_not_told_is_not_called_a_holder() {
    let mut lost = session(1, &[777]);
    let all = [lost.clone(), session(2, &[1])];
    let forest = forest(&all);
    assert_eq!(forest.roots[0].kind, RootKind::Unresolved);
    assert_eq!((forest.roots[0].waiters, forest.waiters), (2, 2));
    assert_eq!(forest.offer(), None);
    lost.blocked_by.clear();
    assert_eq!(Forest::build(&[lost], &[]).roots[0].kind, RootKind::Unresolved);
}

#[test]
fn a_chain_of_a_thousand_is_drawn_whole() {
    let mut all = vec![session(1, &[])];
    all.extend((2..=1000).map(|pid| session(pid, &[pid - 1])));
    let forest = forest(&all);
    assert_eq!(forest.rows.last().unwrap().depth, 999);
    assert_eq!((forest.roots[0].frees_now, forest.roots[0].frees), (1, 999));
    all[0] = session(1, &[1000]);
    assert_eq!(Forest::build(&all, &[]).roots[0].nodes.len(), 1000);
}

/// How long a processor has worked for this thread, in ticks of 10 ms: waiting for one does not count.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("a thread has one");
    let (_, fields) = stat.rsplit_once(") ").expect("its name stands in brackets");
    let ticks: u64 =
        fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// How much work the forest of a queue on one row is: each waits for all ahead of it.
fn queue_takes(waiters: i32) -> Duration {
    let ahead = |n: i32| (0..=n).map(|n| n + 1000).collect::<Vec<_>>();
    let mut all: Vec<Backend> = (0..waiters).map(|n| session(n + 1001, &ahead(n))).collect();
    all.extend((0..100).map(|n| session(9000 + n, &[])));
    all.push(session(1000, &[]));
    let began = worked();
    let forest = forest(&all);
    let took = worked().saturating_sub(began);
    assert_eq!(forest.roots[0].frees, waiters.cast_unsigned());
    took
}

#[test]
fn five_hundred_waiters_on_one_row_take_milliseconds() {
    // Far more than an unoptimised build needs here.
    assert!(queue_takes(500) < Duration::from_secs(1));
    assert!(queue_takes(2000) < Duration::from_secs(10));
}

proptest! {
    #[test]
    fn every_waiter_is_drawn_once_whatever_the_server_says(
        edges in prop::collection::vec((0_i32..12, prop::collection::vec(-1_i32..14, 0..6), prop::option::of(0_i32..12)), 0..14),
    ) {
        let mut all: Vec<Backend> = Vec::new();
        for (pid, blocked_by, leader) in edges {
            if all.iter().all(|one| one.key.pid != pid + 1) {
                let mut one = session(pid + 1, &blocked_by);
                one.leader_pid = leader;
                all.push(one);
            }
        }
        let forest = forest(&all);
        let mut nodes: Vec<Node> = forest.rows.iter().map(|row| row.node).collect();
        let drawn = nodes.len();
        nodes.sort_unstable();
        nodes.dedup();
        prop_assert_eq!(nodes.len(), drawn, "somebody is drawn twice");
        for (at, one) in all.iter().enumerate() {
            if one.waits_for_lock() && one.leader_pid.is_none() {
                prop_assert!(nodes.contains(&Node::Backend(at)), "{} is not drawn", one.key.pid);
            }
        }
        prop_assert_eq!(forest.roots.iter().map(|root| root.rows.len()).sum::<usize>(), drawn);
        for row in &forest.rows {
            if row.frees > 0 {
                prop_assert_eq!(forest.freed_by(&[row.node]).in_all, row.frees);
            }
        }
        if let Some(offer) = forest.offer() {
            let ended: Vec<Node> = offer.roots.iter().flat_map(|root| forest.roots[*root].nodes.clone()).collect();
            prop_assert_eq!(forest.freed_by(&ended).in_all, offer.frees);
        }
    }
}
