//! What another client feels while a clear goes on, and how the server bears it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use super::strain::{Signs, Strain};

/// PINGs slower than this and twice the way there and back mean the server is in trouble: nothing
/// more is asked of it for now.
const TROUBLE: Duration = Duration::from_millis(20);
/// PINGs from one look at the server's own signs to the next: half a second.
const LOOK_EVERY: u32 = 25;

/// What another client feels: a PING every twenty milliseconds on a connection of its own.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Probe(Arc<Mutex<Felt>>);

#[derive(Debug, Default)]
struct Felt {
    recent: VecDeque<Duration>,
    slowest: Duration,
    /// The way there and back.
    way: Duration,
    first: Option<Signs>,
    last: Option<Signs>,
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

    fn seen(&self, signs: Signs) {
        let mut felt = self.lock();
        felt.first.get_or_insert_with(|| signs.clone());
        felt.last = Some(signs);
    }

    /// The slowest PING so far.
    pub(in crate::actions) fn slowest(&self) -> Duration {
        self.lock().slowest
    }

    /// Hit ratio since the clear began, 0 to 1; `None` with fewer than a hundred lookups.
    pub(in crate::actions) fn hit_ratio(&self) -> Option<f64> {
        let felt = self.lock();
        felt.last.as_ref()?.hit_ratio_since(felt.first.as_ref()?)
    }

    /// What speaks against going on.
    pub(super) fn strain(&self) -> Option<Strain> {
        let felt = self.lock();
        felt.last.as_ref()?.against(felt.first.as_ref()?)
    }

    /// What three of four recent PINGs stayed under; one that was held up tells nothing of the server.
    pub(super) fn usual(&self) -> Duration {
        let mut sorted: Vec<_> = self.lock().recent.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 3 / 4).copied().unwrap_or_default()
    }

    /// Learns how far the server is away: that is no trouble of its own.
    pub(super) fn is_away(&self, way: Duration) {
        self.lock().way = way;
    }

    /// The way there and back, as it was learnt.
    pub(super) fn way(&self) -> Duration {
        self.lock().way
    }

    /// Whether the last two PINGs were both so slow that the server must be in trouble.
    pub(super) fn in_trouble(&self) -> bool {
        let felt = self.lock();
        let slow = TROUBLE + 2 * felt.way;
        felt.recent.len() >= 2 && felt.recent.iter().rev().take(2).all(|took| *took > slow)
    }
}

/// Probes until it is dropped; a broken connection ends the probing, the sweep notices by itself.
pub(in crate::actions) async fn ping_for_ever(mut connection: MultiplexedConnection, probe: Probe) {
    let mut pings = 0_u32;
    loop {
        let began = Instant::now();
        if connection.send_packed_command(&redis::cmd("PING")).await.is_err() {
            std::future::pending::<()>().await;
        }
        probe.felt(began.elapsed());
        if pings.is_multiple_of(LOOK_EVERY)
            && let Ok(info) = connection.send_packed_command(&redis::cmd("INFO")).await
        {
            // Refused, it says nothing, and nothing is concluded from it.
            probe.seen(Signs::read(&super::server::text(&info)));
        }
        pings = pings.wrapping_add(1);
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
        probe.is_away(Duration::from_millis(40));
        assert!(!probe.in_trouble(), "it is far away, and that is all");
        for _ in 0..2 {
            probe.felt(Duration::from_millis(101));
        }
        assert!(probe.in_trouble());
    }
}
