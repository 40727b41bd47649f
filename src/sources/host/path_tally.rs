//! Depths over time, by listening socket in the file system. Pure: it is told what was seen, and when.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::tally::{Clock, Course, keep_fullest};
use crate::model::{Listener, SafeText};
use crate::sources::unix_queue::Queue;

/// Most rows handed on; the fullest first.
const MOST: usize = 256;

/// What was seen since the last [`PathTallies::take`].
#[derive(Default)]
pub(super) struct PathTallies {
    queues: BTreeMap<String, Tally>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    limit: u32,
    depth: Course,
    /// Part of the latest look.
    present: bool,
}

impl PathTallies {
    /// One look, at `now`.
    pub(super) fn look(&mut self, seen: Vec<Queue>, now: Instant) {
        for tally in self.queues.values_mut() {
            tally.depth.begin();
            (tally.limit, tally.present) = (0, false);
        }
        for queue in seen {
            let tally = self.queues.entry(queue.name).or_default();
            tally.depth.now = tally.depth.now.saturating_add(queue.depth);
            tally.limit = tally.limit.saturating_add(queue.limit);
            tally.present = true;
        }
        let step = self.clock.step(now);
        self.queues.values_mut().for_each(|tally| tally.depth.end(step));
    }

    /// Whether a connection waited to be accepted at the latest look.
    pub(super) fn is_queued(&self) -> bool {
        self.queues.values().any(|tally| tally.depth.now > 0)
    }

    /// The queues of the latest look, and how many were left out; begins a new window.
    pub(super) fn take(&mut self) -> (Vec<Listener>, usize) {
        let span = std::mem::take(&mut self.clock.span);
        self.queues.retain(|_, tally| tally.present);
        let row = |(path, tally): (&String, &mut Tally)| {
            let depth = tally.depth.now;
            let waited = tally.depth.take(span);
            Listener {
                address: SafeText::new(path),
                depth,
                limit: tally.limit,
                mean_depth: waited.mean,
                max_depth: waited.max,
                met: Some(waited.met),
                ..Listener::default()
            }
        };
        let mut out: Vec<Listener> = self.queues.iter_mut().map(row).collect();
        let left_out = keep_fullest(&mut out, MOST);
        (out, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn means_are_of_time_and_a_closed_socket_is_gone() {
        let began = Instant::now();
        let queue = |name: &str, depth| Queue { name: name.to_owned(), depth, limit: 5 };
        let mut tallies = PathTallies::default();
        tallies.look(vec![queue("/a", 4), queue("/b", 1)], began);
        tallies.look(vec![queue("/a", 2), queue("/b", 1)], began + Duration::from_millis(10));
        assert!(tallies.is_queued());
        tallies.look(vec![queue("/a", 0)], began + Duration::from_millis(20));
        let (rows, left_out) = tallies.take();
        assert_eq!((rows.len(), left_out), (1, 0));
        let row = &rows[0];
        assert_eq!((row.address.as_str(), row.port, row.depth, row.limit, row.max_depth), ("/a", 0, 0, 5, 4));
        assert_eq!(row.met, Some(2));
        assert!((row.mean_depth - 2.0).abs() < 1e-9, "{row:?}");
        assert!(!tallies.is_queued());
    }
}
