//! Where requests wait on this machine before a program reads them: accept queues, and accepted connections
//! with unread bytes. Sampled by a thread of its own, a hundred times a second, for means that hold.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::diag::Which;
use super::netlink::Netlink;
use super::path_tally::PathTallies;
use super::tally::Tallies;
use crate::model::Listener;
use crate::sources::unix_queue::UnixDiag;

/// Time from one look at the listening sockets to the next, at best: a wait of 2 ms needs about a
/// thousand looks to be told within a few percent.
const EVERY: Duration = Duration::from_millis(10);
/// The same for the connections, of which there may be very many.
const CONNECTIONS_EVERY: Duration = Duration::from_millis(50);
/// Looks of each sort may cost at most one part in so many of a processor; dearer ones become rarer.
const SHARE: u32 = 150;
/// The same while next to nothing waits: means near zero need fewer looks. One that meets something
/// is followed by looks at the full pace, since alone it would stand for a long time and prove nothing.
const CALM_SHARE: u32 = 750;
const CALM_CONNECTIONS_SHARE: u32 = 1_000;
/// The same while some looks at the connections meet something and most do not: how many do must be known well.
const DOUBT_SHARE: u32 = 60;
/// Sockets in the file system.
const CALM_PATHS_SHARE: u32 = 2_500;
/// From this part of the looks that meet something on, each look counts: about twenty after one that did. For
/// the looks at the listening sockets, so many must also meet bytes that are not read yet, which a moment's
/// look finds wherever there is traffic.
const BUSY: f64 = 0.02;
const UNREAD: f64 = 0.2;
/// The rarest.
const SELDOM: Duration = Duration::from_secs(5);

/// What waits, and what was seen since it was last taken. Dropping it ends the sampling.
pub(super) struct AcceptQueues {
    seen: Arc<Mutex<Seen>>,
    started: bool,
}

impl AcceptQueues {
    pub(super) fn new() -> Self {
        Self { seen: Arc::default(), started: false }
    }

    /// Looks once more and hands out every listening port with the means since the last call.
    /// The first call starts the sampling. The error says why there is nothing.
    pub(super) fn take(&mut self) -> Result<Queues, String> {
        if !self.started {
            let seen = Arc::downgrade(&self.seen);
            let thread = thread::Builder::new().name("accept-queues".into());
            // Without the thread there is still one look a poll.
            self.started = thread.spawn(move || sample_for_ever(&seen)).is_ok();
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look().and_then(|()| seen.age()).map_err(|error| {
            format!("the kernel refused socket diagnostics ({error}): a container or seccomp profile may deny netlink")
        })?;
        let (ports, ports_left_out) = seen.tallies.take();
        let (paths, paths_left_out) = seen.paths.take();
        let left_out = ports_left_out + paths_left_out;
        Ok(Queues { ports, paths, left_out, refused: seen.paths_refused })
    }
}

/// What [`AcceptQueues::take`] hands out.
pub(super) struct Queues {
    /// By listening port.
    pub(super) ports: Vec<Listener>,
    /// By listening socket in the file system.
    pub(super) paths: Vec<Listener>,
    /// Rows beyond those kept.
    pub(super) left_out: usize,
    /// Why the sockets in the file system are not told, where they are not.
    pub(super) refused: Option<Errno>,
}

fn sample_for_ever(seen: &Weak<Mutex<Seen>>) {
    // The pause varies, so that work in step with it is not always met at the same moment.
    let mut pause = EVERY;
    loop {
        thread::sleep(pause.mul_f64(0.5 + fastrand::f64()));
        let Some(seen) = seen.upgrade() else { return };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A refusal is told by the next poll, which looks for itself.
        pause = if seen.look().is_ok() { seen.listening.pause(seen.share(), EVERY) } else { SELDOM };
    }
}

#[derive(Default)]
struct Seen {
    kernel: Netlink,
    tallies: Tallies,
    listening: Cost,
    connections: Cost,
    connections_due: Option<Instant>,
    unix: UnixDiag,
    paths: PathTallies,
    paths_cost: Cost,
    paths_due: Option<Instant>,
    paths_refused: Option<Errno>,
    /// Part of the recent looks in which something waited at one of them.
    paths_busy: f64,
    /// Part of the recent looks in which something waited to be accepted, 0 to 1; and to be read.
    busy: f64,
    unread: f64,
}

impl Seen {
    /// Asks the kernel once and adds what it says to the tallies.
    fn look(&mut self) -> Result<(), Errno> {
        let began = Worked::now();
        self.tallies.begin_listening();
        self.kernel.dump(Which::Listening, &mut |socket| self.tallies.listening(&socket))?;
        let looked = Instant::now();
        self.tallies.end_listening(looked);
        self.listening.learn(began.since());
        learn(&mut self.busy, self.tallies.is_queued(), 64.0);
        if self.paths_due.is_none_or(|due| looked >= due) {
            self.look_at_paths();
        }
        let looked = Instant::now();
        if self.connections_due.is_none_or(|due| looked >= due) {
            let began = Worked::now();
            self.tallies.begin_connected();
            self.kernel.dump(Which::Connected, &mut |socket| self.tallies.connected(&socket))?;
            self.tallies.end_connected(looked);
            self.connections.learn(began.since());
            learn(&mut self.unread, self.tallies.is_unread(), 16.0);
            let pause = self.connections.pause(connections_share(self.unread), CONNECTIONS_EVERY);
            self.connections_due = Some(Instant::now() + pause);
        }
        Ok(())
    }

