//! The sweep: SCAN and UNLINK, batch by batch, with rests, until the cursor comes round.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::super::StopFlag;
use super::guard::Guard;
use super::pace::Course;
use super::probe::Probe;
use super::server::{key, number, refused, scanned};
use super::strain::Strain;
use super::wire::Wire;
use crate::model::{Clearing, Pace, Way};

/// A keyspace of up to this many keys is looked through once more as a whole; of a larger one, a part.
const LOOKED_AGAIN: u64 = 200_000;
/// Keys looked at once more at least, in a larger one.
const SAMPLE: u64 = 20_000;
/// Keys asked for at once in the second look.
const LOOK: u32 = 250;
/// From one look at what holds a sweep to the next; and how many looks before it goes on as slowly as it
/// can (ten seconds of slow answers), or gives up (a minute of anything else).
const HELD: Duration = Duration::from_millis(50);
const SLOW_FOR: u32 = 200;
const GIVES_UP: u32 = 1_200;

/// What was done so far; true at every moment, whatever ends the sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Tally {
    /// Keys found that belong to the namespace.
    pub matched: u64,
    /// Keys the server says it removed, or that expire sooner now.
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
    /// How fast, which keys, and what becomes of them.
    pub how: Clearing,
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
    pub(in crate::actions) fn run(&mut self, wire: &mut Wire, tally: &mut Tally) -> End {
        let swept = match wire.baseline() {
            Ok(baseline) => self.sweep(wire, &mut Course::new(self.how.pace, baseline), tally),
            Err(why) => Err(End::Broke(why)),
        };
        match swept.and_then(|()| if self.leaves_some() { Ok(()) } else { self.look_again(wire, tally) }) {
            Ok(()) => End::Finished,
            Err(end) => end,
        }
    }

    fn sweep(&mut self, wire: &mut Wire, course: &mut Course, tally: &mut Tally) -> Result<(), End> {
        let chance = RandomState::new();
        let (mut cursor, mut bits, mut doomed) = (0_u64, 0_u32, 0_u64);
        loop {
            self.hold(tally)?;
            course.set(if self.stop.is_hurried() { Pace::Full } else { self.how.pace });
            let began = Instant::now();
            // What was found last goes in the same write as the question for more.
            self.scan(wire, cursor, course.keys());
            wire.send().map_err(End::Broke)?;
            removed(wire, doomed, tally).map_err(End::Broke)?;
            let answer = wire.answer().map_err(End::Broke)?;
            let (next, keys) = keys_of(&answer)?;
            // The server matched the pattern already; the literal prefix has the last word.
            let mine: Vec<_> = keys.iter().filter_map(key).filter(|name| self.guard.allows(name)).collect();
            let mine = self.old_enough(wire, mine)?;
            for name in &mine {
                match self.how.way {
                    Way::Expire { over_ms } => {
                        let millis = 1 + chance.hash_one(name) % over_ms.max(1);
                        // No key lives longer for it.
                        wire.put(&[b"PEXPIRE", name, millis.to_string().as_bytes(), b"LT"]);
                    }
                    Way::Remove | Way::Renew => wire.put(&[b"UNLINK", name]),
                }
            }
            doomed = mine.len() as u64;
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

    /// Whether keys of the namespace are meant to be there afterwards.
    const fn leaves_some(&self) -> bool {
        self.how.older_than.is_some() || !matches!(self.how.way, Way::Remove)
    }

    fn scan(&self, wire: &mut Wire, cursor: u64, count: u32) {
        let (cursor, count) = (cursor.to_string(), count.to_string());
        let mut words = vec![
            &b"SCAN"[..],
            cursor.as_bytes(),
            b"MATCH",
            self.pattern.as_bytes(),
            b"COUNT",
            count.as_bytes(),
        ];
        if let Some(kind) = &self.how.only_type {
            words.extend([&b"TYPE"[..], kind.as_bytes()]);
        }
        wire.put(&words);
    }

    /// Those that nobody has used for as long as asked; all of them where nothing was asked.
    fn old_enough<'a>(&self, wire: &mut Wire, keys: Vec<&'a [u8]>) -> Result<Vec<&'a [u8]>, End> {
        let Some(least) = self.how.older_than else { return Ok(keys) };
        if keys.is_empty() {
            return Ok(keys);
        }
        for name in &keys {
            wire.put(&[b"OBJECT", b"IDLETIME", name]);
        }
        wire.send().map_err(End::Broke)?;
        let mut old = Vec::with_capacity(keys.len());
        let mut refusal = None;
        for name in keys {
            let value = wire.answer().map_err(End::Broke)?;
            refusal = refusal.or_else(|| refused(std::slice::from_ref(&value)));
            // Gone in between: no answer, and nothing to do.
            if number(&value).and_then(|it| u64::try_from(it).ok()).is_some_and(|idle| idle >= least) {
                old.push(name);
            }
        }
        refusal.map_or(Ok(old), |why| Err(End::Broke(why)))
    }

    /// Counts what came meanwhile: SCAN promises only what was there all the time.
    fn look_again(&mut self, wire: &mut Wire, tally: &mut Tally) -> Result<(), End> {
        let left = self.keys.saturating_sub(tally.deleted);
        let enough = if left <= LOOKED_AGAIN { u64::MAX } else { (left / 50).max(SAMPLE) };
        let (mut cursor, mut seen, mut found) = (0_u64, 0, 0);
        tally.back = Some(Back::default());
        loop {
            self.hold(tally)?;
            self.scan(wire, cursor, LOOK);
            wire.send().map_err(End::Broke)?;
            let answer = wire.answer().map_err(End::Broke)?;
            let (next, keys) = keys_of(&answer)?;
            found += keys.iter().filter_map(key).filter(|name| self.guard.allows(name)).count() as u64;
            seen += u64::from(LOOK);
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

    /// Waits while the operator holds it, the server is in trouble, or others would pay for it.
    fn hold(&mut self, tally: &mut Tally) -> Result<(), End> {
        let (mut slow, mut waited) = (0, 0);
        loop {
            if self.stop.is_stopped() {
                return Err(End::Stopped);
            }
            let held = match self.probe.strain() {
                Some(Strain::End(why)) => return Err(End::Broke(why.to_owned())),
                Some(Strain::Wait(why)) if waited >= GIVES_UP => {
                    return Err(End::Broke(format!("{why}, and for a minute it got no better")));
                }
                Some(Strain::Wait(why)) => {
                    waited += 1;
                    Some(why)
                }
                // Longer than that: it goes on at the lowest pace rather than never.
                None if self.probe.in_trouble() && slow < SLOW_FOR => {
                    slow += 1;
                    Some("the server answers slowly")
                }
                None => None,
            };
            tally.held = held;
            if !self.stop.is_paused() && held.is_none() {
                return Ok(());
            }
            (self.report)(tally);
            std::thread::sleep(HELD);
        }
    }
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
