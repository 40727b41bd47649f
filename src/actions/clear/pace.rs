//! How fast a clear goes: by what it costs the server, and by what another client feels.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

/// Keys a batch looks at, at least and at most: more would only hold others up for longer.
const FEWEST: f64 = 10.0;
const MOST: f64 = 500.0;
/// Server time a batch should take: what others wait for in the worst case.
const SHORT: Duration = Duration::from_micros(120);
const LONG: Duration = Duration::from_micros(220);
/// Share of the server's time, at most and at least.
const DUTY: f64 = 0.5;
const LEAST_DUTY: f64 = 0.05;
/// A PING slower than this means the server is in trouble: nothing more is asked of it for now.
const TROUBLE: Duration = Duration::from_millis(20);

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

    /// The last PING, and the second slowest of the last half second.
    fn now(&self) -> (Duration, Duration) {
        let felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = felt.recent.iter().copied().collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let usual = sorted.get(1).or(sorted.first()).copied().unwrap_or_default();
        (felt.recent.back().copied().unwrap_or_default(), usual)
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
    duty: f64,
    /// Rest not yet taken; the timer is coarse, so it is taken in pieces of a millisecond.
    owed: f64,
    baseline: Duration,
    backed_off: Option<Instant>,
}

impl Pace {
    pub(super) const fn new(baseline: Duration) -> Self {
        Self { keys: 100.0, duty: DUTY, owed: 0.0, baseline, backed_off: None }
    }

    /// Keys the next batch looks at.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 10 and 500")]
    pub(super) const fn keys(&self) -> u32 {
        self.keys as u32
    }

    /// Learns from a batch, and rests.
    pub(super) async fn after(&mut self, took: Duration, probe: &Probe) {
        let busy = took.saturating_sub(self.baseline);
        self.learn(busy, probe.now());
        // The way there and back is rest for the server too.
        let rest = busy.as_secs_f64() * (1.0 / self.duty - 1.0) - self.baseline.as_secs_f64();
        self.owed = (self.owed + rest).max(0.0);
        if self.owed >= 1e-3 {
            let began = Instant::now();
            sleep(Duration::from_secs_f64(self.owed.min(0.1))).await;
            self.owed = (self.owed - began.elapsed().as_secs_f64()).max(-2e-3);
        }
    }

    /// Whether the server is in such trouble that nothing should be asked of it.
    pub(super) fn must_wait(probe: &Probe) -> bool {
        probe.now().0 > TROUBLE
    }

    fn learn(&mut self, busy: Duration, (_, usual): (Duration, Duration)) {
        let limit = (self.baseline * 3).max(Duration::from_millis(2));
        if usual > limit {
            if self.backed_off.is_none_or(|at| at.elapsed() >= Duration::from_millis(200)) {
                self.backed_off = Some(Instant::now());
                self.keys = (self.keys / 2.0).max(FEWEST);
                self.duty = (self.duty / 2.0).max(LEAST_DUTY);
            }
            return;
        }
        self.duty = (self.duty * 1.02).min(DUTY);
        if busy < SHORT {
            self.keys = (self.keys * 1.25).min(MOST);
        } else if busy > LONG {
            self.keys = (self.keys * 0.8).max(FEWEST * 2.0);
        }
    }
}
