//! Answers as a broken server, a full disk or a cut connection gives them, for the tests of whatever reads one.
//! The same damage in every run: nothing here is left to chance.

use fastrand::Rng;
use redis::Value;

/// What a reader least expects at any place.
const HOSTILE: [&str; 26] = [
    "",
    "0",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "-1e400",
    "NaN",
    "Inf",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[[[[[",
    "\"",
    ",",
    ":",
    "=",
    " ",
    "\n",
    "\r\n\r\n",
    "\0",
    "\u{202e}\u{1b}[2J",
    "e\u{301}\u{fffd}\u{10ffff}",
];

/// How often an answer is damaged, besides being cut.
const DAMAGES: usize = 4_000;
/// Bytes that are read in all: of a long answer fewer damages are tried, and cuts at fewer places.
const BYTES: usize = 4_000_000;

/// Reads `whole` cut at every place, and damaged in thousands of ways. A panic is the failure.
pub(crate) fn each_torn(whole: &[u8], mut read: impl FnMut(&[u8])) {
    read(whole);
    let times = (BYTES / whole.len().max(1)).clamp(100, DAMAGES);
    for at in (0..whole.len()).step_by(whole.len() / times + 1) {
        read(&whole[..at]);
        read(&whole[at..]);
    }
    let mut dice = Rng::with_seed(0x5eed_5eed_5eed_5eed);
    for _ in 0..times {
        let mut torn = whole.to_vec();
        for _ in 0..=dice.usize(..3) {
            damage(&mut torn, &mut dice);
        }
        read(&torn);
    }
}

/// As [`each_torn`], of text: what is no UTF-8 any more becomes the letter that stands for it.
pub(crate) fn each_torn_text(whole: &str, mut read: impl FnMut(&str)) {
    each_torn(whole.as_bytes(), |torn| read(&String::from_utf8_lossy(torn)));
}

fn damage(torn: &mut Vec<u8>, dice: &mut Rng) {
    let at = dice.usize(..torn.len().max(1));
    let some = (at + 1 + dice.usize(..40)).min(torn.len());
    let hostile = HOSTILE[dice.usize(..HOSTILE.len())].bytes();
    match dice.usize(..6) {
        0 if !torn.is_empty() => torn[at] = u8::try_from(dice.usize(..256)).unwrap_or(0),
        1 => drop(torn.drain(at..some)),
        2 => {
            let again = torn[at..some].to_vec();
            torn.splice(at..at, again);
        }
        3 => drop(torn.splice(at..at, hostile)),
        // A number, a word, a quoted text: the whole of it becomes something else.
        _ => {
            let alike = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            let from = torn[..at].iter().rposition(|byte| !alike(byte)).map_or(0, |it| it + 1);
            let to = torn[at..].iter().position(|byte| !alike(byte)).map_or(torn.len(), |it| at + it);
            torn.splice(from..to.max(from), hostile);
        }
    }
}

/// Reads answers of a Redis with any part of any of them replaced by something of another sort.
pub(crate) fn each_torn_answer(whole: &[Value], mut read: impl FnMut(&[Value])) {
    read(whole);
    for cut in 0..whole.len() {
        read(&whole[..cut]);
    }
    let mut dice = Rng::with_seed(0x5eed_0a45_5eed_0a45);
    for _ in 0..DAMAGES {
        let mut torn = whole.to_vec();
        for _ in 0..=dice.usize(..3) {
            let at = dice.usize(..torn.len().max(1));
            if let Some(answer) = torn.get_mut(at) {
                damage_answer(answer, &mut dice);
            }
        }
        read(&torn);
    }
}

fn damage_answer(answer: &mut Value, dice: &mut Rng) {
    if let Value::Array(parts) | Value::Set(parts) = answer
        && !parts.is_empty()
        && dice.usize(..4) > 0
    {
        let at = dice.usize(..parts.len());
        match dice.usize(..8) {
            0 => drop(parts.remove(at)),
            1 => parts.push(parts[at].clone()),
            _ => damage_answer(&mut parts[at], dice),
        }
        return;
    }
    if let Value::BulkString(bytes) = answer
        && dice.usize(..2) == 0
    {
        return damage(bytes, dice);
    }
    *answer = match dice.usize(..7) {
        0 => Value::Nil,
        1 => Value::Int([0, -1, i64::MIN, i64::MAX][dice.usize(..4)]),
        2 => Value::BulkString(HOSTILE[dice.usize(..HOSTILE.len())].into()),
        3 => Value::BulkString(vec![0xff, 0xfe, 0]),
        4 => Value::SimpleString("OK".into()),
        5 => Value::Array(vec![]),
        _ => Value::Array(vec![answer.clone(); 3]),
    };
}

#[test]
fn damage_is_the_same_in_every_run_and_differs_within_one() {
    let all = |whole: &str| {
        let mut all = Vec::new();
        each_torn_text(whole, |torn| all.push(torn.to_owned()));
        all
    };
    let (one, other) = (all("{\"a\":[1,2],\"b\":\"\u{e9}\"}"), all("{\"a\":[1,2],\"b\":\"\u{e9}\"}"));
    assert_eq!(one, other);
    let different: std::collections::BTreeSet<_> = one.iter().collect();
    assert!(different.len() > 2_000, "{}", different.len());
    each_torn(b"", |_| {});
}
