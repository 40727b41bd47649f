//! The sweep: SCAN and UNLINK, batch by batch, with rests, until the cursor comes round.

use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::super::StopFlag;
use super::guard::Guard;
use super::pace::Course;
use super::probe::Probe;
use super::server::{key, number, refused, scanned};
use super::wire::Wire;
use crate::model::Pace;

/// A keyspace of up to this many keys is looked through once more as a whole; of a larger one, a part.
const LOOKED_AGAIN: u64 = 200_000;
/// Keys looked at once more at least, in a larger one.
const SAMPLE: u64 = 20_000;
/// Keys asked for at once in the second look.
const LOOK: u64 = 250;

/// What was done so far; true at every moment, whatever ends the sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Tally {
    /// Keys found that belong to the namespace.
    pub matched: u64,
    /// Keys the server says it removed.
    pub deleted: u64,
    /// Keys sent whose answer never came: they may be gone or not.
    pub in_doubt: u64,
    /// What the second look found; `None` before it.
    pub back: Option<Back>,
    /// Share of the keyspace walked through, 0 to 1.
    pub share: f64,
    /// Slowed down because others feel it.
    pub braked: bool,
    /// Held, and by what, until it gets better.
    pub held: Option<&'static str>,
}

/// What a second look found: keys of the namespace that came, or came back, while the sweep went on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::actions) struct Back {
    /// Keys of the namespace seen.
    pub keys: u64,
    /// Every key was looked at; else only about this many.
    pub among: Option<u64>,
}

/// How a sweep ended.
#[derive(Debug)]
pub(in crate::actions) enum End {
    /// The cursor came round, and the second look is done too.
    Finished,
    /// The operator stopped it.
    Stopped,
    /// It could not go on, and why.
    Broke(String),
}

/// One sweep over one namespace, on a thread of its own.
pub(in crate::actions) struct Sweep {
    /// Which keys may go.
    pub guard: Guard,
    /// The `MATCH` pattern.
    pub pattern: String,
    /// Keys in the database when it began.
    pub keys: u64,
    /// What others feel.
    pub probe: Probe,
    /// The operator's hold on it.
    pub stop: StopFlag,
    /// Called between batches.
    pub report: Box<dyn FnMut(&Tally) + Send>,
}

impl Sweep {
    /// Sweeps, then looks once more. `tally` holds what was done, however it ends.
    pub(in crate::actions) fn run(&mut self, wire: &mut Wire, pace: Pace, tally: &mut Tally) -> End {
        let swept = match wire.baseline() {
            Ok(baseline) => self.sweep(wire, &mut Course::new(pace, baseline), pace, tally),
            Err(why) => Err(End::Broke(why)),
        };
        match swept.and_then(|()| self.look_again(wire, tally)) {
            Ok(()) => End::Finished,
            Err(end) => end,
        }
    }

    fn sweep(
        &mut self,
        wire: &mut Wire,
        course: &mut Course,
        pace: Pace,
        tally: &mut Tally,
    ) -> Result<(), End> {
        let (mut cursor, mut bits, mut doomed) = (0_u64, 0_u32, 0_u64);
        loop {
            self.hold(tally)?;
            course.set(if self.stop.is_hurried() { Pace::Full } else { pace });
            let began = Instant::now();
            // What was found last goes in the same write as the question for more.
            scan(wire, cursor, &self.pattern, course.keys());
            wire.send().map_err(End::Broke)?;
            removed(wire, doomed, tally).map_err(End::Broke)?;
            let answer = wire.answer().map_err(End::Broke)?;
            let (next, keys) = keys_of(&answer)?;
            doomed = 0;
            // The server matched the pattern already; the literal prefix has the last word.
            for name in keys.iter().filter_map(key).filter(|name| self.guard.allows(name)) {
                wire.put(&[b"UNLINK", name]);
                doomed += 1;
            }
            tally.matched += doomed;
            cursor = next;
            bits = bits.max(u64::BITS - cursor.leading_zeros());
            tally.share = tally.share.max(if cursor == 0 { 1.0 } else { walked(cursor, bits) });
            tally.braked = course.is_braked();
            (self.report)(tally);
            if cursor == 0 {
                break;
            }
            let now = Instant::now();
            let rest = course.after(now.duration_since(began), &self.probe, now);
            if !rest.is_zero() {
                std::thread::sleep(rest);
                course.rested(now.elapsed());
            }
        }
        if doomed > 0 {
            wire.send().map_err(End::Broke)?;
            removed(wire, doomed, tally).map_err(End::Broke)?;
        }
        Ok(())
    }

