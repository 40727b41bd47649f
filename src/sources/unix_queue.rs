//! The accept queues of sockets in the file system, which no program can see of its own: the kernel's socket
//! diagnostics (`unix_diag`) tell them, to anybody.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use crate::model::AppSample;

/// The kernel answers at once; this only bounds what must never happen.
const PATIENCE: Duration = Duration::from_millis(200);
/// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP`, `AF_UNIX`, and the state `LISTEN` as a bit.
const BY_FAMILY: u16 = 20;
const REQUEST_DUMP: u16 = 0x301;
const UNIX: u8 = 1;
const LISTENING: u32 = 1 << 10;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN`, and the attributes that answer them.
const SHOW: u32 = 0x01 | 0x10;
const NAME: u16 = 0;
const LENGTHS: u16 = 4;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Length of `nlmsghdr`, and of `unix_diag_msg` after it.
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// Fills in the sockets whose queues the server itself does not see; those it says nothing of stay unknown.
pub(super) fn fill(sample: &mut AppSample) {
    let blind =
        sample.sockets.iter_mut().filter(|it| it.depth.is_none() && it.name.as_str().starts_with('/'));
    let blind: Vec<_> = blind.collect();
    if blind.is_empty() {
        return;
    }
    let Ok(queues) = UnixDiag::default().listening() else { return };
    for socket in blind {
        let told = socket.name.as_str();
        let real = Path::new(told).canonicalize().ok();
        let is_it = |name: &str| name == told || real.as_deref() == Some(Path::new(name));
        if let Some(queue) = queues.iter().find(|queue| is_it(&queue.name)) {
            socket.depth = Some(u64::from(queue.depth));
            socket.limit = Some(u64::from(queue.limit));
        }
    }
    if sample.sockets.iter().all(|socket| socket.depth.is_some()) {
        sample.missing.retain(|gap| gap.what.as_str() != "listen queue");
    }
}

/// The accept queue of one listening socket in the file system.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Queue {
    /// Its path, as the program gave it.
    pub(super) name: String,
    /// Connections that nobody has accepted yet.
    pub(super) depth: u32,
    /// The most it holds.
    pub(super) limit: u32,
}

/// The way to ask; opened at the first question, kept, opened anew after a failure.
#[derive(Debug, Default)]
pub(super) struct UnixDiag {
    socket: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl UnixDiag {
    /// Every listening socket that has a name.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn listening(&mut self) -> Result<Vec<Queue>, Errno> {
        // Given back only when the answer was read to its end.
        let socket = if let Some(socket) = self.socket.take() { socket } else { open()? };
        self.buffer.resize(32 * 1024, 0);
        sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut out = Vec::new();
        loop {
            let (_, length) = recv(&socket, self.buffer.as_mut_slice(), RecvFlags::empty())?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            if answer(datagram, &mut out).ok_or(Errno::BADMSG)? {
                self.socket = Some(socket);
                return Ok(out);
            }
        }
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

fn request() -> [u8; 40] {
    let mut out = [0; 40];
    out[0..4].copy_from_slice(&40u32.to_ne_bytes());
    out[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    out[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    out[8..12].copy_from_slice(&1u32.to_ne_bytes());
    out[16] = UNIX;
    out[20..24].copy_from_slice(&LISTENING.to_ne_bytes());
    out[28..32].copy_from_slice(&SHOW.to_ne_bytes());
    out
}

/// Adds the sockets of one datagram; true when it was the last, `None` when it cannot be read.
fn answer(mut bytes: &[u8], out: &mut Vec<Queue>) -> Option<bool> {
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0)? as usize;
        if length < HEADER || length > bytes.len() {
            return None;
        }
        let (message, _) = bytes.split_at(length);
        // Messages start at multiples of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        match u16_at(message, 4)? {
            DONE => return Some(true),
            ERROR => return None,
            BY_FAMILY => out.extend(message.get(HEADER + MESSAGE..).and_then(queue)),
            _ => {}
        }
    }
    Some(false)
}

fn queue(mut attributes: &[u8]) -> Option<Queue> {
    let (mut name, mut lengths) = (None, None);
    while let Some(length) = u16_at(attributes, 0).map(usize::from).filter(|length| *length >= 4) {
        let value = attributes.get(4..length)?;
        match u16_at(attributes, 2)? {
            // Names that begin with a zero lie in no file system.
            NAME if value.first() != Some(&0) => {
                let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                name = Some(String::from_utf8_lossy(&value[..end]).into_owned());
            }
            LENGTHS => lengths = Some((u32_at(value, 0)?, u32_at(value, 4)?)),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let (depth, limit) = lengths?;
    Some(Queue { name: name?, depth, limit })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernel_tells_what_waits_at_a_socket_of_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("queue.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).expect("it listens");
        let _waiting: Vec<_> =
            (0..3).map(|_| std::os::unix::net::UnixStream::connect(&path).expect("it connects")).collect();
        let mut kernel = UnixDiag::default();
        kernel.listening().expect("the kernel answers");
        let all = kernel.listening().expect("it answers again");
        let ours = all.iter().find(|queue| Path::new(&queue.name) == path).expect("it is among them");
        assert_eq!(ours.depth, 3);
        assert!(ours.limit >= 3, "{ours:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            answer(&noise, &mut Vec::new());
            queue(&noise);
        }
    }
}
