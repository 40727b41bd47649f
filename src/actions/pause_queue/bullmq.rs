//! `BullMQ`'s switch is a field of the queue's `meta`; up to version 5 the waiting jobs move besides to a list of
//! another name. Each version wakes its workers in its own way. One transaction, and no list is overwritten.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use super::Wish;
use super::redis_door::{allowed, facts, open, read, sent, told};
use super::words::{self, Found};
use crate::actions::clear::{Facts, number, text};
use crate::actions::refusals::changed;
use crate::config::TargetSpec;
use crate::model::{Plan, QueueChange, Refusal, bullmq_worker};

/// How often it is begun anew because jobs came in meanwhile.
const TRIES: usize = 20;

/// From which version on a queue is driven; they differ in where jobs wait and in what wakes workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// 3 and 4: workers wait for the list itself; in 4 an entry that is no job wakes them for prioritized ones.
    Lists,
    /// 5: workers wait for a marker beside the lists.
    Marker,
    /// 6: jobs stay where they are.
    Flag,
}

/// What was seen of the queue.
struct Seen {
    found: Found,
    facts: Facts,
    era: Era,
    wait: u64,
    kept: u64,
    prioritized: u64,
}

/// The keys of one queue.
struct Keys(String);

impl Keys {
    fn of(spec: &TargetSpec, queue: &str) -> Self {
        Self(format!("{}:{queue}", prefix(spec)))
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.0)
    }
}

pub(super) async fn plan(spec: &TargetSpec, wish: Wish<'_>) -> Result<Plan, Refusal> {
    let mut connection = open(spec).await?;
    let seen = look(spec, &mut connection, wish).await?;
    let plan = words::plan(&spec.id, wish, &seen.found)?;
    fits(wish, &seen)?;
    let keys = Keys::of(spec, wish.queue.unwrap_or_default());
    let (meta, wait, kept) = (keys.key("meta"), keys.key("wait"), keys.key("paused"));
    let (marker, events) = (keys.key("marker"), keys.key("events"));
    let commands: [&[&str]; 6] = [
        &["HSET", &meta, "paused", "1"],
        &["HDEL", &meta, "paused"],
        &["RENAMENX", &wait, &kept],
        &["ZADD", &marker, "0", "0"],
        &["DEL", &marker],
        &["XADD", &events, "*", "event", "paused"],
    ];
    let rule =
        format!("+hset +hdel +renamenx +lpush +zadd +del +xadd +watch +multi +exec ~{}", keys.key("*"));
    allowed(&seen.facts, &mut connection, &commands, &keys.key("*"), &rule).await?;
    Ok(plan)
}

pub(super) async fn act(spec: &TargetSpec, wish: Wish<'_>, identity: &str) -> Result<String, Refusal> {
    let mut connection = open(spec).await?;
    let keys = Keys::of(spec, wish.queue.unwrap_or_default());
    for _ in 0..TRIES {
        // What is watched must not move between this look and the transaction.
        let first = look(spec, &mut connection, wish).await?;
        let mut watch = redis::pipe();
        watch.cmd("WATCH").arg(watched(&keys, wish, &first));
        sent(&mut connection, &watch).await?;
        let seen = look(spec, &mut connection, wish).await?;
        if seen.found.identity != identity {
            return Err(changed());
        }
        fits(wish, &seen)?;
        if must_be_still(wish, &seen) && !must_be_still(wish, &first) {
            continue;
        }
        if carried(&sent(&mut connection, &transaction(&keys, wish, &seen)).await?)? {
            let after = look(spec, &mut connection, wish).await.map(|seen| seen.found);
            return told(wish, after);
        }
    }
    Err(Refusal::failed("jobs came in faster than it could be done: nothing was done, try again"))
}

/// What no one else may change meanwhile. Jobs come into `wait` all the time, so it is watched only where it
/// has to be empty.
fn watched(keys: &Keys, wish: Wish<'_>, seen: &Seen) -> Vec<String> {
    let mut watched = vec![keys.key("meta")];
    match (wish.to, seen.era) {
        (_, Era::Flag) => {}
        (QueueChange::Pause, _) => watched.push(keys.key("paused")),
        (QueueChange::Resume, _) => watched.push(keys.key("wait")),
    }
    if must_be_still(wish, seen) {
        watched.extend([keys.key("paused"), keys.key("prioritized")]);
    }
    watched
}

