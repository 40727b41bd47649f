//! The wire format of the kernel's socket diagnostics (`inet_diag`), as far as listening sockets need it. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
const STATE_LISTEN: u8 = 10;
/// Length of `nlmsghdr`, and of `inet_diag_msg` after it.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// Length of a request: `nlmsghdr` and `inet_diag_req_v2`.
const REQUEST: usize = 72;

/// Which sockets to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }
}

/// One listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Connections complete and not accepted (`idiag_rqueue`).
    pub(super) depth: u32,
    /// The most that queue holds (`idiag_wqueue`).
    pub(super) limit: u32,
}

/// Why an answer could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiagError {
    /// The kernel refused, with this errno.
    Refused(i32),
    /// The answer ends in the middle of a message.
    Truncated,
}

/// A request for every listening TCP socket of one family.
pub(super) fn request(family: Family, sequence: u32) -> [u8; REQUEST] {
    let mut out = [0; REQUEST];
    out[0..4].copy_from_slice(&72u32.to_ne_bytes());
    out[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    out[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    out[8..12].copy_from_slice(&sequence.to_ne_bytes());
    out[16] = family.number();
    out[17] = IPPROTO_TCP;
    out[20..24].copy_from_slice(&(1u32 << STATE_LISTEN).to_ne_bytes());
    out
}

/// Reads one datagram of an answer into `rows`; true when it was the last. Answers to an earlier
/// request (another sequence number) are passed over.
pub(super) fn answer(mut bytes: &[u8], sequence: u32, rows: &mut Vec<Listening>) -> Result<bool, DiagError> {
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or(DiagError::Truncated)? as usize;
        if length < HEADER || length > bytes.len() {
            return Err(DiagError::Truncated);
        }
        let (message, _) = bytes.split_at(length);
        // Messages start at multiples of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let kind = u16_at(message, 4).ok_or(DiagError::Truncated)?;
        if u32_at(message, 8) != Some(sequence) {
            continue;
        }
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let errno = u32_at(message, HEADER).ok_or(DiagError::Truncated)?.cast_signed();
                return if errno == 0 { Ok(true) } else { Err(DiagError::Refused(-errno)) };
            }
            NLMSG_NOOP => {}
            _ => rows.extend(listening(message.get(HEADER..).unwrap_or_default())),
        }
    }
    Ok(false)
}

/// One `inet_diag_msg`; `None` when it is short, of another family or not listening.
fn listening(message: &[u8]) -> Option<Listening> {
    if message.len() < MESSAGE || message[1] != STATE_LISTEN {
        return None;
    }
    let address = match message[0] {
        2 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(&message[8..12]).ok()?)),
        10 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&message[8..24]).ok()?)),
        _ => return None,
    };
    Some(Listening {
        address,
        port: u16::from_be_bytes([message[4], message[5]]),
        depth: u32_at(message, 56)?,
        limit: u32_at(message, 60)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Captured: sequence 7, one socket on 127.0.0.1:18490 with 3 waiting of 5, then the end.
    const CAPTURED: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/6.18/inet_diag_listen.bin"));

    #[test]
    fn a_captured_answer_is_read() {
        let mut rows = Vec::new();
        assert_eq!(answer(CAPTURED, 7, &mut rows), Ok(true));
        let wanted = Listening { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 18490, depth: 3, limit: 5 };
        assert_eq!(rows, [wanted]);
        rows.clear();
        assert_eq!(answer(CAPTURED, 8, &mut rows), Ok(false), "the answer to another question");
        assert!(rows.is_empty());
    }

    #[test]
    fn a_refusal_carries_its_errno() {
        let mut bytes = [0u8; 36];
        bytes[0] = 36;
        bytes[4] = 2;
        bytes[8] = 1;
        bytes[16..20].copy_from_slice(&(-13i32).to_ne_bytes());
        assert_eq!(answer(&bytes, 1, &mut Vec::new()), Err(DiagError::Refused(13)));
    }

    proptest! {
        #[test]
        fn cut_or_hostile_bytes_never_panic(
            cut in 0..CAPTURED.len(), noise in proptest::collection::vec(any::<u8>(), 0..200),
            flip in 0..CAPTURED.len(), to in any::<u8>(),
        ) {
            let mut rows = Vec::new();
            answer(&CAPTURED[..cut], 7, &mut rows).ok();
            answer(&noise, 7, &mut rows).ok();
            let mut flipped = CAPTURED.to_vec();
            flipped[flip] = to;
            answer(&flipped, 7, &mut rows).ok();
        }
    }
}
