//! Depths over time, by listening port. Pure: it is told what was seen, and when.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::time::Instant;

use super::diag::Socket;
use crate::model::{Listener, SafeText};

/// Most rows handed on; the fullest first.
const MOST: usize = 512;

/// Fewer bytes are no request: an empty record of eight ends each that comes by `FastCGI`, and php-fpm leaves it
/// unread while it works on that very request.
const LEAST: u32 = 9;

/// What is summed under one row: sockets of one address and port (`SO_REUSEPORT` has one per worker).
type Key = (Option<IpAddr>, u16);

/// What was seen since the last [`Tallies::take`].
#[derive(Default)]
pub(super) struct Tallies {
    queues: BTreeMap<Key, Tally>,
    /// Of the listening sockets, and of the connections.
    clocks: [Clock; 2],
}

/// When a window began and when it was last looked.
#[derive(Clone, Copy, Default)]
pub(super) struct Clock {
    last: Option<Instant>,
    /// Seconds in the window so far.
    pub(super) span: f64,
}

impl Clock {
    /// Seconds since the last look.
    pub(super) fn step(&mut self, now: Instant) -> f64 {
        let step = self.last.map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        self.last = Some(now);
        self.span += step;
        step
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    limit: u32,
    depth: Course,
    unread: Course,
    oldest_ms: Option<u32>,
    /// Part of the latest look.
    present: bool,
}

/// A depth over time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Course {
    before: u32,
    /// At the latest look.
    pub(super) now: u32,
    max: u32,
    /// Looks in which it was not nought.
    met: u32,
    /// Depth times seconds.
    area: f64,
}

impl Course {
    pub(super) fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    pub(super) fn end(&mut self, step: f64) {
        self.area += f64::midpoint(self.before.into(), self.now.into()) * step;
        self.max = self.max.max(self.now);
        self.met = self.met.saturating_add(u32::from(self.now > 0));
    }

    /// What is told of the window, which ends here.
    pub(super) fn take(&mut self, span: f64) -> Told {
        let mean = if span > 0.0 { self.area / span } else { f64::from(self.now) };
        let told = Told { mean, max: self.max, met: self.met };
        (self.area, self.max, self.met) = (0.0, self.now, 0);
        told
    }
}

/// What is told of a depth over a window.
pub(super) struct Told {
    pub(super) mean: f64,
    pub(super) max: u32,
    /// Looks in which it was not nought.
    pub(super) met: u32,
}

impl Tallies {
    /// A look at the listening sockets begins.
    pub(super) fn begin_listening(&mut self) {
        for tally in self.queues.values_mut() {
            tally.depth.begin();
            (tally.limit, tally.present) = (0, false);
        }
    }

    /// One listening socket.
    pub(super) fn listening(&mut self, socket: &Socket) {
        let address = Some(socket.address.to_canonical()).filter(|it| !it.is_unspecified());
        let tally = self.queues.entry((address, socket.port)).or_default();
        tally.depth.now = tally.depth.now.saturating_add(socket.waiting);
        tally.limit = tally.limit.saturating_add(socket.limit);
        tally.present = true;
    }

    /// The look at the listening sockets was at `now`.
    pub(super) fn end_listening(&mut self, now: Instant) {
        let step = self.clocks[0].step(now);
        self.queues.values_mut().for_each(|tally| tally.depth.end(step));
    }

    /// A look at the connections begins.
    pub(super) fn begin_connected(&mut self) {
        self.queues.values_mut().for_each(|tally| tally.unread.begin());
    }

    /// One connection: counted when a program holds it and has not read what came.
    pub(super) fn connected(&mut self, socket: &Socket) {
        if socket.accepted
            && socket.waiting >= LEAST
            && let Some(tally) = self.port_of(socket)
        {
            tally.unread.now = tally.unread.now.saturating_add(1);
        }
    }

    /// The look at the connections was at `now`.
    pub(super) fn end_connected(&mut self, now: Instant) {
        let step = self.clocks[1].step(now);
        self.queues.values_mut().for_each(|tally| tally.unread.end(step));
    }

    /// Whether a connection waited to be accepted at the latest look.
    pub(super) fn is_queued(&self) -> bool {
        self.queues.values().any(|tally| tally.depth.now > 0)
    }

    /// Whether a program had not read all it was sent at the latest look.
    pub(super) fn is_unread(&self) -> bool {
        self.queues.values().any(|tally| tally.unread.now > 0)
    }

    /// One connection with its age: what it sent and nobody has read has waited for so long.
    pub(super) fn aged(&mut self, socket: &Socket) {
        let least = if socket.accepted { LEAST } else { 1 };
        if socket.waiting >= least
            && let Some(tally) = self.port_of(socket)
        {
            tally.oldest_ms = tally.oldest_ms.max(socket.age_ms);
        }
    }

    /// The listening port a connection came in by; `None` for those that this machine opened.
    fn port_of(&mut self, socket: &Socket) -> Option<&mut Tally> {
        let exact = (Some(socket.address.to_canonical()), socket.port);
        let key = if self.queues.contains_key(&exact) { exact } else { (None, socket.port) };
        self.queues.get_mut(&key)
    }

