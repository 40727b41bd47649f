//! Pausing queues of BullMQ 3 to 6: what a worker of the real library does of it, and no job is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::process::Stdio;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use serde_json::{Value as Json, json};
use warroom::actions::{Action as _, QueueActions};
use warroom::lab;
use warroom::model::{OutcomeKind, QueueChange};

use super::pause_queue::{act, refused, spec, told, wish};
use super::queues::{queue, queues};
use super::queues_bullmq::{Ended, node};
use super::redis::{client, run, source};

/// A worker that notes what it did, beside a queue that does what it is told.
const LIBRARY: &str = "
    const q = new Queue('mail', {connection}), other = new Queue('other', {connection});
    const done = async job => { await connection.rpush('done', job.name) };
    new Worker('mail', done, {connection: connection.duplicate()});
    new Worker('other', done, {connection: connection.duplicate()});
    const heard = new Redis(process.env.URL);
    for (;;) {
        const [, step] = await heard.blpop('step', 0);
        const told = await eval('(async () => (' + step + '))()');
        await connection.rpush('told', JSON.stringify(told === undefined ? null : told));
    }";

struct Library {
    _process: Ended,
    redis: MultiplexedConnection,
    url: String,
}

impl Library {
    async fn start(version: u32, url: &str) -> Self {
        let mut command = node(version, url, LIBRARY);
        let process = Ended(command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap());
        Self { _process: process, redis: client(url).await, url: url.to_owned() }
    }

    async fn next(&mut self, list: &str) -> Option<String> {
        let began = tokio::time::Instant::now();
        loop {
            if let Value::BulkString(text) = run(&mut self.redis, &["LPOP", list]).await {
                return Some(String::from_utf8(text).unwrap());
            }
            if began.elapsed() > Duration::from_secs(60) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the library answers to one step.
    async fn step(&mut self, step: &str) -> Json {
        run(&mut self.redis, &["RPUSH", "step", step]).await;
        let told = self.next("told").await.unwrap_or_else(|| panic!("no answer to {step}"));
        serde_json::from_str(&told).unwrap()
    }

    async fn done(&mut self, names: &[&str]) {
        let mut seen = Vec::new();
        for _ in names {
            seen.push(self.next("done").await.unwrap_or_else(|| panic!("{names:?}: only {seen:?}")));
        }
        seen.sort();
        assert_eq!(seen, names);
    }

    async fn put(&mut self, name: &str, options: &Json) {
        self.step(&format!("q.add('{name}', {{}}, {options}) && 1")).await;
    }

    /// Does it, and asks the library whether it is so.
    async fn told(&mut self, to: QueueChange) -> String {
        let actions = QueueActions::new(&spec("bullmq", &self.url));
        let plan = actions.plan(&wish(Some("mail"), to)).await.unwrap();
        let outcome = act(&actions, plan).await;
        assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
        let paused = self.step("q.isPaused()").await;
        assert_eq!(paused, json!(to == QueueChange::Pause), "the library sees it");
        outcome.says.to_string()
    }
}

async fn held_and_let_go(version: u32, url: &str) {
    let mut it = Library::start(version, url).await;
    it.put("first", &json!({})).await;
    it.done(&["first"]).await;

    it.told(QueueChange::Pause).await;
    it.put("a", &json!({})).await;
    it.put("b", &json!({})).await;
    it.put("urgent", &json!({"priority": 2})).await;
    it.step("other.add('sign', {}) && 1").await;
    it.done(&["sign"]).await;
    assert_eq!(run(&mut it.redis, &["LLEN", "done"]).await, Value::Int(0), "{version}: none was taken");
    let sample = queues(&mut source(&spec("bullmq", url))).await;
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, mail.paused), (3, Some(true)), "{version}");
    let actions = QueueActions::new(&spec("bullmq", url));
    let pause = wish(Some("mail"), QueueChange::Pause);
    assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo, "{version}");
    let resume = wish(Some("mail"), QueueChange::Resume);
    let stale = actions.plan(&resume).await.unwrap();
    assert!(told(&stale).contains("jobs: 3 waiting, 0 under way"), "{version}: {}", told(&stale));

    it.told(QueueChange::Resume).await;
    it.done(&["a", "b", "urgent"]).await;
    assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused, "{version}: it was resumed since");

    // Nothing but what a worker has to be woken for besides: a job before all others, and one for later.
    it.told(QueueChange::Pause).await;
    it.put("urgent", &json!({"priority": 1})).await;
    it.told(QueueChange::Resume).await;
    it.done(&["urgent"]).await;
    it.told(QueueChange::Pause).await;
    it.put("later", &json!({"delay": 1})).await;
    it.told(QueueChange::Resume).await;
    it.done(&["later"]).await;

    // Each may undo what the other did.
    it.told(QueueChange::Pause).await;
    it.put("ours", &json!({})).await;
    it.step("q.resume()").await;
    it.done(&["ours"]).await;
    it.step("q.pause()").await;
    it.put("theirs", &json!({})).await;
    assert!(it.told(QueueChange::Resume).await.starts_with("mail resumed; "));
    it.done(&["theirs"]).await;
    assert_eq!(
        it.step("q.getJobCounts('wait', 'paused', 'prioritized', 'delayed', 'failed')").await["failed"],
        0
    );
}

