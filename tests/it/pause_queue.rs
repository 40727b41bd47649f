//! Pausing and resuming queues: what workers do of it, what the plan says, and what it refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use warroom::actions::{Action as _, QueueActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::journal::{Author, Journal};
use warroom::lab;
use warroom::model::{Confirm, Intent, Outcome, OutcomeKind, Plan, QueueChange, TargetId, Timestamp};

use super::cli::run as warroom;
use super::queues::{python, queue, queues};
use super::redis::{client, run, source};

pub(crate) fn spec(kind: &str, url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("jobs").unwrap(), kind).with_url(url)
}

pub(crate) fn wish(queue: Option<&str>, to: QueueChange) -> Intent {
    Intent::PauseQueue { target: TargetId::parse("jobs").unwrap(), queue: queue.map(str::to_owned), to }
}

pub(crate) async fn act(actions: &QueueActions, plan: Plan) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal.jsonl"), Author::default());
    let intended = journal.intend(plan, Timestamp::default()).unwrap();
    actions.act(&intended, mpsc::channel(1).0, StopFlag::default()).await
}

pub(crate) async fn refused(actions: &QueueActions, intent: &Intent) -> (OutcomeKind, String) {
    let refusal = actions.plan(intent).await.unwrap_err();
    (refusal.kind, refusal.says.to_string())
}

pub(crate) fn told(plan: &Plan) -> String {
    plan.lines.iter().map(|line| format!("{}: {}", line.label, line.text)).collect::<Vec<_>>().join("\n")
}

/// A worker of the real library, ended with the test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn worker(url: &str) -> Worker {
    let program = "import os, redis\nfrom rq import Queue, SimpleWorker\n\
        c = redis.Redis.from_url(os.environ['URL'])\nSimpleWorker([Queue('mail', connection=c)], connection=c).work()";
    let mut command = Command::new(std::env::var("WARROOM_TEST_PYTHON").unwrap());
    command.args(["-c", program]).env("URL", url).stdout(Stdio::null()).stderr(Stdio::null());
    Worker(command.spawn().unwrap())
}

const PUT: &str = "
import os, redis
from rq import Queue
q = Queue('mail', connection=redis.Redis.from_url(os.environ['URL']))
for n in range(3): q.enqueue('time.sleep', 0)
Queue('bulk', connection=q.connection).enqueue('time.sleep', 0)
";

