//! The sweep: SCAN and UNLINK, batch by batch, with rests, until the cursor comes round.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::super::StopFlag;
use super::guard::Guard;
use super::lanes::{Lanes, Sent, Step};
use super::pace::Course;
use super::probe::Probe;
use super::seat::{Row, Seat};
use super::server::{key, number, refused, scanned};
use super::strain::Strain;
use super::tally::{End, Tally};
use super::wire::Wire;
use crate::model::{Clearing, Pace, Way};

/// From one look at what holds a sweep to the next; and how many looks before it goes on as slowly as it
/// can (ten seconds of slow answers), or gives up (a minute of anything else).
const HELD: Duration = Duration::from_millis(50);
const SLOW_FOR: u32 = 200;
const GIVES_UP: u32 = 1_200;

/// How a walk over the lanes ended.
enum Walked {
    /// All came to their ends.
    Whole,
    /// The server's cursors are not understood.
    Strange,
    /// Its thread is hardly let run: another must go on from here.
    Starved,
}

/// One sweep over one namespace, on a thread of its own.
pub(in crate::actions) struct Sweep {
    /// Which keys may go.
    pub guard: Guard,
    /// The `MATCH` pattern.
    pub pattern: String,
    /// How fast, which keys, and what becomes of them.
    pub how: Clearing,
    /// Keys on this server when it began.
    pub keys: u64,
    /// Which of how many servers this is, from 0.
    pub part: (usize, usize),
    /// Replicas that follow this server.
    pub replicas: u64,
    /// What others feel.
    pub probe: Probe,
    /// The operator's hold on it.
    pub stop: StopFlag,
    /// Called between batches.
    pub report: Box<dyn FnMut(&Tally) + Send>,
    /// What it keeps in mind for itself.
    pub kept: Kept,
}

/// What a sweep keeps in mind from one batch to the next; nothing when it begins.
#[derive(Default)]
pub(in crate::actions) struct Kept {
    /// How far its thread steps back, if that matters.
    row: Option<Row>,
    /// Where its thread runs.
    seat: Option<Seat>,
    /// Looks in a row at which the server was in trouble.
    slow: u32,
}

impl Sweep {
    /// Sweeps, then looks once more. `tally` holds what was done, however it ends.
    pub(in crate::actions) fn run(&mut self, wire: &mut Wire, tally: &mut Tally) -> End {
        let begun = tally.deleted;
        let swept = match wire.baseline() {
            Ok(baseline) => {
                self.probe.is_away(baseline);
                self.sweep(wire, baseline, tally)
            }
            Err(why) => Err(End::Broke(why)),
        };
        match swept
            .and_then(|()| if self.leaves_some() { Ok(()) } else { self.look_again(wire, begun, tally) })
        {
            Ok(()) => {
                self.hear(wire, tally);
                End::Finished
            }
            Err(end) => end,
        }
    }

    fn sweep(&mut self, wire: &mut Wire, baseline: Duration, tally: &mut Tally) -> Result<(), End> {
        let mut course = Course::new(self.how.pace, baseline);
        if wire.local && self.how.pace == Pace::Gentle {
            self.kept.row = Some(Row::Last);
            self.kept.seat = Seat::take(Row::Middle);
        }
        // Keys that are asked for their age need an answer of their own in between.
        let mut lanes = match self.how.older_than {
            Some(_) => Lanes::new(1),
            None => Lanes::over(self.keys, course.trips()),
        };
        let understood = self.walk(wire, &mut course, &mut lanes, baseline, tally)?;
        if !understood {
            let mut one = Lanes::new(1);
            self.walk(wire, &mut course, &mut one, baseline, tally)?;
        }
        Ok(())
    }

    /// Walks all lanes to their ends; `false` where the server's cursors are not understood. Whatever was
    /// sent is answered before it returns, or the connection is broken.
    fn walk(
        &mut self,
        wire: &mut Wire,
        course: &mut Course,
        lanes: &mut Lanes,
        baseline: Duration,
        tally: &mut Tally,
    ) -> Result<bool, End> {
        let walked = self.seated(wire, course, lanes, baseline, tally);
        while let Some(sent) = lanes.on_the_way.pop_front() {
            let refusal = removed(wire, sent.doomed, tally).map_err(End::Broke)?;
            if sent.lane.is_some() {
                wire.answer().map_err(End::Broke)?;
            }
            if let (Ok(_), Some(why)) = (&walked, refusal) {
                return Err(End::Broke(why));
            }
        }
        walked
    }

    /// Walks them in the last row while that gets on, else one further to the front.
    fn seated(
        &mut self,
        wire: &mut Wire,
        course: &mut Course,
        lanes: &mut Lanes,
        baseline: Duration,
        tally: &mut Tally,
    ) -> Result<bool, End> {
        for (lane, cursor) in lanes.begins().into_iter().enumerate() {
            self.send(wire, lanes, course, 0, Some((lane, cursor)))?;
        }
        if self.kept.row == Some(Row::Last) {
            // Who has stepped back may not step forward again: a thread of its own does, and ends.
            let there = std::thread::scope(|threads| {
                let work = || {
                    self.kept.seat = Seat::take(Row::Last);
                    self.lanes(wire, course, lanes, baseline, tally)
                };
                let thread = std::thread::Builder::new().name("clear".into()).spawn_scoped(threads, work);
                // Without a thread more it goes on further to the front.
                thread.map_or(Ok(Walked::Starved), |thread| {
                    thread.join().unwrap_or_else(|_| Err(End::Broke("an internal error".into())))
                })
            });
            match there? {
                Walked::Whole => return Ok(true),
                Walked::Strange => return Ok(false),
                Walked::Starved => {}
            }
        }
        if self.kept.row.is_some() {
            self.kept.row = Some(Row::Middle);
            self.kept.seat = Seat::take(Row::Middle);
        }
        Ok(matches!(self.lanes(wire, course, lanes, baseline, tally)?, Walked::Whole))
    }

