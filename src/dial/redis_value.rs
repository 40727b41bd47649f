//! What a Redis answers, read as text, number or list, in whatever way the server wrote it. Pure.

use redis::Value;

/// A text answer; bytes that are not UTF-8 are shown as replacement characters.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::SimpleString(text) => Some(text.clone()),
        Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::Okay => Some("OK".into()),
        _ => None,
    }
}

/// The bytes of a text answer.
#[must_use]
pub fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// A whole number, however the server wrote it.
#[must_use]
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        other => std::str::from_utf8(bytes(other)?).ok()?.parse().ok(),
    }
}

/// A count: a whole number that is not negative.
#[must_use]
pub fn count(value: &Value) -> Option<u64> {
    whole(value).and_then(|number| u64::try_from(number).ok())
}

/// The entries of a list answer; none of anything else.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) | Value::Set(values) => values,
        _ => &[],
    }
}

/// The text entries of a list answer.
#[must_use]
pub fn texts(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(text).collect()
}

/// Why a command was refused, when the answer is the server's error: its code and its words.
#[must_use]
pub fn refusal(value: &Value) -> Option<(String, String)> {
    match value {
        Value::ServerError(error) => {
            Some((error.code().to_owned(), error.details().unwrap_or_default().to_owned()))
        }
        _ => None,
    }
}

/// Names and values of an answer that lists them in turn, or maps them.
#[must_use]
pub fn pairs(value: &Value) -> Vec<(String, String)> {
    if let Value::Map(pairs) = value {
        return pairs.iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect();
    }
    list(value).chunks(2).filter_map(|pair| Some((text(pair.first()?)?, text(pair.get(1)?)?))).collect()
}