#[tokio::test]
async fn workers_of_every_version_take_nothing_until_they_are_let_again() {
    let server = lab::redis::start(&[]).unwrap();
    let urls: Vec<String> = (3..=6).map(|version| server.url(version)).collect();
    tokio::join!(
        held_and_let_go(3, &urls[0]),
        held_and_let_go(4, &urls[1]),
        held_and_let_go(5, &urls[2]),
        held_and_let_go(6, &urls[3]),
    );
}

#[tokio::test]
async fn what_cannot_be_paused_without_harm_is_left_alone() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let mut other = client(&url).await;
    let actions = QueueActions::new(&spec("bullmq", &url));
    let pause = wish(Some("mail"), QueueChange::Pause);
    assert!(refused(&actions, &pause).await.1.contains("has no queue"));
    run(&mut other, &["HSET", "bull:mail:meta", "version", "bullmq:9.0.0"]).await;
    assert!(refused(&actions, &pause).await.1.contains("none of the versions"));
    // What an older version left there would be overwritten by a rename.
    run(&mut other, &["HSET", "bull:mail:meta", "version", "bullmq:5.81.5"]).await;
    run(&mut other, &["RPUSH", "bull:mail:wait", "2", "1"]).await;
    run(&mut other, &["RPUSH", "bull:mail:paused", "0"]).await;
    let (kind, says) = refused(&actions, &pause).await;
    assert!(kind == OutcomeKind::Refused && says.contains("left in its list paused"), "{says}");
    run(&mut other, &["DEL", "bull:mail:paused"]).await;
    let plan = actions.plan(&pause).await.unwrap();
    run(&mut other, &["RPUSH", "bull:mail:paused", "0"]).await;
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Refused, "{}", outcome.says);
    assert_eq!(run(&mut other, &["LLEN", "bull:mail:wait"]).await, Value::Int(2), "nothing was moved");
    run(&mut other, &["DEL", "bull:mail:paused"]).await;

    let rule = [
        "ACL", "SETUSER", "looker", "on", ">pw", "~*", "-@all", "+@read", "+info", "+time", "+client", "+acl",
    ];
    run(&mut other, &rule).await;
    let looker = spec("bullmq", &url.replace("redis://", "redis://looker:pw@"));
    let (_, says) = refused(&QueueActions::new(&looker), &pause).await;
    assert!(says.contains("ACL SETUSER looker +hset") && says.contains("~bull:mail:*"), "{says}");
}

/// The library notes no version up to early 5, so what its workers wait for has to tell; others may wait in
/// another way.
#[tokio::test]
async fn workers_of_other_queues_do_not_tell_how_this_one_is_woken() {
    let server = lab::redis::start(&[]).unwrap();
    let mut it = Library::start(4, &server.url(4)).await;
    it.put("first", &json!({})).await;
    it.done(&["first"]).await;
    let actions = QueueActions::new(&spec("bullmq", &it.url));
    let plan = actions.plan(&wish(Some("mail"), QueueChange::Pause)).await.unwrap();
    let mut others = Vec::new();
    for (database, name) in [(4, "bull:b3RoZXI="), (5, "bull:bWFpbA==")] {
        let mut other = client(&server.url(database)).await;
        run(&mut other, &["CLIENT", "SETNAME", name]).await;
        others.push(tokio::spawn(async move {
            run(&mut other, &["BZPOPMIN", "another:marker", "0"]).await;
        }));
    }
    let mut looker = client(&server.url(0)).await;
    let began = tokio::time::Instant::now();
    loop {
        let clients = redis::from_redis_value::<String>(run(&mut looker, &["CLIENT", "LIST"]).await).unwrap();
        if clients.matches(" cmd=bzpopmin ").count() == 2 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "they never wait: {clients}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "it changed for others only: {}", outcome.says);
    it.put("urgent", &json!({"priority": 1})).await;
    it.told(QueueChange::Resume).await;
    it.done(&["urgent"]).await;
    assert_eq!(
        run(&mut it.redis, &["EXISTS", "bull:mail:marker"]).await,
        Value::Int(0),
        "version 4 has none"
    );
    others.iter().for_each(tokio::task::JoinHandle::abort);
}
