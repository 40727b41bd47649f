//! The socket by which the kernel is asked about sockets: opened once, kept, opened anew after a failure.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use super::diag::{DiagError, Family, Socket, Which, answer, request};

/// The kernel answers at once; this only bounds what must never happen.
const PATIENCE: Duration = Duration::from_millis(200);

/// A question at a time.
#[derive(Default)]
pub(super) struct Netlink {
    socket: Option<OwnedFd>,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Hands out every TCP socket of both families that is asked for.
    pub(super) fn dump(&mut self, which: Which, each: &mut dyn FnMut(Socket)) -> Result<(), Errno> {
        self.ask(Family::V4, which, each)?;
        match self.ask(Family::V6, which, each) {
            // A kernel without IPv6.
            Err(Errno::NOENT | Errno::AFNOSUPPORT) => Ok(()),
            other => other,
        }
    }

    fn ask(&mut self, family: Family, which: Which, each: &mut dyn FnMut(Socket)) -> Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        // Given back only when the answer was read to its end.
        let socket = if let Some(socket) = self.socket.take() { socket } else { open()? };
        self.buffer.resize(32 * 1024, 0);
        let question = request(family, which, self.sequence);
        sendto(&socket, &question, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        loop {
            let (_, length) = recv(&socket, self.buffer.as_mut_slice(), RecvFlags::empty())?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            match answer(datagram, self.sequence, each) {
                Ok(true) => break,
                Ok(false) => {}
                Err(DiagError::Refused(errno)) => return Err(Errno::from_raw_os_error(errno)),
                Err(DiagError::Truncated) => return Err(Errno::BADMSG),
            }
        }
        self.socket = Some(socket);
        Ok(())
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}
