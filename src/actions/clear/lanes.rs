//! The keyspace in parts that are walked side by side, so that a long way there and back is not waited for
//! once a batch. Near the server one part is best: the waits are the rests of everybody else.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Keys below which one lane is enough.
const SMALL: u64 = 10_000;
/// Batches on the way there and back for which another lane is worth while.
const FAR: f64 = 5.0;
/// Lanes at most.
const MOST: f64 = 8.0;

/// A batch on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Removals whose answers come before the answer to SCAN.
    pub doomed: u64,
    /// The lane whose SCAN it is; `None` when only removals were sent.
    pub lane: Option<usize>,
    /// Keys that SCAN was to look at.
    pub keys: u32,
    /// When it was sent.
    pub at: Instant,
}

/// Where a lane is after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// On, from this cursor.
    On(u64),
    /// Its part is done.
    Over,
    /// The cursors of this server do not count as those of Redis do: parts cannot be told from each other.
    Strange,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    cursor: u64,
    over: bool,
}

/// The lanes, each with its cursor, and what is on its way.
///
/// A cursor says all there is to know of where a SCAN has come to, and cursors count up in their reversed
/// bits. A lane that begins where the one before it ends is therefore the same walk, only sooner. Each must
/// end at the very cursor the next began with; where it does not, nothing is concluded from it.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// What was sent and not yet answered, first to last.
    pub on_the_way: VecDeque<Sent>,
}

impl Lanes {
    /// As many lanes as are of use where this many batches fit on the way there and back.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 8")]
    pub(super) fn over(keys: u64, trips: f64) -> Self {
        let lanes = if keys < SMALL { 1 } else { (trips / FAR).clamp(1.0, MOST) as u64 };
        Self::new(lanes.next_power_of_two())
    }

    /// This many lanes, a power of two.
    pub(super) fn new(lanes: u64) -> Self {
        let lane = |lane| Lane { cursor: begin(lane, lanes), over: false };
        Self { lanes: (0..lanes).map(lane).collect(), on_the_way: VecDeque::new() }
    }

    /// Where each begins.
    pub(super) fn begins(&self) -> Vec<u64> {
        self.lanes.iter().map(|lane| lane.cursor).collect()
    }

    /// Takes the cursor of an answer in.
    pub(super) fn step(&mut self, lane: usize, cursor: u64) -> Step {
        let lanes = self.lanes.len() as u64;
        let end = begin(lane as u64 + 1, lanes);
        let Some(at) = self.lanes.get_mut(lane) else { return Step::Strange };
        let before = std::mem::replace(&mut at.cursor, cursor);
        at.over = cursor == end;
        let past = end != 0 && place(cursor) > place(end);
        match () {
            () if at.over => Step::Over,
            () if lanes > 1 && (past || place(cursor) <= place(before)) => Step::Strange,
            () => Step::On(cursor),
        }
    }

    /// Share of the keyspace walked through, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        let lanes = self.lanes.len() as u64;
        let walked = |(number, lane): (usize, &Lane)| {
            let first = place(begin(number as u64, lanes));
            if lane.over {
                1.0 / lanes as f64
            } else {
                place(lane.cursor).saturating_sub(first) as f64 / 64_f64.exp2()
            }
        };
        self.lanes.iter().enumerate().map(walked).sum::<f64>().min(1.0)
    }
}

/// Cursors count up in their reversed bits.
const fn place(cursor: u64) -> u64 {
    cursor.reverse_bits()
}

/// The first cursor of a lane; that of the lane after the last is 0, where every walk ends.
const fn begin(lane: u64, lanes: u64) -> u64 {
    match lanes.trailing_zeros() {
        0 => 0,
        bits => place(lane << (u64::BITS - bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next cursor of a table of `size` buckets, as the server counts.
    fn after(cursor: u64, size: u64) -> u64 {
        (cursor | !(size - 1)).reverse_bits().wrapping_add(1).reverse_bits()
    }

    #[test]
    fn lanes_side_by_side_visit_every_bucket_once_and_end_where_the_next_began() {
        for lanes in [1, 2, 4, 8] {
            let mut walk = Lanes::new(lanes);
            let mut seen = Vec::new();
            for (lane, mut cursor) in walk.begins().into_iter().enumerate() {
                loop {
                    seen.push(cursor);
                    match walk.step(lane, after(cursor, 64)) {
                        Step::On(next) => cursor = next,
                        Step::Over => break,
                        Step::Strange => panic!("{lanes} lanes: {cursor}"),
                    }
                }
                let share = (lane + 1) as f64 / lanes as f64;
                assert!((walk.share() - share).abs() < 1e-9, "{} is not {share}", walk.share());
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..64).collect::<Vec<_>>(), "{lanes} lanes");
        }
    }

    #[test]
    fn a_cursor_tells_how_far_it_has_come_and_a_strange_one_is_noticed() {
        let mut walk = Lanes::new(1);
        let mut before = 0.0;
        // The cursors of a table of eight: 0 4 2 6 1 5 3 7.
        for cursor in [4, 2, 6, 1, 5, 3, 7] {
            assert_eq!(walk.step(0, cursor), Step::On(cursor));
            assert!(walk.share() > before);
            before = walk.share();
        }
        // One lane takes any cursor; two must meet.
        assert_eq!(walk.step(0, 1 << 60), Step::On(1 << 60));
        let mut walk = Lanes::new(2);
        assert_eq!(walk.step(0, 4), Step::On(4));
        assert_eq!(walk.step(0, 3), Step::Strange, "past its end");
        assert_eq!(walk.step(1, 5), Step::On(5));
        assert_eq!(walk.step(1, 2), Step::Strange, "backwards");
    }

    #[test]
    fn a_long_way_has_more_lanes() {
        let lanes = |keys, trips| Lanes::over(keys, trips).begins().len();
        assert_eq!((lanes(100, 90.0), lanes(1_000_000, 2.4), lanes(1_000_000, 17.0)), (1, 1, 4));
        assert_eq!(lanes(1_000_000, 200.0), 8);
    }
}
