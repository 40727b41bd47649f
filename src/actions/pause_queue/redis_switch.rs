//! The switch is a key that workers look for before they take a job: RQ, asynq.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use super::Wish;
use super::words::{self, Found, changed};
use crate::actions::clear::{Facts, Server, ask, number, refused, text};
use crate::config::TargetSpec;
use crate::model::{OutcomeKind, Plan, QueueChange, Refusal, SafeText};

/// Queues whose jobs are counted.
const QUEUES: usize = 500;

/// RQ looks only between two waits for a job.
const RQ: &str = "RQ's workers look before they wait for a job: each that waits already takes one more";

/// What was seen of the switch.
struct Seen {
    found: Found,
    facts: Facts,
    key: String,
    value: Option<String>,
}

/// The key, as the library names it.
fn key(wish: Wish<'_>) -> String {
    match wish.queue {
        Some(queue) => format!("asynq:{{{queue}}}:paused"),
        None => "rq:suspended".to_owned(),
    }
}

/// What the library itself writes there.
fn value(wish: Wish<'_>, facts: &Facts) -> String {
    match wish.queue {
        Some(_) => facts.clock.as_seconds().to_string(),
        None => "1".to_owned(),
    }
}

pub(super) async fn plan(spec: &TargetSpec, wish: Wish<'_>) -> Result<Plan, Refusal> {
    let mut connection = open(spec).await?;
    let seen = look(spec, &mut connection, wish).await?;
    let plan = words::plan(&spec.id, wish, &seen.found)?;
    let command: &[&str] = match wish.to {
        QueueChange::Pause => &["SET", &seen.key, "1", "NX"],
        QueueChange::Resume => &["DEL", &seen.key],
    };
    if seen.facts.may(&mut connection, command).await == Some(false) {
        let user = seen.facts.user();
        let mend = format!("ACL SETUSER {user} +set +del +watch +multi +exec ~{}", seen.key);
        return Err(Refusal::refused(&format!("{user} may not change {}; mend: {mend}", seen.key)));
    }
    Ok(plan)
}

pub(super) async fn act(spec: &TargetSpec, wish: Wish<'_>, identity: &str) -> Result<String, Refusal> {
    let mut connection = open(spec).await?;
    let seen = look(spec, &mut connection, wish).await?;
    if seen.found.identity != identity {
        return Err(changed());
    }
    match wish.to {
        QueueChange::Pause => {
            // Of two who pause at once, one is told that it was done already.
            let mut set = redis::pipe();
            set.cmd("SET").arg(&seen.key).arg(value(wish, &seen.facts)).arg("NX");
            match sent(&mut connection, &set).await?.first() {
                Some(Value::Okay) => {}
                _ => return Err(Refusal::nothing_to_do("somebody else paused it just now")),
            }
        }
        QueueChange::Resume => {
            let mut watch = redis::pipe();
            watch.cmd("WATCH").arg(&seen.key);
            watch.cmd("GET").arg(&seen.key);
            let answers = sent(&mut connection, &watch).await?;
            if answers.get(1).map(text) != seen.value {
                return Err(changed());
            }
            let mut remove = redis::pipe();
            remove.cmd("MULTI");
            remove.cmd("DEL").arg(&seen.key);
            remove.cmd("EXEC");
            if !matches!(sent(&mut connection, &remove).await?.get(2), Some(Value::Array(_))) {
                return Err(changed());
            }
        }
    }
    let unsure = |why: &SafeText| Refusal {
        kind: OutcomeKind::Failed,
        says: SafeText::new(&format!("done, but not seen again ({why})")),
    };
    let after = look(spec, &mut connection, wish).await.map_err(|refusal| unsure(&refusal.says))?.found;
    if after.paused != (wish.to == QueueChange::Pause) {
        return Err(Refusal::failed("it was done, and somebody else undid it at once: look again"));
    }
    Ok(words::done(wish, &after))
}

