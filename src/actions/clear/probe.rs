//! What another client feels while a clear goes on, and how the server bears it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

/// PINGs slower than this mean the server is in trouble: nothing more is asked of it for now.
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
    fn lock(&self) -> MutexGuard<'_, Felt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn felt(&self, took: Duration) {
        let mut felt = self.lock();
        if felt.recent.len() == 25 {
            felt.recent.pop_front();
        }
        felt.recent.push_back(took);
        felt.slowest = felt.slowest.max(took);
    }

    /// The slowest PING so far.
    pub(in crate::actions) fn slowest(&self) -> Duration {
        self.lock().slowest
    }

    /// What three of four recent PINGs stayed under; one that was held up tells nothing of the server.
    pub(super) fn usual(&self) -> Duration {
        let mut sorted: Vec<_> = self.lock().recent.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 3 / 4).copied().unwrap_or_default()
    }

    /// Whether the last two PINGs were both so slow that the server must be in trouble.
    pub(super) fn in_trouble(&self) -> bool {
        let felt = self.lock();
        felt.recent.len() >= 2 && felt.recent.iter().rev().take(2).all(|took| *took > TROUBLE)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_ping_is_not_trouble_and_two_are() {
        let probe = Probe::default();
        probe.felt(Duration::from_millis(50));
        assert!(!probe.in_trouble());
        probe.felt(Duration::from_millis(50));
        assert!(probe.in_trouble());
        assert_eq!(probe.slowest(), Duration::from_millis(50));
    }
}
