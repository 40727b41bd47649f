//! The slow log: entries told once, with values cut away.

use redis::Value;

use super::super::resp;
use crate::model::{SafeText, SlowCommand, Timestamp};

/// Characters shown of a key.
const KEY_SHOWN: usize = 48;

/// One entry; `None` when it is not one.
pub(super) fn entry(value: &Value) -> Option<SlowCommand> {
    let [id, at, micros, words, rest @ ..] = resp::list(value) else { return None };
    let words = resp::texts(words);
    Some(SlowCommand {
        id: resp::count(id)?,
        at: Timestamp::from_micros(resp::whole(at)?.checked_mul(1_000_000)?),
        took_ms: resp::count(micros)? as f64 / 1e3,
        command: SafeText::new(&shown(&words)),
        client: SafeText::new(&rest.first().and_then(resp::text).unwrap_or_default()),
        client_name: SafeText::new(&rest.get(1).and_then(resp::text).unwrap_or_default()),
    })
}

/// Command and first key; arguments after it are counted, not shown, for they hold people's data.
fn shown(words: &[String]) -> String {
    let Some(command) = words.first() else { return "?".into() };
    let mut out = command.to_uppercase();
    let is_secret = ["AUTH", "HELLO", "ACL", "MIGRATE"].contains(&out.as_str());
    if let Some(key) = words.get(1).filter(|_| !is_secret) {
        let mut head: String = key.chars().take(KEY_SHOWN).collect();
        if head.len() < key.len() {
            head.push('…');
        }
        out = format!("{out} {head}");
    }
    let hidden = words.len().saturating_sub(if is_secret { 1 } else { 2 });
    if hidden > 0 {
        out = format!("{out} (+{hidden})");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_answer;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn values_and_passwords_are_not_shown() {
        let words = |words: &[&str]| Value::Array(words.iter().map(|word| bulk(word)).collect());
        let value = Value::Array(vec![
            Value::Int(7),
            Value::Int(1_700_000_000),
            Value::Int(12_345),
            words(&["set", "user:1:card", "4111 1111"]),
            bulk("127.0.0.1:5"),
            bulk("web.3"),
        ]);
        let seen = entry(&value).expect("an entry");
        assert_eq!(seen.command.as_str(), "SET user:1:card (+1)");
        assert!((seen.took_ms - 12.345).abs() < 1e-9);
        assert_eq!(seen.client_name.as_str(), "web.3");
        assert_eq!(shown(&["auth".into(), "hunter2".into()]), "AUTH (+1)");
        assert!(entry(&Value::Array(vec![Value::Nil])).is_none());
    }

    #[test]
    fn torn_entries_are_read_or_passed_over() {
        let words = Value::Array(vec![bulk("GET"), bulk("k\u{e9}y"), bulk("c")]);
        let whole = [Value::Array(vec![
            Value::Int(1),
            Value::Int(9),
            Value::Int(7),
            words,
            bulk("10.0.0.1:1"),
            bulk("web"),
        ])];
        each_torn_answer(&whole, |torn| drop(torn.first().and_then(entry)));
    }
}