async fn open(spec: &TargetSpec) -> Result<MultiplexedConnection, Refusal> {
    let failed = |why: String| Refusal::failed(&format!("cannot look at {}: {why}", spec.id));
    let server = Server::find(spec).await.map_err(failed)?;
    server.open_as("warroom-pause").await.map_err(failed)
}

async fn sent(connection: &mut MultiplexedConnection, commands: &Pipeline) -> Result<Vec<Value>, Refusal> {
    let answers = ask(connection, commands)
        .await
        .map_err(|why| Refusal::failed(&format!("unknown whether it was done ({why}): look again")))?;
    match refused(&answers) {
        Some(why) => Err(Refusal::refused(&why)),
        None => Ok(answers),
    }
}

/// Reads the switch and what it is about.
async fn look(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    wish: Wish<'_>,
) -> Result<Seen, Refusal> {
    let id = &spec.id;
    let facts = Facts::read(connection)
        .await
        .map_err(|why| Refusal::refused(&format!("nothing can be changed on {id}: {why}")))?;
    let failed = |why: String| Refusal::failed(&format!("cannot look at {id}: {why}"));
    let key = key(wish);
    let mut first = redis::pipe();
    first.cmd("GET").arg(&key);
    first.cmd("TTL").arg(&key);
    if let Some(queue) = wish.queue {
        let of = |what: &str| format!("asynq:{{{queue}}}:{what}");
        first.cmd("SISMEMBER").arg("asynq:queues").arg(queue);
        first.cmd("LLEN").arg(of("pending"));
        first.cmd("LLEN").arg(of("active"));
        first.cmd("ZCOUNT").arg("asynq:servers").arg(facts.clock.as_seconds()).arg("+inf");
    } else {
        first.cmd("SMEMBERS").arg("rq:queues");
        first.cmd("SCARD").arg("rq:workers");
    }
    let answers = ask(connection, &first).await.map_err(failed)?;
    if let Some(why) = refused(&answers) {
        return Err(Refusal::refused(&format!("cannot look at {id}: {why}")));
    }
    let whole = |at: usize| answers.get(at).and_then(number);
    let counted = |at: usize| whole(at).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let value = answers.first().filter(|value| !matches!(value, Value::Nil)).map(text);
    let since = value.as_deref().and_then(|text| text.parse::<i64>().ok()).filter(|_| wish.queue.is_some());
    let mut found = Found {
        at: facts.clock,
        identity: format!("{} {key} {}", facts.run_id, value.as_deref().unwrap_or("-")),
        paused: value.is_some(),
        paused_for: since.map(|then| (facts.clock.as_seconds() - then).max(0) as f64),
        ends_in: whole(1).filter(|left| *left >= 0).map(|left| left as f64),
        ..Found::default()
    };
    if let Some(queue) = wish.queue {
        if counted(2) == 0 {
            return Err(Refusal::refused(&format!("{id} has no queue {queue:?}")));
        }
        found.queues = vec![queue.to_owned()];
        (found.waiting, found.under_way, found.workers) = (counted(3), counted(4), Some(counted(5)));
    } else {
        found.beware = Some(RQ);
        found.workers = Some(counted(3));
        if let Some(Value::Array(names) | Value::Set(names)) = answers.get(2) {
            let bare = |name: &Value| text(name).trim_start_matches("rq:queue:").to_owned();
            found.queues = names.iter().map(bare).collect();
            found.queues.sort();
        }
        let mut second = redis::pipe();
        for queue in found.queues.iter().take(QUEUES) {
            second.cmd("LLEN").arg(format!("rq:queue:{queue}"));
            second.cmd("ZCARD").arg(format!("rq:wip:{queue}"));
        }
        if !found.queues.is_empty() {
            let answers = ask(connection, &second).await.map_err(failed)?;
            for pair in answers.chunks(2) {
                let of = |at: usize| pair.get(at).and_then(number).and_then(|n| u64::try_from(n).ok());
                found.waiting += of(0).unwrap_or(0);
                found.under_way += of(1).unwrap_or(0);
            }
        }
    }
    Ok(Seen { found, facts, key, value })
}