/// Whether what wakes the workers depends on what is in the queue at that very moment.
fn must_be_still(wish: Wish<'_>, seen: &Seen) -> bool {
    wish.to == QueueChange::Resume && seen.era == Era::Lists && seen.kept == 0
}

/// Refuses where jobs lie where they do not belong: to move them would overwrite or reorder others.
fn fits(wish: Wish<'_>, seen: &Seen) -> Result<(), Refusal> {
    let elsewhere = match (wish.to, seen.era) {
        (QueueChange::Pause, Era::Flag) => 0,
        (QueueChange::Pause, _) | (QueueChange::Resume, Era::Flag) => seen.kept,
        (QueueChange::Resume, _) => seen.wait,
    };
    if elsewhere == 0 {
        return Ok(());
    }
    let list = if wish.to == QueueChange::Pause || seen.era == Era::Flag { "paused" } else { "wait" };
    let call = wish.to.word();
    Err(Refusal::refused(&format!(
        "jobs of another version of BullMQ are left in its list {list}; only the library itself sorts that \
         out: await queue.{call}()"
    )))
}

/// The change, as one transaction.
fn transaction(keys: &Keys, wish: Wish<'_>, seen: &Seen) -> Pipeline {
    let mut all = redis::pipe();
    all.cmd("MULTI");
    let (from, to, event) = match wish.to {
        QueueChange::Pause => ("wait", "paused", "paused"),
        QueueChange::Resume => ("paused", "wait", "resumed"),
    };
    if seen.era != Era::Flag {
        // Where nothing waits the server says so, and the rest goes on.
        all.cmd("RENAMENX").arg(keys.key(from)).arg(keys.key(to));
    }
    match wish.to {
        QueueChange::Pause => {
            all.cmd("HSET").arg(keys.key("meta")).arg("paused").arg(1);
            if seen.era != Era::Lists {
                all.cmd("DEL").arg(keys.key("marker"));
            }
        }
        QueueChange::Resume => {
            all.cmd("HDEL").arg(keys.key("meta")).arg("paused");
            if seen.era != Era::Lists {
                // A worker woken for nothing looks when the next job is due, and waits for that.
                all.cmd("ZADD").arg(keys.key("marker")).arg(0).arg("0");
            } else if must_be_still(wish, seen) && seen.prioritized > 0 {
                all.cmd("LPUSH").arg(keys.key("wait")).arg("0:0");
            }
        }
    }
    all.cmd("XADD").arg(keys.key("events")).arg("*").arg("event").arg(event);
    all.cmd("EXEC");
    all
}

/// Whether the transaction took place: not so where what was watched has moved.
fn carried(answers: &[Value]) -> Result<bool, Refusal> {
    let Some(Value::Array(each)) = answers.last() else { return Ok(false) };
    // That there was no list to move is no error here.
    let trouble = each.iter().find_map(|answer| match answer {
        Value::ServerError(error) if error.details().is_none_or(|it| !it.contains("no such key")) => {
            Some(error.details().unwrap_or("it refuses a part of it").to_owned())
        }
        _ => None,
    });
    match trouble {
        Some(why) => Err(Refusal::failed(&format!("done in part: {why}; look again"))),
        None => Ok(true),
    }
}