    /// The queues of the latest look, and how many were left out; begins a new window.
    pub(super) fn take(&mut self) -> (Vec<Listener>, usize) {
        let spans = self.clocks.map(|clock| clock.span);
        self.clocks.iter_mut().for_each(|clock| clock.span = 0.0);
        self.queues.retain(|_, tally| tally.present);
        let mut out: Vec<Listener> = self
            .queues
            .iter_mut()
            .map(|((address, port), tally)| {
                let (depth, unread) = (tally.depth.now, tally.unread.now);
                let waited = tally.depth.take(spans[0]);
                let kept = tally.unread.take(spans[1]);
                Listener {
                    address: SafeText::new(&address.map_or_else(|| "*".to_owned(), |it| it.to_string())),
                    port: *port,
                    depth,
                    limit: tally.limit,
                    mean_depth: waited.mean,
                    max_depth: waited.max,
                    met: Some(waited.met),
                    unread: Some(unread),
                    mean_unread: Some(kept.mean),
                    met_unread: Some(kept.met),
                    oldest_ms: tally.oldest_ms.take(),
                }
            })
            .collect();
        let left_out = keep_fullest(&mut out, MOST);
        (out, left_out)
    }
}

/// Keeps at most so many, the fullest; how many were left out.
pub(super) fn keep_fullest(rows: &mut Vec<Listener>, most: usize) -> usize {
    let left_out = rows.len().saturating_sub(most);
    if left_out > 0 {
        rows.sort_by_key(|it| std::cmp::Reverse(it.max_depth));
        rows.truncate(most);
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn row(address: IpAddr, port: u16, waiting: u32) -> Socket {
        Socket { address, port, waiting, limit: 5, accepted: true, age_ms: None }
    }

    fn look(tallies: &mut Tallies, now: Instant, rows: &[Socket]) {
        tallies.begin_listening();
        for row in rows {
            tallies.listening(row);
        }
        tallies.end_listening(now);
    }

    #[test]
    fn sockets_that_share_a_port_are_summed_and_means_are_of_time() {
        let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut tallies = Tallies::default();
        look(&mut tallies, at(0), &[row(any4, 80, 4), row(any4, 80, 3), row(any6, 80, 2), row(LOCAL, 80, 1)]);
        look(&mut tallies, at(10), &[row(any4, 80, 1), row(LOCAL, 80, 1), row(LOCAL, 99, 6)]);
        look(&mut tallies, at(40), &[row(any4, 80, 1), row(LOCAL, 80, 0), row(LOCAL, 99, 6)]);
        let (rows, left_out) = tallies.take();
        let shape: Vec<_> = rows
            .iter()
            .map(|it| (it.address.as_str(), it.port, it.depth, it.limit, it.mean_depth, it.max_depth))
            .collect();
        let wanted =
            [("*", 80, 1, 5, 2.0, 9), ("127.0.0.1", 80, 0, 5, 0.625, 1), ("127.0.0.1", 99, 6, 5, 5.25, 6)];
        assert_eq!((shape, left_out), (wanted.to_vec(), 0));
        look(&mut tallies, at(50), &[row(LOCAL, 99, 2)]);
        let (rows, _) = tallies.take();
        assert_eq!(rows.len(), 1, "a closed socket is gone");
        assert!((rows[0].mean_depth - 4.0).abs() < 1e-9 && rows[0].max_depth == 6, "a new window");
    }

    #[test]
    fn unread_bytes_of_accepted_connections_count_and_the_oldest_of_all() {
        let mut tallies = Tallies::default();
        let now = Instant::now();
        look(&mut tallies, now, &[row(LOCAL, 80, 1)]);
        let kept = Socket { accepted: true, age_ms: Some(12), ..row(LOCAL, 80, 65) };
        let new = Socket { accepted: false, age_ms: Some(236), ..kept };
        let ours = Socket { port: 40_000, age_ms: Some(999), ..kept };
        let read = Socket { waiting: 0, age_ms: Some(5_000), ..kept };
        let at_work = Socket { waiting: 8, age_ms: Some(4_000), ..kept };
        tallies.begin_connected();
        for socket in [kept, new, ours, read, at_work, kept] {
            tallies.connected(&socket);
            tallies.aged(&socket);
        }
        tallies.end_connected(now);
        let row = tallies.take().0.remove(0);
        assert_eq!(
            (row.depth, row.unread, row.mean_unread, row.oldest_ms),
            (1, Some(2), Some(2.0), Some(236))
        );
        assert_eq!((row.met, row.met_unread), (Some(1), Some(1)), "looks, not what was in them");
    }

    #[test]
    fn a_long_list_keeps_the_fullest() {
        let rows: Vec<_> = (1..=600u16).map(|port| row(LOCAL, port, u32::from(port == 600) * 7)).collect();
        let mut tallies = Tallies::default();
        look(&mut tallies, Instant::now(), &rows);
        let (rows, left_out) = tallies.take();
        assert_eq!((rows.len(), left_out), (512, 88));
        assert_eq!(rows[0].port, 600);
    }
}
