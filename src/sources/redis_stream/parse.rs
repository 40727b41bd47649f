//! How streams, groups and consumers answer.

use redis::{Pipeline, Value};

use super::super::heads::ServerClock;
use super::super::resp;
use crate::model::{NotedJob, Queue, QueueAge, SafeText, Timestamp};

/// A consumer idle for longer, or an entry unacknowledged for longer, counts as left behind.
const IDLE_MS: i64 = 60_000;
/// Entries counted where the server does not know how many wait.
const COUNTED: usize = 1_001;

/// A consumer group as XINFO GROUPS tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Group {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) pending: u64,
    pub(super) last: String,
    pub(super) read: Option<u64>,
    /// Entries not yet delivered; the server loses count after a deletion among them.
    pub(super) lag: Option<u64>,
}

/// The groups of a stream.
pub(super) fn groups(stream: &str, value: &Value) -> Vec<Group> {
    resp::list(value)
        .iter()
        .filter_map(|value| {
            Some(Group {
                stream: stream.to_owned(),
                name: resp::text(field(value, "name")?)?,
                pending: field(value, "pending").and_then(resp::count).unwrap_or(0),
                last: resp::text(field(value, "last-delivered-id")?)?,
                read: field(value, "entries-read").and_then(resp::count),
                lag: field(value, "lag").and_then(resp::count),
            })
        })
        .collect()
}

/// Commands that [`ask_group`] writes.
pub(super) const PER_GROUP: usize = 3;

/// Asks for what waits, what was left behind, and who reads.
pub(super) fn ask_group(pipeline: &mut Pipeline, group: &Group) {
    let wanted = if group.lag.is_some() { 1 } else { COUNTED };
    pipeline
        .cmd("XRANGE")
        .arg(&group.stream)
        .arg(format!("({}", group.last))
        .arg("+")
        .arg("COUNT")
        .arg(wanted);
    pipeline
        .cmd("XPENDING")
        .arg(&group.stream)
        .arg(&group.name)
        .arg("IDLE")
        .arg(IDLE_MS)
        .arg("-")
        .arg("+")
        .arg(100);
    pipeline.cmd("XINFO").arg("CONSUMERS").arg(&group.stream).arg(&group.name);
}

/// A group as a queue.
pub(super) fn queue(group: &Group, alone: bool, values: &[Value], clock: &ServerClock) -> Queue {
    let name = if alone { group.stream.clone() } else { format!("{}/{}", group.stream, group.name) };
    let [waiting, behind, members] = values else {
        return Queue { name: SafeText::new(&name), ..Queue::default() };
    };
    let depth = group.lag.unwrap_or(resp::list(waiting).len() as u64);
    let (alive, stale) = consumers(members);
    Queue {
        name: SafeText::new(&name),
        depth,
        oldest: match first_entry(waiting) {
            _ if depth == 0 => QueueAge::Empty,
            Some(since) => clock.age(since),
            None => QueueAge::Unknown("its entries carry ids that are no times".into()),
        },
        in_flight: Some(group.pending),
        orphaned: Some(resp::list(behind).len() as u64),
        processed: group.read,
        // One that waits in a blocking read without end looks idle too: only where entries wait
        // for all of them is none of them alive.
        workers: (alive > 0 || depth > 0).then_some(alive),
        stale_workers: (depth > 0).then_some(stale),
        returning: returning(behind),
        ..Queue::default()
    }
}

/// The entry that was delivered most often, of those left unacknowledged.
fn returning(behind: &Value) -> Option<NotedJob> {
    let entries = resp::list(behind).iter().filter_map(|entry| match resp::list(entry) {
        [id, consumer, _, deliveries] => Some(NotedJob {
            name: SafeText::new(&resp::text(id)?),
            worker: SafeText::new(&resp::text(consumer)?),
            running: None,
            tries: resp::count(deliveries),
        }),
        _ => None,
    });
    entries.filter(|job| job.tries > Some(1)).max_by_key(|job| job.tries)
}

/// When the first of these entries was put in: its id says so, unless the writer chose ids of its own.
fn first_entry(value: &Value) -> Option<Timestamp> {
    let id = resp::text(resp::list(resp::list(value).first()?).first()?)?;
    let millis: i64 = id.split_once('-')?.0.parse().ok()?;
    (millis > 100_000_000_000).then(|| Timestamp::from_micros(millis.saturating_mul(1_000)))
}

/// Consumers that spoke lately, and those that did not.
fn consumers(value: &Value) -> (u32, u32) {
    let idle = resp::list(value).iter().filter_map(|it| field(it, "idle").and_then(resp::whole));
    let (alive, stale): (Vec<_>, Vec<_>) = idle.partition(|idle| *idle < IDLE_MS);
    (u32::try_from(alive.len()).unwrap_or(u32::MAX), u32::try_from(stale.len()).unwrap_or(u32::MAX))
}

/// A field of an answer that lists names and values in turn, or maps them.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    if let Value::Map(pairs) = value {
        return pairs
            .iter()
            .find(|(key, _)| resp::text(key).as_deref() == Some(name))
            .map(|(_, value)| value);
    }
    resp::list(value).chunks(2).find_map(|pair| match pair {
        [key, value] if resp::text(key).as_deref() == Some(name) => Some(value),
        _ => None,
    })
}
