//! The switch is a key that workers look for before they take a job: RQ, asynq, Resque.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use super::Wish;
use super::redis_door::{allowed, facts, open, read, sent, told};
use super::words::{self, Found};
use crate::actions::clear::{Facts, number, text};
use crate::actions::refusals::changed;
use crate::config::TargetSpec;
use crate::model::{Plan, QueueChange, Refusal};

/// Queues whose jobs are counted.
const QUEUES: usize = 500;

/// RQ looks only between two waits for a job.
const RQ: &str = "RQ's workers look before they wait for a job: each that waits already takes one more";

/// What was seen of the switch.
struct Seen {
    found: Found,
    facts: Facts,
    value: Option<String>,
}

/// One library's switch.
enum Switch {
    Rq,
    /// One queue of asynq.
    Asynq(String),
    /// Resque's prefix.
    Resque(String),
}

impl Switch {
    fn of(spec: &TargetSpec, wish: Wish<'_>) -> Self {
        match (wish.queue, spec.kind.as_str()) {
            (Some(queue), _) => Self::Asynq(queue.to_owned()),
            (None, "resque") => {
                Self::Resque(spec.prefix.as_deref().unwrap_or("resque").trim_end_matches(':').to_owned())
            }
            (None, _) => Self::Rq,
        }
    }

    /// The key, as the library names it.
    fn key(&self) -> String {
        match self {
            Self::Rq => "rq:suspended".to_owned(),
            Self::Asynq(queue) => format!("asynq:{{{queue}}}:paused"),
            Self::Resque(prefix) => format!("{prefix}:pause-all-workers"),
        }
    }

    /// What the library itself writes there.
    fn value(&self, facts: &Facts) -> String {
        match self {
            Self::Rq => "1".to_owned(),
            Self::Asynq(_) => facts.clock.as_seconds().to_string(),
            Self::Resque(_) => "true".to_owned(),
        }
    }

    /// Whether workers stop at what stands there.
    fn holds(&self, value: &str) -> bool {
        !matches!(self, Self::Resque(_)) || value.trim().eq_ignore_ascii_case("true")
    }

    /// Asks for what the plan tells besides.
    fn ask(&self, facts: &Facts, script: &mut Pipeline) {
        match self {
            Self::Rq => {
                script.cmd("SMEMBERS").arg("rq:queues");
                script.cmd("SCARD").arg("rq:workers");
            }
            Self::Asynq(queue) => {
                let of = |what: &str| format!("asynq:{{{queue}}}:{what}");
                script.cmd("SISMEMBER").arg("asynq:queues").arg(queue);
                script.cmd("LLEN").arg(of("pending"));
                script.cmd("LLEN").arg(of("active"));
                script.cmd("ZCOUNT").arg("asynq:servers").arg(facts.clock.as_seconds()).arg("+inf");
            }
            Self::Resque(prefix) => {
                script.cmd("SMEMBERS").arg(format!("{prefix}:queues"));
                script.cmd("SMEMBERS").arg(format!("{prefix}:workers"));
            }
        }
    }
}

pub(super) async fn plan(spec: &TargetSpec, wish: Wish<'_>) -> Result<Plan, Refusal> {
    let mut connection = open(spec).await?;
    let seen = look(spec, &mut connection, wish).await?;
    let plan = words::plan(&spec.id, wish, &seen.found)?;
    let key = Switch::of(spec, wish).key();
    let command: &[&str] = match wish.to {
        QueueChange::Pause => &["SET", &key, "1"],
        QueueChange::Resume => &["DEL", &key],
    };
    let rule = format!("+set +del +watch +multi +exec ~{key}");
    allowed(&seen.facts, &mut connection, &[command], &key, &rule).await?;
    Ok(plan)
}

pub(super) async fn act(spec: &TargetSpec, wish: Wish<'_>, identity: &str) -> Result<String, Refusal> {
    let mut connection = open(spec).await?;
    let seen = look(spec, &mut connection, wish).await?;
    if seen.found.identity != identity {
        return Err(changed());
    }
    let switch = Switch::of(spec, wish);
    let key = switch.key();
    let mut watch = redis::pipe();
    watch.cmd("WATCH").arg(&key);
    watch.cmd("GET").arg(&key);
    let answers = sent(&mut connection, &watch).await?;
    let stands = answers.get(1).filter(|value| !matches!(value, Value::Nil)).map(text);
    if stands != seen.value {
        return Err(changed());
    }
    let mut change = redis::pipe();
    change.cmd("MULTI");
    match wish.to {
        QueueChange::Pause => change.cmd("SET").arg(&key).arg(switch.value(&seen.facts)),
        QueueChange::Resume => change.cmd("DEL").arg(&key),
    };
    change.cmd("EXEC");
    if !matches!(sent(&mut connection, &change).await?.get(2), Some(Value::Array(_))) {
        return Err(changed());
    }
    let after = look(spec, &mut connection, wish).await.map(|seen| seen.found);
    told(wish, after)
}

