//! Where kombu keeps what, and how its answers read.

use std::time::Duration;

use redis::{Pipeline, Value};

use super::super::heads::{self, Residency, ServerClock};
use super::super::resp;
use crate::model::{Queue, QueueAge, SafeText, SharedCounts, Timestamp};

/// The rule that lets a user read all of it.
pub(super) const RULE: &str =
    "+time +scan +smembers +llen +lindex +hlen +zcount +psubscribe %R~* allchannels";

/// After this long a message that was taken and not acknowledged is handed out again.
const VISIBILITY: f64 = 3_600.0;
/// Priority steps other than 0 have lists of their own; LLEN of the first alone would lie.
const STEPS: [&str; 4] = ["", "\u{6}\u{16}3", "\u{6}\u{16}6", "\u{6}\u{16}9"];

/// Commands that [`ask_all`] writes.
pub(super) const FOR_ALL: usize = 3;
/// Commands that [`ask_queue`] writes.
pub(super) const PER_QUEUE: usize = STEPS.len() * 2;

/// Asks for what all queues share.
pub(super) fn ask_all(pipeline: &mut Pipeline, now: Option<Timestamp>) {
    let late =
        now.map_or_else(|| "-inf".to_owned(), |now| now.minus_seconds(VISIBILITY).as_seconds().to_string());
    pipeline.cmd("TIME");
    pipeline.cmd("HLEN").arg("unacked");
    pipeline.cmd("ZCOUNT").arg("unacked_index").arg("-inf").arg(late);
}

/// What all queues share: messages taken and not acknowledged, those put off for later included.
pub(super) fn shared(values: &[Value]) -> SharedCounts {
    let [_, unacked, late] = values else { return SharedCounts::default() };
    SharedCounts { in_flight: resp::count(unacked), orphaned: resp::count(late), ..SharedCounts::default() }
}

/// The queues that a binding's members name.
pub(super) fn bound(value: &Value) -> Vec<String> {
    let internal = |name: &str| {
        name.ends_with(".pidbox")
            || name.starts_with("celeryev")
            || name.contains("reply.")
            || name.is_empty()
    };
    resp::texts(value)
        .iter()
        .filter_map(|member| member.rsplit("\u{6}\u{16}").next())
        .filter(|name| !internal(name))
        .map(str::to_owned)
        .collect()
}

/// Whether a binding can lead to a queue of jobs.
pub(super) fn is_binding(key: &str) -> bool {
    !key.ends_with(".pidbox") && !key.contains("celeryev") && !key.contains("reply.")
}

/// Asks for one queue, in all its priorities.
pub(super) fn ask_queue(pipeline: &mut Pipeline, name: &str) {
    for step in STEPS {
        pipeline.cmd("LLEN").arg(format!("{name}{step}"));
        // Put in at the left, taken at the right: the last is the oldest.
        pipeline.cmd("LINDEX").arg(format!("{name}{step}")).arg(-1);
    }
}

/// The queue; `None` when its key is no list.
pub(super) fn queue(
    name: &str,
    values: &[Value],
    clock: &ServerClock,
    residency: &mut Residency,
) -> Option<Queue> {
    let mut depth = 0;
    let (mut oldest, mut longest, mut all_told) = (None::<Timestamp>, Duration::ZERO, true);
    for (step, values) in STEPS.iter().zip(values.chunks(2)) {
        let [length, head] = values else { return None };
        depth += resp::count(length)?;
        let Some(message) = resp::bytes(head) else { continue };
        // A message carries no time of its own; a tracing library may have added one.
        if let Some(since) = heads::carried(message) {
            oldest = Some(oldest.map_or(since, |known| known.min(since)));
        } else {
            all_told = false;
            longest = longest.max(residency.seen(&format!("{name}{step}"), message));
        }
    }
    let told = oldest.map(|since| clock.age(since));
    let age = match told {
        _ if depth == 0 => QueueAge::Empty,
        Some(age) if all_told => age,
        told => {
            let told = told.and_then(|age| age.seconds()).unwrap_or(0.0);
            QueueAge::AtLeast(told.max(longest.as_secs_f64()))
        }
    };
    Some(Queue { name: SafeText::new(name), depth, oldest: age, ..Queue::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_names_its_queue_and_the_broker_s_own_are_left_out() {
        let members = ["mail\u{6}\u{16}\u{6}\u{16}mail", "\u{6}\u{16}\u{6}\u{16}celery@h.celery.pidbox", "x"];
        let value =
            Value::Array(members.iter().map(|it| Value::BulkString(it.as_bytes().to_vec())).collect());
        assert_eq!(bound(&value), ["mail", "x"]);
        assert!(!is_binding("_kombu.binding.celeryev"));
    }
}