    fn lanes(
        &mut self,
        wire: &mut Wire,
        course: &mut Course,
        lanes: &mut Lanes,
        baseline: Duration,
        tally: &mut Tally,
    ) -> Result<Walked, End> {
        let chance = RandomState::new();
        let mut answered = Instant::now();
        loop {
            if self.kept.seat.as_mut().is_some_and(|seat| seat.starves(answered)) {
                return Ok(Walked::Starved);
            }
            let Some(sent) = lanes.on_the_way.pop_front() else { return Ok(Walked::Whole) };
            let refusal = removed(wire, sent.doomed, tally).map_err(End::Broke)?;
            let answer = sent.lane.map(|_| wire.answer()).transpose().map_err(End::Broke)?;
            if let Some(why) = refusal {
                return Err(End::Broke(why));
            }
            let (Some(lane), Some(answer)) = (sent.lane, answer) else { continue };
            // The server begins a batch when it has come, and the one before it is done.
            let before = std::mem::replace(&mut answered, Instant::now());
            let took = if sent.at > before {
                answered.duration_since(sent.at).saturating_sub(baseline)
            } else {
                answered.duration_since(before)
            };
            let (cursor, keys) = keys_of(&answer)?;
            // The server matched the pattern already; the literal prefix has the last word.
            let mine: Vec<_> = keys.iter().filter_map(key).filter(|name| self.guard.allows(name)).collect();
            let mine = self.old_enough(wire, mine)?;
            let step = lanes.step(lane, cursor);
            if step == Step::Strange {
                return Ok(Walked::Strange);
            }
            let (part, parts) = self.part;
            tally.share = tally.share.max((part as f64 + lanes.share()) / parts as f64);
            tally.braked = course.is_braked();
            (self.report)(tally);
            self.hold(tally)?;
            if let Some(seat) = &mut self.kept.seat {
                seat.keep(answered);
            }
            course.set(if self.stop.is_hurried() { Pace::Full } else { self.how.pace });
            let rest = course.after(took, &sent, &self.probe, Instant::now());
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
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
            let doomed = mine.len() as u64;
            tally.matched += doomed;
            tally.in_doubt += doomed;
            match step {
                // What was found goes in the same write as the question for more.
                Step::On(cursor) => self.send(wire, lanes, course, doomed, Some((lane, cursor)))?,
                _ if doomed > 0 => self.send(wire, lanes, course, doomed, None)?,
                _ => {}
            }
        }
    }

    fn send(
        &self,
        wire: &mut Wire,
        lanes: &mut Lanes,
        course: &Course,
        doomed: u64,
        next: Option<(usize, u64)>,
    ) -> Result<(), End> {
        let keys = course.keys(doomed);
        if let Some((_, cursor)) = next {
            self.scan(wire, cursor, keys);
        }
        let at = Instant::now();
        wire.send().map_err(End::Broke)?;
        lanes.on_the_way.push_back(Sent { doomed, lane: next.map(|(lane, _)| lane), keys, at });
        Ok(())
    }

    /// Whether keys of the namespace are meant to be there afterwards.
    const fn leaves_some(&self) -> bool {
        self.how.older_than.is_some() || !matches!(self.how.way, Way::Remove)
    }

    pub(super) fn scan(&self, wire: &mut Wire, cursor: u64, count: u32) {
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

    /// Waits while the operator holds it, the server is in trouble, or others would pay for it.
    pub(super) fn hold(&mut self, tally: &mut Tally) -> Result<(), End> {
        let (mut once, mut waited) = (true, 0);
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
                // Longer than that: it goes on at the lowest pace, a batch a look, rather than never.
                None if self.probe.in_trouble() => {
                    let waits = once || self.kept.slow < SLOW_FOR;
                    self.kept.slow = self.kept.slow.saturating_add(1);
                    waits.then_some("the server answers slowly")
                }
                None => {
                    self.kept.slow = 0;
                    None
                }
            };
            once = false;
            tally.held = held;
            if !self.stop.is_paused() && held.is_none() {
                return Ok(());
            }
            (self.report)(tally);
            std::thread::sleep(HELD);
        }
    }
}

pub(super) fn keys_of(answer: &Value) -> Result<(u64, &[Value]), End> {
    if let Some(why) = refused(std::slice::from_ref(answer)) {
        return Err(End::Broke(why));
    }
    scanned(answer).ok_or_else(|| End::Broke("the answer to SCAN is not one".into()))
}

/// Counts what the server removed, answer by answer: each tells of one key. One UNLINK a key costs no
/// more than many at once, and works wherever keys live. The first refusal, in words.
fn removed(wire: &mut Wire, asked: u64, tally: &mut Tally) -> Result<Option<String>, String> {
    let mut first = None;
    for _ in 0..asked {
        let value = wire.answer()?;
        tally.in_doubt -= 1;
        tally.deleted += number(&value).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        first = first.or_else(|| refused(std::slice::from_ref(&value)));
    }
    Ok(first)
}