    /// Counts what came meanwhile: SCAN promises only what was there all the time.
    fn look_again(&mut self, wire: &mut Wire, tally: &mut Tally) -> Result<(), End> {
        let left = self.keys.saturating_sub(tally.deleted);
        let enough = if left <= LOOKED_AGAIN { u64::MAX } else { (left / 50).max(SAMPLE) };
        let (mut cursor, mut seen, mut found) = (0_u64, 0, 0);
        tally.back = Some(Back::default());
        loop {
            self.hold(tally)?;
            scan(wire, cursor, &self.pattern, u32::try_from(LOOK).unwrap_or(u32::MAX));
            wire.send().map_err(End::Broke)?;
            let answer = wire.answer().map_err(End::Broke)?;
            let (next, keys) = keys_of(&answer)?;
            found += keys.iter().filter_map(key).filter(|name| self.guard.allows(name)).count() as u64;
            seen += LOOK;
            cursor = next;
            let whole = cursor == 0;
            tally.back = Some(Back { keys: found, among: (!whole).then_some(seen) });
            (self.report)(tally);
            if whole || seen >= enough {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits while the operator holds it or the server is in trouble.
    fn hold(&mut self, tally: &mut Tally) -> Result<(), End> {
        let mut troubled = 0;
        loop {
            if self.stop.is_stopped() {
                return Err(End::Stopped);
            }
            // In trouble for ten seconds: go on at the lowest pace rather than never.
            let wait = self.probe.in_trouble() && troubled < 200;
            tally.held = wait.then_some("the server answers slowly");
            if !self.stop.is_paused() && !wait {
                return Ok(());
            }
            troubled += u32::from(wait);
            (self.report)(tally);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn scan(wire: &mut Wire, cursor: u64, pattern: &str, count: u32) {
    let (cursor, count) = (cursor.to_string(), count.to_string());
    wire.put(&[b"SCAN", cursor.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", count.as_bytes()]);
}

fn keys_of(answer: &Value) -> Result<(u64, &[Value]), End> {
    if let Some(why) = refused(std::slice::from_ref(answer)) {
        return Err(End::Broke(why));
    }
    scanned(answer).ok_or_else(|| End::Broke("the answer to SCAN is not one".into()))
}

/// Counts what the server removed, answer by answer: each tells of one key. One UNLINK a key costs no
/// more than many at once, and works wherever keys live.
fn removed(wire: &mut Wire, asked: u64, tally: &mut Tally) -> Result<(), String> {
    let mut first = None;
    tally.in_doubt = asked;
    for _ in 0..asked {
        let value = wire.answer()?;
        tally.in_doubt -= 1;
        tally.deleted += number(&value).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        first = first.or_else(|| refused(std::slice::from_ref(&value)));
    }
    first.map_or(Ok(()), Err)
}

/// Share of the hash table before this cursor: cursors count up in their reversed bits.
fn walked(cursor: u64, bits: u32) -> f64 {
    let reversed = cursor.reverse_bits() >> (u64::BITS - bits.max(1));
    reversed as f64 / f64::from(bits).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_tells_how_far_it_has_come() {
        // The cursors of a table of eight: 0 4 2 6 1 5 3 7.
        let shares: Vec<_> = [4, 2, 6, 1, 5, 3, 7].map(|cursor| walked(cursor, 3)).into();
        assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{shares:?}");
        assert!((shares[3] - 0.5).abs() < 1e-9);
    }
}
