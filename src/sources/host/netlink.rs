//! The socket by which the kernel is asked about sockets: opened once, kept, opened anew after a failure.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use super::diag::{DiagError, Family, Socket, Which, answer, request, request_both};

/// The kernel answers at once; this only bounds what must never happen.
const PATIENCE: Duration = Duration::from_millis(200);

/// A question at a time.
#[derive(Default)]
pub(super) struct Netlink {
    socket: Option<OwnedFd>,
    sequence: u32,
    buffer: Vec<u8>,
    /// This kernel does not answer for both families at once.
    one_by_one: bool,
}

impl Netlink {
    /// Hands out every TCP socket of both families that is asked for.
    pub(super) fn dump(&mut self, which: Which, each: &mut dyn FnMut(Socket)) -> Result<(), Errno> {
        if !self.one_by_one {
            match self.ask(&|sequence| request_both(which, sequence).to_vec(), each) {
                // Refused before the first row was told.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOENT | Errno::PROTONOSUPPORT) => {
                    self.one_by_one = true;
                }
                other => return other,
            }
        }
        let mut one = |family| self.ask(&|sequence| request(family, which, sequence).to_vec(), each);
        one(Family::V4)?;
        match one(Family::V6) {
            // A kernel without IPv6.
            Err(Errno::NOENT | Errno::AFNOSUPPORT) => Ok(()),
            other => other,
        }
    }

    fn ask(&mut self, question: &dyn Fn(u32) -> Vec<u8>, each: &mut dyn FnMut(Socket)) -> Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        // Given back only when the answer was read to its end.
        let socket = if let Some(socket) = self.socket.take() { socket } else { open()? };
        self.buffer.resize(32 * 1024, 0);
        sendto(&socket, &question(self.sequence), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
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
