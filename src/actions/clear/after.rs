//! What is looked at after a sweep: what came meanwhile, and who has heard of it.

use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::server::{key, number};
use super::sweep::{Sweep, keys_of};
use super::tally::{Back, End, Tally};
use super::wire::Wire;

/// A keyspace of up to this many keys is looked through once more as a whole; of a larger one, a part.
const LOOKED_AGAIN: u64 = 200_000;
/// Keys looked at once more at least, in a larger one.
const SAMPLE: u64 = 20_000;
/// Keys asked for at once in the second look.
const LOOK: u32 = 100;
/// So many where the way there and back is longer than this, for each look waits for it.
const LOOK_FAR: u32 = 1_000;
const FAR: Duration = Duration::from_millis(5);
/// A look longer than this ends with what it has seen.
const LOOKS_FOR: Duration = Duration::from_secs(5);
/// How long replicas have to say that they have heard of all.
const HEARD: Duration = Duration::from_secs(1);

impl Sweep {
    /// Counts what came meanwhile: SCAN promises only what was there all the time.
    pub(super) fn look_again(&mut self, wire: &mut Wire, begun: u64, tally: &mut Tally) -> Result<(), End> {
        let before = tally.back.unwrap_or_default();
        let left = self.keys.saturating_sub(tally.deleted - begun);
        let enough = if left <= LOOKED_AGAIN { u64::MAX } else { (left / 50).max(SAMPLE) };
        let look = if self.probe.way() > FAR { LOOK_FAR } else { LOOK };
        let start = Instant::now();
        let (mut cursor, mut seen, mut found) = (0_u64, 0, 0);
        tally.back = Some(before);
        loop {
            self.hold(tally)?;
            self.scan(wire, cursor, look);
            wire.send().map_err(End::Broke)?;
            let answer = wire.answer().map_err(End::Broke)?;
            let (next, keys) = keys_of(&answer)?;
            found += keys.iter().filter_map(key).filter(|name| self.guard.allows(name)).count() as u64;
            seen += u64::from(look);
            cursor = next;
            let whole = cursor == 0;
            let among = if whole { before.among } else { Some(before.among.unwrap_or(0) + seen) };
            tally.back = Some(Back { keys: before.keys + found, among });
            (self.report)(tally);
            let long = seen >= SAMPLE && start.elapsed() > LOOKS_FOR;
            if whole || seen >= enough || long {
                return Ok(());
            }
        }
    }

    /// Learns which replicas have heard of all that was done: one that has not may be the next master.
    pub(super) fn hear(&self, wire: &mut Wire, tally: &mut Tally) {
        if self.replicas == 0 {
            return;
        }
        let (replicas, patience) = (self.replicas.to_string(), HEARD.as_millis().to_string());
        wire.put(&[b"WAIT", replicas.as_bytes(), patience.as_bytes()]);
        let heard = match wire.send().and_then(|()| wire.answer()) {
            // Closed, or ended while it waited: that is what becomes of a master that is one no more.
            Err(_) => 0,
            Ok(Value::ServerError(error)) if error.code() == "UNBLOCKED" => 0,
            Ok(answer) => match number(&answer).map(u64::try_from) {
                Some(Ok(heard)) => heard,
                // Whoever may not ask learns nothing.
                _ => return,
            },
        };
        tally.replicas += self.replicas;
        tally.unheard += self.replicas.saturating_sub(heard);
    }
}
