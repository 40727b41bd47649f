//! The wire format of the kernel's socket diagnostics (`inet_diag`), as far as waiting requests need it. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
const STATE_ESTABLISHED: u8 = 1;
const STATE_LISTEN: u8 = 10;
/// The attribute `INET_DIAG_INFO`, and the bit that asks for it.
const ATTRIBUTE_INFO: u16 = 2;
const WANT_INFO: u8 = 1 << 1;
/// Where `tcp_info` tells the milliseconds since data last came.
const LAST_DATA_RECEIVED: usize = 52;
/// Length of `nlmsghdr`, and of `inet_diag_msg` after it.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// Length of a request: `nlmsghdr` and `inet_diag_req_v2`.
const REQUEST: usize = 72;
/// Length of the older form: `nlmsghdr`, `inet_diag_req`, and its number.
const REQUEST_BOTH: usize = 76;
const BOTH_FAMILIES: u16 = 18;

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

/// What to ask of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Listening sockets with their accept queues.
    Listening,
    /// Connections with the bytes nobody has read yet.
    Connected,
    /// These, and when data last came.
    ConnectedWithAge,
}

/// One socket on this machine's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Listening: connections complete and not accepted. Connected: bytes not read (`idiag_rqueue`).
    pub(super) waiting: u32,
    /// Listening: the most that queue holds (`idiag_wqueue`).
    pub(super) limit: u32,
    /// A program holds it; what waits in an accept queue belongs to nobody yet.
    pub(super) accepted: bool,
    /// Milliseconds since data last came, where it was asked for; in steps of a kernel tick.
    pub(super) age_ms: Option<u32>,
}

/// Why an answer could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiagError {
    /// The kernel refused, with this errno.
    Refused(i32),
    /// The answer ends in the middle of a message.
    Truncated,
}

/// A request for the TCP sockets of both families at once, in the kernel's older form (`TCPDIAG_GETSOCK`). It
/// walks the table of connections once, which is what a look costs where they are few.
pub(super) fn request_both(which: Which, sequence: u32) -> [u8; REQUEST_BOTH] {
    let (state, extra) = wanted(which);
    let mut out = headed::<REQUEST_BOTH>(BOTH_FAMILIES, sequence);
    out[19] = extra;
    out[68..72].copy_from_slice(&(1u32 << state).to_ne_bytes());
    out
}

/// An empty message of this length behind its `nlmsghdr`.
fn headed<const LENGTH: usize>(kind: u16, sequence: u32) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    out[0..4].copy_from_slice(&u32::try_from(LENGTH).unwrap_or(u32::MAX).to_ne_bytes());
    out[4..6].copy_from_slice(&kind.to_ne_bytes());
    out[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    out[8..12].copy_from_slice(&sequence.to_ne_bytes());
    out
}

const fn wanted(which: Which) -> (u8, u8) {
    match which {
        Which::Listening => (STATE_LISTEN, 0),
        Which::Connected => (STATE_ESTABLISHED, 0),
        Which::ConnectedWithAge => (STATE_ESTABLISHED, WANT_INFO),
    }
}

/// A request for the TCP sockets of one family.
pub(super) fn request(family: Family, which: Which, sequence: u32) -> [u8; REQUEST] {
    let (state, extra) = wanted(which);
    let mut out = headed::<REQUEST>(BY_FAMILY, sequence);
    out[16] = family.number();
    out[17] = IPPROTO_TCP;
    out[18] = extra;
    out[20..24].copy_from_slice(&(1u32 << state).to_ne_bytes());
    out
}

/// Hands out the sockets of one datagram of an answer; true when it was the last. Answers to an earlier
/// request (another sequence number) are passed over.
pub(super) fn answer(
    mut bytes: &[u8],
    sequence: u32,
    each: &mut dyn FnMut(Socket),
) -> Result<bool, DiagError> {
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
            _ => {
                if let Some(socket) = socket(message.get(HEADER..).unwrap_or_default()) {
                    each(socket);
                }
            }
        }
    }
    Ok(false)
}

/// One `inet_diag_msg`; `None` when it is short or of another family.
fn socket(message: &[u8]) -> Option<Socket> {
    if message.len() < MESSAGE {
        return None;
    }
    let address = match message[0] {
        2 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(&message[8..12]).ok()?)),
        10 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&message[8..24]).ok()?)),
        _ => return None,
    };
    Some(Socket {
        address,
        port: u16::from_be_bytes([message[4], message[5]]),
        waiting: u32_at(message, 56)?,
        limit: u32_at(message, 60)?,
        accepted: u32_at(message, 68)? != 0,
        age_ms: age(&message[MESSAGE..]),
    })
}

/// The age among the attributes that follow a message.
fn age(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)?;
        let value = attributes.get(4..length)?;
        if kind == ATTRIBUTE_INFO {
            return u32_at(value, LAST_DATA_RECEIVED);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
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
    use crate::torn::each_torn;

    /// Captured: sequence 7, one socket on 127.0.0.1:18490 with 3 waiting of 5, then the end.
    const CAPTURED: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/6.18/inet_diag_listen.bin"));

    fn read(bytes: &[u8], sequence: u32) -> (Result<bool, DiagError>, Vec<Socket>) {
        let mut rows = Vec::new();
        (answer(bytes, sequence, &mut |socket| rows.push(socket)), rows)
    }

    #[test]
    fn a_captured_answer_is_read() {
        let (last, rows) = read(CAPTURED, 7);
        let wanted = Socket {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 18490,
            waiting: 3,
            limit: 5,
            accepted: true,
            age_ms: None,
        };
        assert_eq!((last, rows), (Ok(true), vec![wanted]));
        assert_eq!(read(CAPTURED, 8), (Ok(false), vec![]), "the answer to another question");
    }

    #[test]
    fn the_age_stands_among_other_attributes() {
        let mut attributes = vec![6, 0, 15, 0, 1, 2, 0, 0];
        let mut info = vec![0u8; 104];
        info[LAST_DATA_RECEIVED] = 236;
        attributes.extend(108u16.to_ne_bytes());
        attributes.extend(ATTRIBUTE_INFO.to_ne_bytes());
        attributes.extend(&info);
        assert_eq!(age(&attributes), Some(236));
        assert_eq!(age(&attributes[..40]), None);
        assert_eq!(age(&[0; 8]), None, "an attribute without a length ends the list");
    }

    #[test]
    fn a_refusal_carries_its_errno() {
        let mut bytes = [0u8; 36];
        bytes[0] = 36;
        bytes[4] = 2;
        bytes[8] = 1;
        bytes[16..20].copy_from_slice(&(-13i32).to_ne_bytes());
        assert_eq!(read(&bytes, 1).0, Err(DiagError::Refused(13)));
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        each_torn(CAPTURED, |torn| {
            read(torn, 7).0.ok();
            age(torn);
        });
    }
}