/// Reads the queue.
async fn look(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    wish: Wish<'_>,
) -> Result<Seen, Refusal> {
    let queue = wish.queue.unwrap_or_default();
    let facts = facts(spec, connection).await?;
    let keys = Keys::of(spec, queue);
    let mut questions = redis::pipe();
    questions.cmd("HMGET").arg(keys.key("meta")).arg("paused").arg("version");
    questions.cmd("EXISTS").arg(keys.key("meta"));
    questions.cmd("LLEN").arg(keys.key("wait"));
    questions.cmd("LLEN").arg(keys.key("paused"));
    questions.cmd("ZCARD").arg(keys.key("prioritized"));
    questions.cmd("LLEN").arg(keys.key("active"));
    let answers = read(spec, connection, &questions).await?;
    let count = |at: usize| answers.get(at).and_then(number).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    if count(1) == 0 {
        return Err(Refusal::refused(&format!("{} has no queue {queue:?}", spec.id)));
    }
    let (paused, version) = match answers.first() {
        Some(Value::Array(both)) => (
            both.first().map(text).filter(|it| !it.is_empty()),
            both.get(1).map(text).filter(|it| !it.is_empty()),
        ),
        _ => (None, None),
    };
    let noted = version.as_deref();
    let era = match noted {
        Some(version) => era(version)?,
        None => unversioned(spec, connection, queue).await?,
    };
    let (wait, kept, prioritized) = (count(2), count(3), count(4));
    let found = Found {
        at: facts.clock,
        // Not the era: where no version is noted, a worker that is busy just now tells another one.
        identity: [&facts.run_id, &keys.0, noted.unwrap_or("-"), paused.as_deref().unwrap_or("-")].join(" "),
        paused: paused.is_some(),
        queues: vec![queue.to_owned()],
        waiting: wait + kept + prioritized,
        under_way: count(5),
        ..Found::default()
    };
    Ok(Seen { found, facts, era, wait, kept, prioritized })
}

/// By the version that the library notes: `bullmq:5.81.5`.
fn era(version: &str) -> Result<Era, Refusal> {
    let major = version.strip_prefix("bullmq:").and_then(|it| it.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(3 | 4) => Ok(Era::Lists),
        Some(5) => Ok(Era::Marker),
        Some(6) => Ok(Era::Flag),
        _ => Err(Refusal::refused(&format!(
            "{version} is none of the versions whose way is known (BullMQ 3 to 6): await queue.pause() or \
             queue.resume() does it"
        ))),
    }
}

/// Up to early 5 the library notes none: what the workers of this queue wait for tells. Where none waits, none
/// has to be woken.
async fn unversioned(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    queue: &str,
) -> Result<Era, Refusal> {
    let mut question = redis::pipe();
    question.cmd("CLIENT").arg("ID").cmd("CLIENT").arg("LIST");
    let answers = read(spec, connection, &question).await?;
    let own = answers.first().and_then(number).map(|id| id.to_string());
    let clients = answers.get(1).map(text).unwrap_or_default();
    // A queue of this name in another database is another queue.
    let database =
        clients.lines().find(|it| field(it, "id") == own.as_deref()).and_then(|it| field(it, "db"));
    let marked = clients.lines().any(|client| {
        field(client, "cmd") == Some("bzpopmin")
            && field(client, "db") == database
            && field(client, "name").is_some_and(|name| bullmq_worker(prefix(spec), queue, name))
    });
    Ok(if marked { Era::Marker } else { Era::Lists })
}

/// What a line of `CLIENT LIST` says of one thing.
fn field<'a>(client: &'a str, name: &str) -> Option<&'a str> {
    client
        .split(' ')
        .filter_map(|field| field.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, it)| it)
}

/// What the names of the library's keys begin with.
fn prefix(spec: &TargetSpec) -> &str {
    spec.prefix.as_deref().unwrap_or("bull").trim_end_matches(':')
}

#[cfg(test)]
mod tests {
    use super::{Era, era};

    #[test]
    fn only_versions_whose_way_is_known_are_touched() {
        assert_eq!(era("bullmq:3.16.2").expect("its way is known"), Era::Lists);
        assert_eq!(era("bullmq:5.81.5").expect("its way is known"), Era::Marker);
        assert_eq!(era("bullmq:6.7.0").expect("its way is known"), Era::Flag);
        for other in ["bullmq:7.0.0", "bullmq:2.4.0", "bullmq-pro:7.1.0", "bullmq", ""] {
            assert!(
                era(other).expect_err("its way is not known").says.as_str().contains("queue.pause()"),
                "{other}"
            );
        }
    }
}
