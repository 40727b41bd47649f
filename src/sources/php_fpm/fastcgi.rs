//! One `FastCGI` request and its answer. Pure.

const VERSION: u8 = 1;
const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
/// Length of a record's head.
const HEAD: usize = 8;

/// The bytes that ask for `path?query` by GET; the connection is closed after the answer.
pub(super) fn request(path: &str, query: &str) -> Vec<u8> {
    let uri = format!("{path}?{query}");
    let mut params = Vec::new();
    for (name, value) in [
        ("SCRIPT_NAME", path),
        ("SCRIPT_FILENAME", path),
        ("REQUEST_URI", &uri),
        ("QUERY_STRING", query),
        ("REQUEST_METHOD", "GET"),
        ("SERVER_PROTOCOL", "HTTP/1.0"),
    ] {
        for length in [name.len(), value.len()] {
            params.extend(sized(length));
        }
        params.extend(name.bytes().chain(value.bytes()));
    }
    let mut out = Vec::new();
    // Role: responder; flags: none, so it is not kept open.
    record(&mut out, BEGIN, &[0, 1, 0, 0, 0, 0, 0, 0]);
    record(&mut out, PARAMS, &params);
    record(&mut out, PARAMS, &[]);
    record(&mut out, STDIN, &[]);
    out
}

/// A length as `FastCGI` writes it.
fn sized(length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX >> 1);
    match u8::try_from(length) {
        Ok(short) if short < 128 => vec![short],
        _ => (length | 1 << 31).to_be_bytes().to_vec(),
    }
}

fn record(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    out.extend([VERSION, kind, 0, 1, length[0], length[1], 0, 0]);
    out.extend(content.iter().take(usize::from(u16::MAX)));
}

/// What the script wrote, headers included; `None` when the answer is not `FastCGI` or was cut short.
pub(super) fn answer(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let content = rest.get(..length)?;
        match head[1] {
            END => return Some(out),
            STDOUT => out.extend(content),
            _ => {}
        }
        bytes = rest.get(length + usize::from(head[6])..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_put_together_and_one_cut_short_is_none() {
        let mut bytes = Vec::new();
        record(&mut bytes, STDOUT, b"ab");
        bytes[6] = 3;
        bytes.extend([0; 3]);
        record(&mut bytes, 7, b"a word to the log");
        record(&mut bytes, STDOUT, b"c");
        let open = bytes.len();
        record(&mut bytes, END, &[0; 8]);
        assert_eq!(answer(&bytes).as_deref(), Some(&b"abc"[..]));
        assert_eq!(answer(&bytes[..open]), None);
        assert_eq!(answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None);
        assert_eq!(sized(300), [0x80, 0, 1, 44]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = noise;
            if let Some(first) = bytes.first_mut() {
                *first = 1;
            }
            answer(&bytes);
        }
    }
}
