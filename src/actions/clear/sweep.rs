//! The sweep: SCAN and UNLINK, batch by batch, with rests, until the cursor comes round.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tokio::time::{Instant, sleep};

use super::super::StopFlag;
use super::guard::Guard;
use super::pace::{Pace, Probe, baseline};
use super::server::{ask, key, number, refused, scanned};

/// What was done so far; true at every moment, whatever ends the sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Tally {
    /// Keys found that belong to the namespace.
    pub matched: u64,
    /// Keys the server says it removed.
    pub deleted: u64,
    /// Keys sent whose answer never came: they may be gone or not.
    pub in_doubt: u64,
    /// Keys that came (back) while the sweep went on, found by the second look.
    pub back: Option<u64>,
    /// Share of the keyspace walked through, both looks counted, 0 to 1.
    pub share: f64,
}

/// How a sweep ended.
#[derive(Debug)]
pub(in crate::actions) enum End {
    /// The cursor came round, and the second look too.
    Finished,
    /// The operator stopped it.
    Stopped,
    /// It could not go on, and why.
    Broke(String),
}

/// One sweep over one namespace.
pub(in crate::actions) struct Sweep<'a> {
    /// Which keys may go.
    pub guard: &'a Guard,
    /// The `MATCH` pattern.
    pub pattern: &'a str,
    /// What others feel.
    pub probe: &'a Probe,
    /// The operator's hold on it.
    pub stop: &'a StopFlag,
    /// Called between batches.
    pub report: &'a mut (dyn FnMut(&Tally) + Send),
}

impl Sweep<'_> {
    /// Sweeps, then looks once more. `tally` holds what was done, however it ends.
    pub(in crate::actions) async fn run(
        &mut self,
        connection: &mut MultiplexedConnection,
        tally: &mut Tally,
    ) -> End {
        let mut pace = match baseline(connection).await {
            Ok(baseline) => Pace::new(baseline),
            Err(why) => return End::Broke(why),
        };
        let end = self.pass(connection, &mut pace, tally, true).await;
        if !matches!(end, End::Finished) {
            return end;
        }
        tally.back = Some(0);
        self.pass(connection, &mut pace, tally, false).await
    }

    async fn pass(
        &mut self,
        connection: &mut MultiplexedConnection,
        pace: &mut Pace,
        tally: &mut Tally,
        deleting: bool,
    ) -> End {
        let (mut cursor, mut bits) = (0_u64, 0_u32);
        let mut doomed: Vec<Vec<u8>> = Vec::new();
        loop {
            if held(self.stop, self.probe).await {
                return End::Stopped;
            }
            let began = Instant::now();
            let mut pipeline = unlink(&doomed);
            pipeline.cmd("SCAN").arg(cursor).arg("MATCH").arg(self.pattern).arg("COUNT").arg(pace.keys());
            tally.in_doubt = doomed.len() as u64;
            let values = match ask(connection, &pipeline).await {
                Ok(values) => values,
                Err(why) => return End::Broke(why),
            };
            if let Some(why) = count(&values, tally) {
                return End::Broke(why);
            }
            let Some((next, keys)) = values.last().and_then(scanned) else {
                return End::Broke("the answer to SCAN is not one".into());
            };
            // The server matched the pattern already; the literal prefix has the last word.
            doomed.clear();
            let allowed = keys.iter().filter_map(key).filter(|name| self.guard.allows(name));
            if deleting {
                doomed.extend(allowed.map(<[u8]>::to_vec));
                tally.matched += doomed.len() as u64;
            } else {
                tally.back = Some(tally.back.unwrap_or(0) + allowed.count() as u64);
            }
            cursor = next;
            bits = bits.max(u64::BITS - cursor.leading_zeros());
            let walked = if cursor == 0 { 1.0 } else { walked(cursor, bits) };
            tally.share = tally.share.max(if deleting { walked / 2.0 } else { 0.5 + walked / 2.0 });
            (self.report)(tally);
            if cursor == 0 {
                break;
            }
            pace.after(began.elapsed(), self.probe).await;
        }
        if !doomed.is_empty() {
            tally.in_doubt = doomed.len() as u64;
            match ask(connection, &unlink(&doomed)).await {
                Ok(values) => {
                    if let Some(why) = count(&values, tally) {
                        return End::Broke(why);
                    }
                }
                Err(why) => return End::Broke(why),
            }
        }
        End::Finished
    }
}

/// Waits while the operator holds it or the server is in trouble; true when it must end.
async fn held(stop: &StopFlag, probe: &Probe) -> bool {
    let mut troubled = 0;
    loop {
        if stop.is_stopped() {
            return true;
        }
        // In trouble for ten seconds: go on at the lowest pace rather than never.
        let wait = probe.in_trouble() && troubled < 200;
        if !stop.is_paused() && !wait {
            return false;
        }
        troubled += u32::from(wait);
        sleep(Duration::from_millis(50)).await;
    }
}

/// One UNLINK a key: it costs no more than many at once, and each answer tells of one key.
fn unlink(keys: &[Vec<u8>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(keys.len() + 1);
    for key in keys {
        pipeline.cmd("UNLINK").arg(key);
    }
    pipeline
}

/// Counts what the server removed; the first refusal among the answers, if there is one.
fn count(values: &[Value], tally: &mut Tally) -> Option<String> {
    let removed = values.iter().filter_map(|value| match value {
        Value::Int(_) => number(value),
        _ => None,
    });
    tally.deleted += removed.filter_map(|n| u64::try_from(n).ok()).sum::<u64>();
    tally.in_doubt = 0;
    refused(values)
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
