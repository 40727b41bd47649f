//! The workers' heartbeats: each worker publishes one every two seconds, also where events are off.

use std::collections::HashMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{FutureExt, StreamExt};
use redis::aio::PubSub;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::super::resp::Resp;
use crate::model::{Missing, PollErrorKind};

/// Messages taken in one poll.
const MESSAGES: usize = 5_000;
/// Workers remembered.
const WORKERS: usize = 5_000;
/// Beats missed before a worker counts as gone.
const MISSED: f64 = 3.0;

/// Who has been heard, and when last.
#[derive(Default)]
pub(super) struct Beats {
    listener: Option<PubSub>,
    heard: HashMap<String, Worker>,
    since: Option<Instant>,
    denied: Option<String>,
}

struct Worker {
    last: Instant,
    patience: Duration,
    processed: Option<u64>,
}

impl Beats {
    /// Takes in what was published since the last poll; opens the listening connection first if need be.
    pub(super) async fn listen(&mut self, connection: &Resp) {
        if self.denied.is_some() {
            return;
        }
        let mut listener = match self.listener.take() {
            Some(listener) => listener,
            None => match connection.listen(&format!("/{}.celeryev/worker.*", connection.database())).await {
                Ok(listener) => {
                    self.since = Some(Instant::now());
                    listener
                }
                Err(error) => {
                    if error.kind == PollErrorKind::Rights {
                        self.denied = Some(error.says.to_string());
                    }
                    return;
                }
            },
        };
        let mut lost = false;
        {
            let mut messages = listener.on_message();
            for _ in 0..MESSAGES {
                match messages.next().now_or_never() {
                    Some(Some(message)) => self.hear(message.get_payload_bytes()),
                    Some(None) => {
                        lost = true;
                        break;
                    }
                    None => break,
                }
            }
        }
        if !lost {
            self.listener = Some(listener);
        }
        let now = Instant::now();
        self.heard.retain(|_, worker| now.duration_since(worker.last) < worker.patience * 20);
    }

    fn hear(&mut self, message: &[u8]) {
        let Some(event) = event(message) else { return };
        let Some(name) = event.get("hostname").and_then(Json::as_str) else { return };
        if event.get("type").and_then(Json::as_str) == Some("worker-offline") {
            self.heard.remove(name);
            // Somebody was there: none left is then a fact.
            return;
        }
        if self.heard.len() >= WORKERS && !self.heard.contains_key(name) {
            return;
        }
        let beat =
            event.get("freq").and_then(Json::as_f64).filter(|s| (0.1..600.0).contains(s)).unwrap_or(2.0);
        let worker = Worker {
            last: Instant::now(),
            patience: Duration::from_secs_f64(beat * MISSED),
            processed: event.get("processed").and_then(Json::as_u64),
        };
        self.heard.insert(name.to_owned(), worker);
    }

    /// Whether a connection of ours listens.
    pub(super) const fn listens(&self) -> bool {
        self.listener.is_some()
    }

    /// Workers alive and jobs they did, or why neither is known.
    pub(super) fn workers(&self) -> Result<(u32, Option<u64>), Missing> {
        if let Some(why) = &self.denied {
            return Err(Missing::new("workers", &format!("heartbeats are not to be heard: {why}")));
        }
        if self.heard.is_empty() {
            let why = match self.since {
                None => "the heartbeats could not be listened to",
                Some(since) if since.elapsed() < Duration::from_secs(10) => "the first heartbeat is awaited",
                Some(_) => "no heartbeat was ever heard: no worker runs, or all run --without-heartbeat",
            };
            return Err(Missing::new("workers", why));
        }
        let alive = self.heard.values().filter(|worker| worker.last.elapsed() < worker.patience);
        let each = self.heard.values().map(|worker| worker.processed);
        let processed = each.reduce(|sum, one| Some(sum?.saturating_add(one?))).flatten();
        Ok((u32::try_from(alive.count()).unwrap_or(u32::MAX), processed))
    }
}

/// The event in a message: JSON within base64 within JSON.
fn event(message: &[u8]) -> Option<Json> {
    let message: Json = serde_json::from_slice(message).ok()?;
    let body = message.get("body")?.as_str()?;
    let encoding = message.get("properties").and_then(|it| it.get("body_encoding")).and_then(Json::as_str);
    if encoding == Some("base64") {
        serde_json::from_slice(&BASE64_STANDARD.decode(body).ok()?).ok()
    } else {
        serde_json::from_str(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_plain_and_in_base64_and_garbage_is_none() {
        let told = |body: &str, how: &str| {
            event(format!(r#"{{"body":"{body}","properties":{{"body_encoding":"{how}"}}}}"#).as_bytes())
        };
        assert_eq!(told("eyJhIjoxfQ==", "base64"), Some(serde_json::json!({"a": 1})));
        assert_eq!(told("[2]", "utf-8"), Some(serde_json::json!([2])));
        assert_eq!(told("e y", "base64"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_falls_silent_is_gone_but_not_forgotten() {
        let mut beats = Beats { since: Some(Instant::now()), ..Beats::default() };
        assert!(beats.workers().is_err(), "none heard is not none there");
        beats.hear(br#"{"body":"{\"hostname\":\"celery@a\",\"freq\":2.0,\"processed\":7}","properties":{}}"#);
        assert_eq!(beats.workers(), Ok((1, Some(7))));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(beats.workers(), Ok((0, Some(7))));
    }
}
