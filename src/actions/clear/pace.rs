//! How fast a clear goes: by what it costs the server, and by what another client feels.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

/// Keys a batch looks at, at least and at most: more would only hold others up for longer.
const FEWEST: f64 = 10.0;
const MOST: f64 = 500.0;
/// Server time a batch should take, seconds: what others wait for in the worst case.
const BATCH: f64 = 150e-6;
/// Share of the server's time a clear takes.
const DUTY: f64 = 0.5;
/// How far a clear is slowed down at most.
const SLOWEST: f64 = 0.1;
/// A usual PING slower than this, or three times slower than before the clear, slows it down.
const SLOW: Duration = Duration::from_millis(2);
/// PINGs slower than this mean the server is in trouble: nothing more is asked of it for now.
const TROUBLE: Duration = Duration::from_millis(20);
/// Batches from which the cost of a key is learnt: the median of them, for on a busy machine
/// any single one may have waited for a processor.
const LEARNT_FROM: usize = 15;

/// What another client feels: a PING every twenty milliseconds on a connection of its own.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Probe(Arc<Mutex<Felt>>);

#[derive(Debug, Default)]
struct Felt {
    recent: VecDeque<Duration>,
    slowest: Duration,
}

impl Probe {
    fn felt(&self, took: Duration) {
        let mut felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if felt.recent.len() == 25 {
            felt.recent.pop_front();
        }
        felt.recent.push_back(took);
        felt.slowest = felt.slowest.max(took);
    }

    /// The slowest PING so far.
    pub(in crate::actions) fn slowest(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).slowest
    }

    /// What three of four recent PINGs stayed under; one that was held up tells nothing of the server.
    fn usual(&self) -> Duration {
        let felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = felt.recent.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 3 / 4).copied().unwrap_or_default()
    }

    /// Whether the last two PINGs were both so slow that the server must be in trouble.
    pub(super) fn in_trouble(&self) -> bool {
        let felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        felt.recent.len() >= 2 && felt.recent.iter().rev().take(2).all(|took| *took > TROUBLE)
    }
}

/// Measures the way there and back: the median of ten PINGs.
pub(super) async fn baseline(connection: &mut MultiplexedConnection) -> Result<Duration, String> {
    let mut took = Vec::with_capacity(10);
    for _ in 0..10 {
        let began = Instant::now();
        let mut ping = redis::pipe();
        ping.cmd("PING");
        super::server::ask(connection, &ping).await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(took.len() / 2).copied().unwrap_or_default())
}

/// Probes until it is dropped; a broken connection ends the probing, the sweep notices by itself.
pub(in crate::actions) async fn ping_for_ever(mut connection: MultiplexedConnection, probe: Probe) {
    loop {
        let began = Instant::now();
        if connection.send_packed_command(&redis::cmd("PING")).await.is_err() {
            std::future::pending::<()>().await;
        }
        probe.felt(began.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Keys a batch, rests between batches.
#[derive(Debug)]
pub(super) struct Pace {
    keys: f64,
    /// 1 at full pace, less while others feel it.
    brake: f64,
    /// Seconds of server time a key cost in the last batches.
    costs: VecDeque<f64>,
    /// Rest not yet taken, seconds; the timer is coarse, so it is taken in pieces of a millisecond.
    owed: f64,
    baseline: Duration,
    braked: Option<Instant>,
}

impl Pace {
    pub(super) const fn new(baseline: Duration) -> Self {
        Self { keys: 100.0, brake: 1.0, costs: VecDeque::new(), owed: 0.0, baseline, braked: None }
    }

    /// Keys the next batch looks at.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 10 and 500")]
    pub(super) const fn keys(&self) -> u32 {
        self.keys as u32
    }

    /// Learns from a batch, and rests.
    pub(super) async fn after(&mut self, took: Duration, probe: &Probe) {
        let cost = self.learn(took, probe.usual());
        let busy = cost * self.keys;
        // The way there and back is rest for the server too.
        self.owed += busy * (1.0 / (DUTY * self.brake) - 1.0) - self.baseline.as_secs_f64();
        self.owed = self.owed.max(-1e-3);
        self.keys = (BATCH * self.brake / cost.max(1e-9)).clamp(FEWEST, MOST);
        if self.owed >= 1e-3 {
            let began = Instant::now();
            sleep(Duration::from_secs_f64(self.owed.min(0.1))).await;
            self.owed -= began.elapsed().as_secs_f64();
        }
    }

    /// The cost of a key, seconds; and whether to brake.
    fn learn(&mut self, took: Duration, usual: Duration) -> f64 {
        if self.costs.len() == LEARNT_FROM {
            self.costs.pop_front();
        }
        self.costs.push_back(took.saturating_sub(self.baseline).as_secs_f64() / self.keys);
        if usual > (self.baseline * 3).max(SLOW) {
            if self.braked.is_none_or(|at| at.elapsed() >= Duration::from_millis(200)) {
                self.braked = Some(Instant::now());
                self.brake = (self.brake / 2.0).max(SLOWEST);
            }
        } else {
            self.brake = (self.brake * 1.02).min(1.0);
        }
        let mut sorted: Vec<_> = self.costs.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_batch_that_waited_for_a_processor_changes_nothing_and_slow_pings_do() {
        let (mut pace, probe) = (Pace::new(Duration::from_micros(100)), Probe::default());
        for _ in 0..LEARNT_FROM {
            pace.after(Duration::from_micros(100) + Duration::from_nanos(800) * pace.keys(), &probe).await;
        }
        let usual = pace.keys();
        assert!((150..220).contains(&usual), "150 us at 0.8 us a key: {usual}");
        pace.after(Duration::from_millis(30), &probe).await;
        assert_eq!(pace.keys(), usual);

        probe.felt(Duration::from_millis(50));
        assert!(!probe.in_trouble(), "one slow PING is not trouble");
        probe.felt(Duration::from_millis(50));
        assert!(probe.in_trouble());
        for _ in 0..50 {
            pace.after(Duration::from_micros(240), &probe).await;
            tokio::time::advance(Duration::from_millis(300)).await;
        }
        assert!(pace.keys() < usual / 4, "others suffer and it goes on: {}", pace.keys());
    }
}