/// What RQ's own registry says: the state of its worker, and how many wait.
async fn rq_stands(url: &str, what: &str, state: &str, waiting: i64) {
    let mut other = client(url).await;
    let began = tokio::time::Instant::now();
    loop {
        let mut seen = String::new();
        if let redis::Value::Array(workers) = run(&mut other, &["SMEMBERS", "rq:workers"]).await
            && let Some(redis::Value::BulkString(name)) = workers.first()
        {
            let key = format!("rq:worker:{}", String::from_utf8_lossy(name).trim_start_matches("rq:worker:"));
            if let redis::Value::BulkString(text) = run(&mut other, &["HGET", &key, "state"]).await {
                seen = String::from_utf8(text).unwrap();
            }
        }
        let left = run(&mut other, &["LLEN", "rq:queue:mail"]).await;
        if seen == state && left == redis::Value::Int(waiting) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{what}: not {state} with {waiting}: {seen} {left:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a worker waits for the next job: called idle it is before, when it still looks whether it may.
async fn rq_waits(url: &str) {
    let mut other = client(url).await;
    let began = tokio::time::Instant::now();
    loop {
        let redis::Value::BulkString(info) = run(&mut other, &["INFO", "clients"]).await else {
            panic!("no text")
        };
        if String::from_utf8(info).unwrap().lines().any(|line| line == "blocked_clients:1") {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it never waits for a job");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn workers_of_rq_take_nothing_until_they_are_let_again() {
    let redis = lab::redis::start(&[]).unwrap();
    let url = redis.url(1);
    python(&url, PUT);
    let home = tempfile::tempdir().unwrap();
    let config = format!("[[target]]\nid = \"jobs\"\nkind = \"rq\"\nurl = \"{url}\"\n");
    fs::write(home.path().join("warroom.toml"), config).unwrap();
    let said = |args: &[&str]| {
        let (code, out, err) = warroom(home.path(), args);
        (code, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{args:?}: {out} {err}")))
    };

    let (code, out, _) = warroom(home.path(), &["pause", "--all", "--target", "jobs", "--dry-run"]);
    assert_eq!(code, 0, "{out}");
    for part in
        ["all: bulk, mail", "4 waiting, 0 under way", "warroom resume --all --target jobs", "one more"]
    {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    let (code, outcome) = said(&["pause", "--all", "--target", "jobs", "--yes", "--json"]);
    assert_eq!((code, outcome["outcome"].as_str()), (0, Some("done")), "{outcome}");
    assert_eq!(outcome["says"], "all queues paused; 4 jobs wait, none is under way");
    // A worker that comes now sees it and waits.
    let taker = worker(&url);
    rq_stands(&url, "paused", "suspended", 3).await;
    let (code, outcome) = said(&["pause", "--all", "--target", "jobs", "--yes", "--json"]);
    assert_eq!((code, outcome["outcome"].as_str()), (4, Some("nothing_to_do")), "{outcome}");
    let mut asked = source(&spec("rq", &url));
    queues(&mut asked).await;
    assert_eq!(queue(&queues(&mut asked).await, "mail").paused, Some(true));

    let (code, outcome) = said(&["resume", "--all", "--target", "jobs", "--yes", "--json"]);
    assert_eq!((code, outcome["outcome"].as_str()), (0, Some("done")), "{outcome}");
    rq_stands(&url, "resumed", "idle", 0).await;
    rq_waits(&url).await;
    // As the plan warns: it waits for a job already, takes one, and only then looks.
    assert_eq!(said(&["pause", "--all", "--target", "jobs", "--yes", "--json"]).0, 0);
    python(&url, PUT);
    rq_stands(&url, "paused while it waited", "suspended", 2).await;
    drop(taker);

    let (_, journal, _) = warroom(home.path(), &["journal", "--json"]);
    assert!(journal.contains("pause_queue") && journal.contains(r#""to":"resume""#), "{journal}");
    let (code, out, err) = warroom(home.path(), &["resume", "mail", "--target", "jobs", "--yes"]);
    assert!(
        code == 4 && format!("{out}{err}").contains("one switch for all its queues"),
        "{code} {out} {err}"
    );
}

#[tokio::test]
async fn a_queue_of_asynq_is_paused_as_asynq_does_it() {
    let redis = lab::redis::start(&[]).unwrap();
    let url = redis.url(0);
    let mut other = client(&url).await;
    run(&mut other, &["SADD", "asynq:queues", "mail"]).await;
    run(&mut other, &["LPUSH", "asynq:{mail}:pending", "b", "a"]).await;
    run(&mut other, &["LPUSH", "asynq:{mail}:active", "c"]).await;
    let actions = QueueActions::new(&spec("asynq", &url));
    let pause = wish(Some("mail"), QueueChange::Pause);
    let plan = actions.plan(&pause).await.unwrap();
    assert_eq!((plan.title.as_str(), &plan.confirm), ("Pause mail of jobs", &Confirm::Key));
    assert!(told(&plan).contains("jobs: 2 waiting, 1 under way"), "{}", told(&plan));
    let late = actions.plan(&pause).await.unwrap();
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.says.as_str(), "mail paused; 2 jobs wait, 1 still under way");
    assert_eq!(act(&actions, late).await.kind, OutcomeKind::Refused, "it was paused since that was planned");
    // inspect.go reads the time it was paused at.
    let redis::Value::BulkString(at) = run(&mut other, &["GET", "asynq:{mail}:paused"]).await else {
        panic!()
    };
    assert!(String::from_utf8(at).unwrap().parse::<u64>().unwrap() > 1_700_000_000);
    let mut asked = source(&spec("asynq", &url));
    queues(&mut asked).await;
    assert_eq!(queue(&queues(&mut asked).await, "mail").paused, Some(true));
    assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo);

    let resume = wish(Some("mail"), QueueChange::Resume);
    let plan = actions.plan(&resume).await.unwrap();
    run(&mut other, &["SET", "asynq:{mail}:paused", "1700000001"]).await;
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::Refused, "somebody else paused it anew");
    let plan = actions.plan(&resume).await.unwrap();
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::Done);
    assert_eq!(run(&mut other, &["EXISTS", "asynq:{mail}:paused"]).await, redis::Value::Int(0));
    assert_eq!(
        run(&mut other, &["LLEN", "asynq:{mail}:pending"]).await,
        redis::Value::Int(2),
        "no job is touched"
    );

    for (queue, part) in [("none", "has no queue"), ("a\nb", "no name of a queue")] {
        let (kind, says) = refused(&actions, &wish(Some(queue), QueueChange::Pause)).await;
        assert!(kind == OutcomeKind::Refused && says.contains(part), "{says}");
    }
    assert!(refused(&actions, &wish(None, QueueChange::Pause)).await.1.contains("name the queue"));
    let rule = [
        "ACL", "SETUSER", "looker", "on", ">pw", "~*", "-@all", "+@read", "+info", "+time", "+client", "+acl",
    ];
    run(&mut other, &rule).await;
    let looker = spec("asynq", &url.replace("redis://", "redis://looker:pw@"));
    let (_, says) = refused(&QueueActions::new(&looker), &pause).await;
    assert!(says.contains("ACL SETUSER looker +set"), "{says}");
    let none = QueueActions::new(&spec("oban", &url));
    assert!(refused(&none, &pause).await.1.contains("Oban.pause_queue"));
}

/// Resque's own words in README.markdown: the key holds the string "true", in whatever case; else it holds nobody.
#[tokio::test]
async fn the_workers_of_resque_are_held_by_a_key() {
    let redis = lab::redis::start(&[]).unwrap();
    let url = redis.url(0);
    let mut other = client(&url).await;
    run(&mut other, &["SADD", "resque:queues", "mail", "bulk"]).await;
    run(
        &mut other,
        &["RPUSH", "resque:queue:mail", r#"{"class":"A","args":[]}"#, r#"{"class":"B","args":[]}"#],
    )
    .await;
    run(&mut other, &["SADD", "resque:workers", "web1:17:mail", "web1:18:*"]).await;
    run(&mut other, &["SET", "resque:worker:web1:17:mail", "{}"]).await;
    run(&mut other, &["SET", "resque:pause-all-workers", "false"]).await;
    let actions = QueueActions::new(&spec("resque", &url));
    let pause = wish(None, QueueChange::Pause);
    let plan = actions.plan(&pause).await.unwrap();
    let says = told(&plan);
    assert!(says.contains("all: bulk, mail") && says.contains("jobs: 2 waiting, 1 under way"), "{says}");
    assert!(says.contains("workers: 2"), "{says}");
    assert_eq!(act(&actions, plan).await.says.as_str(), "all queues paused; 2 jobs wait, 1 still under way");
    assert_eq!(
        run(&mut other, &["GET", "resque:pause-all-workers"]).await,
        redis::Value::BulkString(b"true".into())
    );
    let mut asked = source(&spec("resque", &url));
    queues(&mut asked).await;
    assert_eq!(queue(&queues(&mut asked).await, "mail").paused, Some(true));
    assert_eq!(refused(&actions, &pause).await.0, OutcomeKind::NothingToDo);
    let resume = wish(None, QueueChange::Resume);
    let stale = actions.plan(&resume).await.unwrap();
    run(&mut other, &["SET", "resque:pause-all-workers", "TRUE"]).await;
    assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused, "somebody else wrote it anew");
    let plan = actions.plan(&resume).await.unwrap();
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::Done);
    assert_eq!(run(&mut other, &["EXISTS", "resque:pause-all-workers"]).await, redis::Value::Int(0));
    assert!(
        refused(&actions, &wish(Some("mail"), QueueChange::Pause)).await.1.contains("one switch for all")
    );
}
