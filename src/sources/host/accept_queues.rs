//! The accept queues of this machine's listening TCP sockets, sampled more often than they are asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::diag::{DiagError, Family, Listening, answer, request};
use crate::model::{Listener, SafeText};

/// Time from one background sample to the next. A queue that lives for less is seen in proportion.
const EVERY: Duration = Duration::from_millis(100);
/// The kernel answers at once; this only bounds what must never happen.
const PATIENCE: Duration = Duration::from_millis(200);
/// Most rows handed on; the fullest first.
const MOST: usize = 512;

/// Accept queues with what was seen since they were last taken. Dropping it ends the sampling.
pub(super) struct AcceptQueues {
    seen: Arc<Mutex<Seen>>,
    task: Option<JoinHandle<()>>,
}

impl AcceptQueues {
    pub(super) fn new() -> Self {
        Self { seen: Arc::default(), task: None }
    }

    /// Looks once more and hands out every queue with its mean and greatest depth since the last call.
    /// The first call starts the background sampler, so it must be made inside a runtime.
    ///
    /// The second value counts the rows left out. The error says why there is nothing.
    pub(super) fn take(&mut self) -> Result<(Vec<Listener>, usize), String> {
        if self.task.is_none() {
            self.task = Some(tokio::spawn(sample_for_ever(Arc::downgrade(&self.seen))));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look().map_err(|error| {
            format!("the kernel refused socket diagnostics ({error}): a container or seccomp profile may deny netlink")
        })?;
        Ok(seen.take())
    }
}

impl Drop for AcceptQueues {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn sample_for_ever(seen: Weak<Mutex<Seen>>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let Some(seen) = seen.upgrade() else { return };
        // A refusal is told by the next poll, which looks for itself.
        seen.lock().unwrap_or_else(PoisonError::into_inner).look().ok();
    }
}

/// What is summed under one row: sockets of one address and port (`SO_REUSEPORT` has one per worker).
type Key = (Option<IpAddr>, u16);

#[derive(Default)]
struct Seen {
    socket: Option<OwnedFd>,
    sequence: u32,
    buffer: Vec<u8>,
    rows: Vec<Listening>,
    queues: BTreeMap<Key, Tally>,
    looks: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    depth: u32,
    limit: u32,
    sum: f64,
    max: u32,
    /// Part of the latest look.
    present: bool,
}

impl Seen {
    /// Asks the kernel once, both families, and adds what it says to the tallies.
    fn look(&mut self) -> Result<(), Errno> {
        self.rows.clear();
        let asked = self.ask(Family::V4).and_then(|()| match self.ask(Family::V6) {
            // A kernel without IPv6.
            Err(Errno::NOENT | Errno::AFNOSUPPORT) => Ok(()),
            other => other,
        });
        if let Err(error) = asked {
            self.socket = None;
            return Err(error);
        }
        let rows = std::mem::take(&mut self.rows);
        self.count(&rows);
        self.rows = rows;
        Ok(())
    }

    fn ask(&mut self, family: Family) -> Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        let socket = if let Some(socket) = self.socket.take() { socket } else { open()? };
        self.buffer.resize(32 * 1024, 0);
        let question = request(family, self.sequence);
        sendto(&socket, &question, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        loop {
            let (_, length) = recv(&socket, self.buffer.as_mut_slice(), RecvFlags::empty())?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            match answer(datagram, self.sequence, &mut self.rows) {
                Ok(true) => break,
                Ok(false) => {}
                Err(DiagError::Refused(errno)) => return Err(Errno::from_raw_os_error(errno)),
                Err(DiagError::Truncated) => return Err(Errno::BADMSG),
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    fn count(&mut self, rows: &[Listening]) {
        for tally in self.queues.values_mut() {
            (tally.depth, tally.limit, tally.present) = (0, 0, false);
        }
        for row in rows {
            let address = Some(row.address.to_canonical()).filter(|it| !it.is_unspecified());
            let tally = self.queues.entry((address, row.port)).or_default();
            tally.depth = tally.depth.saturating_add(row.depth);
            tally.limit = tally.limit.saturating_add(row.limit);
            tally.present = true;
        }
        for tally in self.queues.values_mut() {
            tally.sum += f64::from(tally.depth);
            tally.max = tally.max.max(tally.depth);
        }
        self.looks = self.looks.saturating_add(1);
    }

    /// The queues of the latest look, and how many were left out; begins a new window.
    fn take(&mut self) -> (Vec<Listener>, usize) {
        let looks = f64::from(self.looks.max(1));
        self.queues.retain(|_, tally| tally.present);
        let mut out: Vec<Listener> = self
            .queues
            .iter_mut()
            .map(|((address, port), tally)| {
                let listener = Listener {
                    address: SafeText::new(&address.map_or_else(|| "*".to_owned(), |it| it.to_string())),
                    port: *port,
                    depth: tally.depth,
                    limit: tally.limit,
                    mean_depth: tally.sum / looks,
                    max_depth: tally.max,
                };
                (tally.sum, tally.max) = (0.0, 0);
                listener
            })
            .collect();
        self.looks = 0;
        let left_out = out.len().saturating_sub(MOST);
        if left_out > 0 {
            out.sort_by_key(|it| std::cmp::Reverse(it.max_depth));
            out.truncate(MOST);
        }
        (out, left_out)
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn row(address: IpAddr, port: u16, depth: u32) -> Listening {
        Listening { address, port, depth, limit: 5 }
    }

    #[test]
    fn sockets_that_share_a_port_are_summed_and_means_span_the_looks() {
        let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut seen = Seen::default();
        seen.count(&[row(any4, 80, 4), row(any4, 80, 3), row(any6, 80, 2), row(local, 80, 1)]);
        seen.count(&[row(any4, 80, 1), row(any4, 80, 0), row(local, 80, 0), row(local, 99, 6)]);
        let (rows, left_out) = seen.take();
        let shape: Vec<_> = rows
            .iter()
            .map(|it| (it.address.as_str(), it.port, it.depth, it.limit, it.mean_depth, it.max_depth))
            .collect();
        let wanted =
            [("*", 80, 1, 10, 5.0, 9), ("127.0.0.1", 80, 0, 5, 0.5, 1), ("127.0.0.1", 99, 6, 5, 3.0, 6)];
        assert_eq!(shape, wanted);
        assert_eq!(left_out, 0);
        seen.count(&[row(local, 99, 2)]);
        let (rows, _) = seen.take();
        assert_eq!(rows.len(), 1, "a closed socket is gone");
        assert!((rows[0].mean_depth - 2.0).abs() < 1e-9 && rows[0].max_depth == 2, "a new window");
    }

    #[test]
    fn a_long_list_keeps_the_fullest() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let rows: Vec<_> = (1..=600u16).map(|port| row(local, port, u32::from(port == 600) * 7)).collect();
        let mut seen = Seen::default();
        seen.count(&rows);
        let (rows, left_out) = seen.take();
        assert_eq!((rows.len(), left_out), (512, 88));
        assert_eq!(rows[0].port, 600);
    }
}