/// Reads the switch and what it is about.
async fn look(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    wish: Wish<'_>,
) -> Result<Seen, Refusal> {
    let facts = facts(spec, connection).await?;
    let switch = Switch::of(spec, wish);
    let key = switch.key();
    let mut first = redis::pipe();
    first.cmd("GET").arg(&key);
    first.cmd("TTL").arg(&key);
    switch.ask(&facts, &mut first);
    let answers = read(spec, connection, &first).await?;
    let whole = |at: usize| answers.get(at).and_then(number);
    let counted = |at: usize| whole(at).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let value = answers.first().filter(|value| !matches!(value, Value::Nil)).map(text);
    let mut found = Found {
        at: facts.clock,
        identity: format!("{} {key} {}", facts.run_id, value.as_deref().unwrap_or("-")),
        paused: value.as_deref().is_some_and(|value| switch.holds(value)),
        ends_in: whole(1).filter(|left| *left >= 0).map(|left| left as f64),
        ..Found::default()
    };
    match &switch {
        Switch::Asynq(queue) => {
            if counted(2) == 0 {
                return Err(Refusal::refused(&format!("{} has no queue {queue:?}", spec.id)));
            }
            let since = value.as_deref().and_then(|text| text.parse::<i64>().ok());
            found.paused_for = since.map(|then| (facts.clock.as_seconds() - then).max(0) as f64);
            found.queues = vec![queue.clone()];
            (found.waiting, found.under_way, found.workers) = (counted(3), counted(4), Some(counted(5)));
        }
        Switch::Rq => {
            found.beware = Some(RQ);
            found.workers = Some(counted(3));
            let bare = |name: String| name.trim_start_matches("rq:queue:").to_owned();
            found.queues = texts(answers.get(2)).into_iter().map(bare).collect();
            let each = |queue: &str, script: &mut Pipeline| {
                script.cmd("LLEN").arg(format!("rq:queue:{queue}"));
                script.cmd("ZCARD").arg(format!("rq:wip:{queue}"));
            };
            for pair in of_queues(spec, connection, &mut found, each).await?.chunks(2) {
                let of = |at: usize| pair.get(at).and_then(number).and_then(|n| u64::try_from(n).ok());
                found.waiting += of(0).unwrap_or(0);
                found.under_way += of(1).unwrap_or(0);
            }
        }
        Switch::Resque(prefix) => {
            let workers = texts(answers.get(3));
            found.workers = Some(workers.len() as u64);
            found.queues = texts(answers.get(2));
            let each = |queue: &str, script: &mut Pipeline| {
                script.cmd("LLEN").arg(format!("{prefix}:queue:{queue}"));
            };
            let lengths = of_queues(spec, connection, &mut found, each).await?;
            let lengths = lengths.iter().filter_map(number).filter_map(|n| u64::try_from(n).ok());
            found.waiting = lengths.sum();
            let mut held = redis::pipe();
            for worker in workers.iter().take(QUEUES) {
                held.cmd("EXISTS").arg(format!("{prefix}:worker:{worker}"));
            }
            if !workers.is_empty() {
                let answers = read(spec, connection, &held).await?;
                found.under_way = answers.iter().filter(|value| number(value) == Some(1)).count() as u64;
            }
        }
    }
    Ok(Seen { found, facts, value })
}

/// Asks the same of each queue, those of the switch in order.
async fn of_queues(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    found: &mut Found,
    each: impl Fn(&str, &mut Pipeline),
) -> Result<Vec<Value>, Refusal> {
    found.queues.sort();
    let mut script = redis::pipe();
    for queue in found.queues.iter().take(QUEUES) {
        each(queue, &mut script);
    }
    if found.queues.is_empty() { Ok(Vec::new()) } else { read(spec, connection, &script).await }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(all) | Value::Set(all)) => all.iter().map(text).collect(),
        _ => Vec::new(),
    }
}