    /// Sockets in the file system; a kernel without `unix_diag` is no reason to tell no ports.
    fn look_at_paths(&mut self) {
        let began = Worked::now();
        match self.unix.listening() {
            Ok(queues) => {
                self.paths.look(queues, Instant::now());
                self.paths_refused = None;
            }
            Err(error) => self.paths_refused = Some(error),
        }
        self.paths_cost.learn(began.since());
        learn(&mut self.paths_busy, self.paths.is_queued(), 16.0);
        let share = if self.paths_busy < BUSY { CALM_PATHS_SHARE } else { SHARE };
        let pause = if self.paths_refused.is_some() { SELDOM } else { self.paths_cost.pause(share, EVERY) };
        self.paths_due = Some(Instant::now() + pause);
    }

    /// One part in so many of a processor that looking at the listening sockets may cost now.
    fn share(&self) -> u32 {
        if self.is_calm() { CALM_SHARE } else { SHARE }
    }

    const fn is_calm(&self) -> bool {
        self.busy < BUSY && self.unread < UNREAD
    }

    /// Looks for the one that has waited longest; only when something waits, since it costs more.
    fn age(&mut self) -> Result<(), Errno> {
        if !self.tallies.is_queued() && !self.tallies.is_unread() {
            return Ok(());
        }
        self.kernel.dump(Which::ConnectedWithAge, &mut |socket| self.tallies.aged(&socket))
    }
}

/// One part in so many of a processor that looking at the connections may cost, where this part of the looks meets
/// something.
fn connections_share(unread: f64) -> u32 {
    match unread {
        calm if calm < BUSY => CALM_CONNECTIONS_SHARE,
        doubt if doubt < 0.5 => DOUBT_SHARE,
        _ => SHARE,
    }
}

/// Smooths how often something is so over about so many looks.
fn learn(part: &mut f64, so: bool, looks: f64) {
    *part += (f64::from(u8::from(so)) - *part) / looks;
}

/// Processor time of this thread: a look that had to wait for a processor is not dearer for it, and on a
/// busy machine it is wanted most.
struct Worked(Duration);

impl Worked {
    fn now() -> Self {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        let part = |of: i64| u64::try_from(of).unwrap_or(0);
        Self(Duration::from_secs(part(spent.tv_sec)) + Duration::from_nanos(part(spent.tv_nsec)))
    }

    fn since(&self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// What a look costs, smoothed.
#[derive(Default)]
struct Cost(Duration);

impl Cost {
    fn learn(&mut self, took: Duration) {
        self.0 = (self.0 * 7 + took) / 8;
    }

    /// The pause that keeps its share of a processor.
    fn pause(&self, share: u32, at_least: Duration) -> Duration {
        (self.0 * share).clamp(at_least, SELDOM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_that_meets_something_is_followed_by_about_twenty_at_full_pace() {
        let mut unread = 0.0;
        assert_eq!(connections_share(unread), CALM_CONNECTIONS_SHARE);
        learn(&mut unread, true, 16.0);
        let mut looks = 0;
        while connections_share(unread) == DOUBT_SHARE {
            learn(&mut unread, false, 16.0);
            looks += 1;
        }
        assert!((15..25).contains(&looks), "{looks}");
        assert_eq!(connections_share(unread), CALM_CONNECTIONS_SHARE);
        assert_eq!(connections_share(0.9), SHARE, "what nearly every look meets is known well by fewer");
    }

    #[test]
    fn what_is_dear_becomes_rare() {
        let mut cost = Cost::default();
        assert_eq!(cost.pause(SHARE, EVERY), EVERY);
        for _ in 0..50 {
            cost.learn(Duration::from_millis(7));
        }
        assert!(
            (0.9..1.1).contains(&cost.pause(SHARE, EVERY).as_secs_f64()),
            "{:?}",
            cost.pause(SHARE, EVERY)
        );
        cost.learn(Duration::from_secs(60));
        assert_eq!(cost.pause(SHARE, EVERY), SELDOM);
    }
}
